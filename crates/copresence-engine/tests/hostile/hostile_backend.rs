//! A backend of raw bytes: it only finds the end of a request's head, and sends what the case says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What it says to one request.
#[derive(Debug, Clone)]
pub(crate) enum ScriptedAct {
    /// These bytes, and the connection ends.
    Say(Vec<u8>),
    /// These bytes, and it stays silent for as long as the client does not go.
    SayAndStay(Vec<u8>),
    /// The first, and then the second again and again, until the client goes or [`ENDLESS`] bytes are out.
    Repeat(Vec<u8>, Vec<u8>),
    /// One byte after the other, slowly.
    Drip(Vec<u8>),
    /// The connection is reset after these bytes.
    Reset(Vec<u8>),
}

impl ScriptedAct {
    /// A whole answer.
    pub(crate) fn response(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
        Self::Say([head.as_bytes(), body].concat())
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::response(200, value.to_string())
    }
}

/// What one visitor meets. What is not told here is answered as a good backend would: a token, then 400, then a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) generate: Option<ScriptedAct>,
    pub(crate) redeems: Vec<ScriptedAct>,
    /// To every request of a file, by its order.
    pub(crate) files: Vec<ScriptedAct>,
}

/// Far more than any limit of a client. Interim answers of 28 bytes each keep a debug build busy for long.
const ENDLESS: usize = 64 << 20;

/// The running backend; it ends with this value.
pub(crate) struct HostileBackend {
    pub(crate) url: Url,
    cases: Arc<Mutex<HashMap<usize, (Case, RequestCounts)>>>,
    task: tokio::task::JoinHandle<()>,
}

/// How often a visitor asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestCounts {
    pub(crate) generates: usize,
    pub(crate) redeems: usize,
    pub(crate) files: usize,
}

impl HostileBackend {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
        let cases: Arc<Mutex<HashMap<usize, (Case, RequestCounts)>>> = Arc::default();
        let known = cases.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_connection(stream, known.clone()));
            }
        });
        Self { url, cases, task }
    }

    pub(crate) fn set_case(&self, number: usize, case: Case) {
        self.cases.lock().expect("no panic").insert(number, (case, RequestCounts::default()));
    }

    pub(crate) fn request_counts(&self, number: usize) -> RequestCounts {
        self.cases.lock().expect("no panic")[&number].1
    }
}

impl Drop for HostileBackend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve_connection(mut stream: TcpStream, cases: Arc<Mutex<HashMap<usize, (Case, RequestCounts)>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    // The number stands in the session token, in the Export Token, and in the path of a file.
    let number = head.split("case-").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect());
    let Some(number) = number.and_then(|number: String| number.parse::<usize>().ok()) else { return };
    let act = {
        let mut cases = cases.lock().expect("no panic");
        let Some((case, counts)) = cases.get_mut(&number) else { return };
        if head.starts_with("post /generateexporttoken") {
            counts.generates += 1;
            case.generate
                .clone()
                .unwrap_or_else(|| ScriptedAct::json(&serde_json::json!({"token": format!("case-{number}-token")})))
        } else if head.starts_with("get /redeemexporttoken") {
            counts.redeems += 1;
            case.redeems.get(counts.redeems - 1).cloned().unwrap_or_else(|| ScriptedAct::response(400, "{}"))
        } else {
            counts.files += 1;
            case.files
                .get(counts.files - 1)
                .or(case.files.last())
                .cloned()
                .unwrap_or_else(|| ScriptedAct::response(200, glb(500)))
        }
    };
    // A client that goes away is the client's affair.
    _ = act.perform(&mut stream).await;
}

impl ScriptedAct {
    async fn perform(self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self {
            Self::Say(bytes) => {
                stream.write_all(&bytes).await?;
                stream.shutdown().await
            }
            Self::SayAndStay(bytes) => {
                stream.write_all(&bytes).await?;
                while stream.read(&mut [0; 64]).await? > 0 {}
                Ok(())
            }
            Self::Repeat(first, again) => {
                stream.write_all(&first).await?;
                let again = again.repeat((64 * 1024 / again.len()).max(1));
                let mut sent = 0;
                while sent < ENDLESS {
                    stream.write_all(&again).await?;
                    sent += again.len();
                }
                Ok(())
            }
            Self::Drip(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
                Ok(())
            }
            Self::Reset(bytes) => {
                stream.write_all(&bytes).await?;
                stream.set_zero_linger()
            }
        }
    }
}

/// A GLB of so many bytes whose header says the truth.
pub(crate) fn glb(bytes: u32) -> Vec<u8> {
    let mut file = b"glTF\x02\0\0\0".to_vec();
    file.extend(bytes.to_le_bytes());
    file.resize(bytes as usize, 7);
    file
}
