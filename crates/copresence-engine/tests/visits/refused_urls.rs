//! Refusals of a file URL: how many make a file lost, and which responses are no refusal.

use super::backend::{Request, Response, glb};
use super::fixture::{
    Fixture, REDEEM_PATH, SHORT_PATIENCE, asked, incomplete, interrupted, range_starts, saved, visit,
};
use copresence_engine::Outcome;
use std::time::Duration;

#[tokio::test]
async fn a_spent_url_is_not_retried_and_received_bytes_are_kept() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        _ => Response::status(404),
    })
    .await;
    let (directory, _) = incomplete(&fixture, &ended);
    assert_eq!(std::fs::read(directory.join("avatar.glb.part")).expect("kept"), glb(1000)[..400]);
    assert_eq!(range_starts(&fixture), [0, 1, 0, 400, 0, 400, 0], "a range and the whole file count as one");
    assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_url_is_lost_after_three_refusals_or_two_final_ones() {
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

/// The same after a break in the middle of a file, where each time the range and the whole file are requested: a file server
/// or its gateway that starts again.
#[tokio::test]
async fn refusals_of_a_few_seconds_lose_no_interrupted_file() {
    const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    for (status, body) in [
        (403, DENIED),
        (404, "{\"statusCode\":404,\"message\":\"Resource not found\"}"),
        (404, "{\"statusCode\":404,\"message\":\"Cannot GET /f/1\",\"error\":\"Not Found\"}"),
        (404, "{\"error\":{\"code\":404,\"message\":\"Not found\"}}"),
        (404, "404 page not found"),
    ] {
        for is_redirected in [false, true] {
            let refused_since = std::sync::OnceLock::new();
            let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
                (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
                ("/files/one", 1) if is_redirected => Response::status(302).with_header("location", "/storage"),
                ("/files/one", _) if is_redirected => {
                    Response::json(&serde_json::json!({"code": 101, "error": "this URL has been used"}))
                        .with_status(410)
                }
                ("/files/one" | "/storage", 1) => Response::file(&glb(1000)).breaking_at(400),
                ("/files/one" | "/storage", _) => match refused_since.get_or_init(std::time::Instant::now).elapsed() {
                    elapsed if elapsed < Duration::from_millis(20) => {
                        Response::file(body.as_bytes()).with_status(status)
                    }
                    _ => Response::range_response(&glb(1000), ask.range_start()),
                },
                _ => Response::default(),
            })
            .await;
            let ended = fixture.run_visit().await;
            assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{status} {body}, redirected: {is_redirected}");
        }
    }
}

/// A gateway's JSON repeats the status; that is no code of a file server.
#[tokio::test]
async fn a_status_in_the_body_is_no_code_of_the_file_server() {
    for body in [
        "{\"statusCode\":404,\"message\":\"Resource not found\"}",
        "{\"status\":404,\"error\":\"Not Found\",\"message\":\"No static resource\"}",
        "{\"code\":\"404\",\"message\":\"no route\"}",
    ] {
        let (fixture, ended) = visit("glb", move |_, _| Response::file(body.as_bytes()).with_status(404)).await;
        incomplete(&fixture, &ended);
        assert_eq!(asked(&fixture).len(), 3, "{body}");
    }
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
    assert_eq!(range_starts(&fixture), [0, 0, 0, 1, 0, 400]);
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
