//! Room on the disk: looked at before anything is asked for that would need it.

use crate::disk::free_space;
use crate::error::StoreError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The room that files on their way to one folder still need, all together.
///
/// A file that is written takes of the free room as it grows, so what is promised to it is only what is yet to come.
#[derive(Debug)]
pub struct Room {
    path: PathBuf,
    promised: Mutex<BTreeMap<usize, u64>>,
}

/// Left free besides, in bytes: for manifests and the journal, which say what became of the rest.
const MARGIN: u64 = 256 * 1024;

impl Room {
    /// The room on the disk that holds this folder.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), promised: Mutex::default() }
    }

    /// Promises a file so many bytes more, in place of what it was promised before.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`] when the disk has less than this and all other promises need; nothing is promised then.
    /// Where the system does not tell, there is room.
    pub fn promise(&self, file: usize, bytes: u64) -> Result<(), StoreError> {
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
        let before = promised.insert(file, bytes).unwrap_or(0);
        if bytes <= before {
            return Ok(());
        }
        let needs = promised.values().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        let refused = enough(&self.path, needs.saturating_add(MARGIN));
        if refused.is_err() {
            promised.remove(&file);
        }
        refused
    }

    /// Some of what was promised is written by now, and so many bytes are yet to come.
    pub fn reduce(&self, file: usize, bytes: u64) {
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = promised.get_mut(&file) {
            *before = bytes.min(*before);
        }
    }

    /// The file is whole, or given up.
    pub fn release(&self, file: usize) {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner).remove(&file);
    }
}

/// Checks that the disk that holds (or will hold) a folder has so many bytes left.
///
/// # Errors
/// [`StoreError::NoRoom`]. Where the system does not tell, there is enough.
pub fn enough(path: &Path, needs: u64) -> Result<(), StoreError> {
    match free_space(path) {
        Some(has) if has < needs => Err(StoreError::NoRoom { path: path.to_owned(), needs, has }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_added_up_and_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let half = free_space(folder.path()).expect("told") / 10 * 6;
        let room = Room::at(folder.path());
        room.promise(0, half).expect("it fits");
        let error = room.promise(1, half).expect_err("both do not");
        assert_eq!(error.code(), "disk_full");
        room.promise(2, 1).expect("what was refused takes nothing");
        room.reduce(0, half + 1);
        room.promise(1, half).expect_err("more is not less");
        room.reduce(7, 1);
        room.promise(0, half / 10).expect("less is never refused");
        room.promise(1, half).expect("now it fits");
        room.release(1);
        room.promise(3, half).expect("given back");
        let error = room.promise(4, u64::MAX).expect_err("no disk has as much");
        let words = error.to_string();
        assert!(
            words.contains("disk full: needs") && words.contains(&*folder.path().to_string_lossy()),
            "{words}"
        );
    }
}
