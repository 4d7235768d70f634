//! The data folder, and who holds which visit in it.
//!
//! ```text
//! DATA/journal.sqlite (-wal, -shm)   the journal
//! DATA/journal.lock                  held while the journal is opened
//! DATA/live/<visit id>.lock          held by the process that drives the visit
//! DATA/live.lock                     held while locks are taken or cleaned
//! DATA/incomplete/<date>-<visit id>/ avatars of which not every file came
//! DATA/inspector/                    exchanges that an integrator saved
//! DATA/reports/                      reports of checks that an integrator saved
//! DATA/settings.toml, logo.png       what the operator set ([`crate::HostFile`])
//! ```
//! Everything made here is private: folders 0700, files 0600. A data folder that was there before keeps its own mode.

use crate::crash_point::{self, CrashPoint};
use crate::disk;
use crate::error::{IoContext, StoreError};
use crate::journal::Journal;
use crate::visit_id::VisitId;
use cap_std::fs::Dir;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The data folder. Any number of processes may have it open.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

/// A live visit's lock: let go when dropped, or by the system when the process dies, however it dies.
#[derive(Debug)]
pub struct Claim {
    visit: VisitId,
    path: PathBuf,
    /// Held for its lock.
    file: Option<File>,
}

const LIVE: &str = "live";
const INCOMPLETE: &str = "incomplete";
const PROBE: &str = ".copresence-probe-";

impl DataDir {
    /// Opens the data folder: makes what is missing, checks that it can be written, and removes what a crash of
    /// our own left behind (locks that nobody holds, half-copied folders of visits that nobody holds).
    ///
    /// # Errors
    /// [`StoreError::Permission`], [`StoreError::DiskFull`] and the like, naming the folder.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).io_context("find", path)?;
        for folder in [path.clone(), path.join(LIVE), path.join(INCOMPLETE)] {
            disk::create_folder(&folder)?;
        }
        let data = Self { path };
        data.probe()?;
        data.clean()?;
        Ok(data)
    }

    /// The folder, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where incomplete avatars are kept.
    pub fn incomplete(&self) -> PathBuf {
        self.path.join(INCOMPLETE)
    }

    /// Opens the journal; see [`Journal`].
    pub fn journal(&self) -> Result<Journal, StoreError> {
        let path = self.path.join("journal.lock");
        let lock = private().open(&path).io_context("open", &path)?;
        lock.lock().io_context("lock", &path)?;
        Journal::open(&self.path.join("journal.sqlite"))
    }

    /// Takes a visit in hand: nobody else can until the claim is dropped or this process ends.
    ///
    /// # Errors
    /// [`StoreError::Held`] while another process, or another part of this one, has it.
    pub fn claim(&self, visit: &VisitId) -> Result<Claim, StoreError> {
        // Whoever cleans takes locks for a moment, which must not look like a visit in hand.
        let (gate, path) = self.gate()?;
        gate.lock_shared().io_context("lock", &path)?;
        let claim = self.take(visit)?;
        crash_point::reach_crash_point(CrashPoint::VisitLocked);
        Ok(claim)
    }

    fn gate(&self) -> Result<(File, PathBuf), StoreError> {
        let path = self.path.join("live.lock");
        Ok((private().open(&path).io_context("open", &path)?, path))
    }

    fn take(&self, visit: &VisitId) -> Result<Claim, StoreError> {
        let path = self.path.join(LIVE).join(format!("{visit}.lock"));
        loop {
            let file = private().open(&path).io_context("open", &path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::VisitLocked { visit: *visit }),
                Err(TryLockError::Error(error)) => return Err(StoreError::from_io("lock", &path, error)),
            }
            // Whoever held it before removes the file while still holding it: a lock on a removed file is none.
            if is_still_there(&file, &path) {
                return Ok(Claim { visit: *visit, path, file: Some(file) });
            }
        }
    }

    /// Checks by doing that files can be made here.
    ///
    /// # Errors
    /// [`StoreError::Permission`], [`StoreError::DiskFull`] and the like, naming the folder.
    pub fn probe(&self) -> Result<(), StoreError> {
        let dir = disk::open_folder(&self.path)?;
        for stale in disk::entry_names(&dir, &self.path)?.iter().filter(|name| name.starts_with(PROBE)) {
            disk::remove_file_if_exists(&dir, stale, &self.path)?;
        }
        let name = format!("{PROBE}{}", uuid::Uuid::now_v7());
        let mut file = dir
            .open_with(&name, disk::private_file_options().create_new(true))
            .io_context("write in", &self.path)?;
        let written = file.write_all(b"copresence");
        disk::remove_file_if_exists(&dir, &name, &self.path)?;
        written.io_context("write in", &self.path)
    }

    /// Removes what crashes of our own left, unless another program is taking a visit or cleaning right now.
    fn clean(&self) -> Result<(), StoreError> {
        let (gate, path) = self.gate()?;
        match gate.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(StoreError::from_io("lock", &path, error)),
        }
        self.clean_locks()?;
        self.clean_copies()
    }

    fn clean_locks(&self) -> Result<(), StoreError> {
        let live = self.path.join(LIVE);
        for name in disk::entry_names(&disk::open_folder(&live)?, &live)? {
            if let Some(visit) = name.strip_suffix(".lock").and_then(|id| id.parse().ok()) {
                // Taking the claim and dropping it removes the file.
                drop(self.take(&visit));
            }
        }
        Ok(())
    }

    /// A copy into `incomplete/` that was cut short still has its source: it can go.
    fn clean_copies(&self) -> Result<(), StoreError> {
        let path = self.incomplete();
        let dir = disk::open_folder(&path)?;
        for name in disk::entry_names(&dir, &path)? {
            let Some(visit) = crate::avatar_folder::parse_partial_name(&name) else { continue };
            if let Ok(claim) = self.take(&visit) {
                crate::avatar_folder::remove_partial_folder(&dir, &name, &path)?;
                drop(claim);
            }
        }
        Ok(())
    }

    pub(crate) fn incomplete_dir(&self) -> Result<(Dir, PathBuf), StoreError> {
        let path = self.incomplete();
        disk::create_folder(&path)?;
        Ok((disk::open_folder(&path)?, path))
    }
}

