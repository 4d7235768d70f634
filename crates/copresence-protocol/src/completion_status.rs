//! The field `payload_incomplete.completion_status`.

use std::fmt;

/// The status of an avatar that is not ready yet.
///
/// Spec: "String which indicates the status of the uncompleted avatar associated with the Export Token. Possible
/// values are `no_associated_avatar`, `in_queue`, `processing`, `failed`." (GET /redeemExportToken)
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CompletionStatus {
    /// The user has not associated an avatar with the token yet.
    NoAssociatedAvatar,
    /// The avatar is in the processing queue.
    InQueue,
    /// The avatar is being processed.
    Processing,
    /// Processing failed. The token is still active, so the visitor may record again.
    Failed,
    /// A status that the specification does not list, as sent.
    Other(String),
}

impl CompletionStatus {
    /// The four statuses of the specification.
    pub const KNOWN: [Self; 4] = [Self::NoAssociatedAvatar, Self::InQueue, Self::Processing, Self::Failed];

    /// The status as on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::NoAssociatedAvatar => "no_associated_avatar",
            Self::InQueue => "in_queue",
            Self::Processing => "processing",
            Self::Failed => "failed",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for CompletionStatus {
    fn from(word: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.as_str() == word).unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}

impl fmt::Display for CompletionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_statuses_are_parsed_and_others_are_kept_as_sent() {
        for known in CompletionStatus::KNOWN {
            assert_eq!(CompletionStatus::from(known.as_str()), known);
        }
        assert_eq!(CompletionStatus::from("baking").as_str(), "baking");
    }
}
