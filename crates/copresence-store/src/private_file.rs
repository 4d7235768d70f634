//! Opens files that only their owner may read: they hold a live token, a face, or what was sent and received.

use crate::disk;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::fs::File;
use std::io;
use std::path::Path;

/// What happens to the content of a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingContent {
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
/// The file is a symlink, or cannot be opened or made private.
pub fn open_private_file(path: &Path, existing: ExistingContent) -> io::Result<File> {
    let file = if is_device_or_proc_symlink(path) {
        File::options().write(true).open(path)?
    } else {
        open_without_following(path, existing)?
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = file.metadata()?;
        if found.is_file() && found.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
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
    let Some(folder) = path.parent() else { return false };
    let is_of_system = folder == Path::new("/dev") || folder == Path::new("/dev/fd") || folder.starts_with("/proc");
    is_of_system && path.is_symlink()
}

/// Opens or creates a file that is no symlink.
fn open_without_following(path: &Path, existing: ExistingContent) -> io::Result<File> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
    refuse_symlink(path)?;
    // Refuses a symlink that was made in the meantime, too.
    let mut options = disk::private_file_options();
    // A pipe that is open for reading, too, never waits for its reader.
    options.read(false).create(true);
    match existing {
        ExistingContent::AppendTo => _ = options.append(true),
        ExistingContent::Keep => {}
        ExistingContent::Truncate => _ = options.truncate(true),
        ExistingContent::Refuse => _ = options.create_new(true),
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
            (ExistingContent::Truncate, "one"),
            (ExistingContent::AppendTo, "oneone"),
            (ExistingContent::Keep, "oneone"),
            (ExistingContent::Truncate, "one"),
        ] {
            open_private_file(&path, existing).expect("opens").write_all(b"one").expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("reads"), content, "{existing:?}");
        }
        let refused = open_private_file(&path, ExistingContent::Refuse).expect_err("exists");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(open_private_file(root.path(), ExistingContent::Truncate).is_err(), "a folder");
        assert!(open_private_file(&root.path().join("none/a"), ExistingContent::Truncate).is_err(), "no folder");
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
            for existing in
                [ExistingContent::AppendTo, ExistingContent::Keep, ExistingContent::Truncate, ExistingContent::Refuse]
            {
                let error = open_private_file(&link, existing).expect_err("refused");
                assert!(error.to_string().contains("symbolic link"), "{error}");
            }
        }
        assert_eq!((mode(&open), std::fs::read_to_string(&open).expect("reads").as_str()), (0o644, "mine"));
        assert!(!root.path().join("elsewhere").exists());
        for path in [&new, &open] {
            open_private_file(path, ExistingContent::Keep).expect("opens");
            assert_eq!(mode(path), 0o600);
        }
        open_private_file(Path::new("/dev/null"), ExistingContent::Truncate).expect("a device");
    }
}
