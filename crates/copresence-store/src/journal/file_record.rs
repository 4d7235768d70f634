//! The values of files that the journal stores and returns.

use crate::digest::Sha256Digest;
use crate::file_note::SavedFileNote;
use crate::format::FileFormat;
use copresence_protocol::{DownloadUrl, ExportType};

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
pub struct DurableFileProgress {
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
    pub state: FileDownloadState,
    /// Whether the system runs since its URL was last requested. Then all bytes of its partial file are right, also
    /// those that were never flushed. False after a power cut or a restart, and if the system has no boot id.
    pub is_from_this_boot: bool,
    /// The URLs to which its URL redirected and that were not refused, for recovery only: the history does not read them.
    pub redirect_targets: Vec<DownloadUrl>,
}

/// How far the download of a file is, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileDownloadState {
    /// Its URL was never requested.
    Planned,
    /// Its URL was requested, so it may be spent.
    Requested(DurableFileProgress),
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
        progress: DurableFileProgress,
    },
}

/// The record of a file with its URL, unless the file is complete or the URL spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecordWithUrl {
    /// The file.
    pub record: FileRecord,
    /// Its URL, unless the file is complete or the URL spent.
    pub url: Option<DownloadUrl>,
}
