//! Checks of redeems with fresh, inactive and missing tokens.

use super::{check_inactive_token_refused, check_invalid_request_refused};
use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, RecordedStep, StepRole};
use crate::response_fields::{self, describe_value_without_secrets};
use serde_json::Value;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "redeem.active-200",
        title: "A redeem of an active token returns 200 in every state of the avatar",
        required_acts: &[Act::Fresh],
        remedy: "Answer /redeemExportToken with 200 as long as the token is active: not 202, 204, 404 or 425 while the avatar is not ready.",
        judge: check_active_redeem_returns_200,
    },
    Check {
        id: "redeem.json",
        title: "The responses of /redeemExportToken are declared as JSON",
        required_acts: &[Act::Fresh],
        remedy: "Send `Content-Type: application/json` with the responses of /redeemExportToken.",
        judge: check_redeem_content_type,
    },
    Check {
        id: "redeem.flag",
        title: "While not ready, `avatar_ready` is the boolean false",
        required_acts: &[Act::Fresh],
        remedy: "Send `avatar_ready` in every response, as a JSON boolean: not a string, not a number, and not omitted.",
        judge: check_ready_flag_false_before_urls,
    },
    Check {
        id: "redeem.either-or",
        title: "A response has either a status report or URLs",
        required_acts: &[Act::Fresh],
        remedy: "Send the object `payload_incomplete` while the avatar is not ready, and only `payload_complete` once it is.",
        judge: check_redeem_report_or_urls,
    },
    Check {
        id: "fresh.status",
        title: "Before the scan, the status is `no_associated_avatar`",
        required_acts: &[Act::Fresh],
        remedy: "Send `completion_status: \"no_associated_avatar\"` until the phone has associated an avatar.",
        judge: check_fresh_token_has_no_avatar,
    },
    Check {
        id: "fresh.progress",
        title: "Before the scan, the progress is -1",
        required_acts: &[Act::Fresh],
        remedy: "Send `completion_progress: -1` until an avatar is associated: 0 says that an avatar is being processed.",
        judge: |observations| check_unscanned_field_minus_one(observations, "completion_progress"),
    },
    Check {
        id: "fresh.queue",
        title: "Before the scan, the queue position is -1",
        required_acts: &[Act::Fresh],
        remedy: "Send `queue_position: -1` until an avatar is in the queue: 0 is a valid position.",
        judge: |observations| check_unscanned_field_minus_one(observations, "queue_position"),
    },
    Check {
        id: "fresh.repeatable",
        title: "Two redeems of a fresh token get the same response",
        required_acts: &[Act::Fresh],
        remedy: "Do not change any state for a redeem of a token whose avatar is not ready.",
        judge: check_repeated_redeem_same_response,
    },
    Check {
        id: "redeem.unknown-400",
        title: "A redeem of an unknown token returns 400",
        required_acts: &[Act::Refused],
        remedy: "Answer 400 for every string that is not an active Export Token: clients treat other statuses as network errors.",
        judge: |observations| check_inactive_token_refused(observations, StepRole::RedeemUnknown),
    },
    Check {
        id: "redeem.mangled-400",
        title: "A redeem of a token with one changed character returns 400",
        required_acts: &[Act::Refused],
        remedy: "Compare the whole Export Token, and distinguish upper and lower case.",
        judge: |observations| check_inactive_token_refused(observations, StepRole::RedeemMangled),
    },
    Check {
        id: "redeem.lengthened-400",
        title: "A redeem of a token with one extra character returns 400",
        required_acts: &[Act::Refused],
        remedy: "Compare the whole Export Token, not only its beginning.",
        judge: |observations| check_inactive_token_refused(observations, StepRole::RedeemLengthened),
    },
    Check {
        id: "redeem.missing-400",
        title: "A redeem without a token returns 400",
        required_acts: &[Act::Refused],
        remedy: "Answer 400 if X-Copresence-Export-Token is missing: without it no active token can match.",
        judge: |observations| check_inactive_token_refused(observations, StepRole::RedeemMissing),
    },
    Check {
        id: "redeem.no-key",
        title: "No redeem without the REST API key",
        required_acts: &[Act::Refused],
        remedy: "Refuse /redeemExportToken without X-Copresence-REST-API-Key (401 or 403).",
        judge: |observations| check_vendor_refuses_bad_key(observations, StepRole::RedeemNoKey, "no API key"),
    },
    Check {
        id: "redeem.wrong-key",
        title: "No redeem for a wrong REST API key",
        required_acts: &[Act::Refused],
        remedy: "Compare the value of X-Copresence-REST-API-Key. It is not enough that the header is present.",
        judge: |observations| check_vendor_refuses_bad_key(observations, StepRole::RedeemWrongKey, "a wrong API key"),
    },
    Check {
        id: "redeem.post-refused",
        title: "POST does not redeem",
        required_acts: &[Act::Refused],
        remedy: "Answer all methods except GET at /redeemExportToken with 405.",
        judge: |observations| {
            check_invalid_request_refused(observations, StepRole::RedeemByPost, "POST instead of GET")
        },
    },
    Check {
        id: "redeem.untouched",
        title: "Refused requests do not change a fresh token",
        required_acts: &[Act::Refused],
        remedy: "Do not change any state for a refused request: a guess by somebody else must not cost a visitor's token.",
        judge: check_refusals_change_nothing,
    },
];

