//! The folder `.<visit id>.partial` of an avatar that is not published yet: its name and its removal.

use crate::crash_point::{self, CrashPoint};
use crate::disk;
use crate::error::StoreError;
use crate::file_names;
use crate::file_sources::SOURCES_NAME;
use crate::manifest::MANIFEST_NAME;
use crate::partial_file::{DAMAGED_SUFFIX, DECODED_SUFFIX, DOUBTED_SUFFIX, PART_SUFFIX};
use crate::visit_id::VisitId;
use cap_std::fs::Dir;
use std::path::{Path, PathBuf};

/// Name and path of the partial folder of a visit.
pub(crate) fn partial_folder_name_and_path(parent: &Path, visit: &VisitId) -> (String, PathBuf) {
    let name = format!(".{visit}.partial");
    let path = parent.join(&name);
    (name, path)
}

/// Parses the name of a partial folder. Returns `None` for other names.
pub(crate) fn parse_partial_name(name: &str) -> Option<VisitId> {
    name.strip_prefix('.')?.strip_suffix(".partial")?.parse().ok()
}

/// The folder of an avatar that is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPartialFolder {
    /// The visit that its name states.
    pub visit: VisitId,
    /// Its path.
    pub path: PathBuf,
    /// The names of the avatar's files in it, complete (`avatar.glb`) and partial (`avatar.glb.part`), sorted. Not empty.
    pub files: Vec<String>,
}

/// Finds the folders of unpublished avatars in an output folder that contain files of an avatar. An output folder that does
/// not exist has none.
///
/// # Errors
/// The output folder or a folder in it cannot be listed.
pub fn find_partial_folders_with_files(out: &Path) -> Result<Vec<FoundPartialFolder>, StoreError> {
    if !out.is_dir() {
        return Ok(Vec::new());
    }
    let parent = disk::open_folder_following_symlinks(out)?;
    let mut found = Vec::new();
    for name in disk::entry_names(&parent, out)? {
        let Some(visit) = parse_partial_name(&name) else { continue };
        let path = out.join(&name);
        // Another program may remove it meanwhile, and a link is not followed.
        let Ok(dir) = disk::open_subfolder(&parent, &name, &path) else { continue };
        let mut files = disk::entry_names(&dir, &path)?;
        files.retain(|file| is_avatar_or_manifest_file(file) && file != MANIFEST_NAME && file != SOURCES_NAME);
        files.sort();
        if !files.is_empty() {
            found.push(FoundPartialFolder { visit, path, files });
        }
    }
    Ok(found)
}

/// Removes a partial folder and the files of this program in it. If it contains other files, they and the folder are
/// kept. Returns the names of the removed files.
pub(crate) fn remove_partial_folder(parent: &Dir, name: &str, path: &Path) -> Result<Vec<String>, StoreError> {
    if !disk::entry_exists(parent, name, path)? {
        return Ok(Vec::new());
    }
    let mut removed = Vec::new();
    let dir = disk::open_subfolder(parent, name, path)?;
    for file in disk::entry_names(&dir, path)?.into_iter().filter(|file| is_avatar_or_manifest_file(file)) {
        if disk::remove_file_if_exists(&dir, &file, &path.join(&file))? {
            removed.push(file);
        }
    }
    drop(dir);
    crash_point::reach_crash_point(CrashPoint::PartialEmptied);
    disk::remove_folder_if_empty(parent, name, path)?;
    Ok(removed)
}

/// Whether a file name, complete or not, is that of an avatar's file or of the manifest.
pub(crate) fn is_avatar_or_manifest_file(name: &str) -> bool {
    name == MANIFEST_NAME || file_names::is_avatar_file_name(name) || is_temporary_or_damaged_file(name)
}

/// Whether a file name is one that this program gives only to files that are no part of the finished avatar: partial,
/// decoded, doubted or set aside, or the record of their URLs. No person gives it to a file beside a saved avatar.
pub(crate) fn is_temporary_or_damaged_file(name: &str) -> bool {
    let whole = [PART_SUFFIX, DECODED_SUFFIX, DOUBTED_SUFFIX].iter().find_map(|suffix| name.strip_suffix(suffix));
    is_damaged_avatar_file(name)
        || name == SOURCES_NAME
        || whole.is_some_and(|whole| {
            [MANIFEST_NAME, SOURCES_NAME].contains(&whole) || file_names::is_avatar_file_name(whole)
        })
}

/// Whether a file name is that of an avatar's file that was set aside because the disk has changed it.
pub(crate) fn is_damaged_avatar_file(name: &str) -> bool {
    name.split_once(DAMAGED_SUFFIX).is_some_and(|(file, number)| {
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        file_names::is_avatar_file_name(file) && (number.is_empty() || number.strip_prefix('-').is_some_and(is_number))
    })
}
