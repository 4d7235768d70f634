//! Downloads from one-time URLs: one request per attempt, streamed, resumable by range.

use crate::capture::ExchangeCapture;
use crate::content_encoding;
use crate::error::InvalidResponse;
use crate::exchange::ExchangeOutcome;
use crate::redact::Redactor;
use crate::request_plan::CallRoute;
use crate::transport::{
    HttpTransport, NoResponseReason, build_request, lost_response_from_error, parse_retry_after, redirect_target,
};
use crate::transport_error::{ConnectError, LostResponse, ResponseLossKind};
use bytes::Bytes;
use copresence_protocol::{DownloadUrl, SpecViolation};
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::fmt;
use std::time::{Duration, SystemTime};
use url::Url;

/// Maximum number of redirects of a download.
const MAX_REDIRECTS: usize = 5;

/// Where to resume a download.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResumePoint {
    /// Number of bytes that are already saved. Zero requests the whole file.
    pub offset: u64,
    /// [`OpenedDownload::validator`] of the earlier response. It prevents that two versions of a file are combined.
    pub validator: Option<String>,
    /// [`OpenedDownload::total`] of the earlier response. A response with another total is invalid.
    pub total: Option<u64>,
}

/// A download whose status line and headers were received.
pub struct OpenedDownload {
    /// 200 (the whole file) or 206 (the requested range).
    pub status: u16,
    /// Offset of the first byte of the stream in the file. Zero for a 200, even if a range was requested.
    pub offset: u64,
    /// Size of the whole file in bytes, if the server states it.
    pub total: Option<u64>,
    /// The strong `ETag`, or else `Last-Modified`, for [`ResumePoint::validator`].
    pub validator: Option<String>,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The bytes of the file. Ends after the last byte, or with one error.
    pub stream: BoxStream<'static, Result<Bytes, DownloadError>>,
}

impl fmt::Debug for OpenedDownload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedDownload")
            .field("status", &self.status)
            .field("offset", &self.offset)
            .field("total", &self.total)
            .field("validator", &self.validator)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// A download that could not be opened or was interrupted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DownloadError {
    /// No byte of the request was sent, so the URL is unused.
    #[error("the download request was never sent: {0}")]
    NeverSent(ConnectError),
    /// The request was sent, and no response headers were received. The URL may be spent.
    #[error("the download request was sent, but the response was lost: {0}")]
    ResponseLost(LostResponse),
    /// The server responded with a status other than 200 and 206.
    #[error("the file server responded with status {status}")]
    ErrorStatus {
        /// The status.
        status: u16,
        /// `Retry-After`, from the time of the response.
        retry_after: Option<Duration>,
    },
    /// The file has no bytes from the requested offset on (416), so the saved part may be the whole file.
    #[error("the file server has no bytes from the requested offset on (status 416)")]
    RangeNotSatisfiable {
        /// Size of the whole file in bytes, if the server states it.
        total: Option<u64>,
    },
    /// A redirect that is not followed.
    #[error("the download was redirected and the redirect was not followed: {why}")]
    RedirectNotFollowed {
        /// The status of the redirect.
        status: u16,
        /// Why it was not followed. Contains at most the origin of a URL.
        why: String,
    },
    /// The response is not valid HTTP or not the requested range. [`InvalidResponse::body`] is empty.
    #[error("invalid response of the file server: {0}")]
    InvalidResponse(InvalidResponse),
    /// The stream ended before the end of the file.
    #[error("the download was interrupted after {received} bytes{}: {detail}", expected_size_suffix(*expected))]
    Interrupted {
        /// Number of bytes received, counted from the start of the file (including [`OpenedDownload::offset`]).
        received: u64,
        /// Size of the whole file in bytes, if known.
        expected: Option<u64>,
        /// Whether the connection was lost or timed out.
        loss: ResponseLossKind,
        /// The network error, for an operator. Contains no secret.
        detail: String,
    },
}

impl DownloadError {
    /// Whether the one-time URL may be spent: after any error except [`DownloadError::NeverSent`].
    pub fn may_have_spent_url(&self) -> bool {
        !matches!(self, Self::NeverSent(_))
    }
}

