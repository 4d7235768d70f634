//! A download whose response head was received: checks the head, and streams the body.

use crate::capture::ExchangeCapture;
use crate::content_encoding;
use crate::content_range::ContentRange;
use crate::deadline::await_until_extendable_deadline;
use crate::download_error::{DownloadError, DownloadErrorKind};
use crate::error::InvalidResponse;
use crate::exchange::ExchangeOutcome;
use crate::file_host::host_and_port;
use crate::file_server_error::{FileServerError, MAX_ERROR_BODY};
use crate::possible_file::{has_binary_file_signature, is_possible_file, read_first_bytes};
use crate::redact::Redactor;
use crate::response_head::parse_retry_after;
use crate::stated_digest::StatedDigest;
use crate::transport::{HttpTransport, lost_response_from_error};
use crate::transport_error::{ResponseLossKind, is_connection_closed_by_peer};
use bytes::Bytes;
use copresence_protocol::{DownloadUrl, SpecViolation};
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderMap, HeaderName, StatusCode, header};
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// Number of bytes by which a range may begin before the requested offset.
pub const MAX_BYTES_BEFORE_RANGE: u64 = 1024 * 1024;
/// Maximum time for the body of an error response.
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

/// Where to resume a download.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResumePoint {
    /// Number of bytes that are already saved. Zero requests the whole file.
    pub offset: u64,
    /// [`OpenedDownload::validator`] of the earlier response. It prevents that two versions of a file are combined. A weak tag is
    /// not sent.
    pub validator: Option<String>,
    /// [`OpenedDownload::total`] of the earlier response. A response with another total is invalid.
    pub total: Option<u64>,
}

/// A download whose status line and headers were received.
pub struct OpenedDownload {
    /// 200 or 203 (the whole file), 206 (the requested range, one that begins earlier, or one from the first byte on), or 201 or
    /// 202 (whose body begins like a binary file).
    pub status: u16,
    /// Offset of the first byte of the stream in the file. Zero for the whole file, even if a range was requested. It may be up to
    /// [`MAX_BYTES_BEFORE_RANGE`] bytes before the requested offset.
    pub offset: u64,
    /// Size of the whole file in bytes, if the server states it.
    pub total: Option<u64>,
    /// The strong `ETag`, or else `Last-Modified`, or else the weak `ETag`, for [`ResumePoint::validator`]. Weak tags that differ
    /// prove that the file changed; the same weak tag does not prove that it is the same.
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
    /// Whether the server says that a download can continue with a range: by status 206 or `Accept-Ranges`.
    pub has_stated_range_support: bool,
    /// Silence after which the rest should be requested by range, beside this response: the server only says in
    /// `Accept-Ranges` that it sends ranges, and many frameworks say so of files that they send once.
    pub silence_before_range_request: Option<Duration>,
    /// The URLs that the request was redirected to, in order. The last one sent this response.
    pub redirect_targets: Vec<DownloadUrl>,
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
            .field("has_stated_range_support", &self.has_stated_range_support)
            .finish_non_exhaustive()
    }
}

/// How many times as long a server may be silent that has not sent a range, or be slow that has not said that it sends any: its
/// one-time URL may be spent, so the rest arrives on this connection or never.
pub const PATIENCE_FACTOR_WITHOUT_RANGES: u32 = 8;

