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
mod replay_layer;
mod request_body;
mod request_logging;
mod route_call;
mod service;
mod tester;
mod vendor;
mod world_selection;
mod worlds;

use crate::openapi::ErrorResponseSchema;
use crate::sandbox::Sandbox;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri, header};
use axum::routing::get;
use axum::{Router, middleware};
use error::ErrorResponse;
use service::SandboxService;
use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

/// Maximum size of a request body, in bytes, except for the phone's picture.
const MAX_BODY_BYTES: u32 = 64 * 1024;

/// The router of the whole sandbox: mounted in another router, or called by `oneshot`. [`crate::Server`] serves the same.
///
/// The client's address comes from [`axum::extract::ConnectInfo`]. Without it, the client counts as a program on
/// this machine. Serve the router with connection information wherever other machines can reach it.
pub fn build_router(sandbox: Sandbox) -> Router {
    Router::new().fallback_service(build_service(sandbox))
}

/// Builds the service that answers all requests to a sandbox. It answers faster than the router of [`build_router`],
/// which contains it.
pub(crate) fn build_service(sandbox: Sandbox) -> SandboxService {
    let (documented, api) = build_documented_routes().split_for_parts();
    // Serialized once: anybody on the network may request it.
    let api = Bytes::from(serde_json::to_vec(&api).unwrap_or_default());
    let routes = documented
        .merge(files::routes())
        .merge(phone::routes())
        .merge(index::routes())
        .merge(pages::build_static_file_routes())
        .route("/openapi.json", get(move || async move { ([(header::CONTENT_TYPE, "application/json")], api) }))
        .fallback(refuse_unknown_path)
        .method_not_allowed_fallback(refuse_unsupported_method);
    SandboxService::new(sandbox, routes)
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
    let tester = tester::routes().merge(worlds::routes());
    let mut api = vendor::routes().merge(files::build_file_routes_for_openapi_document()).merge(tester).into_openapi();
    api.merge(OpenApiBuilder::new().info(info.clone()).build());
    api.info = info;
    add_common_responses_to_openapi(&mut api);
    api
}

/// Adds the responses that operations have in common: 429 to each, 403 to those for testers, and 408, 413 and 503 to one
/// with a body. An operation that documents one of these statuses itself keeps its own description.
fn add_common_responses_to_openapi(api: &mut OpenApi) {
    let guard = [("403", "The request is neither from this machine nor has the operator key")];
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
        let is_for_testers = operation.tags.iter().flatten().any(|tag| tag == "tester");
        let common = rate.into_iter().chain(guard.into_iter().filter(|_| is_for_testers));
        let common = common.chain(body.into_iter().filter(|_| operation.request_body.is_some()));
        for (status, description) in common {
            let schema = Ref::from_schema_name(ErrorResponseSchema::name());
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new().description(description).content("application/json", content).build();
            operation.responses.responses.entry(status.to_owned()).or_insert(response.into());
        }
    }
}

/// The vendor's and the testers' routes, which the OpenAPI document describes.
fn build_documented_routes() -> OpenApiRouter {
    let tester = tester::routes().merge(worlds::routes());
    let guarded = tester.layer(middleware::from_fn(guard::require_local_or_operator));
    OpenApiRouter::with_openapi(openapi_document()).merge(vendor::routes()).merge(guarded)
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
