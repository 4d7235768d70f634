//! Downloads over a bad connection: what is resumed, restarted or refused.

use super::backend::{Request, Response, glb, png};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{Fixture, REDEEM_PATH, file_names, manifest};
use copresence_engine::Outcome;
use copresence_engine::recovery::{UnfinishedVisit, recover_all_visits};
use copresence_store::FileState;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

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
    assert!(directory.starts_with(fixture.data_store.data.incomplete_avatars_path()));
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

/// The simulation found this: the structure of the file says that it is whole, and the server has more of it.
#[tokio::test]
async fn a_break_at_the_end_of_a_model_loses_no_bytes_behind_it() {
    let sent = [glb(1000), b"ten bytes.".to_vec()].concat();
    let (fixture, ended) = visit("glb", |nth, ask| {
        let sent = [glb(1000), b"ten bytes.".to_vec()].concat();
        match nth {
            1 => Response::file(&sent).with_header(ETAG, "\"1\"").breaking_at(1000),
            _ => Response::range_response(&sent, ask.range_start()).with_header(ETAG, "\"1\""),
        }
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), sent);
    assert_eq!(asked(&fixture).len(), 2);
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

/// Cases L7: the answers to a range request that are not the rest of the file.
#[tokio::test]
async fn an_odd_answer_to_a_range_request_is_followed_by_a_request_for_the_whole_file() {
    let odd: [fn() -> Response; 8] = [
        || Response::status(416).with_header("content-range", "bytes */300"),
        || Response::status(416),
        || Response::status(304),
        || Response::file(&glb(1000)[400..]).with_status(206),
        || Response::file(&glb(1000)[300..]).with_content_range(300, 1000),
        || Response::file(&glb(1000)[400..]).with_content_range(400, 1005),
        || Response::file(&[&glb(1000)[400..], b"more"].concat()).with_content_range(400, 1000).chunked(),
        || Response::file(b"--x--").with_status(206).with_header("content-type", "multipart/byteranges; boundary=x"),
    ];
    for (case, answer) in odd.into_iter().enumerate() {
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => Response::file(&glb(1000)).breaking_at(400),
            2 => answer(),
            _ => Response::file(&glb(1000)),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{case}");
        assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400, 0], "{case}");
    }
}

/// The same at a URL that is spent and only continues by range.
#[tokio::test]
async fn a_refused_request_for_the_whole_file_does_not_lose_bytes_that_continue_by_range() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        2 => Response::status(304),
        _ if ask.range_start() == 0 => Response::status(403),
        _ => Response::range_response(&glb(1000), ask.range_start()),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400, 0, 400]);
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
    assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400, 0, 400, 0]);
    assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty());
}

/// Cases L6 and L9: content that is not the whole file proves nothing about the next response.
#[tokio::test]
async fn content_that_is_not_the_whole_file_is_requested_again() {
    let short = |bytes: usize| glb(1000)[..bytes].to_vec();
    let cases: [(&str, Vec<u8>, Vec<u8>); 4] = [
        ("glb", b"{\"code\":101,\"error\":\"gone\"}".to_vec(), glb(1000)),
        ("glb", short(600), glb(1000)),
        ("glb", Vec::new(), glb(1000)),
        ("png", png(500)[..400].to_vec(), png(500)),
    ];
    for (export_type, body, whole) in cases {
        let file = whole.clone();
        let (fixture, ended) = visit(export_type, move |nth, _| match nth {
            1 => Response::file(&body),
            _ => Response::file(&file),
        })
        .await;
        assert_eq!(saved(&ended, &format!("avatar.{export_type}")), whole);
        assert_eq!(asked(&fixture).len(), 2);
    }
    let (fixture, ended) = impatient_visit(move |_, _| Response::file(&short(600))).await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("header states 1000 bytes, but only 600"), "{why}");
}

/// Cases L6: a body whose end is that of the connection.
#[tokio::test]
async fn a_body_without_length_that_ends_early_is_continued() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)[..400]).with_header(ETAG, "\"1\"").without_length(),
        _ => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400]);
}

