//! The scenarios: what happens to a token, as one table from which parsing, the list and the docs derive.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a token goes through. The names are those of the command line and of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A short queue, then processing, then the files.
    Happy,
    /// Ready as soon as an avatar is associated.
    ExistingAvatar,
    /// Many places in the queue.
    LongQueue,
    /// Processing takes minutes.
    SlowProcessing,
    /// Progress stops, then goes on.
    Stalls,
    /// Processing breaks off with `failed`; the token stays active.
    Fails,
    /// The first recording fails, the next one succeeds.
    FailsThenSucceeds,
    /// The token expires before any avatar can be ready.
    TokenExpires,
    /// Nobody plays the phone by itself.
    NeverScanned,
    /// Ready, with an empty list of files.
    NoFiles,
    /// Ready, with dozens of files.
    ManyFiles,
    /// One of the files is large.
    LargeFile,
    /// All download URLs but the first have expired when they arrive.
    UrlsExpire,
    /// Progress and queue move the wrong way.
    GoesBackwards,
}

/// How long an avatar waits and how long it is made. All times at speed 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Making {
    /// The place in the queue that it starts at, fewest and most; 0 = no queue.
    pub places: (u32, u32),
    /// The time that each place takes, shortest and longest.
    pub per_place: (Duration, Duration),
    /// The time in processing, shortest and longest; zero = ready at once.
    pub processing: (Duration, Duration),
}

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The queue goes down and the progress up.
    Onward,
    /// The progress stands still for half of the processing.
    Stalls,
    /// Both also move the wrong way, and the avatar is put back into the queue once.
    Backwards,
}

/// Whether making breaks off with `failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// Never.
    Never,
    /// Each time.
    Always,
    /// The first time. Half a minute later the visitor has recorded again.
    Once,
}

/// What the answer with download URLs carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivers {
    /// The avatar's files.
    Own,
    /// An empty list.
    Nothing,
    /// The avatar's files so many times, under names that differ.
    Repeated(u32),
    /// The avatar's files, a GLB with [`crate::scenario::BALLAST`] more bytes.
    Large,
    /// The avatar's files; all URLs but the first have expired.
    MostlyExpired,
}

/// How much larger a large GLB is: as much as a detailed avatar with uncompressed textures.
pub const BALLAST: u64 = 60_000_000;

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Which scenario.
    pub scenario: Scenario,
    /// Its name on the command line and on the wire.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub does: &'static str,
    /// How long a token lives from its generation on.
    pub token_life: Duration,
    /// Whether a token's life may end sooner in real time than anybody can use it, when the clock runs fast.
    pub token_hurries: bool,
    /// How an avatar that is recorded anew is made.
    pub new: Making,
    /// How an avatar that was already there is exported.
    pub existing: Making,
    /// How its progress is told.
    pub course: Course,
    /// Whether making breaks off with `failed`.
    pub fails: Fails,
    /// What the answer with download URLs carries.
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

/// From `failed` until the visitor has recorded again, where one does.
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

/// Every scenario there is.
pub const CATALOGUE: [Entry; 14] = [
    HAPPY,
    Entry {
        scenario: Scenario::ExistingAvatar,
        name: "existing-avatar",
        does: "The avatar is ready at once after the association, without queue or processing.",
        new: AT_ONCE,
        existing: AT_ONCE,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::LongQueue,
        name: "long-queue",
        does: "The avatar starts at place 12 of the queue, and each place takes its time.",
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
        does: "The progress stands still for about half a minute in the middle of processing, then goes on.",
        new: WITH_A_STALL,
        existing: WITH_A_STALL,
        course: Course::Stalls,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::Fails,
        name: "fails",
        does: "Processing breaks off with `failed`, each time; the token stays active, so the visitor may record \
               again under it.",
        existing: SHORT,
        fails: Fails::Always,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::FailsThenSucceeds,
        name: "fails-then-succeeds",
        does: "Processing breaks off with `failed`; half a minute later (or sooner, by the phone) the visitor has \
               recorded again under the same token, and that avatar is delivered.",
        existing: SHORT,
        fails: Fails::Once,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::TokenExpires,
        name: "token-expires",
        does: "The token expires 20 seconds after it was generated, before any avatar can be ready.",
        token_life: ms(20_000),
        token_hurries: true,
        new: SLOWER_THAN_ITS_TOKEN,
        existing: SLOWER_THAN_ITS_TOKEN,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::NeverScanned,
        name: "never-scanned",
        does: "Nobody scans the code: auto-play leaves the token alone. Who associates an avatar by hand gets what \
               `happy` gives.",
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
        does: "The GLB has more than 60 MB (a valid one, streamed, ranges too); a partner's own files stay as they are.",
        new: EXPORT_ONLY,
        delivers: Delivers::Large,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::UrlsExpire,
        name: "urls-expire",
        does: "All download URLs but the first have expired when the answer with them arrives.",
        new: EXPORT_ONLY,
        delivers: Delivers::MostlyExpired,
        ..HAPPY
    },
    Entry {
        scenario: Scenario::GoesBackwards,
        name: "goes-backwards",
        does: "The progress falls, places in the queue rise, and the avatar is put back into the queue once; in the \
               end it is delivered.",
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
        // A test holds that every scenario has its row.
        at.map_or(&CATALOGUE[0], |index| &CATALOGUE[index])
    }

    /// Its name on the command line and on the wire.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Whether auto-play may associate an avatar by itself.
    pub fn is_scanned(self) -> bool {
        self.entry().scanned
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is in no row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario `{name}`; there are: {}", names())]
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
    /// From the association to the end of processing: shortest and longest.
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
    fn every_row_is_reached_by_its_name_and_by_serde() {
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
    fn a_token_that_expires_does_so_before_the_fastest_avatar() {
        let entry = Scenario::TokenExpires.entry();
        assert!(entry.new.total().0 > entry.token_life && entry.existing.total().0 > entry.token_life);
        let others = CATALOGUE.iter().filter(|entry| entry.scenario != Scenario::TokenExpires);
        for entry in others {
            // The place that a visitor gets back into the queue, and a second recording, included.
            let longest = entry.new.total().1 * 2 + SECOND_THOUGHTS;
            assert!(longest < entry.token_life, "{}", entry.name);
        }
    }
}
