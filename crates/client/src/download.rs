//! "One-time download URLs": opened once, read as they come, resumed where they broke off.

use crate::capture::Capture;
use crate::coding;
use crate::error::BrokenAnswer;
use crate::exchange::Ending;
use crate::lost::{Cause, Evidence, Loss};
use crate::plan::Route;
use crate::redact::Redactor;
use crate::transport::{Headless, Transport, lost, redirect_target, request, retry_after};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::Timestamp;
use protocol::{DownloadUrl, Mismatch};
use std::fmt;
use std::time::Duration;
use url::Url;

/// How many redirects a download may take.
const MAX_REDIRECTS: usize = 5;

/// Where to go on with a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resume {
    /// How many bytes are there already; zero asks for the whole file.
    pub offset: u64,
    /// [`Download::validator`] of the earlier answer, so that two versions of a file are never put together.
    pub validator: Option<String>,
    /// [`Download::total`] of the earlier answer; another total then breaks the promise.
    pub total: Option<u64>,
}

/// A download whose head has come.
pub struct Download {
    /// 200 (the whole file) or 206 (the rest of it).
    pub status: u16,
    /// Where in the file the stream begins: zero with a 200, also when a rest was asked for.
    pub offset: u64,
    /// The size of the whole file, in bytes, where the server tells it.
    pub total: Option<u64>,
    /// A strong `ETag`, else `Last-Modified`: for [`Resume::validator`].
    pub validator: Option<String>,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The bytes. Ends after the last one, or with one error; it never ends early without.
    pub stream: BoxStream<'static, Result<Bytes, DownloadError>>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("status", &self.status)
            .field("offset", &self.offset)
            .field("total", &self.total)
            .field("validator", &self.validator)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// A download that did not open, or broke off.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DownloadError {
    /// No byte of the request left: the URL is as good as before.
    #[error("the download was never asked for: {0}")]
    NeverSent(Cause),
    /// It was asked for, and no answer came; the URL may be spent.
    #[error("the download was asked for and not answered: {0}")]
    Unanswered(Evidence),
    /// Answered with a status that brings no file.
    #[error("the file server refused the download (status {status})")]
    Refused {
        /// The status.
        status: u16,
        /// `Retry-After`, from the moment of the answer.
        retry_after: Option<Duration>,
    },
    /// The server has no byte from the asked offset on (416): what is there may be the whole file.
    #[error("the file server has nothing from there on (status 416)")]
    RangeRefused {
        /// The size of the whole file, where the server tells it.
        total: Option<u64>,
    },
    /// A redirect that is not followed.
    #[error("the download was sent elsewhere and not followed: {why}")]
    Redirected {
        /// The redirect's status.
        status: u16,
        /// Why it was not followed, with no more of a URL than its origin.
        why: String,
    },
    /// An answer that breaks the rules of HTTP or is not what was asked for; [`BrokenAnswer::body`] is empty.
    #[error("the file server's answer is wrong (status {}) {}", .0.status, .0.mismatch)]
    Broken(BrokenAnswer),
    /// The stream ended before the file did.
    #[error("the download broke off after {received} bytes{}: {words}", of(*expected))]
    Cut {
        /// The bytes of the file that are there, counted from its start ([`Download::offset`] included).
        received: u64,
        /// The size of the whole file, where it is known.
        expected: Option<u64>,
        /// Whether the connection broke or fell silent.
        loss: Loss,
        /// What the socket said; holds no secret.
        words: String,
    },
}

impl DownloadError {
    /// Whether the one-time URL may be spent: after anything but [`DownloadError::NeverSent`].
    pub fn may_have_spent_the_url(&self) -> bool {
        !matches!(self, Self::NeverSent(_))
    }
}

pub(crate) async fn open(
    transport: &Transport,
    known: &Redactor,
    url: &DownloadUrl,
    resume: Option<&Resume>,
) -> Result<Download, DownloadError> {
    let resume = resume.filter(|resume| resume.offset > 0);
    let mut at = Url::parse(url.expose()).map_err(|error| unusable(&error))?;
    let mut redactor = known.and(url.expose());
    let mut behind: Option<u16> = None;
    for _ in 0..=MAX_REDIRECTS {
        let route = Route { method: Method::GET, url: at.clone(), headers: headers_for(resume)? };
        let request = request(&route);
        let mut capture = transport.capture_download(&request, &redactor);
        let response = match transport.head(request, None, &redactor).await {
            Ok(response) => response,
            Err(headless) => {
                let ending = headless.ending();
                let error = lost_head(headless, behind, &at);
                capture.fail(ending, error.to_string());
                return Err(error);
            }
        };
        capture.head(&response);
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return opened(transport, redactor, response, capture, resume);
        }
        capture.end();
        at = follow(&at, status, redirect_target(&response))?;
        redactor = redactor.and(at.as_str());
        behind = Some(status);
    }
    let why = format!("more than {MAX_REDIRECTS} redirects");
    Err(DownloadError::Redirected { status: behind.unwrap_or_default(), why })
}