/// Cases L9: pages that arrive in pieces, encoded, or under another name.
#[tokio::test]
async fn received_bytes_are_kept_until_the_file_itself_is_sent() {
    let pages: [fn() -> Response; 8] = [
        || html_page().gzipped(),
        || html_page().sent_slowly(),
        || Response::file(b"<!-- portal -->\n<script>location='http://login/'</script>"),
        || Response::file(b"{\"error\":\"busy\"}"),
        || Response::file(b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>"),
        || Response::file(b"upstream connect error"),
        || Response::file(b""),
        || Response::file(b"\xff\xfe<\0h\0t\0m\0l\0>\0"),
    ];
    for (case, page) in pages.into_iter().enumerate() {
        let (fixture, ended) = visit("glb", move |nth, ask| match nth {
            1 => Response::file(&glb(1000)).breaking_at(400),
            2 => page(),
            _ if ask.range_start() == 0 => Response::status(403),
            _ => Response::range_response(&glb(1000), ask.range_start()),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{case}");
        assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400, 400], "{case}");
    }
}
/// Case L11.
#[tokio::test]
async fn a_file_over_the_size_limit_is_kept_for_a_larger_limit() {
    for endless in [false, true] {
        let mut fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            REDEEM_PATH => ask.ready_response(&[("png", "one")]),
            "/files/one" if endless => Response::file(&png(100_001)).chunked(),
            "/files/one" => Response::file(&png(100_001)),
            _ => Response::default(),
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
/// Checks that a visit ended for now, with everything kept, and returns its message.
async fn interrupted(fixture: &Fixture, ended: &copresence_engine::runner::VisitResult) -> String {
    let Outcome::DownloadInterrupted(why) = &ended.outcome else { panic!("{ended:?}") };
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code()), (6, "download_interrupted"));
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

/// Requests after which a client that counts its attempts would have given up.
const MANY_REQUESTS: usize = 7;

/// A visit whose file is answered with a status every time, interrupted after many requests.
async fn visit_of_a_failing_file_server(status: u16) {
    let (many, mut asked_many) = watch::channel(false);
    let fixture = Fixture::new(move |nth, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => {
            many.send_if_modified(|many| nth >= MANY_REQUESTS && !std::mem::replace(many, true));
            Response::status(status)
        }
        _ => Response::default(),
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
async fn a_url_is_lost_after_three_refusals_or_two_that_state_a_code() {
    const EXPIRED: &str = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    for status in [400, 401, 403, 404, 410, 451] {
        for (body, requests) in [("", 3), ("<html><title>404 Not Found</title></html>", 3), (EXPIRED, 2)] {
            let answer = move |_, _: &Request| Response::file(body.as_bytes()).with_status(status);
            let (fixture, ended) = visit("glb", answer).await;
            let (_, why) = incomplete(&fixture, &ended);
            assert!(why.contains(&status.to_string()) && why.contains("127.0.0.1:"), "{why}");
            assert_eq!(asked(&fixture).len(), requests, "{status} {body}");
        }
    }
}

/// A proxy, a firewall or a load balancer answers once in the file server's place.
#[tokio::test]
async fn one_refusal_loses_no_file() {
    for status in [400, 401, 403, 404, 410, 451] {
        for body in ["default backend - 404", "<html><title>Blocked</title></html>", "{\"code\":\"blocked\"}"] {
            let (fixture, ended) = visit("glb", move |nth, _| match nth {
                1 => Response::file(body.as_bytes()).with_status(status),
                _ => Response::file(&glb(1000)),
            })
            .await;
            assert_eq!(ended.outcome, Outcome::Saved, "{status} {body}");
            assert_eq!(asked(&fixture).len(), 2, "{status} {body}");
        }
    }
}

/// A network that asks for a login, a web server that is configured anew, an object store without the file yet. The pauses of
/// this test are a four-hundredth of those of a visit.
#[tokio::test]
async fn refusals_of_a_few_seconds_lose_no_file() {
    const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    const MISSING: &str = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
    for (status, body) in [(403, "<html><title>Log in</title></html>"), (404, ""), (403, DENIED), (404, MISSING)] {
        let first = std::sync::OnceLock::new();
        let answer = move |_, _: &Request| match first.get_or_init(std::time::Instant::now).elapsed() {
            elapsed if elapsed < Duration::from_millis(20) => Response::file(body.as_bytes()).with_status(status),
            _ => Response::file(&glb(1000)),
        };
        let (_fixture, ended) = visit("glb", answer).await;
        assert_eq!(ended.outcome, Outcome::Saved, "{status} {body}");
    }
}

/// As content delivery networks send it, also with an error that lasts.
#[tokio::test]
async fn a_server_that_asks_for_no_pause_is_not_requested_without_one() {
    let (fixture, ended) = impatient_visit(|_, _| Response::status(503).with_header("retry-after", "0")).await;
    interrupted(&fixture, &ended).await;
    assert!(asked(&fixture).len() < 20, "{} requests", asked(&fixture).len());
}

/// An ingress answers once, the file breaks off, and its URL is spent: each of both is requested until it has refused three
/// times in a row.
#[tokio::test]
async fn a_response_that_breaks_off_ends_a_row_of_refusals() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 | 2 => Response::file(b"default backend - 404").with_status(404),
        3 => Response::file(&glb(1000)).breaking_at(400),
        4 | 5 => Response::status(403),
        nth => Response::range_response(&glb(1000), if nth == 6 { 400 } else { 0 }),
    })
    .await;
    assert_eq!(ended.outcome, Outcome::Saved, "{ended:?}");
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 0, 0, 400, 0, 400]);
}

