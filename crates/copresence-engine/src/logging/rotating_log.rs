//! A log file with a maximum size and a fixed number of rotated files.
//!
//! Own code, because the crates for rotation name the files differently (`NAME.log.1`) and do not let several programs
//! write to one log.

use copresence_store::{ExistingContentHandling, open_private_file_for_writing};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `NAME.log` and rotates it to `NAME.1.log` (the newest) … `NAME.<kept>.log`. Several programs may write to the
/// same log: each line goes to the file that has the name at that time.
#[derive(Debug)]
pub(crate) struct RotatingLog {
    folder: PathBuf,
    name: &'static str,
    /// Maximum size of each file, in bytes.
    size: u64,
    /// Number of rotated files to keep.
    kept: u32,
    file: Option<File>,
}

impl RotatingLog {
    /// Opens the log in an existing folder.
    pub(crate) fn new(folder: &Path, name: &'static str, size: u64, kept: u32) -> io::Result<Self> {
        let mut log = Self { folder: folder.to_owned(), name, size, kept, file: None };
        log.file = Some(log.open_current_file()?);
        Ok(log)
    }

    /// Path of a log file: 0 is the current one, 1 the newest rotated one.
    fn numbered_log_path(&self, number: u32) -> PathBuf {
        let number = if number == 0 { String::new() } else { format!(".{number}") };
        self.folder.join(format!("{}{number}.log", self.name))
    }

    /// Opens the current log file to append to it, and makes it private (mode 0600 on Unix).
    fn open_current_file(&self) -> io::Result<File> {
        open_private_file_for_writing(&self.numbered_log_path(0), ExistingContentHandling::AppendTo)
    }

    /// The current file, after a rotation if `bytes` more would exceed the maximum size.
    fn rotate_if_full_and_open(&mut self, bytes: u64) -> io::Result<&mut File> {
        let is_full = |length: u64, size: u64| length > 0 && length.saturating_add(bytes) > size;
        let full = match &self.file {
            Some(file) => is_full(file.metadata()?.len(), self.size),
            None => false,
        };
        if full {
            self.file = None;
            // Another program may have rotated it already.
            let there = std::fs::metadata(self.numbered_log_path(0)).map_or(0, |there| there.len());
            if is_full(there, self.size) {
                self.rotate_files();
            }
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open_current_file()?,
        };
        Ok(self.file.insert(file))
    }

    /// Renames each file to the next number. A file that cannot be renamed is overwritten or truncated, so that the
    /// maximum size holds.
    fn rotate_files(&self) {
        _ = std::fs::remove_file(self.numbered_log_path(self.kept));
        for number in (0..self.kept).rev() {
            _ = std::fs::rename(self.numbered_log_path(number), self.numbered_log_path(number + 1));
        }
        if self.kept == 0 || self.numbered_log_path(0).exists() {
            _ = open_private_file_for_writing(&self.numbered_log_path(0), ExistingContentHandling::Truncate);
        }
    }
}

impl Write for RotatingLog {
    /// Writes a whole line, cut to the maximum size of one file.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let most = usize::try_from(self.size).unwrap_or(usize::MAX);
        let part = &line[..line.len().min(most.max(1))];
        self.rotate_if_full_and_open(part.len() as u64)?.write_all(part)?;
        // The rest of an oversized line is dropped.
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(folder: &Path) -> Vec<(String, u64)> {
        let entries = std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("an entry"));
        let mut all: Vec<_> = entries
            .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.metadata().expect("there").len()))
            .collect();
        all.sort();
        all
    }

    fn names(folder: &Path) -> Vec<String> {
        sizes(folder).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_full_log_is_rotated_and_old_files_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = RotatingLog::new(folder.path(), "x", 100, 2).expect("made");
        for number in 0..200 {
            writeln!(log, "line {number:04}").expect("written");
        }
        assert_eq!(names(folder.path()), ["x.1.log", "x.2.log", "x.log"]);
        assert!(sizes(folder.path()).iter().all(|(_, size)| *size <= 100), "{:?}", sizes(folder.path()));
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("readable");
        let all = ["x.2.log", "x.1.log", "x.log"].map(read).concat();
        assert!(all.ends_with("line 0199\n") && all.lines().count() >= 20, "{all}");
        assert!(all.lines().all(|line| line.len() == "line 0000".len()), "whole lines: {all}");
    }

    #[test]
    fn an_oversized_line_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = RotatingLog::new(folder.path(), "x", 100, 1).expect("made");
        for _ in 0..5 {
            log.write_all(&[b'x'; 10_000]).expect("taken");
        }
        assert!(sizes(folder.path()).iter().all(|(_, size)| *size <= 100));
    }

    #[test]
    fn an_existing_oversized_log_is_rotated() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("x.log"), [b'x'; 150]).expect("written");
        let mut log = RotatingLog::new(folder.path(), "x", 100, 1).expect("made");
        log.write_all(b"new\n").expect("written");
        assert_eq!(std::fs::read(folder.path().join("x.log")).expect("readable"), b"new\n");
    }

    #[test]
    fn two_programs_can_share_a_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut logs = [(); 2].map(|()| RotatingLog::new(folder.path(), "x", 1000, 3).expect("made"));
        for number in 0..1000 {
            for log in &mut logs {
                writeln!(log, "line {number:04}").expect("written");
            }
        }
        assert!(sizes(folder.path()).iter().all(|(_, size)| *size <= 1000), "{:?}", sizes(folder.path()));
        assert_eq!(names(folder.path()).len(), 4);
        let latest = std::fs::read_to_string(folder.path().join("x.log")).expect("readable");
        assert!(latest.ends_with("line 0999\nline 0999\n"), "{latest}");
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_in_place_of_the_log_is_not_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let (link, target) = (folder.path().join("x.log"), folder.path().join("of-another-program"));
        std::fs::write(&target, [b'x'; 30]).expect("written");
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o644)).expect("set");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        assert!(RotatingLog::new(folder.path(), "x", 20, 2).is_err());
        std::fs::remove_file(&link).expect("removed");
        let mut log = RotatingLog::new(folder.path(), "x", 20, 2).expect("made");
        log.write_all(b"0123456789abcdef\n").expect("written");
        std::fs::remove_file(&link).expect("removed");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        log.write_all(b"0123456789abcdef\n").expect("written to a new file");
        let found = std::fs::metadata(&target).expect("there");
        assert_eq!((found.permissions().mode() & 0o777, found.len()), (0o644, 30));
    }

    #[cfg(unix)]
    #[test]
    fn log_files_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let open = folder.path().join("x.log");
        std::fs::write(&open, "").expect("written");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("set");
        let mut log = RotatingLog::new(folder.path(), "x", 20, 2).expect("made");
        for _ in 0..9 {
            log.write_all(b"0123456789\n").expect("written");
        }
        for name in names(folder.path()) {
            let mode = std::fs::metadata(folder.path().join(&name)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
