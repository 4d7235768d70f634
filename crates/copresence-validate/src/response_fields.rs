//! Judges single fields of one response: the status, a header, or a location in the JSON body.
//!
//! The checks judge the responses of a run by these functions, and `exchange_requirements` judges recorded exchanges.

use crate::file_content::extension_for_export_type;
use copresence_protocol::{CompletionStatus, DownloadUrl};
use serde_json::{Map, Value};

/// Result of judging one field of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldResult {
    /// A JSON Pointer into the body, the name of a header, or `status`.
    pub(crate) location: String,
    /// Whether the field fulfils the requirement.
    pub(crate) is_ok: bool,
    /// What the backend should have sent.
    pub(crate) expected: String,
    /// What the backend sent, without values that may be secret.
    pub(crate) received: String,
}

impl FieldResult {
    pub(crate) fn new(
        at: impl Into<String>,
        is_ok: bool,
        expected: impl Into<String>,
        received: impl Into<String>,
    ) -> Self {
        Self { location: at.into(), is_ok, expected: expected.into(), received: received.into() }
    }
}

/// Location of the status.
pub(crate) const STATUS_LOCATION: &str = "status";

/// Reads an integer; 42.0 is one too, as in JSON Schema.
pub(crate) fn parse_integer(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 1e15).then_some(n as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

/// Describes a JSON value without disclosing secrets: numbers, booleans and short words verbatim, else only the type.
pub(crate) fn describe_value_without_secrets(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::String(text))
            if text.len() <= 40 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) =>
        {
            format!("{text:?}")
        }
        Some(Value::String(_)) => "a string".to_owned(),
        Some(Value::Array(_)) => "an array".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
    }
}

/// Judges `Content-Type`: JSON.
pub(crate) fn judge_json_content_type(sent: Option<&str>) -> FieldResult {
    let kind = sent.unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let good = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    let received = sent.unwrap_or("no Content-Type");
    FieldResult::new("content-type", good, "Content-Type: application/json", received)
}

/// Judges `Cache-Control`: contains `no-store`.
pub(crate) fn judge_cache_control(sent: Option<&str>) -> FieldResult {
    let sent = sent.unwrap_or_default().to_ascii_lowercase();
    let good = sent.contains("no-store");
    let received = if sent.is_empty() { "no Cache-Control".to_owned() } else { sent };
    FieldResult::new("cache-control", good, "Cache-Control: no-store", received)
}

/// Judges `Strict-Transport-Security`: sent, with a `max-age` other than 0.
pub(crate) fn judge_hsts(sent: Option<&str>) -> FieldResult {
    let sent = sent.unwrap_or_default();
    let ends = sent.replace(' ', "").to_ascii_lowercase().contains("max-age=0");
    let received = if sent.is_empty() { "none" } else { "max-age=0" };
    FieldResult::new("strict-transport-security", !sent.is_empty() && !ends, "Strict-Transport-Security", received)
}

/// Origin of a site that no backend should trust: the top-level domain `invalid` is reserved (RFC 2606).
pub(crate) const STRANGER_ORIGIN: &str = "https://stranger.invalid";

/// Judges `Access-Control-Allow-Origin`: neither `*` nor [`STRANGER_ORIGIN`].
pub(crate) fn judge_cors_denies_other_sites(allowed: &str) -> FieldResult {
    let open = allowed.contains('*') || allowed.contains(STRANGER_ORIGIN);
    let received = "Access-Control-Allow-Origin for any site";
    FieldResult::new("access-control-allow-origin", !open, "no access for another site's page", received)
}

/// Texts that occur in stack traces and database errors, but in no message for a client.
const INTERNAL_MARKERS: [&str; 16] = [
    "traceback (most recent",
    "stack trace",
    "stacktrace",
    "\n    at ",
    "node_modules",
    "panicked at",
    "goroutine ",
    ".java:",
    ".py\", line",
    ".rs:",
    "/usr/",
    "/home/",
    "/var/",
    "select * from",
    "sqlstate",
    "mongoerror",
];

