//! Folders for recorded exchanges and reports in the data folder. Files are private, written atomically, and symlinks
//! are not followed.

use crate::data_dir::DataDir;
use crate::disk;
use crate::error::StoreError;
use crate::visit_id::VisitId;
use std::path::{Path, PathBuf};

/// A folder of diagnostics that integrators save: exchanges or reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiagnosticsFolderKind {
    /// Exchanges of visits, with one file per visit: `<date>-<visit id>.har`.
    Inspector,
    /// Reports of checks, with one folder per run.
    Reports,
}

impl DiagnosticsFolderKind {
    /// The folder name in the data folder.
    pub const fn diagnostics_folder_name(self) -> &'static str {
        match self {
            Self::Inspector => "inspector",
            Self::Reports => "reports",
        }
    }
}

/// Maximum number of folders with the same name and different numbers.
const MAX_EQUAL_NAMES: u32 = 10_000;

impl DataDir {
    /// Writes a file into a folder and replaces an existing one. Returns its path.
    ///
    /// # Errors
    /// [`StoreError::ForeignEntry`] for a name with other characters than ASCII letters, digits, `-`, `_` and `.`, or
    /// an I/O failure.
    pub fn write_diagnostics_file(
        &self,
        folder: DiagnosticsFolderKind,
        name: &str,
        bytes: &[u8],
    ) -> Result<PathBuf, StoreError> {
        let at = self.path().join(folder.diagnostics_folder_name());
        disk::create_durable_private_folder(&at)?;
        write_durable_file(&at, name, bytes)
    }

    /// Creates a folder inside `folder` and writes files into it. If the name exists, a number is appended. Returns its
    /// path.
    ///
    /// # Errors
    /// As [`Self::write_diagnostics_file`]. Files that were written before the error are kept.
    pub fn create_diagnostics_folder_with_files(
        &self,
        folder: DiagnosticsFolderKind,
        name: &str,
        files: &[(&str, &[u8])],
    ) -> Result<PathBuf, StoreError> {
        let parent = self.path().join(folder.diagnostics_folder_name());
        ensure_plain_file_name(name, &parent)?;
        disk::create_durable_private_folder(&parent)?;
        let dir = disk::open_folder_following_symlinks(&parent)?;
        let names = std::iter::once(name.to_owned()).chain((2..MAX_EQUAL_NAMES).map(|n| format!("{name}-{n}")));
        for name in names {
            let at = parent.join(&name);
            if disk::entry_exists(&dir, &name, &at)? {
                continue;
            }
            disk::create_durable_private_folder(&at)?;
            for (file, bytes) in files {
                write_durable_file(&at, file, bytes)?;
            }
            return Ok(at);
        }
        Err(StoreError::ForeignEntry { path: parent, why: "it contains too many folders with the same name" })
    }

    /// The folder of the exchanges that an operator saved from the inspector.
    pub(crate) fn inspector_exchanges_folder_path(&self) -> PathBuf {
        self.path().join(DiagnosticsFolderKind::Inspector.diagnostics_folder_name())
    }

    /// Removes the saved exchanges of a visit. Returns the paths of the removed files.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn remove_visit_exchange_files(&self, visit: &VisitId) -> Result<Vec<PathBuf>, StoreError> {
        let at = self.inspector_exchanges_folder_path();
        if !at.exists() {
            return Ok(Vec::new());
        }
        let dir = disk::open_folder_following_symlinks(&at)?;
        let mut removed = Vec::new();
        for name in disk::entry_names(&dir, &at)? {
            if is_exchange_file_of_visit(&name, visit) && disk::remove_file_if_exists(&dir, &name, &at.join(&name))? {
                removed.push(at.join(&name));
            }
        }
        if !removed.is_empty() {
            disk::sync_folder(&dir, &at)?;
        }
        Ok(removed)
    }
}

/// Whether a file in the inspector's folder, complete or partial, has saved exchanges of a visit.
pub(crate) fn is_exchange_file_of_visit(name: &str, visit: &VisitId) -> bool {
    name.strip_suffix(".part").unwrap_or(name).ends_with(&format!("-{visit}.har"))
}

/// Writes a file atomically and makes it durable. Returns its path.
fn write_durable_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    ensure_plain_file_name(name, folder)?;
    let path = folder.join(name);
    let dir = disk::open_folder_following_symlinks(folder)?;
    disk::write_file_atomically(&dir, name, bytes, &path, || ())?;
    disk::sync_folder(&dir, folder)?;
    Ok(path)
}

/// Fails for a name that is not a plain file name.
fn ensure_plain_file_name(name: &str, within: &Path) -> Result<(), StoreError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with('.') || name.is_empty() || !name.chars().all(good) {
        return Err(StoreError::ForeignEntry { path: within.join(name), why: "it is not a plain file name" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (tempfile::TempDir, DataDir) {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
        (root, data)
    }

    #[test]
    fn files_are_private_and_replaced_and_removed_by_visit() {
        let (root, data) = data();
        let (visit, other) = (VisitId::new(), VisitId::new());
        for (visit, text) in [(&visit, "one"), (&visit, "two"), (&other, "other")] {
            let name = format!("2026-11-22-{visit}.har");
            let path =
                data.write_diagnostics_file(DiagnosticsFolderKind::Inspector, &name, text.as_bytes()).expect("written");
            assert_eq!(path, root.path().join("inspector").join(name));
            assert_eq!(std::fs::read_to_string(&path).expect("reads"), text);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode();
                assert_eq!(mode(&path) & 0o777, 0o600);
                assert_eq!(mode(path.parent().expect("a folder")) & 0o777, 0o700);
            }
        }
        assert_eq!(data.remove_visit_exchange_files(&visit).expect("removed").len(), 1);
        assert!(data.remove_visit_exchange_files(&visit).expect("gone").is_empty());
        assert_eq!(std::fs::read_dir(root.path().join("inspector")).expect("a folder").count(), 1);
    }

    #[test]
    fn a_second_folder_with_the_same_name_gets_a_number() {
        let (root, data) = data();
        let files: [(&str, &[u8]); 2] = [("report.json", b"{}"), ("report.html", b"<p>")];
        for wanted in ["2026-11-22-api.test", "2026-11-22-api.test-2", "2026-11-22-api.test-3"] {
            let path = data
                .create_diagnostics_folder_with_files(DiagnosticsFolderKind::Reports, "2026-11-22-api.test", &files)
                .expect("written");
            assert_eq!(path, root.path().join("reports").join(wanted));
            assert_eq!(std::fs::read(path.join("report.html")).expect("reads"), b"<p>");
        }
    }

    #[test]
    fn names_that_are_paths_are_rejected() {
        let (_root, data) = data();
        for name in ["../x", "a/b", "", ".", "..", "a\\b", "a:b"] {
            let refused =
                data.write_diagnostics_file(DiagnosticsFolderKind::Inspector, name, b"").expect_err("refused");
            assert_eq!(refused.error_code(), "not_ours", "{name}");
            assert!(
                data.create_diagnostics_folder_with_files(DiagnosticsFolderKind::Reports, name, &[]).is_err(),
                "{name}"
            );
        }
    }
}
