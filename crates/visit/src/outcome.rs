//! How visits end: the one list of endings, their stable words and exit codes.

use serde::Serialize;

/// How a visit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The avatar is saved, whole.
    Saved,
    /// The avatar is saved, but the answer that brought it broke a rule.
    SavedDespiteBreak(String),
    /// Redeemed, but not every file could be saved.
    SavedInPart(String),
    /// Redeemed, and the disk ran out of room while the files were saved.
    SavedUntilFull(String),
    /// The credentials were refused.
    CredentialsRefused(String),
    /// The Export Token was refused, or ran out, before an avatar came.
    TokenRefused {
        /// Whether the backend ever knew the token (then it ran out).
        was_active: bool,
    },
    /// The avatar failed, and the visit ended with it.
    AvatarFailed,
    /// The backend could not be reached until patience ran out.
    Unreachable(String),
    /// The backend kept failing until patience ran out.
    BackendFailing(String),
    /// Our own data folder could not be written, so nothing could be asked safely.
    StorageFailed(String),
    /// Our own disk is full, or too full for an avatar, so nothing was asked for.
    DiskFull(String),
    /// The Export Token was kept for a week, and nobody can be asked about it any more, or scan it.
    TokenAbandoned(String),
    /// Nobody finished in time.
    TimedOut,
    /// The backend broke the protocol.
    ProtocolBroken(String),
    /// A redeem was sent, its answer never came whole, and the token is now refused.
    PossiblyConsumed(String),
    /// Somebody left.
    Interrupted,
}

/// In which of its states the visit was when it ended, for `visit_state` of the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedIn {
    /// No token yet.
    Issuing,
    /// A token was out, and nobody had associated an avatar.
    Inviting,
    /// An avatar was queued, made, or had failed.
    Making,
    /// Redeemed, and files were being saved.
    Saving,
    /// All files are saved.
    Saved,
}

impl EndedIn {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Inviting => "inviting",
            Self::Making => "making",
            Self::Saving => "saving",
            Self::Saved => "saved",
        }
    }
}

impl Outcome {
    /// One of each, for tables that must cover them all.
    pub fn each() -> Vec<Self> {
        let words = String::new;
        vec![
            Self::Saved,
            Self::SavedDespiteBreak(words()),
            Self::SavedInPart(words()),
            Self::SavedUntilFull(words()),
            Self::CredentialsRefused(words()),
            Self::TokenRefused { was_active: false },
            Self::TokenRefused { was_active: true },
            Self::AvatarFailed,
            Self::Unreachable(words()),
            Self::BackendFailing(words()),
            Self::StorageFailed(words()),
            Self::DiskFull(words()),
            Self::TokenAbandoned(words()),
            Self::TimedOut,
            Self::ProtocolBroken(words()),
            Self::PossiblyConsumed(words()),
            Self::Interrupted,
        ]
    }

    /// The stable word, as in the `code` of the last line of `visit --json`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::SavedDespiteBreak(_) | Self::ProtocolBroken(_) => "protocol_broken",
            Self::SavedInPart(_) => "saved_in_part",
            Self::SavedUntilFull(_) | Self::DiskFull(_) => "disk_full",
            Self::TokenAbandoned(_) => "token_abandoned",
            Self::CredentialsRefused(_) => "credentials_refused",
            Self::TokenRefused { was_active: false } => "token_refused",
            Self::TokenRefused { was_active: true } => "token_expired",
            Self::AvatarFailed => "avatar_failed",
            Self::Unreachable(_) => "backend_unreachable",
            Self::BackendFailing(_) => "backend_failing",
            Self::StorageFailed(_) => "storage_failed",
            Self::TimedOut => "timed_out",
            Self::PossiblyConsumed(_) => "possibly_consumed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit code of the command line's contract.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Saved => 0,
            Self::StorageFailed(_) | Self::DiskFull(_) => 2,
            Self::CredentialsRefused(_) => 3,
            Self::TokenRefused { .. } | Self::TokenAbandoned(_) => 4,
            Self::AvatarFailed => 5,
            Self::Unreachable(_) | Self::BackendFailing(_) => 6,
            Self::SavedInPart(_) | Self::SavedUntilFull(_) => 7,
            Self::TimedOut => 8,
            Self::SavedDespiteBreak(_) | Self::ProtocolBroken(_) => 9,
            Self::PossiblyConsumed(_) => 10,
            Self::Interrupted => 130,
        }
    }

    /// The same, where the files that a lost answer named were asked for, and not one came.
    #[must_use]
    pub fn and_nothing_came(self, why: &str) -> Self {
        let words =
            |how: String| format!("{how}; of the files that came to be known not one could be had: {why}");
        match self {
            Self::PossiblyConsumed(how) => Self::PossiblyConsumed(words(how)),
            Self::ProtocolBroken(how) => Self::ProtocolBroken(words(how)),
            other => other,
        }
    }

    /// What happened, in an operator's words, where the outcome carries some.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::SavedDespiteBreak(words)
            | Self::SavedInPart(words)
            | Self::SavedUntilFull(words)
            | Self::DiskFull(words)
            | Self::TokenAbandoned(words)
            | Self::CredentialsRefused(words)
            | Self::Unreachable(words)
            | Self::BackendFailing(words)
            | Self::ProtocolBroken(words)
            | Self::StorageFailed(words)
            | Self::PossiblyConsumed(words) => Some(words),
            _ => None,
        }
    }
}
