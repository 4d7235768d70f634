//! Properties of the state machine over arbitrary sequences of turns: effects end in any way, mixed with early, late
//! and stale timers and with unexpected events.

mod examples;
mod host;
mod restore;
mod turns;

use copresence_visit::{MachineEvent, VisitStepFailureKind};
use host::{Host, failure, plan};
use proptest::prelude::*;
use std::time::Duration;
use turns::any_turn;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_in_every_sequence(turns in proptest::collection::vec(any_turn(), 1..120)) {
        let mut host = Host::new();
        for turn in &turns {
            host.play_turn(turn);
        }
    }

    #[test]
    fn every_visit_ends(turns in proptest::collection::vec(any_turn(), 1..40)) {
        let mut host = Host::new();
        // The turns are repeated until the visit times out after 15 minutes, long before 20,000 turns.
        let ended = (0..20_000).any(|index| {
            let mut turn = turns[index % turns.len()].clone();
            turn.takes += 1; // With noise alone no time would pass.
            turn.noise = turn.noise.filter(|_| index < turns.len());
            host.play_turn(&turn);
            host.end.is_some()
        });
        prop_assert!(ended, "still {:?} at {:?}", host.visit.state(), host.now);
        let longest = plan().give_up_at + Duration::from_secs(80);
        prop_assert!(host.now <= longest || host.delivered || host.partial_used, "patience ran on to {:?}", host.now);
    }

    #[test]
    fn nothing_happens_after_the_end(turns in proptest::collection::vec(any_turn(), 1..40)) {
        let mut host = Host::new();
        host.feed(MachineEvent::Interrupted);
        host.feed(MachineEvent::LoginFailed(failure(VisitStepFailureKind::NeverSent)));
        let end = host.end.clone();
        for turn in &turns {
            host.play_turn(turn);
        }
        prop_assert_eq!(host.end, end);
        prop_assert_eq!(host.redeems, 0);
    }
}
