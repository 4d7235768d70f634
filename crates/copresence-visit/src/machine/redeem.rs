//! Polling with an active token: what each response means, alone and after those before it.

use super::{
    ActiveTokenState, FailureStreak, PendingExitReason, RedeemOnceOrUntilReady, RefusalStreak, Transition,
    UnsettledRedeem, VisitPollingPlan, VisitState,
};
use crate::event::{
    MachineEffect, RedeemResult, TruncatedResponseFiles, VisitNotice, VisitStepFailure, VisitStepFailureKind,
};
use crate::outcome::Outcome;
use crate::polling::PollResult;
use crate::time::MillisSinceOrigin;
use copresence_protocol::{DeliveredExports, ExportToken, MAX_REDEEM_DELAY, Progress};
use std::time::Duration;

/// Unreadable responses in a row before the visit ends. The token may still be active, so one is not enough.
const MIN_VIOLATIONS: u32 = 3;
/// Responses with status 400 before the visit ends, without a usable response in between. The journal erases the token of a
/// visit that ends with exit code 5 or 9 after as many.
const MIN_REFUSALS: u32 = 2;
/// Responses in a row with status 401 or 403 before the visit ends, if the same credentials were right before.
const MIN_CREDENTIAL_REFUSALS: u32 = 2;

/// A pause that a failing server asks for takes at most this fraction of the visit's patience.
const REQUESTED_PAUSES_WITHIN_PATIENCE: u32 = 3;
/// Pause before the first redeem that confirms a 400. Later pauses double the time.
const FIRST_CONFIRMATION_PAUSE: Duration = Duration::from_secs(1);

/// Added to the evidence of a lost answer when a response without URLs comes while that redeem may still be processed.
const MAY_HAVE_OVERTAKEN: &str =
    "; a later redeem was answered \"not ready\", but the backend may have processed the lost one after it";

/// Starts to poll a token that was just issued: waits for the first redeem.
pub(super) fn start_polling(token: ExportToken, plan: &VisitPollingPlan, now: MillisSinceOrigin) -> Transition {
    let mut token = ActiveTokenState::new(token, plan);
    // The token was issued just now, so nobody can have scanned it: the first poll can wait its turn.
    let until = token.polling.next_poll(&PollResult::Progress(&Progress::progress_without_avatar()), now);
    wait_for_poll_or_give_up(token, until, Vec::new(), plan)
}

/// Waits for the next poll, or until the visit gives up if that is earlier.
pub(super) fn wait_for_poll_or_give_up(
    token: ActiveTokenState,
    until: MillisSinceOrigin,
    mut effects: Vec<MachineEffect>,
    plan: &VisitPollingPlan,
) -> Transition {
    effects.push(MachineEffect::Wait { until: until.min(plan.give_up_at) });
    (VisitState::Waiting(token, until), effects)
}

/// Sends a redeem. The visit waits for its response until it gives up.
pub(super) fn send_redeem(mut token: ActiveTokenState, plan: &VisitPollingPlan, now: MillisSinceOrigin) -> Transition {
    token.redeem_sent_at = now;
    let effects =
        vec![MachineEffect::Redeem { token: token.token.clone() }, MachineEffect::Wait { until: plan.give_up_at }];
    (VisitState::Redeeming(token, None), effects)
}

/// Leaves `Redeeming` with the result of a redeem: saves, polls again, confirms, or ends the visit.
pub(super) fn handle_redeem_result(
    token: ActiveTokenState,
    exit: Option<PendingExitReason>,
    result: RedeemResult,
    plan: &VisitPollingPlan,
    now: MillisSinceOrigin,
) -> Transition {
    let interrupted = exit == Some(PendingExitReason::Interrupted);
    match result {
        RedeemResult::Delivered(_) if interrupted => token.end_visit_in_token_phase(Outcome::Interrupted),
        RedeemResult::Delivered(delivery) => start_saving_delivered_files(delivery),
        RedeemResult::NotReady(progress) => handle_not_ready_and_clear_doubts(token, exit, progress, plan, now),
        RedeemResult::Refused => handle_refused_redeem(token, exit, plan, now),
        RedeemResult::Failed(failure) => handle_redeem_without_usable_response(token, exit, failure, plan, now),
        RedeemResult::Truncated(failure, partial) => {
            let fetch = MachineEffect::FetchPartial { delivery: partial.delivery.clone() };
            let is_first = token.partial.is_none();
            let partial = Some(UnsettledRedeem { known: partial, settled_at: now + MAX_REDEEM_DELAY });
            let token = ActiveTokenState { partial, ..token };
            let is_recovery = matches!(plan.mode, RedeemOnceOrUntilReady::Once { .. });
            let (state, mut effects) = if is_recovery && is_first && exit.is_none() {
                // A further redeem shows whether these files are all there is.
                let token = token.record_redeem_possibly_spending_token(&failure, now);
                wait_for_poll_or_give_up(token, now + FIRST_CONFIRMATION_PAUSE, Vec::new(), plan)
            } else {
                handle_redeem_without_usable_response(token, exit, failure, plan, now)
            };
            if matches!(state, VisitState::Waiting(..)) {
                effects.insert(0, fetch);
            }
            (state, effects)
        }
    }
}

