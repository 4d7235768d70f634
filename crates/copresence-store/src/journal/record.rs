//! The values that the journal stores and returns.

use crate::digest::Sha256Digest;
use crate::file_note::SavedFileNote;
use crate::format::FileFormat;
use crate::manifest::PhaseTimestamps;
use crate::visit_id::VisitId;
use copresence_protocol::{DownloadUrl, ExportToken, ExportType};
use jiff::Timestamp;
use std::fmt;
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

/// What kind of response a redeem had, or what the partial body of a lost response holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// A "not ready" as the specification defines it. The token is active, so no earlier response spent it: their
    /// partial bodies are erased.
    Progress,
    /// The token was refused.
    Refused,
    /// Any other error response of the API; it spent nothing.
    Failed,
    /// A failure that does not say whether the redeem spent the token: 5xx, or a page of something in between.
    Undecided,
    /// A response that the specification does not define, without a URL of a file that could be read. Its raw body is
    /// kept if it was stored, because it may have URLs in an unknown form: until a later response shows the token
    /// active, or until the visit is forgotten.
    Unreadable,
    /// Some of the token's URLs, in a response that is not whole. Its body is kept until a later response shows whether
    /// the token was spent.
    Truncated,
    /// The token's URLs. Its raw body is kept until the files are saved; the token, now spent, is erased.
    Delivery,
}

impl AnswerKind {
    const ALL: [Self; 7] = [
        Self::Progress,
        Self::Refused,
        Self::Failed,
        Self::Undecided,
        Self::Unreadable,
        Self::Truncated,
        Self::Delivery,
    ];

    /// Whether an answer of this kind requires its raw body to be stored and kept.
    pub(super) fn requires_stored_body(self) -> bool {
        matches!(self, Self::Truncated | Self::Delivery)
    }

    /// Whether the raw body of an answer of this kind is kept, if it was stored.
    pub(super) fn should_keep_stored_body(self) -> bool {
        self.requires_stored_body() || self == Self::Unreadable
    }

    /// The word by which the database stores the kind.
    pub(super) fn as_database_word(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated",
            Self::Delivery => "delivery",
        }
    }

    /// The kind of answer for a word of the database; `None` for an unknown word.
    pub(super) fn answer_kind_from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_database_word() == word)
    }
}

/// A complete answer to a redeem that has no URLs. Its body is therefore not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerWithoutUrls {
    /// The HTTP status.
    pub status: u16,
    /// Size of the body in bytes.
    pub body_size: u64,
    /// Any but [`AnswerKind::Truncated`] and [`AnswerKind::Delivery`].
    pub kind: AnswerKind,
    /// `completion_status` of a "not ready" answer, as sent, with secrets masked.
    pub completion_status: Option<String>,
}

/// The number of a redeem within its visit, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedeemNumber(pub(crate) u32);

impl RedeemNumber {
    /// A number, from 1.
    pub const fn new(no: u32) -> Self {
        Self(no)
    }

    /// The number of the redeem as `u32`, from 1.
    pub fn redeem_number_as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RedeemNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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

/// A file of a delivery before its download. Its name comes from [`crate::PartialAvatarFolder::assign_file_name`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Its index in the answer.
    pub index: usize,
    /// Its name, from [`crate::PartialAvatarFolder::assign_file_name`].
    pub name: String,
    /// `export_type` as sent.
    pub export_type: ExportType,
    /// Its one-time URL.
    pub url: DownloadUrl,
}

/// Progress of a file's download: only durable bytes count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileProgress {
    /// Bytes that are durable ([`crate::PartialFile::sync_and_get_durable_length`]): resuming after a power cut keeps no more.
    pub bytes: u64,
    /// Digest of these bytes, by which a later run recognizes that the disk has changed them.
    pub sha256: Option<Sha256Digest>,
    /// Size of the complete file in bytes, if the server stated it.
    pub total: Option<u64>,
    /// A strong `ETag` or a `Last-Modified`, for `If-Range`.
    pub validator: Option<String>,
    /// `Content-Encoding`, if the server stated one. The bytes on disk have it, and `bytes` and `total` count them.
    pub content_encoding: Option<String>,
    /// Notes about how the bytes on disk were received, and about the content encoding once all were.
    pub notes: Vec<SavedFileNote>,
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
    /// The outcome of its Export Token, as [`Journal::count_tokens`](super::Journal::count_tokens) counts it; `None` if no
    /// token was issued.
    pub fn token_use(&self) -> Option<TokenUse> {
        self.times.issued?;
        Some(match self {
            _ if self.times.redeemed.is_some() => TokenUse::Spent,
            _ if self.is_unfinished => TokenUse::Active,
            _ => TokenUse::Abandoned,
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

/// A redeem, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemRecord {
    /// Its number.
    pub no: RedeemNumber,
    /// Its outcome.
    pub outcome: RedeemState,
    /// When its intent was written.
    pub intent_at: Timestamp,
    /// When its response came or was given up; `None` while it is open, and for a folded poll.
    pub ended_at: Option<Timestamp>,
}

/// The state of a redeem: in flight, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeemState {
    /// In flight, or the process ended before its outcome was written.
    InFlight,
    /// No byte of it left this machine.
    NeverSent {
        /// Why.
        why: String,
    },
    /// It was sent, and its response never came whole: the token may be spent.
    Unanswered {
        /// What is known: when, how many bytes came, what the socket reported.
        evidence: String,
        /// Whether its partial body was used as the delivery in the end.
        salvaged: bool,
        /// What its partial body holds; `None` if nobody read it, or an earlier version did.
        kind: Option<AnswerKind>,
    },
    /// Its response came whole.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body's size in bytes.
        body_size: u64,
        /// Whether it carried URLs; `None` until it was read.
        delivered: Option<bool>,
        /// What kind of answer it was; `None` until it was read, and for one that an earlier version read.
        kind: Option<AnswerKind>,
    },
}

