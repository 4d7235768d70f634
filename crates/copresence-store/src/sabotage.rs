//! Omitted safeguards of test builds, so that a test can see that `copresence doctor --drill` notices a promise that is broken.
//!
//! With the feature `crash-points`, which only tests enable, the variable `COPRESENCE_SABOTAGE` names what the program
//! leaves out. Without the feature nothing is left out.

/// Safeguard that a test build leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OmittedSafeguard {
    /// `no-flush`: the journal is never flushed.
    NoFlush,
    /// `no-journal`: each process has a journal of its own, which no later one reads.
    NoJournal,
}

/// Whether `COPRESENCE_SABOTAGE` tells this test build to leave out the safeguard.
#[cfg(feature = "crash-points")]
pub(crate) fn is_safeguard_omitted(what: OmittedSafeguard) -> bool {
    let name = match what {
        OmittedSafeguard::NoFlush => "no-flush",
        OmittedSafeguard::NoJournal => "no-journal",
    };
    std::env::var("COPRESENCE_SABOTAGE").is_ok_and(|value| value == name)
}

/// Always false: this build leaves out no safeguard.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn is_safeguard_omitted(_: OmittedSafeguard) -> bool {
    false
}
