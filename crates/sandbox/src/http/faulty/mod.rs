//! The middleware that applies faults. It runs between request log and routes, so that handlers do not know of it.

mod answer;
mod body;

use super::logged::{Struck, Unseen};
use crate::faults::{Asked, Effect, Endpoint, Strike, delay_ms};
use crate::line::Line;
use crate::sandbox::Sandbox;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::headers::EXPORT_TOKEN;
use rand_chacha::ChaCha8Rng;
use std::future::pending;
use std::time::Duration;

pub(super) async fn strike(State(sandbox): State<Sandbox>, mut request: Request, next: Next) -> Response {
    let mut applied_faults = if sandbox.has_faults() { meets(&sandbox, &request) } else { Vec::new() };
    if applied_faults.is_empty() {
        return next.run(request).await;
    }
    if let Some(names) = request.extensions().get::<Struck>() {
        names.note(applied_faults.iter().map(|applied| applied.fault.effect.name()).collect());
    }
    let control = request.extensions().get::<Line>().cloned();
    let mut early_response = None;
    for applied in &mut applied_faults {
        if early_response.is_none() {
            early_response = before(applied, &mut request, control.as_ref()).await;
        }
    }
    let mut response = match early_response {
        Some(response) => response,
        None => next.run(request).await,
    };
    for applied in applied_faults {
        response = after(applied, response, control.as_ref()).await;
    }
    response
}

fn meets(sandbox: &Sandbox, request: &Request) -> Vec<Strike> {
    let path = request.uri().path();
    let Some(on) = Endpoint::of(request.method().as_str(), path) else { return Vec::new() };
    let mut parts = path.split('/').skip(2);
    let (id, file) = if on == Endpoint::File { (parts.next(), parts.next()) } else { (None, None) };
    let export_type = id.and_then(|id| sandbox.export_type(id));
    let ranged = request.headers().contains_key(header::RANGE);
    let token = request.headers().get(EXPORT_TOKEN).and_then(|value| value.to_str().ok());
    let ready = on == Endpoint::Redeem && token.is_some_and(|token| sandbox.is_ready(token));
    sandbox.strikes(&Asked { on, ready, file, export_type: export_type.as_deref(), ranged })
}

/// Applies a fault before the backend: a response in its place, a delay, or a changed request.
async fn before(applied: &mut Strike, request: &mut Request, control: Option<&Line>) -> Option<Response> {
    let rng = &mut applied.rng;
    match &applied.fault.effect {
        Effect::Status { code, retry_after, headers, body, spends: false } => {
            Some(answer::status(*code, retry_after.as_ref(), headers, body.as_deref()))
        }
        Effect::ErrorPage { code } => Some(answer::page(*code)),
        Effect::Redirect { to, code, spends: false } => Some(answer::redirect(to, *code)),
        Effect::Delay { ms, median_ms, sigma, spends: false } => {
            wait(*ms, *median_ms, *sigma, rng).await;
            None
        }
        Effect::Hang { spends: false } => pending().await,
        Effect::Reset {} => Some(reset(control)),
        Effect::IgnoreRange {} => {
            request.headers_mut().remove(header::RANGE);
            None
        }
        Effect::RefuseRange {} => {
            if request.headers().contains_key(header::RANGE) {
                put(request, header::RANGE, &format!("bytes={}-", u64::MAX - 1));
                request.headers_mut().remove(header::IF_RANGE);
            }
            None
        }
        Effect::WrongRange { by } => {
            let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
            if let Some((start, rest)) = range.and_then(range_start) {
                let moved = format!("bytes={}{rest}", start.saturating_add_signed(*by));
                put(request, header::RANGE, &moved);
            }
            None
        }
        Effect::ChangedEtag {} => {
            if request.headers().contains_key(header::IF_RANGE) {
                put(request, header::IF_RANGE, "\"of before\"");
            }
            None
        }
        _ => None,
    }
}

/// Applies a fault after the backend: changes, replaces or drops the response.
async fn after(applied: Strike, response: Response, control: Option<&Line>) -> Response {
    let Strike { fault, mut rng } = applied;
    match &fault.effect {
        Effect::Status { code, retry_after, headers, body, spends: true } => {
            body::spend(response).await;
            answer::status(*code, retry_after.as_ref(), headers, body.as_deref())
        }
        Effect::Redirect { to, code, spends: true } => {
            body::spend(response).await;
            answer::redirect(to, *code)
        }
        Effect::Delay { ms, median_ms, sigma, spends: true } => {
            wait(*ms, *median_ms, *sigma, &mut rng).await;
            response
        }
        Effect::Hang { spends: true } => {
            body::spend(response).await;
            pending().await
        }
        Effect::ResetAfterSpending {} => {
            body::spend(response).await;
            reset(control)
        }
        Effect::CutBody { after, by } => body::cut(response, *after, *by, control.cloned()),
        Effect::SlowBody { bytes_per_second } => body::slow(response, *bytes_per_second),
        Effect::WrongLength { by } => body::wrong_length(response, *by, control.cloned()),
        Effect::Huge {} => body::endless(response),
        Effect::Garbage { bytes } => body::garbage(response, *bytes, rng).await,
        Effect::WrongShape { field, becomes } => {
            answer::deformed(response, field.as_deref(), becomes.as_ref(), &mut rng).await
        }
        Effect::Coded { coding, only_claimed } => body::coded(response, coding, *only_claimed),
        Effect::Headers { set, remove } => answer::with_headers(response, set, remove),
        Effect::ChangedEtag {} => answer::with_another_etag(response, &mut rng),
        _ => response,
    }
}

async fn wait(ms: Option<u64>, median_ms: Option<u64>, sigma: Option<f64>, rng: &mut ChaCha8Rng) {
    tokio::time::sleep(Duration::from_millis(delay_ms(ms, median_ms, sigma, rng))).await;
}

fn put(request: &mut Request, name: header::HeaderName, value: &str) {
    // Numbers and fixed words are always valid header values.
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers_mut().insert(name, value);
    }
}

/// The start of a `Range` with one part, and the rest after it: `bytes=100-` gives 100 and `-`.
fn range_start(range: &str) -> Option<(u64, &str)> {
    let rest = range.strip_prefix("bytes=")?;
    let end = rest.find('-')?;
    Some((rest[..end].trim().parse().ok()?, &rest[end..]))
}

fn reset(control: Option<&Line>) -> Response {
    let mut response = if let Some(control) = control {
        control.reset_at_once();
        // Any response: writing it triggers the reset.
        Response::default()
    } else {
        // Called within the process, or served by another server: a body that fails is the nearest equivalent.
        Body::from_stream(body::broken()).into_response()
    };
    response.extensions_mut().insert(Unseen);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_start_is_parsed() {
        assert_eq!(range_start("bytes=100-"), Some((100, "-")));
        assert_eq!(range_start("bytes=0-99"), Some((0, "-99")));
        assert_eq!(range_start("bytes=-5"), None);
        assert_eq!(range_start("pages=1-2"), None);
    }
}
