//! Exchanges as HAR 1.2 (HTTP Archive), which the network panels of browsers and HTTP proxies can open.

use crate::exchange::{Exchange, Recorder};
use serde::Serialize;
use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// Builds the archive of some exchanges.
pub fn document<'a>(exchanges: impl IntoIterator<Item = &'a Exchange>) -> serde_json::Value {
    let entries = exchanges.into_iter().map(entry).collect();
    let creator = Creator { name: "copresence-kiosk", version: env!("CARGO_PKG_VERSION") };
    let har = Har { log: Log { version: "1.2", creator, entries } };
    // Structs of strings and numbers can always be serialized.
    serde_json::to_value(har).unwrap_or_default()
}

/// Keeps the latest exchanges, for an archive.
#[derive(Debug)]
pub struct HarRecorder {
    recorded: Mutex<VecDeque<Exchange>>,
    limit: usize,
}

impl HarRecorder {
    /// Keeps at most `limit` exchanges, because a kiosk polls for days.
    pub fn new(limit: usize) -> Self {
        Self { recorded: Mutex::default(), limit }
    }

    /// The kept exchanges, oldest first.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.latest().iter().cloned().collect()
    }

    /// Builds the archive of the kept exchanges.
    pub fn document(&self) -> serde_json::Value {
        document(self.latest().iter())
    }

    /// Writes the archive as indented JSON.
    ///
    /// # Errors
    /// Writing failed.
    pub fn write(&self, mut to: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut to, &self.document())?;
        to.write_all(b"\n")
    }

    /// Locks the list. It is consistent after a panic of another thread, because exchanges are added whole.
    fn latest(&self) -> MutexGuard<'_, VecDeque<Exchange>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder for HarRecorder {
    fn record(&self, exchange: Exchange) {
        let mut latest = self.latest();
        latest.push_back(exchange);
        while latest.len() > self.limit {
            latest.pop_front();
        }
    }
}

#[derive(Serialize)]
struct Har {
    log: Log,
}

#[derive(Serialize)]
struct Log {
    version: &'static str,
    creator: Creator,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Creator {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: String,
    /// Milliseconds, the sum of `timings`.
    time: f64,
    request: Request,
    response: Response,
    cache: Cache,
    timings: Timings,
    /// Custom field. HAR reserves names with an underscore for them.
    #[serde(rename = "_call")]
    call: &'static str,
}

/// HAR requires `cache`. It may be empty.
#[derive(Serialize)]
struct Cache {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    http_version: &'static str,
    cookies: [(); 0],
    headers: Vec<Pair>,
    query_string: Vec<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_data: Option<PostData>,
    headers_size: i64,
    body_size: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    /// Zero if no response was received.
    status: u16,
    status_text: &'static str,
    http_version: &'static str,
    cookies: [(); 0],
    headers: Vec<Pair>,
    content: Content,
    #[serde(rename = "redirectURL")]
    redirect_url: String,
    headers_size: i64,
    body_size: i64,
    /// Custom field with the name that Chromium uses.
    #[serde(rename = "_error", skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    mime_type: String,
    params: [(); 0],
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    size: u64,
    mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Serialize)]
struct Timings {
    send: f64,
    wait: f64,
    receive: f64,
}

/// HAR value for an unknown size.
const UNKNOWN: i64 = -1;
const HTTP_VERSION: &str = "HTTP/1.1";

/// Builds the entry of an exchange.
fn entry(exchange: &Exchange) -> Entry {
    let wait = exchange.head_after.unwrap_or(exchange.duration).min(exchange.duration);
    let receive = exchange.duration.saturating_sub(wait);
    let status = exchange.status.unwrap_or(0);
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    Entry {
        started_date_time: exchange.started_at.to_string(),
        time: milliseconds(wait) + milliseconds(receive),
        request: Request {
            method: exchange.method.clone(),
            url: exchange.url.clone(),
            http_version: HTTP_VERSION,
            cookies: [],
            headers: pairs(&exchange.request_headers),
            query_string: query(&exchange.url),
            post_data: exchange.request_body.clone().map(|text| PostData {
                mime_type: header(&exchange.request_headers, "content-type"),
                params: [],
                text,
            }),
            headers_size: UNKNOWN,
            // The size of the body would reveal the length of a password.
            body_size: if exchange.request_body.is_some() { UNKNOWN } else { 0 },
        },
        response: Response {
            status,
            status_text: reason.unwrap_or(""),
            http_version: HTTP_VERSION,
            cookies: [],
            headers: pairs(&exchange.response_headers),
            content: Content {
                size: exchange.body_size,
                mime_type: header(&exchange.response_headers, "content-type"),
                text: exchange.body.clone(),
            },
            redirect_url: header(&exchange.response_headers, "location"),
            headers_size: UNKNOWN,
            body_size: i64::try_from(exchange.body_size).unwrap_or(UNKNOWN),
            error: exchange.error.clone(),
        },
        cache: Cache {},
        timings: Timings { send: 0.0, wait: milliseconds(wait), receive: milliseconds(receive) },
        call: exchange.call.as_str(),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The headers as name and value pairs.
fn pairs(headers: &[(String, String)]) -> Vec<Pair> {
    headers.iter().map(|(name, value)| Pair { name: name.clone(), value: value.clone() }).collect()
}

/// The value of the first header with this name in lower case, or empty.
fn header(headers: &[(String, String)], name: &str) -> String {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// The query of a URL as name and value pairs.
fn query(url: &str) -> Vec<Pair> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    url.query_pairs()
        .map(|(name, value)| Pair { name: name.into_owned(), value: value.into_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Call, Ending};

    fn exchange(status: Option<u16>) -> Exchange {
        Exchange {
            call: Call::Redeem,
            started_at: "2026-11-22T10:00:00Z".parse().expect("a time"),
            head_after: status.map(|_| Duration::from_millis(30)),
            duration: Duration::from_millis(40),
            method: "GET".to_owned(),
            url: "https://api.test/redeemExportToken?v=…".to_owned(),
            request_headers: vec![("accept".to_owned(), "application/json".to_owned())],
            request_body: None,
            status,
            response_headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: status.map(|_| "{}".to_owned()),
            body_size: 2,
            ending: if status.is_some() { Ending::Whole } else { Ending::Unanswered },
            error: status.is_none().then(|| "broken off".to_owned()),
        }
    }

    #[test]
    fn an_entry_has_the_required_fields_of_har_1_2() {
        let har = document(&[exchange(Some(200)), exchange(None)]);
        let entry = &har["log"]["entries"][0];
        assert_eq!(har["log"]["version"], "1.2");
        assert_eq!(entry["startedDateTime"], "2026-11-22T10:00:00Z");
        for (part, keys) in [
            ("request", "method url httpVersion cookies headers queryString headersSize bodySize"),
            (
                "response",
                "status statusText httpVersion cookies headers content redirectURL headersSize bodySize",
            ),
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

    #[test]
    fn only_the_latest_exchanges_are_kept() {
        let recorder = HarRecorder::new(2);
        for status in [400, 401, 402] {
            recorder.record(exchange(Some(status)));
        }
        let kept: Vec<_> = recorder.exchanges().iter().filter_map(|exchange| exchange.status).collect();
        assert_eq!(kept, [401, 402]);
        let mut file = Vec::new();
        recorder.write(&mut file).expect("written to memory");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&file).expect("JSON"), recorder.document());
    }
}
