//! The values of visits that the journal stores and returns.

use super::file_record::{FileRecord, FileRecordWithUrl};
use super::redeem_record::{PartialResponseBody, RedeemRecord, UnfinishedVisitRedeemAndResponse};
use super::token_counts::IssuedTokenOutcome;
use crate::manifest::PhaseTimestamps;
use crate::visit_id::VisitId;
use copresence_protocol::{ExportToken, ExportType};
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// What the journal records when a visit starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitStart {
    /// Its id.
    pub id: VisitId,
    /// The profile's name.
    pub profile: String,
    /// The API's base URL. It holds no credential.
    pub api_url: String,
    /// Host (and port, if it is not the scheme's own) of the backend.
    pub backend_host: String,
    /// The backend ends with this process (the embedded sandbox), so nothing can be recovered later.
    pub ephemeral: bool,
    /// The folder in which the avatar is saved.
    pub out_dir: PathBuf,
    /// Exports that a complete avatar needs; empty accepts any.
    pub required_exports: Vec<ExportType>,
    /// When it began.
    pub started_at: Timestamp,
    /// Limits of its downloads, also when recovery finishes them; `None` for a visit that a version with schema 1
    /// began.
    pub limits: Option<VisitDownloadLimits>,
}

/// Limits of a visit's downloads, and how long it tolerates failures.
///
/// # Defaults
/// 4 parallel downloads of at most 2 GiB each, 3 minutes of patience, 24 hours of further tries, and 128 MiB of free
/// space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitDownloadLimits {
    /// Parallel downloads, at least 1.
    pub parallel_downloads: usize,
    /// The largest file accepted, in bytes.
    pub max_file_size: u64,
    /// How long the backend may fail without a usable response in between, and a download make almost no progress.
    pub patience: Duration,
    /// How long after the delivery a missing file is requested again, across restarts. Within this time a file is lost
    /// only if the server refuses its URL or sends something else.
    pub keep_trying: Duration,
    /// Free space in bytes below which no token is requested and none redeemed.
    pub min_free_space: u64,
}

impl Default for VisitDownloadLimits {
    fn default() -> Self {
        Self {
            parallel_downloads: 4,
            max_file_size: 2 << 30,
            patience: Duration::from_mins(3),
            keep_trying: Duration::from_hours(24),
            min_free_space: 128 << 20,
        }
    }
}

/// A phase of a visit. The journal stores the time at which each phase was first reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VisitPhase {
    /// An avatar is associated with the token.
    Associated,
    /// `in_queue`.
    Queued,
    /// `processing`.
    Processing,
    /// `avatar_ready`.
    Ready,
    /// The last file is on disk.
    Saved,
}

/// What the journal records when a visit ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitEnding {
    /// Stable error code.
    pub code: String,
    /// The exit code of `copresence visit` ; it decides what is retained for `recover`.
    pub exit: u8,
    /// A sentence for people, without secrets.
    pub message: String,
    /// The visit's state, as the hosts name it.
    pub visit_state: String,
    /// The folder of the avatar, complete or not.
    pub directory: Option<PathBuf>,
    /// When it ended.
    pub at: Timestamp,
}

/// What an ending retained in the journal for `recover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataRetainedForRecovery {
    /// No secret: there is nothing to recover.
    Nothing,
    /// The token, which may be active.
    Token,
    /// An answer with URLs (or one that was never read), whose files may still be available.
    Answer,
}

/// A visit as the history shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitRecord {
    /// Its start.
    pub start: VisitStart,
    /// When each phase was reached.
    pub times: PhaseTimestamps,
    /// When the token expires, if that is known.
    pub token_expires_at: Option<Timestamp>,
    /// Its end, if it ended.
    pub ending: Option<VisitEnding>,
    /// Whether something is retained for `recover`; true for a visit that never ended.
    pub is_unfinished: bool,
    /// How often it was reopened.
    pub reopened_count: u32,
    /// Number of redeems.
    pub redeems: u32,
    /// Number of complete files.
    pub complete_files: u32,
    /// Number of planned files.
    pub planned_files: u32,
    /// `completion_status` of the last "not ready" answer, as sent; `None` if there was none, or of a visit of an
    /// earlier version.
    pub last_status: Option<String>,
    /// How often `recover` has tried to finish it.
    pub recovery_attempts: u32,
    /// When automatic recovery tries next; `None` is at once.
    pub recovery_next_attempt_at: Option<Timestamp>,
}

impl VisitRecord {
    /// The outcome of its Export Token, as
    /// [`Journal::count_issued_tokens_by_outcome`](super::Journal::count_issued_tokens_by_outcome) counts it; `None` if no
    /// token was issued.
    pub fn token_use(&self) -> Option<IssuedTokenOutcome> {
        self.times.issued?;
        Some(match self {
            _ if self.times.redeemed.is_some() => IssuedTokenOutcome::Spent,
            _ if self.is_unfinished => IssuedTokenOutcome::Active,
            _ => IssuedTokenOutcome::Abandoned,
        })
    }
}

/// A visit with its redeems and files; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailedVisitRecord {
    /// The visit.
    pub visit: VisitRecord,
    /// Its redeems, in order.
    pub redeems: Vec<RedeemRecord>,
    /// Its files, in order.
    pub files: Vec<FileRecord>,
}

/// An unfinished visit with its secrets: one that never ended, or whose ending kept data that recovery can use.
#[derive(Debug, Clone)]
pub struct UnfinishedVisit {
    /// The visit.
    pub visit: VisitRecord,
    /// The token, unless it is spent or was never issued.
    pub token: Option<ExportToken>,
    /// The link that was shown, as long as the token is kept.
    pub link: Option<String>,
    /// The redeem that delivered URLs, otherwise the last.
    pub redeem: Option<UnfinishedVisitRedeemAndResponse>,
    /// All its redeems, in order.
    pub redeems: Vec<RedeemRecord>,
    /// Partial bodies of lost or unreadable responses, as long as no later response shows that the token is active: the
    /// one that was used as the delivery first, then the latest first.
    pub truncated_bodies: Vec<PartialResponseBody>,
    /// Its files, with the URLs of those that are not whole.
    pub files: Vec<FileRecordWithUrl>,
}

/// An unfinished visit, as far as choosing which to recover needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedVisitSummary {
    /// Its id.
    pub id: VisitId,
    /// The API's base URL.
    pub api_url: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its token was issued.
    pub issued_at: Option<Timestamp>,
    /// When the token expires, if that is known.
    pub token_expires_at: Option<Timestamp>,
    /// Whether its token is kept.
    pub has_token: bool,
    /// Whether it has an answer with URLs, or one that was never read.
    pub has_answer: bool,
    /// Whether its backend ended with the process that began it.
    pub ephemeral: bool,
    /// How often `recover` has tried to finish it.
    pub attempts: u32,
    /// When automatic recovery tries next; `None` is at once.
    pub next_attempt_at: Option<Timestamp>,
}
