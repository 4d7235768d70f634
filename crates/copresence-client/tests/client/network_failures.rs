//! Network failures. Each redeem sends one request, whatever fails.

use crate::support::{RawServer, SESSION, ServerAction, TOKEN, api, response_bytes, token, with_login, with_session};
use copresence_client::{
    ApiClient, BackendWithRoutes, CallError, ConnectErrorKind, ErrorClass, LostResponse, MAX_BODY, MAX_REDEEM_BODY,
    NetworkGateKind, NoRecorder, RequestNotSentError, ResponseLossKind, Timeouts,
};
use std::sync::Arc;
use std::time::Duration;
use test_port::ReservedPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";

fn short_timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(1),
        read: Duration::from_millis(300),
        first_byte: Duration::from_millis(300),
        total: Duration::from_secs(3),
    }
}

fn truncated_response(body: &str) -> Vec<u8> {
    [HEAD, body.as_bytes()].concat()
}

/// Redeems once against a server with one action, checks that one request was sent, and returns the lost response.
async fn redeem_and_lose(action: ServerAction, time_outs: Timeouts) -> LostResponse {
    let server = RawServer::start(vec![action.clone()]).await;
    let backend = BackendWithRoutes::copresence_backend_from_url(server.url("/"));
    let api = ApiClient::new(backend, with_session(), time_outs, Arc::new(NoRecorder)).expect("an API");
    let error = api.send_redeem_request(&token()).await.expect_err("a lost response");
    assert_eq!(server.heads().len(), 1, "{action:?}");
    assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
    match error {
        CallError::ResponseLost(evidence) => evidence,
        other => panic!("{action:?}: {other}"),
    }
}

#[tokio::test]
async fn a_connection_closed_before_the_response() {
    let evidence = redeem_and_lose(ServerAction::Send(Vec::new()), Timeouts::default()).await;
    assert_eq!(
        (evidence.loss, evidence.status, evidence.received_byte_count()),
        (ResponseLossKind::ConnectionLost, None, 0)
    );
}

#[tokio::test]
async fn a_connection_reset_before_and_during_the_response() {
    for reply in [Vec::new(), b"HTTP/1.1 200 OK\r\n".to_vec(), truncated_response("{")] {
        assert_eq!(
            redeem_and_lose(ServerAction::SendAndReset(reply), Timeouts::default()).await.loss,
            ResponseLossKind::ConnectionLost
        );
    }
}

#[tokio::test]
async fn a_truncated_body() {
    let evidence =
        redeem_and_lose(ServerAction::Send(truncated_response("{\"avatar_ready\"")), Timeouts::default()).await;
    assert_eq!((evidence.loss, evidence.status), (ResponseLossKind::ConnectionLost, Some(200)));
    assert_eq!(&evidence.body[..], b"{\"avatar_ready\"");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n".to_vec();
    let evidence = redeem_and_lose(ServerAction::Send(chunked), Timeouts::default()).await;
    assert_eq!((evidence.status, &evidence.body[..]), (Some(200), &b"{}"[..]));
}

#[tokio::test]
async fn a_body_without_a_length_is_complete_if_its_json_is() {
    let endless = |body: &str| ServerAction::Send(format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes());
    let evidence = redeem_and_lose(endless("{\"avatar_ready\": tr"), Timeouts::default()).await;
    assert_eq!(
        (evidence.loss, evidence.status, evidence.received_byte_count()),
        (ResponseLossKind::ConnectionLost, Some(200), 19)
    );
    for whole in ["{\"avatar_ready\":true}", "", "<html>"] {
        let server = RawServer::start(vec![endless(whole)]).await;
        let response = api(server.url("/"), with_session()).send_redeem_request(&token()).await.expect("a response");
        assert_eq!(&response.body[..], whole.as_bytes());
    }
}

