//! File servers that fail, are slow or cannot be reached: the visit ends for now, and no file is lost.

use super::backend::{Response, glb, png};
use super::fixture::{
    Fixture, REDEEM_PATH, SHORT_PATIENCE, asked, impatient_visit, incomplete, interrupted, range_starts, saved, visit,
};
use copresence_engine::Outcome;
use copresence_engine::recovery::{RecoveryOutcome, UnfinishedVisit, recover_all_visits};
use copresence_store::VisitDownloadLimits;
use std::time::Duration;
use tokio::sync::watch;

/// Case L11.
#[tokio::test]
async fn a_file_over_the_size_limit_is_kept_for_a_larger_limit() {
    for endless in [false, true] {
        let mut fixture = Fixture::with_one_file("png", move |_, _| {
            let file = Response::file(&png(100_001));
            if endless { file.chunked() } else { file }
        })
        .await;
        let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
        assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code()), (6, "download_interrupted"), "{ended:?}");
        let why = ended.outcome.detail_for_operator().expect("why");
        assert!(why.contains("100000") && why.contains("downloads.max_file_size"), "{why}");
        fixture.profile.limits.max_file_size = 200_000;
        let context = |_: &UnfinishedVisit| Ok(fixture.visit_context().with_profile_recovery_limits(&fixture.profile));
        let all = recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads");
        assert_eq!(all[0].outcome.exit_code(), 0, "{all:?}");
    }
}

#[tokio::test]
async fn a_connection_that_keeps_breaking_ends_the_visit_for_now() {
    // The range is ignored, and each answer breaks off, now sooner, now later.
    let (fixture, ended) =
        impatient_visit(|nth, _| Response::file(&glb(1000)).breaking_at(if nth % 2 == 0 { 400 } else { 300 })).await;
    interrupted(&fixture, &ended).await;
    assert!(asked(&fixture).len() < 40, "{}", asked(&fixture).len());
}

#[tokio::test]
async fn a_body_that_is_too_slow_ends_the_visit_for_now() {
    let slow = |_, _: &_| Response::file(&glb(90_000)).with_header("accept-ranges", "bytes").sent_slowly();
    let (fixture, ended) = impatient_visit(slow).await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("slow"), "{why}");
}

/// The rest of a file whose server has no ranges arrives on this connection or never.
#[tokio::test]
async fn a_body_that_is_too_slow_and_cannot_be_continued_is_received_to_its_end() {
    let fixture = Fixture::with_one_file("glb", |nth, _| match nth {
        1 => Response::file(&glb(150)).sent_slowly(),
        _ => Response::status(410),
    })
    .await;
    // It takes at least 1.5 s, and may take 8.
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = Duration::from_secs(1)).await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(150));
    assert_eq!(asked(&fixture).len(), 1);
}

/// Ctrl-C and SIGTERM: a file that may not come again is received first, also if its response has not begun.
#[tokio::test]
async fn an_interrupted_visit_receives_the_file_in_flight_that_cannot_be_continued() {
    for is_head_received in [false, true] {
        let (open, closed) = tokio::sync::oneshot::channel();
        let closed = std::sync::Mutex::new(Some(closed));
        let fixture = Fixture::with_one_file("glb", move |nth, _| {
            let file = Response::file(&glb(300));
            match closed.lock().expect("no panic").take() {
                Some(_) if is_head_received => file.sent_slowly(),
                Some(closed) => file.delayed_until(closed),
                None => Response::status(410).with_header("x-request", nth.to_string()),
            }
        })
        .await;
        let mut events = fixture.watch_event_names();
        let (visit, interrupt) = fixture.spawn_visit().await;
        fixture.backend.wait_for_requests("/files/one", 1).await;
        if is_head_received {
            events.wait_for(|names| names.contains(&"progress")).await.expect("it runs");
        }
        interrupt.cancel();
        _ = open.send(());
        let mut directory = visit.await.expect("no panic").directory;
        if directory.is_none() {
            // The visit ended before the avatar was published, with all its bytes.
            let all = super::earlier_visits::recover_fixture_visits(&fixture).await;
            let RecoveryOutcome::Finished { directory: saved, .. } = &all[0].outcome else { panic!("{all:?}") };
            directory.clone_from(saved);
        }
        let file = directory.expect("a folder").join("avatar.glb");
        assert_eq!(std::fs::read(file).expect("saved"), glb(300), "{is_head_received}");
        assert_eq!(asked(&fixture).len(), 1);
    }
}

/// A later run continues it.
#[tokio::test]
async fn an_interrupted_visit_does_not_await_a_file_that_can_be_continued() {
    let fixture = Fixture::with_one_file("glb", |nth, ask| match nth {
        1 => Response::file(&glb(300)).breaking_at(100),
        _ => Response::range_response(&glb(300), ask.range_start()).stalling_at(100),
    })
    .await;
    let (visit, interrupt) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests("/files/one", 2).await;
    let started = tokio::time::Instant::now();
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    assert!(started.elapsed() < Duration::from_secs(20), "the wait for other files takes 30 s");
}

