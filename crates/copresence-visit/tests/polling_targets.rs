//! The targets of the polling policy on simulated visits: the loads of `benches/polling.rs` with fewer visits, several
//! seeds, and a tolerance for the fewer visits. Time is simulated, so the results are the same on every machine.

#[path = "../benches/polling/simulated_backend.rs"]
mod simulated_backend;
#[path = "../benches/polling/simulation.rs"]
mod simulation;
#[path = "../benches/polling/targets.rs"]
mod targets;

use simulated_backend::{LOADS_WITH_TARGETS, Load, OTHER_LOADS};
use simulation::{PollingStrategy, simulate_visits};
use std::time::Duration;

const VISITS: u32 = 300;
const SEEDS: [u64; 3] = [11, 12, 13];
const EVERY_SECOND: PollingStrategy = PollingStrategy::Fixed(Duration::from_secs(1));

fn check_targets(load: &Load) {
    for seed in SEEDS {
        let adaptive = simulate_visits(load, PollingStrategy::Adaptive, VISITS, seed);
        let load_targets =
            targets::targets_of_load(load.name, &adaptive, &simulate_visits(load, EVERY_SECOND, VISITS, seed));
        assert!(!load_targets.is_empty());
        for target in load_targets {
            let (what, measured, limit) = (target.measure, target.measured, target.limit);
            assert!(
                target.is_met() || measured <= limit * 1.15,
                "{}, seed {seed}: {what} {measured:.2}, at most {limit:.2}; {adaptive:?}",
                load.name
            );
        }
    }
}

#[test]
fn a_new_recording_is_noticed_at_a_fifth_of_the_polls() {
    check_targets(&LOADS_WITH_TARGETS[0]);
}

#[test]
fn a_backend_slower_than_learnt_is_followed() {
    check_targets(&LOADS_WITH_TARGETS[1]);
}

#[test]
fn an_existing_avatar_is_noticed() {
    check_targets(&LOADS_WITH_TARGETS[2]);
}

#[test]
fn failures_near_the_end_delay_an_avatar_by_seconds() {
    check_targets(&LOADS_WITH_TARGETS[3]);
}

/// On loads without targets, the policy may be slower, but within limits.
#[test]
fn loads_without_targets_stay_within_limits() {
    for load in &OTHER_LOADS {
        let adaptive = simulate_visits(load, PollingStrategy::Adaptive, VISITS, SEEDS[0]);
        let fixed = simulate_visits(load, EVERY_SECOND, VISITS, SEEDS[0]);
        let name = load.name;
        assert!(adaptive.ready_median < 3.5 && adaptive.ready_p95 < 9.0, "{name}: {adaptive:?}");
        // Some are associated when polls have become rare.
        assert!(adaptive.ready_max < 18.0 && adaptive.associated_p95 < 10.0, "{name}: {adaptive:?}");
        assert!(adaptive.polls < 0.4 * fixed.polls, "{name}: {adaptive:?} against {fixed:?}");
        let [_, queue, processing] = adaptive.phases;
        assert!(queue < 15.0 && processing < 50.0, "{name}: {adaptive:?}");
    }
}

#[test]
fn the_reference_strategies_behave_as_described() {
    let minute =
        simulate_visits(&LOADS_WITH_TARGETS[0], PollingStrategy::Fixed(Duration::from_mins(1)), VISITS, SEEDS[0]);
    assert!((25.0..35.0).contains(&minute.ready_median), "{minute:?}");
    let clairvoyant = simulate_visits(&LOADS_WITH_TARGETS[0], PollingStrategy::Clairvoyant, VISITS, SEEDS[0]);
    assert!(clairvoyant.ready_max < 0.01 && (1.9..=2.0).contains(&clairvoyant.polls), "{clairvoyant:?}");
    let exponential = simulate_visits(&LOADS_WITH_TARGETS[0], PollingStrategy::Exponential, VISITS, SEEDS[0]);
    assert!(exponential.ready_p95 > 5.0 && exponential.ready_max <= 30.0, "{exponential:?}");
}

#[test]
fn the_same_seed_simulates_the_same_visits() {
    let simulate = |seed| format!("{:?}", simulate_visits(&LOADS_WITH_TARGETS[0], PollingStrategy::Adaptive, 20, seed));
    assert_eq!(simulate(1), simulate(1));
    assert_ne!(simulate(1), simulate(2));
}
