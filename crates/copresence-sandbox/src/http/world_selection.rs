//! Selects the world that a request is for: by the prefix `/worlds/{id}` of its path, else by its REST API key, else the
//! main world.
//!
//! The prefix is needed where requests have no API key: for download URLs and the phone page. It is removed, so that all
//! routes are the same in every world.

use super::error::ErrorResponse;
use crate::sandbox::{Sandbox, WORLD_PATH_PREFIX};
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use copresence_protocol::headers::API_KEY_NAME;

/// Selects the world of a request, and removes its prefix from the path. An error is the response to the request.
pub(super) fn select_world_and_strip_prefix(main: &Sandbox, request: &mut Request) -> Result<Sandbox, Box<Response>> {
    let Some(rest) = request.uri().path().strip_prefix(WORLD_PATH_PREFIX) else {
        return Ok(find_world_by_api_key(main, request.headers()).unwrap_or_else(|| main.clone()));
    };
    let respond = |response: Response| Err(Box::new(response));
    let (id, path_in_world) = rest.split_once('/').map_or((rest, None), |(id, path)| (id, Some(path)));
    let Some(world) = main.find_and_renew_world_by_id(id) else {
        return respond(build_unknown_world_error().into_response());
    };
    let Some(path_in_world) = path_in_world else {
        // A relative link on a page needs the slash. Only the id of a world is part of the address: anything else may
        // lead to another host.
        return respond((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, format!("{id}/"))]).into_response());
    };
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let path_and_query = match format!("/{path_in_world}{query}").parse::<PathAndQuery>() {
        Ok(path_and_query) => path_and_query,
        Err(error) => return respond(ErrorResponse::invalid_request_error(error).into_response()),
    };
    // Scheme and authority stay: the host of the target is still to be checked.
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = Some(path_and_query);
    match Uri::from_parts(parts) {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => return respond(ErrorResponse::invalid_request_error(error).into_response()),
    }
    Ok(world)
}

/// The world with the API key of a request.
fn find_world_by_api_key(main: &Sandbox, headers: &HeaderMap) -> Option<Sandbox> {
    main.find_and_renew_world_by_api_key(headers.get(API_KEY_NAME)?.to_str().ok()?)
}

/// 404: no world has this id, or it has ended.
pub(super) fn build_unknown_world_error() -> ErrorResponse {
    ErrorResponse::not_found_error("there is no world with this id; it was deleted, or ended because nobody used it")
}
