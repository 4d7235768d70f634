//! Journals with earlier schema versions are migrated without loss.

mod common;

use common::{block_on, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_protocol::DownloadUrl;
use copresence_store::{
    AnswerKind, AnswerWithoutUrls, DataDir, DataRetainedForRecovery, RedeemState, TicketRecord, TokenCounts,
    UnfinishedVisitRedeemState, VisitDownloadLimits, VisitId, VisitStart,
};
use std::path::Path;
use std::time::Duration;

/// Creates a journal with schema 1: a visit with an active token, and a visit that crashed after a response with URLs.
fn create_schema_1(root: &Path) -> rusqlite::Connection {
    let old = rusqlite::Connection::open(root.join("journal.sqlite")).expect("opens");
    old.pragma_update(None, "journal_mode", "wal").expect("WAL mode");
    old.execute_batch(include_str!("schemas/1.sql")).expect("the tables");
    old.pragma_update(None, "user_version", 1).expect("schema 1");
    old.execute_batch(
        "INSERT INTO visits (id, profile, api_url, backend_host, ephemeral, out_dir, required_exports, started_at,
             issued_at, token, link)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3d', 'p', 'https://a.test/', 'a.test', 0, '/out', '[\"glb\"]', 1, 2,
             'old-token-0123', 'https://l.test/'),
             ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 'p', 'https://a.test/', 'a.test', 0, '/out', '[]', 1, 2, NULL, NULL);
         INSERT INTO redeems (visit, no, state, intent_at, ended_at, evidence)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3d', 1, 'unanswered', 3, 4, 'cut');
         INSERT INTO redeems (visit, no, state, intent_at, ended_at, status, body, body_size, delivered)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 1, 'answered', 3, 4, 200, x'7b7d', 2, 1);",
    )
    .expect("written");
    old
}

#[tokio::test]
async fn a_journal_with_schema_1_is_migrated_completely() {
    let root = common::temp_folder();
    drop(create_schema_1(root.path()));
    let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
    for _ in 0..2 {
        let journal = data.open_or_repair_journal().expect("opens twice");
        let left = journal.load_recoverable_visits().await.expect("reads");
        assert_eq!(left.len(), 2);
        assert_eq!(left[0].token.as_ref().map(copresence_protocol::ExportToken::expose), Some("old-token-0123"));
        assert_eq!((left[0].visit.start.limits, left[0].truncated_bodies.len()), (None, 0));
        let body = left[1].redeem.as_ref().map(|redeem| redeem.state.clone());
        let expected =
            UnfinishedVisitRedeemState::Answered { status: 200, body: Some(b"{}".to_vec()), delivered: Some(true) };
        assert_eq!(body, Some(expected));
    }
    let journal = data.open_or_repair_journal().expect("opens");
    journal.record_visit_start(&visit_start(VisitId::new(), false)).await.expect("a new visit");
    assert_eq!(journal.load_all_visits().await.expect("reads").len(), 3);
}

/// Creates a journal with schema 2: a finished visit with its polls, and a visit that crashed.
fn create_schema_2(root: &Path) {
    let old = rusqlite::Connection::open(root.join("journal.sqlite")).expect("opens");
    old.execute_batch(include_str!("schemas/2.sql")).expect("the tables");
    old.pragma_update(None, "user_version", 2).expect("schema 2");
    old.execute_batch(
        "INSERT INTO visits (id, profile, api_url, backend_host, ephemeral, out_dir, required_exports, started_at,
             issued_at, token, link, ended_at, ended_code, ended_exit, ended_message, ended_state)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3d', 'p', 'https://a.test/', 'a.test', 0, '/out', '[]', 1, 2,
                 NULL, NULL, 9, 'saved', 0, 'Saved.', 'saved'),
             ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 'p', 'https://a.test/', 'a.test', 0, '/out', '[]', 1, 2,
                 'old-token-0123', 'https://l.test/', NULL, NULL, NULL, NULL, NULL);
         INSERT INTO redeems (visit, no, state, intent_at, ended_at, status, body_size, delivered)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3d', 1, 'answered', 3, 4, 200, 22, 0),
             ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3d', 2, 'answered', 5, 6, 200, 90, 1),
             ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 1, 'answered', 3, 4, 200, 22, 0);",
    )
    .expect("written");
}