/// Starts to save the delivered files, after status 200 with URLs.
///
/// Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is invalidated
/// by the backend" (GET /redeemExportToken).
pub(super) fn start_saving_delivered_files(delivery: DeliveredExports) -> Transition {
    let effects = vec![delivered_file_types_notice(&delivery), MachineEffect::Save { delivery: delivery.clone() }];
    (VisitState::Saving(delivery), effects)
}

/// Starts to save the files that a truncated response names.
pub(super) fn start_saving_partial_delivery(
    delivery: DeliveredExports,
    otherwise: Outcome,
    mut effects: Vec<MachineEffect>,
) -> Transition {
    effects.extend([delivered_file_types_notice(&delivery), MachineEffect::SavePartial { delivery }]);
    (VisitState::SavingPartial(otherwise), effects)
}

/// The effect that tells hosts which types of files were delivered.
fn delivered_file_types_notice(delivery: &DeliveredExports) -> MachineEffect {
    let exports = delivery.exports.iter().map(|export| export.export_type.clone()).collect();
    MachineEffect::Notify(VisitNotice::Delivered { exports })
}

/// Handles a 200 without URLs.
///
/// Spec: "200 OK – Export token is still active" (GET /redeemExportToken): no redeem that was processed before can have
/// spent it. Earlier doubts and truncated responses are void, unless their redeem may still be processed.
fn handle_not_ready_and_clear_doubts(
    mut token: ActiveTokenState,
    exit: Option<PendingExitReason>,
    progress: Progress,
    plan: &VisitPollingPlan,
    now: MillisSinceOrigin,
) -> Transition {
    let had_failures = token.failures.take().is_some();
    token.refusals = None;
    let sent_at = token.redeem_sent_at;
    token.partial = token.partial.filter(|partial| sent_at < partial.settled_at);
    token.lost_answer = token
        .lost_answer
        .filter(|lost| sent_at < lost.settled_at)
        .map(|lost| UnsettledRedeem { known: append_may_have_overtaken_note(lost.known), ..lost });
    let until = token.polling.next_poll(&PollResult::Progress(&progress), now);
    let has_changed = token.progress.as_ref() != Some(&progress);
    token.progress = Some(progress.clone());
    if let RedeemOnceOrUntilReady::Once { token_is_too_old } = plan.mode {
        if token.partial.is_some() {
            // Its URLs expire, and they say that the token is spent: this response may be of a copy that lags behind.
            let outcome = outcome_of_confirmed_refusal(&token);
            return end_visit_saving_partial(token, outcome);
        }
        if token_is_too_old && !token.is_avatar_in_progress() {
            return end_too_old_token_saving_partial(token, "nobody used its code, and it is too old to be used");
        }
        return token.end_visit_in_token_phase(Outcome::Interrupted);
    }
    token.visitor_left |= exit == Some(PendingExitReason::VisitorLeft);
    match exit {
        Some(PendingExitReason::Interrupted) => token.end_visit_in_token_phase(Outcome::Interrupted),
        Some(PendingExitReason::TimedOut) => end_on_timeout_saving_partial(token),
        Some(PendingExitReason::VisitorLeft) | None if token.visitor_left && !token.is_avatar_in_progress() => {
            token.end_visit_in_token_phase(Outcome::Interrupted)
        }
        Some(PendingExitReason::VisitorLeft) | None => {
            let mut effects = Vec::new();
            // After failures the status is sent again: it shows that they are over.
            if had_failures || has_changed {
                let next_poll = until.duration_since(now);
                effects.push(MachineEffect::Notify(VisitNotice::Status { progress, next_poll }));
            }
            wait_for_poll_or_give_up(token, until, effects, plan)
        }
    }
}

/// Appends a note to the evidence of a lost answer, once: a later response without URLs may have overtaken that redeem,
/// so it does not prove that the redeem spent nothing.
pub(super) fn append_may_have_overtaken_note(evidence: String) -> String {
    if evidence.ends_with(MAY_HAVE_OVERTAKEN) { evidence } else { evidence + MAY_HAVE_OVERTAKEN }
}

