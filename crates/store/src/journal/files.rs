//! The files of a delivery, each with its state.

use super::record::{FileProgress, PlannedFile};
use super::{Fault, Journal, Standing, column, guard};
use crate::crash::{Point, Step};
use crate::digest::Sha256;
use crate::error::StoreError;
use crate::format::Format;
use crate::visit_id::VisitId;
use rusqlite::{Transaction, params};

impl Journal {
    /// Notes the files of the delivery, before the first of them is asked for.
    pub fn files_planned(&self, id: &VisitId, files: &[PlannedFile]) -> Result<(), StoreError> {
        self.write(Step(Point::PlanWriting, Point::PlanWritten), |tx| {
            let visit = Standing::of(tx, id)?;
            visit.goes_on()?;
            guard(visit.delivered, *id, "no answer with URLs was read")?;
            let planned: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM files WHERE visit = ?1)",
                [id.to_string()],
                |row| row.get(0),
            )?;
            guard(!planned, *id, "its files are planned already")?;
            let mut insert = tx.prepare(
                "INSERT INTO files (visit, idx, name, export_type, url, state) VALUES (?1, ?2, ?3, ?4, ?5, 'planned')",
            )?;
            for file in files {
                insert.execute(params![
                    id.to_string(),
                    column::size(file.index as u64),
                    file.name,
                    file.export_type.as_str(),
                    file.url.expose()
                ])?;
            }
            Ok(())
        })
    }

    /// Notes that a file's URL is about to be asked for: "one-time download URL", so from here on it may be spent.
    pub fn file_requested(&self, id: &VisitId, index: usize) -> Result<(), StoreError> {
        self.file(Step(Point::RequestWriting, Point::RequestWritten), id, index, |tx, visit, index| {
            tx.execute(
                "UPDATE files SET state = 'requested' WHERE visit = ?1 AND idx = ?2",
                params![visit, index],
            )
        })
    }

    /// Notes how much of a file is durable ([`crate::PartialFile::sync`]), and what a resumption needs to know.
    pub fn file_progress(
        &self,
        id: &VisitId,
        index: usize,
        progress: &FileProgress,
    ) -> Result<(), StoreError> {
        self.file(Step(Point::ProgressWriting, Point::ProgressWritten), id, index, |tx, visit, index| {
            tx.execute(
                "UPDATE files SET state = 'requested', bytes = ?3, total = ?4, validator = ?5
                 WHERE visit = ?1 AND idx = ?2",
                params![
                    visit,
                    index,
                    column::size(progress.bytes),
                    progress.total.map(column::size),
                    progress.validator
                ],
            )
        })
    }

    /// Notes that a file is whole and durable in the folder; its URL is forgotten.
    pub fn file_whole(
        &self,
        id: &VisitId,
        index: usize,
        bytes: u64,
        sha256: &Sha256,
        format: Format,
    ) -> Result<(), StoreError> {
        self.file(Step(Point::WholeWriting, Point::WholeWritten), id, index, |tx, visit, index| {
            tx.execute(
                "UPDATE files SET state = 'whole', url = NULL, bytes = ?3, sha256 = ?4, format = ?5, spent = 1,
                     reason = NULL
                 WHERE visit = ?1 AND idx = ?2",
                params![visit, index, column::size(bytes), sha256.to_string(), format.as_str()],
            )
        })
    }

    /// Notes that a file was given up, and why; a spent URL is forgotten.
    pub fn file_failed(&self, id: &VisitId, index: usize, why: &str, spent: bool) -> Result<(), StoreError> {
        self.file(Step(Point::FailureWriting, Point::FailureWritten), id, index, |tx, visit, index| {
            tx.execute(
                "UPDATE files SET state = 'failed', reason = ?3, spent = ?4, url = CASE WHEN ?4 THEN NULL ELSE url END
                 WHERE visit = ?1 AND idx = ?2",
                params![visit, index, why, spent],
            )
        })
    }

    fn file(
        &self,
        step: Step,
        id: &VisitId,
        index: usize,
        act: impl FnOnce(&Transaction<'_>, &str, i64) -> rusqlite::Result<usize>,
    ) -> Result<(), StoreError> {
        self.write(step, |tx| -> Result<(), Fault> {
            Standing::of(tx, id)?.goes_on()?;
            let (visit, index) = (id.to_string(), column::size(index as u64));
            let open: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM files WHERE visit = ?1 AND idx = ?2 AND state <> 'whole')",
                params![visit, index],
                |row| row.get(0),
            )?;
            guard(open, *id, "that file is not planned, or whole already")?;
            act(tx, &visit, index)?;
            Ok(())
        })
    }
}
