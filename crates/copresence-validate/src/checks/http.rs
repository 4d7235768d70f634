//! Checks of TLS, caching, CORS, server errors and response times.

use super::NO_REQUIRED_ACTS;
use crate::act::Act;
use crate::answer::ApiAnswerCertainty;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::latency::compute_percentiles;
use crate::observations::{Observations, RecordedStep, StepRole};
use crate::response_fields;
use copresence_client::{CallKind, ExchangeOutcome};
use std::time::Duration;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "http.tls",
        title: "The API is reached over TLS",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Serve the API over https only: each request contains a credential.",
        judge: check_api_and_urls_https,
    },
    Check {
        id: "http.hsts",
        title: "The API sends HSTS",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Send `Strict-Transport-Security: max-age=31536000` with each response.",
        judge: check_api_sends_hsts,
    },
    Check {
        id: "http.plain-refused",
        title: "The API does not respond with success over plain HTTP",
        required_acts: &[Act::Plain],
        remedy: "Refuse connections to the plain HTTP port, or redirect them: a credential that is sent there has already leaked.",
        judge: check_plain_http_refused,
    },
    Check {
        id: "http.no-store",
        title: "Responses with tokens, states or URLs must not be cached",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Send `Cache-Control: no-store` with the responses of login, /generateExportToken and /redeemExportToken.",
        judge: check_api_forbids_caching,
    },
    Check {
        id: "http.cors",
        title: "Pages of other sites cannot read the API's responses",
        required_acts: &[Act::Page],
        remedy: "Send no Access-Control-Allow-Origin, or only your own sites: neither `*` nor a copy of the request's Origin.",
        judge: check_cors_denies_other_sites,
    },
    Check {
        id: "http.no-5xx",
        title: "No request causes a server error",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Look into the server's log at the time of the run: one of its requests caused an error that the server does not handle.",
        judge: check_no_server_errors,
    },
    Check {
        id: "time.answered",
        title: "Every API request gets a response",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Respond to every request within 30 seconds, and do not close connections without a response.",
        judge: check_api_requests_answered,
    },
    Check {
        id: "time.latency",
        title: "95 % of the API calls are answered within two seconds",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Respond from known state, and do the work in the background: clients poll, and each slow response delays one.",
        judge: check_p95_latency_under_2s,
    },
];

/// Maximum response time of 95 % of the API calls.
const LATENCY_LIMIT: Duration = Duration::from_secs(2);

/// Every step at the API, without downloads and plain HTTP.
fn recorded_api_steps(observations: &Observations) -> impl Iterator<Item = &RecordedStep> {
    observations
        .steps
        .iter()
        .filter(|step| step.exchange.call != CallKind::Download && step.role != StepRole::PlainHttp)
}

/// "Not applicable" if the backend is on a loopback address without https; `None` for any other.
fn not_applicable_if_loopback_http(observations: &Observations) -> Option<CheckResult> {
    let why = "the backend runs on this machine, so no network is involved";
    (observations.target_info.is_loopback && !observations.target_info.uses_https)
        .then(|| CheckResult::NotApplicable(why.to_owned()))
}

/// The API is reached over https, and every delivered download URL is https.
fn check_api_and_urls_https(observations: &Observations) -> CheckResult {
    if let Some(judged) = not_applicable_if_loopback_http(observations) {
        return judged;
    }
    let mut collector = FindingCollector::default();
    if let Some(step) = recorded_api_steps(observations).find(|step| observations.is_certain_api_answer(step)) {
        collector.record_step_result(
            step,
            observations.target_info.uses_https,
            "https, with a certificate that is trusted here",
            "http",
        );
    }
    for (step, (url, _)) in observations
        .delivery_step()
        .into_iter()
        .flat_map(|step| step.delivered_urls_and_types().into_iter().map(move |u| (step, u)))
    {
        collector.record_step_result(step, url.starts_with("https://"), "download URLs over https", "a URL over http");
    }
    collector.into_check_result("https", "no response was received")
}

