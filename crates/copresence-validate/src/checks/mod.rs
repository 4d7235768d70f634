//! Every check, in report order.

mod access;
mod delivery;
mod errors;
mod files;
mod http;
mod progress;
mod redeem;
mod relay;

use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, RecordedStep, StepRole};
use crate::run_plan::WRONG_REQUESTS_OFF;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Every check, in report order.
pub static CHECKS: LazyLock<Vec<&'static Check>> = LazyLock::new(|| {
    let all: [&'static [Check]; 8] = [
        access::CHECKS,
        redeem::CHECKS,
        progress::CHECKS,
        delivery::CHECKS,
        files::CHECKS,
        errors::CHECKS,
        http::CHECKS,
        relay::CHECKS,
    ];
    all.into_iter().flatten().collect()
});

/// Judges a request that must be refused: status 4xx. A server error (5xx) shows no refusal.
fn check_invalid_request_refused(observations: &Observations, role: StepRole, what: &str) -> CheckResult {
    judge_answers_to_wrong_request(observations, role, &format!("{what}: a refusal (4xx)"), "refused", |step| {
        step.response_status().is_some_and(|status| status >= 400)
    })
}

/// Judges a redeem without an active token: status 400.
fn check_inactive_token_refused(observations: &Observations, role: StepRole) -> CheckResult {
    let expected = "status 400: the token “does not match an active Export Token”";
    let is_refusal = |step: &RecordedStep| step.response_status() == Some(400);
    let result = judge_answers_to_wrong_request(observations, role, expected, "status 400", is_refusal);
    if !matches!(result, CheckResult::Inconclusive(_)) {
        return result;
    }
    // The request itself makes the server fail: that is not the status of the specification.
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(role).filter(|step| observations.is_reproducible_server_error(step)) {
        collector.record_step_result(step, false, expected, step.describe_status_or_no_response());
    }
    if collector.has_findings() { collector.into_check_result("", "") } else { result }
}

/// Judges the answers to a deliberately wrong request. Inconclusive if there is none, or if valid requests of the same
/// kind fail alike.
fn judge_answers_to_wrong_request(
    observations: &Observations,
    role: StepRole,
    expected: &str,
    passed: &str,
    is_refusal: impl Fn(&RecordedStep) -> bool,
) -> CheckResult {
    let Some(first) = observations.first_step_with_role(role) else { return result_without_steps(observations) };
    let mut collector = FindingCollector::default();
    let mut undecided = None;
    for step in observations.steps_with_role(role) {
        if !observations.is_certain_api_answer(step) {
            undecided = Some(format!("the API did not answer: {}", step.describe_status_or_no_response()));
        } else if !observations.has_status_unlike_valid_responses(step) {
            let status = step.describe_status_or_no_response();
            undecided = Some(format!("valid requests get {status} too, so that this shows nothing"));
        } else {
            collector.record_step_result(step, is_refusal(step), expected, step.describe_status_or_no_response());
        }
    }
    let undecided = undecided.unwrap_or_else(|| first.describe_status_or_no_response());
    collector.into_check_result(passed, undecided)
}

/// The result of a check without steps, because the run sent no such request.
fn result_without_steps(observations: &Observations) -> CheckResult {
    if observations.target_info.only_valid_requests {
        return CheckResult::Skipped(WRONG_REQUESTS_OFF.to_owned());
    }
    CheckResult::NotApplicable("this route has no such request".to_owned())
}

/// Looks for an Export Token that came more than once, and counts the different ones.
fn count_tokens_and_collect_repeats(observations: &Observations, expected: &str) -> (FindingCollector, usize) {
    let mut collector = FindingCollector::default();
    let mut earlier = BTreeMap::new();
    for step in observations.steps_with_role(StepRole::Generate).filter(|step| step.has_success_status()) {
        let token =
            step.json_body().and_then(|body| Some(body.pointer(&observations.target_info.token_pointer)?.to_string()));
        let Some(token) = token else { continue };
        collector.mark_step_examined(step);
        if let Some(first) = earlier.insert(token, step) {
            collector.add_finding(&[first, step], expected, "the same token as before");
        }
    }
    (collector, earlier.len())
}

/// For checks that look at every step and need no specific act.
const NO_REQUIRED_ACTS: &[Act] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_an_id_a_title_and_a_remedy() {
        for check in CHECKS.iter() {
            assert!(check.title.ends_with(|c: char| c.is_alphanumeric() || c == ')' || c == '`'), "{}", check.id);
            assert!(check.remedy.ends_with('.') && check.remedy.len() > 20, "{}", check.id);
            assert!(check.id.contains('.') && check.id.is_ascii(), "{}", check.id);
        }
    }
}
