//! Free disk space: checked and reserved before a download needs it.

use crate::disk::{DiskId, find_disk_id, free_disk_bytes};
use crate::error::StoreError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The disk space that the downloads of all visits of this process still need. Clones share the reservations.
///
/// A reservation contains only the bytes that are not written yet, because written bytes already reduce the free space.
#[derive(Debug, Clone, Default)]
pub struct DownloadSpaceReservations {
    files: Arc<Mutex<ReservedFiles>>,
}

/// The reservations of files by number.
#[derive(Debug, Default)]
struct ReservedFiles {
    last_number: u64,
    by_number: BTreeMap<u64, ReservedSpace>,
}

/// What one file still needs.
#[derive(Debug)]
struct ReservedSpace {
    /// `None` if the system does not say which disk it is.
    disk: Option<DiskId>,
    bytes: u64,
}

/// Additional free space for manifests and the journal, in bytes.
pub(crate) const SAFETY_MARGIN: u64 = 256 * 1024;

impl DownloadSpaceReservations {
    /// Returns the reservation of one file, still of zero bytes, on the disk of a folder. Dropping it releases the space.
    pub fn create_empty_file_reservation(&self, folder: &Path) -> FileSpaceReservation {
        let disk = find_disk_id(folder);
        let mut files = self.lock_files();
        files.last_number += 1;
        let number = files.last_number;
        files.by_number.insert(number, ReservedSpace { disk, bytes: 0 });
        FileSpaceReservation { reservations: self.clone(), number, folder: folder.to_owned() }
    }

    /// Checks that the disk of a folder, which need not exist, has a number of free bytes beside those that are reserved.
    ///
    /// # Errors
    /// [`StoreError::NotEnoughSpace`]. If the system does not report the free space, the call succeeds.
    pub fn ensure_unreserved_space(&self, path: &Path, needs: u64) -> Result<(), StoreError> {
        let reserved =
            if needs > 0 { self.lock_files().sum_reserved_bytes_on_disk(find_disk_id(path).as_ref()) } else { 0 };
        ensure_free_space(path, needs.saturating_add(reserved))
    }

    fn lock_files(&self) -> MutexGuard<'_, ReservedFiles> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReservedFiles {
    /// The sum of all reservations on a disk, in bytes.
    fn sum_reserved_bytes_on_disk(&self, disk: Option<&DiskId>) -> u64 {
        let on_disk = self.by_number.values().filter(|space| space.disk.as_ref() == disk);
        on_disk.fold(0, |sum: u64, space| sum.saturating_add(space.bytes))
    }
}

/// The disk space that one file still needs. Dropping it releases the space, so that a visit that is abandoned leaves no
/// reservation.
#[derive(Debug)]
pub struct FileSpaceReservation {
    reservations: DownloadSpaceReservations,
    number: u64,
    folder: PathBuf,
}

impl FileSpaceReservation {
    /// Reserves bytes, in place of those that were reserved before.
    ///
    /// # Errors
    /// [`StoreError::NotEnoughSpace`] if all reservations on this disk together exceed its free space. Nothing is reserved
    /// for the file then. If the system does not report the free space, the call succeeds.
    pub fn set_reserved_bytes(&self, bytes: u64) -> Result<(), StoreError> {
        let mut files = self.reservations.lock_files();
        let Some(space) = files.by_number.get_mut(&self.number) else { return Ok(()) };
        let before = std::mem::replace(&mut space.bytes, bytes);
        if bytes <= before {
            return Ok(());
        }
        let disk = space.disk.clone();
        let needs = files.sum_reserved_bytes_on_disk(disk.as_ref());
        let checked = ensure_free_space(&self.folder, needs.saturating_add(SAFETY_MARGIN));
        if checked.is_err()
            && let Some(space) = files.by_number.get_mut(&self.number)
        {
            space.bytes = 0;
        }
        checked
    }

    /// Reserves the next bytes of a file of unknown size, whose earlier bytes are written.
    ///
    /// # Errors
    /// As [`Self::set_reserved_bytes`].
    pub fn ensure_space_for_next_bytes(&self, bytes: u64) -> Result<(), StoreError> {
        self.reduce_reservation_to_unwritten_bytes(0);
        self.set_reserved_bytes(bytes)
    }

    /// Reduces the reservation to the bytes that are not written yet.
    pub fn reduce_reservation_to_unwritten_bytes(&self, bytes: u64) {
        if let Some(space) = self.reservations.lock_files().by_number.get_mut(&self.number) {
            space.bytes = space.bytes.min(bytes);
        }
    }
}

impl Drop for FileSpaceReservation {
    fn drop(&mut self) {
        self.reservations.lock_files().by_number.remove(&self.number);
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
        let reservations = DownloadSpaceReservations::default();
        let reserve = || reservations.clone().create_empty_file_reservation(folder.path());
        let (first, second, third) = (reserve(), reserve(), reserve());
        first.set_reserved_bytes(half).expect("it fits");
        let error = second.set_reserved_bytes(half).expect_err("both do not");
        assert_eq!(error.error_code(), "disk_full");
        third.set_reserved_bytes(1).expect("a failed reservation takes no space");
        first.reduce_reservation_to_unwritten_bytes(half + 1);
        second.set_reserved_bytes(half).expect_err("a larger value does not reduce the reservation");
        reservations.ensure_unreserved_space(folder.path(), half).expect_err("the space is reserved");
        reservations.ensure_unreserved_space(folder.path(), 0).expect("nothing is needed");
        first.set_reserved_bytes(half / 10).expect("a smaller reservation always succeeds");
        second.set_reserved_bytes(half).expect("now it fits");
        drop(second);
        third.set_reserved_bytes(half).expect("the space was released");
        let error = first.set_reserved_bytes(u64::MAX).expect_err("no disk is that large");
        let words = error.to_string();
        assert!(words.contains("disk full: needs") && words.contains(&*folder.path().to_string_lossy()), "{words}");
    }

    /// The memory of the system is another disk than that of temporary folders, on many machines.
    #[cfg(target_os = "linux")]
    #[test]
    fn each_disk_has_its_own_reservations() {
        let (disk, Ok(memory)) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir_in("/dev/shm")) else {
            return;
        };
        if find_disk_id(disk.path()) == find_disk_id(memory.path()) {
            return;
        }
        let reservations = DownloadSpaceReservations::default();
        let most_of = |folder: &Path| free_disk_bytes(folder).expect("reported") / 10 * 9;
        // A subfolder that does not exist yet.
        let files = [disk.path().join("out"), memory.path().join("out")].map(|folder| {
            let file = reservations.create_empty_file_reservation(&folder);
            file.set_reserved_bytes(most_of(&folder)).expect("the other disk does not count");
            file
        });
        let another = reservations.create_empty_file_reservation(memory.path());
        another.set_reserved_bytes(most_of(memory.path())).expect_err("it is reserved for another folder");
        drop(files);
        another.set_reserved_bytes(most_of(memory.path())).expect("released");
    }
}
