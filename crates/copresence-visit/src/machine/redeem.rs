//! Polling with an active token: what each response means, alone and after those before it.

use super::{
    ExitReason, FailureStreak, GRACE, PollMode, State, TokenState, Transition, VisitPlan, end_visit,
};
use crate::event::{Effect, Failure, FailureKind, Notice, RedeemResult};
use crate::outcome::Outcome;
use crate::polling::PollResult;
use crate::time::Millis;
use copresence_protocol::{Delivery, ExportToken, Progress};

/// Unreadable responses in a row before the visit ends. The token may still be active, so one is not enough.
const MAX_VIOLATIONS: u32 = 3;

/// Why a later refusal of the token does not simply mean that it expired.
#[derive(Debug, Clone)]
pub(super) enum LostAnswer {
    /// A response was never received whole: it may have been the one with the URLs.
    NotReceived(String),
    /// A response was received whole and could not be read.
    Unreadable(String),
}

pub(super) fn start_polling(token: ExportToken, plan: &VisitPlan, now: Millis) -> Transition {
    let mut token = TokenState::new(token, plan);
    // The token was issued just now, so nobody can have scanned it: the first poll can wait its turn.
    let until = token.polling.next_poll(&PollResult::Progress(&Progress::without_avatar()), now);
    wait_for_next_poll(token, until, Vec::new(), plan)
}

pub(super) fn wait_for_next_poll(
    token: TokenState,
    until: Millis,
    mut effects: Vec<Effect>,
    plan: &VisitPlan,
) -> Transition {
    effects.push(Effect::Wait { until: until.min(plan.give_up_at) });
    (State::Waiting(token, until), effects)
}

pub(super) fn send_redeem(token: TokenState, plan: &VisitPlan) -> Transition {
    let effects =
        vec![Effect::Redeem { token: token.token.clone() }, Effect::Wait { until: plan.give_up_at }];
    (State::Redeeming(token, None), effects)
}

/// Ends the visit once the redeem in flight is answered, or after [`GRACE`].
pub(super) fn exit_after_response(token: TokenState, reason: ExitReason, now: Millis) -> Transition {
    (State::Redeeming(token, Some(reason)), vec![Effect::Wait { until: now + GRACE }])
}

/// [`GRACE`] is over and the redeem is still unanswered.
pub(super) fn exit_without_response(token: TokenState, reason: ExitReason) -> Transition {
    let outcome = match reason {
        // The response may still decide, so a partial delivery is kept for recovery.
        ExitReason::TimedOut if token.partial.is_some() => {
            Outcome::Unreachable("the last redeem was not answered in time".to_owned())
        }
        ExitReason::TimedOut => timeout_outcome(&token),
        ExitReason::VisitorLeft | ExitReason::Interrupted => Outcome::Interrupted,
    };
    token.end_with(outcome)
}

/// A redeem ended.
pub(super) fn handle_redeem_result(
    token: TokenState,
    exit: Option<ExitReason>,
    result: RedeemResult,
    plan: &VisitPlan,
    now: Millis,
) -> Transition {
    let interrupted = exit == Some(ExitReason::Interrupted);
    match result {
        RedeemResult::Delivered(_) if interrupted => token.end_with(Outcome::Interrupted),
        RedeemResult::Delivered(delivery) => start_saving(delivery),
        RedeemResult::NotReady(progress) => handle_not_ready(token, exit, progress, plan, now),
        RedeemResult::Refused if token.partial.is_some() && interrupted => {
            token.end_with(Outcome::Interrupted)
        }
        RedeemResult::Refused => {
            let outcome = outcome_of_refusal(&token);
            end_or_save_partial(token, outcome)
        }
        RedeemResult::Failed(failure) => handle_redeem_failure(token, exit, failure, plan, now),
        RedeemResult::Truncated(failure, partial) => {
            handle_redeem_failure(TokenState { partial: Some(partial), ..token }, exit, failure, plan, now)
        }
    }
}

/// 200 with URLs.
///
/// Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is invalidated
/// by the backend" (GET /redeemExportToken).
pub(super) fn start_saving(delivery: Delivery) -> Transition {
    let effects = vec![delivered_notice(&delivery), Effect::Save { delivery: delivery.clone() }];
    (State::Saving(delivery), effects)
}

/// Downloads what a truncated response names.
pub(super) fn start_saving_partial(
    delivery: Delivery,
    otherwise: Outcome,
    mut effects: Vec<Effect>,
) -> Transition {
    effects.extend([delivered_notice(&delivery), Effect::SavePartial { delivery }]);
    (State::SavingPartial(otherwise), effects)
}

fn delivered_notice(delivery: &Delivery) -> Effect {
    let exports = delivery.exports.iter().map(|export| export.export_type.clone()).collect();
    Effect::Notify(Notice::Delivered { exports })
}

/// 200 without URLs.
///
/// Spec: "200 OK – Export token is still active" (GET /redeemExportToken): no earlier response can have spent it, so
/// earlier doubts and truncated responses are void.
fn handle_not_ready(
    mut token: TokenState,
    exit: Option<ExitReason>,
    progress: Progress,
    plan: &VisitPlan,
    now: Millis,
) -> Transition {
    let had_failures = token.failures.take().is_some();
    (token.lost_answer, token.partial) = (None, None);
    let until = token.polling.next_poll(&PollResult::Progress(&progress), now);
    let has_changed = token.progress.as_ref() != Some(&progress);
    token.progress = Some(progress.clone());
    if let PollMode::Once { token_is_too_old } = plan.mode {
        if token_is_too_old && !token.is_associated() {
            return abandon_token(token, "nobody used its code, and it is too old to be used");
        }
        return token.end_with(Outcome::Interrupted);
    }
    token.visitor_left |= exit == Some(ExitReason::VisitorLeft);
    match exit {
        Some(ExitReason::Interrupted) => token.end_with(Outcome::Interrupted),
        Some(ExitReason::TimedOut) => give_up_polling(token),
        Some(ExitReason::VisitorLeft) | None if token.visitor_left && !token.is_making() => {
            token.end_with(Outcome::Interrupted)
        }
        Some(ExitReason::VisitorLeft) | None => {
            let mut effects = Vec::new();
            // After failures the status is sent again: it shows that they are over.
            if had_failures || has_changed {
                let next_poll = until.duration_since(now);
                effects.push(Effect::Notify(Notice::Status { progress, next_poll }));
            }
            wait_for_next_poll(token, until, effects, plan)
        }
    }
}

