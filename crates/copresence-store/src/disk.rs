//! File system operations: private modes, durable folders, no followed symlinks.

use crate::crash_point::{self, CrashPoint};
use crate::error::{IoContext, StoreError};
use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Free space in bytes for this user on the file system of a path, which need not exist. `None` if the system does not
/// report it.
pub fn free_disk_bytes(path: &Path) -> Option<u64> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find_map(|there| fs4::available_space(there).ok())
}

/// What tells disks apart: the number of the device on Unix, the drive on Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskId(#[cfg(unix)] u64, #[cfg(not(unix))] PathBuf);

/// The disk that a path is on, or would be on if it was created. `None` if the system does not say it.
pub(crate) fn find_disk_id(path: &Path) -> Option<DiskId> {
    let absolute = std::path::absolute(path).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        absolute.ancestors().find_map(|ancestor| std::fs::metadata(ancestor).ok()).map(|found| DiskId(found.dev()))
    }
    #[cfg(not(unix))]
    {
        let existing = absolute.ancestors().find_map(|ancestor| ancestor.canonicalize().ok())?;
        existing.ancestors().last().map(|drive| DiskId(drive.to_owned()))
    }
}

/// Creates a private folder and its missing parents. Each new folder is durable: its parent is fsynced.
pub(crate) fn create_durable_private_folder(path: &Path) -> Result<(), StoreError> {
    let absolute = std::path::absolute(path).io_context("find", path)?;
    let missing: Vec<PathBuf> = absolute.ancestors().take_while(|there| !there.exists()).map(Path::to_owned).collect();
    for folder in missing.iter().rev() {
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.io_context("make the folder", folder)?,
        }
        if let Some(parent) = folder.parent() {
            sync_folder_path(parent)?;
        }
    }
    if absolute.is_dir() { Ok(()) } else { Err(StoreError::ForeignEntry { path: absolute, why: "it is not a folder" }) }
}

/// Opens a folder; symlinks in its path are followed. Operations on it are confined to it.
pub(crate) fn open_folder_following_symlinks(path: &Path) -> Result<Dir, StoreError> {
    Dir::open_ambient_dir(path, ambient_authority()).io_context("open the folder", path)
}

/// Opens a folder inside another one. A symlink is an error.
pub(crate) fn open_subfolder(parent: &Dir, name: &str, path: &Path) -> Result<Dir, StoreError> {
    let found = parent.symlink_metadata(name).io_context("look at", path)?;
    if !found.is_dir() {
        return Err(StoreError::ForeignEntry { path: path.to_owned(), why: "it is not a folder of this program" });
    }
    parent.open_dir_nofollow(name).io_context("open the folder", path)
}

/// Creates a subfolder that is private, and durable when this returns.
pub(crate) fn create_subfolder(parent: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
    parent.create_dir_with(name, &builder).io_context("make the folder", path)?;
    crash_point::reach_crash_point(CrashPoint::FolderMade);
    sync_folder(parent, path)
}

/// Options to open a private file (mode 0600 on Unix) for reading and writing, without following symlinks.
pub(crate) fn private_file_options() -> OpenOptions {
    read_write_options_with_mode(0o600)
}

/// Options to open a file for reading and writing without following symlinks. On Unix a new one gets `mode`, less the umask.
pub(crate) fn read_write_options_with_mode(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).follow(FollowSymlinks::No);
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// Opens a regular file for reading. A symlink or another kind of entry is an error.
pub(crate) fn open_regular_file(dir: &Dir, name: &str, path: &Path) -> Result<File, StoreError> {
    open_regular_file_with(dir, name, path, OpenOptions::new().read(true))
}

/// Flushes a regular file. A symlink or another kind of entry is an error.
pub(crate) fn sync_regular_file(dir: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    // Windows refuses to flush a file that is open for reading only.
    let file = open_regular_file_with(dir, name, path, OpenOptions::new().read(true).write(true))?;
    file.sync_all().io_context("flush", path)
}

fn open_regular_file_with(dir: &Dir, name: &str, path: &Path, options: &mut OpenOptions) -> Result<File, StoreError> {
    let found = dir.symlink_metadata(name).io_context("look at", path)?;
    if !found.is_file() {
        return Err(StoreError::ForeignEntry { path: path.to_owned(), why: "it is not a regular file" });
    }
    dir.open_with(name, options.follow(FollowSymlinks::No)).io_context("open", path)
}

