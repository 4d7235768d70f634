//! Past visits: what the journal knows of them, and how they are forgotten with their files.

mod receipt;

use crate::clock::Clock;
use crate::setup::DataStore;
use copresence_store::{DataDir, PartialAvatarFolder, SavedAvatarOperations, StoreError, StoredVisitFileKind};
pub use copresence_store::{
    DetailedVisitRecord, FileDownloadState, FileRecord, IssuedTokenOutcome, RedeemState, SavedFileNote,
    StoredVisitItem, StoredVisitItemKind, TicketClosure, TicketRecord, TokenCounts, VisitDeletion, VisitId,
    VisitRecord,
};
use jiff::Timestamp;
use receipt::receipt_item_of_file;
pub use receipt::{StoredVisitDataReceipt, load_receipts_of_deleted_visits, load_visit_receipt};
use std::path::{Path, PathBuf};

/// The forgotten visits, and what was kept: locked visits and folders with foreign files.
#[derive(Debug, Clone, Default)]
pub struct ForgetResult {
    /// The forgotten visits.
    pub visits: Vec<VisitId>,
    /// Those of [`Self::visits`] that were unfinished, so that `copresence recover` might have saved their avatar.
    pub unfinished: Vec<VisitId>,
    /// Folders that stay because they contain foreign files, with the names of those.
    pub foreign_files: Vec<(PathBuf, Vec<String>)>,
    /// Visits that were kept, because a program has locked them.
    pub locked: Vec<VisitId>,
}

/// Policy for a visit whose files cannot be removed, because their disk is not mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingDiskPolicy {
    /// The visit is kept, and it is an error: [`StoreError::OutputDiskMissing`].
    KeepVisit,
    /// The visit is forgotten. Its files stay, and its receipt says so.
    ForgetWithoutFiles,
}

/// Forgets one visit and removes its files; `None` when there is no such visit.
///
/// # Errors
/// When the disk or the journal refuses, or the disk is not mounted; what is removed by then stays removed, and it can be
/// done again.
pub async fn forget_visit(data_store: &DataStore, id: &VisitId) -> Result<Option<ForgetResult>, StoreError> {
    let Some(detail) = data_store.journal.load_detailed_visit_record(id).await? else {
        return Ok(None);
    };
    let mut forgotten = ForgetResult::default();
    let policy = MissingDiskPolicy::KeepVisit;
    remove_visit_files_and_record(data_store, &detail.visit, policy, &mut forgotten).await?;
    Ok(Some(forgotten))
}

/// Forgets all visits that started before `moment`, or all visits without a `moment`, with their files.
///
/// # Errors
/// As [`forget_visit`]. Returns the first error, after all other visits were forgotten.
pub async fn forget_visits_started_before(
    data_store: &DataStore,
    moment: Option<Timestamp>,
) -> Result<ForgetResult, StoreError> {
    forget_matching_visits(data_store, |record| moment.is_none_or(|moment| record.start.started_at < moment)).await
}

/// Forgets every visit for which `is_due` returns true, and removes their files. `is_due` is called right before
/// each visit is forgotten.
///
/// # Errors
/// As [`forget_visit`]. Returns the first error, after all other visits were forgotten.
pub async fn forget_matching_visits(
    data_store: &DataStore,
    is_due: impl Fn(&VisitRecord) -> bool,
) -> Result<ForgetResult, StoreError> {
    forget_matching_visits_with_policy(data_store, MissingDiskPolicy::KeepVisit, is_due).await
}

/// Forgets visits as [`forget_matching_visits`] does, with a policy for files whose disk is not mounted.
///
/// # Errors
/// As [`forget_matching_visits`].
pub async fn forget_matching_visits_with_policy(
    data_store: &DataStore,
    policy: MissingDiskPolicy,
    is_due: impl Fn(&VisitRecord) -> bool,
) -> Result<ForgetResult, StoreError> {
    let mut forgotten = ForgetResult::default();
    let mut first = None;
    for record in data_store.journal.load_all_visits().await? {
        if is_due(&record) {
            // One folder that cannot be removed does not keep the others.
            if let Err(error) = remove_visit_files_and_record(data_store, &record, policy, &mut forgotten).await {
                first.get_or_insert(error);
            }
        }
    }
    first.map_or(Ok(forgotten), Err)
}