fn headers_for(resume: Option<&Resume>) -> Result<HeaderMap, DownloadError> {
    let mut headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("*/*"))]);
    let Some(resume) = resume else { return Ok(headers) };
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| unusable(&error));
    headers.insert(header::RANGE, value(&format!("bytes={}-", resume.offset))?);
    if let Some(validator) = &resume.validator {
        headers.insert(header::IF_RANGE, value(validator)?);
    }
    Ok(headers)
}

/// The next stop, if it may be one.
fn follow(from: &Url, status: u16, to: Option<Url>) -> Result<Url, DownloadError> {
    let refuse = |why: String| Err(DownloadError::Redirected { status, why });
    let Some(mut to) = to else { return refuse("it does not say where to".to_owned()) };
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => {}
        (_, "http") => {
            return refuse(format!("to {}, from https down to http", to.origin().ascii_serialization()));
        }
        (_, other) => return refuse(format!("to a {other} address")),
    }
    // Whatever a redirect says, a download carries no credential.
    if to.set_username("").is_err() || to.set_password(None).is_err() {
        return refuse("it names no host".to_owned());
    }
    Ok(to)
}

fn opened(
    transport: &Transport,
    redactor: Redactor,
    response: reqwest::Response,
    capture: Capture,
    resume: Option<&Resume>,
) -> Result<Download, DownloadError> {
    match checked(&response, resume) {
        Ok((offset, total)) => {
            let headers = response.headers();
            Ok(Download {
                status: response.status().as_u16(),
                offset,
                total,
                validator: validator(headers),
                content_type: text(headers, &header::CONTENT_TYPE),
                stream: body(transport.time_outs.read, redactor, response, capture, offset, total),
            })
        }
        Err(error) => {
            match error {
                DownloadError::Broken(_) => capture.fail(Ending::Broken, error.to_string()),
                _ => capture.end(),
            }
            Err(error)
        }
    }
}

/// Where the body begins and how large the file is, once the head keeps its promises.
fn checked(
    response: &reqwest::Response,
    resume: Option<&Resume>,
) -> Result<(u64, Option<u64>), DownloadError> {
    let headers = response.headers();
    let status = response.status().as_u16();
    let broken = |mismatch| DownloadError::Broken(BrokenAnswer { status, mismatch, body: Bytes::new() });
    if matches!(status, 200 | 206)
        && let Some(mismatch) = coding::stated(headers)
    {
        return Err(broken(mismatch));
    }
    let range = text(headers, &header::CONTENT_RANGE);
    match (status, resume) {
        (200, _) => Ok((0, response.content_length())),
        (206, Some(resume)) => {
            let wrong = |rule: String| broken(Mismatch::new("Content-Range", rule, "another one, or none"));
            let range = range.as_deref().and_then(ContentRange::read);
            let from = resume.offset;
            match range {
                Some(range) if range.first != from => Err(wrong(format!("a part from byte {from} on"))),
                Some(range) if range.total.is_some_and(|total| range.last >= total) => {
                    Err(wrong("a part within the file".to_owned()))
                }
                Some(range)
                    if resume.total.is_some() && range.total.is_some() && resume.total != range.total =>
                {
                    Err(wrong("a part of the same file (the same total size)".to_owned()))
                }
                Some(range) => Ok((from, range.total.or(resume.total))),
                None => Err(wrong(format!("`bytes {from}-LAST/TOTAL`"))),
            }
        }
        (206, None) => {
            let rule = "the whole file (status 200), because no part was asked for,";
            Err(broken(Mismatch::new("status", rule, "a part (206)")))
        }
        (416, Some(_)) => {
            let total =
                range.as_deref().and_then(|range| range.strip_prefix("bytes */")?.trim().parse().ok());
            Err(DownloadError::RangeRefused { total })
        }
        _ => Err(DownloadError::Refused { status, retry_after: retry_after(headers, Timestamp::now()) }),
    }
}

/// What the stream needs from one chunk to the next.
struct Reading {
    response: reqwest::Response,
    capture: Capture,
    redactor: Redactor,
    /// Counted from the file's start.
    received: u64,
    total: Option<u64>,
}

