//! An exchange before redaction.

use crate::exchange::{CallKind, Exchange, ExchangeOutcome};
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use std::time::Duration;
use url::Url;

/// An exchange with its secrets. It never leaves this crate.
pub(crate) struct UnredactedExchange {
    pub(crate) call: CallKind,
    pub(crate) started_at: Timestamp,
    pub(crate) time_to_headers: Option<Duration>,
    pub(crate) duration: Duration,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) request_headers: HeaderMap,
    pub(crate) request_body: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) response_headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) body_size: u64,
    pub(crate) outcome: ExchangeOutcome,
    pub(crate) error: Option<String>,
    /// JSON Pointer to a secret in a successful response.
    pub(crate) token_pointer: Option<String>,
}

impl UnredactedExchange {
    /// The secret at `token_pointer` in the response body, if there is one.
    pub(crate) fn find_secret_at_token_pointer(&self) -> Option<String> {
        let value: serde_json::Value = serde_json::from_slice(self.body.as_ref()?).ok()?;
        value.pointer(self.token_pointer.as_ref()?)?.as_str().map(str::to_owned)
    }

    /// The exchange without its texts, which could contain secrets: only what was called, when, and how it ended.
    pub(crate) fn to_exchange_without_contents(&self) -> Exchange {
        Exchange {
            call: self.call,
            started_at: self.started_at,
            time_to_headers: self.time_to_headers,
            duration: self.duration,
            method: String::new(),
            url: String::new(),
            request_headers: Vec::new(),
            request_body: None,
            status: self.status,
            response_headers: Vec::new(),
            body: None,
            body_size: self.body_size,
            outcome: self.outcome,
            error: None,
        }
    }
}
