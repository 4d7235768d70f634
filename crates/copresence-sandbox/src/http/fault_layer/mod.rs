//! Applies faults. This runs between request log and routes, so that handlers do not know of it.

pub(super) mod body;
mod response;

pub(super) use response::has_room_for_header;

use super::request_logging::{PendingLogLine, UnsentResponseMarker};
use crate::connection::ConnectionControl;
use crate::faults::{Effect, Endpoint, RequestAttributes, SelectedFault, draw_delay_ms};
use crate::sandbox::Sandbox;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use copresence_protocol::headers::EXPORT_TOKEN_NAME;
use rand_chacha::ChaCha8Rng;
use std::future::pending;
use std::time::Duration;

/// Selects the faults for a request, and applies them before and after the backend, which is `call_backend`. Their names
/// are noted in the request's log line.
pub(super) async fn answer_request_with_faults(
    sandbox: &Sandbox,
    mut request: Request,
    log_line: Option<&mut PendingLogLine>,
    call_backend: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let mut applied_faults = count_request_and_select_faults(sandbox, &request);
    if applied_faults.is_empty() {
        return call_backend(request).await;
    }
    if let Some(line) = log_line {
        line.applied_faults = applied_faults.iter().map(|applied| applied.fault.effect.effect_name()).collect();
    }
    let control = request.extensions().get::<ConnectionControl>().cloned();
    let mut early_response = None;
    for applied in &mut applied_faults {
        if early_response.is_none() {
            early_response = apply_fault_before_backend(applied, &mut request, control.as_ref()).await;
        }
    }
    let mut response = match early_response {
        Some(response) => response,
        None => call_backend(request).await,
    };
    for applied in applied_faults {
        response = apply_fault_after_backend(applied, response, control.as_ref()).await;
    }
    response
}

/// Determines the attributes of a request, counts it, and returns the faults to apply. Empty if no fault can apply
/// to its endpoint.
fn count_request_and_select_faults(sandbox: &Sandbox, request: &Request) -> Vec<SelectedFault> {
    let path = request.uri().path();
    let Some(on) = Endpoint::endpoint_of_request(request.method().as_str(), path) else { return Vec::new() };
    let mut parts = path.split('/').skip(2);
    let (id, file) = if on == Endpoint::File { (parts.next(), parts.next()) } else { (None, None) };
    let export_type = id.and_then(|id| sandbox.export_type_of_url(id));
    let ranged = request.headers().contains_key(header::RANGE);
    let token = request.headers().get(EXPORT_TOKEN_NAME).and_then(|value| value.to_str().ok());
    let ready = on == Endpoint::Redeem && token.is_some_and(|token| sandbox.is_token_ready(token));
    let attributes = RequestAttributes { endpoint: on, ready, file, export_type: export_type.as_deref(), ranged };
    sandbox.count_request_returning_its_faults(&attributes, token, id)
}

/// Applies a fault before the backend: a response in its place, a delay, or a changed request.
async fn apply_fault_before_backend(
    applied: &mut SelectedFault,
    request: &mut Request,
    control: Option<&ConnectionControl>,
) -> Option<Response> {
    let rng = &mut applied.rng;
    match &applied.fault.effect {
        Effect::Status { code, retry_after, headers, body, spends: false } => {
            Some(response::status_response(*code, retry_after.as_ref(), headers, body.as_deref()))
        }
        Effect::ErrorPage { code } => Some(response::error_page_response(*code)),
        Effect::Redirect { to, code, spends: false } => Some(response::redirect_response(to, *code)),
        Effect::Delay { ms, median_ms, sigma, spends: false } => {
            wait_fixed_or_drawn_delay(*ms, *median_ms, *sigma, rng).await;
            None
        }
        Effect::Hang { spends: false } => pending().await,
        Effect::Reset {} => Some(reset_connection_instead_of_responding(control)),
        Effect::IgnoreRange {} => {
            request.headers_mut().remove(header::RANGE);
            None
        }
        Effect::RefuseRange {} => {
            if request.headers().contains_key(header::RANGE) {
                set_request_header(request, header::RANGE, &format!("bytes={}-", u64::MAX - 1));
                request.headers_mut().remove(header::IF_RANGE);
            }
            None
        }
        Effect::WrongRange { by } => {
            let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
            if let Some((start, rest)) = range.and_then(parse_range_start_and_rest) {
                let moved = format!("bytes={}{rest}", start.saturating_add_signed(*by));
                set_request_header(request, header::RANGE, &moved);
            }
            None
        }
        Effect::ChangedEtag {} => {
            if request.headers().contains_key(header::IF_RANGE) {
                set_request_header(request, header::IF_RANGE, "\"of before\"");
            }
            None
        }
        _ => None,
    }
}

