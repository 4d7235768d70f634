//! Past visits: what the journal knows of them, and how they are forgotten with their files.

use crate::setup::Disk;
use jiff::Timestamp;
use std::path::PathBuf;
use store::{AvatarFolder, Avatars, DataDir, StoreError, VisitRecordStart};
pub use store::{FileRecord, FileState, RedeemOutcome, VisitDetail, VisitId, VisitRecord};

/// Result of forgetting visits.
#[derive(Debug, Clone, Default)]
pub struct Forgotten {
    /// The forgotten visits.
    pub visits: Vec<VisitId>,
    /// Folders that stay because they contain foreign files, with the names of those.
    pub left: Vec<(PathBuf, Vec<String>)>,
    /// Visits that stay because they are in use.
    pub held: Vec<VisitId>,
}

/// Forgets one visit and removes its files; `None` when there is no such visit.
///
/// # Errors
/// When the disk or the journal fails; what is removed by then stays removed, and the call can be repeated.
pub async fn forget(disk: &Disk, id: &VisitId) -> Result<Option<Forgotten>, StoreError> {
    let Some(detail) = disk.journal.visit(id).await? else {
        return Ok(None);
    };
    let mut forgotten = Forgotten::default();
    forget_record(disk, &detail.visit, &mut forgotten).await?;
    Ok(Some(forgotten))
}

/// Forgets every visit that began before a moment (all of them with `None`), and removes their files.
///
/// # Errors
/// As [`forget`]: the first that occurred, after all the others were forgotten.
pub async fn forget_before(disk: &Disk, moment: Option<Timestamp>) -> Result<Forgotten, StoreError> {
    forget_visits(disk, |record| moment.is_none_or(|moment| record.start.started_at < moment)).await
}

/// Forgets every visit that `is_due`, and removes their files. `is_due` is called right before each.
///
/// # Errors
/// As [`forget`]: the first that occurred, after all the others were forgotten.
pub async fn forget_visits(
    disk: &Disk,
    is_due: impl Fn(&VisitRecord) -> bool,
) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let mut first = None;
    for record in disk.journal.history().await? {
        if is_due(&record) {
            // One folder that cannot be removed does not keep the others.
            if let Err(error) = forget_record(disk, &record, &mut forgotten).await {
                first.get_or_insert(error);
            }
        }
    }
    first.map_or(Ok(forgotten), Err)
}

async fn forget_record(
    disk: &Disk,
    record: &VisitRecord,
    forgotten: &mut Forgotten,
) -> Result<(), StoreError> {
    let id = record.start.id;
    let (data, start) = (disk.data.clone(), record.start.clone());
    // Files first: after a crash in between, the journal still knows the visit.
    let removed = tokio::task::spawn_blocking(move || remove_files(&data, &start)).await;
    let removed = match removed.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic())) {
        Ok(removed) => removed,
        Err(StoreError::Held { .. }) => {
            forgotten.held.push(id);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    forgotten.left.extend(removed.left);
    // Locked until the journal has forgotten it too: no other program resumes what is being removed.
    if disk.journal.forget(&removed.lock).await?.is_some() {
        forgotten.visits.push(id);
    }
    Ok(())
}

struct RemovedFiles {
    lock: store::Claim,
    left: Vec<(PathBuf, Vec<String>)>,
}

/// Locks a visit and removes its files. Blocks on the disk.
fn remove_files(data: &DataDir, start: &VisitRecordStart) -> Result<RemovedFiles, StoreError> {
    let lock = data.claim(&start.id)?;
    let mut left = Vec::new();
    for parent in [start.out_dir.clone(), data.incomplete()] {
        if let Some(folder) = Avatars::path_of(&parent, &start.id)? {
            let removed = Avatars::remove(&folder)?;
            if !removed.left.is_empty() {
                left.push((folder, removed.left));
            }
        }
    }
    let day = crate::drive::day_of(start.started_at);
    if let Some(partial) = AvatarFolder::reopen(&start.out_dir, &start.id, day)? {
        partial.discard()?;
    }
    data.forget_inspected(&start.id)?;
    Ok(RemovedFiles { lock, left })
}
