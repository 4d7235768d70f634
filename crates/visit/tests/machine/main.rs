//! The promises of the machine, over arbitrary stories: what is in flight ends in any way, in any order with
//! timers that are early, late or stale, and with events that do not belong.

mod examples;
mod story;
mod world;

use proptest::prelude::*;
use std::time::Duration;
use story::any_beat;
use visit::Event;
use visit::machine::GRACE;
use world::{World, plan};

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