#[tokio::test]
async fn a_timeout_before_and_during_the_response() {
    let nothing = redeem_and_lose(ServerAction::SendAndHang(Vec::new()), short_timeouts());
    let half_a_head = redeem_and_lose(ServerAction::SendAndHang(b"HTTP/1.1 200".to_vec()), short_timeouts());
    let half_a_body = redeem_and_lose(ServerAction::SendAndHang(truncated_response("{")), short_timeouts());
    let (nothing, half_a_head, half_a_body) = tokio::join!(nothing, half_a_head, half_a_body);
    assert_eq!((nothing.loss, nothing.status), (ResponseLossKind::TimedOut, None));
    assert_eq!((half_a_head.loss, half_a_head.status), (ResponseLossKind::TimedOut, None));
    assert_eq!(
        (half_a_body.loss, half_a_body.status, half_a_body.received_byte_count()),
        (ResponseLossKind::TimedOut, Some(200), 1)
    );
}

/// As of a gateway that adds a cookie and a policy for each of its services.
#[tokio::test]
async fn the_response_to_a_redeem_is_read_with_hundreds_of_headers() {
    let many = (0..500).fold(String::new(), |headers, n| headers + &format!("X-Policy-{n}: {n}\r\n"));
    let response = format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 2\r\n\r\n{{}}");
    let server = RawServer::start(vec![ServerAction::Send(response.into_bytes())]).await;
    let backend = BackendWithRoutes::copresence_backend_from_url(server.url("/"));
    let api = ApiClient::new(backend, with_session(), Timeouts::default(), Arc::new(NoRecorder)).expect("an API");
    assert_eq!(&api.send_redeem_request(&token()).await.expect("a response").body[..], b"{}");
}

/// A proxy keeps the connection open, or states a length that is too large, while the URLs expire.
#[tokio::test]
async fn a_complete_answer_is_used_before_its_response_ends() {
    let server =
        RawServer::start(vec![ServerAction::SendAndHang(truncated_response("{\"avatar_ready\": true} \n"))]).await;
    let backend = BackendWithRoutes::copresence_backend_from_url(server.url("/"));
    // All other time limits are longer than the test may take.
    let api = ApiClient::new(backend, with_session(), Timeouts::default(), Arc::new(NoRecorder)).expect("an API");
    let answer = tokio::time::timeout(Duration::from_secs(10), api.send_redeem_request(&token())).await;
    let answer = answer.expect("without the end of the response").expect("a response");
    assert_eq!(answer.body.trim_ascii(), b"{\"avatar_ready\": true}");
}

/// L3: the answer to a redeem is awaited while it may be on its way.
#[tokio::test]
async fn a_redeem_waits_for_slow_headers_and_a_slow_body() {
    let pieces = |pause_ms: u64, body: &'static str| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url: Url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = [0; 4096];
            _ = stream.read(&mut head).await;
            let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            for piece in std::iter::once(response.as_bytes()).chain(body.as_bytes().chunks(1)) {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                if stream.write_all(piece).await.is_err() {
                    return;
                }
            }
        });
        let timeouts =
            Timeouts { connect: Duration::from_millis(200), total: Duration::from_secs(1), ..short_timeouts() };
        let backend = BackendWithRoutes::copresence_backend_from_url(url);
        let api = ApiClient::new(backend, with_session(), timeouts, Arc::new(NoRecorder)).expect("an API");
        let answer = api.send_redeem_request(&token()).await;
        server.abort();
        answer
    };
    // Longer than `connect` + `read`, and in all longer than `total`.
    let (slow, late, silent, endless) =
        tokio::join!(pieces(700, "{}"), pieces(1_800, ""), pieces(1_500, "{}"), pieces(800, "{                 }"));
    assert_eq!(&slow.expect("an answer").body[..], b"{}");
    assert_eq!(&late.expect("headers within two times `total`").body[..], b"");
    assert!(matches!(silent, Err(CallError::ResponseLost(_))), "silence of more than `total`");
    let Err(CallError::ResponseLost(lost)) = endless else { panic!("the body has a limit of ten times `total`") };
    assert!(lost.received_byte_count() >= 9, "{lost}");
}

