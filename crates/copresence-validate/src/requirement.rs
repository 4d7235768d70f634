//! The table of requirements: every sentence that a backend can fulfil or violate.

use crate::observations::sha256_hex;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// How strict a requirement is.
///
/// # Defaults
/// `Must`: the level from which on failures fail a run.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A violation fails the run.
    #[default]
    Must,
    /// A violation is reported as a warning, unless `--fail-on should` is given.
    Should,
}

impl Level {
    /// The level in lower case, as in the table.
    pub fn lowercase_level(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
        }
    }

    /// The level in upper case, as in RFC 2119.
    pub fn uppercase_level(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

/// One row of `requirements.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Stable id, as in `RED-8`.
    pub id: String,
    /// Section of the source that contains the sentence.
    pub place: String,
    /// The sentence, verbatim.
    pub quote: String,
    /// How strict the requirement is.
    pub level: Level,
    /// Ids of the checks that cover the requirement.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Why no check can cover the requirement; then `checks` is empty.
    pub untestable: Option<String>,
}

/// The table of requirements, as parsed from `requirements.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequirementTable {
    version: u32,
    requirement: Vec<Requirement>,
}

/// The table of requirements that the program contains, parsed once.
fn requirement_table() -> &'static RequirementTable {
    static TABLE: OnceLock<RequirementTable> = OnceLock::new();
    TABLE.get_or_init(|| {
        // Cannot fail: a test parses the embedded table.
        toml::from_str(include_str!("../requirements.toml")).unwrap_or_default()
    })
}

/// Returns every requirement, in the order of the table.
pub fn all_requirements() -> &'static [Requirement] {
    &requirement_table().requirement
}

/// Version of the table. Increases with every change of a row.
pub fn requirement_table_version() -> u32 {
    requirement_table().version
}

impl Requirement {
    /// SHA-256 of everything that the row says, in hexadecimal. Changes with every change of the row.
    pub fn sha256_of_row(&self) -> String {
        // Cannot fail: all map keys are strings.
        sha256_hex(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Returns the level of a check: that of the strictest requirement that it covers.
pub fn strictest_level_of_check(check: &str) -> Level {
    let covered = all_requirements().iter().filter(|row| row.checks.iter().any(|id| id == check));
    covered.map(|row| row.level).min().unwrap_or(Level::Should)
}

/// Returns the ids of the requirements that a check covers.
pub fn requirement_ids_of_check(check: &str) -> Vec<&'static str> {
    let covered = all_requirements().iter().filter(|row| row.checks.iter().any(|id| id == check));
    covered.map(|row| row.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::CHECKS;
    use std::collections::BTreeSet;

    #[test]
    fn every_requirement_has_known_checks_or_a_reason() {
        toml::from_str::<RequirementTable>(include_str!("../requirements.toml")).expect("the table parses");
        let known: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(known.len(), CHECKS.len(), "two checks have the same id");
        let mut ids = BTreeSet::new();
        let mut used = BTreeSet::new();
        for row in all_requirements() {
            assert!(ids.insert(&row.id), "{} occurs twice", row.id);
            assert!(!row.place.is_empty() && !row.quote.is_empty(), "{}", row.id);
            match &row.untestable {
                Some(reason) => assert!(row.checks.is_empty() && reason.len() > 20, "{}", row.id),
                None => assert!(!row.checks.is_empty(), "{} has neither check nor reason", row.id),
            }
            for check in &row.checks {
                assert!(known.contains(check.as_str()), "{}: unknown check {check}", row.id);
                used.insert(check.as_str());
            }
        }
        assert_eq!(used, known, "some check covers no requirement");
    }

    #[test]
    fn the_version_of_the_table_changes_with_its_rows() {
        let rows: Vec<_> = all_requirements().iter().map(Requirement::sha256_of_row).collect();
        let current = (requirement_table_version(), sha256_hex(rows.concat().as_bytes()));
        let known = (1, "c8dab8b68cea339083cafedf70d43c28811051744fbed2856af599fd6c260833".to_owned());
        assert_eq!(current, known, "a row changed: increase `version` in requirements.toml, and put both here");
    }

    #[test]
    fn a_check_has_the_level_of_its_strictest_requirement() {
        assert_eq!(strictest_level_of_check("generate.succeeds"), Level::Must);
        assert_eq!(strictest_level_of_check("http.cors"), Level::Should);
        assert_eq!(requirement_ids_of_check("http.cors"), ["SAFE-4"]);
    }
}
