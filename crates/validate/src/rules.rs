//! Which requirements the fields of one recorded exchange keep or break, for who looks at a single answer.
//!
//! A rule is a check's own judgement of one place ([`crate::points`]) and has its sentence from the table of
//! requirements. What takes more than one exchange to tell (whether a token works twice, say) has no rule. The
//! exchange is masked: what was taken out of it is taken to be right.

use crate::points::{self, Point, STATUS};
use crate::requirement::{Requirement, requirements};
use crate::target::{Ground, is_this_machine};
use client::redact::{MASK, MASKED_NUMBER, is_bounded};
use client::{Backend, Call, Ending, Exchange};
use serde_json::{Map, Value};
use url::Url;

/// A requirement, and whether a place of an exchange kept it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its row in the table.
    pub requirement: &'static Requirement,
    /// A JSON Pointer into the answer's body, a header's name, or `status`.
    pub at: String,
    /// Whether it was kept.
    pub kept: bool,
    /// What came instead, when it was broken.
    pub came: Option<String>,
}

impl Rule {
    /// How much it weighs, as in `must`.
    pub fn level(&self) -> &'static str {
        self.requirement.level.word()
    }
}

/// The checks that can be told of a single answer, and the requirement that each is then about.
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

/// What an exchange with this backend keeps and breaks. Says nothing where one exchange alone tells nothing: of a
/// refusal that may be right, or of an answer that nobody waited for.
pub fn rules(exchange: &Exchange, backend: &Backend) -> Vec<Rule> {
    let mut sheet = Sheet::default();
    if matches!(exchange.ending, Ending::NeverSent | Ending::GivenUp) {
        return sheet.0;
    }
    let whole = exchange.ending == Ending::Whole;
    let came = exchange.error.clone().unwrap_or_else(|| "no answer".to_owned());
    sheet.add("time.answered", Point::new(STATUS, whole, "an answer", came));
    let Some(status) = exchange.status else { return sheet.0 };
    let failed = Point::new(STATUS, status < 500, "a status under 500", format!("status {status}"));
    sheet.add("http.no-5xx", failed);
    if !whole || status >= 500 {
        return sheet.0;
    }
    let answer = Answer::new(exchange, status, backend);
    match exchange.call {
        Call::Download => answer.download(&mut sheet),
        Call::Login => answer.login(&mut sheet),
        Call::Generate => answer.generate(&mut sheet),
        Call::Redeem => answer.redeem(&mut sheet),
    }
    if exchange.call != Call::Download {
        answer.manners(&mut sheet);
    }
    sheet.0
}

#[derive(Default)]
struct Sheet(Vec<Rule>);

impl Sheet {
    fn add(&mut self, check: &str, point: Point) {
        let row = RULES.iter().find(|(known, _)| *known == check);
        let requirement = row.and_then(|(_, id)| requirements().iter().find(|row| row.id == *id));
        // A test holds the table to have them all.
        let Some(requirement) = requirement else { return };
        let came = (!point.good).then_some(point.came);
        self.0.push(Rule { requirement, at: point.at, kept: point.good, came });
    }
}

