//! The values of redeems and their answers that the journal stores and returns.

use jiff::Timestamp;
use std::fmt;

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
