//! Strangers cannot exhaust a server: what they can make it hold is refused, ends, or is bounded.

use crate::raw::{RawServer, read_until_end};
use crate::support::{API_KEY, SESSION};
use copresence_sandbox::{AvatarChoice, ForcedState, ResourceLimits, Scenario, Settings};
use image::{DynamicImage, ImageFormat};
use std::io::{Cursor, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A time limit that a test can wait for.
const SHORT: Duration = Duration::from_millis(300);

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_luma8(width, height).write_to(&mut bytes, ImageFormat::Png).expect("encoded");
    bytes.into_inner()
}

fn upload_line(token: &str, avatar: &str) -> String {
    format!("POST /phone/associate?exportToken={token}&avatar={avatar}")
}

#[tokio::test]
async fn picture_that_cannot_be_associated_is_refused_before_its_bytes() {
    let raw = RawServer::start(Scenario::Happy, "[]").await;
    let (taken, expired, free) = (raw.generate().await, raw.generate().await, raw.generate().await);
    raw.sandbox().associate_avatar(&taken, &AvatarChoice::New, None).expect("free");
    raw.sandbox().force_token_state(&expired, ForcedState::Expire).expect("active");
    for (token, avatar, status) in
        [("unknown", "new", 404), (&taken, "new", 409), (&expired, "new", 409), (&free, "nobody", 400)]
    {
        let refused = raw.send_without_body(&upload_line(token, avatar), &[], 300_000).await;
        assert_eq!(refused.status(), status, "{token} {avatar}");
    }
    let too_large = raw.send_without_body(&upload_line(&free, "new"), &[], 2 * 1024 * 1024 + 1).await;
    assert_eq!(too_large.status(), 413);
}

#[tokio::test]
async fn token_has_one_upload_at_a_time() {
    let raw = RawServer::start(Scenario::Happy, "[]").await;
    let token = raw.generate().await;
    let picture = png(64, 64);
    let begin = || {
        let mut socket = raw.send(&upload_line(&token, "new"), &[("Content-Length", &picture.len().to_string())]);
        socket.write_all(&picture[..1]).expect("sent");
        socket.set_read_timeout(Some(Duration::from_millis(10))).expect("a limit");
        socket
    };
    let mut uploads = vec![begin(), begin()];
    let rest = picture[1..].to_vec();
    let statuses = tokio::task::spawn_blocking(move || {
        // Which of them is the second one is up to the server.
        let refused = (0..2_000).find_map(|round| has_response(&mut uploads[round % 2]).then_some(round % 2));
        let mut refused = uploads.remove(refused.expect("one of them is refused"));
        let mut accepted = uploads.remove(0);
        accepted.write_all(&rest).expect("sent");
        [&mut refused, &mut accepted].map(|socket| {
            socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
            read_until_end(socket, usize::MAX).status()
        })
    });
    assert_eq!(statuses.await.expect("received"), [429, 200]);
}

/// Whether a byte of the response arrives within the socket's read timeout. The byte stays unread.
fn has_response(socket: &mut TcpStream) -> bool {
    socket.peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
}

#[tokio::test]
async fn picture_bomb_is_refused_by_its_header() {
    let raw = RawServer::start(Scenario::Happy, "[]").await;
    let token = raw.generate().await;
    let upload = async |picture: &[u8]| {
        let mut socket = raw.send(&upload_line(&token, "new"), &[("Content-Length", &picture.len().to_string())]);
        socket.write_all(picture).expect("sent");
        let response = tokio::task::spawn_blocking(move || read_until_end(&mut socket, usize::MAX)).await;
        let response = response.expect("received");
        (response.status(), response.json()["error"].to_string())
    };
    for (width, height) in [(11_800, 11_800), (4_097, 40), (40, 4_097), (4_001, 4_000)] {
        let bomb = png(width, height);
        let (status, error) = upload(&bomb).await;
        assert_eq!(status, 415, "{width} × {height}");
        assert!(error.contains("16 megapixels"), "{error}");
    }
    assert_eq!(upload(&png(2_000, 2_000)).await.0, 200, "and the token is still free");
}

#[tokio::test]
async fn request_without_credentials_is_refused_before_its_body() {
    let raw = RawServer::start(Scenario::Happy, "[]").await;
    for headers in [&[][..], &[(API_KEY, "wrong")]] {
        assert_eq!(raw.send_without_body("POST /login", headers, 60_000).await.status(), 403);
    }
    // Not from this machine's own page.
    let foreign = [("Origin", "https://evil.test")];
    for line in ["POST /sandbox/clock", "PUT /sandbox/faults", "POST /sandbox/tokens/x/associate"] {
        assert_eq!(raw.send_without_body(line, &foreign, 60_000).await.status(), 403, "{line}");
    }
    // Calls that need no body do not wait for one.
    let known = raw.sandbox().credentials();
    let headers = [(API_KEY, known.api_key.expose()), (SESSION, known.session_token.expose())];
    assert_eq!(raw.send_without_body("POST /generateExportToken", &headers, 60_000).await.status(), 200);
}

#[tokio::test]
async fn body_that_does_not_arrive_ends_the_request() {
    let limits = ResourceLimits { body_time_limit: SHORT, ..ResourceLimits::default() };
    let raw = RawServer::start_with_settings(Settings { limits, ..Settings::default() }).await;
    let key = raw.sandbox().credentials().api_key.expose().to_owned();
    let (login, upload) = (&[(API_KEY, key.as_str())][..], upload_line(&raw.generate().await, "new"));
    for (line, headers) in [("POST /login", login), ("POST /sandbox/clock", &[]), (&upload, &[])] {
        let ended = raw.send_without_body(line, headers, 60_000).await;
        assert_eq!((ended.status(), ended.json()["code"].as_i64()), (408, Some(108)), "{line}");
    }
}

#[tokio::test]
async fn body_that_arrives_byte_by_byte_ends_too() {
    let limits = ResourceLimits { body_time_limit: SHORT, ..ResourceLimits::default() };
    let raw = RawServer::start_with_settings(Settings { limits, ..Settings::default() }).await;
    let mut socket = raw.begin_body("POST /sandbox/clock", &[], 60_000);
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a limit");
    let answered = tokio::task::spawn_blocking(move || {
        (0..1_000).any(|_| socket.write_all(b" ").is_err() || has_response(&mut socket))
    });
    assert!(answered.await.expect("ended"));
}
