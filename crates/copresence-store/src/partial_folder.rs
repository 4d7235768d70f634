//! The folder `.<visit id>.partial` of an avatar that is not published yet: its name and its removal.

use crate::crash_point::{self, CrashPoint};
use crate::disk;
use crate::error::StoreError;
use crate::file_names;
use crate::manifest::MANIFEST_NAME;
use crate::partial_file::{DECODED_SUFFIX, PART_SUFFIX};
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

/// Removes a partial folder and the files of this program in it. If it contains other files, they and the folder are
/// kept.
pub(crate) fn remove_partial_folder(parent: &Dir, name: &str, path: &Path) -> Result<(), StoreError> {
    if !disk::entry_exists(parent, name, path)? {
        return Ok(());
    }
    let dir = disk::open_subfolder(parent, name, path)?;
    for file in disk::entry_names(&dir, path)?.iter().filter(|file| is_avatar_or_manifest_file(file)) {
        disk::remove_file_if_exists(&dir, file, &path.join(file))?;
    }
    drop(dir);
    crash_point::reach_crash_point(CrashPoint::PartialEmptied);
    disk::remove_folder_if_empty(parent, name, path)
}

/// Whether a file name, complete or partial, is that of an avatar's file or of the manifest.
pub(crate) fn is_avatar_or_manifest_file(name: &str) -> bool {
    let name = [PART_SUFFIX, DECODED_SUFFIX].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    name == MANIFEST_NAME || file_names::is_avatar_file_name(name)
}
