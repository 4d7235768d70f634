//! The journal from outside: its guards, what a crash leaves, what is forgotten, and two readers at once.

mod common;

use common::{at, block_on, data, ending, exports, start, token};
use copresence_protocol::{DownloadUrl, ExportToken, ExportType};
use copresence_store::{
    AnswerKind, DataDir, FileFormat, FileProgress, FileState, Journal, PlannedFile, PollAnswer, RedeemNumber,
    RedeemOutcome, RetainedData, Sha256, StoreError, UnfinishedRedeemState, VisitId, VisitPhase,
};
use jiff::Timestamp;
use proptest::prelude::*;

const BODY: &[u8] =
    br#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.test/SECRET-URL"}]}"#;
const TOKEN: &str = "SECRET-TOKEN-0123456789";

fn planned(index: usize, name: &str) -> PlannedFile {
    PlannedFile {
        index,
        name: name.to_owned(),
        export_type: ExportType::new("glb"),
        url: DownloadUrl::new(&format!("https://files.test/SECRET-URL/{index}")).expect("a URL"),
    }
}

/// A visit with a token.
async fn issued(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.record_start(&start(id, false)).await.expect("begun");
    journal
        .record_token(&id, &token(TOKEN), &format!("https://link.test/?token={TOKEN}"), None, at(1))
        .await
        .expect("issued");
    id
}

/// A visit whose redeem delivered.
async fn delivered(journal: &Journal) -> VisitId {
    let id = issued(journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, at(3)).await.expect("on disk");
    journal.record_answer_kind(&id, no, AnswerKind::Delivery).await.expect("read");
    id
}

#[expect(clippy::needless_pass_by_value, reason = "asked of a call's result, which nobody else needs")]
fn is_guard<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::StepRefused { .. }))
}

#[tokio::test]
async fn a_visit_goes_its_way_and_forgets_its_secrets() {
    let (root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, b"{\"avatar_ready\":false}", at(3)).await.expect("on disk");
    journal.record_answer_kind(&id, no, AnswerKind::Progress).await.expect("read");
    let left = journal.load_unfinished_visits().await.expect("read").pop().and_then(|left| left.redeem);
    let state = UnfinishedRedeemState::Answered { status: 200, body: None, delivered: Some(false) };
    assert_eq!(
        left.map(|redeem| redeem.state),
        Some(state),
        "a body without URLs goes as soon as it was read"
    );
    journal.record_phase(&id, VisitPhase::Associated, at(3)).await.expect("noted");
    journal.record_phase(&id, VisitPhase::Associated, at(9)).await.expect("noted");
    let no = journal.record_redeem_intent(&id, at(4)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, at(5)).await.expect("on disk");
    journal.record_answer_kind(&id, no, AnswerKind::Delivery).await.expect("read");
    journal.record_planned_files(&id, &[planned(0, "avatar.glb")]).await.expect("planned");
    journal.record_file_request(&id, 0).await.expect("asked for");
    journal.record_complete_file(&id, 0, 3, &Sha256::compute(b"abc"), FileFormat::Glb).await.expect("whole");
    assert_eq!(journal.record_end(&id, &ending(0)).await.expect("ended"), RetainedData::Nothing);

    assert!(journal.load_unfinished_visits().await.expect("read").is_empty());
    let detail = journal.load_visit(&id).await.expect("read").expect("there");
    assert_eq!(detail.visit.start, start(id, false));
    assert_eq!(detail.visit.ending, Some(ending(0)));
    assert_eq!(detail.visit.times.associated, Some(at(3)));
    assert_eq!(detail.visit.times.redeemed, Some(at(5)));
    assert_eq!(detail.redeems.len(), 2);
    assert!(matches!(
        detail.redeems[0].outcome,
        RedeemOutcome::Answered {
            status: 200,
            delivered: Some(false),
            body_size: 22,
            kind: Some(AnswerKind::Progress)
        }
    ));
    assert!(matches!(&detail.files[0].state, FileState::Complete { bytes: 3, format: FileFormat::Glb, .. }));
    for file in std::fs::read_dir(root.path()).expect("a list") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("read");
            let found = bytes.windows(6).any(|window| window == b"SECRET");
            assert!(!found, "a secret is left in {}", path.display());
        }
    }
}

