//! Past visits: what the journal knows of them, and forgetting them, files and all.

use crate::setup::Disk;
use jiff::Timestamp;
use std::path::PathBuf;
use store::{AvatarFolder, Avatars, StoreError};
pub use store::{FileRecord, FileState, RedeemOutcome, VisitDetail, VisitId, VisitRecord};

/// What was forgotten.
#[derive(Debug, Clone, Default)]
pub struct Forgotten {
    /// The visits.
    pub visits: Vec<VisitId>,
    /// Folders that stay, because something in them is not ours, with its names.
    pub left: Vec<(PathBuf, Vec<String>)>,
    /// Visits that stay, because a program has them in hand.
    pub held: Vec<VisitId>,
}

/// Forgets one visit and removes its files; `None` when there is no such visit.
///
/// # Errors
/// When the disk or the journal refuses; what is removed by then stays removed, and it can be done again.
pub fn forget(disk: &Disk, id: &VisitId) -> Result<Option<Forgotten>, StoreError> {
    let Some(detail) = disk.journal.visit(id)? else {
        return Ok(None);
    };
    let mut forgotten = Forgotten::default();
    one(disk, &detail.visit, &mut forgotten)?;
    Ok(Some(forgotten))
}

/// Forgets every visit that began before a moment (all of them with `None`), and removes their files.
///
/// # Errors
/// As [`forget`]: the first that was met, after all the others were forgotten.
pub fn forget_before(disk: &Disk, moment: Option<Timestamp>) -> Result<Forgotten, StoreError> {
    let mut forgotten = Forgotten::default();
    let mut first = None;
    for record in disk.journal.history()? {
        if moment.is_none_or(|moment| record.start.started_at < moment) {
            // One folder that cannot be removed keeps no other face here.
            if let Err(error) = one(disk, &record, &mut forgotten) {
                first.get_or_insert(error);
            }
        }
    }
    first.map_or(Ok(forgotten), Err)
}

fn one(disk: &Disk, record: &VisitRecord, forgotten: &mut Forgotten) -> Result<(), StoreError> {
    let id = record.start.id;
    // Held until the journal has forgotten it too: nobody goes on with what is being removed.
    let claim = match disk.data.claim(&id) {
        Ok(claim) => claim,
        Err(StoreError::Held { .. }) => {
            forgotten.held.push(id);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    // Files first: what a crash leaves in between is still known to the journal.
    for parent in [record.start.out_dir.clone(), disk.data.incomplete()] {
        if let Some(folder) = Avatars::path_of(&parent, &id)? {
            let removed = Avatars::remove(&folder)?;
            if !removed.left.is_empty() {
                forgotten.left.push((folder, removed.left));
            }
        }
    }
    let day = crate::drive::day_of(record.start.started_at);
    if let Some(partial) = AvatarFolder::reopen(&record.start.out_dir, &id, day)? {
        partial.discard()?;
    }
    disk.data.forget_inspected(&id)?;
    if disk.journal.forget(&claim)?.is_some() {
        forgotten.visits.push(id);
    }
    Ok(())
}