#[tokio::test]
async fn a_response_that_is_not_http() {
    let evidence =
        redeem_and_lose(ServerAction::Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()), Timeouts::default()).await;
    assert_eq!((evidence.loss, evidence.status), (ResponseLossKind::ConnectionLost, None));
}

#[tokio::test]
async fn an_endless_body_is_read_only_up_to_the_limit() {
    let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![b' '; MAX_REDEEM_BODY + 1]].concat();
    let evidence = redeem_and_lose(ServerAction::SendAndHang(endless), Timeouts::default()).await;
    assert_eq!((evidence.loss, evidence.status), (ResponseLossKind::BodyTooLarge, Some(200)));
    assert_eq!(evidence.received_byte_count(), MAX_BODY as u64);
}

/// A picture before the URLs, which may be the only ones.
#[tokio::test]
async fn a_redeem_with_a_long_string_is_read_without_it() {
    let body = format!(r#"{{"preview":"{}","payload_complete":[]}}"#, "A".repeat(3 * MAX_BODY));
    let server = RawServer::start(vec![ServerAction::Send(response_bytes("200 OK", &[], &body))]).await;
    let response = api(server.url("/"), with_session()).send_redeem_request(&token()).await.expect("a response");
    assert_eq!(response.body, r#"{"preview":"","payload_complete":[]}"#);
    // Cut off within another string.
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 7 * MAX_BODY);
    let cut = [head.as_bytes(), body.trim_end_matches('}').as_bytes(), b",\"more\":\"", &vec![b'B'; MAX_BODY]].concat();
    let evidence = redeem_and_lose(ServerAction::Send(cut), Timeouts::default()).await;
    assert_eq!(evidence.loss, ResponseLossKind::ConnectionLost);
    assert_eq!(evidence.body, r#"{"preview":"","payload_complete":[],"more":"#);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_accepted() {
    let server = RawServer::start(vec![ServerAction::Send(response_bytes("200 OK", &[], &" ".repeat(MAX_BODY)))]).await;
    let response = api(server.url("/"), with_session()).send_redeem_request(&token()).await.expect("a response");
    assert_eq!(response.body.len(), MAX_BODY);
}

#[tokio::test]
async fn each_redeem_sends_one_request_although_the_connection_could_be_reused() {
    // The server keeps the connection open after the first response, and drops the second request.
    let server = RawServer::start(vec![
        ServerAction::SendAndHang(response_bytes("200 OK", &[], "{}")),
        ServerAction::Send(Vec::new()),
    ])
    .await;
    let api = api(server.url("/"), with_session());
    assert_eq!(api.send_redeem_request(&token()).await.expect("a response").status, 200);
    assert!(matches!(api.send_redeem_request(&token()).await, Err(CallError::ResponseLost(_))));
    assert_eq!(server.heads().len(), 2);
}

#[tokio::test]
async fn a_redirect_of_an_api_call_is_not_followed() {
    let elsewhere = RawServer::start(vec![ServerAction::Send(response_bytes("200 OK", &[], "{}"))]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("Location: http://localhost:{}/stolen?a=b", elsewhere.port);
        let server = RawServer::start(vec![ServerAction::Send(response_bytes(status, &[&location], ""))]).await;
        let api = api(server.url("/"), with_session());
        let refusal = api
            .send_redeem_request(&token())
            .await
            .expect("a response")
            .redeem_error_response_unless_ok()
            .expect("a refusal");
        let ErrorClass::Gate(gate) = &refusal.class else { panic!("{refusal}") };
        assert_eq!(gate.kind, NetworkGateKind::NetworkLogin { redirect_to: Some("localhost".to_owned()) });
        assert!(!refusal.to_string().contains("stolen"), "{refusal}");
        assert!(matches!(api.generate_token().await, Err(CallError::ErrorResponse(_))));
        assert_eq!(server.heads().len(), 2);
    }
    assert_eq!(elsewhere.heads().len(), 0);
}

#[tokio::test]
async fn a_refused_connection_is_reported_as_never_sent() {
    let unused_port = ReservedPort::reserve_port().expect("a port");
    let base = Url::parse(&format!("http://{unused_port}/")).expect("a URL");
    for credentials in [with_session(), with_login()] {
        let api = api(base.clone(), credentials);
        for error in [api.send_redeem_request(&token()).await.map(drop), api.generate_token().await.map(drop)] {
            let error = error.expect_err("no server");
            let inner = if let CallError::LoginFailed(inner) = &error { inner } else { &error };
            let CallError::NeverSent(cause) = inner else { panic!("{error}") };
            assert_eq!(cause.kind, ConnectErrorKind::ConnectionRefused);
            assert!(!error.to_string().contains("127.0.0.1/"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_unfinished_tls_handshake_is_reported_as_never_sent() {
    // The server waits for an empty line, which TLS never sends.
    let server = RawServer::start(vec![ServerAction::Send(Vec::new())]).await;
    let cause = failed_handshake(server.port, short_timeouts()).await;
    assert_eq!(cause.kind, ConnectErrorKind::TimedOut, "{cause}");
}

#[tokio::test]
async fn a_server_without_tls_is_reported_as_never_sent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        socket.write_all(&response_bytes("400 Bad Request", &[], "this is http")).await.expect("written");
        // Waits for the client to close, because closing first would reset the connection before the response is read.
        let _ = socket.read_to_end(&mut Vec::new()).await;
    });
    let cause = failed_handshake(port, Timeouts::default()).await;
    assert_eq!(cause.kind, ConnectErrorKind::Tls, "{cause}");
}

async fn failed_handshake(port: u16, time_outs: Timeouts) -> RequestNotSentError {
    let base = Url::parse(&format!("https://127.0.0.1:{port}/")).expect("a URL");
    let api = ApiClient::new(
        BackendWithRoutes::copresence_backend_from_url(base),
        with_session(),
        time_outs,
        Arc::new(NoRecorder),
    )
    .expect("an API");
    match api.send_redeem_request(&token()).await {
        Err(CallError::NeverSent(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_generate_with_a_lost_response_is_not_retried() {
    let server = RawServer::start(vec![ServerAction::Send(Vec::new())]).await;
    let error = api(server.url("/"), with_session()).generate_token().await.expect_err("lost");
    assert!(matches!(error, CallError::ResponseLost(_)), "{error}");
    assert_eq!(server.heads().len(), 1);
    assert!(server.heads()[0].contains(SESSION));
}

/// A token that was issued is billed, also if the end of its response is missing.
#[tokio::test]
async fn a_token_that_was_received_whole_is_used_without_the_end_of_its_response() {
    let reframed = response_bytes("200 OK", &[], &format!("{{\"token\": \"{TOKEN}\""));
    for (action, is_whole) in [
        (ServerAction::Send(truncated_response(&format!("{{\"token\":\"{TOKEN}\"}}"))), true),
        (ServerAction::SendAndHang(truncated_response(&format!("{{\"token\":\"{TOKEN}\",\"expi"))), true),
        (ServerAction::Send(reframed), true),
        (ServerAction::Send(truncated_response(&format!("{{\"token\":\"{TOKEN}"))), false),
    ] {
        let server = RawServer::start(vec![action.clone()]).await;
        let backend = BackendWithRoutes::copresence_backend_from_url(server.url("/"));
        let api = ApiClient::new(backend, with_session(), short_timeouts(), Arc::new(NoRecorder)).expect("an API");
        let token = api.generate_token().await.map(|token| token.expose().to_owned());
        assert_eq!(token.is_ok_and(|token| token == TOKEN), is_whole, "{action:?}");
        assert_eq!(server.heads().len(), 1, "{action:?}");
    }
}
