//! The body of an error response, assumed to have the form that Parse Server uses.

use serde_json::Value;

/// The parsed body of an error response, as in `{"code": 209, "error": "invalid session token"}`. Every field is
/// optional, so parsing never fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The backend's error number, for example 209.
    pub code: Option<i64>,
    /// The backend's error message for an operator: one line, at most 200 characters.
    pub error: Option<String>,
}

impl ErrorBody {
    /// Parses a body. Fields that are absent or have another type are `None`.
    pub fn parse(body: &[u8]) -> Self {
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let code = object.get("code").and_then(Value::as_i64);
        let text = ["error", "message"].iter().find_map(|key| object.get(*key)?.as_str());
        Self { code, error: text.map(sanitize_line) }
    }
}

/// Makes untrusted text safe for a terminal: one line, no control characters, at most 200 characters.
fn sanitize_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_is_sanitized_and_other_bodies_parse_as_empty() {
        let body = ErrorBody::parse(br#"{"code":209,"error":"bad\n\u001b[31msession"}"#);
        assert_eq!(body.code, Some(209));
        assert_eq!(body.error.as_deref(), Some("bad [31msession"));
        assert_eq!(ErrorBody::parse(b"<html>"), ErrorBody::default());
    }
}
