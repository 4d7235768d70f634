//! A truncated response that may have spent the token: the files that it names are saved.

use super::backend::{Request, Response, glb, png};
use super::earlier_visits::{delivery_body, journal_issued_visit, now, recover_fixture_visits};
use super::fixture::{Fixture, REDEEM_PATH, file_names, manifest};
use copresence_engine::Outcome;
use copresence_engine::recovery::RecoveryOutcome;
use copresence_protocol::MAX_REDEEM_DELAY;
use copresence_store::{AnswerKind, RedeemState, VisitId};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Ready with three files, and so many bytes before its end it breaks off.
fn truncated_response(ask: &Request, before_the_end: usize) -> Response {
    let whole = ask.ready_response(&[("glb", "one"), ("png", "two"), ("fbx", "three")]);
    let length = whole.length();
    whole.breaking_at(length - before_the_end)
}

/// So that two entries stand whole in it, and the third has begun.
const IN_THE_THIRD: usize = 30;

fn serve_file(ask: &Request) -> Response {
    match ask.path.as_str() {
        "/files/one" => Response::file(&glb(500)),
        "/files/two" => Response::file(&png(600)),
        _ => Response::default(),
    }
}

/// No URL and no token stands in the journal or beside it any more.
async fn assert_no_secret_is_left(fixture: &Fixture) {
    assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty());
    let data = fixture.root.path().join("data");
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        let bytes = std::fs::read(data.join(name)).unwrap_or_default();
        for secret in ["/files/", "export-token-1", "left-over-token"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {name}");
        }
    }
}

/// The URLs are relative to that of the redeem, and no later response says so.
#[tokio::test]
async fn relative_urls_of_a_truncated_response_are_used() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => {
            let entry = |kind: &str, name: &str| {
                serde_json::json!({"export_type": kind, "download_URL": format!("/files/{name}")})
            };
            let list = [entry("glb", "one"), entry("png", "two")];
            let whole = Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": list}));
            let length = whole.length();
            whole.breaking_at(length - IN_THE_THIRD)
        }
        (REDEEM_PATH, _) => Response::status(400),
        _ => serve_file(ask),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome.exit_code(), 7, "{ended:?}");
    let directory = ended.directory.expect("what came is kept");
    assert_eq!(file_names(&directory), ["avatar.glb", "manifest.json"]);
    assert_no_secret_is_left(&fixture).await;
}

#[tokio::test]
async fn the_files_of_a_truncated_response_are_saved_once_the_token_is_refused() {
    let broken: [fn(&Request) -> Response; 3] = [
        |ask| truncated_response(ask, IN_THE_THIRD),
        |ask| truncated_response(ask, IN_THE_THIRD).chunked(),
        // A proxy that cuts, and states the length of what it lets through.
        |ask| truncated_response(ask, IN_THE_THIRD).with_matching_length(),
    ];
    for (case, broken) in broken.into_iter().enumerate() {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::not_ready("processing"),
            (REDEEM_PATH, 2) => broken(ask),
            (REDEEM_PATH, _) => Response::status(400),
            _ => serve_file(ask),
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(ended.outcome.exit_code(), 7, "{case}: {ended:?}");
        let directory = ended.directory.expect("what came is kept");
        assert!(directory.starts_with(fixture.data_store.data.incomplete_avatars_path()));
        assert_eq!(file_names(&directory), ["avatar.glb", "avatar.png", "manifest.json"]);
        let manifest = manifest(&directory);
        assert!(!manifest.complete, "it is never called whole");
        assert!(manifest.missing[0].reason.contains("only a beginning"), "{:?}", manifest.missing);
        assert!(file_names(&fixture.out_dir()).is_empty());
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 4, "the 400 is confirmed");
        let redeems = fixture.only_visit().await.redeems;
        let taken = match &redeems[1].outcome {
            RedeemState::Unanswered { salvaged, .. } => *salvaged,
            RedeemState::Answered { delivered, .. } => *delivered == Some(true),
            other => panic!("{other:?}"),
        };
        assert!(taken, "{redeems:?}");
        assert!(fixture.event_names().contains(&"redeemed"));
        assert_no_secret_is_left(&fixture).await;
    }
}

