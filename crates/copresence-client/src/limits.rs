//! Limits that apply to every call.

/// Maximum size of the response body of an API call, in bytes (1 MiB). Longer bodies are not read further.
pub const MAX_BODY: usize = 1024 * 1024;