/// Sends the request, follows redirects, and checks the response headers.
pub(crate) async fn open_download(
    transport: &HttpTransport,
    known: &Redactor,
    url: &DownloadUrl,
    resume: Option<&ResumePoint>,
) -> Result<OpenedDownload, DownloadError> {
    let resume = resume.filter(|resume| resume.offset > 0);
    let mut at = Url::parse(url.expose_url()).map_err(|error| unsendable_request_error(&error))?;
    let mut redactor = known.with_secret(url.expose_url());
    let mut behind: Option<u16> = None;
    for _ in 0..=MAX_REDIRECTS {
        let route = CallRoute { method: Method::GET, url: at.clone(), headers: download_request_headers(resume)? };
        let request = build_request(&route);
        let mut capture = transport.start_download_capture(&request, &redactor);
        let response = match transport.send_and_await_headers(request, None, &redactor).await {
            Ok(response) => response,
            Err(headless) => {
                let ending = headless.to_exchange_outcome();
                let error = missing_response_error(headless, behind, &at);
                capture.finish_with_error(ending, error.to_string());
                return Err(error);
            }
        };
        capture.capture_response_headers(&response);
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return download_from_response(transport, redactor, response, capture, resume);
        }
        capture.finish_complete();
        at = allowed_redirect_target(&at, status, redirect_target(&response))?;
        redactor = redactor.with_secret(at.as_str());
        behind = Some(status);
    }
    let why = format!("more than {MAX_REDIRECTS} redirects");
    Err(DownloadError::RedirectNotFollowed { status: behind.unwrap_or_default(), why })
}

/// The headers of the request. A resumed download has `Range` and `If-Range`.
fn download_request_headers(resume: Option<&ResumePoint>) -> Result<HeaderMap, DownloadError> {
    let mut headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("*/*"))]);
    let Some(resume) = resume else { return Ok(headers) };
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| unsendable_request_error(&error));
    headers.insert(header::RANGE, value(&format!("bytes={}-", resume.offset))?);
    if let Some(validator) = &resume.validator {
        headers.insert(header::IF_RANGE, value(validator)?);
    }
    Ok(headers)
}

/// The target of a redirect, if it may be followed: http(s) only, never from https to http.
fn allowed_redirect_target(from: &Url, status: u16, to: Option<Url>) -> Result<Url, DownloadError> {
    let refuse = |why: String| Err(DownloadError::RedirectNotFollowed { status, why });
    let Some(mut to) = to else { return refuse("it has no valid location".to_owned()) };
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => {}
        (_, "http") => {
            return refuse(format!("it leads from https to http at {}", to.origin().ascii_serialization()));
        }
        (_, other) => return refuse(format!("it leads to the scheme {other}")),
    }
    // A download never sends credentials, not even those in the URL of a redirect.
    if to.set_username("").is_err() || to.set_password(None).is_err() {
        return refuse("its location has no host".to_owned());
    }
    Ok(to)
}

/// Builds the download from a response that is not a redirect.
fn download_from_response(
    transport: &HttpTransport,
    redactor: Redactor,
    response: reqwest::Response,
    capture: ExchangeCapture,
    resume: Option<&ResumePoint>,
) -> Result<OpenedDownload, DownloadError> {
    match check_download_response(&response, resume) {
        Ok((offset, total)) => {
            let headers = response.headers();
            Ok(OpenedDownload {
                status: response.status().as_u16(),
                offset,
                total,
                validator: if_range_validator(headers),
                content_type: ascii_header_value(headers, &header::CONTENT_TYPE),
                stream: body_stream(transport.timeouts.read, redactor, response, capture, offset, total),
            })
        }
        Err(error) => {
            match error {
                DownloadError::InvalidResponse(_) => {
                    capture.finish_with_error(ExchangeOutcome::InvalidResponse, error.to_string());
                }
                _ => capture.finish_complete(),
            }
            Err(error)
        }
    }
}

