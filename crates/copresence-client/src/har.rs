//! Exchanges as HAR 1.2 (HTTP Archive), which the network panels of browsers and HTTP proxies can open.

use crate::exchange::{Exchange, ExchangeRecorder};
use serde::Serialize;
use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// Builds the archive of some exchanges.
pub fn har_from_exchanges<'a>(exchanges: impl IntoIterator<Item = &'a Exchange>) -> serde_json::Value {
    let entries = exchanges.into_iter().map(har_entry).collect();
    let creator = HarCreator { name: "copresence-kiosk", version: env!("CARGO_PKG_VERSION") };
    let har = Har { log: HarLog { version: "1.2", creator, entries } };
    // Structs of strings and numbers can always be serialized.
    serde_json::to_value(har).unwrap_or_default()
}

/// Recorder that keeps the latest exchanges for a HAR archive.
#[derive(Debug)]
pub struct HarRecorder {
    recorded: Mutex<VecDeque<Exchange>>,
    limit: usize,
}

impl HarRecorder {
    /// Creates a recorder that keeps at most `limit` exchanges, because a kiosk polls for days.
    pub fn new(limit: usize) -> Self {
        Self { recorded: Mutex::default(), limit }
    }

    /// The recorded exchanges, oldest first. Only the latest are kept.
    pub fn recorded_exchanges(&self) -> Vec<Exchange> {
        self.lock_exchanges().iter().cloned().collect()
    }

    /// Builds the archive of the kept exchanges.
    pub fn har_from_recorded_exchanges(&self) -> serde_json::Value {
        har_from_exchanges(self.lock_exchanges().iter())
    }

    /// Writes the archive as indented JSON.
    ///
    /// # Errors
    /// Writing failed.
    pub fn write_har(&self, mut to: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut to, &self.har_from_recorded_exchanges())?;
        to.write_all(b"\n")
    }

    /// Locks the list. It is consistent after a panic of another thread, because exchanges are added whole.
    fn lock_exchanges(&self) -> MutexGuard<'_, VecDeque<Exchange>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExchangeRecorder for HarRecorder {
    /// Records the exchange, and drops the oldest ones above the limit.
    fn record_exchange(&self, exchange: Exchange) {
        let mut latest = self.lock_exchanges();
        latest.push_back(exchange);
        while latest.len() > self.limit {
            latest.pop_front();
        }
    }
}

/// The whole HAR document. Its only member is `log`.
#[derive(Serialize)]
struct Har {
    log: HarLog,
}

/// The `log` of a HAR document: format version, creator and one entry for each exchange.
#[derive(Serialize)]
struct HarLog {
    version: &'static str,
    creator: HarCreator,
    entries: Vec<HarEntry>,
}

/// The program that wrote the HAR document.
#[derive(Serialize)]
struct HarCreator {
    name: &'static str,
    version: &'static str,
}

/// An entry of a HAR document: one exchange.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HarEntry {
    started_date_time: String,
    /// Milliseconds, the sum of `timings`.
    time: f64,
    request: HarRequest,
    response: HarResponse,
    cache: HarCache,
    timings: HarTimings,
    /// Custom field. HAR reserves names with an underscore for them.
    #[serde(rename = "_call")]
    call: &'static str,
}

/// The `cache` object of a HAR entry, always empty. HAR requires it.
#[derive(Serialize)]
struct HarCache {}

/// The request of a HAR entry.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    http_version: &'static str,
    cookies: [(); 0],
    headers: Vec<NameValuePair>,
    query_string: Vec<NameValuePair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_data: Option<HarPostData>,
    headers_size: i64,
    body_size: i64,
}

/// The response of a HAR entry.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HarResponse {
    /// Zero if no response was received.
    status: u16,
    status_text: &'static str,
    http_version: &'static str,
    cookies: [(); 0],
    headers: Vec<NameValuePair>,
    content: HarContent,
    #[serde(rename = "redirectURL")]
    redirect_url: String,
    headers_size: i64,
    body_size: i64,
    /// Custom field with the name that Chromium uses.
    #[serde(rename = "_error", skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A name and a value, as HAR writes headers and queries.
#[derive(Serialize)]
struct NameValuePair {
    name: String,
    value: String,
}

/// The body of a request in a HAR entry.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HarPostData {
    mime_type: String,
    /// Excludes `params`.
    text: String,
}

/// The content of a response in a HAR entry: its body. `size` is the number of received bytes; `text` may be
/// truncated.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HarContent {
    size: u64,
    mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Phases of an exchange in milliseconds. `send` is always 0; `wait` ends with the response headers.
#[derive(Serialize)]
struct HarTimings {
    send: f64,
    wait: f64,
    receive: f64,
}

/// HAR value for an unknown size.
const UNKNOWN_SIZE: i64 = -1;
const HTTP_VERSION: &str = "HTTP/1.1";

