//! The answer of `POST /generateExportToken`.

use crate::export_token::ExportToken;
use crate::mismatch::{self, Mismatch};
use crate::progress::broken;
use serde_json::Value;

/// "Generates an Export Token object … and returns the token's string as a response."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateAnswer {
    /// "Unique string identifier for an Export Token in the Copresence backend."
    pub token: ExportToken,
}

impl GenerateAnswer {
    /// Reads the body of the vendor's backend: the token stands at `token`.
    pub fn read(body: &[u8]) -> Result<Self, Mismatch> {
        Self::read_at(body, "/token")
    }

    /// Reads the body of a backend (a partner's own) that puts the token elsewhere.
    ///
    /// `pointer` is a JSON Pointer (RFC 6901), as in `/data/exportToken`.
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
