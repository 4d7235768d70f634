//! A server that sends raw bytes and records requests, and clients for it.

use copresence_client::{ApiClient, BackendWithRoutes, Credentials, ExchangeRecorder, NoRecorder, Timeouts};
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
pub(crate) enum ServerAction {
    /// Sends the bytes and closes the connection.
    Send(Vec<u8>),
    /// Sends the bytes and keeps the connection open.
    SendAndHang(Vec<u8>),
    /// Sends the bytes and resets the connection.
    SendAndReset(Vec<u8>),
    /// Sends the bytes and closes the connection without the closing alert of TLS (`close_notify`).
    SendWithoutTlsEnd(Vec<u8>),
    /// Sends the first bytes, waits 50 ms, sends the other bytes, and closes the connection.
    SendSlowly(Vec<u8>, Vec<u8>),
}

/// Performs the n-th action for the n-th request, and the last action for all later ones.
pub(crate) struct RawServer {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl RawServer {
    pub(crate) async fn start(actions: Vec<ServerAction>) -> Self {
        Self::listen(actions, None).await
    }

    pub(crate) async fn start_tls(actions: Vec<ServerAction>, tls: TlsAcceptor) -> Self {
        Self::listen(actions, Some(tls)).await
    }

    async fn listen(actions: Vec<ServerAction>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve_connection(socket, tls.clone(), actions.clone(), Arc::clone(&record)));
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

async fn serve_connection(
    mut socket: TcpStream,
    tls: Option<TlsAcceptor>,
    actions: Vec<ServerAction>,
    record: Arc<Mutex<Vec<String>>>,
) {
    let Some(tls) = tls else {
        if let Some(ServerAction::SendAndReset(_)) = serve_request(&mut socket, &actions, &record).await {
            socket.set_zero_linger().expect("a socket option");
        }
        return;
    };
    if let Ok(mut stream) = tls.accept(socket).await {
        let action = serve_request(&mut stream, &actions, &record).await;
        if !matches!(action, Some(ServerAction::SendWithoutTlsEnd(_))) {
            let _ = stream.shutdown().await;
        }
    }
}

async fn serve_request(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    actions: &[ServerAction],
    record: &Mutex<Vec<String>>,
) -> Option<ServerAction> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let action = {
        let mut record = record.lock().expect("no panic");
        record.push(String::from_utf8_lossy(&bytes).to_ascii_lowercase());
        actions[(record.len() - 1).min(actions.len() - 1)].clone()
    };
    let (ServerAction::Send(reply)
    | ServerAction::SendAndHang(reply)
    | ServerAction::SendAndReset(reply)
    | ServerAction::SendWithoutTlsEnd(reply)
    | ServerAction::SendSlowly(reply, _)) = &action;
    // Fails if the client stops reading a body that is too large.
    let _ = stream.write_all(reply).await;
    let _ = stream.flush().await;
    if let ServerAction::SendSlowly(_, rest) = &action {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let _ = stream.write_all(rest).await;
        let _ = stream.flush().await;
    }
    if matches!(action, ServerAction::SendAndHang(_)) {
        // Waits until the client closes the connection.
        while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {}
    }
    Some(action)
}

/// A complete response with `Content-Length`.
pub(crate) fn response_bytes(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
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
    recorded_api(BackendWithRoutes::copresence_backend_from_url(base), credentials, Arc::new(NoRecorder))
}

pub(crate) fn recorded_api(
    backend: BackendWithRoutes,
    credentials: Credentials,
    recorder: Arc<dyn ExchangeRecorder>,
) -> ApiClient {
    ApiClient::new(backend, credentials, Timeouts::default(), recorder).expect("an API")
}
