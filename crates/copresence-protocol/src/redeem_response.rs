//! The response of `GET /redeemExportToken` with status 200.

use crate::export::{DownloadUrl, DownloadableExport, ExportType};
use crate::progress::{Progress, field_violation};
use crate::spec_violation::{self, SpecViolation, json_type_name};
use serde_json::{Map, Value};
use std::time::Duration;

/// How long after its sender stopped waiting for a response a redeem may still be processed: 16 minutes.
///
/// The specification has no limit. Linux retransmits bytes that were sent for about 15.4 minutes (`tcp_retries2`), also
/// those of a proxy that has given up on its client. The usual timeouts of proxies and servers are shorter (one minute
/// in nginx, five minutes in Node). Within this time, a later response without URLs does not prove that the redeem
/// spent nothing: it may have overtaken the redeem.
pub const MAX_REDEEM_DELAY: Duration = Duration::from_mins(16);

/// Spec: "200 OK – Export token is still active, and its associated avatar exports are either still being processed
/// or ready to download." (GET /redeemExportToken)
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeemResponse {
    /// The response contains download URLs, so the token is spent.
    Ready(DeliveredExports),
    /// The token is still active.
    NotReady {
        /// The status and what is known of the rest.
        progress: Progress,
        /// What is not as specified, although the status is clear.
        violations: Vec<SpecViolation>,
    },
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
        let (exports, unusable) = parse_exports_of_body(&object);
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
        if ready == Ok(true) {
            return Err(ready_without_url_violation(&object, unusable));
        }
        match object.get("payload_incomplete") {
            Some(Value::Object(progress)) => match (ready, Progress::parse(progress, "payload_incomplete")) {
                (Ok(_), Ok((progress, violations))) => Ok(Self::NotReady { progress, violations }),
                // The progress says the same.
                (Err(violation), Ok((progress, mut violations)))
                    if object.get("avatar_ready").is_none_or(Value::is_null) =>
                {
                    violations.insert(0, violation);
                    Ok(Self::NotReady { progress, violations })
                }
                (Err(violation), _) | (Ok(_), Err(violation)) => Err(violation),
            },
            other => {
                let expected = "an object, because `avatar_ready` is false";
                Err(ready.err().unwrap_or_else(|| field_violation("", "payload_incomplete", expected, other)))
            }
        }
    }
}

/// Parses the exports of a body: the entries of its `payload_complete`. There are none if it has no such list.
fn parse_exports_of_body(object: &Map<String, Value>) -> (Vec<DownloadableExport>, Vec<SpecViolation>) {
    parse_export_list(object.get("payload_complete").and_then(Value::as_array).map_or(&[], Vec::as_slice))
}

/// Parses the entries of `payload_complete`, each on its own: an invalid entry is a violation and does not affect the
/// others.
pub(crate) fn parse_export_list(list: &[Value]) -> (Vec<DownloadableExport>, Vec<SpecViolation>) {
    let (mut exports, mut unusable) = (Vec::new(), Vec::new());
    for (index, entry) in list.iter().enumerate() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;

    /// An entry of `payload_complete`, and its URL if that can be downloaded.
    fn entry() -> impl Strategy<Value = (Value, Option<String>)> {
        let kind =
            prop_oneof![Just(json!("glb")), Just(Value::Null), Just(json!(7)), any::<String>().prop_map(Value::from)];
        let usable = ("[a-z]{1,8}", kind.clone(), any::<bool>()).prop_map(|(path, kind, has_more)| {
            let url = format!("https://files.test/{path}");
            let more = if has_more { json!({"download_URL": "https://files.test/nested"}) } else { Value::Null };
            (json!({"download_URL": url, "export_type": kind, "more": more}), Some(url))
        });
        let unusable = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            kind.prop_map(|kind| json!({"export_type": kind})),
            Just(json!({"download_URL": null})),
            Just(json!({"download_URL": "ftp://files.test/a"})),
            Just(json!({"download_URL": "/relative"})),
            Just(json!([{"download_URL": "https://files.test/in-a-list"}])),
        ];
        prop_oneof![2 => usable, 1 => unusable.prop_map(|value| (value, None))]
    }

    /// What a field may hold instead of what the specification says; `None` means that it is absent.
    fn odd_value() -> impl Strategy<Value = Option<Value>> {
        proptest::option::of(prop_oneof![
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!({"avatar_completion_status": "queue", "queue_position": 1})),
            Just(json!([])),
        ])
    }

    proptest! {
        #[test]
        fn every_usable_url_is_kept_in_order_whatever_surrounds_it(
            entries in vec(entry(), 0..6),
            avatar_ready in odd_value(),
            payload_incomplete in odd_value(),
        ) {
            let (list, urls): (Vec<Value>, Vec<Option<String>>) = entries.into_iter().unzip();
            let urls: Vec<String> = urls.into_iter().flatten().collect();
            let unusable = list.len() - urls.len();
            let mut body = json!({"payload_complete": list});
            for (name, value) in [("avatar_ready", avatar_ready), ("payload_incomplete", payload_incomplete)] {
                if let Some(value) = value {
                    body[name] = value;
                }
            }
            match RedeemResponse::parse(body.to_string().as_bytes()) {
                Ok(RedeemResponse::Ready(delivered)) => {
                    let kept: Vec<_> = delivered.exports.iter().map(|export| export.download_url.expose_url()).collect();
                    prop_assert_eq!(kept, urls);
                    prop_assert_eq!(delivered.unusable_entries.len(), unusable);
                }
                other => prop_assert!(urls.is_empty(), "{other:?} has lost {urls:?}"),
            }
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(body: Vec<u8>, text in "[\\[\\]{}\":,\\\\a-z0-9 ]{0,200}") {
            _ = RedeemResponse::parse(&body);
            _ = RedeemResponse::parse(text.as_bytes());
        }
    }
}
