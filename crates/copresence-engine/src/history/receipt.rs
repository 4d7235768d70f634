//! The receipt of a visit: what was stored of it, where, and when each thing was deleted, for the visitor's question.

use crate::setup::DataStore;
use copresence_store::{StoreError, StoredVisitFileKind, StoredVisitItem, StoredVisitItemKind, VisitDeletion, VisitId};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// What is or was stored of a visit. Contains nothing that the visit contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVisitDataReceipt {
    /// The visit.
    pub visit: VisitId,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` if it has not ended, or ended with its program.
    pub ended_at: Option<Timestamp>,
    /// Stable code of its end.
    pub ended_code: Option<String>,
    /// When the last of it was deleted; `None` while it is in the history.
    pub deleted_at: Option<Timestamp>,
    /// Everything that is or was stored.
    pub items: Vec<StoredVisitItem>,
    /// Damaged journals that were set aside. They may contain rows of any visit until a person removes them.
    pub damaged_journals: Vec<PathBuf>,
}

/// Loads the receipt of a visit, forgotten or not. `None` if there was no such visit, or its deletion is no longer kept.
///
/// # Errors
/// A folder cannot be listed, or the journal cannot be read.
pub async fn load_visit_receipt(
    data_store: &DataStore,
    id: &VisitId,
) -> Result<Option<StoredVisitDataReceipt>, StoreError> {
    if let Some(detail) = data_store.journal.load_detailed_visit_record(id).await? {
        let (data, start) = (data_store.data.clone(), detail.visit.start.clone());
        let list = tokio::task::spawn_blocking(move || data.list_stored_visit_files(&start.id, &start.out_dir)).await;
        let files = list.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
        let mut items: Vec<_> = files.iter().map(|(kind, path)| receipt_item_of_file(*kind, path, None)).collect();
        items.extend(data_store.journal.list_stored_journal_items(id).await?);
        let ending = detail.visit.ending;
        return Ok(Some(StoredVisitDataReceipt {
            visit: *id,
            started_at: detail.visit.start.started_at,
            ended_at: ending.as_ref().map(|ending| ending.at),
            ended_code: ending.map(|ending| ending.code),
            deleted_at: None,
            items,
            damaged_journals: find_damaged_journals(data_store.data.path()),
        }));
    }
    let deletion = data_store.journal.load_visit_deletion(id).await?;
    Ok(deletion.map(|deletion| receipt_of_deletion(deletion, find_damaged_journals(data_store.data.path()))))
}

/// Loads the receipts of all visits that were forgotten, the newest visit first.
///
/// # Errors
/// The journal cannot be read.
pub async fn load_receipts_of_deleted_visits(
    data_store: &DataStore,
) -> Result<Vec<StoredVisitDataReceipt>, StoreError> {
    let damaged = find_damaged_journals(data_store.data.path());
    let deletions = data_store.journal.load_all_visit_deletions().await?;
    Ok(deletions.into_iter().map(|deletion| receipt_of_deletion(deletion, damaged.clone())).collect())
}

/// The item of a file at a path.
pub(super) fn receipt_item_of_file(
    kind: StoredVisitFileKind,
    place: &Path,
    deleted_at: Option<Timestamp>,
) -> StoredVisitItem {
    let kind = match kind {
        StoredVisitFileKind::Avatar => StoredVisitItemKind::AvatarFile,
        StoredVisitFileKind::Manifest => StoredVisitItemKind::Manifest,
        StoredVisitFileKind::Exchanges => StoredVisitItemKind::Exchanges,
        StoredVisitFileKind::Foreign => StoredVisitItemKind::ForeignFile,
    };
    StoredVisitItem { kind, place: place.display().to_string(), deleted_at, note: None }
}

/// Builds the receipt of a forgotten visit from its deletion in the journal.
fn receipt_of_deletion(deletion: VisitDeletion, damaged_journals: Vec<PathBuf>) -> StoredVisitDataReceipt {
    StoredVisitDataReceipt {
        visit: deletion.visit,
        started_at: deletion.started_at,
        ended_at: deletion.ended_at,
        ended_code: deletion.ended_code,
        deleted_at: Some(deletion.deleted_at),
        items: deletion.items,
        damaged_journals,
    }
}

/// The damaged journals in the data folder, sorted; none if it cannot be listed.
fn find_damaged_journals(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data).into_iter().flatten().filter_map(Result::ok);
    let is_damaged = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("journal-damaged") && !name.ends_with("-shm")
    };
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(is_damaged).collect();
    found.sort();
    found
}
