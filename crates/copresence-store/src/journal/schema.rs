//! Opens the database of the journal: creates its file, and creates or migrates its tables.

use super::database::{CommitFlushPolicy, JournalDatabase};
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::private_file::{ExistingContentHandling, open_private_file_for_writing};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// The schema version that this program writes.
const JOURNAL_SCHEMA_VERSION: i64 = 7;
/// The migration from each schema version to the next, from version 1 on.
const SCHEMA_MIGRATIONS: [&str; 6] = [
    include_str!("from-1-to-2.sql"),
    include_str!("from-2-to-3.sql"),
    include_str!("from-3-to-4.sql"),
    include_str!("from-4-to-5.sql"),
    include_str!("from-5-to-6.sql"),
    include_str!("from-6-to-7.sql"),
];
/// How long to wait for another program's write.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the database of the journal, and makes or migrates it.
pub(super) fn open_or_create_database(
    path: &Path,
    mut flush: CommitFlushPolicy,
) -> Result<JournalDatabase, StoreError> {
    create_journal_file(path)?;
    let mut open = || -> rusqlite::Result<(Connection, i64)> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            // Some network disks do not support it: as durable, but readers wait while another program writes.
            tracing::warn!(%mode, path = %path.display(), "the journal's disk does not support WAL");
            flush = CommitFlushPolicy::EachCommit;
        }
        let form = configure_connection_and_migrate_schema(&mut connection, flush)?;
        Ok((connection, form))
    };
    let (connection, found) = open().map_err(|error| StoreError::from_sqlite_error(path, error))?;
    if found > JOURNAL_SCHEMA_VERSION {
        return Err(StoreError::JournalTooNew { path: path.to_owned(), found, known: JOURNAL_SCHEMA_VERSION });
    }
    Ok(JournalDatabase::new(connection, path, flush))
}

/// Sets the options of a connection, and creates or migrates the tables. Returns the version found or made.
pub(super) fn configure_connection_and_migrate_schema(
    connection: &mut Connection,
    flush: CommitFlushPolicy,
) -> rusqlite::Result<i64> {
    connection.pragma_update(None, "synchronous", flush.synchronous_pragma())?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    create_or_migrate_schema(connection)
}

/// Creates the file before `SQLite` does, so that it (and the WAL, which takes its mode) is private. `SQLite` would follow
/// a symlink; here it is an error.
fn create_journal_file(path: &Path) -> Result<(), StoreError> {
    // An existing file is not opened: its close would release the locks of `SQLite` in this process.
    match open_private_file_for_writing(path, ExistingContentHandling::Refuse) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).io_context("make", path),
    }
    // Also when it exists: a crash may have come between its creation and the flush of its folder.
    path.parent().map_or(Ok(()), disk::sync_folder_path)
}

/// The schema of a new journal. `SQLite` keeps its text in the database: without comments, it fits on the first page, which
/// is replaced when it is damaged.
fn schema_sql_without_comments() -> String {
    let lines = include_str!("schema.sql").lines().map(|line| line.split("--").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Creates the tables of a new journal, or migrates those of an earlier version, in one transaction; returns the
/// version found or made.
fn create_or_migrate_schema(connection: &mut Connection) -> rusqlite::Result<i64> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let form: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match form {
        0 => tx.execute_batch(&schema_sql_without_comments())?,
        1..JOURNAL_SCHEMA_VERSION => {
            let steps = SCHEMA_MIGRATIONS.iter().skip(usize::try_from(form - 1).unwrap_or_default());
            steps.into_iter().try_for_each(|step| tx.execute_batch(step))?;
        }
        _ => return Ok(form),
    }
    tx.pragma_update(None, "user_version", JOURNAL_SCHEMA_VERSION)?;
    tx.commit()?;
    Ok(JOURNAL_SCHEMA_VERSION)
}
