//! The journal and the locks of visits among concurrent processes and programs.

use super::{is_refused, visit_with_token};
use crate::common::{temp_data_dir, time_at};
use copresence_store::{DataDir, StoreError, VisitId};

#[tokio::test]
async fn another_process_reads_and_is_kept_out_while_this_one_works() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let _lock = data.lock_visit(&id).expect("free");
    let _no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    let child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "processes::child_process_with_the_journal", "--ignored", "--nocapture"])
        .env("STORE_TEST_DATA", root.path())
        .env("STORE_TEST_VISIT", id.to_string())
        .output()
        .expect("started");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert!(output.contains("the child process has finished"), "{output}");
    assert_eq!(journal.load_all_visits().await.expect("read").len(), 2, "what the other process began");
}

#[tokio::test]
#[ignore = "run by the test above in a child process"]
async fn child_process_with_the_journal() {
    let (Ok(path), Ok(id)) = (std::env::var("STORE_TEST_DATA"), std::env::var("STORE_TEST_VISIT")) else {
        return;
    };
    let id: VisitId = id.parse().expect("an id");
    let data = DataDir::open_data_dir_removing_leftovers(std::path::Path::new(&path)).expect("opened while in use");
    assert!(matches!(data.lock_visit(&id), Err(StoreError::VisitLocked { .. })));
    let journal = data.open_or_repair_journal().expect("readable while in use");
    assert!(is_refused(journal.record_redeem_intent(&id, time_at(3)).await), "the guard holds across processes");
    assert_eq!(journal.load_recoverable_visits().await.expect("read").len(), 1);
    visit_with_token(&journal).await;
    println!("the child process has finished");
}

#[test]
fn a_lock_ends_with_its_process() {
    let (root, data) = temp_data_dir();
    let id = VisitId::new();
    let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "processes::child_process_with_a_lock", "--ignored", "--nocapture"])
        .env("STORE_TEST_DATA", root.path())
        .env("STORE_TEST_VISIT", id.to_string())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("its words")));
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("held"))));
    assert!(matches!(data.lock_visit(&id), Err(StoreError::VisitLocked { .. })));
    child.kill().expect("killed");
    child.wait().expect("dead");
    assert!(root.path().join(format!("live/{id}.lock")).exists(), "the lock file is left");
    data.lock_visit(&id).expect("a stale lock does not block");
}

#[test]
#[ignore = "run by the test above in a child process"]
fn child_process_with_a_lock() {
    let (Ok(path), Ok(id)) = (std::env::var("STORE_TEST_DATA"), std::env::var("STORE_TEST_VISIT")) else {
        return;
    };
    let data = DataDir::open_data_dir_removing_leftovers(std::path::Path::new(&path)).expect("opened");
    let _lock = data.lock_visit(&id.parse().expect("an id")).expect("free");
    println!("held");
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

#[test]
fn newer_journals_are_reported() {
    let (root, data) = temp_data_dir();
    let path = root.path().join("journal.sqlite");
    drop(data.open_or_repair_journal().expect("a new one"));
    rusqlite::Connection::open(&path)
        .and_then(|db| db.pragma_update(None, "user_version", 99))
        .expect("a newer version");
    let error = data.open_or_repair_journal().expect_err("refused");
    assert_eq!(error.error_code(), "journal_too_new");
    assert!(error.to_string().contains("99"), "{error}");
}

#[cfg(unix)]
#[test]
fn symlinks_in_place_of_the_journal_and_its_lock_are_not_followed() {
    for name in ["journal.sqlite", "journal.lock"] {
        let (root, data) = temp_data_dir();
        let target = root.path().join("of-another-program");
        std::fs::write(&target, "mine").expect("written");
        std::os::unix::fs::symlink(&target, data.path().join(name)).expect("a link");
        let error = data.open_or_repair_journal().expect_err(name).to_string();
        assert!(error.contains("symbolic link") && error.contains(name), "{error}");
        assert_eq!(std::fs::read_to_string(&target).expect("reads"), "mine");
    }
}
