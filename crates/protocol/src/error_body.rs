//! What stands in the body of an answer that is an error: assumed to be Parse Server's form.

use serde_json::Value;

/// `{"code": 209, "error": "invalid session token"}`, read as far as it is there. Never an error itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The backend's own code.
    pub code: Option<i64>,
    /// The backend's own sentence: one line, at most 200 characters, for an operator.
    pub error: Option<String>,
}

impl ErrorBody {
    /// Reads what it can of a body.
    pub fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let code = object.get("code").and_then(Value::as_i64);
        let text = ["error", "message"].iter().find_map(|key| object.get(*key)?.as_str());
        Self { code, error: text.map(one_line) }
    }
}

/// A stranger's text for a terminal: no control characters, one line, bounded.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_tamed_and_anything_else_is_nothing() {
        let body = ErrorBody::read(br#"{"code":209,"error":"bad\n\u001b[31msession"}"#);
        assert_eq!(body.code, Some(209));
        assert_eq!(body.error.as_deref(), Some("bad [31msession"));
        assert_eq!(ErrorBody::read(b"<html>"), ErrorBody::default());
    }
}
