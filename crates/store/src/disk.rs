//! The few moves on disk that everything here is made of: private modes, durable folders, no link followed.

use crate::crash::{self, Point};
use crate::error::{At, StoreError};
use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The free room for this user on the file system that holds (or will hold) a path, in bytes; `None` where the
/// system does not say.
pub fn free_space(path: &Path) -> Option<u64> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find_map(|there| fs4::available_space(there).ok())
}

/// Makes a folder and its missing parents, private and durable: each new entry is fsynced in its parent.
pub(crate) fn create_folder(path: &Path) -> Result<(), StoreError> {
    let absolute = std::path::absolute(path).at("find", path)?;
    let missing: Vec<PathBuf> =
        absolute.ancestors().take_while(|there| !there.exists()).map(Path::to_owned).collect();
    for folder in missing.iter().rev() {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.at("make the folder", folder)?,
        }
        if let Some(parent) = folder.parent() {
            sync_path(parent)?;
        }
    }
    if absolute.is_dir() {
        Ok(())
    } else {
        Err(StoreError::NotOurs { path: absolute, why: "a folder is needed, and this is none" })
    }
}

/// Opens a folder as the place that all further steps are confined to.
pub(crate) fn open_folder(path: &Path) -> Result<Dir, StoreError> {
    Dir::open_ambient_dir(path, ambient_authority()).at("open the folder", path)
}

/// Opens a folder inside another; a symlink in its place is refused.
pub(crate) fn open_subfolder(parent: &Dir, name: &str, path: &Path) -> Result<Dir, StoreError> {
    let found = parent.symlink_metadata(name).at("look at", path)?;
    if !found.is_dir() {
        return Err(StoreError::NotOurs { path: path.to_owned(), why: "it is no folder of ours" });
    }
    parent.open_dir_nofollow(name).at("open the folder", path)
}

/// Makes one private folder inside another; the entry is durable when this returns.
pub(crate) fn create_subfolder(parent: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
    parent.create_dir_with(name, &builder).at("make the folder", path)?;
    crash::reached(Point::FolderMade);
    sync_folder(parent, path)
}

/// Options for a private file (0600 where modes exist), never through a symlink.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).follow(FollowSymlinks::No);
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a regular file for reading; a link or anything else in its place is refused.
pub(crate) fn open_ours(dir: &Dir, name: &str, path: &Path) -> Result<File, StoreError> {
    let found = dir.symlink_metadata(name).at("look at", path)?;
    if !found.is_file() {
        return Err(StoreError::NotOurs { path: path.to_owned(), why: "it is no regular file" });
    }
    let mut options = OpenOptions::new();
    dir.open_with(name, options.read(true).follow(FollowSymlinks::No)).at("open", path)
}

/// Writes a small file whole: partial file, fsync, `flushed`, rename. The folder is the caller's to fsync.
pub(crate) fn write_whole(
    dir: &Dir,
    name: &str,
    bytes: &[u8],
    path: &Path,
    flushed: impl FnOnce(),
) -> Result<(), StoreError> {
    let part = format!("{name}.part");
    remove_if_there(dir, &part, path)?;
    let mut file = dir.open_with(&part, private_file().create_new(true)).at("make", path)?;
    file.write_all(bytes).at("write", path)?;
    file.sync_all().at("flush", path)?;
    flushed();
    dir.rename(&part, dir, name).at("rename", path)
}

/// Removes a file (or a link, never what it points to).
pub(crate) fn remove_if_there(dir: &Dir, name: &str, path: &Path) -> Result<bool, StoreError> {
    match dir.remove_file_or_symlink(name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("remove", path, error)),
    }
}

/// Whether anything of that name is there, also a dangling link.
pub(crate) fn is_there(dir: &Dir, name: &str, path: &Path) -> Result<bool, StoreError> {
    match dir.symlink_metadata(name) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("look at", path, error)),
    }
}

/// The plain names of a folder's entries that are UTF-8; others are never ours.
pub(crate) fn entries(dir: &Dir, path: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in dir.entries().at("list", path)? {
        if let Ok(name) = entry.at("list", path)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Makes a folder's entries durable. Where folders cannot be flushed (Windows) the file system's own journal does it.
pub(crate) fn sync_folder(dir: &Dir, path: &Path) -> Result<(), StoreError> {
    if cfg!(unix) { dir.open(".").and_then(|folder| folder.sync_all()).at("flush", path) } else { Ok(()) }
}

/// [`sync_folder`] by path.
pub(crate) fn sync_path(path: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        std::fs::File::open(path).and_then(|folder| folder.sync_all()).at("flush", path)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_told_also_for_a_folder_to_come() {
        let root = tempfile::tempdir().expect("a folder");
        assert!(free_space(&root.path().join("not/yet")).is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn a_file_where_a_folder_should_be_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("file");
        std::fs::write(&file, "x").expect("written");
        let error = create_folder(&file).expect_err("refused");
        assert_eq!(error.code(), "not_ours");
        assert!(create_folder(&file.join("below")).is_err());
        assert_eq!(std::fs::read(&file).expect("still there"), b"x");
    }
}
