//! Journals of earlier versions: opened, brought up to date, nothing lost.

mod common;

use common::{at, block_on, data, ending, start};
use copresence_store::{
    AnswerKind, DataDir, PollAnswer, RedeemOutcome, RetainedData, UnfinishedRedeemState, VisitId,
    VisitLimits, VisitStart,
};
use std::path::Path;
use std::time::Duration;

/// A journal as the version with form 1 left it: a crash after an answer with URLs, and a token in wait.
fn form_1(root: &Path) -> rusqlite::Connection {
    let old = rusqlite::Connection::open(root.join("journal.sqlite")).expect("opens");
    old.pragma_update(None, "journal_mode", "wal").expect("as it was");
    old.execute_batch(include_str!("forms/1.sql")).expect("the tables of then");
    old.pragma_update(None, "user_version", 1).expect("form 1");
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
async fn a_journal_of_form_1_is_taken_over_whole() {
    let root = common::folder();
    drop(form_1(root.path()));
    let data = DataDir::open(root.path()).expect("a data folder");
    for _ in 0..2 {
        let journal = data.open_journal().expect("opens, and again");
        let left = journal.load_unfinished_visits().await.expect("reads");
        assert_eq!(left.len(), 2);
        assert_eq!(
            left[0].token.as_ref().map(copresence_protocol::ExportToken::expose),
            Some("old-token-0123")
        );
        assert_eq!((left[0].visit.start.limits, left[0].truncated_bodies.len()), (None, 0));
        let body = left[1].redeem.as_ref().map(|redeem| redeem.state.clone());
        let expected = UnfinishedRedeemState::Answered {
            status: 200,
            body: Some(b"{}".to_vec()),
            delivered: Some(true),
        };
        assert_eq!(body, Some(expected));
    }
    let journal = data.open_journal().expect("opens");
    journal.record_start(&start(VisitId::new(), false)).await.expect("goes on");
    assert_eq!(journal.all_visits().await.expect("reads").len(), 3);
}

/// A journal as the version with form 2 left it: a finished visit with its polls, and a visit that a crash cut short.
fn form_2(root: &Path) {
    let old = rusqlite::Connection::open(root.join("journal.sqlite")).expect("opens");
    old.execute_batch(include_str!("forms/2.sql")).expect("the tables of then");
    old.pragma_update(None, "user_version", 2).expect("form 2");
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
async fn a_journal_of_form_2_is_migrated_and_goes_on() {
    let root = common::folder();
    form_2(root.path());
    let data = DataDir::open(root.path()).expect("a data folder");
    drop(data.open_journal().expect("opens"));
    let journal = data.open_journal().expect("opens again");
    let history = journal.all_visits().await.expect("reads");
    let [open, saved] = &history[..] else { panic!("two visits: {history:?}") };
    assert_eq!((saved.redeems, saved.recovery_attempts, &saved.last_status), (2, 0, &None));
    let redeems = journal.load_visit(&saved.start.id).await.expect("reads").expect("there").redeems;
    assert!(
        matches!(redeems[0].outcome, RedeemOutcome::Answered { status: 200, body_size: 22, kind: None, .. }),
        "{redeems:?}"
    );

    let id = open.start.id;
    let left = journal.load_unfinished_visit(&id).await.expect("reads").expect("unfinished");
    assert_eq!(left.token.as_ref().map(copresence_protocol::ExportToken::expose), Some("old-token-0123"));
    assert_eq!(left.redeems.len(), 1);
    let no = journal.record_redeem_intent(&id, at(1)).await.expect("an intent");
    let answer = PollAnswer {
        status: 200,
        body_size: 30,
        kind: AnswerKind::Progress,
        completion_status: Some("in_queue".to_owned()),
    };
    journal.record_poll_answer(&id, no, &answer, at(2)).await.expect("written");
    assert_eq!(journal.record_end(&id, &ending(4)).await.expect("ended"), RetainedData::Nothing);
    let ended = journal.load_visit(&id).await.expect("reads").expect("there");
    assert_eq!(
        (ended.visit.redeems, ended.redeems.len()),
        (2, 2),
        "the old poll's row, and the new one folded"
    );
    assert_eq!(ended.visit.last_status.as_deref(), Some("in_queue"));
}

#[test]
fn many_programs_at_once_bring_it_up_to_date_once() {
    let root = common::folder();
    let _old_one_still_open = form_1(root.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let data = DataDir::open(root.path()).expect("a data folder");
                let journal = data.open_journal().expect("opens");
                assert_eq!(block_on(journal.all_visits()).expect("reads").len(), 2);
            });
        }
    });
}

#[test]
fn a_taking_over_that_fails_leaves_everything_as_it_was() {
    let root = common::folder();
    let old = form_1(root.path());
    // A column of the new form's name stands in the way of the last step.
    old.execute_batch("ALTER TABLE visits ADD COLUMN min_free_space INTEGER").expect("made");
    drop(old);
    let data = DataDir::open(root.path()).expect("a data folder");
    assert_eq!(data.open_journal().expect_err("refused").code(), "journal_failed");
    let old = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    let form: i64 = old.pragma_query_value(None, "user_version", |row| row.get(0)).expect("reads");
    let added = old.prepare("SELECT parallel_downloads FROM visits").is_ok();
    assert_eq!((form, added), (1, false));
}

#[tokio::test]
async fn what_a_visit_was_told_to_keep_to_survives() {
    let (_root, data) = data();
    let limits = VisitLimits {
        parallel_downloads: 3,
        max_file_size: 1 << 40,
        patience: Duration::from_millis(1500),
        min_free_space: 0,
    };
    let begun = VisitStart { limits: Some(limits), started_at: at(0), ..start(VisitId::new(), false) };
    data.open_journal().expect("a journal").record_start(&begun).await.expect("begun");
    let left = data.open_journal().expect("again").load_unfinished_visits().await.expect("reads");
    assert_eq!(left[0].visit.start, begun);
}