#[tokio::test]
async fn the_guards_hold_one_by_one() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = VisitId::new();
    assert!(matches!(journal.record_redeem_intent(&id, at(0)).await, Err(StoreError::UnknownVisit { .. })));
    journal.record_start(&start(id, false)).await.expect("begun");
    assert!(is_guard(journal.record_start(&start(id, false)).await), "begun twice");
    assert!(is_guard(journal.record_redeem_intent(&id, at(1)).await), "no token");
    journal.record_token(&id, &token(TOKEN), "link", None, at(1)).await.expect("issued");
    assert!(is_guard(journal.record_token(&id, &token("another-token-123"), "link", None, at(1)).await));

    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    assert!(is_guard(journal.record_redeem_intent(&id, at(2)).await), "two in flight");
    assert!(is_guard(journal.record_answer_kind(&id, no, AnswerKind::Delivery).await), "nothing to read");
    assert!(is_guard(journal.record_planned_files(&id, &[]).await), "nothing delivered");
    journal.record_lost_answer(&id, no, "reset after 12 bytes", b"", at(3)).await.expect("noted");
    assert!(is_guard(journal.record_raw_answer(&id, no, 200, BODY, at(3)).await), "settled already");

    let no = journal.record_redeem_intent(&id, at(4)).await.expect("the next");
    assert_eq!(no.redeem_number(), 2);
    journal.record_raw_answer(&id, no, 200, BODY, at(5)).await.expect("on disk");
    assert!(is_guard(journal.record_redeem_intent(&id, at(6)).await), "the answer is unread");
    journal.record_answer_kind(&id, no, AnswerKind::Delivery).await.expect("read");
    assert!(is_guard(journal.record_answer_kind(&id, no, AnswerKind::Progress).await), "read twice");
    assert!(is_guard(journal.record_redeem_intent(&id, at(6)).await), "the token is spent");

    journal.record_planned_files(&id, &[planned(0, "avatar.glb")]).await.expect("planned");
    assert!(
        is_guard(journal.record_planned_files(&id, &[planned(1, "avatar-2.glb")]).await),
        "planned twice"
    );
    assert!(is_guard(journal.record_file_request(&id, 7).await), "no such file");
    journal.record_complete_file(&id, 0, 1, &Sha256::compute(b"x"), FileFormat::Glb).await.expect("whole");
    assert!(is_guard(journal.record_file_failure(&id, 0, "late", true).await), "whole stays whole");
    journal.record_end(&id, &ending(7)).await.expect("ended");
    assert!(is_guard(journal.record_end(&id, &ending(0)).await), "ended twice");
    assert!(is_guard(journal.reopen_visit(&id).await), "nothing was kept");
}

#[tokio::test]
async fn a_crash_leaves_the_raw_answer() {
    let (_root, data) = data();
    let id = {
        let journal = data.open_journal().expect("a journal");
        let id = issued(&journal).await;
        let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
        journal.record_raw_answer(&id, no, 200, BODY, at(3)).await.expect("on disk");
        id
    };
    let journal = data.open_journal().expect("opened again");
    let left = journal.load_unfinished_visits().await.expect("read").pop().expect("one");
    assert_eq!(left.visit.start.id, id);
    assert_eq!(left.token, Some(token(TOKEN)), "unread, the answer may be one that left the token alive");
    let redeem = left.redeem.expect("a redeem");
    assert_eq!(
        redeem.state,
        UnfinishedRedeemState::Answered { status: 200, body: Some(BODY.to_vec()), delivered: None }
    );
    assert!(!format!("{redeem:?}").contains("SECRET"));

    journal.reopen_visit(&id).await.expect("taken up");
    journal.record_answer_kind(&id, redeem.no, AnswerKind::Delivery).await.expect("read");
    journal
        .record_planned_files(&id, &[planned(0, "avatar.glb"), planned(1, "avatar-2.glb")])
        .await
        .expect("planned");
    journal
        .record_file_progress(
            &id,
            0,
            &FileProgress { bytes: 9, total: Some(20), validator: Some("\"v1\"".into()) },
        )
        .await
        .expect("noted");
    journal.record_file_failure(&id, 1, "410 Gone", true).await.expect("noted");
    drop(journal);

    let left =
        data.open_journal().expect("again").load_unfinished_visits().await.expect("read").pop().expect("one");
    assert_eq!(left.token, None, "spent");
    assert_eq!(left.visit.reopened_count, 1);
    assert_eq!(
        left.files[0].url.as_ref().map(DownloadUrl::expose_url),
        Some("https://files.test/SECRET-URL/0")
    );
    assert!(matches!(&left.files[0].record.state, FileState::Requested(progress) if progress.bytes == 9));
    assert_eq!(left.files[1].url, None);
    assert!(!format!("{left:?}").contains("SECRET"), "{left:?}");
}