/// Checks the status and headers. Returns the offset of the body in the file, and the size of the file.
fn check_download_response(
    response: &reqwest::Response,
    resume: Option<&ResumePoint>,
) -> Result<(u64, Option<u64>), DownloadError> {
    let headers = response.headers();
    let status = response.status().as_u16();
    let broken =
        |mismatch| DownloadError::InvalidResponse(InvalidResponse { status, violation: mismatch, body: Bytes::new() });
    if matches!(status, 200 | 206)
        && let Some(mismatch) = content_encoding::find_encoding_violation(headers)
    {
        return Err(broken(mismatch));
    }
    let range = ascii_header_value(headers, &header::CONTENT_RANGE);
    match (status, resume) {
        (200, _) => Ok((0, response.content_length())),
        (206, Some(resume)) => {
            let wrong = |rule: String| broken(SpecViolation::new("Content-Range", rule, "another range or none"));
            let range = range.as_deref().and_then(ContentRange::parse_content_range);
            let from = resume.offset;
            match range {
                Some(range) if range.first != from => Err(wrong(format!("a range from byte {from} on"))),
                Some(range) if range.total.is_some_and(|total| range.last >= total) => {
                    Err(wrong("a range within the file".to_owned()))
                }
                Some(range) if resume.total.is_some() && range.total.is_some() && resume.total != range.total => {
                    Err(wrong("a range of the same file (the same total size)".to_owned()))
                }
                Some(range) => Ok((from, range.total.or(resume.total))),
                None => Err(wrong(format!("`bytes {from}-LAST/TOTAL`"))),
            }
        }
        (206, None) => {
            let rule = "the whole file (status 200), because no range was requested";
            Err(broken(SpecViolation::new("status", rule, "a partial response (status 206)")))
        }
        (416, Some(_)) => {
            let total = range.as_deref().and_then(|range| range.strip_prefix("bytes */")?.trim().parse().ok());
            Err(DownloadError::RangeNotSatisfiable { total })
        }
        _ => Err(DownloadError::ErrorStatus { status, retry_after: parse_retry_after(headers, SystemTime::now()) }),
    }
}

/// State of the body stream between two chunks.
struct DownloadBodyState {
    response: reqwest::Response,
    capture: ExchangeCapture,
    redactor: Redactor,
    /// Number of bytes, counted from the start of the file.
    received: u64,
    total: Option<u64>,
}

/// The body as a stream. It ends with an error after `read` without a byte, or if fewer than `total` bytes arrive.
fn body_stream(
    read: Duration,
    redactor: Redactor,
    response: reqwest::Response,
    capture: ExchangeCapture,
    offset: u64,
    total: Option<u64>,
) -> BoxStream<'static, Result<Bytes, DownloadError>> {
    let reading = DownloadBodyState { response, capture, redactor, received: offset, total };
    stream::unfold(Some(reading), move |reading| async move {
        let mut reading = reading?;
        let (loss, detail) = match tokio::time::timeout(read, reading.response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                reading.received += chunk.len() as u64;
                reading.capture.count_download_bytes(chunk.len());
                return Some((Ok(chunk), Some(reading)));
            }
            // A complete 206 response may end before the end of the file.
            Ok(Ok(None)) if reading.total.is_some_and(|total| reading.received < total) => {
                (ResponseLossKind::ConnectionLost, "the response ended before the end of the file".to_owned())
            }
            Ok(Ok(None)) => {
                reading.capture.finish_complete();
                return None;
            }
            Ok(Err(error)) => {
                let evidence = lost_response_from_error(&error, None, Bytes::new(), &reading.redactor);
                (evidence.loss, evidence.detail)
            }
            Err(_) => (ResponseLossKind::TimedOut, "the file server stopped sending".to_owned()),
        };
        let error = DownloadError::Interrupted { received: reading.received, expected: reading.total, loss, detail };
        reading.capture.finish_with_error(ExchangeOutcome::ResponseLost, error.to_string());
        Some((Err(error), None))
    })
    .boxed()
}

/// The error for a request without a response. `behind` is the status of the redirect that led to the URL `at`.
fn missing_response_error(headless: NoResponseReason, behind: Option<u16>, at: &Url) -> DownloadError {
    match (headless, behind) {
        (NoResponseReason::NeverSent(cause), None) => DownloadError::NeverSent(cause),
        (NoResponseReason::ResponseLost(evidence), None) => DownloadError::ResponseLost(evidence),
        // The server of the one-time URL responded, so the URL may be spent.
        (headless, status) => {
            let (loss, words) = match headless {
                NoResponseReason::NeverSent(cause) => (ResponseLossKind::ConnectionLost, cause.to_string()),
                NoResponseReason::ResponseLost(evidence) => (evidence.loss, evidence.to_string()),
            };
            let words = format!("redirected to {}: {words}", at.origin().ascii_serialization());
            DownloadError::ResponseLost(LostResponse { loss, status, body: Bytes::new(), detail: words })
        }
    }
}

