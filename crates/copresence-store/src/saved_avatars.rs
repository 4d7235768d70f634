//! Finds, reads and removes saved avatars.

use crate::crash_point::{self, CrashPoint};
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::file_names;
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::partial_folder::is_temporary_or_damaged_file;
use crate::visit_id::VisitId;
use cap_std::fs::Dir;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Operations on saved and incomplete avatars.
#[derive(Debug, Clone, Copy)]
pub struct SavedAvatarOperations;

/// The result of [`SavedAvatarOperations::remove_avatar`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AvatarRemovalResult {
    /// Names of the removed files, including the manifest.
    pub removed_files: Vec<String>,
    /// Names of other entries in the folder. They and the folder were kept.
    pub foreign_entries: Vec<String>,
}

/// Maximum size of a manifest, in bytes. Large enough for 10,000 files with the longest names.
const MAX_MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

impl SavedAvatarOperations {
    /// Finds the folder of a visit in `parent` and reads its manifest.
    ///
    /// The folder is durable when this returns, also if a crash occurred directly after the rename, so the journal may
    /// record it and erase the secrets of the visit.
    ///
    /// # Errors
    /// As [`read_manifest`](Self::read_manifest).
    pub fn find_durable_avatar_with_manifest(
        parent: &Path,
        visit: &VisitId,
    ) -> Result<Option<(PathBuf, Manifest)>, StoreError> {
        let Some(path) = Self::find_avatar_folder_of_visit(parent, visit)? else { return Ok(None) };
        let manifest = Self::read_manifest(&path)?;
        disk::sync_folder_path(parent)?;
        Ok(Some((path, manifest)))
    }

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// [`StoreError::UnreadableManifest`] if it cannot be parsed, [`StoreError::ForeignEntry`] if there is none, or an
    /// I/O failure.
    pub fn read_manifest(folder: &Path) -> Result<Manifest, StoreError> {
        let (parent, name) = split_parent_and_name(folder)?;
        let dir = disk::open_subfolder(&disk::open_folder_following_symlinks(&parent)?, &name, folder)?;
        read_manifest_in_open_folder(&dir, folder)
    }

    /// Removes an avatar: the files that its manifest lists, complete or missing, all partial files and those that were set
    /// aside as damaged, the manifest, and the folder if it is empty then. If the manifest cannot be read, all files are removed
    /// that have a name of an avatar's file. Symlinks are removed and not followed. Other entries are kept.
    ///
    /// The manifest is removed last, so that an interrupted removal can be repeated. A folder without manifest counts
    /// as interrupted if no entry has the name of a complete file. A folder that does not exist is not an error.
    ///
    /// # Errors
    /// As [`read_manifest`](Self::read_manifest).
    pub fn remove_avatar(folder: &Path) -> Result<AvatarRemovalResult, StoreError> {
        let (parent_path, name) = split_parent_and_name(folder)?;
        if !parent_path.is_dir() {
            return Ok(AvatarRemovalResult::default());
        }
        let parent = disk::open_folder_following_symlinks(&parent_path)?;
        if !disk::entry_exists(&parent, &name, folder)? {
            return Ok(AvatarRemovalResult::default());
        }
        let dir = disk::open_subfolder(&parent, &name, folder)?;
        if was_removal_interrupted(&dir, folder)? {
            let removed_files = remove_temporary_and_damaged_files(&dir, folder)?;
            let left = disk::entry_names(&dir, folder)?;
            drop(dir);
            disk::remove_folder_if_empty(&parent, &name, folder)?;
            disk::sync_folder(&parent, &parent_path)?;
            return Ok(AvatarRemovalResult { removed_files, foreign_entries: left });
        }
        let listed: Vec<String> = match read_manifest_in_open_folder(&dir, folder) {
            Ok(manifest) => {
                let missing = manifest.missing.into_iter().map(|file| file.path);
                manifest.files.into_iter().map(|file| file.path).chain(missing).collect()
            }
            // A face must not stay because of that.
            Err(StoreError::UnreadableManifest { .. }) => disk::entry_names(&dir, folder)?,
            Err(error) => return Err(error),
        };
        let mut removed_files = Vec::new();
        for file in listed {
            // A manifest may have been edited, so other names are ignored.
            if file_names::is_avatar_file_name(&file) && disk::remove_file_if_exists(&dir, &file, &folder.join(&file))?
            {
                removed_files.push(file);
            }
        }
        removed_files.extend(remove_temporary_and_damaged_files(&dir, folder)?);
        disk::sync_folder(&dir, folder)?;
        crash_point::reach_crash_point(CrashPoint::AvatarEmptied);
        if disk::remove_file_if_exists(&dir, MANIFEST_NAME, &folder.join(MANIFEST_NAME))? {
            removed_files.push(MANIFEST_NAME.to_owned());
        }
        crash_point::reach_crash_point(CrashPoint::ManifestRemoved);
        let left = disk::entry_names(&dir, folder)?;
        drop(dir);
        disk::remove_folder_if_empty(&parent, &name, folder)?;
        disk::sync_folder(&parent, &parent_path)?;
        crash_point::reach_crash_point(CrashPoint::AvatarRemoved);
        Ok(AvatarRemovalResult { removed_files, foreign_entries: left })
    }

