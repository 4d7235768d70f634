//! The request log. Secrets are masked before a line is stored.

use axum::http::{HeaderMap, Method, Uri};
use copresence_protocol::{ApiKey, headers};
use serde::Serialize;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use tokio::sync::broadcast;

/// Maximum number of lines kept. Beyond it, the oldest is dropped.
pub const MAX_LOG_LINES: usize = 1_000;

/// Maximum length of a logged path, in characters.
const MAX_PATH_CHARS: usize = 300;

/// Maximum length of a logged method, in characters. A client may invent one.
const MAX_METHOD_CHARS: usize = 20;

/// A request and its response, without bodies. Credentials, Export Tokens and download URLs are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RequestLine {
    /// When the request arrived (RFC 3339, real time).
    pub at: String,
    /// When the request arrived, in milliseconds of virtual time.
    pub at_ms: u64,
    /// The HTTP method.
    pub method: String,
    /// The path and query, masked.
    pub path: String,
    /// The status of the response; 0 if none was sent (a fault, or the client disconnected).
    pub status: u16,
    /// Milliseconds of real time until the head of the response, or until the request ended without one.
    pub duration_ms: u64,
    /// The IP address of the client; null for a call within the process.
    pub peer: Option<String>,
    /// The Export Token in the request, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export_token: Option<String>,
    /// The API key in the request, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// The session token in the request, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// The `Range` header of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// The names of the faults applied to it, as under `do`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<&'static str>,
}

/// The logged attributes of a request, taken before it is handled.
pub(crate) struct LoggedRequestBeforeHandling {
    pub(crate) at: jiff::Timestamp,
    pub(crate) at_ms: u64,
    method: String,
    path: String,
    peer: Option<IpAddr>,
    export_token: Option<String>,
    api_key: Option<String>,
    session_token: Option<String>,
    range: Option<String>,
}

/// The lines kept, and the subscribers to new lines.
pub(crate) struct RequestLog {
    logged_lines: Mutex<VecDeque<RequestLine>>,
    subscribers: broadcast::Sender<RequestLine>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { logged_lines: Mutex::default(), subscribers: broadcast::Sender::new(1_024) }
    }
}

