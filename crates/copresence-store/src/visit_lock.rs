//! The lock of a visit: a locked file.

use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::private_file::{ExistingContentHandling, open_private_file_for_writing};
use crate::visit_id::VisitId;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The lock of a visit. Released when dropped, and by the system when the process ends in any way.
#[derive(Debug)]
pub struct VisitLock {
    locked_visit_id: VisitId,
    path: PathBuf,
    /// Open for its file lock.
    file: Option<File>,
}

impl VisitLock {
    /// Locks a visit by its file in the folder of locks.
    ///
    /// # Errors
    /// [`StoreError::VisitLocked`] while another process or task has the lock; failures of the disk.
    pub(crate) fn take_visit_lock(lock_folder: &Path, visit: &VisitId) -> Result<Self, StoreError> {
        let path = lock_folder.join(format!("{visit}.lock"));
        loop {
            let file = open_private_file_for_writing(&path, ExistingContentHandling::Keep).io_context("open", &path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::VisitLocked { visit: *visit }),
                Err(TryLockError::Error(error)) => return Err(StoreError::from_io_error("lock", &path, error)),
            }
            // The previous holder removes the file while it has the lock: a lock on a removed file does not count.
            if disk::is_open_file_still_at_path(&file, &path).unwrap_or(false) {
                return Ok(Self { locked_visit_id: *visit, path, file: Some(file) });
            }
        }
    }

    /// Id of the locked visit.
    pub fn locked_visit_id(&self) -> &VisitId {
        &self.locked_visit_id
    }
}

impl Drop for VisitLock {
    fn drop(&mut self) {
        // Removed while still locked, so that no other process can have locked this file in between.
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(visit = %self.locked_visit_id, %error, "the lock file could not be removed");
        }
        self.file.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_that_was_replaced_is_not_the_same_file() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("a.lock");
        let file = open_private_file_for_writing(&path, ExistingContentHandling::Keep).expect("made");
        let is_at_path = || disk::is_open_file_still_at_path(&file, &path);
        assert!(is_at_path().expect("compared"));
        // Some file systems of Windows keep the name of a removed file until it is closed.
        std::fs::rename(&path, root.path().join("b.lock")).expect("renamed");
        assert!(is_at_path().is_err());
        let _another = open_private_file_for_writing(&path, ExistingContentHandling::Keep).expect("made anew");
        assert!(!is_at_path().expect("compared"));
    }
}
