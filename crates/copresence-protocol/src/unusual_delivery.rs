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
    /// Finds the exports below the outermost members `payload_complete`, in any case and at any place, also in a JSON text
    /// within a string; without such exports, those below `payload`, as the use case of the specification calls it. Their URLs may be relative to `base`, the URL of the call. Returns `None` if there is no URL, or if the
    /// body is not valid JSON.
    ///
    /// The result always has a [`DeliveredExports::contradiction`].
    pub fn find_delivery_in_unusual_shape(body: &[u8], base: &Url) -> Option<Self> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let node = serde_json::from_slice(body).ok()?;
        let mut found = FoundExports { base, exports: Vec::new(), unusable_entries: Vec::new() };
        found.search_payloads(&node, "payload_complete");
        if found.exports.is_empty() {
            found.search_payloads(&node, "payload");
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
enum Node {
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    Other,
}

/// The exports that were found so far.
struct FoundExports<'a> {
    base: &'a Url,
    exports: Vec<DownloadableExport>,
    unusable_entries: Vec<SpecViolation>,
}

impl FoundExports<'_> {
    /// Searches a value for members of this name.
    fn search_payloads(&mut self, node: &Node, name: &str) {
        match node {
            Node::Object(members) => {
                let before = self.exports.len();
                let is_payload = |member: &str| member.eq_ignore_ascii_case(name);
                for (_, payload) in members.iter().filter(|(member, _)| is_payload(member)) {
                    self.add_exports(payload, "");
                }
                // Another part of the response may repeat those of an earlier delivery.
                if self.exports.len() == before {
                    members
                        .iter()
                        .filter(|(member, _)| !is_payload(member))
                        .for_each(|(_, value)| self.search_payloads(value, name));
                }
            }
            Node::List(items) => items.iter().for_each(|item| self.search_payloads(item, name)),
            Node::Text(text) if text.trim_start().starts_with('{') => {
                if let Ok(inner) = serde_json::from_str(text) {
                    self.search_payloads(&inner, name);
                }
            }
            Node::Text(_) | Node::Other => {}
        }
    }

    /// Adds the exports of a value below `payload_complete`. `export_type` is the name of its member.
    fn add_exports(&mut self, node: &Node, export_type: &str) {
        match node {
            Node::List(items) => items.iter().for_each(|item| self.add_exports(item, export_type)),
            Node::Text(text) => match self.parse_url(text) {
                Some(url) => self.add_export(url, export_type),
                None => self.add_unusable_entry(),
            },
            Node::Object(members) => self.add_exports_of_object(members, export_type),
            Node::Other => self.add_unusable_entry(),
        }
    }

    /// Adds the exports of an object: one entry, or a map from export types to entries.
    fn add_exports_of_object(&mut self, members: &[(String, Node)], export_type: &str) {
        let text = |wanted: &str| {
            members.iter().find_map(|(name, value)| match value {
                Node::Text(text) if name.eq_ignore_ascii_case(wanted) => Some(text.as_str()),
                _ => None,
            })
        };
        let stated_type = text("export_type").unwrap_or(export_type);
        if let Some(url) = text("download_URL").and_then(|url| self.parse_url(url)) {
            return self.add_export(url, stated_type);
        }
        let urls: Vec<(&str, DownloadUrl)> = members
            .iter()
            .filter_map(|(name, value)| match value {
                Node::Text(text) => Some((name.as_str(), DownloadUrl::new(text)?)),
                _ => None,
            })
            .collect();
        let is_entry = urls.len() == 1 && text("export_type").is_some();
        let before = self.exports.len();
        for (name, url) in urls {
            self.add_export(url, if is_entry { stated_type } else { name });
        }
        for (name, value) in members {
            if matches!(value, Node::Object(_) | Node::List(_)) {
                self.add_exports(value, name);
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
    fn parse_url(&self, text: &str) -> Option<DownloadUrl> {
        DownloadUrl::new(text).or_else(|| resolve_relative_url(text, self.base))
    }
}

/// Resolves a URL that begins with a path. Any other text is none.
pub(crate) fn resolve_relative_url(text: &str, base: &Url) -> Option<DownloadUrl> {
    let is_path = ["/", "./", "../"].iter().any(|start| text.starts_with(start));
    let resolved = is_path.then(|| base.join(text).ok()).flatten()?;
    DownloadUrl::new(resolved.as_str())
}

impl<'de> Deserialize<'de> for Node {
    /// Reads any JSON value. An object keeps the order and the repetitions of its members.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Builds a [`Node`].
struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// Reads an object with all its members, also repeated ones.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }

    /// Reads a list.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    /// Reads a string. Numbers, booleans and `null` are [`Node::Other`].
    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
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
            r#"{"payload_complete":[{"url":"https://f.test/a","export_type":"glb"}],"payload_complete":[]}"#,
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
