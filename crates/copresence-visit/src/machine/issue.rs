//! Requesting an Export Token.

use super::{FailureStreak, State, Transition, VisitPlan, end_visit};
use crate::event::{Effect, Failure, FailureKind, IssueRequest};
use crate::outcome::{EndPhase, Outcome};
use crate::polling::{PollResult, PollSchedule};
use crate::time::Millis;
use std::time::Duration;

/// Retry budget for obtaining a token. Shorter than [`VisitPlan::patience`], because the visitor has not invested any time
/// yet.
const ISSUE_PATIENCE: Duration = Duration::from_secs(20);
/// Maximum requests for a token that may have been issued without our receiving it. Each may be billed.
const MAX_UNANSWERED: u32 = 3;

/// What is known while a token is requested.
#[derive(Debug, Clone)]
pub struct IssueState {
    request: IssueRequest,
    polling: PollSchedule,
    failures: Option<FailureStreak>,
    /// Requests whose response was lost.
    unanswered: u32,
}

pub(super) fn start_issuing(request: IssueRequest, plan: &VisitPlan) -> Transition {
    let polling = PollSchedule::new(plan.polling.clone(), plan.seed);
    send_issue_request(IssueState { request, polling, failures: None, unanswered: 0 }, plan)
}

fn send_issue_request(state: IssueState, plan: &VisitPlan) -> Transition {
    let effects = vec![Effect::Issue(state.request.clone()), Effect::Wait { until: plan.give_up_at }];
    (State::Issuing(state), effects)
}

fn pause_issuing(state: IssueState, until: Millis, mut effects: Vec<Effect>, plan: &VisitPlan) -> Transition {
    effects.push(Effect::Wait { until: until.min(plan.give_up_at) });
    (State::IssuePaused(state, until), effects)
}

/// The timer of a pause fired.
pub(super) fn resume_issuing(state: IssueState, until: Millis, plan: &VisitPlan, now: Millis) -> Transition {
    if now >= plan.give_up_at {
        give_up_issuing(&state)
    } else if now >= until {
        send_issue_request(state, plan)
    } else {
        pause_issuing(state, until, Vec::new(), plan)
    }
}

pub(super) fn handle_issue_failure(
    mut state: IssueState,
    failure: Failure,
    plan: &VisitPlan,
    now: Millis,
) -> Transition {
    let final_outcome = match failure.kind {
        FailureKind::CredentialsRefused => Some(Outcome::CredentialsRefused(failure.detail.clone())),
        // Each further request would issue another token, which is billed.
        FailureKind::ProtocolViolation => Some(Outcome::ProtocolViolation(failure.detail.clone())),
        // The token was issued and could not be journalled: the next one would be lost in the same way.
        FailureKind::Storage => Some(Outcome::StorageFailed(failure.detail.clone())),
        FailureKind::DiskFull => Some(Outcome::DiskFull(failure.detail.clone())),
        FailureKind::Unanswered | FailureKind::GatewayLostAnswer => {
            state.unanswered += 1;
            None
        }
        FailureKind::NeverSent | FailureKind::Busy | FailureKind::BackendFailing => None,
    };
    if let Some(outcome) = final_outcome {
        return end_visit(outcome, EndPhase::Issuing, None);
    }
    let until = state.polling.next_poll(&PollResult::Failed { retry_after: failure.retry_after }, now);
    let failures = FailureStreak::with_failure(state.failures.take(), failure, now);
    let out_of_patience = now.duration_since(failures.since) >= plan.patience.min(ISSUE_PATIENCE);
    let notice = failures.retry_notice(until, now);
    state.failures = Some(failures);
    if out_of_patience || state.unanswered >= MAX_UNANSWERED || now >= plan.give_up_at {
        return give_up_issuing(&state);
    }
    pause_issuing(state, until, vec![notice], plan)
}

/// Time or patience ran out before a token was issued.
pub(super) fn give_up_issuing(state: &IssueState) -> Transition {
    let outcome = state.failures.as_ref().map_or_else(
        || {
            let why = "the backend did not answer the request for an Export Token in time";
            Outcome::Unreachable(why.to_owned())
        },
        FailureStreak::outcome,
    );
    end_visit(outcome, EndPhase::Issuing, None)
}
