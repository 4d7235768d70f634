//! A Copresence backend written from the vendor's specification. It shares no code with the product.

use super::reply::{Asset, Reply, UrlBehavior};
use super::wire::{self, Connection, Request};
use serde_json::json;
use std::collections::HashSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub(crate) const API_KEY: &str = "PLANTED-api-key-5f1c";
pub(crate) const SESSION_TOKEN: &str = "r:PLANTED-session-77ab";
pub(crate) const USERNAME: &str = "PLANTED-user-studio";
pub(crate) const PASSWORD: &str = "PLANTED-pass word-ü9";
pub(crate) const TOKEN: &str = "exp+tok/1=&?";
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The behavior of the backend.
pub(crate) struct BackendScript {
    /// Responses in order. The last one is repeated.
    pub(crate) generate: Vec<Reply>,
    /// Responses in order. The last one is repeated. After URLs, the token is spent and redeems are refused.
    pub(crate) redeem: Vec<Reply>,
    pub(crate) assets: Vec<Asset>,
    /// Whether logins are refused.
    pub(crate) refuses_login: bool,
    /// Whether responses have fields that the specification does not name.
    pub(crate) adds_unknown_fields: bool,
    /// Number of requests after which a connection is closed without notice. `None`: one request per connection, with
    /// `Connection: close`.
    pub(crate) requests_per_connection: Option<usize>,
}

impl Default for BackendScript {
    fn default() -> Self {
        Self {
            generate: vec![Reply::json(200, &json!({ "token": TOKEN }))],
            redeem: vec![Reply::unscanned(), Reply::queued(2), Reply::processing(50), Reply::Urls],
            assets: vec![Asset::glb()],
            refuses_login: false,
            adds_unknown_fields: false,
            requests_per_connection: None,
        }
    }
}

/// What the backend recorded of the client.
#[derive(Default)]
struct BackendRecord {
    requests: Vec<Request>,
    redeems: usize,
    generates: usize,
    redeems_in_flight: usize,
    max_redeems_in_flight: usize,
    is_token_spent: bool,
    /// The response of all later redeems, instead of the script's.
    redeem_override: Option<Reply>,
    used_paths: HashSet<String>,
    /// Bytes of files that were sent.
    sent_bytes: usize,
}

struct Shared {
    script: BackendScript,
    url: String,
    record: Mutex<BackendRecord>,
    changed: Condvar,
    is_stopped: AtomicBool,
}

/// A backend that listens until it is dropped.
pub(crate) struct Backend(Arc<Shared>);

impl Backend {
    pub(crate) fn start(script: BackendScript) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared {
            script,
            url,
            record: Mutex::default(),
            changed: Condvar::new(),
            is_stopped: AtomicBool::new(false),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.is_stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve_connection(stream));
            }
        });
        Self(shared)
    }

    /// Starts a backend with these responses of redeems and the default script otherwise.
    pub(crate) fn with_redeems(redeem: Vec<Reply>) -> Self {
        Self::start(BackendScript { redeem, ..BackendScript::default() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.lock_record().requests.clone()
    }

    pub(crate) fn requests_to(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.path.starts_with(path)).collect()
    }

    pub(crate) fn max_redeems_in_flight(&self) -> usize {
        self.0.lock_record().max_redeems_in_flight
    }

    /// Sets the response of all later redeems.
    pub(crate) fn respond_to_redeems_with(&self, reply: Reply) {
        self.0.lock_record().redeem_override = Some(reply);
    }

    /// Waits until this many bytes of files were sent.
    pub(crate) fn wait_for_sent_bytes(&self, bytes: usize) {
        self.0.wait_for(|record| record.sent_bytes >= bytes);
    }

    /// Waits until this many redeems were received.
    pub(crate) fn wait_for_redeems(&self, count: usize) {
        self.0.wait_for(|record| record.redeems >= count);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Ordering::SeqCst);
        self.0.changed.notify_all();
        // Wakes the listener.
        _ = TcpStream::connect(self.0.url.trim_start_matches("http://"));
    }
}

