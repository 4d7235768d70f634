//! The response of `POST /generateExportToken`.

use crate::export_token::ExportToken;
use crate::progress::field_violation;
use crate::spec_violation::{self, SpecViolation};
use serde_json::Value;

/// Spec: "Generates an Export Token object … and returns the token's string as a response."
/// (POST /generateExportToken)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateResponse {
    /// Spec: "Unique string identifier for an Export Token in the Copresence backend."
    pub token: ExportToken,
}

impl GenerateResponse {
    /// Parses a body of the vendor's backend, which has the token in the field `token`.
    ///
    /// # Errors
    /// A [`SpecViolation`] if the body is not JSON or has no valid Export Token there.
    pub fn parse(body: &[u8]) -> Result<Self, SpecViolation> {
        Self::parse_token_at_pointer(body, "/token")
    }

    /// Parses a body that has the token elsewhere, for example one of a partner's backend.
    ///
    /// `pointer` is a JSON Pointer (RFC 6901), for example `/data/exportToken`.
    ///
    /// # Errors
    /// A [`SpecViolation`] if the body is not JSON or has no valid Export Token at `pointer`.
    pub fn parse_token_at_pointer(body: &[u8], pointer: &str) -> Result<Self, SpecViolation> {
        let value: Value = spec_violation::parse_json(body, "a JSON object")?;
        let path = pointer.trim_start_matches('/').replace('/', ".");
        match value.pointer(pointer) {
            Some(Value::String(token)) => ExportToken::new(token.as_str())
                .map(|token| Self { token })
                .map_err(|m| SpecViolation::new(path, m.expected(), m.found())),
            other => Err(field_violation("", &path, "a string (the Export Token)", other)),
        }
    }
}
