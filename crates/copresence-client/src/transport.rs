//! Sends one request and receives one response. Implements the HTTP rules of every call.

use crate::backend::Timeouts;
use crate::capture::ExchangeCapture;
use crate::content_encoding::{self, DecodeError, DecodedBody};
use crate::deadline::await_until_extendable_deadline;
use crate::download_target::{
    BackendScopeRecordingResolver, DownloadHostResolver, DownloadTargetRules, TargetRefusalReason,
};
use crate::error::{CallError, InvalidResponse};
use crate::exchange::{CallKind, ExchangeOutcome, ExchangeRecorder};
use crate::json_object_end::JsonObjectEndFinder;
use crate::limits::{MAX_BODY, MAX_REDEEM_BODY, MAX_STRING_OF_LARGE_BODY};
use crate::proxy::{find_proxy_for_url, is_loopback_url};
use crate::redact::Redactor;
use crate::request_plan::CallRoute;
use crate::response::ApiResponse;
use crate::response_head::{parse_retry_after, redirect_target};
use crate::setup_error::SetupError;
use crate::tls_roots;
use crate::transport_error::{
    ConnectErrorKind, LostResponse, RequestNotSentError, ResponseLossKind, describe_error_chain, find_error_in_chain,
};
use bytes::{Bytes, BytesMut};
use copresence_protocol::empty_long_json_strings;
use http::{HeaderValue, Method, header};
use serde::de::IgnoredAny;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use url::Url;

/// The HTTP clients of a backend. Cheap to clone.
#[derive(Clone)]
pub(crate) struct HttpTransport {
    /// Client that uses the proxy of the system, if there is one.
    proxied_client: reqwest::Client,
    /// Client for loopback addresses. It uses no proxy, because a proxy would connect to its own machine.
    loopback_client: reqwest::Client,
    /// Client for downloads that use no proxy. It connects only to addresses that the rules allow.
    download_client: Option<(reqwest::Client, Arc<DownloadTargetRules>)>,
    pub(crate) timeouts: Timeouts,
    recorder: Arc<dyn ExchangeRecorder>,
    /// Answers in place of the clients above.
    #[cfg(feature = "simulation")]
    pub(crate) simulated_network: Option<Arc<dyn crate::simulation::SimulatedNetwork>>,
}

/// Maximum time for the headers of the response to a redeem after the connection, as a multiple of [`Timeouts::total`]: a
/// minute, by default, after which most gateways end a request themselves.
const MAX_REDEEM_HEADERS_TOTALS: u32 = 2;
/// Maximum time for the body of a redeem, as a multiple of [`Timeouts::total`].
const MAX_REDEEM_BODY_TOTALS: u32 = 10;
/// Maximum number of headers of a response. hyper's own limit of 100 would lose the response to a redeem; the size of all
/// headers is limited too.
const MAX_RESPONSE_HEADERS: usize = 1_000;

/// How long a response is awaited.
pub(crate) struct ResponseTimeLimits {
    /// Until its headers.
    pub(crate) headers: Instant,
    /// Maximum time without a byte of its body.
    pub(crate) silence: Duration,
    /// Until its end.
    pub(crate) whole: Instant,
    /// Maximum time between a body that is a complete JSON object and its end; `None` waits for the end.
    pub(crate) after_complete_json: Option<Duration>,
}

/// Maximum time between a body that is a complete JSON object and the end of the response: a server or proxy may keep the
/// connection open, or state a length that is too large, while the URLs in the body expire.
const MAX_WAIT_AFTER_COMPLETE_JSON: Duration = Duration::from_secs(1);

/// The request of one API call, with what redacts it.
pub(crate) struct ApiRequest {
    pub(crate) call: CallKind,
    pub(crate) route: CallRoute,
    pub(crate) body: Option<String>,
    /// JSON Pointer to a secret in a successful response.
    pub(crate) token_pointer: Option<String>,
    /// Redacts the secrets of this call.
    pub(crate) redactor: Redactor,
}

/// Why no response headers were received.
pub(crate) enum NoResponseReason {
    NeverSent(RequestNotSentError),
    /// The URL of a download is not allowed. It was not requested.
    TargetRefused(TargetRefusalReason),
    ResponseLost(LostResponse),
}

impl NoResponseReason {
    /// The recorded outcome of the exchange.
    pub(crate) fn to_exchange_outcome(&self) -> ExchangeOutcome {
        match self {
            Self::NeverSent(_) | Self::TargetRefused(_) => ExchangeOutcome::NeverSent,
            Self::ResponseLost(_) => ExchangeOutcome::ResponseLost,
        }
    }
}