/// URLs expire soon.
#[tokio::test]
async fn the_files_of_a_truncated_response_are_downloaded_while_the_backend_fails() {
    let (requested, refused) = (AtomicUsize::new(0), AtomicBool::new(false));
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => truncated_response(ask, IN_THE_THIRD),
        (REDEEM_PATH, _) if requested.load(Ordering::SeqCst) < 2 => Response::status(503),
        (REDEEM_PATH, _) => {
            refused.store(true, Ordering::SeqCst);
            Response::status(400)
        }
        ("/files/one" | "/files/two", _) if refused.load(Ordering::SeqCst) => Response::status(410),
        ("/files/one" | "/files/two", _) => {
            requested.fetch_add(1, Ordering::SeqCst);
            serve_file(ask)
        }
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome.exit_code(), 7, "{ended:?}");
    assert_eq!(file_names(&ended.directory.expect("saved")), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_no_secret_is_left(&fixture).await;
}

#[tokio::test]
async fn a_whole_response_after_a_truncated_one_uses_the_files_that_were_already_downloaded() {
    let downloaded = AtomicUsize::new(0);
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => truncated_response(ask, IN_THE_THIRD),
        (REDEEM_PATH, _) if downloaded.load(Ordering::SeqCst) < 2 => Response::status(503),
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("png", "two"), ("glb", "three")]),
        ("/files/three", _) => Response::file(&glb(700)),
        ("/files/one" | "/files/two", 1) => {
            downloaded.fetch_add(1, Ordering::SeqCst);
            serve_file(ask)
        }
        ("/files/one" | "/files/two", _) => Response::status(410),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome, Outcome::Saved);
    let directory = ended.directory.expect("saved");
    assert_eq!(file_names(&directory), ["avatar-2.glb", "avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("there"), glb(500));
}

#[tokio::test]
async fn gzipped_responses_are_read() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::not_ready("processing").gzipped(),
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]).gzipped(),
        _ => serve_file(ask),
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 2);
}

#[tokio::test]
async fn a_response_whose_list_came_whole_is_a_delivery_at_once_whatever_its_status() {
    let answers: [fn(&Request) -> Response; 9] = [
        // Without the last bracket, or the last chunk.
        |ask| ask.ready_response(&[("glb", "one")]).without_last_bytes(1).with_matching_length(),
        |ask| ask.ready_response(&[("glb", "one")]).without_last_bytes(1),
        |ask| ask.ready_response(&[("glb", "one")]).with_status(400),
        |ask| ask.ready_response(&[("glb", "one")]).with_status(401),
        |ask| ask.ready_response(&[("glb", "one")]).with_status(404),
        |ask| ask.ready_response(&[("glb", "one")]).with_status(429),
        |ask| ask.ready_response(&[("glb", "one")]).with_status(500),
        |ask| ask.ready_response(&[("glb", "one")]).with_status(503),
        |ask| ask.ready_response(&[("glb", "one")]).with_status(503).without_last_bytes(1),
    ];
    for (case, answer) in answers.into_iter().enumerate() {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => answer(ask),
            (REDEEM_PATH, _) => Response::status(503),
            _ => serve_file(ask),
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(ended.outcome, Outcome::Saved, "{case}");
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1, "{case}");
        assert_no_secret_is_left(&fixture).await;
    }
}

#[tokio::test]
async fn a_truncated_gzipped_response_is_saved_as_far_as_it_decodes() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => {
            let packed = ask.ready_response(&[("glb", "one")]).gzipped();
            let length = packed.length();
            // The checksum at the end never comes.
            packed.breaking_at(length - 8)
        }
        (REDEEM_PATH, _) => Response::status(503),
        _ => serve_file(ask),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome, Outcome::Saved, "{ended:?}");
    assert!(ended.directory.expect("saved").join("avatar.glb").is_file());
}

#[tokio::test]
async fn expired_urls_of_a_truncated_response_leave_the_evidence() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => truncated_response(ask, IN_THE_THIRD),
        (REDEEM_PATH, _) => Response::status(400),
        ("/files/one" | "/files/two", _) => Response::status(410),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code()), (10, "possibly_consumed"), "{ended:?}");
    let why = ended.outcome.detail_for_operator().expect("evidence");
    assert!(why.contains("bytes of the body") && why.contains("410"), "{why}");
    assert_no_secret_is_left(&fixture).await;
}