impl Shared {
    fn lock_record(&self) -> MutexGuard<'_, BackendRecord> {
        self.record.lock().expect("no test panicked with it")
    }

    fn wait_for(&self, is_reached: impl Fn(&BackendRecord) -> bool) {
        let end = Instant::now() + WAIT_TIMEOUT;
        let mut record = self.lock_record();
        while !is_reached(&record) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "timed out, requests: {:#?}", record.requests);
            record = self.changed.wait_timeout(record, left).expect("no test panicked with it").0;
        }
    }

    fn wait_until_stopped(&self) {
        let mut record = self.lock_record();
        while !self.is_stopped.load(Ordering::SeqCst) {
            record = self.changed.wait_timeout(record, Duration::from_millis(200)).expect("alive").0;
        }
    }

    fn serve_connection(&self, stream: TcpStream) {
        let Some(requests) = self.script.requests_per_connection else {
            self.serve_request(&mut Connection::new(stream));
            return;
        };
        let mut connection = Connection { stream, sends_close: false };
        for _ in 0..requests {
            if !self.serve_request(&mut connection) {
                break;
            }
        }
        // The connection is closed without notice.
    }

    /// Serves one request. Returns `false` if the client closed the connection.
    fn serve_request(&self, connection: &mut Connection) -> bool {
        let Some(request) = wire::read_request(&connection.stream) else { return false };
        self.lock_record().requests.push(request.clone());
        // Errors are ignored: the client may have closed the connection.
        _ = match request.path.split('?').next().unwrap_or_default() {
            "/login" => self.respond_to_login(&request, connection),
            "/generateExportToken" => self.respond_to_generate(&request, connection),
            "/redeemExportToken" => self.respond_to_redeem(&request, connection),
            path if path.starts_with("/dl/") => self.respond_to_file(&request, connection),
            _ => write_error(connection, 404, 1, "no such endpoint"),
        };
        self.changed.notify_all();
        true
    }

    fn respond_to_login(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let is_accepted = request.method == "POST"
            && request.header("X-Copresence-REST-API-Key") == API_KEY
            && body["username"] == USERNAME
            && body["password"] == PASSWORD;
        if !is_accepted || self.script.refuses_login {
            return write_error(connection, 404, 101, "Invalid username/password.");
        }
        write_response(connection, 200, None, json!({ "sessionToken": SESSION_TOKEN }).to_string().as_bytes())
    }

    fn respond_to_generate(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let is_accepted = request.header("X-Copresence-REST-API-Key") == API_KEY
            && request.header("X-Copresence-Session-Token") == SESSION_TOKEN;
        if request.method != "POST" || !is_accepted {
            return write_error(connection, 401, 0, "unauthorized");
        }
        let nth = {
            let mut record = self.lock_record();
            record.generates += 1;
            record.generates - 1
        };
        self.send_reply(connection, nth_reply(&self.script.generate, nth))
    }

    fn respond_to_redeem(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let is_accepted = request.method == "GET"
            && request.header("X-Copresence-REST-API-Key") == API_KEY
            && !request.header("X-Copresence-Export-Token").is_empty();
        if !is_accepted {
            return write_error(connection, 400, 102, "headers are missing");
        }
        let reply = {
            let mut record = self.lock_record();
            record.redeems += 1;
            record.redeems_in_flight += 1;
            record.max_redeems_in_flight = record.max_redeems_in_flight.max(record.redeems_in_flight);
            let reply = nth_reply(&self.script.redeem, record.redeems - 1);
            let reply = record.redeem_override.as_ref().unwrap_or(reply).clone();
            let reply = if record.is_token_spent { Reply::no_such_token() } else { reply };
            record.is_token_spent |= matches!(reply, Reply::Urls | Reply::UrlsAfter(_) | Reply::UrlsTruncated);
            reply
        };
        self.changed.notify_all();
        let result = self.send_reply(connection, &reply);
        self.lock_record().redeems_in_flight -= 1;
        result
    }

    fn send_reply(&self, connection: &mut Connection, reply: &Reply) -> std::io::Result<()> {
        match reply {
            Reply::Complete(status, body) => write_response(connection, *status, None, body),
            Reply::WithHeader(status, header, body) => write_response(connection, *status, Some(header.clone()), body),
            Reply::Urls => write_response(connection, 200, None, &self.delivery_body()),
            Reply::UrlsAfter(time) => {
                std::thread::sleep(*time);
                write_response(connection, 200, None, &self.delivery_body())
            }
            Reply::UrlsTruncated => {
                let body = self.delivery_body();
                connection.write_head(200, &[("Content-Type", "application/json".into())], body.len())?;
                connection.stream.write_all(&body[..body.len() / 2])
            }
            Reply::ClosesConnection => Ok(()),
            Reply::Hangs => {
                self.wait_until_stopped();
                Ok(())
            }
        }
    }

    fn delivery_body(&self) -> Vec<u8> {
        let entries = self.script.assets.iter().enumerate().map(|(index, asset)| {
            let mut entry = json!({"download_URL": format!("{}/dl/{index}?sig=PLANTED-sig-{index}", self.url),
                "export_type": asset.export_type});
            if self.script.adds_unknown_fields {
                entry["expires"] = serde_json::Value::Null;
                entry["checksum"] = json!({"kind": ["md5", null]});
            }
            entry
        });
        let mut body = json!({ "avatar_ready": true });
        body["payload_complete"] = entries.collect();
        if self.script.adds_unknown_fields {
            body["payload_incomplete"] = serde_json::Value::Null;
            body["server"] = json!({"version": 3, "none": null});
        }
        body.to_string().into_bytes()
    }

    fn respond_to_file(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let index = request.path.trim_start_matches("/dl/").split('?').next().and_then(|n| n.parse().ok());
        let Some(asset) = index.and_then(|n: usize| self.script.assets.get(n)) else {
            return write_error(connection, 404, 1, "no such file");
        };
        let is_first = self.lock_record().used_paths.insert(request.path.clone());
        match asset.url_behavior {
            UrlBehavior::Refuses(status) => return write_error(connection, status, 1, "gone"),
            UrlBehavior::StallsThenRefuses(_) if !is_first => return write_error(connection, 410, 1, "gone"),
            _ if !is_first && request.range_start().is_none() => {
                return write_error(connection, 410, 1, "this URL was used");
            }
            _ => {}
        }
        let from = request.range_start().unwrap_or(0);
        let bytes = asset.bytes.get(from..).unwrap_or_default();
        let mut headers = vec![("Content-Type", "application/octet-stream".to_owned())];
        headers.push(("ETag", "\"one\"".to_owned()));
        headers.push(("Accept-Ranges", "bytes".to_owned()));
        let size = asset.bytes.len();
        let status = if request.range_start().is_some() {
            headers.push(("Content-Range", format!("bytes {from}-{}/{size}", size.saturating_sub(1))));
            206
        } else {
            200
        };
        if asset.url_behavior == UrlBehavior::WithoutLength {
            connection.write_head_without_length(status, &headers)?;
        } else {
            connection.write_head(status, &headers, bytes.len())?;
        }
        let stop = match asset.url_behavior {
            UrlBehavior::StallsAfter(at) | UrlBehavior::StallsThenRefuses(at) | UrlBehavior::CutAfter(at)
                if is_first =>
            {
                at
            }
            _ => bytes.len(),
        };
        connection.stream.write_all(&bytes[..stop])?;
        self.lock_record().sent_bytes += stop;
        self.changed.notify_all();
        if stop < bytes.len() && !matches!(asset.url_behavior, UrlBehavior::CutAfter(_)) {
            self.wait_until_stopped();
        }
        Ok(())
    }
}

fn nth_reply(replies: &[Reply], nth: usize) -> &Reply {
    replies.get(nth).or(replies.last()).expect("a script has a reply")
}

fn write_response(
    connection: &mut Connection,
    status: u16,
    header: Option<(&'static str, String)>,
    body: &[u8],
) -> std::io::Result<()> {
    let mut headers: Vec<_> = header.into_iter().collect();
    if headers.is_empty() {
        headers.push(("Content-Type", "application/json".to_owned()));
    }
    connection.write_head(status, &headers, body.len())?;
    connection.stream.write_all(body)
}

fn write_error(connection: &mut Connection, status: u16, code: u16, error: &str) -> std::io::Result<()> {
    write_response(connection, status, None, json!({"code": code, "error": error}).to_string().as_bytes())
}
