//! A redeem was never sent, was sent and not answered, or was answered.

use super::backend::{Response, glb};
use super::earlier_visits::{delivery_body, journal_issued_visit, recover_fixture_visits};
use super::fixture::{Fixture, REDEEM_PATH, file_names};
use copresence_engine::Outcome;
use copresence_engine::recovery::{RecoveryOutcome, UnfinishedVisit, recover_all_visits_until_stopped};
use copresence_store::RedeemState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn the_next_response_resolves_a_lost_answer() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::no_response(),
        (REDEEM_PATH, 2) => Response::not_ready("processing"),
        (REDEEM_PATH, 3) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", _) => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved);
    let redeems = fixture.only_visit().await.redeems;
    assert!(matches!(redeems[0].outcome, RedeemState::Unanswered { .. }), "{redeems:?}");
    assert_eq!(fixture.event_names()[..4], ["started", "invited", "retrying", "status"]);
}

/// A proxy may hold a redeem whose connection died, and forward it after the next one was answered.
#[tokio::test]
async fn a_redeem_that_reaches_the_backend_after_the_next_one_is_possibly_consumed() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::no_response(),
        (REDEEM_PATH, 2) => Response::not_ready("processing"),
        // The first redeem has arrived meanwhile, and spent the token.
        (REDEEM_PATH, _) => Response::status(400),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome.exit_code(), 10, "{ended:?}");
    let message = fixture.only_visit().await.visit.ending.expect("ended").message;
    assert!(message.contains("not ready"), "{message}");
}

#[tokio::test]
async fn a_lost_answer_and_then_400_is_possibly_consumed() {
    for lost in
        [Response::no_response, || Response::json(&"x".repeat(400).into()).breaking_at(100), || Response::status(504)]
    {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::not_ready("processing"),
            (REDEEM_PATH, 2) => lost(),
            (REDEEM_PATH, _) => Response::status(400),
            _ => Response::default(),
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(ended.outcome.exit_code(), 10, "{ended:?}");
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 4, "the 400 is confirmed");
        assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty());
        let message = fixture.only_visit().await.visit.ending.expect("ended").message;
        assert!(message.contains(ended.outcome.detail_for_operator().expect("evidence")), "{message}");
    }
}

#[tokio::test]
async fn a_token_is_never_redeemed_after_its_urls() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", _) => Response::status(410),
        _ => Response::default(),
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome.exit_code(), 7);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
}

/// A backend whose only redeem delivers one file, once the sender has sent.
async fn fixture_with_delayed_delivery() -> (oneshot::Sender<()>, Fixture) {
    let (let_go, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let moment = moment.lock().expect("no panic").take().expect("redeemed once");
            ask.ready_response(&[("glb", "one")]).delayed_until(moment)
        }
        "/files/one" => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    (let_go, fixture)
}

#[tokio::test]
async fn an_interruption_awaits_the_redeem_in_flight_and_keeps_its_delivery() {
    let (let_go, fixture) = fixture_with_delayed_delivery().await;
    let (visit, interrupt) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests(REDEEM_PATH, 1).await;
    interrupt.cancel();
    let_go.send(()).expect("it waits");
    let ended = visit.await.expect("no panic");
    assert_eq!(ended.outcome, Outcome::Interrupted);
    assert_eq!(fixture.backend.count_requests("/files/one"), 0);

    let recovered = recover_fixture_visits(&fixture).await;
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].outcome.exit_code(), 0, "{recovered:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
}

#[tokio::test]
async fn an_embedded_backend_that_ends_with_the_visit_leaves_no_partial_avatar() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => {
            Response::file(&glb(500)).delayed_until(moment.lock().expect("no panic").take().expect("asked once"))
        }
        _ => Response::default(),
    })
    .await;
    let mut config = fixture.visit_config().await;
    config.ephemeral = true;
    let interrupt = tokio_util::sync::CancellationToken::new();
    let visit = tokio::spawn(copresence_engine::runner::run_visit(config, fixture.visit_context(), interrupt.clone()));
    fixture.backend.wait_for_requests("/files/one", 1).await;
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    assert!(file_names(&fixture.out_dir()).is_empty(), "{:?}", file_names(&fixture.out_dir()));
}

