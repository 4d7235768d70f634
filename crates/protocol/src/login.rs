//! The answer of the login request, whose shape is assumed and therefore configurable.

use crate::mismatch::{self, Mismatch};
use crate::progress::broken;
use crate::secret::SessionToken;
use serde_json::Value;

/// "Authenticate with the Copresence backend through an API request to receive a session token in response."
#[derive(Debug, Clone)]
pub struct LoginAnswer {
    /// For the header `X-Copresence-Session-Token`.
    pub session_token: SessionToken,
}

impl LoginAnswer {
    /// Reads the body; `pointer` (JSON Pointer) says where the session token stands: `/sessionToken` by default.
    pub fn read_at(body: &[u8], pointer: &str) -> Result<Self, Mismatch> {
        let value: Value = mismatch::read(body, "a JSON object")?;
        let path = pointer.trim_start_matches('/').replace('/', ".");
        let rule = "a string that can be the header X-Copresence-Session-Token";
        match value.pointer(pointer) {
            Some(Value::String(token)) if sendable(token) => {
                Ok(Self { session_token: SessionToken::new(token) })
            }
            Some(Value::String(_)) => Err(Mismatch::new(path, rule, "a string that cannot be one")),
            other => Err(broken("", &path, rule, other)),
        }
    }
}

fn sendable(token: &str) -> bool {
    !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())
}