/// Removes the files of a visit and then its record, and adds it to `forgotten`. A visit that a program has locked
/// is kept.
async fn remove_visit_files_and_record(
    data_store: &DataStore,
    record: &VisitRecord,
    policy: MissingDiskPolicy,
    forgotten: &mut ForgetResult,
) -> Result<(), StoreError> {
    let id = record.start.id;
    let (data, kept) = (data_store.data.clone(), record.clone());
    // Files first: after a crash in between, the journal still knows the visit.
    let removed = tokio::task::spawn_blocking(move || lock_visit_and_remove_files(&data, &kept, policy)).await;
    let removed = match removed.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic())) {
        Ok(removed) => removed,
        Err(StoreError::VisitLocked { .. }) => {
            forgotten.locked.push(id);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    forgotten.foreign_files.extend(removed.left);
    // Locked until the journal has forgotten it too: no other program resumes what is being removed.
    let now = Clock::default().wall_clock_time();
    let is_forgotten = data_store.journal.forget_visit(&removed.lock, removed.items, now).await?;
    if let Some(removed) = is_forgotten {
        forgotten.visits.push(id);
        if removed.is_unfinished {
            forgotten.unfinished.push(id);
        }
    }
    Ok(())
}

/// The lock of a visit and its kept folders, after its files were removed. The lock is still held; the folders stay
/// because of their foreign files.
struct LockedVisitAndKeptFolders {
    lock: copresence_store::VisitLock,
    left: Vec<(PathBuf, Vec<String>)>,
    /// What was removed, and the foreign files that stay.
    items: Vec<StoredVisitItem>,
}

/// Locks a visit and removes its files. Blocks on the disk.
fn lock_visit_and_remove_files(
    data: &DataDir,
    record: &VisitRecord,
    policy: MissingDiskPolicy,
) -> Result<LockedVisitAndKeptFolders, StoreError> {
    let start = &record.start;
    let lock = data.lock_visit(&start.id)?;
    let (mut left, mut items) = (Vec::new(), Vec::new());
    if are_files_on_missing_disk(data, record)? {
        if policy == MissingDiskPolicy::KeepVisit {
            return Err(StoreError::OutputDiskMissing { visit: start.id, path: start.out_dir.clone() });
        }
        let directory = record.ending.as_ref().and_then(|ending| ending.directory.as_deref());
        items.push(StoredVisitItem {
            kind: StoredVisitItemKind::AvatarFile,
            place: directory.unwrap_or(&start.out_dir).display().to_string(),
            deleted_at: None,
            note: Some("not deleted: its disk was not mounted".to_owned()),
        });
    }
    let clock = Clock::default();
    let removed_items = |folder: &Path, names: Vec<String>| {
        let now = Some(clock.wall_clock_time());
        let kind = StoredVisitFileKind::from_name_in_avatar_folder;
        let items = names.into_iter().map(|name| receipt_item_of_file(kind(&name), &folder.join(&name), now));
        items.collect::<Vec<_>>()
    };
    for parent in [start.out_dir.clone(), data.incomplete_avatars_path()] {
        if let Some(folder) = SavedAvatarOperations::find_avatar_folder_of_visit(&parent, &start.id)? {
            let removed = SavedAvatarOperations::remove_avatar(&folder)?;
            items.extend(removed_items(&folder, removed.removed_files));
            let foreign = removed.foreign_entries.iter();
            items.extend(
                foreign.map(|name| receipt_item_of_file(StoredVisitFileKind::Foreign, &folder.join(name), None)),
            );
            if !removed.foreign_entries.is_empty() {
                left.push((folder, removed.foreign_entries));
            }
        }
    }
    let day = crate::runner::visit_start_date_for_folder(start.started_at);
    if let Some(partial) = PartialAvatarFolder::reopen_partial_folder(&start.out_dir, &start.id, day)? {
        let folder = partial.partial_folder_path().to_owned();
        items.extend(removed_items(&folder, partial.remove_folder_and_own_files()?));
    }
    let exchanges = data.remove_visit_exchange_files(&start.id)?;
    let now = Some(clock.wall_clock_time());
    items.extend(exchanges.iter().map(|path| receipt_item_of_file(StoredVisitFileKind::Exchanges, path, now)));
    Ok(LockedVisitAndKeptFolders { lock, left, items })
}

/// Whether a visit has files in its output folder that are not found, because the disk of that folder is not mounted.
fn are_files_on_missing_disk(data: &DataDir, record: &VisitRecord) -> Result<bool, StoreError> {
    let start = &record.start;
    let has_files_there = match record.ending.as_ref().and_then(|ending| ending.directory.as_ref()) {
        Some(directory) => !directory.starts_with(data.incomplete_avatars_path()),
        None => record.planned_files > 0,
    };
    if !has_files_there || SavedAvatarOperations::find_avatar_folder_of_visit(&start.out_dir, &start.id)?.is_some() {
        return Ok(false);
    }
    let day = crate::runner::visit_start_date_for_folder(start.started_at);
    Ok(PartialAvatarFolder::reopen_partial_folder(&start.out_dir, &start.id, day)?.is_none()
        && data.is_output_disk_missing(&start.out_dir)?)
}