#[tokio::test]
async fn an_active_token_voids_a_truncated_response() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => truncated_response(ask, IN_THE_THIRD),
        (REDEEM_PATH, 2) => Response::not_ready("processing"),
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        _ => serve_file(ask),
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved);
    let redeems = fixture.only_visit().await.redeems;
    assert!(matches!(redeems[0].outcome, RedeemState::Unanswered { salvaged: false, .. }), "{redeems:?}");
}

#[tokio::test]
async fn an_interruption_after_a_truncated_response_loses_nothing() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => truncated_response(ask, IN_THE_THIRD),
        (REDEEM_PATH, _) => Response::status(400),
        _ => serve_file(ask),
    })
    .await;
    let mut words = fixture.watch_event_names();
    let (visit, interrupt) = fixture.spawn_visit().await;
    // Trouble is looked at again a second later at the soonest.
    words.wait_for(|words| words.contains(&"retrying")).await.expect("it lives");
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all[0].outcome.exit_code(), 7, "{all:?}");
    let RecoveryOutcome::Finished { directory: Some(directory), .. } = &all[0].outcome else { panic!("{all:?}") };
    assert_eq!(file_names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 3, "a 400 and its confirmation decided");
    assert_no_secret_is_left(&fixture).await;
}

/// A crash after a lost answer; how far the program had come with it.
async fn journal_truncated_visit(fixture: &Fixture, kind: Option<AnswerKind>) -> VisitId {
    journal_truncated_visit_at(fixture, kind, now()).await
}

/// As [`journal_truncated_visit`], with the time of the lost answer.
async fn journal_truncated_visit_at(fixture: &Fixture, kind: Option<AnswerKind>, at: Timestamp) -> VisitId {
    let id = journal_issued_visit(fixture, false).await;
    let journal = &fixture.data_store.journal;
    let no = journal.record_redeem_intent(&id, at).await.expect("intent");
    let body = delivery_body(fixture, true, &[("glb", "one"), ("png", "two")]);
    journal.record_lost_answer(&id, no, "cut", &body.as_bytes()[..body.len() - 2], at).await.expect("noted");
    if let Some(kind) = kind {
        journal.record_answer_kind_erasing_obsolete(&id, no, kind).await.expect("read");
    }
    id
}

#[tokio::test]
async fn recovery_saves_the_files_of_a_truncated_response() {
    for kind in [None, Some(AnswerKind::Truncated)] {
        let fixture =
            Fixture::new(|_, ask| if ask.path == REDEEM_PATH { Response::status(400) } else { serve_file(ask) }).await;
        journal_truncated_visit(&fixture, kind).await;
        let all = recover_fixture_visits(&fixture).await;
        let RecoveryOutcome::Finished { outcome: Outcome::SavedInPart(_), directory: Some(directory) } =
            &all[0].outcome
        else {
            panic!("{all:?}")
        };
        assert_eq!(file_names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 2, "a confirmed 400 decides here too");
        assert_no_secret_is_left(&fixture).await;
    }
}

/// A backend that only fails has not refused the token: it may deliver the whole list later.
#[tokio::test]
async fn recovery_keeps_the_token_of_a_truncated_response_while_the_backend_fails() {
    let (is_answered, answered) = watch::channel(false);
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => {
            is_answered.send_replace(true);
            Response::status(503)
        }
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("png", "two"), ("glb", "three")]),
        // The redeem fails while this file arrives.
        ("/files/one", 1) => Response::file(&glb(500)).pausing_at(100, answered.clone()),
        ("/files/one", _) => Response::status(410),
        ("/files/three", _) => Response::file(&glb(700)),
        _ => serve_file(ask),
    })
    .await;
    journal_truncated_visit(&fixture, Some(AnswerKind::Truncated)).await;
    let all = recover_fixture_visits(&fixture).await;
    assert!(matches!(all[0].outcome, RecoveryOutcome::Postponed { exit: 6, .. }), "{all:?}");
    let all = recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } = &all[0].outcome else {
        panic!("{all:?}")
    };
    assert_eq!(file_names(directory), ["avatar-2.glb", "avatar.glb", "avatar.png", "manifest.json"]);
    assert_no_secret_is_left(&fixture).await;
}

