//! A backend that outlives the program and records every request.
//!
//! Its only state is the list of [`Event`]s, so that it can be reset to any earlier time ([`Backend::rewind`]). It
//! shares no code with the product.

use crate::outage::{OutageKind, OutageState, reset_connection};
use serde_json::json;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use test_port::ReservedPort;

pub(crate) const API_KEY: &str = "matrix-api-key-5f1c";
pub(crate) const SESSION_TOKEN: &str = "r:matrix-session-77ab";

/// A request to this path is answered after all earlier requests have been handled.
const AWAIT_REQUESTS_PATH: &str = "/await-requests";

/// How the backend behaves.
#[derive(Debug, Clone)]
pub(crate) struct BackendScript {
    /// The avatar's files.
    pub(crate) files: Vec<Asset>,
    /// Number of redeems of a token that are answered with "not ready".
    pub(crate) not_ready_count: usize,
    /// Whether a URL becomes invalid once its last byte was written to the connection.
    pub(crate) has_one_time_urls: bool,
}

/// One of the avatar's files.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) export_type: &'static str,
    /// The name under which the product saves it.
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Whether every request to its URL is refused.
    pub(crate) is_refused: bool,
}

/// Something that happened at the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: SystemTime,
    pub(crate) kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A token was generated.
    Generated { token: String },
    /// The token was redeemed, and the avatar is not ready.
    NotReady { token: String },
    /// The token was redeemed, and the response has the URLs: the token is spent.
    Delivered { token: String },
    /// A token that is spent or unknown was redeemed.
    Refused { token: String },
    /// A file was requested, from this byte on.
    FileRequested { token: String, file: usize, from: usize },
    /// The last byte of a file was written to the connection.
    FileSent { token: String, file: usize },
}

/// A stage of a request at which a [`StageTrigger`] can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RequestStage {
    /// `generateExportToken` was received, and no response is sent yet.
    GenerateReceived,
    /// A redeem was received, and no response is sent yet.
    RedeemReceived,
    /// The headers and half of the body of the response of a redeem are sent.
    RedeemHalfSent,
    /// The response of a redeem is sent.
    RedeemSent,
    /// The request of a file was received, and no response is sent yet.
    FileReceived,
    /// Half of a file is sent.
    FileHalfSent,
    /// All of a file is sent.
    FileSent,
}

impl RequestStage {
    pub(crate) const ALL: [Self; 7] = [
        Self::GenerateReceived,
        Self::RedeemReceived,
        Self::RedeemHalfSent,
        Self::RedeemSent,
        Self::FileReceived,
        Self::FileHalfSent,
        Self::FileSent,
    ];

    /// Part of the name of a cell.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GenerateReceived => "backend-generate-came",
            Self::RedeemReceived => "backend-redeem-came",
            Self::RedeemHalfSent => "backend-redeem-half",
            Self::RedeemSent => "backend-redeem-sent",
            Self::FileReceived => "backend-file-came",
            Self::FileHalfSent => "backend-file-half",
            Self::FileSent => "backend-file-sent",
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::GenerateReceived => "the backend has the request for a token, and has not responded",
            Self::RedeemReceived => "the backend has the redeem, and has not responded",
            Self::RedeemHalfSent => "half of the response of a redeem is sent",
            Self::RedeemSent => "the response of a redeem is sent",
            Self::FileReceived => "the backend has the request for a file, and has not responded",
            Self::FileHalfSent => "half of a file is sent",
            Self::FileSent => "all of a file is sent",
        }
    }
}

/// An action that runs once, when a stage is reached for the n-th time.
pub(crate) struct StageTrigger {
    pub(crate) stage: RequestStage,
    pub(crate) nth: u32,
    pub(crate) action: Box<dyn Fn() + Send>,
}

/// A backend that listens until it is dropped.
pub(crate) struct Backend(Arc<Shared>);

struct Shared {
    script: BackendScript,
    address: String,
    /// Host and port in its URLs.
    host: String,
    events: Mutex<Vec<Event>>,
    trigger: Mutex<Option<StageTrigger>>,
    stages: Mutex<HashMap<RequestStage, u32>>,
    /// Number of open connections.
    connections: Mutex<u32>,
    connection_closed: Condvar,
    is_stopped: AtomicBool,
    outage: OutageState,
}

impl Backend {
    pub(crate) fn start(script: BackendScript) -> std::io::Result<Self> {
        Self::start_with_name(script, None)
    }

