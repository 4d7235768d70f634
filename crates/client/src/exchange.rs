//! What is kept of an exchange with a backend, for evidence: redacted before anybody gets it.

use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// Which endpoint was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// The business account's login.
    Login,
    /// `POST /generateExportToken`, or the partner's own.
    Generate,
    /// `GET /redeemExportToken`, or the partner's relay.
    Redeem,
    /// One download URL (each redirect on the way is an exchange of its own).
    Download,
}

impl Call {
    /// A word for logs and reports: `login`, `generate`, `redeem`, `download`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Generate => "generate",
            Self::Redeem => "redeem",
            Self::Download => "download",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an exchange ended on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A whole answer came, whatever its status.
    Whole,
    /// No byte of the request left.
    NeverSent,
    /// The request left, and no whole answer came.
    Unanswered,
    /// An answer came that breaks the rules of HTTP.
    Broken,
    /// The caller did not wait for its end: that tells nothing of the backend.
    GivenUp,
}

/// One request and what came of it. It holds no secret: see [`crate::redact`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The endpoint.
    pub call: Call,
    /// When the call began, by this machine's clock.
    pub started_at: Timestamp,
    /// From there to the status line and headers; `None` when none came.
    pub head_after: Option<Duration>,
    /// From there to the end, good or bad.
    pub duration: Duration,
    /// The request's method.
    pub method: String,
    /// The request's URL: values of its query masked, and for a download the origin only.
    pub url: String,
    /// The request's headers, values masked where they are secrets.
    pub request_headers: Vec<(String, String)>,
    /// The request's body, values masked where they are secrets.
    pub request_body: Option<String>,
    /// The answer's status.
    pub status: Option<u16>,
    /// The answer's headers, values masked where they are secrets.
    pub response_headers: Vec<(String, String)>,
    /// The answer's body: masked and bounded; a word in brackets where it was left out. Never a download's.
    pub body: Option<String>,
    /// How many bytes of the body came.
    pub body_size: u64,
    /// How it ended on the wire.
    pub ending: Ending,
    /// Why the exchange did not end well on the wire, in words.
    pub error: Option<String>,
}

impl Exchange {
    /// A header of the answer, all its lines in one.
    pub fn header(&self, name: &str) -> Option<String> {
        let lines = self.response_headers.iter().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
        let lines: Vec<_> = lines.map(|(_, value)| value.as_str()).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

/// Takes every exchange, in the order in which they end.
///
/// Called on the task that made the call: hand the exchange on, do not work on it.
pub trait Recorder: Send + Sync {
    /// Takes one exchange.
    fn record(&self, exchange: Exchange);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRecorder;

impl Recorder for NoRecorder {
    fn record(&self, _: Exchange) {}
}
