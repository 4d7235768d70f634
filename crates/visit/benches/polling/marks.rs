//! The marks that the policy is held to.

use super::play::Outcome;

/// One mark: what is measured, what it may be at most, what it came to.
pub(crate) struct Mark {
    pub(crate) what: &'static str,
    pub(crate) at_most: f64,
    pub(crate) came_to: f64,
}

impl Mark {
    pub(crate) fn is_met(&self) -> bool {
        self.came_to <= self.at_most
    }
}

/// The marks of a load; none for a load that has none. `every_second` is the same load at fixed 1 s.
pub(crate) fn marks(load: &str, adaptive: &Outcome, every_second: &Outcome) -> Vec<Mark> {
    let mark = |what, at_most, came_to| Mark { what, at_most, came_to };
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