/// L16: a delivery is used with any 2xx.
#[tokio::test]
async fn a_delivery_in_any_2xx_is_saved() {
    for status in [200, 201, 202, 203, 206] {
        let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            REDEEM_PATH => ask.ready_response(&[("glb", "one")]).with_status(status),
            "/files/one" => Response::file(&glb(500)),
            _ => Response::default(),
        })
        .await;
        assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved, "{status}");
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    }
}

/// L16: the same when the program ended before it read the response.
#[tokio::test]
async fn an_unread_delivery_in_a_202_is_saved_by_recover() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        "/files/one" => Response::file(&glb(500)),
        _ => Response::status(400),
    })
    .await;
    let body = delivery_body(&fixture, true, &[("glb", "one")]);
    super::earlier_visits::journal_unread_answer(&fixture, 202, &body).await;
    assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 0);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0);
}

/// The bodies of redeems in the journal.
fn journalled_bodies(fixture: &Fixture) -> Vec<String> {
    let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
    let mut select = journal.prepare("SELECT body FROM redeems WHERE body IS NOT NULL ORDER BY no").expect("SQL");
    let bodies = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("reads");
    bodies.map(|body| String::from_utf8(body.expect("a body")).expect("UTF-8")).collect()
}

/// L16: the URLs of a response that could not be read may be the only ones.
#[tokio::test]
async fn an_unreadable_2xx_with_urls_is_kept_in_the_journal_until_the_visit_is_forgotten() {
    for (status, body, is_kept) in [
        (200, r#"{"result":{"files":["https:\/\/files.test\/one?sig=1"]}}"#, true),
        (202, r#"{"links":"http://files.test/one"}"#, true),
        (200, r#"{"maintenance":true}"#, false),
        (404, r#"{"code":101,"see":"https://docs.test/"}"#, false),
    ] {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::file(body.as_bytes()).with_status(status),
            (REDEEM_PATH, _) => Response::status(400),
            _ => Response::default(),
        })
        .await;
        assert_eq!(fixture.run_visit().await.outcome.exit_code(), 10, "{status}");
        let expected = if is_kept { vec![body.to_owned()] } else { vec![] };
        assert_eq!(journalled_bodies(&fixture), expected, "{status}");
        assert!(recover_fixture_visits(&fixture).await.is_empty());
    }
}

/// U4: what a first answer leaves open when the token is refused afterwards.
#[tokio::test]
async fn an_answer_that_may_hide_a_delivery_and_then_400_is_possibly_consumed() {
    let json = r#"{"code":1,"error":"no"}"#;
    let cases: [(u16, &'static str, u8); 20] = [
        (200, "", 10),
        (200, "{}", 10),
        (201, "", 10),
        (202, "{}", 10),
        (204, "", 10),
        (301, "", 10),
        (304, "", 10),
        (402, "", 10),
        (404, "", 10),
        (404, json, 10),
        (408, "", 10),
        (409, json, 10),
        (410, "", 10),
        (418, "", 10),
        (500, json, 10),
        (503, "", 10),
        (407, "", 4),
        (429, "", 4),
        (429, json, 4),
        (511, "", 4),
    ];
    for (status, body, exit) in cases {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::file(body.as_bytes()).with_status(status),
            (REDEEM_PATH, _) => Response::status(400),
            _ => Response::default(),
        })
        .await;
        assert_eq!(fixture.run_visit().await.outcome.exit_code(), exit, "{status} {body}");
    }
    // A redirect to another host: a gateway may send one in place of the response of a backend that failed.
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::status(302).with_header("location", "http://status.test/"),
        (REDEEM_PATH, _) => Response::status(400),
        _ => Response::default(),
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome.exit_code(), 10);
}