/// Judges a request with a missing or wrong API key: the vendor's API must refuse it. Does not apply to a relay,
/// whose key other checks judge.
fn check_vendor_refuses_bad_key(observations: &Observations, role: StepRole, what: &str) -> CheckResult {
    if observations.target_info.relays_redeems {
        return CheckResult::NotApplicable("redeems go through a relay, which holds the API key".to_owned());
    }
    check_invalid_request_refused(observations, role, what)
}

/// The successful redeems of an active token, with a JSON body, before the response that ends the token.
fn find_successful_redeems_while_token_active(observations: &Observations) -> impl Iterator<Item = &RecordedStep> {
    observations
        .redeems_of_active_tokens()
        .filter(|step| step.has_success_status() && step.json_body().is_some() && !step.is_token_spending_response())
}

/// Every redeem of an active token returns HTTP status 200 and a JSON object.
fn check_active_redeem_returns_200(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.redeems_of_active_tokens().filter(|step| observations.is_certain_api_answer(step)) {
        // A lost answer may have spent the token, so that a refusal is right.
        let is_doubtful = step.response_status() == Some(400) && observations.may_token_be_spent_before_step(step);
        // Other checks judge these redeems.
        if !is_doubtful && step.role != StepRole::RedeemAfterRefusals && step.role != StepRole::RedeemAfterFailure {
            let good = step.response_status() == Some(200) && step.json_body().is_some_and(|body| body.is_object());
            let body =
                if step.json_body().is_some_and(|body| body.is_object()) { "" } else { " without a JSON object" };
            collector.record_step_result(
                step,
                good,
                "status 200 and a JSON object",
                format!("{}{body}", step.describe_status_or_no_response()),
            );
        }
    }
    collector.into_check_result("status 200", "no response was received")
}

/// Every successful redeem of an active token has the content type `application/json`.
fn check_redeem_content_type(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations
        .redeems_of_active_tokens()
        .filter(|step| step.has_success_status() && observations.is_certain_api_answer(step))
    {
        collector.record_field_result(
            step,
            response_fields::judge_json_content_type(step.response_header("content-type").as_deref()),
        );
    }
    collector.into_check_result("application/json", "no response was received")
}

/// `avatar_ready` is false in every response before the URLs.
fn check_ready_flag_false_before_urls(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in find_successful_redeems_while_token_active(observations) {
        collector
            .record_field_result(step, response_fields::judge_ready_flag(&step.json_body().unwrap_or_default(), false));
    }
    collector.into_check_result("false in every response before the URLs", "no response was received")
}

/// A response has a status report before the delivery, and none beside the URLs.
fn check_redeem_report_or_urls(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in find_successful_redeems_while_token_active(observations) {
        collector.record_field_result(
            step,
            response_fields::judge_status_report_present(&step.json_body().unwrap_or_default()),
        );
    }
    if let Some(step) = observations.delivery_step() {
        collector.record_field_result(
            step,
            response_fields::judge_status_report_absent(&step.json_body().unwrap_or_default()),
        );
    }
    collector.into_check_result("one of the two in every response", "no response was received")
}

/// Redeems of fresh tokens with a status report.
fn fresh_token_redeems_with_report(
    observations: &Observations,
) -> impl Iterator<Item = (&RecordedStep, serde_json::Map<String, Value>)> {
    observations.steps_with_role(StepRole::RedeemFresh).filter_map(|step| Some((step, step.status_report()?)))
}

/// Every status report of a fresh token has the `completion_status` `no_associated_avatar`.
fn check_fresh_token_has_no_avatar(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, progress) in fresh_token_redeems_with_report(observations) {
        let status = progress.get("completion_status");
        let good = status.and_then(Value::as_str) == Some("no_associated_avatar");
        collector.record_step_result(
            step,
            good,
            "`completion_status`: \"no_associated_avatar\"",
            describe_value_without_secrets(status),
        );
    }
    collector.into_check_result("no_associated_avatar", "no status report was received")
}

/// The field is -1 in every status report of a token that was not scanned.
fn check_unscanned_field_minus_one(observations: &Observations, field: &str) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, progress) in fresh_token_redeems_with_report(observations) {
        collector.record_field_result(step, response_fields::judge_field_minus_one(&progress, field, ""));
    }
    collector.into_check_result("-1", "no status report was received")
}

/// Repeated redeems of a fresh token get the same response.
fn check_repeated_redeem_same_response(observations: &Observations) -> CheckResult {
    let answered: Vec<_> = observations
        .steps_with_role(StepRole::RedeemFresh)
        .filter(|step| observations.is_certain_api_answer(step))
        .collect();
    let mut collector = FindingCollector::default();
    for pair in answered.windows(2) {
        let same = pair[0].response_status() == pair[1].response_status() && pair[0].json_body() == pair[1].json_body();
        collector.mark_step_examined(pair[0]);
        collector.record_step_result(pair[1], same, "the same response as before", "a different one");
    }
    collector.into_check_result("the same response twice", "fewer than two responses were received")
}

/// Judges the redeem after the refused requests: status 200, and the same `completion_status` as before them.
fn check_refusals_change_nothing(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations
        .steps_with_role(StepRole::RedeemAfterRefusals)
        .filter(|step| observations.is_certain_api_answer(step))
    {
        let status = step.read_completion_status_field();
        let was =
            observations.steps_with_role(StepRole::RedeemFresh).find_map(RecordedStep::read_completion_status_field);
        let good = step.response_status() == Some(200) && status == was;
        collector.record_step_result(
            step,
            good,
            "status 200 and the same status report as before",
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("unchanged", "no response was received")
}
