//! Finds, reads and removes saved avatars.

use crate::crash::{self, Point};
use crate::disk;
use crate::error::{At, StoreError};
use crate::folder::remove_if_empty;
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::names;
use crate::partial::PART;
use crate::visit_id::VisitId;
use cap_std::fs::Dir;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Operations on saved and incomplete avatars.
#[derive(Debug, Clone, Copy)]
pub struct Avatars;

/// The result of [`SavedAvatars::remove_avatar`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Number of removed files, including the manifest.
    pub files: usize,
    /// Names of other entries in the folder. They and the folder were kept.
    pub left: Vec<String>,
}

/// Maximum size of a manifest, in bytes. Large enough for 10,000 files with the longest names.
const MAX_MANIFEST: u64 = 16 * 1024 * 1024;

impl Avatars {
    /// Finds the folder of a visit in `parent` and reads its manifest.
    ///
    /// The folder is durable when this returns, also if a crash occurred directly after the rename, so the journal may
    /// record it and erase the secrets of the visit.
    ///
    /// # Errors
    /// As [`read_manifest`](Self::read_manifest).
    pub fn find(parent: &Path, visit: &VisitId) -> Result<Option<(PathBuf, Manifest)>, StoreError> {
        let Some(path) = Self::path_of(parent, visit)? else { return Ok(None) };
        let manifest = Self::manifest(&path)?;
        disk::sync_path(parent)?;
        Ok(Some((path, manifest)))
    }

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// [`StoreError::UnreadableManifest`] if it cannot be parsed, [`StoreError::ForeignEntry`] if there is none, or an
    /// I/O failure.
    pub fn manifest(folder: &Path) -> Result<Manifest, StoreError> {
        let (parent, name) = split(folder)?;
        let dir = disk::open_subfolder(&disk::open_folder(&parent)?, &name, folder)?;
        read(&dir, folder)
    }

    /// Removes an avatar: the files that its manifest lists, the parts of files that it lists as missing, the manifest,
    /// and the folder if it is empty then. Symlinks are removed and not followed. Other entries are kept.
    ///
    /// The manifest is removed last, so that an interrupted removal can be repeated. A folder without manifest counts
    /// as interrupted if no entry has a name of this program. A folder that does not exist is not an error.
    ///
    /// # Errors
    /// As [`read_manifest`](Self::read_manifest).
    pub fn remove(folder: &Path) -> Result<Removed, StoreError> {
        let (parent_path, name) = split(folder)?;
        if !parent_path.is_dir() {
            return Ok(Removed::default());
        }
        let parent = disk::open_folder(&parent_path)?;
        if !disk::is_there(&parent, &name, folder)? {
            return Ok(Removed::default());
        }
        let dir = disk::open_subfolder(&parent, &name, folder)?;
        if is_emptied(&dir, folder)? {
            let left = disk::entries(&dir, folder)?;
            drop(dir);
            remove_if_empty(&parent, &name, folder)?;
            disk::sync_folder(&parent, &parent_path)?;
            return Ok(Removed { files: 0, left });
        }
        let manifest = read(&dir, folder)?;
        let whole = manifest.files.iter().map(|file| file.path.clone());
        let rest =
            manifest.missing.iter().flat_map(|file| [file.path.clone(), format!("{}{PART}", file.path)]);
        let mut files = 0;
        for file in whole.chain(rest) {
            // A manifest may have been edited, so other names are ignored.
            if names::is_ours(file.strip_suffix(PART).unwrap_or(&file)) {
                files += usize::from(disk::remove_if_there(&dir, &file, &folder.join(&file))?);
            }
        }
        disk::sync_folder(&dir, folder)?;
        crash::reached(Point::AvatarEmptied);
        files += usize::from(disk::remove_if_there(&dir, MANIFEST_NAME, &folder.join(MANIFEST_NAME))?);
        crash::reached(Point::ManifestRemoved);
        let left = disk::entries(&dir, folder)?;
        drop(dir);
        remove_if_empty(&parent, &name, folder)?;
        disk::sync_folder(&parent, &parent_path)?;
        crash::reached(Point::AvatarRemoved);
        Ok(Removed { files, left })
    }

    /// Finds the folder of a visit by its name. Does not check its content.
    ///
    /// # Errors
    /// `parent` cannot be listed.
    pub fn path_of(parent: &Path, visit: &VisitId) -> Result<Option<PathBuf>, StoreError> {
        if !parent.is_dir() {
            return Ok(None);
        }
        let suffix = format!("-{visit}");
        let names = disk::entries(&disk::open_folder(parent)?, parent)?;
        let found = names.into_iter().find(|name| {
            name.strip_suffix(&suffix).is_some_and(|date| date.parse::<jiff::civil::Date>().is_ok())
        });
        found.map(|name| std::path::absolute(parent).at("find", parent).map(|at| at.join(name))).transpose()
    }
}

/// Whether a removal was interrupted after the manifest was removed.
fn is_emptied(dir: &Dir, folder: &Path) -> Result<bool, StoreError> {
    let ours = |name: &String| {
        let name = name.strip_suffix(PART).unwrap_or(name);
        name == MANIFEST_NAME || names::is_ours(name)
    };
    Ok(!disk::entries(dir, folder)?.iter().any(ours))
}

/// Reads the manifest in an open folder.
fn read(dir: &Dir, folder: &Path) -> Result<Manifest, StoreError> {
    let path = folder.join(MANIFEST_NAME);
    if !disk::is_there(dir, MANIFEST_NAME, &path)? {
        return Err(StoreError::NotOurs {
            path: folder.to_owned(),
            why: "it has no manifest of this program",
        });
    }
    let mut json = Vec::new();
    disk::open_ours(dir, MANIFEST_NAME, &path)?
        .take(MAX_MANIFEST)
        .read_to_end(&mut json)
        .at("read", &path)?;
    Manifest::from_json(&json).map_err(|why| StoreError::Manifest { path, why })
}

/// Splits a path into parent and name.
fn split(folder: &Path) -> Result<(PathBuf, String), StoreError> {
    let absolute = std::path::absolute(folder).at("find", folder)?;
    match (absolute.parent(), absolute.file_name().and_then(|name| name.to_str())) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_owned())),
        _ => Err(StoreError::NotOurs { path: absolute, why: "its name is not one of an avatar folder" }),
    }
}
