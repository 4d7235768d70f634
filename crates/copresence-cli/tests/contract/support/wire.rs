//! HTTP/1.1 by hand: as much of it as a backend needs, over the standard library's sockets alone.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A request as it stood on the socket.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(&name.to_ascii_lowercase()).map_or("", String::as_str)
    }

    /// First byte asked for, when a part is.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range").strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// Reads one request; `None` when the other side is gone.
pub(crate) fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

/// A connection to a client, and whether its answers say that it ends with them.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) says_close: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, says_close: true }
    }

    /// Writes an answer's head.
    pub(crate) fn head(
        &mut self,
        status: u16,
        headers: &[(&str, String)],
        length: usize,
    ) -> std::io::Result<()> {
        let mut headers = headers.to_vec();
        headers.push(("Content-Length", length.to_string()));
        self.head_without_length(status, &headers)
    }

    /// The same; where the body ends, the connection does.
    pub(crate) fn head_without_length(
        &mut self,
        status: u16,
        headers: &[(&str, String)],
    ) -> std::io::Result<()> {
        let mut text = format!("HTTP/1.1 {status} Status\r\n");
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        if self.says_close {
            text.push_str("Connection: close\r\n");
        }
        text.push_str("\r\n");
        self.stream.write_all(text.as_bytes())
    }
}
