//! The redeem journal: what was sent and what was answered, durable before the next step is taken.
//!
//! `SQLite` in WAL mode: a call that resolved has been fsynced, together with the calls that waited at the same time.
//! One thread owns the connection ([`Journal`] is a handle of it), so that no caller blocks on the disk. Other
//! processes may read and write the same journal meanwhile. The guards are checked in the transaction that writes, and
//! the two that matter most (one open intent, one delivery) are unique indexes as well.
//!
//! # The order of calls
//! ```text
//! record_visit_start → record_issued_token → { record_redeem_intent → [request] → record_redeem_never_sent
//!                                                    | record_answer_without_urls           no URLs: one transaction
//!                                                    | record_raw_answer   → [use it] → record_kind_and_erase_obsolete
//!                                                    | record_lost_answer → [use it] → record_kind_and_erase_obsolete }*
//!       → (record_truncated_delivery_erasing_token) → record_planned_files → { record_file_request → [GET] → record_file_progress* → record_complete_file_erasing_urls | record_file_failure }*
//!       → [PartialAvatarFolder::publish_complete_avatar] → record_end_and_erase_secrets
//! ```
//!
//! # What the guards refuse ([`StoreError::StepRefused`])
//! | call | refused |
//! |---|---|
//! | `record_redeem_intent` | without a token; while an intent is open; while an answer is unread; after an answer with URLs; after the end |
//! | `record_redeem_never_sent`, `record_lost_answer`, `record_raw_answer`, `record_answer_without_urls` | when that redeem is not open |
//! | `record_answer_without_urls` | for an answer whose body is to be kept |
//! | `record_kind_and_erase_obsolete` | when that redeem is open, was never sent, or was read already; of a lost answer, when no body to keep came |
//! | `record_truncated_delivery_erasing_token` | when no body of that redeem is kept; after an answer with URLs; after the end |
//! | `record_planned_files` | before an answer with URLs; a second time; after the end |
//! | `record_file_…`, `record_redirect_targets` | for a file that is not planned, or is whole; after the end |
//! | `record_issued_token` | a second time with another token; after the end |
//! | `record_end_and_erase_secrets` | a second time |
//! | `reopen_visit` | when the ending retained nothing |
//!
//! A step whose commit could not be flushed fails although it is in the database. Each step may therefore be repeated: the
//! token, a redeem's end, the kind of an answer and the plan of the files are accepted if the journal has exactly them
//! already.
//!
//! An answer to an intent that is still open is accepted after the end too, if the ending retained something: the
//! answer is worth more than the order of calls.
//!
//! # What an ending retains
//! | exit code | token and link | raw answer, URLs | evidence, file table |
//! |---|---|---|---|
//! | 0 saved | erased | erased | kept |
//! | 4 token refused | erased | erased | kept |
//! | 5 avatar failed | **kept** unless spent or refused: the visitor may record again with it | kept if it names files | kept |
//! | 9 protocol broken | **kept** unless spent or refused: the backend may be repaired | kept if it names files or is an unreadable one that was stored | kept |
//! | 7 not every file, with a folder | erased | erased | kept, with the reason of each file |
//! | 7 not every file, without a folder | erased | **kept** | kept |
//! | 10 possibly consumed | erased | erased, except an unreadable one that was stored | kept: it is the operator's proof |
//! | 2 disk, 3 credentials, 6 unreachable or download interrupted, 8 timed out, 130 interrupted | **kept** unless spent | **kept** if unread or with URLs | kept |
//! | 1 and any other | erased | erased | kept |
//! | none (crash) | kept | kept | kept |
//!
//! A visit whose backend ended with the process (`ephemeral`) retains nothing at any ending.
//! [`Journal::load_recoverable_visits`] gives what is retained. Erased means: overwritten in the database
//! (`secure_delete`), and the WAL truncated. The body of an answer without URLs is not stored, or erased once it was
//! read. The partial body of a lost or unreadable answer is kept if it names files: until an answer shows that the
//! token is active although that redeem cannot be processed any more ([`copresence_protocol::MAX_REDEEM_DELAY`]), or as
//! long as the token itself.
//!
//! An ending that retains nothing also folds the plain polls of the visit into its row (`polls.rs`).
//!
//! A forgotten visit leaves its deletion (`deletions.rs`): when what was deleted where, and nothing that it contained.

