//! Sends one request and receives one response. Implements the HTTP rules of every call.

use crate::answer::Answered;
use crate::backend::TimeOuts;
use crate::capture::Capture;
use crate::coding::{self, Fault, Unpacked};
use crate::error::{BrokenAnswer, CallError};
use crate::exchange::{Call, Ending, Recorder};
use crate::limits::MAX_BODY;
use crate::lost::{Cause, Evidence, Loss, words};
use crate::plan::Route;
use crate::redact::Redactor;
use crate::setup_error::SetupError;
use crate::trust;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, header};
use httpdate::parse_http_date;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

/// Maximum `Retry-After`. Longer values are reduced to it.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// The HTTP clients of a backend. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport {
    /// Client that uses the proxy of the system, if there is one.
    outward: reqwest::Client,
    /// Client for loopback addresses. It uses no proxy, because a proxy would connect to its own machine.
    inward: reqwest::Client,
    pub(crate) time_outs: TimeOuts,
    recorder: Arc<dyn Recorder>,
}

/// One API call.
pub(crate) struct Outgoing {
    pub(crate) call: Call,
    pub(crate) route: Route,
    pub(crate) body: Option<String>,
    /// JSON Pointer to a secret in a successful response.
    pub(crate) token_pointer: Option<String>,
    /// Redacts the secrets of this call.
    pub(crate) redactor: Redactor,
}

/// Why no response headers were received.
pub(crate) enum Headless {
    NeverSent(Cause),
    Unanswered(Evidence),
}

impl Headless {
    /// The recorded outcome of the exchange.
    pub(crate) fn ending(&self) -> Ending {
        match self {
            Self::NeverSent(_) => Ending::NeverSent,
            Self::Unanswered(_) => Ending::Unanswered,
        }
    }
}

impl Transport {
    /// Creates the HTTP clients. `needs_tls`: whether missing root certificates are an error.
    pub(crate) fn new(
        time_outs: TimeOuts,
        recorder: Arc<dyn Recorder>,
        needs_tls: bool,
    ) -> Result<Self, SetupError> {
        let tls = match trust::config() {
            Err(why) if !needs_tls => {
                // Only http is used, so root certificates are not needed.
                tracing::warn!(reason = %why, "no trusted root certificates; https will not work");
                trust::nobody()
            }
            tls => tls,
        };
        let tls = tls.map_err(SetupError::NoRoots)?;
        let inward = client(&time_outs, &tls, reqwest::ClientBuilder::no_proxy)?;
        let outward = client(&time_outs, &tls, |builder| builder)?;
        Ok(Self { outward, inward, time_outs, recorder })
    }

    /// The same HTTP clients with another recorder.
    pub(crate) fn recorded_by(&self, recorder: Arc<dyn Recorder>) -> Self {
        Self { recorder, ..self.clone() }
    }

    /// Sends one request and reads the whole response, with any status.
    pub(crate) async fn call(&self, outgoing: Outgoing) -> Result<Answered, CallError> {
        let Outgoing { call, route, body, token_pointer, redactor } = outgoing;
        let mut request = request(&route);
        let accept = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::ACCEPT, accept.clone());
        if let Some(body) = body {
            request.headers_mut().insert(header::CONTENT_TYPE, accept);
            *request.body_mut() = Some(body.into());
        }
        if request.body().is_none() && !matches!(route.method, Method::GET | Method::HEAD) {
            // Some servers and proxies reject a POST without `Content-Length` (411).
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let capture =
            Capture::begin(call, &request, token_pointer, redactor.clone(), Arc::clone(&self.recorder));
        let deadline = Instant::now() + self.time_outs.total;
        let (mut response, mut capture) = self.captured_head(request, deadline, &redactor, capture).await?;
        let status = response.status().as_u16();
        let unpacked = match self.whole_body(&mut response, deadline, MAX_BODY, &redactor).await {
            Ok(body) => coding::undo(response.headers(), body),
            Err(mut evidence) => {
                // Decodes as much of the received part as possible.
                evidence.body = coding::undo(response.headers(), evidence.body).body;
                capture.body(evidence.body.clone());
                capture.unanswered(&evidence);
                return Err(CallError::Unanswered(evidence));
            }
        };
        let Unpacked { body, fault } = unpacked;
        capture.body(body.clone());
        tracing::debug!(%call, status, bytes = body.len(), "response received");
        match fault {
            None => capture.end(),
            Some(Fault::Broken(mismatch)) => {
                capture.fail(Ending::Broken, mismatch.to_string());
                return Err(CallError::Broken(BrokenAnswer { status, mismatch, body }));
            }
            Some(Fault::TooLarge) => {
                let evidence = too_large(Some(status), body, MAX_BODY);
                capture.unanswered(&evidence);
                return Err(CallError::Unanswered(evidence));
            }
        }
        Ok(Answered {
            status,
            body,
            retry_after: retry_after(response.headers(), SystemTime::now()),
            redirect_host: redirect_target(&response).and_then(|url| url.host_str().map(str::to_owned)),
            redactor,
        })
    }

