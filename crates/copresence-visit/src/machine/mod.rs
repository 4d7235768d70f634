//! The machine: states that own their data, and one total transition function.

mod issue;
mod redeem;
mod restore;

pub use restore::{EarlierRedeemResult, JournaledRedeem, JournaledVisit, StoredResponseWithFiles};

use crate::event::{
    MachineEffect, MachineEvent, TokenIssueParameters, TruncatedResponseFiles, VisitNotice, VisitStepFailure,
    VisitStepFailureKind,
};
use crate::outcome::{EndPhase, Outcome};
use crate::polling::{PollSchedule, PollingConfig};
use crate::time::MillisSinceOrigin;
use copresence_protocol::{CompletionStatus, DeliveredExports, ExportToken, MAX_REDEEM_DELAY, Progress};
use issue::TokenRequestState;
use std::time::Duration;

/// Longest time over which an answer that would end the visit is confirmed, while no avatar is being made.
const MAX_CONFIRMATION: Duration = Duration::from_secs(5);
/// As [`MAX_CONFIRMATION`], while an avatar is being made.
const MAX_CONFIRMATION_WHILE_MAKING: Duration = Duration::from_secs(30);
/// A confirmation takes at most this fraction of the visit's patience.
const CONFIRMATIONS_WITHIN_PATIENCE: u32 = 6;

/// How a visit polls and how long it tries, fixed at its start: spacing, time limits, jitter, and once or until ready.
#[derive(Debug, Clone)]
pub struct VisitPollingPlan {
    /// How polls are spaced.
    pub polling: PollingConfig,
    /// `--timeout`: end the visit at this time if no avatar was delivered.
    pub give_up_at: MillisSinceOrigin,
    /// How long the backend may fail without one usable response in between.
    pub patience: Duration,
    /// Seed of the polls' jitter.
    pub seed: u64,
    /// Whether to poll until the avatar is ready.
    pub mode: RedeemOnceOrUntilReady,
}

impl VisitPollingPlan {
    /// The plan for a recovery: redeem once, without a time limit of its own.
    /// `patience` is that of the visit.
    pub fn plan_single_redeem_for_recovery(token_is_too_old: bool, patience: Duration) -> Self {
        Self {
            polling: PollingConfig::default(),
            give_up_at: MillisSinceOrigin::MAX,
            patience,
            seed: 0,
            mode: RedeemOnceOrUntilReady::Once { token_is_too_old },
        }
    }
}

/// Whether a token is redeemed only once, or until its avatar is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedeemOnceOrUntilReady {
    /// Until the avatar is ready, or time or patience run out.
    UntilReady,
    /// Once. If the response does not decide, the token is kept for a later recovery, or abandoned if it is too old.
    Once {
        /// Whether the token was kept for as long as it can be of use.
        token_is_too_old: bool,
    },
}

/// A visit. [`advance_visit_machine`] is the only way to change it.
#[derive(Debug, Clone)]
pub struct Visit {
    plan: VisitPollingPlan,
    state: VisitState,
}

/// State of the visit's state machine, from its start to its end.
#[derive(Debug, Clone)]
pub enum VisitState {
    /// Not started.
    New(TokenIssueParameters),
    /// A token is being requested. The response is always awaited, also if the visitor leaves: it may contain a token
    /// that is billed.
    Issuing(TokenRequestState),
    /// The request failed; it is repeated at the given time.
    IssuePaused(TokenRequestState, MillisSinceOrigin),
    /// A token is active; the next poll is due at the given time.
    Waiting(ActiveTokenState, MillisSinceOrigin),
    /// A redeem is in flight. With a reason, the visit ends as soon as its response allows. The response is always
    /// awaited, because it may be the one that spends the token; the host bounds the redeem by its timeouts.
    Redeeming(ActiveTokenState, Option<PendingExitReason>),
    /// URLs were received and are being downloaded; the token is never used again.
    Saving(DeliveredExports),
    /// The files of a truncated response are being downloaded. The outcome applies if not one of them is received.
    SavingPartial(Outcome),
    /// Over.
    Ended(VisitEndState),
}

/// How a visit ended.
#[derive(Debug, Clone)]
pub struct VisitEndState {
    /// The outcome.
    pub outcome: Outcome,
    /// The state in which the visit ended.
    pub ended_in: EndPhase,
    /// What the last usable response reported.
    pub progress: Option<Progress>,
}

