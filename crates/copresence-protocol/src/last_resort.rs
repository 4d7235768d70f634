//! Download URLs in a redeem response that is cut off or damaged and does not have the specified shape.
//!
//! Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is
//! invalidated". So any URL that is likely to be one of a file is better than none.

use crate::export::{DownloadUrl, DownloadableExport, ExportType};
use crate::redeem_response::DeliveredExports;
use crate::spec_violation::SpecViolation;
use crate::truncated_body::{file_extension_of_url, truncation_violation};
use crate::truncated_json::{find_string_end, keep_whole_values_of_truncated_json, text_of_truncated_string};
use std::collections::HashSet;
use url::Url;

/// Bytes before and behind the name of a URL in which its type is looked for.
const MAX_ENTRY_BYTES: usize = 4096;
/// Longest name of a member that is looked at, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// How often JSON may be a text within JSON.
const MAX_TEXT_DEPTH: usize = 3;

impl DeliveredExports {
    /// Finds the exports in a body that is cut off or damaged and does not have the specified shape: those of an unusual shape,
    /// or, if there are more of them, URLs as the last resort. Their URLs may be relative to `base`, the URL of the call. Returns
    /// `None` if there are none.
    ///
    /// The result is marked as incomplete by its [`DeliveredExports::unusable_entries`]: there may be other files.
    pub fn find_delivery_in_unreadable_body(body: &[u8], base: &Url) -> Option<Self> {
        let last_resort = Self::find_download_urls_in_unreadable_body(body);
        let unusual = Self::find_delivery_in_truncated_unusual_shape(body, base);
        // Of two with the same number, the one that knows the shape.
        [last_resort, unusual].into_iter().flatten().max_by_key(|found| found.exports.len())
    }

    /// Finds the exports in the beginning of a body of an unusual shape ([`Self::find_delivery_in_unusual_shape`]), also of one
    /// that is a JSON text. Their URLs may be relative to `base`, the URL of the call. Returns `None` if there are none.
    ///
    /// The result is marked as truncated, as that of [`Self::delivery_from_truncated_body`].
    fn find_delivery_in_truncated_unusual_shape(body: &[u8], base: &Url) -> Option<Self> {
        let mut text = body.to_vec();
        for _ in 0..MAX_TEXT_DEPTH {
            if let Some(closed) = keep_whole_values_of_truncated_json(&text)
                && let Some(found) = Self::find_delivery_in_unusual_shape(&closed, base)
            {
                let unusable_entries = vec![truncation_violation(found.exports.len())];
                return Some(Self { exports: found.exports, unusable_entries, contradiction: None });
            }
            text = text_of_truncated_string(&text)?.into_bytes();
        }
        None
    }

    /// Finds URLs as the last resort: each http(s) URL that is the text of a member whose name contains `download_url`, in any
    /// case and without regard to separators, wherever it is in the body.
    ///
    /// `None` in a body that has no other member of a delivery (`payload_complete`, `export_type`, or an `avatar_ready` that is
    /// true), or says that the avatar is not ready: pages of web apps and gates link to downloads of their own.
    ///
    /// The result is marked as incomplete by its [`DeliveredExports::unusable_entries`]: there may be other files.
    fn find_download_urls_in_unreadable_body(body: &[u8]) -> Option<Self> {
        let mut text = body.to_vec();
        for _ in 0..MAX_TEXT_DEPTH {
            let exports = find_exports_by_member_name(&text);
            if !exports.is_empty() {
                if !has_other_member_of_delivery(&text) {
                    return None;
                }
                let found = format!("a body that cannot be read, in which {} URLs were found", exports.len());
                let violation = SpecViolation::new(
                    "payload_complete",
                    "one list of objects with an absolute `download_URL`",
                    found,
                );
                return Some(Self { exports, unusable_entries: vec![violation], contradiction: None });
            }
            // The quotes of JSON in a text are escaped.
            text = remove_one_level_of_escapes(&text)?;
        }
        None
    }
}

