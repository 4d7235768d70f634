//! The HTTP API of a [`Sandbox`]: thin handlers.

mod client_origin;
mod error;
mod fault_layer;
mod files;
mod glb_padding;
mod guard;
mod host;
mod index;
mod pages;
mod phone;
mod rate_limit;
mod request_body;
mod request_logging;
mod tester;
mod vendor;

use crate::openapi::ErrorResponseSchema;
use crate::sandbox::Sandbox;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router, middleware};
use error::ErrorResponse;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

/// Maximum size of a request body, in bytes, except for the phone's picture.
const MAX_BODY_BYTES: u32 = 64 * 1024;

/// The router of the whole sandbox: served by [`crate::Server`], mounted in another router, or called by `oneshot`.
///
/// The client's address comes from [`axum::extract::ConnectInfo`]. Without it, the client counts as a program on
/// this machine. Serve the router with connection information wherever other machines can reach it.
pub fn build_router(sandbox: Sandbox) -> Router {
    let (documented, api) = documented_routes(&sandbox).split_for_parts();
    documented
        .merge(files::routes())
        .merge(phone::routes())
        .merge(index::routes())
        .merge(pages::static_routes())
        .route("/openapi.json", get(move || async move { Json(api) }))
        .fallback(refuse_unknown_path)
        .method_not_allowed_fallback(refuse_unsupported_method)
        .layer(CatchPanicLayer::custom(|_| {
            use axum::response::IntoResponse;
            ErrorResponse::internal_error("the sandbox failed to handle this request; see its log").into_response()
        }))
        .layer(middleware::from_fn_with_state(sandbox.clone(), fault_layer::apply_faults))
        .layer(middleware::from_fn(host::refuse_ambiguous_host))
        .layer(middleware::from_fn_with_state(sandbox.clone(), rate_limit::enforce_rate_limit))
        .layer(middleware::from_fn_with_state(sandbox.clone(), request_logging::log_request))
        .with_state(sandbox)
}

/// The OpenAPI 3.1 document of the vendor's and the testers' endpoints.
pub fn openapi_document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Copresence Integration API (sandbox)")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A simulated Copresence backend. `vendor` is the Copresence Integration API as its page describes it, \
             with an assumed login and file server; `tester` controls the simulation.",
        ))
        .build();
    let mut api = vendor::routes().merge(files::routes_for_openapi_document()).merge(tester::routes()).into_openapi();
    api.merge(OpenApiBuilder::new().info(info.clone()).build());
    api.info = info;
    add_limit_responses(&mut api);
    api
}

/// Adds the responses of the limits on requests to every operation: 429, and for one with a body 408, 413 and 503.
/// An operation that documents one of these statuses itself keeps its own description.
fn add_limit_responses(api: &mut OpenApi) {
    let rate = [("429", "Too many requests from this address; the header `Retry-After` says how long to wait")];
    let body = [
        ("408", "The body did not arrive in time"),
        ("413", "The body is too large"),
        ("503", "Too many other bodies are received at the moment"),
    ];
    let operations = api.paths.paths.values_mut().flat_map(|path| {
        [&mut path.get, &mut path.put, &mut path.post, &mut path.delete].into_iter().filter_map(Option::as_mut)
    });
    for operation in operations {
        let limits = rate.into_iter().chain(body.into_iter().filter(|_| operation.request_body.is_some()));
        for (status, description) in limits {
            let schema = Ref::from_schema_name(ErrorResponseSchema::name());
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new().description(description).content("application/json", content).build();
            operation.responses.responses.entry(status.to_owned()).or_insert(response.into());
        }
    }
}

/// The vendor's and the testers' routes, which the OpenAPI document describes.
fn documented_routes(sandbox: &Sandbox) -> OpenApiRouter<Sandbox> {
    let guarded =
        tester::routes().layer(middleware::from_fn_with_state(sandbox.clone(), guard::require_local_or_operator));
    let api = vendor::routes().layer(middleware::from_fn(refuse_head));
    OpenApiRouter::with_openapi(openapi_document()).merge(api).merge(guarded)
}

/// Refuses `HEAD`. axum would answer it with the handler of `GET`, which spends a token.
async fn refuse_head(request: axum::extract::Request, next: middleware::Next) -> Result<Response, ErrorResponse> {
    if request.method() == Method::HEAD {
        Err(ErrorResponse::method_not_allowed_error())
    } else {
        Ok(next.run(request).await)
    }
}

/// Answers 404 to every path without a route.
async fn refuse_unknown_path(uri: Uri) -> ErrorResponse {
    let path: String = uri.path().chars().take(100).collect();
    ErrorResponse::new(StatusCode::NOT_FOUND, error::COMMAND_UNAVAILABLE, format!("there is no endpoint at {path}"))
}

/// Answers 405 to a method that the route does not have.
async fn refuse_unsupported_method() -> ErrorResponse {
    ErrorResponse::method_not_allowed_error()
}
