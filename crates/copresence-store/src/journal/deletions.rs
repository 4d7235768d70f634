//! What was deleted of forgotten visits, and when: dates and paths, and nothing that the visit contained.

use super::column;
use super::database::{JournalTransaction, TransactionError};
use super::visit_record::VisitRecord;
use super::{Journal, read};
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

/// Maximum number of deletions that the journal keeps. The oldest are removed first.
pub(super) const MAX_DELETIONS: u32 = 10_000;

/// The deletion of a visit: what the answer to "what did you store of me?" needs after the visit was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitDeletion {
    /// The visit.
    pub visit: VisitId,
    /// When the visit began.
    pub started_at: Timestamp,
    /// When the visit ended; `None` if it never did.
    pub ended_at: Option<Timestamp>,
    /// Stable code of its end; `None` if it never ended.
    pub ended_code: Option<String>,
    /// When its rows in the journal were deleted, which is the last step.
    pub deleted_at: Timestamp,
    /// Everything that was stored, in the order of deletion.
    pub items: Vec<StoredVisitItem>,
}

/// Something that is or was stored of a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVisitItem {
    /// What it is.
    pub kind: StoredVisitItemKind,
    /// Where it is or was: a path, or the journal's path.
    pub place: String,
    /// When it was deleted; `None` while it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// What else is to say, for example how many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Kind of an item that is stored of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoredVisitItemKind {
    /// A file of the avatar, complete or partial.
    AvatarFile,
    /// The manifest beside the files.
    Manifest,
    /// The recorded exchanges that an operator saved from the inspector.
    Exchanges,
    /// The Export Token and the link in its QR code.
    Token,
    /// The responses of the backend, and the URLs in them.
    Responses,
    /// The visit's rows in the journal: times, outcome, polls, names of files.
    Journal,
    /// The ticket of a visit that was handed over, with the hash of its pickup code.
    Ticket,
    /// A file that this program did not make, in the visit's folder. It stays.
    ForeignFile,
    /// Something that a newer version of this program recorded.
    #[serde(other)]
    Other,
}

