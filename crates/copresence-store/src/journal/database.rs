//! The open database of the journal, its transactions, and how commits become durable.

use super::damaged_files::wal_path;
use crate::crash_point::{self, CommitCrashPoints, CrashPoint};
use crate::disk;
use crate::error::StoreError;
use crate::sabotage::{OmittedSafeguard, is_safeguard_omitted};
use rusqlite::{CachedStatement, Connection, Params, Row, Transaction, TransactionBehavior};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Message at the level TRACE after each flush of the journal. `copresence doctor --drill` counts it.
pub const JOURNAL_FLUSHED_MESSAGE: &str = "the journal is flushed";

/// Number of parsed statements that are kept: more than the journal has.
const CACHED_STATEMENTS: usize = 128;

/// The open database, on the journal's thread.
pub(super) struct JournalDatabase {
    /// The WAL. It stays open, because the system reports a failed write only to files that were open before it.
    wal: Option<File>,
    connection: Connection,
    path: PathBuf,
    flush: CommitFlushPolicy,
    has_unflushed_commits: bool,
    /// Whether a flush failed and no later one made good for it.
    has_failed_flush: bool,
    /// Number of the next flushes that fail.
    #[cfg(test)]
    flushes_to_fail: u32,
}

/// How commits become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommitFlushPolicy {
    /// [`JournalDatabase::flush_commits`], for many commits at once. `SQLite` flushes only for checkpoints.
    FlushWal,
    /// `SQLite`, at each commit: on a disk that does not support WAL.
    EachCommit,
    /// Commits are not flushed: for the journal of a simulated process.
    #[cfg(any(test, feature = "simulation"))]
    Never,
}

impl CommitFlushPolicy {
    /// The value of `SQLite`'s `PRAGMA synchronous`. With WAL, `normal` flushes for checkpoints only.
    pub(super) fn synchronous_pragma(self) -> &'static str {
        match self {
            Self::FlushWal => "normal",
            Self::EachCommit => "full",
            #[cfg(any(test, feature = "simulation"))]
            Self::Never => "off",
        }
    }
}

impl JournalDatabase {
    pub(super) fn new(connection: Connection, path: &Path, flush: CommitFlushPolicy) -> Self {
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        Self {
            wal: None,
            connection,
            path: path.to_owned(),
            flush,
            has_unflushed_commits: false,
            has_failed_flush: false,
            #[cfg(test)]
            flushes_to_fail: 0,
        }
    }

    /// The database file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the next flushes fail.
    #[cfg(test)]
    pub(super) fn fail_next_flushes(&mut self, count: u32) {
        self.flushes_to_fail = count;
    }

    /// Runs statements without parameters.
    #[cfg(feature = "simulation")]
    pub(super) fn execute_batch(&self, statements: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(statements).map_err(|error| StoreError::from_sqlite_error(&self.path, error))
    }

    /// Makes all commits durable. A flush that fails is repeated once, with the WAL written again.
    ///
    /// # Errors
    /// The WAL cannot be flushed. Then it is unknown which commits are durable, and the next call writes the WAL again.
    pub(super) fn flush_commits(&mut self) -> io::Result<()> {
        if self.has_unflushed_commits && self.flush == CommitFlushPolicy::FlushWal {
            if !self.has_failed_flush
                && let Err(error) = self.sync_wal()
            {
                tracing::warn!(%error, path = %self.path.display(), "the journal could not be flushed; its WAL is written again");
                self.has_failed_flush = true;
            }
            if self.has_failed_flush {
                self.rewrite_wal()?;
                self.sync_wal()?;
                self.has_failed_flush = false;
            }
        }
        self.has_unflushed_commits = false;
        Ok(())
    }

    /// Flushes the WAL.
    fn sync_wal(&mut self) -> io::Result<()> {
        #[cfg(test)]
        if self.flushes_to_fail > 0 {
            self.flushes_to_fail -= 1;
            return Err(io::Error::other("a test lets this flush fail"));
        }
        if is_safeguard_omitted(OmittedSafeguard::NoFlush) {
            return Ok(());
        }
        self.open_wal()?.sync_data()?;
        tracing::trace!("{JOURNAL_FLUSHED_MESSAGE}");
        Ok(())
    }