    /// Finds the folder of a visit's avatar by its name. Does not check its content.
    ///
    /// # Errors
    /// `parent` cannot be listed.
    pub fn find_avatar_folder_of_visit(parent: &Path, visit: &VisitId) -> Result<Option<PathBuf>, StoreError> {
        if !parent.is_dir() {
            return Ok(None);
        }
        let suffix = format!("-{visit}");
        let names = disk::entry_names(&disk::open_folder_following_symlinks(parent)?, parent)?;
        let found = names
            .into_iter()
            .find(|name| name.strip_suffix(&suffix).is_some_and(|date| date.parse::<jiff::civil::Date>().is_ok()));
        found.map(|name| std::path::absolute(parent).io_context("find", parent).map(|at| at.join(name))).transpose()
    }
}

/// Removes partial files and those that were set aside as damaged from an avatar's folder. Returns their names.
fn remove_temporary_and_damaged_files(dir: &Dir, folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut removed = Vec::new();
    for name in disk::entry_names(dir, folder)?.into_iter().filter(|name| is_temporary_or_damaged_file(name)) {
        if disk::remove_file_if_exists(dir, &name, &folder.join(&name))? {
            removed.push(name);
        }
    }
    Ok(removed)
}

/// Whether a removal was interrupted after the manifest was removed.
fn was_removal_interrupted(dir: &Dir, folder: &Path) -> Result<bool, StoreError> {
    let is_complete_file = |name: &String| name == MANIFEST_NAME || file_names::is_avatar_file_name(name);
    Ok(!disk::entry_names(dir, folder)?.iter().any(is_complete_file))
}

/// Reads the manifest in an open folder.
fn read_manifest_in_open_folder(dir: &Dir, folder: &Path) -> Result<Manifest, StoreError> {
    let path = folder.join(MANIFEST_NAME);
    if !disk::entry_exists(dir, MANIFEST_NAME, &path)? {
        return Err(StoreError::ForeignEntry { path: folder.to_owned(), why: "it has no manifest of this program" });
    }
    let mut json = Vec::new();
    disk::open_regular_file(dir, MANIFEST_NAME, &path)?
        .take(MAX_MANIFEST_BYTES)
        .read_to_end(&mut json)
        .io_context("read", &path)?;
    Manifest::from_json(&json).map_err(|why| StoreError::UnreadableManifest { path, why })
}

/// Splits a path into parent and name.
fn split_parent_and_name(folder: &Path) -> Result<(PathBuf, String), StoreError> {
    let absolute = std::path::absolute(folder).io_context("find", folder)?;
    match (absolute.parent(), absolute.file_name().and_then(|name| name.to_str())) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_owned())),
        _ => Err(StoreError::ForeignEntry { path: absolute, why: "its name is not one of an avatar folder" }),
    }
}
