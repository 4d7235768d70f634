//! One redeem call makes one connection and sends at most one request, whatever the peer does.
//!
//! The response with the URLs invalidates the token, so a hidden second request would lose the avatar.

use crate::support::{api, token, with_session};
use copresence_client::{ApiClient, ApiResponse, BackendWithRoutes, CallError, ConnectErrorKind, NoRecorder, Timeouts};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What the peer does with each connection.
#[derive(Debug, Clone)]
enum Peer {
    /// Closes it immediately, with an optional reset.
    ClosesUnread { reset: bool },
    /// Reads the first byte of the request and closes the connection.
    ClosesInTheMiddle { reset: bool },
    /// Reads the request, sends these bytes, and closes the connection.
    Responds(Vec<u8>),
    /// Reads the request, sends these bytes, and waits until the client closes the connection.
    RespondsAndWaits(Vec<u8>),
    /// Reads the request, and sends these bytes repeatedly until the client closes the connection.
    Repeats(Vec<u8>),
}

/// The connections and requests of a peer.
#[derive(Default)]
struct PeerRecord {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

async fn listen_as(peer: Peer) -> (Url, Arc<PeerRecord>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
    let record = Arc::new(PeerRecord::default());
    let recorder = Arc::clone(&record);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            recorder.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve_request(socket, peer.clone(), Arc::clone(&recorder)));
        }
    });
    (url, record)
}

