//! Makes texts of strangers safe for a terminal: those of a backend, a file server, a proxy or a phone.

use copresence_client::is_invisible_character;
use std::fmt::Write as _;

/// Maximum characters of one printed line: text from a backend may be a megabyte long.
const LONGEST: usize = 4_000;

/// Makes text from a backend safe for one line of a terminal: a line end becomes a space, so that the text cannot make
/// a line of its own; control, bidirectional and invisible characters become U+FFFD; long text is cut.
pub fn sanitize_for_terminal(words: &str) -> String {
    let mut chars = words.trim_end_matches(['\r', '\n']).chars();
    let clean = |c: char| match c {
        '\n' => ' ',
        c if is_invisible_character(c) => '\u{fffd}',
        c => c,
    };
    let mut line: String = chars.by_ref().take(LONGEST).map(clean).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

/// Replaces characters that a terminal may act on by their JSON escapes. In JSON they occur in strings only.
pub fn escape_json_for_terminal(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_invisible_character(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_backend_cannot_control_or_flood_a_terminal() {
        assert_eq!(sanitize_for_terminal("a\u{1b}]0;x\u{7}b\u{9b}\u{202e}c █"), "a�]0;x�b��c █");
        assert_eq!(sanitize_for_terminal("x\nEnded (exit 0)\r\n"), "x Ended (exit 0)");
        for c in [
            '\r',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{2029}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
            '\u{ad}',
            '\u{3164}',
        ] {
            assert_eq!(sanitize_for_terminal(&format!("a{c}b")), "a�b", "{c:?}");
        }
        assert_eq!(sanitize_for_terminal(&"x".repeat(1 << 20)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn json_for_a_terminal_is_the_same_value_without_characters_that_it_may_act_on() {
        let value = serde_json::json!({"a\u{9b}": "x\u{7f}\u{202e}\u{e0041}\n\u{1b}é 🙂"});
        let line = escape_json_for_terminal(&value.to_string());
        assert_eq!(line, r#"{"a\u009b":"x\u007f\u202e\udb40\udc41\n\u001bé 🙂"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("JSON"), value);
    }
}
