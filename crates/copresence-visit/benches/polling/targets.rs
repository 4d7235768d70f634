//! The targets of the policy.

use super::simulation::Outcome;

/// A target: a measure, its upper limit and its measured value.
pub(crate) struct Target {
    pub(crate) measure: &'static str,
    pub(crate) limit: f64,
    pub(crate) measured: f64,
}

impl Target {
    pub(crate) fn is_met(&self) -> bool {
        self.measured <= self.limit
    }
}

/// The targets of a load, if any. `every_second`: the same load with a fixed interval of 1 s.
pub(crate) fn targets_of_load(load: &str, adaptive: &Outcome, every_second: &Outcome) -> Vec<Target> {
    let target = |measure, limit, measured| Target { measure, limit, measured };
    let fifth = target("polls, against a fifth of fixed 1 s", every_second.polls / 5.0, adaptive.polls);
    match load {
        "record new" => vec![
            target("ready delays, median (s)", 0.5, adaptive.ready_median),
            target("ready delays, p95 (s)", 1.0, adaptive.ready_p95),
            target("association delays, p95 (s)", 3.5, adaptive.associated_p95),
            fifth,
        ],
        "slower than learnt" => vec![target("ready delays, p95 (s)", 2.0, adaptive.ready_p95), fifth],
        "existing avatar" => vec![
            target("ready delays, median (s)", 1.5, adaptive.ready_median),
            target("ready delays, p95 (s)", 2.0, adaptive.ready_p95),
            target("polls", 25.0, adaptive.polls),
        ],
        "one request in ten fails" => vec![target("ready delays, longest (s)", 10.0, adaptive.ready_max)],
        _ => Vec::new(),
    }
}
