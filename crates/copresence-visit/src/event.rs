//! Events that a visit receives, and the effects that it asks for.

use crate::outcome::Outcome;
use crate::time::MillisSinceOrigin;
use copresence_protocol::{DeliveredExports, ExportToken, ExportType, LinkTemplate, Progress};
use std::time::Duration;

/// An input of the visit's state machine: something that happened. An event that does not fit the state (a late timer)
/// changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum MachineEvent {
    /// The visitor pressed start.
    Started,
    /// An Export Token was issued and journalled, and its link fits a QR code.
    TokenIssued(ExportToken),
    /// The login that precedes the request for a token failed, so no token was requested.
    LoginFailed(VisitStepFailure),
    /// The request for a token failed.
    IssueFailed(VisitStepFailure),
    /// The time of the last [`MachineEffect::Wait`] has come.
    TimerFired,
    /// The redeem in flight ended.
    Redeemed(RedeemResult),
    /// Every file of the delivery is on disk under its final name.
    Saved,
    /// Saving ended and files are missing; received files are kept. The text names the missing files and why.
    SavedInPart(String),
    /// The disk became full during saving. Received bytes and the URLs are kept, so that a later run can continue. The
    /// text says where, how much is needed and how much is free.
    DiskFull(String),
    /// Our own disk failed during saving in a way other than [`MachineEvent::DiskFull`]. Received bytes and the URLs
    /// are kept, so that a later run can continue. The text says what failed.
    StorageFailed(String),
    /// Saving ended, and files are missing that may still be available: the network or the file server failed. Received
    /// bytes and the URLs are kept, so that a later run can continue. The text says which files, and why.
    DownloadsInterrupted(String),
    /// Saving ended without a single file. The text says why.
    NothingSaved(String),
    /// The visitor left the screen. The visit ends, unless an avatar is on its way: its URLs come once, and expire.
    VisitorLeft,
    /// The program stops (Ctrl-C, shutdown).
    Interrupted,
}

/// Result of one redeem.
#[derive(Debug, Clone, PartialEq)]
pub enum RedeemResult {
    /// 200 without URLs: the avatar is not ready and the token is still active.
    NotReady(Progress),
    /// 200 with at least one URL: the token is spent, and the raw body is on disk.
    Delivered(DeliveredExports),
    /// 400: the token "does not match an active Export Token". A second one confirms it.
    Refused,
    /// No response, or a response that is none of these.
    Failed(VisitStepFailure),
    /// As [`RedeemResult::Failed`], but the received part of the body names files and is on disk. The next response
    /// shows whether that redeem spent the token.
    Truncated(VisitStepFailure, TruncatedResponseFiles),
}

/// The files that a truncated or unreadable response names.
#[derive(Debug, Clone, PartialEq)]
pub struct TruncatedResponseFiles {
    /// Number of the redeem within the visit, from 1.
    pub redeem: u32,
    /// The entries that were received whole.
    pub delivery: DeliveredExports,
}

/// What is needed to issue a token and to show it: the link's template and the token's lifetime, if it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenIssueParameters {
    /// Template of the link in the QR code.
    pub link: LinkTemplate,
    /// Lifetime of an Export Token, if the profile states one.
    pub token_lifetime: Option<Duration>,
}

/// The failure of a step of a visit: of a call to the backend, or of a write to our own disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitStepFailure {
    /// Its class, which decides what the visit does.
    pub kind: VisitStepFailureKind,
    /// What happened, for an operator; contains no secret.
    pub detail: String,
    /// `Retry-After` of the response.
    pub retry_after: Option<Duration>,
}

impl VisitStepFailure {
    /// A failure without a `Retry-After`.
    pub fn new(kind: VisitStepFailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None }
    }
}

/// Why a login, token request or redeem of a visit failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitStepFailureKind {
    /// No byte of the request was sent (network down, unknown name, connection refused, TLS).
    NeverSent,
    /// The request was sent, and no whole response was received.
    Unanswered,
    /// 429.
    Busy,
    /// 5xx, from the backend or a gateway. It does not say whether the request took effect before it failed.
    /// Spec: "500 Internal Server Error – Internal server error".
    BackendFailing,
    /// A page of something between this program and the backend (a proxy, firewall or captive portal) instead of an
    /// answer of the API. It does not say whether the request reached the backend: some gates replace the response.
    Gate,
    /// As [`VisitStepFailureKind::Gate`], with proof that the request was not forwarded: a proxy or network asks for a
    /// login (407, 511).
    GateNotPassed,
    /// The server has no such endpoint (404, 405): `api_url` names something else than the API.
    NoApi,
    /// 401, 403, or Parse code 209, after a new login was tried where possible.
    CredentialsRefused,
    /// A whole response that violates the specification, or a status that it does not list.
    ProtocolViolation,
    /// Our own disk: the intent could not be written, so no request was sent.
    Storage,
    /// As [`VisitStepFailureKind::Storage`], because the disk is full or has too little space for an avatar.
    DiskFull,
}