/// `Content-Range: bytes FIRST-LAST/TOTAL` (RFC 9110, 14.4). The total may be `*`.
///
/// `headers::ContentRange` accepts the unit in lower case only, but units are case-insensitive (RFC 9110, 14.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl ContentRange {
    /// Parses the header value. Returns `None` if it is not valid or has no range.
    fn parse_content_range(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        let range = Self { first: first.parse().ok()?, last: last.parse().ok()?, total };
        (unit.eq_ignore_ascii_case("bytes") && range.first <= range.last).then_some(range)
    }
}

/// The validator for `If-Range`: a strong `ETag`, or else `Last-Modified` (RFC 9110, 13.1.5).
///
/// The value is sent back exactly as received, so it is not parsed.
fn if_range_validator(headers: &HeaderMap) -> Option<String> {
    let strong = ascii_header_value(headers, &header::ETAG).filter(|tag| tag.starts_with('"'));
    strong.or_else(|| ascii_header_value(headers, &header::LAST_MODIFIED))
}

/// The value of a header, if it is visible ASCII.
fn ascii_header_value(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The text ` of SIZE` for an error message, or nothing if the size is unknown.
fn expected_size_suffix(expected: Option<u64>) -> String {
    expected.map_or_else(String::new, |expected| format!(" of {expected}"))
}

/// The error for a URL or header value that cannot be sent.
fn unsendable_request_error(error: &dyn fmt::Display) -> DownloadError {
    let kind = crate::transport_error::ConnectErrorKind::Other;
    DownloadError::NeverSent(ConnectError { kind, detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_content_range_is_parsed_and_invalid_ones_are_rejected() {
        let range = ContentRange { first: 5, last: 9, total: Some(10) };
        assert_eq!(ContentRange::parse_content_range("bytes 5-9/10"), Some(range));
        assert_eq!(ContentRange::parse_content_range("Bytes 5-9/10"), Some(range));
        assert_eq!(ContentRange::parse_content_range("bytes 5-9/*"), Some(ContentRange { total: None, ..range }));
        for bad in ["", "bytes", "bytes */10", "bytes 9-5/10", "items 5-9/10", "bytes 5-9", "bytes -9/10"] {
            assert_eq!(ContentRange::parse_content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_weak_tag_is_not_a_validator() {
        let weak = (header::ETAG, HeaderValue::from_static("W/\"1\""));
        let date = (header::LAST_MODIFIED, HeaderValue::from_static("Sun, 22 Nov 2026 10:00:00 GMT"));
        assert_eq!(if_range_validator(&HeaderMap::from_iter([weak.clone()])), None);
        let found = if_range_validator(&HeaderMap::from_iter([weak, date]));
        assert_eq!(found.as_deref(), Some("Sun, 22 Nov 2026 10:00:00 GMT"));
    }

    #[test]
    fn a_redirect_may_lead_to_https_but_not_to_http_or_other_schemes() {
        let go = |from: &str, to: &str| {
            let url = |text: &str| Url::parse(text).expect("a URL");
            allowed_redirect_target(&url(from), 302, Some(url(to))).map(|url| url.to_string())
        };
        assert_eq!(go("http://a.test/", "https://u:p@b.test/x").expect("followed"), "https://b.test/x");
        assert!(go("http://a.test/", "http://b.test/").is_ok());
        for (from, to) in [("https://a.test/", "http://b.test/s?sig=1"), ("http://a.test/", "file:///etc/passwd")] {
            let error = go(from, to).expect_err(to).to_string();
            assert!(!error.contains("sig") && !error.contains("passwd"), "{error}");
        }
        assert!(allowed_redirect_target(&Url::parse("http://a.test/").expect("a URL"), 302, None).is_err());
    }

    proptest! {
        #[test]
        fn any_content_range_is_parsed_without_a_panic(text in ".*") {
            let _ = ContentRange::parse_content_range(&text);
        }
    }
}
