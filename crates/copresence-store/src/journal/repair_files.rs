//! Replaces a damaged journal by a repaired one, so that a kill or a power cut at any moment of the repair loses nothing.
//!
//! | step | what a start does that finds it so |
//! |---|---|
//! | `journal-repair.sqlite`, the empty draft, is created | it repairs again, also if it finds no damage |
//! | the whole repaired journal is written to the draft, and flushed | it repairs again |
//! | the draft is renamed to `journal-repaired-N.sqlite` | it continues with the next step |
//! | the damaged WAL is renamed to `journal-damaged-N.sqlite-wal` | it continues with the next step |
//! | the damaged database is renamed to `journal-damaged-N.sqlite` | it continues with the next step |
//! | `journal-repaired-N.sqlite` is renamed to `journal.sqlite` | nothing |
//!
//! Each step is durable before the next one. The damaged files are unchanged until the repaired journal is complete.

use super::damaged_files::{sqlite_file_path_with_suffix, wal_path};
use crate::crash_point::{CrashPoint, reach_crash_point};
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::private_file::{ExistingContentHandling, open_private_file_for_writing};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Name of the draft of a repaired journal.
const DRAFT_NAME: &str = "journal-repair.sqlite";

/// Name of a temporary copy of the damaged journal, from which the rows are read.
const SOURCE_NAME: &str = "journal-repair-source.sqlite";

/// A repair that was begun. Dropped before its end, it leaves the draft, and the next start repairs again.
pub(super) struct JournalRepair<'a> {
    path: &'a Path,
    draft: PathBuf,
    source: PathBuf,
}

impl<'a> JournalRepair<'a> {
    /// Begins the repair of the journal at `path`: makes the empty draft durable.
    ///
    /// # Errors
    /// An I/O failure.
    pub(super) fn begin_repair(path: &'a Path) -> Result<Self, StoreError> {
        let draft = path.with_file_name(DRAFT_NAME);
        for suffix in ["-wal", "-shm"] {
            _ = std::fs::remove_file(sqlite_file_path_with_suffix(&draft, suffix));
        }
        write_private_file(&draft, &[])?;
        sync_folder_of(path)?;
        reach_crash_point(CrashPoint::RepairBegun);
        Ok(Self { path, draft, source: path.with_file_name(SOURCE_NAME) })
    }

    /// Path of the draft, an empty file at first. To be filled by `SQLite`, or by [`write_draft`](Self::write_draft).
    pub(super) fn draft_path(&self) -> &Path {
        &self.draft
    }

    /// Writes the draft.
    ///
    /// # Errors
    /// An I/O failure.
    pub(super) fn write_draft(&self, content: &[u8]) -> Result<(), StoreError> {
        write_private_file(&self.draft, content)
    }

    /// Runs `read` with a temporary database of this content.
    ///
    /// # Errors
    /// An I/O failure, and those of `read`.
    pub(super) fn read_with_temporary_database<T>(
        &self,
        content: &[u8],
        read: impl FnOnce(&Path) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        remove_temporary_database(&self.source);
        let result = write_private_file(&self.source, content).and_then(|()| read(&self.source));
        remove_temporary_database(&self.source);
        result
    }

    /// Replaces the journal by the draft, which no connection has open, and sets the damaged files aside. Returns the new
    /// path of the damaged database, or of its WAL if there is no database.
    ///
    /// # Errors
    /// An I/O failure. The next start continues.
    pub(super) fn replace_journal_by_draft(self) -> Result<PathBuf, StoreError> {
        if std::fs::metadata(wal_path(&self.draft)).is_ok_and(|wal| wal.len() > 0) {
            let why = io::Error::other("its WAL could not be written back");
            return Err(why).io_context("write", &self.draft);
        }
        remove_temporary_database(&self.source);
        for suffix in ["-wal", "-shm"] {
            _ = std::fs::remove_file(sqlite_file_path_with_suffix(&self.draft, suffix));
        }
        let draft = std::fs::File::options().write(true).open(&self.draft).io_context("open", &self.draft)?;
        draft.sync_all().io_context("flush", &self.draft)?;
        drop(draft);
        reach_crash_point(CrashPoint::RepairDraftFlushed);
        let number = find_unused_set_aside_number(self.path);
        let repaired = repaired_path(self.path, number);
        std::fs::rename(&self.draft, &repaired).io_context("rename", &self.draft)?;
        sync_folder_of(self.path)?;
        reach_crash_point(CrashPoint::RepairDraftComplete);
        replace_journal_by_repaired(self.path, number)
    }
}

