//! Responses from a recorded run: an HTTP Archive (HAR 1.2), such as `copresence visit --har` writes.
//!
//! Each endpoint has its own sequence of responses. Archives contain no secrets, so tokens and URLs are new ones.

use crate::faults::Endpoint;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Longest time from a request to its recorded response; longer ones count as this.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// A recorded run. Clones share the same responses.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording(Arc<HashMap<Endpoint, Vec<RecordedResponseOrAbsence>>>);

/// A recorded response, or its absence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordedResponseOrAbsence {
    /// The status; 0 if no response was received.
    pub(crate) status: u16,
    /// The headers, without those that describe the connection or the length.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, if it was recorded.
    pub(crate) body: Option<String>,
    /// Number of bytes of the body that were received.
    pub(crate) body_size: u64,
    /// Whether it ended before its end.
    pub(crate) is_cut: bool,
    /// Time from the request to the head of the response.
    pub(crate) wait: Duration,
}

/// Why an archive cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum UnreplayableRecordingError {
    /// It is not an HTTP Archive.
    #[error("this is not an HTTP Archive (HAR 1.2), such as `copresence visit --har FILE` records: {0}")]
    NotHar(#[from] serde_json::Error),
    /// It has no redeem.
    #[error(
        "the archive has no request to /redeemExportToken, so there is nothing to replay; record a visit with \
         `copresence visit --har FILE`"
    )]
    NoRedeem,
}

/// Where a world is in the sequences of a recording that belong to no token.
#[derive(Debug)]
pub(crate) struct ReplayPosition {
    recording: Recording,
    logins: AtomicUsize,
    generates: AtomicUsize,
}

#[derive(Deserialize)]
struct HarFile {
    log: HarLog,
}

#[derive(Deserialize)]
struct HarLog {
    entries: Vec<HarEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarEntry {
    #[serde(default)]
    started_date_time: String,
    request: HarRequest,
    response: HarResponse,
    #[serde(default)]
    timings: HarTimings,
    /// What `copresence` writes: the endpoint, whatever its path is.
    #[serde(rename = "_call")]
    call: Option<String>,
}

#[derive(Deserialize)]
struct HarRequest {
    method: String,
    url: String,
}

#[derive(Deserialize)]
struct HarResponse {
    status: i64,
    #[serde(default)]
    headers: Vec<HarHeader>,
    #[serde(default)]
    content: HarContent,
    /// Why no complete response was received.
    #[serde(rename = "_error")]
    error: Option<String>,
}

#[derive(Deserialize)]
struct HarHeader {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HarContent {
    size: i64,
    text: Option<String>,
    encoding: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HarTimings {
    wait: Option<f64>,
}

/// Headers that are not replayed, because they belong to the connection, to the recorded length, or to cookies.
const UNUSED_HEADERS: [&str; 9] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "date",
    "server",
    "set-cookie",
    "cache-control",
];

impl Recording {
    /// Reads an HTTP Archive.
    ///
    /// # Errors
    /// It is not an archive, or has no request to `/redeemExportToken`.
    pub fn parse_har(text: &[u8]) -> Result<Self, UnreplayableRecordingError> {
        let file: HarFile = serde_json::from_slice(text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text))?;
        let mut entries = file.log.entries;
        // They may be in the order of their ends. Times of one program have the same form, so that texts compare.
        entries.sort_by(|a, b| a.started_date_time.cmp(&b.started_date_time));
        let mut responses: HashMap<Endpoint, Vec<RecordedResponseOrAbsence>> = HashMap::new();
        for entry in entries {
            if let Some(endpoint) = entry.endpoint_of_recorded_request() {
                responses.entry(endpoint).or_default().push(entry.into_recorded_response());
            }
        }
        if responses.contains_key(&Endpoint::Redeem) {
            Ok(Self(Arc::new(responses)))
        } else {
            Err(UnreplayableRecordingError::NoRedeem)
        }
    }

    /// The recorded response to the request with this number, from 0; `None` after the last.
    pub(crate) fn response_by_number(&self, endpoint: Endpoint, number: u64) -> Option<&RecordedResponseOrAbsence> {
        self.responses_of_endpoint(endpoint).get(usize::try_from(number).ok()?)
    }

    /// The last recorded response.
    pub(crate) fn last_response_of_endpoint(&self, endpoint: Endpoint) -> Option<&RecordedResponseOrAbsence> {
        self.responses_of_endpoint(endpoint).last()
    }

