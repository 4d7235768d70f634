//! Recorded exchanges with a backend, redacted before they leave this crate.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The kind of endpoint that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// The login of the business account.
    Login,
    /// `POST /generateExportToken`, or the endpoint of a partner.
    Generate,
    /// `GET /redeemExportToken`, or the relay of a partner.
    Redeem,
    /// A download URL. Each redirect is a separate exchange.
    Download,
    /// The logout of the business account.
    Logout,
}

impl CallKind {
    /// The name for logs and reports: `login`, `generate`, `redeem`, `download`, `logout`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Generate => "generate",
            Self::Redeem => "redeem",
            Self::Download => "download",
            Self::Logout => "logout",
        }
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an exchange ended at the HTTP level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeOutcome {
    /// A complete response was received, with any status.
    Complete,
    /// No byte of the request was sent.
    NeverSent,
    /// The request was sent, and no complete response was received.
    ResponseLost,
    /// The response is not valid, for example because of its content encoding.
    InvalidResponse,
    /// The caller dropped the call before it ended. This says nothing about the backend.
    Cancelled,
}

/// One request and its response. It contains no secret, see [`crate::redact`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The endpoint.
    pub call: CallKind,
    /// When the call started, by the clock of this machine.
    pub started_at: Timestamp,
    /// Time from the start to the status line and headers. `None` if they were not received.
    pub time_to_headers: Option<Duration>,
    /// Time from the start to the end of the exchange.
    pub duration: Duration,
    /// The method of the request.
    pub method: String,
    /// The URL of the request. Query values are masked, and a download URL is reduced to its origin.
    pub url: String,
    /// The headers of the request. Secret values are masked.
    pub request_headers: Vec<(String, String)>,
    /// The body of the request. Secret values are masked.
    pub request_body: Option<String>,
    /// The status of the response.
    pub status: Option<u16>,
    /// The headers of the response. Secret values are masked.
    pub response_headers: Vec<(String, String)>,
    /// The body of the response, masked and truncated. A note in brackets replaces omitted parts. Of a
    /// download, only the body of an error response is recorded.
    pub body: Option<String>,
    /// Number of bytes of the response body that were received.
    pub body_size: u64,
    /// How the exchange ended at the HTTP level.
    pub outcome: ExchangeOutcome,
    /// Why the exchange failed at the HTTP level, for an operator.
    pub error: Option<String>,
}

impl Exchange {
    /// The value of a response header. Multiple lines are joined with `, `.
    pub fn response_header(&self, name: &str) -> Option<String> {
        let lines = self.response_headers.iter().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
        let lines: Vec<_> = lines.map(|(_, value)| value.as_str()).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

/// Receives every exchange, in the order in which they end.
///
/// It is called on the task that made the call, so an implementation must not block.
pub trait ExchangeRecorder: Send + Sync {
    /// Receives one exchange that has ended.
    fn record_exchange(&self, exchange: Exchange);

    /// Whether the recorder uses the URL, the headers, the bodies and the error text of exchanges. Without them an
    /// exchange has empty texts, and costs no redaction: a load test records thousands per second.
    ///
    /// # Defaults
    /// `true`.
    fn needs_exchange_contents(&self) -> bool {
        true
    }
}

/// Discards every exchange.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRecorder;

impl ExchangeRecorder for NoRecorder {
    fn record_exchange(&self, _: Exchange) {}

    fn needs_exchange_contents(&self) -> bool {
        false
    }
}