/// A whole answer under 500.
struct Answer<'a> {
    exchange: &'a Exchange,
    status: u16,
    ground: Ground,
    /// The body, with something harmless in the place of each mask; nothing when it is no JSON.
    body: Option<Value>,
    /// Whether the recording holds all of the body.
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

    /// Whether it may be about what was sent and not about the backend.
    fn refuses(&self) -> bool {
        matches!(self.status, 400 | 401 | 403 | 429)
    }

    fn login(&self, sheet: &mut Sheet) {
        if self.succeeded() && self.known {
            let point = points::session(self.body.as_ref(), &self.ground.session_pointer);
            sheet.add("login.gives-session", point);
        }
    }

    fn generate(&self, sheet: &mut Sheet) {
        if !self.refuses() {
            let point = Point::new(STATUS, self.succeeded(), "2xx for right credentials", self.came());
            sheet.add("generate.succeeds", point);
        }
        if self.succeeded() {
            sheet.add("generate.json", points::content_type(self.header("content-type").as_deref()));
            if self.known {
                let point = points::token(self.body.as_ref(), &self.ground.token_pointer);
                sheet.add("generate.token-string", point);
            }
        }
    }

    fn redeem(&self, sheet: &mut Sheet) {
        match self.status {
            200 => {}
            400 => return sheet.add("redeem.unknown-400", Point::new(STATUS, true, "", "")),
            _ if self.refuses() => return,
            _ => {
                let expected = "status 200 for an active token, or 400";
                return sheet.add("redeem.active-200", Point::new(STATUS, false, expected, self.came()));
            }
        }
        sheet.add("redeem.active-200", Point::new(STATUS, true, "", ""));
        sheet.add("redeem.json", points::content_type(self.header("content-type").as_deref()));
        let Some(body) = self.body.as_ref().filter(|body| body.is_object()) else {
            if self.known {
                let came =
                    self.body.as_ref().map_or_else(|| "no JSON".to_owned(), |b| points::shown(Some(b)));
                sheet.add("redeem.active-200", Point::new("", false, "a JSON object", came));
            }
            return;
        };
        if points::is_delivery(body) {
            delivery(sheet, body);
        } else {
            sheet.add("redeem.flag", points::flag(body, false));
            sheet.add("redeem.either-or", points::report(body));
            if let Some(Value::Object(progress)) = body.get("payload_incomplete") {
                self.report(sheet, progress);
            }
        }
    }

    fn report(&self, sheet: &mut Sheet, progress: &Map<String, Value>) {
        let sent = self.exchange.body.as_deref().unwrap_or_default();
        let sent: Value = serde_json::from_str(sent).unwrap_or_default();
        let sent = sent.pointer("/payload_incomplete/completion_status").and_then(Value::as_str);
        if sent.is_none_or(|word| !word.contains(MASK)) {
            sheet.add("progress.status", points::word(progress));
        }
        match progress.get("completion_status").and_then(Value::as_str) {
            Some("no_associated_avatar") => {
                sheet.add("fresh.progress", points::minus_one(progress, "completion_progress", ""));
                sheet.add("fresh.queue", points::minus_one(progress, "queue_position", ""));
            }
            Some("in_queue") => {
                sheet.add("progress.percent", points::percent(progress));
                sheet.add("progress.queue", points::place(progress));
            }
            Some("processing" | "failed") => {
                sheet.add("progress.percent", points::percent(progress));
                let place = points::minus_one(progress, "queue_position", points::NOT_QUEUED);
                sheet.add("progress.not-queued", place);
            }
            // What a number should be, the word would say.
            _ => {}
        }
    }

    fn download(&self, sheet: &mut Sheet) {
        // A refusal may be about a URL that was used before.
        if self.succeeded() {
            let came = "no byte";
            let point = Point::new(STATUS, self.exchange.body_size > 0, "2xx and the whole file", came);
            sheet.add("files.download", point);
            sheet.add("files.no-store", points::no_store(self.header("cache-control").as_deref()));
        }
    }

    /// What holds for every call of the API.
    fn manners(&self, sheet: &mut Sheet) {
        if self.succeeded() {
            sheet.add("http.no-store", points::no_store(self.header("cache-control").as_deref()));
            let url = self.exchange.url.parse::<Url>().ok();
            if url.is_some_and(|url| url.scheme() == "https" && !is_this_machine(&url)) {
                sheet.add("http.hsts", points::hsts(self.header("strict-transport-security").as_deref()));
            }
        }
        if let Some(allowed) = self.header("access-control-allow-origin") {
            sheet.add("http.cors", points::cors(&allowed));
        }
        if self.status >= 400 {
            sheet.add(
                "errors.no-inside",
                points::no_inside(self.exchange.body.as_deref().unwrap_or_default()),
            );
            if self.known {
                sheet.add("errors.form", points::error_form(self.body.as_ref()));
            }
        }
    }
}

fn delivery(sheet: &mut Sheet, body: &Value) {
    sheet.add("delivery.flag", points::flag(body, true));
    sheet.add("redeem.either-or", points::no_report(body));
    for point in points::urls(body) {
        let secure = over_tls(body, &point);
        sheet.add("delivery.urls", point);
        if let Some(secure) = secure {
            sheet.add("http.tls", secure);
        }
    }
    let types = points::types(body);
    let texts: Vec<_> = types.iter().filter(|point| point.good).map(|point| point.at.clone()).collect();
    for point in types {
        sheet.add("delivery.types", point);
    }
    for point in points::extensions(body).into_iter().filter(|point| texts.contains(&point.at)) {
        sheet.add("delivery.extension", point);
    }
}

/// Whether a good URL leads over TLS; on this machine no network lies between.
fn over_tls(body: &Value, point: &Point) -> Option<Point> {
    let url: Url = body.pointer(&point.at)?.as_str()?.parse().ok()?;
    let matters = point.good && !is_this_machine(&url);
    let good = url.scheme() == "https";
    matters.then(|| Point::new(&point.at, good, "download URLs over https", "one over http"))
}

/// Something of the same kind in the place of each mask: what was taken out is taken to be right.
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
#[path = "rules_tests.rs"]
mod tests;
