//! Simulated responses.

use crate::truth::Truth;
use bytes::Bytes;
use copresence_client::simulation::{SimulatedBody, SimulatedFailure};
use futures_util::stream;
use http::{Response, StatusCode};
use rand::RngExt as _;
use std::time::Duration;

/// Longer than any patience of the client.
pub(crate) const SILENCE: Duration = Duration::from_hours(2);
/// What a gate in between sends.
pub(crate) const GATE_PAGE: &str =
    "<!DOCTYPE html><html><head><title>Network login</title></head><body>Log in</body></html>";

/// What is sent back: status, headers, and a body of which the sender notes the progress.
pub(crate) type Answer = Result<Response<SimulatedBody>, SimulatedFailure>;

/// A response and how long it takes.
pub(crate) struct Arrival {
    pub(crate) answer: Answer,
    pub(crate) delay: Duration,
}

/// The connection ends without a response, at once or after a long silence.
pub(crate) fn lost(silent: bool) -> Arrival {
    Arrival { answer: Err(SimulatedFailure::ConnectionLost), delay: if silent { SILENCE } else { Duration::ZERO } }
}

/// Some busy servers say when to ask again.
pub(crate) fn draw_retry_after(truth: &mut Truth, status: u16) -> Option<(&'static str, &'static str)> {
    let seconds = ["0", "3", "40"][truth.rng.random_range(0..3)];
    (matches!(status, 429 | 503) && truth.rng.random_bool(0.5)).then_some(("retry-after", seconds))
}

/// A body that arrives at once.
pub(crate) fn whole_body(body: Bytes) -> SimulatedBody {
    let length = Some(body.len() as u64);
    SimulatedBody::new(length, stream::iter([Ok(body)]))
}

/// A response with its headers.
pub(crate) fn respond(status: u16, headers: &[(&str, &str)], body: SimulatedBody) -> Arrival {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    Arrival { answer: Ok(response), delay: Duration::ZERO }
}
