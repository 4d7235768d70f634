//! What is due in each situation, one by one.

use super::world::{Flight, PATIENCE, World, fault, plan, progress};
use protocol::{CompletionStatus, Progress};
use std::time::Duration;
use visit::{Event, FaultKind, Moment, Notice, Outcome, RedeemResult};

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