/// Writes a small file atomically: partial file, fsync, call of `flushed`, rename. The caller must fsync the folder.
pub(crate) fn write_file_atomically(
    dir: &Dir,
    name: &str,
    bytes: &[u8],
    path: &Path,
    flushed: impl FnOnce(),
) -> Result<(), StoreError> {
    let part = format!("{name}.part");
    remove_file_if_exists(dir, &part, path)?;
    let mut file = dir.open_with(&part, private_file_options().create_new(true)).io_context("make", path)?;
    file.write_all(bytes).io_context("write", path)?;
    file.sync_all().io_context("flush", path)?;
    flushed();
    dir.rename(&part, dir, name).io_context("rename", path)
}

/// Removes a file or a symlink. Returns whether it existed.
pub(crate) fn remove_file_if_exists(dir: &Dir, name: &str, path: &Path) -> Result<bool, StoreError> {
    match dir.remove_file_or_symlink(name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::from_io_error("remove", path, error)),
    }
}

/// Removes a folder if it is empty.
pub(crate) fn remove_folder_if_empty(parent: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    match parent.remove_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed.io_context("remove", path),
    }
}

/// Whether an entry exists, also a dangling symlink.
pub(crate) fn entry_exists(dir: &Dir, name: &str, path: &Path) -> Result<bool, StoreError> {
    match dir.symlink_metadata(name) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::from_io_error("look at", path, error)),
    }
}

/// The names of the entries of a folder. Names that are not UTF-8 are skipped, because this program does not use them.
pub(crate) fn entry_names(dir: &Dir, path: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in dir.entries().io_context("list", path)? {
        if let Ok(name) = entry.io_context("list", path)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes the entries of a folder durable. Windows cannot fsync a folder and relies on the journal of its file system. Some
/// file systems (shared folders of virtual machines, some network disks) do not support it either.
pub(crate) fn sync_folder(dir: &Dir, path: &Path) -> Result<(), StoreError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let flushed = dir.open(".").and_then(|folder| folder.sync_all());
    treat_unsupported_folder_flush_as_done(flushed).io_context("flush", path)
}

/// As [`sync_folder`], for a path.
pub(crate) fn sync_folder_path(path: &Path) -> Result<(), StoreError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let flushed = std::fs::File::open(path).and_then(|folder| folder.sync_all());
    treat_unsupported_folder_flush_as_done(flushed).io_context("flush", path)
}

/// Takes the flush of a folder for done if its file system does not support it: an avatar is saved there all the same.
fn treat_unsupported_folder_flush_as_done(flushed: io::Result<()>) -> io::Result<()> {
    match flushed {
        // `fsync` of a folder: EINVAL, ENOTSUP or ENOSYS.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Whether the path still names the open file: it may have been removed or replaced.
///
/// # Errors
/// If one of them cannot be looked at: the path names nothing, for example.
pub(crate) fn is_open_file_still_at_path(file: &std::fs::File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (held, named) = (file.metadata()?, std::fs::symlink_metadata(path)?);
        Ok((held.dev(), held.ino()) == (named.dev(), named.ino()))
    }
    // The standard library has no stable access to the numbers of files there.
    #[cfg(windows)]
    Ok(same_file::Handle::from_file(file.try_clone()?)? == same_file::Handle::from_path(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_reported_for_a_folder_that_does_not_exist() {
        let root = tempfile::tempdir().expect("a folder");
        assert!(free_disk_bytes(&root.path().join("not/yet")).is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn a_file_at_the_path_of_a_folder_is_an_error() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("file");
        std::fs::write(&file, "x").expect("written");
        let error = create_durable_private_folder(&file).expect_err("refused");
        assert_eq!(error.error_code(), "not_ours");
        assert!(create_durable_private_folder(&file.join("below")).is_err());
        assert_eq!(std::fs::read(&file).expect("still there"), b"x");
    }

    /// `/proc` is a file system that cannot flush folders.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_that_cannot_flush_folders_is_accepted() {
        let path = Path::new("/proc/self");
        let folder = std::fs::File::open(path).expect("opens");
        assert_eq!(folder.sync_all().expect_err("not supported").kind(), io::ErrorKind::InvalidInput);
        sync_folder_path(path).expect("accepted");
        sync_folder(&open_folder_following_symlinks(path).expect("opens"), path).expect("accepted");
        assert!(treat_unsupported_folder_flush_as_done(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
