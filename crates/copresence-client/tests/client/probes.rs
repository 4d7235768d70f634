//! Deliberately invalid requests: sent unchanged, recorded without secrets.

use crate::support::{API_KEY, RawServer, ServerAction, TOKEN, response_bytes};
use copresence_client::probe::{ProbeRequest, Prober};
use copresence_client::{CallError, CallKind, Timeouts};
use http::Method;

fn probe(server: &RawServer, call: CallKind) -> ProbeRequest {
    ProbeRequest {
        call,
        method: Method::POST,
        url: server.url("/generateExportToken"),
        headers: vec![("X-Copresence-REST-API-Key".to_owned(), API_KEY.to_owned())],
        body: None,
        token_pointer: Some("/token".to_owned()),
        max_body: 1_000,
    }
}

#[tokio::test]
async fn the_response_has_every_header_and_the_exchange_has_no_secret() {
    let reply = response_bytes(
        "201 Created",
        &["X-Echo: key=api-key-0123456789", "Cache-Control: no-store"],
        &format!("{{\"token\":\"{TOKEN}\"}}"),
    );
    let server = RawServer::start(vec![ServerAction::Send(reply)]).await;
    let prober = Prober::new(Timeouts::default(), false).expect("a prober");
    prober.add_secret_to_mask(API_KEY);
    let sent = prober.send_probe(probe(&server, CallKind::Generate)).await.expect("sent");
    let reply = sent.response.expect("a response");
    assert_eq!((reply.status, &reply.headers["cache-control"]), (201, &"no-store".parse().expect("a value")));
    assert!(String::from_utf8_lossy(&reply.body).contains(TOKEN), "the response is not redacted");
    let shown = format!("{:?}", sent.exchange);
    assert!(!shown.contains(API_KEY) && !shown.contains(TOKEN), "{shown}");
    assert!(server.heads()[0].contains("x-copresence-rest-api-key: api-key-0123456789"));
}

#[tokio::test]
async fn a_body_over_the_limit_and_a_reset_connection_are_lost_responses() {
    let server = RawServer::start(vec![
        ServerAction::Send(response_bytes("200 OK", &[], &"x".repeat(2_000))),
        ServerAction::SendAndReset(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf".to_vec()),
    ])
    .await;
    let prober = Prober::new(Timeouts::default(), false).expect("a prober");
    for _ in 0..2 {
        let sent = prober.send_probe(probe(&server, CallKind::Download)).await.expect("sent");
        assert!(matches!(sent.response, Err(CallError::ResponseLost(_))), "{:?}", sent.response);
        assert!(sent.exchange.error.is_some() && sent.exchange.body.is_none());
    }
}
