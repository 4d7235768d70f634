//! The files of a delivery, each with its state.

use super::database::{JournalTransaction, TransactionError};
use super::file_record::{DurableFileProgress, PlannedFile};
use super::visit_row::{VisitStateForStepGuards, refuse_step_unless};
use super::{Journal, column};
use crate::boot_id::current_boot_id;
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::digest::Sha256Digest;
use crate::error::StoreError;
use crate::file_note::SavedFileNote;
use crate::format::FileFormat;
use crate::visit_id::VisitId;
use copresence_protocol::DownloadUrl;
use rusqlite::params;

impl Journal {
    /// Records the files of the delivery. Must be called before the first file is requested.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if no response with URLs was read, if files are already planned, or if the visit
    /// has ended; [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_planned_files(&self, id: &VisitId, files: &[PlannedFile]) -> Result<(), StoreError> {
        let (id, files) = (*id, files.to_vec());
        self.queue_write_transaction(CommitCrashPoints(CrashPoint::PlanWriting, CrashPoint::PlanWritten), move |tx| {
            let visit = VisitStateForStepGuards::load_row_state(tx, &id)?;
            visit.refuse_step_if_visit_ended()?;
            refuse_step_unless(visit.has_delivery, id, "no answer with URLs was read")?;
            let planned = load_planned_files(tx, &id)?;
            let is_same = |(index, name, kind): &(usize, String, String), file: &PlannedFile| {
                (*index, name, kind.as_str()) == (file.index, &file.name, file.export_type.as_str())
            };
            // An earlier call may have failed to flush them.
            if !planned.is_empty()
                && planned.len() == files.len()
                && planned.iter().zip(&files).all(|(known, file)| is_same(known, file))
            {
                return Ok(());
            }
            refuse_step_unless(planned.is_empty(), id, "its files are planned already")?;
            let mut insert = tx.prepare_statement(
                "INSERT INTO files (visit, idx, name, export_type, url, state) VALUES (?1, ?2, ?3, ?4, ?5, 'planned')",
            )?;
            for file in files {
                insert.execute(params![
                    id.to_string(),
                    column::size_to_integer(file.index as u64),
                    file.name,
                    file.export_type.as_str(),
                    file.url.expose_url()
                ])?;
            }
            Ok(())
        })
        .await
    }

    /// Records that the URL of a file is about to be requested, and the boot of the system in which its bytes are
    /// written. Spec: "one-time download URL", so the URL may be spent from then on.
    ///
    /// The partial file must have been opened before this call: of an earlier boot, only flushed bytes may be in it.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the file is not planned or already complete, or if the visit has ended;
    /// [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_file_request(&self, id: &VisitId, index: usize) -> Result<(), StoreError> {
        self.update_unfinished_file_in_transaction(
            CommitCrashPoints(CrashPoint::RequestWriting, CrashPoint::RequestWritten),
            *id,
            index,
            move |tx, visit, index| {
                tx.execute_statement(
                    "UPDATE files SET state = 'requested', boot_id = ?3 WHERE visit = ?1 AND idx = ?2",
                    params![visit, index, current_boot_id()],
                )
            },
        )
        .await
    }

    /// Records how many bytes of a file are durable ([`crate::PartialFile::sync_and_get_durable_length`]) and what is needed to
    /// resume its download.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the file is not planned or already complete, or if the visit has ended;
    /// [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_file_progress(
        &self,
        id: &VisitId,
        index: usize,
        progress: &DurableFileProgress,
    ) -> Result<(), StoreError> {
        let progress = progress.clone();
        self.update_unfinished_file_in_transaction(
            CommitCrashPoints(CrashPoint::ProgressWriting, CrashPoint::ProgressWritten),
            *id,
            index,
            move |tx, visit, index| {
                tx.execute_statement(
                    "UPDATE files SET state = 'requested', bytes = ?3, total = ?4, validator = ?5,
                     content_encoding = ?6, notes = ?7, sha256 = ?8
                 WHERE visit = ?1 AND idx = ?2",
                    params![
                        visit,
                        index,
                        column::size_to_integer(progress.bytes),
                        progress.total.map(column::size_to_integer),
                        progress.validator,
                        progress.content_encoding,
                        file_notes_to_json(&progress.notes),
                        progress.sha256.map(|digest| digest.to_string())
                    ],
                )
            },
        )
        .await
    }

    /// Records where the URL of a file redirected, so that a later run can continue there. To be called without those that
    /// refused.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the file is not planned or already complete, or if the visit has ended;
    /// [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_redirect_targets(
        &self,
        id: &VisitId,
        index: usize,
        targets: &[DownloadUrl],
    ) -> Result<(), StoreError> {
        // A URL of a redirect was parsed, so it has no line end.
        let targets: Vec<_> = targets.iter().map(DownloadUrl::expose_url).collect();
        let targets = (!targets.is_empty()).then(|| targets.join("\n"));
        self.update_unfinished_file_in_transaction(
            CommitCrashPoints(CrashPoint::ProgressWriting, CrashPoint::ProgressWritten),
            *id,
            index,
            move |tx, visit, index| {
                tx.execute_statement(
                    "UPDATE files SET redirected_to = ?3 WHERE visit = ?1 AND idx = ?2",
                    params![visit, index, targets],
                )
            },
        )
        .await
    }

    /// Records that a file is complete and durable, and erases its URLs.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the file is not planned or already complete, or if the visit has ended;
    /// [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_complete_file_erasing_urls(
        &self,
        id: &VisitId,
        index: usize,
        bytes: u64,
        sha256: &Sha256Digest,
        format: FileFormat,
        notes: &[SavedFileNote],
    ) -> Result<(), StoreError> {
        let (sha256, notes) = (sha256.to_string(), file_notes_to_json(notes));
        self.update_unfinished_file_in_transaction(
            CommitCrashPoints(CrashPoint::WholeWriting, CrashPoint::WholeWritten),
            *id,
            index,
            move |tx, visit, index| {
                tx.execute_statement(
                    "UPDATE files SET state = 'whole', url = NULL, redirected_to = NULL, bytes = ?3, sha256 = ?4, format = ?5, spent = 1,
                     reason = NULL, notes = ?6
                 WHERE visit = ?1 AND idx = ?2",
                    params![visit, index, column::size_to_integer(bytes), sha256, format.as_manifest_name(), notes],
                )
            },
        )
        .await
    }

    /// Records that the download of a file was abandoned, and why. Erases its URLs if they are spent.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the file is not planned or already complete, or if the visit has ended;
    /// [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_file_failure(
        &self,
        id: &VisitId,
        index: usize,
        why: &str,
        spent: bool,
    ) -> Result<(), StoreError> {
        let why = why.to_owned();
        self.update_unfinished_file_in_transaction(
            CommitCrashPoints(CrashPoint::FailureWriting, CrashPoint::FailureWritten),
            *id,
            index,
            move |tx, visit, index| {
                tx.execute_statement(
                    // Only flushed bytes count from here on: the disk may have failed.
                    "UPDATE files SET state = 'failed', boot_id = NULL, reason = ?3, spent = ?4,
                     url = CASE WHEN ?4 THEN NULL ELSE url END,
                     redirected_to = CASE WHEN ?4 THEN NULL ELSE redirected_to END
                 WHERE visit = ?1 AND idx = ?2",
                    params![visit, index, why, spent],
                )
            },
        )
        .await
    }

    /// Runs an update of one file in a transaction. Refuses it if the file is not planned or already complete, or
    /// if the visit has ended.
    async fn update_unfinished_file_in_transaction(
        &self,
        step: CommitCrashPoints,
        id: VisitId,
        index: usize,
        act: impl FnOnce(&JournalTransaction<'_>, &str, i64) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.queue_write_transaction(step, move |tx| -> Result<(), TransactionError> {
            VisitStateForStepGuards::load_row_state(tx, &id)?.refuse_step_if_visit_ended()?;
            let (visit, index) = (id.to_string(), column::size_to_integer(index as u64));
            let open: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM files WHERE visit = ?1 AND idx = ?2 AND state <> 'whole')",
                params![visit, index],
                |row| row.get(0),
            )?;
            refuse_step_unless(open, id, "that file is not planned, or whole already")?;
            act(tx, &visit, index)?;
            Ok(())
        })
        .await
    }
}

/// Index, name and export type of each file of a visit, in order.
fn load_planned_files(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
) -> Result<Vec<(usize, String, String)>, TransactionError> {
    let mut query = tx.prepare_statement("SELECT idx, name, export_type FROM files WHERE visit = ?1 ORDER BY idx")?;
    let rows = query.query_map([id.to_string()], |row| {
        let index: i64 = row.get(0)?;
        Ok((usize::try_from(index).unwrap_or(usize::MAX), row.get(1)?, row.get(2)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes as JSON; `None` without notes.
fn file_notes_to_json(notes: &[SavedFileNote]) -> Option<String> {
    (!notes.is_empty()).then(|| serde_json::to_string(notes).unwrap_or_default())
}
