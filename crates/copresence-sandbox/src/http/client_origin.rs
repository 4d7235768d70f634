//! Who sent a request: a program on this machine, or possibly another machine.
//!
//! A proxy on this machine connects from the loopback address, on behalf of everybody. So requests count as those of
//! other machines if they have headers that proxies add, or if the public URL shows that there is a proxy. These headers
//! never make a request more trusted: their addresses are not believed.

use super::request_logging::client_address;
use crate::sandbox::Sandbox;
use axum::extract::Request;
use axum::http::HeaderMap;

/// Headers that proxies add to the requests that they forward, beside `X-Forwarded-…`.
const FORWARDING_HEADERS: [&str; 3] = ["forwarded", "x-real-ip", "via"];

/// Whether a program on this machine sent the request. A call within the process has no address and counts as such.
pub(super) fn is_from_this_machine(sandbox: &Sandbox, request: &Request) -> bool {
    client_address(request).is_none_or(|peer| peer.is_loopback())
        && !sandbox.may_be_behind_local_proxy()
        && !has_forwarding_header(request.headers())
}

/// Whether a proxy forwarded the request, according to its headers.
fn has_forwarding_header(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-forwarded") || FORWARDING_HEADERS.contains(&name.as_str()))
}
