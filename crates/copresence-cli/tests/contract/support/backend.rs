//! A Copresence backend written from the vendor's text alone. Nothing in here knows the product's crates.

use super::reply::{Asset, Manner, Reply};
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
const PATIENCE: Duration = Duration::from_secs(30);

/// How it behaves.
pub(crate) struct Script {
    /// In order; the last one for ever.
    pub(crate) generate: Vec<Reply>,
    /// In order; the last one for ever (after URLs the token is spent, whatever stands here).
    pub(crate) redeem: Vec<Reply>,
    pub(crate) assets: Vec<Asset>,
    /// A login is refused.
    pub(crate) refuses_login: bool,
    /// Put into every entry and object beside what the specification names.
    pub(crate) extras: bool,
    /// Connections are kept for so many requests, and then closed without a word; else one each, and said so.
    pub(crate) keeps_alive: Option<usize>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            generate: vec![Reply::json(200, &json!({ "token": TOKEN }))],
            redeem: vec![Reply::unscanned(), Reply::queued(2), Reply::processing(50), Reply::Urls],
            assets: vec![Asset::glb()],
            refuses_login: false,
            extras: false,
            keeps_alive: None,
        }
    }
}

/// What was seen of the client.
#[derive(Default)]
struct BackendState {
    requests: Vec<Request>,
    redeems: usize,
    generates: usize,
    redeems_in_flight: usize,
    most_redeems_in_flight: usize,
    spent: bool,
    /// What every redeem gets from a moment on, whatever the script says.
    from_now: Option<Reply>,
    used: HashSet<String>,
    /// Bytes of files that were put on the wire.
    sent: usize,
}

struct Shared {
    script: Script,
    url: String,
    seen: Mutex<BackendState>,
    changed: Condvar,
    over: AtomicBool,
}

/// A backend that listens until it is dropped.
pub(crate) struct Backend(Arc<Shared>);

impl Backend {
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared {
            script,
            url,
            seen: Mutex::default(),
            changed: Condvar::new(),
            over: AtomicBool::new(false),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Self(shared)
    }

    /// One whose redeems are these, and all else as usual.
    pub(crate) fn redeeming(redeem: Vec<Reply>) -> Self {
        Self::start(Script { redeem, ..Script::default() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.seen().requests.clone()
    }

    pub(crate) fn requests_to(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.path.starts_with(path)).collect()
    }

    pub(crate) fn most_redeems_in_flight(&self) -> usize {
        self.0.seen().most_redeems_in_flight
    }

    /// From now on every redeem gets this.
    pub(crate) fn answer_from_now(&self, reply: Reply) {
        self.0.seen().from_now = Some(reply);
    }

    /// Waits until so many bytes of files left.
    pub(crate) fn until_sent(&self, bytes: usize) {
        self.0.wait(|seen| seen.sent >= bytes);
    }

    /// Waits until so many redeems were asked.
    pub(crate) fn until_redeems(&self, count: usize) {
        self.0.wait(|seen| seen.redeems >= count);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        self.0.changed.notify_all();
        // Wakes the listener.
        _ = TcpStream::connect(self.0.url.trim_start_matches("http://"));
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, BackendState> {
        self.seen.lock().expect("no test panicked with it")
    }

    fn wait(&self, until: impl Fn(&BackendState) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut seen = self.seen();
        while !until(&seen) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "what was waited for did not happen: {:#?}", seen.requests);
            seen = self.changed.wait_timeout(seen, left).expect("no test panicked with it").0;
        }
    }

    fn until_over(&self) {
        let mut seen = self.seen();
        while !self.over.load(Ordering::SeqCst) {
            seen = self.changed.wait_timeout(seen, Duration::from_millis(200)).expect("alive").0;
        }
    }

    fn serve(&self, stream: TcpStream) {
        let Some(requests) = self.script.keeps_alive else {
            self.one(&mut Connection::new(stream));
            return;
        };
        let mut connection = Connection { stream, says_close: false };
        for _ in 0..requests {
            if !self.one(&mut connection) {
                break;
            }
        }
        // And now it ends without a word.
    }

    /// Serves one request; `false` when the client is gone.
    fn one(&self, connection: &mut Connection) -> bool {
        let Some(request) = wire::read(&connection.stream) else { return false };
        self.seen().requests.push(request.clone());
        // A client that goes away is the client's affair.
        _ = match request.path.split('?').next().unwrap_or_default() {
            "/login" => self.login(&request, connection),
            "/generateExportToken" => self.generate(&request, connection),
            "/redeemExportToken" => self.redeem(&request, connection),
            path if path.starts_with("/dl/") => self.file(&request, connection),
            _ => refuse(connection, 404, 1, "no such endpoint"),
        };
        self.changed.notify_all();
        true
    }

    fn login(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let known = request.method == "POST"
            && request.header("X-Copresence-REST-API-Key") == API_KEY
            && body["username"] == USERNAME
            && body["password"] == PASSWORD;
        if !known || self.script.refuses_login {
            return refuse(connection, 404, 101, "Invalid username/password.");
        }
        whole(connection, 200, None, json!({ "sessionToken": SESSION_TOKEN }).to_string().as_bytes())
    }