impl HttpTransport {
    /// Creates the HTTP clients. `needs_tls`: whether missing root certificates are an error. Without `rules`, a
    /// download may lead anywhere.
    pub(crate) fn new(
        time_outs: Timeouts,
        recorder: Arc<dyn ExchangeRecorder>,
        needs_tls: bool,
        rules: Option<DownloadTargetRules>,
    ) -> Result<Self, SetupError> {
        let tls = match tls_roots::shared_tls_config() {
            Err(why) if !needs_tls => {
                // Only http is used, so root certificates are not needed.
                tracing::warn!(reason = %why, "no trusted root certificates; https will not work");
                tls_roots::tls_config_without_roots()
            }
            tls => tls,
        };
        let tls = tls.map_err(SetupError::NoRootCertificates)?;
        let inward = build_client_without_retries(&time_outs, &tls, reqwest::ClientBuilder::no_proxy)?;
        let rules = rules.map(Arc::new);
        let outward = build_client_without_retries(&time_outs, &tls, |builder| match &rules {
            Some(rules) => builder.dns_resolver(BackendScopeRecordingResolver(Arc::clone(rules))),
            None => builder,
        })?;
        let download = rules.map(|rules| {
            let resolver = DownloadHostResolver(Arc::clone(&rules));
            let client =
                build_client_without_retries(&time_outs, &tls, |builder| builder.no_proxy().dns_resolver(resolver))?;
            Ok::<_, SetupError>((client, rules))
        });
        Ok(Self {
            proxied_client: outward,
            loopback_client: inward,
            download_client: download.transpose()?,
            timeouts: time_outs,
            recorder,
            #[cfg(feature = "simulation")]
            simulated_network: None,
        })
    }

    /// Whether the profile allows that a download leads from https to http.
    pub(crate) fn allows_https_to_http_downloads(&self) -> bool {
        self.download_client.as_ref().is_some_and(|(_, rules)| rules.allows_http())
    }

    /// The same HTTP clients with another recorder.
    pub(crate) fn with_recorder(&self, recorder: Arc<dyn ExchangeRecorder>) -> Self {
        Self { recorder, ..self.clone() }
    }

