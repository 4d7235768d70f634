//! The HTTP service of a sandbox: what happens to a request before and after its route.
//!
//! These are no layers of a router, because axum copies every layer of a route for each request.

use super::error::ErrorResponse;
use super::request_logging::{PendingLogLine, UnsentResponseMarker};
use super::route_call::call_route;
use super::{fault_layer, host, rate_limit, replay_layer, request_logging, world_selection};
use crate::sandbox::Sandbox;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router, http};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use tower::Service;

/// Answers the requests to all worlds of a sandbox.
#[derive(Clone)]
pub(crate) struct SandboxService {
    main_world: Sandbox,
    routes: Router,
}

impl SandboxService {
    /// A service that answers with these routes.
    pub(super) fn new(main_world: Sandbox, routes: Router) -> Self {
        Self { main_world, routes }
    }
}

impl<B> Service<http::Request<B>> for SandboxService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Selects the world of a request, and answers the request there.
    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut request = request.map(Body::new);
        let (sandbox, refusal) = match world_selection::select_world_and_strip_prefix(&self.main_world, &mut request) {
            Ok(sandbox) => (sandbox, None),
            // Logged and counted by the main world.
            Err(response) => (self.main_world.clone(), Some(response)),
        };
        Box::pin(answer_request(sandbox, refusal, self.routes.clone(), request).map(Ok))
    }
}

/// Answers a request to a world: logs it, refuses it beyond the rate limit or with an ambiguous host, applies faults, and
/// calls its route. `no_world`: the response if no world was selected.
async fn answer_request(
    sandbox: Sandbox,
    no_world: Option<Box<Response>>,
    routes: Router,
    mut request: Request,
) -> Response {
    let mut pending_line = request_logging::begin_log_line(&sandbox, &request);
    let response = if let Some(refusal) = count_request_and_find_refusal(&sandbox, &request) {
        refusal
    } else if let Some(response) = no_world {
        *response
    } else {
        request.extensions_mut().insert(sandbox.clone());
        if sandbox.has_active_or_scenario_faults() {
            // On the heap: the future is large, and most requests have no fault.
            Box::pin(answer_with_faults(&sandbox, routes, request, pending_line.as_mut())).await
        } else {
            answer_by_recording_or_route(&sandbox, routes, request).await
        }
    };
    if let Some(line) = &mut pending_line
        && response.extensions().get::<UnsentResponseMarker>().is_none()
    {
        line.status = response.status().as_u16();
    }
    response
}

/// Counts a request against the rate limit. Returns the refusal of one beyond it or with an ambiguous host,
/// else `None`.
fn count_request_and_find_refusal(sandbox: &Sandbox, request: &Request) -> Option<Response> {
    if let Err(refusal) = rate_limit::count_request_against_rate_limit(sandbox, request) {
        return Some(refusal);
    }
    host::requested_host(request).err().map(|error| ErrorResponse::invalid_request_error(error).into_response())
}

/// Answers a request with the faults that apply to it.
async fn answer_with_faults(
    sandbox: &Sandbox,
    routes: Router,
    request: Request,
    pending_line: Option<&mut PendingLogLine>,
) -> Response {
    let call_route = async |request| answer_by_recording_or_route(sandbox, routes, request).await;
    fault_layer::answer_request_with_faults(sandbox, request, pending_line, call_route).await
}

/// Answers a request as recorded if the world replays a recording, else by its route; with 500 if that panics.
///
/// This is no `async fn`, whose future would contain the request twice.
fn answer_by_recording_or_route(sandbox: &Sandbox, routes: Router, request: Request) -> impl Future<Output = Response> {
    let answered = match sandbox.replay_position() {
        Some(replay) => {
            Either::Left(replay_layer::replay_vendor_response_or_call_route(sandbox, replay, routes, request).boxed())
        }
        None => Either::Right(call_route(routes, request)),
    };
    AssertUnwindSafe(answered).catch_unwind().map(|answered| {
        answered.unwrap_or_else(|_| {
            ErrorResponse::internal_error("the sandbox failed to handle this request; see its log").into_response()
        })
    })
}
