//! Journals whose files are damaged: nothing is deleted, what can be read is kept, and a journal opens.
//!
//! The files are real: a child process writes a journal and is killed, so that its WAL remains.

#[path = "../common/mod.rs"]
mod common;
mod killed_journal;
mod missing_parts;

use common::{export_token, planned_files, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_store::{AnswerKind, DataDir, RedeemRecord, RedeemState, UnfinishedVisit, VisitId};
use killed_journal::{BOTH_FILES, FRAME, HEADER, KilledJournal, VISITS};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

#[tokio::test]
#[ignore = "run by the other tests in a child process"]
async fn child_process_that_writes_a_journal() {
    let Ok(path) = std::env::var("STORE_TEST_DATA") else { return };
    let data = DataDir::open_data_dir_removing_leftovers(Path::new(&path)).expect("opened");
    let journal = data.open_or_repair_journal().expect("a journal");
    for index in 0..VISITS {
        let id = VisitId::new();
        journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
        let token = export_token(&format!("token-of-visit-{index}"));
        journal.record_issued_token(&id, &token, "link", None, time_at(1)).await.expect("issued");
        let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
        journal.record_raw_answer(&id, no, 200, b"[\"https://files.test/one\"]", time_at(3)).await.expect("noted");
        println!("visit {id}");
    }
    println!("written");
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

#[tokio::test]
async fn an_undamaged_journal_of_a_killed_process_is_not_set_aside() {
    let killed = KilledJournal::new();
    assert_eq!(killed.open().await, killed.complete());
    assert!(killed.set_aside().is_empty());
}

#[tokio::test]
async fn a_damaged_page_in_the_wal_that_was_written_again_loses_nothing() {
    let killed = KilledJournal::new();
    let (pages, last) = killed.frames();
    let damaged: Vec<usize> = (0..last).filter(|index| pages[index + 1..=last].contains(&pages[*index])).collect();
    assert!(damaged.len() > 3, "{pages:?}");
    for index in [damaged[0], damaged[damaged.len() - 1]] {
        killed.flip_wal_byte(HEADER + index * FRAME + 24 + 2000);
    }
    let before = killed.read("-wal");
    assert_eq!(killed.open().await, killed.complete());
    assert_eq!(killed.set_aside(), BOTH_FILES);
    assert_eq!(std::fs::read(killed.root.path().join(BOTH_FILES[1])).expect("reads"), before, "kept as it was");
}

#[tokio::test]
async fn a_damaged_page_in_the_wal_that_was_not_written_again_keeps_the_other_rows() {
    let killed = KilledJournal::new();
    let (pages, last) = killed.frames();
    let index = (0..last).find(|index| !pages[index + 1..=last].contains(&pages[*index])).expect("such a page");
    killed.flip_wal_byte(HEADER + index * FRAME + 24 + 2000);
    assert_eq!(killed.open().await, killed.complete(), "the page has none of these rows: {pages:?}, {index}");
    assert_eq!(killed.set_aside(), BOTH_FILES);
}

#[tokio::test]
async fn a_damaged_wal_header_loses_nothing() {
    let killed = KilledJournal::new();
    for at in [0, 9, 18] {
        killed.flip_wal_byte(at);
    }
    assert_eq!(killed.open().await, killed.complete());
    assert_eq!(killed.set_aside(), BOTH_FILES);
}

/// What a visit has in a journal whose last changes are missing.
fn check_token_of_incomplete_journal(visit: &UnfinishedVisit) {
    let is_delivered = visit.redeems.iter().any(|redeem| matches!(redeem.outcome, RedeemState::Answered { .. }));
    let may_be_spent = visit
        .redeems
        .iter()
        .any(|redeem| matches!(redeem.outcome, RedeemState::InFlight | RedeemState::Unanswered { .. }));
    assert!(
        visit.token.is_none() || is_delivered || may_be_spent,
        "a redeem and its answer may be among the missing changes: {:?}",
        visit.redeems
    );
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only on Linux does a journal use its shared-memory file")]
async fn a_wal_whose_end_is_missing_is_set_aside_and_its_tokens_may_be_spent() {
    let last = KilledJournal::new().frames().1;
    let (mut kept, mut may_be_spent) = (0, 0);
    for missing in 0..=last {
        let killed = KilledJournal::new();
        let mut wal = killed.read("-wal");
        let end = HEADER + (last + 1) * FRAME;
        match missing % 3 {
            0 => wal.truncate(end - missing * FRAME - 1000),
            1 => wal.truncate(end - missing * FRAME),
            _ => wal[end - missing * FRAME..].fill(0),
        }
        killed.write("-wal", &wal);
        let data = DataDir::open_data_dir_removing_leftovers(killed.root.path()).expect("opened");
        let journal = data.open_or_repair_journal().expect("a journal opens");
        let unfinished = journal.load_recoverable_visits().await.expect("reads");
        unfinished.iter().for_each(check_token_of_incomplete_journal);
        kept += unfinished.len();
        let is_unanswered = |visit: &&UnfinishedVisit| {
            visit.redeems.iter().any(|redeem| matches!(redeem.outcome, RedeemState::Unanswered { .. }))
        };
        may_be_spent += unfinished.iter().filter(is_unanswered).count();
        assert_eq!(killed.set_aside(), BOTH_FILES, "{missing} frames are missing");
        drop(journal);
        drop(data.open_or_repair_journal().expect("opens again"));
        assert_eq!(killed.set_aside(), BOTH_FILES, "it stays repaired");
    }
    assert!(
        kept > 0 && may_be_spent > 0,
        "{kept} visits were kept, {may_be_spent} of them with a redeem that was added"
    );
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only on Linux does a journal use its shared-memory file")]
async fn a_damaged_last_frame_is_not_dropped_silently() {
    let killed = KilledJournal::new();
    let (_, last) = killed.frames();
    killed.flip_wal_byte(HEADER + last * FRAME + 24 + 2000);
    assert_eq!(killed.open().await, killed.complete(), "the redeem of the last answer is there");
    assert_eq!(killed.set_aside(), BOTH_FILES);
}

/// The visits that `SQLite` reads from a copy of the files, with the number of their redeems.
fn visits_read_by_sqlite(killed: &KilledJournal) -> BTreeSet<(VisitId, usize)> {
    let copy = TempDir::new().expect("a folder");
    for suffix in ["", "-wal"] {
        std::fs::copy(killed.path(suffix), copy.path().join(format!("journal.sqlite{suffix}"))).expect("copied");
    }
    let connection = rusqlite::Connection::open(copy.path().join("journal.sqlite")).expect("opens");
    let Ok(mut visits) = connection.prepare("SELECT id, (SELECT count(*) FROM redeems WHERE visit = id) FROM visits")
    else {
        return BTreeSet::new();
    };
    let rows = visits.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).expect("runs");
    rows.map(|row| row.expect("a row"))
        .map(|(id, redeems)| (id.parse().expect("an id"), usize::try_from(redeems).expect("a count")))
        .collect()
}

/// A flush includes all writes before it, so whatever is behind a lost write was not flushed either.
#[tokio::test]
async fn what_follows_a_write_that_a_power_cut_lost_is_not_mixed_with_the_rest() {
    let last = KilledJournal::new().frames().1;
    for lost in (0..last).step_by(3) {
        for is_zero in [true, false] {
            let killed = KilledJournal::new();
            // That of an earlier boot is not used.
            std::fs::remove_file(killed.path("-shm")).expect("removed");
            let mut wal = killed.read("-wal");
            let frame = &mut wal[HEADER + lost * FRAME..][..FRAME];
            if is_zero {
                frame.fill(0);
            } else {
                // The first salt is one higher after each restart of the log.
                frame[11] = frame[11].wrapping_sub(1);
            }
            killed.write("-wal", &wal);
            let expected = visits_read_by_sqlite(&killed);
            assert_eq!(killed.open().await, expected, "frame {lost}, zeros: {is_zero}");
            assert!(killed.set_aside().is_empty(), "frame {lost}, zeros: {is_zero}");
        }
    }
}

/// Without a power cut no write is lost.
#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only on Linux does a journal use its shared-memory file")]
async fn a_hole_in_the_wal_of_a_running_system_is_damage() {
    let killed = KilledJournal::new();
    let last = killed.frames().1;
    let mut wal = killed.read("-wal");
    wal[HEADER + (last / 2) * FRAME..][..FRAME].fill(0);
    killed.write("-wal", &wal);
    killed.open().await;
    assert_eq!(killed.set_aside(), BOTH_FILES);
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only on Linux does a journal use its shared-memory file")]
async fn a_missing_wal_is_noticed() {
    let killed = KilledJournal::new();
    std::fs::remove_file(killed.path("-wal")).expect("removed");
    killed.open().await;
    assert_eq!(killed.set_aside()[0], "journal-damaged-1.sqlite");
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only on Linux does a journal use its shared-memory file")]
async fn a_wal_whose_changes_are_in_the_database_is_not_missed() {
    let copy_wal = |path: &Path| {
        let connection = rusqlite::Connection::open(path).expect("opens");
        let busy: bool = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(0)).expect("copies");
        assert!(!busy);
    };
    let killed = KilledJournal::after(copy_wal);
    std::fs::remove_file(killed.path("-wal")).expect("removed");
    assert_eq!(killed.open().await, killed.complete());
    assert!(killed.set_aside().is_empty());

    let killed = KilledJournal::after(copy_wal);
    let wal = killed.read("-wal");
    killed.write("-wal", &wal[..HEADER + 6 * FRAME]);
    assert_eq!(killed.open().await, killed.complete(), "the older pages in the WAL are not used");
    assert_eq!(killed.set_aside(), BOTH_FILES);
}

#[tokio::test]
async fn the_shared_memory_of_another_machine_is_ignored() {
    let killed = KilledJournal::new();
    let other = KilledJournal::new();
    killed.write("-shm", &other.read("-shm"));
    assert_eq!(killed.open().await, killed.complete());
    for garbage in [vec![0xff; 32_768], vec![7; 100], Vec::new()] {
        let killed = KilledJournal::new();
        killed.write("-shm", &garbage);
        assert_eq!(killed.open().await, killed.complete());
        assert!(killed.set_aside().is_empty());
    }
}

#[tokio::test]
async fn garbage_in_place_of_the_wal_keeps_the_database() {
    let killed = KilledJournal::new();
    drop(DataDir::open_data_dir_removing_leftovers(killed.root.path()).expect("opened").open_or_repair_journal());
    killed.write("-wal", &b"garbage ".repeat(5000));
    assert_eq!(killed.open().await, killed.complete());
}

#[tokio::test]
async fn an_empty_database_with_a_wal_is_set_aside_and_its_rows_are_kept() {
    let killed = KilledJournal::new();
    killed.write("", b"");
    assert_eq!(killed.open().await, killed.complete(), "the WAL has all of its pages");
    assert_eq!(killed.set_aside(), BOTH_FILES);
}

#[tokio::test]
async fn an_empty_database_without_a_wal_is_started_again() {
    let killed = KilledJournal::new();
    std::fs::remove_file(killed.path("-wal")).expect("removed");
    killed.write("", b"");
    assert!(killed.open().await.is_empty());
}

#[tokio::test]
async fn garbage_in_place_of_the_database_is_harmless_while_the_wal_has_every_page() {
    let killed = KilledJournal::new();
    killed.write("", &b"this is not a database".repeat(400));
    assert_eq!(killed.open().await, killed.complete());
}

/// A journal without a WAL, of which these bytes are garbage.
fn journal_with_garbage(range: std::ops::Range<usize>) -> KilledJournal {
    let killed = KilledJournal::new();
    drop(DataDir::open_data_dir_removing_leftovers(killed.root.path()).expect("opened").open_or_repair_journal());
    let mut database = killed.read("");
    let range = range.start.min(database.len())..range.end.min(database.len());
    database[range].fill(0xa5);
    killed.write("", &database);
    killed
}

#[tokio::test]
async fn garbage_in_any_page_of_the_database_is_set_aside_and_the_program_goes_on() {
    let pages = journal_with_garbage(0..0).read("").len() / 4096;
    let mut kept = 0;
    for page in 0..pages {
        let killed = journal_with_garbage(page * 4096..(page + 1) * 4096);
        let found = killed.open().await;
        assert_eq!(killed.set_aside()[0], "journal-damaged-1.sqlite", "page {page}");
        kept += found.len();
    }
    assert!(kept >= VISITS * (pages - 1), "only the page of the visits loses any: {kept} in {pages}");
}

/// A visit that waits for its files, also after it has ended for now.
#[tokio::test]
async fn files_whose_response_is_damaged_can_still_be_downloaded() {
    for has_ended in [false, true] {
        let (root, data) = temp_data_dir();
        let path = root.path().join("journal.sqlite");
        let journal = data.open_or_repair_journal().expect("a journal");
        let id = VisitId::new();
        journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
        journal.record_issued_token(&id, &export_token("one"), "link", None, time_at(1)).await.expect("issued");
        let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
        journal.record_raw_answer(&id, no, 200, b"[\"https://files.test/one\"]", time_at(3)).await.expect("noted");
        journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
        journal.record_planned_files(&id, &planned_files(1)).await.expect("planned");
        if has_ended {
            journal.record_end_and_erase_secrets(&id, &visit_ending(6)).await.expect("ended");
        }
        drop(journal);
        let table = "SELECT rootpage FROM sqlite_schema WHERE name = 'redeems'";
        let connection = rusqlite::Connection::open(&path).expect("opens");
        let page: u32 = connection.query_row(table, [], |row| row.get(0)).expect("a page");
        connection.close().expect("closed");
        let mut database = std::fs::read(&path).expect("reads");
        database[(page as usize - 1) * 4096..][..4096].fill(0xa5);
        std::fs::write(&path, database).expect("written");

        let journal = data.open_or_repair_journal().expect("a journal opens");
        let unfinished = journal.load_recoverable_visits().await.expect("reads").pop().expect("the visit");
        assert!(unfinished.files[0].url.is_some(), "{:?}", unfinished.files);
        let is_delivery =
            |redeem: &RedeemRecord| matches!(redeem.outcome, RedeemState::Answered { delivered: Some(true), .. });
        assert!(unfinished.redeems.iter().any(is_delivery), "ended: {has_ended}, {:?}", unfinished.redeems);
    }
}

#[tokio::test]
async fn a_second_damaged_journal_does_not_replace_the_first() {
    let killed = KilledJournal::new();
    for number in 1..=2 {
        killed.write("", &b"this is not a database".repeat(400));
        _ = std::fs::remove_file(killed.path("-wal"));
        killed.open().await;
        assert_eq!(killed.set_aside().len(), number + usize::from(number > 2), "{:?}", killed.set_aside());
    }
}

#[tokio::test]
async fn a_damaged_journal_is_left_alone_while_a_program_runs_a_visit_of_it() {
    let killed = journal_with_garbage(0..usize::MAX);
    let data = DataDir::open_data_dir_removing_leftovers(killed.root.path()).expect("opened");
    let lock = data.lock_visit(killed.visits.first().expect("one")).expect("free");
    assert_eq!(data.open_or_repair_journal().expect_err("refused").error_code(), "journal_corrupt");
    assert!(killed.set_aside().is_empty());
    drop(lock);
    assert!(killed.open().await.is_empty());
    assert_eq!(killed.set_aside()[0], "journal-damaged-1.sqlite");
}
