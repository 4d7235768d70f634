//! A backend whose first redeem delivers URLs that the test chose. The file hosts are the peers under test.

use crate::HarnessError;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A backend on a port of 127.0.0.1. It runs until the test process ends.
pub(crate) struct DeliveringBackend {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    exports: Vec<(String, &'static str)>,
    /// Redeems of the current token that are answered with "not ready" before the delivery.
    not_ready_count: usize,
    redeems: usize,
    tokens: usize,
}

impl DeliveringBackend {
    /// Starts a backend that delivers nothing yet.
    pub(crate) fn start() -> Result<Self, HarnessError> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve_connection(&stream, &shared));
            }
        });
        Ok(Self { port, state })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The base URL of the API.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/1", self.port)
    }

    /// Sets what a redeem delivers: URLs and their export types.
    pub(crate) fn deliver(&self, exports: &[(String, &'static str)]) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).exports = exports.to_vec();
    }

    /// Sets the number of redeems that are answered with "not ready".
    pub(crate) fn set_not_ready_count(&self, count: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).not_ready_count = count;
    }

    /// Number of Export Tokens issued.
    pub(crate) fn issued_tokens(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tokens
    }
}

/// Answers the requests of one connection. An error means that the client closed it.
fn serve_connection(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request_line = String::new();
        reader.read_line(&mut request_line).ok().filter(|bytes| *bytes > 0)?;
        let mut header = String::new();
        while reader.read_line(&mut header).ok()? > 2 {
            header.clear();
        }
        let (status, body) = answer_request(request_line.split(' ').nth(1)?, state);
        let body = body.to_string();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        (&*stream).write_all((head + &body).as_bytes()).ok()?;
    }
}

fn answer_request(path: &str, state: &Mutex<State>) -> (&'static str, Value) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match path {
        "/1/generateExportToken" => {
            state.tokens += 1;
            state.redeems = 0;
            ("200 OK", json!({ "token": format!("peer-token-{}", state.tokens) }))
        }
        "/1/redeemExportToken" => {
            state.redeems += 1;
            if state.redeems <= state.not_ready_count {
                let progress =
                    json!({ "completion_progress": 50, "completion_status": "processing", "queue_position": -1 });
                return ("200 OK", json!({ "avatar_ready": false, "payload_incomplete": progress }));
            }
            if state.redeems > state.not_ready_count + 1 {
                let error = "Provided Export Token string does not match an active Export Token";
                return ("400 Bad Request", json!({ "code": 101, "error": error }));
            }
            let exports: Vec<Value> = state
                .exports
                .iter()
                .map(|(url, export_type)| json!({ "download_URL": url, "export_type": export_type }))
                .collect();
            ("200 OK", json!({ "avatar_ready": true, "payload_complete": exports }))
        }
        _ => ("404 Not Found", json!({ "code": 404, "error": "no such endpoint" })),
    }
}
