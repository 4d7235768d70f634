//! How visits end: the one list of outcomes, with their stable codes and exit codes.

use serde::Serialize;

/// How a visit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The avatar is saved, complete.
    Saved,
    /// The avatar is saved, but the response that delivered it violates the specification.
    SavedWithViolation(String),
    /// Redeemed, but not every file could be saved.
    SavedInPart(String),
    /// Redeemed, and the disk became full while the files were saved.
    SavedUntilDiskFull(String),
    /// Redeemed, and our own disk failed while the files were saved. URLs and received bytes are kept.
    SavedUntilStorageFailed(String),
    /// Redeemed, and files are missing that may still be available: their URLs were not refused. URLs and received
    /// bytes are kept.
    DownloadInterrupted(String),
    /// The credentials were refused.
    CredentialsRefused(String),
    /// The Export Token was refused, or expired, before an avatar was delivered.
    TokenRefused {
        /// Whether a response ever showed the token active; then it expired.
        was_active: bool,
    },
    /// The avatar could not be made, and the visit ended.
    AvatarFailed,
    /// The backend could not be reached until patience ran out.
    Unreachable(String),
    /// The backend kept failing until patience ran out.
    BackendFailing(String),
    /// Something between this program and the backend answered in its place until patience ran out.
    Gate(String),
    /// The server at the profile's URL does not have the API.
    NoApi(String),
    /// Our own data folder could not be written, so no request was sent.
    StorageFailed(String),
    /// Our own disk is full, or has too little space for an avatar, so no request was sent.
    DiskFull(String),
    /// The Export Token was kept for a week without a response that decides.
    TokenAbandoned(String),
    /// No avatar was delivered in time.
    TimedOut,
    /// The backend violates the specification.
    ProtocolViolation(String),
    /// A redeem was sent, no usable response was received, and the token is now refused or given up.
    PossiblyConsumed(String),
    /// The visitor left, or the program stopped.
    Interrupted,
}

/// The state in which a visit ended, for `visit_state` of the last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndPhase {
    /// No token yet.
    Issuing,
    /// A token was issued, and no avatar was associated with it.
    Inviting,
    /// An avatar was in the queue, in processing, or failed.
    Making,
    /// URLs were received, and files were being saved.
    Saving,
    /// All files are saved.
    Saved,
}

impl EndPhase {
    /// Returns the stable word for this phase.
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
    /// One of each variant, for tables that must cover them all.
    pub fn example_of_each_outcome() -> Vec<Self> {
        let words = String::new;
        vec![
            Self::Saved,
            Self::SavedWithViolation(words()),
            Self::SavedInPart(words()),
            Self::SavedUntilDiskFull(words()),
            Self::SavedUntilStorageFailed(words()),
            Self::DownloadInterrupted(words()),
            Self::CredentialsRefused(words()),
            Self::TokenRefused { was_active: false },
            Self::TokenRefused { was_active: true },
            Self::AvatarFailed,
            Self::Unreachable(words()),
            Self::BackendFailing(words()),
            Self::Gate(words()),
            Self::NoApi(words()),
            Self::StorageFailed(words()),
            Self::DiskFull(words()),
            Self::TokenAbandoned(words()),
            Self::TimedOut,
            Self::ProtocolViolation(words()),
            Self::PossiblyConsumed(words()),
            Self::Interrupted,
        ]
    }

    /// The stable error code, as in the last line of `visit --json`.
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::SavedWithViolation(_) | Self::ProtocolViolation(_) => "protocol_broken",
            Self::SavedInPart(_) => "saved_in_part",
            Self::SavedUntilDiskFull(_) | Self::DiskFull(_) => "disk_full",
            Self::TokenAbandoned(_) => "token_abandoned",
            Self::CredentialsRefused(_) => "credentials_refused",
            Self::TokenRefused { was_active: false } => "token_refused",
            Self::TokenRefused { was_active: true } => "token_expired",
            Self::AvatarFailed => "avatar_failed",
            Self::Unreachable(_) => "backend_unreachable",
            Self::BackendFailing(_) => "backend_failing",
            Self::Gate(_) => "gate",
            Self::NoApi(_) => "no_api",
            Self::SavedUntilStorageFailed(_) | Self::StorageFailed(_) => "storage_failed",
            Self::DownloadInterrupted(_) => "download_interrupted",
            Self::TimedOut => "timed_out",
            Self::PossiblyConsumed(_) => "possibly_consumed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit code of the command line's contract, 0..=130.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Saved => 0,
            Self::StorageFailed(_) | Self::DiskFull(_) | Self::NoApi(_) => 2,
            Self::CredentialsRefused(_) => 3,
            Self::TokenRefused { .. } | Self::TokenAbandoned(_) => 4,
            Self::AvatarFailed => 5,
            Self::Unreachable(_) | Self::BackendFailing(_) | Self::Gate(_) | Self::DownloadInterrupted(_) => 6,
            Self::SavedInPart(_) | Self::SavedUntilDiskFull(_) | Self::SavedUntilStorageFailed(_) => 7,
            Self::TimedOut => 8,
            Self::SavedWithViolation(_) | Self::ProtocolViolation(_) => 9,
            Self::PossiblyConsumed(_) => 10,
            Self::Interrupted => 130,
        }
    }

    /// Whether saving stopped although files of the delivery may still be saved, so that a later run continues.
    pub fn can_later_run_continue_saving(&self) -> bool {
        matches!(self, Self::DownloadInterrupted(_) | Self::SavedUntilDiskFull(_) | Self::SavedUntilStorageFailed(_))
    }

    /// The same outcome; its detail adds that no file of a truncated response could be downloaded.
    #[must_use]
    pub fn with_no_file_downloaded_detail(self, why: &str) -> Self {
        let words =
            |how: String| format!("{how}; none of the files that the response named could be downloaded: {why}");
        match self {
            Self::PossiblyConsumed(how) => Self::PossiblyConsumed(words(how)),
            Self::ProtocolViolation(how) => Self::ProtocolViolation(words(how)),
            other => other,
        }
    }

    /// What happened, for an operator, if the outcome carries a detail.
    pub fn detail_for_operator(&self) -> Option<&str> {
        match self {
            Self::SavedWithViolation(words)
            | Self::SavedInPart(words)
            | Self::SavedUntilDiskFull(words)
            | Self::SavedUntilStorageFailed(words)
            | Self::DownloadInterrupted(words)
            | Self::DiskFull(words)
            | Self::TokenAbandoned(words)
            | Self::CredentialsRefused(words)
            | Self::Unreachable(words)
            | Self::BackendFailing(words)
            | Self::Gate(words)
            | Self::NoApi(words)
            | Self::ProtocolViolation(words)
            | Self::StorageFailed(words)
            | Self::PossiblyConsumed(words) => Some(words),
            _ => None,
        }
    }
}
