//! Avatars that stand on disk: finding them, reading their manifests, removing them.

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

/// Saved (or incomplete) avatars on disk.
#[derive(Debug, Clone, Copy)]
pub struct Avatars;

/// What [`Avatars::remove`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many files of ours went, the manifest among them.
    pub files: usize,
    /// What else is in the folder: not ours, so it stays, and the folder with it.
    pub left: Vec<String>,
}

/// No manifest is larger: 10,000 files of the longest names fit.
const MAX_MANIFEST: u64 = 16 * 1024 * 1024;

impl Avatars {
    /// Finds a visit's folder in `OUT` or in [`crate::DataDir::incomplete`], and reads its manifest. What this finds
    /// is durable, also when a crash came right after the renaming: the journal may say so and forget the rest.
    pub fn find(parent: &Path, visit: &VisitId) -> Result<Option<(PathBuf, Manifest)>, StoreError> {
        let Some(path) = Self::path_of(parent, visit)? else { return Ok(None) };
        let manifest = Self::manifest(&path)?;
        disk::sync_path(parent)?;
        Ok(Some((path, manifest)))
    }

    /// Reads a folder's manifest.
    ///
    /// # Errors
    /// [`StoreError::Manifest`] when it cannot be understood; [`StoreError::NotOurs`] when there is none.
    pub fn manifest(folder: &Path) -> Result<Manifest, StoreError> {
        let (parent, name) = split(folder)?;
        let dir = disk::open_subfolder(&disk::open_folder(&parent)?, &name, folder)?;
        read(&dir, folder)
    }

    /// Removes an avatar: the files that its manifest lists, what came of those that it lists as missing, the
    /// manifest, and the folder when it is empty then. Links are removed, never followed; nothing else is touched.
    ///
    /// The manifest goes last, so a removal that was cut short can be done again: a folder without one is taken for
    /// such when nothing in it has a name of ours. A folder that is gone is no error.
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
            // A manifest that somebody edited names nothing outside of what we give.
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

    /// The folder of this visit among the entries, by its name alone; what is in it was not looked at.
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

/// Whether a removal took the manifest, and was cut short before it took the folder.
fn is_emptied(dir: &Dir, folder: &Path) -> Result<bool, StoreError> {
    let ours = |name: &String| {
        let name = name.strip_suffix(PART).unwrap_or(name);
        name == MANIFEST_NAME || names::is_ours(name)
    };
    Ok(!disk::entries(dir, folder)?.iter().any(ours))
}

fn read(dir: &Dir, folder: &Path) -> Result<Manifest, StoreError> {
    let path = folder.join(MANIFEST_NAME);
    if !disk::is_there(dir, MANIFEST_NAME, &path)? {
        return Err(StoreError::NotOurs { path: folder.to_owned(), why: "it has no manifest of ours" });
    }
    let mut json = Vec::new();
    disk::open_ours(dir, MANIFEST_NAME, &path)?
        .take(MAX_MANIFEST)
        .read_to_end(&mut json)
        .at("read", &path)?;
    Manifest::from_json(&json).map_err(|why| StoreError::Manifest { path, why })
}

fn split(folder: &Path) -> Result<(PathBuf, String), StoreError> {
    let absolute = std::path::absolute(folder).at("find", folder)?;
    match (absolute.parent(), absolute.file_name().and_then(|name| name.to_str())) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_owned())),
        _ => Err(StoreError::NotOurs { path: absolute, why: "no avatar of ours has such a name" }),
    }
}