/// No usable response.
fn handle_redeem_failure(
    mut token: TokenState,
    exit: Option<ExitReason>,
    failure: Failure,
    plan: &VisitPlan,
    now: Millis,
) -> Transition {
    if failure.kind.may_hide_delivery() {
        token.lost_answer = Some(LostAnswer::NotReceived(failure.detail.clone()));
    } else if failure.kind == FailureKind::ProtocolViolation && token.lost_answer.is_none() {
        token.lost_answer = Some(LostAnswer::Unreadable(failure.detail.clone()));
    }
    if let PollMode::Once { token_is_too_old } = plan.mode {
        return keep_for_later(token, failure, token_is_too_old, now);
    }
    if failure.kind == FailureKind::CredentialsRefused {
        return token.end_with(Outcome::CredentialsRefused(failure.detail));
    }
    let until = token.polling.next_poll(&PollResult::Failed { retry_after: failure.retry_after }, now);
    let failures = FailureStreak::with_failure(token.failures.take(), failure, now);
    if failures.violations >= MAX_VIOLATIONS {
        return match exit {
            Some(ExitReason::Interrupted) if token.partial.is_some() => token.end_with(Outcome::Interrupted),
            _ => end_or_save_partial(token, Outcome::ProtocolViolation(failures.last.detail)),
        };
    }
    let out_of_patience = now.duration_since(failures.since) >= plan.patience;
    let notice = failures.retry_notice(until, now);
    token.failures = Some(failures);
    match exit {
        Some(ExitReason::Interrupted | ExitReason::VisitorLeft) => token.end_with(Outcome::Interrupted),
        Some(ExitReason::TimedOut) => give_up_polling(token),
        None if out_of_patience => give_up_polling(token),
        None => wait_for_next_poll(token, until, vec![notice], plan),
    }
}

/// The only redeem of a recovery did not decide. One failure does not end a token that may still be active, so the visit
/// ends with an outcome that keeps it.
fn keep_for_later(token: TokenState, failure: Failure, token_is_too_old: bool, now: Millis) -> Transition {
    let is_our_disk = matches!(failure.kind, FailureKind::Storage | FailureKind::DiskFull);
    if token_is_too_old && !is_our_disk {
        return abandon_token(token, &failure.detail);
    }
    let outcome = match FailureStreak::with_failure(None, failure, now).outcome() {
        Outcome::ProtocolViolation(detail) => Outcome::BackendFailing(detail),
        other => other,
    };
    token.end_with(outcome)
}

/// The token is too old to be kept. Where a truncated response names files, they are tried first.
fn abandon_token(token: TokenState, why: &str) -> Transition {
    let outcome = match &token.lost_answer {
        Some(LostAnswer::NotReceived(lost)) => Outcome::PossiblyConsumed(format!(
            "{lost}; for a week no later response showed whether the token was spent: {why}"
        )),
        Some(LostAnswer::Unreadable(_)) | None => Outcome::TokenAbandoned(why.to_owned()),
    };
    end_or_save_partial(token, outcome)
}

/// The token is of no further use. Where a truncated response names files, they are all that can be saved.
fn end_or_save_partial(token: TokenState, outcome: Outcome) -> Transition {
    match token.partial {
        Some(partial) => {
            let used = Effect::UsePartial { redeem: partial.redeem };
            start_saving_partial(partial.delivery, outcome, vec![used])
        }
        None => token.end_with(outcome),
    }
}

/// The outcome of a 400, which depends on what was seen before it.
///
/// Spec: "400 Bad Request – Provided Export Token string does not match an active Export Token in the Copresence
/// backend" (GET /redeemExportToken). The token expired, was never known, or was spent by a response that was lost.
fn outcome_of_refusal(token: &TokenState) -> Outcome {
    match &token.lost_answer {
        Some(lost) => lost.outcome(),
        None if token.has_failed() => Outcome::AvatarFailed,
        None => Outcome::TokenRefused { was_active: token.progress.is_some() },
    }
}

impl LostAnswer {
    /// The outcome of a visit whose token is refused after this.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::NotReceived(how) => Outcome::PossiblyConsumed(how.clone()),
            Self::Unreadable(how) => Outcome::ProtocolViolation(how.clone()),
        }
    }
}

/// Time or patience ran out. An outcome that keeps the token keeps the partial delivery too, for recovery.
pub(super) fn give_up_polling(token: TokenState) -> Transition {
    match timeout_outcome(&token) {
        broken @ Outcome::ProtocolViolation(_) => end_or_save_partial(token, broken),
        other => {
            let ended_in = token.phase();
            end_visit(other, ended_in, token.progress)
        }
    }
}

/// The outcome when time ran out with an active token.
fn timeout_outcome(token: &TokenState) -> Outcome {
    match &token.failures {
        Some(failures) => failures.outcome(),
        None if token.has_failed() => Outcome::AvatarFailed,
        None => Outcome::TimedOut,
    }
}
