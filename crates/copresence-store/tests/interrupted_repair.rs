//! The repair of a damaged journal, killed at each of its steps: the next start has the same journal as without the kill.

#![cfg(feature = "crash-points")]

mod common;

use common::{export_token, temp_data_dir, temp_folder, time_at, visit_start};
use copresence_store::{DataDir, VisitId};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const VISITS: usize = 3;
const WAL_HEADER: usize = 32;
const WAL_FRAME: usize = 24 + 4096;
const BOTH_FILES: [&str; 2] = ["journal-damaged-1.sqlite", "journal-damaged-1.sqlite-wal"];

#[tokio::test]
#[ignore = "run by the other tests in a child process"]
async fn child_process_that_opens_a_journal() {
    let Ok(path) = std::env::var("STORE_TEST_DATA") else { return };
    let data = DataDir::open_data_dir_removing_leftovers(Path::new(&path)).expect("opened");
    let journal = data.open_or_repair_journal().expect("a journal");
    if std::env::var_os("STORE_TEST_WRITES").is_some() {
        for index in 0..VISITS {
            let id = VisitId::new();
            journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
            let token = export_token(&format!("token-of-visit-{index}"));
            journal.record_issued_token(&id, &token, "link", None, time_at(1)).await.expect("issued");
            let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
            journal.record_raw_answer(&id, no, 200, b"[\"https://files.test/one\"]", time_at(3)).await.expect("noted");
        }
        println!("written");
        let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
    }
}

/// This program, to open the journal in `folder`.
fn command_that_opens_journal(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--ignored", "--exact", "--nocapture", "child_process_that_opens_a_journal"])
        .env("STORE_TEST_DATA", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// A data folder with the journal of a killed process.
fn journal_of_killed_process() -> TempDir {
    let (root, data) = temp_data_dir();
    drop(data);
    let mut child =
        command_that_opens_journal(root.path()).env("STORE_TEST_WRITES", "").spawn().expect("a child process");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("written")));
    child.kill().expect("killed");
    child.wait().expect("dead");
    root
}

/// A copy of a data folder's journal.
fn copy_journal(from: &Path) -> TempDir {
    let copy = temp_folder();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("journal.sqlite{suffix}");
        if from.join(&name).exists() {
            std::fs::copy(from.join(&name), copy.path().join(&name)).expect("copied");
        }
    }
    copy
}

/// The rows of the journal's tables in a data folder, as text, without the times of the repair, by table and key.
fn read_journal_rows(folder: &Path) -> BTreeMap<String, String> {
    let connection = rusqlite::Connection::open(folder.join("journal.sqlite")).expect("opens");
    let sql = "SELECT 'visit ' || id, coalesce(token, '') FROM visits
        UNION ALL SELECT 'redeem ' || visit || ' ' || no, state || ' ' || coalesce(hex(body), '') FROM redeems";
    let mut rows = connection.prepare(sql).expect("valid");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("runs");
    rows.map(|row| row.expect("a row")).collect()
}

/// Names of the files of repairs, sorted.
fn files_of_repairs(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("lists");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.contains("damaged") || name.contains("repair")).collect();
    names.sort_unstable();
    names
}

/// The crash points that the opening of the journal in `folder` reaches, each with the number of times.
fn reached_crash_points(folder: &Path) -> BTreeMap<String, u32> {
    let log = folder.join("points.log");
    let status = command_that_opens_journal(folder).env("COPRESENCE_CRASH_LOG", &log).status().expect("runs");
    assert!(status.success());
    let mut points = BTreeMap::new();
    for point in std::fs::read_to_string(log).expect("a log").lines() {
        *points.entry(point.to_owned()).or_insert(0) += 1;
    }
    points
}

