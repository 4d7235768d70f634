//! URLs of the endpoints.

use crate::setup_error::SetupError;
use url::Url;

/// Appends a path and an optional query to the base URL. The path of the base URL is kept.
pub(crate) fn join_endpoint(base: &Url, path: &str) -> Result<Url, SetupError> {
    let mut url = check_http_url_and_strip_fragment(base, "base URL")?;
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let whole = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&whole);
    url.set_query(query);
    Ok(url)
}

/// Checks that a URL can be called, and removes its fragment. `what` names it in the error.
pub(crate) fn check_http_url_and_strip_fragment(url: &Url, what: &'static str) -> Result<Url, SetupError> {
    let problem = |why| Err(SetupError::InvalidUrl { what, why });
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return problem("it must start with https:// or http:// and a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return problem("it contains a user name or password; store these in the keychain instead");
    }
    let mut url = url.clone();
    url.set_fragment(None);
    Ok(url)
}
