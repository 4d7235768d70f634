//! A sandbox on a port, asked byte by byte: what HTTP libraries hide is seen here.

use crate::support::{API_KEY, SESSION, TOKEN};
use sandbox::{AvatarChoice, Sandbox, Scenario, Server, Settings, faults};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// In order (FIN).
    Closed,
    /// RST.
    Reset,
    /// It did not: nothing came for a while.
    Silent,
}

/// Everything that came by a connection.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ended: Ended,
}

impl Heard {
    pub(crate) fn status(&self) -> u16 {
        let word = self.head().split(' ').nth(1).unwrap_or_else(|| panic!("{self:?}"));
        word.parse().expect("a status")
    }

    pub(crate) fn head(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.split()]).expect("text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head().lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// What came after the head, raw.
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[(self.split() + 4).min(self.bytes.len())..]
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn split(&self) -> usize {
        self.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(self.bytes.len())
    }
}

pub(crate) struct Raw {
    pub(crate) server: Server,
}

impl Raw {
    pub(crate) async fn start(scenario: Scenario, list: &str) -> Self {
        let faults = faults::read(list.as_bytes()).expect(list);
        let settings = Settings { scenario, seed: 3, faults, ..Settings::default() };
        let listen = "127.0.0.1:0".parse().expect("an address");
        Self { server: Server::start(settings, listen).await.expect("a free port") }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.server.sandbox()
    }

    /// Sends one request and hears until the connection ends.
    pub(crate) async fn ask(&self, line: &str, headers: &[(&str, &str)]) -> Heard {
        self.hear(line, headers, usize::MAX).await
    }

    /// As [`Raw::ask`], but stops listening after so many bytes.
    pub(crate) async fn hear(&self, line: &str, headers: &[(&str, &str)], most: usize) -> Heard {
        let mut socket = self.send(line, headers);
        tokio::task::spawn_blocking(move || hear(&mut socket, most)).await.expect("heard")
    }

    /// Sends a redeem, and gives the connection.
    pub(crate) fn open(&self, token: &str) -> TcpStream {
        let key = self.sandbox().credentials().api_key.expose().to_owned();
        self.send("GET /redeemExportToken", &[(API_KEY, &key), (TOKEN, token)])
    }

    /// A connection with one request on it. (The system takes both before the server does.)
    fn send(&self, line: &str, headers: &[(&str, &str)]) -> TcpStream {
        let host = self.server.address().to_string();
        let mut request = format!("{line} HTTP/1.1\r\n");
        for (name, value) in [("Host", host.as_str()), ("Connection", "close")].iter().chain(headers) {
            request.extend([*name, ": ", *value, "\r\n"]);
        }
        request.push_str("\r\n");
        let mut socket = TcpStream::connect(self.server.address()).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        socket.write_all(request.as_bytes()).expect("sent");
        socket
    }

    pub(crate) async fn generate_raw(&self) -> Heard {
        let known = self.sandbox().credentials();
        let headers = [(API_KEY, known.api_key.expose()), (SESSION, known.session_token.expose())];
        self.ask("POST /generateExportToken", &headers).await
    }

    pub(crate) async fn generate(&self) -> String {
        self.generate_raw().await.json()["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn redeem(&self, token: &str) -> Heard {
        let key = self.sandbox().credentials().api_key.expose().to_owned();
        self.ask("GET /redeemExportToken", &[(API_KEY, &key), (TOKEN, token)]).await
    }

    /// A token whose avatar is ready.
    pub(crate) async fn ready(&self) -> String {
        let token = self.generate().await;
        self.sandbox().associate(&token, &AvatarChoice::Existing("ari".into()), None).expect("free");
        token
    }

    /// The path of the portrait of an avatar that was redeemed.
    pub(crate) async fn portrait(&self) -> String {
        let token = self.ready().await;
        let body = self.redeem(&token).await.json();
        let url = body["payload_complete"][2]["download_URL"].as_str().expect("a URL").to_owned();
        url::Url::parse(&url).expect("a URL").path().to_owned()
    }

    pub(crate) async fn file(&self, path: &str, headers: &[(&str, &str)]) -> Heard {
        self.ask(&format!("GET {path}"), headers).await
    }

    /// How often each fault struck.
    pub(crate) fn struck(&self) -> Vec<u64> {
        self.sandbox().faults().iter().map(|state| state.struck).collect()
    }
}

fn hear(socket: &mut TcpStream, most: usize) -> Heard {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let ended = loop {
        if bytes.len() >= most {
            let _ = socket.shutdown(Shutdown::Both);
            break Ended::Silent;
        }
        match socket.read(&mut buffer) {
            Ok(0) => break Ended::Closed,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break Ended::Reset,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}, after {} bytes", bytes.len()),
        }
    };
    Heard { bytes, ended }
}
