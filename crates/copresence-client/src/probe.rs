//! Arbitrary requests, valid or deliberately invalid, for checks of a backend.
//!
//! The guarantees of [`crate::ApiClient`] hold: one call sends one request, redirects are not followed, and the
//! recorded exchange is redacted. The unredacted [`ProbeResponse`] stays in memory.

use crate::backend::Timeouts;
use crate::capture::ExchangeCapture;
use crate::content_encoding;
use crate::error::CallError;
use crate::exchange::{CallKind, Exchange, ExchangeRecorder, NoRecorder};
use crate::limits::MAX_BODY;
use crate::redact::Redactor;
use crate::request_plan::CallRoute;
use crate::response::{ApiResponse, ErrorResponse};
use crate::setup_error::SetupError;
use crate::transport::{HttpTransport, build_request_with_common_headers};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use url::Url;

/// One arbitrary, possibly invalid request to an API, with all its parts.
#[derive(Clone)]
pub struct ProbeRequest {
    /// The kind of endpoint that it is meant for.
    pub call: CallKind,
    /// Any method.
    pub method: Method,
    /// http or https URL.
    pub url: Url,
    /// Headers, sent unchanged. They replace the headers that every request has.
    pub headers: Vec<(String, String)>,
    /// Body, sent unchanged.
    pub body: Option<String>,
    /// JSON Pointer to a secret in a successful response, which is masked in the recorded exchange.
    pub token_pointer: Option<String>,
    /// Maximum size of the response body, in bytes.
    pub max_body: usize,
}

impl fmt::Debug for ProbeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeRequest").field("call", &self.call).field("method", &self.method).finish_non_exhaustive()
    }
}

/// A complete response.
#[derive(Clone)]
pub struct ProbeResponse {
    /// The status.
    pub status: u16,
    /// All headers as received.
    pub headers: HeaderMap,
    /// The body as received. Content encoding is decoded, except for a download.
    pub body: Bytes,
}

impl ProbeResponse {
    /// Classifies the response to a call at `url` as [`crate::ApiClient`] does. `None` for a success of the API.
    pub fn find_error_in_response(&self, call: CallKind, url: &Url) -> Option<ErrorResponse> {
        let header = |name| self.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let redirect = header(header::LOCATION).filter(|_| (300..400).contains(&self.status));
        let response = ApiResponse {
            redirect_host: redirect.and_then(|to| url.join(to).ok()?.host_str().map(str::to_owned)),
            request_host: url.host_str().map(str::to_owned),
            content_type: header(header::CONTENT_TYPE).map(str::to_owned),
            ..ApiResponse::new(self.status, self.body.clone())
        };
        ErrorResponse::classify_non_api_response(call, &response).or_else(|| {
            let is_success = (200..300).contains(&self.status);
            (!is_success).then(|| ErrorResponse::classify_error_response(call, &response))
        })
    }
}