/// The last chunk is missing, the server announced too much, or the URL is spent: the file states its own length.
#[tokio::test]
async fn a_file_that_states_its_end_is_whole_however_the_response_ended() {
    // Bytes that were stated and did not come are requested once more.
    for (states_more, requests) in [(false, 1), (true, 2)] {
        let ending = move |response: Response| {
            if states_more { response.with_content_length(1002) } else { response.chunked().breaking_at(1000) }
        };
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => ending(Response::file(&glb(1000))),
            _ => Response::status(403),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
        assert_eq!(asked(&fixture).len(), requests);
    }
}

/// A response that ends early, or is a message, and looks whole on the wire.
#[tokio::test]
async fn doubtful_content_is_requested_again_and_kept_if_the_server_has_nothing_else() {
    let jpeg = [b"\xff\xd8\xff\xda\0\x04..".as_slice(), &[7; 500], b"\xff\xd9"].concat();
    let cut = jpeg[..300].to_vec();
    let message = b"Service temporarily unavailable, please retry".to_vec();
    for (kind, name, first, whole) in
        [("jpg", "avatar.jpg", &cut, &jpeg), ("fbx", "avatar_fbx.zip", &message, &glb(1000))]
    {
        let (start, rest) = (first.clone(), whole.clone());
        let (fixture, ended) = visit(kind, move |nth, _| Response::file(if nth == 1 { &start } else { &rest })).await;
        assert_eq!(saved(&ended, name), *whole, "{kind} {:?}", file_names(ended.directory.as_ref().expect("saved")));
        assert_eq!(asked(&fixture).len(), 2);
        for refuses in [false, true] {
            let only = first.clone();
            let (fixture, ended) = visit(kind, move |nth, _| match nth {
                2 if refuses => Response::status(404),
                _ => Response::file(&only),
            })
            .await;
            assert_eq!(saved(&ended, name), *first, "{kind} {refuses}");
            assert_eq!(asked(&fixture).len(), 2);
            let notes = manifest(&ended.directory.expect("saved")).files[0].notes.clone();
            assert!(notes.iter().any(|note| note.code == "doubtful_content"), "{notes:?}");
        }
    }
}

