//! Opens a journal whose files may be damaged: sets the damaged files aside, keeps what can be read of them, and continues with it.
//!
//! | damage | what happens |
//! |---|---|
//! | the WAL is damaged in its middle | all changes are recovered if each damaged page was written again later; otherwise the rows that can be read are kept |
//! | a power cut lost writes of the WAL that were not flushed | nothing is missing that was flushed: `SQLite` reads what is before them |
//! | the end of the WAL, or all of it, is missing or damaged | set aside; what is before the end is kept. Noticed by the shared-memory file; after a power cut it may be older than the WAL, and without it nothing is noticed |
//! | the same, and its changes are in the database already | nothing is missing |
//! | the shared-memory file is of another machine, or damaged | `SQLite` builds it again |
//! | the database is empty, and there is no WAL | a new one is started; the log has a warning |
//! | the database is empty, and there is a WAL | set aside; what the WAL has is kept |
//! | the database is damaged or not a database | set aside; the rows that can be read are kept |
//!
//! Where changes may be missing, the token of an unfinished visit may be spent: a redeem and its response may be among
//! them. A redeem without a response is added to such a visit.
//!
//! A file that is set aside is renamed to `journal-damaged-N.sqlite` (with its `-wal`) and never deleted. Nothing is
//! renamed while another program has the journal open. The messages are errors of the log, which `copresence` prints.

use super::damaged_files::{JournalFileContents, path_with_suffix, wal_path};
use super::database::{CommitFlushPolicy, JournalDatabase, JournalTransaction, TransactionError};
use super::wal::{WalFrames, page_size_of_database};
use super::{BUSY_TIMEOUT, column, open_or_create_database};
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::private_file::{ExistingContent, open_private_file};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of a temporary database in the data folder.
const DRAFT_NAME: &str = "journal-repair.sqlite";

/// Largest size of a database or WAL that is examined at each opening, in bytes.
const MAX_EXAMINED_SIZE: u64 = 64 << 20;

/// The tables, each after those that it refers to, and the columns of their primary keys.
const TABLES: [(&str, &str); 3] = [("visits", "id"), ("redeems", "visit, no"), ("files", "visit, idx")];

/// Opens the journal as [`open_or_create_database`] does, also if its files are damaged. `is_any_visit_locked` says
/// whether a program runs a visit of this journal.
pub(super) fn open_or_repair_database(
    path: &Path,
    is_any_visit_locked: &dyn Fn() -> bool,
) -> Result<JournalDatabase, StoreError> {
    let may_replace = || !is_any_visit_locked() && !is_open_in_another_connection(path);
    // Examined again, because another program may have written or closed the journal meanwhile.
    if find_damage_before_opening(path).is_some()
        && may_replace()
        && let Some(damage) = find_damage_before_opening(path)
    {
        match damage {
            DamageMissedBySqlite::WalOfEmptyDatabase => {
                return rebuild_damaged_journal(path, "its database file is empty");
            }
            // Not an error of the log: a power cut during the first start leaves the same.
            DamageMissedBySqlite::EmptyDatabase => tracing::warn!(
                path = %path.display(),
                "the journal was empty (0 bytes), and a new one was started: if this is not the first start of the \
                 program, its unfinished visits and its history are lost; check the disk"
            ),
            DamageMissedBySqlite::WalFrames => {
                if !repair_wal(path)? {
                    return rebuild_damaged_journal(path, "its WAL is damaged, or the power was cut");
                }
            }
            DamageMissedBySqlite::WalEnd => {
                return rebuild_damaged_journal(path, "the end of its WAL is missing or damaged, or the power was cut");
            }
        }
    }
    let opened = open_or_create_database(path, CommitFlushPolicy::FlushWal);
    let why = match &opened {
        Ok(database) => match find_damage_in_database(database, path) {
            Some(why) => why,
            None => return opened,
        },
        Err(StoreError::JournalCorrupt { source, .. }) => source.to_string(),
        Err(_) => return opened,
    };
    // Closes the database, which would look like that of another program.
    let unopened = opened.map(drop);
    if may_replace() {
        return rebuild_damaged_journal(path, &why);
    }
    tracing::error!(path = %path.display(), %why, "the journal is damaged, and another program uses it: close all others");
    unopened.and_then(|()| open_or_create_database(path, CommitFlushPolicy::FlushWal))
}

