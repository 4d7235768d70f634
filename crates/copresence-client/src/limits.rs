//! Limits that apply to every call.

/// Maximum size of the response body of an API call, in bytes (1 MiB). Longer bodies are not read further, but for
/// [`MAX_REDEEM_BODY`].
pub const MAX_BODY: usize = 1024 * 1024;

/// Maximum number of bytes that are read of the response to a redeem (8 MiB), which may have the only URLs. Its strings of more
/// than [`MAX_STRING_OF_LARGE_BODY`] bytes, such as a picture, are emptied then, and the rest has at most [`MAX_BODY`].
pub const MAX_REDEEM_BODY: usize = 8 * MAX_BODY;

/// Longest string of a body that is longer than [`MAX_BODY`], in bytes. No URL is as long.
pub(crate) const MAX_STRING_OF_LARGE_BODY: usize = 64 * 1024;
