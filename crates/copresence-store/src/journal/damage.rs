//! Opens a journal whose files may be damaged: sets the damaged files aside, keeps what can be read of them, and continues with it.
//!
//! | damage | what happens |
//! |---|---|
//! | the WAL is damaged in its middle | all changes are recovered if each damaged page was written again later; otherwise the rows that can be read are kept |
//! | a power cut lost writes of the WAL that were not flushed | nothing is missing that was flushed: `SQLite` reads what is before them |
//! | the header of the WAL is damaged, and `SQLite` would drop all of it | as damage in its middle |
//! | the end of the WAL, or all of it, is missing or damaged | set aside; what is before the end is kept. Noticed by the shared-memory file; after a power cut it may be older than the WAL, and without it nothing is noticed |
//! | the same, and its changes are in the database already | nothing is missing |
//! | the shared-memory file is of another machine, or damaged | `SQLite` builds it again |
//! | the database is empty, and there is no WAL | a new one is started; the log has a warning |
//! | the database is empty or missing, and there is a WAL | set aside; what the WAL has is kept |
//! | the database is damaged or not a database | set aside; the rows that can be read are kept |
//!
//! Where changes may be missing, the token of an unfinished visit may be spent: a redeem and its response may be among
//! them. A redeem without a response is added to such a visit.
//!
//! A file that is set aside is renamed to `journal-damaged-N.sqlite` (with its `-wal`) and never deleted, after the repaired
//! journal is complete: a repair that is interrupted is done again or finished at the next start
//! ([`super::repair_files`]). Nothing is renamed while another program has the journal open. The messages are errors of the
//! log, which `copresence` prints.

use super::column;
use super::damaged_files::{JournalFileContents, wal_path};
use super::database::{CommitFlushPolicy, JournalDatabase, JournalTransaction, TransactionError};
use super::repair_files::{JournalRepair, finish_interrupted_repair, has_unfinished_repair_draft};
use super::schema::{BUSY_TIMEOUT, open_or_create_database};
use super::wal::{WalFrames, page_size_of_database};
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::error::{IoContext, StoreError};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use std::path::Path;
use std::time::Duration;

/// Largest size of a database or WAL that is examined at each opening, in bytes.
const MAX_EXAMINED_SIZE: u64 = 64 << 20;

/// The tables, each after those that it refers to, and the columns of their primary keys.
const TABLES_WITH_PRIMARY_KEYS: [(&str, &str); 6] = [
    ("visits", "id"),
    ("redeems", "visit, no"),
    ("files", "visit, idx"),
    ("tickets", "visit"),
    ("deleted_tokens", "token_use"),
    ("deletions", "visit"),
];

