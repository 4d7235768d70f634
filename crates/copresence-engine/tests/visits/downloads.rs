//! Downloads over a bad connection: what is resumed, restarted or refused.

use super::backend::{Request, Response, glb, png};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{Fixture, REDEEM_PATH, file_names, manifest};
use copresence_engine::Outcome;
use copresence_store::FileState;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const ETAG: &str = "etag";

/// A visit whose only file is answered by a script, and what of it was asked.
async fn visit(
    export_type: &'static str,
    file: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> (Fixture, copresence_engine::runner::VisitResult) {
    let fixture = Fixture::new(move |nth, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[(export_type, "one")]),
        "/files/one" => file(nth, ask),
        "/elsewhere" => Response::file(&glb(1000)),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    (fixture, ended)
}

fn asked(fixture: &Fixture) -> Vec<Request> {
    fixture.backend.requests().into_iter().filter(|ask| ask.path == "/files/one").collect()
}

fn saved(ended: &copresence_engine::runner::VisitResult, name: &str) -> Vec<u8> {
    assert_eq!(ended.outcome, Outcome::Saved);
    std::fs::read(ended.directory.as_ref().expect("a folder").join(name)).expect("saved")
}

/// The incomplete folder and why its file is missing.
fn incomplete(fixture: &Fixture, ended: &copresence_engine::runner::VisitResult) -> (PathBuf, String) {
    assert_eq!(ended.outcome.exit_code(), 7, "{ended:?}");
    let directory = ended.directory.clone().expect("what came is kept");
    assert!(directory.starts_with(fixture.data_store.data.incomplete_folder_path()));
    assert!(file_names(&fixture.out_dir()).is_empty(), "nothing incomplete stands among the avatars");
    let manifest = manifest(&directory);
    assert!(!manifest.complete && manifest.files.is_empty());
    (directory, manifest.missing[0].reason.clone())
}

#[tokio::test]
async fn an_interrupted_download_resumes_at_its_offset() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        2 => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\"").breaking_at(300),
        _ => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    let asked = asked(&fixture);
    assert_eq!(asked.iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400, 700]);
    assert_eq!(asked[1].header("if-range"), Some("\"1\""));
    assert!(asked.iter().all(|ask| ask.header("x-copresence-rest-api-key").is_none()));
    assert!(fixture.event_names().contains(&"retrying"), "a stalled download is told");
}

#[tokio::test]
async fn a_server_that_ignores_the_range_restarts_the_file() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        _ => Response::file(&glb(1000)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).len(), 2);
}

#[tokio::test]
async fn two_versions_of_a_file_are_never_combined() {
    // An honest server: `If-Range` does not match, so the new version comes whole.
    let new = || {
        let mut file = glb(1000);
        file[500..].fill(7);
        file
    };
    let (_house, ended) = visit("glb", move |nth, _| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        _ => Response::file(&new()).with_header(ETAG, "\"2\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), new());
    // One that knows no `If-Range`: the rest that it sends is another file's.
    let (fixture, ended) = visit("glb", move |nth, ask| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        2 => Response::range_response(&new(), ask.range_start()).with_header(ETAG, "\"2\""),
        _ => Response::file(&new()).with_header(ETAG, "\"2\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), new());
    assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400, 0]);
}

#[tokio::test]
async fn a_416_at_the_end_completes_the_file() {
    let (_house, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).chunked().breaking_at(1000),
        _ => Response::status(416).with_header("content-range", "bytes */1000"),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
}

#[tokio::test]
async fn a_416_elsewhere_ends_the_file() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        _ => Response::status(416).with_header("content-range", "bytes */300"),
    })
    .await;
    let (directory, why) = incomplete(&fixture, &ended);
    assert!(why.contains("416"), "{why}");
    assert_eq!(file_names(&directory), ["avatar.glb.part", "manifest.json"]);
    assert_eq!(asked(&fixture).len(), 2);
}

#[tokio::test]
async fn a_spent_url_is_not_retried_and_received_bytes_are_kept() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        _ => Response::status(404),
    })
    .await;
    let (directory, _) = incomplete(&fixture, &ended);
    assert_eq!(std::fs::read(directory.join("avatar.glb.part")).expect("kept"), glb(1000)[..400]);
    assert_eq!(asked(&fixture).len(), 2);
    assert!(fixture.data_store.journal.load_unfinished_visits().await.expect("reads").is_empty());
}

