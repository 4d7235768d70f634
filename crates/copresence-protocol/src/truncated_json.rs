//! Completes JSON that was cut off, so that the values before the cut can be read.

/// Completes a JSON text that was cut off anywhere, so that every value that was received whole can be read. A string, a
/// number or a member without its end is left out. `None` if nothing was received whole.
///
/// The text is not checked: the result is valid JSON if the text is the beginning of one.
pub fn keep_whole_values_of_truncated_json(body: &[u8]) -> Option<Vec<u8>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut cut = None;
    find_cuts_and_closing_brackets(body, |end| cut = Some(end));
    let text = &body[..cut?];
    let open = find_cuts_and_closing_brackets(text, |_| {});
    Some(text.iter().chain(open.iter().rev()).copied().collect())
}

/// Replaces each string of more than `max` bytes in a JSON text by an empty one, such as a picture in Base64. An unfinished
/// string at the end is left out if it is as long.
pub fn empty_long_json_strings(body: &[u8], max: usize) -> Vec<u8> {
    let mut shortened = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let end = if body[at] == b'"' { find_string_end(body, at).map_or(body.len(), |end| end + 1) } else { at + 1 };
        match end - at {
            length if length <= max => shortened.extend_from_slice(&body[at..end]),
            _ if body[end - 1] == b'"' => shortened.extend_from_slice(b"\"\""),
            _ => {}
        }
        at = end;
    }
    shortened
}

/// The text of a JSON string whose end is cut off, from its opening quote on. `None` if it is no such string.
pub(crate) fn text_of_truncated_string(body: &[u8]) -> Option<String> {
    /// The longest escape is that of a pair of surrogates, in bytes.
    const LONGEST_ESCAPE: usize = 12;
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if !body.starts_with(b"\"") {
        return None;
    }
    // The cut may be within an escape or a character.
    (0..=LONGEST_ESCAPE.min(body.len())).find_map(|dropped| {
        let closed = [&body[..body.len() - dropped], b"\""].concat();
        serde_json::from_slice(&closed).ok()
    })
}

/// Scans a JSON text. Calls `can_end_at` with each index at which it can be cut so that only whole values are left. Returns
/// the brackets that close what is open at the end, the outermost first.
fn find_cuts_and_closing_brackets(text: &[u8], mut can_end_at: impl FnMut(usize)) -> Vec<u8> {
    let mut open = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => {
                let is_value = open.last() == Some(&b']') || text[..at].trim_ascii_end().ends_with(b":");
                let Some(end) = find_string_end(text, at) else { break };
                at = end;
                if is_value {
                    can_end_at(end + 1);
                }
            }
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' => {
                open.pop();
                can_end_at(at + 1);
            }
            b',' => can_end_at(at),
            _ => {}
        }
        at += 1;
    }
    open
}

/// Index of the closing quote of the string that starts at `start`.
pub(crate) fn find_string_end(body: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while at < body.len() {
        match body[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn closed(text: &str) -> Option<Value> {
        keep_whole_values_of_truncated_json(text.as_bytes())
            .map(|closed| serde_json::from_slice(&closed).expect("valid JSON"))
    }

    #[test]
    fn values_that_were_received_whole_are_read() {
        for (cut, whole) in [
            (r#"{"token":"abc"}"#, json!({"token": "abc"})),
            (r#"{"token":"abc""#, json!({"token": "abc"})),
            (r#"{"token" : "abc" , "na"#, json!({"token": "abc"})),
            (r#"{"token":"abc","name""#, json!({"token": "abc"})),
            (r#"{"token":"a\"b","n":12"#, json!({"token": "a\"b"})),
            (r#"{"a":[{"u":"x","t":"gl"#, json!({"a": [{"u": "x"}]})),
            (r#"{"a":["x","y"#, json!({"a": ["x"]})),
            (r#"{"a":{"b":[]"#, json!({"a": {"b": []}})),
            ("\u{feff}[1,2", json!([1])),
        ] {
            assert_eq!(closed(cut), Some(whole), "{cut}");
        }
        for nothing in ["", "{", r#"{"token""#, r#"{"token":"abc"#, "12", "[1"] {
            assert_eq!(keep_whole_values_of_truncated_json(nothing.as_bytes()), None, "{nothing}");
        }
    }

    #[test]
    fn long_strings_are_emptied_and_short_ones_kept() {
        let long = "A".repeat(100);
        let empty = |text: &str| String::from_utf8(empty_long_json_strings(text.as_bytes(), 50)).expect("UTF-8");
        let text = format!(r#"{{"preview":"{long}","more":["b\"{long}","x\"y"],"n":1}}"#);
        assert_eq!(empty(&text), r#"{"preview":"","more":["","x\"y"],"n":1}"#);
        assert_eq!(empty(&format!(r#"{{"a":1,"preview":"{long}"#)), r#"{"a":1,"preview":"#, "cut off");
        assert_eq!(empty(r#"{"a":"b"#), r#"{"a":"b"#);
        assert_eq!(empty(""), "");
    }

    #[test]
    fn a_string_that_is_cut_off_is_read_up_to_its_last_whole_character() {
        let text = r#""{\"a\":\"\ud83d\udc4b é\"}""#;
        for end in 1..text.len() {
            let read = text_of_truncated_string(&text.as_bytes()[..end]).expect("a string");
            assert!("{\"a\":\"👋 é\"}".starts_with(&read), "{end}: {read}");
        }
        assert_eq!(text_of_truncated_string(b"{\"a\""), None);
    }

    proptest! {
        #[test]
        fn every_beginning_of_an_object_is_closed_without_a_changed_string(
            members in prop::collection::btree_map("[a-z\"]{1,4}", ".{0,6}", 1..5),
            cut in 0.0..=1.0_f64,
        ) {
            let text = json!({ "list": [members.clone(), 7] }).to_string();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index into a short text")]
            let end = (text.len() as f64 * cut) as usize;
            let Some(closed) = keep_whole_values_of_truncated_json(&text.as_bytes()[..end]) else { return Ok(()) };
            let read: Value = serde_json::from_slice(&closed).expect("valid JSON");
            for (name, value) in read["list"][0].as_object().into_iter().flatten() {
                prop_assert_eq!(value.as_str(), members.get(name).map(String::as_str));
            }
        }

        #[test]
        fn any_bytes_are_closed_without_a_panic(body: Vec<u8>, text in "[\\[\\]{}\":,\\\\a ]{0,200}") {
            _ = keep_whole_values_of_truncated_json(&body);
            _ = text_of_truncated_string(&body);
            prop_assert!(empty_long_json_strings(&body, 9).len() <= body.len());
            _ = keep_whole_values_of_truncated_json(text.as_bytes());
        }
    }
}
