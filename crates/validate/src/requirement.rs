//! The requirements: what a backend can keep or break, sentence by sentence, as data.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// How much a requirement weighs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Broken, it fails the run.
    Must,
    /// Broken, it is told.
    Should,
}

impl Level {
    /// In one word, as in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
        }
    }

    /// As RFC 2119 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

/// One row of `requirements.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Stable, as in `RED-8`.
    pub id: String,
    /// Where the sentence stands.
    pub place: String,
    /// The sentence, word for word.
    pub quote: String,
    /// How much it weighs.
    pub level: Level,
    /// The ids of the checks that cover it.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Why no check can cover it.
    pub untestable: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    requirement: Vec<Requirement>,
}

/// Every requirement, in the order of the table.
pub fn requirements() -> &'static [Requirement] {
    static TABLE: OnceLock<Vec<Requirement>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let table: Result<Table, _> = toml::from_str(include_str!("../requirements.toml"));
        // A test reads the table too, so that a broken one never leaves this repository.
        table.map(|table| table.requirement).unwrap_or_default()
    })
}

/// How much a check weighs: as much as the weightiest requirement that it covers.
pub fn level_of(check: &str) -> Level {
    let covered = requirements().iter().filter(|row| row.checks.iter().any(|id| id == check));
    covered.map(|row| row.level).min().unwrap_or(Level::Should)
}

/// The ids of the requirements that a check covers.
pub fn covered_by(check: &str) -> Vec<&'static str> {
    let covered = requirements().iter().filter(|row| row.checks.iter().any(|id| id == check));
    covered.map(|row| row.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::CHECKS;
    use std::collections::BTreeSet;

    #[test]
    fn table_and_checks_hold_together() {
        toml::from_str::<Table>(include_str!("../requirements.toml")).expect("the table can be read");
        let known: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(known.len(), CHECKS.len(), "two checks of one id");
        let mut ids = BTreeSet::new();
        let mut used = BTreeSet::new();
        for row in requirements() {
            assert!(ids.insert(&row.id), "{} stands twice", row.id);
            assert!(!row.place.is_empty() && !row.quote.is_empty(), "{}", row.id);
            match &row.untestable {
                Some(reason) => assert!(row.checks.is_empty() && reason.len() > 20, "{}", row.id),
                None => assert!(!row.checks.is_empty(), "{} has neither check nor reason", row.id),
            }
            for check in &row.checks {
                assert!(known.contains(check.as_str()), "{}: there is no check {check}", row.id);
                used.insert(check.as_str());
            }
        }
        assert_eq!(used, known, "a check that covers no requirement");
    }

    #[test]
    fn a_check_weighs_as_much_as_the_weightiest_sentence_that_it_covers() {
        assert_eq!(level_of("generate.succeeds"), Level::Must);
        assert_eq!(level_of("http.cors"), Level::Should);
        assert_eq!(covered_by("http.cors"), ["SAFE-4"]);
    }
}