#[tokio::test]
async fn content_that_contradicts_its_type_is_refused() {
    let short = |bytes: usize| glb(1000)[..bytes].to_vec();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("glb", b"{\"code\":101,\"error\":\"gone\"}".to_vec(), "an error in JSON instead of glb"),
        ("glb", short(600), "header"),
        ("glb", Vec::new(), "empty"),
        ("png", png(500)[..400].to_vec(), "IEND"),
    ];
    for (export_type, body, expected) in cases {
        let (fixture, ended) = visit(export_type, move |_, _| Response::file(&body)).await;
        let (_, why) = incomplete(&fixture, &ended);
        assert!(why.contains(expected), "{why}");
        assert_eq!(asked(&fixture).len(), 1, "the same page would come again");
        assert!(!fixture.event_names().contains(&"saved"));
    }
}

#[tokio::test]
async fn a_file_over_the_size_limit_is_refused() {
    for endless in [false, true] {
        let (fixture, ended) = visit("png", move |_, _| {
            let reply = Response::file(&png(100_001));
            if endless { reply.chunked() } else { reply }
        })
        .await;
        let (directory, why) = incomplete(&fixture, &ended);
        assert!(why.contains("100000") || why.contains("limit"), "{why}");
        let part = directory.join("avatar.png.part");
        assert!(std::fs::metadata(part).map_or(0, |part| part.len()) <= 100_000);
    }
}

#[tokio::test]
async fn a_range_beyond_the_announced_size_is_refused() {
    let (fixture, ended) = visit("png", |nth, ask| match nth {
        1 => Response::file(&png(1000)).breaking_at(400),
        _ => Response::file(&png(1300)[ask.range_start()..]).with_content_range(ask.range_start(), 1000).chunked(),
    })
    .await;
    let (_, why) = incomplete(&fixture, &ended);
    assert!(why.contains("1000"), "{why}");
}

/// Checks that a visit ended for now, with everything kept, and returns its message.
async fn interrupted(fixture: &Fixture, ended: &copresence_engine::runner::VisitResult) -> String {
    let Outcome::DownloadInterrupted(why) = &ended.outcome else { panic!("{ended:?}") };
    assert_eq!((ended.outcome.exit_code(), ended.outcome.code()), (6, "download_interrupted"));
    assert_eq!(ended.directory, None, "nothing is set aside as incomplete");
    let visit = fixture.only_visit().await.visit;
    assert!(visit.is_unfinished);
    assert_eq!(visit.ending.expect("ended").visit_state, "saving");
    assert!(why.contains("avatar.glb: ") && why.contains("127.0.0.1:"), "file and server are named: {why}");
    why.clone()
}

const SHORT_PATIENCE: Duration = Duration::from_millis(300);

/// As [`visit`], with little patience.
async fn impatient_visit(
    file: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> (Fixture, copresence_engine::runner::VisitResult) {
    let fixture = Fixture::new(move |nth, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => file(nth, ask),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
    (fixture, ended)
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
    let (fixture, ended) = impatient_visit(|_, _| Response::file(&glb(90_000)).sent_slowly()).await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("slow"), "{why}");
}

#[tokio::test]
async fn a_failing_file_server_never_makes_a_file_lost() {
    for status in [202, 408, 425, 429, 500, 501, 502, 503, 504] {
        let (fixture, ended) = impatient_visit(move |_, _| Response::status(status)).await;
        let why = interrupted(&fixture, &ended).await;
        assert!(why.contains(&status.to_string()), "{why}");
        assert!(asked(&fixture).len() > 5, "given up by time, not after {} attempts", asked(&fixture).len());
    }
    let (fixture, ended) = impatient_visit(|_, _| Response::no_response()).await;
    interrupted(&fixture, &ended).await;
}

/// What a captive portal, or a file server with an error, sends in place of a file.
fn html_page() -> Response {
    Response::file(b"<!doctype html><title>Log in</title>")
}

#[tokio::test]
async fn an_html_page_in_place_of_a_file_is_not_the_file_and_loses_no_received_byte() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 | 3 => html_page(),
        2 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        _ => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    let offsets: Vec<usize> = asked(&fixture).iter().map(Request::range_start).collect();
    assert_eq!(offsets, [0, 0, 400, 400], "the page does not replace the bytes received before");
}

#[tokio::test]
async fn an_html_page_that_stays_ends_the_visit_for_now() {
    let (fixture, ended) = impatient_visit(|_, _| html_page()).await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("HTML page") && why.contains("login"), "{why}");
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

