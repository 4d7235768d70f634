//! What the phone page and the index page share: security headers, and the files under `/static/`.

use super::error::{ErrorResponse, NO_STORE};
use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Name, content type and content of each file under `/static/`.
const STATIC_FILES: [(&str, &str, &[u8]); 8] = [
    ("phone.js", JAVASCRIPT, include_bytes!("../../static/phone.js")),
    ("phone-crop.js", JAVASCRIPT, include_bytes!("../../static/phone-crop.js")),
    ("phone.css", CSS, include_bytes!("../../static/phone.css")),
    ("index.js", JAVASCRIPT, include_bytes!("../../static/index.js")),
    ("index.css", CSS, include_bytes!("../../static/index.css")),
    ("icon.svg", SVG, include_bytes!("../../static/icon.svg")),
    ("tickets.svg", SVG, include_bytes!("../../static/tickets.svg")),
    // The Latin letters of the typeface of the screens, with all weights. Its licence: `static/mona-sans-LICENSE.txt`.
    ("mona-sans.woff2", "font/woff2", include_bytes!("../../static/mona-sans.woff2")),
];

/// The Content-Security-Policy of the sandbox's pages: own scripts, styles, pictures and fonts, no framing.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// The route of the built-in static files.
pub(super) fn build_static_file_routes() -> Router {
    Router::new().route("/static/{file}", get(serve_static_file))
}

/// Serves a built-in static file; 404 if there is none with this name.
async fn serve_static_file(Path(file): Path<String>) -> Result<Response, ErrorResponse> {
    let found = STATIC_FILES.iter().find(|(name, ..)| *name == file);
    let (_, content_type, content) = found.ok_or_else(|| ErrorResponse::not_found_error("there is no such file"))?;
    Ok(response_with_type_and_caching(content_type, "no-cache", Body::from(*content)))
}

/// A response with its content type and `Cache-Control`.
pub(super) fn response_with_type_and_caching(content_type: &'static str, cache: &'static str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, body).into_response()
}

/// Renders an HTML page with security headers; 500 if the template fails, which is a bug.
pub(super) fn render_page(status: StatusCode, page: &impl Template) -> Response {
    let body = match page.render() {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            return ErrorResponse::internal_error("the page cannot be rendered").into_response();
        }
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The URL contains the Export Token.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
