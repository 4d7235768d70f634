//! One file to download, and why it was not saved.

use super::delivery_journal::DeliveryJournal;
use super::download_coordinator::DownloadCoordinator;
use copresence_protocol::{DownloadUrl, ExportType};
use copresence_store::{FileRecord, FileSpaceReservation, StoreError, VisitDownloadLimits, VisitId};
use std::time::Duration;

/// Why a file was not saved.
#[derive(Debug)]
pub(crate) struct FileFailure {
    /// For the manifest and the operator.
    pub(crate) why: String,
    pub(crate) kind: FileFailureKind,
}

/// The kind of a file's failure, by what it means for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFailureKind {
    /// The file is lost for certain: the server refuses its URL, or `downloads.keep_trying` is over.
    Lost,
    /// Anything else: a later run may get the file.
    Interrupted,
    /// The disk is too full.
    DiskFull,
    /// Our own disk failed in another way.
    Storage,
}

impl FileFailure {
    /// The failure of a file that cannot be downloaded any more; `why` is the reason.
    pub(super) fn permanent_file_failure(why: impl Into<String>) -> Self {
        Self { why: why.into(), kind: FileFailureKind::Lost }
    }
}

impl From<StoreError> for FileFailure {
    fn from(error: StoreError) -> Self {
        let kind = if error.is_disk_full() { FileFailureKind::DiskFull } else { FileFailureKind::Storage };
        Self { why: error.to_string(), kind }
    }
}

/// One file to download.
pub(crate) struct FileToDownload<'a> {
    pub(crate) id: VisitId,
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) export_type: &'a ExportType,
    pub(crate) url: &'a DownloadUrl,
    pub(crate) limits: VisitDownloadLimits,
    /// Space that the file still needs.
    pub(crate) room: &'a FileSpaceReservation,
    /// Journals the state of the file.
    pub(crate) journal: &'a DeliveryJournal,
    /// Shared by all files of the visit.
    pub(crate) coordinator: &'a DownloadCoordinator,
    /// First pause before a retry; doubled after each attempt without progress.
    pub(crate) pause: Duration,
    /// The file in the journal, if an earlier run planned it.
    pub(crate) earlier: Option<&'a FileRecord>,
    /// Attempts of recovery before this one.
    pub(crate) recovery_attempts: u32,
}
