//! Opens files for writing without following symlinks: private ones, which hold a live token, a face, or what was sent and
//! received, and ones that everybody may read.

use crate::disk;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::fs::File;
use std::io;
use std::path::Path;

/// What happens to the content of a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingContentHandling {
    /// It stays, and each write goes to its end.
    AppendTo,
    /// It stays, and writes begin at its start: for lock files.
    Keep,
    /// It is removed.
    Truncate,
    /// The file is not opened: [`io::ErrorKind::AlreadyExists`].
    Refuse,
}

/// Opens a file for writing, and creates it if needed. On Unix its mode is 0600, also if it existed. A device
/// or pipe keeps its mode.
///
/// A symlink in place of the file is not followed, so that somebody who can write to the folder cannot redirect what is
/// written. Exceptions are `/dev`, `/dev/fd` and `/proc`, whose links (`/dev/stdout`) only the system can
/// make.
///
/// # Errors
/// The file is a symlink, is a pipe or device of another user, who would get what is written, or cannot be opened or made
/// private.
pub fn open_private_file_for_writing(path: &Path, existing: ExistingContentHandling) -> io::Result<File> {
    let file = open_or_create_file_with_mode(path, existing, PRIVATE_MODE)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = file.metadata()?;
        if found.is_file() && found.permissions().mode() & 0o777 != PRIVATE_MODE {
            file.set_permissions(std::fs::Permissions::from_mode(PRIVATE_MODE))?;
        }
        check_owner_of_pipe(path, &found)?;
    }
    Ok(file)
}

/// Opens a file without secrets for writing, and creates it if needed. The umask decides who may read a new one, and an
/// existing one keeps its mode. Symlinks are treated as by [`open_private_file_for_writing`].
///
/// # Errors
/// The file is a symlink, or cannot be opened.
pub fn open_nonprivate_file_for_writing(path: &Path, existing: ExistingContentHandling) -> io::Result<File> {
    open_or_create_file_with_mode(path, existing, 0o666)
}

/// Refuses a pipe or device that belongs neither to this user nor to the system: its owner would get what is written. Does
/// nothing if there is no such file, and on Windows.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`]: it belongs to another user.
pub fn refuse_pipe_of_another_user(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => check_owner_of_pipe(path, &found),
        Err(_) => Ok(()),
    }
}

