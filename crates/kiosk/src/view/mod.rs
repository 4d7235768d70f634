//! What hosts show: whole snapshots with a revision number, never deltas, and no secret in them.
//!
//! The types are exported to TypeScript (`ui/src/generated/view.ts`); a test holds the committed file to them. The
//! visitor's screens are here; what only an operator or an integrator sees stands in [`panel`], [`inspector`] and
//! [`checks`], and is handed out behind the PIN.

mod booth;
pub mod checks;
pub mod inspector;
pub mod panel;
mod texts;

pub use booth::BoothView;
pub use texts::Texts;

use serde::Serialize;
use ts_rs::TS;

/// Everything the window needs to draw itself, whole. One with a lower revision than the last is stale.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Snapshot {
    /// Grows by at least one with every change.
    #[ts(type = "number")]
    pub revision: u64,
    /// The backend that visits are made at.
    pub backend: BackendView,
    /// What the operator set for every screen.
    pub booth: BoothView,
    /// What is on the screen.
    pub screen: Screen,
}

/// The backend in an operator's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct BackendView {
    /// The profile's name.
    pub profile: String,
    /// Host (and port) that is asked.
    pub host: String,
    /// Whether it is the embedded sandbox and no real Copresence backend.
    pub sandbox: bool,
    /// The address that phones on this network reach the sandbox at, once the operator allowed it.
    pub phones_at: Option<String>,
}

/// The screens a visitor walks through.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Screen {
    /// Nobody is here; any button starts.
    Attract,
    /// Before the code is asked for, the visitor is told what the operator wants told, and goes on or back.
    Consent {
        /// The operator's words, in one language at least. The page shows them in the one that the visitor chose, else
        /// in the booth's first, else in the first there is.
        texts: Texts,
    },
    /// An Export Token is being asked for.
    Preparing {
        /// The visit's id.
        visit: String,
        /// What stands in the way, while it is tried again.
        trouble: Option<Problem>,
    },
    /// The QR code waits to be scanned.
    Invite {
        /// The visit's id.
        visit: String,
        /// The code with its four quiet modules, dark on light, as an SVG document.
        qr_svg: String,
        /// What the code says.
        link: String,
        /// When the token runs out (RFC 3339), where the profile knows.
        expires_at: Option<String>,
        /// Whether that moment has passed: the code is veiled and a new one is offered.
        expired: bool,
        /// Whether *play the phone* can be offered (the backend is the sandbox).
        can_play_phone: bool,
        /// What stands in the way, while it is tried again.
        trouble: Option<Problem>,
    },
    /// A phone is associated; the avatar is queued, made, or could not be made.
    Making {
        /// The visit's id.
        visit: String,
        /// `in_queue`, `processing`, `failed`, or a word that the specification does not list.
        status: String,
        /// 0 to 100.
        progress: Option<u8>,
        /// Place in the queue.
        queue_position: Option<u32>,
        /// How it went so far, oldest first: the basis of an honest time left, also after a reload.
        seen: Vec<SeenView>,
        /// What the QR said, for whoever must record again after `failed`.
        link: String,
        /// The code, likewise.
        qr_svg: String,
        /// Whether *play the phone* can be offered, which helps after `failed` only.
        can_play_phone: bool,
        /// What stands in the way, while it is tried again.
        trouble: Option<Problem>,
    },
    /// The avatar's files are being saved.
    Saving {
        /// The visit's id.
        visit: String,
        /// One entry a file.
        files: Vec<FileView>,
        /// What stands in the way, while a download is tried again.
        trouble: Option<Problem>,
    },
    /// The avatar is here.
    Reveal {
        /// The visit's id.
        visit: String,
        /// The folder it was saved to, as people read it: `~/…` below the home folder.
        directory: String,
        /// What was saved.
        files: Vec<SavedFileView>,
        /// Where the web view gets the GLB, when there is one.
        glb: Option<String>,
        /// Where the web view gets the portrait, when there is one.
        portrait: Option<String>,
    },
    /// The visitor wanted to be forgotten: files, history and journal of the visit.
    Forgetting {
        /// The visit's id.
        visit: String,
        /// How far it is.
        stand: ForgettingStand,
    },
    /// The visit ended without an avatar (or not with all of it).
    Ended {
        /// The visit's id.
        visit: String,
        /// Why, and what to do.
        problem: Problem,
        /// Whether somebody may have come: there is something of theirs to forget then.
        of_somebody: bool,
    },
}

impl Screen {
    /// The id of the visit that it shows.
    pub fn visit(&self) -> Option<&str> {
        match self {
            Self::Attract | Self::Consent { .. } => None,
            Self::Preparing { visit, .. }
            | Self::Invite { visit, .. }
            | Self::Making { visit, .. }
            | Self::Saving { visit, .. }
            | Self::Reveal { visit, .. }
            | Self::Forgetting { visit, .. }
            | Self::Ended { visit, .. } => Some(visit),
        }
    }
}

/// How far forgetting is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ForgettingStand {
    /// Under way.
    Working,
    /// Nothing of the visit is left on this machine.
    Done,
    /// Something could not be removed; the operator must know.
    Failed {
        /// What, and what to do.
        problem: Problem,
    },
}

/// One answer of the backend while the avatar is made, as far as it was new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SeenView {
    /// When it came, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at_ms: i64,
    /// 0 to 100.
    pub progress: Option<u8>,
    /// Place in the queue.
    pub queue_position: Option<u32>,
}

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FileView {
    /// The product's own name for it, as in `avatar.glb`.
    pub file: String,
    /// Bytes that came.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Bytes in all, when the backend said so.
    #[ts(type = "number | null")]
    pub total: Option<u64>,
    /// Whether all of it is on disk.
    pub whole: bool,
}

/// A file that was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SavedFileView {
    /// Its name in the avatar's folder.
    pub path: String,
    /// `export_type` as sent.
    pub export_type: String,
    /// Size in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// A failure as people need it: a stable code, and words for each of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Problem {
    /// The stable word, as in `backend_unreachable`.
    pub code: String,
    /// A sentence for the visitor.
    pub visitor: String,
    /// A sentence for the operator: what, where.
    pub operator: String,
    /// What to do about it.
    pub hint: String,
    /// Whether trying again can help.
    pub retry_helps: bool,
}