/// Opens the journal as [`open_or_create_database`] does, also if its files are damaged. `is_any_visit_locked` says
/// whether a program runs a visit of this journal.
pub(super) fn open_or_repair_database(
    path: &Path,
    is_any_visit_locked: &dyn Fn() -> bool,
) -> Result<JournalDatabase, StoreError> {
    if let Some(kept) = finish_interrupted_repair(path)? {
        tracing::error!(
            path = %path.display(), kept = %kept.display(),
            "the journal was damaged, and its repair was interrupted: it is finished now. The last changes may be missing. \
             Run `copresence recover`, check the disk, and keep the damaged files for support"
        );
    }
    let may_replace = || !is_any_visit_locked() && !is_open_in_another_connection(path);
    // Examined again, because another program may have written or closed the journal meanwhile.
    if find_damage_missed_by_sqlite(path).is_some()
        && may_replace()
        && let Some(damage) = find_damage_missed_by_sqlite(path)
    {
        match damage {
            DamageMissedBySqlite::WalOfEmptyDatabase => {
                return rebuild_damaged_journal(path, "its database file is empty or missing");
            }
            // Not an error of the log: a power cut during the first start leaves the same.
            DamageMissedBySqlite::EmptyDatabase => tracing::warn!(
                path = %path.display(),
                "the journal was empty (0 bytes), and a new one was started: if this is not the first start of the \
                 program, its unfinished visits and its history are lost; check the disk"
            ),
            DamageMissedBySqlite::WalFrames => {
                if !repair_wal_if_lossless(path)? {
                    return rebuild_damaged_journal(path, "its WAL is damaged, or the power was cut");
                }
            }
            DamageMissedBySqlite::InterruptedRepair => {
                return rebuild_damaged_journal(path, "it was damaged, and its repair was interrupted");
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
    /// The database has no byte or is missing, and there is a WAL, which `SQLite` would delete.
    WalOfEmptyDatabase,
    /// The database has no byte. A crash during the first start leaves the same.
    EmptyDatabase,
    /// Transactions follow a damaged frame of the WAL, or its frames are older than the database.
    WalFrames,
    /// The last transactions of the WAL are missing.
    WalEnd,
    /// An earlier start found damage, and was interrupted before it had repaired it. The damage may not be found again: after
    /// a power cut, the shared-memory file is not used.
    InterruptedRepair,
}

/// Finds damage that `SQLite` would not report.
fn find_damage_missed_by_sqlite(path: &Path) -> Option<DamageMissedBySqlite> {
    match find_file_damage_missed_by_sqlite(path) {
        None | Some(DamageMissedBySqlite::EmptyDatabase) if path.exists() && has_unfinished_repair_draft(path) => {
            Some(DamageMissedBySqlite::InterruptedRepair)
        }
        found => found,
    }
}

/// Finds damage in the database and its WAL that `SQLite` would not report.
fn find_file_damage_missed_by_sqlite(path: &Path) -> Option<DamageMissedBySqlite> {
    let wal = std::fs::metadata(wal_path(path)).map_or(0, |wal| wal.len());
    let database = match std::fs::metadata(path) {
        Ok(database) => database.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && wal > 0 => 0,
        // At the first start there are no files.
        Err(_) => return None,
    };
    if database == 0 {
        return Some(if wal > 0 {
            DamageMissedBySqlite::WalOfEmptyDatabase
        } else {
            DamageMissedBySqlite::EmptyDatabase
        });
    }
    if wal > MAX_EXAMINED_SIZE || database > MAX_EXAMINED_SIZE {
        return None;
    }
    let files = JournalFileContents::read_journal_files(path).ok()?;
    let frames = files.wal_frames();
    // Without an index of this boot, the power may have been cut since the journal was written.
    let has_damaged_frames = |frames: &WalFrames<'_>| {
        frames.has_transactions_behind_damage() && !(files.index.is_none() && frames.is_first_dropped_write_lost())
    };
    if files.are_wal_frames_outdated() || frames.as_ref().is_some_and(has_damaged_frames) {
        return Some(DamageMissedBySqlite::WalFrames);
    }
    let index = files.index.as_ref().filter(|index| index.frames > 0 && !index.are_frames_in_database)?;
    frames.is_none_or(|frames| frames.is_end_of_log_missing(index)).then_some(DamageMissedBySqlite::WalEnd)
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
fn repair_wal_if_lossless(path: &Path) -> Result<bool, StoreError> {
    let files = JournalFileContents::read_journal_files(path)?;
    let is_complete = |frames: WalFrames<'_>| frames.is_every_damaged_frame_replaced();
    if !files.are_wal_frames_outdated() && !files.wal_frames().is_some_and(is_complete) {
        return Ok(false);
    }
    let repaired = files.database_with_valid_frames();
    let repair = JournalRepair::begin_repair(path)?;
    if !repair.read_with_temporary_database(&repaired, |copy| Ok(is_sound_database(copy)))? {
        return Ok(false);
    }
    repair.write_draft(&repaired)?;
    let kept = repair.replace_journal_by_draft()?;
    tracing::error!(
        path = %path.display(), kept = %kept.display(),
        "the journal's WAL was damaged; all changes were recovered, and nothing is missing. Check the disk; the damaged \
         files are kept"
    );
    Ok(true)
}

/// Makes a new journal with all rows that can be read of a damaged one, and sets the damaged files aside.
fn rebuild_damaged_journal(path: &Path, why: &str) -> Result<JournalDatabase, StoreError> {
    let files = JournalFileContents::read_journal_files(path)?;
    let repair = JournalRepair::begin_repair(path)?;
    let rows = write_readable_rows_to_draft(&repair, &files)?;
    let kept = repair.replace_journal_by_draft()?;
    tracing::error!(
        path = %path.display(), kept = %kept.display(), %why, rows,
        "the journal was damaged: a new one was started with the rows that could be read. The last changes may be \
         missing. Run `copresence recover`, check the disk, and keep the damaged files for support"
    );
    open_or_create_database(path, CommitFlushPolicy::FlushWal)
}

/// Makes the draft a journal with all rows that can be read of the damaged files, and closes it. Returns their number.
fn write_readable_rows_to_draft(repair: &JournalRepair<'_>, files: &JournalFileContents) -> Result<usize, StoreError> {
    let draft = repair.draft_path();
    let mut database = open_or_create_database(draft, CommitFlushPolicy::FlushWal)?;
    database.truncate_wal();
    // What `SQLite` would have read is consistent. What lies behind the damage is newer.
    let consistent = files.database_with_frames_before_damage();
    let newest = files.database_with_valid_frames();
    let (visits, others) = TABLES_WITH_PRIMARY_KEYS.split_at(1);
    let mut copied = 0;
    for (image, tables, condition) in [
        // A visit without a token may have got one behind the damage.
        (&consistent, visits, "issued_at IS NOT NULL"),
        (&newest, visits, "true"),
        (&consistent, visits, "true"),
        (&newest, others, "true"),
        (&consistent, others, "true"),
    ] {
        for image in [image.clone(), replace_first_page_from_new_journal(image, draft)] {
            let copy_rows = |copy: &Path| copy_readable_rows(copy, (tables, condition), &mut database);
            copied += repair.read_with_temporary_database(&image, copy_rows)?;
        }
    }
    database.run_write_transaction(CommitCrashPoints(CrashPoint::BeginWriting, CrashPoint::BeginWritten), |tx| {
        add_deliveries_of_planned_files(tx)?;
        add_redeems_that_may_be_missing(tx)
    })?;
    database.flush_commits().io_context("flush", draft)?;
    database.truncate_wal();
    Ok(copied)
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

/// Returns the database `image` with the first page of the new journal at `path`, because its own is damaged. The new
/// journal describes the same tables, and its WAL must have been empty once.
fn replace_first_page_from_new_journal(image: &[u8], path: &Path) -> Vec<u8> {
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

/// Copies the rows of these tables that can be read from the database `damaged`, satisfy this SQL condition, and are not
/// there yet. Returns their number.
///
/// # Errors
/// The new database cannot be written, or the damaged one cannot be opened. What cannot be read is no error.
fn copy_readable_rows(
    damaged: &Path,
    (tables, condition): (&[(&str, &str)], &str),
    database: &mut JournalDatabase,
) -> Result<usize, StoreError> {
    // Not attached to the new one: damage in one table would undo the transaction with the rows of all.
    let damaged = Connection::open(damaged).map_err(|error| StoreError::from_sqlite_error(damaged, error))?;
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
        let rows = read_rows_from_both_ends(&damaged, (table, condition), key, &columns);
        let (list, places) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
        let insert = format!("INSERT OR IGNORE INTO {table} ({list}) VALUES ({places})");
        let points = CommitCrashPoints(CrashPoint::BeginWriting, CrashPoint::BeginWritten);
        copied += database.run_write_transaction(points, |tx| {
            let mut insert = tx.prepare_statement(&insert)?;
            let mut inserted = 0;
            for row in rows {
                match insert.execute(params_from_iter(row)) {
                    Ok(count) => inserted += count,
                    Err(error) if is_row_refused_by_table_rule(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(inserted)
        })?;
    }
    Ok(copied)
}

/// Whether a row was refused because it breaks a rule of the new tables. Such a row is left out. Other errors are those of
/// the disk, which may be full.
fn is_row_refused_by_table_rule(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    error.sqlite_error_code().is_some_and(|code| matches!(code, ConstraintViolation | TypeMismatch | TooBig))
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

/// Reads all rows of a table that can be read and satisfy an SQL condition, some of them twice: a damaged page ends a scan,
/// and the rows behind it are read from the other end.
fn read_rows_from_both_ends(
    damaged: &Connection,
    (table, condition): (&str, &str),
    key: &str,
    columns: &[String],
) -> Vec<Vec<Value>> {
    let list = columns.join(", ");
    let backwards = key.split(", ").map(|column| format!("{column} DESC")).collect::<Vec<_>>().join(", ");
    let mut all = Vec::new();
    for order in [key, &backwards] {
        let sql = format!("SELECT {list} FROM {table} WHERE {condition} ORDER BY {order}");
        let Ok(mut select) = damaged.prepare(&sql) else { continue };
        let Ok(mut rows) = select.query([]) else { continue };
        while let Ok(Some(row)) = rows.next() {
            let values: rusqlite::Result<Vec<Value>> = (0..columns.len()).map(|index| row.get(index)).collect();
            all.extend(values.ok());
        }
    }
    all
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
    // `SQLite` deletes the WAL of an empty or missing database when it opens it.
    let is_empty = std::fs::metadata(path).map_or(0, |file| file.len()) == 0;
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
