//! Failures of the file system and of the journal.

use crate::visit_id::VisitId;
use std::io;
use std::path::{Path, PathBuf};

/// A failure of the file system or the journal, or a call that the journal refuses.
///
/// No variant contains a token, a URL or a body, so an error may be printed and logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full (`ENOSPC`, a quota, a short write).
    #[error("disk full: no space left for {}; free some space and try again ({source})", path.display())]
    DiskFull {
        /// The file that was written.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The disk has less free space than needed. Nothing was written.
    #[error("disk full: needs {}, has {} in {}; free some space and try again", format_mib(*.needs), format_mib(*.has), path.display())]
    NotEnoughSpace {
        /// The folder, which need not exist.
        path: PathBuf,
        /// Bytes.
        needs: u64,
        /// Bytes.
        has: u64,
    },
    /// The file system has too few free inodes (file entries), although it may have free space. Nothing was written.
    #[error("disk full: no more files can be made in {}: needs {needs} free inodes, has {has}; remove some files and try again", path.display())]
    NotEnoughFileNodes {
        /// The folder.
        path: PathBuf,
        /// Inodes.
        needs: u64,
        /// Inodes.
        has: u64,
    },
    /// Access is denied, or the disk is mounted read-only.
    #[error("access to {} is denied: check its owner, its access rights, and whether its disk is read-only ({source})", path.display())]
    Permission {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// The failed operation, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The visit is in use by another process or another part of this process.
    #[error("the visit {visit} is in use by another copresence program: wait until it has finished, or close it")]
    VisitLocked {
        /// The visit.
        visit: VisitId,
    },
    /// The journal refuses a step that would break one of its guarantees.
    #[error("the journal refuses this step of the visit {visit}: {why}")]
    StepRefused {
        /// The visit.
        visit: VisitId,
        /// The guarantee.
        why: &'static str,
    },
    /// The journal does not contain the visit.
    #[error("there is no visit {visit} in the journal: `copresence history` lists all visits")]
    UnknownVisit {
        /// The requested visit.
        visit: VisitId,
    },
    /// A file exceeds its size limit.
    #[error("{} is larger than the limit of {max} bytes: raise the limit (`downloads.max_file_size`) if such a file is expected", path.display())]
    TooLarge {
        /// The partial file.
        path: PathBuf,
        /// The limit, in bytes.
        max: u64,
    },
    /// A file or folder exists and is not overwritten.
    #[error("{} already exists and is not overwritten: move it away and try again", path.display())]
    AlreadyExists {
        /// The existing file or folder.
        path: PathBuf,
    },
    /// The disk with the files of a visit is not mounted, so that they cannot be removed. Nothing was removed.
    #[error("the visit {visit} was kept: its files are in {}, whose disk is not mounted. Mount the disk and try again, or remove the record alone by `copresence history forget --without-files`", path.display())]
    OutputDiskMissing {
        /// The visit.
        visit: VisitId,
        /// The output folder.
        path: PathBuf,
    },
    /// An output folder is in the data folder's part for incomplete avatars, which this program cleans up.
    #[error("avatars cannot be saved in {}: incomplete avatars are kept and cleaned up there; choose another folder", path.display())]
    OutputInIncompleteFolder {
        /// The output folder.
        path: PathBuf,
    },
    /// An entry that this program did not create, or a name that it does not use.
    #[error("{} was left unchanged: {why}", path.display())]
    ForeignEntry {
        /// The entry.
        path: PathBuf,
        /// Why it is not accepted.
        why: &'static str,
    },
    /// The files in a folder differ from its manifest, or the size of a file from the number of written bytes.
    #[error("{} does not match its manifest: {why}", path.display())]
    ContentMismatch {
        /// The folder or file.
        path: PathBuf,
        /// The difference.
        why: String,
    },
    /// A `manifest.json` cannot be read.
    #[error("{} is not a manifest that this version can read: {why}", path.display())]
    UnreadableManifest {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        why: String,
    },
    /// The journal file is damaged or not a journal.
    #[error("the journal {} is damaged: move it away to start a new one, and keep it for support ({source})", path.display())]
    JournalCorrupt {
        /// The journal.
        path: PathBuf,
        /// The error of the database.
        source: rusqlite::Error,
    },
    /// Another process locked the journal for longer than the timeout of 10 s.
    #[error("the journal {} is locked by another program: close that program and try again", path.display())]
    JournalBusy {
        /// The journal.
        path: PathBuf,
    },
    /// A newer version of this program has written the journal.
    #[error("the journal {} has schema version {found}, but this version supports only {known}: use a newer version of the program", path.display())]
    JournalTooNew {
        /// The journal.
        path: PathBuf,
        /// The schema version of the journal.
        found: i64,
        /// The newest schema version that this program supports.
        known: i64,
    },
    /// A bug ended a journal call; nothing of it was written.
    #[error("the journal {} failed: an internal error, which the log describes", path.display())]
    JournalPanicked {
        /// The journal.
        path: PathBuf,
    },
    /// Any other failure of the database.
    #[error("the journal {} failed: {source}", path.display())]
    JournalFailed {
        /// The journal.
        path: PathBuf,
        /// The error of the database.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// The stable error code for scripts and reports.
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } | Self::NotEnoughSpace { .. } | Self::NotEnoughFileNodes { .. } => "disk_full",
            Self::Permission { .. } => "disk_permission",
            Self::Io { .. } => "disk_io",
            Self::VisitLocked { .. } => "visit_held",
            Self::StepRefused { .. } => "journal_guard",
            Self::UnknownVisit { .. } => "visit_unknown",
            Self::TooLarge { .. } => "file_too_large",
            Self::AlreadyExists { .. } => "folder_exists",
            Self::OutputDiskMissing { .. } => "output_disk_missing",
            Self::OutputInIncompleteFolder { .. } => "output_folder_unfit",
            Self::ForeignEntry { .. } => "not_ours",
            Self::ContentMismatch { .. } => "manifest_disagrees",
            Self::UnreadableManifest { .. } => "manifest_unreadable",
            Self::JournalCorrupt { .. } => "journal_corrupt",
            Self::JournalBusy { .. } => "journal_busy",
            Self::JournalTooNew { .. } => "journal_too_new",
            Self::JournalFailed { .. } | Self::JournalPanicked { .. } => "journal_failed",
        }
    }

    /// Whether there is not enough disk space.
    pub fn is_disk_full(&self) -> bool {
        self.error_code() == "disk_full"
    }

    /// Converts an I/O error to the matching [`StoreError`]: disk full, permission, or other.
    pub(crate) fn from_io_error(doing: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        let path = path.as_ref().to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero => {
                Self::DiskFull { path, source }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Permission { path, source },
            _ => Self::Io { doing, path, source },
        }
    }

    /// Classifies an error of the database.
    pub(crate) fn from_sqlite_error(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(Code::DiskFull) => Self::DiskFull { path, source: io::Error::new(io::ErrorKind::StorageFull, source) },
            Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => {
                Self::Permission { path, source: io::Error::new(io::ErrorKind::PermissionDenied, source) }
            }
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::JournalBusy { path },
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::JournalCorrupt { path, source },
            _ => Self::JournalFailed { path, source },
        }
    }
}

/// Formats a size in MiB.
#[expect(clippy::cast_precision_loss, reason = "only one decimal is shown")]
fn format_mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Adds the failed operation and the path to an I/O error.
pub(crate) trait IoContext<T> {
    /// Converts an I/O error to a [`StoreError`] with the failed operation and the path. `doing` is a verb.
    fn io_context(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn io_context(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::from_io_error(doing, path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_are_classified() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, "disk_full"),
            (io::ErrorKind::QuotaExceeded, "disk_full"),
            (io::ErrorKind::WriteZero, "disk_full"),
            (io::ErrorKind::PermissionDenied, "disk_permission"),
            (io::ErrorKind::ReadOnlyFilesystem, "disk_permission"),
            (io::ErrorKind::NotFound, "disk_io"),
        ] {
            let error = StoreError::from_io_error("write", "some/file", io::Error::from(kind));
            assert_eq!(error.error_code(), code);
            assert!(error.to_string().contains("some/file"), "{error}");
        }
    }
}
