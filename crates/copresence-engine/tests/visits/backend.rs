//! The scripted backend: plain HTTP/1.1 over TCP, one request per connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use url::Url;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: HashMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// `FROM` of `Range: bytes=FROM-`; zero without one.
    pub(crate) fn range_start(&self) -> usize {
        let range = self.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        range.map_or(0, |from| from.parse().expect("a number"))
    }

    /// A URL of this backend.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.header("host").expect("a host"))
    }

    /// 200, ready, with one URL under `/files/` an export: type and file name.
    pub(crate) fn ready_response(&self, exports: &[(&str, &str)]) -> Response {
        self.ready_response_with_flag(true, exports)
    }

    pub(crate) fn ready_response_with_flag(&self, avatar_ready: bool, exports: &[(&str, &str)]) -> Response {
        let list: Vec<_> = exports
            .iter()
            .map(|(kind, name)| {
                serde_json::json!({"export_type": kind, "download_URL": self.url(&format!("/files/{name}"))})
            })
            .collect();
        Response::json(&serde_json::json!({"avatar_ready": avatar_ready, "payload_complete": list}))
    }
}

/// An answer.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(crate) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The connection breaks after so many bytes of the body.
    breaks_at: Option<usize>,
    /// It stays open after its last byte, and nothing more comes.
    stalls: bool,
    /// The head states this length, whatever comes.
    stated: Option<u64>,
    /// The head states no length.
    chunked: bool,
    /// The end of the connection is that of the body.
    is_ended_by_connection: bool,
    /// Not one byte comes, the connection just ends.
    silent: bool,
    /// The body comes byte by byte, and slowly.
    drips: bool,
    /// It waits for this.
    delayed_until: Option<oneshot::Receiver<()>>,
    /// After so many bytes of the body, it waits for this.
    pauses: Option<(usize, watch::Receiver<bool>)>,
}

