//! Completes JSON that was cut off, so that the values before the cut can be read.

/// Completes a JSON text that was cut off anywhere, so that every value that was received whole can be read. A string, a
/// number or a member without its end is left out. `None` if nothing was received whole.
///
/// The text is not checked: the result is valid JSON if the text is the beginning of one.
pub fn close_truncated_json(body: &[u8]) -> Option<Vec<u8>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut cut = None;
    scan_structure(body, |end| cut = Some(end));
    let text = &body[..cut?];
    let open = scan_structure(text, |_| {});
    Some(text.iter().chain(open.iter().rev()).copied().collect())
}

/// Scans a JSON text. Calls `can_end_at` with each index at which it can be cut so that only whole values are left. Returns
/// the brackets that close what is open at the end, the outermost first.
fn scan_structure(text: &[u8], mut can_end_at: impl FnMut(usize)) -> Vec<u8> {
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
        close_truncated_json(text.as_bytes()).map(|closed| serde_json::from_slice(&closed).expect("valid JSON"))
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
            assert_eq!(close_truncated_json(nothing.as_bytes()), None, "{nothing}");
        }
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
            let Some(closed) = close_truncated_json(&text.as_bytes()[..end]) else { return Ok(()) };
            let read: Value = serde_json::from_slice(&closed).expect("valid JSON");
            for (name, value) in read["list"][0].as_object().into_iter().flatten() {
                prop_assert_eq!(value.as_str(), members.get(name).map(String::as_str));
            }
        }

        #[test]
        fn any_bytes_are_closed_without_a_panic(body: Vec<u8>, text in "[\\[\\]{}\":,\\\\a ]{0,200}") {
            _ = close_truncated_json(&body);
            _ = close_truncated_json(text.as_bytes());
        }
    }
}
