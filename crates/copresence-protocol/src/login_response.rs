//! The response of the login request. The specification does not define it, so its form is configurable.

use crate::progress::field_violation;
use crate::secret::SessionToken;
use crate::spec_violation::{self, SpecViolation};
use serde_json::Value;

/// Spec: "Authenticate with the Copresence backend through an API request to receive a session token in response."
#[derive(Debug, Clone)]
pub struct LoginResponse {
    /// Value for the header `X-Copresence-Session-Token`.
    pub session_token: SessionToken,
}

impl LoginResponse {
    /// Parses a body that has the session token at `pointer`, a JSON Pointer (RFC 6901) such as `/sessionToken`.
    ///
    /// # Errors
    /// A [`SpecViolation`] if the body is not JSON or has no string there that is a valid header value.
    pub fn parse_session_at_pointer(body: &[u8], pointer: &str) -> Result<Self, SpecViolation> {
        let value: Value = spec_violation::parse_json(body, "a JSON object")?;
        let path = pointer.trim_start_matches('/').replace('/', ".");
        let expected = "a string that can be sent as the header X-Copresence-Session-Token";
        match value.pointer(pointer) {
            Some(Value::String(token)) if is_valid_header_token(token) => {
                Ok(Self { session_token: SessionToken::new(token) })
            }
            Some(Value::String(_)) => Err(SpecViolation::new(path, expected, "another string")),
            other => Err(field_violation("", &path, expected, other)),
        }
    }
}

/// Whether a token can be sent as a header value: not empty, visible ASCII only.
fn is_valid_header_token(token: &str) -> bool {
    !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())
}
