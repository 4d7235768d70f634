//! The promises of the machine, over arbitrary stories: what is in flight ends in any way, in any order with
//! timers that are early, late or stale, and with events that do not belong.

use proptest::prelude::*;
use protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use std::time::Duration;
use visit::machine::{GRACE, Plan, State, Visit, step};
use visit::{Effect, Event, Fault, FaultKind, Moment, Notice, Outcome, Pace, RedeemResult};

const TIMEOUT: Duration = Duration::from_mins(15);
const PATIENCE: Duration = Duration::from_mins(3);

fn plan() -> Plan {
    Plan { pace: Pace::default(), give_up_at: Moment::default() + TIMEOUT, patience: PATIENCE, seed: 7 }
}

fn progress(status: CompletionStatus, percent: Option<u8>, place: Option<u32>) -> Progress {
    Progress { status, completion: percent.and_then(Percent::new), queue: place.map(QueuePosition::new) }
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "what happened")
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let kinds = prop_oneof![
        4 => Just(FaultKind::NeverSent),
        4 => Just(FaultKind::Unanswered),
        2 => Just(FaultKind::Busy),
        2 => Just(FaultKind::BackendFailing),
        2 => Just(FaultKind::GatewayLostAnswer),
        1 => Just(FaultKind::CredentialsRefused),
        2 => Just(FaultKind::ProtocolBroken),
        1 => Just(FaultKind::Storage),
        1 => Just(FaultKind::DiskFull),
    ];
    (kinds, proptest::option::of(0u64..10_000))
        .prop_map(|(kind, after)| Fault { retry_after: after.map(Duration::from_secs), ..fault(kind) })
}

/// A fault that leaves a beginning of an answer behind.
fn any_lost() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![FaultKind::Unanswered, FaultKind::ProtocolBroken]).prop_map(fault)
}

fn any_progress() -> impl Strategy<Value = Progress> {
    prop_oneof![
        Just(Progress::unassociated()),
        (0u32..30).prop_map(|place| progress(CompletionStatus::InQueue, Some(0), Some(place))),
        (0u8..=100).prop_map(|percent| progress(CompletionStatus::Processing, Some(percent), None)),
        Just(progress(CompletionStatus::Failed, Some(50), None)),
        Just(progress(CompletionStatus::Other("baking".into()), None, None)),
    ]
}

fn any_redeem() -> impl Strategy<Value = RedeemResult> {
    prop_oneof![
        12 => any_progress().prop_map(RedeemResult::NotReady),
        1 => Just(RedeemResult::Delivered),
        1 => Just(RedeemResult::Refused),
        5 => any_fault().prop_map(RedeemResult::Failed),
        2 => any_lost().prop_map(RedeemResult::Fragment),
    ]
}

/// One turn of a story: how whatever is in flight ends, whether the timer rings instead, and noise.
#[derive(Debug, Clone)]
struct Beat {
    issue: Result<(), Fault>,
    redeem: RedeemResult,
    saved: Came,
    ring: bool,
    takes: u64,
    noise: Option<Event>,
}

/// How saving ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Came {
    All,
    Some,
    UntilFull,
    /// Of a lost answer's files alone.
    Nothing,
}

