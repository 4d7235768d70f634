//! How many redeems the sandbox answers, compared with a bare axum handler that sends the same response.
//!
//! ```sh
//! cargo xtask bench sandbox     # or: cargo bench -p copresence-sandbox --bench redeem_throughput
//! ```
//!
//! Each server runs alone on a thread of its own, with 32 connections that are kept alive. The sandbox has 10,000 active
//! tokens and its request log. The rounds of the two alternate, and the ratio compares requests per second of *processor
//! time* of the server's thread, so that other programs on the machine do not matter.

use axum::Json;
use axum::Router;
use axum::routing::get;
use copresence_sandbox::{Sandbox, SandboxSettings, Server};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

const CONNECTIONS: usize = 32;
const ACTIVE_TOKENS: usize = 10_000;
const ROUNDS: usize = 21;
const REQUESTS_PER_ROUND: usize = 40_000;
/// What the sandbox is to reach at least, as a share of the bare handler.
const TARGET: f64 = 0.6;

fn main() {
    // `cargo bench` and `cargo test` pass `--bench` and filters, which do not apply here.
    let bare = ServerThread::start(serve_bare_handler);
    let sandbox = ServerThread::start(serve_sandbox);
    let client = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let memory_before = resident_kilobytes();
    let mut ratios = Vec::new();
    println!("round   bare handler        sandbox             ratio (requests per second of processor time)");
    // The first round warms up.
    for round in 0..=ROUNDS {
        let [bare, sandbox] = [&bare, &sandbox].map(|server| server.measure_round(&client));
        if round > 0 {
            println!("{round:>5}   {bare:>9.0} /s        {sandbox:>9.0} /s        {:.2}", sandbox / bare);
            ratios.push(sandbox / bare);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let verdict = if median >= TARGET { "reached" } else { "missed" };
    println!("median ratio {median:.2}; target {TARGET} {verdict}");
    println!(
        "resident memory: {memory_before} kB before, {} kB after {} requests",
        resident_kilobytes(),
        (ROUNDS + 1) * REQUESTS_PER_ROUND
    );
}

/// A server on its own thread.
struct ServerThread {
    address: SocketAddr,
    /// The requests of each connection.
    requests: Vec<Vec<u8>>,
    thread_id: String,
    _stop: oneshot::Sender<()>,
}

/// What a started server tells the client.
struct Started {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
}

impl ServerThread {
    fn start<F: Future<Output = ()>>(serve: impl FnOnce(mpsc::Sender<Started>) -> F + Send + 'static) -> Self {
        let (started, is_started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (id, thread_id) = mpsc::channel();
        std::thread::spawn(move || {
            // The link `/proc/thread-self` names this thread.
            let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
            id.send(own.file_name().unwrap_or_default().to_string_lossy().into_owned()).expect("received");
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = serve(started) => {}
                    _ = stopped => {}
                }
            });
        });
        let Started { address, requests } = is_started.recv().expect("the server started");
        Self { address, requests, thread_id: thread_id.recv().expect("an id"), _stop: stop }
    }

    /// Sends the requests of one round over all connections; returns requests per second of processor time.
    fn measure_round(&self, client: &tokio::runtime::Runtime) -> f64 {
        let used_before = self.processor_time();
        let began = Instant::now();
        client.block_on(async {
            let connections = self.requests.iter().map(|request| {
                tokio::spawn(send_requests(self.address, request.clone(), REQUESTS_PER_ROUND / CONNECTIONS))
            });
            for connection in connections.collect::<Vec<_>>() {
                connection.await.expect("no panic");
            }
        });
        let used = self
            .processor_time()
            .zip(used_before)
            .map_or(began.elapsed(), |(after, before)| after.saturating_sub(before));
        f64::from(u32::try_from(REQUESTS_PER_ROUND).expect("small")) / used.as_secs_f64()
    }

    /// Processor time of the server's thread; `None` where it is not known, so that real time is used.
    fn processor_time(&self) -> Option<Duration> {
        let path = format!("/proc/self/task/{}/schedstat", self.thread_id);
        let text = std::fs::read_to_string(path).ok()?;
        text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    }
}

/// Sends the same request again and again over one connection.
async fn send_requests(address: SocketAddr, request: Vec<u8>, count: usize) {
    let mut connection = TcpStream::connect(address).await.expect("connected");
    connection.set_nodelay(true).expect("set");
    let mut buffer = vec![0; 4096];
    for _ in 0..count {
        connection.write_all(&request).await.expect("sent");
        let mut received = 0;
        loop {
            received += connection.read(&mut buffer[received..]).await.expect("a response");
            if is_complete_response(&buffer[..received]) {
                break;
            }
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&buffer[..received]));
    }
}

/// Whether these bytes are a whole response with a stated length.
fn is_complete_response(bytes: &[u8]) -> bool {
    let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    bytes.len() >= head_end + 4 + length.parse::<usize>().expect("a number")
}

/// The request of a console.
fn redeem_request(address: SocketAddr, api_key: &str, token: &str) -> Vec<u8> {
    format!(
        "GET /redeemExportToken HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n\
         User-Agent: copresence-kiosk/0.1.0\r\nX-Copresence-REST-API-Key: {api_key}\r\n\
         X-Copresence-Export-Token: {token}\r\n\r\n"
    )
    .into_bytes()
}

async fn serve_bare_handler(started: mpsc::Sender<Started>) {
    let body = serde_json::json!({
        "avatar_ready": false,
        "payload_incomplete": {
            "completion_progress": -1, "completion_status": "no_associated_avatar", "queue_position": -1,
        },
    });
    let router = Router::new().route("/redeemExportToken", get(move || async move { Json(body) }));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let requests = vec![redeem_request(address, "key-of-the-bench", "token-of-the-bench-012345"); CONNECTIONS];
    started.send(Started { address, requests }).expect("received");
    axum::serve(listener, router).await.expect("served");
}

async fn serve_sandbox(started: mpsc::Sender<Started>) {
    let sandbox = Sandbox::new(SandboxSettings::default()).expect("a sandbox");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start_server_for_existing_sandbox(sandbox, address).expect("a server");
    let address = server.listen_address();
    let credentials = server.sandbox().accepted_credentials();
    let (api_key, session) = (credentials.api_key.expose(), credentials.session_token.expose());
    let mut connection = TcpStream::connect(address).await.expect("connected");
    let request = format!(
        "POST /generateExportToken HTTP/1.1\r\nHost: {address}\r\nX-Copresence-REST-API-Key: {api_key}\r\n\
         X-Copresence-Session-Token: {session}\r\nContent-Length: 0\r\n\r\n"
    );
    let mut tokens = Vec::new();
    let mut buffer = vec![0; 4096];
    for _ in 0..ACTIVE_TOKENS {
        connection.write_all(request.as_bytes()).await.expect("sent");
        let mut received = 0;
        while !is_complete_response(&buffer[..received]) {
            received += connection.read(&mut buffer[received..]).await.expect("a response");
        }
        let response = String::from_utf8_lossy(&buffer[..received]).into_owned();
        let json = response.split_once("\r\n\r\n").expect("a body").1;
        let body: serde_json::Value = serde_json::from_str(json).expect("JSON");
        tokens.push(body["token"].as_str().expect("a token").to_owned());
    }
    let step = ACTIVE_TOKENS / CONNECTIONS;
    let requests = tokens.iter().step_by(step).take(CONNECTIONS);
    let requests = requests.map(|token| redeem_request(address, api_key, token)).collect();
    started.send(Started { address, requests }).expect("received");
    std::future::pending::<()>().await;
    drop(server);
}

/// Resident memory of this process; 0 where it is not known.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
