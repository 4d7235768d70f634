//! The end of a simulated process, for tests in simulated time (feature `simulation`).
//!
//! Under paused time the clock advances whenever nothing but timers is left to wait for, and the journal's thread would
//! be such a wait. In a simulation ([`crate::DataDir::open_journal_for_simulation`]) each request to the journal runs at
//! once, and the database is in memory: what survives the end of a process is decided by its requests, not by a disk.

use super::database::{CommitFlushPolicy, JournalDatabase};
use super::schema::configure_connection_and_migrate_schema;
use crate::error::StoreError;
use rusqlite::Connection;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The database of a simulated data folder, in memory, for all simulated processes that open it. Clones share it.
///
/// One database can serve many worlds one after another, which saves its schema and its parsed statements.
#[derive(Clone)]
pub struct InMemoryJournalDatabase(pub(super) Arc<Mutex<JournalDatabase>>);

impl InMemoryJournalDatabase {
    /// Creates a database without visits.
    ///
    /// # Errors
    /// A database failure.
    pub fn new() -> Result<Self, StoreError> {
        let (path, flush) = (Path::new(":memory:"), CommitFlushPolicy::Never);
        let open = || -> rusqlite::Result<Connection> {
            let mut connection = Connection::open_in_memory()?;
            configure_connection_and_migrate_schema(&mut connection, flush)?;
            Ok(connection)
        };
        let connection = open().map_err(|error| StoreError::from_sqlite_error(path, error))?;
        Ok(Self(Arc::new(Mutex::new(JournalDatabase::new(connection, path, flush)))))
    }

    /// Removes all visits.
    ///
    /// # Errors
    /// A database failure.
    pub fn remove_all_visits(&self) -> Result<(), StoreError> {
        self.execute_batch("DELETE FROM files; DELETE FROM redeems; DELETE FROM visits")
    }

    /// Makes all received bytes those of an earlier start of the machine.
    ///
    /// # Errors
    /// A database failure.
    pub fn attribute_files_to_earlier_boot(&self) -> Result<(), StoreError> {
        self.execute_batch("UPDATE files SET boot_id = 'an earlier boot'")
    }

    fn execute_batch(&self, statements: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).execute_batch(statements)
    }
}

/// Signal that ends a simulated process, at once or at a request to its journal. Afterwards the journal ignores all
/// requests, and whatever waits for the journal never continues. Clones share this state.
#[derive(Debug, Clone)]
pub struct SimulatedProcessEndSignal {
    /// Requests to the journal until the one before which the process ends. Zero: it has ended.
    requests_left: Arc<AtomicU64>,
}

impl SimulatedProcessEndSignal {
    /// A simulated process that ends when it sends its journal request number `request` (counted from 1), which is
    /// not executed.
    pub fn process_ending_at_request_number(request: u64) -> Self {
        Self { requests_left: Arc::new(AtomicU64::new(request)) }
    }

    /// A simulated process that ends only by [`Self::end_simulated_process`].
    pub fn process_without_request_limit() -> Self {
        Self::process_ending_at_request_number(u64::MAX)
    }

    /// Ends the process now.
    pub fn end_simulated_process(&self) {
        self.requests_left.store(0, Ordering::Relaxed);
    }

    /// Whether the process has ended.
    pub fn has_simulated_process_ended(&self) -> bool {
        self.requests_left.load(Ordering::Relaxed) == 0
    }

    /// Counts one journal request, and returns whether the process has ended, so that the request must not be
    /// executed.
    pub(super) fn count_request_and_check_end(&self) -> bool {
        let left = self.requests_left.load(Ordering::Relaxed).saturating_sub(1);
        self.requests_left.store(left, Ordering::Relaxed);
        left == 0
    }
}
