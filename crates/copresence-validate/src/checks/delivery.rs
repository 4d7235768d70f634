//! Checks of the response that delivers the URLs, and of its effect on the token.

use super::check_inactive_token_refused;
use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, StepRole};
use crate::response_fields::{self, FieldResult};
use serde_json::Value;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "visit.delivered",
        title: "Once the avatar is ready, a redeem brings its URLs",
        required_acts: &[Act::Visit],
        remedy: "Answer with `avatar_ready: true` and `payload_complete` as soon as the avatar is processed.",
        judge: check_visit_delivered_urls,
    },
    Check {
        id: "delivery.flag",
        title: "With the URLs, `avatar_ready` is the boolean true",
        required_acts: &[Act::Visit],
        remedy: "Send `avatar_ready: true`, a JSON boolean, in the response that delivers the URLs.",
        judge: check_delivery_ready_flag,
    },
    Check {
        id: "delivery.urls",
        title: "Each entry of `payload_complete` has an absolute http(s) `download_URL`",
        required_acts: &[Act::Visit],
        remedy: "Send `payload_complete` as a list of objects with `download_URL` (in this spelling), an absolute URL with scheme and host.",
        judge: |observations| {
            check_delivery_with_judge(observations, response_fields::judge_download_urls, "absolute URLs")
        },
    },
    Check {
        id: "delivery.types",
        title: "Each entry of `payload_complete` has an `export_type`",
        required_acts: &[Act::Visit],
        remedy: "Send `export_type` as a non-empty string with each URL: clients use it to choose what to load.",
        judge: |observations| {
            check_delivery_with_judge(
                observations,
                response_fields::judge_export_types_not_blank,
                "a type with each URL",
            )
        },
    },
    Check {
        id: "delivery.extension",
        title: "Each `export_type` is a file extension",
        required_acts: &[Act::Visit],
        remedy: "Use the usual file extension as `export_type`, as in glb, fbx or blend.",
        judge: |observations| {
            check_delivery_with_judge(observations, response_fields::judge_export_type_is_extension, "file extensions")
        },
    },
    Check {
        id: "delivery.spent",
        title: "After the URLs were delivered, a redeem of the token returns 400",
        required_acts: &[Act::Visit],
        remedy: "Invalidate the token in the same transaction that delivers the URLs, and answer 400 from then on.",
        judge: |observations| check_inactive_token_refused(observations, StepRole::RedeemSpent),
    },
    Check {
        id: "delivery.race",
        title: "Of several concurrent redeems, at most one delivers the URLs",
        required_acts: &[Act::Race],
        remedy: "Invalidate the token atomically (one conditional update) before the response is built: otherwise two clients can get the same avatar.",
        judge: check_concurrent_redeems_deliver_once,
    },
    Check {
        id: "token.expires",
        title: "A redeem of an expired token returns 400",
        required_acts: &[Act::Expiry],
        remedy: "Let Export Tokens expire, and answer 400 from then on: they are “temporary identifiers”.",
        judge: |observations| check_inactive_token_refused(observations, StepRole::RedeemExpired),
    },
];

const NO_DELIVERY: &str = "no URLs were delivered";

/// The visit act received the URLs. Fails only if the avatar is known to be ready.
fn check_visit_delivered_urls(observations: &Observations) -> CheckResult {
    if let Some(step) = observations.delivery_step() {
        return CheckResult::Pass("delivered".to_owned(), vec![step.number]);
    }
    let mut collector = FindingCollector::default();
    if let (true, Some(last)) = (observations.is_avatar_ready, observations.steps_with_role(StepRole::Poll).last()) {
        collector.add_finding(&[last], "the URLs, because the avatar is ready", "no URLs");
    }
    collector.into_check_result("", "the avatar was not ready within the time limit")
}

/// The response that delivers the URLs has `avatar_ready: true`.
fn check_delivery_ready_flag(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    if let Some(step) = observations.delivery_step() {
        collector
            .record_field_result(step, response_fields::judge_ready_flag(&step.json_body().unwrap_or_default(), true));
    }
    collector.into_check_result("true", NO_DELIVERY)
}

/// Judges fields of the response that delivered the URLs.
fn check_delivery_with_judge(
    observations: &Observations,
    points: fn(&Value) -> Vec<FieldResult>,
    passed: &str,
) -> CheckResult {
    let mut collector = FindingCollector::default();
    if let Some(step) = observations.delivery_step() {
        for point in points(&step.json_body().unwrap_or_default()) {
            collector.record_field_result(step, point);
        }
    }
    collector.into_check_result(passed, NO_DELIVERY)
}

/// Only one of several concurrent redeems gets URLs.
fn check_concurrent_redeems_deliver_once(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    let all: Vec<_> =
        observations.steps_with_role(StepRole::ConcurrentRedeem).filter(|step| step.reply.is_some()).collect();
    let delivering: Vec<_> = all.iter().copied().filter(|step| step.is_token_ending_response()).collect();
    if delivering.is_empty() {
        return CheckResult::Inconclusive(NO_DELIVERY.to_owned());
    }
    for step in &all {
        collector.mark_step_examined(step);
    }
    if delivering.len() > 1 {
        let received = format!("URLs in {} of {} responses", delivering.len(), all.len());
        collector.add_finding(&delivering, "URLs in one response", received);
    }
    collector.into_check_result(format!("URLs in one of {} responses", all.len()), NO_DELIVERY)
}
