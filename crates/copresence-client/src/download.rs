//! Downloads from one-time URLs: one request per attempt, streamed, resumable by range.

use crate::capture::ExchangeCapture;
use crate::content_encoding;
use crate::content_range::ContentRange;
use crate::deadline::await_until_extendable_deadline;
use crate::download_error::{DownloadError, DownloadErrorKind};
use crate::error::InvalidResponse;
use crate::exchange::ExchangeOutcome;
use crate::file_host::{explain_misconfigured_public_url, has_html_escaped_query, host_and_port};
use crate::file_server_error::{FileServerError, MAX_ERROR_BODY};
use crate::redact::Redactor;
use crate::redirect_cookies::RedirectCookies;
use crate::request_plan::CallRoute;
use crate::stated_digest::StatedDigest;
use crate::transport::{
    HttpTransport, NoResponseReason, build_request, lost_response_from_error, parse_retry_after, redirect_target,
};
use crate::transport_error::{LostResponse, RequestNotSentError, ResponseLossKind};
use bytes::Bytes;
use copresence_protocol::{DownloadUrl, SpecViolation};
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};
use url::Url;

/// Maximum number of redirects of a download.
const MAX_REDIRECTS: usize = 5;
/// Maximum time for the body of an error response.
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

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
    /// 200 or 203 (the whole file), or 206 (the requested range, or one from the first byte on).
    pub status: u16,
    /// Offset of the first byte of the stream in the file. Zero for the whole file, even if a range was requested.
    pub offset: u64,
    /// Size of the whole file in bytes, if the server states it.
    pub total: Option<u64>,
    /// The strong `ETag`, or else `Last-Modified`, for [`ResumePoint::validator`].
    pub validator: Option<String>,
    /// The digest of the whole file that the server states.
    pub stated_digest: Option<StatedDigest>,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// `Content-Encoding`, as sent, without `identity`. The stream, [`Self::offset`] and [`Self::total`] count encoded
    /// bytes; [`crate::open_decoding_reader`] removes the encoding of the whole file.
    pub content_encoding: Option<String>,
    /// Whether the end of the stream may come before the end of the file unnoticed: only the end of the connection marks
    /// the end of the body, or the response is a range that was not requested, of a file of unknown size.
    pub has_unverifiable_end: bool,
    /// The URL of the file, if the request was redirected to it.
    pub redirected_to: Option<DownloadUrl>,
    /// The bytes of the file, as sent. Ends after the last byte, or with one error.
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
            .field("content_encoding", &self.content_encoding)
            .field("has_unverifiable_end", &self.has_unverifiable_end)
            .finish_non_exhaustive()
    }
}

/// Sends the request, follows redirects, and checks the response headers. `backend` is the URL of the backend that sent
/// the download URL, and `cookies` are those of earlier requests of the same download.
pub(crate) async fn open_download(
    transport: &HttpTransport,
    known: &Redactor,
    backend: &Url,
    url: &DownloadUrl,
    resume: Option<&ResumePoint>,
    cookies: &mut RedirectCookies,
) -> Result<OpenedDownload, DownloadError> {
    let mut at = Url::parse(url.expose_url()).map_err(|error| DownloadError {
        host: url.url_origin(),
        kind: unsendable_request_error(&error),
        hint: None,
        redirected_to: None,
        has_unsent_credentials: false,
    })?;
    let requested = at.clone();
    let has_unsent_credentials = !requested.username().is_empty() || requested.password().is_some();
    let result = open_and_follow_redirects(transport, known, &mut at, resume, cookies).await;
    result.map_err(|kind| {
        let hint = match &kind {
            DownloadErrorKind::ErrorStatus { status: 400..=499, .. } if has_html_escaped_query(&at) => Some(
                "the file URL contains `&amp;`: the backend escaped it for HTML and must send it as it is".to_owned(),
            ),
            DownloadErrorKind::ErrorStatus { status: 401 | 403, .. } if has_unsent_credentials => Some(
                "the file URL contains a user name, which downloads never send: the backend must send a URL that works \
                 without one"
                    .to_owned(),
            ),
            DownloadErrorKind::Interrupted { .. } | DownloadErrorKind::RangeNotSatisfiable { .. } => None,
            _ => explain_misconfigured_public_url(&at, backend),
        };
        let hint = hint
            .map(|hint| format!("{hint}. The Export Token is spent: correct the backend before the next visit").into());
        let redirected_to = (at != requested).then(|| DownloadUrl::new(at.as_str())).flatten().map(Box::new);
        DownloadError { host: host_and_port(&at), kind, hint, redirected_to, has_unsent_credentials }
    })
}

