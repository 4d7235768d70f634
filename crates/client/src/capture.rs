//! An exchange while it goes on: recorded once, redacted, also when its caller gives it up.

use crate::exchange::{Call, Ending, Recorder};
use crate::lost::{Cause, Evidence};
use crate::redact::Redactor;
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

/// An exchange with its secrets: never leaves this crate.
pub(crate) struct Raw {
    pub(crate) call: Call,
    pub(crate) started_at: Timestamp,
    pub(crate) head_after: Option<Duration>,
    pub(crate) duration: Duration,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) request_headers: HeaderMap,
    pub(crate) request_body: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) response_headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) body_size: u64,
    pub(crate) ending: Ending,
    pub(crate) error: Option<String>,
    /// Where in a successful answer a new secret stands (JSON Pointer).
    pub(crate) token_pointer: Option<String>,
}

impl Raw {
    /// The secret that the answer brought, if it brought one.
    pub(crate) fn token(&self) -> Option<String> {
        let value: serde_json::Value = serde_json::from_slice(self.body.as_ref()?).ok()?;
        value.pointer(self.token_pointer.as_ref()?)?.as_str().map(str::to_owned)
    }
}

/// Hands the exchange over when dropped, whatever became of it.
pub(crate) struct Capture {
    raw: Raw,
    redactor: Redactor,
    recorder: Arc<dyn Recorder>,
    started: Instant,
}

impl Capture {
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

    /// The status line and headers came.
    pub(crate) fn head(&mut self, response: &reqwest::Response) {
        self.raw.head_after = Some(self.started.elapsed());
        self.raw.status = Some(response.status().as_u16());
        self.raw.response_headers = response.headers().clone();
    }

    /// The body of an API call came, whole or not.
    pub(crate) fn body(&mut self, body: Bytes) {
        self.raw.body_size = body.len() as u64;
        self.raw.body = Some(body);
    }

    /// Bytes of a download came; they are somebody's face and not kept.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.raw.body_size += bytes as u64;
    }

    /// It ended well on the wire.
    pub(crate) fn end(mut self) {
        self.raw.ending = Ending::Whole;
    }

    /// It ended otherwise.
    pub(crate) fn fail(mut self, ending: Ending, words: String) {
        self.raw.ending = ending;
        self.raw.error = Some(words);
    }

    pub(crate) fn never_sent(self, cause: &Cause) {
        self.fail(Ending::NeverSent, format!("never sent: {cause}"));
    }

    pub(crate) fn unanswered(self, evidence: &Evidence) {
        self.fail(Ending::Unanswered, format!("unanswered: {evidence}"));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.raw.duration = self.started.elapsed();
        if self.raw.ending == Ending::GivenUp {
            self.raw.error = Some("given up by the caller before its end".to_owned());
        }
        self.recorder.record(self.redactor.exchange(&self.raw));
    }
}