#[tokio::test]
async fn a_refused_url_is_lost_at_once() {
    for status in [400, 401, 403, 404, 409, 410, 416, 451] {
        let (fixture, ended) = visit("glb", move |_, _| Response::status(status)).await;
        let (_, why) = incomplete(&fixture, &ended);
        assert!(why.contains(&status.to_string()) && why.contains("127.0.0.1:"), "{why}");
        assert_eq!(asked(&fixture).len(), 1);
    }
}

#[tokio::test]
async fn a_lost_file_does_not_end_the_visit_while_another_may_still_come() {
    let (gone, back) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (is_gone, asked_again) = (gone.clone(), back.clone());
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one"), ("png", "two")]),
        "/files/one" if is_gone.load(Ordering::SeqCst) => Response::status(503),
        "/files/one" => Response::file(&glb(1000)),
        "/files/two" => {
            asked_again.fetch_add(1, Ordering::SeqCst);
            Response::status(410)
        }
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
    interrupted(&fixture, &ended).await;
    gone.store(false, Ordering::SeqCst);
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all[0].outcome.exit_code(), 7, "now every missing file is lost: {all:?}");
    assert_eq!(back.load(Ordering::SeqCst), 1, "a refused URL is not requested again");
    let incomplete = fixture.data_store.data.incomplete_folder_path();
    let folder = incomplete.join(&file_names(&incomplete)[0]);
    assert_eq!(file_names(&folder), ["avatar.glb", "avatar.png.part", "manifest.json"]);
}

#[tokio::test]
async fn files_of_a_dead_server_do_not_block_those_of_another() {
    let nowhere = test_port::ReservedPort::reserve_port().expect("a port");
    let dead = format!("http://{nowhere}/dead");
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let mut exports: Vec<_> =
                (0..6).map(|_| serde_json::json!({"export_type": "fbx", "download_URL": dead})).collect();
            exports.push(serde_json::json!({"export_type": "glb", "download_URL": ask.url("/files/one")}));
            Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": exports}))
        }
        "/files/one" => Response::file(&glb(1000)),
        _ => Response::default(),
    })
    .await;
    let change = |limits: &mut copresence_store::VisitLimits| {
        (limits.patience, limits.parallel_downloads) = (SHORT_PATIENCE, 1);
    };
    let ended = fixture.run_visit_with_limits(change).await;
    assert_eq!(ended.outcome.code(), "download_interrupted");
    let record = fixture.only_visit().await;
    let is_complete = |file: &copresence_store::FileRecord| matches!(file.state, FileState::Complete { .. });
    assert_eq!(record.files.iter().filter(|file| is_complete(file)).count(), 1);
    assert!(!ended.outcome.detail_for_operator().expect("why").contains("one-time"), "{ended:?}");
}

#[tokio::test]
async fn the_time_to_keep_trying_makes_a_file_lost() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::status(503),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit_with_limits(|limits| limits.keep_trying = SHORT_PATIENCE).await;
    let (_, why) = incomplete(&fixture, &ended);
    assert!(why.contains("503") && why.contains("`downloads.keep_trying`"), "{why}");
    assert!(fixture.data_store.journal.load_unfinished_visits().await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_program_that_is_stopped_during_an_outage_reports_the_outage() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::status(503),
        _ => Response::default(),
    })
    .await;
    let mut events = fixture.watch_event_names();
    let (visit, interrupt) = fixture.spawn_visit().await;
    events.wait_for(|names| names.contains(&"retrying")).await.expect("it runs");
    interrupt.cancel();
    let ended = visit.await.expect("no panic");
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("503") && why.contains("stopped"), "{why}");
}

#[tokio::test]
async fn a_program_that_is_stopped_while_bytes_arrive_is_interrupted() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::file(&glb(90_000)).sent_slowly(),
        _ => Response::default(),
    })
    .await;
    let mut events = fixture.watch_event_names();
    let (visit, interrupt) = fixture.spawn_visit().await;
    events.wait_for(|names| names.contains(&"progress")).await.expect("it runs");
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    assert!(fixture.only_visit().await.visit.is_unfinished);
}

#[tokio::test]
async fn a_redirect_is_followed_without_credentials() {
    let (fixture, ended) = visit("glb", |_, _| Response::status(302).with_header("location", "/elsewhere")).await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    let all = fixture.backend.requests();
    let elsewhere = all.iter().find(|ask| ask.path == "/elsewhere").expect("followed");
    assert!(elsewhere.header("x-copresence-rest-api-key").is_none());
    assert!(elsewhere.header("x-copresence-export-token").is_none());
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
