//! The scenarios of tokens, as one table. Parsing, lists and documentation use it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What happens to a token. The names are those of the command line and of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Scenario)]
pub enum TokenScenario {
    /// A short queue, processing, then the files.
    Happy,
    /// Ready as soon as an avatar is associated.
    ExistingAvatar,
    /// A long queue.
    LongQueue,
    /// Processing takes minutes.
    SlowProcessing,
    /// Progress stops, then continues.
    Stalls,
    /// Processing ends with `failed`; the token stays active.
    Fails,
    /// The first recording fails, the next one succeeds.
    FailsThenSucceeds,
    /// The token expires before an avatar can be ready.
    TokenExpires,
    /// Auto-play does not scan the code.
    NeverScanned,
    /// Ready, with an empty list of files.
    NoFiles,
    /// Ready, with dozens of files.
    ManyFiles,
    /// One of the files is large.
    LargeFile,
    /// All download URLs except the first have expired when they arrive.
    UrlsExpire,
    /// Progress and queue position move in the wrong direction.
    GoesBackwards,
}

/// How long an avatar waits in the queue and is processed, at speed 1. Each pair is a minimum and a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessingTimes {
    /// The initial queue position; 0 = no queue.
    pub queue_positions: (u32, u32),
    /// The time per queue position.
    pub per_position: (Duration, Duration),
    /// The time in processing; 0 = ready at once.
    pub processing: (Duration, Duration),
}

/// How the reported progress develops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressPattern {
    /// The queue position falls, the progress rises.
    Forward,
    /// The progress stands still for half of the processing time.
    Stalls,
    /// Both also move in the wrong direction, and the avatar returns to the queue once.
    Backwards,
}

/// How often processing ends with `failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureFrequency {
    /// Never.
    Never,
    /// Every time.
    Always,
    /// The first time. The visitor records again after [`RERECORD_DELAY`].
    Once,
}

/// The files in the response with download URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveredFiles {
    /// The avatar's files.
    AvatarFiles,
    /// No files.
    Nothing,
    /// The avatar's files this many times, under different names.
    Repeated(u32),
    /// The avatar's files, with [`LARGE_FILE_PADDING`] more bytes in the GLB.
    LargeGlb,
    /// The avatar's files; all URLs except the first have expired.
    AllButFirstExpired,
}

/// Padding of a large GLB, in bytes: the size of a detailed avatar with uncompressed textures.
pub const LARGE_FILE_PADDING: u64 = 60_000_000;

/// A row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct ScenarioEntry {
    /// The scenario.
    pub scenario: TokenScenario,
    /// Its name on the command line and in JSON.
    pub name: &'static str,
    /// What happens, in one sentence.
    pub does: &'static str,
    /// Lifetime of a token from its generation on, at speed 1.
    pub token_lifetime: Duration,
    /// Whether a token may expire sooner than [`crate::world::MIN_TOKEN_LIFETIME`] of real time on a fast clock.
    pub may_expire_early: bool,
    /// The times of a newly recorded avatar.
    pub new_avatar: ProcessingTimes,
    /// The times of an existing avatar.
    pub existing_avatar: ProcessingTimes,
    /// How the reported progress develops.
    pub progress_pattern: ProgressPattern,
    /// Whether processing ends with `failed`.
    pub failure_mode: FailureFrequency,
    /// The files in the response with download URLs.
    pub delivered_files: DeliveredFiles,
    /// Whether auto-play scans the code.
    pub is_scanned: bool,
}

/// Converts milliseconds to a duration, for the table of scenarios.
const fn duration_from_millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const NO_TIME: (Duration, Duration) = (Duration::ZERO, Duration::ZERO);
const READY_AT_ONCE: ProcessingTimes =
    ProcessingTimes { queue_positions: (0, 0), per_position: NO_TIME, processing: NO_TIME };
