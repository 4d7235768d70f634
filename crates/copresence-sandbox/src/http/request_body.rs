//! Reads request bodies within the limits of size, time and memory.
//!
//! Handlers take the [`Body`] and read it with [`receive_body`] after their checks, so that a request that is refused
//! costs neither memory nor time.

use super::error::{COMMAND_UNAVAILABLE, ErrorResponse};
use crate::sandbox::Sandbox;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use std::ops::Deref;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

/// A request body in memory, with its share of the memory for bodies.
pub(super) struct ReceivedBody {
    bytes: Bytes,
    _reservation: Option<OwnedSemaphorePermit>,
}

impl Deref for ReceivedBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Receives a body of at most `max_bytes` bytes.
///
/// # Errors
/// 413 if it is larger; 408 if it does not arrive in time; 503 if too many other bodies are in memory; 400 if the
/// connection fails.
pub(super) async fn receive_body(sandbox: &Sandbox, body: Body, max_bytes: u32) -> Result<ReceivedBody, ErrorResponse> {
    let limit = sandbox.resource_limits().body_time_limit;
    let deadline = Instant::now() + limit;
    // Without a Content-Length, the size is not known before the end.
    let declared = body.size_hint().upper().unwrap_or(max_bytes.into());
    let Some(reserved) = u32::try_from(declared).ok().filter(|declared| *declared <= max_bytes) else {
        let error = format!("the body is too large; at most {max_bytes} bytes are accepted");
        return Err(ErrorResponse::new(StatusCode::PAYLOAD_TOO_LARGE, super::error::INVALID_JSON, error));
    };
    let reservation =
        timeout_at(deadline, sandbox.upload_limiter().reserve_body_bytes(reserved)).await.map_err(|_| {
            let error = "the sandbox receives too many other bodies at the moment; try again later";
            ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, COMMAND_UNAVAILABLE, error)
        })?;
    let mut request = Request::new(body);
    DefaultBodyLimit::max(usize::try_from(max_bytes).unwrap_or(usize::MAX)).apply(&mut request);
    let bytes = timeout_at(deadline, Bytes::from_request(request, &())).await.map_err(|_| {
        let error = format!("the body did not arrive within {} seconds; send it again", limit.as_secs_f32());
        ErrorResponse::new(StatusCode::REQUEST_TIMEOUT, COMMAND_UNAVAILABLE, error)
    })?;
    Ok(ReceivedBody { bytes: bytes?, _reservation: reservation })
}

/// Parses a JSON object. The error names the member.
///
/// # Errors
/// 400 if the text is not JSON, not an object (`serde` would read a list as one), or a member is invalid.
pub(super) fn parse_json_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, ErrorResponse> {
    if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(ErrorResponse::invalid_request_error("the body is not a JSON object, as in {\"paused\": true}"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let member = error.path().to_string();
        let place = if member == "." { String::new() } else { format!("`{member}`: ") };
        ErrorResponse::invalid_request_error(format!("{place}{}", error.inner()))
    })?;
    deserializer.end().map_err(ErrorResponse::invalid_request_error)?;
    Ok(parsed)
}