    /// Sends one request and reads the whole response, with any status.
    pub(crate) async fn send_call(&self, outgoing: ApiRequest) -> Result<ApiResponse, CallError> {
        let ApiRequest { call, route, body, token_pointer, redactor } = outgoing;
        let mut request = build_request_with_common_headers(&route);
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
        let capture = ExchangeCapture::start_exchange_capture(
            call,
            &request,
            token_pointer,
            redactor.clone(),
            Arc::clone(&self.recorder),
        );
        let limits = self.response_time_limits(call);
        let (mut response, mut capture) =
            self.send_and_capture_response_headers(request, limits.headers, &redactor, capture).await?;
        let status = response.status().as_u16();
        let limit = if call == CallKind::Redeem { MAX_REDEEM_BODY } else { MAX_BODY };
        let unpacked = match self.read_response_body(&mut response, &limits, limit, &redactor).await {
            Ok(body) => shorten_large_body(content_encoding::decode_body(response.headers(), body, limit)),
            Err(mut evidence) => {
                self.record_failed_request(response.url(), response.remote_addr());
                // Decodes as much of the received part as possible.
                let decoded = content_encoding::decode_body(response.headers(), evidence.body, limit);
                evidence.body = shorten_large_body(decoded).body;
                capture.capture_received_body(evidence.body.clone());
                capture.finish_response_lost(&evidence);
                return Err(CallError::ResponseLost(evidence));
            }
        };
        let DecodedBody { body, error: fault } = unpacked;
        capture.capture_received_body(body.clone());
        tracing::debug!(%call, status, bytes = body.len(), "response received");
        match fault {
            None => capture.finish_with_complete_response(),
            Some(DecodeError::InvalidEncoding(mismatch)) => {
                capture.finish_with_error(ExchangeOutcome::InvalidResponse, mismatch.to_string());
                return Err(CallError::InvalidResponse(InvalidResponse { status, violation: mismatch, body }));
            }
            Some(DecodeError::TooLarge) => {
                let evidence = lost_response_too_large(Some(status), body, MAX_BODY);
                capture.finish_response_lost(&evidence);
                return Err(CallError::ResponseLost(evidence));
            }
        }
        Ok(ApiResponse {
            status,
            body,
            retry_after: parse_retry_after(response.headers(), SystemTime::now()),
            redirect_host: redirect_target(&response).and_then(|url| url.host_str().map(str::to_owned)),
            content_type: response
                .headers()
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok().map(str::to_owned)),
            request_host: response.url().host_str().map(str::to_owned),
            redactor,
        })
    }

    /// The time limits of the response to a call that is sent now.
    ///
    /// The response to a redeem may be the only one with URLs, so it gets more time than that of other calls: two
    /// times `total` for its headers after the connection, and `total` for each further part of its body.
    fn response_time_limits(&self, call: CallKind) -> ResponseTimeLimits {
        let Timeouts { connect, total, .. } = self.timeouts;
        let after_complete_json = Some(MAX_WAIT_AFTER_COMPLETE_JSON);
        if call != CallKind::Redeem {
            return ResponseTimeLimits { after_complete_json, ..self.response_time_limits_within(total) };
        }
        let headers = Instant::now() + connect + MAX_REDEEM_HEADERS_TOTALS * total;
        ResponseTimeLimits {
            headers,
            silence: total,
            whole: headers + MAX_REDEEM_BODY_TOTALS * total,
            after_complete_json,
        }
    }

    /// The time limits of a response to a request that is sent now and may take `total` from start to end.
    pub(crate) fn response_time_limits_within(&self, total: Duration) -> ResponseTimeLimits {
        let Timeouts { connect, read, .. } = self.timeouts;
        let now = Instant::now();
        let whole = now + total;
        // The limit for the headers is later than the one of the connector, so that a connect timeout is always
        // distinguished from a missing response.
        ResponseTimeLimits { headers: whole.min(now + connect + read), silence: read, whole, after_complete_json: None }
    }

    /// Sends one request, waits for the response headers until `until`, and captures them.
    pub(crate) async fn send_and_capture_response_headers(
        &self,
        request: reqwest::Request,
        until: Instant,
        redactor: &Redactor,
        mut capture: ExchangeCapture,
    ) -> Result<(reqwest::Response, ExchangeCapture), CallError> {
        match self
            .send_and_await_headers(self.select_http_client_for_api_url(request.url()), request, until, redactor)
            .await
        {
            Ok(response) => {
                capture.capture_response_headers(&response);
                Ok((response, capture))
            }
            Err(NoResponseReason::TargetRefused(refused)) => {
                let cause = RequestNotSentError { kind: ConnectErrorKind::Other, detail: refused.to_string() };
                capture.finish_as_never_sent(&cause);
                Err(CallError::NeverSent(cause))
            }
            Err(NoResponseReason::NeverSent(cause)) => {
                capture.finish_as_never_sent(&cause);
                Err(CallError::NeverSent(cause))
            }
            Err(NoResponseReason::ResponseLost(evidence)) => {
                capture.finish_response_lost(&evidence);
                Err(CallError::ResponseLost(evidence))
            }
        }
    }

    /// Starts the capture of a download.
    pub(crate) fn start_download_capture(&self, request: &reqwest::Request, redactor: &Redactor) -> ExchangeCapture {
        ExchangeCapture::start_exchange_capture(
            CallKind::Download,
            request,
            None,
            redactor.clone(),
            Arc::clone(&self.recorder),
        )
    }

    /// Sends the request of a download, if its URL is allowed, and waits for the response headers until `until`.
    pub(crate) async fn send_download_and_await_headers(
        &self,
        request: reqwest::Request,
        until: Instant,
        redactor: &Redactor,
    ) -> Result<reqwest::Response, NoResponseReason> {
        let url = request.url();
        let mut client = self.select_http_client_for_api_url(url);
        if let Some((download_client, rules)) = &self.download_client {
            rules.check_scheme_and_literal_host(url).await.map_err(NoResponseReason::TargetRefused)?;
            if !is_loopback_url(url) && find_proxy_for_url(url).is_none() {
                client = download_client;
            }
        }
        self.send_and_await_headers(client, request, until, redactor).await
    }

    /// The HTTP client for an API call to this URL: without a proxy for a loopback address.
    fn select_http_client_for_api_url(&self, url: &Url) -> &reqwest::Client {
        if is_loopback_url(url) { &self.loopback_client } else { &self.proxied_client }
    }

    /// Sends one request and waits for the response headers until `until`, which is later than the connect timeout.
    async fn send_and_await_headers(
        &self,
        client: &reqwest::Client,
        request: reqwest::Request,
        mut until: Instant,
        redactor: &Redactor,
    ) -> Result<reqwest::Response, NoResponseReason> {
        let url = request.url().clone();
        let executed =
            await_until_extendable_deadline(&mut until, self.execute_request(client, request, redactor)).await;
        let result = executed
            .unwrap_or_else(|_| Err(NoResponseReason::ResponseLost(lost_response_timed_out(None, Bytes::new()))));
        match &result {
            Ok(response) if response.status().is_server_error() => {
                self.record_failed_request(&url, response.remote_addr());
            }
            Ok(_) | Err(NoResponseReason::TargetRefused(_)) => {}
            Err(NoResponseReason::NeverSent(_) | NoResponseReason::ResponseLost(_)) => {
                self.record_failed_request(&url, None);
            }
        }
        result
    }

    /// Records that a request to this URL failed, so that the next one goes to another address of its host. `connected` is the
    /// address of the server, if it answered.
    pub(crate) fn record_failed_request(&self, url: &Url, connected: Option<SocketAddr>) {
        if let Some((_, rules)) = &self.download_client {
            rules.record_failed_request(url, connected);
        }
    }

    /// Executes one request: sends it and waits for the response headers. Has no time limit of its own.
    async fn execute_request(
        &self,
        client: &reqwest::Client,
        request: reqwest::Request,
        redactor: &Redactor,
    ) -> Result<reqwest::Response, NoResponseReason> {
        #[cfg(feature = "simulation")]
        if let Some(network) = &self.simulated_network {
            return crate::simulation::execute_request(&**network, request).await.map_err(convert_simulated_failure);
        }
        client.execute(request).await.map_err(|error| {
            if let Some(refused) = find_error_in_chain::<TargetRefusalReason>(&error) {
                return NoResponseReason::TargetRefused(refused.clone());
            }
            // The connector failed (name resolution, TCP, proxy tunnel, TLS), or the request could not be built, so
            // no byte was sent. Every other error may have occurred after the first byte.
            if error.is_connect() || error.is_builder() {
                NoResponseReason::NeverSent(RequestNotSentError::connect_error_from_reqwest(&error, redactor))
            } else {
                NoResponseReason::ResponseLost(lost_response_from_error(&error, None, Bytes::new(), redactor))
            }
        })
    }

    /// Reads a body of at most `limit` bytes. Longer bodies are an error.
    pub(crate) async fn read_response_body(
        &self,
        response: &mut reqwest::Response,
        limits: &ResponseTimeLimits,
        limit: usize,
        redactor: &Redactor,
    ) -> Result<Bytes, LostResponse> {
        let status = Some(response.status().as_u16());
        let mut body = BytesMut::new();
        let mut whole = limits.whole;
        let mut complete_until = None;
        let mut object_end = JsonObjectEndFinder::default();
        // Parsed once, after the end of the object: only white space may follow.
        let mut is_valid_json = None;
        loop {
            let silent_until = whole.min(Instant::now() + limits.silence);
            let mut until = complete_until.map_or(silent_until, |until: Instant| until.min(silent_until));
            let received = await_until_extendable_deadline(&mut until, response.chunk()).await;
            whole = whole.max(until);
            match received {
                Ok(Ok(Some(chunk))) => {
                    let room = limit - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        return Err(lost_response_too_large(status, body.freeze(), limit));
                    }
                    object_end.read_chunk(&chunk);
                    // A large body is not looked at.
                    let is_complete = object_end.has_ended()
                        && body.len() <= MAX_BODY
                        && *is_valid_json.get_or_insert_with(|| serde_json::from_slice::<IgnoredAny>(&body).is_ok());
                    let is_complete = limits.after_complete_json.filter(|_| is_complete);
                    complete_until = is_complete.map(|wait| complete_until.unwrap_or_else(|| Instant::now() + wait));
                }
                Err(_) if complete_until.is_some() => return Ok(body.freeze()),
                Ok(Ok(None)) if is_unframed_truncated_json(response, &body) => {
                    let words = "the connection ended before the end of the JSON body".to_owned();
                    return Err(LostResponse {
                        loss: ResponseLossKind::ConnectionLost,
                        status,
                        body: body.freeze(),
                        detail: words,
                    });
                }
                Ok(Ok(None)) => return Ok(body.freeze()),
                Ok(Err(error)) => {
                    return Err(lost_response_from_error(&error, status, body.freeze(), redactor));
                }
                Err(_) => return Err(lost_response_timed_out(status, body.freeze())),
            }
        }
    }
}

