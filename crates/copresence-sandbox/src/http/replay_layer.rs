//! Answers with the responses of a recorded run. It runs within the fault layer, so that faults can be
//! added to a replay.
//!
//! Requests with wrong credentials go to the routes, which refuse them. Each Export Token begins the recorded redeems
//! anew. A recorded delivery gets new URLs; the files behind them are generated, because archives do not contain them.

use super::error::{ErrorResponse, NO_STORE};
use super::fault_layer::body::with_cut_body;
use super::fault_layer::{has_room_for_header, reset_connection_instead_of_responding};
use super::route_call::call_route;
use super::vendor::{check_api_key, header_text};
use crate::connection::ConnectionControl;
use crate::faults::{BodyCutMethod, Endpoint};
use crate::replay::{RecordedResponseOrAbsence, ReplayPosition};
use crate::sandbox::Sandbox;
use crate::world::TokenNotActive;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use copresence_protocol::headers::{EXPORT_TOKEN_NAME, SESSION_TOKEN_NAME};
use serde_json::Value;
use std::time::Duration;

/// Answers a request to the vendor's endpoints as recorded, others by their routes.
pub(super) async fn replay_vendor_response_or_call_route(
    sandbox: &Sandbox,
    replay: &ReplayPosition,
    routes: Router,
    request: Request,
) -> Response {
    let endpoint = Endpoint::endpoint_of_request(request.method().as_str(), request.uri().path());
    let Some(endpoint) = endpoint.filter(|endpoint| has_valid_credentials(sandbox, *endpoint, request.headers()))
    else {
        return call_route(routes, request).await;
    };
    let recorded = match endpoint {
        Endpoint::Login | Endpoint::Generate => replay.next_login_or_generate_response(endpoint),
        Endpoint::Redeem => next_redeem_response(sandbox, replay, request.headers()),
        Endpoint::File => {
            let id = request.uri().path().split('/').nth(2).unwrap_or_default();
            let number = sandbox.with_locked_world(|world, _| world.count_download_request(id));
            number.and_then(|number| replay.recording().response_by_number(endpoint, number))
        }
    };
    let Some(recorded) = recorded else { return call_route(routes, request).await };
    let wait = recorded.wait.as_secs_f64() / sandbox.clock_state().speed;
    tokio::time::sleep(Duration::try_from_secs_f64(wait).unwrap_or_default()).await;
    let control = request.extensions().get::<ConnectionControl>().cloned();
    if recorded.status == 0 {
        return reset_connection_instead_of_responding(control.as_ref());
    }
    if endpoint == Endpoint::File && recorded.status < 300 {
        // The recorded bytes are not in the archive. A response that was cut is cut at the same place.
        let response = call_route(routes, request).await;
        if recorded.is_cut {
            return with_cut_body(response, recorded.body_size, BodyCutMethod::Reset, control);
        }
        return response;
    }
    let host = header_text(request.headers(), header::HOST);
    let body = match (recorded.is_cut, &recorded.body) {
        (false, Some(body)) => {
            let token = header_text(request.headers(), EXPORT_TOKEN_NAME).unwrap_or_default();
            match replace_masked_secrets(sandbox, endpoint, recorded.status, body, token, host) {
                Ok(renewed) => renewed,
                Err(refused) => return refused.into_response(),
            }
        }
        (_, body) => body.clone().unwrap_or_default(),
    };
    let cut_at = body.len() as u64;
    let response = build_replayed_response(recorded, body);
    if recorded.is_cut {
        return with_cut_body(response, cut_at, BodyCutMethod::Reset, control);
    }
    response
}

/// Whether the routes would not refuse the request for its credentials.
fn has_valid_credentials(sandbox: &Sandbox, endpoint: Endpoint, headers: &HeaderMap) -> bool {
    match endpoint {
        Endpoint::File => true,
        Endpoint::Login | Endpoint::Redeem => check_api_key(sandbox, headers).is_ok(),
        Endpoint::Generate => {
            check_api_key(sandbox, headers).is_ok()
                && header_text(headers, SESSION_TOKEN_NAME)
                    .is_some_and(|session| sandbox.is_known_session_token(session))
        }
    }
}