/// Builds the download from a response that is not a redirect. The first byte must arrive until `first_byte`.
pub(crate) async fn download_from_response(
    transport: &HttpTransport,
    redactor: Redactor,
    mut response: reqwest::Response,
    mut capture: ExchangeCapture,
    resume: Option<&ResumePoint>,
    first_byte: Instant,
) -> Result<OpenedDownload, DownloadErrorKind> {
    let host = host_and_port(response.url());
    let mut checked = checked_body_offset_and_size(&response, resume);
    let mut first = Bytes::new();
    if checked.is_err() && is_possible_file(&response, resume.is_some()) {
        // Of a body that was read in part, only the length of the rest is known.
        let is_range = response.status() == StatusCode::PARTIAL_CONTENT;
        let total = response.content_length().filter(|_| !is_range);
        first = read_first_bytes(&mut response, first_byte.min(Instant::now() + ERROR_BODY_TIME)).await;
        if has_binary_file_signature(&first) {
            checked = Ok((0, total));
        }
    }
    let mut error = match checked {
        Ok((offset, total)) => {
            let headers = response.headers();
            let has_stated_range_support = has_stated_range_support(&response);
            let sends_ranges = response.status() == StatusCode::PARTIAL_CONTENT;
            let usual_silence = transport.timeouts.read;
            let ends_with_connection = response.version() < http::Version::HTTP_2
                && !headers.contains_key(header::CONTENT_LENGTH)
                && !headers.contains_key(header::TRANSFER_ENCODING);
            let is_unrequested_range_of_unknown_file =
                response.status() == StatusCode::PARTIAL_CONTENT && resume.is_none() && total.is_none();
            return Ok(OpenedDownload {
                status: response.status().as_u16(),
                offset,
                total,
                validator: if_range_validator(headers)
                    .or_else(|| ascii_header_value(headers, &header::ETAG).filter(|tag| is_weak_tag(tag))),
                stated_digest: StatedDigest::find_strongest_in_headers(
                    headers,
                    response.status() != StatusCode::PARTIAL_CONTENT,
                ),
                content_type: ascii_header_value(headers, &header::CONTENT_TYPE),
                content_encoding: normalized_content_encoding(headers),
                has_unverifiable_end: ends_with_connection || is_unrequested_range_of_unknown_file,
                has_stated_range_support,
                silence_before_range_request: (has_stated_range_support && !sends_ranges).then_some(usual_silence),
                redirect_targets: Vec::new(),
                stream: body_stream_failing_when_incomplete(DownloadBodyState {
                    transport: transport.clone(),
                    host,
                    response,
                    first,
                    capture,
                    redactor,
                    received: offset,
                    total,
                    ends_with_connection,
                    read: usual_silence * if sends_ranges { 1 } else { PATIENCE_FACTOR_WITHOUT_RANGES },
                    deadline: first_byte,
                }),
            });
        }
        Err(error) => error,
    };
    if let DownloadErrorKind::ErrorStatus { reason, .. } = &mut error {
        let body = read_error_body_within_limits(first, &mut response).await;
        *reason = FileServerError::parse_error_body(&body, |text| redactor.redact_secrets_and_urls(text)).map(Box::new);
        capture.capture_received_body(body);
    }
    if matches!(error, DownloadErrorKind::InvalidResponse(_)) {
        let words = DownloadError::from_single_response(host, error.clone()).to_string();
        capture.finish_with_error(ExchangeOutcome::InvalidResponse, words);
    } else {
        capture.finish_with_complete_response();
    }
    Err(error)
}