/// Judges an error body: discloses no internals of the server.
pub(crate) fn judge_no_internals(body: &str) -> FieldResult {
    let text = body.to_ascii_lowercase();
    let found = INTERNAL_MARKERS.iter().find(|word| text.contains(**word));
    let received = found.map_or_else(String::new, |word| format!("it contains {:?}", word.trim()));
    FieldResult::new("", found.is_none(), "a short sentence", received)
}

/// Judges an error body: JSON with a message in `error` or `message`.
pub(crate) fn judge_error_format(body: Option<&Value>) -> FieldResult {
    let said = body.and_then(|body| body.get("error").or_else(|| body.get("message")));
    let good = said.and_then(Value::as_str).is_some_and(|said| !said.trim().is_empty());
    FieldResult::new("/error", good, "JSON with a message in `error`", "none")
}

/// Judges the session token in a login response: a string that is not empty.
pub(crate) fn judge_session_token(body: Option<&Value>, pointer: &str) -> FieldResult {
    let session = body.and_then(|body| body.pointer(pointer));
    let good = session.and_then(Value::as_str).is_some_and(|session| !session.is_empty());
    let received = session.map_or("nothing there", |s| if s.is_string() { "a string" } else { "no string" });
    FieldResult::new(pointer, good, format!("a session token (a string) at {pointer}"), received)
}

/// Judges the Export Token in a response: a string of visible ASCII characters that is not empty.
pub(crate) fn judge_export_token_value(body: Option<&Value>, pointer: &str) -> FieldResult {
    let token = body.and_then(|body| body.pointer(pointer));
    let good = token
        .and_then(Value::as_str)
        .is_some_and(|token| !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic()));
    let received = match token {
        Some(token) if token.is_string() => "a string that is empty or not valid in a header".to_owned(),
        other => describe_value_without_secrets(other),
    };
    FieldResult::new(pointer, good, format!("a string of visible ASCII at {pointer}"), received)
}

/// Whether a body shows that its token is spent: it says that the avatar is ready, or it lists files.
pub(crate) fn is_token_spending_body(body: &Value) -> bool {
    let listed = body.get("payload_complete").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    listed || body.get("avatar_ready") == Some(&Value::Bool(true))
}

/// Judges `avatar_ready`: the boolean `ready`.
pub(crate) fn judge_ready_flag(body: &Value, ready: bool) -> FieldResult {
    let flag = body.get("avatar_ready");
    let expected = format!("`avatar_ready`: {ready}");
    FieldResult::new("/avatar_ready", flag == Some(&Value::Bool(ready)), expected, describe_value_without_secrets(flag))
}

/// Judges `payload_incomplete` while the avatar is not ready: an object.
pub(crate) fn judge_status_report_present(body: &Value) -> FieldResult {
    let report = body.get("payload_incomplete");
    let good = report.is_some_and(Value::is_object);
    FieldResult::new(
        "/payload_incomplete",
        good,
        "the object `payload_incomplete`",
        describe_value_without_secrets(report),
    )
}

/// Judges that the status report (`payload_incomplete`) is absent or null beside the URLs.
pub(crate) fn judge_status_report_absent(body: &Value) -> FieldResult {
    let there = body.get("payload_incomplete").is_some_and(|value| !value.is_null());
    FieldResult::new("/payload_incomplete", !there, "no `payload_incomplete` beside the URLs", "both")
}

/// Judges a number in `payload_incomplete`.
fn judge_status_report_number(
    progress: &Map<String, Value>,
    field: &str,
    good: impl Fn(Option<i64>) -> bool,
    expected: String,
) -> FieldResult {
    let value = progress.get(field);
    let good = good(value.and_then(parse_integer));
    FieldResult::new(format!("/payload_incomplete/{field}"), good, expected, describe_value_without_secrets(value))
}

/// Judges `completion_status`: one of the four words of the specification.
pub(crate) fn judge_completion_status_word(progress: &Map<String, Value>) -> FieldResult {
    let status = progress.get("completion_status");
    let known = status
        .and_then(Value::as_str)
        .is_some_and(|word| !matches!(CompletionStatus::from(word), CompletionStatus::Other(_)));
    let expected = "no_associated_avatar, in_queue, processing or failed";
    FieldResult::new("/payload_incomplete/completion_status", known, expected, describe_value_without_secrets(status))
}

