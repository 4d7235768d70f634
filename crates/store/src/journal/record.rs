//! What the journal takes and gives.

use crate::digest::Sha256;
use crate::format::FileFormat;
use crate::manifest::PhaseTimes;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use protocol::{DownloadUrl, ExportToken, ExportType};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The beginning of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitRecordStart {
    /// Its id.
    pub id: VisitId,
    /// The profile's name.
    pub profile: String,
    /// The API's base URL. It holds no credential.
    pub api_url: String,
    /// Host (and port, if it is not the scheme's own) of the backend.
    pub backend_host: String,
    /// The backend dies with this process (the embedded sandbox): nothing of it can be recovered later.
    pub ephemeral: bool,
    /// Where the avatar is to be saved.
    pub out_dir: PathBuf,
    /// The visit is complete only if these came; empty for whatever comes.
    pub required_exports: Vec<ExportType>,
    /// When it began.
    pub started_at: Timestamp,
    /// What its downloads keep to, also when another run finishes them; `None` of a visit that an earlier version
    /// began.
    pub limits: Option<VisitLimits>,
}

/// Limits of a visit's downloads, and how long it tolerates failures.
///
/// # Defaults
/// 4 parallel downloads of at most 2 GiB each, 3 minutes of patience, and 128 MiB of free space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitLimits {
    /// Parallel downloads, at least 1.
    pub parallel_downloads: usize,
    /// The largest file accepted, in bytes.
    pub max_file_size: u64,
    /// How long the backend may fail without a usable response in between, and a download make almost no progress.
    pub patience: Duration,
    /// Free space in bytes below which no token is requested and none redeemed.
    pub min_free_space: u64,
}

impl Default for VisitLimits {
    fn default() -> Self {
        Self {
            parallel_downloads: 4,
            max_file_size: 2 << 30,
            patience: Duration::from_mins(3),
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
    /// Any other error response.
    Failed,
    /// A response that the specification does not define, without a URL.
    Unreadable,
    /// Some of the token's URLs, in a response that is not whole. Its body is kept until a later response shows whether
    /// the token was spent.
    Truncated,
    /// The token's URLs. Its raw body is kept until the files are saved; the token, now spent, is erased.
    Delivery,
}

impl AnswerKind {
    const ALL: [Self; 6] =
        [Self::Progress, Self::Refused, Self::Failed, Self::Unreadable, Self::Truncated, Self::Delivery];

    /// Whether the raw body is kept.
    pub(super) fn keeps_body(self) -> bool {
        matches!(self, Self::Truncated | Self::Delivery)
    }

    /// The word in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated",
            Self::Delivery => "delivery",
        }
    }

    /// The kind of a word in the database.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A whole answer to a redeem that brings nothing to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollAnswer {
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
pub struct RedeemNo(pub(crate) u32);

impl RedeemNo {
    /// A number, from 1.
    pub const fn new(no: u32) -> Self {
        Self(no)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RedeemNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A phase of a visit whose first moment the journal keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
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

/// A file of a delivery, before its download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Its place in the answer.
    pub index: usize,
    /// Its name, from [`crate::AvatarFolder::file`].
    pub name: String,
    /// `export_type` as sent.
    pub export_type: ExportType,
    /// Where it is, once.
    pub url: DownloadUrl,
}

/// How far a file came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileProgress {
    /// The bytes that are **durable** ([`crate::PartialFile::sync`]): a resumption after a crash keeps no more.
    pub bytes: u64,
    /// The whole size, if the server told.
    pub total: Option<u64>,
    /// A strong `ETag` or a `Last-Modified`, for `If-Range`.
    pub validator: Option<String>,
}

/// The end of a visit, as the host told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// A stable word.
    pub code: String,
    /// The exit code of `copresence visit` (the contract's table); it decides what is kept for `recover`.
    pub exit: u8,
    /// A sentence, without secrets.
    pub message: String,
    /// The visit's state, as the hosts name it.
    pub visit_state: String,
    /// Where the avatar stands, whole or incomplete.
    pub directory: Option<PathBuf>,
    /// When.
    pub at: Timestamp,
}

/// What an ending left in the journal for `recover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// No secret: there is nothing to recover.
    Nothing,
    /// The token, which may still be alive.
    Token,
    /// An answer with URLs (or one that was never read), whose files may still be had.
    Answer,
}

/// A visit as the history shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitRecord {
    /// As it began.
    pub start: VisitRecordStart,
    /// When each phase was reached.
    pub times: PhaseTimes,
    /// When the token runs out, if that is known.
    pub token_expires_at: Option<Timestamp>,
    /// How it ended, if it did.
    pub ending: Option<Ending>,
    /// Whether something is kept for `recover` (also true of a visit that never ended).
    pub unfinished: bool,
    /// How often it was taken up again.
    pub reopened: u32,
    /// How many redeems were begun.
    pub redeems: u32,
    /// How many files are whole.
    pub files_whole: u32,
    /// How many files were planned.
    pub files_planned: u32,
    /// `completion_status` of the last "not ready" answer, as sent; `None` if there was none, or of a visit of an earlier
    /// version.
    pub last_status: Option<String>,
    /// How often `recover` has tried to finish it.
    pub recovery_attempts: u32,
    /// When automatic recovery tries next; `None` is at once.
    pub recovery_next_attempt_at: Option<Timestamp>,
}

