//! The response of `GET /redeemExportToken` with status 200.

use crate::export::{DownloadUrl, Export, ExportType};
use crate::mismatch::{self, Mismatch, kind};
use crate::progress::{Progress, broken};
use serde_json::{Map, Value};

/// Spec: "200 OK – Export token is still active, and its associated avatar exports are either still being processed
/// or ready to download." (GET /redeemExportToken)
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeemAnswer {
    /// The response contains download URLs, so the token is spent.
    Ready(Delivery),
    /// The token is still active.
    NotReady(Progress),
}

/// The exports that a spent token was exchanged for.
///
/// The backend sends them only once. Every usable URL is therefore kept, even if another part of the body violates the
/// specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// At least one export, in the order sent.
    pub exports: Vec<Export>,
    /// The violations of the entries of `payload_complete` that cannot be downloaded.
    pub unusable: Vec<Mismatch>,
    /// A violation outside the entries: `avatar_ready` is absent or false although there are URLs.
    pub contradiction: Option<Mismatch>,
}

impl RedeemAnswer {
    /// Parses the body.
    ///
    /// # Errors
    /// A [`SpecViolation`] if the body has neither form. Such a body contains no usable URL.
    pub fn read(body: &[u8]) -> Result<Self, Mismatch> {
        let object: Map<String, Value> = mismatch::read(body, "a JSON object")?;
        let ready = match object.get("avatar_ready") {
            Some(Value::Bool(ready)) => Ok(*ready),
            other => Err(broken("", "avatar_ready", "a boolean", other)),
        };
        let (exports, unusable) = entries(&object);
        if !exports.is_empty() {
            let contradiction = match ready {
                Ok(true) => None,
                Ok(false) => Some(Mismatch::new(
                    "payload_complete",
                    "no download URL while `avatar_ready` is false",
                    "a list of URLs",
                )),
                Err(mismatch) => Some(mismatch),
            };
            return Ok(Self::Ready(Delivery { exports, unusable, contradiction }));
        }
        if ready? {
            return Err(undeliverable(&object, unusable));
        }
        match object.get("payload_incomplete") {
            Some(Value::Object(progress)) => {
                Progress::read(progress, "payload_incomplete").map(Self::NotReady)
            }
            other => {
                let expected = "an object, because `avatar_ready` is false";
                Err(broken("", "payload_incomplete", expected, other))
            }
        }
    }
}

/// Parses each entry on its own, so that an invalid entry does not affect the others.
fn entries(object: &Map<String, Value>) -> (Vec<Export>, Vec<Mismatch>) {
    let list = object.get("payload_complete").and_then(Value::as_array);
    let (mut exports, mut unusable) = (Vec::new(), Vec::new());
    for (index, entry) in list.into_iter().flatten().enumerate() {
        match export(entry, &format!("payload_complete[{index}]")) {
            Ok(export) => exports.push(export),
            Err(mismatch) => unusable.push(mismatch),
        }
    }
    (exports, unusable)
}

/// Parses one entry of `payload_complete`. `at` is its path in the body.
pub(crate) fn export(entry: &Value, at: &str) -> Result<Export, Mismatch> {
    let Value::Object(entry) = entry else {
        return Err(Mismatch::new(at, "an object", kind(entry)));
    };
    let expected = "an absolute http(s) URL";
    let download_url = match entry.get("download_URL") {
        Some(Value::String(url)) => DownloadUrl::new(url)
            .ok_or_else(|| Mismatch::new(format!("{at}.download_URL"), expected, "another string"))?,
        other => return Err(broken(at, "download_URL", expected, other)),
    };
    match entry.get("export_type") {
        Some(Value::String(word)) => Ok(Export { download_url, export_type: ExportType::new(word) }),
        // The URL is usable without a type.
        _ => Ok(Export { download_url, export_type: ExportType::new("") }),
    }
}

/// The violation of a body that says that the avatar is ready but has no usable URL.
fn undeliverable(object: &Map<String, Value>, unusable: Vec<Mismatch>) -> Mismatch {
    let expected = "a list with at least one download URL, because `avatar_ready` is true";
    match (unusable.into_iter().next(), object.get("payload_complete")) {
        (Some(first), _) => first,
        (None, Some(Value::Array(_))) => Mismatch::new("payload_complete", expected, "an empty array"),
        (None, other) => broken("", "payload_complete", expected, other),
    }
}