/// Damage that `SQLite` would not report.
enum DamageMissedBySqlite {
    /// The database has no byte, and there is a WAL, which `SQLite` would delete.
    WalOfEmptyDatabase,
    /// The database has no byte. A crash during the first start leaves the same.
    EmptyDatabase,
    /// Transactions follow a damaged frame of the WAL, or its frames are older than the database.
    WalFrames,
    /// The last transactions of the WAL are missing.
    WalEnd,
}

/// Finds damage that `SQLite` would not report.
fn find_damage_before_opening(path: &Path) -> Option<DamageMissedBySqlite> {
    let database = std::fs::metadata(path).ok()?;
    let wal = std::fs::metadata(wal_path(path)).map_or(0, |wal| wal.len());
    if database.len() == 0 {
        return Some(if wal > 0 {
            DamageMissedBySqlite::WalOfEmptyDatabase
        } else {
            DamageMissedBySqlite::EmptyDatabase
        });
    }
    if wal > MAX_EXAMINED_SIZE || database.len() > MAX_EXAMINED_SIZE {
        return None;
    }
    let files = JournalFileContents::read_journal_files(path).ok()?;
    let frames = files.wal_frames();
    // Without an index of this boot, the power may have been cut since the journal was written.
    let has_damaged_frames = |frames: &WalFrames<'_>| {
        frames.has_dropped_transactions() && !(files.index.is_none() && frames.is_first_dropped_write_lost())
    };
    if files.are_wal_frames_outdated() || frames.as_ref().is_some_and(has_damaged_frames) {
        return Some(DamageMissedBySqlite::WalFrames);
    }
    let index = files.index.as_ref().filter(|index| index.frames > 0 && !index.are_frames_in_database)?;
    frames.is_none_or(|frames| frames.is_end_missing(index)).then_some(DamageMissedBySqlite::WalEnd)
}

/// Checks the structure of an open database; returns what is wrong.
fn find_damage_in_database(database: &JournalDatabase, path: &Path) -> Option<String> {
    if std::fs::metadata(path).map_or(0, |file| file.len()) > MAX_EXAMINED_SIZE {
        return None;
    }
    match database.run_sqlite_quick_check() {
        Ok(found) if found == "ok" => None,
        Ok(found) => Some(found.lines().next().unwrap_or_default().to_owned()),
        Err(StoreError::JournalCorrupt { source, .. }) => Some(source.to_string()),
        Err(_) => None,
    }
}

/// Repairs a database whose WAL is damaged before its last transaction, if that loses nothing. Returns whether it did.
fn repair_wal(path: &Path) -> Result<bool, StoreError> {
    let files = JournalFileContents::read_journal_files(path)?;
    let is_complete = |frames: WalFrames<'_>| frames.is_every_damaged_frame_replaced();
    if !files.are_wal_frames_outdated() && !files.wal_frames().is_some_and(is_complete) {
        return Ok(false);
    }
    let repaired = files.database_with_valid_frames();
    let draft = path.with_file_name(DRAFT_NAME);
    remove_temporary_database(&draft);
    write_private_file(&draft, &repaired)?;
    let is_sound = is_sound_database(&draft);
    remove_temporary_database(&draft);
    if !is_sound {
        return Ok(false);
    }
    let kept = rename_damaged_database(path)?;
    write_private_file(&draft, &repaired)?;
    std::fs::rename(&draft, path).io_context("rename", &draft)?;
    sync_folder_of(path)?;
    tracing::error!(
        path = %path.display(), kept = %kept.display(),
        "the journal's WAL was damaged; all changes were recovered, and nothing is missing. Check the disk; the damaged \
         files are kept"
    );
    Ok(true)
}

