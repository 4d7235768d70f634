//! The part of HTTP/1.1 that a backend needs, on sockets of the standard library.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A request as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Includes the query.
    pub(crate) path: String,
    /// Names are in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(&name.to_ascii_lowercase()).map_or("", String::as_str)
    }

    /// The first byte of a range request.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range").strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// Reads one request. `None` if the client closed the connection.
pub(crate) fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut parts = line.split_whitespace();
    let (method, target) = (parts.next()?.to_owned(), parts.next()?);
    // A proxy is asked for a whole URL.
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest[rest.find('/')?..].to_owned(),
        None => target.to_owned(),
    };
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

/// A connection to a client.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// Whether responses have `Connection: close`.
    pub(crate) sends_close: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, sends_close: true }
    }

    /// Writes the status line and headers of a response.
    pub(crate) fn write_head(&mut self, status: u16, headers: &[(&str, String)], length: usize) -> std::io::Result<()> {
        let mut headers = headers.to_vec();
        headers.push(("Content-Length", length.to_string()));
        self.write_head_without_length(status, &headers)
    }

    /// Like [`write_head`](Self::write_head), without `Content-Length`: the body ends with the connection.
    pub(crate) fn write_head_without_length(&mut self, status: u16, headers: &[(&str, String)]) -> std::io::Result<()> {
        let mut text = format!("HTTP/1.1 {status} Status\r\n");
        for (name, value) in headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        if self.sends_close {
            text.push_str("Connection: close\r\n");
        }
        text.push_str("\r\n");
        self.stream.write_all(text.as_bytes())
    }
}
