//! The scenarios of tokens, as one table. Parsing, lists and documentation use it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What happens to a token. The names are those of the command line and of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
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
pub struct Making {
    /// The initial queue position; 0 = no queue.
    pub places: (u32, u32),
    /// The time per queue position.
    pub per_place: (Duration, Duration),
    /// The time in processing; 0 = ready at once.
    pub processing: (Duration, Duration),
}

/// How the reported progress develops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The queue position falls, the progress rises.
    Onward,
    /// The progress stands still for half of the processing time.
    Stalls,
    /// Both also move in the wrong direction, and the avatar returns to the queue once.
    Backwards,
}

/// Whether processing ends with `failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// Never.
    Never,
    /// Every time.
    Always,
    /// The first time. The visitor records again after [`RERECORD_DELAY`].
    Once,
}

/// The files in the response with download URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivers {
    /// The avatar's files.
    Own,
    /// No files.
    Nothing,
    /// The avatar's files this many times, under different names.
    Repeated(u32),
    /// The avatar's files, with [`LARGE_FILE_PADDING`] more bytes in the GLB.
    Large,
    /// The avatar's files; all URLs except the first have expired.
    MostlyExpired,
}

/// Padding of a large GLB, in bytes: the size of a detailed avatar with uncompressed textures.
pub const BALLAST: u64 = 60_000_000;

/// A row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The scenario.
    pub scenario: Scenario,
    /// Its name on the command line and in JSON.
    pub name: &'static str,
    /// What happens, in one sentence.
    pub does: &'static str,
    /// Lifetime of a token from its generation on, at speed 1.
    pub token_life: Duration,
    /// Whether a token may expire sooner than [`crate::world::MIN_TOKEN_LIFETIME`] of real time on a fast clock.
    pub token_hurries: bool,
    /// The times of a newly recorded avatar.
    pub new: Making,
    /// The times of an existing avatar.
    pub existing: Making,
    /// How the reported progress develops.
    pub course: Course,
    /// Whether processing ends with `failed`.
    pub fails: Fails,
    /// The files in the response with download URLs.
    pub delivers: Delivers,
    /// Whether auto-play scans the code.
    pub scanned: bool,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const NONE: (Duration, Duration) = (Duration::ZERO, Duration::ZERO);
const AT_ONCE: Making = Making { places: (0, 0), per_place: NONE, processing: NONE };
const SHORT: Making =
    Making { places: (2, 4), per_place: (ms(2_000), ms(3_500)), processing: (ms(14_000), ms(20_000)) };
const EXPORT_ONLY: Making = Making { places: (0, 0), per_place: NONE, processing: (ms(3_000), ms(5_000)) };
const LONG: Making =
    Making { places: (12, 12), per_place: (ms(5_000), ms(9_000)), processing: (ms(20_000), ms(30_000)) };
const MINUTES: Making =
    Making { places: (1, 3), per_place: (ms(3_000), ms(5_000)), processing: (ms(240_000), ms(360_000)) };
const WITH_A_STALL: Making =
    Making { places: (1, 2), per_place: (ms(2_000), ms(3_000)), processing: (ms(50_000), ms(70_000)) };
const BACK_AND_FORTH: Making =
    Making { places: (3, 5), per_place: (ms(2_000), ms(3_000)), processing: (ms(20_000), ms(30_000)) };
const SLOWER_THAN_ITS_TOKEN: Making =
    Making { places: (3, 5), per_place: (ms(3_000), ms(5_000)), processing: (ms(60_000), ms(90_000)) };
const QUARTER_OF_AN_HOUR: Duration = ms(15 * 60 * 1_000);

/// Time from `failed` until the visitor has recorded again, with [`FailureMode::Once`].
pub(crate) const SECOND_THOUGHTS: Duration = ms(30_000);

const HAPPY: Entry = Entry {
    scenario: Scenario::Happy,
    name: "happy",
    does: "A new avatar waits in a short queue, is processed and delivered; an existing one is exported in a few \
           seconds.",
    token_life: QUARTER_OF_AN_HOUR,
    token_hurries: false,
    new: SHORT,
    existing: EXPORT_ONLY,
    course: Course::Onward,
    fails: Fails::Never,
    delivers: Delivers::Own,
    scanned: true,
};

