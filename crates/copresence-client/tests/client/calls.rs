//! API calls with complete responses.

use crate::support::{API_KEY, SESSION, TOKEN, api, recorded_api, token, with_login, with_session};
use copresence_client::{
    BackendWithRoutes, CallError, CallKind, Credentials, ErrorClass, LoginRoute, NoRecorder, PartnerTokenSource,
    RedeemEndpoint, TokenSource,
};
use copresence_protocol::{PartnerKey, RedeemResponse};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use wiremock::matchers::{body_json, header, header_exists, method, path};
use wiremock::{Match, Mock, MockServer, Request, ResponseTemplate};

struct NoHeader(&'static str);

impl Match for NoHeader {
    fn matches(&self, request: &Request) -> bool {
        !request.headers.contains_key(self.0)
    }
}

fn server_url(server: &MockServer, path: &str) -> Url {
    Url::parse(&format!("{}{path}", server.uri())).expect("a URL")
}

async fn mount_response(
    server: &MockServer,
    mock: wiremock::MockBuilder,
    status: u16,
    body: serde_json::Value,
    times: u64,
) {
    mock.respond_with(ResponseTemplate::new(status).set_body_json(body)).expect(times).mount(server).await;
}

fn login_request() -> wiremock::MockBuilder {
    Mock::given(method("POST"))
        .and(path("/login"))
        .and(header("x-copresence-rest-api-key", API_KEY))
        .and(body_json(json!({ "username": "jane@partner.test", "password": "pass \"word\"" })))
}

fn generate_request(session: &str) -> wiremock::MockBuilder {
    Mock::given(method("POST"))
        .and(path("/generateExportToken"))
        .and(header("x-copresence-rest-api-key", API_KEY))
        .and(header("x-copresence-session-token", session))
}

#[tokio::test]
async fn a_token_is_generated_with_the_headers_of_the_specification() {
    let server = MockServer::start().await;
    mount_response(
        &server,
        generate_request(SESSION).and(header_exists("user-agent")),
        201,
        json!({ "token": TOKEN }),
        1,
    )
    .await;
    let made = api(server_url(&server, ""), with_session()).generate_token().await.expect("a token");
    assert_eq!(made, token());
    let requests = server.received_requests().await.expect("recorded");
    let agent = format!("copresence-kiosk/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(requests[0].headers["user-agent"], agent.as_str());
    assert_eq!(requests[0].headers["accept-encoding"], "identity");
    assert_eq!(requests[0].headers["content-length"], "0");
}

#[tokio::test]
async fn concurrent_calls_log_in_once_and_keep_the_session() {
    let server = MockServer::start().await;
    mount_response(&server, login_request(), 200, json!({ "sessionToken": "r:new" }), 1).await;
    mount_response(&server, generate_request("r:new"), 200, json!({ "token": TOKEN }), 8).await;
    let api = api(server_url(&server, ""), with_login());
    let made = futures_util::future::join_all((0..8).map(|_| api.generate_token())).await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

#[tokio::test]
async fn a_rejected_session_is_renewed_once() {
    for (status, body) in
        [(401, json!({})), (403, json!({})), (400, json!({ "code": 209 })), (404, json!({ "code": 209 }))]
    {
        let server = MockServer::start().await;
        mount_response(&server, login_request(), 200, json!({ "sessionToken": "r:new" }), 1).await;
        mount_response(&server, generate_request(SESSION), status, body, 1).await;
        mount_response(&server, generate_request("r:new"), 201, json!({ "token": TOKEN }), 2).await;
        let credentials = Credentials { session_token: with_session().session_token, ..with_login() };
        let api = api(server_url(&server, ""), credentials);
        assert_eq!(api.generate_token().await.expect("a token"), token());
        assert_eq!(api.generate_token().await.expect("another"), token());
    }
}

#[tokio::test]
async fn rejected_credentials_are_not_retried() {
    let server = MockServer::start().await;
    mount_response(&server, login_request(), 200, json!({ "sessionToken": "r:new" }), 1).await;
    mount_response(&server, generate_request("r:new"), 403, json!({ "error": "no business account r:new" }), 1).await;
    let error = api(server_url(&server, ""), with_login()).generate_token().await.expect_err("refused");
    let CallError::ErrorResponse(refusal) = &error else { panic!("{error}") };
    assert_eq!((refusal.call, &refusal.class), (CallKind::Generate, &ErrorClass::CredentialsRejected));
    assert!(error.to_string().contains("no business account"), "{error}");
}

#[tokio::test]
async fn other_errors_of_generate_are_not_retried() {
    for (status, class) in
        [(400, ErrorClass::CredentialsRejected), (429, ErrorClass::RateLimited), (500, ErrorClass::ServerError)]
    {
        let server = MockServer::start().await;
        let reply = ResponseTemplate::new(status).insert_header("retry-after", "9");
        generate_request(SESSION).respond_with(reply).expect(1).mount(&server).await;
        let credentials = Credentials { session_token: with_session().session_token, ..with_login() };
        let error = api(server_url(&server, ""), credentials).generate_token().await.expect_err("refused");
        let CallError::ErrorResponse(refusal) = error else { panic!("{error}") };
        assert_eq!(refusal.class, class);
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(9)));
    }
}

/// The refusal, gate or failure with which the login ended.
fn login_failure(error: CallError) -> copresence_client::ErrorResponse {
    let CallError::LoginFailed(inner) = error else { panic!("{error}") };
    let CallError::ErrorResponse(refusal) = *inner else { panic!("{inner}") };
    assert_eq!(refusal.call, CallKind::Login);
    refusal
}

#[tokio::test]
async fn a_wrong_password_is_sent_once_and_the_backends_words_are_kept() {
    let server = MockServer::start().await;
    mount_response(&server, login_request(), 404, json!({ "code": 101, "error": "Invalid username/password." }), 1)
        .await;
    let api = api(server_url(&server, ""), with_login());
    for _ in 0..3 {
        let refusal = login_failure(api.clone().generate_token().await.expect_err("refused"));
        assert_eq!(refusal.class, ErrorClass::CredentialsRejected);
        assert_eq!(
            refusal.to_string(),
            "the backend rejected the credentials of login (status 404, code 101: Invalid username/password.)"
        );
    }
}

#[tokio::test]
async fn a_login_that_was_not_refused_is_repeated() {
    for (status, body) in [(502, "<html><title>502 Bad Gateway</title>"), (503, ""), (403, "<html>"), (200, "<html>")] {
        let server = MockServer::start().await;
        login_request()
            .respond_with(ResponseTemplate::new(status).set_body_string(body))
            .up_to_n_times(1)
            .expect(1)
            .mount(&server)
            .await;
        mount_response(&server, login_request(), 200, json!({ "sessionToken": "r:new" }), 1).await;
        mount_response(&server, generate_request("r:new"), 200, json!({ "token": TOKEN }), 1).await;
        let api = api(server_url(&server, ""), with_login());
        let failure = login_failure(api.generate_token().await.expect_err("it fails"));
        assert_eq!(failure.class == ErrorClass::ServerError, body.is_empty(), "{failure}");
        assert_eq!(api.generate_token().await.expect("a token"), token());
    }
}

#[tokio::test]
async fn a_run_logs_in_once_and_logs_that_session_out() {
    let server = MockServer::start().await;
    mount_response(&server, login_request(), 200, json!({ "sessionToken": "r:new" }), 1).await;
    mount_response(&server, generate_request("r:new"), 200, json!({ "token": TOKEN }), 20).await;
    let logout = Mock::given(method("POST"))
        .and(path("/logout"))
        .and(header("x-copresence-rest-api-key", API_KEY))
        .and(header("x-copresence-session-token", "r:new"));
    mount_response(&server, logout, 500, json!({}), 1).await;
    let mut backend = BackendWithRoutes::copresence_backend_from_url(server_url(&server, ""));
    backend.login_route.logout_path = Some("logout".to_owned());
    let api = recorded_api(backend.clone(), with_login(), Arc::new(NoRecorder));
    // Nothing to log out yet.
    api.log_out_own_session().await;
    for _ in 0..20 {
        api.clone().generate_token().await.expect("a token");
    }
    api.log_out_own_session().await;
    api.log_out_own_session().await;
    // A session token that somebody else logged in is left alone.
    let credentials = Credentials { session_token: with_session().session_token, ..with_login() };
    recorded_api(backend, credentials, Arc::new(NoRecorder)).log_out_own_session().await;
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_a_gates() {
    let portal = "<!doctype html><title>Hotel Wi-Fi</title>";
    let named = |error: CallError| {
        let CallError::ErrorResponse(refusal) = &error else { panic!("{error}") };
        assert!(matches!(refusal.class, ErrorClass::Gate(_)), "{error}");
        error.to_string()
    };
    for status in [200, 401, 403, 500] {
        let server = MockServer::start().await;
        let reply = ResponseTemplate::new(status).set_body_raw(portal, "text/html");
        Mock::given(path("/generateExportToken")).respond_with(reply.clone()).expect(1).mount(&server).await;
        Mock::given(path("/redeemExportToken")).respond_with(reply).expect(1).mount(&server).await;
        // With a login, because a 401 of the backend would mean that the session is over.
        let credentials = Credentials { session_token: with_session().session_token, ..with_login() };
        let api = api(server_url(&server, ""), credentials);
        let words = named(api.generate_token().await.expect_err("a page"));
        assert!(words.contains(&format!("status {status}")) && words.contains("“Hotel Wi-Fi”"), "{words}");
        let page = api
            .send_redeem_request(&token())
            .await
            .expect("a response")
            .redeem_error_response_unless_ok()
            .expect("an error");
        assert!(matches!(page.class, ErrorClass::Gate(gate) if !gate.proves_not_forwarded()), "{status}");
    }
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(302).insert_header("location", "http://login.hotel.test/?back=1");
    Mock::given(path("/generateExportToken")).respond_with(moved).expect(1).mount(&server).await;
    let words = named(api(server_url(&server, ""), with_session()).generate_token().await.expect_err("a redirect"));
    assert!(words.contains("this network asks for a login") && words.contains("login.hotel.test"), "{words}");
}

#[tokio::test]
async fn the_login_uses_the_configured_route() {
    let server = MockServer::start().await;
    let login = Mock::given(method("PUT")).and(path("/api/v2/sessions"));
    mount_response(&server, login, 200, json!({ "data": { "session": "r:new" } }), 1).await;
    let generate = Mock::given(path("/api/generateExportToken")).and(header("x-copresence-session-token", "r:new"));
    mount_response(&server, generate, 200, json!({ "token": TOKEN }), 1).await;
    let mut backend = BackendWithRoutes::copresence_backend_from_url(server_url(&server, "/api"));
    backend.login_route = LoginRoute {
        path: "v2/sessions".to_owned(),
        method: http::Method::PUT,
        token_pointer: "/data/session".to_owned(),
        logout_path: None,
    };
    let api = recorded_api(backend, with_login(), Arc::new(NoRecorder));
    assert_eq!(api.generate_token().await.expect("a token"), token());
}

#[tokio::test]
async fn a_response_without_a_token_is_invalid_and_its_body_is_kept() {
    let server = MockServer::start().await;
    mount_response(&server, generate_request(SESSION), 200, json!({ "exportToken": TOKEN }), 1).await;
    let error = api(server_url(&server, ""), with_session()).generate_token().await.expect_err("broken");
    let CallError::InvalidResponse(broken) = &error else { panic!("{error}") };
    assert_eq!((broken.status, broken.violation.body_path_or_header_name()), (200, "token"));
    assert!(String::from_utf8_lossy(&broken.body).contains(TOKEN));
    assert!(!format!("{error} {error:?}").contains(TOKEN));
}

/// It was issued, and is billed. Parse Server wraps the result of a function so.
#[tokio::test]
async fn a_token_within_a_result_is_used() {
    let server = MockServer::start().await;
    mount_response(&server, generate_request(SESSION), 200, json!({ "result": { "token": TOKEN } }), 1).await;
    let made = api(server_url(&server, ""), with_session()).generate_token().await.expect("a token");
    assert_eq!(made, token());
    let server = MockServer::start().await;
    mount_response(&server, generate_request(SESSION), 200, json!({ "result": "ok" }), 1).await;
    assert!(api(server_url(&server, ""), with_session()).generate_token().await.is_err());
}

#[tokio::test]
async fn redeem_returns_every_complete_response_unchanged() {
    let not_ready = json!({ "avatar_ready": false, "payload_incomplete": {
        "completion_progress": -1, "completion_status": "no_associated_avatar", "queue_position": -1 } });
    for (status, body) in
        [(200, not_ready.to_string()), (200, String::new()), (400, "gone".to_owned()), (503, "{}".to_owned())]
    {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/redeemExportToken"))
            .and(header("x-copresence-rest-api-key", API_KEY))
            .and(header("x-copresence-export-token", TOKEN))
            .and(NoHeader("x-copresence-session-token"))
            .respond_with(ResponseTemplate::new(status).set_body_string(body.clone()))
            .expect(1)
            .mount(&server)
            .await;
        let response =
            api(server_url(&server, ""), with_session()).send_redeem_request(&token()).await.expect("a response");
        assert_eq!((response.status, &response.body[..]), (status, body.as_bytes()));
        let class = response.redeem_error_response_unless_ok().map(|refusal| refusal.class);
        let expected = match status {
            200 => None,
            400 => Some(ErrorClass::TokenInactive),
            _ => Some(ErrorClass::ServerError),
        };
        assert_eq!(class, expected);
        if !response.body.is_empty() && status == 200 {
            assert!(matches!(RedeemResponse::parse(&response.body), Ok(RedeemResponse::NotReady { .. })));
        }
    }
}

#[tokio::test]
async fn an_error_response_shows_no_token() {
    let server = MockServer::start().await;
    let body = json!({ "code": 1, "error": format!("unknown token {TOKEN}, see https://api.test/tokens/{TOKEN}") });
    mount_response(&server, Mock::given(path("/redeemExportToken")), 400, body, 1).await;
    let response =
        api(server_url(&server, ""), with_session()).send_redeem_request(&token()).await.expect("a response");
    let refusal = response.redeem_error_response_unless_ok().expect("a refusal");
    assert_eq!(refusal.body.error.as_deref(), Some("unknown token …89, see https://api.test/…"));
}

#[tokio::test]
async fn a_partner_generates_and_redeems_without_any_copresence_credential() {
    let server = MockServer::start().await;
    let partner = |at: &str, verb: &str| {
        Mock::given(method(verb))
            .and(path(at))
            .and(header("authorization", "Bearer partner-key-0123456789"))
            .and(NoHeader("x-copresence-rest-api-key"))
            .and(NoHeader("x-copresence-session-token"))
    };
    mount_response(&server, partner("/kiosk/token", "PUT"), 200, json!({ "data": [{ "exportToken": TOKEN }] }), 1)
        .await;
    mount_response(
        &server,
        partner("/kiosk/redeem", "GET").and(header("x-copresence-export-token", TOKEN)),
        200,
        json!({}),
        1,
    )
    .await;
    let headers = vec![("Authorization".to_owned(), "Bearer {partner_key}".to_owned())];
    let source = PartnerTokenSource {
        url: server_url(&server, "/kiosk/token"),
        method: http::Method::PUT,
        headers: headers.clone(),
        token_pointer: "/data/0/exportToken".to_owned(),
    };
    let backend = BackendWithRoutes {
        token_source: TokenSource::Partner(source),
        redeem_route: RedeemEndpoint::Partner { url: server_url(&server, "/kiosk/redeem"), headers },
        ..BackendWithRoutes::copresence_backend_from_url(server_url(&server, ""))
    };
    let credentials =
        Credentials { partner_key: Some(PartnerKey::new("partner-key-0123456789")), ..Credentials::default() };
    let api = recorded_api(backend, credentials, Arc::new(NoRecorder));
    let made = api.generate_token().await.expect("a token");
    assert_eq!(made, token());
    assert_eq!(api.send_redeem_request(&made).await.expect("a response").status, 200);
}

/// `{"avatar_ready":false}`, compressed with gzip.
const GZIP_BODY: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x2c\x4b\x2c\x49\x2c\x8a\x2f\x4a\x4d\x4c\xa9\x54\xb2\x4a\x4b\xcc\x29\x4e\xad\x05\x00\x84\x70\xc9\xeb\x16\x00\x00\x00";

#[tokio::test]
async fn a_compressed_response_is_decoded() {
    for coding in ["gzip", "identity"] {
        let server = MockServer::start().await;
        let reply = ResponseTemplate::new(200).insert_header("content-encoding", coding).set_body_bytes(GZIP_BODY);
        Mock::given(path("/redeemExportToken")).respond_with(reply).expect(1).mount(&server).await;
        let response =
            api(server_url(&server, ""), with_session()).send_redeem_request(&token()).await.expect("a response");
        assert_eq!(&response.body[..], b"{\"avatar_ready\":false}");
    }
}

#[tokio::test]
async fn a_response_that_cannot_be_decoded_is_invalid_and_keeps_the_decoded_part() {
    let half = &GZIP_BODY[..GZIP_BODY.len() - 12];
    for (coding, sent, kept) in [("br", GZIP_BODY, GZIP_BODY), ("gzip", half, &b"{\"avatar_ready\""[..])] {
        let server = MockServer::start().await;
        let reply = ResponseTemplate::new(200).insert_header("content-encoding", coding).set_body_bytes(sent);
        Mock::given(path("/redeemExportToken")).respond_with(reply).expect(1).mount(&server).await;
        let error =
            api(server_url(&server, ""), with_session()).send_redeem_request(&token()).await.expect_err("broken");
        let CallError::InvalidResponse(broken) = error else { panic!("{error}") };
        assert_eq!(broken.violation.body_path_or_header_name(), "Content-Encoding");
        assert!(broken.body.starts_with(kept), "{coding} {:?}", broken.body);
    }
}
