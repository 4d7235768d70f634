//! A Copresence backend that outlives the program and is an honest witness: what it is, is what it was asked.
//!
//! Its state is the list of [`Event`]s and nothing else, so that it can be wound back to any moment
//! ([`Backend::rewind`]). It shares no code with the product.

use serde_json::json;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

pub(crate) const API_KEY: &str = "matrix-api-key-5f1c";
pub(crate) const SESSION_TOKEN: &str = "r:matrix-session-77ab";

/// Our own request, by which everything before it is awaited.
const SETTLE: &str = "/settle";

/// How it behaves.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// The avatar's files.
    pub(crate) files: Vec<Asset>,
    /// How often a token is told that its avatar is not ready.
    pub(crate) waits: usize,
    /// A URL is used up when its last byte was handed to the connection; else it lives on.
    pub(crate) one_time: bool,
}

/// One of the avatar's files.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) export_type: &'static str,
    /// The name that the product gives it.
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Its URL is refused from the beginning.
    pub(crate) gone: bool,
}

/// What happened, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: SystemTime,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A token was generated.
    Generated { token: String },
    /// A redeem of it came, and the avatar is not ready.
    NotReady { token: String },
    /// A redeem of it came, and is answered with the URLs: from here on the token is spent.
    Delivered { token: String },
    /// A redeem of a token that is spent or unknown.
    Refused { token: String },
    /// A file was asked for.
    FileAsked { token: String, file: usize },
    /// The last byte of a file was handed to the connection.
    FileSent { token: String, file: usize },
}

/// A moment at which a [`Trap`] snaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Moment {
    /// `generateExportToken` came, and is not answered yet.
    GenerateCame,
    /// A redeem came, and is not answered yet.
    RedeemCame,
    /// The head and half of the body of a redeem's answer are on their way.
    RedeemHalf,
    /// A redeem is answered.
    RedeemSent,
    /// A file was asked for.
    FileCame,
    /// Half of a file is on its way.
    FileHalf,
    /// All of a file is on its way.
    FileSent,
}

impl Moment {
    pub(crate) const ALL: [Self; 7] = [
        Self::GenerateCame,
        Self::RedeemCame,
        Self::RedeemHalf,
        Self::RedeemSent,
        Self::FileCame,
        Self::FileHalf,
        Self::FileSent,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GenerateCame => "backend-generate-came",
            Self::RedeemCame => "backend-redeem-came",
            Self::RedeemHalf => "backend-redeem-half",
            Self::RedeemSent => "backend-redeem-sent",
            Self::FileCame => "backend-file-came",
            Self::FileHalf => "backend-file-half",
            Self::FileSent => "backend-file-sent",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::GenerateCame => "the backend has the request for a token, and has not answered",
            Self::RedeemCame => "the backend has the redeem, and has not answered",
            Self::RedeemHalf => "half of a redeem's answer is on its way",
            Self::RedeemSent => "a redeem's answer is on its way",
            Self::FileCame => "the backend has the request for a file, and has not answered",
            Self::FileHalf => "half of a file is on its way",
            Self::FileSent => "all of a file is on its way",
        }
    }
}

/// What is done, once, when a moment comes for the n-th time.
pub(crate) struct Trap {
    pub(crate) moment: Moment,
    pub(crate) nth: u32,
    pub(crate) snap: Box<dyn Fn() + Send>,
}

/// A backend that listens until it is dropped.
pub(crate) struct Backend(Arc<Shared>);

struct Shared {
    script: Script,
    address: String,
    events: Mutex<Vec<Event>>,
    trap: Mutex<Option<Trap>>,
    moments: Mutex<HashMap<Moment, u32>>,
    /// How many connections are being served.
    busy: Mutex<u32>,
    calmer: Condvar,
    over: AtomicBool,
}