/// Sets the files of the journal aside, and makes a new one with all rows that can be read of them.
fn rebuild_damaged_journal(path: &Path, why: &str) -> Result<JournalDatabase, StoreError> {
    let files = JournalFileContents::read_journal_files(path)?;
    let kept = rename_damaged_database(path)?;
    let mut database = open_or_create_database(path, CommitFlushPolicy::FlushWal)?;
    database.truncate_wal();
    // What `SQLite` would have read is consistent. What lies behind the damage is newer.
    let consistent = files.database_with_frames_before_damage();
    let newest = files.database_with_valid_frames();
    let draft = path.with_file_name(DRAFT_NAME);
    let mut copied = 0;
    for (image, tables) in [(&consistent, &TABLES[..1]), (&newest, &TABLES[..]), (&consistent, &TABLES[1..])] {
        for image in [image.clone(), with_first_page_of_new_journal(image, path)] {
            remove_temporary_database(&draft);
            let rows =
                write_private_file(&draft, &image).and_then(|()| copy_readable_rows(&draft, tables, &mut database));
            match rows {
                Ok(rows) => copied += rows,
                Err(error) => tracing::warn!(%error, "a part of the damaged journal cannot be read"),
            }
        }
    }
    remove_temporary_database(&draft);
    database.run_write_transaction(CommitCrashPoints(CrashPoint::BeginWriting, CrashPoint::BeginWritten), |tx| {
        add_deliveries_of_planned_files(tx)?;
        add_redeems_that_may_be_missing(tx)
    })?;
    database.flush_commits().io_context("flush", path)?;
    tracing::error!(
        path = %path.display(), kept = %kept.display(), %why, rows = copied,
        "the journal was damaged: a new one was started with the rows that could be read. The last changes may be \
         missing. Run `copresence recover`, check the disk, and keep the damaged files for support"
    );
    Ok(database)
}

/// Adds the redeem that delivered them to each unfinished visit whose files the journal holds, if it is missing: then no
/// other row says that the token is spent, and that the files can be downloaded.
fn add_deliveries_of_planned_files(tx: &JournalTransaction<'_>) -> Result<(), TransactionError> {
    tx.execute_statement(
        "INSERT INTO redeems (visit, no, state, intent_at, ended_at, status, body_size, delivered, answer_kind)
         SELECT id, coalesce((SELECT max(no) FROM redeems WHERE visit = id), 0) + 1, 'answered', ?1, ?1, 200, 0, 1, 'delivery'
         FROM visits
         WHERE (ended_at IS NULL OR recoverable)
             AND EXISTS (SELECT 1 FROM files WHERE visit = id)
             AND NOT EXISTS (SELECT 1 FROM redeems WHERE visit = id AND delivered = 1)",
        params![column::timestamp_to_micros(Timestamp::now())],
    )?;
    Ok(())
}

/// Adds a redeem without a response to each visit whose token the journal holds, unless one has
/// none yet, or a response is not read or has URLs.
fn add_redeems_that_may_be_missing(tx: &JournalTransaction<'_>) -> Result<(), TransactionError> {
    let why = "the journal was damaged, and a redeem with its response may be missing in it";
    tx.execute_statement(
        "INSERT INTO redeems (visit, no, state, intent_at, ended_at, evidence)
         SELECT id, coalesce((SELECT max(no) FROM redeems WHERE visit = id), 0) + 1, 'unanswered', ?1, ?1, ?2
         FROM visits
         WHERE token IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM redeems WHERE visit = id
                 AND (state = 'intent' OR delivered = 1 OR (state = 'answered' AND delivered IS NULL)))",
        params![column::timestamp_to_micros(Timestamp::now()), why],
    )?;
    Ok(())
}

/// A database with the first page of the new journal at `path`, which describes the same tables: for one whose own first
/// page is damaged.
fn with_first_page_of_new_journal(image: &[u8], path: &Path) -> Vec<u8> {
    let mut image = image.to_vec();
    if let Ok(new) = std::fs::read(path)
        && let Some(first) = new.get(..page_size_of_database(&new))
        && let Some(page) = image.get_mut(..first.len())
    {
        page.copy_from_slice(first);
        // So that the size of the file counts, not the number of pages of the new journal.
        page[92..96].copy_from_slice(&[0xff; 4]);
    }
    image
}

