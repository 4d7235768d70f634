//! The host that a request names, in its target or its `Host` header.

use axum::extract::Request;
use axum::http::header;
use axum::http::uri::Authority;

/// Why a request does not name one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestHostError {
    #[error("it has more than one Host header")]
    SeveralHeaders,
    #[error("its Host header is not a host name or address with an optional port")]
    NoAuthority,
    #[error("its target names another host than its Host header")]
    OtherTarget,
}

/// The host and port that a request names; `None` if it names none, as requests in HTTP/1.0 may. Requests that do not
/// name one host are refused, because different programs would take them for requests to different hosts.
///
/// # Errors
/// It names several hosts, or something else than a host.
pub(super) fn requested_host(request: &Request) -> Result<Option<Authority>, RequestHostError> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let (first, second) = (headers.next(), headers.next());
    if second.is_some() {
        return Err(RequestHostError::SeveralHeaders);
    }
    let named = first.map(|host| Authority::try_from(host.as_bytes())).transpose();
    let named = named.map_err(|_| RequestHostError::NoAuthority)?;
    let target = request.uri().authority().cloned();
    if [&named, &target].into_iter().flatten().any(|host| host.as_str().contains('@')) {
        return Err(RequestHostError::NoAuthority);
    }
    match (target, named) {
        (Some(target), Some(named)) if target != named => Err(RequestHostError::OtherTarget),
        (target, named) => Ok(target.or(named)),
    }
}