/// L2: one 400 is no proof that the token is gone.
#[tokio::test]
async fn a_single_400_costs_no_avatar() {
    for (body, exit) in [
        ("", 0),
        ("Bad Request", 0),
        ("{}", 0),
        (r#"{"code":101}"#, 0),
        // The server's own failures: recovery does not redeem again at once.
        (r#"{"code":1}"#, 6),
        (r#"{"code":124,"error":"timeout"}"#, 6),
    ] {
        let answer = move |nth: usize, ask: &super::backend::Request| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => Response::file(body.as_bytes()).with_status(400),
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
            ("/files/one", _) => Response::file(&glb(500)),
            _ => Response::default(),
        };
        let fixture = Fixture::new(answer).await;
        assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved, "{body}");
        let fixture = Fixture::new(answer).await;
        journal_issued_visit(&fixture, false).await;
        assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), exit, "recover: {body}");
        if exit != 0 {
            assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 0, "recover again: {body}");
        }
    }
}

/// L2: a visit that ends between two refusals keeps its token.
#[tokio::test]
async fn a_visit_interrupted_after_a_first_400_keeps_its_token() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::status(400),
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", _) => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let (visit, interrupt) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests(REDEEM_PATH, 1).await;
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 0);
}

/// L1: a recovery that is stopped awaits its redeem and keeps the delivery.
#[tokio::test]
async fn a_stopped_recovery_awaits_the_redeem_in_flight_and_keeps_its_delivery() {
    let (let_go, fixture) = fixture_with_delayed_delivery().await;
    journal_issued_visit(&fixture, false).await;
    journal_issued_visit(&fixture, false).await;
    let stop = CancellationToken::new();
    let find_context_for = |_: &UnfinishedVisit| Ok(fixture.visit_context());
    let recovery = recover_all_visits_until_stopped(&fixture.data_store, &find_context_for, &stop);
    let stopping = async {
        fixture.backend.wait_for_requests(REDEEM_PATH, 1).await;
        stop.cancel();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let_go.send(()).expect("it waits");
    };
    let (recovered, ()) = tokio::join!(recovery, stopping);
    let recovered = recovered.expect("reads");
    assert!(
        matches!(&recovered[..], [one] if matches!(one.outcome, RecoveryOutcome::Postponed { exit: 130, .. })),
        "no further visit begins: {recovered:?}"
    );
    assert_eq!((fixture.backend.count_requests(REDEEM_PATH), fixture.backend.count_requests("/files/one")), (1, 0));
    let unfinished = fixture.data_store.journal.load_recoverable_visits().await.expect("reads");
    let answered: Vec<_> = unfinished.iter().filter(|visit| visit.token.is_none()).collect();
    assert_eq!((unfinished.len(), answered.len()), (2, 1), "the delivery is in the journal");
}

/// L17: a visit that times out after `failed` keeps its token, because the visitor may record again with it.
#[tokio::test]
async fn a_failed_avatar_that_is_recorded_again_after_the_timeout_is_saved() {
    let is_recorded_again = Arc::new(AtomicBool::new(false));
    let is_ready = is_recorded_again.clone();
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH if is_ready.load(Ordering::SeqCst) => ask.ready_response(&[("glb", "one")]),
        REDEEM_PATH => Response::not_ready("failed"),
        "/files/one" => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let mut config = fixture.visit_config().await;
    config.timeout = Duration::from_millis(700);
    let interrupt = CancellationToken::new();
    let ended = copresence_engine::runner::run_visit(config, fixture.visit_context(), interrupt).await;
    assert_eq!(ended.outcome, Outcome::AvatarFailed);
    is_recorded_again.store(true, Ordering::SeqCst);
    assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 0);
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
}

/// L15: the journal lost a delivery whose file is on disk.
#[tokio::test]
async fn a_partial_folder_that_the_journal_does_not_know_is_kept() {
    let fixture = Fixture::new(|_, _| Response::status(400)).await;
    let id = journal_issued_visit(&fixture, false).await;
    std::fs::create_dir_all(fixture.out_dir()).expect("made");
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let folder =
        copresence_store::PartialAvatarFolder::create_or_reopen_folder(&fixture.out_dir(), &id, day).expect("made");
    let path = folder.partial_folder_path().to_owned();
    std::fs::write(path.join("avatar.glb"), glb(500)).expect("written");
    drop(folder);
    assert_eq!(recover_fixture_visits(&fixture).await[0].outcome.exit_code(), 4);
    assert_eq!(std::fs::read(path.join("avatar.glb")).expect("kept"), glb(500));
}