    fn generate(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let known = request.header("X-Copresence-REST-API-Key") == API_KEY
            && request.header("X-Copresence-Session-Token") == SESSION_TOKEN;
        if request.method != "POST" || !known {
            return refuse(connection, 401, 0, "unauthorized");
        }
        let nth = {
            let mut seen = self.seen();
            seen.generates += 1;
            seen.generates - 1
        };
        self.answer(connection, nth_of(&self.script.generate, nth))
    }

    fn redeem(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let known = request.method == "GET"
            && request.header("X-Copresence-REST-API-Key") == API_KEY
            && !request.header("X-Copresence-Export-Token").is_empty();
        if !known {
            return refuse(connection, 400, 102, "headers are missing");
        }
        let reply = {
            let mut seen = self.seen();
            seen.redeems += 1;
            seen.redeems_in_flight += 1;
            seen.most_redeems_in_flight = seen.most_redeems_in_flight.max(seen.redeems_in_flight);
            let reply = nth_of(&self.script.redeem, seen.redeems - 1);
            let reply = seen.from_now.as_ref().unwrap_or(reply).clone();
            let reply = if seen.spent { Reply::no_such_token() } else { reply };
            seen.spent |= matches!(reply, Reply::Urls | Reply::UrlsCut);
            reply
        };
        self.changed.notify_all();
        let result = self.answer(connection, &reply);
        self.seen().redeems_in_flight -= 1;
        result
    }

    fn answer(&self, connection: &mut Connection, reply: &Reply) -> std::io::Result<()> {
        match reply {
            Reply::Whole(status, body) => whole(connection, *status, None, body),
            Reply::With(status, header, body) => whole(connection, *status, Some(header.clone()), body),
            Reply::Urls => whole(connection, 200, None, &self.urls()),
            Reply::UrlsCut => {
                let body = self.urls();
                connection.head(200, &[("Content-Type", "application/json".into())], body.len())?;
                connection.stream.write_all(&body[..body.len() / 2])
            }
            Reply::Dropped => Ok(()),
            Reply::Never => {
                self.until_over();
                Ok(())
            }
        }
    }

    fn urls(&self) -> Vec<u8> {
        let entries = self.script.assets.iter().enumerate().map(|(index, asset)| {
            let mut entry = json!({"download_URL": format!("{}/dl/{index}?sig=PLANTED-sig-{index}", self.url),
                "export_type": asset.export_type});
            if self.script.extras {
                entry["expires"] = serde_json::Value::Null;
                entry["checksum"] = json!({"kind": ["md5", null]});
            }
            entry
        });
        let mut body = json!({ "avatar_ready": true });
        body["payload_complete"] = entries.collect();
        if self.script.extras {
            body["payload_incomplete"] = serde_json::Value::Null;
            body["server"] = json!({"version": 3, "none": null});
        }
        body.to_string().into_bytes()
    }

    fn file(&self, request: &Request, connection: &mut Connection) -> std::io::Result<()> {
        let index = request.path.trim_start_matches("/dl/").split('?').next().and_then(|n| n.parse().ok());
        let Some(asset) = index.and_then(|n: usize| self.script.assets.get(n)) else {
            return refuse(connection, 404, 1, "no such file");
        };
        let first = self.seen().used.insert(request.path.clone());
        let page = b"<!DOCTYPE html><html><body>Service unavailable</body></html>";
        match asset.manner {
            Manner::Refuses(status) => return refuse(connection, status, 1, "gone"),
            Manner::ErrorPage => {
                return whole(connection, 200, Some(("Content-Type", "text/html".into())), page);
            }
            Manner::StallsThenGone(_) if !first => return refuse(connection, 410, 1, "gone"),
            _ if !first && request.range_start().is_none() => {
                return refuse(connection, 410, 1, "this URL was used");
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
        if asset.manner == Manner::Unstated {
            connection.head_without_length(status, &headers)?;
        } else {
            connection.head(status, &headers, bytes.len())?;
        }
        let stop = match asset.manner {
            Manner::StallsAfter(at) | Manner::StallsThenGone(at) | Manner::CutAfter(at) if first => at,
            _ => bytes.len(),
        };
        connection.stream.write_all(&bytes[..stop])?;
        self.seen().sent += stop;
        self.changed.notify_all();
        if stop < bytes.len() && !matches!(asset.manner, Manner::CutAfter(_)) {
            self.until_over();
        }
        Ok(())
    }
}

fn nth_of(replies: &[Reply], nth: usize) -> &Reply {
    replies.get(nth).or(replies.last()).expect("a script has a line")
}

fn whole(
    connection: &mut Connection,
    status: u16,
    header: Option<(&'static str, String)>,
    body: &[u8],
) -> std::io::Result<()> {
    let mut headers: Vec<_> = header.into_iter().collect();
    if headers.is_empty() {
        headers.push(("Content-Type", "application/json".to_owned()));
    }
    connection.head(status, &headers, body.len())?;
    connection.stream.write_all(body)
}

fn refuse(connection: &mut Connection, status: u16, code: u16, error: &str) -> std::io::Result<()> {
    whole(connection, status, None, json!({"code": code, "error": error}).to_string().as_bytes())
}
