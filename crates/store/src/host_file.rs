//! Small files of the host's own in the data folder: written whole or not at all, private, never through a link.

use crate::data_dir::DataDir;
use crate::disk;
use crate::error::{At, StoreError};
use std::io::Read as _;
use std::path::PathBuf;

/// A small file of the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFile {
    /// What the operator set.
    Settings,
    /// The operator's logo.
    Logo,
}

impl HostFile {
    /// Its name in the data folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings.toml",
            Self::Logo => "logo.png",
        }
    }

    /// The largest that is read and written, in bytes.
    pub const fn most(self) -> u64 {
        match self {
            Self::Settings => 256 * 1024,
            Self::Logo => 2 * 1024 * 1024,
        }
    }
}

impl DataDir {
    /// Where it stands, whether or not it is there.
    pub fn host_path(&self, file: HostFile) -> PathBuf {
        self.path().join(file.name())
    }

    /// Its bytes; `None` when it is not there.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] over its [`HostFile::most`]; [`StoreError::NotOurs`] for a link in its place; those of
    /// the disk.
    pub fn read_host(&self, file: HostFile) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.host_path(file);
        let dir = disk::open_folder(self.path())?;
        if !disk::is_there(&dir, file.name(), &path)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let opened = disk::open_ours(&dir, file.name(), &path)?;
        opened.take(file.most() + 1).read_to_end(&mut bytes).at("read", &path)?;
        self.fits(file, bytes.len())?;
        Ok(Some(bytes))
    }

    /// Puts these bytes in its place: whole and durable when this returns, as before when it fails.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] over its [`HostFile::most`]; those of the disk.
    pub fn write_host(&self, file: HostFile, bytes: &[u8]) -> Result<(), StoreError> {
        self.fits(file, bytes.len())?;
        let dir = disk::open_folder(self.path())?;
        disk::write_whole(&dir, file.name(), bytes, &self.host_path(file), || ())?;
        disk::sync_folder(&dir, self.path())
    }

    /// Removes it; whether it was there.
    pub fn remove_host(&self, file: HostFile) -> Result<bool, StoreError> {
        let dir = disk::open_folder(self.path())?;
        let was_there = disk::remove_if_there(&dir, file.name(), &self.host_path(file))?;
        disk::sync_folder(&dir, self.path())?;
        Ok(was_there)
    }

    /// Keeps these bytes of it for a person to look at, beside it: `settings.broken-<mark>.toml`. Where.
    pub fn keep_broken(&self, file: HostFile, bytes: &[u8], mark: &str) -> Result<PathBuf, StoreError> {
        let (stem, extension) = file.name().split_once('.').unwrap_or((file.name(), "old"));
        let name = format!("{stem}.broken-{mark}.{extension}");
        let path = self.path().join(&name);
        let dir = disk::open_folder(self.path())?;
        disk::write_whole(&dir, &name, bytes, &path, || ())?;
        disk::sync_folder(&dir, self.path())?;
        Ok(path)
    }

    fn fits(&self, file: HostFile, bytes: usize) -> Result<(), StoreError> {
        let max = file.most();
        if u64::try_from(bytes).is_ok_and(|bytes| bytes <= max) {
            return Ok(());
        }
        Err(StoreError::TooLarge { path: self.host_path(file), max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (tempfile::TempDir, DataDir) {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(root.path()).expect("a data folder");
        (root, data)
    }

    #[test]
    fn what_is_written_is_read_and_replaced_and_private() {
        let (root, data) = data();
        assert_eq!(data.read_host(HostFile::Settings).expect("reads"), None);
        for text in [&b"one"[..], b"another"] {
            data.write_host(HostFile::Settings, text).expect("written");
            assert_eq!(data.read_host(HostFile::Settings).expect("reads").as_deref(), Some(text));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode =
                std::fs::metadata(root.path().join("settings.toml")).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let kept = data.keep_broken(HostFile::Settings, b"broken", "1").expect("kept");
        assert_eq!(kept, root.path().join("settings.broken-1.toml"));
        assert!(data.remove_host(HostFile::Settings).expect("removed"));
        assert!(!data.remove_host(HostFile::Settings).expect("gone already"));
        assert!(kept.exists());
    }

    #[test]
    fn a_part_that_a_crash_left_is_in_nobodys_way() {
        let (root, data) = data();
        std::fs::write(root.path().join("settings.toml.part"), "half").expect("written");
        data.write_host(HostFile::Settings, b"whole").expect("written");
        assert_eq!(data.read_host(HostFile::Settings).expect("reads").as_deref(), Some(&b"whole"[..]));
        assert!(!root.path().join("settings.toml.part").exists());
    }

    #[test]
    fn what_is_too_large_is_refused_and_the_old_one_stays() {
        let (root, data) = data();
        data.write_host(HostFile::Settings, b"old").expect("written");
        let large = vec![b'#'; usize::try_from(HostFile::Settings.most()).expect("fits") + 1];
        assert_eq!(
            data.write_host(HostFile::Settings, &large).expect_err("refused").code(),
            "file_too_large"
        );
        assert_eq!(data.read_host(HostFile::Settings).expect("reads").as_deref(), Some(&b"old"[..]));
        std::fs::write(root.path().join("settings.toml"), large).expect("written by somebody else");
        assert_eq!(data.read_host(HostFile::Settings).expect_err("refused").code(), "file_too_large");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_neither_read_nor_followed() {
        let (root, data) = data();
        let elsewhere = root.path().join("elsewhere");
        std::fs::write(&elsewhere, "mine").expect("written");
        std::os::unix::fs::symlink(&elsewhere, root.path().join("logo.png")).expect("linked");
        assert_eq!(data.read_host(HostFile::Logo).expect_err("refused").code(), "not_ours");
        data.write_host(HostFile::Logo, b"logo").expect("the link is replaced");
        assert_eq!(std::fs::read(&elsewhere).expect("still there"), b"mine");
    }
}
