//! Recovers download URLs from the body of a redeem response that is truncated or ends in invalid JSON.
//!
//! Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is
//! invalidated". This also holds if part of the response was lost, so the URLs in the received part are the only
//! ones that the client can get.

use crate::export::{DownloadUrl, DownloadableExport, ExportType};
use crate::redeem_response::{DeliveredExports, parse_export, parse_export_list};
use crate::spec_violation::SpecViolation;
use crate::truncated_json::find_string_end;
use crate::unusual_delivery::resolve_relative_url;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::ops::Range;
use url::Url;

impl DeliveredExports {
    /// Parses a delivery whose list of URLs is whole, although the body around it is cut off or is not valid JSON.
    /// Returns `None` if the list is not closed, is no valid JSON, or has no usable URL.
    ///
    /// No file is missing then, so the delivery is complete. A body that is only cut off, or that has a number or a text
    /// which cannot be represented, has no [`DeliveredExports::contradiction`].
    pub fn parse_complete_list_in_broken_body(body: &[u8]) -> Option<Self> {
        let list = find_export_entries_and_closed_list(body).1?;
        let list: Vec<Value> = serde_json::from_slice(&body[list]).ok()?;
        let (exports, unusable_entries) = parse_export_list(&list);
        let contradiction = match serde_json::from_slice::<IgnoredAny>(body) {
            Err(error) if !error.is_eof() => {
                Some(SpecViolation::new("", "a JSON object", "other content around the list of URLs"))
            }
            _ => None,
        };
        (!exports.is_empty()).then_some(Self { exports, unusable_entries, contradiction })
    }

    /// Parses the exports of a truncated response body whose URLs are complete, also in an entry that is cut off or is not
    /// valid JSON. Their URLs may be relative to `base`, the URL of the call, if it is known. Returns `None` if there are none.
    ///
    /// [`DeliveredExports::unusable_entries`] always has an entry that says that the body is truncated, so the result is never
    /// mistaken for a complete delivery.
    pub fn delivery_from_truncated_body(body: &[u8], base: Option<&Url>) -> Option<Self> {
        let (mut exports, mut unusable) = (Vec::new(), Vec::new());
        for (index, entry) in find_export_entries_and_closed_list(body).0.into_iter().enumerate() {
            let at = format!("payload_complete[{index}]");
            let is_cut_off = entry.end == body.len() && !body.ends_with(b"}");
            let bytes = &body[entry];
            let read = serde_json::from_slice::<Value>(bytes)
                .map_err(|_| SpecViolation::new(&at, "an object", "invalid JSON"))
                .and_then(|entry| parse_export_with_relative_url(&entry, &at, base));
            match read.or_else(|mismatch| find_export_in_damaged_entry(bytes, base).ok_or(mismatch)) {
                Ok(export) => exports.push(export),
                // The body is marked as truncated.
                Err(_) if is_cut_off => {}
                Err(mismatch) => unusable.push(mismatch),
            }
        }
        if exports.is_empty() {
            return None;
        }
        unusable.push(truncation_violation(exports.len()));
        Some(Self { exports, unusable_entries: unusable, contradiction: None })
    }

    /// Adds the exports of this truncated delivery to those of an earlier truncated response for the same Export Token. The
    /// earlier ones come first, and each URL is there once. Returns `earlier` itself if this delivery names no other URL.
    #[must_use]
    pub fn merged_behind_earlier_truncated_delivery(mut self, earlier: &Self) -> Self {
        let is_new =
            |export: &DownloadableExport| earlier.exports.iter().all(|known| known.download_url != export.download_url);
        self.exports.retain(is_new);
        if self.exports.is_empty() {
            return earlier.clone();
        }
        let exports = [earlier.exports.as_slice(), &self.exports].concat();
        // The last entry of a truncated delivery says so.
        self.unusable_entries.pop();
        self.unusable_entries.push(truncation_violation(exports.len()));
        Self { exports, ..self }
    }
}

/// The violation that marks a delivery as truncated, of which `count` exports were received.
pub(crate) fn truncation_violation(count: usize) -> SpecViolation {
    SpecViolation::new("", "a complete JSON object", format!("only a beginning with {count} exports"))
}

