//! The content of a scenario.

use super::step::{ScenarioStep, split_at_failed_steps};
use crate::faults::Fault;
use std::sync::Arc;
use std::time::Duration;

/// Default lifetime of a URL from the response that contained it, at speed 1.
pub(crate) const URL_LIFETIME: Duration = Duration::from_mins(5);

/// What happens to a token. Clones share the same definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario(Arc<ScenarioDefinition>);

/// The content of a scenario's file.
#[derive(Debug, PartialEq)]
pub(super) struct ScenarioDefinition {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) token_lifetime: Duration,
    pub(super) may_expire_early: bool,
    pub(super) is_scanned: bool,
    pub(super) steps: Vec<ScenarioStep>,
    pub(super) existing_avatar_steps: Option<Vec<ScenarioStep>>,
    pub(super) files: DeliveredFiles,
    pub(super) faults: Vec<Fault>,
}

/// The files in the response with download URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveredFiles {
    /// How many times each of the avatar's files is there, under different names.
    pub(crate) copies: u32,
    /// Only files of these export types; `None` for all.
    pub(crate) export_types: Option<Vec<String>>,
    /// Bytes that are added to a generated GLB.
    pub(crate) glb_padding: u64,
    /// Lifetime of the download URLs from the response that contained them, at speed 1.
    pub(crate) url_lifetime: Duration,
    /// The place in the list, from 1, from which on URLs have expired when they arrive.
    pub(crate) expired_from: Option<u32>,
}

impl Scenario {
    pub(super) fn new(definition: ScenarioDefinition) -> Self {
        Self(Arc::new(definition))
    }

    /// Its name on the command line and in JSON.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What happens, in one sentence.
    pub fn summary_sentence(&self) -> &str {
        &self.0.about
    }

    /// Lifetime of a token from its generation on, at speed 1.
    pub fn token_lifetime(&self) -> Duration {
        self.0.token_lifetime
    }

    /// Whether a token and its URLs may expire sooner than [`crate::world::MIN_TOKEN_LIFETIME`] and
    /// [`crate::world::MIN_URL_LIFETIME`] of real time on a fast clock.
    pub fn may_expire_early(&self) -> bool {
        self.0.may_expire_early
    }

    /// Whether auto-play associates an avatar with a token of this scenario.
    pub fn is_associated_by_autoplay(&self) -> bool {
        self.0.is_scanned
    }

    /// Minimum and maximum time from the association to the end of the last step, at speed 1. `existing`: with an
    /// existing avatar instead of a new one.
    pub fn total_duration_range(&self, existing: bool) -> (Duration, Duration) {
        let ranges = self.steps(existing).iter().map(ScenarioStep::duration_range);
        ranges.fold((Duration::ZERO, Duration::ZERO), |(from, to), (shortest, longest)| {
            (from.saturating_add(shortest), to.saturating_add(longest))
        })
    }

    /// The steps of each recording. A step `failed` is the last of its recording.
    pub(crate) fn steps_of_each_avatar_recording(&self, existing: bool) -> Vec<&[ScenarioStep]> {
        split_at_failed_steps(self.steps(existing))
    }

    /// The files in the response with download URLs.
    pub(crate) fn delivered_files(&self) -> &DeliveredFiles {
        &self.0.files
    }

    /// The faults of each of its tokens.
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The steps of an avatar: of an existing one if the scenario has such steps, else of a new one.
    fn steps(&self, existing: bool) -> &[ScenarioStep] {
        self.0.existing_avatar_steps.as_ref().filter(|_| existing).unwrap_or(&self.0.steps)
    }
}
