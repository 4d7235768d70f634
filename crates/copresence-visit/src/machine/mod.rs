//! The machine: states that own their data, and one total transition function.

mod issue;
mod redeem;
mod restore;

pub use restore::{PastRedeem, PastVisit, StoredResponse};

use crate::event::{Effect, Event, Failure, FailureKind, IssueRequest, Notice, PartialDelivery};
use crate::outcome::{EndPhase, Outcome};
use crate::polling::{PollSchedule, PollingConfig};
use crate::time::Millis;
use copresence_protocol::{CompletionStatus, Delivery, ExportToken, Progress};
use issue::IssueState;
use redeem::LostAnswer;
use std::time::Duration;

/// Limits of a visit, fixed at its start.
#[derive(Debug, Clone)]
pub struct VisitPlan {
    /// How polls are spaced.
    pub polling: PollingConfig,
    /// `--timeout`: end the visit at this time if no avatar was delivered.
    pub give_up_at: Millis,
    /// How long the backend may fail without one usable response in between.
    pub patience: Duration,
    /// Seed of the polls' jitter.
    pub seed: u64,
    /// Whether to poll until the avatar is ready.
    pub mode: PollMode,
}

impl VisitPlan {
    /// The plan of a recovery: redeem once, without a time limit of its own.
    pub fn for_recovery(token_is_too_old: bool) -> Self {
        Self {
            polling: PollingConfig::default(),
            give_up_at: Millis::MAX,
            patience: Duration::MAX,
            seed: 0,
            mode: PollMode::Once { token_is_too_old },
        }
    }
}

/// How often a token is redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollMode {
    /// Until the avatar is ready, or time or patience run out.
    UntilReady,
    /// Once. If the response does not decide, the token is kept for a later recovery, or abandoned if it is too old.
    Once {
        /// Whether the token was kept for as long as it can be of use.
        token_is_too_old: bool,
    },
}

/// Grace period of a redeem in flight when the visit is to end, because its response may be the one that spends the
/// token.
pub const GRACE: Duration = Duration::from_secs(10);

/// A visit. [`step`] is the only way to change it.
#[derive(Debug, Clone)]
pub struct Visit {
    plan: VisitPlan,
    state: State,
}

/// State of a visit.
#[derive(Debug, Clone)]
pub enum State {
    /// Not started.
    New(IssueRequest),
    /// A token is being requested.
    Issuing(IssueState),
    /// The request failed; it is repeated at the given time.
    IssuePaused(IssueState, Millis),
    /// A token is active; the next poll is due at the given time.
    Waiting(TokenState, Millis),
    /// A redeem is in flight. With a reason, the visit ends as soon as its response allows.
    Redeeming(TokenState, Option<ExitReason>),
    /// URLs were received and are being downloaded; the token is never used again.
    Saving(Delivery),
    /// The files of a truncated response are being downloaded. The outcome applies if not one of them is received.
    SavingPartial(Outcome),
    /// Over.
    Ended(EndState),
}

/// How a visit ended.
#[derive(Debug, Clone)]
pub struct EndState {
    /// The outcome.
    pub outcome: Outcome,
    /// The state in which the visit ended.
    pub ended_in: EndPhase,
    /// What the last usable response reported.
    pub progress: Option<Progress>,
}

/// What is known of an active token.
#[derive(Debug, Clone)]
pub struct TokenState {
    token: ExportToken,
    polling: PollSchedule,
    /// What the last usable response reported.
    progress: Option<Progress>,
    failures: Option<FailureStreak>,
    lost_answer: Option<LostAnswer>,
    /// Files that a truncated response names, while no usable response was received since.
    partial: Option<PartialDelivery>,
    /// The visitor left while the avatar was being made.
    visitor_left: bool,
}

/// Failures in a row.
#[derive(Debug, Clone)]
struct FailureStreak {
    since: Millis,
    attempts: u32,
    /// Protocol violations in a row at the end of the streak.
    violations: u32,
    last: Failure,
}

