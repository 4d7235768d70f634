//! The machine: states that own their data, and one total function.

use crate::event::{Effect, Event, Fault, FaultKind, Notice, RedeemResult};
use crate::outcome::{EndedIn, Outcome};
use crate::polling::{Pace, Polling, Seen};
use crate::time::Moment;
use protocol::{CompletionStatus, Progress};
use std::time::Duration;

/// What a visit is allowed; fixed when it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How polls are spaced.
    pub pace: Pace,
    /// `--timeout`: give up at this moment when no avatar came.
    pub give_up_at: Moment,
    /// How long the backend may fail without one good answer in between.
    pub patience: Duration,
    /// Feeds the jitter of the polls.
    pub seed: u64,
}

/// Before a token is out nobody has invested anything: failing to get one is said sooner than `patience`.
pub const ISSUE_PATIENCE: Duration = Duration::from_secs(20);
/// A lost answer to `/generateExportToken` may have made a token that somebody pays for: so many are risked.
const UNANSWERED_ISSUES: u32 = 3;
/// A body that breaks the protocol is looked at again before the visit ends, because the token may still live.
const BREAKS_IN_A_ROW: u32 = 3;
/// A redeem in flight may be the one that spends the token: whoever leaves waits so long for its answer.
pub const GRACE: Duration = Duration::from_secs(10);

/// A visit. Cloning it is cheap; [`step`] is the only way to change it.
#[derive(Debug, Clone)]
pub struct Visit {
    plan: Plan,
    state: State,
}

/// Where a visit stands.
#[derive(Debug, Clone)]
pub enum State {
    /// Not begun.
    New,
    /// A token is being asked for.
    Issuing(Issue),
    /// Asking failed; it is done again at `until`.
    IssuePause(Issue, Moment),
    /// A token is out; the next poll is due at the moment given.
    Watching(Watch, Moment),
    /// A redeem is in flight.
    Redeeming(Watch, Option<Leaving>),
    /// URLs came; the token is never touched again.
    Saving,
    /// What the beginning of a lost answer names is being saved; the visit ends so if not one file of it comes.
    Salvaging(Outcome),
    /// Over.
    Ended(Outcome, EndedIn),
}

/// What is remembered while a token is asked for.
#[derive(Debug, Clone)]
pub struct Issue {
    polling: Polling,
    streak: Option<Streak>,
    unanswered: u32,
}

/// What is remembered of a token.
#[derive(Debug, Clone)]
pub struct Watch {
    polling: Polling,
    last: Option<Progress>,
    streak: Option<Streak>,
    doubt: Option<Doubt>,
    /// What happened to the answer whose beginning names files: it may be the one that spent the token.
    fragment: Option<String>,
}

/// Failures in a row.
#[derive(Debug, Clone)]
struct Streak {
    since: Moment,
    attempts: u32,
    breaks: u32,
    last: Fault,
}

/// Why a later refusal of the token would not simply mean that it ran out.
#[derive(Debug, Clone)]
enum Doubt {
    /// An answer was lost: it may have been the one with the URLs.
    Lost(String),
    /// An answer came whole and could not be read.
    Unreadable(String),
}

/// Why a visit ends as soon as the redeem in flight is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// `give_up_at` passed.
    Late,
    /// The visitor left; what the answer brings is not lost on that account.
    Gone,
    /// The program is to stop.
    Asked,
}

impl Visit {
    /// A visit that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self { plan, state: State::New }
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How it ended, if it did.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Ended(outcome, _) => Some(outcome),
            _ => None,
        }
    }

    /// In which state it ended, if it did.
    pub fn ended_in(&self) -> Option<EndedIn> {
        match &self.state {
            State::Ended(_, ended_in) => Some(*ended_in),
            _ => None,
        }
    }

    fn phase(&self) -> EndedIn {
        match &self.state {
            State::New | State::Issuing(_) | State::IssuePause(..) => EndedIn::Issuing,
            State::Watching(watch, _) | State::Redeeming(watch, _) if watch.is_associated() => {
                EndedIn::Making
            }
            State::Watching(..) | State::Redeeming(..) => EndedIn::Inviting,
            State::Saving | State::Salvaging(_) => EndedIn::Saving,
            State::Ended(_, ended_in) => *ended_in,
        }
    }
}

impl Watch {
    fn is_associated(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.status != CompletionStatus::NoAssociatedAvatar)
    }

    /// Whether somebody's avatar is on its way (after `failed` it is not).
    fn is_making(&self) -> bool {
        self.is_associated() && self.last.as_ref().is_some_and(|last| last.status != CompletionStatus::Failed)
    }
}

