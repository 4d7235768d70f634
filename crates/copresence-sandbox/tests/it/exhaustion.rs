//! Strangers cannot exhaust a server: what they can make it hold is refused, ends, or is bounded.

use crate::raw::{RawServer, read_until_end};
use crate::support::{API_KEY, SESSION};
use copresence_sandbox::{
    AvatarChoice, BuiltInScenarioName, ForcedState, ResourceLimits, SandboxSettings, Server, faults,
};
use image::{DynamicImage, ImageFormat};
use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
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
    let raw = RawServer::start(BuiltInScenarioName::Happy, "[]").await;
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
    let raw = RawServer::start(BuiltInScenarioName::Happy, "[]").await;
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
    let raw = RawServer::start(BuiltInScenarioName::Happy, "[]").await;
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
    let raw = RawServer::start(BuiltInScenarioName::Happy, "[]").await;
    for headers in [&[][..], &[(API_KEY, "wrong")]] {
        assert_eq!(raw.send_without_body("POST /login", headers, 60_000).await.status(), 403);
    }
    // Not from this machine's own page.
    let foreign = [("Origin", "https://evil.test")];
    for line in ["POST /sandbox/clock", "PUT /sandbox/faults", "POST /sandbox/tokens/x/associate"] {
        assert_eq!(raw.send_without_body(line, &foreign, 60_000).await.status(), 403, "{line}");
    }
    // Calls that need no body do not wait for one.
    let known = raw.sandbox().accepted_credentials();
    let headers = [(API_KEY, known.api_key.expose()), (SESSION, known.session_token.expose())];
    assert_eq!(raw.send_without_body("POST /generateExportToken", &headers, 60_000).await.status(), 200);
}

#[tokio::test]
async fn body_that_does_not_arrive_ends_the_request() {
    let limits = ResourceLimits { body_time_limit: SHORT, ..ResourceLimits::default() };
    let raw = RawServer::start_with_settings(SandboxSettings { limits, ..SandboxSettings::default() }).await;
    let key = raw.sandbox().accepted_credentials().api_key.expose().to_owned();
    let (login, upload) = (&[(API_KEY, key.as_str())][..], upload_line(&raw.generate().await, "new"));
    for (line, headers) in [("POST /login", login), ("POST /sandbox/clock", &[]), (&upload, &[])] {
        let ended = raw.send_without_body(line, headers, 60_000).await;
        assert_eq!((ended.status(), ended.json()["code"].as_i64()), (408, Some(108)), "{line}");
    }
}

#[tokio::test]
async fn body_that_arrives_byte_by_byte_ends_too() {
    let limits = ResourceLimits { body_time_limit: SHORT, ..ResourceLimits::default() };
    let raw = RawServer::start_with_settings(SandboxSettings { limits, ..SandboxSettings::default() }).await;
    let mut socket = raw.begin_body("POST /sandbox/clock", &[], 60_000);
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a limit");
    let answered = tokio::task::spawn_blocking(move || {
        (0..1_000).any(|_| socket.write_all(b" ").is_err() || has_response(&mut socket))
    });
    assert!(answered.await.expect("ended"));
}

#[tokio::test]
#[cfg_attr(windows, ignore = "Wine does not report the end of the connection to its writer")]
async fn response_that_is_never_read_ends() {
    let faults = faults::parse_and_check_faults(br#"[{"on":"redeem","do":"huge"}]"#).expect("a list");
    let limits = ResourceLimits { write_timeout: SHORT, ..ResourceLimits::default() };
    let raw = RawServer::start_with_settings(SandboxSettings { faults, limits, ..SandboxSettings::default() }).await;
    let mut socket = raw.send_redeem(&raw.generate().await);
    // The end of a connection is reported to the next write.
    let ended = tokio::task::spawn_blocking(move || {
        (0..1_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            socket.write_all(b" ").err()
        })
    });
    let error = ended.await.expect("ended").expect("the connection ends");
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted), "{error}");
}

/// Sends a request that keeps the connection open. Whether it is answered.
fn is_served(socket: &mut TcpStream) -> bool {
    let request = b"HEAD /static/icon.svg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut answer = [0; 12];
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    socket.write_all(request).is_ok() && socket.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 200"
}

/// Opens `count` connections and counts those that are served. They stay open.
fn open_served_connections(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let sockets = (0..count).map(|_| TcpStream::connect(address).expect("a connection"));
    sockets.filter_map(|mut socket| is_served(&mut socket).then_some(socket)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_bounded_and_free_their_places() {
    let limits = ResourceLimits { max_local_connections: 8, ..ResourceLimits::default() };
    let raw = RawServer::start_with_settings(SandboxSettings { limits, ..SandboxSettings::default() }).await;
    let address = raw.server.listen_address();
    let first = open_served_connections(address, 20);
    assert_eq!(first.len(), 8);
    drop(first);
    let is_free = || (0..1_000).any(|_| open_served_connections(address, 1).len() == 1);
    assert!(is_free(), "a place is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_of_this_machine_are_served() {
    copresence_sandbox::raise_open_file_limit();
    let raw = RawServer::start(BuiltInScenarioName::Happy, "[]").await;
    assert_eq!(open_served_connections(raw.server.listen_address(), 1_000).len(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_machine_has_32_connections_and_leaves_room_for_others() {
    let interfaces = if_addrs::get_if_addrs().expect("addresses");
    let network = |interface: &if_addrs::Interface| !interface.is_loopback() && !interface.is_link_local();
    let Some(own) = interfaces.iter().find(|interface| network(interface)) else {
        eprintln!("not tested: this machine has no address on a network");
        return;
    };
    let listen = SocketAddr::new(if own.ip().is_ipv4() { [0; 4].into() } else { [0; 16].into() }, 0);
    let server = Server::start(SandboxSettings::default(), listen).await.expect("a free port");
    let port = server.listen_address().port();
    // A connection to this machine's own address on the network comes from that address, as from another machine.
    let stranger = open_served_connections(SocketAddr::new(own.ip(), port), 60);
    assert_eq!(stranger.len(), 32);
    let local = server.local_url().socket_addrs(|| None).expect("an address")[0];
    assert_eq!(open_served_connections(local, 40).len(), 40, "the kiosk itself");
    server.shut_down_server().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_proxy_share_the_connections_of_other_machines() {
    let limits =
        ResourceLimits { max_remote_connections: 8, max_connections_per_address: 4, ..ResourceLimits::default() };
    let public_url = Some("https://booth.test/".parse().expect("a URL"));
    let raw =
        RawServer::start_with_settings(SandboxSettings { limits, public_url, ..SandboxSettings::default() }).await;
    assert_eq!(open_served_connections(raw.server.listen_address(), 20).len(), 8);
}
