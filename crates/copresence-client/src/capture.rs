//! Captures an exchange while it is in progress, and records it once, redacted.

use crate::exchange::{CallKind, ExchangeOutcome, ExchangeRecorder};
use crate::raw_exchange::UnredactedExchange;
use crate::redact::Redactor;
use crate::transport_error::{LostResponse, RequestNotSentError};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An exchange in progress. It is recorded on drop, so also if the caller drops the call.
pub(crate) struct ExchangeCapture {
    raw: UnredactedExchange,
    redactor: Redactor,
    recorder: Arc<dyn ExchangeRecorder>,
    started: Instant,
}

impl ExchangeCapture {
    /// Starts a capture of a request. `token_pointer` is a JSON Pointer to a secret in a successful response.
    pub(crate) fn start_exchange_capture(
        call: CallKind,
        request: &reqwest::Request,
        token_pointer: Option<String>,
        redactor: Redactor,
        recorder: Arc<dyn ExchangeRecorder>,
    ) -> Self {
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let raw = UnredactedExchange {
            call,
            started_at: Timestamp::now(),
            time_to_headers: None,
            duration: Duration::ZERO,
            method: request.method().clone(),
            url: request.url().clone(),
            request_headers: request.headers().clone(),
            request_body: body.map(|body| String::from_utf8_lossy(body).into_owned()),
            status: None,
            response_headers: HeaderMap::new(),
            body: None,
            body_size: 0,
            outcome: ExchangeOutcome::Cancelled,
            error: None,
            token_pointer,
        };
        Self { raw, redactor, recorder, started: Instant::now() }
    }

    /// Captures the status line and headers.
    pub(crate) fn capture_response_headers(&mut self, response: &reqwest::Response) {
        self.raw.time_to_headers = Some(self.started.elapsed());
        self.raw.status = Some(response.status().as_u16());
        self.raw.response_headers = response.headers().clone();
    }

    /// Captures the body that was received of an API call, complete or not.
    pub(crate) fn capture_received_body(&mut self, body: Bytes) {
        self.raw.body_size = body.len() as u64;
        self.raw.body = Some(body);
    }

    /// Counts bytes of a download. The bytes are personal data, so they are not captured.
    pub(crate) fn count_download_bytes(&mut self, bytes: usize) {
        self.raw.body_size += bytes as u64;
    }

    /// Ends the exchange with a complete response.
    pub(crate) fn finish_with_complete_response(mut self) {
        self.raw.outcome = ExchangeOutcome::Complete;
    }

    /// Ends the exchange with an error.
    pub(crate) fn finish_with_error(mut self, ending: ExchangeOutcome, words: String) {
        self.raw.outcome = ending;
        self.raw.error = Some(words);
    }

    /// Ends the exchange without a sent request.
    pub(crate) fn finish_as_never_sent(self, cause: &RequestNotSentError) {
        self.finish_with_error(ExchangeOutcome::NeverSent, format!("never sent: {cause}"));
    }

    /// Ends the exchange without a complete response.
    pub(crate) fn finish_response_lost(self, evidence: &LostResponse) {
        self.finish_with_error(ExchangeOutcome::ResponseLost, format!("response lost: {evidence}"));
    }
}

impl Drop for ExchangeCapture {
    fn drop(&mut self) {
        self.raw.duration = self.started.elapsed();
        if self.raw.outcome == ExchangeOutcome::Cancelled {
            self.raw.error = Some("cancelled by the caller".to_owned());
        }
        let exchange = if self.recorder.needs_exchange_contents() {
            self.redactor.redact_exchange(&self.raw)
        } else {
            self.raw.to_exchange_without_contents()
        };
        self.recorder.record_exchange(exchange);
    }
}
