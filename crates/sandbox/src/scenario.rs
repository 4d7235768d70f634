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
    /// Processing breaks off with `failed`; the token stays active.
    Fails,
    /// The token expires before any avatar can be ready.
    TokenExpires,
    /// Nobody plays the phone by itself.
    NeverScanned,
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
    /// How an avatar that is recorded anew is made.
    pub new: Making,
    /// How an avatar that was already there is exported.
    pub existing: Making,
    /// Whether making breaks off with `failed`.
    pub fails: bool,
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
const SLOWER_THAN_ITS_TOKEN: Making =
    Making { places: (3, 5), per_place: (ms(3_000), ms(5_000)), processing: (ms(60_000), ms(90_000)) };
const QUARTER_OF_AN_HOUR: Duration = ms(15 * 60 * 1_000);

/// Every scenario there is.
pub const CATALOGUE: [Entry; 6] = [
    Entry {
        scenario: Scenario::Happy,
        name: "happy",
        does: "A new avatar waits in a short queue, is processed and delivered; an existing one is exported in \
               a few seconds.",
        token_life: QUARTER_OF_AN_HOUR,
        new: SHORT,
        existing: EXPORT_ONLY,
        fails: false,
        scanned: true,
    },
    Entry {
        scenario: Scenario::ExistingAvatar,
        name: "existing-avatar",
        does: "The avatar is ready at once after the association, without queue or processing.",
        token_life: QUARTER_OF_AN_HOUR,
        new: AT_ONCE,
        existing: AT_ONCE,
        fails: false,
        scanned: true,
    },
    Entry {
        scenario: Scenario::LongQueue,
        name: "long-queue",
        does: "The avatar starts at place 12 of the queue, and each place takes its time.",
        token_life: QUARTER_OF_AN_HOUR,
        new: LONG,
        existing: LONG,
        fails: false,
        scanned: true,
    },
    Entry {
        scenario: Scenario::Fails,
        name: "fails",
        does: "Processing breaks off with `failed`, each time; the token stays active, so the visitor may \
               record again under it.",
        token_life: QUARTER_OF_AN_HOUR,
        new: SHORT,
        existing: SHORT,
        fails: true,
        scanned: true,
    },
    Entry {
        scenario: Scenario::TokenExpires,
        name: "token-expires",
        does: "The token expires 20 seconds after it was generated, before any avatar can be ready.",
        token_life: ms(20_000),
        new: SLOWER_THAN_ITS_TOKEN,
        existing: SLOWER_THAN_ITS_TOKEN,
        fails: false,
        scanned: true,
    },
    Entry {
        scenario: Scenario::NeverScanned,
        name: "never-scanned",
        does: "Nobody scans the code: auto-play leaves the token alone. Who associates an avatar by hand gets \
               what `happy` gives.",
        token_life: QUARTER_OF_AN_HOUR,
        new: SHORT,
        existing: EXPORT_ONLY,
        fails: false,
        scanned: false,
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
            assert!(entry.new.total().1 < entry.token_life / 2, "{}", entry.name);
        }
    }
}