/// The exports of all members of a text that looks like JSON whose names contain `download_url`. The type of an export is the
/// text of a member `export_type` between the brackets around it, or else the extension of its file. Each URL is there once.
fn find_exports_by_member_name(body: &[u8]) -> Vec<DownloadableExport> {
    let (mut exports, mut known) = (Vec::new(), HashSet::new());
    for (at, name, value) in text_members(body) {
        let Some(download_url) = name.contains("downloadurl").then(|| DownloadUrl::new(value.trim())).flatten() else {
            continue;
        };
        if !known.insert(download_url.expose_url().to_owned()) {
            continue;
        }
        let before = &body[at.saturating_sub(MAX_ENTRY_BYTES)..at];
        let behind = &body[at..body.len().min(at + MAX_ENTRY_BYTES)];
        let begin =
            before.iter().rposition(|byte| matches!(byte, b'{' | b'[')).map_or(0, |bracket| before.len() - bracket);
        let length = behind.iter().position(|byte| matches!(byte, b'}' | b']')).unwrap_or(behind.len());
        let stated = text_members(&body[at - begin..at + length]).find(|(_, name, _)| name == "exporttype");
        let export_type = stated.map_or_else(|| file_extension_of_url(&download_url), |(_, _, value)| value);
        exports.push(DownloadableExport { download_url, export_type: ExportType::new(export_type) });
    }
    exports
}

/// Whether a text that looks like JSON has a member of a delivery besides URLs, and does not say that the avatar is not ready.
fn has_other_member_of_delivery(body: &[u8]) -> bool {
    let mut has_member = false;
    for (_, name, value) in members(body) {
        match name.as_str() {
            "avatarready" if value.starts_with(b"false") => return false,
            "avatarready" if value.starts_with(b"true") => has_member = true,
            "payloadcomplete" | "exporttype" => has_member = true,
            _ => {}
        }
    }
    has_member
}

/// The members of a text that looks like JSON whose values are whole texts: the index of the name, the name in lower case without
/// separators, and the value. Each quote may begin a name, because those before it may be damaged. Bytes that are no UTF-8 and
/// escapes that are invalid do not matter.
fn text_members(body: &[u8]) -> impl Iterator<Item = (usize, String, String)> {
    members(body).filter_map(|(at, name, value)| {
        let end = value.starts_with(b"\"").then(|| find_string_end(value, 0)).flatten()?;
        Some((at, name, read_text_leniently(&value[..=end])))
    })
}