/// A visit with its redeems and files; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitDetail {
    /// The visit.
    pub visit: VisitRecord,
    /// Its redeems, in order.
    pub redeems: Vec<RedeemRecord>,
    /// Its files, in order.
    pub files: Vec<FileRecord>,
}

/// One redeem, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemRecord {
    /// Its number.
    pub no: RedeemNo,
    /// How it ended.
    pub outcome: RedeemOutcome,
    /// When it was begun.
    pub intent_at: Timestamp,
    /// When its outcome was on disk.
    pub ended_at: Option<Timestamp>,
}

/// The three truths about a redeem, and the time before one of them is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeemOutcome {
    /// It may be on its way (or the process died with it): nothing is known yet.
    Open,
    /// No byte of it left this machine.
    NeverSent {
        /// Why.
        why: String,
    },
    /// It was sent, and its answer never came whole: the token may be spent.
    Unanswered {
        /// What is known: when, how many bytes came, what the socket said.
        evidence: String,
        /// Whether its partial body was used as the delivery in the end.
        salvaged: bool,
        /// What its partial body holds; `None` if nobody read it, or an earlier version did.
        kind: Option<AnswerKind>,
    },
    /// Its answer is on disk.
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
    /// Its place in the answer.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// `export_type` as sent.
    pub export_type: ExportType,
    /// How far it came.
    pub state: FileState,
}

/// How far a file came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// Its URL was never asked for.
    Planned,
    /// Its URL was asked for, so it may be spent.
    Requested(FileProgress),
    /// It is whole in the folder.
    Whole {
        /// Its size.
        bytes: u64,
        /// Its digest.
        sha256: Sha256,
        /// What its content is.
        format: FileFormat,
    },
    /// It was given up.
    Failed {
        /// Why, as a sentence.
        why: String,
        /// Whether its URL is spent: requesting it again cannot succeed.
        spent: bool,
        /// How much of it is durable, for resuming it by range if its URL is not spent.
        progress: FileProgress,
    },
}

/// A visit that `recover` can do something about.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// The visit.
    pub visit: VisitRecord,
    /// The token, unless it is spent or was never issued.
    pub token: Option<ExportToken>,
    /// The link that was shown, as long as the token is kept.
    pub link: Option<String>,
    /// The redeem that decides: the one that delivered URLs, or else the last.
    pub redeem: Option<UnfinishedRedeem>,
    /// All its redeems, in order.
    pub redeems: Vec<RedeemRecord>,
    /// The beginnings of answers that were lost or broken, while no later one has told what became of the token: the
    /// one that was taken for the delivery, else the latest first.
    pub fragments: Vec<Fragment>,
    /// Its files, with the URLs of those that are not whole.
    pub files: Vec<UnfinishedFile>,
}

/// An unfinished visit, as far as choosing which to recover needs it.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of a row, and all combinations occur")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedSummary {
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

/// A redeem of an unfinished visit, with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRedeem {
    /// Its number.
    pub no: RedeemNo,
    /// When it was begun.
    pub intent_at: Timestamp,
    /// How it stands.
    pub state: RedeemState,
}

/// What came of an answer that is not whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Of which redeem.
    pub no: RedeemNo,
    /// As it came. It is a secret.
    pub body: Vec<u8>,
    /// Whether somebody looked into it, and found URLs; otherwise the process died first.
    pub read: bool,
    /// Whether it was taken for the delivery.
    pub salvaged: bool,
    /// What happened to the rest of it, where that was noted.
    pub evidence: String,
}

impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fragment")
            .field("no", &self.no)
            .field("size", &self.body.len())
            .field("read", &self.read)
            .field("salvaged", &self.salvaged)
            .field("evidence", &self.evidence)
            .finish()
    }
}

/// How a redeem of an unfinished visit stands.
#[derive(Clone, PartialEq, Eq)]
pub enum RedeemState {
    /// The process died between intent and answer: to be treated as sent and unanswered.
    Intent,
    /// No byte of it left this machine.
    NeverSent,
    /// Sent, and its answer never came whole.
    Unanswered,
    /// Its answer came whole.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body, while it is kept: until it was read, and longer if it carries URLs. It is a secret.
        body: Option<Vec<u8>>,
        /// Whether it carries URLs; `None` when nobody read it yet.
        delivered: Option<bool>,
    },
}

impl fmt::Debug for RedeemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intent => f.write_str("Intent"),
            Self::NeverSent => f.write_str("NeverSent"),
            Self::Unanswered => f.write_str("Unanswered"),
            Self::Answered { status, body, delivered } => {
                let size = body.as_ref().map(Vec::len);
                write!(f, "Answered {{ status: {status}, body: {size:?} bytes, delivered: {delivered:?} }}")
            }
        }
    }
}

/// A file of an unfinished visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedFile {
    /// The file.
    pub record: FileRecord,
    /// Its URL, unless it is whole or spent.
    pub url: Option<DownloadUrl>,
}
