//! Arbitrary requests, valid or deliberately invalid, for checks of a backend.
//!
//! The guarantees of [`crate::ApiClient`] hold: one call sends one request, redirects are not followed, and the
//! recorded exchange is redacted. The unredacted [`ProbeResponse`] stays in memory.

use crate::backend::TimeOuts;
use crate::capture::Capture;
use crate::coding;
use crate::error::CallError;
use crate::exchange::{Call, Exchange, NoRecorder, Recorder};
use crate::plan::Route;
use crate::redact::Redactor;
use crate::setup_error::SetupError;
use crate::transport::{Transport, request};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::time::Instant;
use url::Url;

/// A request with all its parts.
#[derive(Clone)]
pub struct Probe {
    /// The kind of endpoint that it is meant for.
    pub call: Call,
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
    pub limit: usize,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("call", &self.call)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// A complete response.
#[derive(Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// All headers as received.
    pub headers: HeaderMap,
    /// The body as received. Content encoding is decoded, except for a download.
    pub body: Bytes,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("body_size", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The result of a probe.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The redacted exchange.
    pub exchange: Exchange,
    /// The response, or else [`CallError::NeverSent`] or [`CallError::ResponseLost`].
    pub reply: Result<Reply, CallError>,
}

/// Sends probes.
pub struct Prober {
    transport: Transport,
    known: RwLock<Redactor>,
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
    pub fn new(time_outs: TimeOuts, needs_tls: bool) -> Result<Self, SetupError> {
        let transport = Transport::new(time_outs, Arc::new(NoRecorder), needs_tls)?;
        Ok(Self { transport, known: RwLock::default() })
    }

    /// Masks a secret in every exchange from now on.
    pub fn learn(&self, secret: &str) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = known.and(secret);
    }

    /// A redactor for all secrets that are known so far.
    pub fn redactor(&self) -> Redactor {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends one request and reads the whole response, with any status.
    ///
    /// # Errors
    /// The probe has an invalid header. Nothing was sent.
    pub async fn send(&self, probe: Probe) -> Result<Probed, SetupError> {
        let request = worded(&probe)?;
        let redactor = self.redactor();
        let slot = Arc::new(Slot::default());
        let capture = Capture::begin(
            probe.call,
            &request,
            probe.token_pointer.clone(),
            redactor.clone(),
            Arc::clone(&slot) as Arc<dyn Recorder>,
        );
        let reply = self.reply(&probe, request, capture, &redactor).await;
        let exchange =
            slot.take().ok_or_else(|| SetupError::Client("an exchange was not captured".to_owned()))?;
        Ok(Probed { exchange, reply })
    }

    /// Sends the request and captures the response.
    async fn reply(
        &self,
        probe: &Probe,
        request: reqwest::Request,
        capture: Capture,
        redactor: &Redactor,
    ) -> Result<Reply, CallError> {
        // A file may take longer than an API response. The timeout without a byte still applies.
        let total = self.transport.time_outs.total;
        let deadline = Instant::now() + if probe.call == Call::Download { total * 20 } else { total };
        let (mut response, mut capture) =
            self.transport.captured_head(request, deadline, redactor, capture).await?;
        let body = self.transport.whole_body(&mut response, deadline, probe.limit, redactor).await;
        let mut keep = |body: &Bytes| {
            if probe.call == Call::Download {
                capture.passed(body.len());
            } else {
                capture.body(body.clone());
            }
        };
        match body {
            Ok(body) => {
                // A file is checked as received. Other bodies are decoded, because redaction does not work on encoded
                // ones.
                let body = match probe.call {
                    Call::Download => body,
                    _ => coding::undo(response.headers(), body).body,
                };
                keep(&body);
                capture.end();
                let status = response.status().as_u16();
                Ok(Reply { status, headers: response.headers().clone(), body })
            }
            Err(evidence) => {
                keep(&evidence.body);
                capture.unanswered(&evidence);
                Err(CallError::Unanswered(evidence))
            }
        }
    }
}

/// Recorder for the single exchange of a probe.
#[derive(Default)]
struct Slot(Mutex<Option<Exchange>>);

impl Slot {
    /// Takes the recorded exchange, if there is one.
    fn take(&self) -> Option<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Recorder for Slot {
    fn record(&self, exchange: Exchange) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(exchange);
    }
}

/// Builds the request of a probe.
fn worded(probe: &Probe) -> Result<reqwest::Request, SetupError> {
    let mut headers = HeaderMap::new();
    if probe.call != Call::Download {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    }
    if probe.body.is_none() && !matches!(probe.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    for (name, value) in &probe.headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| SetupError::NotAHeaderName { name: name.clone() })?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| SetupError::NotAHeaderValue { what: format!("value of the header {name}") })?;
        headers.insert(header, value);
    }
    let route = Route { method: probe.method.clone(), url: probe.url.clone(), headers };
    let mut request = request(&route);
    *request.body_mut() = probe.body.clone().map(Into::into);
    Ok(request)
}