    /// As [`Self::start`], with this name in place of the address in its URLs.
    pub(crate) fn start_with_name(script: BackendScript, name: Option<&str>) -> std::io::Result<Self> {
        // Reserved, so that the port is still this backend's after an outage in which nothing listens there.
        let port = ReservedPort::reserve_port()?.hand_over_to_child_process();
        let address = port.to_string();
        let mut listener = TcpListener::bind(&address)?;
        let host = name.map_or_else(|| address.clone(), |name| format!("{name}:{}", port.reserved_port_number()));
        let shared = Arc::new(Shared {
            script,
            address,
            host,
            events: Mutex::default(),
            trigger: Mutex::default(),
            stages: Mutex::default(),
            connections: Mutex::default(),
            connection_closed: Condvar::new(),
            is_stopped: AtomicBool::new(false),
            outage: OutageState::default(),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            let _port = port;
            loop {
                let accepted = listener.accept();
                if serving.is_stopped.load(Ordering::SeqCst) {
                    break;
                }
                if serving.outage.current() == Some(OutageKind::Refused) {
                    if let Ok((stream, _)) = &accepted {
                        reset_connection(stream);
                    }
                    drop((accepted, listener));
                    serving.outage.await_end();
                    listener = match TcpListener::bind(&serving.address) {
                        Ok(listener) => listener,
                        Err(error) => return eprintln!("the backend cannot listen again: {error}"),
                    };
                    continue;
                }
                let Ok((stream, _)) = accepted else { continue };
                let serving = serving.clone();
                // Errors of a connection are ignored: the client may have been killed.
                *lock(&serving.connections) += 1;
                std::thread::spawn(move || {
                    serving.serve_connection(&stream);
                    drop(stream);
                    *lock(&serving.connections) -= 1;
                    serving.connection_closed.notify_all();
                });
            }
        });
        Ok(Self(shared))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.host)
    }

    pub(crate) fn script(&self) -> &BackendScript {
        &self.0.script
    }

    /// Waits until all requests so far are handled: a request may arrive after its sender was killed.
    pub(crate) fn await_requests(&self) -> std::io::Result<()> {
        // Connections are accepted in order, so this is the last one.
        let mut stream = TcpStream::connect(&self.0.address)?;
        write!(stream, "GET {AWAIT_REQUESTS_PATH} HTTP/1.1\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }

    /// All events so far, oldest first.
    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.0.events).clone()
    }

    /// How often a stage was reached since the trigger was set.
    pub(crate) fn stage_count(&self, stage: RequestStage) -> u32 {
        lock(&self.0.stages).get(&stage).copied().unwrap_or(0)
    }

    /// Replaces the trigger, and restarts the counts of the stages.
    pub(crate) fn set_trigger(&self, trigger: Option<StageTrigger>) {
        lock(&self.0.stages).clear();
        *lock(&self.0.trigger) = trigger;
    }

    /// Begins an outage, which ends after its time, when it is called.
    pub(crate) fn outage_starter(&self) -> impl Fn(OutageKind, Duration) + Send + use<> {
        let shared = self.0.clone();
        move |kind, duration| {
            shared.outage.begin(kind, duration);
            // Wakes the listener, which closes its port.
            _ = TcpStream::connect(&shared.address);
        }
    }

    /// Waits until the outage has ended.
    pub(crate) fn await_end_of_outage(&self) {
        self.0.outage.await_end();
    }

    /// Resets the backend to the state after these events.
    pub(crate) fn rewind(&self, events: Vec<Event>) {
        *lock(&self.0.events) = events;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the listener.
        _ = TcpStream::connect(&self.0.address);
    }
}

/// Whether the token's URLs were delivered.
pub(crate) fn is_delivered(events: &[Event], token: &str) -> bool {
    events.iter().any(|event| matches!(&event.kind, EventKind::Delivered { token: it } if it == token))
}

/// The tokens that were generated.
pub(crate) fn generated_tokens(events: &[Event]) -> Vec<&str> {
    let generated = |event: &'_ Event| matches!(event.kind, EventKind::Generated { .. });
    let tokens = events.iter().filter(|event| generated(event)).map(|event| match &event.kind {
        EventKind::Generated { token } => token.as_str(),
        _ => "",
    });
    tokens.collect()
}