/// Sends the request and follows redirects. `at` is the URL of the last request.
async fn open_and_follow_redirects(
    transport: &HttpTransport,
    known: &Redactor,
    at: &mut Url,
    resume: Option<&ResumePoint>,
    cookies: &mut RedirectCookies,
) -> Result<OpenedDownload, DownloadErrorKind> {
    let resume = resume.filter(|resume| resume.offset > 0);
    let first_byte = Instant::now() + transport.timeouts.connect + transport.timeouts.first_byte;
    let mut redactor = cookies.add_values_to_redactor(known.with_download_url_secrets(at));
    let mut behind: Option<u16> = None;
    for _ in 0..=MAX_REDIRECTS {
        let mut headers = download_request_headers(resume)?;
        headers.extend(cookies.build_cookie_header(at).map(|cookies| (header::COOKIE, cookies)));
        let route = CallRoute { method: Method::GET, url: at.clone(), headers };
        let request = build_request(&route);
        let mut capture = transport.start_download_capture(&request, &redactor);
        let response = match transport.send_download_and_await_headers(request, first_byte, &redactor).await {
            Ok(response) => response,
            Err(headless) => {
                let ending = headless.to_exchange_outcome();
                let error = missing_response_error(headless, behind, at);
                let words = DownloadError::new_at_host(host_and_port(at), error.clone()).to_string();
                capture.finish_with_error(ending, words);
                return Err(error);
            }
        };
        capture.capture_response_headers(&response);
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            let mut opened = download_from_response(transport, redactor, response, capture, resume, first_byte).await;
            match &mut opened {
                Ok(download) if behind.is_some() => download.redirected_to = DownloadUrl::new(at.as_str()),
                Err(DownloadErrorKind::ErrorStatus { after_redirect, .. }) => *after_redirect = behind.is_some(),
                _ => {}
            }
            return opened;
        }
        let target = redirect_target(&response);
        cookies.add_cookies_of_response(at, response.headers());
        redactor = cookies.add_values_to_redactor(redactor);
        capture.finish_with_complete_response();
        *at = allowed_redirect_target(at, status, target)?;
        redactor = redactor.with_download_url_secrets(at);
        behind = Some(status);
    }
    let why = format!("more than {MAX_REDIRECTS} redirects");
    Err(DownloadErrorKind::RedirectNotFollowed { status: behind.unwrap_or_default(), why })
}