/// Takes in what happened at `now`, and says what is to be done.
#[must_use]
pub fn step(mut visit: Visit, event: Event, now: Moment) -> (Visit, Vec<Effect>) {
    let phase = visit.phase();
    let plan = visit.plan.clone();
    let turn = match (visit.state.clone(), event) {
        (State::New, Event::Begun) => {
            let polling = Polling::new(plan.pace.clone(), plan.seed);
            issue(Issue { polling, streak: None, unanswered: 0 }, &plan)
        }
        (State::Issuing(_), Event::Issued) => {
            let polling = Polling::new(plan.pace.clone(), plan.seed);
            let mut watch = Watch { polling, last: None, streak: None, doubt: None, fragment: None };
            // The token was made this moment: nobody can have scanned it, so the first look can wait its turn.
            let until = watch.polling.next_poll(&Seen::Progress(&Progress::unassociated()), now);
            watching(watch, until, Vec::new(), &plan)
        }
        (State::Issuing(issue), Event::IssueFailed(fault)) => issue_failed(issue, fault, &plan, now),
        (State::IssuePause(issue_state, until), Event::Due) => {
            if now >= plan.give_up_at {
                Turn::End(without_token(issue_state.streak.as_ref()))
            } else if now >= until {
                issue(issue_state, &plan)
            } else {
                pause(issue_state, until, Vec::new(), &plan)
            }
        }
        (State::Issuing(issue), Event::Due) if now >= plan.give_up_at => {
            Turn::End(without_token(issue.streak.as_ref()))
        }
        (State::Watching(watch, until), Event::Due) => {
            if now >= plan.give_up_at {
                give_up(&watch)
            } else if now >= until {
                let wait = Effect::Wait { until: plan.give_up_at };
                Turn::Go(State::Redeeming(watch, None), vec![Effect::Redeem, wait])
            } else {
                watching(watch, until, Vec::new(), &plan)
            }
        }
        (State::Redeeming(watch, leaving), Event::Redeemed(result)) => {
            redeemed(watch, leaving, result, &plan, now)
        }
        (State::Redeeming(watch, None), Event::Due) if now >= plan.give_up_at => {
            leave(watch, Leaving::Late, now)
        }
        (State::Redeeming(watch, Some(leaving)), Event::Due) => Turn::End(match leaving {
            // Its answer is not there yet, so nothing that came before is given up for it.
            Leaving::Late if watch.fragment.is_some() => {
                Outcome::Unreachable("the last redeem was not answered in time".to_owned())
            }
            Leaving::Late => late(&watch),
            Leaving::Gone | Leaving::Asked => Outcome::Interrupted,
        }),
        (State::Redeeming(watch, None | Some(Leaving::Late | Leaving::Gone)), Event::Interrupted) => {
            leave(watch, Leaving::Asked, now)
        }
        (State::Watching(watch, _) | State::Redeeming(watch, _), Event::Left) if watch.is_making() => {
            return (visit, Vec::new());
        }
        (State::Redeeming(watch, None), Event::Left) => leave(watch, Leaving::Gone, now),
        (State::Saving, Event::Saved { contradiction }) => {
            let outcome = contradiction.map_or(Outcome::Saved, Outcome::SavedDespiteBreak);
            visit.state = State::Ended(outcome.clone(), EndedIn::Saved);
            return (visit, vec![Effect::End(outcome)]);
        }
        (State::Saving | State::Salvaging(_), Event::SavedInPart(why)) => {
            Turn::End(Outcome::SavedInPart(why))
        }
        (State::Saving | State::Salvaging(_), Event::DiskFull(why)) => {
            Turn::End(Outcome::SavedUntilFull(why))
        }
        (State::Salvaging(otherwise), Event::NothingSalvaged(why)) => {
            Turn::End(otherwise.and_nothing_came(&why))
        }
        (State::Ended(..), _) | (State::Redeeming(..) | State::Saving | State::Salvaging(_), Event::Left) => {
            return (visit, Vec::new());
        }
        (_, Event::Interrupted | Event::Left) => Turn::End(Outcome::Interrupted),
        (_, _) => return (visit, Vec::new()),
    };
    match turn {
        Turn::Go(state, effects) => {
            visit.state = state;
            (visit, effects)
        }
        Turn::End(outcome) => {
            visit.state = State::Ended(outcome.clone(), phase);
            (visit, vec![Effect::End(outcome)])
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "it lives for one call and is moved once")]
enum Turn {
    Go(State, Vec<Effect>),
    End(Outcome),
}

fn issue(state: Issue, plan: &Plan) -> Turn {
    Turn::Go(State::Issuing(state), vec![Effect::Issue, Effect::Wait { until: plan.give_up_at }])
}

fn pause(state: Issue, until: Moment, mut effects: Vec<Effect>, plan: &Plan) -> Turn {
    effects.push(Effect::Wait { until: until.min(plan.give_up_at) });
    Turn::Go(State::IssuePause(state, until), effects)
}

fn watching(watch: Watch, until: Moment, mut effects: Vec<Effect>, plan: &Plan) -> Turn {
    effects.push(Effect::Wait { until: until.min(plan.give_up_at) });
    Turn::Go(State::Watching(watch, until), effects)
}

fn leave(watch: Watch, why: Leaving, now: Moment) -> Turn {
    Turn::Go(State::Redeeming(watch, Some(why)), vec![Effect::Wait { until: now + GRACE }])
}

fn issue_failed(mut issue: Issue, fault: Fault, plan: &Plan, now: Moment) -> Turn {
    match fault.kind {
        FaultKind::CredentialsRefused => return Turn::End(Outcome::CredentialsRefused(fault.detail)),
        // Every further try would make another token that somebody pays for.
        FaultKind::ProtocolBroken => return Turn::End(Outcome::ProtocolBroken(fault.detail)),
        FaultKind::Unanswered | FaultKind::GatewayLostAnswer => issue.unanswered += 1,
        // It came, and could not be written down: another one would be lost in the same way.
        FaultKind::Storage => return Turn::End(Outcome::StorageFailed(fault.detail)),
        FaultKind::DiskFull => return Turn::End(Outcome::DiskFull(fault.detail)),
        FaultKind::NeverSent | FaultKind::Busy | FaultKind::BackendFailing => {}
    }
    let until = issue.polling.next_poll(&Seen::Trouble { retry_after: fault.retry_after }, now);
    let streak = Streak::grow(issue.streak.take(), fault, now);
    let spent = now.since(streak.since) >= plan.patience.min(ISSUE_PATIENCE);
    if spent || issue.unanswered >= UNANSWERED_ISSUES || now >= plan.give_up_at {
        return Turn::End(without_token(Some(&streak)));
    }
    let tell = streak.notice(until, now);
    issue.streak = Some(streak);
    pause(issue, until, vec![tell], plan)
}

fn redeemed(
    mut watch: Watch,
    leaving: Option<Leaving>,
    result: RedeemResult,
    plan: &Plan,
    now: Moment,
) -> Turn {
    match result {
        RedeemResult::Delivered if leaving == Some(Leaving::Asked) => Turn::End(Outcome::Interrupted),
        RedeemResult::Delivered => {
            Turn::Go(State::Saving, vec![Effect::Tell(Notice::Delivered), Effect::Save])
        }
        RedeemResult::Refused if watch.fragment.is_some() && leaving == Some(Leaving::Asked) => {
            Turn::End(Outcome::Interrupted)
        }
        RedeemResult::Refused => end_or_salvage(&watch, refused(&watch)),
        RedeemResult::NotReady(progress) => {
            let recovered = watch.streak.take().is_some();
            (watch.doubt, watch.fragment) = (None, None);
            let until = watch.polling.next_poll(&Seen::Progress(&progress), now);
            let mut effects = Vec::new();
            // After failures the status is said again: it is what tells that they are over.
            if recovered || watch.last.as_ref() != Some(&progress) {
                let next_poll = until.since(now);
                effects.push(Effect::Tell(Notice::Status { progress: progress.clone(), next_poll }));
            }
            watch.last = Some(progress);
            match leaving {
                Some(Leaving::Asked) => Turn::End(Outcome::Interrupted),
                Some(Leaving::Gone) if !watch.is_making() => Turn::End(Outcome::Interrupted),
                Some(Leaving::Late) => give_up(&watch),
                Some(Leaving::Gone) | None => watching(watch, until, effects, plan),
            }
        }
        RedeemResult::Failed(fault) => redeem_failed(watch, leaving, fault, plan, now),
        RedeemResult::Fragment(fault) => {
            watch.fragment = Some(fault.detail.clone());
            redeem_failed(watch, leaving, fault, plan, now)
        }
    }
}

fn redeem_failed(mut watch: Watch, leaving: Option<Leaving>, fault: Fault, plan: &Plan, now: Moment) -> Turn {
    let broken = fault.kind == FaultKind::ProtocolBroken;
    if fault.kind == FaultKind::CredentialsRefused {
        return Turn::End(Outcome::CredentialsRefused(fault.detail));
    }
    if fault.kind.may_hide_delivery() {
        watch.doubt = Some(Doubt::Lost(fault.detail.clone()));
    } else if broken && watch.doubt.is_none() {
        watch.doubt = Some(Doubt::Unreadable(fault.detail.clone()));
    }
    let until = watch.polling.next_poll(&Seen::Trouble { retry_after: fault.retry_after }, now);
    let streak = Streak::grow(watch.streak.take(), fault, now);
    if streak.breaks >= BREAKS_IN_A_ROW {
        return match leaving {
            Some(Leaving::Asked) if watch.fragment.is_some() => Turn::End(Outcome::Interrupted),
            _ => end_or_salvage(&watch, Outcome::ProtocolBroken(streak.last.detail)),
        };
    }
    let out_of_patience = now.since(streak.since) >= plan.patience;
    let tell = streak.notice(until, now);
    watch.streak = Some(streak);
    match leaving {
        Some(Leaving::Asked | Leaving::Gone) => Turn::End(Outcome::Interrupted),
        Some(Leaving::Late) => give_up(&watch),
        None if out_of_patience => give_up(&watch),
        None => watching(watch, until, vec![tell], plan),
    }
}

/// The token is of no more use. Where the beginning of a lost answer names files, they are all that can be had.
fn end_or_salvage(watch: &Watch, otherwise: Outcome) -> Turn {
    match &watch.fragment {
        Some(_) => Turn::Go(State::Salvaging(otherwise), vec![Effect::Salvage]),
        None => Turn::End(otherwise),
    }
}

/// 400 on a redeem: which of its meanings it has, from all that was seen before.
fn refused(watch: &Watch) -> Outcome {
    match (&watch.doubt, &watch.last) {
        (Some(Doubt::Lost(how)), _) => Outcome::PossiblyConsumed(how.clone()),
        (Some(Doubt::Unreadable(how)), _) => Outcome::ProtocolBroken(how.clone()),
        (None, Some(progress)) if progress.status == CompletionStatus::Failed => Outcome::AvatarFailed,
        (None, last) => Outcome::TokenRefused { was_active: last.is_some() },
    }
}

/// Ends for want of time. What keeps the token keeps what a fragment names, too: for `recover`.
fn give_up(watch: &Watch) -> Turn {
    match late(watch) {
        broken @ Outcome::ProtocolBroken(_) => end_or_salvage(watch, broken),
        other => Turn::End(other),
    }
}

/// Time ran out while a token was out.
fn late(watch: &Watch) -> Outcome {
    match (&watch.streak, &watch.last) {
        (Some(streak), _) => streak.outcome(),
        (None, Some(progress)) if progress.status == CompletionStatus::Failed => Outcome::AvatarFailed,
        (None, _) => Outcome::TimedOut,
    }
}

/// Time or patience ran out before any token was issued.
fn without_token(streak: Option<&Streak>) -> Outcome {
    streak.map_or_else(
        || {
            Outcome::Unreachable(
                "the backend did not answer the request for an Export Token in time".to_owned(),
            )
        },
        Streak::outcome,
    )
}

impl Streak {
    fn grow(before: Option<Self>, fault: Fault, now: Moment) -> Self {
        let (since, attempts, breaks) = before.map_or((now, 0, 0), |s| (s.since, s.attempts, s.breaks));
        let breaks = if fault.kind == FaultKind::ProtocolBroken { breaks + 1 } else { 0 };
        Self { since, attempts: attempts + 1, breaks, last: fault }
    }

    fn notice(&self, until: Moment, now: Moment) -> Effect {
        Effect::Tell(Notice::Retrying {
            fault: self.last.clone(),
            attempt: self.attempts,
            next_poll: until.since(now),
        })
    }

    fn outcome(&self) -> Outcome {
        let detail = self.last.detail.clone();
        match self.last.kind {
            FaultKind::NeverSent | FaultKind::Unanswered => Outcome::Unreachable(detail),
            FaultKind::ProtocolBroken => Outcome::ProtocolBroken(detail),
            FaultKind::Storage => Outcome::StorageFailed(detail),
            FaultKind::DiskFull => Outcome::DiskFull(detail),
            FaultKind::CredentialsRefused => Outcome::CredentialsRefused(detail),
            FaultKind::Busy | FaultKind::BackendFailing | FaultKind::GatewayLostAnswer => {
                Outcome::BackendFailing(detail)
            }
        }
    }
}
