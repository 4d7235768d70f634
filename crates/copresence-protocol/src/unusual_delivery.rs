//! Finds download URLs in a redeem response that does not have the specified shape.
//!
//! Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is
//! invalidated". A backend that names or nests its fields otherwise sends its URLs only once all the same, so they are
//! used.

use crate::export::{DownloadUrl, DownloadableExport, ExportType};
use crate::redeem_response::DeliveredExports;
use crate::spec_violation::SpecViolation;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use url::Url;

impl DeliveredExports {
    /// Finds the exports below the outermost members `payload_complete`, in any case, with or without separators and at any
    /// place, also in a JSON text within a string; without such exports, those below `payload`, as the use case of the
    /// specification calls it, that have both `download_URL` and `export_type`: other responses have a `payload`, too. Their
    /// URLs may be relative to `base`, the URL of the call. Returns `None` if there is no URL, or if the body is not valid JSON.
    ///
    /// The result always has a [`DeliveredExports::contradiction`].
    pub fn find_delivery_in_unusual_shape(body: &[u8], base: &Url) -> Option<Self> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let node = serde_json::from_slice(body).ok()?;
        let mut found = FoundExports {
            base,
            is_ready: says_that_avatar_is_ready(body),
            requires_both_members: false,
            exports: Vec::new(),
            unusable_entries: Vec::new(),
        };
        found.search_members_by_name(&node, "payload_complete");
        if found.exports.is_empty() {
            found.requires_both_members = true;
            found.search_members_by_name(&node, "payload");
        }
        let contradiction = SpecViolation::new(
            "payload_complete",
            "one list of objects with an absolute `download_URL`",
            "download URLs in another shape",
        );
        (!found.exports.is_empty()).then_some(Self {
            exports: found.exports,
            unusable_entries: found.unusable_entries,
            contradiction: Some(contradiction),
        })
    }
}

/// A JSON value that keeps repeated members.
enum JsonKeepingRepeatedMembers {
    Object(Vec<(String, JsonKeepingRepeatedMembers)>),
    List(Vec<JsonKeepingRepeatedMembers>),
    Text(String),
    Other,
}

/// The exports that were found so far.
struct FoundExports<'a> {
    base: &'a Url,
    /// Whether the response says that the avatar is ready, so that its token is spent.
    is_ready: bool,
    /// Whether only objects with both `download_URL` and `export_type` are exports.
    requires_both_members: bool,
    exports: Vec<DownloadableExport>,
    unusable_entries: Vec<SpecViolation>,
}

impl FoundExports<'_> {
    /// Searches a value for members of this name.
    fn search_members_by_name(&mut self, node: &JsonKeepingRepeatedMembers, name: &str) {
        match node {
            JsonKeepingRepeatedMembers::Object(members) => {
                let before = self.exports.len();
                let is_payload = |member: &str| is_same_name(member, name);
                for (_, payload) in members.iter().filter(|(member, _)| is_payload(member)) {
                    self.add_exports_of_value(payload, "");
                }
                // Another part of the response may repeat those of an earlier delivery.
                if self.exports.len() == before {
                    members
                        .iter()
                        .filter(|(member, _)| !is_payload(member))
                        .for_each(|(_, value)| self.search_members_by_name(value, name));
                }
            }
            JsonKeepingRepeatedMembers::List(items) => {
                for item in items {
                    self.search_members_by_name(item, name);
                }
            }
            JsonKeepingRepeatedMembers::Text(text) => {
                if let Some(inner) = parse_json_in_text(text) {
                    self.search_members_by_name(&inner, name);
                }
            }
            JsonKeepingRepeatedMembers::Other => {}
        }
    }

    /// Adds the exports of a value below `payload_complete`. `export_type` is the name of its member.
    fn add_exports_of_value(&mut self, node: &JsonKeepingRepeatedMembers, export_type: &str) {
        match node {
            JsonKeepingRepeatedMembers::List(items) => {
                for item in items {
                    self.add_exports_of_value(item, export_type);
                }
            }
            JsonKeepingRepeatedMembers::Text(text) => {
                match (self.parse_absolute_or_relative_url(text), parse_json_in_text(text)) {
                    (Some(url), _) if !self.requires_both_members => self.add_export(url, export_type),
                    (None, Some(inner)) => self.add_exports_of_value(&inner, export_type),
                    (_, _) => self.add_unusable_entry(),
                }
            }
            JsonKeepingRepeatedMembers::Object(members) => self.add_exports_of_object(members, export_type),
            JsonKeepingRepeatedMembers::Other => self.add_unusable_entry(),
        }
    }

    /// Adds the exports of an object: one entry, or a map from export types to entries.
    fn add_exports_of_object(&mut self, members: &[(String, JsonKeepingRepeatedMembers)], export_type: &str) {
        let text = |wanted: &str| {
            members.iter().find_map(|(name, value)| match value {
                JsonKeepingRepeatedMembers::Text(text) if is_same_name(name, wanted) => Some(text.as_str()),
                _ => None,
            })
        };
        let has_type = text("export_type").is_some();
        let stated_type = text("export_type").unwrap_or(export_type);
        if let Some(url) = text("download_URL").and_then(|url| self.parse_absolute_or_relative_url(url))
            && (has_type || !self.requires_both_members)
        {
            return self.add_export(url, stated_type);
        }
        // Where the URL itself is `null` or a word, another one is that of a picture or of help while the avatar is not ready.
        let has_other_than_url = !self.is_ready
            && members.iter().any(|(name, value)| {
                is_same_name(name, "download_URL")
                    && matches!(value, JsonKeepingRepeatedMembers::Text(_) | JsonKeepingRepeatedMembers::Other)
            });
        let urls: Vec<(&str, DownloadUrl)> = members
            .iter()
            .filter(|_| !self.requires_both_members && !has_other_than_url)
            .filter_map(|(name, value)| match value {
                JsonKeepingRepeatedMembers::Text(text) => Some((name.as_str(), DownloadUrl::new(text)?)),
                _ => None,
            })
            .collect();
        let is_entry = urls.len() == 1 && has_type;
        let before = self.exports.len();
        for (name, url) in urls {
            self.add_export(url, if is_entry { stated_type } else { name });
        }
        for (name, value) in members {
            if matches!(value, JsonKeepingRepeatedMembers::Object(_) | JsonKeepingRepeatedMembers::List(_)) {
                self.add_exports_of_value(value, name);
            }
        }
        if self.exports.len() == before {
            self.add_unusable_entry();
        }
    }

    /// Adds an export with a usable URL.
    fn add_export(&mut self, download_url: DownloadUrl, export_type: &str) {
        self.exports.push(DownloadableExport { download_url, export_type: ExportType::new(export_type) });
    }

    /// Adds the violation of an entry that has no usable URL.
    fn add_unusable_entry(&mut self) {
        self.unusable_entries.push(SpecViolation::new("payload_complete", "a download URL", "an entry without one"));
    }

    /// Parses an absolute URL, or a path of the backend.
    fn parse_absolute_or_relative_url(&self, text: &str) -> Option<DownloadUrl> {
        DownloadUrl::new(text).or_else(|| resolve_relative_url(text, self.base))
    }
}

