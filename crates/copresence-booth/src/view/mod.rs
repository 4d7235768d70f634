//! What hosts show: whole snapshots with a revision number, never deltas, and without secrets.
//!
//! The types are exported to TypeScript (`ui/src/generated/view.ts`); a test compares the committed file. The visitor's
//! screens are in this module. [`panel`], [`inspector`] and [`checks`] are only sent behind the PIN.

mod booth;
pub mod checks;
pub mod inspector;
mod lanes;
pub mod panel;
mod problem;
mod texts;

pub use booth::VisitorScreenSettingsView;
pub use lanes::{
    ExportTokenOutcomeCountsView, IssuedTokenOutcome, LaneSettings, LanesPanelView, NextVisitorOffer,
    OperatorTicketView, PastTicketView, PickupCodeEntryView, TicketClosing, TicketColour, TicketName, TicketState,
    TicketSymbol, TicketView,
};
pub use problem::{Problem, ProblemTypescriptDeclaration};
pub use texts::LocalizedTextView;

use serde::Serialize;
use ts_rs::TS;

/// Everything that the window shows. A snapshot with a lower revision than the last one is stale.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Snapshot {
    /// Grows by at least one with every change.
    #[ts(type = "number")]
    pub revision: u64,
    /// The backend that visits use.
    pub backend: BackendView,
    /// Operator settings that every screen needs.
    pub booth: VisitorScreenSettingsView,
    /// The live tickets: visits that continue in the background, in the order of the strip. None without lanes.
    pub tickets: Vec<TicketView>,
    /// The current screen.
    pub screen: Screen,
}

/// A backend, as shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct BackendView {
    /// Profile name.
    pub profile: String,
    /// Host (and port).
    pub host: String,
    /// Whether it is the embedded sandbox and not a real Copresence backend.
    pub sandbox: bool,
    /// URL under which phones on this network reach the sandbox, if the operator allowed it.
    pub phones_at: Option<String>,
}

