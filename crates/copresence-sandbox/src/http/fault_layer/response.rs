//! Responses in place of the backend's, and changes to the head and JSON of a response.

use super::super::error::NO_STORE;
use crate::faults::{FieldReplacement, RetryAfter, change_json_field};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use copresence_protocol::response_body::ErrorResponseBody;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Maximum size of a JSON response that can be changed, in bytes.
const MAX_JSON_BYTES: usize = 16 * 1024 * 1024;

/// Maximum number of headers that faults and recordings set in a response.
const MAX_RESPONSE_HEADERS: usize = 20_000;

/// Builds the response of the effect `status`; without a given body, an error in the backend's form.
pub(super) fn status_response(
    code: u16,
    retry_after: Option<&RetryAfter>,
    headers: &BTreeMap<String, String>,
    body: Option<&str>,
) -> Response {
    let status = status_code_or_500(code);
    let bodyless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = match body {
        Some(body) => (status, body.to_owned()).into_response(),
        None if bodyless => status.into_response(),
        None => {
            let error = format!("a fault of the sandbox: status {code}");
            (status, Json(ErrorResponseBody { code: i64::from(code), error })).into_response()
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    if let Some(value) = retry_after.and_then(|after| HeaderValue::from_str(&after.retry_after_header_value()).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    insert_headers(response.headers_mut(), headers);
    response
}

/// An HTML error page, as a proxy or a captive portal sends it.
pub(super) fn error_page_response(code: u16) -> Response {
    let body = "<!doctype html>\n<html><head><title>Service unavailable</title></head>\n\
                <body><h1>Service unavailable</h1><p>A fault of the sandbox: an error page.</p></body></html>\n";
    let head = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (status_code_or_500(code), head, body).into_response()
}

/// A redirect to `to` with this status, which must not be cached.
pub(super) fn redirect_response(to: &str, code: u16) -> Response {
    let mut response = status_code_or_500(code).into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// Changes one field of a JSON response; leaves other responses as they are.
pub(super) async fn with_changed_field(
    response: Response,
    field: Option<&str>,
    becomes: Option<&FieldReplacement>,
    rng: &mut ChaCha8Rng,
) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_JSON_BYTES).await else {
        return Response::from_parts(head, Body::from_stream(super::body::immediately_failing_body()));
    };
    let Ok(mut json) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    change_json_field(&mut json, field, becomes, rng);
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(json.to_string()))
}

/// Sets the wanted headers of a response and removes the unwanted ones; without Content-Length, the body is sent
/// chunked.
pub(super) fn with_changed_headers(
    mut response: Response,
    wanted: &BTreeMap<String, String>,
    unwanted: &[String],
) -> Response {
    insert_headers(response.headers_mut(), wanted);
    for name in unwanted {
        response.headers_mut().remove(name.as_str());
        if name.eq_ignore_ascii_case(header::CONTENT_LENGTH.as_str()) {
            // For a body of known size, the header would be added again.
            let (head, body) = response.into_parts();
            response = Response::from_parts(head, Body::from_stream(body.into_data_stream()));
        }
    }
    response
}

/// Replaces the `ETag` by a random one, if there is one.
pub(super) fn with_changed_etag(mut response: Response, rng: &mut ChaCha8Rng) -> Response {
    if response.headers().contains_key(header::ETAG)
        && let Ok(another) = HeaderValue::from_str(&format!("\"{:032x}\"", rng.random::<u128>()))
    {
        response.headers_mut().insert(header::ETAG, another);
    }
    response
}

/// Inserts headers, and replaces those that exist. Leaves out those for which there is no room.
fn insert_headers(into: &mut HeaderMap, headers: &BTreeMap<String, String>) {
    for (name, value) in headers {
        if !has_room_for_header(into) {
            tracing::warn!(headers = headers.len(), "a fault sets too many headers; the last are left out");
            break;
        }
        // Both were checked when the list was set.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            into.insert(name, value);
        }
    }
}

/// Whether a response may get another header of a fault or a recording. [`HeaderMap`] panics beyond 24,576 names.
pub(in crate::http) fn has_room_for_header(headers: &HeaderMap) -> bool {
    headers.len() < MAX_RESPONSE_HEADERS
}

/// Converts a status code. Codes were validated when the list of faults was set, so that the fallback 500 does not
/// occur.
fn status_code_or_500(code: u16) -> http::StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_with_too_many_headers_sets_the_first_ones() {
        let headers: BTreeMap<_, _> = (0..40_000).map(|number| (format!("x-{number:05}"), "1".to_owned())).collect();
        let response = status_response(503, None, &headers, None);
        assert!(response.headers().contains_key("x-09999") && !response.headers().contains_key("x-39999"));
        let twice = with_changed_headers(response, &headers, &[]);
        assert_eq!(twice.status().as_u16(), 503);
    }
}