/// Interrupts the repair of this journal at each step, and compares the result with that of an undisturbed repair.
/// `is_power_cut`: the shared memory of the journal is of an earlier boot at the next start.
fn interrupt_repair_at_each_step(damaged: &Path, is_power_cut: bool) {
    let undisturbed = copy_journal(damaged);
    let points = reached_crash_points(undisturbed.path());
    let expected = read_journal_rows(undisturbed.path());
    assert!(!expected.is_empty());
    let originals: Vec<(&str, &str)> = BOTH_FILES
        .into_iter()
        .zip(["journal.sqlite", "journal.sqlite-wal"])
        .filter(|(_, name)| damaged.join(name).exists())
        .collect();
    let set_aside: Vec<&str> = originals.iter().map(|(kept, _)| *kept).collect();
    assert_eq!(files_of_repairs(undisturbed.path()), set_aside);
    for name in [
        "repair-begun",
        "repair-draft-flushed",
        "repair-draft-complete",
        "damaged-wal-renamed",
        "damaged-database-renamed",
        "repaired-journal-renamed",
    ] {
        assert!(points.contains_key(name), "{name} is not in {points:?}");
    }
    for (point, count) in points {
        for nth in [1, count] {
            let step = format!("{point}:{nth}, power cut: {is_power_cut}");
            let copy = copy_journal(damaged);
            let folder: PathBuf = copy.path().to_owned();
            let status = command_that_opens_journal(&folder)
                .env("COPRESENCE_CRASH_AT", format!("{point}:{nth}"))
                .status()
                .expect("runs");
            assert!(!status.success(), "killed at {step}");
            if is_power_cut {
                _ = std::fs::remove_file(folder.join("journal.sqlite-shm"));
            }
            let data = DataDir::open_data_dir_removing_leftovers(&folder).expect("opened");
            drop(data.open_or_repair_journal().expect("a journal opens"));
            assert_eq!(read_journal_rows(&folder), expected, "{step}");
            assert_eq!(files_of_repairs(&folder), set_aside, "{step}");
            for (kept, name) in &originals {
                let [kept, before] =
                    [folder.join(kept), damaged.join(name)].map(|path| std::fs::read(path).expect("reads"));
                assert!(kept == before, "{name} is kept as it was: {step}");
            }
        }
    }
}

/// Page numbers of the frames of a WAL up to the last one that ends a transaction.
fn pages_of_frames(wal: &[u8]) -> Vec<u32> {
    let word = |frame: &[u8], at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().expect("four bytes"));
    let frames: Vec<&[u8]> = wal[WAL_HEADER..].chunks_exact(WAL_FRAME).collect();
    let last = frames.iter().rposition(|frame| word(frame, 4) > 0).expect("a transaction");
    frames[..=last].iter().map(|frame| word(frame, 0)).collect()
}

/// Damages a frame of the WAL whose page was, or was not, written again later.
fn damage_wal(folder: &Path, is_written_again: bool) {
    let path = folder.join("journal.sqlite-wal");
    let mut wal = std::fs::read(&path).expect("reads");
    let pages = pages_of_frames(&wal);
    let is_chosen = |index: &usize| pages[index + 1..].contains(&pages[*index]) == is_written_again;
    let index = (0..pages.len()).find(is_chosen).expect("such a page");
    wal[WAL_HEADER + index * WAL_FRAME + 24 + 2000] ^= 0x55;
    std::fs::write(&path, wal).expect("written");
}

#[test]
fn a_repair_that_recovers_all_changes_can_be_interrupted_at_each_step() {
    let damaged = journal_of_killed_process();
    damage_wal(damaged.path(), true);
    interrupt_repair_at_each_step(damaged.path(), false);
    interrupt_repair_at_each_step(damaged.path(), true);
}

#[test]
fn a_repair_that_copies_the_readable_rows_can_be_interrupted_at_each_step() {
    let damaged = journal_of_killed_process();
    damage_wal(damaged.path(), false);
    interrupt_repair_at_each_step(damaged.path(), false);
    interrupt_repair_at_each_step(damaged.path(), true);
}

/// Only the shared memory says that the end is missing, and it is not used after a power cut.
#[test]
fn a_repair_of_a_wal_without_its_end_can_be_interrupted_at_each_step() {
    let damaged = journal_of_killed_process();
    let path = damaged.path().join("journal.sqlite-wal");
    let wal = std::fs::read(&path).expect("reads");
    std::fs::write(&path, &wal[..WAL_HEADER + (pages_of_frames(&wal).len() - 2) * WAL_FRAME]).expect("written");
    interrupt_repair_at_each_step(damaged.path(), false);
    interrupt_repair_at_each_step(damaged.path(), true);
}

#[test]
fn a_repair_of_a_wal_whose_database_is_missing_can_be_interrupted_at_each_step() {
    let damaged = journal_of_killed_process();
    std::fs::remove_file(damaged.path().join("journal.sqlite")).expect("removed");
    interrupt_repair_at_each_step(damaged.path(), false);
    interrupt_repair_at_each_step(damaged.path(), true);
}