/// The headers of the request. A resumed download has `Range` and `If-Range`.
fn download_request_headers(resume: Option<&ResumePoint>) -> Result<HeaderMap, DownloadErrorKind> {
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
fn allowed_redirect_target(from: &Url, status: u16, to: Option<Url>) -> Result<Url, DownloadErrorKind> {
    let refuse = |why: String| Err(DownloadErrorKind::RedirectNotFollowed { status, why });
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

/// How many times [`Timeouts::read`](crate::Timeouts::read) a server may be silent that has not said that a download can
/// continue with a range: its one-time URL is spent, so the rest arrives on this connection or never.
const SILENCE_FACTOR_WITHOUT_RANGES: u32 = 8;

/// Builds the download from a response that is not a redirect. The first byte must arrive until `first_byte`.
async fn download_from_response(
    transport: &HttpTransport,
    redactor: Redactor,
    mut response: reqwest::Response,
    mut capture: ExchangeCapture,
    resume: Option<&ResumePoint>,
    first_byte: Instant,
) -> Result<OpenedDownload, DownloadErrorKind> {
    let host = host_and_port(response.url());
    let mut error = match checked_body_offset_and_size(&response, resume) {
        Ok((offset, total)) => {
            let headers = response.headers();
            let read =
                transport.timeouts.read * if states_ranges(&response) { 1 } else { SILENCE_FACTOR_WITHOUT_RANGES };
            let ends_with_connection = response.version() < http::Version::HTTP_2
                && !headers.contains_key(header::CONTENT_LENGTH)
                && !headers.contains_key(header::TRANSFER_ENCODING);
            let is_unrequested_range_of_unknown_file =
                response.status() == StatusCode::PARTIAL_CONTENT && resume.is_none() && total.is_none();
            return Ok(OpenedDownload {
                status: response.status().as_u16(),
                offset,
                total,
                validator: if_range_validator(headers),
                stated_digest: StatedDigest::find_in_headers(headers, response.status() != StatusCode::PARTIAL_CONTENT),
                content_type: ascii_header_value(headers, &header::CONTENT_TYPE),
                content_encoding: normalized_content_encoding(headers),
                has_unverifiable_end: ends_with_connection || is_unrequested_range_of_unknown_file,
                redirected_to: None,
                stream: body_stream(DownloadBodyState {
                    host,
                    response,
                    capture,
                    redactor,
                    received: offset,
                    total,
                    read,
                    deadline: first_byte,
                }),
            });
        }
        Err(error) => error,
    };
    if let DownloadErrorKind::ErrorStatus { reason, .. } = &mut error {
        let body = read_error_body(&mut response).await;
        *reason = FileServerError::parse_error_body(&body, |text| redactor.redact_secrets_and_urls(text)).map(Box::new);
        capture.capture_received_body(body);
    }
    if matches!(error, DownloadErrorKind::InvalidResponse(_)) {
        let words = DownloadError::new_at_host(host, error.clone()).to_string();
        capture.finish_with_error(ExchangeOutcome::InvalidResponse, words);
    } else {
        capture.finish_with_complete_response();
    }
    Err(error)
}

/// Reads at most [`MAX_ERROR_BODY`] bytes for at most [`ERROR_BODY_TIME`]. A body that ends with an error is used as
/// far as it was received.
async fn read_error_body(response: &mut reqwest::Response) -> Bytes {
    let deadline = Instant::now() + ERROR_BODY_TIME;
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BODY
        && let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR_BODY - body.len())]);
    }
    body.into()
}

/// `Content-Encoding` without `identity`; several lines are joined. `None` if no encoding is stated.
fn normalized_content_encoding(headers: &HeaderMap) -> Option<String> {
    let stated = content_encoding::encodings_other_than_identity(headers);
    (!stated.is_empty()).then(|| stated.join(", "))
}

/// Checks the status and headers. Returns the offset of the body in the file, and the size of the file.
fn checked_body_offset_and_size(
    response: &reqwest::Response,
    resume: Option<&ResumePoint>,
) -> Result<(u64, Option<u64>), DownloadErrorKind> {
    let headers = response.headers();
    let status = response.status().as_u16();
    let broken = |mismatch| {
        let invalid = InvalidResponse { status, violation: mismatch, body: Bytes::new() };
        DownloadErrorKind::InvalidResponse(Box::new(invalid))
    };
    let range = ascii_header_value(headers, &header::CONTENT_RANGE);
    match (status, resume) {
        // "203 (Non-Authoritative Information)": a 200 that a transforming proxy modified (RFC 9110, 15.3.4).
        (200 | 203, _) => Ok((0, response.content_length())),
        // Without a requested range, one that begins the file is as good as the whole file, and resumes if it ends early.
        (206, resume) => {
            let wrong = |rule: String| broken(SpecViolation::new("Content-Range", rule, "another range or none"));
            let range = range.as_deref().and_then(ContentRange::parse_content_range);
            let from = resume.map_or(0, |resume| resume.offset);
            let known_total = resume.and_then(|resume| resume.total);
            match range {
                Some(range) if range.first != from => Err(wrong(format!("a range from byte {from} on"))),
                Some(range) if range.total.is_some_and(|total| range.last >= total) => {
                    Err(wrong("a range within the file".to_owned()))
                }
                Some(range) if known_total.is_some() && range.total.is_some() && known_total != range.total => {
                    Err(wrong("a range of the same file (the same total size)".to_owned()))
                }
                Some(range) => Ok((from, range.total.or(known_total))),
                None => Err(wrong(format!("`bytes {from}-LAST/TOTAL`"))),
            }
        }
        (416, Some(_)) => {
            let total = range.as_deref().and_then(|range| range.strip_prefix("bytes */")?.trim().parse().ok());
            Err(DownloadErrorKind::RangeNotSatisfiable { total })
        }
        _ => Err(DownloadErrorKind::ErrorStatus {
            status,
            retry_after: parse_retry_after(headers, SystemTime::now()),
            after_redirect: false,
            reason: None,
        }),
    }
}