/// Whether `avatar_ready` of a response is true.
fn says_that_avatar_is_ready(body: &[u8]) -> bool {
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    body.is_some_and(|body| body.get("avatar_ready") == Some(&serde_json::Value::Bool(true)))
}

/// Whether two names of members are the same but for their case and separators, as `downloadURL` and `download_url`.
fn is_same_name(one: &str, other: &str) -> bool {
    let letters = |name: &str| {
        let letters =
            name.chars().filter(|letter| !matches!(letter, '_' | '-' | ' ')).map(|letter| letter.to_ascii_lowercase());
        letters.collect::<String>()
    };
    letters(one) == letters(other)
}

/// Parses a JSON object or list in a text. `None` for any other text.
fn parse_json_in_text(text: &str) -> Option<JsonKeepingRepeatedMembers> {
    text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten()
}

/// Resolves a URL that begins with a path. Any other text is none.
pub(crate) fn resolve_relative_url(text: &str, base: &Url) -> Option<DownloadUrl> {
    let is_path = ["/", "./", "../"].iter().any(|start| text.starts_with(start));
    let resolved = is_path.then(|| base.join(text).ok()).flatten()?;
    DownloadUrl::new(resolved.as_str())
}

impl<'de> Deserialize<'de> for JsonKeepingRepeatedMembers {
    /// Reads any JSON value. An object keeps the order and the repetitions of its members.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonKeepingRepeatedMembersVisitor)
    }
}

/// Builds a [`JsonKeepingRepeatedMembers`].
struct JsonKeepingRepeatedMembersVisitor;

