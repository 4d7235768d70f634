//! Everything on disk: the redeem journal, one-time downloads, saved avatars, history.
//!
//! * [`DataDir`]: the private data folder and the locks of visits ([`VisitLock`]).
//! * [`Journal`]: the state of every visit. The intent is recorded before each redeem request, and the raw response
//!   before it is parsed.
//! * [`AvatarFolder`] → [`PartialFile`] → [`CompleteFile`]: an avatar while it is downloaded, streamed and hashed in
//!   constant memory. The folder appears by one rename, complete or not at all.
//! * [`SavedAvatars`], [`Manifest`]: saved avatars.
//! * [`FileFormat`]: the format of a file, detected from its content.
//!
//! Every call blocks until its result is durable. This crate does not use HTTP and does not read the clock.

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
