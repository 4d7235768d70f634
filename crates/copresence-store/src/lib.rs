//! Everything on disk: the redeem journal, one-time downloads, saved avatars, history.
//!
//! * [`DataDir`]: the private data folder and the locks of visits ([`VisitLock`]).
//! * [`Journal`]: the state of every visit. The intent is recorded before each redeem request, and the raw response
//!   before it is parsed.
//! * [`PartialAvatarFolder`] → [`PartialFile`] → [`CompleteFile`]: an avatar while it is downloaded, streamed and hashed in
//!   constant memory. The folder appears by one rename, complete or not at all.
//! * [`SavedAvatarOperations`], [`Manifest`]: saved avatars.
//! * [`FileFormat`]: the format of a file, detected from its content.
//!
//! Every call blocks until its result is durable. This crate does not use HTTP and does not read the clock.

mod avatar_folder;
mod boot_id;
mod complete_file;
mod content_check;
pub mod crash_point;
mod data_dir;
mod diagnostics_folder;
mod digest;
mod disk;
mod disk_space;
mod error;
mod file_names;
mod file_note;
mod file_sources;
mod folder_check;
mod format;
mod integrity;
mod journal;
mod manifest;
mod operator_file;
mod output_disk;
mod partial_file;
mod partial_folder;
mod private_file;
mod sabotage;
mod saved_avatars;
mod stored_visit_files;
mod visit_id;
mod visit_lock;

pub use avatar_folder::PartialAvatarFolder;
pub use complete_file::CompleteFile;
pub use content_check::{check_and_annotate_content, detect_error_page};
pub use data_dir::DataDir;
pub use diagnostics_folder::DiagnosticsFolderKind;
pub use digest::{ParseSha256Error, Sha256Digest};
pub use disk::free_disk_bytes;
pub use disk_space::{DownloadSpaceReservations, FileSpaceReservation, ensure_free_space};
pub use error::StoreError;
pub use file_names::{AssignedFileNames, MAX_FILE_NAME, is_avatar_file_name, is_same_export_type};
pub use file_note::SavedFileNote;
pub use folder_check::ensure_files_can_be_made;
pub use format::{FileFormat, HEAD_BYTES, glb_stated_length, is_text};
#[cfg(feature = "simulation")]
pub use journal::simulation;
pub use journal::{
    AnswerKind, AnswerWithoutUrls, DataRetainedForRecovery, DetailedVisitRecord, DurableFileProgress,
    FileDownloadState, FileRecord, FileRecordWithUrl, IssuedTokenOutcome, JOURNAL_FLUSHED_MESSAGE, Journal,
    PartialResponseBody, PlannedFile, RedeemNumber, RedeemRecord, RedeemState, StoredVisitItem, StoredVisitItemKind,
    TicketClosure, TicketRecord, TokenCounts, UnfinishedVisit, UnfinishedVisitRedeemAndResponse,
    UnfinishedVisitRedeemState, UnfinishedVisitSummary, VisitDeletion, VisitDownloadLimits, VisitEnding, VisitPhase,
    VisitRecord, VisitStart, format_ticket_name_in_english,
};
pub use manifest::{MANIFEST_NAME, Manifest, ManifestCompleteFile, MissingFile, PhaseTimestamps, SCHEMA_VERSION};
pub use operator_file::SettingsOrLogoFile;
pub use partial_file::{DecodeContentError, PartialFile};
pub use partial_folder::{FoundPartialFolder, find_partial_folders_with_files};
pub use private_file::{
    ExistingContentHandling, make_new_files_private, open_nonprivate_file_for_writing, open_private_file_for_writing,
    refuse_pipe_of_another_user, refuse_symlink,
};
pub use saved_avatars::{AvatarRemovalResult, SavedAvatarOperations};
pub use stored_visit_files::StoredVisitFileKind;
pub use visit_id::{ParseVisitIdError, VisitId};
pub use visit_lock::VisitLock;
