//! The HTTP API of a [`Sandbox`]: thin handlers.

mod ballast;
mod error;
mod faulty;
mod files;
mod guard;
mod index;
mod logged;
mod pages;
mod phone;
mod rate_limit;
mod tester;
mod vendor;

use crate::sandbox::Sandbox;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router, middleware};
use error::Refused;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

/// Maximum size of a request body, in bytes, except for the phone's picture.
const MAX_BODY: usize = 64 * 1024;

/// The router of the whole sandbox: served by [`crate::Server`], mounted in another router, or called by `oneshot`.
///
/// The client's address comes from [`axum::extract::ConnectInfo`]. Without it, the client counts as loopback. Serve the
/// router with connection information wherever other machines can reach it.
pub fn app(sandbox: Sandbox) -> Router {
    let (documented, api) = documented(&sandbox).split_for_parts();
    documented
        .merge(files::routes())
        .merge(phone::routes())
        .merge(index::routes())
        .merge(pages::static_routes())
        .route("/openapi.json", get(move || async move { Json(api) }))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(|_| {
            use axum::response::IntoResponse;
            Refused::internal("the sandbox failed to handle this request; see its log").into_response()
        }))
        .layer(middleware::from_fn_with_state(sandbox.clone(), faulty::strike))
        .layer(middleware::from_fn_with_state(sandbox.clone(), rate_limit::enforce_rate_limit))
        .layer(middleware::from_fn_with_state(sandbox.clone(), logged::log))
        .with_state(sandbox)
}

/// The OpenAPI 3.1 document of the vendor's and the testers' endpoints.
pub fn openapi() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Copresence Integration API (sandbox)")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A simulated Copresence backend. `vendor` is the Copresence Integration API as its page describes it, \
             with an assumed login and file server; `tester` controls the simulation.",
        ))
        .build();
    let mut api = vendor::routes().merge(files::documented()).merge(tester::routes()).into_openapi();
    api.merge(OpenApiBuilder::new().info(info.clone()).build());
    api.info = info;
    api
}

fn documented(sandbox: &Sandbox) -> OpenApiRouter<Sandbox> {
    let guarded =
        tester::routes().layer(middleware::from_fn_with_state(sandbox.clone(), guard::operator_only));
    let api = vendor::routes().layer(middleware::from_fn(no_head));
    OpenApiRouter::with_openapi(openapi()).merge(api).merge(guarded)
}

/// Refuses `HEAD`. axum would answer it with the handler of `GET`, which spends a token.
async fn no_head(request: axum::extract::Request, next: middleware::Next) -> Result<Response, Refused> {
    if request.method() == Method::HEAD { Err(Refused::method()) } else { Ok(next.run(request).await) }
}

async fn nothing_here(uri: Uri) -> Refused {
    let path: String = uri.path().chars().take(100).collect();
    Refused::new(StatusCode::NOT_FOUND, error::NO_SUCH_COMMAND, format!("there is no endpoint at {path}"))
}

async fn wrong_method() -> Refused {
    Refused::method()
}