/// All scenarios.
pub const CATALOGUE: [Entry; 14] = [
    HAPPY,
    Entry {
        scenario: Scenario::ExistingAvatar,
        name: "existing-avatar",
        does: "The avatar is ready immediately after the association, without queue or processing.",
        new: AT_ONCE,
        existing: AT_ONCE,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::LongQueue,
        name: "long-queue",
        does: "The avatar starts at position 12 of the queue, and each position takes several seconds.",
        new: LONG,
        existing: LONG,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::SlowProcessing,
        name: "slow-processing",
        does: "Processing takes four to six minutes.",
        token_life: ms(30 * 60 * 1_000),
        new: MINUTES,
        existing: MINUTES,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::Stalls,
        name: "stalls",
        does: "The progress stands still for about half a minute in the middle of processing, then continues.",
        new: WITH_A_STALL,
        existing: WITH_A_STALL,
        course: Course::Stalls,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::Fails,
        name: "fails",
        does: "Processing ends with `failed`, every time; the token stays active, so the visitor may record again \
               under it.",
        existing: SHORT,
        fails: Fails::Always,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::FailsThenSucceeds,
        name: "fails-then-succeeds",
        does: "Processing ends with `failed`; half a minute later (or sooner, on the phone) the visitor records again \
               under the same token, and that avatar is delivered.",
        existing: SHORT,
        fails: Fails::Once,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::TokenExpires,
        name: "token-expires",
        does: "The token expires 20 seconds after its generation, before an avatar can be ready.",
        token_life: ms(20_000),
        token_hurries: true,
        new: SLOWER_THAN_ITS_TOKEN,
        existing: SLOWER_THAN_ITS_TOKEN,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::NeverScanned,
        name: "never-scanned",
        does: "Nobody scans the code: auto-play ignores the token. An avatar associated by hand is delivered as in \
               `happy`.",
        scanned: false,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::NoFiles,
        name: "no-files",
        does: "The avatar is ready, the token is spent, and the list of files is empty.",
        new: EXPORT_ONLY,
        delivers: Delivers::Nothing,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::ManyFiles,
        name: "many-files",
        does: "The avatar comes as 36 files, many of the same type.",
        new: EXPORT_ONLY,
        delivers: Delivers::Repeated(12),
        ..HAPPY
    },
    Entry {
        scenario: Scenario::LargeFile,
        name: "large-file",
        does: "The GLB is larger than 60 MB (valid, streamed, with ranges); a partner's own files stay unchanged.",
        new: EXPORT_ONLY,
        delivers: Delivers::Large,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::UrlsExpire,
        name: "urls-expire",
        does: "All download URLs except the first have expired when the response with them arrives.",
        new: EXPORT_ONLY,
        delivers: Delivers::MostlyExpired,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::GoesBackwards,
        name: "goes-backwards",
        does: "The progress falls, queue positions rise, and the avatar returns to the queue once; in the end it is \
               delivered.",
        new: BACK_AND_FORTH,
        existing: BACK_AND_FORTH,
        course: Course::Backwards,
        ..HAPPY
    },
];

impl Scenario {
    /// Its row of the catalogue.
    pub fn entry(self) -> &'static Entry {
        let at = CATALOGUE.iter().position(|entry| entry.scenario == self);
        // A test ensures that every scenario has a row.
        at.map_or(&CATALOGUE[0], |index| &CATALOGUE[index])
    }

    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Whether auto-play may associate an avatar.
    pub fn is_scanned(self) -> bool {
        self.entry().scanned
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a scenario that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scenario `{name}`; the scenarios are: {}", names())]
pub struct UnknownScenario {
    /// The name as given.
    pub name: String,
}

fn names() -> String {
    CATALOGUE.map(|entry| entry.name).join(", ")
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        let entry = CATALOGUE.iter().find(|entry| entry.name == name);
        entry.map(|entry| entry.scenario).ok_or_else(|| UnknownScenario { name: name.to_owned() })
    }
}

impl Making {
    /// The time from the association to the end of processing: minimum and maximum.
    pub fn total(&self) -> (Duration, Duration) {
        (
            self.per_place.0 * self.places.0 + self.processing.0,
            self.per_place.1 * self.places.1 + self.processing.1,
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
            assert_eq!(entry.scenario.name(), entry.name);
            let json = serde_json::to_string(&entry.scenario).expect("a word");
            assert_eq!(json, format!("{:?}", entry.name));
        }
        let error = "sunny".parse::<Scenario>().expect_err("no such scenario").to_string();
        assert!(error.contains("sunny") && error.contains("happy, existing-avatar"), "{error}");
    }

    #[test]
    fn only_token_expires_has_a_lifetime_below_its_processing_time() {
        let entry = Scenario::TokenExpires.entry();
        assert!(entry.new.total().0 > entry.token_life && entry.existing.total().0 > entry.token_life);
        let others = CATALOGUE.iter().filter(|entry| entry.scenario != Scenario::TokenExpires);
        for entry in others {
            // Twice the time: the return to the queue, and a second recording.
            let longest = entry.new.total().1 * 2 + SECOND_THOUGHTS;
            assert!(longest < entry.token_life, "{}", entry.name);
        }
    }
}
