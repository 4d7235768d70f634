//! Judges one recorded exchange: which requirements its fields fulfil or violate. For the inspector.
//!
//! Judges by the same functions as the checks ([`crate::response_fields`]), with sentences from the table of
//! requirements. Requirements that need several exchanges (a token works only once, say) are not judged here.
//! Recorded exchanges are masked; a masked value counts as right.

use crate::requirement::{Requirement, all_requirements};
use crate::response_fields::{self, FieldResult, STATUS_LOCATION};
use crate::target::{KnownBackendFacts, is_loopback_url};
use copresence_client::redact::{MASK, MASKED_NUMBER, is_recorded_body_truncated};
use copresence_client::{BackendWithRoutes, CallKind, Exchange, ExchangeOutcome};
use serde_json::{Map, Value};
use url::Url;

/// A requirement, and whether one field of an exchange fulfils it.
#[derive(Debug, Clone)]
pub struct JudgedRequirement {
    /// Its row in the table.
    pub requirement: &'static Requirement,
    /// A JSON Pointer into the response body, the name of a header, or `status`.
    pub location: String,
    /// Whether the requirement is fulfilled.
    pub is_kept: bool,
    /// What was received instead; `None` if the requirement is fulfilled.
    pub received: Option<String>,
}

impl JudgedRequirement {
    /// Level of the requirement in lower case, as in `must`.
    pub fn requirement_level_word(&self) -> &'static str {
        self.requirement.level.lowercase_level()
    }
}

/// The checks that a single exchange can decide, and the id of the requirement that each then refers to.
const SINGLE_EXCHANGE_CHECKS: [(&str, &str); 29] = [
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
pub fn judge_exchange(exchange: &Exchange, backend: &BackendWithRoutes) -> Vec<JudgedRequirement> {
    let mut collector = ExchangeRequirementCollector::default();
    if matches!(exchange.outcome, ExchangeOutcome::NeverSent | ExchangeOutcome::Cancelled) {
        return collector.0;
    }
    let whole = exchange.outcome == ExchangeOutcome::Complete;
    let received = exchange.error.clone().unwrap_or_else(|| "no response".to_owned());
    collector.add_judged_requirement_of_check(
        "time.answered",
        FieldResult::new(STATUS_LOCATION, whole, "a response", received),
    );
    let Some(status) = exchange.status else { return collector.0 };
    let failed = FieldResult::new(STATUS_LOCATION, status < 500, "a status below 500", format!("status {status}"));
    collector.add_judged_requirement_of_check("http.no-5xx", failed);
    if !whole || status >= 500 {
        return collector.0;
    }
    let response = JudgeableResponseBelow500::new(exchange, status, backend);
    match exchange.call {
        CallKind::Download => response.judge_download_response(&mut collector),
        CallKind::Login => response.judge_login_gives_session(&mut collector),
        CallKind::Generate => response.judge_generate_response(&mut collector),
        CallKind::Redeem => response.judge_redeem_response(&mut collector),
        // The specification has no logout.
        CallKind::Logout => return collector.0,
    }
    if exchange.call != CallKind::Download {
        response.judge_common_api_requirements(&mut collector);
    }
    collector.0
}

/// Collects the judged requirements of an exchange.
#[derive(Default)]
struct ExchangeRequirementCollector(Vec<JudgedRequirement>);

impl ExchangeRequirementCollector {
    /// Adds the requirement that belongs to the check, with the result of judging one field.
    fn add_judged_requirement_of_check(&mut self, check: &str, point: FieldResult) {
        let row = SINGLE_EXCHANGE_CHECKS.iter().find(|(known, _)| *known == check);
        let requirement = row.and_then(|(_, id)| all_requirements().iter().find(|row| row.id == *id));
        // Always found: a test compares both tables.
        let Some(requirement) = requirement else { return };
        let received = (!point.is_ok).then_some(point.received);
        self.0.push(JudgedRequirement { requirement, location: point.location, is_kept: point.is_ok, received });
    }
}

/// A response to judge: complete, with a status below 500.
struct JudgeableResponseBelow500<'a> {
    exchange: &'a Exchange,
    status: u16,
    target_info: KnownBackendFacts,
    /// The body with a harmless value in place of each mask; `None` if it is not JSON.
    body: Option<Value>,
    /// Whether the whole body was recorded.
    has_whole_body: bool,
}

impl<'a> JudgeableResponseBelow500<'a> {
    fn new(exchange: &'a Exchange, status: u16, backend: &BackendWithRoutes) -> Self {
        let text = exchange.body.as_deref().unwrap_or_default();
        let body = serde_json::from_str(text).ok().map(replace_masks_with_valid_values);
        Self {
            exchange,
            status,
            target_info: KnownBackendFacts::derive_backend_facts_from_routes(backend),
            body,
            has_whole_body: !is_recorded_body_truncated(text),
        }
    }