impl Backend {
    pub(crate) fn start(script: Script) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let shared = Arc::new(Shared {
            script,
            address: listener.local_addr()?.to_string(),
            events: Mutex::default(),
            trap: Mutex::default(),
            moments: Mutex::default(),
            busy: Mutex::default(),
            calmer: Condvar::new(),
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
                // A client that goes away, or is killed, is its own affair.
                *held(&serving.busy) += 1;
                std::thread::spawn(move || {
                    serving.serve(&stream);
                    drop(stream);
                    *held(&serving.busy) -= 1;
                    serving.calmer.notify_all();
                });
            }
        });
        Ok(Self(shared))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    pub(crate) fn script(&self) -> &Script {
        &self.0.script
    }

    /// Waits until all that was asked so far is dealt with: a request may arrive after its sender's death.
    pub(crate) fn settle(&self) -> std::io::Result<()> {
        // Connections are taken in their order, so this one comes after all of them.
        let mut stream = TcpStream::connect(&self.0.address)?;
        write!(stream, "GET {SETTLE} HTTP/1.1\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }

    /// Everything that happened so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        held(&self.0.events).clone()
    }

    /// How often a moment came.
    pub(crate) fn count(&self, moment: Moment) -> u32 {
        held(&self.0.moments).get(&moment).copied().unwrap_or(0)
    }

    /// Sets the trap, in place of an earlier one; moments count from here.
    pub(crate) fn set(&self, trap: Option<Trap>) {
        held(&self.0.moments).clear();
        *held(&self.0.trap) = trap;
    }

    /// Makes it what it was after these events.
    pub(crate) fn rewind(&self, events: Vec<Event>) {
        *held(&self.0.events) = events;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        // Wakes the listener.
        _ = TcpStream::connect(&self.0.address);
    }
}

/// What a list of events says of a token.
pub(crate) fn delivered(events: &[Event], token: &str) -> bool {
    events.iter().any(|event| matches!(&event.what, What::Delivered { token: it } if it == token))
}

/// The tokens that were generated.
pub(crate) fn tokens(events: &[Event]) -> Vec<&str> {
    let generated = |event: &'_ Event| matches!(event.what, What::Generated { .. });
    let tokens = events.iter().filter(|event| generated(event)).map(|event| match &event.what {
        What::Generated { token } => token.as_str(),
        _ => "",
    });
    tokens.collect()
}

/// How often a token was redeemed.
pub(crate) fn redeems(events: &[Event], token: &str) -> usize {
    let of = |event: &&Event| matches!(&event.what, What::NotReady { token: it } | What::Delivered { token: it } | What::Refused { token: it } if it == token);
    events.iter().filter(of).count()
}

struct Request {
    path: String,
    headers: HashMap<String, String>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `FROM` of `Range: bytes=FROM-`; zero without one.
    fn from(&self) -> usize {
        let from = self.header("range").strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
        from.and_then(|from| from.parse().ok()).unwrap_or(0)
    }
}

impl Shared {
    fn serve(&self, mut stream: &TcpStream) {
        let Some(request) = read(stream) else { return };
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        _ = match path.as_str() {
            "/generateExportToken" => self.generate(&request, stream),
            "/redeemExportToken" => self.redeem(&request, stream),
            SETTLE => {
                self.calm_down();
                Ok(())
            }
            _ => match path.strip_prefix("/dl/").and_then(|rest| rest.split_once('/')) {
                Some((token, index)) => self.file(&request, token, index, stream),
                None => answer(stream, 404, &error(1, "no such endpoint")),
            },
        };
        _ = stream.flush();
    }

    fn generate(&self, request: &Request, stream: &TcpStream) -> std::io::Result<()> {
        if request.header("x-copresence-rest-api-key") != API_KEY
            || request.header("x-copresence-session-token") != SESSION_TOKEN
        {
            return answer(stream, 401, &error(0, "unauthorized"));
        }
        let token = {
            let mut events = held(&self.events);
            let token = format!(
                "matrix-token-{:03}-{}",
                tokens(&events).len() + 1,
                self.address.replace([':', '.'], "-")
            );
            events.push(Event { at: SystemTime::now(), what: What::Generated { token: token.clone() } });
            token
        };
        self.pass(Moment::GenerateCame);
        answer(stream, 200, json!({ "token": token }).to_string().as_bytes())
    }

    fn redeem(&self, request: &Request, mut stream: &TcpStream) -> std::io::Result<()> {
        if request.header("x-copresence-rest-api-key") != API_KEY {
            return answer(stream, 401, &error(0, "unauthorized"));
        }
        let token = request.header("x-copresence-export-token").to_owned();
        let (status, body) = self.redeemed(token);
        self.pass(Moment::RedeemCame);
        let (head, body) = (head(status, &[("Content-Type", "application/json")], body.len()), body);
        stream.write_all(head.as_bytes())?;
        let (first, second) = body.split_at(body.len() / 2);
        stream.write_all(first)?;
        self.pass(Moment::RedeemHalf);
        stream.write_all(second)?;
        self.pass(Moment::RedeemSent);
        Ok(())
    }