/// Handles a redeem without a usable response.
fn handle_redeem_without_usable_response(
    mut token: ActiveTokenState,
    exit: Option<PendingExitReason>,
    failure: VisitStepFailure,
    plan: &VisitPollingPlan,
    now: MillisSinceOrigin,
) -> Transition {
    token = token.record_redeem_possibly_spending_token(&failure, now);
    if let RedeemOnceOrUntilReady::Once { token_is_too_old } = plan.mode {
        return end_undecided_recovery_keeping_token(token, failure, token_is_too_old, now);
    }
    let retry_after = requested_pause_of_failure(&failure, plan);
    let until = token.polling.next_poll(&PollResult::Failed { retry_after }, now);
    let failures = FailureStreak::streak_with_failure(token.failures.take(), failure, now);
    let is_confirmed = |min_count: u32| {
        let repeated_for = now.duration_since(failures.of_last_kind_since);
        failures.of_last_kind >= min_count && repeated_for >= token.ending_answer_confirmation_time(plan)
    };
    // A status shows that the credentials were right: what refuses them now may be something else.
    if failures.last.kind == VisitStepFailureKind::CredentialsRefused
        && (token.progress.is_none() || is_confirmed(MIN_CREDENTIAL_REFUSALS))
    {
        return token.end_visit_in_token_phase(Outcome::CredentialsRefused(failures.last.detail));
    }
    if failures.last.kind == VisitStepFailureKind::ProtocolViolation && is_confirmed(MIN_VIOLATIONS) {
        return match exit {
            Some(PendingExitReason::Interrupted) if token.partial.is_some() => {
                token.end_visit_in_token_phase(Outcome::Interrupted)
            }
            _ => {
                let outcome =
                    replace_erasing_outcome_if_refused(&token, Outcome::ProtocolViolation(failures.last.detail));
                end_visit_saving_partial(token, outcome)
            }
        };
    }
    let out_of_patience = now.duration_since(failures.since) >= plan.patience;
    let notice = failures.retry_notice(until, now);
    token.failures = Some(failures);
    match exit {
        Some(PendingExitReason::Interrupted | PendingExitReason::VisitorLeft) => {
            token.end_visit_in_token_phase(Outcome::Interrupted)
        }
        Some(PendingExitReason::TimedOut) => end_on_timeout_saving_partial(token),
        None if out_of_patience => end_on_timeout_saving_partial(token),
        None => wait_for_poll_or_give_up(token, until, vec![notice], plan),
    }
}

/// The pause that a response asks for with `Retry-After`. That of a rate limit (429) is kept. Any other one is that of a server or
/// gateway which fails, and is often over sooner: at most a third of the patience, so that it is tried several times.
fn requested_pause_of_failure(failure: &VisitStepFailure, plan: &VisitPollingPlan) -> Option<Duration> {
    let longest = match failure.kind {
        VisitStepFailureKind::Busy => Duration::MAX,
        _ => plan.patience / REQUESTED_PAUSES_WITHIN_PATIENCE,
    };
    failure.retry_after.map(|pause| pause.min(longest))
}

/// Ends a recovery whose only redeem did not decide. One failure does not end a token that may still be active, so
/// the visit ends with an outcome that keeps it, and the files of a truncated response, unless the token is too old.
fn end_undecided_recovery_keeping_token(
    token: ActiveTokenState,
    failure: VisitStepFailure,
    token_is_too_old: bool,
    now: MillisSinceOrigin,
) -> Transition {
    let is_our_disk = matches!(failure.kind, VisitStepFailureKind::Storage | VisitStepFailureKind::DiskFull);
    if token_is_too_old && !is_our_disk {
        return end_too_old_token_saving_partial(token, &failure.detail);
    }
    let outcome = match FailureStreak::streak_with_failure(None, failure, now).outcome_after_failures() {
        Outcome::ProtocolViolation(detail) => Outcome::BackendFailing(detail),
        other => other,
    };
    token.end_visit_in_token_phase(outcome)
}

/// Ends the visit, because its token is too old to be kept. If a truncated response names files, saves them first.
fn end_too_old_token_saving_partial(token: ActiveTokenState, why: &str) -> Transition {
    let outcome = match &token.lost_answer {
        Some(UnsettledRedeem { known: lost, .. }) => Outcome::PossiblyConsumed(format!(
            "{lost}; for a week no later response proved whether the token was spent: {why}"
        )),
        // No later status withdrew this one.
        None if token.has_avatar_failed() => Outcome::AvatarFailed,
        None => Outcome::TokenAbandoned(why.to_owned()),
    };
    end_visit_saving_partial(token, outcome)
}

/// Ends the visit, because its token is of no further use. If a truncated response named files, first saves them:
/// they are all that can be saved.
fn end_visit_saving_partial(token: ActiveTokenState, outcome: Outcome) -> Transition {
    match token.partial {
        Some(partial) => {
            let TruncatedResponseFiles { redeem, delivery } = partial.known;
            start_saving_partial_delivery(delivery, outcome, vec![MachineEffect::UsePartial { redeem }])
        }
        None => token.end_visit_in_token_phase(outcome),
    }
}

