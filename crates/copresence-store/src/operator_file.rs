//! Small files of the operator in the data folder. They are private, written atomically, and symlinks are not followed.

use crate::data_dir::DataDir;
use crate::disk;
use crate::error::{IoContext, StoreError};
use std::io::Read as _;
use std::path::PathBuf;

/// A small file of the operator: the settings or the logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsOrLogoFile {
    /// The settings.
    Settings,
    /// The logo.
    Logo,
}

impl SettingsOrLogoFile {
    /// The file name in the data folder.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Settings => "settings.toml",
            Self::Logo => "logo.png",
        }
    }

    /// Maximum size in bytes.
    pub const fn max_bytes(self) -> u64 {
        match self {
            Self::Settings => 256 * 1024,
            Self::Logo => 2 * 1024 * 1024,
        }
    }
}

impl DataDir {
    /// The path of an operator file (settings or logo) in the data folder. The file need not exist.
    pub fn operator_file_path(&self, file: SettingsOrLogoFile) -> PathBuf {
        self.path().join(file.file_name())
    }

    /// Reads the file. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] above [`SettingsOrLogoFile::max_bytes`], [`StoreError::ForeignEntry`] for a symlink, or an
    /// I/O failure.
    pub fn read_operator_file(&self, file: SettingsOrLogoFile) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.operator_file_path(file);
        let dir = disk::open_folder_following_symlinks(self.path())?;
        if !disk::entry_exists(&dir, file.file_name(), &path)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let opened = disk::open_regular_file(&dir, file.file_name(), &path)?;
        opened.take(file.max_bytes() + 1).read_to_end(&mut bytes).io_context("read", &path)?;
        self.check_file_size(file, bytes.len())?;
        Ok(Some(bytes))
    }

    /// Replaces the file. It is durable when this returns, and unchanged after an error.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] above [`SettingsOrLogoFile::max_bytes`], or an I/O failure.
    pub fn write_operator_file(&self, file: SettingsOrLogoFile, bytes: &[u8]) -> Result<(), StoreError> {
        self.check_file_size(file, bytes.len())?;
        let dir = disk::open_folder_following_symlinks(self.path())?;
        disk::write_file_atomically(&dir, file.file_name(), bytes, &self.operator_file_path(file), || ())?;
        disk::sync_folder(&dir, self.path())
    }

    /// Removes the file. Returns whether it existed.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn remove_operator_file(&self, file: SettingsOrLogoFile) -> Result<bool, StoreError> {
        let dir = disk::open_folder_following_symlinks(self.path())?;
        let was_there = disk::remove_file_if_exists(&dir, file.file_name(), &self.operator_file_path(file))?;
        disk::sync_folder(&dir, self.path())?;
        Ok(was_there)
    }

    /// Saves an invalid version of the file next to it, for example as `settings.broken-<mark>.toml`. Returns its path.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn keep_invalid_copy(&self, file: SettingsOrLogoFile, bytes: &[u8], mark: &str) -> Result<PathBuf, StoreError> {
        let (stem, extension) = file.file_name().split_once('.').unwrap_or((file.file_name(), "old"));
        let name = format!("{stem}.broken-{mark}.{extension}");
        let path = self.path().join(&name);
        let dir = disk::open_folder_following_symlinks(self.path())?;
        disk::write_file_atomically(&dir, &name, bytes, &path, || ())?;
        disk::sync_folder(&dir, self.path())?;
        Ok(path)
    }

    /// Fails above the maximum size.
    fn check_file_size(&self, file: SettingsOrLogoFile, bytes: usize) -> Result<(), StoreError> {
        let max = file.max_bytes();
        if u64::try_from(bytes).is_ok_and(|bytes| bytes <= max) {
            return Ok(());
        }
        Err(StoreError::TooLarge { path: self.operator_file_path(file), max })
    }
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
    fn files_are_written_read_replaced_and_private() {
        let (root, data) = data();
        assert_eq!(data.read_operator_file(SettingsOrLogoFile::Settings).expect("reads"), None);
        for text in [&b"one"[..], b"another"] {
            data.write_operator_file(SettingsOrLogoFile::Settings, text).expect("written");
            assert_eq!(data.read_operator_file(SettingsOrLogoFile::Settings).expect("reads").as_deref(), Some(text));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(root.path().join("settings.toml")).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let kept = data.keep_invalid_copy(SettingsOrLogoFile::Settings, b"broken", "1").expect("kept");
        assert_eq!(kept, root.path().join("settings.broken-1.toml"));
        assert!(data.remove_operator_file(SettingsOrLogoFile::Settings).expect("removed"));
        assert!(!data.remove_operator_file(SettingsOrLogoFile::Settings).expect("gone already"));
        assert!(kept.exists());
    }

    #[test]
    fn a_partial_file_of_a_crash_is_replaced() {
        let (root, data) = data();
        std::fs::write(root.path().join("settings.toml.part"), "half").expect("written");
        data.write_operator_file(SettingsOrLogoFile::Settings, b"whole").expect("written");
        assert_eq!(
            data.read_operator_file(SettingsOrLogoFile::Settings).expect("reads").as_deref(),
            Some(&b"whole"[..])
        );
        assert!(!root.path().join("settings.toml.part").exists());
    }

    #[test]
    fn a_file_that_is_too_large_is_rejected_and_the_old_one_kept() {
        let (root, data) = data();
        data.write_operator_file(SettingsOrLogoFile::Settings, b"old").expect("written");
        let large = vec![b'#'; usize::try_from(SettingsOrLogoFile::Settings.max_bytes()).expect("fits") + 1];
        assert_eq!(
            data.write_operator_file(SettingsOrLogoFile::Settings, &large).expect_err("refused").error_code(),
            "file_too_large"
        );
        assert_eq!(data.read_operator_file(SettingsOrLogoFile::Settings).expect("reads").as_deref(), Some(&b"old"[..]));
        std::fs::write(root.path().join("settings.toml"), large).expect("written by another program");
        assert_eq!(
            data.read_operator_file(SettingsOrLogoFile::Settings).expect_err("refused").error_code(),
            "file_too_large"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_is_not_followed() {
        let (root, data) = data();
        let elsewhere = root.path().join("elsewhere");
        std::fs::write(&elsewhere, "mine").expect("written");
        std::os::unix::fs::symlink(&elsewhere, root.path().join("logo.png")).expect("linked");
        assert_eq!(data.read_operator_file(SettingsOrLogoFile::Logo).expect_err("refused").error_code(), "not_ours");
        data.write_operator_file(SettingsOrLogoFile::Logo, b"logo").expect("the link is replaced");
        assert_eq!(std::fs::read(&elsewhere).expect("still there"), b"mine");
    }
}
