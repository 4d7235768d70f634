//! Networks and backends as they are in the field: gates that answer in the backend's place, failures after the effect,
//! and logins. Each test is named after what happened.

use super::backend::{Request, Response, glb};
use super::fixture::{API_KEY, Fixture, GENERATE_PATH, REDEEM_PATH};
use copresence_engine::Credentials;
use copresence_engine::events::EventKind;
use copresence_engine::runner::{VisitResult, run_visit};
use copresence_protocol::{ApiKey, Password, Username};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LOGIN_PATH: &str = "/login";
const HOTEL_PAGE: &str = "<!DOCTYPE html><html><head><title>Hotel Wi-Fi</title></head><body>Welcome</body></html>";

/// A page of something between the kiosk and the backend.
fn page(status: u16, body: &str) -> Response {
    Response::file(body.as_bytes()).with_status(status).with_header("content-type", "text/html; charset=utf-8")
}

/// What a working backend answers.
fn good_response(ask: &Request) -> Response {
    match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "avatar")]),
        GENERATE_PATH => Response::default(),
        LOGIN_PATH => Response::json(&serde_json::json!({"sessionToken": "r:from-the-login"})),
        _ => Response::file(&glb(500)),
    }
}

fn use_login(fixture: &mut Fixture) {
    fixture.target.credentials = Credentials {
        api_key: Some(ApiKey::new(API_KEY)),
        login: Some((Username::new("jane@partner.test"), Password::new("planted-password"))),
        ..Credentials::default()
    };
}

/// The codes and messages of the `retrying` events.
fn retries(fixture: &Fixture) -> Vec<(String, String)> {
    fixture
        .events()
        .into_iter()
        .filter_map(|event| match event {
            EventKind::Retrying { code, message, .. } => Some((code, message)),
            _ => None,
        })
        .collect()
}

/// A visit that is given up soon after everything fails.
async fn run_impatient_visit(fixture: &Fixture) -> VisitResult {
    fixture.run_visit_with_limits(|limits| limits.patience = Duration::from_millis(400)).await
}

/// The code, the exit code and the message of the last event.
fn end(fixture: &Fixture) -> (String, u8, String) {
    match fixture.events().pop() {
        Some(EventKind::Ended { code, exit, message, .. }) => (code, exit, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_403_or_401_with_an_html_page_in_the_middle_of_polling_is_a_gate_and_endured() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1 | 4) => Response::not_ready("processing"),
        (REDEEM_PATH, 2) => page(403, "<html><title>Access denied | example WAF</title></html>"),
        (REDEEM_PATH, 3) => page(401, "<html></html>"),
        (REDEEM_PATH, 5) => page(400, "<html><title>400 Bad Request</title></html>"),
        _ => good_response(ask),
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome.exit_code(), 0);
    let retries = retries(&fixture);
    assert_eq!(retries.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["gate", "gate", "gate"]);
    assert_eq!(
        retries[0].1,
        "a gate in between answered with an HTML page in response to redeem (status 403, “Access denied | example WAF”)"
    );
}

#[tokio::test]
async fn a_gate_that_stays_is_named_when_patience_ends() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => page(403, "<html><title>Access denied</title></html>"),
        _ => good_response(ask),
    })
    .await;
    run_impatient_visit(&fixture).await;
    let (code, exit, message) = end(&fixture);
    assert_eq!((code.as_str(), exit), ("gate", 6));
    assert!(message.contains("a gate in between answered with an HTML page"), "{message}");
    assert!(message.contains("status 403, “Access denied”"), "{message}");
    assert!(fixture.backend.count_requests(REDEEM_PATH) > 1);
    // The token is kept, and recovered once the gate is open.
    assert!(fixture.only_visit().await.visit.ending.is_some_and(|ending| ending.exit == 6));
}

#[tokio::test]
async fn a_captive_portal_at_login_generate_and_redeem_is_endured() {
    for at in [LOGIN_PATH, GENERATE_PATH, REDEEM_PATH] {
        let portals: [(fn() -> Response, bool); 4] = [
            (|| page(200, HOTEL_PAGE), false),
            (|| page(511, HOTEL_PAGE), true),
            (|| Response::status(302).with_header("location", "http://login.hotel.test/"), false),
            (|| Response::status(407), true),
        ];
        for (portal, proves_not_forwarded) in portals {
            let mut fixture = Fixture::new(move |nth, ask| match ask.path.as_str() {
                path if path == at && nth <= 2 => portal(),
                _ => good_response(ask),
            })
            .await;
            use_login(&mut fixture);
            assert_eq!(fixture.run_visit().await.outcome.exit_code(), 0, "{at}");
            let retries = retries(&fixture);
            assert!(retries.len() == 2 && retries.iter().all(|(code, _)| code == "gate"), "{at}: {retries:?}");
            assert!(retries[0].1.contains("asks for a login"), "{retries:?}");
            // A page may replace the response with a token.
            let may_hide_token = at == GENERATE_PATH && !proves_not_forwarded;
            assert_eq!(retries[0].1.contains("issued"), may_hide_token, "{retries:?}");
        }
    }
}

#[tokio::test]
async fn a_captive_portal_that_stays_ends_the_visit_as_this_network_asks_for_a_login() {
    for at in [LOGIN_PATH, GENERATE_PATH, REDEEM_PATH] {
        let mut fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            path if path == at => page(200, HOTEL_PAGE),
            _ => good_response(ask),
        })
        .await;
        use_login(&mut fixture);
        run_impatient_visit(&fixture).await;
        let (code, exit, message) = end(&fixture);
        assert_eq!((code.as_str(), exit), ("gate", 6), "{at}");
        assert!(message.contains("this network asks for a login") && message.contains("“Hotel Wi-Fi”"), "{message}");
    }
}

