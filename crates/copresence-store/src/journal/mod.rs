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
//! | `record_file_…`, `record_redirect_target` | for a file that is not planned, or is whole; after the end |
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
mod files;
mod forget;
mod polls;
mod read;
mod record;
mod redeem;
mod repair_files;
#[cfg(feature = "simulation")]
pub mod simulation;
mod tickets;
mod tokens;
mod wal;
mod wal_checksum;
mod wal_index;
mod writer;

pub use database::JOURNAL_FLUSHED_MESSAGE;
pub use deletions::{StoredItem, StoredItemKind, VisitDeletion};
pub use record::{
    AnswerKind, AnswerWithoutUrls, DataRetainedForRecovery, DetailedVisitRecord, FileProgress, FileRecord,
    FileRecordWithUrl, FileState, PartialResponseBody, PlannedFile, RedeemNumber, RedeemRecord, RedeemState,
    TicketClosure, TicketRecord, TokenCounts, TokenUse, UnfinishedVisit, UnfinishedVisitRedeemAndResponse,
    UnfinishedVisitRedeemState, UnfinishedVisitSummary, VisitDownloadLimits, VisitEnding, VisitPhase, VisitRecord,
    VisitStart, format_ticket_name_in_english,
};

use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::private_file::{ExistingContent, open_private_file_for_writing};
use crate::visit_id::VisitId;
use copresence_protocol::ExportToken;
use database::{CommitFlushPolicy, JournalDatabase, JournalTransaction, TransactionError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use writer::JournalThreadHandle;

/// A handle of the journal. Clones share one thread and one database connection.
///
/// A call is queued when its future is first polled, and the thread runs the calls in that order. A queued call runs
/// even if its future is dropped. A call that resolved is durable. Dropping the last handle waits for what is queued.
#[derive(Clone)]
pub struct Journal {
    thread: Arc<JournalThreadHandle>,
}

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
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

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
        database: &simulation::SimulatedJournalDatabase,
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

    /// Records that a visit began.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the journal already contains a visit with this id; an I/O or database
    /// failure.
    pub async fn record_visit_start(&self, start: &VisitStart) -> Result<(), StoreError> {
        let start = start.clone();
        let out_dir = column::path_to_value(&start.out_dir)?;
        let required: Vec<&str> = start.required_exports.iter().map(copresence_protocol::ExportType::as_str).collect();
        let required = serde_json::to_string(&required).unwrap_or_default();
        let limits = start.limits;
        self.queue_write_transaction(CommitCrashPoints(CrashPoint::BeginWriting, CrashPoint::BeginWritten), move |tx| {
            let made = tx.execute_statement(
                "INSERT INTO visits (id, profile, api_url, backend_host, ephemeral, out_dir, required_exports,
                     started_at, parallel_downloads, max_file_size, patience_ms, min_free_space, keep_trying_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
                params![
                    start.id.to_string(),
                    start.profile,
                    start.api_url,
                    start.backend_host,
                    start.ephemeral,
                    out_dir,
                    required,
                    column::timestamp_to_micros(start.started_at),
                    limits.map(|limits| column::size_to_integer(limits.parallel_downloads as u64)),
                    limits.map(|limits| column::size_to_integer(limits.max_file_size)),
                    limits.map(|limits| column::duration_to_millis(limits.patience)),
                    limits.map(|limits| column::size_to_integer(limits.min_free_space)),
                    limits.map(|limits| column::duration_to_millis(limits.keep_trying))
                ],
            )?;
            refuse_step_unless(made == 1, start.id, "it began already")
        })
        .await
    }

    /// Records the issued token and the link of its QR code. Repeating it with the same token changes nothing.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the visit already has another token or has ended; [`StoreError::UnknownVisit`]; an
    /// I/O or database failure.
    pub async fn record_issued_token(
        &self,
        id: &VisitId,
        token: &ExportToken,
        link: &str,
        expires_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, token, link) = (*id, token.clone(), link.to_owned());
        self.queue_write_transaction(CommitCrashPoints(CrashPoint::TokenWriting, CrashPoint::TokenWritten), move |tx| {
            let visit = VisitRowState::load_row_state(tx, &id)?;
            visit.refuse_step_if_visit_ended()?;
            let is_recorded: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM visits WHERE id = ?1 AND token = ?2 AND issued_at = ?3)",
                params![id.to_string(), token.expose(), column::timestamp_to_micros(at)],
                |row| row.get(0),
            )?;
            // An earlier call may have failed to flush it.
            if is_recorded {
                return Ok(());
            }
            refuse_step_unless(!visit.has_been_issued, id, "it has a token already")?;
            tx.execute_statement(
                "UPDATE visits SET token = ?2, link = ?3, expires_at = ?4, issued_at = ?5 WHERE id = ?1",
                params![
                    id.to_string(),
                    token.expose(),
                    link,
                    expires_at.map(column::timestamp_to_micros),
                    column::timestamp_to_micros(at)
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Records when a phase was first seen; a second time changes nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_visit_phase(&self, id: &VisitId, phase: VisitPhase, at: Timestamp) -> Result<(), StoreError> {
        let column = match phase {
            VisitPhase::Associated => "associated_at",
            VisitPhase::Queued => "queued_at",
            VisitPhase::Processing => "processing_at",
            VisitPhase::Ready => "ready_at",
            VisitPhase::Saved => "saved_at",
        };
        let id = *id;
        self.queue_write_transaction(CommitCrashPoints(CrashPoint::PhaseWriting, CrashPoint::PhaseWritten), move |tx| {
            VisitRowState::load_row_state(tx, &id)?;
            let sql = format!("UPDATE visits SET {column} = ?2 WHERE id = ?1 AND {column} IS NULL");
            tx.execute_statement(&sql, params![id.to_string(), column::timestamp_to_micros(at)])?;
            Ok(())
        })
        .await
    }

    /// Records the end of a visit and erases every secret that recovery cannot use (see the table above). If
    /// nothing is retained, the polls of the visit are compacted as well. The avatar folder must be on disk before
    /// this call. Returns what was retained.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the visit has already ended; [`StoreError::UnknownVisit`]; an I/O or database
    /// failure.
    pub async fn record_end_and_erase_secrets(
        &self,
        id: &VisitId,
        ending: &VisitEnding,
    ) -> Result<DataRetainedForRecovery, StoreError> {
        let (id, ending) = (*id, ending.clone());
        let directory = ending.directory.as_deref().map(column::path_to_value).transpose()?;
        self.queue_write_and_truncate_wal(
            CommitCrashPoints(CrashPoint::EndWriting, CrashPoint::EndWritten),
            move |tx| {
                let visit = VisitRowState::load_row_state(tx, &id)?;
                refuse_step_unless(!visit.has_ended, id, "it ended already")?;
                let may_keep_token = matches!(ending.exit, 5 | 9);
                let open = is_recoverable_ending(&ending) || may_keep_token && visit.may_token_be_active(tx, &id)?;
                let kept = if open {
                    visit.find_data_to_retain_for_recovery(tx, &id)?
                } else {
                    DataRetainedForRecovery::Nothing
                };
                tx.execute_statement(
                    "UPDATE visits SET ended_at = ?2, ended_code = ?3, ended_exit = ?4, ended_message = ?5,
                     ended_state = ?6, directory = ?7, recoverable = ?8
                 WHERE id = ?1",
                    params![
                        id.to_string(),
                        column::timestamp_to_micros(ending.at),
                        ending.code,
                        ending.exit,
                        ending.message,
                        ending.visit_state,
                        directory,
                        kept != DataRetainedForRecovery::Nothing
                    ],
                )?;
                if kept == DataRetainedForRecovery::Nothing {
                    forget::erase_secrets_of_ended_visit(tx, &id, ending.exit)?;
                    polls::compact_polls_into_visit_row(tx, &id)?;
                }
                Ok(kept)
            },
        )
        .await
    }

    /// Reopens a visit that was interrupted by a crash, or whose ending retained data. The caller must hold its
    /// lock ([`crate::DataDir::lock_visit`]).
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the visit has ended and nothing was retained; [`StoreError::UnknownVisit`];
    /// an I/O or database failure.
    pub async fn reopen_visit(&self, id: &VisitId) -> Result<(), StoreError> {
        let id = *id;
        self.queue_write_transaction(
            CommitCrashPoints(CrashPoint::ReopenWriting, CrashPoint::ReopenWritten),
            move |tx| {
                let visit = VisitRowState::load_row_state(tx, &id)?;
                refuse_step_unless(
                    !visit.has_ended || visit.is_recoverable,
                    id,
                    "it ended, and nothing was kept of it",
                )?;
                tx.execute_statement(
                    "UPDATE visits SET reopened = reopened + 1, recoverable = 0, ended_at = NULL, ended_code = NULL,
                     ended_exit = NULL, ended_message = NULL, ended_state = NULL, directory = NULL
                 WHERE id = ?1",
                    params![id.to_string()],
                )?;
                Ok(())
            },
        )
        .await
    }

    /// Records when automatic recovery tries next to finish a visit, and how often it tried so far. Allowed after
    /// the end too.
    ///
    /// # Errors
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_next_recovery_attempt(
        &self,
        id: &VisitId,
        attempts: u32,
        next_attempt_at: Timestamp,
    ) -> Result<(), StoreError> {
        let id = *id;
        self.queue_write_transaction(
            CommitCrashPoints(CrashPoint::PostponeWriting, CrashPoint::PostponeWritten),
            move |tx| {
                VisitRowState::load_row_state(tx, &id)?;
                tx.execute_statement(
                    "UPDATE visits SET recovery_attempts = ?2, recovery_next_attempt_at = ?3 WHERE id = ?1",
                    params![id.to_string(), attempts, column::timestamp_to_micros(next_attempt_at)],
                )?;
                Ok(())
            },
        )
        .await
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

/// The state of a visit's row, as far as the guards depend on it.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of a row, and all combinations occur")]
struct VisitRowState {
    id: VisitId,
    is_ephemeral: bool,
    has_been_issued: bool,
    has_ended: bool,
    is_recoverable: bool,
    /// Whether the token is still in the journal.
    has_token: bool,
    has_delivery: bool,
    has_unread_answer: bool,
}

impl VisitRowState {
    /// Loads the state of a visit's row. An unknown visit is an error.
    fn load_row_state(tx: &JournalTransaction<'_>, id: &VisitId) -> Result<Self, TransactionError> {
        let state = tx
            .query_row(
                "SELECT ephemeral, issued_at IS NOT NULL, ended_at IS NOT NULL, recoverable, token IS NOT NULL,
                     EXISTS (SELECT 1 FROM redeems WHERE visit = id AND delivered = 1),
                     EXISTS (SELECT 1 FROM redeems WHERE visit = id AND state = 'answered' AND delivered IS NULL)
                 FROM visits WHERE id = ?1",
                [id.to_string()],
                |row| {
                    Ok(Self {
                        id: *id,
                        is_ephemeral: row.get(0)?,
                        has_been_issued: row.get(1)?,
                        has_ended: row.get(2)?,
                        is_recoverable: row.get(3)?,
                        has_token: row.get(4)?,
                        has_delivery: row.get(5)?,
                        has_unread_answer: row.get(6)?,
                    })
                },
            )
            .optional()?;
        Ok(state.ok_or(StoreError::UnknownVisit { visit: *id })?)
    }

    /// Refuses a step if the visit has ended.
    fn refuse_step_if_visit_ended(&self) -> Result<(), TransactionError> {
        refuse_step_unless(!self.has_ended, self.id, "it ended")
    }

    /// Whether the token may be active: it is kept, was not spent, and was not refused twice since the last answer that
    /// showed it active. A second refusal confirms the first.
    fn may_token_be_active(&self, tx: &JournalTransaction<'_>, id: &VisitId) -> Result<bool, TransactionError> {
        let refusals: i64 = tx.query_row(
            "SELECT count(*) FROM redeems WHERE visit = ?1 AND answer_kind = 'refused' AND no >
                 (SELECT coalesce(max(no), 0) FROM redeems WHERE visit = ?1 AND answer_kind = 'progress')",
            [id.to_string()],
            |row| row.get(0),
        )?;
        Ok(self.has_token && !self.has_delivery && refusals < 2)
    }

    /// Determines which data of an ended visit to retain, because `recover` could use it.
    fn find_data_to_retain_for_recovery(
        &self,
        tx: &JournalTransaction<'_>,
        id: &VisitId,
    ) -> Result<DataRetainedForRecovery, TransactionError> {
        if self.is_ephemeral {
            return Ok(DataRetainedForRecovery::Nothing);
        }
        if self.has_unread_answer {
            return Ok(DataRetainedForRecovery::Answer);
        }
        if !self.has_delivery {
            return Ok(if self.has_token { DataRetainedForRecovery::Token } else { DataRetainedForRecovery::Nothing });
        }
        // A response without planned files was not processed yet. Otherwise, files that are left to fetch or publish
        // count.
        let is_usable = tx.query_row(
            "SELECT CASE count(*)
                 WHEN 0 THEN EXISTS (SELECT 1 FROM redeems WHERE visit = ?1 AND delivered = 1 AND body IS NOT NULL)
                 ELSE count(*) FILTER (WHERE state <> 'failed' OR NOT spent) > 0 END
             FROM files WHERE visit = ?1",
            [id.to_string()],
            |row| row.get(0),
        )?;
        Ok(if is_usable { DataRetainedForRecovery::Answer } else { DataRetainedForRecovery::Nothing })
    }
}

/// Returns [`StoreError::StepRefused`] with the reason `why` unless `holds` is true.
fn refuse_step_unless(holds: bool, visit: VisitId, why: &'static str) -> Result<(), TransactionError> {
    if holds { Ok(()) } else { Err(StoreError::StepRefused { visit, why }.into()) }
}

/// Whether a visit with such an ending may have something left to fetch.
fn is_recoverable_ending(ending: &VisitEnding) -> bool {
    // Without a folder, nothing was published yet: a full disk may have room tomorrow.
    matches!(ending.exit, 2 | 3 | 6 | 8 | 130) || (ending.exit == 7 && ending.directory.is_none())
}

/// Opens the database of the journal, and makes or migrates it.
fn open_or_create_database(path: &Path, mut flush: CommitFlushPolicy) -> Result<JournalDatabase, StoreError> {
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
    let (connection, found) = open().map_err(|error| StoreError::from_sqlite(path, error))?;
    if found > JOURNAL_SCHEMA_VERSION {
        return Err(StoreError::JournalTooNew { path: path.to_owned(), found, known: JOURNAL_SCHEMA_VERSION });
    }
    Ok(JournalDatabase::new(connection, path, flush))
}

/// Sets the options of a connection, and creates or migrates the tables. Returns the version found or made.
fn configure_connection_and_migrate_schema(
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
    match open_private_file_for_writing(path, ExistingContent::Refuse) {
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