/// Frameworks state `Accept-Ranges` of every file, also of one that they send once.
#[tokio::test]
async fn a_silent_file_that_is_sent_once_is_awaited_although_its_server_states_ranges() {
    let (is_refused, refused) = watch::channel(false);
    let mut fixture = Fixture::with_one_file("glb", move |nth, _| {
        if nth == 1 {
            let file = Response::file(&glb(1000)).with_header("accept-ranges", "bytes");
            return file.pausing_at(400, refused.clone());
        }
        is_refused.send_replace(true);
        Response::status(410)
    })
    .await;
    fixture.profile.timeouts.read = Duration::from_secs(1);
    let ended = fixture.run_visit().await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 1], "also what is on the disk is compared");
}

#[tokio::test]
async fn the_rest_of_a_silent_file_is_taken_from_a_range_beside_it() {
    let mut fixture = Fixture::with_one_file("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)).with_header("accept-ranges", "bytes").stalling_at(400),
        _ => Response::range_response(&glb(1000), ask.range_start()),
    })
    .await;
    fixture.profile.timeouts.read = Duration::from_secs(1);
    let ended = fixture.run_visit().await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 1], "also what is on the disk is compared");
    assert!(!fixture.event_names().contains(&"retrying"), "the silent response did not fail");
}

/// Requests after which a client that counts its attempts would have given up.
const MANY_REQUESTS: usize = 7;

/// A visit whose file is answered with a status every time, interrupted after many requests.
async fn visit_of_a_failing_file_server(status: u16) {
    let (many, mut asked_many) = watch::channel(false);
    let fixture = Fixture::with_one_file("glb", move |nth, _| {
        many.send_if_modified(|many| nth >= MANY_REQUESTS && !std::mem::replace(many, true));
        Response::status(status)
    })
    .await;
    let (visit, interrupt) = fixture.spawn_visit().await;
    asked_many.wait_for(|many| *many).await.expect("the backend runs");
    interrupt.cancel();
    let why = interrupted(&fixture, &visit.await.expect("no panic")).await;
    assert!(why.contains(&status.to_string()), "{why}");
}

#[tokio::test]
async fn a_failing_file_server_never_makes_a_file_lost() {
    futures_util::future::join_all([202, 408, 425, 429, 500, 501, 502, 503, 504].map(visit_of_a_failing_file_server))
        .await;
    let (fixture, ended) = impatient_visit(|_, _| Response::no_response()).await;
    interrupted(&fixture, &ended).await;
}

#[tokio::test]
async fn a_file_server_whose_name_cannot_be_resolved_never_makes_a_file_lost() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let export = serde_json::json!({"export_type": "glb", "download_URL": "http://files.invalid/one"});
            Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": [export]}))
        }
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
    let Outcome::DownloadInterrupted(why) = &ended.outcome else { panic!("{ended:?}") };
    assert!(why.contains("files.invalid") && why.contains("could not be resolved"), "{why}");
    assert!(fixture.only_visit().await.visit.is_unfinished);
}

/// As content delivery networks send it, also with an error that lasts.
#[tokio::test]
async fn a_server_that_asks_for_no_pause_is_not_requested_without_one() {
    let (fixture, ended) = impatient_visit(|_, _| Response::status(503).with_header("retry-after", "0")).await;
    interrupted(&fixture, &ended).await;
    assert!(asked(&fixture).len() < 20, "{} requests", asked(&fixture).len());
}

#[tokio::test]
async fn the_time_to_keep_trying_makes_a_file_lost() {
    let fixture = Fixture::with_one_file("glb", |_, _| Response::status(503)).await;
    let change = |limits: &mut VisitDownloadLimits| {
        (limits.keep_trying, limits.patience) = (SHORT_PATIENCE, SHORT_PATIENCE);
    };
    let ended = fixture.run_visit_with_limits(change).await;
    let (_, why) = incomplete(&fixture, &ended);
    assert!(why.contains("503") && why.contains("`downloads.keep_trying`"), "{why}");
    assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_program_that_is_stopped_during_an_outage_reports_the_outage() {
    let fixture = Fixture::with_one_file("glb", |_, _| Response::status(503)).await;
    let ended = fixture.run_visit_until_event("retrying").await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("503") && why.contains("stopped"), "{why}");
}

#[tokio::test]
async fn a_program_that_is_stopped_while_bytes_arrive_is_interrupted() {
    let fixture = Fixture::with_one_file("glb", |_, _| Response::file(&glb(90_000)).sent_slowly()).await;
    assert_eq!(fixture.run_visit_until_event("progress").await.outcome, Outcome::Interrupted);
    assert!(fixture.only_visit().await.visit.is_unfinished);
}

#[tokio::test]
async fn a_busy_file_server_is_retried() {
    let (_house, ended) = visit("glb", |nth, _| match nth {
        1 => Response::status(503).with_header("retry-after", "0"),
        2 => Response::no_response(),
        _ => Response::file(&glb(1000)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
}
