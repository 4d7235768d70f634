//! Judges the checks of a run, each as soon as its acts have ended. A run and its recorded evidence are judged alike.

use crate::act::ActOutcome;
use crate::answer::ApiAnswerCertainty;
use crate::check::{Check, CheckResult};
use crate::checks::CHECKS;
use crate::observations::Observations;
use crate::run_error::{NOT_JUDGED_MESSAGE, RunError};
use copresence_client::CallKind;
use std::collections::BTreeMap;

/// Checks that also examine steps of acts that they do not need.
const LATE_CHECKS: [&str; 5] =
    ["redeem.active-200", "redeem.flag", "redeem.either-or", "redeem.json", "relay.no-cache"];

/// Receives each result as soon as it exists.
pub(crate) type OnCheckJudged<'a> = &'a mut dyn FnMut(&'static Check, &CheckResult);

/// The results of the checks that were judged so far. Each check is judged once.
#[derive(Default)]
pub(crate) struct CheckResultsSoFar {
    results: BTreeMap<&'static str, CheckResult>,
}

impl CheckResultsSoFar {
    /// Judges every check whose acts have all ended. Checks that examine every step are judged at the end.
    pub(crate) fn judge_finished_checks(
        &mut self,
        observations: &Observations,
        error: Option<&RunError>,
        on_judged: OnCheckJudged<'_>,
    ) {
        for check in CHECKS.iter().filter(|check| !check.required_acts.is_empty()) {
            let have_ended = check.required_acts.iter().all(|act| observations.act_outcomes.contains_key(act));
            // These checks also examine steps of later acts.
            let is_late = LATE_CHECKS.contains(&check.id);
            if have_ended && !is_late && !should_defer_check_judgement(check, observations) {
                self.judge_check_once(check, observations, error, on_judged);
            }
        }
    }

    /// Judges every check that was not judged yet, after the last act.
    pub(crate) fn judge_remaining_checks(
        &mut self,
        observations: &Observations,
        error: Option<&RunError>,
        on_judged: OnCheckJudged<'_>,
    ) {
        for check in CHECKS.iter() {
            self.judge_check_once(check, observations, error, on_judged);
        }
    }

    /// The results, in the order of [`CHECKS`].
    pub(crate) fn into_check_results(mut self) -> Vec<(&'static Check, CheckResult)> {
        CHECKS.iter().filter_map(|check| Some((*check, self.results.remove(check.id)?))).collect()
    }

    /// Judges a check, unless it was judged before.
    fn judge_check_once(
        &mut self,
        check: &'static Check,
        observations: &Observations,
        error: Option<&RunError>,
        on_judged: OnCheckJudged<'_>,
    ) {
        if self.results.contains_key(check.id) {
            return;
        }
        let judged = match error {
            Some(error) if does_error_leave_checks_undecided(error, observations) => {
                result_without_api_answer(check, observations)
            }
            _ => compute_check_result(check, observations),
        };
        on_judged(check, &judged);
        self.results.insert(check.id, judged);
    }
}

/// Whether an answer to a valid request has to follow before the check can be judged: one of its steps got a page that
/// may come from something in between.
fn should_defer_check_judgement(check: &Check, observations: &Observations) -> bool {
    let mut ambiguous = observations.steps.iter().filter(|step| {
        check.required_acts.contains(&step.act) && step.api_answer_certainty() == ApiAnswerCertainty::Ambiguous
    });
    ambiguous.next_back().is_some_and(|last| {
        let later = observations.steps.iter().skip(last.number);
        later.into_iter().all(|step| step.role.is_deliberately_wrong() || step.exchange.call == CallKind::Download)
    })
}

/// Whether a run with this error decides no more checks: the credentials were refused, or the API answered no valid
/// request at all.
fn does_error_leave_checks_undecided(error: &RunError, observations: &Observations) -> bool {
    match error {
        RunError::Stopped => false,
        RunError::CredentialsRefused(_) => true,
        _ => !observations.has_api_answered_any_valid_request(),
    }
}

/// The result of a check that this run does not decide, whatever its requests show: its acts were omitted, or there is
/// no relay. `None` if the observations decide.
fn result_independent_of_observations(check: &Check, observations: &Observations) -> Option<CheckResult> {
    let is_relay = observations.target_info.relays_tokens || observations.target_info.relays_redeems;
    if check.id.starts_with("relay.") && !is_relay {
        return Some(CheckResult::NotApplicable("there is no relay".to_owned()));
    }
    check.required_acts.iter().find_map(|act| match observations.act_outcomes.get(act) {
        Some(ActOutcome::NotApplicable(why)) => Some(CheckResult::NotApplicable(why.clone())),
        Some(ActOutcome::Skipped(why)) => Some(CheckResult::Skipped(why.clone())),
        _ => None,
    })
}

/// The result of a check in a run without any answer of the API.
fn result_without_api_answer(check: &Check, observations: &Observations) -> CheckResult {
    let result = result_independent_of_observations(check, observations);
    result.unwrap_or_else(|| CheckResult::Inconclusive(NOT_JUDGED_MESSAGE.to_owned()))
}

/// Judges one check, after its acts have ended.
fn compute_check_result(check: &Check, observations: &Observations) -> CheckResult {
    if let Some(result) = result_independent_of_observations(check, observations) {
        return result;
    }
    // An incomplete act may have shown enough for a verdict.
    let judged = (check.judge)(observations);
    let incomplete = check.required_acts.iter().find_map(|act| match observations.act_outcomes.get(act) {
        Some(ActOutcome::Incomplete(why)) => Some(why.clone()),
        _ => None,
    });
    match (judged, incomplete) {
        (CheckResult::Inconclusive(_) | CheckResult::NotApplicable(_), Some(why)) => CheckResult::Inconclusive(why),
        (judged, _) => judged,
    }
}