/// A server or a firewall that refuses ranges, or fails on each of them, sends the whole file.
#[tokio::test]
async fn a_refused_range_is_no_refusal_of_the_url() {
    for status in [400, 401, 403, 404, 410, 451, 500, 501, 503] {
        let (fixture, ended) = visit("glb", move |nth, ask| match nth {
            1 => Response::file(&glb(1000)).breaking_at(400),
            _ if ask.range_start() > 0 => Response::status(status),
            _ => Response::file(&glb(1000)),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{status}");
        assert!(asked(&fixture).len() <= 4, "{status}");
    }
}

/// Cases L8 and L10: what something in between answers, and refusals that say "not yet".
#[tokio::test]
async fn an_answer_that_does_not_refuse_the_url_is_followed_by_another_request() {
    let mut answers: Vec<Box<dyn Fn() -> Response + Send + Sync>> = Vec::new();
    for status in [201, 204, 205, 206, 300, 304, 302, 407, 409, 416, 420, 421, 423, 431, 499] {
        answers.push(Box::new(move || Response::file(&glb(1000)).with_status(status)));
    }
    answers.push(Box::new(|| Response::status(302).with_header("location", "/portal")));
    answers.push(Box::new(|| Response::status(302).with_header("location", "/files/one?again")));
    for (status, code, message) in [
        (403, "AccessDenied", "Request is not valid yet"),
        (403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        (400, "RequestTimeout", "Your socket connection was not read from or written to."),
        (409, "OperationAborted", "A conflicting operation is in progress. Try again."),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        answers.push(Box::new(move || Response::file(body.as_bytes()).with_status(status)));
    }
    for answer in answers {
        let case = format!("{:?}", answer());
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => answer(),
            _ => Response::file(&glb(1000)),
        })
        .await;
        assert_eq!(ended.outcome, Outcome::Saved, "{case}");
        assert!(asked(&fixture).len() <= 2, "{case}");
    }
}

/// The same file under other success statuses, from a URL that is spent afterwards.
#[tokio::test]
async fn a_203_and_a_206_from_the_first_byte_on_are_the_file() {
    let answers: [fn() -> Response; 2] =
        [|| Response::file(&glb(1000)).with_status(203), || Response::file(&glb(1000)).with_content_range(0, 1000)];
    for answer in answers {
        let case = format!("{:?}", answer());
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => answer(),
            _ => Response::status(410),
        })
        .await;
        assert_eq!(ended.outcome, Outcome::Saved, "{case}");
        assert_eq!(asked(&fixture).len(), 1, "{case}");
    }
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)[..400]).with_status(206).with_header("content-range", "bytes 0-399/1000"),
        _ if ask.range_start() == 0 => Response::status(410),
        _ => Response::range_response(&glb(1000), ask.range_start()),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 400]);
}

/// A backend whose one-time link redirects to `/storage` once. `storage` answers the n-th request there.
async fn fixture_with_redirecting_url(
    storage: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> Fixture {
    Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302).with_header("location", "/storage?sig=planted-signature"),
        ("/files/one", _) => Response::status(410),
        (path, _) if path.starts_with("/storage") => storage(nth, ask),
        _ => Response::default(),
    })
    .await
}

