//! Erasing secrets at an ending, and removing whole visits.

use super::record::VisitRecord;
use super::writer::TransactionError;
use super::{Journal, read};
use crate::crash_point::{CrashPoint, JournalStep};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use crate::visit_lock::VisitLock;
use rusqlite::Transaction;

/// Overwrites the secrets of a visit.
pub(super) fn erase_secrets(tx: &Transaction<'_>, id: &VisitId) -> Result<(), TransactionError> {
    let id = id.to_string();
    tx.execute("UPDATE visits SET token = NULL, link = NULL WHERE id = ?1", [&id])?;
    tx.execute("UPDATE redeems SET body = NULL WHERE visit = ?1", [&id])?;
    tx.execute("UPDATE files SET url = NULL, validator = NULL WHERE visit = ?1", [&id])?;
    Ok(())
}

impl Journal {
    /// Removes the visit of a lock from the journal, and returns its record; `None` when there is no such visit.
    ///
    /// The caller removes its folder ([`crate::SavedAvatars::remove_avatar`], and [`crate::AvatarFolder::reopen`] for a partial
    /// one): before this call and under the same lock, so that a crash leaves no folder without a visit, and no other
    /// program resumes the visit meanwhile.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn forget_visit(&self, visit_lock: &VisitLock) -> Result<Option<VisitRecord>, StoreError> {
        let id = *visit_lock.visit();
        self.write_and_truncate(
            JournalStep(CrashPoint::ForgetWriting, CrashPoint::ForgetWritten),
            move |tx| {
                let record = read::load_record(tx, &id)?;
                tx.execute("DELETE FROM visits WHERE id = ?1", [id.to_string()])?;
                Ok(record)
            },
        )
        .await
    }
}
