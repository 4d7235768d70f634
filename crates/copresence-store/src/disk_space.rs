//! Free disk space: checked and reserved before a download needs it.

use crate::disk::free_disk_bytes;
use crate::error::StoreError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The disk space that the downloads into one folder still need.
///
/// A reservation contains only the bytes that are not written yet, because written bytes already reduce the free space.
#[derive(Debug)]
pub struct DownloadSpaceReservations {
    path: PathBuf,
    reserved: Mutex<BTreeMap<usize, u64>>,
}

/// Additional free space for manifests and the journal, in bytes.
const SAFETY_MARGIN: u64 = 256 * 1024;

impl DownloadSpaceReservations {
    /// Creates reservations, still empty, on the disk of a folder.
    pub fn new_reservations_for_folder(path: &Path) -> Self {
        Self { path: path.to_owned(), reserved: Mutex::default() }
    }

    /// Reserves bytes for a file and replaces its earlier reservation.
    ///
    /// # Errors
    /// [`StoreError::NotEnoughSpace`] if all reservations together exceed the free space. The file has no reservation
    /// then. If the system does not report the free space, the call succeeds.
    pub fn set_file_space_reservation(&self, file: usize, bytes: u64) -> Result<(), StoreError> {
        let mut promised = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let before = promised.insert(file, bytes).unwrap_or(0);
        if bytes <= before {
            return Ok(());
        }
        let needs = promised.values().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        let refused = ensure_free_space(&self.path, needs.saturating_add(SAFETY_MARGIN));
        if refused.is_err() {
            promised.remove(&file);
        }
        refused
    }

    /// Reduces the reservation of a file to the bytes that are not written yet.
    pub fn reduce_reservation_to_remaining(&self, file: usize, bytes: u64) {
        let mut promised = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = promised.get_mut(&file) {
            *before = bytes.min(*before);
        }
    }

    /// Releases the reservation of a file that is complete or failed.
    pub fn release_reservation(&self, file: usize) {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner).remove(&file);
    }
}

/// Checks that the disk of a folder, which need not exist, has a number of free bytes.
///
/// # Errors
/// [`StoreError::NotEnoughSpace`]. If the system does not report the free space, the call succeeds.
pub fn ensure_free_space(path: &Path, needs: u64) -> Result<(), StoreError> {
    match free_disk_bytes(path) {
        Some(has) if has < needs => Err(StoreError::NotEnoughSpace { path: path.to_owned(), needs, has }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_are_added_and_released() {
        let folder = tempfile::tempdir().expect("a folder");
        let half = free_disk_bytes(folder.path()).expect("reported") / 10 * 6;
        let room = DownloadSpaceReservations::new_reservations_for_folder(folder.path());
        room.set_file_space_reservation(0, half).expect("it fits");
        let error = room.set_file_space_reservation(1, half).expect_err("both do not");
        assert_eq!(error.error_code(), "disk_full");
        room.set_file_space_reservation(2, 1).expect("a failed reservation takes no space");
        room.reduce_reservation_to_remaining(0, half + 1);
        room.set_file_space_reservation(1, half).expect_err("a larger value does not reduce the reservation");
        room.reduce_reservation_to_remaining(7, 1);
        room.set_file_space_reservation(0, half / 10).expect("a smaller reservation always succeeds");
        room.set_file_space_reservation(1, half).expect("now it fits");
        room.release_reservation(1);
        room.set_file_space_reservation(3, half).expect("the space was released");
        let error = room.set_file_space_reservation(4, u64::MAX).expect_err("no disk is that large");
        let words = error.to_string();
        assert!(words.contains("disk full: needs") && words.contains(&*folder.path().to_string_lossy()), "{words}");
    }
}