/// Reads at most [`MAX_ERROR_BODY`] bytes for at most [`ERROR_BODY_TIME`], behind the `first` ones. A body that ends with an
/// error is used as far as it was received.
async fn read_error_body_within_limits(first: Bytes, response: &mut reqwest::Response) -> Bytes {
    let deadline = Instant::now() + ERROR_BODY_TIME;
    let mut body = first[..first.len().min(MAX_ERROR_BODY)].to_vec();
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
                // The bytes before the requested offset are known.
                Some(range)
                    if range.first != from && !(range.first < from && from - range.first <= MAX_BYTES_BEFORE_RANGE) =>
                {
                    Err(wrong(format!("a range from byte {from} on")))
                }
                Some(range) if range.total.is_some_and(|total| range.last >= total) => {
                    Err(wrong("a range within the file".to_owned()))
                }
                Some(range) if known_total.is_some() && range.total.is_some() && known_total != range.total => {
                    Err(wrong("a range of the same file (the same total size)".to_owned()))
                }
                Some(range) => Ok((range.first, range.total.or(known_total))),
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
fn has_stated_range_support(response: &reqwest::Response) -> bool {
    let accepted = ascii_header_value(response.headers(), &header::ACCEPT_RANGES);
    response.status() == StatusCode::PARTIAL_CONTENT
        || accepted.is_some_and(|units| units.split(',').any(|unit| unit.trim().eq_ignore_ascii_case("bytes")))
}

/// State of the body stream between two chunks.
struct DownloadBodyState {
    transport: HttpTransport,
    host: String,
    response: reqwest::Response,
    /// Bytes that were read before.
    first: Bytes,
    capture: ExchangeCapture,
    redactor: Redactor,
    /// Number of bytes, counted from the start of the file.
    received: u64,
    total: Option<u64>,
    /// Whether only the end of the connection marks the end of the body.
    ends_with_connection: bool,
    /// Maximum time without a byte after the first one.
    read: Duration,
    /// When the next byte must have arrived.
    deadline: Instant,
}

/// The body as a stream. It ends with an error after `read` without a byte, or if fewer than `total` bytes arrive.
fn body_stream_failing_when_incomplete(reading: DownloadBodyState) -> BoxStream<'static, Result<Bytes, DownloadError>> {
    stream::unfold(Some(reading), async |reading| {
        let mut reading = reading?;
        let first = std::mem::take(&mut reading.first);
        let next = async { if first.is_empty() { reading.response.chunk().await } else { Ok(Some(first)) } };
        let mut may_be_whole = false;
        let (loss, detail) = match await_until_extendable_deadline(&mut reading.deadline, next).await {
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
                may_be_whole =
                    reading.ends_with_connection && reading.total.is_none() && is_connection_closed_by_peer(&error);
                let evidence = lost_response_from_error(&error, None, Bytes::new(), &reading.redactor);
                (evidence.loss, evidence.detail)
            }
            Err(_) => (ResponseLossKind::TimedOut, "the file server stopped sending".to_owned()),
        };
        if !may_be_whole {
            reading.transport.record_failed_request(reading.response.url(), reading.response.remote_addr());
        }
        let (received, expected) = (reading.received, reading.total);
        let kind = DownloadErrorKind::Interrupted { received, expected, loss, may_be_whole, detail };
        let error = DownloadError::from_single_response(reading.host, kind);
        reading.capture.finish_with_error(ExchangeOutcome::ResponseLost, error.to_string());
        Some((Err(error), None))
    })
    .boxed()
}

/// The validator for `If-Range`: a strong `ETag`, or else `Last-Modified` (RFC 9110, 13.1.5).
///
/// The value is sent back exactly as received, so it is not parsed.
fn if_range_validator(headers: &HeaderMap) -> Option<String> {
    let strong = ascii_header_value(headers, &header::ETAG).filter(|tag| tag.starts_with('"'));
    strong.or_else(|| ascii_header_value(headers, &header::LAST_MODIFIED))
}

/// Whether a validator is a weak `ETag`, which `If-Range` must not have (RFC 9110, 13.1.5).
pub fn is_weak_tag(validator: &str) -> bool {
    validator.starts_with("W/")
}

/// The value of a header, if it is visible ASCII.
fn ascii_header_value(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_weak_tag_is_not_a_validator() {
        let weak = (header::ETAG, HeaderValue::from_static("W/\"1\""));
        let date = (header::LAST_MODIFIED, HeaderValue::from_static("Sun, 22 Nov 2026 10:00:00 GMT"));
        assert_eq!(if_range_validator(&HeaderMap::from_iter([weak.clone()])), None);
        let found = if_range_validator(&HeaderMap::from_iter([weak, date]));
        assert_eq!(found.as_deref(), Some("Sun, 22 Nov 2026 10:00:00 GMT"));
    }
}