/// How often a token was redeemed.
pub(crate) fn count_redeems(events: &[Event], token: &str) -> usize {
    let is_redeem = |event: &&Event| matches!(&event.kind, EventKind::NotReady { token: it } | EventKind::Delivered { token: it } | EventKind::Refused { token: it } if it == token);
    events.iter().filter(is_redeem).count()
}

struct Request {
    path: String,
    headers: HashMap<String, String>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `FROM` of `Range: bytes=FROM-`; 0 without the header.
    fn range_start(&self) -> usize {
        let from = self.header("range").strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
        from.and_then(|from| from.parse().ok()).unwrap_or(0)
    }
}

impl Shared {
    fn serve_connection(&self, mut stream: &TcpStream) {
        if self.outage.current() == Some(OutageKind::Reset) {
            return reset_connection(stream);
        }
        let Some(request) = read_request(stream) else { return };
        if request.path != AWAIT_REQUESTS_PATH
            && let Some(kind) = self.outage.current()
        {
            return self.fail_request(kind, stream);
        }
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        _ = match path.as_str() {
            "/generateExportToken" => self.respond_to_generate(&request, stream),
            "/redeemExportToken" => self.respond_to_redeem(&request, stream),
            AWAIT_REQUESTS_PATH => {
                self.await_other_connections();
                Ok(())
            }
            _ => match path.strip_prefix("/dl/").and_then(|rest| rest.split_once('/')) {
                Some((token, index)) => self.respond_to_file(&request, token, index, stream),
                None => write_response(stream, 404, &error_body(1, "no such endpoint")),
            },
        };
        _ = stream.flush();
    }

    /// What happens to a request during an outage.
    fn fail_request(&self, kind: OutageKind, stream: &TcpStream) {
        match kind {
            OutageKind::Refused
            | OutageKind::Reset
            | OutageKind::Unreachable
            | OutageKind::NameNotFound
            | OutageKind::NameServerGone
            | OutageKind::NameServerSilent => reset_connection(stream),
            // Fails if the client is gone.
            OutageKind::Unavailable => _ = write_response(stream, 503, &error_body(1, "unavailable")),
            OutageKind::Silent => {
                self.outage.await_end();
                reset_connection(stream);
            }
        }
    }

    /// Whether an outage cuts the connections that are open. With 503, what was begun is completed.
    fn cut_by_outage(&self, stream: &TcpStream) -> bool {
        match self.outage.current() {
            None | Some(OutageKind::Unavailable) => false,
            Some(kind) => {
                self.fail_request(kind, stream);
                true
            }
        }
    }

    fn respond_to_generate(&self, request: &Request, stream: &TcpStream) -> std::io::Result<()> {
        if request.header("x-copresence-rest-api-key") != API_KEY
            || request.header("x-copresence-session-token") != SESSION_TOKEN
        {
            return write_response(stream, 401, &error_body(0, "unauthorized"));
        }
        let token = {
            let mut events = lock(&self.events);
            let token = format!(
                "matrix-token-{:03}-{}",
                generated_tokens(&events).len() + 1,
                self.host.replace([':', '.'], "-")
            );
            events.push(Event { at: SystemTime::now(), kind: EventKind::Generated { token: token.clone() } });
            token
        };
        self.reach_stage(RequestStage::GenerateReceived);
        write_response(stream, 200, json!({ "token": token }).to_string().as_bytes())
    }

    fn respond_to_redeem(&self, request: &Request, mut stream: &TcpStream) -> std::io::Result<()> {
        if request.header("x-copresence-rest-api-key") != API_KEY {
            return write_response(stream, 401, &error_body(0, "unauthorized"));
        }
        let token = request.header("x-copresence-export-token").to_owned();
        let (status, body) = self.redeem_response(token);
        self.reach_stage(RequestStage::RedeemReceived);
        let (head, body) = (response_head(status, &[("Content-Type", "application/json")], body.len()), body);
        stream.write_all(head.as_bytes())?;
        let (first, second) = body.split_at(body.len() / 2);
        stream.write_all(first)?;
        self.reach_stage(RequestStage::RedeemHalfSent);
        stream.write_all(second)?;
        self.reach_stage(RequestStage::RedeemSent);
        Ok(())
    }