#[tokio::test]
async fn a_crash_in_flight_leaves_the_intent() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    let left = journal.load_unfinished_visits().await.expect("read").pop().expect("one");
    assert_eq!(left.redeem.map(|redeem| redeem.state), Some(UnfinishedRedeemState::InFlight));
    journal
        .record_lost_answer(&id, no, "the program ended while it was in flight", b"", at(3))
        .await
        .expect("noted");
    journal.record_redeem_intent(&id, at(4)).await.expect("the next poll decides");
}

#[tokio::test]
async fn what_an_ending_keeps_is_the_table() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    for exit in [0, 1, 4, 5, 7, 10, 99] {
        let id = issued(&journal).await;
        assert_eq!(
            journal.record_end(&id, &ending(exit)).await.expect("ended"),
            RetainedData::Nothing,
            "exit {exit}"
        );
    }
    assert!(journal.load_unfinished_visits().await.expect("read").is_empty());
    for exit in [2, 3, 6, 7, 8, 9, 130] {
        let id = issued(&journal).await;
        // With 7 it is what has no folder yet that is kept.
        let unfiled = copresence_store::VisitEnding { directory: None, ..ending(exit) };
        assert_eq!(
            journal.record_end(&id, &unfiled).await.expect("ended"),
            RetainedData::Token,
            "exit {exit}"
        );
        let left = journal.load_unfinished_visits().await.expect("read").pop().expect("one");
        assert_eq!((left.visit.start.id, left.token.is_some()), (id, true));
        assert!(is_guard(journal.record_redeem_intent(&id, at(9)).await), "only after it is taken up again");
        journal.reopen_visit(&id).await.expect("taken up");
        journal.record_redeem_intent(&id, at(9)).await.expect("goes on");
        journal.record_end(&id, &ending(4)).await.expect("ended for good");
        assert!(journal.load_unfinished_visits().await.expect("read").is_empty());
    }
    let id = issued(&journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 400, b"{}", at(3)).await.expect("noted");
    journal.record_answer_kind(&id, no, AnswerKind::Progress).await.expect("read");
    assert_eq!(
        journal.record_end(&id, &ending(9)).await.expect("ended"),
        RetainedData::Nothing,
        "the backend refused it"
    );
    let id = delivered(&journal).await;
    assert_eq!(
        journal.record_end(&id, &ending(9)).await.expect("ended"),
        RetainedData::Nothing,
        "saved in spite of a broken rule"
    );
    let id = delivered(&journal).await;
    assert_eq!(journal.record_end(&id, &ending(130)).await.expect("ended"), RetainedData::Answer);
    let id = delivered(&journal).await;
    journal.record_planned_files(&id, &[planned(0, "avatar.glb")]).await.expect("planned");
    journal.record_file_failure(&id, 0, "spent", true).await.expect("noted");
    assert_eq!(
        journal.record_end(&id, &ending(130)).await.expect("ended"),
        RetainedData::Nothing,
        "nothing is left to fetch"
    );

    let id = VisitId::new();
    journal.record_start(&start(id, true)).await.expect("begun");
    journal.record_token(&id, &token(TOKEN), "link", None, at(1)).await.expect("issued");
    assert_eq!(
        journal.record_end(&id, &ending(130)).await.expect("ended"),
        RetainedData::Nothing,
        "its backend is gone"
    );
    let id = VisitId::new();
    journal.record_start(&start(id, false)).await.expect("begun");
    assert_eq!(
        journal.record_end(&id, &ending(6)).await.expect("ended"),
        RetainedData::Nothing,
        "no token was issued"
    );
}