#[tokio::test]
async fn a_journal_with_schema_2_is_migrated_and_used() {
    let root = common::temp_folder();
    create_schema_2(root.path());
    let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
    drop(data.open_or_repair_journal().expect("opens"));
    let journal = data.open_or_repair_journal().expect("opens again");
    let history = journal.load_all_visits().await.expect("reads");
    let [open, saved] = &history[..] else { panic!("two visits: {history:?}") };
    assert_eq!((saved.redeems, saved.recovery_attempts, &saved.last_status), (2, 0, &None));
    let redeems = journal.load_detailed_visit_record(&saved.start.id).await.expect("reads").expect("a record").redeems;
    assert!(
        matches!(redeems[0].outcome, RedeemState::Answered { status: 200, body_size: 22, kind: None, .. }),
        "{redeems:?}"
    );

    let id = open.start.id;
    let left = journal.load_unfinished_visit(&id).await.expect("reads").expect("unfinished");
    assert_eq!(left.token.as_ref().map(copresence_protocol::ExportToken::expose), Some("old-token-0123"));
    assert_eq!(left.redeems.len(), 1);
    let no = journal.record_redeem_intent(&id, time_at(1)).await.expect("an intent");
    let response = AnswerWithoutUrls {
        status: 200,
        body_size: 30,
        kind: AnswerKind::Progress,
        completion_status: Some("in_queue".to_owned()),
    };
    journal.record_answer_without_urls(&id, no, &response, time_at(2)).await.expect("written");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(4)).await.expect("ended"),
        DataRetainedForRecovery::Nothing
    );
    let ended = journal.load_detailed_visit_record(&id).await.expect("reads").expect("a record");
    assert_eq!((ended.visit.redeems, ended.redeems.len()), (2, 2), "the row of the old poll, and the new poll folded");
    assert_eq!(ended.visit.last_status.as_deref(), Some("in_queue"));
}

#[tokio::test]
async fn a_journal_with_schema_3_is_migrated_and_used() {
    let root = common::temp_folder();
    let old = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    old.execute_batch(include_str!("schemas/3.sql")).expect("the tables");
    old.pragma_update(None, "user_version", 3).expect("schema 3");
    old.execute_batch(
        "INSERT INTO visits (id, profile, api_url, backend_host, ephemeral, out_dir, required_exports, started_at,
             issued_at, redeemed_at, parallel_downloads, max_file_size, patience_ms, min_free_space)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 'p', 'https://a.test/', 'a.test', 0, '/out', '[]', 1, 2, 3,
             4, 1000, 2000, 0);
         INSERT INTO redeems (visit, no, state, intent_at, ended_at, status, body, body_size, delivered)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 1, 'answered', 3, 4, 200, x'7b7d', 2, 1);
         INSERT INTO files (visit, idx, name, export_type, url, state, bytes)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 0, 'avatar.glb', 'glb', 'https://a.test/1', 'requested', 9);",
    )
    .expect("written");
    drop(old);
    let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
    let journal = data.open_or_repair_journal().expect("opens");
    let left = journal.load_recoverable_visits().await.expect("reads").pop().expect("one visit");
    let limits = left.visit.start.limits.expect("its limits");
    assert_eq!(limits.keep_trying, VisitDownloadLimits::default().keep_trying);
    assert_eq!(limits.patience, Duration::from_secs(2));
    assert!(!left.files[0].record.is_from_this_boot, "the boot in which it was written is unknown");
    journal.record_file_request(&left.visit.start.id, 0).await.expect("requested");
    let left = journal.load_recoverable_visits().await.expect("reads").pop().expect("one visit");
    assert_eq!(left.files[0].record.is_from_this_boot, cfg!(target_os = "linux"));
}

#[tokio::test]
async fn a_journal_with_schema_4_is_migrated_and_used() {
    let root = common::temp_folder();
    let old = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    old.execute_batch(include_str!("schemas/4.sql")).expect("the tables");
    old.pragma_update(None, "user_version", 4).expect("schema 4");
    old.execute_batch(
        "INSERT INTO visits (id, profile, api_url, backend_host, ephemeral, out_dir, required_exports, started_at,
             issued_at, redeemed_at)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 'p', 'https://a.test/', 'a.test', 0, '/out', '[]', 1, 2, 3);
         INSERT INTO redeems (visit, no, state, intent_at, ended_at, status, body, body_size, delivered)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 1, 'answered', 3, 4, 200, x'7b7d', 2, 1);
         INSERT INTO files (visit, idx, name, export_type, url, state, bytes)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 0, 'avatar.glb', 'glb', 'https://a.test/1', 'requested', 9);",
    )
    .expect("written");
    drop(old);
    let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
    let journal = data.open_or_repair_journal().expect("opens");
    let load_only_file = async || {
        let mut visit = journal.load_recoverable_visits().await.expect("reads").pop().expect("one visit");
        visit.files.pop().expect("one file")
    };
    let file = load_only_file().await;
    assert_eq!((file.url.is_some(), file.record.redirect_targets), (true, Vec::new()));
    let id = "01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e".parse().expect("an id");
    let target = DownloadUrl::new("https://storage.test/1?sig=1").expect("a URL");
    journal.record_redirect_targets(&id, 0, std::slice::from_ref(&target)).await.expect("recorded");
    assert_eq!(load_only_file().await.record.redirect_targets, [target]);
}

