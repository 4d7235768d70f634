//! Every exchange is recorded once, without secrets.

use crate::support::{
    API_KEY, RawServer, SESSION, ServerAction, TOKEN, api, recorded_api, response_bytes, token, with_login,
    with_session,
};
use copresence_client::har::{self, HarRecorder};
use copresence_client::{BackendWithRoutes, CallKind, Exchange};
use copresence_protocol::DownloadUrl;
use futures_util::StreamExt;
use std::sync::Arc;

const FRESH: &str = "r:fresh-session-0123456789";
const SIGNED: &str = "signature-0123456789";

fn recorder() -> Arc<HarRecorder> {
    Arc::new(HarRecorder::new(100))
}

fn calls(exchanges: &[Exchange]) -> Vec<(CallKind, Option<u16>)> {
    exchanges.iter().map(|exchange| (exchange.call, exchange.status)).collect()
}

#[tokio::test]
async fn the_archive_of_a_visit_contains_no_secret() {
    let files =
        RawServer::start(vec![ServerAction::Send(response_bytes("200 OK", &["X-Face: yes"], "the face itself"))]).await;
    let file = files.url(&format!("/{SIGNED}/avatar?sig={SIGNED}"));
    let ready = serde_json::json!({ "avatar_ready": true, "payload_complete": [{ "download_URL": file, "export_type": "glb" }] });
    let refused = format!("{{\"code\":209,\"error\":\"unknown session {SESSION}\"}}");
    let backend = RawServer::start(vec![
        ServerAction::Send(response_bytes("400 Bad Request", &["Set-Cookie: sid=cookie-0123456789"], &refused)),
        ServerAction::Send(response_bytes(
            "200 OK",
            &[],
            &format!("{{\"sessionToken\":\"{FRESH}\",\"username\":\"jane@partner.test\"}}"),
        )),
        ServerAction::Send(response_bytes(
            "201 Created",
            &[&format!("Location: /tokens/{TOKEN}")],
            &format!("{{\"token\":\"{TOKEN}\"}}"),
        )),
        ServerAction::Send(response_bytes("200 OK", &[], &ready.to_string())),
    ])
    .await;
    let recorder = recorder();
    let credentials = copresence_client::Credentials { session_token: with_session().session_token, ..with_login() };
    let api =
        recorded_api(BackendWithRoutes::copresence_backend_from_url(backend.url("/")), credentials, recorder.clone());
    let made = api.generate_token().await.expect("a token");
    api.send_redeem_request(&made).await.expect("a response");
    let url = DownloadUrl::new(file.as_str()).expect("a URL");
    let chunks: Vec<_> = api.open_download(&url, None).await.expect("a download").stream.collect().await;
    assert!(chunks.iter().all(Result::is_ok));

    let exchanges = recorder.recorded_exchanges();
    let expected = [
        (CallKind::Generate, Some(400)),
        (CallKind::Login, Some(200)),
        (CallKind::Generate, Some(201)),
        (CallKind::Redeem, Some(200)),
        (CallKind::Download, Some(200)),
    ];
    assert_eq!(calls(&exchanges), expected);
    assert!(exchanges.iter().all(|exchange| exchange.error.is_none()), "{exchanges:?}");
    let archive = har::har_from_exchanges(&exchanges).to_string();
    let secrets =
        [API_KEY, SESSION, FRESH, TOKEN, SIGNED, "jane@partner.test", "pass \\\"word", "cookie-0123", "the face"];
    for secret in secrets {
        assert!(!archive.contains(secret), "{secret} in {archive}");
    }
    // The other parts are kept.
    for shown in ["unknown session …89", "avatar_ready", "x-copresence-export-token", "\"username\\\":\\\"…"] {
        assert!(archive.contains(shown), "no {shown} in {archive}");
    }
    assert_eq!(exchanges[4].body_size, "the face itself".len() as u64);
    assert_eq!(exchanges[4].url, format!("http://127.0.0.1:{}/…", files.port));
}

#[tokio::test]
async fn a_failed_exchange_is_recorded_with_the_received_part() {
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{{\"download_URL\":\"http://f.test/{SIGNED}");
    let server = RawServer::start(vec![ServerAction::Send(cut.clone().into_bytes())]).await;
    let recorder = recorder();
    let api =
        recorded_api(BackendWithRoutes::copresence_backend_from_url(server.url("/")), with_session(), recorder.clone());
    api.send_redeem_request(&token()).await.expect_err("cut");
    let [exchange] = &recorder.recorded_exchanges()[..] else { panic!("not one exchange") };
    assert_eq!((exchange.call, exchange.status), (CallKind::Redeem, Some(200)));
    assert!(exchange.error.as_ref().is_some_and(|error| error.starts_with("response lost: ")), "{exchange:?}");
    assert!(exchange.body_size > 0 && !format!("{exchange:?}").contains(SIGNED), "{exchange:?}");
}

#[tokio::test]
async fn a_cancelled_call_is_recorded() {
    let server = RawServer::start(vec![ServerAction::SendAndHang(Vec::new())]).await;
    let recorder = recorder();
    let api =
        recorded_api(BackendWithRoutes::copresence_backend_from_url(server.url("/")), with_session(), recorder.clone());
    let redeem = tokio::spawn(async move { api.send_redeem_request(&token()).await.map(drop) });
    while server.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    redeem.abort();
    assert!(redeem.await.expect_err("aborted").is_cancelled());
    let [exchange] = &recorder.recorded_exchanges()[..] else { panic!("not one exchange") };
    assert_eq!(exchange.error.as_deref(), Some("cancelled by the caller"));
}

#[tokio::test]
async fn debug_of_an_api_client_shows_no_secret() {
    let api = api("https://api.test/".parse().expect("a URL"), with_login());
    assert_eq!(format!("{api:?}"), "ApiClient { redeems_at: \"https://api.test\", .. }");
}

#[tokio::test]
async fn each_handle_records_its_own_calls_and_shares_the_login() {
    let backend = RawServer::start(vec![
        ServerAction::Send(response_bytes("200 OK", &[], &format!("{{\"sessionToken\":\"{FRESH}\"}}"))),
        ServerAction::Send(response_bytes("200 OK", &[], &format!("{{\"token\":\"{TOKEN}\"}}"))),
    ])
    .await;
    let api = api(backend.url("/"), with_login());
    let (first, second) = (recorder(), recorder());
    let (one, two) = (api.clone_with_recorder(first.clone()), api.clone_with_recorder(second.clone()));
    let (made, more) = tokio::join!(one.generate_token(), two.generate_token());
    assert!(made.is_ok() && more.is_ok());
    let count =
        |recorder: &HarRecorder, call| calls(&recorder.recorded_exchanges()).iter().filter(|c| c.0 == call).count();
    assert_eq!((count(&first, CallKind::Generate), count(&second, CallKind::Generate)), (1, 1));
    assert_eq!(count(&first, CallKind::Login) + count(&second, CallKind::Login), 1, "one login for both");
}