impl RequestLog {
    /// Stores a line and sends it to the subscribers. Drops the oldest line if [`MAX_LOG_LINES`] are stored.
    pub(crate) fn append_and_publish_line(&self, line: RequestLine) {
        // Sending fails if there is no subscriber.
        let _ = self.subscribers.send(line.clone());
        let mut lines = self.logged_lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= MAX_LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The lines of the request log, the oldest first.
    pub(crate) fn logged_lines(&self) -> Vec<RequestLine> {
        self.logged_lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Removes all lines of the log.
    pub(crate) fn clear_log(&self) {
        self.logged_lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Subscribes to the lines that are added to the request log from now on.
    pub(crate) fn subscribe_to_lines(&self) -> broadcast::Receiver<RequestLine> {
        self.subscribers.subscribe()
    }
}

impl LoggedRequestBeforeHandling {
    /// Takes the logged attributes from a request, with secrets masked.
    pub(crate) fn mask_request_for_log(
        method: &Method,
        uri: &Uri,
        sent: &HeaderMap,
        peer: Option<IpAddr>,
        at_ms: u64,
    ) -> Self {
        let secret = |name| sent.get(name).map(|value| mask_secret(&String::from_utf8_lossy(value.as_bytes())));
        Self {
            at: jiff::Timestamp::now(),
            at_ms,
            method: method.as_str().chars().take(MAX_METHOD_CHARS).collect(),
            path: mask_secrets_in_uri(uri),
            peer,
            export_token: secret(headers::EXPORT_TOKEN),
            api_key: secret(headers::API_KEY),
            session_token: secret(headers::SESSION_TOKEN),
            range: sent.get("range").and_then(|v| v.to_str().ok()).map(|v| v.chars().take(100).collect()),
        }
    }

    /// Completes the log line with the status, the duration (milliseconds of real time) and the names of the
    /// applied faults.
    pub(crate) fn into_log_line(self, status: u16, duration_ms: u64, faults: Vec<&'static str>) -> RequestLine {
        RequestLine {
            at: self.at.to_string(),
            at_ms: self.at_ms,
            method: self.method,
            path: self.path,
            status,
            duration_ms,
            peer: self.peer.map(|peer| peer.to_string()),
            export_token: self.export_token,
            api_key: self.api_key,
            session_token: self.session_token,
            range: self.range,
            faults,
        }
    }
}

/// Masks a value in the same way as a secret.
fn mask_secret(value: &str) -> String {
    ApiKey::new(value).masked()
}

/// Masks the secrets in a path and query: the segment after `tokens` and `files`, and the value of every query
/// parameter except `avatar`.
fn mask_secrets_in_uri(uri: &Uri) -> String {
    let mut masked = String::new();
    let mut opens = false;
    for part in uri.path().split('/').skip(1) {
        masked.push('/');
        masked.push_str(&if opens { mask_secret(part) } else { part.to_owned() });
        opens = matches!(part, "tokens" | "files");
    }
    for (index, pair) in uri.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        masked.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some(("avatar", _)) => masked.push_str(pair),
            Some((name, value)) => masked.extend([name, "=", &mask_secret(value)]),
            None => masked.push_str(&mask_secret(pair)),
        }
    }
    masked.chars().take(MAX_PATH_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_paths_and_headers_are_masked() {
        let masked = |uri: &'static str| mask_secrets_in_uri(&Uri::from_static(uri));
        assert_eq!(masked("/sandbox/tokens/abcdefghijklmnop/expire"), "/sandbox/tokens/…op/expire");
        assert_eq!(masked("/files/abcdefghijklmnop/avatar.glb"), "/files/…op/avatar.glb");
        assert_eq!(masked("/phone?exportToken=abcdefghijklmnop&avatar=new"), "/phone?exportToken=…op&avatar=new");
        let mut sent = HeaderMap::new();
        sent.insert(headers::API_KEY, "abcdefghijklmnop".parse().expect("a value"));
        let uri = Uri::from_static("/redeemExportToken");
        let line = LoggedRequestBeforeHandling::mask_request_for_log(&Method::GET, &uri, &sent, None, 0).into_log_line(
            200,
            1,
            Vec::new(),
        );
        let json = serde_json::to_string(&line).expect("plain data");
        assert!(!json.contains("abcdef") && json.contains("…op"), "{json}");
    }

    #[test]
    fn log_line_is_short_whatever_the_client_sends() {
        let long = "X".repeat(20_000);
        let method = Method::from_bytes(long.as_bytes()).expect("a method");
        let uri: Uri = format!("/{long}?{long}={long}").parse().expect("a target");
        let names = ["range", headers::API_KEY, headers::SESSION_TOKEN, headers::EXPORT_TOKEN];
        let sent = names.map(|name| (name.parse().expect("a name"), long.parse().expect("a value")));
        let sent = HeaderMap::from_iter(sent);
        let line = LoggedRequestBeforeHandling::mask_request_for_log(&method, &uri, &sent, None, 0);
        let json = serde_json::to_string(&line.into_log_line(200, 0, Vec::new())).expect("plain data");
        assert!(json.len() < 1_000, "{} bytes", json.len());
    }

    #[test]
    fn log_keeps_a_bounded_number_of_lines() {
        let log = RequestLog::default();
        let uri = Uri::from_static("/");
        for _ in 0..MAX_LOG_LINES + 5 {
            log.append_and_publish_line(
                LoggedRequestBeforeHandling::mask_request_for_log(&Method::GET, &uri, &HeaderMap::new(), None, 0)
                    .into_log_line(200, 0, Vec::new()),
            );
        }
        assert_eq!(log.logged_lines().len(), MAX_LOG_LINES);
    }
}