#[tokio::test]
async fn a_file_in_flight_is_not_requested_again_when_the_whole_delivery_names_it() {
    let (is_answered, answered) = watch::channel(false);
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => truncated_response(ask, IN_THE_THIRD),
        (REDEEM_PATH, _) => {
            is_answered.send_replace(true);
            ask.ready_response(&[("glb", "one"), ("png", "two"), ("glb", "three")])
        }
        ("/files/one", 1) => Response::file(&glb(500)).pausing_at(100, answered.clone()),
        ("/files/one", _) => Response::status(410),
        ("/files/three", _) => Response::file(&glb(700)),
        _ => serve_file(ask),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome, Outcome::Saved);
    assert_eq!(fixture.backend.count_requests("/files/one"), 1);
}

#[tokio::test]
async fn recovery_continues_a_partial_delivery_in_use() {
    let fixture = Fixture::new(|_, ask| serve_file(ask)).await;
    let id = journal_truncated_visit(&fixture, Some(AnswerKind::Truncated)).await;
    let no = fixture.only_visit().await.redeems[0].no;
    fixture.data_store.journal.record_truncated_delivery_erasing_token(&id, no).await.expect("taken");
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all[0].outcome.exit_code(), 7, "{all:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0, "the token is gone");
    assert_no_secret_is_left(&fixture).await;
}

/// Its end was cut off by the backend, not on the way.
#[tokio::test]
async fn recovery_continues_a_partial_delivery_that_came_as_sent() {
    let fixture = Fixture::new(|_, ask| serve_file(ask)).await;
    let id = journal_issued_visit(&fixture, false).await;
    let journal = &fixture.data_store.journal;
    let no = journal.record_redeem_intent(&id, now()).await.expect("intent");
    let body = delivery_body(&fixture, true, &[("glb", "one"), ("png", "two")]);
    journal.record_raw_answer(&id, no, 200, &body.as_bytes()[..body.len() - 2], now()).await.expect("noted");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Truncated).await.expect("read");
    journal.record_truncated_delivery_erasing_token(&id, no).await.expect("taken");
    let all = recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { directory: Some(directory), .. } = &all[0].outcome else { panic!("{all:?}") };
    assert_eq!(file_names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!(all[0].outcome.exit_code(), 7, "{all:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0, "the token is gone");
    assert_no_secret_is_left(&fixture).await;
}

/// The backend named URLs, which expire: its later "not ready" may be of a copy that lags behind.
#[tokio::test]
async fn recovery_uses_a_recent_partial_delivery_of_a_token_that_seems_active_and_drops_an_old_one() {
    for (age, is_used) in [(Duration::from_mins(1), true), (MAX_REDEEM_DELAY + Duration::from_mins(1), false)] {
        let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
            REDEEM_PATH => Response::not_ready("processing"),
            _ => serve_file(ask),
        })
        .await;
        journal_truncated_visit_at(&fixture, None, now() - age).await;
        let all = recover_fixture_visits(&fixture).await;
        if is_used {
            let RecoveryOutcome::Finished { directory: Some(directory), .. } = &all[0].outcome else {
                panic!("{all:?}")
            };
            assert_eq!(file_names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
            assert_no_secret_is_left(&fixture).await;
        } else {
            assert!(matches!(all[0].outcome, RecoveryOutcome::StillActive { .. }), "{all:?}");
            let unfinished = fixture.data_store.journal.load_recoverable_visits().await.expect("reads");
            assert!(unfinished[0].token.is_some() && unfinished[0].truncated_bodies.is_empty(), "{unfinished:?}");
        }
    }
}

#[tokio::test]
async fn recovery_without_a_single_file_is_possibly_consumed() {
    let fixture = Fixture::new(|_, ask| Response::status(if ask.path == REDEEM_PATH { 400 } else { 403 })).await;
    journal_truncated_visit(&fixture, None).await;
    assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 10);
    assert_no_secret_is_left(&fixture).await;
}
