//! The middleware that refuses requests beyond the rate limit with 429.

use super::client_origin::is_from_this_machine;
use super::error::{COMMAND_UNAVAILABLE, ErrorResponse};
use super::request_logging::client_address;
use crate::sandbox::Sandbox;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Middleware: answers 429 with `Retry-After` to clients beyond the rate limit. Programs on this machine have none. All
/// clients of a proxy on this machine count as one.
pub(super) async fn enforce_rate_limit(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    let denied = client_address(&request)
        .filter(|_| !is_from_this_machine(&sandbox, &request))
        .and_then(|address| sandbox.client_rate_limiter().count_request_against_limit(address).err());
    let Some(wait) = denied else { return next.run(request).await };
    let error = "too many requests from this address; wait as long as the header Retry-After says";
    let mut response = ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, COMMAND_UNAVAILABLE, error).into_response();
    // Rounded up to whole seconds, at least one.
    let seconds = wait.as_millis().div_ceil(1_000).max(1);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}