/// Refuses the pipe or device that was found at the path if it belongs neither to this user nor to the system.
fn check_owner_of_pipe(path: &Path, found: &std::fs::Metadata) -> io::Result<()> {
    if found.is_file() || found.is_dir() || is_in_dev_or_proc_folder(path) || is_owned_by_user_or_root(found) {
        return Ok(());
    }
    let why = "it is a pipe or device of another user, who would read what is written; name another file";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Whether a file belongs to the user of this process or to root.
#[cfg(unix)]
fn is_owned_by_user_or_root(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw()
}

/// Always true: this system has no owner to compare.
#[cfg(not(unix))]
fn is_owned_by_user_or_root(_: &std::fs::Metadata) -> bool {
    true
}

/// The mode of a file that only its owner may read.
const PRIVATE_MODE: u32 = 0o600;

/// Opens a file for writing, and creates it with `mode`, less the umask, if needed. Follows no symlinks but those of the
/// system.
fn open_or_create_file_with_mode(path: &Path, existing: ExistingContentHandling, mode: u32) -> io::Result<File> {
    if is_device_or_proc_symlink(path) {
        File::options().write(true).append(existing == ExistingContentHandling::AppendTo).open(path)
    } else {
        open_or_create_unless_symlink(path, existing, mode)
    }
}

/// Makes all new files and folders of this process and its child processes private to their owner, also those that libraries
/// make. Call it at the start of a program. Does nothing on Windows.
pub fn make_new_files_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Refuses a path that is a symlink, except those of the system in `/dev`, `/dev/fd` and `/proc`.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`]: it is a symlink.
pub fn refuse_symlink(path: &Path) -> io::Result<()> {
    if path.is_symlink() && !is_device_or_proc_symlink(path) {
        let why = "it is a symbolic link, which is not followed; name the file itself, or remove the link";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(())
}

/// Whether a path is a symlink in `/dev`, `/dev/fd` or below `/proc`. Everybody can write to other folders below `/dev`.
fn is_device_or_proc_symlink(path: &Path) -> bool {
    is_in_dev_or_proc_folder(path) && path.is_symlink()
}

/// Whether a path is in `/dev`, `/dev/fd` or below `/proc`. On Windows these are folders like any other.
fn is_in_dev_or_proc_folder(path: &Path) -> bool {
    cfg!(unix)
        && path.parent().is_some_and(|folder| {
            folder == Path::new("/dev") || folder == Path::new("/dev/fd") || folder.starts_with("/proc")
        })
}

/// Opens or creates a file that is no symlink.
fn open_or_create_unless_symlink(path: &Path, existing: ExistingContentHandling, mode: u32) -> io::Result<File> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
    refuse_symlink(path)?;
    // Refuses a symlink that was made in the meantime, too.
    let mut options = disk::read_write_options_with_mode(mode);
    // A pipe that is open for reading, too, never waits for its reader.
    options.read(false).create(true);
    match existing {
        ExistingContentHandling::AppendTo => _ = options.append(true),
        ExistingContentHandling::Keep => {}
        ExistingContentHandling::Truncate => _ = options.truncate(true),
        ExistingContentHandling::Refuse => _ = options.create_new(true),
    }
    Ok(folder.open_with(name, &options)?.into_std())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn an_existing_file_is_truncated_appended_to_or_kept() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("a");
        for (existing, content) in [
            (ExistingContentHandling::Truncate, "one"),
            (ExistingContentHandling::AppendTo, "oneone"),
            (ExistingContentHandling::Keep, "oneone"),
            (ExistingContentHandling::Truncate, "one"),
        ] {
            open_private_file_for_writing(&path, existing).expect("opens").write_all(b"one").expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("reads"), content, "{existing:?}");
        }
        let refused = open_private_file_for_writing(&path, ExistingContentHandling::Refuse).expect_err("exists");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(open_private_file_for_writing(root.path(), ExistingContentHandling::Truncate).is_err(), "a folder");
        assert!(
            open_private_file_for_writing(&root.path().join("none/a"), ExistingContentHandling::Truncate).is_err(),
            "no folder"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_of_another_user_gets_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        let pipe = root.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o666.into(), 0).expect("a pipe");
        refuse_pipe_of_another_user(&pipe).expect("a pipe of this user");
        // Only root can give a file away.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        std::os::unix::fs::chown(&pipe, Some(48_002), None).expect("given away");
        let refused = refuse_pipe_of_another_user(&pipe).expect_err("refused");
        assert!(refused.to_string().contains("of another user"), "{refused}");
        let _reader = std::fs::File::options().read(true).write(true).open(&pipe).expect("a reader");
        let refused = open_private_file_for_writing(&pipe, ExistingContentHandling::AppendTo).expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{refused}");
    }

    #[cfg(unix)]
    #[test]
    fn a_readable_file_keeps_its_mode_and_a_symlink_is_not_followed() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let root = tempfile::tempdir().expect("a folder");
        let (file, link) = (root.path().join("summary"), root.path().join("link"));
        std::fs::write(&file, "one").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("set");
        open_nonprivate_file_for_writing(&file, ExistingContentHandling::AppendTo)
            .expect("opens")
            .write_all(b"two")
            .expect("written");
        assert_eq!(std::fs::read_to_string(&file).expect("reads"), "onetwo");
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        symlink(&file, &link).expect("a link");
        open_nonprivate_file_for_writing(&link, ExistingContentHandling::AppendTo).expect_err("refused");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_private_and_a_symlink_is_not_followed() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let root = tempfile::tempdir().expect("a folder");
        let (new, open) = (root.path().join("new"), root.path().join("open"));
        std::fs::write(&open, "mine").expect("written");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("opened");
        for (name, target) in [("link", open.clone()), ("dangling", root.path().join("elsewhere"))] {
            let link = root.path().join(name);
            symlink(&target, &link).expect("a link");
            for existing in [
                ExistingContentHandling::AppendTo,
                ExistingContentHandling::Keep,
                ExistingContentHandling::Truncate,
                ExistingContentHandling::Refuse,
            ] {
                let error = open_private_file_for_writing(&link, existing).expect_err("refused");
                assert!(error.to_string().contains("symbolic link"), "{error}");
            }
        }
        assert_eq!((mode(&open), std::fs::read_to_string(&open).expect("reads").as_str()), (0o644, "mine"));
        assert!(!root.path().join("elsewhere").exists());
        for path in [&new, &open] {
            open_private_file_for_writing(path, ExistingContentHandling::Keep).expect("opens");
            assert_eq!(mode(path), 0o600);
        }
        open_private_file_for_writing(Path::new("/dev/null"), ExistingContentHandling::Truncate).expect("a device");
    }
}
