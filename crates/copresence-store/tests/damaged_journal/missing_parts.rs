//! Parts of the journal's files that are missing: the first sectors of the WAL, and the whole database.

use super::killed_journal::{BOTH_FILES, FRAME, HEADER, KilledJournal, VISITS};
use std::path::Path;

/// Sizes of what one lost write leaves without content: a sector of the disk, one and two pages. In bytes.
const LOST_SIZES: [usize; 3] = [512, 4096, 8192];

/// Fills the first bytes of the WAL with zeros.
fn lose_start_of_wal(killed: &KilledJournal, size: usize) {
    let mut wal = killed.read("-wal");
    wal[..size].fill(0);
    killed.write("-wal", &wal);
}

/// The links of the visits, as `SQLite` reads them.
fn read_links(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).expect("opens");
    let mut links = connection.prepare("SELECT link FROM visits WHERE link IS NOT NULL").expect("valid");
    let rows = links.query_map([], |row| row.get(0)).expect("runs");
    rows.map(|row| row.expect("a row")).collect()
}

/// `SQLite` starts a new WAL without a message if the header is damaged.
#[tokio::test]
async fn zeros_at_the_start_of_the_wal_are_damage_and_the_rows_behind_them_are_kept() {
    for size in LOST_SIZES {
        for has_index in [true, false] {
            let killed = KilledJournal::new();
            lose_start_of_wal(&killed, size);
            if !has_index {
                std::fs::remove_file(killed.path("-shm")).expect("removed");
            }
            assert_eq!(killed.open().await, killed.complete(), "{size} bytes, shared memory: {has_index}");
            assert_eq!(killed.set_aside(), BOTH_FILES, "{size} bytes, shared memory: {has_index}");
        }
    }
}

/// No frame can be checked, because each continues the checksum of the frame before it.
#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only on Linux does a journal use its shared-memory file")]
async fn a_wal_of_zeros_is_damage_while_the_shared_memory_says_that_it_had_transactions() {
    let killed = KilledJournal::new();
    lose_start_of_wal(&killed, killed.read("-wal").len());
    assert!(killed.open().await.is_empty());
    assert_eq!(killed.set_aside(), BOTH_FILES);
}

/// Copies the WAL to the database in this mode.
fn copy_wal_to_database(path: &Path, mode: &str) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let is_busy: bool = connection.query_row(&sql, [], |row| row.get(0)).expect("copies");
    assert!(!is_busy);
}

/// Makes a database in which no visit has a token, and a WAL in which each has one, in front of frames of an earlier log.
fn restart_wal_and_issue_tokens(path: &Path) {
    let change_visits = |sql: &str| {
        let connection = rusqlite::Connection::open(path).expect("opens");
        assert_eq!(connection.execute(sql, []).expect("runs"), VISITS);
    };
    change_visits("UPDATE visits SET token = NULL, link = NULL, issued_at = NULL");
    copy_wal_to_database(path, "RESTART");
    for _ in 0..4 {
        change_visits(
            "UPDATE visits SET token = 'token-' || id, link = 'newer', issued_at = 1, reopened = reopened + 1",
        );
    }
}

#[tokio::test]
async fn tokens_of_a_log_without_its_header_are_not_replaced_by_rows_of_an_earlier_log() {
    for has_index in [true, false] {
        let killed = KilledJournal::after(restart_wal_and_issue_tokens);
        lose_start_of_wal(&killed, 512);
        if !has_index {
            std::fs::remove_file(killed.path("-shm")).expect("removed");
        }
        assert_eq!(killed.open().await, killed.complete());
        assert_eq!(killed.set_aside(), BOTH_FILES);
        assert_eq!(read_links(&killed.path("")), ["newer"; VISITS], "shared memory: {has_index}");
    }
}

/// Only frames of the earlier log are left in the WAL. They are older than the database.
#[tokio::test]
async fn a_log_whose_changes_are_in_the_database_is_not_replaced_by_an_earlier_one() {
    let killed = KilledJournal::after(|path| {
        restart_wal_and_issue_tokens(path);
        copy_wal_to_database(path, "PASSIVE");
    });
    let wal = killed.read("-wal");
    let is_of_newer_log = |frame: &&[u8]| frame[8..16] == wal[16..24];
    let frames: Vec<&[u8]> = wal[HEADER..].chunks_exact(FRAME).collect();
    let newer = frames.iter().copied().filter(is_of_newer_log).count();
    assert!(newer + 2 < frames.len(), "{newer} of {}", frames.len());
    lose_start_of_wal(&killed, HEADER + newer * FRAME);
    assert_eq!(killed.open().await, killed.complete());
    assert_eq!(read_links(&killed.path("")), ["newer"; VISITS]);
}

/// `SQLite` deletes the WAL beside a database that it creates.
#[tokio::test]
async fn a_missing_database_with_a_wal_is_noticed_and_its_rows_are_kept() {
    for has_index in [true, false] {
        let killed = KilledJournal::new();
        std::fs::remove_file(killed.path("")).expect("removed");
        if !has_index {
            std::fs::remove_file(killed.path("-shm")).expect("removed");
        }
        let wal = killed.read("-wal");
        assert_eq!(killed.open().await, killed.complete(), "the WAL has all of its pages");
        assert_eq!(killed.set_aside(), BOTH_FILES[1..], "there is no database to set aside");
        assert_eq!(std::fs::read(killed.root.path().join(BOTH_FILES[1])).expect("reads"), wal, "kept as it was");
    }
}

#[tokio::test]
async fn a_missing_database_with_an_empty_wal_is_a_first_start() {
    let killed = KilledJournal::new();
    std::fs::remove_file(killed.path("")).expect("removed");
    killed.write("-wal", b"");
    assert!(killed.open().await.is_empty());
    assert!(killed.set_aside().is_empty());
}
