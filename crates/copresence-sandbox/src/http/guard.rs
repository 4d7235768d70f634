//! Restricts `/sandbox/…` to programs on this machine and holders of the operator key.
//!
//! A browser on this machine is such a program, whatever page it shows. So a request of this machine without the key must
//! name this machine in its `Host` header (against DNS rebinding), and must not come from another site.

use super::client_origin::is_from_this_machine;
use super::error::{ErrorResponse, OPERATION_FORBIDDEN};
use super::host::requested_host;
use crate::network::is_loopback_url;
use crate::sandbox::Sandbox;
use crate::settings::OPERATOR_KEY_HEADER;
use axum::Extension;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

/// Middleware: refuses requests without a valid operator key, unless a program on this machine sent them to this
/// machine's own name.
pub(super) async fn require_local_or_operator(
    Extension(sandbox): Extension<Sandbox>,
    request: Request,
    next: Next,
) -> Result<Response, ErrorResponse> {
    let headers = request.headers();
    let allowed = match headers.get(OPERATOR_KEY_HEADER) {
        // Pages of other sites cannot send this header: it needs a CORS preflight, which is never granted.
        Some(key) => key.to_str().is_ok_and(|key| sandbox.is_valid_operator_key(key)),
        None => {
            is_from_this_machine(&sandbox, &request)
                && requested_host(&request)
                    .is_ok_and(|host| has_local_host_and_origin(host.as_ref(), headers, sandbox.url_scheme()))
        }
    };
    if !allowed {
        let error = format!(
            "/sandbox/… accepts requests from its own machine (under a loopback name and not through a proxy), or with the \
             operator key that was printed at the start in the header {OPERATOR_KEY_HEADER}"
        );
        return Err(ErrorResponse::new(StatusCode::FORBIDDEN, OPERATION_FORBIDDEN, error));
    }
    Ok(next.run(request).await)
}

/// Whether the request names this machine as its host, and no other site's page sent it.
fn has_local_host_and_origin(host: Option<&Authority>, headers: &HeaderMap, scheme: &str) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let named = host.is_none_or(|host| Url::parse(&format!("http://{host}/")).is_ok_and(|u| is_loopback_url(&u)));
    let same_origin = text(header::ORIGIN.as_str())
        .is_none_or(|origin| host.is_some_and(|host| origin.eq_ignore_ascii_case(&format!("{scheme}://{host}"))));
    let same_site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    named && same_origin && same_site
}
