//! Properties of the machine over arbitrary stories: effects end in any way, mixed with early, late and stale timers and
//! with events that do not fit.

mod examples;
mod restore;
mod story;
mod world;

use copresence_visit::MachineEvent;
use copresence_visit::machine::GRACE;
use proptest::prelude::*;
use std::time::Duration;
use story::any_turn;
use world::{Host, plan};

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_in_every_story(turns in proptest::collection::vec(any_turn(), 1..120)) {
        let mut host = Host::new();
        for turn in &turns {
            host.play(turn);
        }
    }

    #[test]
    fn every_story_ends(turns in proptest::collection::vec(any_turn(), 1..40)) {
        let mut host = Host::new();
        // The story is repeated until the time is up; 20,000 turns are far beyond any 15 minutes.
        let ended = (0..20_000).any(|index| {
            let mut turn = turns[index % turns.len()].clone();
            turn.takes += 1; // With noise alone no time would pass.
            turn.noise = turn.noise.filter(|_| index < turns.len());
            host.play(&turn);
            host.end.is_some()
        });
        prop_assert!(ended, "still {:?} at {:?}", host.visit.state(), host.now);
        let longest = plan().give_up_at + GRACE + GRACE + Duration::from_secs(80);
        prop_assert!(host.now <= longest || host.delivered || host.partial_used, "patience ran on to {:?}", host.now);
    }

    #[test]
    fn nothing_happens_after_the_end(turns in proptest::collection::vec(any_turn(), 1..40)) {
        let mut host = Host::new();
        host.feed(MachineEvent::Interrupted);
        let end = host.end.clone();
        for turn in &turns {
            host.play(turn);
        }
        prop_assert_eq!(host.end, end);
        prop_assert_eq!(host.redeems, 0);
    }
}
