//! Judges one recorded exchange: which requirements its fields fulfil or violate. For the inspector.
//!
//! Judges by the same functions as the checks ([`crate::response_fields`]), with sentences from the table of
//! requirements. Requirements that need several exchanges (a token works only once, say) are not judged here.
//! Recorded exchanges are masked; a masked value counts as right.

use crate::points::{self, Point, STATUS};
use crate::requirement::{Requirement, requirements};
use crate::target::{Ground, is_this_machine};
use client::redact::{MASK, MASKED_NUMBER, is_bounded};
use client::{Backend, Call, Ending, Exchange};
use serde_json::{Map, Value};
use url::Url;

/// A requirement, and whether one field of an exchange fulfils it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its row in the table.
    pub requirement: &'static Requirement,
    /// A JSON Pointer into the response body, the name of a header, or `status`.
    pub at: String,
    /// Whether the requirement is fulfilled.
    pub kept: bool,
    /// What was received instead; `None` if the requirement is fulfilled.
    pub came: Option<String>,
}

impl Rule {
    /// Level of the requirement in lower case, as in `must`.
    pub fn level(&self) -> &'static str {
        self.requirement.level.word()
    }
}

/// The checks that a single exchange can decide, and the id of the requirement that each then refers to.
const RULES: [(&str, &str); 29] = [
    ("time.answered", "PACE-1"),
    ("http.no-5xx", "RED-9"),
    ("http.tls", "SAFE-1"),
    ("http.hsts", "SAFE-1"),
    ("http.no-store", "SAFE-2"),
    ("http.cors", "SAFE-4"),
    ("errors.no-inside", "SAFE-6"),
    ("errors.form", "SAFE-7"),
    ("login.gives-session", "AUTH-1"),
    ("generate.succeeds", "GEN-1"),
    ("generate.token-string", "GEN-3"),
    ("generate.json", "GEN-8"),
    ("redeem.active-200", "RED-7"),
    ("redeem.unknown-400", "RED-8"),
    ("redeem.json", "RED-24"),
    ("redeem.flag", "RED-5"),
    ("redeem.either-or", "RED-13"),
    ("fresh.progress", "RED-18"),
    ("fresh.queue", "RED-21"),
    ("progress.status", "RED-19"),
    ("progress.percent", "RED-17"),
    ("progress.queue", "RED-20"),
    ("progress.not-queued", "RED-21"),
    ("delivery.flag", "RED-12"),
    ("delivery.urls", "RED-14"),
    ("delivery.types", "RED-15"),
    ("delivery.extension", "RED-16"),
    ("files.download", "EX-4"),
    ("files.no-store", "SAFE-3"),
];

/// Judges an exchange with this backend. The result is empty where one exchange decides nothing: for a refusal that
/// may be right, and for a request that was cancelled or never sent.
pub fn rules(exchange: &Exchange, backend: &Backend) -> Vec<Rule> {
    let mut collector = Sheet::default();
    if matches!(exchange.ending, Ending::NeverSent | Ending::GivenUp) {
        return collector.0;
    }
    let whole = exchange.ending == Ending::Whole;
    let received = exchange.error.clone().unwrap_or_else(|| "no response".to_owned());
    collector.add("time.answered", Point::new(STATUS, whole, "a response", received));
    let Some(status) = exchange.status else { return collector.0 };
    let failed = Point::new(STATUS, status < 500, "a status below 500", format!("status {status}"));
    collector.add("http.no-5xx", failed);
    if !whole || status >= 500 {
        return collector.0;
    }
    let response = Answer::new(exchange, status, backend);
    match exchange.call {
        Call::Download => response.download(&mut collector),
        Call::Login => response.login(&mut collector),
        Call::Generate => response.generate(&mut collector),
        Call::Redeem => response.redeem(&mut collector),
    }
    if exchange.call != Call::Download {
        response.manners(&mut collector);
    }
    collector.0
}

/// Collects the judged requirements of an exchange.
#[derive(Default)]
struct Sheet(Vec<Rule>);

impl Sheet {
    fn add(&mut self, check: &str, point: Point) {
        let row = RULES.iter().find(|(known, _)| *known == check);
        let requirement = row.and_then(|(_, id)| requirements().iter().find(|row| row.id == *id));
        // Always found: a test compares both tables.
        let Some(requirement) = requirement else { return };
        let received = (!point.good).then_some(point.came);
        self.0.push(Rule { requirement, at: point.at, kept: point.good, came: received });
    }
}

/// A complete response with a status below 500.
struct Answer<'a> {
    exchange: &'a Exchange,
    status: u16,
    ground: Ground,
    /// The body with a harmless value in place of each mask; `None` if it is not JSON.
    body: Option<Value>,
    /// Whether the whole body was recorded.
    known: bool,
}

impl<'a> Answer<'a> {
    fn new(exchange: &'a Exchange, status: u16, backend: &Backend) -> Self {
        let text = exchange.body.as_deref().unwrap_or_default();
        let body = serde_json::from_str(text).ok().map(unmasked);
        Self { exchange, status, ground: Ground::of(backend), body, known: !is_bounded(text) }
    }

    fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn came(&self) -> String {
        format!("status {}", self.status)
    }

    fn header(&self, name: &str) -> Option<String> {
        self.exchange.header(name)
    }

    /// Whether the status may be caused by the request, not by the backend.
    fn refuses(&self) -> bool {
        matches!(self.status, 400 | 401 | 403 | 429)
    }

    fn login(&self, collector: &mut Sheet) {
        if self.succeeded() && self.known {
            let point = points::session(self.body.as_ref(), &self.ground.session_pointer);
            collector.add("login.gives-session", point);
        }
    }