/// Whether the server has said that a download can continue with a range.
fn states_ranges(response: &reqwest::Response) -> bool {
    let accepted = ascii_header_value(response.headers(), &header::ACCEPT_RANGES);
    response.status() == StatusCode::PARTIAL_CONTENT
        || accepted.is_some_and(|units| units.split(',').any(|unit| unit.trim().eq_ignore_ascii_case("bytes")))
}

/// State of the body stream between two chunks.
struct DownloadBodyState {
    host: String,
    response: reqwest::Response,
    capture: ExchangeCapture,
    redactor: Redactor,
    /// Number of bytes, counted from the start of the file.
    received: u64,
    total: Option<u64>,
    /// Maximum time without a byte after the first one.
    read: Duration,
    /// When the next byte must have arrived.
    deadline: Instant,
}

/// The body as a stream. It ends with an error after `read` without a byte, or if fewer than `total` bytes arrive.
fn body_stream(reading: DownloadBodyState) -> BoxStream<'static, Result<Bytes, DownloadError>> {
    stream::unfold(Some(reading), async |reading| {
        let mut reading = reading?;
        let (loss, detail) =
            match await_until_extendable_deadline(&mut reading.deadline, reading.response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    reading.received += chunk.len() as u64;
                    reading.capture.count_download_bytes(chunk.len());
                    reading.deadline = Instant::now() + reading.read;
                    return Some((Ok(chunk), Some(reading)));
                }
                // A complete 206 response may end before the end of the file.
                Ok(Ok(None)) if reading.total.is_some_and(|total| reading.received < total) => {
                    (ResponseLossKind::ConnectionLost, "the response ended before the end of the file".to_owned())
                }
                Ok(Ok(None)) => {
                    reading.capture.finish_with_complete_response();
                    return None;
                }
                Ok(Err(error)) => {
                    let evidence = lost_response_from_error(&error, None, Bytes::new(), &reading.redactor);
                    (evidence.loss, evidence.detail)
                }
                Err(_) => (ResponseLossKind::TimedOut, "the file server stopped sending".to_owned()),
            };
        let kind = DownloadErrorKind::Interrupted { received: reading.received, expected: reading.total, loss, detail };
        let error = DownloadError::new_at_host(reading.host, kind);
        reading.capture.finish_with_error(ExchangeOutcome::ResponseLost, error.to_string());
        Some((Err(error), None))
    })
    .boxed()
}