/// What is known of an active token.
#[derive(Debug, Clone)]
pub struct ActiveTokenState {
    token: ExportToken,
    polling: PollSchedule,
    /// What the last usable response reported.
    progress: Option<Progress>,
    failures: Option<FailureStreak>,
    /// When the last redeem was sent.
    redeem_sent_at: MillisSinceOrigin,
    /// Why the token may have been spent by a response that was not received: what happened to the last such redeem,
    /// until a later response proves that it spent nothing.
    lost_answer: Option<UnsettledRedeem<String>>,
    /// The 400s since the last usable response, which later ones confirm.
    refusals: Option<RefusalStreak>,
    /// Files that a truncated response names, until a later response proves that it did not spend the token.
    partial: Option<UnsettledRedeem<TruncatedResponseFiles>>,
    /// The visitor left while the avatar was being made.
    visitor_left: bool,
}

/// What is known of a redeem that may have spent the token, and may still be processed by the backend.
#[derive(Debug, Clone)]
struct UnsettledRedeem<T> {
    known: T,
    /// A response without URLs proves that the redeem spent nothing only if its own redeem was sent at this time or
    /// later. See [`copresence_protocol::MAX_REDEEM_DELAY`].
    settled_at: MillisSinceOrigin,
}

/// Responses with status 400 without a usable response in between.
#[derive(Debug, Clone, Copy)]
struct RefusalStreak {
    /// Their number, at least 1.
    count: u32,
    /// When this run of the program received its first one.
    since: MillisSinceOrigin,
    /// How long before that an earlier run received the first one.
    before: Duration,
}

/// Failures in a row.
#[derive(Debug, Clone)]
struct FailureStreak {
    since: MillisSinceOrigin,
    attempts: u32,
    /// Failures of the kind of the last one, in a row at the end of the streak.
    of_last_kind: u32,
    /// When the first of these was received.
    of_last_kind_since: MillisSinceOrigin,
    last: VisitStepFailure,
}

/// Why a visit ends as soon as the redeem in flight is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingExitReason {
    /// [`VisitPollingPlan::give_up_at`] has passed.
    TimedOut,
    /// The visitor left. A delivery is saved all the same.
    VisitorLeft,
    /// The program stops.
    Interrupted,
}

/// The new state, and what to do.
type Transition = (VisitState, Vec<MachineEffect>);

impl Visit {
    /// A visit that has not started.
    pub fn new(plan: VisitPollingPlan, request: TokenIssueParameters) -> Self {
        Self { plan, state: VisitState::New(request) }
    }

    /// The present state.
    pub fn state(&self) -> &VisitState {
        &self.state
    }

    /// The files that truncated responses named so far, unless a later response showed the token active.
    pub fn delivery_of_truncated_responses(&self) -> Option<&DeliveredExports> {
        match &self.state {
            VisitState::Waiting(token, _) | VisitState::Redeeming(token, _) => {
                token.partial.as_ref().map(|partial| &partial.known.delivery)
            }
            _ => None,
        }
    }

