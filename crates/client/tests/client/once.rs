//! "Attempts to redeem an Export Token": one call is one connection and at most one request, whatever the peer does.
//! The answer that carries the URLs invalidates the token, so a request that is sent again unasked loses an avatar.

use crate::support::{api, token, with_session};
use client::{Answered, Api, Backend, CallError, CauseKind, NoRecorder, TimeOuts};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What a peer does with each connection.
#[derive(Debug, Clone)]
enum Peer {
    /// Closes it at once; with a reset if told.
    ClosesUnread { reset: bool },
    /// Reads a first byte of the request and closes: the rest is lost on the way.
    ClosesInTheMiddle { reset: bool },
    /// Reads the request, says this, closes.
    Says(Vec<u8>),
    /// Reads the request, says this, and stays until the client goes.
    SaysAndStays(Vec<u8>),
    /// Reads the request, and says this again and again until the client goes.
    Repeats(Vec<u8>),
}

/// What a peer saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

async fn listen(peer: Peer) -> (Url, Arc<Seen>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
    let seen = Arc::new(Seen::default());
    let saw = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            saw.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(socket, peer.clone(), Arc::clone(&saw)));
        }
    });
    (url, seen)
}

async fn serve(mut socket: TcpStream, peer: Peer, seen: Arc<Seen>) {
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
    seen.requests.lock().expect("no panic").push(String::from_utf8_lossy(&head).into_owned());
    match peer {
        Peer::Says(bytes) => _ = socket.write_all(&bytes).await,
        Peer::SaysAndStays(bytes) => {
            _ = socket.write_all(&bytes).await;
            // A second request would be read here, and counted.
            let mut more = Vec::new();
            if socket.read_to_end(&mut more).await.is_ok() && !more.is_empty() {
                seen.requests.lock().expect("no panic").push(String::from_utf8_lossy(&more).into_owned());
            }
        }
        Peer::Repeats(bytes) => while socket.write_all(&bytes).await.is_ok() {},
        Peer::ClosesUnread { .. } | Peer::ClosesInTheMiddle { .. } => {}
    }
}

fn patient(url: &Url) -> Api {
    with(url, TimeOuts::default())
}

/// For a peer from which no answer is to come: patience would only make the test wait.
fn hasty(url: &Url) -> Api {
    let time_outs = TimeOuts {
        // Always under the total.
        connect: Duration::from_secs(1),
        read: Duration::from_millis(300),
        total: Duration::from_secs(2),
    };
    with(url, time_outs)
}

fn with(url: &Url, time_outs: TimeOuts) -> Api {
    Api::new(Backend::vendor(url.clone()), with_session(), time_outs, Arc::new(NoRecorder)).expect("an API")
}

/// Redeems once, holds the peer's count to the promise, and gives what came of it.
async fn redeem_at(peer: Peer) -> Result<Answered, CallError> {
    redeem_by(patient, peer).await
}

async fn redeem_by(api: fn(&Url) -> Api, peer: Peer) -> Result<Answered, CallError> {
    let (url, seen) = listen(peer.clone()).await;
    let result = api(&url).redeem(&token()).await;
    // Whatever would be sent behind the caller's back gets its chance.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let requests = seen.requests.lock().expect("no panic").len();
    assert_eq!(seen.connections.load(Ordering::SeqCst), 1, "{peer:?}");
    assert!(requests <= 1, "{peer:?}");
    result
}

