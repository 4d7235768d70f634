//! Lanes serve more visitors: the loads of `benches/lanes.rs` with fewer days and several seeds. Time is simulated, so the
//! results are the same on every machine.

#[path = "../benches/lanes/booth.rs"]
mod booth;
// The polling benchmark uses all of it.
#[allow(dead_code)]
#[path = "../benches/polling/simulated_backend.rs"]
mod simulated_backend;

use booth::{Arrivals, BoothRules, HandOver, simulate_booth};
use simulated_backend::{LOADS_WITH_TARGETS, Load};

const SEEDS: [u64; 3] = [11, 12, 13];
const DAYS: u32 = 20;

fn visitors_per_hour(load: &Load, lanes: usize, hand_over: HandOver, seed: u64) -> f64 {
    simulate_booth(load, BoothRules { lanes, hand_over }, Arrivals::Always, DAYS, seed).visitors_per_hour
}

#[test]
fn eight_lanes_serve_three_times_as_many_new_recordings() {
    for seed in SEEDS {
        let rates = [0, 1, 8].map(|lanes| visitors_per_hour(&LOADS_WITH_TARGETS[0], lanes, HandOver::AfterScan, seed));
        assert!((7.0..12.0).contains(&rates[0]), "a booth that waits: {rates:?}");
        assert!(rates[0] < rates[1] && rates[2] >= 3.0 * rates[0] * 0.97, "{rates:?}");
        let late = visitors_per_hour(&LOADS_WITH_TARGETS[0], 8, HandOver::AfterRecording, seed);
        assert!(rates[0] < late && late < rates[2], "{late}: recordings block the screen");
    }
}

#[test]
fn lanes_cost_nothing_where_avatars_exist_already() {
    for seed in SEEDS {
        let [none, eight] =
            [0, 8].map(|lanes| visitors_per_hour(&LOADS_WITH_TARGETS[2], lanes, HandOver::AfterScan, seed));
        assert!(eight >= none * 0.97, "{none} → {eight}");
    }
}

#[test]
fn lanes_shorten_the_wait() {
    let wait = |lanes| {
        let rules = BoothRules { lanes, hand_over: HandOver::AfterScan };
        simulate_booth(&LOADS_WITH_TARGETS[0], rules, Arrivals::PerHour(12.0), DAYS, SEEDS[0])
    };
    let (without, with) = (wait(0), wait(8));
    assert!(with.wait_to_begin[0] * 3.0 < without.wait_to_begin[0], "{without:?} {with:?}");
    assert!(with.wait_for_avatar[0] < without.wait_for_avatar[0], "{without:?} {with:?}");
}

#[test]
fn the_same_seed_simulates_the_same_days() {
    let simulate = |seed| {
        let rules = BoothRules { lanes: 2, hand_over: HandOver::AfterScan };
        format!("{:?}", simulate_booth(&LOADS_WITH_TARGETS[0], rules, Arrivals::PerHour(9.0), 2, seed))
    };
    assert_eq!(simulate(1), simulate(1));
    assert_ne!(simulate(1), simulate(2));
}
