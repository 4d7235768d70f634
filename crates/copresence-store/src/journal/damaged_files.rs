//! The content of a journal's files, read without `SQLite`, which would change them.

use super::wal::{WalFrames, page_size_of_database};
use super::wal_index::WalIndex;
use crate::boot_id::current_boot_time;
use crate::error::{IoContext, StoreError};
use std::path::{Path, PathBuf};

/// The content of a journal's database and WAL.
pub(super) struct JournalFileContents {
    database: Vec<u8>,
    wal: Vec<u8>,
    /// `None` if the shared-memory file is missing, damaged, or of an earlier boot: a power cut leaves it older or newer
    /// than the WAL, because the system writes each to the disk when it likes.
    pub(super) index: Option<WalIndex>,
}

impl JournalFileContents {
    /// Reads the files. A missing one counts as empty.
    ///
    /// # Errors
    /// An I/O failure.
    pub(super) fn read_journal_files(path: &Path) -> Result<Self, StoreError> {
        let read = |path: &Path| match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other.io_context("read", path),
        };
        // Before the WAL: another program may write both meanwhile, the WAL first.
        let shared_memory = sqlite_file_path_with_suffix(path, "-shm");
        let index =
            WalIndex::parse_wal_index(&read(&shared_memory)?).filter(|_| was_file_changed_since_boot(&shared_memory));
        let wal = read(&wal_path(path))?;
        Ok(Self { database: read(path)?, wal, index })
    }

    /// Whether the end of the WAL is missing and the database has all of its changes. The rest of the WAL has older
    /// pages, which `SQLite` would read.
    pub(super) fn are_wal_frames_outdated(&self) -> bool {
        let Some(index) = self.index.as_ref().filter(|index| index.are_frames_in_database) else { return false };
        self.wal_frames().is_some_and(|frames| frames.is_end_of_log_missing(index))
    }

    /// The frames of the WAL; `None` if it has none.
    pub(super) fn wal_frames(&self) -> Option<WalFrames<'_>> {
        WalFrames::parse_wal_frames(&self.wal, page_size_of_database(&self.database), self.index.as_ref())
    }

    /// The frames of the WAL; `None` if the database already has all of its changes.
    fn wal_frames_unless_outdated(&self) -> Option<WalFrames<'_>> {
        self.wal_frames().filter(|_| !self.are_wal_frames_outdated())
    }

    /// The database with the WAL's frames before the first damaged one, which are those that `SQLite` reads.
    pub(super) fn database_with_frames_before_damage(&self) -> Vec<u8> {
        let mut database = self.database.clone();
        if let Some(frames) = self.wal_frames_unless_outdated() {
            frames.apply_frames_before_damage_to(&mut database);
        }
        database
    }

    /// The database with every valid change of the WAL.
    pub(super) fn database_with_valid_frames(&self) -> Vec<u8> {
        let mut database = self.database.clone();
        if let Some(frames) = self.wal_frames_unless_outdated() {
            frames.apply_valid_frames_to(&mut database);
        }
        database
    }
}

/// Whether a file was changed since the system was started. `false` if that is unknown.
fn was_file_changed_since_boot(path: &Path) -> bool {
    let changed = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    changed.zip(current_boot_time()).is_some_and(|(changed, started)| changed >= started)
}

/// Path of the WAL of the database at `path`.
pub(super) fn wal_path(path: &Path) -> PathBuf {
    sqlite_file_path_with_suffix(path, "-wal")
}

/// The path of a file that `SQLite` keeps beside a database, such as `-wal` or `-shm`: `path` with this suffix.
pub(super) fn sqlite_file_path_with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}