/// The members of a text that looks like JSON: the index of the name, the name in lower case without separators, and the text
/// from the value on.
fn members(body: &[u8]) -> impl Iterator<Item = (usize, String, &[u8])> {
    let quotes = body.iter().enumerate().filter(|(_, byte)| **byte == b'"').map(|(at, _)| at);
    quotes.filter_map(|at| {
        let name = body[at + 1..].iter().take(MAX_NAME_BYTES).position(|byte| *byte == b'"')?;
        let (name, behind) = body[at + 1..].split_at(name);
        let value = behind[1..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let letters =
            String::from_utf8_lossy(name).to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
        Some((at, letters, value))
    })
}

/// The text of a JSON string, also of an invalid one.
fn read_text_leniently(literal: &[u8]) -> String {
    serde_json::from_slice(literal)
        .unwrap_or_else(|_| String::from_utf8_lossy(&literal[1..literal.len() - 1]).replace("\\/", "/"))
}

/// The text without one level of escaped quotes and backslashes. `None` if it has none.
fn remove_one_level_of_escapes(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' && matches!(text.get(at + 1), Some(b'"' | b'\\')) {
            at += 1;
        }
        plain.push(text[at]);
        at += 1;
    }
    (plain.len() < text.len()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn base() -> Url {
        Url::parse("https://api.test/v1/redeemExportToken").expect("a URL")
    }

    fn pairs(found: Option<DeliveredExports>) -> Vec<(String, String)> {
        let Some(found) = found else { return Vec::new() };
        assert!(!found.unusable_entries.is_empty() && found.contradiction.is_none(), "marked as truncated");
        let pair = |export: &DownloadableExport| {
            (export.export_type.as_str().to_owned(), export.download_url.expose_url().to_owned())
        };
        found.exports.iter().map(pair).collect()
    }

    #[test]
    fn urls_in_an_unusual_shape_are_found_wherever_it_is_cut_off() {
        let list = r#"[{"download_URL":"https://f.test/a","export_type":"glb"},{"download_URL":"https://f.test/b","export_type":"png"}]"#;
        let text = Value::from(format!(r#"{{"payload_complete":{list}}}"#)).to_string();
        for body in [
            format!(r#"{{"result":{{"avatar_ready":true,"payload_complete":{list}}}}}"#),
            format!(r#"{{"Payload_Complete":{}}}"#, list.replace("download_URL", "download_url")),
            format!(r#"{{"avatar_ready":true,"payload":{list}}}"#),
            r#"{"payload_complete":{"glb":"https://f.test/a","png":"https://f.test/b"}}"#.to_owned(),
            r#"{"payload_complete":["https://f.test/a","https://f.test/b"]}"#.to_owned(),
            text,
        ] {
            for end in 0..=body.len() {
                let found = pairs(DeliveredExports::find_delivery_in_unreadable_body(&body.as_bytes()[..end], &base()));
                let has_url = |url: &str| {
                    body[..end].contains(&format!("{url}\"")) || body[..end].contains(&format!("{url}\\\""))
                };
                assert_eq!(
                    found.len(),
                    usize::from(has_url("/a")) + usize::from(has_url("/b")),
                    "{}: {found:?}",
                    &body[..end]
                );
            }
        }
    }

    #[test]
    fn download_urls_in_a_body_that_cannot_be_read_are_the_last_resort() {
        let one = [("glb".to_owned(), "https://f.test/a".to_owned())];
        for body in [
            &br#"{"avatar_ready":true,"data":[{"download_URL":"https://f.test/a","export_type":"glb"}]}"#[..],
            br#"[{"download_URL":"https://f.test/a","export_type":"glb"}]"#,
            br#"{"avatar_ready":true,"data":[{"export_type":"glb","downloadUrl": "https:\/\/f.test\/a","x"#,
            b"{\"name\":\"J\xf6rg\",\"data\":{\"download-url\":\"https://f.test/a\",\"export_type\":\"glb\"}}",
            br#"{"body":"{\"files\":[{\"download_url\":\"https:\\/\\/f.test\\/a\",\"export_type\":\"glb\"}]}"}"#,
            br#"{"a":"b\x","avatar_download_URL":"https://f.test/a","export_type":"glb"}"#,
        ] {
            let found = pairs(DeliveredExports::find_delivery_in_unreadable_body(body, &base()));
            assert_eq!(found, one, "{}", String::from_utf8_lossy(body));
        }
        let two = br#"{"f":[{"download_URL":"https://f.test/a.glb?s"},{"download_URL":"https://f.test/b","export_type":"png"},{"download_URL":"https://f.test/b"}]}"#;
        let found = pairs(DeliveredExports::find_delivery_in_unreadable_body(two, &base()));
        assert_eq!(found.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["glb", "png"]);
    }

    #[test]
    fn other_urls_are_no_last_resort() {
        for body in [
            &br#"{"links":"https://f.test/a"}"#[..],
            br#"{"result":{"files":["https://f.test/a"]}}"#,
            br#"{"download_URL":"N/A","help":"https://docs.test/"}"#,
            br#"{"avatar_ready":false,"app":{"download_url":"https://apps.test/"}}"#,
            br#"{"download_URL":"https://f.test/a"#,
            br#"{"status":"maintenance","download_url":"https://apps.test/"}"#,
            br#"{"app_download_url":"https://apps.test/","avatar_ready":false,"payload_incomplete":{"completion_sta"#,
            br#"<!doctype html><script>{"props":{"ios":{"downloadUrl":"https://apps.test/"}}}</script>"#,
            b"",
            b"download_URL",
        ] {
            assert_eq!(pairs(DeliveredExports::find_delivery_in_unreadable_body(body, &base())), [], "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched_without_a_panic(body: Vec<u8>, text in "[\\[\\]{}\":,\\\\a-z0-9 ]{0,200}") {
            for body in [&body[..], text.as_bytes()] {
                _ = DeliveredExports::find_delivery_in_unreadable_body(body, &base());
            }
        }
    }
}