    /// Sends one request, waits for the response headers, and captures them.
    pub(crate) async fn captured_head(
        &self,
        request: reqwest::Request,
        deadline: Instant,
        redactor: &Redactor,
        mut capture: Capture,
    ) -> Result<(reqwest::Response, Capture), CallError> {
        match self.head(request, Some(deadline), redactor).await {
            Ok(response) => {
                capture.head(&response);
                Ok((response, capture))
            }
            Err(Headless::NeverSent(cause)) => {
                capture.never_sent(&cause);
                Err(CallError::NeverSent(cause))
            }
            Err(Headless::Unanswered(evidence)) => {
                capture.unanswered(&evidence);
                Err(CallError::Unanswered(evidence))
            }
        }
    }

    /// Starts the capture of a download.
    pub(crate) fn capture_download(&self, request: &reqwest::Request, redactor: &Redactor) -> Capture {
        Capture::begin(Call::Download, request, None, redactor.clone(), Arc::clone(&self.recorder))
    }

    /// Sends one request and waits for the response headers.
    pub(crate) async fn head(
        &self,
        request: reqwest::Request,
        deadline: Option<Instant>,
        redactor: &Redactor,
    ) -> Result<reqwest::Response, Headless> {
        let TimeOuts { connect, read, .. } = self.time_outs;
        // This limit is later than the one of the connector, so that a connect timeout is always distinguished from a
        // missing response.
        let quiet = Instant::now() + connect + read;
        let until = deadline.map_or(quiet, |deadline| deadline.min(quiet));
        let client = if is_this_machine(request.url()) { &self.inward } else { &self.outward };
        match timeout_at(until, client.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            // The connector failed (name resolution, TCP, proxy tunnel, TLS), or the request could not be built, so
            // no byte was sent. Every other error may have occurred after the first byte.
            Ok(Err(error)) if error.is_connect() || error.is_builder() => {
                Err(Headless::NeverSent(Cause::read(&error, redactor)))
            }
            Ok(Err(error)) => Err(Headless::Unanswered(lost(&error, None, Bytes::new(), redactor))),
            Err(_) => Err(Headless::Unanswered(silent(None, Bytes::new()))),
        }
    }

    /// Reads a body of at most `limit` bytes. Longer bodies are an error.
    pub(crate) async fn whole_body(
        &self,
        response: &mut reqwest::Response,
        deadline: Instant,
        limit: usize,
        redactor: &Redactor,
    ) -> Result<Bytes, Evidence> {
        let status = Some(response.status().as_u16());
        let mut body = BytesMut::new();
        loop {
            let until = deadline.min(Instant::now() + self.time_outs.read);
            match timeout_at(until, response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    let room = limit - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        return Err(too_large(status, body.freeze(), limit));
                    }
                }
                Ok(Ok(None)) if is_cut(response, &body) => {
                    let words = "the connection ended before the end of the JSON body".to_owned();
                    return Err(Evidence { loss: Loss::BrokenOff, status, body: body.freeze(), words });
                }
                Ok(Ok(None)) => return Ok(body.freeze()),
                Ok(Err(error)) => return Err(lost(&error, status, body.freeze(), redactor)),
                Err(_) => return Err(silent(status, body.freeze())),
            }
        }
    }
}