    /// Writes the bytes of the WAL again where they are. After a failed flush, the system may take them for written,
    /// and a further flush would succeed without writing them. No connection writes to the WAL meanwhile.
    fn rewrite_wal(&mut self) -> io::Result<()> {
        self.open_wal()?;
        let Some(wal) = &mut self.wal else { return Ok(()) };
        let write_lock =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(io::Error::other)?;
        let (mut buffer, mut offset) = (vec![0; 64 * 1024], 0);
        loop {
            wal.seek(SeekFrom::Start(offset))?;
            let count = wal.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            wal.seek(SeekFrom::Start(offset))?;
            wal.write_all(&buffer[..count])?;
            offset += count as u64;
        }
        write_lock.rollback().map_err(io::Error::other)
    }

    /// The open WAL. Fails if it was removed or replaced: `SQLite` would not find these commits again.
    fn open_wal(&mut self) -> io::Result<&File> {
        let path = wal_path(&self.path);
        let wal = match self.wal.take() {
            Some(wal) => wal,
            None => File::options().read(true).write(true).open(&path)?,
        };
        let wal = &*self.wal.insert(wal);
        if disk::is_open_file_still_at_path(wal, &path)? {
            Ok(wal)
        } else {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("{} was replaced", path.display())))
        }
    }

    /// Runs a guarded transaction: all of it or nothing. It is durable after the next
    /// [`flush_commits`](Self::flush_commits).
    pub(super) fn run_write_transaction<T>(
        &mut self,
        step: CommitCrashPoints,
        act: impl FnOnce(&JournalTransaction<'_>) -> Result<T, TransactionError>,
    ) -> Result<T, StoreError> {
        let connection = &mut self.connection;
        let has_unflushed_commits = &mut self.has_unflushed_commits;
        let run = || -> Result<T, TransactionError> {
            let tx = JournalTransaction(connection.transaction_with_behavior(TransactionBehavior::Immediate)?);
            let value = act(&tx)?;
            crash_point::reach_crash_point(step.0);
            tx.0.commit()?;
            *has_unflushed_commits = true;
            crash_point::reach_crash_point(step.1);
            Ok(value)
        };
        run().map_err(|error| error.into_store_error(&self.path))
    }

    /// Reads one consistent snapshot.
    pub(super) fn run_read_transaction<T>(
        &mut self,
        act: impl FnOnce(&JournalTransaction<'_>) -> Result<T, TransactionError>,
    ) -> Result<T, StoreError> {
        let connection = &mut self.connection;
        let run = || -> Result<T, TransactionError> { act(&JournalTransaction(connection.transaction()?)) };
        run().map_err(|error| error.into_store_error(&self.path))
    }

    /// Checks the structure of the database: `ok`, or the first thing that is wrong.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn run_sqlite_quick_check(&self) -> Result<String, StoreError> {
        let found = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        found.map_err(|error| StoreError::from_sqlite_error(&self.path, error))
    }

    /// Writes the WAL back and truncates it, so that no erased secret stays in it. While another program reads, or the
    /// WAL cannot be flushed, this is left to the next time.
    pub(super) fn truncate_wal(&mut self) {
        // `SQLite` would take a WAL for durable whose flush failed before.
        if self.has_failed_flush && self.flush_commits().is_err() {
            return;
        }
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        if !matches!(busy, Ok(false)) {
            tracing::debug!(?busy, "the journal's WAL is truncated next time");
        }
        crash_point::reach_crash_point(CrashPoint::WalTruncated);
    }
}

/// A transaction of the journal. Its statements are parsed once per connection.
pub(super) struct JournalTransaction<'a>(Transaction<'a>);

impl JournalTransaction<'_> {
    /// Runs a statement, and returns the number of changed rows.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn execute_statement(&self, statement: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.0.prepare_cached(statement)?.execute(params)
    }

    /// Runs a query of which one row is expected.
    ///
    /// # Errors
    /// [`rusqlite::Error::QueryReturnedNoRows`] without a row; those of the database and of `convert`.
    pub(super) fn query_row<T>(
        &self,
        query: &str,
        params: impl Params,
        convert: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.0.prepare_cached(query)?.query_row(params, convert)
    }

    /// Prepares a statement for several executions or rows.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn prepare_statement(&self, statement: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.0.prepare_cached(statement)
    }
}

/// Why a transaction ended without a commit.
pub(super) enum TransactionError {
    Store(StoreError),
    Database(rusqlite::Error),
}

impl TransactionError {
    /// Converts the error. `path` is the database file.
    fn into_store_error(self, path: &Path) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Database(error) => StoreError::from_sqlite_error(path, error),
        }
    }
}

impl From<StoreError> for TransactionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for TransactionError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}
