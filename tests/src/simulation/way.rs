//! What happens to single requests on their way.

use crate::disturbance::{Disturbance, OutageKind};
use crate::truth::Truth;
use copresence_client::ConnectErrorKind;
use rand::RngExt as _;

/// What happens to a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    NotSent,
    LostBefore {
        silent: bool,
    },
    LostAfter {
        silent: bool,
    },
    /// The connection is lost at once; the request reaches the backend later.
    Late,
    Truncated,
    ErrorBefore(u16),
    ErrorAfter(u16),
    Gate(u16),
    Busy,
    Garbage,
    Slow,
    Cut,
    Stall,
    Free,
}

/// Draws what happens to a request, from outages and single disturbances.
pub(crate) fn draw_way(truth: &mut Truth, is_api: bool) -> Way {
    let now = truth.now();
    if let Some(outage) = truth.weather.outages.iter().find(|outage| outage.concerns(is_api, now)) {
        return match outage.kind {
            OutageKind::NotSent => Way::NotSent,
            OutageKind::Reset => Way::LostBefore { silent: false },
            OutageKind::Silence => Way::LostBefore { silent: true },
            OutageKind::ServerError => Way::ErrorBefore(503),
            OutageKind::Gate => Way::Gate(if is_api { 403 } else { 200 }),
        };
    }
    let Truth { rng, weather, .. } = truth;
    let drawn = if is_api { weather.draw_for_api_request(rng) } else { weather.draw_for_download(rng) };
    let Some(drawn) = drawn else { return Way::Free };
    let choose = |choices: &[u16], rng: &mut rand_chacha::ChaCha8Rng| choices[rng.random_range(0..choices.len())];
    match drawn {
        Disturbance::ApiNotSent | Disturbance::FileNotSent => Way::NotSent,
        Disturbance::ApiAnswerLost | Disturbance::FileAnswerLost => match rng.random_range(0..4) {
            0 => Way::LostBefore { silent: false },
            1 => Way::LostBefore { silent: true },
            2 => Way::LostAfter { silent: false },
            _ => Way::LostAfter { silent: true },
        },
        Disturbance::ApiRequestLate => Way::Late,
        Disturbance::ApiAnswerTruncated => Way::Truncated,
        Disturbance::ApiErrorBeforeEffect => Way::ErrorBefore(choose(&[500, 502, 503, 504], rng)),
        Disturbance::ApiErrorAfterEffect => Way::ErrorAfter(choose(&[500, 502, 504], rng)),
        Disturbance::ApiGate => Way::Gate(choose(&[200, 403, 401, 511], rng)),
        Disturbance::ApiBusy => Way::Busy,
        Disturbance::ApiGarbage => Way::Garbage,
        Disturbance::ApiSlow => Way::Slow,
        Disturbance::FileError => Way::ErrorBefore(choose(&[500, 503, 429], rng)),
        Disturbance::FileCut => Way::Cut,
        Disturbance::FileStall => Way::Stall,
        Disturbance::FileGate => Way::Gate(choose(&[200, 511], rng)),
        _ => Way::Free,
    }
}

/// Draws why a request is not sent.
pub(crate) fn draw_connect_error(truth: &mut Truth) -> ConnectErrorKind {
    use ConnectErrorKind as Kind;
    [Kind::ConnectionRefused, Kind::NameNotFound, Kind::Unreachable, Kind::TimedOut][truth.rng.random_range(0..4)]
}