const SHORT_PROCESSING: ProcessingTimes = ProcessingTimes {
    queue_positions: (2, 4),
    per_position: (duration_from_millis(2_000), duration_from_millis(3_500)),
    processing: (duration_from_millis(14_000), duration_from_millis(20_000)),
};
const EXPORT_ONLY: ProcessingTimes = ProcessingTimes {
    queue_positions: (0, 0),
    per_position: NO_TIME,
    processing: (duration_from_millis(3_000), duration_from_millis(5_000)),
};
const LONG_QUEUE: ProcessingTimes = ProcessingTimes {
    queue_positions: (12, 12),
    per_position: (duration_from_millis(5_000), duration_from_millis(9_000)),
    processing: (duration_from_millis(20_000), duration_from_millis(30_000)),
};
const SLOW_PROCESSING: ProcessingTimes = ProcessingTimes {
    queue_positions: (1, 3),
    per_position: (duration_from_millis(3_000), duration_from_millis(5_000)),
    processing: (duration_from_millis(240_000), duration_from_millis(360_000)),
};
const STALLED_PROCESSING: ProcessingTimes = ProcessingTimes {
    queue_positions: (1, 2),
    per_position: (duration_from_millis(2_000), duration_from_millis(3_000)),
    processing: (duration_from_millis(50_000), duration_from_millis(70_000)),
};
const BACKWARDS_PROCESSING: ProcessingTimes = ProcessingTimes {
    queue_positions: (3, 5),
    per_position: (duration_from_millis(2_000), duration_from_millis(3_000)),
    processing: (duration_from_millis(20_000), duration_from_millis(30_000)),
};
const LONGER_THAN_TOKEN_LIFETIME: ProcessingTimes = ProcessingTimes {
    queue_positions: (3, 5),
    per_position: (duration_from_millis(3_000), duration_from_millis(5_000)),
    processing: (duration_from_millis(60_000), duration_from_millis(90_000)),
};
const DEFAULT_TOKEN_LIFETIME: Duration = duration_from_millis(15 * 60 * 1_000);

/// Time from `failed` until the visitor has recorded again, with [`FailureFrequency::Once`].
pub(crate) const RERECORD_DELAY: Duration = duration_from_millis(30_000);

const HAPPY_ENTRY: ScenarioEntry = ScenarioEntry {
    scenario: TokenScenario::Happy,
    name: "happy",
    does: "A new avatar waits in a short queue, is processed and delivered; an existing one is exported in a few \
           seconds.",
    token_lifetime: DEFAULT_TOKEN_LIFETIME,
    may_expire_early: false,
    new_avatar: SHORT_PROCESSING,
    existing_avatar: EXPORT_ONLY,
    progress_pattern: ProgressPattern::Forward,
    failure_mode: FailureFrequency::Never,
    delivered_files: DeliveredFiles::AvatarFiles,
    is_scanned: true,
};

/// All scenarios.
pub const CATALOGUE: [ScenarioEntry; 14] = [
    HAPPY_ENTRY,
    ScenarioEntry {
        scenario: TokenScenario::ExistingAvatar,
        name: "existing-avatar",
        does: "The avatar is ready immediately after the association, without queue or processing.",
        new_avatar: READY_AT_ONCE,
        existing_avatar: READY_AT_ONCE,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::LongQueue,
        name: "long-queue",
        does: "The avatar starts at position 12 of the queue, and each position takes several seconds.",
        new_avatar: LONG_QUEUE,
        existing_avatar: LONG_QUEUE,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::SlowProcessing,
        name: "slow-processing",
        does: "Processing takes four to six minutes.",
        token_lifetime: duration_from_millis(30 * 60 * 1_000),
        new_avatar: SLOW_PROCESSING,
        existing_avatar: SLOW_PROCESSING,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::Stalls,
        name: "stalls",
        does: "The progress stands still for about half a minute in the middle of processing, then continues.",
        new_avatar: STALLED_PROCESSING,
        existing_avatar: STALLED_PROCESSING,
        progress_pattern: ProgressPattern::Stalls,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::Fails,
        name: "fails",
        does: "Processing ends with `failed`, every time; the token stays active, so the visitor may record again \
               under it.",
        existing_avatar: SHORT_PROCESSING,
        failure_mode: FailureFrequency::Always,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::FailsThenSucceeds,
        name: "fails-then-succeeds",
        does: "Processing ends with `failed`; half a minute later (or sooner, on the phone) the visitor records again \
               under the same token, and that avatar is delivered.",
        existing_avatar: SHORT_PROCESSING,
        failure_mode: FailureFrequency::Once,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::TokenExpires,
        name: "token-expires",
        does: "The token expires 20 seconds after its generation, before an avatar can be ready.",
        token_lifetime: duration_from_millis(20_000),
        may_expire_early: true,
        new_avatar: LONGER_THAN_TOKEN_LIFETIME,
        existing_avatar: LONGER_THAN_TOKEN_LIFETIME,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::NeverScanned,
        name: "never-scanned",
        does: "Nobody scans the code: auto-play ignores the token. An avatar associated by hand is delivered as in \
               `happy`.",
        is_scanned: false,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::NoFiles,
        name: "no-files",
        does: "The avatar is ready, the token is spent, and the list of files is empty.",
        new_avatar: EXPORT_ONLY,
        delivered_files: DeliveredFiles::Nothing,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::ManyFiles,
        name: "many-files",
        does: "The avatar comes as 36 files, many of the same type.",
        new_avatar: EXPORT_ONLY,
        delivered_files: DeliveredFiles::Repeated(12),
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::LargeFile,
        name: "large-file",
        does: "The GLB is larger than 60 MB (valid, streamed, with ranges); a partner's own files stay unchanged.",
        new_avatar: EXPORT_ONLY,
        delivered_files: DeliveredFiles::LargeGlb,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::UrlsExpire,
        name: "urls-expire",
        does: "All download URLs except the first have expired when the response with them arrives.",
        new_avatar: EXPORT_ONLY,
        delivered_files: DeliveredFiles::AllButFirstExpired,
        ..HAPPY_ENTRY
    },
    ScenarioEntry {
        scenario: TokenScenario::GoesBackwards,
        name: "goes-backwards",
        does: "The progress falls, queue positions rise, and the avatar returns to the queue once; in the end it is \
               delivered.",
        new_avatar: BACKWARDS_PROCESSING,
        existing_avatar: BACKWARDS_PROCESSING,
        progress_pattern: ProgressPattern::Backwards,
        ..HAPPY_ENTRY
    },
];