fn body(
    read: Duration,
    redactor: Redactor,
    response: reqwest::Response,
    capture: Capture,
    offset: u64,
    total: Option<u64>,
) -> BoxStream<'static, Result<Bytes, DownloadError>> {
    let reading = Reading { response, capture, redactor, received: offset, total };
    stream::unfold(Some(reading), move |reading| async move {
        let mut reading = reading?;
        let (loss, words) = match tokio::time::timeout(read, reading.response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                reading.received += chunk.len() as u64;
                reading.capture.passed(chunk.len());
                return Some((Ok(chunk), Some(reading)));
            }
            // A part may be whole in itself and yet end before the file does.
            Ok(Ok(None)) if reading.total.is_some_and(|total| reading.received < total) => {
                (Loss::BrokenOff, "the answer ended before the file".to_owned())
            }
            Ok(Ok(None)) => {
                reading.capture.end();
                return None;
            }
            Ok(Err(error)) => {
                let evidence = lost(&error, None, Bytes::new(), &reading.redactor);
                (evidence.loss, evidence.words)
            }
            Err(_) => (Loss::TimedOut, "the file server fell silent".to_owned()),
        };
        let error = DownloadError::Cut { received: reading.received, expected: reading.total, loss, words };
        reading.capture.fail(Ending::Unanswered, error.to_string());
        Some((Err(error), None))
    })
    .boxed()
}

fn lost_head(headless: Headless, behind: Option<u16>, at: &Url) -> DownloadError {
    match (headless, behind) {
        (Headless::NeverSent(cause), None) => DownloadError::NeverSent(cause),
        (Headless::Unanswered(evidence), None) => DownloadError::Unanswered(evidence),
        // The one-time URL itself was answered, so it may be spent whatever became of the next stop.
        (headless, status) => {
            let (loss, words) = match headless {
                Headless::NeverSent(cause) => (Loss::BrokenOff, cause.to_string()),
                Headless::Unanswered(evidence) => (evidence.loss, evidence.to_string()),
            };
            let words = format!("sent on to {}: {words}", at.origin().ascii_serialization());
            DownloadError::Unanswered(Evidence { loss, status, body: Bytes::new(), words })
        }
    }
}

/// `Content-Range: bytes FIRST-LAST/TOTAL` (RFC 9110, 14.4); the total may be `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl ContentRange {
    fn read(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        let range = Self { first: first.parse().ok()?, last: last.parse().ok()?, total };
        (unit.eq_ignore_ascii_case("bytes") && range.first <= range.last).then_some(range)
    }
}

/// What `If-Range` can take: no weak tag (RFC 9110, 13.1.5).
fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = text(headers, &header::ETAG).filter(|tag| tag.starts_with('"'));
    strong.or_else(|| text(headers, &header::LAST_MODIFIED))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn of(expected: Option<u64>) -> String {
    expected.map_or_else(String::new, |expected| format!(" of {expected}"))
}

fn unusable(error: &dyn fmt::Display) -> DownloadError {
    let kind = crate::lost::CauseKind::Other;
    DownloadError::NeverSent(Cause { kind, words: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_content_range_is_read_and_nonsense_is_not() {
        let range = ContentRange { first: 5, last: 9, total: Some(10) };
        assert_eq!(ContentRange::read("bytes 5-9/10"), Some(range));
        assert_eq!(ContentRange::read("bytes 5-9/*"), Some(ContentRange { total: None, ..range }));
        for bad in ["", "bytes", "bytes */10", "bytes 9-5/10", "items 5-9/10", "bytes 5-9", "bytes -9/10"] {
            assert_eq!(ContentRange::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_weak_tag_is_no_validator() {
        let weak = (header::ETAG, HeaderValue::from_static("W/\"1\""));
        let date = (header::LAST_MODIFIED, HeaderValue::from_static("Sun, 22 Nov 2026 10:00:00 GMT"));
        assert_eq!(validator(&HeaderMap::from_iter([weak.clone()])), None);
        let found = validator(&HeaderMap::from_iter([weak, date]));
        assert_eq!(found.as_deref(), Some("Sun, 22 Nov 2026 10:00:00 GMT"));
    }

    #[test]
    fn a_redirect_goes_up_to_https_and_never_down_or_out_of_the_web() {
        let go = |from: &str, to: &str| {
            let url = |text: &str| Url::parse(text).expect("a URL");
            follow(&url(from), 302, Some(url(to))).map(|url| url.to_string())
        };
        assert_eq!(go("http://a.test/", "https://u:p@b.test/x").expect("followed"), "https://b.test/x");
        assert!(go("http://a.test/", "http://b.test/").is_ok());
        for (from, to) in
            [("https://a.test/", "http://b.test/s?sig=1"), ("http://a.test/", "file:///etc/passwd")]
        {
            let error = go(from, to).expect_err(to).to_string();
            assert!(!error.contains("sig") && !error.contains("passwd"), "{error}");
        }
        assert!(follow(&Url::parse("http://a.test/").expect("a URL"), 302, None).is_err());
    }

    proptest! {
        #[test]
        fn no_header_upsets_the_reading(text in ".*") {
            let _ = ContentRange::read(&text);
        }
    }
}