impl Journal {
    /// The deletion of a forgotten visit; `None` if there was no such visit, or its deletion is no longer kept.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn load_visit_deletion(&self, id: &VisitId) -> Result<Option<VisitDeletion>, StoreError> {
        let id = id.to_string();
        self.queue_read_transaction(move |tx| {
            let query = format!("{SELECT_DELETION} WHERE visit = ?1");
            Ok(tx.query_row(&query, [id], deletion_from_row).optional()?)
        })
        .await
    }

    /// All deletions, the newest visit first.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn load_all_visit_deletions(&self) -> Result<Vec<VisitDeletion>, StoreError> {
        self.queue_read_transaction(|tx| {
            let mut query = tx.prepare_statement(&format!("{SELECT_DELETION} ORDER BY visit DESC"))?;
            Ok(query.query_map([], deletion_from_row)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Removes all deletions, so that nothing is left of forgotten visits. Returns their number.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn remove_all_visit_deletions(&self) -> Result<usize, StoreError> {
        self.queue_write_and_truncate_wal(
            CommitCrashPoints(CrashPoint::ForgetWriting, CrashPoint::ForgetWritten),
            |tx| Ok(tx.execute_statement("DELETE FROM deletions", [])?),
        )
        .await
    }

    /// What the journal itself stores of a visit: token, responses and rows. Empty if there is no such visit.
    ///
    /// # Errors
    /// Failures of the disk or the database.
    pub async fn list_stored_journal_items(&self, id: &VisitId) -> Result<Vec<StoredVisitItem>, StoreError> {
        let (id, place) = (*id, self.database_path().display().to_string());
        self.queue_read_transaction(move |tx| {
            let record = read::load_visit_record(tx, &id)?;
            record.map_or(Ok(Vec::new()), |record| list_journal_items_with_deletion_time(tx, &record, &place, None))
        })
        .await
    }
}

/// Lists what the journal stores of a visit, with the time at which it is deleted, if it is.
pub(super) fn list_journal_items_with_deletion_time(
    tx: &JournalTransaction<'_>,
    record: &VisitRecord,
    place: &str,
    deleted_at: Option<Timestamp>,
) -> Result<Vec<StoredVisitItem>, TransactionError> {
    let id = record.start.id.to_string();
    let count = |query: &str| tx.query_row(query, [&id], |row| row.get::<_, u32>(0));
    let was_issued = count("SELECT count(*) FROM visits WHERE id = ?1 AND issued_at IS NOT NULL")? > 0;
    let has_token = count("SELECT count(*) FROM visits WHERE id = ?1 AND (token IS NOT NULL OR link IS NOT NULL)")? > 0;
    let bodies = count("SELECT count(*) FROM redeems WHERE visit = ?1 AND body IS NOT NULL")?;
    let urls = count("SELECT count(*) FROM files WHERE visit = ?1 AND url IS NOT NULL")?;
    let redeems = count("SELECT count(*) FROM redeems WHERE visit = ?1")?;
    let polls = count("SELECT poll_count FROM visits WHERE id = ?1")?;
    let files = count("SELECT count(*) FROM files WHERE visit = ?1")?;
    // What an ending erases, it erases when the visit ends.
    let erased_at = record.ending.as_ref().map(|ending| ending.at);
    let item =
        |kind, deleted_at, note: Option<String>| StoredVisitItem { kind, place: place.to_owned(), deleted_at, note };
    let mut items = Vec::new();
    if was_issued {
        items.push(item(StoredVisitItemKind::Token, if has_token { deleted_at } else { erased_at }, None));
    }
    if redeems > 0 || polls > 0 {
        let is_stored = bodies > 0 || urls > 0;
        let note = is_stored.then(|| format!("{bodies} responses, {urls} URLs"));
        items.push(item(StoredVisitItemKind::Responses, if is_stored { deleted_at } else { erased_at }, note));
    }
    if count("SELECT count(*) FROM tickets WHERE visit = ?1")? > 0 {
        items.push(item(StoredVisitItemKind::Ticket, deleted_at, None));
    }
    let note = format!("times and outcome, {} redeems, {files} names of files", redeems.saturating_add(polls));
    items.push(item(StoredVisitItemKind::Journal, deleted_at, Some(note)));
    Ok(items)
}

/// Records the deletion of a visit. `removed` was deleted before its rows.
pub(super) fn insert_deletion(
    tx: &JournalTransaction<'_>,
    record: &VisitRecord,
    removed: &[StoredVisitItem],
    place: &str,
    deleted_at: Timestamp,
) -> Result<(), TransactionError> {
    let mut items = removed.to_vec();
    items.extend(list_journal_items_with_deletion_time(tx, record, place, Some(deleted_at))?);
    tx.execute_statement(
        "INSERT OR REPLACE INTO deletions (visit, started_at, ended_at, ended_code, deleted_at, items)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            record.start.id.to_string(),
            column::timestamp_to_micros(record.start.started_at),
            record.ending.as_ref().map(|ending| column::timestamp_to_micros(ending.at)),
            record.ending.as_ref().map(|ending| ending.code.as_str()),
            column::timestamp_to_micros(deleted_at),
            serde_json::to_string(&items).unwrap_or_default()
        ],
    )?;
    tx.execute_statement(
        "DELETE FROM deletions WHERE visit IN (SELECT visit FROM deletions ORDER BY visit DESC LIMIT -1 OFFSET ?1)",
        [MAX_DELETIONS],
    )?;
    Ok(())
}

const SELECT_DELETION: &str = "SELECT visit, started_at, ended_at, ended_code, deleted_at, items FROM deletions";

/// Builds the deletion of a visit from a row.
fn deletion_from_row(row: &Row<'_>) -> rusqlite::Result<VisitDeletion> {
    let items: String = row.get(5)?;
    Ok(VisitDeletion {
        visit: column::parse_text_column(0, &row.get::<_, String>(0)?)?,
        started_at: column::timestamp_from_micros_or_epoch(row.get(1)?),
        ended_at: row.get::<_, Option<i64>>(2)?.map(column::timestamp_from_micros_or_epoch),
        ended_code: row.get(3)?,
        deleted_at: column::timestamp_from_micros_or_epoch(row.get(4)?),
        items: serde_json::from_str(&items).unwrap_or_default(),
    })
}