fn with_length(head: &str, body: &str) -> Vec<u8> {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_connection_that_closes_before_or_while_the_request_is_read() {
    for reset in [false, true] {
        for peer in [Peer::ClosesUnread { reset }, Peer::ClosesInTheMiddle { reset }] {
            let error = redeem_at(peer.clone()).await.expect_err("no answer");
            // Bytes may have left: nobody can know that they were not read.
            assert!(matches!(error, CallError::Unanswered(_)), "{peer:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_closes_after_the_request_was_read() {
    let error = redeem_at(Peer::Says(Vec::new())).await.expect_err("no answer");
    assert!(matches!(error, CallError::Unanswered(_)), "{error}");
}

#[tokio::test]
async fn every_status_that_invites_to_come_again() {
    for status in [301, 302, 303, 305, 307, 308, 401, 407, 408, 409, 421, 425, 429, 500, 502, 503, 504] {
        for more in ["Retry-After: 0\r\nLocation: /redeemExportToken\r\n", "Connection: close\r\n"] {
            let head = format!("HTTP/1.1 {status} X\r\n{more}");
            for peer in [Peer::Says(with_length(&head, "{}")), Peer::SaysAndStays(with_length(&head, "{}"))] {
                assert_eq!(redeem_at(peer).await.expect("an answer").status, status);
            }
        }
    }
}

#[tokio::test]
async fn an_answer_whose_connection_is_said_to_stay_or_to_close() {
    for more in ["Connection: close\r\n", "Connection: keep-alive\r\nKeep-Alive: timeout=600\r\n", ""] {
        let head = format!("HTTP/1.1 200 OK\r\n{more}");
        for peer in [Peer::Says(with_length(&head, "{}")), Peer::SaysAndStays(with_length(&head, "{}"))] {
            assert_eq!(redeem_at(peer).await.expect("an answer").status, 200);
        }
    }
    let old = b"HTTP/1.0 200 OK\r\n\r\n{}".to_vec();
    assert_eq!(redeem_at(Peer::Says(old)).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn interim_answers() {
    for interim in ["100 Continue", "102 Processing", "103 Early Hints"] {
        let head = format!("HTTP/1.1 {interim}\r\nLink: </x>\r\n\r\n").repeat(3);
        let whole = format!("{head}HTTP/1.1 200 OK\r\n");
        assert_eq!(redeem_at(Peer::Says(with_length(&whole, "{}"))).await.expect("an answer").status, 200);
        let error = redeem_at(Peer::Says(head.clone().into_bytes())).await.expect_err("and no more");
        assert!(matches!(error, CallError::Unanswered(_)), "{error}");
        let error = redeem_by(hasty, Peer::Repeats(head.into_bytes())).await.expect_err("without end");
        assert!(matches!(error, CallError::Unanswered(_)), "{error}");
    }
    // Nobody asked for another protocol.
    let upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec();
    let result = redeem_by(hasty, Peer::SaysAndStays(upgrade)).await;
    assert!(!matches!(result, Ok(Answered { status: 200, .. }) | Err(CallError::NeverSent(_))), "{result:?}");
}

#[tokio::test]
async fn a_peer_that_speaks_http_2_alone() {
    // SETTINGS, and GOAWAY with REFUSED_STREAM: over HTTP/2 that means "send it again".
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let go_away = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    let error = redeem_at(Peer::Says([&settings[..], &go_away[..]].concat())).await.expect_err("no HTTP/1");
    assert!(matches!(error, CallError::Unanswered(_)), "{error}");
}

#[tokio::test]
async fn a_tls_peer_that_offers_http_2_alone_is_never_sent_to() {
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
    let error = patient(&url).redeem(&token()).await.expect_err("no protocol in common");
    let CallError::NeverSent(cause) = &error else { panic!("{error}") };
    assert_eq!(cause.kind, CauseKind::Tls, "{cause}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

fn rustls_key(
    made: &rcgen::CertifiedKey<rcgen::KeyPair>,
) -> tokio_rustls::rustls::pki_types::PrivateKeyDer<'static> {
    tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into()
}

#[tokio::test]
async fn a_token_that_is_redeemed_again_and_again_is_a_connection_each() {
    let (url, seen) = listen(Peer::SaysAndStays(with_length("HTTP/1.1 200 OK\r\n", "{}"))).await;
    let api = api(url, with_session());
    for count in 1..=3 {
        api.redeem(&token()).await.expect("an answer");
        assert_eq!(seen.connections.load(Ordering::SeqCst), count);
    }
    let requests = seen.requests.lock().expect("no panic").clone();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| !request.to_lowercase().contains("expect:")), "{requests:?}");
}
