//! A sandbox on a port, and raw HTTP requests over TCP that show what HTTP libraries hide.

use crate::support::{API_KEY, SESSION, TOKEN};
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, Sandbox, SandboxSettings, Server, faults};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// Closed (FIN).
    Closed,
    /// Reset (RST).
    Reset,
    /// Not ended: the test stopped reading.
    Silent,
}

/// All bytes received on a connection.
#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ended: ConnectionEnd,
}

impl RawResponse {
    pub(crate) fn status(&self) -> u16 {
        let word = self.head().split(' ').nth(1).unwrap_or_else(|| panic!("{self:?}"));
        word.parse().expect("a status")
    }

    pub(crate) fn head(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.head_length()]).expect("text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head().lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The bytes after the head.
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[(self.head_length() + 4).min(self.bytes.len())..]
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn head_length(&self) -> usize {
        self.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(self.bytes.len())
    }
}

pub(crate) struct RawServer {
    pub(crate) server: Server,
}

impl RawServer {
    pub(crate) async fn start(scenario: BuiltInScenarioName, list: &str) -> Self {
        let faults = faults::parse_and_check_faults(list.as_bytes()).expect(list);
        Self::start_with_settings(SandboxSettings {
            scenario: scenario.into(),
            seed: 3,
            faults,
            ..SandboxSettings::default()
        })
        .await
    }

    pub(crate) async fn start_with_settings(settings: SandboxSettings) -> Self {
        let listen = "127.0.0.1:0".parse().expect("an address");
        Self { server: Server::start(settings, listen).await.expect("a free port") }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.server.sandbox()
    }

    /// Sends a request and reads until the connection ends.
    pub(crate) async fn send_request(&self, line: &str, headers: &[(&str, &str)]) -> RawResponse {
        self.read_at_most(line, headers, usize::MAX).await
    }

    /// Like [`RawServer::send_request`], but stops reading after `most` bytes.
    pub(crate) async fn read_at_most(&self, line: &str, headers: &[(&str, &str)], most: usize) -> RawResponse {
        let mut socket = self.send(line, headers);
        tokio::task::spawn_blocking(move || read_until_end(&mut socket, most)).await.expect("received")
    }

    /// Sends a redeem, and returns the connection.
    pub(crate) fn send_redeem(&self, token: &str) -> TcpStream {
        let key = self.sandbox().accepted_credentials().api_key.expose().to_owned();
        self.send("GET /redeemExportToken", &[(API_KEY, &key), (TOKEN, token)])
    }

    /// Sends bytes and reads until the connection ends.
    pub(crate) async fn send_bytes(&self, bytes: &str) -> RawResponse {
        let mut socket = self.connect();
        socket.write_all(bytes.as_bytes()).expect("sent");
        tokio::task::spawn_blocking(move || read_until_end(&mut socket, usize::MAX)).await.expect("received")
    }

    /// Sends a request whose body never arrives completely, and reads until the connection ends.
    pub(crate) async fn send_without_body(&self, line: &str, headers: &[(&str, &str)], length: usize) -> RawResponse {
        let mut socket = self.begin_body(line, headers, length);
        tokio::task::spawn_blocking(move || read_until_end(&mut socket, usize::MAX)).await.expect("received")
    }

    /// Opens a connection and writes a request with the first byte of a body of `length` bytes.
    pub(crate) fn begin_body(&self, line: &str, headers: &[(&str, &str)], length: usize) -> TcpStream {
        let length = length.to_string();
        let mut socket = self.send(line, &[headers, &[("Content-Length", &length)]].concat());
        socket.write_all(b"{").expect("sent");
        socket
    }

    /// Opens a connection and writes a request, without waiting for the server.
    pub(crate) fn send(&self, line: &str, headers: &[(&str, &str)]) -> TcpStream {
        let host = self.server.listen_address().to_string();
        let mut request = format!("{line} HTTP/1.1\r\n");
        for (name, value) in [("Host", host.as_str()), ("Connection", "close")].iter().chain(headers) {
            request.extend([*name, ": ", *value, "\r\n"]);
        }
        request.push_str("\r\n");
        let mut socket = self.connect();
        socket.write_all(request.as_bytes()).expect("sent");
        socket
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.server.listen_address()).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        socket
    }

    pub(crate) async fn generate_raw(&self) -> RawResponse {
        let known = self.sandbox().accepted_credentials();
        let headers = [(API_KEY, known.api_key.expose()), (SESSION, known.session_token.expose())];
        self.send_request("POST /generateExportToken", &headers).await
    }

    pub(crate) async fn generate(&self) -> String {
        self.generate_raw().await.json()["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn redeem(&self, token: &str) -> RawResponse {
        let key = self.sandbox().accepted_credentials().api_key.expose().to_owned();
        self.send_request("GET /redeemExportToken", &[(API_KEY, &key), (TOKEN, token)]).await
    }

    /// Generates a token whose avatar is ready.
    pub(crate) async fn ready_token(&self) -> String {
        let token = self.generate().await;
        self.sandbox().associate_avatar(&token, &AvatarChoice::Existing("ari".into()), None).expect("free");
        token
    }

    /// Redeems an avatar, and returns the path of its portrait.
    pub(crate) async fn redeemed_portrait_path(&self) -> String {
        let token = self.ready_token().await;
        let body = self.redeem(&token).await.json();
        let url = body["payload_complete"][2]["download_URL"].as_str().expect("a URL").to_owned();
        url::Url::parse(&url).expect("a URL").path().to_owned()
    }

    pub(crate) async fn get_file(&self, path: &str, headers: &[(&str, &str)]) -> RawResponse {
        self.send_request(&format!("GET {path}"), headers).await
    }

    /// How often each fault was applied.
    pub(crate) fn applied_counts(&self) -> Vec<u64> {
        self.sandbox().active_faults_with_counts().iter().map(|state| state.struck).collect()
    }
}

/// Reads until the connection ends, or until `most` bytes are read.
pub(crate) fn read_until_end(socket: &mut TcpStream, most: usize) -> RawResponse {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let ended = loop {
        if bytes.len() >= most {
            let _ = socket.shutdown(Shutdown::Both);
            break ConnectionEnd::Silent;
        }
        match socket.read(&mut buffer) {
            Ok(0) => break ConnectionEnd::Closed,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break ConnectionEnd::Reset,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}, after {} bytes", bytes.len()),
        }
    };
    RawResponse { bytes, ended }
}