/// The error for a request without a response. `behind` is the status of the redirect that led to the URL `at`.
fn missing_response_error(headless: NoResponseReason, behind: Option<u16>, at: &Url) -> DownloadErrorKind {
    let (loss, words) = match (headless, behind) {
        (NoResponseReason::TargetRefused(refused), _) => {
            let (after_redirect, may_pass) = (behind.is_some(), behind.is_some() || refused.may_pass());
            return DownloadErrorKind::TargetNotAllowed { after_redirect, may_pass, why: refused.to_string() };
        }
        (NoResponseReason::NeverSent(cause), None) => return DownloadErrorKind::NeverSent(cause),
        (NoResponseReason::ResponseLost(evidence), None) => return DownloadErrorKind::ResponseLost(evidence),
        // The server of the one-time URL responded, so the URL may be spent.
        (NoResponseReason::NeverSent(cause), Some(_)) => (ResponseLossKind::ConnectionLost, cause.to_string()),
        (NoResponseReason::ResponseLost(evidence), Some(_)) => (evidence.loss, evidence.to_string()),
    };
    let detail = format!("redirected to {}: {words}", at.origin().ascii_serialization());
    DownloadErrorKind::ResponseLost(LostResponse { loss, status: behind, body: Bytes::new(), detail })
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

/// The error for a URL or header value that cannot be sent.
fn unsendable_request_error(error: &dyn fmt::Display) -> DownloadErrorKind {
    let kind = crate::transport_error::ConnectErrorKind::Other;
    DownloadErrorKind::NeverSent(RequestNotSentError { kind, detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{DownloadExceptions, Timeouts};
    use crate::download_target::DownloadTargetRules;
    use futures_util::FutureExt as _;
    use std::sync::Arc;

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
            let error = go(from, to).expect_err(to);
            let error = format!("{error:?}");
            assert!(!error.contains("sig") && !error.contains("passwd"), "{error}");
        }
        assert!(allowed_redirect_target(&Url::parse("http://a.test/").expect("a URL"), 302, None).is_err());
    }

    /// Opens a download from a name that resolves to this machine, sent by a backend at `backend_ip`.
    async fn download_from_private_name(backend_ip: [u8; 4]) -> (Result<u16, DownloadErrorKind>, bool) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            tokio::io::AsyncReadExt::read(&mut socket, &mut [0; 1024]).await.expect("a request");
            tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await
        });
        let lookup: crate::download_target::HostLookup = Arc::new(move |name| {
            let ip = if name == "api.test" { backend_ip } else { [127, 0, 0, 1] };
            async move { Ok(vec![(ip, 0).into()]) }.boxed()
        });
        let backend = Url::parse("http://api.test/").expect("a URL");
        let rules = DownloadTargetRules::new(backend.clone(), DownloadExceptions::default(), lookup);
        let recorder = Arc::new(crate::exchange::NoRecorder);
        let transport = HttpTransport::new(Timeouts::default(), recorder, false, Some(rules)).expect("HTTP clients");
        let url = DownloadUrl::new(&format!("http://files.test:{port}/a.glb")).expect("a URL");
        let result =
            open_download(&transport, &Redactor::default(), &backend, &url, None, &mut RedirectCookies::default())
                .await;
        let was_connected = server.is_finished();
        server.abort();
        (result.map(|opened| opened.status).map_err(|error| error.kind), was_connected)
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_connected_to_only_for_a_private_backend() {
        let (result, was_connected) = download_from_private_name([203, 0, 113, 1]).await;
        let error = result.expect_err("refused");
        assert!(
            matches!(
                &error,
                DownloadErrorKind::TargetNotAllowed { after_redirect: false, may_pass: true, why } if why.contains("127.0.0.1")
            ),
            "{error:?}"
        );
        assert!(!was_connected);
        let (result, _) = download_from_private_name([192, 168, 0, 1]).await;
        assert_eq!(result.expect("a response"), 200);
    }

    /// A network that asks for a login redirects every request, and answers for every host name.
    #[test]
    fn a_refused_target_may_pass_if_a_redirect_or_a_host_name_led_to_it() {
        use crate::download_target::RefusedTarget;
        let at = Url::parse("http://files.test/").expect("a URL");
        let private = std::net::IpAddr::from([10, 0, 0, 1]);
        for (refused, behind, expected) in [
            (RefusedTarget::PrivateAddress(private), None, false),
            (RefusedTarget::PlainHttp, None, false),
            (RefusedTarget::LoopbackName, None, false),
            (RefusedTarget::PrivateAddress(private), Some(302), true),
            (RefusedTarget::NameOfPrivateAddress(private), None, true),
        ] {
            let text = format!("{refused:?}");
            let kind = missing_response_error(NoResponseReason::TargetRefused(refused), behind, &at);
            let DownloadErrorKind::TargetNotAllowed { may_pass, why, .. } = kind else { panic!("{kind:?}") };
            assert_eq!(may_pass, expected, "{text}");
            assert!(why.contains("copresence recover"), "{why}");
        }
    }
}