impl Response {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, body: value.to_string().into_bytes(), ..Self::default() }
    }

    pub(crate) fn not_ready(status: &str) -> Self {
        Self::json(&serde_json::json!({
            "avatar_ready": false,
            "payload_incomplete":
                {"completion_status": status, "completion_progress": -1, "queue_position": -1},
        }))
    }

    pub(crate) fn file(body: &[u8]) -> Self {
        Self { status: 200, body: body.to_vec(), ..Self::default() }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// 206 with the rest of a file.
    pub(crate) fn range_response(whole: &[u8], from: usize) -> Self {
        let range = format!("bytes {from}-{}/{}", whole.len() - 1, whole.len());
        Self { status: 206, ..Self::file(&whole[from..]) }.with_header("content-range", range)
    }

    /// 206 of this body, whatever its length.
    pub(crate) fn with_content_range(self, from: usize, total: usize) -> Self {
        let range = format!("bytes {from}-{}/{total}", total - 1);
        Self { status: 206, ..self }.with_header("content-range", range)
    }

    pub(crate) fn no_response() -> Self {
        Self { silent: true, ..Self::default() }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn breaking_at(self, bytes: usize) -> Self {
        Self { breaks_at: Some(bytes), ..self }
    }

    /// The connection stays open after so many bytes of the body, and nothing more comes.
    pub(crate) fn stalling_at(self, bytes: usize) -> Self {
        Self { breaks_at: Some(bytes), stalls: true, ..self }
    }

    /// How long its body is.
    pub(crate) fn length(&self) -> usize {
        self.body.len()
    }

    /// Without the last bytes of its body.
    pub(crate) fn without_last_bytes(mut self, bytes: usize) -> Self {
        self.body.truncate(self.body.len() - bytes);
        self
    }

    /// What would break off is all that there is.
    pub(crate) fn with_matching_length(mut self) -> Self {
        let length = self.breaks_at.take().unwrap_or(self.body.len());
        self.body.truncate(length);
        self
    }

    /// As a proxy packs it.
    pub(crate) fn gzipped(mut self) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &self.body).expect("in memory");
        self.body = encoder.finish().expect("in memory");
        self.with_header("content-encoding", "gzip")
    }

    pub(crate) fn chunked(self) -> Self {
        Self { chunked: true, ..self }
    }

    pub(crate) fn without_length(self) -> Self {
        Self { is_ended_by_connection: true, ..self }
    }

    pub(crate) fn with_content_length(self, length: u64) -> Self {
        Self { stated: Some(length), ..self }
    }

    pub(crate) fn sent_slowly(self) -> Self {
        Self { drips: true, ..self }
    }

    pub(crate) fn delayed_until(self, moment: oneshot::Receiver<()>) -> Self {
        Self { delayed_until: Some(moment), ..self }
    }

    /// Sends this many bytes of the body, and the others once `moment` is true.
    pub(crate) fn pausing_at(self, bytes: usize, moment: watch::Receiver<bool>) -> Self {
        Self { pauses: Some((bytes, moment)), ..self }
    }

    async fn send(self, stream: &mut TcpStream) -> std::io::Result<()> {
        if let Some(moment) = self.delayed_until {
            // A sender that is gone lets nobody through.
            if moment.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        if self.silent {
            return Ok(());
        }
        let length = if self.is_ended_by_connection {
            "x-length: unknown".to_owned()
        } else if self.chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {}", self.stated.unwrap_or(self.body.len() as u64))
        };
        let mut head = vec![format!("HTTP/1.1 {} X", self.status), "connection: close".to_owned(), length];
        head.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let head = head.join("\r\n") + "\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        let sent = &self.body[..self.breaks_at.unwrap_or(self.body.len()).min(self.body.len())];
        if let Some((bytes, mut moment)) = self.pauses {
            stream.write_all(&sent[..bytes]).await?;
            stream.flush().await?;
            if moment.wait_for(|is_over| *is_over).await.is_ok() {
                stream.write_all(&sent[bytes..]).await?;
            }
        } else if self.drips {
            for byte in sent {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        } else if self.chunked {
            stream.write_all(format!("{:x}\r\n", sent.len()).as_bytes()).await?;
            stream.write_all(sent).await?;
            let end: &[u8] = if self.breaks_at.is_some() { b"\r\n" } else { b"\r\n0\r\n\r\n" };
            stream.write_all(end).await?;
        } else {
            stream.write_all(sent).await?;
        }
        stream.flush().await?;
        if self.stalls {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// What it answers: the how manieth request of that path it is (from 1), and the request.
pub(crate) type Script = Box<dyn Fn(usize, &Request) -> Response + Send + Sync>;

/// The running backend; it ends with this value.
pub(crate) struct Backend {
    pub(crate) url: Url,
    requests: watch::Receiver<Vec<Request>>,
    task: tokio::task::JoinHandle<()>,
}

impl Backend {
    /// Answers `/generateExportToken` with the token `token-N`, the rest by the script.
    pub(crate) async fn start(script: impl Fn(usize, &Request) -> Response + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.expect("a port"), script)
    }

    /// As [`start`](Self::start), on this listener.
    pub(crate) fn start_on(
        listener: TcpListener,
        script: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(Box::new(script));
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (request_log, asked) = watch::channel(Vec::new());
        let request_log = Arc::new(Mutex::new(request_log));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(serve_connection(stream, script.clone(), request_log.clone()));
            }
        });
        Self { url: url.parse().expect("a URL"), requests: asked, task }
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// How often a path was asked for.
    pub(crate) fn count_requests(&self, path: &str) -> usize {
        count(&self.requests.borrow(), path)
    }

    /// Waits until a path was asked for so often.
    pub(crate) async fn wait_for_requests(&self, path: &str, times: usize) {
        let mut asked = self.requests.clone();
        asked.wait_for(|asked| count(asked, path) >= times).await.expect("it runs");
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn count(asked: &[Request], path: &str) -> usize {
    asked.iter().filter(|ask| ask.path == path).count()
}

async fn serve_connection(
    mut stream: TcpStream,
    script: Arc<Script>,
    request_log: Arc<Mutex<watch::Sender<Vec<Request>>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("a head");
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a path").to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let ask = Request { path, headers };
    let length: usize = ask.header("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let nth = {
        let request_log = request_log.lock().expect("no test panics here");
        request_log.send_modify(|asked| asked.push(ask.clone()));
        count(&request_log.borrow(), &ask.path)
    };
    let reply = match ask.path.as_str() {
        "/generateExportToken" => match script(nth, &ask) {
            Response { status: 0, silent: false, delayed_until: after, .. } => {
                let token = serde_json::json!({"token": format!("export-token-{nth}")});
                Response { delayed_until: after, ..Response::json(&token) }
            }
            told => told,
        },
        _ => script(nth, &ask),
    };
    // Whoever asked may be gone.
    let _ = reply.send(&mut stream).await;
}

/// A GLB of so many bytes whose header says the truth.
pub(crate) fn glb(bytes: usize) -> Vec<u8> {
    let mut file = b"glTF\x02\0\0\0".to_vec();
    file.extend(u32::try_from(bytes).expect("small").to_le_bytes());
    file.extend((file.len()..bytes).map(|at| u8::try_from(at % 251).expect("a byte")));
    file
}

/// Something that begins and ends as a PNG does.
pub(crate) fn png(bytes: usize) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let end = b"\0\0\0\0IEND\xae\x42\x60\x82";
    file.extend((file.len()..bytes - end.len()).map(|at| u8::try_from(at % 241).expect("a byte")));
    file.extend(end);
    file
}

/// What a captive portal, or a file server with an error, sends in place of a file.
pub(crate) fn html_page() -> Response {
    Response::file(b"<!doctype html><title>Log in</title>")
}
