//! What an integrator sees: the timeline of a visit with its exchanges, and the requirements that they meet or violate.

use serde::Serialize;
use ts_rs::TS;

/// The whole inspector.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct InspectorView {
    /// Remembered visits since the program started, newest first.
    pub visits: Vec<InspectorVisitListEntry>,
    /// The requested visit, or the newest one.
    pub shown: Option<Timeline>,
    /// Exchanges that were dropped to stay within the memory bounds.
    pub dropped: u32,
}

/// A visit in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct InspectorVisitListEntry {
    /// Visit id.
    pub visit: String,
    /// Start, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub started_ms: i64,
    /// Stable code of the ending; none while the visit is in progress.
    pub ended: Option<String>,
    /// Number of recorded exchanges.
    pub exchanges: u32,
    /// Number of violated requirements.
    pub broken: u32,
}

/// The timeline of one visit.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Timeline {
    /// The visit.
    pub visit: InspectorVisitListEntry,
    /// Events and exchanges, in the order in which they began.
    pub entries: Vec<TimelineEntry>,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TimelineEntry {
    /// An event of the visit, as in `copresence visit --json`.
    Step {
        /// In milliseconds since 1970 (UTC).
        #[ts(type = "number")]
        at_ms: i64,
        /// The event's kind, as in `invited`.
        event: String,
        /// The event as JSON on one line.
        line: String,
    },
    /// A request and its response.
    Exchange {
        /// The exchange.
        exchange: Box<ExchangeView>,
    },
}

/// A request and its response. Secrets were masked when it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ExchangeView {
    /// Unique and constant while the exchange is remembered.
    pub id: u32,
    /// Start, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at_ms: i64,
    /// `login`, `generate`, `redeem` or `download`.
    pub call: String,
    /// HTTP method.
    pub method: String,
    /// URL, masked.
    pub url: String,
    /// Request headers, masked.
    pub request_headers: Vec<(String, String)>,
    /// Request body, masked.
    pub request_body: Option<String>,
    /// HTTP status; none if no response came.
    pub status: Option<u16>,
    /// Milliseconds until the response headers were complete.
    pub wait_ms: Option<f64>,
    /// Total duration in milliseconds.
    pub duration_ms: f64,
    /// Response headers, masked.
    pub response_headers: Vec<(String, String)>,
    /// Response body, masked and truncated.
    pub response_body: Option<String>,
    /// Bytes of the body that were received.
    #[ts(type = "number")]
    pub body_size: u64,
    /// Transport error, if there was one.
    pub error: Option<String>,
    /// Requirements of the specification that the exchange meets or violates.
    pub rules: Vec<RequirementVerdictView>,
    /// The request as a `curl` command, with variable names in place of secrets.
    pub curl: String,
}

/// A requirement, and whether an exchange meets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RequirementVerdictView {
    /// Position in the exchange: a JSON Pointer into the response body, a header name, or `status`.
    pub at: String,
    /// Requirement id, as in `copresence validate`.
    pub requirement: String,
    /// `must`, `should` or `may`.
    pub level: String,
    /// Sentence of the specification, or the assumption where it is silent.
    pub sentence: String,
    /// Whether it is met.
    pub kept: bool,
    /// What came instead, if it is violated.
    pub came: Option<String>,
}
