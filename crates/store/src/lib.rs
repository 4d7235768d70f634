//! All that reaches disk: the redeem journal, one-time downloads, saved avatars, history.
//!
//! * [`DataDir`]: the private data folder, and who holds which visit ([`Claim`]).
//! * [`Journal`]: what was begun and what came of it; the intent before each redeem, the raw answer before it is parsed.
//! * [`AvatarFolder`] → [`PartialFile`] → [`WholeFile`]: an avatar on its way, streamed in constant memory and hashed on
//!   the way; it appears by one rename, whole or not at all.
//! * [`Avatars`], [`Manifest`]: avatars that stand on disk.
//! * [`Format`]: what a file is, by its content.
//!
//! Every call blocks until what it promises is durable; nothing here knows HTTP, or asks a clock for the time.

mod avatars;
pub mod crash;
mod data_dir;
mod digest;
mod disk;
mod error;
mod flaw;
mod folder;
mod format;
mod host_file;
mod host_folder;
mod journal;
mod manifest;
mod names;
mod partial;
mod room;
mod visit_id;

pub use avatars::{Avatars, Removed};
pub use data_dir::{Claim, DataDir};
pub use digest::{Sha256, Sha256Error};
pub use disk::free_space;
pub use error::StoreError;
pub use folder::AvatarFolder;
pub use format::{Format, HEAD, contradicts, glb_length};
pub use host_file::HostFile;
pub use host_folder::HostFolder;
pub use journal::{
    AnswerKind, Ending, FileProgress, FileRecord, FileState, Fragment, Journal, Kept, Phase, PlannedFile,
    PollAnswer, RedeemNo, RedeemOutcome, RedeemRecord, RedeemState, Unfinished, UnfinishedFile,
    UnfinishedRedeem, UnfinishedSummary, VisitDetail, VisitLimits, VisitRecord, VisitRecordStart,
};
pub use manifest::{MANIFEST_NAME, Manifest, ManifestFile, MissingFile, SCHEMA_VERSION, Times};
pub use names::{MAX_NAME, Names, is_ours};
pub use partial::{PartialFile, WholeFile};
pub use room::{Room, enough};
pub use visit_id::{VisitId, VisitIdError};
