//! Requesting an Export Token.

use super::{FailureStreak, Transition, VisitPollingPlan, VisitState, end_visit, redeem};
use crate::event::{MachineEffect, TokenIssueParameters, VisitStepFailure, VisitStepFailureKind};
use crate::outcome::{EndPhase, Outcome};
use crate::polling::{PollResult, PollSchedule};
use crate::time::MillisSinceOrigin;
use copresence_protocol::ExportToken;
use std::time::Duration;

/// Retry budget for obtaining a token. Shorter than [`VisitPollingPlan::patience`], because the visitor has not invested
/// any time yet.
const ISSUE_PATIENCE: Duration = Duration::from_secs(20);
/// Maximum requests whose token may have been issued without being received. Each may be billed.
const MAX_POSSIBLY_ISSUED: u32 = 3;

/// What is known while a token is requested.
#[derive(Debug, Clone)]
pub struct TokenRequestState {
    request: TokenIssueParameters,
    polling: PollSchedule,
    failures: Option<FailureStreak>,
    /// Requests whose token may have been issued without being received.
    possibly_issued: u32,
    /// The visitor left, or the program stops: the visit ends as soon as the response allows.
    is_leaving: bool,
}

impl TokenRequestState {
    /// The visit ends with the response, which is awaited: it may contain a token that is billed, and that only it names.
    pub(super) fn await_response_then_leave(self) -> Transition {
        (VisitState::Issuing(Self { is_leaving: true, ..self }), Vec::new())
    }
}

/// Starts to redeem the issued token, or ends the visit if nobody waits for it. Its token is kept then.
pub(super) fn redeem_issued_token_or_end(
    state: &TokenRequestState,
    token: ExportToken,
    plan: &VisitPollingPlan,
    now: MillisSinceOrigin,
) -> Transition {
    if state.is_leaving {
        return end_visit(Outcome::Interrupted, EndPhase::Inviting, None);
    }
    redeem::start_polling(token, plan, now)
}

/// Sends the first request for an Export Token of a visit.
pub(super) fn send_first_token_request(request: TokenIssueParameters, plan: &VisitPollingPlan) -> Transition {
    let polling = PollSchedule::new(plan.polling.clone(), plan.seed);
    send_token_request(
        TokenRequestState { request, polling, failures: None, possibly_issued: 0, is_leaving: false },
        plan,
    )
}

/// Sends the request for an Export Token. The visit waits for the answer until it gives up.
fn send_token_request(state: TokenRequestState, plan: &VisitPollingPlan) -> Transition {
    let effects = vec![MachineEffect::Issue(state.request.clone()), MachineEffect::Wait { until: plan.give_up_at }];
    (VisitState::Issuing(state), effects)
}

/// Waits until `until` before the request for a token is repeated.
fn pause_token_request(
    state: TokenRequestState,
    until: MillisSinceOrigin,
    mut effects: Vec<MachineEffect>,
    plan: &VisitPollingPlan,
) -> Transition {
    effects.push(MachineEffect::Wait { until: until.min(plan.give_up_at) });
    (VisitState::IssuePaused(state, until), effects)
}

/// Requests a token again, after the timer of a pause fired.
pub(super) fn resume_token_request(
    state: TokenRequestState,
    until: MillisSinceOrigin,
    plan: &VisitPollingPlan,
    now: MillisSinceOrigin,
) -> Transition {
    if now >= plan.give_up_at {
        give_up_token_request(&state)
    } else if now >= until {
        send_token_request(state, plan)
    } else {
        pause_token_request(state, until, Vec::new(), plan)
    }
}

/// Retries the request for a token later, or ends the visit if the failure is final, it failed for too long, or too
/// many tokens may have been issued. `may_have_issued` says whether this request may have issued one.
pub(super) fn retry_token_request_or_end_visit(
    mut state: TokenRequestState,
    mut failure: VisitStepFailure,
    may_have_issued: bool,
    plan: &VisitPollingPlan,
    now: MillisSinceOrigin,
) -> Transition {
    if state.is_leaving {
        return end_visit(Outcome::Interrupted, EndPhase::Issuing, None);
    }
    state.possibly_issued += u32::from(may_have_issued);
    if state.possibly_issued > 0 {
        let tokens = if state.possibly_issued == 1 { "Export Token" } else { "Export Tokens" };
        let told = format!("; up to {} {tokens} may have been issued and billed", state.possibly_issued);
        failure.detail.push_str(&told);
    }
    let final_outcome = match failure.kind {
        VisitStepFailureKind::CredentialsRefused => Some(Outcome::CredentialsRefused(failure.detail.clone())),
        // Each further request would issue another token, which is billed.
        VisitStepFailureKind::ProtocolViolation => Some(Outcome::ProtocolViolation(failure.detail.clone())),
        // The token was issued and could not be journalled: the next one would be lost in the same way.
        VisitStepFailureKind::Storage => Some(Outcome::StorageFailed(failure.detail.clone())),
        VisitStepFailureKind::DiskFull => Some(Outcome::DiskFull(failure.detail.clone())),
        VisitStepFailureKind::NeverSent
        | VisitStepFailureKind::Unanswered
        | VisitStepFailureKind::Busy
        | VisitStepFailureKind::BackendFailing
        | VisitStepFailureKind::Gate
        | VisitStepFailureKind::GateNotPassed
        | VisitStepFailureKind::NoApi => None,
    };
    if let Some(outcome) = final_outcome {
        return end_visit(outcome, EndPhase::Issuing, None);
    }
    let mut until = state.polling.next_poll(&PollResult::Failed { retry_after: failure.retry_after }, now);
    let failures = FailureStreak::streak_with_failure(state.failures.take(), failure, now);
    let patience_ends = failures.since + plan.patience.min(ISSUE_PATIENCE);
    if state.possibly_issued + 1 == MAX_POSSIBLY_ISSUED {
        // The last request that may be billed in vain is sent when the backend has had the most time to recover.
        until = until.max(patience_ends);
    }
    let notice = failures.retry_notice(until, now);
    state.failures = Some(failures);
    if now >= patience_ends || state.possibly_issued >= MAX_POSSIBLY_ISSUED || now >= plan.give_up_at {
        return give_up_token_request(&state);
    }
    pause_token_request(state, until, vec![notice], plan)
}

/// Ends the visit, because time or patience ran out before a token was issued.
pub(super) fn give_up_token_request(state: &TokenRequestState) -> Transition {
    if state.is_leaving {
        return end_visit(Outcome::Interrupted, EndPhase::Issuing, None);
    }
    let outcome = state.failures.as_ref().map_or_else(
        || {
            let why = "the backend did not answer the request for an Export Token in time; one may have been issued \
                       and billed";
            Outcome::Unreachable(why.to_owned())
        },
        FailureStreak::outcome_after_failures,
    );
    end_visit(outcome, EndPhase::Issuing, None)
}