/// Builds a request with the headers that every request has.
pub(crate) fn request(route: &Route) -> reqwest::Request {
    let mut request = reqwest::Request::new(route.method.clone(), route.url.clone());
    *request.headers_mut() = route.headers.clone();
    let agent = concat!("copresence-kiosk/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
    // Bodies are counted, saved and hashed as received, so they must not be encoded.
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    request
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), at most [`MAX_RETRY_AFTER`].
///
/// `headers::RetryAfter` is not used, because it gives no access to its value.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        // The clock of the backend is used if it sends `Date`, because the clock of this machine may be wrong.
        let date =
            headers.get(header::DATE).and_then(|date| parse_http_date(date.to_str().ok()?.trim()).ok());
        parse_http_date(value).ok()?.duration_since(date.unwrap_or(now)).unwrap_or(Duration::ZERO)
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// The target of a redirect. Returns `None` for other statuses and for an invalid location.
pub(crate) fn redirect_target(response: &reqwest::Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    response.url().join(std::str::from_utf8(location.as_bytes()).ok()?).ok()
}

/// The lost response after a network error.
pub(crate) fn lost(
    error: &reqwest::Error,
    status: Option<u16>,
    body: Bytes,
    redactor: &Redactor,
) -> Evidence {
    let loss = if error.is_timeout() { Loss::TimedOut } else { Loss::BrokenOff };
    Evidence { loss, status, body, words: redactor.words(&words(error)) }
}

/// Whether a body without a stated length is truncated.
///
/// Such a body ends with the connection, which looks the same as a lost connection, so the JSON is checked.
fn is_cut(response: &reqwest::Response, body: &[u8]) -> bool {
    let headers = response.headers();
    let framed =
        headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
    !framed
        && !body.trim_ascii().is_empty()
        && serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof())
}

/// The lost response after a body of more than `limit` bytes.
fn too_large(status: Option<u16>, body: Bytes, limit: usize) -> Evidence {
    let words = format!("the body is longer than {limit} bytes and was not read further");
    Evidence { loss: Loss::TooLarge, status, body, words }
}

/// The lost response after a timeout.
fn silent(status: Option<u16>, body: Bytes) -> Evidence {
    let words = "the backend sent nothing more before the timeout".to_owned();
    Evidence { loss: Loss::TimedOut, status, body, words }
}

/// Creates an HTTP client. `proxies` configures its use of proxies.
fn client(
    time_outs: &TimeOuts,
    tls: &rustls::ClientConfig,
    proxies: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, SetupError> {
    proxies(reqwest::Client::builder())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        // hyper retries a request if a reused connection is closed, and HTTP/2 retries one that the server refused.
        // Both would break "one call sends one request", so connections are not reused and HTTP/2 is off.
        .pool_max_idle_per_host(0)
        .http1_only()
        .connect_timeout(time_outs.connect)
        .tls_backend_preconfigured(tls.clone())
        .build()
        .map_err(|error| SetupError::Client(words(&error)))
}

/// Whether a URL has a loopback host.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().expect("a name"), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn retry_after_is_parsed_as_seconds_and_as_a_date_by_the_clock_of_the_backend() {
        let now = parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT").expect("a date");
        let pause = |pairs: &[_]| retry_after(&headers(pairs), now);
        assert_eq!(pause(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        let date = ("retry-after", "Sun, 22 Nov 2026 10:01:00 GMT");
        assert_eq!(pause(&[date]), Some(Duration::from_mins(1)));
        let clock = ("date", "Sun, 22 Nov 2026 10:00:50 GMT");
        assert_eq!(pause(&[date, clock]), Some(Duration::from_secs(10)));
        assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2020 10:01:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(pause(&[("retry-after", "99999999999999")]), Some(LONGEST_PAUSE));
        assert_eq!(pause(&[("retry-after", "soon")]), None);
        assert_eq!(pause(&[]), None);
    }

    #[test]
    fn only_loopback_addresses_bypass_the_proxy() {
        for (url, inward) in [
            ("http://localhost:1/", true),
            ("http://127.8.0.1/", true),
            ("http://[::1]/", true),
            ("http://api.localhost/", true),
            ("http://localhost.test/", false),
            ("http://192.168.0.2/", false),
        ] {
            assert_eq!(is_this_machine(&Url::parse(url).expect("a URL")), inward, "{url}");
        }
    }
}