/// Judges `completion_progress` of an associated avatar: an integer, 0..=100.
pub(crate) fn judge_progress_percent(progress: &Map<String, Value>) -> FieldResult {
    let expected = "`completion_progress`: an integer from 0 to 100".to_owned();
    let good = |number: Option<i64>| number.is_some_and(|n| (0..=100).contains(&n));
    judge_status_report_number(progress, "completion_progress", good, expected)
}

/// Judges a field that has to be -1. `because` continues the sentence of what was expected.
pub(crate) fn judge_field_minus_one(progress: &Map<String, Value>, field: &str, because: &str) -> FieldResult {
    judge_status_report_number(progress, field, |number| number == Some(-1), format!("`{field}`: -1{because}"))
}

/// Judges `queue_position` of a queued avatar: an integer from 0.
pub(crate) fn judge_queued_avatar_position(progress: &Map<String, Value>) -> FieldResult {
    let expected = "`queue_position`: an integer from 0, because the status is in_queue".to_owned();
    judge_status_report_number(progress, "queue_position", |number| number.is_some_and(|n| n >= 0), expected)
}

/// Why `queue_position` has to be -1.
pub(crate) const NOT_QUEUED_REASON: &str = ", because the avatar is not in the queue";

/// The entries of the field `payload_complete` of a redeem response; empty if it is absent or not a list.
pub(crate) fn payload_complete_field_entries(body: &Value) -> &[Value] {
    body.get("payload_complete").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Judges `payload_complete`, and the URL of each entry.
pub(crate) fn judge_download_urls(body: &Value) -> Vec<FieldResult> {
    let entries = payload_complete_field_entries(body);
    let expected = "a list of at least one entry in `payload_complete`";
    let mut all = vec![FieldResult::new("/payload_complete", !entries.is_empty(), expected, "none")];
    all.extend(entries.iter().enumerate().map(|(index, entry)| {
        let url = entry.get("download_URL");
        let good = url.and_then(Value::as_str).is_some_and(|url| DownloadUrl::new(url).is_some());
        let expected = format!("`payload_complete[{index}].download_URL`: an absolute http(s) URL");
        FieldResult::new(
            format!("/payload_complete/{index}/download_URL"),
            good,
            expected,
            describe_value_without_secrets(url),
        )
    }));
    all
}

/// Judges the `export_type` of each entry: a string that is not blank.
pub(crate) fn judge_export_types_not_blank(body: &Value) -> Vec<FieldResult> {
    let read = |(index, entry): (usize, &Value)| {
        let kind = entry.get("export_type");
        let good = kind.and_then(Value::as_str).is_some_and(|kind| !kind.trim().is_empty());
        let expected = format!("`payload_complete[{index}].export_type`: a string");
        FieldResult::new(
            format!("/payload_complete/{index}/export_type"),
            good,
            expected,
            describe_value_without_secrets(kind),
        )
    };
    payload_complete_field_entries(body).iter().enumerate().map(read).collect()
}

/// Judges whether each `export_type` that is a string looks like a file extension.
pub(crate) fn judge_export_type_extension_syntax(body: &Value) -> Vec<FieldResult> {
    let read = |(index, entry): (usize, &Value)| {
        let kind = entry.get("export_type")?.as_str()?;
        let word = extension_for_export_type(kind);
        let good = !word.is_empty() && word.len() <= 8 && word.chars().all(|c| c.is_ascii_alphanumeric());
        let at = format!("/payload_complete/{index}/export_type");
        Some(FieldResult::new(
            at,
            good,
            "a file extension, as in glb",
            describe_value_without_secrets(Some(&Value::from(kind))),
        ))
    };
    payload_complete_field_entries(body).iter().enumerate().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn described_values_disclose_no_secret() {
        assert_eq!(describe_value_without_secrets(Some(&Value::from("in_queue"))), "\"in_queue\"");
        assert_eq!(describe_value_without_secrets(Some(&Value::from("https://files.test/secret"))), "a string");
        assert_eq!(parse_integer(&serde_json::json!(42.0)), Some(42));
        assert_eq!(parse_integer(&serde_json::json!(42.5)), None);
        assert_eq!(parse_integer(&serde_json::json!("42")), None);
    }
}