/// Copies the rows of these tables that can be read from the database `damaged`, and that are not there yet. Returns their
/// number.
fn copy_readable_rows(
    damaged: &Path,
    tables: &[(&str, &str)],
    database: &mut JournalDatabase,
) -> Result<usize, StoreError> {
    // Not attached to the new one: damage in one table would undo the transaction with the rows of all.
    let damaged = Connection::open(damaged).map_err(|error| StoreError::from_sqlite(damaged, error))?;
    let mut copied = 0;
    for (table, key) in tables {
        let found = column_names(&damaged, table);
        let columns = database.run_read_transaction(|tx| {
            let mut query = tx.prepare_statement(COLUMN_NAMES)?;
            let known = query.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
            Ok(known.into_iter().filter(|column| found.contains(column)).collect::<Vec<_>>())
        })?;
        if columns.is_empty() {
            continue;
        }
        let rows = read_rows_from_both_ends(&damaged, table, key, &columns);
        let (list, places) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
        let insert = format!("INSERT OR IGNORE INTO {table} ({list}) VALUES ({places})");
        let points = CommitCrashPoints(CrashPoint::BeginWriting, CrashPoint::BeginWritten);
        copied += database.run_write_transaction(points, |tx| {
            let mut insert = tx.prepare_statement(&insert)?;
            // A row that breaks a rule of the new tables is left out.
            Ok(rows.into_iter().map(|row| insert.execute(params_from_iter(row)).unwrap_or_default()).sum::<usize>())
        })?;
    }
    Ok(copied)
}

/// The query for the names of a table's columns.
const COLUMN_NAMES: &str = "SELECT name FROM pragma_table_info(?1)";

/// The names of a table's columns; none if they cannot be read.
fn column_names(damaged: &Connection, table: &str) -> Vec<String> {
    let names = || -> rusqlite::Result<Vec<String>> {
        damaged.prepare(COLUMN_NAMES)?.query_map([table], |row| row.get(0))?.collect()
    };
    names().unwrap_or_default()
}

/// Reads all rows of a table that can be read, some of them twice: a damaged page ends a scan, and the rows behind it are
/// read from the other end.
fn read_rows_from_both_ends(damaged: &Connection, table: &str, key: &str, columns: &[String]) -> Vec<Vec<Value>> {
    let list = columns.join(", ");
    let backwards = key.split(", ").map(|column| format!("{column} DESC")).collect::<Vec<_>>().join(", ");
    let mut all = Vec::new();
    for order in [key, &backwards] {
        let Ok(mut select) = damaged.prepare(&format!("SELECT {list} FROM {table} ORDER BY {order}")) else { continue };
        let Ok(mut rows) = select.query([]) else { continue };
        while let Ok(Some(row)) = rows.next() {
            let values: rusqlite::Result<Vec<Value>> = (0..columns.len()).map(|index| row.get(index)).collect();
            all.extend(values.ok());
        }
    }
    all
}

/// Renames the database and its WAL to the next free name. Returns the new path of the database.
fn rename_damaged_database(path: &Path) -> Result<PathBuf, StoreError> {
    let target = (1..=u32::MAX)
        .map(|number| path.with_file_name(format!("journal-damaged-{number}.sqlite")))
        .find(|target| !target.exists() && !wal_path(target).exists())
        .unwrap_or_else(|| path.with_file_name("journal-damaged.sqlite"));
    // The WAL first: with a new database, `SQLite` would delete it.
    for (from, to) in [(wal_path(path), wal_path(&target)), (path.to_owned(), target.clone())] {
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).io_context("rename", &from);
            }
            _ => {}
        }
    }
    // It describes the WAL that is gone.
    _ = std::fs::remove_file(path_with_suffix(path, "-shm"));
    sync_folder_of(path)?;
    Ok(target)
}

/// Whether another connection has the database open, in this program or in another one.
fn is_open_in_another_connection(path: &Path) -> bool {
    let open = || -> rusqlite::Result<()> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::ZERO)?;
        // The files are left as they are.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    let busy = [rusqlite::ErrorCode::DatabaseBusy, rusqlite::ErrorCode::DatabaseLocked];
    // `SQLite` deletes the WAL of an empty database when it opens it.
    let is_empty = std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
    !is_empty && open().is_err_and(|error| error.sqlite_error_code().is_some_and(|code| busy.contains(&code)))
}

/// Whether a database passes all of `SQLite`'s checks.
fn is_sound_database(path: &Path) -> bool {
    let check = || -> rusqlite::Result<String> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
    };
    check().is_ok_and(|found| found == "ok")
}

/// Writes and flushes a private file.
fn write_private_file(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = open_private_file(path, ExistingContent::Truncate).io_context("write", path)?;
    file.write_all(content).and_then(|()| file.sync_all()).io_context("write", path)
}

/// Removes a temporary database with its WAL and shared memory.
fn remove_temporary_database(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        _ = std::fs::remove_file(path_with_suffix(path, suffix));
    }
}

fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    path.parent().map_or(Ok(()), disk::sync_folder_path)
}
