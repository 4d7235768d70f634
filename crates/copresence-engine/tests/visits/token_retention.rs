//! What is kept for recovery, and how long: limits, tokens, and words of the backend.

use super::backend::{Response, glb};
use super::earlier_visits::{delivery_body, journal_issued_visit, journal_unread_answer, now, recover_fixture_visits};
use super::fixture::{API_KEY, Fixture, REDEEM_PATH};
use copresence_engine::Outcome;
use copresence_engine::recovery::{MAX_TOKEN_AGE, RecoveryOutcome, UnfinishedVisit, recover_all_visits};
use copresence_store::VisitId;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

/// A token that was issued so long ago, and that was redeemed in so many recoveries that its age is believed.
async fn journal_old_visit(fixture: &Fixture, age: SignedDuration) -> VisitId {
    let id = journal_issued_visit(fixture, false).await;
    let then = (Timestamp::now() - age).as_microsecond();
    let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
    journal
        .execute(
            "UPDATE visits SET started_at = ?1, issued_at = ?1, recovery_attempts = 12 WHERE id = ?2",
            (then, id.to_string()),
        )
        .expect("set back");
    id
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test]
async fn a_token_that_no_response_decides_is_abandoned_after_a_week() {
    for status in [500, 401, 429, 504] {
        for (age, kept) in [(MAX_TOKEN_AGE - MINUTE, true), (MAX_TOKEN_AGE + MINUTE, false)] {
            let fixture = Fixture::new(move |_, _| Response::status(status)).await;
            journal_old_visit(&fixture, age).await;
            let outcome = recover_fixture_visits(&fixture).await.remove(0).outcome;
            assert_eq!(
                fixture.data_store.journal.load_recoverable_visits().await.expect("reads").len(),
                usize::from(kept),
                "{outcome:?}"
            );
            assert_eq!(matches!(outcome, RecoveryOutcome::Postponed { .. }), kept, "{status} {outcome:?}");
            if !kept {
                let ending = fixture.only_visit().await.visit.ending.expect("said in the history");
                let expected = if status >= 500 { ("possibly_consumed", 10) } else { ("token_abandoned", 4) };
                assert_eq!((ending.code.as_str(), ending.exit), expected, "{}", ending.message);
                assert!(ending.message.contains("week"), "{}", ending.message);
            }
        }
    }
}

/// A wrong clock makes a token as old as it likes.
#[tokio::test]
async fn an_old_token_is_kept_until_twelve_recoveries_failed() {
    for status in [500, 401] {
        let fixture = Fixture::new(move |_, _| Response::status(status)).await;
        let id = journal_old_visit(&fixture, SignedDuration::from_hours(30 * 24)).await;
        let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
        journal.execute("UPDATE visits SET recovery_attempts = 11 WHERE id = ?1", [id.to_string()]).expect("set back");
        let outcome = recover_fixture_visits(&fixture).await.remove(0).outcome;
        assert!(matches!(outcome, RecoveryOutcome::Postponed { .. }), "{outcome:?}");
        let outcome = recover_fixture_visits(&fixture).await.remove(0).outcome;
        assert!(matches!(outcome, RecoveryOutcome::Finished { .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_token_without_credentials_is_abandoned_after_a_week() {
    let fixture = Fixture::new(|_, _| Response::status(500)).await;
    let refuse = |unfinished: &UnfinishedVisit| match unfinished.token {
        Some(_) => Err("no API key".to_owned()),
        None => Ok(fixture.visit_context()),
    };
    journal_old_visit(&fixture, MAX_TOKEN_AGE - MINUTE).await;
    let outcome = recover_all_visits(&fixture.data_store, &refuse).await.expect("reads").remove(0).outcome;
    assert!(matches!(outcome, RecoveryOutcome::Postponed { exit: 3, .. }), "{outcome:?}");
    let older = journal_old_visit(&fixture, MAX_TOKEN_AGE + MINUTE).await;
    let all = recover_all_visits(&fixture.data_store, &refuse).await.expect("reads");
    let of = |id| all.iter().find(|one| one.visit == id).map(|one| one.outcome.exit_code());
    assert_eq!((all.len(), of(older)), (2, Some(4)), "{all:?}");
    assert!(fixture.backend.requests().is_empty());
    assert_eq!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").len(), 1);
}

#[tokio::test]
async fn an_old_token_is_redeemed_once_before_it_is_abandoned() {
    for (status, gone) in [("no_associated_avatar", true), ("processing", false)] {
        let fixture = Fixture::new(move |_, _| Response::not_ready(status)).await;
        journal_old_visit(&fixture, MAX_TOKEN_AGE + MINUTE).await;
        let outcome = recover_fixture_visits(&fixture).await.remove(0).outcome;
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
        assert_eq!(outcome.exit_code() == 4, gone, "{outcome:?}");
        assert_eq!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty(), gone);
    }
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        _ => Response::file(&glb(500)),
    })
    .await;
    journal_old_visit(&fixture, MAX_TOKEN_AGE + MINUTE).await;
    assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 0);
}

/// The page of a web app or of a gate is no delivery, whatever it links to.
#[tokio::test]
async fn a_page_that_links_to_a_download_does_not_use_up_the_token() {
    let page = |body: &str, status| Response::file(body.as_bytes()).with_status(status);
    for (body, status) in [
        (r#"<!doctype html><script>{"ios":{"downloadUrl":"https://apps.test/app"}}</script>"#, 200),
        (r#"{"status":"maintenance","download_url":"https://apps.test/app"}"#, 200),
        (r#"{"success":false,"payload":{"type":"https://tools.test/rfc7231","status":503}}"#, 503),
    ] {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => page(body, status),
            (REDEEM_PATH, 2) => Response::not_ready("processing"),
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
            ("/files/one", _) => Response::file(&glb(500)),
            _ => Response::default(),
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(ended.outcome, Outcome::Saved, "{body}");
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => page(body, status),
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
            ("/files/one", _) => Response::file(&glb(500)),
            _ => Response::default(),
        })
        .await;
        journal_issued_visit(&fixture, false).await;
        let outcome = recover_fixture_visits(&fixture).await.remove(0).outcome;
        assert!(matches!(outcome, RecoveryOutcome::Postponed { .. }), "{body}: {outcome:?}");
        assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 0, "{body}");
    }
}

#[tokio::test]
async fn an_unresolved_lost_answer_is_possibly_consumed_after_a_week() {
    let fixture = Fixture::new(|_, _| Response::status(500)).await;
    let id = journal_old_visit(&fixture, MAX_TOKEN_AGE + MINUTE).await;
    fixture.data_store.journal.record_redeem_intent(&id, now()).await.expect("intent");
    assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 10);
}

