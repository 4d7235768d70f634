//! `payload_incomplete.completion_status`.

use std::fmt;

/// "String which indicates the status of the uncompleted avatar associated with the Export Token. Possible
/// values are `no_associated_avatar`, `in_queue`, `processing`, `failed`."
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CompletionStatus {
    /// The user has not associated any avatar with the token yet.
    NoAssociatedAvatar,
    /// The avatar waits its turn.
    InQueue,
    /// The avatar is being made.
    Processing,
    /// It could not be made. The token is still active: the visitor may record again.
    Failed,
    /// A status that the specification does not list, as sent.
    Other(String),
}

impl CompletionStatus {
    /// The four that the specification lists.
    pub const KNOWN: [Self; 4] = [Self::NoAssociatedAvatar, Self::InQueue, Self::Processing, Self::Failed];

    /// The word on the wire.
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
        Self::KNOWN
            .into_iter()
            .find(|known| known.as_str() == word)
            .unwrap_or_else(|| Self::Other(word.to_owned()))
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
    fn each_listed_word_is_read_as_itself_and_any_other_is_kept() {
        for known in CompletionStatus::KNOWN {
            assert_eq!(CompletionStatus::from(known.as_str()), known);
        }
        assert_eq!(CompletionStatus::from("baking").as_str(), "baking");
    }
}
