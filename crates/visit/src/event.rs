//! What happens to a visit, and what it asks to be done.

use crate::outcome::Outcome;
use crate::time::Moment;
use protocol::Progress;
use std::time::Duration;

/// Something that happened. One that does not fit the state (a late timer) changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The visitor pressed start.
    Begun,
    /// An Export Token came, and its link stands in a QR code.
    Issued,
    /// Asking for a token failed.
    IssueFailed(Fault),
    /// The moment of the last [`Effect::Wait`] is here.
    Due,
    /// The redeem in flight came to an end.
    Redeemed(RedeemResult),
    /// Every file is on disk under its final name. `contradiction` says which rule the answer broke all the same.
    Saved {
        /// A broken rule of the answer that cost no file.
        contradiction: Option<String>,
    },
    /// Saving ended and files are missing; what came is kept. The words say what is missing and why.
    SavedInPart(String),
    /// The disk ran out of room while files were saved; what came is kept, and so is what the rest is had with. The
    /// words say where, how much is needed and how much there is.
    DiskFull(String),
    /// Not one file came of what [`Effect::Salvage`] asked for. The words say why.
    NothingSalvaged(String),
    /// The visitor left the screen (*cancel*). A visit whose avatar is on its way goes on without them: its URLs
    /// come once, and not for long. Any other ends.
    Left,
    /// The program is to stop (Ctrl-C, shut-down).
    Interrupted,
}

/// How a redeem ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RedeemResult {
    /// 200, and the avatar is not ready: the token is still active.
    NotReady(Progress),
    /// 200 with at least one URL: the token is spent, and the raw answer is on disk.
    Delivered,
    /// 400: the token "does not match an active Export Token".
    Refused,
    /// No answer, or one that is neither of these.
    Failed(Fault),
    /// As [`RedeemResult::Failed`]; but what came of the answer names files of the avatar, and is on disk. The next
    /// answer decides whether it was the one that spent the token.
    Fragment(Fault),
}

/// Something that went wrong between us and the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its class, on which everything is decided.
    pub kind: FaultKind,
    /// What happened, in an operator's words; no secret in it.
    pub detail: String,
    /// The backend's wish from `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without a `Retry-After`.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None }
    }
}

/// The classes of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No byte of the request left (network down, name unknown, refused, TLS).
    NeverSent,
    /// Bytes left, and no whole answer came.
    Unanswered,
    /// 429.
    Busy,
    /// 5xx by the backend itself.
    BackendFailing,
    /// 502 or 504: a gateway lost the backend's answer, whatever it was.
    GatewayLostAnswer,
    /// 401, 403, or Parse code 209, after what could be done about it.
    CredentialsRefused,
    /// A whole answer that breaks a rule of the specification (or a status that it does not list).
    ProtocolBroken,
    /// Our own disk: the intent could not be written, so nothing was sent.
    Storage,
    /// The same, because the disk is full or too full for an avatar.
    DiskFull,
}

impl FaultKind {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::NeverSent,
        Self::Unanswered,
        Self::Busy,
        Self::BackendFailing,
        Self::GatewayLostAnswer,
        Self::CredentialsRefused,
        Self::ProtocolBroken,
        Self::Storage,
        Self::DiskFull,
    ];

    /// The stable word for lines and problems.
    pub fn code(self) -> &'static str {
        match self {
            Self::NeverSent => "backend_unreachable",
            Self::Unanswered => "answer_lost",
            Self::Busy => "backend_busy",
            Self::BackendFailing | Self::GatewayLostAnswer => "backend_failing",
            Self::CredentialsRefused => "credentials_refused",
            Self::ProtocolBroken => "protocol_broken",
            Self::Storage => "storage_failed",
            Self::DiskFull => "disk_full",
        }
    }

    /// Whether the answer to a request that left may have been one that spends the token.
    pub(crate) fn may_hide_delivery(self) -> bool {
        matches!(self, Self::Unanswered | Self::GatewayLostAnswer)
    }
}

/// Something to do, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask for an Export Token; answer with [`Event::Issued`] or [`Event::IssueFailed`].
    Issue,
    /// Redeem once, the intent on disk before; answer with [`Event::Redeemed`].
    Redeem,
    /// Download and save what was delivered; answer with [`Event::Saved`] or [`Event::SavedInPart`].
    Save,
    /// Download and save what the beginning of a lost answer names: the token is refused by now, so there will be no
    /// other. Answer with [`Event::SavedInPart`], [`Event::DiskFull`] or [`Event::NothingSalvaged`].
    Salvage,
    /// Say [`Event::Due`] then. Replaces an earlier wait.
    Wait {
        /// When.
        until: Moment,
    },
    /// Something to show.
    Tell(Notice),
    /// The visit is over: stop whatever is under way. Always the last effect, and once.
    End(Outcome),
}

/// What hosts are told as it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The status changed.
    Status {
        /// What the backend said.
        progress: Progress,
        /// How long until the next poll.
        next_poll: Duration,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What failed.
        fault: Fault,
        /// The how manieth failure in a row, from 1.
        attempt: u32,
        /// How long until the next try.
        next_poll: Duration,
    },
    /// URLs came.
    Delivered,
}
