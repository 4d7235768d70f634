//! The data folder, and the locks of the visits in it.
//!
//! ```text
//! DATA/journal.sqlite (-wal, -shm)   the journal
//! DATA/journal-damaged-N.sqlite      a damaged journal that was set aside (-wal), never deleted
//! DATA/journal-repair*.sqlite        the draft of a repaired journal; the next start continues an interrupted repair
//! DATA/journal.lock                  held while the journal is opened
//! DATA/live/<visit id>.lock          held by the process that runs the visit
//! DATA/live.lock                     held while visit locks are taken or removed
//! DATA/incomplete/<date>-<visit id>/ avatars of which files are missing
//! DATA/output-disks.json             the disks of the output folders
//! DATA/inspector/                    exchanges that an integrator saved
//! DATA/reports/                      reports of checks that an integrator saved
//! DATA/settings.toml, logo.png       the operator's settings ([`crate::SettingsOrLogoFile`])
//! ```
//! Everything created here is private: folders 0700, files 0600. A data folder that existed before keeps its mode.

use crate::crash_point::{self, CrashPoint};
use crate::disk;
use crate::disk_space::DownloadSpaceReservations;
use crate::error::{IoContext, StoreError};
use crate::journal::Journal;
use crate::partial_folder::{parse_partial_name, remove_partial_folder};
use crate::private_file::{ExistingContentHandling, open_private_file_for_writing};
use crate::sabotage::{OmittedSafeguard, is_safeguard_omitted};
use crate::visit_id::VisitId;
use crate::visit_lock::VisitLock;
use cap_std::fs::Dir;
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The data folder. Any number of processes may have it open.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    download_space_reservations: DownloadSpaceReservations,
}

const LOCK_FOLDER: &str = "live";
const INCOMPLETE_FOLDER: &str = "incomplete";
const PROBE_PREFIX: &str = ".copresence-probe-";