/// Case L13: a one-time link that redirects to the storage.
#[tokio::test]
async fn a_redirected_download_continues_at_its_target() {
    // The number of the first failures of the storage, before and after a response that breaks off.
    for (failures_before, failures_after) in [(0, 0), (1, 0), (2, 0), (5, 0), (0, 1), (0, 2), (2, 2)] {
        let fixture = fixture_with_redirecting_url(move |nth, ask| match nth {
            nth if nth <= failures_before => Response::status(503),
            nth if nth == failures_before + 1 => Response::file(&glb(1000)).breaking_at(400),
            nth if nth <= failures_before + 1 + failures_after => Response::no_response(),
            _ => Response::range_response(&glb(1000), ask.range_start()),
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{failures_before}, {failures_after}");
        assert!(asked(&fixture).len() <= 6, "a refused URL is not requested again while its target may have the file");
    }
}

/// The values of `files.redirected_to` in the journal, as another program reads them.
fn journalled_redirect_targets(fixture: &Fixture) -> Vec<Option<String>> {
    let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
    let mut query = journal.prepare("SELECT redirected_to FROM files").expect("a column");
    let targets = query.query_map([], |row| row.get(0)).expect("reads");
    targets.collect::<rusqlite::Result<_>>().expect("reads")
}

#[tokio::test]
async fn the_redirect_target_of_a_spent_url_is_requested_after_a_restart() {
    for has_bytes in [false, true] {
        let is_up = Arc::new(AtomicBool::new(false));
        let up = is_up.clone();
        let fixture = fixture_with_redirecting_url(move |nth, ask| match nth {
            1 if has_bytes => Response::file(&glb(1000)).breaking_at(400),
            _ if !up.load(Ordering::SeqCst) => Response::status(503),
            _ if has_bytes => Response::range_response(&glb(1000), ask.range_start()),
            _ => Response::file(&glb(1000)),
        })
        .await;
        let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
        interrupted(&fixture, &ended).await;
        let target = fixture.backend.url.join("/storage?sig=planted-signature").expect("a URL");
        assert_eq!(journalled_redirect_targets(&fixture), [Some(target.to_string())]);
        is_up.store(true, Ordering::SeqCst);
        let all = recover_fixture_visits(&fixture).await;
        assert_eq!(all[0].outcome.exit_code(), 0, "has bytes: {has_bytes}: {all:?}");
        assert_eq!(journalled_redirect_targets(&fixture), [None], "it is erased like the URL");
    }
}

/// Signed cookies, as content delivery networks use them.
#[tokio::test]
async fn a_download_is_continued_at_a_redirect_target_with_the_cookie_of_the_redirect() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302)
            .with_header("location", ask.url("/storage/1"))
            .with_header("set-cookie", "signed=abcdef; Path=/storage"),
        ("/files/one", _) => Response::status(410),
        ("/storage/1", _) if ask.header("cookie") != Some("signed=abcdef") => Response::status(403),
        ("/storage/1", 1) => Response::file(&glb(1000)).breaking_at(400),
        ("/storage/1", _) => Response::range_response(&glb(1000), ask.range_start()),
        _ => Response::default(),
    })
    .await;
    assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));
}

#[tokio::test]
async fn a_refused_redirect_target_leads_back_to_the_url() {
    // The signature of the first target expires during an outage, and the URL issues another.
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302).with_header("location", "/storage/1"),
        ("/files/one", _) => Response::status(302).with_header("location", "/storage/2"),
        ("/storage/1", 1) => Response::file(&glb(1000)).breaking_at(400),
        ("/storage/1", _) => Response::status(403),
        ("/storage/2", _) => Response::range_response(&glb(1000), ask.range_start()),
        _ => Response::default(),
    })
    .await;
    assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));

    let fixture = fixture_with_redirecting_url(|nth, _| Response::status(if nth < 3 { 503 } else { 403 })).await;
    let ended = fixture.run_visit().await;
    let (_, why) = incomplete(&fixture, &ended);
    assert!(why.contains("410") && why.contains("403"), "both refused: {why}");
    assert_eq!(journalled_redirect_targets(&fixture), [None]);
}

#[tokio::test]
async fn a_login_page_that_a_redirect_led_to_does_not_replace_the_url() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::status(302).with_header("location", "/portal"),
        ("/files/one", 2) => Response::status(302).with_header("location", "/storage"),
        ("/files/one", _) => Response::status(410),
        ("/portal", _) => html_page(),
        ("/storage", 1 | 2) => Response::status(503),
        ("/storage", _) => Response::file(&glb(1000)),
        _ => Response::default(),
    })
    .await;
    assert_eq!(saved(&fixture.run_visit().await, "avatar.glb"), glb(1000));
}

