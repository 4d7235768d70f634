//! The request log. Secrets are masked before a line is stored.

use axum::http::{HeaderMap, HeaderName, Method, Uri, header};
use copresence_protocol::headers;
use copresence_protocol::secret::mask_secret;
use serde::Serialize;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Maximum number of lines kept. Beyond it, the oldest is dropped.
pub const MAX_LOG_LINES: usize = 1_000;

/// Maximum length of a logged path, in characters.
const MAX_PATH_CHARS: usize = 300;

/// Maximum length of a logged `Range` header, in characters.
const MAX_RANGE_CHARS: usize = 100;

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
    /// The id of the world that answered; left out for the main world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// The names of the faults applied to it, as under `do`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<&'static str>,
}

/// The logged attributes of a request, taken before it is handled.
pub(crate) struct LoggedRequestBeforeHandling {
    at: jiff::Timestamp,
    at_ms: u64,
    method: String,
    path: String,
    peer: Option<IpAddr>,
    export_token: Option<String>,
    api_key: Option<String>,
    session_token: Option<String>,
    range: Option<String>,
}

/// A request that was answered, or whose client left. Its [`RequestLine`] is written only when somebody reads it.
pub(crate) struct FinishedRequest {
    pub(crate) received: LoggedRequestBeforeHandling,
    /// The status of the response; 0 if none was sent.
    pub(crate) status: u16,
    /// Milliseconds of real time.
    pub(crate) duration_ms: u64,
    /// The id of the world; `None` for the main world.
    pub(crate) world: Option<String>,
    /// The names of the applied faults.
    pub(crate) faults: Vec<&'static str>,
}

/// The requests kept, and the subscribers to the lines of new ones.
pub(crate) struct RequestLog {
    finished_requests: Mutex<VecDeque<FinishedRequest>>,
    subscribers: broadcast::Sender<RequestLine>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { finished_requests: Mutex::default(), subscribers: broadcast::Sender::new(1_024) }
    }
}

impl RequestLog {
    /// An empty log with the same subscribers.
    pub(crate) fn new_log_with_same_subscribers(&self) -> Self {
        Self { finished_requests: Mutex::default(), subscribers: self.subscribers.clone() }
    }

    /// Whether somebody subscribed to new lines.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.subscribers.receiver_count() > 0
    }

    /// Sends a line to the subscribers.
    pub(crate) fn publish_line(&self, line: RequestLine) {
        // Fails only without a subscriber.
        let _ = self.subscribers.send(line);
    }

    /// Stores a request. Drops the oldest one if [`MAX_LOG_LINES`] are stored.
    pub(crate) fn append_request_dropping_oldest(&self, request: FinishedRequest) {
        let mut requests = self.lock_finished_requests();
        let oldest = if requests.len() >= MAX_LOG_LINES { requests.pop_front() } else { None };
        requests.push_back(request);
        drop(requests);
        // Freed without the lock.
        drop(oldest);
    }

    /// The lines of the request log, the oldest first.
    pub(crate) fn logged_lines(&self) -> Vec<RequestLine> {
        self.lock_finished_requests().iter().map(FinishedRequest::to_log_line).collect()
    }

    fn lock_finished_requests(&self) -> MutexGuard<'_, VecDeque<FinishedRequest>> {
        self.finished_requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes all lines of the log.
    pub(crate) fn clear_log(&self) {
        self.lock_finished_requests().clear();
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
        let secret =
            |name: HeaderName| sent.get(name).map(|value| mask_secret(&String::from_utf8_lossy(value.as_bytes())));
        Self {
            at: jiff::Timestamp::now(),
            at_ms,
            method: first_chars(method.as_str(), MAX_METHOD_CHARS).to_owned(),
            path: mask_secrets_in_uri(uri),
            peer,
            export_token: secret(headers::EXPORT_TOKEN_NAME),
            api_key: secret(headers::API_KEY_NAME),
            session_token: secret(headers::SESSION_TOKEN_NAME),
            range: sent
                .get(header::RANGE)
                .and_then(|value| value.to_str().ok())
                .map(|range| first_chars(range, MAX_RANGE_CHARS).to_owned()),
        }
    }
}

impl FinishedRequest {
    /// Converts the request to its line of the log, which people and programs read.
    pub(crate) fn to_log_line(&self) -> RequestLine {
        let received = &self.received;
        RequestLine {
            at: received.at.to_string(),
            at_ms: received.at_ms,
            method: received.method.clone(),
            path: received.path.clone(),
            status: self.status,
            duration_ms: self.duration_ms,
            peer: received.peer.map(|peer| peer.to_string()),
            export_token: received.export_token.clone(),
            api_key: received.api_key.clone(),
            session_token: received.session_token.clone(),
            range: received.range.clone(),
            world: self.world.clone(),
            faults: self.faults.clone(),
        }
    }
}

/// The first `count` characters of a text, or all of it if it is shorter.
fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

/// Masks the secrets in a path and query: the segment after `tokens` and `files`, and the value of every query
/// parameter except `avatar`.
fn mask_secrets_in_uri(uri: &Uri) -> String {
    let mut masked = String::with_capacity(uri.path().len());
    let mut is_secret = false;
    for part in uri.path().split('/').skip(1) {
        masked.push('/');
        if is_secret {
            masked.push_str(&mask_secret(part));
        } else {
            masked.push_str(part);
        }
        is_secret = matches!(part, "tokens" | "files");
    }
    for (index, pair) in uri.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        masked.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some(("avatar", _)) => masked.push_str(pair),
            Some((name, value)) => masked.extend([name, "=", &mask_secret(value)]),
            None => masked.push_str(&mask_secret(pair)),
        }
    }
    masked.truncate(first_chars(&masked, MAX_PATH_CHARS).len());
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished_request(method: &Method, uri: &Uri, sent: &HeaderMap) -> FinishedRequest {
        let received = LoggedRequestBeforeHandling::mask_request_for_log(method, uri, sent, None, 0);
        FinishedRequest { received, status: 200, duration_ms: 1, world: None, faults: Vec::new() }
    }

    #[test]
    fn secrets_in_paths_and_headers_are_masked() {
        let masked = |uri: &'static str| mask_secrets_in_uri(&Uri::from_static(uri));
        assert_eq!(masked("/sandbox/tokens/abcdefghijklmnop/expire"), "/sandbox/tokens/…op/expire");
        assert_eq!(masked("/files/abcdefghijklmnop/avatar.glb"), "/files/…op/avatar.glb");
        assert_eq!(masked("/phone?exportToken=abcdefghijklmnop&avatar=new"), "/phone?exportToken=…op&avatar=new");
        let mut sent = HeaderMap::new();
        sent.insert(headers::API_KEY, "abcdefghijklmnop".parse().expect("a value"));
        let uri = Uri::from_static("/redeemExportToken");
        let request = finished_request(&Method::GET, &uri, &sent);
        let json = serde_json::to_string(&request.to_log_line()).expect("plain data");
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
        let request = finished_request(&method, &uri, &sent);
        let json = serde_json::to_string(&request.to_log_line()).expect("plain data");
        assert!(json.len() < 1_000, "{} bytes", json.len());
    }

    #[test]
    fn log_keeps_a_bounded_number_of_lines() {
        let log = RequestLog::default();
        let uri = Uri::from_static("/");
        for _ in 0..MAX_LOG_LINES + 5 {
            log.append_request_dropping_oldest(finished_request(&Method::GET, &uri, &HeaderMap::new()));
        }
        assert_eq!(log.logged_lines().len(), MAX_LOG_LINES);
    }
}