/// Empties the long strings of a body that is longer than [`MAX_BODY`]. If it is still longer, it is cut there.
fn shorten_large_body(decoded: DecodedBody) -> DecodedBody {
    if decoded.body.len() <= MAX_BODY {
        return decoded;
    }
    let mut body = empty_long_json_strings(&decoded.body, MAX_STRING_OF_LARGE_BODY);
    let is_too_large = body.len() > MAX_BODY;
    body.truncate(MAX_BODY);
    let error = if is_too_large { Some(DecodeError::TooLarge) } else { decoded.error };
    DecodedBody { body: body.into(), error }
}

/// Builds a request with the headers that every request has.
pub(crate) fn build_request_with_common_headers(route: &CallRoute) -> reqwest::Request {
    let mut request = reqwest::Request::new(route.method.clone(), route.url.clone());
    *request.headers_mut() = route.headers.clone();
    let agent = concat!("copresence-kiosk/", env!("CARGO_PKG_VERSION"));
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(agent));
    // Bodies are counted, saved and hashed as received, so they must not be encoded.
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    // A cache that takes no notice of the token would answer with the avatar of another visitor.
    request.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    request
}

/// Converts the failure of a simulated request to the error that the same failure has on a real network.
#[cfg(feature = "simulation")]
fn convert_simulated_failure(failure: crate::simulation::SimulatedFailure) -> NoResponseReason {
    let detail = "simulated network".to_owned();
    match failure {
        crate::simulation::SimulatedFailure::NeverSent(kind) => {
            NoResponseReason::NeverSent(RequestNotSentError { kind, detail })
        }
        crate::simulation::SimulatedFailure::ConnectionLost => {
            let loss = ResponseLossKind::ConnectionLost;
            NoResponseReason::ResponseLost(LostResponse { loss, status: None, body: Bytes::new(), detail })
        }
    }
}