    fn redeem_response(&self, token: String) -> (u16, Vec<u8>) {
        let mut events = lock(&self.events);
        let is_active = generated_tokens(&events).contains(&token.as_str()) && !is_delivered(&events, &token);
        let earlier_redeems = count_redeems(&events, &token);
        let (kind, status, body) = if !is_active {
            (EventKind::Refused { token }, 400, error_body(101, "no active Export Token"))
        } else if earlier_redeems < self.script.not_ready_count {
            let (status, percent, position) = match earlier_redeems {
                0 => ("no_associated_avatar", -1, -1),
                1 => ("in_queue", -1, 2),
                _ => ("processing", 50, -1),
            };
            let body = json!({"avatar_ready": false, "payload_incomplete": {"completion_status": status,
                "completion_progress": percent, "queue_position": position}});
            (EventKind::NotReady { token }, 200, body.to_string().into_bytes())
        } else {
            let url = |index| format!("http://{}/dl/{token}/{index}?sig=matrix-signature", self.host);
            let files = self.script.files.iter().enumerate();
            let list: Vec<_> = files
                .map(|(index, file)| json!({"download_URL": url(index), "export_type": file.export_type}))
                .collect();
            let body = json!({"avatar_ready": true, "payload_complete": list}).to_string().into_bytes();
            (EventKind::Delivered { token }, 200, body)
        };
        events.push(Event { at: SystemTime::now(), kind });
        (status, body)
    }

    fn respond_to_file(
        &self,
        request: &Request,
        token: &str,
        index: &str,
        mut stream: &TcpStream,
    ) -> std::io::Result<()> {
        let index: usize = index.parse().unwrap_or(usize::MAX);
        let Some(asset) = self.script.files.get(index) else {
            return write_response(stream, 404, &error_body(1, "no such file"));
        };
        let token = token.to_owned();
        let is_used_up = {
            let mut events = lock(&self.events);
            let sent = EventKind::FileSent { token: token.clone(), file: index };
            let is_used_up = self.script.has_one_time_urls && events.iter().any(|event| event.kind == sent);
            events.push(Event {
                at: SystemTime::now(),
                kind: EventKind::FileRequested { token: token.clone(), file: index, from: request.range_start() },
            });
            is_used_up
        };
        self.reach_stage(RequestStage::FileReceived);
        if self.cut_by_outage(stream) {
            return Ok(());
        }
        if asset.is_refused || is_used_up {
            return write_response(stream, 410, &error_body(1, "this URL was used"));
        }
        let (from, size) = (request.range_start(), asset.bytes.len());
        if from > 0 && from >= size {
            let range = format!("bytes */{size}");
            return stream.write_all(response_head(416, &[("Content-Range", &range)], 0).as_bytes());
        }
        let bytes = &asset.bytes[from..];
        let range = format!("bytes {from}-{}/{size}", size.saturating_sub(1));
        let mut headers = vec![("Content-Type", "application/octet-stream"), ("ETag", "\"one\"")];
        if from > 0 {
            headers.push(("Content-Range", &range));
        }
        stream.write_all(response_head(if from > 0 { 206 } else { 200 }, &headers, bytes.len()).as_bytes())?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        stream.write_all(first)?;
        self.reach_stage(RequestStage::FileHalfSent);
        if self.cut_by_outage(stream) {
            return Ok(());
        }
        stream.write_all(second)?;
        lock(&self.events).push(Event { at: SystemTime::now(), kind: EventKind::FileSent { token, file: index } });
        self.reach_stage(RequestStage::FileSent);
        Ok(())
    }

    /// Waits until this is the only open connection.
    fn await_other_connections(&self) {
        let connections = lock(&self.connections);
        drop(
            self.connection_closed
                .wait_while(connections, |connections| *connections > 1)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Counts a stage, and lets the trigger action.
    fn reach_stage(&self, stage: RequestStage) {
        let nth = {
            let mut stages = lock(&self.stages);
            let nth = stages.entry(stage).or_insert(0);
            *nth += 1;
            *nth
        };
        let triggered = {
            let mut trigger = lock(&self.trigger);
            trigger.take_if(|trigger| trigger.stage == stage && trigger.nth == nth)
        };
        if let Some(trigger) = triggered {
            (trigger.action)();
        }
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|n: &String| n.parse().ok()).unwrap_or(0);
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(Request { path, headers })
}

fn response_head(status: u16, headers: &[(&str, &str)], length: usize) -> String {
    let mut text = format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text + "\r\n"
}

fn write_response(mut stream: &TcpStream, status: u16, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(response_head(status, &[("Content-Type", "application/json")], body.len()).as_bytes())?;
    stream.write_all(body)
}

fn error_body(code: u16, message: &str) -> Vec<u8> {
    json!({"code": code, "error": message}).to_string().into_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
