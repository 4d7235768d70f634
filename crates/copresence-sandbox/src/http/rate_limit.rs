//! Refuses requests beyond the rate limit with 429.

use super::client_origin::is_from_this_machine;
use super::error::{COMMAND_UNAVAILABLE, ErrorResponse};
use super::request_logging::client_address;
use crate::sandbox::Sandbox;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Counts a request; the error is a 429 with `Retry-After` for clients beyond the rate limit. Programs on this machine
/// have none. All clients of a proxy on this machine count as one.
#[expect(clippy::result_large_err, reason = "the response is sent at once")]
pub(super) fn count_request_against_rate_limit(sandbox: &Sandbox, request: &Request) -> Result<(), Response> {
    let denied = client_address(request)
        .filter(|_| !is_from_this_machine(sandbox, request))
        .and_then(|address| sandbox.client_rate_limiter().count_request_against_limit(address).err());
    let Some(wait) = denied else { return Ok(()) };
    let error = "too many requests from this address; wait as long as the header Retry-After says";
    let mut response = ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, COMMAND_UNAVAILABLE, error).into_response();
    // Rounded up to whole seconds, at least one.
    let seconds = wait.as_millis().div_ceil(1_000).max(1);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    Err(response)
}
