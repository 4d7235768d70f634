//! Past visits: what the journal knows of them, and how they are forgotten with their files.

use crate::setup::DataStore;
use copresence_store::{DataDir, PartialAvatarFolder, SavedAvatarOperations, StoreError, VisitStart};
pub use copresence_store::{
    DetailedVisitRecord, FileRecord, FileState, RedeemState, SavedFileNote, VisitId, VisitRecord,
};
use jiff::Timestamp;
use std::path::PathBuf;

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

/// Forgets one visit and removes its files; `None` when there is no such visit.
///
/// # Errors
/// When the disk or the journal refuses; what is removed by then stays removed, and it can be done again.
pub async fn forget_visit(data_store: &DataStore, id: &VisitId) -> Result<Option<ForgetResult>, StoreError> {
    let Some(detail) = data_store.journal.load_detailed_visit_record(id).await? else {
        return Ok(None);
    };
    let mut forgotten = ForgetResult::default();
    remove_visit_files_and_record(data_store, &detail.visit, &mut forgotten).await?;
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
    let mut forgotten = ForgetResult::default();
    let mut first = None;
    for record in data_store.journal.load_all_visits().await? {
        if is_due(&record) {
            // One folder that cannot be removed does not keep the others.
            if let Err(error) = remove_visit_files_and_record(data_store, &record, &mut forgotten).await {
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
    forgotten: &mut ForgetResult,
) -> Result<(), StoreError> {
    let id = record.start.id;
    let (data, start) = (data_store.data.clone(), record.start.clone());
    // Files first: after a crash in between, the journal still knows the visit.
    let removed = tokio::task::spawn_blocking(move || lock_and_remove_files(&data, &start)).await;
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
    if let Some(removed) = data_store.journal.forget_visit(&removed.lock).await? {
        forgotten.visits.push(id);
        if removed.is_unfinished {
            forgotten.unfinished.push(id);
        }
    }
    Ok(())
}

/// The lock of a visit and its kept folders, after its files were removed. The lock is still held; the folders stay
/// because of their foreign files.
struct VisitLockAndKeptFolders {
    lock: copresence_store::VisitLock,
    left: Vec<(PathBuf, Vec<String>)>,
}

/// Locks a visit and removes its files. Blocks on the disk.
fn lock_and_remove_files(data: &DataDir, start: &VisitStart) -> Result<VisitLockAndKeptFolders, StoreError> {
    let lock = data.lock_visit(&start.id)?;
    let mut left = Vec::new();
    for parent in [start.out_dir.clone(), data.incomplete_avatars_path()] {
        if let Some(folder) = SavedAvatarOperations::find_avatar_folder_of_visit(&parent, &start.id)? {
            let removed = SavedAvatarOperations::remove_avatar(&folder)?;
            if !removed.foreign_entries.is_empty() {
                left.push((folder, removed.foreign_entries));
            }
        }
    }
    let day = crate::runner::folder_date(start.started_at);
    if let Some(partial) = PartialAvatarFolder::reopen_partial_folder(&start.out_dir, &start.id, day)? {
        partial.remove_folder_and_own_files()?;
    }
    data.remove_visit_exchange_files(&start.id)?;
    Ok(VisitLockAndKeptFolders { lock, left })
}