    /// The end state, if the visit has ended.
    pub fn end_state_if_ended(&self) -> Option<&VisitEndState> {
        match &self.state {
            VisitState::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// The outcome, if the visit ended.
    pub fn outcome_if_ended(&self) -> Option<&Outcome> {
        self.end_state_if_ended().map(|end| &end.outcome)
    }
}

impl VisitState {
    /// The state's name for hosts.
    fn phase_for_hosts(&self) -> EndPhase {
        match self {
            Self::New(_) | Self::Issuing(_) | Self::IssuePaused(..) => EndPhase::Issuing,
            Self::Waiting(token, _) | Self::Redeeming(token, _) => token.phase_for_hosts(),
            Self::Saving(_) | Self::SavingPartial(_) => EndPhase::Saving,
            Self::Ended(end) => end.ended_in,
        }
    }
}

impl ActiveTokenState {
    fn new(token: ExportToken, plan: &VisitPollingPlan) -> Self {
        Self {
            token,
            polling: PollSchedule::new(plan.polling.clone(), plan.seed),
            progress: None,
            failures: None,
            redeem_sent_at: MillisSinceOrigin::default(),
            lost_answer: None,
            refusals: None,
            partial: None,
            visitor_left: false,
        }
    }

    /// The phase for hosts while this token is active: an avatar is being made, or the visitor is invited to scan.
    fn phase_for_hosts(&self) -> EndPhase {
        if self.is_avatar_associated() { EndPhase::Making } else { EndPhase::Inviting }
    }

    /// Whether the last status says that an avatar is associated with the token.
    fn is_avatar_associated(&self) -> bool {
        self.progress.as_ref().is_some_and(|last| last.status != CompletionStatus::NoAssociatedAvatar)
    }

    /// Whether the last status says that the avatar failed.
    fn has_avatar_failed(&self) -> bool {
        self.progress.as_ref().is_some_and(|last| last.status == CompletionStatus::Failed)
    }

    /// Keeps the evidence of a redeem that may have spent the token.
    fn record_redeem_possibly_spending_token(mut self, failure: &VisitStepFailure, now: MillisSinceOrigin) -> Self {
        if failure.kind.may_have_spent_token() {
            let settled_at = now + MAX_REDEEM_DELAY;
            self.lost_answer = Some(UnsettledRedeem { known: failure.detail.clone(), settled_at });
        }
        self
    }

    /// How long an answer that would end the visit must repeat before it does. One failure in front of the backend or
    /// in it looks the same for some seconds. An avatar that is being made is worth more waiting.
    fn ending_answer_confirmation_time(&self, plan: &VisitPollingPlan) -> Duration {
        let longest = if self.is_avatar_in_progress() { MAX_CONFIRMATION_WHILE_MAKING } else { MAX_CONFIRMATION };
        longest.min(plan.patience / CONFIRMATIONS_WITHIN_PATIENCE)
    }

    /// Whether an avatar is on its way (after `failed` it is not).
    fn is_avatar_in_progress(&self) -> bool {
        self.is_avatar_associated() && !self.has_avatar_failed()
    }

    /// Ends the visit in this token's phase.
    fn end_visit_in_token_phase(self, outcome: Outcome) -> Transition {
        let ended_in = self.phase_for_hosts();
        end_visit(outcome, ended_in, self.progress)
    }
}

/// Applies an event at `now`, and returns the visit with what is to be done.
#[must_use]
pub fn advance_visit_machine(visit: Visit, event: MachineEvent, now: MillisSinceOrigin) -> (Visit, Vec<MachineEffect>) {
    let Visit { plan, state } = visit;
    let (state, effects) = compute_transition(&plan, state, event, now);
    (Visit { plan, state }, effects)
}

/// Computes the transition for an event: the next state and its effects. An event that does not fit the state
/// changes nothing.
fn compute_transition(
    plan: &VisitPollingPlan,
    state: VisitState,
    event: MachineEvent,
    now: MillisSinceOrigin,
) -> Transition {
    match (state, event) {
        (VisitState::New(request), MachineEvent::Started) => issue::send_first_token_request(request, plan),
        (VisitState::Issuing(state), MachineEvent::TokenIssued(token)) => {
            issue::redeem_issued_token_or_end(&state, token, plan, now)
        }
        (VisitState::Issuing(state), MachineEvent::VisitorLeft | MachineEvent::Interrupted) => {
            state.await_response_then_leave()
        }
        (VisitState::Issuing(state), MachineEvent::LoginFailed(failure)) => {
            issue::retry_token_request_or_end_visit(state, failure, false, plan, now)
        }
        (VisitState::Issuing(state), MachineEvent::IssueFailed(failure)) => {
            let may_have_issued = failure.kind.may_have_issued_unreceived_token();
            issue::retry_token_request_or_end_visit(state, failure, may_have_issued, plan, now)
        }
        (VisitState::Issuing(state), MachineEvent::TimerFired) if now >= plan.give_up_at => {
            issue::give_up_token_request(&state)
        }
        (VisitState::IssuePaused(state, until), MachineEvent::TimerFired) => {
            issue::resume_token_request(state, until, plan, now)
        }
        (VisitState::Waiting(token, until), MachineEvent::TimerFired) => {
            if now >= plan.give_up_at {
                redeem::end_on_timeout_saving_partial(token)
            } else if now >= until {
                redeem::send_redeem(token, plan, now)
            } else {
                redeem::wait_for_poll_or_give_up(token, until, Vec::new(), plan)
            }
        }
        (VisitState::Redeeming(token, exit), MachineEvent::Redeemed(result)) => {
            redeem::handle_redeem_result(token, exit, result, plan, now)
        }
        (VisitState::Redeeming(token, None), MachineEvent::TimerFired) if now >= plan.give_up_at => {
            (VisitState::Redeeming(token, Some(PendingExitReason::TimedOut)), Vec::new())
        }
        (VisitState::Redeeming(token, _), MachineEvent::Interrupted) => {
            (VisitState::Redeeming(token, Some(PendingExitReason::Interrupted)), Vec::new())
        }
        (VisitState::Waiting(mut token, until), MachineEvent::VisitorLeft) if token.is_avatar_in_progress() => {
            token.visitor_left = true;
            (VisitState::Waiting(token, until), Vec::new())
        }
        (VisitState::Redeeming(mut token, exit), MachineEvent::VisitorLeft) if token.is_avatar_in_progress() => {
            token.visitor_left = true;
            (VisitState::Redeeming(token, exit), Vec::new())
        }
        (VisitState::Redeeming(token, None), MachineEvent::VisitorLeft) => {
            (VisitState::Redeeming(token, Some(PendingExitReason::VisitorLeft)), Vec::new())
        }
        (VisitState::Saving(delivery), MachineEvent::Saved) => {
            let contradiction = delivery.contradiction.map(|rule| rule.to_string());
            let outcome = contradiction.map_or(Outcome::Saved, Outcome::SavedWithViolation);
            end_visit(outcome, EndPhase::Saved, None)
        }
        (VisitState::Saving(_), MachineEvent::SavedInPart(why) | MachineEvent::NothingSaved(why))
        | (VisitState::SavingPartial(_), MachineEvent::SavedInPart(why)) => {
            end_visit(Outcome::SavedInPart(why), EndPhase::Saving, None)
        }
        (VisitState::SavingPartial(_), MachineEvent::Saved) => {
            let why = "only the beginning of the response was received";
            end_visit(Outcome::SavedInPart(why.to_owned()), EndPhase::Saving, None)
        }
        (VisitState::SavingPartial(otherwise), MachineEvent::NothingSaved(why)) => {
            end_visit(otherwise.with_no_file_downloaded_detail(&why), EndPhase::Saving, None)
        }
        (VisitState::Saving(_) | VisitState::SavingPartial(_), MachineEvent::DiskFull(why)) => {
            end_visit(Outcome::SavedUntilDiskFull(why), EndPhase::Saving, None)
        }
        (VisitState::Saving(_) | VisitState::SavingPartial(_), MachineEvent::StorageFailed(why)) => {
            end_visit(Outcome::SavedUntilStorageFailed(why), EndPhase::Saving, None)
        }
        (VisitState::Saving(_) | VisitState::SavingPartial(_), MachineEvent::DownloadsInterrupted(why)) => {
            end_visit(Outcome::DownloadInterrupted(why), EndPhase::Saving, None)
        }
        (
            state @ (VisitState::Ended(_)
            | VisitState::Redeeming(..)
            | VisitState::Saving(_)
            | VisitState::SavingPartial(_)),
            MachineEvent::VisitorLeft,
        )
        | (state @ VisitState::Ended(_), MachineEvent::Interrupted) => (state, Vec::new()),
        (VisitState::Waiting(token, _), MachineEvent::Interrupted | MachineEvent::VisitorLeft) => {
            token.end_visit_in_token_phase(Outcome::Interrupted)
        }
        (state, MachineEvent::Interrupted | MachineEvent::VisitorLeft) => {
            end_visit(Outcome::Interrupted, state.phase_for_hosts(), None)
        }
        (state, _) => (state, Vec::new()),
    }
}

/// Ends the visit with this outcome, in this phase.
fn end_visit(outcome: Outcome, ended_in: EndPhase, progress: Option<Progress>) -> Transition {
    let state = VisitState::Ended(VisitEndState { outcome: outcome.clone(), ended_in, progress });
    (state, vec![MachineEffect::End(outcome)])
}

impl FailureStreak {
    /// The streak after one more failure at `now`.
    fn streak_with_failure(before: Option<Self>, failure: VisitStepFailure, now: MillisSinceOrigin) -> Self {
        let (since, attempts) = before.as_ref().map_or((now, 0), |streak| (streak.since, streak.attempts));
        let (of_last_kind, of_last_kind_since) = before
            .filter(|streak| streak.last.kind == failure.kind)
            .map_or((0, now), |streak| (streak.of_last_kind, streak.of_last_kind_since));
        let (attempts, of_last_kind) = (attempts + 1, of_last_kind + 1);
        Self { since, attempts, of_last_kind, of_last_kind_since, last: failure }
    }

    /// The notice that this failure is retried at `until`.
    fn retry_notice(&self, until: MillisSinceOrigin, now: MillisSinceOrigin) -> MachineEffect {
        MachineEffect::Notify(VisitNotice::Retrying {
            failure: self.last.clone(),
            attempt: self.attempts,
            next_poll: until.duration_since(now),
        })
    }

    /// The outcome of a visit that ends with these failures.
    fn outcome_after_failures(&self) -> Outcome {
        let detail = self.last.detail.clone();
        match self.last.kind {
            VisitStepFailureKind::NeverSent | VisitStepFailureKind::Unanswered => Outcome::Unreachable(detail),
            VisitStepFailureKind::ProtocolViolation => Outcome::ProtocolViolation(detail),
            VisitStepFailureKind::Storage => Outcome::StorageFailed(detail),
            VisitStepFailureKind::DiskFull => Outcome::DiskFull(detail),
            VisitStepFailureKind::CredentialsRefused => Outcome::CredentialsRefused(detail),
            VisitStepFailureKind::Busy | VisitStepFailureKind::BackendFailing => Outcome::BackendFailing(detail),
            VisitStepFailureKind::Gate | VisitStepFailureKind::GateNotPassed => Outcome::Gate(detail),
            VisitStepFailureKind::NoApi => Outcome::NoApi(detail),
        }
    }
}