    /// Whether the status is 2xx.
    fn has_success_status(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The status in words, as in `status 400`.
    fn describe_status(&self) -> String {
        format!("status {}", self.status)
    }

    /// The value of a header of this response.
    fn response_header(&self, name: &str) -> Option<String> {
        self.exchange.response_header(name)
    }

    /// Whether the status may be caused by the request, not by the backend.
    fn can_request_cause_status(&self) -> bool {
        matches!(self.status, 400 | 401 | 403 | 429)
    }

    /// Judges a successful login with a complete body: it gives a session token. Any other is not judged.
    fn judge_login_gives_session(&self, collector: &mut ExchangeRequirementCollector) {
        if self.has_success_status() && self.has_whole_body {
            let point = response_fields::judge_session_token(self.body.as_ref(), &self.target_info.session_pointer);
            collector.add_judged_requirement_of_check("login.gives-session", point);
        }
    }

    /// Judges a generate response: success for valid credentials, JSON, and a valid Export Token.
    fn judge_generate_response(&self, collector: &mut ExchangeRequirementCollector) {
        if !self.can_request_cause_status() {
            let point = FieldResult::new(
                STATUS_LOCATION,
                self.has_success_status(),
                "2xx for valid credentials",
                self.describe_status(),
            );
            collector.add_judged_requirement_of_check("generate.succeeds", point);
        }
        if self.has_success_status() {
            collector.add_judged_requirement_of_check(
                "generate.json",
                response_fields::judge_json_content_type(self.response_header("content-type").as_deref()),
            );
            if self.has_whole_body {
                let point =
                    response_fields::judge_export_token_value(self.body.as_ref(), &self.target_info.token_pointer);
                collector.add_judged_requirement_of_check("generate.token-string", point);
            }
        }
    }

    /// Judges the status and body of a redeem: 200 for an active token, 400 for another. Refusals that the request
    /// may have caused are not judged.
    fn judge_redeem_response(&self, collector: &mut ExchangeRequirementCollector) {
        match self.status {
            200 => {}
            400 => {
                return collector.add_judged_requirement_of_check(
                    "redeem.unknown-400",
                    FieldResult::new(STATUS_LOCATION, true, "", ""),
                );
            }
            _ if self.can_request_cause_status() => return,
            _ => {
                let expected = "status 200 for an active token, or 400";
                return collector.add_judged_requirement_of_check(
                    "redeem.active-200",
                    FieldResult::new(STATUS_LOCATION, false, expected, self.describe_status()),
                );
            }
        }
        collector.add_judged_requirement_of_check("redeem.active-200", FieldResult::new(STATUS_LOCATION, true, "", ""));
        collector.add_judged_requirement_of_check(
            "redeem.json",
            response_fields::judge_json_content_type(self.response_header("content-type").as_deref()),
        );
        let Some(body) = self.body.as_ref().filter(|body| body.is_object()) else {
            if self.has_whole_body {
                let received = self
                    .body
                    .as_ref()
                    .map_or_else(|| "no JSON".to_owned(), |b| response_fields::describe_value_without_secrets(Some(b)));
                collector.add_judged_requirement_of_check(
                    "redeem.active-200",
                    FieldResult::new("", false, "a JSON object", received),
                );
            }
            return;
        };
        if response_fields::is_token_spending_body(body) {
            judge_delivery_body(collector, body);
        } else {
            collector.add_judged_requirement_of_check("redeem.flag", response_fields::judge_ready_flag(body, false));
            collector.add_judged_requirement_of_check(
                "redeem.either-or",
                response_fields::judge_status_report_present(body),
            );
            if let Some(Value::Object(progress)) = body.get("payload_incomplete") {
                self.judge_status_report(collector, progress);
            }
        }
    }

    /// Judges the fields of a status report by its `completion_status`.
    fn judge_status_report(&self, collector: &mut ExchangeRequirementCollector, progress: &Map<String, Value>) {
        let sent = self.exchange.body.as_deref().unwrap_or_default();
        let sent: Value = serde_json::from_str(sent).unwrap_or_default();
        let sent = sent.pointer("/payload_incomplete/completion_status").and_then(Value::as_str);
        if sent.is_none_or(|word| !word.contains(MASK)) {
            collector.add_judged_requirement_of_check(
                "progress.status",
                response_fields::judge_completion_status_word(progress),
            );
        }
        match progress.get("completion_status").and_then(Value::as_str) {
            Some("no_associated_avatar") => {
                collector.add_judged_requirement_of_check(
                    "fresh.progress",
                    response_fields::judge_field_minus_one(progress, "completion_progress", ""),
                );
                collector.add_judged_requirement_of_check(
                    "fresh.queue",
                    response_fields::judge_field_minus_one(progress, "queue_position", ""),
                );
            }
            Some("in_queue") => {
                collector.add_judged_requirement_of_check(
                    "progress.percent",
                    response_fields::judge_progress_percent(progress),
                );
                collector.add_judged_requirement_of_check(
                    "progress.queue",
                    response_fields::judge_queued_avatar_position(progress),
                );
            }
            Some("processing" | "failed") => {
                collector.add_judged_requirement_of_check(
                    "progress.percent",
                    response_fields::judge_progress_percent(progress),
                );
                let place = response_fields::judge_field_minus_one(
                    progress,
                    "queue_position",
                    response_fields::NOT_QUEUED_REASON,
                );
                collector.add_judged_requirement_of_check("progress.not-queued", place);
            }
            // Without a known status the numbers cannot be judged.
            _ => {}
        }
    }

    /// Judges the response of a successful download: it is not empty, and must not be cached. A refusal is not
    /// judged.
    fn judge_download_response(&self, collector: &mut ExchangeRequirementCollector) {
        // A refusal may be right: the URL may have been used before.
        if self.has_success_status() {
            let received = "an empty body";
            let point =
                FieldResult::new(STATUS_LOCATION, self.exchange.body_size > 0, "2xx and the complete file", received);
            collector.add_judged_requirement_of_check("files.download", point);
            collector.add_judged_requirement_of_check(
                "files.no-store",
                response_fields::judge_cache_control(self.response_header("cache-control").as_deref()),
            );
        }
    }

    /// Judges what applies to the response of every API call: caching, HSTS, CORS and error bodies.
    fn judge_common_api_requirements(&self, collector: &mut ExchangeRequirementCollector) {
        if self.has_success_status() {
            collector.add_judged_requirement_of_check(
                "http.no-store",
                response_fields::judge_cache_control(self.response_header("cache-control").as_deref()),
            );
            let url = self.exchange.url.parse::<Url>().ok();
            if url.is_some_and(|url| url.scheme() == "https" && !is_loopback_url(&url)) {
                collector.add_judged_requirement_of_check(
                    "http.hsts",
                    response_fields::judge_hsts(self.response_header("strict-transport-security").as_deref()),
                );
            }
        }
        if let Some(allowed) = self.response_header("access-control-allow-origin") {
            collector
                .add_judged_requirement_of_check("http.cors", response_fields::judge_cors_denies_other_sites(&allowed));
        }
        if self.status >= 400 {
            collector.add_judged_requirement_of_check(
                "errors.no-inside",
                response_fields::judge_no_internals(self.exchange.body.as_deref().unwrap_or_default()),
            );
            if self.has_whole_body {
                collector.add_judged_requirement_of_check(
                    "errors.form",
                    response_fields::judge_error_format(self.body.as_ref()),
                );
            }
        }
    }
}

/// Judges a body that delivers URLs.
fn judge_delivery_body(collector: &mut ExchangeRequirementCollector, body: &Value) {
    collector.add_judged_requirement_of_check("delivery.flag", response_fields::judge_ready_flag(body, true));
    collector.add_judged_requirement_of_check("redeem.either-or", response_fields::judge_status_report_absent(body));
    for point in response_fields::judge_download_urls(body) {
        let secure = judge_url_tls(body, &point);
        collector.add_judged_requirement_of_check("delivery.urls", point);
        if let Some(secure) = secure {
            collector.add_judged_requirement_of_check("http.tls", secure);
        }
    }
    let types = response_fields::judge_export_types_not_blank(body);
    let texts: Vec<_> = types.iter().filter(|point| point.is_ok).map(|point| point.location.clone()).collect();
    for point in types {
        collector.add_judged_requirement_of_check("delivery.types", point);
    }
    for point in response_fields::judge_export_type_extension_syntax(body)
        .into_iter()
        .filter(|point| texts.contains(&point.location))
    {
        collector.add_judged_requirement_of_check("delivery.extension", point);
    }
}

/// Judges a valid download URL: https, except on a loopback address.
fn judge_url_tls(body: &Value, point: &FieldResult) -> Option<FieldResult> {
    let url: Url = body.pointer(&point.location)?.as_str()?.parse().ok()?;
    let matters = point.is_ok && !is_loopback_url(&url);
    let good = url.scheme() == "https";
    matters.then(|| FieldResult::new(&point.location, good, "download URLs over https", "a URL over http"))
}

/// Replaces each mask by a value of the same type, which the checks accept.
fn replace_masks_with_valid_values(value: Value) -> Value {
    match value {
        Value::String(text) if text == MASKED_NUMBER => Value::from(0),
        Value::String(text) if text.contains(MASK) => text.replace(MASK, "x").into(),
        Value::Array(items) => items.into_iter().map(replace_masks_with_valid_values).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (key, replace_masks_with_valid_values(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
#[path = "exchange_requirements_tests.rs"]
mod tests;
