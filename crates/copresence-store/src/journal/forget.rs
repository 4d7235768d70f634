//! Erasing secrets at an ending, and removing whole visits.

use super::database::{JournalTransaction, TransactionError};
use super::deletions::StoredVisitItem;
use super::visit_record::VisitRecord;
use super::{Journal, deletions, read, tokens};
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use crate::visit_lock::VisitLock;
use jiff::Timestamp;
use rusqlite::params;

/// Erases the token, the link, the bodies and the URLs of a visit that ended and left nothing to recover. The record
/// stays. The bodies of unreadable responses stay until the visit is forgotten if its avatar may be lost with them
/// (exit 9 and 10): a person may find its URLs there.
pub(super) fn erase_secrets_of_ended_visit(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    exit: u8,
) -> Result<(), TransactionError> {
    let id = id.to_string();
    tx.execute_statement("UPDATE visits SET token = NULL, link = NULL WHERE id = ?1", [&id])?;
    let keeps_unreadable = matches!(exit, 9 | 10);
    tx.execute_statement(
        "UPDATE redeems SET body = NULL WHERE visit = ?1 AND NOT (?2 AND answer_kind IS 'unreadable')",
        params![id, keeps_unreadable],
    )?;
    tx.execute_statement(
        "UPDATE files SET url = NULL, redirected_to = NULL, validator = NULL WHERE visit = ?1",
        [&id],
    )?;
    Ok(())
}

impl Journal {
    /// Removes the locked visit from the journal, and records its deletion at this time: `removed` and the rows of the
    /// journal. Returns its record, or `None` if there is no such visit.
    ///
    /// The caller must remove the visit's folders first, under the same lock
    /// ([`crate::SavedAvatarOperations::remove_avatar`], and [`crate::PartialAvatarFolder::reopen_partial_folder`] for
    /// a partial folder). A crash then leaves no folder without a visit, and no other process can resume the visit.
    ///
    /// # Errors
    /// An I/O or database failure.
    pub async fn forget_visit(
        &self,
        visit_lock: &VisitLock,
        removed: Vec<StoredVisitItem>,
        at: Timestamp,
    ) -> Result<Option<VisitRecord>, StoreError> {
        let id = *visit_lock.locked_visit_id();
        let place = self.database_path().display().to_string();
        self.queue_write_and_truncate_wal(
            CommitCrashPoints(CrashPoint::ForgetWriting, CrashPoint::ForgetWritten),
            move |tx| {
                let record = read::load_visit_record(tx, &id)?;
                if let Some(record) = &record {
                    tokens::count_token_of_deleted_visit(tx, record)?;
                    deletions::insert_deletion(tx, record, &removed, &place, at)?;
                }
                tx.execute_statement("DELETE FROM visits WHERE id = ?1", [id.to_string()])?;
                Ok(record)
            },
        )
        .await
    }
}