/// Builds the entry of an exchange.
fn har_entry(exchange: &Exchange) -> HarEntry {
    let wait = exchange.time_to_headers.unwrap_or(exchange.duration).min(exchange.duration);
    let receive = exchange.duration.saturating_sub(wait);
    let status = exchange.status.unwrap_or(0);
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    HarEntry {
        started_date_time: format!("{:.3}", exchange.started_at),
        time: round_to_micros(to_milliseconds(wait) + to_milliseconds(receive)),
        request: HarRequest {
            method: exchange.method.clone(),
            url: exchange.url.clone(),
            http_version: HTTP_VERSION,
            cookies: [],
            headers: header_pairs(&exchange.request_headers),
            query_string: query_pairs(&exchange.url),
            post_data: exchange.request_body.clone().map(|text| HarPostData {
                mime_type: header_value_or_empty(&exchange.request_headers, "content-type"),
                text,
            }),
            headers_size: UNKNOWN_SIZE,
            // The size of the body would reveal the length of a password.
            body_size: if exchange.request_body.is_some() { UNKNOWN_SIZE } else { 0 },
        },
        response: HarResponse {
            status,
            status_text: reason.unwrap_or(""),
            http_version: HTTP_VERSION,
            cookies: [],
            headers: header_pairs(&exchange.response_headers),
            content: HarContent {
                size: exchange.body_size,
                mime_type: header_value_or_empty(&exchange.response_headers, "content-type"),
                text: exchange.body.clone(),
            },
            redirect_url: header_value_or_empty(&exchange.response_headers, "location"),
            headers_size: UNKNOWN_SIZE,
            body_size: i64::try_from(exchange.body_size).unwrap_or(UNKNOWN_SIZE),
            error: exchange.error.clone(),
        },
        cache: HarCache {},
        timings: HarTimings { send: 0.0, wait: to_milliseconds(wait), receive: to_milliseconds(receive) },
        call: exchange.call.as_str(),
    }
}

/// A duration in milliseconds, with at most three decimal places.
fn to_milliseconds(duration: Duration) -> f64 {
    round_to_micros(duration.as_secs_f64() * 1000.0)
}

/// Rounds milliseconds to three decimal places.
fn round_to_micros(milliseconds: f64) -> f64 {
    (milliseconds * 1000.0).round() / 1000.0
}

/// The headers as name and value pairs.
fn header_pairs(headers: &[(String, String)]) -> Vec<NameValuePair> {
    headers.iter().map(|(name, value)| NameValuePair { name: name.clone(), value: value.clone() }).collect()
}

/// The value of the first header with this name (in lower case). Empty if there is none.
fn header_value_or_empty(headers: &[(String, String)], name: &str) -> String {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// The query of a URL as name and value pairs.
fn query_pairs(url: &str) -> Vec<NameValuePair> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    url.query_pairs()
        .map(|(name, value)| NameValuePair { name: name.into_owned(), value: value.into_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{CallKind, ExchangeOutcome};

    fn exchange(status: Option<u16>) -> Exchange {
        Exchange {
            call: CallKind::Redeem,
            started_at: "2026-11-22T10:00:00Z".parse().expect("a time"),
            time_to_headers: status.map(|_| Duration::from_millis(30)),
            duration: Duration::from_millis(40),
            method: "GET".to_owned(),
            url: "https://api.test/redeemExportToken?v=…".to_owned(),
            request_headers: vec![("accept".to_owned(), "application/json".to_owned())],
            request_body: None,
            status,
            response_headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: status.map(|_| "{}".to_owned()),
            body_size: 2,
            outcome: if status.is_some() { ExchangeOutcome::Complete } else { ExchangeOutcome::ResponseLost },
            error: status.is_none().then(|| "broken off".to_owned()),
        }
    }

    #[test]
    fn an_entry_has_the_required_fields_of_har_1_2() {
        let har = har_from_exchanges(&[exchange(Some(200)), exchange(None)]);
        let entry = &har["log"]["entries"][0];
        assert_eq!(har["log"]["version"], "1.2");
        assert_eq!(entry["startedDateTime"], "2026-11-22T10:00:00.000Z");
        for (part, keys) in [
            ("request", "method url httpVersion cookies headers queryString headersSize bodySize"),
            ("response", "status statusText httpVersion cookies headers content redirectURL headersSize bodySize"),
            ("timings", "send wait receive"),
        ] {
            for key in keys.split(' ') {
                assert!(entry[part].get(key).is_some(), "{part}.{key}");
            }
        }
        assert_eq!(entry["request"]["queryString"][0]["name"], "v");
        assert_eq!(entry["response"]["content"]["mimeType"], "application/json");
        let time = |key: &str| entry["timings"][key].as_f64().expect("a number");
        assert!((entry["time"].as_f64().expect("a number") - time("wait") - time("receive")).abs() < 1e-9);
        let lost = &har["log"]["entries"][1]["response"];
        assert_eq!((&lost["status"], &lost["_error"]), (&0.into(), &"broken off".into()));
    }

    /// Some readers accept at most milliseconds, and `params` and `text` exclude each other.
    #[test]
    fn times_have_milliseconds_and_a_request_body_has_only_its_text() {
        let sent = Exchange {
            started_at: "2026-11-22T10:00:00.123456789Z".parse().expect("a time"),
            time_to_headers: Some(Duration::from_nanos(30_123_456)),
            duration: Duration::from_nanos(40_987_654),
            request_body: Some("{}".to_owned()),
            ..exchange(Some(200))
        };
        let har = har_from_exchanges([&sent]);
        let entry = &har["log"]["entries"][0];
        assert_eq!(entry["startedDateTime"], "2026-11-22T10:00:00.123Z");
        assert_eq!(entry["request"]["postData"], serde_json::json!({"mimeType": "", "text": "{}"}));
        assert_eq!(entry["timings"], serde_json::json!({"send": 0.0, "wait": 30.123, "receive": 10.864}));
        assert_eq!(entry["time"], 40.987);
    }

    #[test]
    fn only_the_latest_exchanges_are_kept() {
        let recorder = HarRecorder::new(2);
        for status in [400, 401, 402] {
            recorder.record_exchange(exchange(Some(status)));
        }
        let kept: Vec<_> = recorder.recorded_exchanges().iter().filter_map(|exchange| exchange.status).collect();
        assert_eq!(kept, [401, 402]);
        let mut file = Vec::new();
        recorder.write_har(&mut file).expect("written to memory");
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&file).expect("JSON"),
            recorder.har_from_recorded_exchanges()
        );
    }
}