impl DataDir {
    /// Opens the data folder: creates what is missing, checks that it is writable, and removes what a crash of this
    /// program left behind (lock files and half-copied folders of visits that no process runs).
    ///
    /// # Errors
    /// [`StoreError::Permission`], [`StoreError::DiskFull`] and the like, naming the folder.
    pub fn open_data_dir_removing_leftovers(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).io_context("find", path)?;
        for folder in [path.clone(), path.join(LOCK_FOLDER), path.join(INCOMPLETE_FOLDER)] {
            disk::create_durable_private_folder(&folder)?;
        }
        let data = Self { path, download_space_reservations: DownloadSpaceReservations::default() };
        data.check_writable_by_writing_test_file()?;
        data.remove_crash_leftovers()?;
        Ok(data)
    }

    /// The folder, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk space that the downloads of all visits still need, of this value and its clones.
    pub fn download_space_reservations(&self) -> &DownloadSpaceReservations {
        &self.download_space_reservations
    }

    /// The folder of incomplete avatars.
    pub fn incomplete_avatars_path(&self) -> PathBuf {
        self.path.join(INCOMPLETE_FOLDER)
    }

    /// Checks that `out` may be an output folder. It need not exist.
    ///
    /// # Errors
    /// [`StoreError::OutputInIncompleteFolder`] if it is the folder of incomplete avatars or in it, also through links.
    pub fn check_output_outside_incomplete_folder(&self, out: &Path) -> Result<(), StoreError> {
        let out = std::path::absolute(out).io_context("find", out)?;
        let incomplete = self.incomplete_avatars_path();
        // The nearest folder that exists tells where links lead to.
        let nearest = out.ancestors().find_map(|folder| folder.canonicalize().ok());
        let is_inside = out.starts_with(&incomplete)
            || nearest.zip(incomplete.canonicalize().ok()).is_some_and(|(out, incomplete)| out.starts_with(incomplete));
        if is_inside { Err(StoreError::OutputInIncompleteFolder { path: out }) } else { Ok(()) }
    }

    /// Opens the journal; creates or migrates it if needed. A damaged one is set aside and replaced by what can be read
    /// of it, unless another process uses it. Blocks on the disk, and while another process opens it.
    ///
    /// # Errors
    /// [`StoreError::JournalCorrupt`], [`StoreError::JournalTooNew`] and [`StoreError::JournalBusy`]; failures of the
    /// disk or the database.
    pub fn open_or_repair_journal(&self) -> Result<Journal, StoreError> {
        let path = self.path.join("journal.lock");
        let lock = open_private_file_for_writing(&path, ExistingContentHandling::Keep).io_context("open", &path)?;
        lock.lock().io_context("lock", &path)?;
        Journal::open_create_or_repair_journal(&self.journal_path(), &|| self.is_any_visit_locked())
    }

    /// Opens the journal for a simulated process: each request runs at once in `database`, which is in memory.
    #[cfg(feature = "simulation")]
    pub fn open_journal_for_simulation(
        &self,
        database: &crate::journal::simulation::InMemoryJournalDatabase,
        end: crate::journal::simulation::SimulatedProcessEndSignal,
    ) -> Journal {
        Journal::open_journal_for_simulation(&self.journal_path(), database, end)
    }

    /// The database file of the journal.
    fn journal_path(&self) -> PathBuf {
        if is_safeguard_omitted(OmittedSafeguard::NoJournal) {
            return self.path.join(format!("journal-of-{}.sqlite", std::process::id()));
        }
        self.path.join("journal.sqlite")
    }

    /// Locks a visit. No other process or task can lock it until the lock is dropped or this process ends.
    ///
    /// # Errors
    /// [`StoreError::VisitLocked`] while another process, or another task of this one, holds the lock, or an I/O
    /// failure.
    pub fn lock_visit(&self, visit: &VisitId) -> Result<VisitLock, StoreError> {
        // The clean-up takes visit locks for a moment, which must not look like a running visit.
        let (locks_file, path) = self.open_locks_guard_file()?;
        locks_file.lock_shared().io_context("lock", &path)?;
        let visit_lock = self.take_visit_lock_or_fail(visit)?;
        crash_point::reach_crash_point(CrashPoint::VisitLocked);
        Ok(visit_lock)
    }

    /// Whether a process, or a task of this one, runs a visit.
    fn is_any_visit_locked(&self) -> bool {
        let live = self.path.join(LOCK_FOLDER);
        let names = disk::open_folder_following_symlinks(&live).and_then(|dir| disk::entry_names(&dir, &live));
        names.unwrap_or_default().iter().any(|name| {
            let visit = name.strip_suffix(".lock").and_then(|id| id.parse().ok());
            visit.is_some_and(|visit| matches!(self.lock_visit(&visit), Err(StoreError::VisitLocked { .. })))
        })
    }

    /// Tries to take the lock of a visit, without waiting. The caller must hold the lock of the locks file.
    fn take_visit_lock_or_fail(&self, visit: &VisitId) -> Result<VisitLock, StoreError> {
        VisitLock::take_visit_lock(&self.path.join(LOCK_FOLDER), visit)
    }

    /// Opens the file that is locked while visit locks are taken (shared) or cleaned up (exclusive).
    fn open_locks_guard_file(&self) -> Result<(File, PathBuf), StoreError> {
        let path = self.path.join("live.lock");
        Ok((open_private_file_for_writing(&path, ExistingContentHandling::Keep).io_context("open", &path)?, path))
    }

    /// Checks that files can be written here, by writing one.
    ///
    /// # Errors
    /// [`StoreError::Permission`], [`StoreError::DiskFull`] and the like, naming the folder.
    pub fn check_writable_by_writing_test_file(&self) -> Result<(), StoreError> {
        let dir = disk::open_folder_following_symlinks(&self.path)?;
        for stale in disk::entry_names(&dir, &self.path)?.iter().filter(|name| name.starts_with(PROBE_PREFIX)) {
            disk::remove_file_if_exists(&dir, stale, &self.path)?;
        }
        let name = format!("{PROBE_PREFIX}{}", uuid::Uuid::now_v7());
        let mut file =
            dir.open_with(&name, disk::private_file_options().create_new(true)).io_context("write in", &self.path)?;
        let written = file.write_all(b"copresence");
        disk::remove_file_if_exists(&dir, &name, &self.path)?;
        written.io_context("write in", &self.path)
    }

    /// Removes what crashes of this program left, unless another process takes a lock or cleans up right now.
    fn remove_crash_leftovers(&self) -> Result<(), StoreError> {
        let (locks_file, path) = self.open_locks_guard_file()?;
        match locks_file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(StoreError::from_io_error("lock", &path, error)),
        }
        self.remove_stale_locks()?;
        self.remove_interrupted_copies()
    }

    /// Removes the lock files of visits that no process has locked.
    fn remove_stale_locks(&self) -> Result<(), StoreError> {
        let live = self.path.join(LOCK_FOLDER);
        for name in disk::entry_names(&disk::open_folder_following_symlinks(&live)?, &live)? {
            if let Some(visit) = name.strip_suffix(".lock").and_then(|id| id.parse().ok()) {
                // Dropping the lock removes its file.
                drop(self.take_visit_lock_or_fail(&visit));
            }
        }
        Ok(())
    }

    /// Removes copies into `incomplete/` that a crash interrupted. Their source still exists.
    fn remove_interrupted_copies(&self) -> Result<(), StoreError> {
        let path = self.incomplete_avatars_path();
        let dir = disk::open_folder_following_symlinks(&path)?;
        for name in disk::entry_names(&dir, &path)? {
            let Some(visit) = parse_partial_name(&name) else { continue };
            if let Ok(visit_lock) = self.take_visit_lock_or_fail(&visit) {
                remove_partial_folder(&dir, &name, &path)?;
                drop(visit_lock);
            }
        }
        Ok(())
    }

    /// Opens the folder of incomplete avatars; creates it if it does not exist.
    pub(crate) fn open_or_create_incomplete_folder(&self) -> Result<(Dir, PathBuf), StoreError> {
        let path = self.incomplete_avatars_path();
        disk::create_durable_private_folder(&path)?;
        Ok((disk::open_folder_following_symlinks(&path)?, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_lock_releases_the_visit() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open_data_dir_removing_leftovers(&root.path().join("data")).expect("a data folder");
        let visit = VisitId::new();
        let visit_lock = data.lock_visit(&visit).expect("free");
        assert_eq!(data.lock_visit(&visit).expect_err("held").error_code(), "visit_held");
        assert!(data.lock_visit(&VisitId::new()).is_ok());
        drop(visit_lock);
        assert!(data.lock_visit(&visit).is_ok());
    }

    #[test]
    fn concurrent_locks_never_share_a_visit() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
        let visit = VisitId::new();
        let holders = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let Ok(visit_lock) = data.lock_visit(&visit) else { continue };
                        assert_eq!(holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(visit_lock);
                    }
                });
            }
        });
    }

    #[test]
    fn opening_the_folder_never_makes_a_free_visit_look_locked() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|_| drop(DataDir::open_data_dir_removing_leftovers(root.path()).expect("opened")));
            });
            for _ in 0..400 {
                data.lock_visit(&VisitId::new()).expect("nobody else knows of this visit");
            }
        });
    }

    #[test]
    fn locking_and_cleaning_up_wait_for_each_other() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
        let stale = root.path().join(format!("live/{}.lock", VisitId::new()));
        std::fs::write(&stale, "").expect("a stale lock");

        let (locks_file, _) = data.open_locks_guard_file().expect("opens");
        locks_file.lock_shared().expect("as for locking a visit");
        DataDir::open_data_dir_removing_leftovers(root.path()).expect("opened all the same");
        assert!(stale.exists(), "cleaned next time");
        drop(locks_file);

        let (locks_file, _) = data.open_locks_guard_file().expect("opens");
        locks_file.lock().expect("as for cleaning up");
        let (done, locked) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| done.send(data.lock_visit(&VisitId::new()).is_ok()));
            let early = locked.recv_timeout(std::time::Duration::from_millis(50));
            assert!(early.is_err(), "a lock is taken while another program cleans up");
            drop(locks_file);
            assert_eq!(locked.recv(), Ok(true));
        });
    }

    #[test]
    fn opening_removes_only_what_a_crash_left() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
        let (dead, alive) = (VisitId::new(), VisitId::new());
        let lock = |visit: &VisitId| root.path().join(format!("live/{visit}.lock"));
        std::fs::write(lock(&dead), "").expect("a stale lock");
        std::fs::write(root.path().join("live/notes.txt"), "mine").expect("a note");
        std::fs::write(root.path().join(format!("{PROBE_PREFIX}old")), "").expect("a stale probe");
        let _visit_lock = data.lock_visit(&alive).expect("free");

        DataDir::open_data_dir_removing_leftovers(root.path()).expect("opened again");
        assert!(!lock(&dead).exists());
        assert!(lock(&alive).exists());
        assert!(root.path().join("live/notes.txt").exists());
        assert!(!root.path().join(format!("{PROBE_PREFIX}old")).exists());
    }
}