    /// The recorded responses of an endpoint, in the order of the requests.
    fn responses_of_endpoint(&self, endpoint: Endpoint) -> &[RecordedResponseOrAbsence] {
        self.0.get(&endpoint).map_or(&[], Vec::as_slice)
    }
}

impl ReplayPosition {
    pub(crate) fn new(recording: Recording) -> Self {
        Self { recording, logins: AtomicUsize::new(0), generates: AtomicUsize::new(0) }
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The next recorded response of a login or a generate. After the last, the sequence begins again.
    pub(crate) fn next_login_or_generate_response(&self, endpoint: Endpoint) -> Option<&RecordedResponseOrAbsence> {
        let counter = if endpoint == Endpoint::Login { &self.logins } else { &self.generates };
        let responses = self.recording.responses_of_endpoint(endpoint);
        let number = counter.fetch_add(1, Ordering::Relaxed).checked_rem(responses.len())?;
        responses.get(number)
    }
}

impl HarEntry {
    /// The endpoint of the request; `None` if it is none that the sandbox has, such as a page.
    fn endpoint_of_recorded_request(&self) -> Option<Endpoint> {
        if let Some(call) = &self.call {
            return match call.as_str() {
                "login" => Some(Endpoint::Login),
                "generate" => Some(Endpoint::Generate),
                "redeem" => Some(Endpoint::Redeem),
                "download" => Some(Endpoint::File),
                _ => None,
            };
        }
        let path = self.request.url.split(['?', '#']).next().unwrap_or_default();
        let by_path = Endpoint::ALL.iter().find(|(endpoint, _, method, known)| {
            *endpoint != Endpoint::File && self.request.method == *method && path.ends_with(known)
        });
        by_path.map(|row| row.0)
    }

    /// Converts the entry: without headers that cannot be replayed, and without a binary body.
    fn into_recorded_response(self) -> RecordedResponseOrAbsence {
        let HarResponse { status, headers, content, error } = self.response;
        let status = u16::try_from(status).ok().filter(|status| (200..=599).contains(status)).unwrap_or(0);
        let used = |header: &HarHeader| {
            // A masked value cannot be sent, and would mean nothing.
            let lower = header.name.to_ascii_lowercase();
            !UNUSED_HEADERS.contains(&lower.as_str()) && header.value.is_ascii()
        };
        let wait = self.timings.wait.and_then(|ms| Duration::try_from_secs_f64(ms / 1_000.0).ok());
        RecordedResponseOrAbsence {
            status,
            headers: headers.into_iter().filter(used).map(|header| (header.name, header.value)).collect(),
            // Binary contents are not needed: files are generated.
            body: content.text.filter(|_| content.encoding.is_none()),
            body_size: u64::try_from(content.size).unwrap_or(0),
            is_cut: status > 0 && error.is_some(),
            wait: wait.unwrap_or_default().min(MAX_WAIT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(started: &str, call: &str, status: u16) -> serde_json::Value {
        json!({
            "startedDateTime": started,
            "request": {"method": "GET", "url": "https://api.test/x"},
            "response": {"status": status, "headers": [{"name": "Retry-After", "value": "2"}, {"name": "X-Id", "value": "…ab"}],
                         "content": {"size": 2, "text": "{}"}},
            "timings": {"wait": 1_500.0},
            "_call": call,
        })
    }

    fn har(entries: &serde_json::Value) -> Vec<u8> {
        json!({"log": {"version": "1.2", "entries": entries}}).to_string().into_bytes()
    }

    #[test]
    fn responses_are_in_the_order_of_their_requests() {
        let text = har(&json!([
            entry("2026-01-01T10:00:01.000Z", "redeem", 503),
            entry("2026-01-01T10:00:00.000Z", "redeem", 200),
            entry("2026-01-01T10:00:00.500Z", "logout", 200),
        ]));
        let recording = Recording::parse_har(&text).expect("an archive");
        let status = |number| recording.response_by_number(Endpoint::Redeem, number).map(|response| response.status);
        assert_eq!((status(0), status(1), status(2)), (Some(200), Some(503), None));
        let first = recording.response_by_number(Endpoint::Redeem, 0).expect("one");
        assert_eq!(first.headers, [("Retry-After".to_owned(), "2".to_owned())]);
        assert_eq!((first.wait, first.is_cut), (Duration::from_millis(1_500), false));
    }

    #[test]
    fn endpoints_are_found_by_their_paths_in_archives_of_other_programs() {
        let text = har(&json!([{
            "request": {"method": "GET", "url": "https://api.test/v1/redeemExportToken?x=1"},
            "response": {"status": 0},
        }]));
        let recording = Recording::parse_har(&text).expect("an archive");
        assert_eq!(recording.last_response_of_endpoint(Endpoint::Redeem).map(|response| response.status), Some(0));
    }

    #[test]
    fn login_sequence_begins_again_after_its_end() {
        let text = har(&json!([entry("1", "login", 500), entry("2", "login", 200), entry("3", "redeem", 200),]));
        let position = ReplayPosition::new(Recording::parse_har(&text).expect("an archive"));
        let next = || position.next_login_or_generate_response(Endpoint::Login).map(|response| response.status);
        assert_eq!([next(), next(), next()], [Some(500), Some(200), Some(500)]);
        assert!(position.next_login_or_generate_response(Endpoint::Generate).is_none());
    }

    #[test]
    fn archive_without_a_redeem_is_refused() {
        assert!(matches!(Recording::parse_har(&har(&json!([]))), Err(UnreplayableRecordingError::NoRedeem)));
        for text in ["", "[]", r#"{"log":{}}"#, "\u{feff}{}"] {
            assert!(
                matches!(Recording::parse_har(text.as_bytes()), Err(UnreplayableRecordingError::NotHar(_))),
                "{text}"
            );
        }
    }
}