/// One file of a visit, without its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Its index in the answer.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// `export_type` as sent.
    pub export_type: ExportType,
    /// Its state.
    pub state: FileState,
    /// Whether the system runs since its URL was last requested. Then all bytes of its partial file are right, also
    /// those that were never flushed. False after a power cut or a restart, and if the system has no boot id.
    pub is_from_this_boot: bool,
    /// Where its URL last redirected, for recovery only: the history does not read it.
    pub redirected_to: Option<DownloadUrl>,
}

/// How far the download of a file is, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// Its URL was never requested.
    Planned,
    /// Its URL was requested, so it may be spent.
    Requested(FileProgress),
    /// It is complete in the folder.
    Complete {
        /// Its size in bytes.
        bytes: u64,
        /// Its digest.
        sha256: Sha256Digest,
        /// The format of its content.
        format: FileFormat,
        /// Notes about it.
        notes: Vec<SavedFileNote>,
    },
    /// Its download was given up.
    Failed {
        /// Why, as a sentence.
        why: String,
        /// Whether its URL is spent: requesting it again cannot succeed.
        spent: bool,
        /// How much of it is durable, for resuming it by range if its URL is not spent.
        progress: FileProgress,
    },
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

/// A redeem of an unfinished visit, with its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedVisitRedeemAndResponse {
    /// Its number.
    pub no: RedeemNumber,
    /// When its intent was written.
    pub intent_at: Timestamp,
    /// Its state.
    pub state: UnfinishedVisitRedeemState,
}

/// The body of a response that is not whole.
#[derive(Clone, PartialEq, Eq)]
pub struct PartialResponseBody {
    /// The redeem.
    pub no: RedeemNumber,
    /// The received bytes. They are secret.
    pub body: Vec<u8>,
    /// Whether it was read and holds URLs; false if the process ended first.
    pub is_read: bool,
    /// Whether it was used as the delivery.
    pub is_used_as_delivery: bool,
    /// What happened to the rest, if that was recorded.
    pub evidence: String,
}

impl fmt::Debug for PartialResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TruncatedBody")
            .field("no", &self.no)
            .field("size", &self.body.len())
            .field("read", &self.is_read)
            .field("salvaged", &self.is_used_as_delivery)
            .field("evidence", &self.evidence)
            .finish()
    }
}

/// The state of a redeem of an unfinished visit.
#[derive(Clone, PartialEq, Eq)]
pub enum UnfinishedVisitRedeemState {
    /// The process ended between intent and response: treated as sent and unanswered.
    InFlight,
    /// No byte of it left this machine.
    NeverSent,
    /// Sent, and its response never came whole.
    Unanswered,
    /// Its response came whole.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body, as long as it is kept: until it was read, and longer if it has URLs. It is secret.
        body: Option<Vec<u8>>,
        /// Whether it has URLs; `None` until it was read.
        delivered: Option<bool>,
    },
}

impl fmt::Debug for UnfinishedVisitRedeemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight => f.write_str("Intent"),
            Self::NeverSent => f.write_str("NeverSent"),
            Self::Unanswered => f.write_str("Unanswered"),
            Self::Answered { status, body, delivered } => {
                let size = body.as_ref().map(Vec::len);
                write!(f, "Answered {{ status: {status}, body: {size:?} bytes, delivered: {delivered:?} }}")
            }
        }
    }
}

/// The record of a file with its URL, unless the file is complete or the URL spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecordWithUrl {
    /// The file.
    pub record: FileRecord,
    /// Its URL, unless the file is complete or the URL spent.
    pub url: Option<DownloadUrl>,
}

/// The ticket of a visit that was handed over: its visitor opens it with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRecord {
    /// The visit.
    pub visit: VisitId,
    /// First word of its name.
    pub colour: String,
    /// Second word of its name.
    pub symbol: String,
    /// Hash of its pickup code; `None` once it is closed.
    pub code_hash: Option<String>,
    /// Its place on the strip, in ascending order.
    pub place: u32,
    /// When the visit was handed over.
    pub handed_over_at: Timestamp,
    /// Number of wrong codes so far.
    pub wrong_codes: u32,
    /// When and how it was closed; `None` while it is live.
    pub closure: Option<TicketClosure>,
}

impl TicketRecord {
    /// Its name in English, for operators and logs, as in *Blue Comet*.
    pub fn english_name(&self) -> String {
        format_ticket_name_in_english(&self.colour, &self.symbol)
    }
}

/// The English name of a ticket with these words, as in *Blue Comet*.
pub fn format_ticket_name_in_english(colour: &str, symbol: &str) -> String {
    let capitalize = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    format!("{} {}", capitalize(colour), capitalize(symbol))
}

/// When and how a ticket was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketClosure {
    /// A stable word, as in `picked_up`.
    pub how: String,
    /// When.
    pub at: Timestamp,
}

/// The outcome of one Export Token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenUse {
    /// It may still deliver an avatar.
    Active,
    /// It delivered an avatar.
    Spent,
    /// It ended without an avatar.
    Abandoned,
}

impl TokenUse {
    /// The stable word, in the database and in JSON.
    pub fn as_word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Spent => "spent",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Numbers of Export Tokens by what became of them, including those of visits that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Tokens that may still deliver an avatar.
    pub active: u32,
    /// Tokens that delivered one.
    pub spent: u32,
    /// Tokens that ended without one.
    pub abandoned: u32,
}

impl TokenCounts {
    /// Tokens issued: the sum of all.
    pub fn issued_token_count(self) -> u32 {
        self.active.saturating_add(self.spent).saturating_add(self.abandoned)
    }
}
