//! The HTTP endpoint `/metrics`.
//!
//! It must not give strangers in its network a way to disturb the booth: connections are limited in number and time, and
//! a request has no body that is read. One address cannot keep the others from reading the metrics.

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Read as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Content type of the text format.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Maximum number of connections. Further ones wait.
const MAX_CONNECTIONS: usize = 8;
/// Maximum number of connections of one address. Further ones are closed.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 2;
/// Maximum time from the beginning of a connection to the end of its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum duration of a connection, which serves one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after a connection could not be accepted, for example because too many files are open.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_secs(1);
/// Fewest characters of a token. A shorter one could be guessed.
const MIN_TOKEN_LENGTH: usize = 16;
/// Maximum size of the token's file, in bytes.
const MAX_TOKEN_FILE_BYTES: u64 = 4096;

/// Where the endpoint listens, and who may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsEndpointConfig {
    /// Address and port. Port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// A file with the bearer token that each request must have, on its first line. `None` lets every program on this
    /// machine read the metrics, and is refused unless `listen` is a loopback address. The file is read again at each
    /// request, so that the token can be changed while the program runs.
    pub token_file: Option<PathBuf>,
}

/// Why the endpoint cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum MetricsEndpointError {
    /// Other machines could read the metrics without a token.
    #[error(
        "the metrics endpoint at {0} is not started: other machines could read it without a token. Set a token file, or \
         listen on 127.0.0.1"
    )]
    TokenRequired(SocketAddr),
    /// The token's file cannot be read.
    #[error("the metrics endpoint is not started: its token file {} cannot be read: {source}", path.display())]
    UnreadableToken {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The token is too short.
    #[error(
        "the metrics endpoint is not started: the first line of its token file {} has fewer than {MIN_TOKEN_LENGTH} \
         characters. `openssl rand -hex 24` makes a token", .0.display()
    )]
    ShortToken(PathBuf),
    /// The address cannot be used.
    #[error("the metrics endpoint cannot listen on {listen}: {source}. Choose another address or port")]
    Unavailable {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Renders the metrics for one request.
pub type MetricsRenderer = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// A running endpoint. It ends when this is dropped.
#[derive(Debug)]
pub struct MetricsEndpoint {
    address: SocketAddr,
    _stop: DropGuard,
}

impl MetricsEndpoint {
    /// Starts the endpoint. Needs a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be used, the token cannot be read or is too short, or there is none although other machines
    /// can reach the address.
    pub async fn start_endpoint(
        config: MetricsEndpointConfig,
        render: MetricsRenderer,
    ) -> Result<Self, MetricsEndpointError> {
        let MetricsEndpointConfig { listen, token_file } = config;
        match &token_file {
            Some(path) => _ = read_bearer_token_from_file(path)?,
            None if listen.ip().is_loopback() => {}
            None => return Err(MetricsEndpointError::TokenRequired(listen)),
        }
        let unavailable = |source| MetricsEndpointError::Unavailable { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(unavailable)?;
        let address = listener.local_addr().map_err(unavailable)?;
        let stop = CancellationToken::new();
        tokio::spawn(serve_connections_until_stopped(listener, token_file.map(Arc::from), render, stop.clone()));
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    /// The address on which the endpoint listens.
    pub fn listen_address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves connections until `stop` is cancelled.
async fn serve_connections_until_stopped(
    listener: TcpListener,
    token_file: Option<Arc<Path>>,
    render: MetricsRenderer,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let counts = ConnectionCounts::default();
    let accept = async {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the metrics endpoint cannot be accepted");
                    tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
                    continue;
                }
            };
            let Some(counted) = CountedConnection::count_if_allowed(&counts, peer.ip()) else { continue };
            // The semaphore is never closed.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let (token_file, render) = (token_file.clone(), render.clone());
            tokio::spawn(async move {
                let (_slot, _counted) = (slot, counted);
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (token_file, render) = (token_file.clone(), render.clone());
                    async move { Ok::<_, Infallible>(answer_request(&request, token_file.as_deref(), &render).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), answer);
                // A client that is slow or gone is no event of the booth.
                _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            });
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept => {}
    }
}

/// Number of open connections by address. An IPv6 network of 64 bits counts as one address.
type ConnectionCounts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A connection that counts against the limit of its address until this is dropped.
struct CountedConnection {
    address: IpAddr,
    counts: ConnectionCounts,
}

impl CountedConnection {
    /// Counts a connection; `None` if its address has as many as it may.
    fn count_if_allowed(counts: &ConnectionCounts, address: IpAddr) -> Option<Self> {
        let address = match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address @ IpAddr::V4(_) => address,
        };
        let mut locked = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = locked.entry(address).or_default();
        if *count >= MAX_CONNECTIONS_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Self { address, counts: counts.clone() })
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// The response to one request.
async fn answer_request(
    request: &Request<Incoming>,
    token_file: Option<&Path>,
    render: &MetricsRenderer,
) -> Response<String> {
    if request.uri().path() != "/metrics" {
        return build_text_response(StatusCode::NOT_FOUND, "the metrics are at /metrics\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = build_text_response(StatusCode::METHOD_NOT_ALLOWED, "use GET\n");
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if token_file.is_none() && !is_host_header_ip_or_localhost(request) {
        let text = "without a token, the metrics are at an IP address or at localhost only\n";
        return build_text_response(StatusCode::MISDIRECTED_REQUEST, text);
    }
    if let Some(path) = token_file {
        let expected = match read_bearer_token_from_file(path) {
            Ok(expected) => expected,
            Err(error) => {
                tracing::error!(%error, "a request for metrics is refused");
                return build_text_response(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the token cannot be read; the log says why\n",
                );
            }
        };
        if !matches_bearer_token(request, &expected) {
            let mut response = build_text_response(StatusCode::UNAUTHORIZED, "a bearer token is required\n");
            response.headers_mut().insert(WWW_AUTHENTICATE, hyper::header::HeaderValue::from_static("Bearer"));
            return response;
        }
    }
    let mut response = Response::new(render().await);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(METRICS_CONTENT_TYPE));
    response
}

/// Whether `Host` is an IP address or `localhost`. A page in a browser of this machine could otherwise read the metrics: it
/// lets the name of its own server resolve to the loopback address (DNS rebinding).
fn is_host_header_ip_or_localhost(request: &Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// A plain text response.
fn build_text_response(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(text.to_owned());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Whether the request has this bearer token. Takes the same time for every wrong token of the same length.
fn matches_bearer_token(request: &Request<Incoming>, expected: &secrecy::SecretString) -> bool {
    use secrecy::ExposeSecret as _;
    let value = request.headers().get(AUTHORIZATION).map(hyper::header::HeaderValue::as_bytes).unwrap_or_default();
    let Some((scheme, token)) = value.split_at_checked("Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(token.ct_eq(expected.expose_secret().as_bytes()))
}

/// Reads the token, which is the first line of the file without surrounding white space. Refuses a token that is too
/// short. Blocks on the disk.
fn read_bearer_token_from_file(path: &Path) -> Result<secrecy::SecretString, MetricsEndpointError> {
    use secrecy::ExposeSecret as _;
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(MAX_TOKEN_FILE_BYTES).read_to_string(&mut text)?;
        Ok(secrecy::SecretString::from(text.lines().next().unwrap_or_default().trim()))
    };
    let token: secrecy::SecretString =
        read().map_err(|source| MetricsEndpointError::UnreadableToken { path: path.to_owned(), source })?;
    if token.expose_secret().chars().count() < MIN_TOKEN_LENGTH {
        return Err(MetricsEndpointError::ShortToken(path.to_owned()));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpSocket, TcpStream};

    const TOKEN: &str = "planted-metrics-token";

    fn config(listen: &str, token_file: Option<PathBuf>) -> MetricsEndpointConfig {
        MetricsEndpointConfig { listen: listen.parse().expect("an address"), token_file }
    }

    fn render() -> MetricsRenderer {
        Arc::new(|| Box::pin(async { "copresence_test 1\n".to_owned() }))
    }

    async fn response_to(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).await.expect("received");
        response
    }

    async fn get(address: SocketAddr, path: &str, header: &str) -> String {
        response_to(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost:9100\r\n{header}\r\n")).await
    }

    #[tokio::test]
    async fn metrics_are_served_on_the_loopback_address_without_a_token() {
        let endpoint = MetricsEndpoint::start_endpoint(config("127.0.0.1:0", None), render()).await.expect("started");
        let response = get(endpoint.listen_address(), "/metrics", "").await;
        assert!(response.starts_with("HTTP/1.1 200 ") && response.contains(METRICS_CONTENT_TYPE), "{response}");
        assert!(response.ends_with("\r\n\r\ncopresence_test 1\n"), "{response}");
        assert!(get(endpoint.listen_address(), "/", "").await.starts_with("HTTP/1.1 404 "));
        let posted =
            response_to(endpoint.listen_address(), "POST /metrics HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n")
                .await;
        assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
        for (host, status) in [("127.0.0.1:9100", 200), ("[::1]", 200), ("attacker.test", 421), ("::1:9100", 421)] {
            let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let response = response_to(endpoint.listen_address(), &request).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {response}");
        }
    }

    #[tokio::test]
    async fn a_token_is_required_and_can_be_changed() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("token");
        std::fs::write(&path, format!("{TOKEN}\n")).expect("written");
        let endpoint = MetricsEndpoint::start_endpoint(config("127.0.0.1:0", Some(path.clone())), render()).await;
        let address = endpoint.as_ref().expect("started").listen_address();
        for wrong in ["", "Authorization: Bearer planted-metrics-tokex\r\n", "Authorization: Basic YTpi\r\n"] {
            let response = get(address, "/metrics", wrong).await;
            assert!(response.starts_with("HTTP/1.1 401 ") && !response.contains("copresence_test"), "{response}");
        }
        let right = format!("Authorization: bearer {TOKEN}\r\n");
        assert!(get(address, "/metrics", &right).await.starts_with("HTTP/1.1 200 "));
        std::fs::write(&path, "another-planted-token").expect("written");
        assert!(get(address, "/metrics", &right).await.starts_with("HTTP/1.1 401 "));
        std::fs::remove_file(&path).expect("removed");
        assert!(get(address, "/metrics", &right).await.starts_with("HTTP/1.1 503 "));
    }

    #[tokio::test]
    async fn an_endpoint_with_missing_or_weak_token_is_not_started() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("token");
        let error = |config| async { MetricsEndpoint::start_endpoint(config, render()).await.expect_err("refused") };
        let open = error(config("0.0.0.0:0", None)).await;
        assert!(matches!(open, MetricsEndpointError::TokenRequired(_)), "{open}");
        let missing = error(config("127.0.0.1:0", Some(path.clone()))).await;
        assert!(matches!(missing, MetricsEndpointError::UnreadableToken { .. }), "{missing}");
        std::fs::write(&path, "short\n").expect("written");
        let short = error(config("127.0.0.1:0", Some(path))).await;
        assert!(matches!(short, MetricsEndpointError::ShortToken(_)), "{short}");
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = taken.local_addr().expect("bound").to_string();
        let unavailable = error(config(&address, None)).await;
        assert!(unavailable.to_string().contains(&address), "{unavailable}");
    }

    /// With virtual time: only the order of the timeouts counts.
    #[tokio::test(start_paused = true)]
    async fn silent_connections_do_not_block_requests() {
        let endpoint = MetricsEndpoint::start_endpoint(config("127.0.0.1:0", None), render()).await.expect("started");
        let address = endpoint.listen_address();
        let started = tokio::time::Instant::now();
        let mut silent = Vec::new();
        for _ in 0..60 {
            silent.push(TcpStream::connect(address).await.expect("connects"));
        }
        // Every address of 127.0.0.0/8 is this machine's, on Linux only.
        if cfg!(target_os = "linux") {
            let other = TcpSocket::new_v4().expect("a socket");
            other.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
            let mut other = other.connect(address).await.expect("connects");
            other.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
            let mut response = String::new();
            other.read_to_string(&mut response).await.expect("received");
            assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        }
        for mut stream in silent {
            let ended = stream.read(&mut [0]).await;
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        }
        assert!(started.elapsed() < CONNECTION_TIMEOUT, "{:?}", started.elapsed());
        assert!(get(address, "/metrics", "").await.starts_with("HTTP/1.1 200 "));
        // The endpoint closes its connections when it ends.
        drop(endpoint);
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn connections_of_an_ipv6_network_count_together() {
        let counts = ConnectionCounts::default();
        let count = |address: &str| CountedConnection::count_if_allowed(&counts, address.parse().expect("an address"));
        let held = [count("2001:db8::1"), count("2001:db8::2")];
        assert!(held.iter().all(Option::is_some) && count("2001:db8::3").is_none());
        assert!(count("2001:db8:0:1::1").is_some() && count("::ffff:10.0.0.1").is_some());
        drop(held);
        assert!(count("2001:db8::3").is_some() && counts.lock().expect("no panic").is_empty());
    }
}