/// Why a visit ends as soon as the redeem in flight is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// [`VisitPlan::give_up_at`] has passed.
    TimedOut,
    /// The visitor left. A delivery is saved all the same.
    VisitorLeft,
    /// The program stops.
    Interrupted,
}

/// The new state, and what to do.
type Transition = (State, Vec<Effect>);

impl Visit {
    /// A visit that has not started.
    pub fn new(plan: VisitPlan, request: IssueRequest) -> Self {
        Self { plan, state: State::New(request) }
    }

    /// The present state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How it ended, if it did.
    pub fn end(&self) -> Option<&EndState> {
        match &self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// The outcome, if the visit ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.end().map(|end| &end.outcome)
    }
}

impl State {
    /// The state's name for hosts.
    fn phase(&self) -> EndPhase {
        match self {
            Self::New(_) | Self::Issuing(_) | Self::IssuePaused(..) => EndPhase::Issuing,
            Self::Waiting(token, _) | Self::Redeeming(token, _) => token.phase(),
            Self::Saving(_) | Self::SavingPartial(_) => EndPhase::Saving,
            Self::Ended(end) => end.ended_in,
        }
    }
}

impl TokenState {
    fn new(token: ExportToken, plan: &VisitPlan) -> Self {
        Self {
            token,
            polling: PollSchedule::new(plan.polling.clone(), plan.seed),
            progress: None,
            failures: None,
            lost_answer: None,
            partial: None,
            visitor_left: false,
        }
    }

    fn phase(&self) -> EndPhase {
        if self.is_associated() { EndPhase::Making } else { EndPhase::Inviting }
    }

    fn is_associated(&self) -> bool {
        self.progress.as_ref().is_some_and(|last| last.status != CompletionStatus::NoAssociatedAvatar)
    }

    fn has_failed(&self) -> bool {
        self.progress.as_ref().is_some_and(|last| last.status == CompletionStatus::Failed)
    }

    /// Whether an avatar is on its way (after `failed` it is not).
    fn is_making(&self) -> bool {
        self.is_associated() && !self.has_failed()
    }

    /// Ends the visit in this token's phase.
    fn end_with(self, outcome: Outcome) -> Transition {
        let ended_in = self.phase();
        end_visit(outcome, ended_in, self.progress)
    }
}

/// Applies an event at `now`, and returns the visit with what is to be done.
#[must_use]
pub fn step(visit: Visit, event: Event, now: Millis) -> (Visit, Vec<Effect>) {
    let Visit { plan, state } = visit;
    let (state, effects) = transition(&plan, state, event, now);
    (Visit { plan, state }, effects)
}