fn any_beat() -> impl Strategy<Value = Beat> {
    let noise = prop_oneof![
        Just(Event::Due),
        Just(Event::Begun),
        Just(Event::Issued),
        Just(Event::Saved { contradiction: None }),
        Just(Event::SavedInPart("noise".into())),
        Just(Event::DiskFull("noise".into())),
        Just(Event::NothingSalvaged("noise".into())),
        any_redeem().prop_map(Event::Redeemed),
        Just(Event::Left),
        Just(Event::Interrupted),
    ];
    (
        prop_oneof![3 => Just(Ok(())), 1 => any_fault().prop_map(Err)],
        any_redeem(),
        prop::sample::select(vec![Came::All, Came::Some, Came::UntilFull, Came::Nothing]),
        proptest::bool::weighted(0.2),
        0u64..40_000,
        proptest::option::weighted(0.05, noise),
    )
        .prop_map(|(issue, redeem, saved, ring, takes, noise)| Beat {
            issue,
            redeem,
            saved,
            ring,
            takes,
            noise,
        })
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Flight {
    Nothing,
    Issue,
    Redeem,
    Save,
    Salvage,
}

/// Performs a visit's effects by the story, and holds the machine to its promises while it does.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and all combinations occur")]
struct World {
    visit: Visit,
    now: Moment,
    flight: Flight,
    wait: Option<Moment>,
    delivered: bool,
    /// The beginning of a lost answer names files, and no good answer came since.
    fragment: bool,
    /// The last answer says that the token is of no more use.
    useless: bool,
    salvaged: bool,
    redeems: u32,
    notices: Vec<Notice>,
    end: Option<Outcome>,
}

impl World {
    fn new() -> Self {
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

    fn feed(&mut self, event: Event) {
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

    fn play(&mut self, beat: &Beat) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_in_every_story(beats in proptest::collection::vec(any_beat(), 1..120)) {
        let mut world = World::new();
        for beat in &beats {
            world.play(beat);
        }
    }

    #[test]
    fn every_path_ends(beats in proptest::collection::vec(any_beat(), 1..40)) {
        let mut world = World::new();
        // The story goes round until its time is up; 20,000 turns are far beyond any 15 minutes.
        let ended = (0..20_000).any(|turn| {
            let mut beat = beats[turn % beats.len()].clone();
            beat.takes += 1; // Noise alone would let no time pass.
            beat.noise = beat.noise.filter(|_| turn < beats.len());
            world.play(&beat);
            world.end.is_some()
        });
        prop_assert!(ended, "still {:?} at {:?}", world.visit.state(), world.now);
        let longest = plan().give_up_at + GRACE + GRACE + Duration::from_secs(80);
        prop_assert!(world.now <= longest || world.delivered || world.salvaged, "patience ran on to {:?}", world.now);
    }

    #[test]
    fn nothing_happens_after_the_end(beats in proptest::collection::vec(any_beat(), 1..40)) {
        let mut world = World::new();
        world.feed(Event::Interrupted);
        let end = world.end.clone();
        for beat in &beats {
            world.play(beat);
        }
        prop_assert_eq!(world.end, end);
        prop_assert_eq!(world.redeems, 0);
    }
}

/// Up to the first redeem in flight.
fn redeeming() -> World {
    let mut world = World::new();
    world.feed(Event::Issued);
    ring(&mut world);
    assert_eq!(world.flight, Flight::Redeem);
    world
}

fn ring(world: &mut World) {
    world.now = world.wait.expect("a timer is set");
    world.feed(Event::Due);
}

fn answer(world: &mut World, result: RedeemResult) {
    world.feed(Event::Redeemed(result));
}

#[test]
fn a_whole_visit() {
    let mut world = redeeming();
    answer(&mut world, RedeemResult::NotReady(progress(CompletionStatus::InQueue, Some(0), Some(2))));
    ring(&mut world);
    answer(&mut world, RedeemResult::Delivered);
    assert_eq!(world.flight, Flight::Save);
    world.feed(Event::Saved { contradiction: None });
    assert_eq!(world.end, Some(Outcome::Saved));
    assert_eq!(world.visit.ended_in().map(visit::outcome::EndedIn::as_str), Some("saved"));
}

#[test]
fn a_status_is_told_only_on_change() {
    let mut world = redeeming();
    for _ in 0..3 {
        answer(&mut world, RedeemResult::NotReady(Progress::unassociated()));
        ring(&mut world);
    }
    let told = world.notices.iter().filter(|n| matches!(n, Notice::Status { .. })).count();
    assert_eq!(told, 1);
}

#[test]
fn a_400_means_what_was_seen_before_it() {
    let cases: Vec<(Vec<RedeemResult>, &str, u8)> = vec![
        (vec![], "token_refused", 4),
        (vec![RedeemResult::NotReady(Progress::unassociated())], "token_expired", 4),
        (vec![RedeemResult::NotReady(progress(CompletionStatus::Failed, Some(9), None))], "avatar_failed", 5),
        (vec![RedeemResult::Failed(fault(FaultKind::Unanswered))], "possibly_consumed", 10),
        (vec![RedeemResult::Failed(fault(FaultKind::GatewayLostAnswer))], "possibly_consumed", 10),
        (vec![RedeemResult::Failed(fault(FaultKind::ProtocolBroken))], "protocol_broken", 9),
        (vec![RedeemResult::Failed(fault(FaultKind::NeverSent))], "token_refused", 4),
        (vec![RedeemResult::Failed(fault(FaultKind::BackendFailing))], "token_refused", 4),
        (
            vec![
                RedeemResult::Failed(fault(FaultKind::Unanswered)),
                RedeemResult::NotReady(Progress::unassociated()),
            ],
            "token_expired",
            4,
        ),
    ];
    for (before, code, exit) in cases {
        let mut world = redeeming();
        for result in before.clone() {
            answer(&mut world, result);
            ring(&mut world);
        }
        answer(&mut world, RedeemResult::Refused);
        let end = world.end.expect("ended");
        assert_eq!((end.code(), end.exit()), (code, exit), "{before:?}");
    }
}

#[test]
fn a_400_after_an_answer_whose_beginning_names_files_saves_what_it_names() {
    for kind in [FaultKind::Unanswered, FaultKind::ProtocolBroken] {
        for later in
            [None, Some(FaultKind::NeverSent), Some(FaultKind::Unanswered), Some(FaultKind::BackendFailing)]
        {
            let refused = || {
                let mut world = redeeming();
                answer(&mut world, RedeemResult::Fragment(fault(kind)));
                ring(&mut world);
                if let Some(later) = later {
                    answer(&mut world, RedeemResult::Failed(fault(later)));
                    ring(&mut world);
                }
                answer(&mut world, RedeemResult::Refused);
                assert_eq!((world.flight, world.end.as_ref()), (Flight::Salvage, None), "{kind:?} {later:?}");
                world
            };
            let mut world = refused();
            world.feed(Event::Left);
            world.feed(Event::SavedInPart("more may have been due".into()));
            assert_eq!(world.end.map(|end| (end.exit(), end.code())), Some((7, "saved_in_part")));
            let mut world = refused();
            world.feed(Event::DiskFull("no room".into()));
            assert_eq!(world.end.map(|end| (end.exit(), end.code())), Some((7, "disk_full")));
            let mut world = refused();
            world.feed(Event::NothingSalvaged("gone (410)".into()));
            let end = world.end.expect("ended");
            assert!(
                matches!(end.exit(), 9 | 10) && end.detail().is_some_and(|d| d.contains("410")),
                "{end:?}"
            );
        }
    }
}

#[test]
fn a_good_answer_after_a_fragment_makes_it_worthless() {
    let mut world = redeeming();
    answer(&mut world, RedeemResult::Fragment(fault(FaultKind::Unanswered)));
    ring(&mut world);
    answer(&mut world, RedeemResult::NotReady(Progress::unassociated()));
    ring(&mut world);
    answer(&mut world, RedeemResult::Refused);
    assert_eq!(world.end.map(|end| end.code()), Some("token_expired"));
}

#[test]
fn answers_that_break_again_and_again_are_salvaged_too() {
    let mut world = redeeming();
    for last in [false, false, true] {
        answer(&mut world, RedeemResult::Fragment(fault(FaultKind::ProtocolBroken)));
        if !last {
            ring(&mut world);
        }
    }
    assert_eq!(world.flight, Flight::Salvage);
}

#[test]
fn a_stop_keeps_what_a_fragment_names_for_recover() {
    let mut world = redeeming();
    answer(&mut world, RedeemResult::Fragment(fault(FaultKind::Unanswered)));
    ring(&mut world);
    world.feed(Event::Interrupted);
    answer(&mut world, RedeemResult::Refused);
    assert_eq!(world.end, Some(Outcome::Interrupted));
}

#[test]
fn a_failed_avatar_does_not_end_the_visit_by_itself() {
    let failed = progress(CompletionStatus::Failed, Some(40), None);
    let mut world = redeeming();
    answer(&mut world, RedeemResult::NotReady(failed.clone()));
    ring(&mut world);
    answer(&mut world, RedeemResult::NotReady(progress(CompletionStatus::InQueue, Some(0), Some(1))));
    assert_eq!(world.end, None);
    let mut world = redeeming();
    answer(&mut world, RedeemResult::NotReady(failed));
    world.now = plan().give_up_at;
    world.feed(Event::Due);
    assert_eq!(world.end.map(|end| end.exit()), Some(5));
}

#[test]
fn no_answer_is_abandoned_while_it_may_still_bring_the_avatar() {
    for leave in [Event::Interrupted, Event::Due] {
        let mut world = redeeming();
        world.now = plan().give_up_at;
        world.feed(leave.clone());
        assert_eq!(world.end, None, "{leave:?} waits for the answer");
        answer(&mut world, RedeemResult::Delivered);
        let expected = if leave == Event::Due { None } else { Some(130) };
        assert_eq!(world.end.map(|end| end.exit()), expected);
    }
    let mut world = redeeming();
    world.feed(Event::Interrupted);
    ring(&mut world);
    assert_eq!(world.end.map(|end| end.exit()), Some(130), "but not for ever");
}

#[test]
fn whoever_leaves_takes_no_avatar_along() {
    let making = progress(CompletionStatus::Processing, Some(40), None);
    let failed = progress(CompletionStatus::Failed, Some(40), None);
    // What the redeem in flight brings decides, whatever was known before.
    for (result, goes_on) in [
        (RedeemResult::Delivered, true),
        (RedeemResult::NotReady(making.clone()), true),
        (RedeemResult::NotReady(failed.clone()), false),
        (RedeemResult::NotReady(Progress::unassociated()), false),
        (RedeemResult::Failed(fault(FaultKind::NeverSent)), false),
    ] {
        let mut world = redeeming();
        world.feed(Event::Left);
        assert_eq!(world.end, None, "the answer is waited for");
        answer(&mut world, result.clone());
        assert_eq!(world.end.is_none(), goes_on, "{result:?}");
    }
    // Between two redeems the last status does.
    for (last, goes_on) in [(making, true), (failed, false), (Progress::unassociated(), false)] {
        let mut world = redeeming();
        answer(&mut world, RedeemResult::NotReady(last.clone()));
        world.feed(Event::Left);
        assert_eq!(world.end.is_none(), goes_on, "{last:?}");
    }
    let mut world = redeeming();
    answer(&mut world, RedeemResult::Delivered);
    world.feed(Event::Left);
    world.feed(Event::Saved { contradiction: None });
    assert_eq!(world.end, Some(Outcome::Saved));
    let mut world = World::new();
    world.feed(Event::Left);
    assert_eq!(world.end, Some(Outcome::Interrupted));
}

#[test]
fn a_stop_ends_also_a_visit_that_was_left() {
    let mut world = redeeming();
    world.feed(Event::Left);
    world.feed(Event::Interrupted);
    answer(&mut world, RedeemResult::Delivered);
    assert_eq!(world.end, Some(Outcome::Interrupted));
    let mut world = redeeming();
    world.feed(Event::Left);
    ring(&mut world);
    assert_eq!(world.end, Some(Outcome::Interrupted), "the answer is not waited for for ever");
}

#[test]
fn patience_runs_out_in_a_row_of_failures_only() {
    let mut world = redeeming();
    while world.end.is_none() {
        answer(&mut world, RedeemResult::Failed(fault(FaultKind::NeverSent)));
        if world.end.is_none() {
            ring(&mut world);
        }
    }
    assert_eq!(world.end.map(|end| end.exit()), Some(6));
    assert!(world.now.since(Moment::default()) < PATIENCE + Duration::from_secs(70));
}

#[test]
fn tokens_are_not_made_again_and_again() {
    let mut world = World::new();
    world.feed(Event::IssueFailed(fault(FaultKind::ProtocolBroken)));
    assert_eq!(world.end.map(|end| end.exit()), Some(9));
    let mut world = World::new();
    world.feed(Event::IssueFailed(fault(FaultKind::Storage)));
    assert_eq!(world.end.map(|end| end.exit()), Some(2), "one token that nobody keeps is enough");
    let mut world = World::new();
    world.feed(Event::IssueFailed(fault(FaultKind::DiskFull)));
    assert_eq!(world.end.map(|end| (end.exit(), end.code())), Some((2, "disk_full")));
    let mut world = World::new();
    let mut asked = 1;
    while world.end.is_none() {
        world.feed(Event::IssueFailed(fault(FaultKind::Unanswered)));
        if world.end.is_none() {
            ring(&mut world);
            asked += 1;
        }
    }
    assert_eq!((world.end.map(|end| end.exit()), asked), (Some(6), 3));
}
