//! What can go wrong on disk: what, where, and what to do.

use crate::visit_id::VisitId;
use std::io;
use std::path::{Path, PathBuf};

/// A failure of the disk, of the journal, or a call that the journal's guards refuse.
///
/// No variant holds a token, a URL or a body: it may be printed and logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room left (`ENOSPC`, a quota, a short write).
    #[error("disk full: no room left for {}; free some and try again ({source})", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not as much room left as is needed; found out before anything was written.
    #[error("disk full: needs {}, has {} in {}; free some and try again", mib(*.needs), mib(*.has), path.display())]
    NoRoom {
        /// The folder, which may be yet to come.
        path: PathBuf,
        /// Bytes.
        needs: u64,
        /// Bytes.
        has: u64,
    },
    /// The system forbids it (access rights, or a disk that is mounted read-only).
    #[error("{} may not be written or read: check its owner, its access rights, and whether its disk is read-only ({source})", path.display())]
    Permission {
        /// What was to be opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process (or another part of this one) has this visit in its hands.
    #[error(
        "the visit {visit} is held by another running copresence program: let that one finish, or close it"
    )]
    Held {
        /// The visit.
        visit: VisitId,
    },
    /// The journal refuses a step that would break one of its promises.
    #[error("the journal refuses this step of the visit {visit}: {why}")]
    Guard {
        /// The visit.
        visit: VisitId,
        /// The promise that would have been broken.
        why: &'static str,
    },
    /// The journal knows no such visit.
    #[error("there is no visit {visit} in the journal: `copresence history` lists those that there are")]
    UnknownVisit {
        /// The visit asked for.
        visit: VisitId,
    },
    /// A file grew over the size that the caller allowed.
    #[error("{} is larger than the {max} bytes allowed: raise the limit if such a file is expected", path.display())]
    TooLarge {
        /// The partial file.
        path: PathBuf,
        /// The limit, in bytes.
        max: u64,
    },
    /// A folder of that name is there already; nothing is ever overwritten.
    #[error("{} is there already, and nothing is overwritten: move it away and try again", path.display())]
    Exists {
        /// What stands in the way.
        path: PathBuf,
    },
    /// Something that this program did not put there, or a name that it never gives.
    #[error("{} is left alone: {why}", path.display())]
    NotOurs {
        /// What was found.
        path: PathBuf,
        /// Why it is not taken for our own.
        why: &'static str,
    },
    /// The files in the folder are not those that the manifest names.
    #[error("{} does not agree with its manifest: {why}", path.display())]
    Disagrees {
        /// The folder or file.
        path: PathBuf,
        /// Where they differ.
        why: String,
    },
    /// A `manifest.json` that cannot be read.
    #[error("{} is not a manifest that this version can read: {why}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The journal file is damaged or is no journal.
    #[error("the journal {} is damaged: move it away to begin a new one, and keep it for support ({source})", path.display())]
    JournalCorrupt {
        /// The journal.
        path: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
    /// Another process kept the journal locked for longer than the patience of ten seconds.
    #[error("the journal {} is kept busy by another program: close it and try again", path.display())]
    JournalBusy {
        /// The journal.
        path: PathBuf,
    },
    /// The journal was written by a newer version.
    #[error("the journal {} has the form {found}, and this version knows forms up to {known}: use the newer program", path.display())]
    JournalTooNew {
        /// The journal.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that this version knows.
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
    Journal {
        /// The journal.
        path: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// A stable word for scripts and reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } | Self::NoRoom { .. } => "disk_full",
            Self::Permission { .. } => "disk_permission",
            Self::Io { .. } => "disk_io",
            Self::Held { .. } => "visit_held",
            Self::Guard { .. } => "journal_guard",
            Self::UnknownVisit { .. } => "visit_unknown",
            Self::TooLarge { .. } => "file_too_large",
            Self::Exists { .. } => "folder_exists",
            Self::NotOurs { .. } => "not_ours",
            Self::Disagrees { .. } => "manifest_disagrees",
            Self::Manifest { .. } => "manifest_unreadable",
            Self::JournalCorrupt { .. } => "journal_corrupt",
            Self::JournalBusy { .. } => "journal_busy",
            Self::JournalTooNew { .. } => "journal_too_new",
            Self::Journal { .. } | Self::JournalPanicked { .. } => "journal_failed",
        }
    }

    /// Whether room on the disk is what is missing.
    pub fn is_disk_full(&self) -> bool {
        self.code() == "disk_full"
    }

    /// Whether the same call may work later, when a person has made room or closed the other program.
    pub fn is_remediable(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. }
                | Self::NoRoom { .. }
                | Self::Permission { .. }
                | Self::Held { .. }
                | Self::JournalBusy { .. }
        )
    }

    pub(crate) fn io(doing: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        let path = path.as_ref().to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero => {
                Self::DiskFull { path, source }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { path, source }
            }
            _ => Self::Io { doing, path, source },
        }
    }

    pub(crate) fn journal(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(Code::DiskFull) => {
                Self::DiskFull { path, source: io::Error::new(io::ErrorKind::StorageFull, source) }
            }
            Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => {
                Self::Permission { path, source: io::Error::new(io::ErrorKind::PermissionDenied, source) }
            }
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::JournalBusy { path },
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::JournalCorrupt { path, source },
            _ => Self::Journal { path, source },
        }
    }
}

/// A size for people.
#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Names what was being done, and where, when the file system fails.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::io(doing, path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_forbidden_one_have_words_of_their_own() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, "disk_full"),
            (io::ErrorKind::QuotaExceeded, "disk_full"),
            (io::ErrorKind::WriteZero, "disk_full"),
            (io::ErrorKind::PermissionDenied, "disk_permission"),
            (io::ErrorKind::ReadOnlyFilesystem, "disk_permission"),
            (io::ErrorKind::NotFound, "disk_io"),
        ] {
            let error = StoreError::io("write", "some/file", io::Error::from(kind));
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains("some/file"), "{error}");
        }
    }
}