/// The screens of a visit.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Screen {
    /// No visitor; any button starts a visit.
    Attract,
    /// The consent text, shown before a token is requested. The visitor continues or goes back.
    Consent {
        /// The text in at least one language. The page chooses the visitor's language, else the booth's default, else
        /// the first available one.
        texts: LocalizedTextView,
    },
    /// An Export Token is being requested.
    Preparing {
        /// Visit id.
        visit: String,
        /// Current problem while the request is retried.
        #[ts(as = "Option<ProblemTypescriptDeclaration>")]
        trouble: Option<Problem>,
    },
    /// The QR code is shown and waits for a scan.
    Invite {
        /// Visit id.
        visit: String,
        /// The QR code with a quiet zone of four modules, dark on light, as an SVG document.
        qr_svg: String,
        /// The link in the code.
        link: String,
        /// Expiry of the token (RFC 3339), if the profile knows its lifetime.
        expires_at: Option<String>,
        /// Whether the token has expired: the code is hidden and a new one is offered.
        expired: bool,
        /// Whether the sandbox's phone page can be opened.
        can_play_phone: bool,
        /// The offer to hand the visit over once the code is scanned, and free the screen; none without lanes and once the
        /// code has expired.
        next_visitor: Option<NextVisitorOffer>,
        /// Current problem while polling is retried.
        #[ts(as = "Option<ProblemTypescriptDeclaration>")]
        trouble: Option<Problem>,
    },
    /// A phone is associated. The avatar is queued, processed, or has failed.
    Making {
        /// Visit id.
        visit: String,
        /// `in_queue`, `processing`, `failed`, or a status that the specification does not list.
        status: String,
        /// 0 to 100.
        progress: Option<u8>,
        /// Position in the queue.
        queue_position: Option<u32>,
        /// Status responses so far, oldest first. The page estimates the time left from them, also after a reload.
        seen: Vec<AvatarStatusChange>,
        /// The link in the code, for recording again after `failed`.
        link: String,
        /// The QR code, for recording again after `failed`.
        qr_svg: String,
        /// Whether the sandbox's phone page can be opened. Only after `failed`.
        can_play_phone: bool,
        /// The offer to hand the visit over and free the screen; none without lanes and after `failed`.
        next_visitor: Option<NextVisitorOffer>,
        /// Current problem while polling is retried.
        #[ts(as = "Option<ProblemTypescriptDeclaration>")]
        trouble: Option<Problem>,
    },
    /// The avatar's files are being downloaded.
    Saving {
        /// Visit id.
        visit: String,
        /// One entry per file.
        files: Vec<FileDownloadView>,
        /// Current problem while a download is retried.
        #[ts(as = "Option<ProblemTypescriptDeclaration>")]
        trouble: Option<Problem>,
    },
    /// The avatar is saved.
    Reveal {
        /// Visit id.
        visit: String,
        /// Folder of the avatar, `~/…` below the home folder.
        directory: String,
        /// The saved files.
        files: Vec<SavedFileView>,
        /// URL of the avatar for the web view, if there is one: a GLB, or another file with glTF in it.
        glb: Option<String>,
        /// URL of the portrait for the web view, if there is one.
        portrait: Option<String>,
    },
    /// The visit was handed over: its ticket is shown with its pickup code, once. The page leaves it as it leaves other
    /// screens.
    Ticket {
        /// Visit id.
        visit: String,
        /// The ticket.
        ticket: TicketView,
        /// The pickup code: four digits.
        pickup_code: String,
    },
    /// A ticket was chosen: its pickup code is entered. While the avatar is being made, no code is accepted.
    PickUp {
        /// Visit id.
        visit: String,
        /// The ticket.
        ticket: TicketView,
        /// State of the entry.
        entry: PickupCodeEntryView,
    },
    /// The visitor asked to delete the visit: files, history and journal.
    Forgetting {
        /// Visit id.
        visit: String,
        /// Progress of the deletion.
        stand: ForgettingProgress,
    },
    /// The visit ended without a complete avatar.
    Ended {
        /// Visit id.
        visit: String,
        /// Why, and what to do.
        #[ts(as = "ProblemTypescriptDeclaration")]
        problem: Problem,
        /// Whether a visitor may have scanned the code, so that there is data to delete.
        of_somebody: bool,
    },
}

impl Screen {
    /// The id of the visit that it shows.
    pub fn visit_id(&self) -> Option<&str> {
        match self {
            Self::Attract | Self::Consent { .. } => None,
            Self::Preparing { visit, .. }
            | Self::Invite { visit, .. }
            | Self::Making { visit, .. }
            | Self::Saving { visit, .. }
            | Self::Reveal { visit, .. }
            | Self::Ticket { visit, .. }
            | Self::PickUp { visit, .. }
            | Self::Forgetting { visit, .. }
            | Self::Ended { visit, .. } => Some(visit),
        }
    }
}

/// Progress of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ForgettingProgress {
    /// In progress.
    Working,
    /// Nothing of the visit is left on this machine.
    Done,
    /// Something could not be removed; the operator must know.
    Failed {
        /// What could not be removed, and what to do.
        #[ts(as = "ProblemTypescriptDeclaration")]
        problem: Problem,
    },
}

/// A sample of the avatar's status: a status response that differed from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct AvatarStatusChange {
    /// Time of the response, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at_ms: i64,
    /// 0 to 100.
    pub progress: Option<u8>,
    /// Position in the queue.
    pub queue_position: Option<u32>,
}

/// A file that is being downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FileDownloadView {
    /// Our name of the file, as in `avatar.glb`.
    pub file: String,
    /// Bytes received.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Size in bytes, if the backend sent it.
    #[ts(type = "number | null")]
    pub total: Option<u64>,
    /// Whether the file is complete on disk.
    pub whole: bool,
}

/// A saved file, as shown on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SavedFileView {
    /// File name in the avatar's folder.
    pub path: String,
    /// `export_type` as sent.
    pub export_type: String,
    /// Size in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}