/// Parses a complete entry, whose URL may be relative to `base`.
fn parse_export_with_relative_url(
    entry: &Value,
    at: &str,
    base: Option<&Url>,
) -> Result<DownloadableExport, SpecViolation> {
    parse_export(entry, at).or_else(|mismatch| {
        let text = |name| entry.get(name).and_then(Value::as_str);
        let url = text("download_URL").zip(base).and_then(|(url, base)| resolve_relative_url(url, base));
        let export_type = ExportType::new(text("export_type").unwrap_or_default());
        url.map(|download_url| DownloadableExport { download_url, export_type }).ok_or(mismatch)
    })
}

/// The export of an entry that is cut off or is not valid JSON, if its URL is complete.
fn find_export_in_damaged_entry(entry: &[u8], base: Option<&Url>) -> Option<DownloadableExport> {
    let url = find_text_member(entry, b"download_URL")?;
    let download_url = DownloadUrl::new(&url).or_else(|| resolve_relative_url(&url, base?))?;
    let export_type = find_text_member(entry, b"export_type").unwrap_or_else(|| file_extension_of_url(&download_url));
    Some(DownloadableExport { download_url, export_type: ExportType::new(export_type) })
}

/// The extension of the file that a URL names, as in `glb`. Empty if it has none.
pub(crate) fn file_extension_of_url(url: &DownloadUrl) -> String {
    let url = Url::parse(url.expose_url()).ok();
    let file = url.as_ref().and_then(|url| url.path_segments()?.next_back()).unwrap_or_default();
    match file.rsplit_once('.') {
        Some((_, extension)) if extension.bytes().all(|byte| byte.is_ascii_alphanumeric()) => extension.to_owned(),
        _ => String::new(),
    }
}

