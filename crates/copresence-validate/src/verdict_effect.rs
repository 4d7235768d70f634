//! How the verdict of a check counts for the result of a run.

use crate::check::Verdict;
use crate::requirement::Level;

/// How the verdict of a check counts for the result of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictEffectOnRun {
    /// Not at all: the check passed, or has no verdict of pass or fail.
    Neutral,
    /// The check failed, and is too lenient to fail the run.
    Warning,
    /// The check failed, as listed.
    KnownFailure,
    /// The check passed although it is listed as a known failure. Fails the run.
    Stale,
    /// The check failed and is not listed. Fails the run.
    Failure,
}

impl VerdictEffectOnRun {
    /// The effect of a verdict on a run that fails from this level on.
    pub(crate) fn compute_verdict_effect(
        verdict: Verdict,
        level: Level,
        fail_on: Level,
        is_expected_to_fail: bool,
    ) -> Self {
        match (verdict, is_expected_to_fail) {
            (Verdict::Fail, true) => Self::KnownFailure,
            (Verdict::Pass, true) => Self::Stale,
            (Verdict::Fail, false) if level <= fail_on => Self::Failure,
            (Verdict::Fail, false) => Self::Warning,
            _ => Self::Neutral,
        }
    }

    /// Whether a verdict with this effect makes the run fail.
    pub fn fails_run(self) -> bool {
        matches!(self, Self::Stale | Self::Failure)
    }

    /// The verdict with this effect, as shown to people. docs/validate.md explains each word.
    pub fn verdict_word(self, verdict: Verdict) -> &'static str {
        match self {
            Self::Neutral => verdict.as_str(),
            Self::Warning => "warn",
            Self::KnownFailure => "known",
            Self::Stale => "stale",
            Self::Failure => "fail",
        }
    }
}