fn transition(plan: &VisitPlan, state: State, event: Event, now: Millis) -> Transition {
    match (state, event) {
        (State::New(request), Event::Started) => issue::start_issuing(request, plan),
        (State::Issuing(_), Event::TokenIssued(token)) => redeem::start_polling(token, plan, now),
        (State::Issuing(state), Event::IssueFailed(failure)) => {
            issue::handle_issue_failure(state, failure, plan, now)
        }
        (State::Issuing(state), Event::TimerFired) if now >= plan.give_up_at => {
            issue::give_up_issuing(&state)
        }
        (State::IssuePaused(state, until), Event::TimerFired) => {
            issue::resume_issuing(state, until, plan, now)
        }
        (State::Waiting(token, until), Event::TimerFired) => {
            if now >= plan.give_up_at {
                redeem::give_up_polling(token)
            } else if now >= until {
                redeem::send_redeem(token, plan)
            } else {
                redeem::wait_for_next_poll(token, until, Vec::new(), plan)
            }
        }
        (State::Redeeming(token, exit), Event::Redeemed(result)) => {
            redeem::handle_redeem_result(token, exit, result, plan, now)
        }
        (State::Redeeming(token, None), Event::TimerFired) if now >= plan.give_up_at => {
            redeem::exit_after_response(token, ExitReason::TimedOut, now)
        }
        (State::Redeeming(token, Some(exit)), Event::TimerFired) => {
            redeem::exit_without_response(token, exit)
        }
        (
            State::Redeeming(token, None | Some(ExitReason::TimedOut | ExitReason::VisitorLeft)),
            Event::Interrupted,
        ) => redeem::exit_after_response(token, ExitReason::Interrupted, now),
        (State::Waiting(mut token, until), Event::VisitorLeft) if token.is_making() => {
            token.visitor_left = true;
            (State::Waiting(token, until), Vec::new())
        }
        (State::Redeeming(mut token, exit), Event::VisitorLeft) if token.is_making() => {
            token.visitor_left = true;
            (State::Redeeming(token, exit), Vec::new())
        }
        (State::Redeeming(token, None), Event::VisitorLeft) => {
            redeem::exit_after_response(token, ExitReason::VisitorLeft, now)
        }
        (State::Saving(delivery), Event::Saved) => {
            let contradiction = delivery.contradiction.map(|rule| rule.to_string());
            let outcome = contradiction.map_or(Outcome::Saved, Outcome::SavedWithViolation);
            end_visit(outcome, EndPhase::Saved, None)
        }
        (State::Saving(_), Event::SavedInPart(why) | Event::NothingSaved(why))
        | (State::SavingPartial(_), Event::SavedInPart(why)) => {
            end_visit(Outcome::SavedInPart(why), EndPhase::Saving, None)
        }
        (State::SavingPartial(_), Event::Saved) => {
            let why = "only the beginning of the response was received";
            end_visit(Outcome::SavedInPart(why.to_owned()), EndPhase::Saving, None)
        }
        (State::SavingPartial(otherwise), Event::NothingSaved(why)) => {
            end_visit(otherwise.with_no_file_saved(&why), EndPhase::Saving, None)
        }
        (State::Saving(_) | State::SavingPartial(_), Event::DiskFull(why)) => {
            end_visit(Outcome::SavedUntilDiskFull(why), EndPhase::Saving, None)
        }
        (
            state @ (State::Ended(_) | State::Redeeming(..) | State::Saving(_) | State::SavingPartial(_)),
            Event::VisitorLeft,
        )
        | (state @ State::Ended(_), Event::Interrupted) => (state, Vec::new()),
        (State::Waiting(token, _) | State::Redeeming(token, _), Event::Interrupted | Event::VisitorLeft) => {
            token.end_with(Outcome::Interrupted)
        }
        (state, Event::Interrupted | Event::VisitorLeft) => {
            end_visit(Outcome::Interrupted, state.phase(), None)
        }
        (state, _) => (state, Vec::new()),
    }
}

fn end_visit(outcome: Outcome, ended_in: EndPhase, progress: Option<Progress>) -> Transition {
    let state = State::Ended(EndState { outcome: outcome.clone(), ended_in, progress });
    (state, vec![Effect::End(outcome)])
}

impl FailureStreak {
    fn with_failure(before: Option<Self>, failure: Failure, now: Millis) -> Self {
        let (since, attempts, violations) =
            before.map_or((now, 0, 0), |streak| (streak.since, streak.attempts, streak.violations));
        let violations = if failure.kind == FailureKind::ProtocolViolation { violations + 1 } else { 0 };
        Self { since, attempts: attempts + 1, violations, last: failure }
    }

    fn retry_notice(&self, until: Millis, now: Millis) -> Effect {
        Effect::Notify(Notice::Retrying {
            failure: self.last.clone(),
            attempt: self.attempts,
            next_poll: until.duration_since(now),
        })
    }

    /// The outcome of a visit that ends with these failures.
    fn outcome(&self) -> Outcome {
        let detail = self.last.detail.clone();
        match self.last.kind {
            FailureKind::NeverSent | FailureKind::Unanswered => Outcome::Unreachable(detail),
            FailureKind::ProtocolViolation => Outcome::ProtocolViolation(detail),
            FailureKind::Storage => Outcome::StorageFailed(detail),
            FailureKind::DiskFull => Outcome::DiskFull(detail),
            FailureKind::CredentialsRefused => Outcome::CredentialsRefused(detail),
            FailureKind::Busy | FailureKind::BackendFailing | FailureKind::GatewayLostAnswer => {
                Outcome::BackendFailing(detail)
            }
        }
    }
}