impl fmt::Debug for ProbeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeResponse")
            .field("status", &self.status)
            .field("body_size", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The redacted exchange of a probe, and its response or the reason why there is none.
#[derive(Debug, Clone)]
pub struct ProbeResult {
    /// The redacted exchange.
    pub exchange: Exchange,
    /// The response, or else [`CallError::NeverSent`] or [`CallError::ResponseLost`].
    pub response: Result<ProbeResponse, CallError>,
}

/// Sends single API requests that a check defines, also invalid ones, and records the exchange of each.
pub struct Prober {
    transport: HttpTransport,
    known_secrets: RwLock<Redactor>,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

impl Prober {
    /// Creates the HTTP clients. `needs_tls`: whether missing root certificates are an error.
    ///
    /// # Errors
    /// [`SetupError::NoRootCertificates`] or [`SetupError::HttpClient`].
    pub fn new(time_outs: Timeouts, needs_tls: bool) -> Result<Self, SetupError> {
        let transport = HttpTransport::new(time_outs, Arc::new(NoRecorder), needs_tls, None)?;
        Ok(Self { transport, known_secrets: RwLock::default() })
    }

    /// Masks a secret in every exchange from now on.
    pub fn add_secret_to_mask(&self, secret: &str) {
        let mut known = self.known_secrets.write().unwrap_or_else(PoisonError::into_inner);
        *known = known.with_secret(secret);
    }

    /// Masks secrets in every exchange from now on.
    pub fn add_secrets_to_mask<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        let mut known = self.known_secrets.write().unwrap_or_else(PoisonError::into_inner);
        *known = known.with_secrets(secrets);
    }

    /// A redactor for all secrets that are known so far.
    pub fn known_secrets_redactor(&self) -> Redactor {
        self.known_secrets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends one request and reads the whole response, with any status.
    ///
    /// # Errors
    /// The probe has an invalid header. Nothing was sent.
    pub async fn send_probe(&self, probe: ProbeRequest) -> Result<ProbeResult, SetupError> {
        let request = build_probe_request(&probe)?;
        let redactor = self.known_secrets_redactor();
        let slot = Arc::new(SingleExchangeRecorder::default());
        let capture = ExchangeCapture::start_exchange_capture(
            probe.call,
            &request,
            probe.token_pointer.clone(),
            redactor.clone(),
            Arc::clone(&slot) as Arc<dyn ExchangeRecorder>,
        );
        let reply = self.send_and_capture_response(&probe, request, capture, &redactor).await;
        let exchange =
            slot.take_exchange().ok_or_else(|| SetupError::HttpClient("an exchange was not captured".to_owned()))?;
        Ok(ProbeResult { exchange, response: reply })
    }

    /// Sends the request and captures the response.
    async fn send_and_capture_response(
        &self,
        probe: &ProbeRequest,
        request: reqwest::Request,
        capture: ExchangeCapture,
        redactor: &Redactor,
    ) -> Result<ProbeResponse, CallError> {
        // A file may take longer than an API response. The timeout without a byte still applies.
        let total = self.transport.timeouts.total;
        let total = if probe.call == CallKind::Download { total * 20 } else { total };
        let limits = self.transport.response_time_limits_within(total);
        let (mut response, mut capture) =
            self.transport.send_and_capture_response_headers(request, limits.headers, redactor, capture).await?;
        let body = self.transport.read_response_body(&mut response, &limits, probe.max_body, redactor).await;
        let mut keep = |body: &Bytes| {
            if probe.call == CallKind::Download {
                capture.count_download_bytes(body.len());
            } else {
                capture.capture_received_body(body.clone());
            }
        };
        match body {
            Ok(body) => {
                // A file is checked as received. Other bodies are decoded, because redaction does not work on encoded
                // ones.
                let body = match probe.call {
                    CallKind::Download => body,
                    _ => content_encoding::decode_body(response.headers(), body, MAX_BODY).body,
                };
                keep(&body);
                capture.finish_with_complete_response();
                let status = response.status().as_u16();
                Ok(ProbeResponse { status, headers: response.headers().clone(), body })
            }
            Err(evidence) => {
                keep(&evidence.body);
                capture.finish_response_lost(&evidence);
                Err(CallError::ResponseLost(evidence))
            }
        }
    }
}

/// Recorder for the single exchange of a probe.
#[derive(Default)]
struct SingleExchangeRecorder(Mutex<Option<Exchange>>);

impl SingleExchangeRecorder {
    /// Takes the recorded exchange, if there is one.
    fn take_exchange(&self) -> Option<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ExchangeRecorder for SingleExchangeRecorder {
    /// Keeps the exchange until it is taken. A later one replaces it.
    fn record_exchange(&self, exchange: Exchange) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(exchange);
    }
}

/// Builds the HTTP request of a probe: one arbitrary, possibly invalid request of a check.
fn build_probe_request(probe: &ProbeRequest) -> Result<reqwest::Request, SetupError> {
    let mut headers = HeaderMap::new();
    if probe.call != CallKind::Download {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    }
    if probe.body.is_none() && !matches!(probe.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    for (name, value) in &probe.headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| SetupError::InvalidHeaderName { name: name.clone() })?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| SetupError::InvalidHeaderValue { what: format!("value of the header {name}") })?;
        headers.insert(header, value);
    }
    let route = CallRoute { method: probe.method.clone(), url: probe.url.clone(), headers };
    let mut request = build_request_with_common_headers(&route);
    *request.body_mut() = probe.body.clone().map(Into::into);
    Ok(request)
}
