//! A world around one visit, which performs its effects by a story.

use super::story::{Beat, Came};
use protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use std::time::Duration;
use visit::machine::{Plan, State, Visit, step};
use visit::{Effect, Event, Fault, FaultKind, Moment, Notice, Outcome, Pace, RedeemResult};

pub(crate) const TIMEOUT: Duration = Duration::from_mins(15);
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) fn plan() -> Plan {
    Plan { pace: Pace::default(), give_up_at: Moment::default() + TIMEOUT, patience: PATIENCE, seed: 7 }
}

pub(crate) fn progress(status: CompletionStatus, percent: Option<u8>, place: Option<u32>) -> Progress {
    Progress { status, completion: percent.and_then(Percent::new), queue: place.map(QueuePosition::new) }
}

pub(crate) fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "what happened")
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Flight {
    Nothing,
    Issue,
    Redeem,
    Save,
    Salvage,
}

/// Performs a visit's effects by the story, and holds the machine to its promises while it does.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and all combinations occur")]
pub(crate) struct World {
    pub(crate) visit: Visit,
    pub(crate) now: Moment,
    pub(crate) flight: Flight,
    pub(crate) wait: Option<Moment>,
    pub(crate) delivered: bool,
    /// The beginning of a lost answer names files, and no good answer came since.
    pub(crate) fragment: bool,
    /// The last answer says that the token is of no more use.
    pub(crate) useless: bool,
    pub(crate) salvaged: bool,
    pub(crate) redeems: u32,
    pub(crate) notices: Vec<Notice>,
    pub(crate) end: Option<Outcome>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            visit: Visit::new(plan()),
            now: Moment::default(),
            flight: Flight::Nothing,
            wait: None,
            delivered: false,
            fragment: false,
            useless: false,
            salvaged: false,
            redeems: 0,
            notices: Vec::new(),
            end: None,
        };
        world.feed(Event::Begun);
        world
    }

    pub(crate) fn feed(&mut self, event: Event) {
        if self.flight == Flight::Redeem && event == Event::Redeemed(RedeemResult::Delivered) {
            self.delivered = true;
        }
        if let (Flight::Redeem, Event::Redeemed(result)) = (self.flight, &event) {
            self.fragment = match result {
                RedeemResult::Fragment(_) => true,
                RedeemResult::NotReady(_) | RedeemResult::Delivered => false,
                RedeemResult::Refused | RedeemResult::Failed(_) => self.fragment,
            };
            self.useless = match result {
                RedeemResult::Refused => true,
                RedeemResult::Failed(fault) | RedeemResult::Fragment(fault) => {
                    fault.kind == FaultKind::ProtocolBroken
                }
                _ => false,
            };
        }
        if !self.is_noise(&event)
            && !matches!(event, Event::Due | Event::Begun | Event::Left | Event::Interrupted)
        {
            self.flight = Flight::Nothing;
        }
        let (visit, effects) = step(self.visit.clone(), event, self.now);
        self.visit = visit;
        let ended_before = self.end.is_some();
        for effect in effects {
            assert!(!ended_before && self.end.is_none(), "{effect:?} after the end");
            match effect {
                Effect::Issue => self.take_off(Flight::Issue),
                Effect::Redeem => {
                    assert!(!self.delivered, "redeemed again after an answer with URLs");
                    assert!(!self.salvaged, "redeemed again after a fragment was taken for the answer");
                    self.redeems += 1;
                    self.take_off(Flight::Redeem);
                }
                Effect::Save => {
                    assert!(self.delivered, "saves what was delivered");
                    self.take_off(Flight::Save);
                }
                Effect::Salvage => {
                    assert!(
                        self.fragment && self.useless && !self.delivered,
                        "salvages what is lost otherwise"
                    );
                    self.salvaged = true;
                    self.take_off(Flight::Salvage);
                }
                Effect::Wait { until } => self.wait = Some(until),
                Effect::Tell(notice) => self.notices.push(notice),
                Effect::End(outcome) => {
                    assert_eq!(self.visit.outcome(), Some(&outcome));
                    assert!(
                        !matches!(outcome.exit(), 4 | 5 | 9 | 10) || !self.fragment || self.salvaged,
                        "{outcome:?} forgets what a fragment names"
                    );
                    self.end = Some(outcome);
                    self.flight = Flight::Nothing;
                    self.wait = None;
                }
            }
        }
        assert_eq!(self.end.is_some(), matches!(self.visit.state(), State::Ended(..)));
        assert!(
            self.end.is_some() || self.flight != Flight::Nothing || self.wait.is_some(),
            "nothing would ever happen again"
        );
    }

    fn take_off(&mut self, flight: Flight) {
        assert_eq!(self.flight, Flight::Nothing, "one at a time");
        self.flight = flight;
    }

    pub(crate) fn play(&mut self, beat: &Beat) {
        if let Some(noise) = beat.noise.clone().filter(|event| self.is_noise(event)) {
            self.feed(noise);
            return;
        }
        let ring = self.flight == Flight::Nothing || beat.ring;
        if let (true, Some(until)) = (ring, self.wait) {
            self.now = self.now.max(until);
            self.wait = None; // A timer rings once.
            self.feed(Event::Due);
            return;
        }
        self.now = self.now + Duration::from_millis(beat.takes);
        match self.flight {
            Flight::Issue => {
                self.feed(beat.issue.clone().map_or_else(Event::IssueFailed, |()| Event::Issued));
            }
            Flight::Redeem => self.feed(Event::Redeemed(beat.redeem.clone())),
            Flight::Save => self.feed(match beat.saved {
                Came::All => Event::Saved { contradiction: None },
                Came::Some | Came::Nothing => Event::SavedInPart("one is missing".into()),
                Came::UntilFull => Event::DiskFull("no room".into()),
            }),
            Flight::Salvage => self.feed(match beat.saved {
                Came::All | Came::Some => Event::SavedInPart("more may have been due".into()),
                Came::Nothing => Event::NothingSalvaged("all gone".into()),
                Came::UntilFull => Event::DiskFull("no room".into()),
            }),
            Flight::Nothing => {}
        }
    }

    /// An event that nothing in flight would bring now.
    fn is_noise(&self, event: &Event) -> bool {
        match event {
            Event::Redeemed(_) => self.flight != Flight::Redeem,
            Event::Issued | Event::IssueFailed(_) => self.flight != Flight::Issue,
            Event::Saved { .. } => self.flight != Flight::Save,
            Event::NothingSalvaged(_) => self.flight != Flight::Salvage,
            Event::SavedInPart(_) | Event::DiskFull(_) => {
                !matches!(self.flight, Flight::Save | Flight::Salvage)
            }
            Event::Due | Event::Begun | Event::Left | Event::Interrupted => true,
        }
    }
}