/// The next recorded response for an Export Token; after the last, the last one again. `None` for a token that is
/// unknown or spent.
fn next_redeem_response<'a>(
    sandbox: &Sandbox,
    replay: &'a ReplayPosition,
    headers: &HeaderMap,
) -> Option<&'a RecordedResponseOrAbsence> {
    let token = header_text(headers, EXPORT_TOKEN_NAME)?;
    let number = sandbox.with_locked_world(|world, now| world.count_replayed_redeem(token, now))?;
    let recording = replay.recording();
    recording
        .response_by_number(Endpoint::Redeem, number)
        .or_else(|| recording.last_response_of_endpoint(Endpoint::Redeem))
}

/// Replaces what is masked in a recorded body: the session token, the Export Token and the download URLs.
///
/// # Errors
/// There are too many Export Tokens, or the Export Token was spent since the recorded response was selected.
fn replace_masked_secrets(
    sandbox: &Sandbox,
    endpoint: Endpoint,
    status: u16,
    body: &str,
    token: &str,
    host: Option<&str>,
) -> Result<String, ErrorResponse> {
    let Ok(mut json) = serde_json::from_str::<Value>(body) else { return Ok(body.to_owned()) };
    if !(200..300).contains(&status) {
        return Ok(body.to_owned());
    }
    match endpoint {
        Endpoint::Login => {
            if let Some(session) = json.get_mut("sessionToken") {
                *session = sandbox.create_session_token().into();
            }
        }
        Endpoint::Generate => {
            if let Some(masked) = json.get_mut("token") {
                *masked = super::vendor::generate_token(sandbox)?.into();
            }
        }
        Endpoint::Redeem => {
            if let Some(files) = json.get_mut("payload_complete").and_then(Value::as_array_mut) {
                spend_token_and_renew_urls(sandbox, token, files, host)
                    .map_err(ErrorResponse::token_not_active_error)?;
            }
        }
        Endpoint::File => {}
    }
    Ok(json.to_string())
}

/// Spends the token, and gives each file of a recorded delivery a new URL.
///
/// # Errors
/// The token is not active: another request was answered with the delivery.
fn spend_token_and_renew_urls(
    sandbox: &Sandbox,
    token: &str,
    files: &mut [Value],
    host: Option<&str>,
) -> Result<(), TokenNotActive> {
    let types: Vec<String> =
        files.iter().map(|file| file["export_type"].as_str().unwrap_or("glb").to_owned()).collect();
    let offers = sandbox.with_locked_world(|world, now| world.spend_token_for_recorded_delivery(token, &types, now))?;
    let base = sandbox.base_url_for_client(host);
    for (file, offer) in files.iter_mut().zip(offers) {
        if let Some(url) = file.get_mut("download_URL").filter(|url| url.is_string()) {
            *url = format!("{base}/files/{}/{}", offer.id, offer.file).into();
        }
    }
    Ok(())
}

/// Builds a response with the recorded status and headers, and this body.
fn build_replayed_response(recorded: &RecordedResponseOrAbsence, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(recorded.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &recorded.headers {
        if !has_room_for_header(response.headers()) {
            tracing::warn!(
                headers = recorded.headers.len(),
                "a recorded response has too many headers; the last are left out"
            );
            break;
        }
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_response_with_too_many_headers_is_sent_with_the_first_ones() {
        let recorded = RecordedResponseOrAbsence {
            status: 503,
            headers: (0..40_000).map(|number| (format!("x-{number}"), "1".to_owned())).collect(),
            body: None,
            body_size: 0,
            is_cut: true,
            wait: Duration::ZERO,
        };
        let response = build_replayed_response(&recorded, "{}".to_owned());
        assert_eq!(response.status().as_u16(), 503);
        assert!(response.headers().contains_key("x-9999") && !response.headers().contains_key("x-39999"));
        let response = with_cut_body(response, 1, BodyCutMethod::Reset, None);
        assert_eq!(response.headers().get(header::CACHE_CONTROL), Some(&NO_STORE));
    }
}
