//! Measures every HTTP exchange of the client, once, from the time at which it was due.
//!
//! The latency of a request counts from its *intended* start: the time at which the visitor arrived or the poll was due.
//! A request that waits behind a slow response, for a connection or for this machine has a long latency, so that a
//! stalled backend cannot hide ("coordinated omission"). The *service time* counts from when the request was really sent.

use copresence_client::{CallKind, Exchange, ExchangeOutcome, ExchangeRecorder};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

tokio::task_local! {
    /// When the request of this task was due.
    static INTENDED_REQUEST_START: Instant;
}

/// One HTTP exchange, without contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestMeasurement {
    /// The endpoint.
    pub(crate) call: CallKind,
    /// The status, if one was received.
    pub(crate) status: Option<u16>,
    /// How the exchange ended at the HTTP level.
    pub(crate) outcome: ExchangeOutcome,
    /// Time from the intended start to the end.
    pub(crate) latency: Duration,
    /// Time from the real start to the end.
    pub(crate) service_time: Duration,
    /// Bytes of the response body.
    pub(crate) body_size: u64,
}

/// A request whose response was missing, an error, or not usable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestFailure<'a> {
    /// The endpoint.
    pub(crate) call: CallKind,
    /// Stable error code, as in `visit --json`.
    pub(crate) code: &'static str,
    /// What happened, without secrets.
    pub(crate) detail: &'a str,
}

/// Counts requests and failures.
pub(crate) trait RequestCounter: Send + Sync {
    /// Counts one HTTP exchange. Called once for each exchange.
    fn count_request(&self, sample: &RequestMeasurement);

    /// Counts a failure. Its exchange was counted before.
    fn count_failed_request(&self, failure: &RequestFailure<'_>);
}

/// Measures every exchange of the client, and passes the measurement on to the sinks.
pub(crate) struct ExchangeMeter {
    sinks: Vec<Arc<dyn RequestCounter>>,
}

impl ExchangeMeter {
    /// Creates a meter that reports to these sinks.
    pub(crate) fn new(sinks: Vec<Arc<dyn RequestCounter>>) -> Self {
        Self { sinks }
    }

    /// Counts a failure in every sink.
    pub(crate) fn count_failed_request(&self, failure: &RequestFailure<'_>) {
        for sink in &self.sinks {
            sink.count_failed_request(failure);
        }
    }
}

impl ExchangeRecorder for ExchangeMeter {
    fn record_exchange(&self, exchange: Exchange) {
        let service_time = exchange.duration;
        // A logout at the end of the run has no intended start.
        let latency =
            INTENDED_REQUEST_START.try_with(Instant::elapsed).map_or(service_time, |latency| latency.max(service_time));
        let Exchange { call, status, outcome, body_size, .. } = exchange;
        let sample = RequestMeasurement { call, status, outcome, latency, service_time, body_size };
        for sink in &self.sinks {
            sink.count_request(&sample);
        }
    }

    fn needs_exchange_contents(&self) -> bool {
        false
    }
}

/// Runs a call of the client whose requests were due at `intended`.
pub(crate) async fn run_call_measured_from_intended_start<T>(intended: Instant, call: impl Future<Output = T>) -> T {
    INTENDED_REQUEST_START.scope(intended, call).await
}
