//! Visit ids.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The id of a visit: a UUID of version 7, so ids are ordered by creation time. Formatted with hyphens in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VisitId(Uuid);

/// Error of a text that is not a visit id. Contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no visit id: one looks like 01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3d")]
pub struct ParseVisitIdError(String);

impl VisitId {
    /// Creates a new unique id.
    #[expect(clippy::new_without_default, reason = "each call returns a different id")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for VisitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for VisitId {
    type Err = ParseVisitIdError;

    fn from_str(text: &str) -> Result<Self, ParseVisitIdError> {
        let refused = || ParseVisitIdError(text.chars().take(64).collect());
        let id = Uuid::try_parse(text).map_err(|_| refused())?;
        // Folders and rows are named after the id, so only one format is accepted.
        let spelled_as_ours = text.eq_ignore_ascii_case(&id.as_hyphenated().to_string());
        (spelled_as_ours && id.get_version_num() == 7).then_some(Self(id)).ok_or_else(refused)
    }
}

impl TryFrom<String> for VisitId {
    type Error = ParseVisitIdError;

    fn try_from(text: String) -> Result<Self, ParseVisitIdError> {
        text.parse()
    }
}

impl From<VisitId> for String {
    fn from(id: VisitId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_are_ordered_by_time() {
        let (first, second) = (VisitId::new(), VisitId::new());
        assert!(first < second);
        assert!(first.to_string() < second.to_string());
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(first.to_string().to_uppercase().parse(), Ok(first));
        let json = serde_json::to_string(&first).expect("JSON");
        assert_eq!(json, format!("\"{first}\""));
        assert_eq!(serde_json::from_str::<VisitId>(&json).expect("an id"), first);
    }

    #[test]
    fn other_strings_are_rejected() {
        let simple = VisitId::new().to_string().replace('-', "");
        for bad in ["", "../../etc", "67e55044-10b1-426f-9247-bb680e5fe0c8", &simple] {
            assert!(bad.parse::<VisitId>().is_err(), "{bad}");
        }
    }
}