#[tokio::test]
async fn an_answer_that_comes_after_an_interruption_is_not_lost() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    journal.record_end(&id, &ending(130)).await.expect("ended");
    journal.record_raw_answer(&id, no, 200, BODY, at(3)).await.expect("taken");
    let left = journal.load_unfinished_visits().await.expect("read").pop().expect("one");
    assert!(matches!(
        left.redeem.map(|redeem| redeem.state),
        Some(UnfinishedRedeemState::Answered { body: Some(_), .. })
    ));
}

#[tokio::test]
async fn history_is_the_newest_first_and_can_be_forgotten() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let ids = [issued(&journal).await, issued(&journal).await, issued(&journal).await];
    let listed: Vec<_> =
        journal.all_visits().await.expect("read").iter().map(|visit| visit.start.id).collect();
    assert_eq!(listed, [ids[2], ids[1], ids[0]]);

    let lock = data.lock_visit(&ids[0]).expect("free");
    let gone = journal.forget_visit(&lock).await.expect("forgotten").expect("it was there");
    assert_eq!(gone.start.id, ids[0]);
    assert!(journal.forget_visit(&lock).await.expect("no error").is_none());
    assert_eq!(journal.count_visits().await.expect("read"), 2);
}

fn progress(status: &str) -> PollAnswer {
    PollAnswer {
        status: 200,
        body_size: 100,
        kind: AnswerKind::Progress,
        completion_status: Some(status.to_owned()),
    }
}