mod column;
mod damage;
mod damaged_files;
mod database;
mod deletions;
mod file_record;
mod files;
mod forget;
mod polls;
mod read;
mod redeem;
mod redeem_record;
mod repair_files;
mod schema;
#[cfg(feature = "simulation")]
pub mod simulation;
mod ticket_record;
mod tickets;
mod token_counts;
mod tokens;
mod visit_record;
mod visit_row;
mod visits;
mod wal;
mod wal_checksum;
mod wal_index;
mod writer;

pub use database::JOURNAL_FLUSHED_MESSAGE;
pub use deletions::{StoredVisitItem, StoredVisitItemKind, VisitDeletion};
pub use file_record::{DurableFileProgress, FileDownloadState, FileRecord, FileRecordWithUrl, PlannedFile};
pub use redeem_record::{
    AnswerKind, AnswerWithoutUrls, PartialResponseBody, RedeemNumber, RedeemRecord, RedeemState,
    UnfinishedVisitRedeemAndResponse, UnfinishedVisitRedeemState,
};
pub use ticket_record::{TicketClosure, TicketRecord, format_ticket_name_in_english};
pub use token_counts::{IssuedTokenOutcome, TokenCounts};
pub use visit_record::{
    DataRetainedForRecovery, DetailedVisitRecord, UnfinishedVisit, UnfinishedVisitSummary, VisitDownloadLimits,
    VisitEnding, VisitPhase, VisitRecord, VisitStart,
};

use crate::crash_point::CommitCrashPoints;
use crate::error::StoreError;
use database::{JournalDatabase, JournalTransaction, TransactionError};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use writer::JournalThreadHandle;

/// A handle of the journal. Clones share one thread and one database connection.
///
/// A call is queued when its future is first polled, and the thread runs the calls in that order. A queued call runs
/// even if its future is dropped. A call that resolved is durable. Dropping the last handle waits for what is queued.
#[derive(Clone)]
pub struct Journal {
    thread: Arc<JournalThreadHandle>,
}

impl Journal {
    /// Opens or makes the journal; repairs or replaces a damaged one. `is_any_visit_locked` says whether a program runs
    /// a visit of it. Blocks on the disk.
    pub(crate) fn open_create_or_repair_journal(
        path: &Path,
        is_any_visit_locked: &dyn Fn() -> bool,
    ) -> Result<Self, StoreError> {
        let database = damage::open_or_repair_database(path, is_any_visit_locked)?;
        Ok(Self { thread: Arc::new(JournalThreadHandle::start_thread(database)?) })
    }

    /// Opens the journal of a simulated process.
    #[cfg(feature = "simulation")]
    pub(crate) fn open_journal_for_simulation(
        path: &Path,
        database: &simulation::InMemoryJournalDatabase,
        end: simulation::SimulatedProcessEndSignal,
    ) -> Self {
        let thread = JournalThreadHandle::run_requests_on_queueing_thread(path, database.clone(), end);
        Self { thread: Arc::new(thread) }
    }

    /// Path of the database file.
    pub fn database_path(&self) -> &Path {
        self.thread.database_path()
    }

    /// Waits until everything queued before this call is durable.
    ///
    /// # Errors
    /// [`StoreError::JournalPanicked`] when the journal's thread has ended.
    pub async fn flush_queued_writes(&self) -> Result<(), StoreError> {
        self.thread.queue_and_await_request(|_| Ok(())).await
    }

    /// Queues a write transaction. It is durable when its result arrives.
    async fn queue_write_transaction<T: Send + 'static>(
        &self,
        step: CommitCrashPoints,
        act: impl FnOnce(&JournalTransaction<'_>) -> Result<T, TransactionError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.thread.queue_and_await_request(move |database| database.run_write_transaction(step, act)).await
    }

    /// Queues a write transaction and truncates the WAL after it, so that the secrets that the transaction erases
    /// are gone.
    async fn queue_write_and_truncate_wal<T: Send + 'static>(
        &self,
        step: CommitCrashPoints,
        act: impl FnOnce(&JournalTransaction<'_>) -> Result<T, TransactionError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let write = move |database: &mut JournalDatabase| {
            let value = database.run_write_transaction(step, act)?;
            database.truncate_wal();
            Ok(value)
        };
        self.thread.queue_and_await_request(write).await
    }

    /// Queues a read of one consistent snapshot.
    async fn queue_read_transaction<T: Send + 'static>(
        &self,
        act: impl FnOnce(&JournalTransaction<'_>) -> Result<T, TransactionError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.thread.queue_and_await_request(move |database| database.run_read_transaction(act)).await
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("path", &self.database_path()).finish_non_exhaustive()
    }
}