async fn serve_request(mut socket: TcpStream, peer: Peer, record: Arc<PeerRecord>) {
    if let Peer::ClosesUnread { reset } | Peer::ClosesInTheMiddle { reset } = peer {
        if matches!(peer, Peer::ClosesInTheMiddle { .. }) {
            _ = socket.read_u8().await;
        }
        if reset {
            socket.set_zero_linger().expect("a socket option");
        }
        return;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    record.requests.lock().expect("no panic").push(String::from_utf8_lossy(&head).into_owned());
    match peer {
        Peer::Responds(bytes) => _ = socket.write_all(&bytes).await,
        Peer::RespondsAndWaits(bytes) => {
            _ = socket.write_all(&bytes).await;
            // A second request would be counted here.
            let mut more = Vec::new();
            if socket.read_to_end(&mut more).await.is_ok() && !more.is_empty() {
                record.requests.lock().expect("no panic").push(String::from_utf8_lossy(&more).into_owned());
            }
        }
        Peer::Repeats(bytes) => while socket.write_all(&bytes).await.is_ok() {},
        Peer::ClosesUnread { .. } | Peer::ClosesInTheMiddle { .. } => {}
    }
}

fn default_client(url: &Url) -> ApiClient {
    client_with_timeouts(url, Timeouts::default())
}

/// For a peer that sends no response: short timeouts make the test faster.
fn impatient_client(url: &Url) -> ApiClient {
    let time_outs = Timeouts {
        // Must be below the total.
        connect: Duration::from_secs(1),
        read: Duration::from_millis(300),
        first_byte: Duration::from_millis(300),
        total: Duration::from_secs(2),
    };
    client_with_timeouts(url, time_outs)
}

fn client_with_timeouts(url: &Url, time_outs: Timeouts) -> ApiClient {
    ApiClient::new(
        BackendWithRoutes::copresence_backend_from_url(url.clone()),
        with_session(),
        time_outs,
        Arc::new(NoRecorder),
    )
    .expect("an API")
}

/// Redeems once, and checks that the peer counts one connection and at most one request.
async fn redeem_once(peer: Peer) -> Result<ApiResponse, CallError> {
    redeem_with_client(default_client, peer).await
}

async fn redeem_with_client(api: fn(&Url) -> ApiClient, peer: Peer) -> Result<ApiResponse, CallError> {
    let (url, record) = listen_as(peer.clone()).await;
    let result = api(&url).send_redeem_request(&token()).await;
    // Gives a hidden second request time to be sent.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let requests = record.requests.lock().expect("no panic").len();
    assert_eq!(record.connections.load(Ordering::SeqCst), 1, "{peer:?}");
    assert!(requests <= 1, "{peer:?}");
    result
}

fn with_length(head: &str, body: &str) -> Vec<u8> {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_connection_that_closes_before_or_during_the_request() {
    for reset in [false, true] {
        for peer in [Peer::ClosesUnread { reset }, Peer::ClosesInTheMiddle { reset }] {
            let error = redeem_once(peer.clone()).await.expect_err("no response");
            // Bytes may have been sent, and the client cannot know whether they were read.
            assert!(matches!(error, CallError::ResponseLost(_)), "{peer:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_closes_after_the_request() {
    let error = redeem_once(Peer::Responds(Vec::new())).await.expect_err("no response");
    assert!(matches!(error, CallError::ResponseLost(_)), "{error}");
}

#[tokio::test]
async fn statuses_that_suggest_a_retry() {
    for status in [301, 302, 303, 305, 307, 308, 401, 407, 408, 409, 421, 425, 429, 500, 502, 503, 504] {
        for more in ["Retry-After: 0\r\nLocation: /redeemExportToken\r\n", "Connection: close\r\n"] {
            let head = format!("HTTP/1.1 {status} X\r\n{more}");
            for peer in [Peer::Responds(with_length(&head, "{}")), Peer::RespondsAndWaits(with_length(&head, "{}"))] {
                assert_eq!(redeem_once(peer).await.expect("a response").status, status);
            }
        }
    }
}

#[tokio::test]
async fn responses_with_and_without_keep_alive() {
    for more in ["Connection: close\r\n", "Connection: keep-alive\r\nKeep-Alive: timeout=600\r\n", ""] {
        let head = format!("HTTP/1.1 200 OK\r\n{more}");
        for peer in [Peer::Responds(with_length(&head, "{}")), Peer::RespondsAndWaits(with_length(&head, "{}"))] {
            assert_eq!(redeem_once(peer).await.expect("a response").status, 200);
        }
    }
    let old = b"HTTP/1.0 200 OK\r\n\r\n{}".to_vec();
    assert_eq!(redeem_once(Peer::Responds(old)).await.expect("a response").status, 200);
}

#[tokio::test]
async fn interim_responses() {
    for interim in ["100 Continue", "102 Processing", "103 Early Hints"] {
        let head = format!("HTTP/1.1 {interim}\r\nLink: </x>\r\n\r\n").repeat(3);
        let whole = format!("{head}HTTP/1.1 200 OK\r\n");
        assert_eq!(redeem_once(Peer::Responds(with_length(&whole, "{}"))).await.expect("a response").status, 200);
        let error = redeem_once(Peer::Responds(head.clone().into_bytes())).await.expect_err("and no more");
        assert!(matches!(error, CallError::ResponseLost(_)), "{error}");
        let error =
            redeem_with_client(impatient_client, Peer::Repeats(head.into_bytes())).await.expect_err("without end");
        assert!(matches!(error, CallError::ResponseLost(_)), "{error}");
    }
    // No other protocol was requested.
    let upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec();
    let result = redeem_with_client(impatient_client, Peer::RespondsAndWaits(upgrade)).await;
    assert!(!matches!(result, Ok(ApiResponse { status: 200, .. }) | Err(CallError::NeverSent(_))), "{result:?}");
}

#[tokio::test]
async fn a_peer_that_speaks_only_http_2() {
    // SETTINGS, and GOAWAY with REFUSED_STREAM, which asks an HTTP/2 client to retry.
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let go_away = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    let error = redeem_once(Peer::Responds([&settings[..], &go_away[..]].concat())).await.expect_err("no HTTP/1");
    assert!(matches!(error, CallError::ResponseLost(_)), "{error}");
}

#[tokio::test]
async fn a_tls_peer_that_offers_only_http_2_gets_no_request() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls_key(&made);
    let mut config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            _ = tls.accept(socket).await;
        }
    });
    let url = format!("https://localhost:{port}/").parse().expect("a URL");
    let error = default_client(&url).send_redeem_request(&token()).await.expect_err("no protocol in common");
    let CallError::NeverSent(cause) = &error else { panic!("{error}") };
    assert_eq!(cause.kind, ConnectErrorKind::Tls, "{cause}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

fn rustls_key(made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> tokio_rustls::rustls::pki_types::PrivateKeyDer<'static> {
    tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into()
}

#[tokio::test]
async fn each_redeem_of_a_token_uses_its_own_connection() {
    let (url, record) = listen_as(Peer::RespondsAndWaits(with_length("HTTP/1.1 200 OK\r\n", "{}"))).await;
    let api = api(url, with_session());
    for count in 1..=3 {
        api.send_redeem_request(&token()).await.expect("a response");
        assert_eq!(record.connections.load(Ordering::SeqCst), count);
    }
    let requests = record.requests.lock().expect("no panic").clone();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| !request.to_lowercase().contains("expect:")), "{requests:?}");
}