#[tokio::test]
async fn a_poll_is_one_step_and_keeps_no_body() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    for kind in [AnswerKind::Truncated, AnswerKind::Delivery] {
        let answer = PollAnswer { kind, ..progress("ready") };
        assert!(is_guard(journal.record_poll_answer(&id, no, &answer, at(3)).await), "its body is needed");
    }
    journal.record_poll_answer(&id, no, &progress("in_queue"), at(3)).await.expect("written");
    assert!(is_guard(journal.record_poll_answer(&id, no, &progress("in_queue"), at(3)).await), "not open");
    assert!(is_guard(journal.record_answer_kind(&id, no, AnswerKind::Progress).await), "read already");
    let no = journal.record_redeem_intent(&id, at(4)).await.expect("the next");
    let refused =
        PollAnswer { status: 400, body_size: 2, kind: AnswerKind::Refused, completion_status: None };
    journal.record_poll_answer(&id, no, &refused, at(5)).await.expect("written");
    let left = journal.load_unfinished_visit(&id).await.expect("read").expect("unfinished");
    let kinds: Vec<_> = left
        .redeems
        .iter()
        .map(|redeem| match redeem.outcome {
            RedeemOutcome::Answered { status, delivered, kind, .. } => (status, delivered, kind),
            _ => panic!("{redeem:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [(200, Some(false), Some(AnswerKind::Progress)), (400, Some(false), Some(AnswerKind::Refused))]
    );
    assert_eq!(left.visit.last_status.as_deref(), Some("in_queue"));
    assert!(left.truncated_bodies.is_empty());
}

#[tokio::test]
async fn a_finished_visit_folds_its_polls_and_shows_them_as_before() {
    let (root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    for second in 0..20 {
        let no = journal.record_redeem_intent(&id, at(second)).await.expect("an intent");
        match second {
            7 => journal.record_lost_answer(&id, no, "reset", b"", at(second)).await.expect("written"),
            9 => {
                let broken = PollAnswer { kind: AnswerKind::Unreadable, ..progress("") };
                journal.record_poll_answer(&id, no, &broken, at(second)).await.expect("written");
            }
            _ => journal
                .record_poll_answer(&id, no, &progress("processing"), at(second))
                .await
                .expect("written"),
        }
    }
    let shown = |detail: Option<copresence_store::DetailedVisitRecord>| -> Vec<_> {
        let redeems = detail.expect("there").redeems;
        redeems.into_iter().map(|redeem| (redeem.no, redeem.intent_at, redeem.outcome)).collect()
    };
    let before = shown(journal.load_visit(&id).await.expect("read"));
    assert_eq!(journal.record_end(&id, &ending(130)).await.expect("ended"), RetainedData::Token);
    let rows = || -> i64 {
        let stranger = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
        stranger.query_row("SELECT count(*) FROM redeems", [], |row| row.get(0)).expect("counts")
    };
    assert_eq!(rows(), 20, "recovery may need them");
    journal.reopen_visit(&id).await.expect("taken up");
    assert_eq!(journal.record_end(&id, &ending(10)).await.expect("ended"), RetainedData::Nothing);
    assert_eq!(rows(), 2, "the lost answer with its evidence, and the unreadable one");
    assert_eq!(shown(journal.load_visit(&id).await.expect("read")), before);
    assert_eq!(journal.latest_visits(1).await.expect("read")[0].redeems, 20);
}

#[tokio::test]
async fn a_cancelled_redeem_is_written_in_its_place_without_waiting() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    for (was_sent, expected) in
        [(true, UnfinishedRedeemState::Unanswered), (false, UnfinishedRedeemState::NeverSent)]
    {
        let id = issued(&journal).await;
        journal.queue_redeem_cancellation(&id, None, true, at(2));
        let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent: nothing was open before");
        journal.queue_redeem_cancellation(&id, Some(RedeemNumber::new(9)), true, at(2));
        std::thread::scope(|scope| {
            scope.spawn(|| journal.queue_redeem_cancellation(&id, was_sent.then_some(no), was_sent, at(3)));
        });
        assert_eq!(journal.record_end(&id, &ending(130)).await.expect("ended"), RetainedData::Token);
        let left = journal.load_unfinished_visit(&id).await.expect("read").expect("unfinished");
        assert_eq!(left.redeem.map(|redeem| (redeem.no, redeem.state)), Some((no, expected)));
    }
}

#[tokio::test]
async fn the_list_of_the_unfinished_says_what_is_due() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let (waits, has_answer) = (issued(&journal).await, delivered(&journal).await);
    journal.record_end(&waits, &ending(8)).await.expect("ended");
    journal.postpone_recovery(&waits, 3, at(900)).await.expect("also after the end");
    let list = journal.load_unfinished_summaries().await.expect("read");
    let [first, second] = &list[..] else { panic!("{list:?}") };
    assert_eq!((first.id, first.has_token, first.has_answer), (waits, true, false));
    assert_eq!((first.attempts, first.next_attempt_at, first.issued_at), (3, Some(at(900)), Some(at(1))));
    assert_eq!((second.id, second.has_token, second.has_answer), (has_answer, false, true));
    assert_eq!((second.attempts, second.next_attempt_at), (0, None));
    journal.reopen_visit(&waits).await.expect("taken up");
    let left = journal.load_unfinished_visit(&waits).await.expect("read").expect("unfinished");
    assert_eq!((left.visit.recovery_attempts, left.visit.recovery_next_attempt_at), (3, Some(at(900))));
    journal.record_end(&waits, &ending(4)).await.expect("ended");
    assert!(journal.load_unfinished_visit(&waits).await.expect("read").is_none());
    assert_eq!(journal.load_unfinished_summaries().await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_lost_answer_without_a_body_can_be_known_to_be_unreadable() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    journal.record_lost_answer(&id, no, "an unknown content encoding", b"", at(3)).await.expect("noted");
    assert!(
        is_guard(journal.record_answer_kind(&id, no, AnswerKind::Truncated).await),
        "there is no body to keep"
    );
    journal.record_answer_kind(&id, no, AnswerKind::Unreadable).await.expect("read");
    assert!(is_guard(journal.record_answer_kind(&id, no, AnswerKind::Unreadable).await), "read twice");
    let redeems = journal.load_unfinished_visit(&id).await.expect("read").expect("unfinished").redeems;
    let kind = match &redeems[0].outcome {
        RedeemOutcome::Unanswered { kind, .. } => *kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind, Some(AnswerKind::Unreadable));
}

#[tokio::test]
async fn another_process_reads_and_is_kept_out_while_this_one_works() {
    let (root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let _claim = data.lock_visit(&id).expect("free");
    let _no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    let child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_other_process", "--ignored", "--nocapture"])
        .env("STORE_TEST_DATA", root.path())
        .env("STORE_TEST_VISIT", id.to_string())
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}");
    assert!(said.contains("the other process saw it all"), "{said}");
    assert_eq!(journal.all_visits().await.expect("read").len(), 2, "what the other process began");
}

#[tokio::test]
#[ignore = "run by the test above, as a process of its own"]
async fn the_other_process() {
    let (Ok(path), Ok(id)) = (std::env::var("STORE_TEST_DATA"), std::env::var("STORE_TEST_VISIT")) else {
        return;
    };
    let id: VisitId = id.parse().expect("an id");
    let data = DataDir::open(std::path::Path::new(&path)).expect("opened while in use");
    assert!(matches!(data.lock_visit(&id), Err(StoreError::VisitLocked { .. })));
    let journal = data.open_journal().expect("readable while in use");
    assert!(is_guard(journal.record_redeem_intent(&id, at(3)).await), "the guard holds across processes");
    assert_eq!(journal.load_unfinished_visits().await.expect("read").len(), 1);
    issued(&journal).await;
    println!("the other process saw it all");
}

#[test]
fn a_lock_dies_with_its_process() {
    let (root, data) = data();
    let id = VisitId::new();
    let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_holder", "--ignored", "--nocapture"])
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
    assert!(root.path().join(format!("live/{id}.lock")).exists(), "it had no time to tidy up");
    data.lock_visit(&id).expect("a stale lock never blocks");
}

#[test]
#[ignore = "run by the test above, as a process of its own"]
fn the_holder() {
    let (Ok(path), Ok(id)) = (std::env::var("STORE_TEST_DATA"), std::env::var("STORE_TEST_VISIT")) else {
        return;
    };
    let data = DataDir::open(std::path::Path::new(&path)).expect("opened");
    let _claim = data.lock_visit(&id.parse().expect("an id")).expect("free");
    println!("held");
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

#[test]
fn what_is_no_journal_is_said_plainly() {
    let (root, data) = data();
    let path = root.path().join("journal.sqlite");
    std::fs::write(
        &path,
        "this is no database, and long enough to be taken for one by its size alone".repeat(40),
    )
    .expect("written");
    assert_eq!(data.open_journal().expect_err("refused").code(), "journal_corrupt");

    std::fs::remove_file(&path).expect("removed");
    drop(data.open_journal().expect("a new one"));
    rusqlite::Connection::open(&path)
        .and_then(|db| db.pragma_update(None, "user_version", 99))
        .expect("from the future");
    let error = data.open_journal().expect_err("refused");
    assert_eq!(error.code(), "journal_too_new");
    assert!(error.to_string().contains("99"), "{error}");
}

/// One call on one visit.
#[derive(Debug, Clone, Copy)]
enum Call {
    Issue,
    Intent,
    NeverSent,
    Unanswered,
    Answered,
    Poll,
    Read(bool),
    Plan,
    End(u8),
    Reopen,
    /// The process dies, and another opens the journal.
    Crash,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        2 => Just(Call::Issue),
        8 => Just(Call::Intent),
        2 => Just(Call::NeverSent),
        2 => Just(Call::Unanswered),
        5 => Just(Call::Answered),
        3 => Just(Call::Poll),
        4 => Just(Call::Read(false)),
        1 => Just(Call::Read(true)),
        1 => Just(Call::Plan),
        1 => prop::sample::select(vec![0, 4, 8, 10, 130]).prop_map(Call::End),
        2 => Just(Call::Reopen),
        1 => Just(Call::Crash),
    ]
}

/// What an independent witness knows of the visit.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and all combinations occur")]
struct Witness {
    issued: bool,
    open: Option<RedeemNumber>,
    unread: Option<RedeemNumber>,
    /// The last answer was lost, and not read.
    lost: bool,
    last: Option<RedeemNumber>,
    delivered: bool,
    ended: bool,
    kept: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// No sequence of calls opens two intents, or one without a token, after an unread answer, after URLs, or after the end;
    /// and an intent is never refused without one of these reasons.
    #[test]
    fn no_sequence_of_calls_redeems_twice(calls in prop::collection::vec(call(), 1..40)) {
        block_on(async {
            let (_root, data) = data();
            let mut journal = data.open_journal().expect("a journal");
            let id = VisitId::new();
            journal.record_start(&start(id, false)).await.expect("begun");
            let mut seen = Witness::default();
            for call in calls {
                match call {
                    Call::Issue => {
                        let done = journal.record_token(&id, &token(TOKEN), "link", None, at(1)).await.is_ok();
                        prop_assert_eq!(done, !seen.issued && !seen.ended);
                        seen.issued |= done;
                    }
                    Call::Intent => {
                        let may = seen.issued && seen.open.is_none() && seen.unread.is_none() && !seen.delivered && !seen.ended;
                        let done = journal.record_redeem_intent(&id, at(2)).await;
                        prop_assert_eq!(done.is_ok(), may, "{:?} {:?}", done, seen);
                        if let Ok(no) = done {
                            prop_assert!(Some(no) > seen.last);
                            (seen.open, seen.last, seen.lost) = (Some(no), Some(no), false);
                        }
                    }
                    Call::NeverSent | Call::Unanswered | Call::Answered | Call::Poll => {
                        let Some(no) = seen.last else { continue };
                        let done = match call {
                            Call::NeverSent => journal.record_redeem_never_sent(&id, no, "no route", at(3)).await,
                            Call::Unanswered => journal.record_lost_answer(&id, no, "cut", b"", at(3)).await,
                            Call::Poll => journal.record_poll_answer(&id, no, &progress("in_queue"), at(3)).await,
                            _ => journal.record_raw_answer(&id, no, 200, BODY, at(3)).await,
                        };
                        let may = seen.open.is_some() && (!seen.ended || seen.kept);
                        prop_assert_eq!(done.is_ok(), may, "{:?} {:?}", done, seen);
                        if done.is_ok() {
                            seen.open = None;
                            seen.unread = matches!(call, Call::Answered).then_some(no);
                            seen.lost = matches!(call, Call::Unanswered);
                        }
                    }
                    Call::Read(urls) => {
                        let kind = if urls { AnswerKind::Delivery } else { AnswerKind::Failed };
                        let Some(no) = seen.last else { continue };
                        let done = journal.record_answer_kind(&id, no, kind).await.is_ok();
                        // Of a lost answer no body came here, so none of its URLs.
                        prop_assert_eq!(done, seen.unread.is_some() || (seen.lost && !urls));
                        seen.delivered |= done && urls;
                        (seen.unread, seen.lost) = (None, seen.lost && !done);
                    }
                    Call::Plan => {
                        let done = journal.record_planned_files(&id, &exports(1)).await.is_ok();
                        prop_assert!(!done || (seen.delivered && !seen.ended));
                    }
                    Call::End(exit) => {
                        let done = journal.record_end(&id, &ending(exit)).await;
                        prop_assert_eq!(done.is_ok(), !seen.ended);
                        if let Ok(kept) = done {
                            (seen.ended, seen.kept) = (true, kept != RetainedData::Nothing);
                            prop_assert_eq!(seen.kept, matches!(exit, 8 | 130) && seen.issued);
                        }
                    }
                    Call::Reopen => {
                        let done = journal.reopen_visit(&id).await.is_ok();
                        prop_assert_eq!(done, !seen.ended || seen.kept);
                        if done {
                            (seen.ended, seen.kept) = (false, false);
                        }
                    }
                    Call::Crash => {
                        drop(journal);
                        journal = data.open_journal().expect("opened again");
                    }
                }
                let left = journal.load_unfinished_visits().await.expect("read");
                prop_assert_eq!(left.len(), usize::from(!seen.ended || seen.kept));
                let expects_body = seen.unread.is_some() || seen.delivered;
                if let Some(left) = left.first() && expects_body {
                    let state = left.redeem.as_ref().map(|redeem| &redeem.state);
                    let whole = matches!(state, Some(UnfinishedRedeemState::Answered { body: Some(body), .. }) if body == BODY);
                    prop_assert!(whole, "the raw answer is there as long as it is needed: {:?}", state);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_token_of_any_allowed_form_survives() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let odd = ExportToken::new("r:a'b\"c;--/+=~`{}|\\").expect("a token");
    let id = VisitId::new();
    journal.record_start(&start(id, false)).await.expect("begun");
    let expires: Timestamp = at(100);
    journal.record_token(&id, &odd, "link", Some(expires), at(1)).await.expect("issued");
    let left = journal.load_unfinished_visits().await.expect("read").pop().expect("one");
    assert_eq!(left.token, Some(odd));
    assert_eq!(left.visit.token_expires_at, Some(expires));
}
