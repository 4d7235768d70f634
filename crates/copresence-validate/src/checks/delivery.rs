//! Checks of the response that delivers the URLs, and of its effect on the token.

use super::check_inactive_token_refused;
use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, StepRole};
use crate::response_fields::{self, FieldResult};
use copresence_client::explain_refused_download_url;
use serde_json::Value;
use url::Url;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "visit.delivered",
        title: "Once the avatar is ready, a redeem brings its URLs",
        required_acts: &[Act::Visit],
        remedy: "Answer with `avatar_ready: true` and `payload_complete` as soon as the avatar is processed.",
        judge: check_urls_arrive_in_visit,
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
            check_delivery_body_fields(observations, response_fields::judge_download_urls, "absolute URLs")
        },
    },
    Check {
        id: "delivery.reachable",
        title: "No `download_URL` leads from https to http, or from a public API to a private address",
        required_acts: &[Act::Visit],
        remedy: "Send file URLs with https, and with a host that clients can reach: they refuse URLs that lead into their own network. Often the backend's configured public URL is wrong.",
        judge: check_clients_accept_download_urls,
    },
    Check {
        id: "delivery.types",
        title: "Each entry of `payload_complete` has an `export_type`",
        required_acts: &[Act::Visit],
        remedy: "Send `export_type` as a non-empty string with each URL: clients use it to choose what to load.",
        judge: |observations| {
            check_delivery_body_fields(
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
            check_delivery_body_fields(
                observations,
                response_fields::judge_export_type_extension_syntax,
                "file extensions",
            )
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
fn check_urls_arrive_in_visit(observations: &Observations) -> CheckResult {
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

/// No URL of the delivery is one that clients refuse to request.
fn check_clients_accept_download_urls(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    if let Some(step) = observations.delivery_step()
        && let Ok(backend) = Url::parse(&step.exchange.url)
    {
        // Another check judges URLs that cannot be parsed.
        let urls = step.delivered_urls_and_types().into_iter().filter_map(|(url, _)| Url::parse(&url).ok());
        for url in urls {
            let refusal = explain_refused_download_url(&url, &backend);
            let received =
                refusal.as_ref().map(|why| format!("a URL at {}: {why}", url.origin().ascii_serialization()));
            let expected = "URLs over https if the API is, and with a public host if the API has one";
            collector.record_step_result(step, refusal.is_none(), expected, received.unwrap_or_default());
        }
    }
    collector.into_check_result("each URL may be requested", NO_DELIVERY)
}

/// Judges fields of the JSON body of the response that delivered the URLs, with `points`.
fn check_delivery_body_fields(
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
    let delivering: Vec<_> = all.iter().copied().filter(|step| step.is_token_spending_response()).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::observations::RecordedStep;
    use copresence_client::probe::ProbeResponse;
    use copresence_client::{CallKind, Exchange, ExchangeOutcome};
    use serde_json::json;
    use std::time::Duration;

    /// The result of a delivery of one file by a backend.
    fn judge_delivered_url(backend: &str, file_url: &str) -> CheckResult {
        let body = json!({
            "avatar_ready": true,
            "payload_complete": [{ "export_type": "glb", "download_URL": file_url }],
        });
        let step = RecordedStep {
            number: 1,
            act: Act::Visit,
            role: StepRole::Poll,
            token_number: Some(1),
            file_index: None,
            curl: String::new(),
            exchange: Exchange {
                call: CallKind::Redeem,
                started_at: jiff::Timestamp::UNIX_EPOCH,
                time_to_headers: None,
                duration: Duration::from_millis(20),
                method: "GET".to_owned(),
                url: format!("{backend}redeemExportToken"),
                request_headers: Vec::new(),
                request_body: None,
                status: Some(200),
                response_headers: Vec::new(),
                body: None,
                body_size: 2,
                outcome: ExchangeOutcome::Complete,
                error: None,
            },
            reply: Some(ProbeResponse {
                status: 200,
                headers: http::HeaderMap::default(),
                body: body.to_string().into(),
            }),
        };
        check_clients_accept_download_urls(&Observations { steps: vec![step], ..Observations::default() })
    }

    #[test]
    fn file_urls_over_http_or_in_a_private_network_fail_if_the_api_is_public() {
        let judge = |backend, url| judge_delivered_url(backend, url).verdict();
        assert_eq!(judge("https://api.test/", "https://files.test/a.glb?sig=1"), Verdict::Pass);
        assert_eq!(judge("http://127.0.0.1:8787/", "http://127.0.0.1:8787/a.glb"), Verdict::Pass);
        assert_eq!(judge("https://api.test/", "http://files.test/a.glb"), Verdict::Fail);
        let failed = judge_delivered_url("https://api.test/", "https://10.0.0.7:9000/a.glb?sig=1");
        assert_eq!(failed.verdict(), Verdict::Fail);
        let words = format!("{failed:?}");
        assert!(words.contains("https://10.0.0.7:9000") && !words.contains("sig"), "{words}");
    }
}
