//! The steps of a visit as a whole: its start, token, phases and end, and what recovery does with it.

use super::visit_record::{DataRetainedForRecovery, VisitEnding, VisitPhase, VisitStart};
use super::visit_row::{VisitStateForStepGuards, refuse_step_unless};
use super::{Journal, column, forget, polls};
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use copresence_protocol::ExportToken;
use jiff::Timestamp;
use rusqlite::params;

impl Journal {
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
            let visit = VisitStateForStepGuards::load_row_state(tx, &id)?;
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
    pub async fn record_first_time_of_phase(
        &self,
        id: &VisitId,
        phase: VisitPhase,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let column = match phase {
            VisitPhase::Associated => "associated_at",
            VisitPhase::Queued => "queued_at",
            VisitPhase::Processing => "processing_at",
            VisitPhase::Ready => "ready_at",
            VisitPhase::Saved => "saved_at",
        };
        let id = *id;
        self.queue_write_transaction(CommitCrashPoints(CrashPoint::PhaseWriting, CrashPoint::PhaseWritten), move |tx| {
            VisitStateForStepGuards::load_row_state(tx, &id)?;
            let sql = format!("UPDATE visits SET {column} = ?2 WHERE id = ?1 AND {column} IS NULL");
            tx.execute_statement(&sql, params![id.to_string(), column::timestamp_to_micros(at)])?;
            Ok(())
        })
        .await
    }

    /// Records the end of a visit and erases every secret that recovery cannot use (see the table in `journal/mod.rs`). If
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
                let visit = VisitStateForStepGuards::load_row_state(tx, &id)?;
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
                let visit = VisitStateForStepGuards::load_row_state(tx, &id)?;
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
                VisitStateForStepGuards::load_row_state(tx, &id)?;
                tx.execute_statement(
                    "UPDATE visits SET recovery_attempts = ?2, recovery_next_attempt_at = ?3 WHERE id = ?1",
                    params![id.to_string(), attempts, column::timestamp_to_micros(next_attempt_at)],
                )?;
                Ok(())
            },
        )
        .await
    }
}

/// Whether a visit with such an ending may have something left to fetch.
fn is_recoverable_ending(ending: &VisitEnding) -> bool {
    // Without a folder, nothing was published yet: a full disk may have room tomorrow.
    matches!(ending.exit, 2 | 3 | 6 | 8 | 130) || (ending.exit == 7 && ending.directory.is_none())
}
