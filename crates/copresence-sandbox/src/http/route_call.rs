//! The call of a request's route, behind everything that the service does before it.

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt as _;
use tower::Service as _;

/// Calls the route of a request.
pub(super) fn call_route(mut routes: Router, request: Request) -> impl Future<Output = Response> {
    // A router is always ready.
    routes.call(request).map(|Ok(response)| response)
}