/// Whether a repair was begun, and ended before its draft was complete.
pub(super) fn has_unfinished_repair_draft(path: &Path) -> bool {
    path.with_file_name(DRAFT_NAME).exists()
}

/// Ends a repair that was interrupted after its draft was complete. Returns the path of the damaged database, or of its WAL
/// if there is no database; `None` if there is no such repair.
///
/// Call it before anything opens the journal at `path`.
///
/// # Errors
/// An I/O failure. The next call continues.
pub(super) fn finish_interrupted_repair(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let Some(folder) = path.parent() else { return Ok(None) };
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).io_context("list", folder)? {
        let name = entry.io_context("list", folder)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("journal-repaired-")?.strip_suffix(".sqlite"));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    numbers.into_iter().max().map(|number| replace_journal_by_repaired(path, number)).transpose()
}

/// Sets the damaged files aside under this number, those that are not yet, and renames the repaired journal to `path`.
/// Returns the new path of the damaged database, or of its WAL if there is no database.
fn replace_journal_by_repaired(path: &Path, number: u32) -> Result<PathBuf, StoreError> {
    let mut target = damaged_path(path, number);
    if target.exists() && path.exists() {
        // A version that does not know this repair has started a journal meanwhile.
        target = damaged_path(path, find_unused_set_aside_number(path));
    }
    // The WAL first: with the repaired database, `SQLite` would read it.
    for (from, to, point) in [
        (wal_path(path), wal_path(&target), CrashPoint::DamagedWalRenamed),
        (path.to_owned(), target.clone(), CrashPoint::DamagedDatabaseRenamed),
    ] {
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).io_context("rename", &from),
            _ => {}
        }
        reach_crash_point(point);
    }
    // It describes the WAL that is gone.
    _ = std::fs::remove_file(sqlite_file_path_with_suffix(path, "-shm"));
    sync_folder_of(path)?;
    let repaired = repaired_path(path, number);
    std::fs::rename(&repaired, path).io_context("rename", &repaired)?;
    sync_folder_of(path)?;
    reach_crash_point(CrashPoint::RepairedJournalRenamed);
    Ok(if target.exists() { target } else { wal_path(&target) })
}

/// The first number under which nothing is set aside.
fn find_unused_set_aside_number(path: &Path) -> u32 {
    let is_free = |number: &u32| {
        let target = damaged_path(path, *number);
        !target.exists() && !wal_path(&target).exists()
    };
    (1..u32::MAX).find(is_free).unwrap_or(u32::MAX)
}

/// The path of a damaged database that was set aside.
fn damaged_path(path: &Path, number: u32) -> PathBuf {
    path.with_file_name(format!("journal-damaged-{number}.sqlite"))
}

/// The path of a repaired journal whose damaged files are set aside under this number.
fn repaired_path(path: &Path, number: u32) -> PathBuf {
    path.with_file_name(format!("journal-repaired-{number}.sqlite"))
}

/// Writes and flushes a private file.
fn write_private_file(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = open_private_file_for_writing(path, ExistingContentHandling::Truncate).io_context("write", path)?;
    file.write_all(content).and_then(|()| file.sync_all()).io_context("write", path)
}

/// Removes a temporary database with its WAL and shared memory.
fn remove_temporary_database(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        _ = std::fs::remove_file(sqlite_file_path_with_suffix(path, suffix));
    }
}

/// Flushes the folder that contains the file at `path`.
fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    path.parent().map_or(Ok(()), disk::sync_folder_path)
}