impl Claim {
    /// The visit that is held.
    pub fn visit(&self) -> &VisitId {
        &self.visit
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while still locked, so that nobody can have locked this file in between.
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(visit = %self.visit, %error, "the lock file stays behind");
        }
        self.file.take();
    }
}

/// Opens or makes a lock file.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_there(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_held_by_one_and_let_go_by_drop() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(&root.path().join("data")).expect("a data folder");
        let visit = VisitId::new();
        let claim = data.claim(&visit).expect("free");
        assert_eq!(data.claim(&visit).expect_err("held").code(), "visit_held");
        assert!(data.claim(&VisitId::new()).is_ok());
        drop(claim);
        assert!(data.claim(&visit).is_ok());
    }

    #[test]
    fn many_at_once_never_hold_the_same_visit() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(root.path()).expect("a data folder");
        let visit = VisitId::new();
        let holders = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let Ok(claim) = data.claim(&visit) else { continue };
                        assert_eq!(holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(claim);
                    }
                });
            }
        });
    }

    #[test]
    fn opening_the_folder_never_makes_a_free_visit_look_held() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(root.path()).expect("a data folder");
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|_| drop(DataDir::open(root.path()).expect("opened"))));
            for _ in 0..400 {
                data.claim(&VisitId::new()).expect("nobody else knows of this visit");
            }
        });
    }

    #[test]
    fn claiming_and_cleaning_wait_for_each_other() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(root.path()).expect("a data folder");
        let stale = root.path().join(format!("live/{}.lock", VisitId::new()));
        std::fs::write(&stale, "").expect("a stale lock");

        let (gate, _) = data.gate().expect("a gate");
        gate.lock_shared().expect("as one who claims");
        DataDir::open(root.path()).expect("opened all the same");
        assert!(stale.exists(), "cleaned next time");
        gate.unlock().expect("let go");

        gate.lock().expect("as one who cleans");
        let (done, claimed) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| done.send(data.claim(&VisitId::new()).is_ok()));
            let early = claimed.recv_timeout(std::time::Duration::from_millis(50));
            assert!(early.is_err(), "a claim is taken while another program cleans");
            gate.unlock().expect("let go");
            assert_eq!(claimed.recv(), Ok(true));
        });
    }

    #[test]
    fn a_lock_on_a_removed_file_is_none() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("a.lock");
        let file = private().open(&path).expect("made");
        assert!(is_still_there(&file, &path));
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_still_there(&file, &path));
        let _another = private().open(&path).expect("made anew");
        assert!(!is_still_there(&file, &path));
    }

    #[test]
    fn opening_cleans_what_a_crash_left_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(root.path()).expect("a data folder");
        let (dead, alive) = (VisitId::new(), VisitId::new());
        let lock = |visit: &VisitId| root.path().join(format!("live/{visit}.lock"));
        std::fs::write(lock(&dead), "").expect("a stale lock");
        std::fs::write(root.path().join("live/notes.txt"), "mine").expect("a note");
        std::fs::write(root.path().join(format!("{PROBE}old")), "").expect("a stale probe");
        let _claim = data.claim(&alive).expect("free");

        DataDir::open(root.path()).expect("opened again");
        assert!(!lock(&dead).exists());
        assert!(lock(&alive).exists());
        assert!(root.path().join("live/notes.txt").exists());
        assert!(!root.path().join(format!("{PROBE}old")).exists());
    }
}
