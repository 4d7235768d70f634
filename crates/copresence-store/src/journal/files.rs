//! The files of a delivery, each with its state.

use super::record::{FileProgress, PlannedFile};
use super::writer::TransactionError;
use super::{Journal, VisitRowState, column, require};
use crate::crash_point::{CrashPoint, JournalStep};
use crate::digest::Sha256;
use crate::error::StoreError;
use crate::format::FileFormat;
use crate::visit_id::VisitId;
use rusqlite::{Transaction, params};

impl Journal {
    /// Records the files of the delivery, before the first of them is requested.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] before an answer with URLs, a second time, and after the end; [`StoreError::UnknownVisit`];
    /// failures of the disk or the database.
    pub async fn record_planned_files(&self, id: &VisitId, files: &[PlannedFile]) -> Result<(), StoreError> {
        let (id, files) = (*id, files.to_vec());
        self.write(JournalStep(CrashPoint::PlanWriting, CrashPoint::PlanWritten), move |tx| {
            let visit = VisitRowState::load(tx, &id)?;
            visit.require_not_ended()?;
            require(visit.has_delivery, id, "no answer with URLs was read")?;
            let planned: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM files WHERE visit = ?1)",
                [id.to_string()],
                |row| row.get(0),
            )?;
            require(!planned, id, "its files are planned already")?;
            let mut insert = tx.prepare(
                "INSERT INTO files (visit, idx, name, export_type, url, state) VALUES (?1, ?2, ?3, ?4, ?5, 'planned')",
            )?;
            for file in files {
                insert.execute(params![
                    id.to_string(),
                    column::to_integer(file.index as u64),
                    file.name,
                    file.export_type.as_str(),
                    file.url.expose()
                ])?;
            }
            Ok(())
        })
        .await
    }

    /// Records that a file's URL is about to be requested. Spec: "one-time download URL", so from here on it may be
    /// spent.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] for a file that is not planned or is whole, and after the end;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_file_request(&self, id: &VisitId, index: usize) -> Result<(), StoreError> {
        self.update_file(
            JournalStep(CrashPoint::RequestWriting, CrashPoint::RequestWritten),
            *id,
            index,
            move |tx, visit, index| {
                tx.execute(
                    "UPDATE files SET state = 'requested' WHERE visit = ?1 AND idx = ?2",
                    params![visit, index],
                )
            },
        )
        .await
    }

    /// Records how much of a file is durable ([`crate::PartialFile::sync_data`]), and what resuming it needs.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] for a file that is not planned or is whole, and after the end;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_file_progress(
        &self,
        id: &VisitId,
        index: usize,
        progress: &FileProgress,
    ) -> Result<(), StoreError> {
        let progress = progress.clone();
        self.update_file(
            JournalStep(CrashPoint::ProgressWriting, CrashPoint::ProgressWritten),
            *id,
            index,
            move |tx, visit, index| {
                tx.execute(
                    "UPDATE files SET state = 'requested', bytes = ?3, total = ?4, validator = ?5
                 WHERE visit = ?1 AND idx = ?2",
                    params![
                        visit,
                        index,
                        column::to_integer(progress.bytes),
                        progress.total.map(column::to_integer),
                        progress.validator
                    ],
                )
            },
        )
        .await
    }

    /// Records that a file is whole and durable in the folder; erases its URL.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] for a file that is not planned or is whole, and after the end;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_complete_file(
        &self,
        id: &VisitId,
        index: usize,
        bytes: u64,
        sha256: &Sha256,
        format: FileFormat,
    ) -> Result<(), StoreError> {
        let sha256 = sha256.to_string();
        self.update_file(JournalStep(CrashPoint::WholeWriting, CrashPoint::WholeWritten), *id, index, move |tx, visit, index| {
            tx.execute(
                "UPDATE files SET state = 'whole', url = NULL, bytes = ?3, sha256 = ?4, format = ?5, spent = 1,
                     reason = NULL
                 WHERE visit = ?1 AND idx = ?2",
                params![visit, index, column::to_integer(bytes), sha256, format.as_str()],
            )
        })
        .await
    }

    /// Records that a file was given up, and why; erases a spent URL.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] for a file that is not planned or is whole, and after the end;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_file_failure(
        &self,
        id: &VisitId,
        index: usize,
        why: &str,
        spent: bool,
    ) -> Result<(), StoreError> {
        let why = why.to_owned();
        self.update_file(JournalStep(CrashPoint::FailureWriting, CrashPoint::FailureWritten), *id, index, move |tx, visit, index| {
            tx.execute(
                "UPDATE files SET state = 'failed', reason = ?3, spent = ?4, url = CASE WHEN ?4 THEN NULL ELSE url END
                 WHERE visit = ?1 AND idx = ?2",
                params![visit, index, why, spent],
            )
        })
        .await
    }

    async fn update_file(
        &self,
        step: JournalStep,
        id: VisitId,
        index: usize,
        act: impl FnOnce(&Transaction<'_>, &str, i64) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.write(step, move |tx| -> Result<(), TransactionError> {
            VisitRowState::load(tx, &id)?.require_not_ended()?;
            let (visit, index) = (id.to_string(), column::to_integer(index as u64));
            let open: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM files WHERE visit = ?1 AND idx = ?2 AND state <> 'whole')",
                params![visit, index],
                |row| row.get(0),
            )?;
            require(open, id, "that file is not planned, or whole already")?;
            act(tx, &visit, index)?;
            Ok(())
        })
        .await
    }
}
