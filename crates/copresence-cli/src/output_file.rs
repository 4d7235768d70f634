//! Files that the program writes on request: reports, HTTP Archives, QR codes. A file is replaced by a complete one or
//! not at all.

use copresence_engine::{
    ExistingContentHandling, open_nonprivate_file_for_writing, open_private_file_for_writing,
    refuse_pipe_of_another_user, refuse_symlink,
};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Who may read an output file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFileReadPermission {
    /// Its owner: the file contains exchanges or a live token.
    OwnerOnly,
    /// Everyone whom the umask, or the mode of the file that is replaced, allows to.
    Default,
}

/// An output file that is written later.
#[derive(Debug, Clone)]
pub(crate) struct DeferredOutputFile {
    /// As on the command line.
    path: PathBuf,
    readers: OutputFileReadPermission,
    /// Whether a complete file is renamed to the path. Otherwise the file is written in place.
    replaces: bool,
}

impl DeferredOutputFile {
    /// Checks that the file can be written, so that a wrong path is reported early. Does not change the file. A symlink is
    /// refused: somebody else who can write to its folder may have made it. So is, for a secret, a pipe of another user.
    pub(crate) fn check_output_file_can_be_written(path: &Path, readers: OutputFileReadPermission) -> io::Result<Self> {
        refuse_symlink(path)?;
        if readers == OutputFileReadPermission::OwnerOnly {
            refuse_pipe_of_another_user(path)?;
        }
        let in_place = Self { path: path.to_owned(), readers, replaces: false };
        // A device, a pipe, or an inherited file that other writers share.
        let is_special = |about: &std::fs::Metadata| !about.is_file() && !about.is_dir();
        let existing = std::fs::metadata(path).ok();
        let is_in_folder_of_system = cfg!(unix) && (path.starts_with("/dev") || path.starts_with("/proc"));
        if existing.as_ref().is_some_and(is_special) || is_in_folder_of_system {
            return Ok(in_place);
        }
        if existing.is_some() {
            open_nonprivate_file_for_writing(path, ExistingContentHandling::Keep)?;
        }
        match tempfile::tempfile_in(folder_of_file(path)) {
            Ok(_) => Ok(Self { replaces: true, ..in_place }),
            // Such as a single file that is mounted into a container.
            Err(_) if existing.is_some() => Ok(in_place),
            Err(error) => Err(error),
        }
    }

    /// The path on the command line.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the output file by a complete one: writes a temporary file beside it, and renames that. After an error the
    /// output file is unchanged, unless it is written in place, or is mounted by itself so that it cannot be renamed to.
    pub(crate) fn replace_output_file(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if !self.replaces {
            return write(&mut self.open_file_to_overwrite()?);
        }
        let target = &self.path;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".copresence-").suffix(".part");
        #[cfg(unix)]
        if self.readers == OutputFileReadPermission::Default {
            // Before the umask.
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        }
        let mut part = builder.tempfile_in(folder_of_file(target))?;
        if self.readers == OutputFileReadPermission::Default
            && let Ok(earlier) = std::fs::symlink_metadata(target)
            && earlier.is_file()
        {
            part.as_file().set_permissions(earlier.permissions())?;
        }
        write(&mut part)?;
        part.as_file().sync_all()?;
        match part.persist(target) {
            // A single file that is mounted into a container cannot be replaced.
            Err(refused) if refused.error.kind() == io::ErrorKind::ResourceBusy => {
                io::copy(&mut File::open(refused.file.path())?, &mut self.open_file_to_overwrite()?).map(drop)
            }
            renamed => renamed.map(drop).map_err(|refused| refused.error),
        }
    }

    /// As [`DeferredOutputFile::replace_output_file`], for a text or bytes.
    pub(crate) fn replace_output_bytes(&self, content: &[u8]) -> io::Result<()> {
        self.replace_output_file(|file| file.write_all(content))
    }

    /// Appends to the file, or makes it.
    pub(crate) fn append_output_bytes(&self, content: &[u8]) -> io::Result<()> {
        open_nonprivate_file_for_writing(&self.path, ExistingContentHandling::AppendTo)?.write_all(content)
    }

    /// Opens the file to write in place. A regular file becomes private; a device or pipe keeps its mode.
    fn open_file_to_overwrite(&self) -> io::Result<File> {
        match self.readers {
            OutputFileReadPermission::OwnerOnly => {
                open_private_file_for_writing(&self.path, ExistingContentHandling::Truncate)
            }
            OutputFileReadPermission::Default => {
                open_nonprivate_file_for_writing(&self.path, ExistingContentHandling::Truncate)
            }
        }
    }
}

/// The folder of a file.
fn folder_of_file(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
    }

    #[test]
    fn earlier_file_survives_the_check_and_a_failed_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        std::fs::write(&path, "earlier").expect("written");
        let file = DeferredOutputFile::check_output_file_can_be_written(&path, OutputFileReadPermission::OwnerOnly)
            .expect("writable");
        let failed = file.replace_output_file(|to| {
            to.write_all(b"half of a")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(failed.expect_err("failed").to_string(), "the disk is full");
        assert_eq!(std::fs::read(&path).expect("there"), b"earlier");
        file.replace_output_bytes(b"later").expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"later");
        assert_eq!(file_names(folder.path()), ["report.json"]);
    }

    #[test]
    fn new_file_does_not_exist_before_it_is_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        let file = DeferredOutputFile::check_output_file_can_be_written(&path, OutputFileReadPermission::Default)
            .expect("writable");
        assert_eq!(file_names(folder.path()), Vec::<String>::new());
        file.replace_output_bytes(b"whole").expect("written");
        assert_eq!(file_names(folder.path()), ["report.json"]);
    }

    #[test]
    fn path_that_cannot_be_written_is_refused_by_the_check() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path().join("no/such/folder/report.json"), folder.path().to_owned()] {
            assert!(
                DeferredOutputFile::check_output_file_can_be_written(&path, OutputFileReadPermission::Default).is_err(),
                "{}",
                path.display()
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn readers_decide_the_mode_also_of_an_earlier_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        for (readers, expected) in
            [(OutputFileReadPermission::OwnerOnly, 0o600), (OutputFileReadPermission::Default, 0o640)]
        {
            let path = folder.path().join("report.json");
            std::fs::write(&path, "earlier").expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("set");
            let file = DeferredOutputFile::check_output_file_can_be_written(&path, readers).expect("writable");
            file.replace_output_bytes(b"later").expect("written");
            assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn symlink_is_refused_and_a_device_is_written_in_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, target) = (folder.path().join("latest.json"), folder.path().join("report.json"));
        std::fs::write(&target, "earlier").expect("written");
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        for readers in [OutputFileReadPermission::OwnerOnly, OutputFileReadPermission::Default] {
            let refused = DeferredOutputFile::check_output_file_can_be_written(&link, readers).expect_err("a symlink");
            assert!(refused.to_string().contains("symbolic link"), "{refused}");
        }
        assert_eq!(std::fs::read(&target).expect("there"), b"earlier");
        let device = DeferredOutputFile::check_output_file_can_be_written(
            Path::new("/dev/null"),
            OutputFileReadPermission::OwnerOnly,
        );
        device.expect("writable").replace_output_bytes(b"later").expect("written");
        assert!(!std::fs::metadata("/dev/null").expect("there").is_file());
    }
}