/// The lost response after a network error.
pub(crate) fn lost_response_from_error(
    error: &reqwest::Error,
    status: Option<u16>,
    body: Bytes,
    redactor: &Redactor,
) -> LostResponse {
    let loss = if error.is_timeout() { ResponseLossKind::TimedOut } else { ResponseLossKind::ConnectionLost };
    LostResponse { loss, status, body, detail: redactor.redact_secrets_and_urls(&describe_error_chain(error)) }
}

/// Whether a body without a stated length is truncated.
///
/// Such a body ends with the connection, which looks the same as a lost connection, so the JSON is checked.
fn is_unframed_truncated_json(response: &reqwest::Response, body: &[u8]) -> bool {
    let headers = response.headers();
    let framed = headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
    !framed
        && !body.trim_ascii().is_empty()
        && serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof())
}

/// The lost response after a body of more than `limit` bytes.
fn lost_response_too_large(status: Option<u16>, body: Bytes, limit: usize) -> LostResponse {
    let words = format!("the body is longer than {limit} bytes and was not read further");
    LostResponse { loss: ResponseLossKind::BodyTooLarge, status, body, detail: words }
}

/// The lost response after a timeout.
fn lost_response_timed_out(status: Option<u16>, body: Bytes) -> LostResponse {
    let words = "the backend sent nothing more before the timeout".to_owned();
    LostResponse { loss: ResponseLossKind::TimedOut, status, body, detail: words }
}

/// Creates an HTTP client. `proxies` configures its use of proxies.
fn build_client_without_retries(
    time_outs: &Timeouts,
    tls: &rustls::ClientConfig,
    proxies: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, SetupError> {
    let client = proxies(reqwest::Client::builder())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        // hyper retries a request if a reused connection is closed, and HTTP/2 retries one that the server refused.
        // Both would break "one call sends one request", so connections are not reused and HTTP/2 is off.
        .pool_max_idle_per_host(0)
        .http1_only()
        // Browsers and curl accept these too, and the response to a redeem comes only once.
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_RESPONSE_HEADERS)
        .connect_timeout(time_outs.connect)
        // The system would end a connection on which nothing arrives for 30 seconds, although the response to a redeem
        // may still come: Linux retransmits it for 15 minutes. The time limits of calls are our own.
        .tcp_keepalive(None)
        .tls_backend_preconfigured(tls.clone());
    // The second option with that effect; only Linux has it.
    #[cfg(target_os = "linux")]
    let client = client.tcp_user_timeout(None);
    client.build().map_err(|error| SetupError::HttpClient(describe_error_chain(&error)))
}
