//! A server that sends raw bytes and records requests, and clients for it.

use copresence_client::{ApiClient, Backend, Credentials, ExchangeRecorder, NoRecorder, Timeouts};
use copresence_protocol::{ApiKey, ExportToken, Password, SessionToken, Username};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::Url;

pub(crate) const API_KEY: &str = "api-key-0123456789";
pub(crate) const SESSION: &str = "r:session-0123456789";
pub(crate) const TOKEN: &str = "export-token-0123456789";

/// What the server does after a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Sends the bytes and closes the connection.
    Send(Vec<u8>),
    /// Sends the bytes and keeps the connection open.
    SendAndHang(Vec<u8>),
    /// Sends the bytes and resets the connection.
    SendAndReset(Vec<u8>),
}

/// Performs the n-th act for the n-th request, and the last act for all later ones.
pub(crate) struct RawServer {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl RawServer {
    pub(crate) async fn start(acts: Vec<Act>) -> Self {
        Self::listen(acts, None).await
    }

    pub(crate) async fn start_tls(acts: Vec<Act>, tls: TlsAcceptor) -> Self {
        Self::listen(acts, Some(tls)).await
    }

    async fn listen(acts: Vec<Act>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(connection(socket, tls.clone(), acts.clone(), Arc::clone(&seen)));
            }
        });
        Self { port, heads }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}{path}", self.port)).expect("a URL")
    }

    /// Request lines and headers of all requests so far, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

async fn connection(
    mut socket: TcpStream,
    tls: Option<TlsAcceptor>,
    acts: Vec<Act>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let Some(tls) = tls else {
        if let Some(Act::SendAndReset(_)) = serve(&mut socket, &acts, &seen).await {
            socket.set_zero_linger().expect("a socket option");
        }
        return;
    };
    if let Ok(mut stream) = tls.accept(socket).await {
        serve(&mut stream, &acts, &seen).await;
        let _ = stream.shutdown().await;
    }
}

async fn serve(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    acts: &[Act],
    seen: &Mutex<Vec<String>>,
) -> Option<Act> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let act = {
        let mut seen = seen.lock().expect("no panic");
        seen.push(String::from_utf8_lossy(&bytes).to_ascii_lowercase());
        acts[(seen.len() - 1).min(acts.len() - 1)].clone()
    };
    let (Act::Send(reply) | Act::SendAndHang(reply) | Act::SendAndReset(reply)) = &act;
    // Fails if the client stops reading a body that is too large.
    let _ = stream.write_all(reply).await;
    let _ = stream.flush().await;
    if matches!(act, Act::SendAndHang(_)) {
        // Waits until the client closes the connection.
        while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {}
    }
    Some(act)
}

/// A complete response with `Content-Length`.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

pub(crate) fn token() -> ExportToken {
    ExportToken::new(TOKEN).expect("a token")
}

pub(crate) fn with_session() -> Credentials {
    Credentials {
        api_key: Some(ApiKey::new(API_KEY)),
        session_token: Some(SessionToken::new(SESSION)),
        ..Credentials::default()
    }
}

pub(crate) fn with_login() -> Credentials {
    Credentials {
        api_key: Some(ApiKey::new(API_KEY)),
        login: Some((Username::new("jane@partner.test"), Password::new("pass \"word\""))),
        ..Credentials::default()
    }
}

pub(crate) fn api(base: Url, credentials: Credentials) -> ApiClient {
    recorded_api(Backend::backend_for_vendor(base), credentials, Arc::new(NoRecorder))
}

pub(crate) fn recorded_api(
    backend: Backend,
    credentials: Credentials,
    recorder: Arc<dyn ExchangeRecorder>,
) -> ApiClient {
    ApiClient::new(backend, credentials, Timeouts::default(), recorder).expect("an API")
}
