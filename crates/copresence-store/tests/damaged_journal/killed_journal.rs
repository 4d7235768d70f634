//! A real journal whose process was killed while its WAL had changes, to damage its files.

use super::common::{temp_data_dir, visit_start};
use copresence_store::{DataDir, Journal, VisitId};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Number of visits in the journal.
pub(super) const VISITS: usize = 5;
/// Size of the header of a WAL, in bytes.
pub(super) const HEADER: usize = 32;
/// Size of a frame of the WAL, in bytes.
pub(super) const FRAME: usize = 24 + 4096;
/// The names of the files that a repair sets aside.
pub(super) const BOTH_FILES: [&str; 2] = ["journal-damaged-1.sqlite", "journal-damaged-1.sqlite-wal"];

/// A data folder whose journal was open when its process was killed.
pub(super) struct KilledJournal {
    pub(super) root: TempDir,
    pub(super) visits: BTreeSet<VisitId>,
}

impl KilledJournal {
    /// Writes a journal in a child process, and kills it.
    pub(super) fn new() -> Self {
        Self::after(|_| {})
    }

    /// As [`new`](Self::new); `work` runs with the path of the journal before its process is killed.
    pub(super) fn after(work: impl FnOnce(&Path)) -> Self {
        let (root, data) = temp_data_dir();
        drop(data);
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "child_process_that_writes_a_journal"])
            .env("STORE_TEST_DATA", root.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let mut visits = BTreeSet::new();
        for line in lines {
            if let Some((_, id)) = line.split_once("visit ") {
                visits.extend(id.trim().parse::<VisitId>().ok());
            }
            if line.contains("written") {
                break;
            }
        }
        work(&root.path().join("journal.sqlite"));
        child.kill().expect("killed");
        child.wait().expect("dead");
        assert_eq!(visits.len(), VISITS);
        let killed = Self { root, visits };
        assert!(killed.read("-wal").len() > HEADER + 3 * FRAME, "the WAL remains");
        killed
    }

    pub(super) fn path(&self, suffix: &str) -> PathBuf {
        self.root.path().join(format!("journal.sqlite{suffix}"))
    }

    pub(super) fn read(&self, suffix: &str) -> Vec<u8> {
        std::fs::read(self.path(suffix)).expect("reads")
    }

    pub(super) fn write(&self, suffix: &str, content: &[u8]) {
        std::fs::write(self.path(suffix), content).expect("written");
    }

    /// Page numbers of the frames of the WAL, and the index of the last one that ends a transaction.
    pub(super) fn frames(&self) -> (Vec<u32>, usize) {
        let wal = self.read("-wal");
        let word = |frame: &[u8], at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().expect("four bytes"));
        let frames: Vec<&[u8]> = wal[HEADER..].chunks_exact(FRAME).collect();
        let last = frames.iter().rposition(|frame| word(frame, 4) > 0).expect("a transaction");
        (frames.iter().map(|frame| word(frame, 0)).collect(), last)
    }

    /// Flips a byte of the WAL.
    pub(super) fn flip_wal_byte(&self, at: usize) {
        let mut wal = self.read("-wal");
        wal[at] ^= 0x55;
        self.write("-wal", &wal);
    }

    /// Opens the journal, and works with it. Returns the visits that it has, with the number of their answers.
    pub(super) async fn open(&self) -> BTreeSet<(VisitId, usize)> {
        let data = DataDir::open_data_dir_removing_leftovers(self.root.path()).expect("opened");
        let journal = data.open_or_repair_journal().expect("a journal opens");
        let found = unfinished_visits(&journal).await;
        let id = VisitId::new();
        journal.record_visit_start(&visit_start(id, false)).await.expect("a new visit can begin");
        drop(journal);
        let journal = data.open_or_repair_journal().expect("opens again");
        assert_eq!(unfinished_visits(&journal).await.len(), found.len() + 1, "it stays repaired");
        found
    }

    /// All visits with their answers.
    pub(super) fn complete(&self) -> BTreeSet<(VisitId, usize)> {
        self.visits.iter().map(|id| (*id, 1)).collect()
    }

    /// Names of the files that were set aside.
    pub(super) fn set_aside(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path()).expect("lists");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.contains("damaged") || name.contains("repair")).collect();
        names.sort_unstable();
        names
    }
}

async fn unfinished_visits(journal: &Journal) -> BTreeSet<(VisitId, usize)> {
    let unfinished = journal.load_recoverable_visits().await.expect("reads");
    unfinished.iter().map(|visit| (visit.visit.start.id, visit.redeems.len())).collect()
}