impl TokenScenario {
    /// Its row of the catalogue.
    pub fn catalogue_entry(self) -> &'static ScenarioEntry {
        let at = CATALOGUE.iter().position(|entry| entry.scenario == self);
        // A test ensures that every scenario has a row.
        at.map_or(&CATALOGUE[0], |index| &CATALOGUE[index])
    }

    /// Its name on the command line and in JSON.
    pub fn scenario_name(self) -> &'static str {
        self.catalogue_entry().name
    }

    /// Whether auto-play associates an avatar with a token of this scenario.
    pub fn is_associated_by_autoplay(self) -> bool {
        self.catalogue_entry().is_scanned
    }
}

impl fmt::Display for TokenScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scenario_name())
    }
}

/// The name of a scenario that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scenario `{name}`; the scenarios are: {}", join_scenario_names())]
pub struct UnknownScenario {
    /// The name as given.
    pub name: String,
}

/// The names of all scenarios, separated by commas.
fn join_scenario_names() -> String {
    CATALOGUE.map(|entry| entry.name).join(", ")
}

impl FromStr for TokenScenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        let entry = CATALOGUE.iter().find(|entry| entry.name == name);
        entry.map(|entry| entry.scenario).ok_or_else(|| UnknownScenario { name: name.to_owned() })
    }
}

impl ProcessingTimes {
    /// The time from the association to the end of processing: minimum and maximum.
    pub fn total_duration_range(&self) -> (Duration, Duration) {
        (
            self.per_position.0 * self.queue_positions.0 + self.processing.0,
            self.per_position.1 * self.queue_positions.1 + self.processing.1,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_parses_and_serialises_by_its_name() {
        for entry in &CATALOGUE {
            assert_eq!(entry.name.parse(), Ok(entry.scenario));
            assert_eq!(entry.scenario.scenario_name(), entry.name);
            let json = serde_json::to_string(&entry.scenario).expect("a word");
            assert_eq!(json, format!("{:?}", entry.name));
        }
        let error = "sunny".parse::<TokenScenario>().expect_err("no such scenario").to_string();
        assert!(error.contains("sunny") && error.contains("happy, existing-avatar"), "{error}");
    }

    #[test]
    fn only_token_expires_has_a_lifetime_below_its_processing_time() {
        let entry = TokenScenario::TokenExpires.catalogue_entry();
        assert!(
            entry.new_avatar.total_duration_range().0 > entry.token_lifetime
                && entry.existing_avatar.total_duration_range().0 > entry.token_lifetime
        );
        let others = CATALOGUE.iter().filter(|entry| entry.scenario != TokenScenario::TokenExpires);
        for entry in others {
            // Twice the time: the return to the queue, and a second recording.
            let longest = entry.new_avatar.total_duration_range().1 * 2 + RERECORD_DELAY;
            assert!(longest < entry.token_lifetime, "{}", entry.name);
        }
    }
}