#[tokio::test]
async fn redeem_answered_500_after_it_spent_the_token_then_400_is_possibly_consumed() {
    for status in [500, 501, 502, 503, 504, 520] {
        for body in ["", HOTEL_PAGE, r#"{"code":1,"error":"Internal server error."}"#] {
            let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
                (REDEEM_PATH, 1) => Response::not_ready("processing"),
                (REDEEM_PATH, 2) => Response::file(body.as_bytes()).with_status(status),
                (REDEEM_PATH, _) => Response::status(400),
                _ => good_response(ask),
            })
            .await;
            fixture.run_visit().await;
            let (code, exit, message) = end(&fixture);
            assert_eq!((code.as_str(), exit), ("possibly_consumed", 10), "{status} {body}");
            assert!(message.contains(&format!("status {status}")), "the evidence: {message}");
        }
    }
}

#[tokio::test]
async fn a_gates_page_then_400_is_possibly_consumed_unless_it_certainly_did_not_forward() {
    for (gate, exit) in [(200, 10), (403, 10), (404, 10), (407, 4), (511, 4)] {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => page(gate, HOTEL_PAGE),
            (REDEEM_PATH, _) => Response::status(400),
            _ => good_response(ask),
        })
        .await;
        assert_eq!(fixture.run_visit().await.outcome.exit_code(), exit, "{gate}");
    }
}

#[tokio::test]
async fn generate_answered_500_after_its_effect_issues_at_most_three_tokens_and_says_so() {
    for status in [500, 502, 503] {
        let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            GENERATE_PATH => Response::status(status),
            _ => good_response(ask),
        })
        .await;
        run_impatient_visit(&fixture).await;
        let (code, exit, message) = end(&fixture);
        assert_eq!((code.as_str(), exit), ("backend_failing", 6));
        assert!(message.contains("up to 3 Export Tokens may have been issued and billed"), "{message}");
        assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 3);
    }
}

#[tokio::test]
async fn generate_whose_token_cannot_be_used_says_that_it_may_be_billed() {
    for (body, told) in [
        (json!({"tokens": []}), "an Export Token may have been issued and billed"),
        (json!({"token": "t".repeat(3_000)}), "an Export Token was issued and billed, and cannot be shown"),
    ] {
        let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            GENERATE_PATH => Response::json(&body),
            _ => good_response(ask),
        })
        .await;
        fixture.run_visit().await;
        let (code, _, message) = end(&fixture);
        assert_eq!(code, "protocol_broken");
        assert!(message.contains(told), "{message}");
        assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1);
    }
}

#[tokio::test]
async fn a_login_behind_a_502_is_retried_as_any_other_call_is() {
    let mut fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (LOGIN_PATH, 1..=5) => page(502, "<html><title>502 Bad Gateway</title></html>"),
        _ => good_response(ask),
    })
    .await;
    use_login(&mut fixture);
    assert_eq!(fixture.run_visit().await.outcome.exit_code(), 0);
    let retries = retries(&fixture);
    assert!(retries.len() == 5 && retries.iter().all(|(code, _)| code == "backend_failing"), "{retries:?}");
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1);
}

#[tokio::test]
async fn a_wrong_path_in_api_url_is_no_api_at_this_address() {
    for (at, body) in [
        (LOGIN_PATH, "<!DOCTYPE html><pre>Cannot POST /login</pre>"),
        (GENERATE_PATH, r#"{"detail":"Not Found"}"#),
        (REDEEM_PATH, ""),
    ] {
        let mut fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            path if path == at => Response::file(body.as_bytes()).with_status(404),
            _ => good_response(ask),
        })
        .await;
        use_login(&mut fixture);
        run_impatient_visit(&fixture).await;
        let (code, exit, message) = end(&fixture);
        assert_eq!((code.as_str(), exit), ("no_api", 2), "{at}");
        assert!(message.contains("no API at this address") && message.contains("api_url"), "{message}");
        assert!(retries(&fixture).iter().all(|(code, _)| code == "no_api"));
    }
}

#[tokio::test]
async fn the_visits_of_a_run_share_one_session() {
    let mut fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        // The third visit finds the session revoked: one new login.
        (GENERATE_PATH, 3) => {
            Response::json(&serde_json::json!({"code": 209, "error": "Invalid session token"})).with_status(400)
        }
        _ => good_response(ask),
    })
    .await;
    use_login(&mut fixture);
    let context = fixture.visit_context();
    for _ in 0..4 {
        let config = fixture.visit_config().await;
        let ended = run_visit(config, context.clone(), CancellationToken::new()).await;
        assert_eq!(ended.outcome.exit_code(), 0);
    }
    assert_eq!((fixture.backend.count_requests(LOGIN_PATH), fixture.backend.count_requests(GENERATE_PATH)), (2, 5));
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_however_often_a_visit_starts() {
    let mut fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        LOGIN_PATH => {
            Response::json(&serde_json::json!({"code": 101, "error": "Invalid username/password."})).with_status(404)
        }
        _ => good_response(ask),
    })
    .await;
    use_login(&mut fixture);
    let context = fixture.visit_context();
    for _ in 0..3 {
        let config = fixture.visit_config().await;
        run_visit(config, context.clone(), CancellationToken::new()).await;
        let (code, exit, message) = end(&fixture);
        assert_eq!((code.as_str(), exit), ("credentials_refused", 3));
        assert!(message.contains("Invalid username/password."), "{message}");
    }
    assert_eq!(fixture.backend.count_requests(LOGIN_PATH), 1);
}