    fn redeemed(&self, token: String) -> (u16, Vec<u8>) {
        let mut events = held(&self.events);
        let known = tokens(&events).contains(&token.as_str()) && !delivered(&events, &token);
        let waited = redeems(&events, &token);
        let (what, status, body) = if !known {
            (What::Refused { token }, 400, error(101, "no active Export Token"))
        } else if waited < self.script.waits {
            let (word, percent, place) = match waited {
                0 => ("no_associated_avatar", -1, -1),
                1 => ("in_queue", -1, 2),
                _ => ("processing", 50, -1),
            };
            let body = json!({"avatar_ready": false, "payload_incomplete": {"completion_status": word,
                "completion_progress": percent, "queue_position": place}});
            (What::NotReady { token }, 200, body.to_string().into_bytes())
        } else {
            let url = |index| format!("http://{}/dl/{token}/{index}?sig=matrix-signature", self.address);
            let files = self.script.files.iter().enumerate();
            let list: Vec<_> = files
                .map(|(index, file)| json!({"download_URL": url(index), "export_type": file.export_type}))
                .collect();
            let body = json!({"avatar_ready": true, "payload_complete": list}).to_string().into_bytes();
            (What::Delivered { token }, 200, body)
        };
        events.push(Event { at: SystemTime::now(), what });
        (status, body)
    }

    fn file(
        &self,
        request: &Request,
        token: &str,
        index: &str,
        mut stream: &TcpStream,
    ) -> std::io::Result<()> {
        let index: usize = index.parse().unwrap_or(usize::MAX);
        let Some(asset) = self.script.files.get(index) else {
            return answer(stream, 404, &error(1, "no such file"));
        };
        let token = token.to_owned();
        let used = {
            let mut events = held(&self.events);
            let sent = What::FileSent { token: token.clone(), file: index };
            let used = self.script.one_time && events.iter().any(|event| event.what == sent);
            events.push(Event {
                at: SystemTime::now(),
                what: What::FileAsked { token: token.clone(), file: index },
            });
            used
        };
        self.pass(Moment::FileCame);
        if asset.gone || used {
            return answer(stream, 410, &error(1, "this URL was used"));
        }
        let from = request.from().min(asset.bytes.len());
        let (bytes, size) = (&asset.bytes[from..], asset.bytes.len());
        let range = format!("bytes {from}-{}/{size}", size.saturating_sub(1));
        let mut headers = vec![("Content-Type", "application/octet-stream"), ("ETag", "\"one\"")];
        if from > 0 {
            headers.push(("Content-Range", &range));
        }
        stream.write_all(head(if from > 0 { 206 } else { 200 }, &headers, bytes.len()).as_bytes())?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        stream.write_all(first)?;
        self.pass(Moment::FileHalf);
        stream.write_all(second)?;
        held(&self.events).push(Event { at: SystemTime::now(), what: What::FileSent { token, file: index } });
        self.pass(Moment::FileSent);
        Ok(())
    }

    /// Waits until nobody else is served.
    fn calm_down(&self) {
        let busy = held(&self.busy);
        drop(self.calmer.wait_while(busy, |busy| *busy > 1).unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a moment, and lets the trap snap.
    fn pass(&self, moment: Moment) {
        let nth = {
            let mut moments = held(&self.moments);
            let nth = moments.entry(moment).or_insert(0);
            *nth += 1;
            *nth
        };
        let snapped = {
            let mut trap = held(&self.trap);
            trap.take_if(|trap| trap.moment == moment && trap.nth == nth)
        };
        if let Some(trap) = snapped {
            (trap.snap)();
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
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

fn head(status: u16, headers: &[(&str, &str)], length: usize) -> String {
    let mut text = format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text + "\r\n"
}

fn answer(mut stream: &TcpStream, status: u16, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(head(status, &[("Content-Type", "application/json")], body.len()).as_bytes())?;
    stream.write_all(body)
}

fn error(code: u16, words: &str) -> Vec<u8> {
    json!({"code": code, "error": words}).to_string().into_bytes()
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