/// Each successful API response over https sends HSTS. Does not apply without TLS.
fn check_api_sends_hsts(observations: &Observations) -> CheckResult {
    if let Some(judged) = not_applicable_if_loopback_http(observations) {
        return judged;
    }
    if !observations.target_info.uses_https {
        return CheckResult::NotApplicable("the API is not reached over TLS".to_owned());
    }
    let mut collector = FindingCollector::default();
    for step in recorded_api_steps(observations)
        .filter(|step| step.has_success_status() && observations.is_certain_api_answer(step))
    {
        collector.record_field_result(
            step,
            response_fields::judge_hsts(step.response_header("strict-transport-security").as_deref()),
        );
    }
    collector.into_check_result("sent", "no response was received")
}

/// A redeem over plain HTTP has no success: a redirect, a refusal or no server. Pages of something in between, and
/// server errors, show nothing.
fn check_plain_http_refused(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::PlainHttp) {
        let is_page = step.api_answer_certainty() == ApiAnswerCertainty::Ambiguous
            && !step.response_status().is_some_and(|status| (300..400).contains(&status));
        let is_failure = step.reply.is_some() && step.api_answer_certainty() == ApiAnswerCertainty::NoAnswer;
        if is_page || is_failure || step.reply.is_none() && !observations.did_api_answer_around_step(step) {
            continue;
        }
        collector.record_step_result(
            step,
            !step.has_success_status(),
            "a redirect, a refusal or no server",
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("no success over plain HTTP", "no answer of the backend over plain HTTP")
}

/// Each successful API response to a valid request has `Cache-Control: no-store`.
fn check_api_forbids_caching(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in recorded_api_steps(observations).filter(|step| {
        step.has_success_status() && !step.role.is_deliberately_wrong() && observations.is_certain_api_answer(step)
    }) {
        collector.record_field_result(
            step,
            response_fields::judge_cache_control(step.response_header("cache-control").as_deref()),
        );
    }
    collector.into_check_result("no-store", "no response was received")
}

/// No response to a preflight or a redeem with another site's Origin gives that site access.
fn check_cors_denies_other_sites(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in [StepRole::PreflightGenerate, StepRole::PreflightRedeem, StepRole::RedeemCrossOrigin]
        .into_iter()
        .flat_map(|role| observations.steps_with_role(role))
    {
        if !observations.is_certain_api_answer(step) {
            continue;
        }
        let allowed = step.response_header("access-control-allow-origin").unwrap_or_default();
        collector.record_field_result(step, response_fields::judge_cors_denies_other_sites(&allowed));
    }
    collector.into_check_result("no access", "no response was received")
}

/// Each response has a status below 500, except that of the lost answer.
fn check_no_server_errors(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps.iter().filter(|step| step.reply.is_some() && step.role != StepRole::LostAnswer) {
        // This network asks for a login: no answer of the backend.
        if step.response_status() == Some(511) {
            continue;
        }
        let good = step.response_status().is_some_and(|status| status < 500);
        collector.record_step_result(step, good, "a status below 500", step.describe_status_or_no_response());
    }
    collector.into_check_result("no server error", "no response was received")
}

/// Each API request got a complete response, except those whose response a fault dropped on purpose.
fn check_api_requests_answered(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in recorded_api_steps(observations).filter(|step| step.role != StepRole::LostAnswer) {
        // A request that never left this machine cannot be answered.
        if step.exchange.outcome == ExchangeOutcome::NeverSent {
            continue;
        }
        collector.record_step_result(step, step.reply.is_some(), "a response", step.describe_status_or_no_response());
    }
    collector.into_check_result("each request got a response", "no request was sent")
}

/// 95 % of the API's responses came within 2 seconds.
fn check_p95_latency_under_2s(observations: &Observations) -> CheckResult {
    let steps: Vec<_> =
        recorded_api_steps(observations).filter(|step| observations.is_certain_api_answer(step)).collect();
    let durations: Vec<_> = steps.iter().map(|step| step.exchange.duration).collect();
    let Some(times) = compute_percentiles(&durations) else {
        return CheckResult::Inconclusive("no response was received".to_owned());
    };
    let summary = format!("median {:?}, 95 % within {:?}, slowest {:?}", times.p50, times.p95, times.max);
    let mut collector = FindingCollector::default();
    collector.mark_step_examined(steps[0]);
    if times.p95 > LATENCY_LIMIT {
        let slow: Vec<_> = steps.iter().copied().filter(|step| step.exchange.duration > LATENCY_LIMIT).collect();
        collector.add_finding(&slow, "95 % within 2 s", summary.clone());
    }
    collector.into_check_result(summary, "no response was received")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::target::KnownBackendFacts;
    use copresence_client::Exchange;
    use copresence_client::probe::ProbeResponse;

    fn build_step(
        role: StepRole,
        status: u16,
        header: Option<(&'static str, &'static str)>,
        took: Duration,
    ) -> RecordedStep {
        let headers = header
            .into_iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        RecordedStep {
            number: 1,
            act: Act::Fresh,
            role,
            token_number: Some(1),
            file_index: None,
            curl: String::new(),
            exchange: Exchange {
                call: CallKind::Redeem,
                started_at: jiff::Timestamp::UNIX_EPOCH,
                time_to_headers: Some(took),
                duration: took,
                method: "GET".to_owned(),
                url: String::new(),
                request_headers: Vec::new(),
                request_body: None,
                status: Some(status),
                response_headers: Vec::new(),
                body: None,
                body_size: 2,
                outcome: copresence_client::ExchangeOutcome::Complete,
                error: None,
            },
            reply: Some(ProbeResponse { status, headers: headers.collect(), body: "{}".into() }),
        }
    }

    fn observe(https: bool, loopback: bool, steps: Vec<RecordedStep>) -> Observations {
        Observations {
            target_info: KnownBackendFacts { uses_https: https, is_loopback: loopback, ..KnownBackendFacts::default() },
            steps,
            ..Observations::default()
        }
    }

    const FAST_RESPONSE: Duration = Duration::from_millis(20);
    const HSTS: &str = "strict-transport-security";

    #[test]
    fn plain_http_fails_except_on_loopback() {
        let fresh = || vec![build_step(StepRole::RedeemFresh, 200, None, FAST_RESPONSE)];
        assert_eq!(check_api_and_urls_https(&observe(true, false, fresh())).verdict(), Verdict::Pass);
        assert_eq!(check_api_and_urls_https(&observe(false, false, fresh())).verdict(), Verdict::Fail);
        assert_eq!(check_api_and_urls_https(&observe(false, true, fresh())).verdict(), Verdict::NotApplicable);
    }

    #[test]
    fn hsts_is_required_over_tls_with_a_max_age() {
        let judged = |header| {
            check_api_sends_hsts(&observe(
                true,
                false,
                vec![build_step(StepRole::RedeemFresh, 200, header, FAST_RESPONSE)],
            ))
            .verdict()
        };
        assert_eq!(judged(Some((HSTS, "max-age=31536000; includeSubDomains"))), Verdict::Pass);
        assert_eq!(judged(Some((HSTS, "max-age=0"))), Verdict::Fail);
        assert_eq!(judged(None), Verdict::Fail);
        assert_eq!(check_api_sends_hsts(&observe(false, false, Vec::new())).verdict(), Verdict::NotApplicable);
    }

    #[test]
    fn plain_http_may_redirect_or_refuse_but_not_succeed() {
        let judged = |status| {
            check_plain_http_refused(&observe(
                true,
                false,
                vec![build_step(StepRole::PlainHttp, status, None, FAST_RESPONSE)],
            ))
            .verdict()
        };
        assert_eq!([judged(301), judged(403), judged(200)], [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }

    #[test]
    fn a_few_slow_responses_do_not_fail_latency() {
        let slow = |count: usize| {
            let took = |index| if index < count { Duration::from_secs(3) } else { FAST_RESPONSE };
            let steps = (0..40).map(|index| build_step(StepRole::Poll, 200, None, took(index))).collect();
            check_p95_latency_under_2s(&observe(true, false, steps)).verdict()
        };
        assert_eq!([slow(0), slow(2), slow(3)], [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }
}
