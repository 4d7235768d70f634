//! Finds the end of a JSON object in a body that arrives in chunks.

/// Finds the end of a JSON object. Each byte is read once, so that a body in many chunks takes time in proportion to its
/// length. The syntax is not checked: a body with an end may be invalid.
#[derive(Debug, Default)]
pub(crate) struct JsonObjectEndFinder {
    position: Position,
    /// Number of objects and arrays that are open.
    depth: usize,
}

/// What the next byte of the body belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Position {
    #[default]
    BeforeObject,
    OutsideStrings,
    InString,
    AfterBackslash,
    AfterObject,
    /// The body is no object, or has something behind it.
    NotAnObject,
}

impl JsonObjectEndFinder {
    /// Reads the next chunk of the body.
    pub(crate) fn read_chunk(&mut self, chunk: &[u8]) {
        for byte in chunk {
            self.position = match (self.position, byte) {
                (Position::BeforeObject | Position::AfterObject, b' ' | b'\t' | b'\r' | b'\n') => self.position,
                (Position::BeforeObject, b'{') | (Position::OutsideStrings, b'{' | b'[') => {
                    self.depth += 1;
                    Position::OutsideStrings
                }
                (Position::OutsideStrings, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 { Position::AfterObject } else { Position::OutsideStrings }
                }
                (Position::InString, b'\\') => Position::AfterBackslash,
                (Position::OutsideStrings, b'"') | (Position::AfterBackslash, _) => Position::InString,
                (Position::OutsideStrings, _) | (Position::InString, b'"') => Position::OutsideStrings,
                (Position::InString, _) => Position::InString,
                (Position::BeforeObject | Position::AfterObject | Position::NotAnObject, _) => Position::NotAnObject,
            };
        }
    }

    /// Whether the body so far is an object with nothing but white space around it, if it is valid JSON.
    pub(crate) fn has_ended(&self) -> bool {
        self.position == Position::AfterObject
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn has_ended(body: &[u8]) -> bool {
        let mut finder = JsonObjectEndFinder::default();
        finder.read_chunk(body);
        finder.has_ended()
    }

    #[test]
    fn chunks_that_end_in_a_brace_are_not_taken_for_the_end() {
        let mut finder = JsonObjectEndFinder::default();
        finder.read_chunk(br#"{"list":[{}"#);
        for _ in 0..20_000 {
            finder.read_chunk(b",{}");
            assert!(!finder.has_ended(), "the whole body would be parsed");
        }
        finder.read_chunk(b"]");
        assert!(!finder.has_ended());
        finder.read_chunk(b"}");
        assert!(finder.has_ended());
        finder.read_chunk(b" \r\n");
        assert!(finder.has_ended());
        finder.read_chunk(b"{}");
        assert!(!finder.has_ended());
    }

    #[test]
    fn braces_in_strings_and_other_values_are_no_end() {
        for open in [
            r#"{"a":"}"#,
            r#"{"a":"\"}"#,
            r#"{"a":"\\\"}"#,
            "",
            "[]",
            "7",
            "x{}",
            "{}{}",
            "\u{feff}{}",
            r#"{"a":"\u007d"#,
        ] {
            assert!(!has_ended(open.as_bytes()), "{open}");
        }
        for ended in ["{}", " \n{} ", r#"{"a":"}"}"#, r#"{"a":"\\"}"#, r#"{"a":[{"b":{}}]}"#] {
            assert!(has_ended(ended.as_bytes()), "{ended}");
        }
    }

    proptest! {
        /// No valid object is overlooked.
        #[test]
        fn the_end_of_each_valid_object_is_found(body in r#"[ \n]?\{("a\\\\?"?:?[\[{]?[1"\\}\]]?,?){0,3}\}[ }]?"#) {
            let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&body).is_ok();
            prop_assert!(!is_object || has_ended(body.as_bytes()), "{body}");
        }
    }
}
