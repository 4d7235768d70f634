//! The marks that the policy is held to.

use super::play::Outcome;

/// One mark: what is measured, what it may be at most, what it came to.
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

/// The marks of a load; none for a load that has none. `every_second` is the same load at fixed 1 s.
pub(crate) fn targets_of_load(load: &str, adaptive: &Outcome, every_second: &Outcome) -> Vec<Target> {
    let mark = |what, at_most, came_to| Target { measure: what, limit: at_most, measured: came_to };
    let fifth = mark("polls, against a fifth of fixed 1 s", every_second.polls / 5.0, adaptive.polls);
    match load {
        "record new" => vec![
            mark("ready noticed, median (s)", 0.5, adaptive.ready_median),
            mark("ready noticed, p95 (s)", 1.0, adaptive.ready_p95),
            mark("association noticed, p95 (s)", 5.0, adaptive.associated_p95),
            fifth,
        ],
        "slower than learnt" => vec![mark("ready noticed, p95 (s)", 2.0, adaptive.ready_p95), fifth],
        "existing avatar" => vec![
            mark("ready noticed, median (s)", 1.5, adaptive.ready_median),
            mark("ready noticed, p95 (s)", 3.0, adaptive.ready_p95),
            mark("polls", 35.0, adaptive.polls),
        ],
        _ => Vec::new(),
    }
}
