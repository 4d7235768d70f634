//! The polling policy held to its marks on simulated visits: the loads of `benches/polling.rs`, smaller and on several
//! seeds, with the slack that fewer visits need. Time is simulated, so the figures are exact and the same everywhere.

#[path = "../benches/polling/marks.rs"]
mod marks;
#[path = "../benches/polling/play.rs"]
mod play;
#[path = "../benches/polling/world.rs"]
mod world;

use play::{PollingStrategy, simulate_visits};
use std::time::Duration;
use world::{LOADS_WITH_TARGETS, Load, OTHER_LOADS};

const VISITS: u32 = 300;
const SEEDS: [u64; 3] = [11, 12, 13];
const EVERY_SECOND: PollingStrategy = PollingStrategy::Fixed(Duration::from_secs(1));

fn meets_its_marks(load: &Load) {
    for seed in SEEDS {
        let adaptive = simulate_visits(load, PollingStrategy::Adaptive, VISITS, seed);
        let marks =
            marks::targets_of_load(load.name, &adaptive, &simulate_visits(load, EVERY_SECOND, VISITS, seed));
        assert!(!marks.is_empty());
        for mark in marks {
            let (what, came_to, at_most) = (mark.measure, mark.measured, mark.limit);
            assert!(
                mark.is_met() || came_to <= at_most * 1.15,
                "{}, seed {seed}: {what} {came_to:.2}, at most {at_most:.2}; {adaptive:?}",
                load.name
            );
        }
    }
}

#[test]
fn a_new_recording_is_noticed_at_a_fifth_of_the_polls() {
    meets_its_marks(&LOADS_WITH_TARGETS[0]);
}

#[test]
fn a_backend_slower_than_learnt_is_followed() {
    meets_its_marks(&LOADS_WITH_TARGETS[1]);
}

#[test]
fn an_existing_avatar_is_noticed() {
    meets_its_marks(&LOADS_WITH_TARGETS[2]);
}

/// On loads that it was not made for it may be later, but neither lost nor wasteful.
#[test]
fn no_load_is_a_cliff() {
    for load in &OTHER_LOADS {
        let adaptive = simulate_visits(load, PollingStrategy::Adaptive, VISITS, SEEDS[0]);
        let fixed = simulate_visits(load, EVERY_SECOND, VISITS, SEEDS[0]);
        let name = load.name;
        assert!(adaptive.ready_median < 3.5 && adaptive.ready_p95 < 9.0, "{name}: {adaptive:?}");
        // Three failed requests in a row near the end cost their back-off.
        assert!(adaptive.ready_max < 40.0 && adaptive.associated_p95 < 10.0, "{name}: {adaptive:?}");
        assert!(adaptive.polls < 0.4 * fixed.polls, "{name}: {adaptive:?} against {fixed:?}");
        let [_, queue, processing] = adaptive.phases;
        assert!(queue < 15.0 && processing < 50.0, "{name}: {adaptive:?}");
    }
}

#[test]
fn the_yardsticks_measure_what_they_say() {
    let minute = simulate_visits(
        &LOADS_WITH_TARGETS[0],
        PollingStrategy::Fixed(Duration::from_mins(1)),
        VISITS,
        SEEDS[0],
    );
    assert!((25.0..35.0).contains(&minute.ready_median), "{minute:?}");
    let foreseen = simulate_visits(&LOADS_WITH_TARGETS[0], PollingStrategy::Clairvoyant, VISITS, SEEDS[0]);
    assert!(foreseen.ready_max < 0.01 && (1.9..=2.0).contains(&foreseen.polls), "{foreseen:?}");
    let doubling = simulate_visits(&LOADS_WITH_TARGETS[0], PollingStrategy::Exponential, VISITS, SEEDS[0]);
    assert!(doubling.ready_p95 > 5.0 && doubling.ready_max <= 30.0, "{doubling:?}");
}

#[test]
fn the_same_seed_plays_the_same_visits() {
    let of =
        |seed| format!("{:?}", simulate_visits(&LOADS_WITH_TARGETS[0], PollingStrategy::Adaptive, 20, seed));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}