/// Applies a fault after the backend: changes, replaces or drops the response.
async fn apply_fault_after_backend(
    applied: SelectedFault,
    response: Response,
    control: Option<&ConnectionControl>,
) -> Response {
    let SelectedFault { fault, mut rng } = applied;
    match &fault.effect {
        Effect::Status { code, retry_after, headers, body, spends: true } => {
            body::read_and_discard_response(response).await;
            response::status_response(*code, retry_after.as_ref(), headers, body.as_deref())
        }
        Effect::Redirect { to, code, spends: true } => {
            body::read_and_discard_response(response).await;
            response::redirect_response(to, *code)
        }
        Effect::Delay { ms, median_ms, sigma, spends: true } => {
            wait_fixed_or_drawn_delay(*ms, *median_ms, *sigma, &mut rng).await;
            response
        }
        Effect::Hang { spends: true } => {
            body::read_and_discard_response(response).await;
            pending().await
        }
        Effect::ResetAfterSpending {} => {
            body::read_and_discard_response(response).await;
            reset_connection_instead_of_responding(control)
        }
        Effect::CutBody { after, by } => body::with_cut_body(response, *after, *by, control.cloned()),
        Effect::SlowBody { bytes_per_second } => body::with_slow_body(response, *bytes_per_second),
        Effect::WrongLength { by } => body::with_wrong_length(response, *by, control.cloned()),
        Effect::Huge {} => body::with_endless_filler(response),
        Effect::Garbage { bytes } => body::with_garbage_body(response, *bytes, rng).await,
        Effect::WrongShape { field, becomes } => {
            response::with_changed_field(response, field.as_deref(), becomes.as_ref(), &mut rng).await
        }
        Effect::Coded { coding, only_claimed } => body::with_real_or_claimed_encoding(response, coding, *only_claimed),
        Effect::Headers { set, remove } => response::with_changed_headers(response, set, remove),
        Effect::ChangedEtag {} => response::with_changed_etag(response, &mut rng),
        _ => response,
    }
}

/// Waits for the delay that the fault gives or that is drawn for it.
async fn wait_fixed_or_drawn_delay(ms: Option<u64>, median_ms: Option<u64>, sigma: Option<f64>, rng: &mut ChaCha8Rng) {
    tokio::time::sleep(Duration::from_millis(draw_delay_ms(ms, median_ms, sigma, rng))).await;
}

/// Sets a header of a request. A value that cannot be sent changes nothing.
fn set_request_header(request: &mut Request, name: header::HeaderName, value: &str) {
    // Numbers and fixed words are always valid header values.
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers_mut().insert(name, value);
    }
}

/// The start of a `Range` with one part, and the rest after it: `bytes=100-` gives 100 and `-`.
fn parse_range_start_and_rest(range: &str) -> Option<(u64, &str)> {
    let rest = range.strip_prefix("bytes=")?;
    let end = rest.find('-')?;
    Some((rest[..end].trim().parse().ok()?, &rest[end..]))
}

/// Requests a reset of the connection, and returns a response that is never sent. Without a connection, its body
/// fails.
pub(super) fn reset_connection_instead_of_responding(control: Option<&ConnectionControl>) -> Response {
    let mut response = if let Some(control) = control {
        control.request_immediate_reset();
        // Any response: writing it triggers the reset.
        Response::default()
    } else {
        // Called within the process, or served by another server: a body that fails is the nearest equivalent.
        Body::from_stream(body::immediately_failing_body()).into_response()
    };
    response.extensions_mut().insert(UnsentResponseMarker);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_start_is_parsed() {
        assert_eq!(parse_range_start_and_rest("bytes=100-"), Some((100, "-")));
        assert_eq!(parse_range_start_and_rest("bytes=0-99"), Some((0, "-99")));
        assert_eq!(parse_range_start_and_rest("bytes=-5"), None);
        assert_eq!(parse_range_start_and_rest("pages=1-2"), None);
    }
}
