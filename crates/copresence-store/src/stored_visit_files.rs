//! Lists the files that are stored of a visit, wherever they are.

use crate::data_dir::DataDir;
use crate::diagnostics_folder::is_exchange_file_of_visit;
use crate::disk;
use crate::error::StoreError;
use crate::manifest::MANIFEST_NAME;
use crate::partial_folder::{is_avatar_or_manifest_file, partial_folder_name_and_path};
use crate::saved_avatars::SavedAvatarOperations;
use crate::visit_id::VisitId;
use std::path::{Path, PathBuf};

/// Kind of a file that is stored of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredVisitFileKind {
    /// A file of the avatar, complete or partial.
    Avatar,
    /// The manifest.
    Manifest,
    /// Recorded exchanges that an operator saved.
    Exchanges,
    /// A file that this program did not make, in the visit's folder.
    Foreign,
}

impl StoredVisitFileKind {
    /// The kind of a file in the folder of an avatar, by its name.
    pub fn from_name_in_avatar_folder(name: &str) -> Self {
        match name {
            MANIFEST_NAME => Self::Manifest,
            _ if is_avatar_or_manifest_file(name) => Self::Avatar,
            _ => Self::Foreign,
        }
    }
}

impl DataDir {
    /// Lists the files of a visit that saves its avatar in `out_dir`: of the complete, incomplete and partial avatar, and
    /// saved exchanges. Changes nothing.
    ///
    /// # Errors
    /// A folder cannot be listed.
    pub fn list_stored_visit_files(
        &self,
        visit: &VisitId,
        out_dir: &Path,
    ) -> Result<Vec<(StoredVisitFileKind, PathBuf)>, StoreError> {
        let mut folders = Vec::new();
        for parent in [out_dir, &self.incomplete_avatars_path()] {
            folders.extend(SavedAvatarOperations::find_avatar_folder_of_visit(parent, visit)?);
        }
        folders.push(partial_folder_name_and_path(out_dir, visit).1);
        let mut files = Vec::new();
        for folder in folders {
            for name in sorted_entry_names_in_folder(&folder)? {
                files.push((StoredVisitFileKind::from_name_in_avatar_folder(&name), folder.join(&name)));
            }
        }
        let inspector = self.inspector_exchanges_folder_path();
        let exchanges = sorted_entry_names_in_folder(&inspector)?;
        let of_visit = exchanges.into_iter().filter(|name| is_exchange_file_of_visit(name, visit));
        files.extend(of_visit.map(|name| (StoredVisitFileKind::Exchanges, inspector.join(name))));
        Ok(files)
    }
}

/// The names in a folder, sorted; none if it does not exist.
fn sorted_entry_names_in_folder(folder: &Path) -> Result<Vec<String>, StoreError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = disk::entry_names(&disk::open_folder_following_symlinks(folder)?, folder)?;
    names.sort();
    Ok(names)
}