#[tokio::test]
async fn recovery_uses_the_larger_size_limit_of_the_visit_and_the_profile() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => {
            Response::file(&glb(500)).delayed_until(moment.lock().expect("no panic").take().expect("asked once"))
        }
        ("/files/one", _) => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    // As `--max-file-size` would; the profile allows far more.
    let mut config = fixture.visit_config().await;
    config.limits.max_file_size = 499;
    let interrupt = tokio_util::sync::CancellationToken::new();
    let visit = tokio::spawn(copresence_engine::runner::run_visit(config, fixture.visit_context(), interrupt.clone()));
    fixture.backend.wait_for_requests("/files/one", 1).await;
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    let all = recover_all_visits(&fixture.data_store, &|_: &UnfinishedVisit| {
        Ok(fixture.visit_context().with_profile_recovery_limits(&fixture.profile))
    })
    .await;
    assert_eq!(all.expect("reads")[0].outcome.exit_code(), 0, "an operator raises the profile's limit after a failure");
}

#[tokio::test]
async fn a_credential_in_a_response_is_masked_by_recovery() {
    let fixture = Fixture::new(|_, _| Response::file(&glb(500))).await;
    let body = delivery_body(&fixture, true, &[(&format!("glb {API_KEY}"), "one")]);
    journal_unread_answer(&fixture, 200, &body).await;
    let all = recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { directory: Some(directory), .. } = &all[0].outcome else { panic!("{all:?}") };
    let written = std::fs::read_to_string(directory.join("manifest.json")).expect("reads");
    assert!(!written.contains(API_KEY), "{written}");
    assert!(!format!("{:?} {:?}", fixture.events(), fixture.only_visit().await).contains(API_KEY));
}

#[tokio::test]
async fn a_credential_in_a_response_never_reaches_the_journal() {
    // What stands on the disk while the file is on its way is what a crash would leave there.
    let data = std::sync::Arc::new(std::sync::Mutex::new(std::path::PathBuf::new()));
    let place = data.clone();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::json(&serde_json::json!({"error": API_KEY})),
        (REDEEM_PATH, _) => ask.ready_response(&[(API_KEY, "one")]),
        ("/files/one", _) => {
            for name in ["journal.sqlite", "journal.sqlite-wal"] {
                let bytes = std::fs::read(place.lock().expect("no panic").join(name)).unwrap_or_default();
                let found = bytes.windows(API_KEY.len()).any(|window| window == API_KEY.as_bytes());
                assert!(!found, "the API key stands in {name}");
            }
            Response::file(&glb(500))
        }
        _ => Response::default(),
    })
    .await;
    *data.lock().expect("no panic") = fixture.root.path().join("data");
    assert_eq!(fixture.run_visit().await.outcome.exit_code(), 0);
}