/// Handles status 400: the backend refused the token.
///
/// Spec: "400 Bad Request – Provided Export Token string does not match an active Export Token in the Copresence
/// backend" (GET /redeemExportToken). The specification defines no body for it, so nothing in one response tells this
/// 400 from that of a gateway, or of a backend that fails otherwise for some seconds. Later redeems confirm it before
/// the token is given up. Until then every other end of the visit keeps the token.
fn handle_refused_redeem(
    mut token: ActiveTokenState,
    exit: Option<PendingExitReason>,
    plan: &VisitPollingPlan,
    now: MillisSinceOrigin,
) -> Transition {
    if token.partial.is_some() && exit == Some(PendingExitReason::Interrupted) {
        return token.end_visit_in_token_phase(Outcome::Interrupted);
    }
    let streak = token.refusals.get_or_insert(RefusalStreak { count: 0, since: now, before: Duration::ZERO });
    streak.count += 1;
    let streak = *streak;
    let refused_for = streak.before.saturating_add(now.duration_since(streak.since));
    let confirmation_time = token.ending_answer_confirmation_time(plan);
    // URLs that a truncated response names say by themselves that the token is spent.
    if streak.count >= MIN_REFUSALS && (refused_for >= confirmation_time || token.partial.is_some()) {
        let outcome = outcome_of_confirmed_refusal(&token);
        return end_visit_saving_partial(token, outcome);
    }
    match exit {
        Some(PendingExitReason::Interrupted | PendingExitReason::VisitorLeft) => {
            token.end_visit_in_token_phase(Outcome::Interrupted)
        }
        Some(PendingExitReason::TimedOut) => end_on_timeout_saving_partial(token),
        None => {
            let left = confirmation_time.saturating_sub(refused_for);
            let pause = refused_for.max(FIRST_CONFIRMATION_PAUSE).min(left);
            wait_for_poll_or_give_up(token, now + pause, Vec::new(), plan)
        }
    }
}

/// The outcome of a confirmed 400, which depends on what was seen before it: the token expired, was never known, or may
/// have been spent by a response that was not received.
fn outcome_of_confirmed_refusal(token: &ActiveTokenState) -> Outcome {
    match &token.lost_answer {
        Some(lost) => Outcome::PossiblyConsumed(lost.known.clone()),
        None if token.has_avatar_failed() => Outcome::AvatarFailed,
        None => Outcome::TokenRefused { was_active: token.progress.is_some() },
    }
}

/// Replaces an outcome that erases the token by the outcome of a refusal, if the backend refused the token repeatedly:
/// that outcome says so. Any other outcome is returned unchanged.
fn replace_erasing_outcome_if_refused(token: &ActiveTokenState, outcome: Outcome) -> Outcome {
    let is_refused = token.refusals.is_some_and(|streak| streak.count >= MIN_REFUSALS);
    match outcome {
        Outcome::AvatarFailed | Outcome::ProtocolViolation(_) if is_refused => outcome_of_confirmed_refusal(token),
        other => other,
    }
}

/// Ends a visit whose time or patience ran out. Uses the files that a truncated response named, unless the network may
/// be away: an outcome that keeps the token keeps those files for recovery too.
pub(super) fn end_on_timeout_saving_partial(token: ActiveTokenState) -> Transition {
    let outcome = replace_erasing_outcome_if_refused(&token, timeout_outcome(&token));
    let is_network_away = token.failures.as_ref().is_some_and(|failures| !has_server_answered(failures.last.kind));
    match &outcome {
        _ if token.partial.is_none() || is_network_away => token.end_visit_in_token_phase(outcome),
        Outcome::ProtocolViolation(_) => end_visit_saving_partial(token, outcome),
        _ => {
            let outcome = outcome_of_confirmed_refusal(&token);
            end_visit_saving_partial(token, outcome)
        }
    }
}

/// Whether a failure is a response of a server, also of one that is not the backend.
fn has_server_answered(kind: VisitStepFailureKind) -> bool {
    match kind {
        VisitStepFailureKind::NeverSent
        | VisitStepFailureKind::Unanswered
        | VisitStepFailureKind::Storage
        | VisitStepFailureKind::DiskFull => false,
        VisitStepFailureKind::Busy
        | VisitStepFailureKind::BackendFailing
        | VisitStepFailureKind::Gate
        | VisitStepFailureKind::GateNotPassed
        | VisitStepFailureKind::NoApi
        | VisitStepFailureKind::CredentialsRefused
        | VisitStepFailureKind::ProtocolViolation => true,
    }
}

/// The outcome when time ran out with an active token.
fn timeout_outcome(token: &ActiveTokenState) -> Outcome {
    match &token.failures {
        Some(failures) => failures.outcome_after_failures(),
        None if token.has_avatar_failed() => Outcome::AvatarFailed,
        None => Outcome::TimedOut,
    }
}
