//! The response of `POST /generateExportToken`.

use crate::export_token::ExportToken;
use crate::mismatch::{self, Mismatch};
use crate::progress::broken;
use serde_json::Value;

/// Spec: "Generates an Export Token object … and returns the token's string as a response."
/// (POST /generateExportToken)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateAnswer {
    /// Spec: "Unique string identifier for an Export Token in the Copresence backend."
    pub token: ExportToken,
}

impl GenerateAnswer {
    /// Parses a body of the vendor's backend, which has the token in the field `token`.
    ///
    /// # Errors
    /// A [`SpecViolation`] if the body is not JSON or has no valid Export Token there.
    pub fn read(body: &[u8]) -> Result<Self, Mismatch> {
        Self::read_at(body, "/token")
    }

    /// Parses a body that has the token elsewhere, for example one of a partner's backend.
    ///
    /// `pointer` is a JSON Pointer (RFC 6901), for example `/data/exportToken`.
    ///
    /// # Errors
    /// A [`SpecViolation`] if the body is not JSON or has no valid Export Token at `pointer`.
    pub fn read_at(body: &[u8], pointer: &str) -> Result<Self, Mismatch> {
        let value: Value = mismatch::read(body, "a JSON object")?;
        let path = pointer.trim_start_matches('/').replace('/', ".");
        match value.pointer(pointer) {
            Some(Value::String(token)) => ExportToken::new(token.as_str())
                .map(|token| Self { token })
                .map_err(|m| Mismatch::new(path, m.rule(), m.found())),
            other => Err(broken("", &path, "a string (the Export Token)", other)),
        }
    }
}
