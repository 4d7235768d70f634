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
use crate::observations::{Observations, StepRole};
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

/// Judges a request that must not succeed: status 400 or above. A server error (5xx) also discloses nothing, and has a
/// check of its own.
fn check_steps_have_error_status(observations: &Observations, role: StepRole, what: &str) -> CheckResult {
    if observations.first_step_with_role(role).is_none() {
        return result_without_steps(observations);
    }
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(role).filter(|step| step.reply.is_some()) {
        let good = step.response_status().is_some_and(|status| status >= 400);
        collector.record_step_result(
            step,
            good,
            format!("{what}: a refusal (4xx)"),
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("refused", "no response was received")
}

/// Judges a redeem without an active token: status 400.
fn check_inactive_token_refused(observations: &Observations, role: StepRole) -> CheckResult {
    if observations.first_step_with_role(role).is_none() {
        return result_without_steps(observations);
    }
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(role).filter(|step| step.reply.is_some()) {
        let expected = "status 400: the token “does not match an active Export Token”";
        collector.record_step_result(
            step,
            step.response_status() == Some(400),
            expected,
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("status 400", "no response was received")
}

/// The result of a check without steps, because the run sent no such request.
fn result_without_steps(observations: &Observations) -> CheckResult {
    if observations.target_info.only_valid_requests {
        return CheckResult::Skipped(WRONG_REQUESTS_OFF.to_owned());
    }
    CheckResult::NotApplicable("this route has no such request".to_owned())
}

/// Looks for an Export Token that came more than once, and counts the different ones.
fn collect_repeated_token_findings(observations: &Observations, expected: &str) -> (FindingCollector, usize) {
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