/// Case L19.
#[tokio::test]
async fn the_same_one_time_url_twice_in_a_delivery_is_one_file_under_two_names() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("glb", "one")]),
        ("/files/one", 1) => Response::file(&glb(1000)),
        ("/files/one", _) => Response::status(403),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    let directory = ended.directory.expect("a folder");
    let files = manifest(&directory).files;
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| std::fs::read(directory.join(&file.path)).expect("saved") == glb(1000)));
}

/// Case L19, on a disk that cannot hold the copy.
#[tokio::test]
async fn a_file_whose_copy_failed_is_copied_by_recovery() {
    let root = tempfile::tempdir().expect("a folder");
    let out = root.path().join("out");
    let blocked = Arc::new(std::sync::Mutex::new(None));
    let folder_in_the_way = blocked.clone();
    let script = move |nth: usize, ask: &Request| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("glb", "one")]),
        ("/files/one", 1) => Response::file(&glb(1000)),
        // The last of three refusals.
        ("/files/one", 4) => {
            let partial =
                std::fs::read_dir(&out).expect("a folder").next().expect("the partial folder").expect("reads");
            let path = partial.path().join("avatar-2.glb");
            std::fs::create_dir(&path).expect("made");
            *folder_in_the_way.lock().expect("no panic") = Some(path);
            Response::status(403)
        }
        ("/files/one", _) => Response::status(403),
        _ => Response::default(),
    };
    let fixture = Fixture::with_root(root, super::backend::Backend::start(script).await);
    let ended = fixture.run_visit_with_limits(|limits| limits.parallel_downloads = 1).await;
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code(), &ended.directory), (7, "storage_failed", &None));
    assert!(fixture.only_visit().await.visit.is_unfinished);
    let path = blocked.lock().expect("no panic").take().expect("the second request came");
    std::fs::remove_dir(path).expect("removed");
    let before = fixture.backend.count_requests("/files/one");
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all[0].outcome.exit_code(), 0, "{all:?}");
    assert_eq!(fixture.backend.count_requests("/files/one"), before, "nothing is requested again");
}

/// Cases U1 and U8.
#[tokio::test]
async fn a_file_whose_completeness_could_not_be_checked_has_a_note() {
    let fbx = b"Kaydara FBX Binary  \0\x1a\0 and more";
    let notes = |ended: &copresence_engine::runner::VisitResult| {
        assert_eq!(ended.outcome, Outcome::Saved);
        let manifest = manifest(ended.directory.as_ref().expect("a folder"));
        manifest.files[0].notes.iter().map(|note| note.code.clone()).collect::<Vec<_>>()
    };
    let (_fixture, ended) = visit("fbx", |_, _| Response::file(fbx).without_length()).await;
    assert_eq!(notes(&ended), ["length_unknown"]);
    let (_fixture, ended) = visit("fbx", |_, _| Response::file(fbx).chunked()).await;
    assert!(notes(&ended).is_empty(), "chunks have an end");
    let (_fixture, ended) = visit("glb", |_, _| Response::file(&glb(1000)).without_length()).await;
    assert!(notes(&ended).is_empty(), "a GLB states its length");
    for etag in ["\"1\"", ""] {
        let (_fixture, ended) = visit("glb", move |nth, ask| match nth {
            1 => Response::file(&glb(1000)).with_header(ETAG, etag).breaking_at(400),
            _ => Response::range_response(&glb(1000), ask.range_start()),
        })
        .await;
        assert_eq!(notes(&ended), ["joined_unverified"]);
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
    assert_eq!(back.load(Ordering::SeqCst), 3, "a URL that was refused three times is not requested again");
    let incomplete = fixture.data_store.data.incomplete_avatars_path();
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
    let change = |limits: &mut copresence_store::VisitDownloadLimits| {
        (limits.patience, limits.parallel_downloads) = (SHORT_PATIENCE, 1);
    };
    let ended = fixture.run_visit_with_limits(change).await;
    assert_eq!(ended.outcome.error_code(), "download_interrupted");
    let record = fixture.only_visit().await;
    let is_complete = |file: &copresence_store::FileRecord| matches!(file.state, FileState::Complete { .. });
    assert_eq!(record.files.iter().filter(|file| is_complete(file)).count(), 1);
    assert!(!ended.outcome.detail_for_operator().expect("why").contains("one-time"), "{ended:?}");
}

#[tokio::test]
async fn files_of_a_silent_server_do_not_keep_the_others_from_being_requested() {
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let silent = (0..4).map(|index| ("fbx".to_owned(), ask.url(&format!("/silent/{index}"))));
            let all = silent.chain([("glb".to_owned(), ask.url("/files/one"))]);
            let exports: Vec<_> =
                all.map(|(kind, url)| serde_json::json!({"export_type": kind, "download_URL": url})).collect();
            Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": exports}))
        }
        "/files/one" => Response::file(&glb(1000)),
        path if path.starts_with("/silent/") => Response::no_response(),
        _ => Response::default(),
    })
    .await;
    let mut words = fixture.watch_event_names();
    let (visit, interrupt) = fixture.spawn_visit().await;
    words.wait_for(|words| words.contains(&"progress")).await.expect("a file is received");
    interrupt.cancel();
    visit.await.expect("no panic");
    assert_eq!(fixture.backend.count_requests("/files/one"), 1);
}

