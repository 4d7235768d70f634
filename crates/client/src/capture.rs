//! Captures an exchange while it is in progress, and records it once, redacted.

use crate::exchange::{Call, Ending, Recorder};
use crate::lost::{Cause, Evidence};
use crate::raw_exchange::Raw;
use crate::redact::Redactor;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An exchange in progress. It is recorded on drop, so also if the caller drops the call.
pub(crate) struct Capture {
    raw: Raw,
    redactor: Redactor,
    recorder: Arc<dyn Recorder>,
    started: Instant,
}

impl Capture {
    /// Starts a capture of a request. `token_pointer` is a JSON Pointer to a secret in a successful response.
    pub(crate) fn begin(
        call: Call,
        request: &reqwest::Request,
        token_pointer: Option<String>,
        redactor: Redactor,
        recorder: Arc<dyn Recorder>,
    ) -> Self {
        let body = request.body().and_then(reqwest::Body::as_bytes);
        let raw = Raw {
            call,
            started_at: Timestamp::now(),
            head_after: None,
            duration: Duration::ZERO,
            method: request.method().clone(),
            url: request.url().clone(),
            request_headers: request.headers().clone(),
            request_body: body.map(|body| String::from_utf8_lossy(body).into_owned()),
            status: None,
            response_headers: HeaderMap::new(),
            body: None,
            body_size: 0,
            ending: Ending::GivenUp,
            error: None,
            token_pointer,
        };
        Self { raw, redactor, recorder, started: Instant::now() }
    }

    /// Captures the status line and headers.
    pub(crate) fn head(&mut self, response: &reqwest::Response) {
        self.raw.head_after = Some(self.started.elapsed());
        self.raw.status = Some(response.status().as_u16());
        self.raw.response_headers = response.headers().clone();
    }

    /// Captures the body of an API call, complete or not.
    pub(crate) fn body(&mut self, body: Bytes) {
        self.raw.body_size = body.len() as u64;
        self.raw.body = Some(body);
    }

    /// Counts bytes of a download. The bytes are personal data, so they are not captured.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.raw.body_size += bytes as u64;
    }

    /// Ends the exchange with a complete response.
    pub(crate) fn end(mut self) {
        self.raw.ending = Ending::Whole;
    }

    /// Ends the exchange with an error.
    pub(crate) fn fail(mut self, ending: Ending, words: String) {
        self.raw.ending = ending;
        self.raw.error = Some(words);
    }

    /// Ends the exchange without a sent request.
    pub(crate) fn never_sent(self, cause: &Cause) {
        self.fail(Ending::NeverSent, format!("never sent: {cause}"));
    }

    /// Ends the exchange without a complete response.
    pub(crate) fn unanswered(self, evidence: &Evidence) {
        self.fail(Ending::Unanswered, format!("response lost: {evidence}"));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.raw.duration = self.started.elapsed();
        if self.raw.ending == Ending::GivenUp {
            self.raw.error = Some("cancelled by the caller".to_owned());
        }
        self.recorder.record(self.redactor.exchange(&self.raw));
    }
}