    fn generate(&self, collector: &mut Sheet) {
        if !self.refuses() {
            let point = Point::new(STATUS, self.succeeded(), "2xx for valid credentials", self.came());
            collector.add("generate.succeeds", point);
        }
        if self.succeeded() {
            collector.add("generate.json", points::content_type(self.header("content-type").as_deref()));
            if self.known {
                let point = points::token(self.body.as_ref(), &self.ground.token_pointer);
                collector.add("generate.token-string", point);
            }
        }
    }

    fn redeem(&self, collector: &mut Sheet) {
        match self.status {
            200 => {}
            400 => return collector.add("redeem.unknown-400", Point::new(STATUS, true, "", "")),
            _ if self.refuses() => return,
            _ => {
                let expected = "status 200 for an active token, or 400";
                return collector.add("redeem.active-200", Point::new(STATUS, false, expected, self.came()));
            }
        }
        collector.add("redeem.active-200", Point::new(STATUS, true, "", ""));
        collector.add("redeem.json", points::content_type(self.header("content-type").as_deref()));
        let Some(body) = self.body.as_ref().filter(|body| body.is_object()) else {
            if self.known {
                let received =
                    self.body.as_ref().map_or_else(|| "no JSON".to_owned(), |b| points::shown(Some(b)));
                collector.add("redeem.active-200", Point::new("", false, "a JSON object", received));
            }
            return;
        };
        if points::is_delivery(body) {
            delivery(collector, body);
        } else {
            collector.add("redeem.flag", points::flag(body, false));
            collector.add("redeem.either-or", points::report(body));
            if let Some(Value::Object(progress)) = body.get("payload_incomplete") {
                self.report(collector, progress);
            }
        }
    }

    fn report(&self, collector: &mut Sheet, progress: &Map<String, Value>) {
        let sent = self.exchange.body.as_deref().unwrap_or_default();
        let sent: Value = serde_json::from_str(sent).unwrap_or_default();
        let sent = sent.pointer("/payload_incomplete/completion_status").and_then(Value::as_str);
        if sent.is_none_or(|word| !word.contains(MASK)) {
            collector.add("progress.status", points::word(progress));
        }
        match progress.get("completion_status").and_then(Value::as_str) {
            Some("no_associated_avatar") => {
                collector.add("fresh.progress", points::minus_one(progress, "completion_progress", ""));
                collector.add("fresh.queue", points::minus_one(progress, "queue_position", ""));
            }
            Some("in_queue") => {
                collector.add("progress.percent", points::percent(progress));
                collector.add("progress.queue", points::place(progress));
            }
            Some("processing" | "failed") => {
                collector.add("progress.percent", points::percent(progress));
                let place = points::minus_one(progress, "queue_position", points::NOT_QUEUED);
                collector.add("progress.not-queued", place);
            }
            // Without a known status the numbers cannot be judged.
            _ => {}
        }
    }

    fn download(&self, collector: &mut Sheet) {
        // A refusal may be right: the URL may have been used before.
        if self.succeeded() {
            let received = "an empty body";
            let point =
                Point::new(STATUS, self.exchange.body_size > 0, "2xx and the complete file", received);
            collector.add("files.download", point);
            collector.add("files.no-store", points::no_store(self.header("cache-control").as_deref()));
        }
    }

    /// Judges what applies to every API call: caching, TLS, CORS and error bodies.
    fn manners(&self, collector: &mut Sheet) {
        if self.succeeded() {
            collector.add("http.no-store", points::no_store(self.header("cache-control").as_deref()));
            let url = self.exchange.url.parse::<Url>().ok();
            if url.is_some_and(|url| url.scheme() == "https" && !is_this_machine(&url)) {
                collector.add("http.hsts", points::hsts(self.header("strict-transport-security").as_deref()));
            }
        }
        if let Some(allowed) = self.header("access-control-allow-origin") {
            collector.add("http.cors", points::cors(&allowed));
        }
        if self.status >= 400 {
            collector.add(
                "errors.no-inside",
                points::no_inside(self.exchange.body.as_deref().unwrap_or_default()),
            );
            if self.known {
                collector.add("errors.form", points::error_form(self.body.as_ref()));
            }
        }
    }
}

/// Judges a body that delivers URLs.
fn delivery(collector: &mut Sheet, body: &Value) {
    collector.add("delivery.flag", points::flag(body, true));
    collector.add("redeem.either-or", points::no_report(body));
    for point in points::urls(body) {
        let secure = over_tls(body, &point);
        collector.add("delivery.urls", point);
        if let Some(secure) = secure {
            collector.add("http.tls", secure);
        }
    }
    let types = points::types(body);
    let texts: Vec<_> = types.iter().filter(|point| point.good).map(|point| point.at.clone()).collect();
    for point in types {
        collector.add("delivery.types", point);
    }
    for point in points::extensions(body).into_iter().filter(|point| texts.contains(&point.at)) {
        collector.add("delivery.extension", point);
    }
}

/// Judges a valid download URL: https, except on a loopback address.
fn over_tls(body: &Value, point: &Point) -> Option<Point> {
    let url: Url = body.pointer(&point.at)?.as_str()?.parse().ok()?;
    let matters = point.good && !is_this_machine(&url);
    let good = url.scheme() == "https";
    matters.then(|| Point::new(&point.at, good, "download URLs over https", "a URL over http"))
}

/// Replaces each mask by a value of the same type, which the checks accept.
fn unmasked(value: Value) -> Value {
    match value {
        Value::String(text) if text == MASKED_NUMBER => Value::from(0),
        Value::String(text) if text.contains(MASK) => text.replace(MASK, "x").into(),
        Value::Array(items) => items.into_iter().map(unmasked).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, unmasked(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
#[path = "exchange_requirements_tests.rs"]
mod tests;