#[tokio::test]
async fn a_journal_with_schema_5_is_migrated_and_used() {
    let root = common::temp_folder();
    let old = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    old.execute_batch(include_str!("schemas/5.sql")).expect("the tables");
    old.pragma_update(None, "user_version", 5).expect("schema 5");
    old.execute_batch(
        "INSERT INTO visits (id, profile, api_url, backend_host, ephemeral, out_dir, required_exports, started_at,
             issued_at, redeemed_at)
         VALUES ('01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e', 'p', 'https://a.test/', 'a.test', 0, '/out', '[]', 1, 2, 3);",
    )
    .expect("written");
    drop(old);
    let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
    let journal = data.open_or_repair_journal().expect("opens");
    assert_eq!(journal.load_tickets().await.expect("reads"), []);
    let counts = TokenCounts { active: 0, spent: 1, abandoned: 0 };
    assert_eq!(journal.count_issued_tokens_by_outcome().await.expect("reads"), counts);
    let id: VisitId = "01990f6e-7c1a-7b3e-9d52-0c4a8f1e2b3e".parse().expect("an id");
    let ticket = TicketRecord {
        visit: id,
        colour: "blue".into(),
        symbol: "comet".into(),
        code_hash: Some("hash".into()),
        place: 0,
        handed_over_at: time_at(1),
        wrong_codes: 0,
        closure: None,
    };
    journal.record_ticket(&ticket).await.expect("recorded");
    assert_eq!(journal.load_tickets().await.expect("reads"), [ticket]);
    journal.forget_visit(&data.lock_visit(&id).expect("free"), Vec::new(), time_at(9)).await.expect("forgotten");
    assert_eq!(journal.load_tickets().await.expect("reads"), [], "with its visit");
    assert_eq!(journal.count_issued_tokens_by_outcome().await.expect("reads"), counts, "the token was paid for");
}

#[test]
fn concurrent_processes_migrate_once() {
    let root = common::temp_folder();
    let _old_connection = create_schema_1(root.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
                let journal = data.open_or_repair_journal().expect("opens");
                assert_eq!(block_on(journal.load_all_visits()).expect("reads").len(), 2);
            });
        }
    });
}

#[test]
fn a_failed_migration_changes_nothing() {
    let root = common::temp_folder();
    let old = create_schema_1(root.path());
    // An existing column with a new name makes the last step fail.
    old.execute_batch("ALTER TABLE visits ADD COLUMN min_free_space INTEGER").expect("made");
    drop(old);
    let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
    assert_eq!(data.open_or_repair_journal().expect_err("refused").error_code(), "journal_failed");
    let old = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    let version: i64 = old.pragma_query_value(None, "user_version", |row| row.get(0)).expect("reads");
    let added = old.prepare("SELECT parallel_downloads FROM visits").is_ok();
    assert_eq!((version, added), (1, false));
}

#[tokio::test]
async fn the_limits_of_a_visit_are_stored() {
    let (_root, data) = temp_data_dir();
    let limits = VisitDownloadLimits {
        parallel_downloads: 3,
        max_file_size: 1 << 40,
        patience: Duration::from_millis(1500),
        min_free_space: 0,
        keep_trying: Duration::from_hours(2),
    };
    let record = VisitStart { limits: Some(limits), started_at: time_at(0), ..visit_start(VisitId::new(), false) };
    data.open_or_repair_journal().expect("a journal").record_visit_start(&record).await.expect("begun");
    let left = data.open_or_repair_journal().expect("again").load_recoverable_visits().await.expect("reads");
    assert_eq!(left[0].visit.start, record);
}
