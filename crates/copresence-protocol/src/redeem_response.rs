//! The response of `GET /redeemExportToken` with status 200.

use crate::export::{DownloadUrl, DownloadableExport, ExportType};
use crate::progress::{Progress, field_violation};
use crate::spec_violation::{self, SpecViolation, json_type_name};
use serde_json::{Map, Value};

/// Spec: "200 OK – Export token is still active, and its associated avatar exports are either still being processed
/// or ready to download." (GET /redeemExportToken)
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeemResponse {
    /// The response contains download URLs, so the token is spent.
    Ready(DeliveredExports),
    /// The token is still active.
    NotReady(Progress),
}

/// The exports that a spent token was exchanged for.
///
/// The backend sends them only once. Every usable URL is therefore kept, even if another part of the body violates the
/// specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredExports {
    /// At least one export, in the order sent.
    pub exports: Vec<DownloadableExport>,
    /// The violations of the entries of `payload_complete` that cannot be downloaded.
    pub unusable_entries: Vec<SpecViolation>,
    /// A violation outside the entries: `avatar_ready` is absent or false although there are URLs.
    pub contradiction: Option<SpecViolation>,
}

impl RedeemResponse {
    /// Parses the body.
    ///
    /// # Errors
    /// A [`SpecViolation`] if the body has neither form. Such a body contains no usable URL.
    pub fn parse(body: &[u8]) -> Result<Self, SpecViolation> {
        let object: Map<String, Value> = spec_violation::parse_json(body, "a JSON object")?;
        let ready = match object.get("avatar_ready") {
            Some(Value::Bool(ready)) => Ok(*ready),
            other => Err(field_violation("", "avatar_ready", "a boolean", other)),
        };
        let (exports, unusable) = parse_exports(&object);
        if !exports.is_empty() {
            let contradiction = match ready {
                Ok(true) => None,
                Ok(false) => Some(SpecViolation::new(
                    "payload_complete",
                    "no download URL while `avatar_ready` is false",
                    "a list of URLs",
                )),
                Err(mismatch) => Some(mismatch),
            };
            return Ok(Self::Ready(DeliveredExports { exports, unusable_entries: unusable, contradiction }));
        }
        if ready? {
            return Err(ready_without_url_violation(&object, unusable));
        }
        match object.get("payload_incomplete") {
            Some(Value::Object(progress)) => Progress::parse(progress, "payload_incomplete").map(Self::NotReady),
            other => {
                let expected = "an object, because `avatar_ready` is false";
                Err(field_violation("", "payload_incomplete", expected, other))
            }
        }
    }
}

/// Parses each entry on its own, so that an invalid entry does not affect the others.
fn parse_exports(object: &Map<String, Value>) -> (Vec<DownloadableExport>, Vec<SpecViolation>) {
    let list = object.get("payload_complete").and_then(Value::as_array);
    let (mut exports, mut unusable) = (Vec::new(), Vec::new());
    for (index, entry) in list.into_iter().flatten().enumerate() {
        match parse_export(entry, &format!("payload_complete[{index}]")) {
            Ok(export) => exports.push(export),
            Err(mismatch) => unusable.push(mismatch),
        }
    }
    (exports, unusable)
}

/// Parses one entry of `payload_complete`. `at` is its path in the body.
pub(crate) fn parse_export(entry: &Value, at: &str) -> Result<DownloadableExport, SpecViolation> {
    let Value::Object(entry) = entry else {
        return Err(SpecViolation::new(at, "an object", json_type_name(entry)));
    };
    let expected = "an absolute http(s) URL";
    let download_url = match entry.get("download_URL") {
        Some(Value::String(url)) => DownloadUrl::new(url)
            .ok_or_else(|| SpecViolation::new(format!("{at}.download_URL"), expected, "another string"))?,
        other => return Err(field_violation(at, "download_URL", expected, other)),
    };
    match entry.get("export_type") {
        Some(Value::String(word)) => Ok(DownloadableExport { download_url, export_type: ExportType::new(word) }),
        // The URL is usable without a type.
        _ => Ok(DownloadableExport { download_url, export_type: ExportType::new("") }),
    }
}

/// The violation of a body that says that the avatar is ready but has no usable URL.
fn ready_without_url_violation(object: &Map<String, Value>, unusable: Vec<SpecViolation>) -> SpecViolation {
    let expected = "a list with at least one download URL, because `avatar_ready` is true";
    match (unusable.into_iter().next(), object.get("payload_complete")) {
        (Some(first), _) => first,
        (None, Some(Value::Array(_))) => SpecViolation::new("payload_complete", expected, "an empty array"),
        (None, other) => field_violation("", "payload_complete", expected, other),
    }
}
