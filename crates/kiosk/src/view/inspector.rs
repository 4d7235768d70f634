//! What an integrator sees: a visit's time line with its exchanges, and the rules that each field meets or breaks.

use serde::Serialize;
use ts_rs::TS;

/// The inspector, whole.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct InspectorView {
    /// The visits since the program's start that are still remembered, the newest first.
    pub visits: Vec<InspectedVisit>,
    /// The one that was asked for, or the newest.
    pub shown: Option<Timeline>,
    /// Exchanges that were let go for want of room.
    pub dropped: u32,
}

/// A visit in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct InspectedVisit {
    /// Its id.
    pub visit: String,
    /// When it began, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub started_ms: i64,
    /// The code that it ended with; none while it goes on.
    pub ended: Option<String>,
    /// Exchanges recorded.
    pub exchanges: u32,
    /// Rules that were broken.
    pub broken: u32,
}

/// One visit.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Timeline {
    /// The visit.
    pub visit: InspectedVisit,
    /// What happened, in order.
    pub entries: Vec<Entry>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A step of the visit, as in the lines of `copresence visit --json`.
    Step {
        /// In milliseconds since 1970 (UTC).
        #[ts(type = "number")]
        at_ms: i64,
        /// The line's event, as in `invited`.
        event: String,
        /// The line, as JSON on one line.
        line: String,
    },
    /// A request and what came of it.
    Exchange {
        /// The exchange.
        exchange: Box<ExchangeView>,
    },
}

/// A request and what came of it; secrets were masked when it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ExchangeView {
    /// Stays the same while it is remembered.
    pub id: u32,
    /// When it began, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at_ms: i64,
    /// `login`, `generate`, `redeem` or `download`.
    pub call: String,
    /// The request's method.
    pub method: String,
    /// The request's URL, masked.
    pub url: String,
    /// The request's headers, masked.
    pub request_headers: Vec<(String, String)>,
    /// The request's body, masked.
    pub request_body: Option<String>,
    /// The answer's status; none when none came.
    pub status: Option<u16>,
    /// Milliseconds until the answer's head.
    pub wait_ms: Option<f64>,
    /// Milliseconds in all.
    pub duration_ms: f64,
    /// The answer's headers, masked.
    pub response_headers: Vec<(String, String)>,
    /// The answer's body, masked and bounded.
    pub response_body: Option<String>,
    /// Bytes of the body that came.
    #[ts(type = "number")]
    pub body_size: u64,
    /// Why it did not end well on the wire.
    pub error: Option<String>,
    /// The rules of the specification that it meets or breaks.
    pub rules: Vec<RuleView>,
    /// The same request for a shell, with names of variables in place of the secrets.
    pub curl: String,
}

/// A rule, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RuleView {
    /// Where in the exchange: a JSON Pointer into the answer's body, a header's name, or `status`.
    pub at: String,
    /// The requirement's id, as in `copresence validate`.
    pub requirement: String,
    /// `must`, `should` or `may`.
    pub level: String,
    /// The sentence of the specification, or what is assumed where it is silent.
    pub sentence: String,
    /// Whether it was kept.
    pub kept: bool,
    /// What came instead, when it was broken.
    pub came: Option<String>,
}