impl VisitStepFailureKind {
    /// Every class.
    pub const ALL: [Self; 11] = [
        Self::NeverSent,
        Self::Unanswered,
        Self::Busy,
        Self::BackendFailing,
        Self::Gate,
        Self::GateNotPassed,
        Self::NoApi,
        Self::CredentialsRefused,
        Self::ProtocolViolation,
        Self::Storage,
        Self::DiskFull,
    ];

    /// The stable error code for events and problems.
    pub fn failure_code(self) -> &'static str {
        match self {
            Self::NeverSent => "backend_unreachable",
            Self::Unanswered => "answer_lost",
            Self::Busy => "backend_busy",
            Self::BackendFailing => "backend_failing",
            Self::Gate | Self::GateNotPassed => "gate",
            Self::NoApi => "no_api",
            Self::CredentialsRefused => "credentials_refused",
            Self::ProtocolViolation => "protocol_broken",
            Self::Storage => "storage_failed",
            Self::DiskFull => "disk_full",
        }
    }

    /// Whether a redeem with this failure may hide a delivery: the token may be spent, and its URLs are lost.
    ///
    /// Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is
    /// invalidated by the backend" (GET /redeemExportToken), whether or not that response is received.
    ///
    /// | answer | may have spent the token |
    /// |---|---|
    /// | never sent, or our own disk refused | no |
    /// | 401, 403 or code 209 of the API, 429 | no: the API refuses these before it looks at the token |
    /// | 407, 511 | no: a proxy or network asks for its login instead of forwarding the request |
    /// | none, or not whole | yes |
    /// | 2xx without a usable body | yes |
    /// | 5xx | yes: a backend may fail after it spent the token |
    /// | a page, a redirect, any other status | yes: something in between may replace the backend's response |
    pub fn may_have_spent_token(self) -> bool {
        match self {
            Self::NeverSent
            | Self::Busy
            | Self::GateNotPassed
            | Self::CredentialsRefused
            | Self::Storage
            | Self::DiskFull => false,
            Self::Unanswered | Self::BackendFailing | Self::Gate | Self::NoApi | Self::ProtocolViolation => true,
        }
    }

    /// Whether a request for a token with this failure may have issued one that was not received. A gate may have replaced
    /// the backend's response by its page.
    pub fn may_have_issued_unreceived_token(self) -> bool {
        matches!(self, Self::Unanswered | Self::BackendFailing | Self::Gate)
    }
}

/// An action that the host must perform. Effects are performed in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum MachineEffect {
    /// Request an Export Token; respond with [`MachineEvent::TokenIssued`] or [`MachineEvent::IssueFailed`].
    Issue(TokenIssueParameters),
    /// Journal the intent, redeem once, and respond with [`MachineEvent::Redeemed`].
    Redeem {
        /// The token to redeem.
        token: ExportToken,
    },
    /// Download and save a delivery; respond with [`MachineEvent::Saved`], [`MachineEvent::SavedInPart`],
    /// [`MachineEvent::DownloadsInterrupted`], [`MachineEvent::DiskFull`], [`MachineEvent::StorageFailed`] or
    /// [`MachineEvent::NothingSaved`].
    Save {
        /// The files to download.
        delivery: DeliveredExports,
    },
    /// Start to download the files that a truncated response names, beside the redeems that decide whether they are all
    /// there is: URLs expire soon. Nothing is journalled or published, and no event responds, until
    /// [`MachineEffect::SavePartial`]. Replaces an earlier one.
    FetchPartial {
        /// The files to download.
        delivery: DeliveredExports,
    },
    /// Journal that the truncated response of this redeem is used as the delivery, because the token is refused by now.
    UsePartial {
        /// Number of the redeem within the visit, from 1.
        redeem: u32,
    },
    /// Download and save what a truncated response names: there will be no other response with URLs. Respond as to
    /// [`MachineEffect::Save`].
    SavePartial {
        /// The files to download.
        delivery: DeliveredExports,
    },
    /// Send [`MachineEvent::TimerFired`] at that time. Replaces an earlier wait.
    Wait {
        /// When.
        until: MillisSinceOrigin,
    },
    /// Something to show.
    Notify(VisitNotice),
    /// The visit is over: stop whatever is in flight. Always the last effect, and sent once.
    End(Outcome),
}

/// What the visit's state machine tells the program that runs it: a changed status, a retry, or the delivery of URLs.
#[derive(Debug, Clone, PartialEq)]
pub enum VisitNotice {
    /// The status changed.
    Status {
        /// As the backend reported it.
        progress: Progress,
        /// Time until the next poll.
        next_poll: Duration,
    },
    /// Something failed and is retried.
    Retrying {
        /// What failed.
        failure: VisitStepFailure,
        /// Number of failures in a row, from 1.
        attempt: u32,
        /// Time until the next attempt.
        next_poll: Duration,
    },
    /// URLs were received.
    Delivered {
        /// The types of the files, as sent and in the order sent.
        exports: Vec<ExportType>,
    },
}