/// The complete text of the member `name` of the object that begins with these bytes.
fn find_text_member(object: &[u8], name: &[u8]) -> Option<String> {
    let (mut depth, mut at) = (0_usize, 0);
    while at < object.len() {
        match object[at] {
            b'"' => {
                let end = find_string_end(object, at)?;
                let behind = object[end + 1..].trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
                if let Some(value @ [b'"', ..]) = behind
                    && depth == 1
                    && object[at + 1..end] == *name
                {
                    return serde_json::from_slice(&value[..=find_string_end(value, 0)?]).ok();
                }
                at = end;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Byte ranges of the objects in the list `payload_complete` of the outermost object, of which the last one may be cut off,
/// and of the list itself if it is closed.
fn find_export_entries_and_closed_list(body: &[u8]) -> (Vec<Range<usize>>, Option<Range<usize>>) {
    let (mut entries, mut list) = (Vec::new(), None);
    let (mut depth, mut in_list, mut began) = (0_usize, false, None);
    let mut list_began = 0;
    // The last string at depth 1. If a `[` follows, it is the name of that list.
    let mut name: &[u8] = b"";
    let mut at = 0;
    while at < body.len() {
        match body[at] {
            b'"' => {
                let Some(end) = find_string_end(body, at) else { break };
                if depth == 1 {
                    name = &body[at + 1..end];
                }
                at = end;
            }
            opening @ (b'{' | b'[') => {
                if depth == 1 {
                    in_list = opening == b'[' && name == b"payload_complete";
                    list_began = at;
                }
                if depth == 2 && in_list && opening == b'{' {
                    began = Some(at);
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 2
                    && let Some(began) = began.take()
                {
                    entries.push(began..at + 1);
                }
                if in_list && depth == 1 {
                    list = Some(list_began..at + 1);
                }
                in_list &= depth >= 2;
            }
            _ => {}
        }
        at += 1;
    }
    entries.extend(began.map(|began| began..body.len()));
    (entries, list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedeemResponse;
    use proptest::prelude::*;

    const BODY: &str = r#"{"other": [{"download_URL": "https://a.test/0", "export_type": "no"}], "payload_complete": [
        {"export_type": "glb \"}]", "download_URL": "https://a.test/1", "more": {"of": ["it", {}]}},
        {"download_URL": "https://a.test/2"}, 7,
        {"download_URL": "ftp://a.test/3", "export_type": "png"},
        {"download_URL": "https://a.test/4", "export_type": "fbx"}], "avatar_ready": true}"#;

    fn urls(delivery: &DeliveredExports) -> Vec<&str> {
        delivery.exports.iter().map(|export| export.download_url.expose_url()).collect()
    }

    #[test]
    fn complete_entries_are_parsed_and_the_body_is_marked_as_truncated() {
        let Ok(RedeemResponse::Ready(whole)) = RedeemResponse::parse(BODY.as_bytes()) else { panic!("ready") };
        for end in 0..=BODY.len() {
            let Some(part) = DeliveredExports::delivery_from_truncated_body(&BODY.as_bytes()[..end], None) else {
                assert!(!BODY[..end].contains(r#""https://a.test/1""#), "{end}");
                continue;
            };
            let complete: Vec<_> =
                whole.exports[..part.exports.len()].iter().map(|export| &export.download_url).collect();
            assert_eq!(part.exports.iter().map(|export| &export.download_url).collect::<Vec<_>>(), complete, "{end}");
            assert!(!part.unusable_entries.is_empty(), "marked as truncated");
        }
        let all = DeliveredExports::delivery_from_truncated_body(BODY.as_bytes(), None).expect("three");
        assert_eq!(urls(&all), ["https://a.test/1", "https://a.test/2", "https://a.test/4"]);
    }

    #[test]
    fn a_list_that_is_closed_is_a_complete_delivery_whatever_surrounds_it() {
        let Ok(RedeemResponse::Ready(whole)) = RedeemResponse::parse(BODY.as_bytes()) else { panic!("ready") };
        let list_end = BODY.rfind(']').expect("a list") + 1;
        for end in 0..=BODY.len() {
            let read = DeliveredExports::parse_complete_list_in_broken_body(&BODY.as_bytes()[..end]);
            assert_eq!(read.is_some(), end >= list_end, "{end}");
            let Some(read) = read else { continue };
            assert_eq!((&read.exports, &read.unusable_entries), (&whole.exports, &whole.unusable_entries));
            assert_eq!(read.contradiction, None);
        }
        for (around, is_valid) in [
            (r#"{"size": 1e999, LIST}"#, true),
            (r#"{LIST, "name": "\ud800"}"#, true),
            ("{LIST} trailing", false),
            ("{LIST}}", false),
            ("\u{feff}{LIST}", false),
        ] {
            let body = around.replace("LIST", r#""payload_complete": [{"download_URL": "https://a.test/1"}]"#);
            let read = DeliveredExports::parse_complete_list_in_broken_body(body.as_bytes()).expect(&body);
            assert_eq!((urls(&read), read.contradiction.is_none()), (vec!["https://a.test/1"], is_valid), "{around}");
        }
        let broken = r#"{"payload_complete": [{"download_URL": "https://a.test/1"}, nonsense]}"#;
        assert_eq!(DeliveredExports::parse_complete_list_in_broken_body(broken.as_bytes()), None);
    }

    #[test]
    fn a_later_truncated_delivery_adds_its_urls_to_those_of_an_earlier_one() {
        let cut = |end: &str| {
            let body = &BODY.as_bytes()[..BODY.find(end).expect("in the body")];
            DeliveredExports::delivery_from_truncated_body(body, None).expect("exports")
        };
        let (longer, shorter) = (cut("7,"), cut(r#"{"download_URL": "https://a.test/2"}"#));
        assert_eq!(shorter.clone().merged_behind_earlier_truncated_delivery(&longer), longer);
        assert_eq!(longer.clone().merged_behind_earlier_truncated_delivery(&shorter), longer);
        let other = br#"{"payload_complete": [{"download_URL": "https://a.test/9"}"#;
        let other = DeliveredExports::delivery_from_truncated_body(other, None).expect("one");
        let merged = other.merged_behind_earlier_truncated_delivery(&longer);
        assert_eq!(urls(&merged), ["https://a.test/1", "https://a.test/2", "https://a.test/9"]);
        assert!(merged.unusable_entries[0].to_string().contains("3 exports"), "{:?}", merged.unusable_entries);
    }

    #[test]
    fn relative_urls_of_complete_entries_are_resolved() {
        let base = Url::parse("https://api.test/v1/redeemExportToken").expect("a URL");
        let body =
            br#"{"payload_complete": [{"export_type": "glb", "download_URL": "/f/1?s=a"}, {"download_URL": "N/A"},
            {"download_URL": "https://a.test/2"}, {"download_URL": "/f/3"#;
        let part = DeliveredExports::delivery_from_truncated_body(body, Some(&base)).expect("two");
        assert_eq!(urls(&part), ["https://api.test/f/1?s=a", "https://a.test/2"]);
        assert_eq!((part.exports[0].export_type.as_str(), part.unusable_entries.len()), ("glb", 2));
        let without_base = DeliveredExports::delivery_from_truncated_body(body, None).expect("one");
        assert_eq!(urls(&without_base), ["https://a.test/2"]);
    }

    #[test]
    fn a_body_without_a_complete_url_gives_none() {
        for body in [
            "",
            "{",
            "[[[",
            "}}}]]",
            "\"",
            r#"{"payload_complete": [{"download_URL": "https://a.test/1"#,
            r#"{"payload_complete": [{"of": {"download_URL": "https://a.test/1"}"#,
            r#"{"payload_complete": [{"download_URL", "https://a.test/1""#,
            r#"{"payload_incomplete": [{"download_URL": "https://a.test/1"}]}"#,
            r#"{"a": {"payload_complete": [{"download_URL": "https://a.test/1"}]}}"#,
            r#"[{"payload_complete": [{"download_URL": "https://a.test/1"}]}]"#,
        ] {
            assert_eq!(DeliveredExports::delivery_from_truncated_body(body.as_bytes(), None), None, "{body}");
        }
    }

    #[test]
    fn a_complete_url_is_used_although_its_entry_is_cut_off_or_damaged() {
        for (entry, export_type) in [
            (&br#"{"export_type": "glb", "download_URL": "https://a.test/1""#[..], "glb"),
            (br#"{"download_URL": "https:\/\/a.test\/1", "export_ty"#, ""),
            (br#"{"download_URL": "https://a.test/1/avatar.glb?sig=x.y""#, "glb"),
            (b"{\"name\": \"J\xf6rg\", \"download_URL\": \"https://a.test/1\", \"export_type\": \"glb\"}]}", "glb"),
            (br#"{"download_URL" : "https://a.test/1", "path": "C:\x", "export_type": "glb",}]"#, "glb"),
        ] {
            let body = [br#"{"payload_complete": ["#.as_slice(), entry].concat();
            let part = DeliveredExports::delivery_from_truncated_body(&body, None).expect("one");
            assert!(urls(&part)[0].starts_with("https://a.test/1"), "{part:?}");
            assert_eq!((part.exports.len(), part.exports[0].export_type.as_str()), (1, export_type));
        }
    }

    #[test]
    fn invalid_bytes_lose_only_the_entry_that_holds_them() {
        let damaged = [
            br#"{"payload_complete": [{"download_URL": "https://a.test/1"}, {"download_URL": ""#.as_slice(),
            b"\xff\xfe",
            br#""}, {"download_URL": "https://a.test/3"}, nonsense"#,
        ]
        .concat();
        let part = DeliveredExports::delivery_from_truncated_body(&damaged, None).expect("two");
        assert_eq!(urls(&part), ["https://a.test/1", "https://a.test/3"]);
        let deep = format!("{}{}", r#"{"payload_complete": ["#, "[".repeat(100_000));
        assert_eq!(DeliveredExports::delivery_from_truncated_body(deep.as_bytes(), None), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(body: Vec<u8>) {
            let _ = DeliveredExports::delivery_from_truncated_body(&body, None);
        }

        #[test]
        fn any_json_like_text_is_parsed_without_a_panic(body in "[\\[\\]{}\",:\\\\a ]{0,200}") {
            let _ = DeliveredExports::delivery_from_truncated_body(body.as_bytes(), None);
        }

        #[test]
        fn every_truncation_of_a_body_gives_a_prefix_of_its_exports(
            types in prop::collection::vec(".{0,8}", 1..6),
            cut in 0.0..=1.0_f64,
        ) {
            let list: Vec<_> = types
                .iter()
                .enumerate()
                .map(|(n, kind)| serde_json::json!({"export_type": kind, "download_URL": format!("https://a.test/{n}")}))
                .collect();
            let body = serde_json::json!({"avatar_ready": true, "payload_complete": list}).to_string();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index into a short text")]
            let end = (body.len() as f64 * cut) as usize;
            let read = DeliveredExports::delivery_from_truncated_body(&body.as_bytes()[..end], None).map_or_else(Vec::new, |part| part.exports);
            for (n, export) in read.iter().enumerate() {
                // The last entry may be cut off behind its URL.
                let is_cut = n + 1 == read.len() && export.export_type.as_str().is_empty();
                prop_assert!(is_cut || export.export_type.as_str() == types[n]);
            }
        }
    }
}
