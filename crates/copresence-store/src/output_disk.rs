//! Remembers the disks of output folders. An avatar whose folder is not found may be on a disk that is not mounted, and
//! must not be taken for removed then.
//!
//! `DATA/output-disks.json` has each output folder, and the mount points of all disks that it was on. An empty mount point
//! is on another disk. On Windows the mount point is the drive.

use crate::data_dir::DataDir;
use crate::disk;
use crate::error::{IoContext, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "output-disks.json";

/// Mount points by output folder.
type OutputDisks = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

impl DataDir {
    /// Records the disk that the output folder `out` is on, or will be on when it is created. Writes only if that changed.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn record_output_disk(&self, out: &Path) -> Result<(), StoreError> {
        let out = std::path::absolute(out).io_context("find", out)?;
        let Some(mount_point) = find_mount_point(&out) else { return Ok(()) };
        let mut disks = self.load_output_disks()?;
        if !disks.entry(out).or_default().insert(mount_point) {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(&disks).map_err(std::io::Error::from);
        let path = self.output_disks_path();
        let dir = disk::open_folder_following_symlinks(self.path())?;
        disk::write_file_atomically(&dir, FILE_NAME, &json.io_context("write", &path)?, &path, || ())?;
        disk::sync_folder(&dir, self.path())
    }

    /// Whether a disk that the output folder `out` was on is not mounted there. If none was recorded: whether `out` does not
    /// exist.
    ///
    /// # Errors
    /// An I/O failure.
    pub fn is_output_disk_missing(&self, out: &Path) -> Result<bool, StoreError> {
        let out = std::path::absolute(out).io_context("find", out)?;
        let Some(recorded) = self.load_output_disks()?.remove(&out) else { return Ok(!out.is_dir()) };
        let mount_point = find_mount_point(&out);
        Ok(recorded.iter().any(|recorded| Some(recorded) != mount_point.as_ref()))
    }

    fn output_disks_path(&self) -> PathBuf {
        self.path().join(FILE_NAME)
    }

    /// The recorded disks; none if the file is missing or cannot be parsed.
    fn load_output_disks(&self) -> Result<OutputDisks, StoreError> {
        let path = self.output_disks_path();
        match std::fs::read(&path) {
            Ok(json) => Ok(serde_json::from_slice(&json).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "the disks of the output folders are not known: the file is damaged");
                OutputDisks::new()
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(OutputDisks::new()),
            Err(error) => Err(error).io_context("read", &path),
        }
    }
}

/// The mount point of the disk that a path is on, or would be on if it was created. `None` if its drive is missing.
fn find_mount_point(path: &Path) -> Option<PathBuf> {
    let existing = path.ancestors().find_map(|ancestor| ancestor.canonicalize().ok())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let disk_of = |path: &Path| std::fs::metadata(path).ok().map(|found| found.dev());
        let disk = disk_of(&existing)?;
        existing.ancestors().take_while(|ancestor| disk_of(ancestor) == Some(disk)).last().map(Path::to_owned)
    }
    #[cfg(not(unix))]
    existing.ancestors().last().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_removed_is_on_its_disk_and_a_missing_one_of_an_earlier_version_may_not_be() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open_data_dir_removing_leftovers(&root.path().join("data")).expect("opened");
        let out = root.path().join("below/out");
        assert!(data.is_output_disk_missing(&out).expect("looked"), "nothing is known of it");
        data.record_output_disk(&out).expect("recorded before it is created");
        std::fs::create_dir_all(&out).expect("made");
        data.record_output_disk(&out).expect("nothing to change");
        assert!(!data.is_output_disk_missing(&out).expect("looked"));
        std::fs::remove_dir_all(root.path().join("below")).expect("removed by a person");
        assert!(!data.is_output_disk_missing(&out).expect("looked"));
    }

    /// The memory of the system is another disk than that of temporary folders, on many machines.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_of_another_disk_is_missing() {
        let (root, Ok(memory)) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir_in("/dev/shm")) else {
            return;
        };
        if find_mount_point(root.path()) == find_mount_point(memory.path()) {
            return;
        }
        let data = DataDir::open_data_dir_removing_leftovers(&root.path().join("data")).expect("opened");
        let (out, disk) = (root.path().join("out"), memory.path().join("disk"));
        std::fs::create_dir(&disk).expect("made");
        std::os::unix::fs::symlink(&disk, &out).expect("linked");
        data.record_output_disk(&out).expect("recorded");
        assert!(!data.is_output_disk_missing(&out).expect("looked"));
        std::fs::remove_file(&out).expect("removed");
        assert!(data.is_output_disk_missing(&out).expect("looked"), "no folder");
        std::fs::create_dir(&out).expect("made");
        assert!(data.is_output_disk_missing(&out).expect("looked"), "an empty folder of another disk");
        data.record_output_disk(&out).expect("an avatar was saved there meanwhile");
        assert!(data.is_output_disk_missing(&out).expect("looked"), "the first ones are on the other disk");
    }
}