impl<'de> Visitor<'de> for JsonKeepingRepeatedMembersVisitor {
    type Value = JsonKeepingRepeatedMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// Reads an object with all its members, also repeated ones.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonKeepingRepeatedMembers, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(JsonKeepingRepeatedMembers::Object(members))
    }

    /// Reads a list.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<JsonKeepingRepeatedMembers, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(JsonKeepingRepeatedMembers::List(items))
    }

    /// Reads a string. Numbers, booleans and `null` are [`JsonKeepingRepeatedMembers::Other`].
    fn visit_str<E>(self, text: &str) -> Result<JsonKeepingRepeatedMembers, E> {
        Ok(JsonKeepingRepeatedMembers::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonKeepingRepeatedMembers, E> {
        Ok(JsonKeepingRepeatedMembers::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<JsonKeepingRepeatedMembers, E> {
        Ok(JsonKeepingRepeatedMembers::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<JsonKeepingRepeatedMembers, E> {
        Ok(JsonKeepingRepeatedMembers::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonKeepingRepeatedMembers, E> {
        Ok(JsonKeepingRepeatedMembers::Other)
    }

    fn visit_unit<E>(self) -> Result<JsonKeepingRepeatedMembers, E> {
        Ok(JsonKeepingRepeatedMembers::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Url {
        Url::parse("https://api.test/v1/redeemExportToken").expect("a URL")
    }

    /// Export types and URLs that are found.
    fn found(body: &str) -> Vec<(String, String)> {
        let delivery = DeliveredExports::find_delivery_in_unusual_shape(body.as_bytes(), &base());
        delivery.map_or_else(Vec::new, |delivery| {
            assert!(delivery.contradiction.is_some());
            let pair = |export: &DownloadableExport| {
                (export.export_type.as_str().to_owned(), export.download_url.expose_url().to_owned())
            };
            delivery.exports.iter().map(pair).collect()
        })
    }

    #[test]
    fn urls_are_found_in_unusual_shapes() {
        let one = [("glb".to_owned(), "https://f.test/a".to_owned())];
        for body in [
            r#"{"payload_complete":[{"download_url":"https://f.test/a","export_type":"glb"}]}"#,
            r#"{"Payload_Complete":[{"Download_URL":"https://f.test/a","Export_Type":"glb"}]}"#,
            r#"{"result":{"payload_complete":[{"download_URL":"https://f.test/a","export_type":"glb"}]}}"#,
            r#"[{"payload_complete":[{"download_URL":"https:\u002f\u002ff.test/a","export_type":"glb"}]}]"#,
            r#""{\"payload_complete\":[{\"download_URL\":\"https://f.test/a\",\"export_type\":\"glb\"}]}""#,
            r#"{"payload_complete":{"download_URL":"https://f.test/a","export_type":"glb"}}"#,
            r#"{"payload_complete":{"glb":"https://f.test/a"}}"#,
            r#"{"avatar_ready":true,"payload":[{"download_URL":"https://f.test/a","export_type":"glb"}]}"#,
            r#"{"payload":{"seen":"https://f.test/b"},"payload_complete":{"glb":"https://f.test/a"}}"#,
            r#"{"payload_complete":{"glb":{"url":{"href":"https://f.test/a"}},"n":1}}"#,
            r#"{"avatar_ready":true,"payload_complete":[{"download_URL":null,"url":"https://f.test/a","export_type":"glb"}]}"#,
            r#"{"payload_complete":[{"url":"https://f.test/a","export_type":"glb"}],"payload_complete":[]}"#,
            r#"{"payloadComplete":[{"downloadURL":"https://f.test/a","exportType":"glb"}]}"#,
            r#"{"payload-complete":[{"download-url":"https://f.test/a","export-type":"glb"}]}"#,
            r#"{"payload_complete":"[{\"download_URL\":\"https://f.test/a\",\"export_type\":\"glb\"}]"}"#,
        ] {
            let urls = found(body);
            assert_eq!(urls.iter().map(|(_, url)| url).collect::<Vec<_>>(), [&one[0].1], "{body}");
            assert!(urls == one || body.contains("href"), "{body}: {urls:?}");
        }
        let nested = r#"{"payload_complete":["https://f.test/a"],"last":{"payload_complete":["https://f.test/old"]}}"#;
        assert_eq!(found(nested).len(), 1);
        let two = r#"{"payload_complete":[{"download_URL":"/f/a?s=1"}],"payload_complete":["//cdn.test/b"]}"#;
        let urls = [("", "https://api.test/f/a?s=1"), ("", "https://cdn.test/b")];
        assert_eq!(found(two), urls.map(|(kind, url)| (kind.to_owned(), url.to_owned())));
    }

    #[test]
    fn other_urls_are_not_taken_for_downloads() {
        for body in [
            r#"{"help":"https://docs.test/","payload_complete":null}"#,
            r#"{"payload_complete":[{"download_URL":"N/A"},{"download_URL":"ftp://f.test/a"},7,null]}"#,
            r#"{"payload_incomplete":{"more":"https://f.test/a"}}"#,
            r#"{"avatar_ready":false,"payload_complete":[{"download_URL":null,"thumbnail":"https://f.test/a"}]}"#,
            r#"{"avatar_ready":false,"payload_complete":{"download_url":"","export_type":"glb","help":"https://f.test/a"}}"#,
            r#"{"success":false,"payload":{"type":"https://tools.test/rfc7231#section-6.6.1","status":503}}"#,
            r#"{"avatar_ready":false,"payload":{"completion_status":"processing","help":["https://f.test/a"]}}"#,
            r#"{"payload":{"app":{"download_url":"https://apps.test/"}}}"#,
            "https://f.test/a",
        ] {
            assert_eq!(found(body), [], "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched_without_a_panic(body: Vec<u8>, text in "[\\[\\]{}\":,\\\\a-z0-9 ]{0,200}") {
            _ = DeliveredExports::find_delivery_in_unusual_shape(&body, &base());
            _ = DeliveredExports::find_delivery_in_unusual_shape(text.as_bytes(), &base());
        }
    }
}