/// The program does not send the user name of a URL, so that a refusal of it proves nothing.
#[tokio::test]
async fn a_url_with_a_user_name_is_not_lost_by_a_401() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let url = ask.url("/files/one").replace("://", "://user:password@");
            let exports = [serde_json::json!({"export_type": "glb", "download_URL": url})];
            Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": exports}))
        }
        "/files/one" => Response::status(401),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
    interrupted(&fixture, &ended).await;
    let why = ended.outcome.detail_for_operator().expect("why");
    assert!(why.contains("user name") && !why.contains("password"), "{why}");
}

#[tokio::test]
async fn the_time_to_keep_trying_makes_a_file_lost() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::status(503),
        _ => Response::default(),
    })
    .await;
    let change = |limits: &mut copresence_store::VisitDownloadLimits| {
        (limits.keep_trying, limits.patience) = (SHORT_PATIENCE, SHORT_PATIENCE);
    };
    let ended = fixture.run_visit_with_limits(change).await;
    let (_, why) = incomplete(&fixture, &ended);
    assert!(why.contains("503") && why.contains("`downloads.keep_trying`"), "{why}");
    assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty());
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

/// Three bytes do not show yet whether they begin the file or an error page. A one-time URL that sent them continues by
/// range only if they are on disk.
#[tokio::test]
async fn the_first_bytes_of_a_stalled_download_survive_a_crash() {
    let mut fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth, ask.range_start()) {
        (REDEEM_PATH, ..) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1, _) => Response::file(&glb(1000)).stalling_at(3),
        ("/files/one", _, from) if from > 0 => Response::range_response(&glb(1000), from),
        ("/files/one", ..) => Response::status(410),
        _ => Response::default(),
    })
    .await;
    fixture.profile.timeouts.read = Duration::from_hours(1);
    fixture.profile.limits.patience = Duration::from_hours(1);
    let (visit, _interrupt) = fixture.spawn_visit().await;
    let journalled = async {
        loop {
            if let [file] = fixture.only_visit().await.files.as_slice()
                && matches!(&file.state, FileState::Requested(progress) if progress.bytes == 3)
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = async { fixture.backend.wait_for_requests("/files/one", 1).await; journalled.await } => {}
        () = tokio::time::sleep(Duration::from_mins(1)) => panic!("the bytes stay in memory"),
    }
    visit.abort();
    assert!(visit.await.expect_err("aborted").is_cancelled());
    let recovered = recover_fixture_visits(&fixture).await;
    assert_eq!(recovered.iter().map(|visit| visit.outcome.exit_code()).collect::<Vec<_>>(), [0]);
    assert_eq!(asked(&fixture).iter().map(Request::range_start).collect::<Vec<_>>(), [0, 3]);
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
