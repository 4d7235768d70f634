//! Checks that files can be made in a folder, before something is bought that is to be saved there.

use crate::error::StoreError;
use std::path::Path;

/// Checks that a number of files, 0 or more, can be made in a folder. It need not exist; then its nearest parent that
/// exists is checked. Changes nothing on the disk; on Windows a file is made there and removed at once.
///
/// # Errors
/// [`StoreError::NotEnoughFileNodes`] if the file system has too few free inodes, [`StoreError::Permission`] if the folder
/// must not be written or its disk is mounted read-only, and [`StoreError::ForeignEntry`] if it is no folder. What the
/// system does not report is not checked.
pub fn ensure_files_can_be_made(path: &Path, files: u64) -> Result<(), StoreError> {
    let absolute = std::path::absolute(path).map_err(|error| StoreError::from_io_error("find", path, error))?;
    let Some(folder) = absolute.ancestors().find(|there| there.exists()) else { return Ok(()) };
    if !folder.is_dir() {
        return Err(StoreError::ForeignEntry { path: folder.to_owned(), why: "it is not a folder" });
    }
    check_access_and_free_inodes(folder, files)
}

/// Fails if files cannot be created in a folder that exists: no write permission, or too few free inodes.
#[cfg(unix)]
fn check_access_and_free_inodes(folder: &Path, files: u64) -> Result<(), StoreError> {
    use rustix::fs::{Access, access, statvfs};
    if let Err(error @ (rustix::io::Errno::ACCESS | rustix::io::Errno::ROFS)) =
        access(folder, Access::WRITE_OK | Access::EXEC_OK)
    {
        return Err(StoreError::from_io_error("write to", folder, error.into()));
    }
    match statvfs(folder) {
        Ok(disk) => check_free_inodes(folder, files, disk.f_files, disk.f_favail),
        Err(_) => Ok(()),
    }
}

/// Makes a file and removes it: access rights are more than a read-only bit there.
#[cfg(windows)]
fn check_access_and_free_inodes(folder: &Path, _: u64) -> Result<(), StoreError> {
    use std::io::ErrorKind;
    use std::os::windows::fs::OpenOptionsExt as _;
    // `FILE_FLAG_DELETE_ON_CLOSE`: the file is removed also if the program is killed.
    const DELETE_ON_CLOSE: u32 = 0x0400_0000;
    let path = folder.join(format!(".copresence-{}.probe", uuid::Uuid::now_v7()));
    match std::fs::File::options().write(true).create_new(true).custom_flags(DELETE_ON_CLOSE).open(path) {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            Err(StoreError::from_io_error("write to", folder, error))
        }
        _ => Ok(()),
    }
}

/// Fails if a file system has fewer free inodes than are needed. File systems that make inodes as they need them report
/// a `total` of 0, and pass.
#[cfg(unix)]
fn check_free_inodes(folder: &Path, needs: u64, total: u64, has: u64) -> Result<(), StoreError> {
    if total > 0 && has < needs {
        return Err(StoreError::NotEnoughFileNodes { path: folder.to_owned(), needs, has });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_may_be_made_accepts_files_and_a_file_does_not() {
        let root = tempfile::tempdir().expect("a folder");
        ensure_files_can_be_made(&root.path().join("not/yet"), 16).expect("it can be made");
        assert_eq!(std::fs::read_dir(root.path()).expect("a folder").count(), 0, "nothing is left");
        let file = root.path().join("file");
        std::fs::write(&file, "x").expect("written");
        for path in [file.clone(), file.join("below")] {
            assert_eq!(ensure_files_can_be_made(&path, 16).expect_err("no folder").error_code(), "not_ours");
        }
    }

    #[cfg(unix)]
    #[test]
    fn too_few_free_inodes_are_reported_where_the_file_system_counts_them() {
        let path = Path::new("/avatars");
        let error = check_free_inodes(path, 16, 100, 2).expect_err("too few");
        assert!(error.is_disk_full());
        let words = error.to_string();
        assert!(words.contains("/avatars") && words.contains("16") && words.contains("inodes"), "{words}");
        check_free_inodes(path, 16, 100, 16).expect("enough");
        check_free_inodes(path, 16, 0, 0).expect("not counted");
    }
}
