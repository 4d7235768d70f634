//! The figures of a run, while it runs and at its end.

use crate::exchange_meter::{RequestCounter, RequestFailure, RequestMeasurement};
use crate::latency_histogram::{LatencyHistogram, LatencyQuantiles, convert_to_rounded_milliseconds};
use crate::timeline::{Timeline, TimelineRow};
use crate::token_ledger::{TokenCounts, TokenLedger, TokenOutcome};
use copresence_client::{CallKind, ExchangeOutcome};
use copresence_protocol::{DeliveredExports, ExportToken};
use copresence_visit::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The endpoints of a run, in the order of a visit.
pub(crate) const ENDPOINTS: [CallKind; 5] =
    [CallKind::Login, CallKind::Generate, CallKind::Redeem, CallKind::Download, CallKind::Logout];

/// The name of an endpoint in reports and thresholds: `login`, `issue`, `redeem`, `download`, `logout`.
pub(crate) fn metric_name_of_endpoint(call: CallKind) -> &'static str {
    match call {
        CallKind::Generate => "issue",
        other => other.as_str(),
    }
}

/// Maximum length of the example of an error, in characters.
const MAX_ERROR_EXAMPLE_CHARACTERS: usize = 300;

/// Counts and latencies of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointFigures {
    /// `login`, `issue`, `redeem`, `download` or `logout`.
    pub endpoint: String,
    /// Requests that left this machine. A backend's own log has the same number.
    pub requests: u64,
    /// Requests that could not be sent, because there was no connection.
    pub never_sent: u64,
    /// Requests that the end of the run or of their visit cut off.
    pub cancelled: u64,
    /// Requests with a failure: never sent, without a usable response, or with an error.
    pub failures: u64,
    /// Bytes of the response bodies.
    pub bytes: u64,
    /// Number of responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Time from when a request was due to its end; `null` without requests.
    pub latency_ms: Option<LatencyQuantiles>,
    /// Time from when a request was sent to its end; `null` without requests.
    pub service_time_ms: Option<LatencyQuantiles>,
}

/// The failures of one class at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorFigures {
    /// `login`, `issue`, `redeem`, `download` or `phone`.
    pub endpoint: String,
    /// Stable error code.
    pub code: String,
    /// How often it happened.
    pub count: u64,
    /// The first one, for people.
    pub example: String,
}

/// How many visits ended in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeFigures {
    /// Stable code of the outcome, as in `visit --json`.
    pub code: String,
    /// The exit code that `copresence visit` would have had.
    pub exit: u8,
    /// Number of visits.
    pub count: u64,
}

/// The visits of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VisitFigures {
    /// Visits that started.
    pub started: u64,
    /// Visits that ended.
    pub ended: u64,
    /// Arrivals that found no free console, or no token left: visits that could not start.
    pub not_started: u64,
    /// How they ended, most frequent first.
    pub outcomes: Vec<OutcomeFigures>,
    /// Time from the arrival to the end of the visits that ended by themselves.
    pub duration_ms: Option<LatencyQuantiles>,
    /// Mean number of redeems of the visits that ended by themselves; `null` without such visits.
    pub polls_per_visit: Option<f64>,
    /// Largest number of redeems of one visit.
    pub max_polls: u64,
}

/// How well this machine kept up. Large values mean that it measured itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorFigures {
    /// How late visits started after their arrival.
    pub start_lag_ms: Option<LatencyQuantiles>,
    /// How long requests waited for one of the connections (`--connections`).
    pub connection_wait_ms: Option<LatencyQuantiles>,
}

/// The phone that scans the codes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhoneFigures {
    /// Codes that were scanned and got an avatar.
    pub associated: u64,
    /// Codes for which the phone failed.
    pub failed: u64,
}

/// Everything that was counted so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadFigures {
    /// One row for each endpoint that was called, in the order of a visit.
    pub endpoints: Vec<EndpointFigures>,
    /// At most how long an avatar was ready before the console noticed: from when the last "not ready" poll was sent to
    /// the response with the URLs. `null` if there was no such pair.
    pub ready_to_noticed_at_most_ms: Option<LatencyQuantiles>,
    /// The visits.
    pub visits: VisitFigures,
    /// The Export Tokens.
    pub tokens: TokenCounts,
    /// The failures, most frequent first.
    pub errors: Vec<ErrorFigures>,
    /// The phone.
    pub phone: PhoneFigures,
    /// How well this machine kept up.
    pub generator: GeneratorFigures,
}

impl LoadFigures {
    /// Requests that left this machine, at all endpoints.
    pub fn count_sent_requests(&self) -> u64 {
        self.endpoints.iter().map(|endpoint| endpoint.requests).sum()
    }

    /// Requests with a failure, at all endpoints.
    pub fn count_failed_requests(&self) -> u64 {
        self.endpoints.iter().map(|endpoint| endpoint.failures).sum()
    }

    /// Requests that were attempted, at all endpoints: sent or not.
    pub fn count_sent_and_unsent_requests(&self) -> u64 {
        self.endpoints.iter().map(|endpoint| endpoint.requests + endpoint.never_sent).sum()
    }

    /// The figures of an endpoint; `None` if it was not called.
    pub fn find_endpoint_figures(&self, name: &str) -> Option<&EndpointFigures> {
        self.endpoints.iter().find(|endpoint| endpoint.endpoint == name)
    }

    /// Visits whose avatar was delivered completely.
    pub fn count_completed_visits(&self) -> u64 {
        self.visits.outcomes.iter().filter(|outcome| outcome.exit == 0).map(|outcome| outcome.count).sum()
    }

    /// Visits that ended by themselves in another way than with a complete avatar. Visits that the end of the run
    /// interrupted do not count.
    pub fn count_failed_visits(&self) -> u64 {
        let failed = |outcome: &&OutcomeFigures| !matches!(outcome.exit, 0 | 130);
        self.visits.outcomes.iter().filter(failed).map(|outcome| outcome.count).sum()
    }
}

/// Counts and histograms of one endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndpointCounters {
    pub(crate) requests: u64,
    pub(crate) never_sent: u64,
    pub(crate) cancelled: u64,
    pub(crate) failures: u64,
    pub(crate) bytes: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) latency: LatencyHistogram,
    pub(crate) service_time: LatencyHistogram,
    /// Latencies of the present interval of the timeline.
    interval_latency: LatencyHistogram,
}

/// What is recorded of a visit when it ends.
#[derive(Debug)]
pub(crate) struct VisitSummary<'a> {
    pub(crate) outcome: &'a Outcome,
    /// The outcome of its token, if one was issued.
    pub(crate) fate: Option<TokenOutcome>,
    /// From its arrival to its end.
    pub(crate) duration: Duration,
    pub(crate) polls: u64,
}

/// Collects the figures of a run. One lock; each call holds it for less than a microsecond.
#[derive(Debug, Default)]
pub struct Statistics(Mutex<LoadCounters>);

/// The counters and histograms of a run.
#[derive(Debug, Default)]
struct LoadCounters {
    endpoints: BTreeMap<usize, EndpointCounters>,
    noticed: LatencyHistogram,
    visit_duration: LatencyHistogram,
    start_lag: LatencyHistogram,
    connection_wait: LatencyHistogram,
    outcomes: BTreeMap<(&'static str, u8), u64>,
    errors: BTreeMap<(&'static str, &'static str), (u64, String)>,
    visits_started: u64,
    visits_ended: u64,
    visits_not_started: u64,
    polls: u64,
    visits_with_polls: u64,
    max_polls: u64,
    phone: PhoneFigures,
    tokens: TokenLedger,
    timeline: Timeline,
}

/// The few figures that a live view shows. Cheap to compute, unlike [`LoadFigures`].
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFigures {
    /// Visits that are under way.
    pub running: u64,
    /// Visits that started.
    pub started: u64,
    /// Visits with a complete avatar.
    pub completed: u64,
    /// Visits that ended by themselves without one.
    pub failed: u64,
    /// Arrivals that could not start.
    pub not_started: u64,
    /// Requests of all endpoints.
    pub requests: u64,
    /// Failures of all endpoints.
    pub failures: u64,
    /// The tokens.
    pub tokens: TokenCounts,
    /// Of `issue` and `redeem`: name, requests, failures, and the median and 99 % quantile of the latency since the
    /// start.
    pub endpoints: Vec<(&'static str, u64, u64, Duration, Duration)>,
    /// The last complete interval of the timeline.
    pub last_interval: Option<TimelineRow>,
}

impl Statistics {
    fn lock_counters(&self) -> MutexGuard<'_, LoadCounters> {
        // Counters stay usable after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes all figures from what was counted so far.
    pub fn compute_load_figures(&self) -> LoadFigures {
        let counters = self.lock_counters();
        let endpoint = |(index, counted): (&usize, &EndpointCounters)| EndpointFigures {
            endpoint: metric_name_of_endpoint(ENDPOINTS[*index]).to_owned(),
            requests: counted.requests,
            never_sent: counted.never_sent,
            cancelled: counted.cancelled,
            failures: counted.failures,
            bytes: counted.bytes,
            statuses: counted.statuses.clone(),
            latency_ms: counted.latency.latency_quantiles(),
            service_time_ms: counted.service_time.latency_quantiles(),
        };
        let outcome =
            |(&(code, exit), &count): (&(&str, u8), &u64)| OutcomeFigures { code: code.to_owned(), exit, count };
        let mut outcomes: Vec<_> = counters.outcomes.iter().map(outcome).collect();
        outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.count));
        let error = |(&(endpoint, code), (count, example)): (&(&str, &str), &(u64, String))| ErrorFigures {
            endpoint: endpoint.to_owned(),
            code: code.to_owned(),
            count: *count,
            example: example.clone(),
        };
        let mut errors: Vec<_> = counters.errors.iter().map(error).collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        LoadFigures {
            endpoints: counters.endpoints.iter().map(endpoint).collect(),
            ready_to_noticed_at_most_ms: counters.noticed.latency_quantiles(),
            visits: VisitFigures {
                started: counters.visits_started,
                ended: counters.visits_ended,
                not_started: counters.visits_not_started,
                outcomes,
                duration_ms: counters.visit_duration.latency_quantiles(),
                polls_per_visit: compute_ratio(counters.polls, counters.visits_with_polls),
                max_polls: counters.max_polls,
            },
            tokens: counters.tokens.token_counts().clone(),
            errors,
            phone: counters.phone.clone(),
            generator: GeneratorFigures {
                start_lag_ms: counters.start_lag.latency_quantiles(),
                connection_wait_ms: counters.connection_wait.latency_quantiles(),
            },
        }
    }

    /// Computes the few figures that a live view shows.
    pub fn compute_live_figures(&self) -> LiveFigures {
        let counters = self.lock_counters();
        let with_exit = |wanted: fn(u8) -> bool| {
            counters.outcomes.iter().filter(|((_, exit), _)| wanted(*exit)).map(|(_, count)| count).sum()
        };
        let shown = [CallKind::Generate, CallKind::Redeem]
            .map(|call| (call, counters.endpoints.get(&find_endpoint_index(call))));
        let row = |(call, counted): (CallKind, Option<&EndpointCounters>)| {
            let counted = counted?;
            let quantile = |quantile| counted.latency.find_latency_at_quantile(quantile).unwrap_or_default();
            Some((metric_name_of_endpoint(call), counted.requests, counted.failures, quantile(0.5), quantile(0.99)))
        };
        LiveFigures {
            running: counters.visits_started - counters.visits_ended,
            started: counters.visits_started,
            completed: with_exit(|exit| exit == 0),
            failed: with_exit(|exit| !matches!(exit, 0 | 130)),
            not_started: counters.visits_not_started,
            requests: counters.sum_over_endpoints(|counted| counted.requests),
            failures: counters.sum_over_endpoints(|counted| counted.failures),
            tokens: counters.tokens.token_counts().clone(),
            endpoints: shown.into_iter().filter_map(row).collect(),
            last_interval: counters.timeline.last_row().copied(),
        }
    }

    /// Calls `each` with the name, counts and histograms of every endpoint that was called.
    pub(crate) fn for_each_endpoint_counters(&self, mut each: impl FnMut(&'static str, &EndpointCounters)) {
        for (index, counted) in &self.lock_counters().endpoints {
            each(metric_name_of_endpoint(ENDPOINTS[*index]), counted);
        }
    }

    /// The timeline so far: seconds per row, and the rows.
    pub fn copy_timeline(&self) -> (f64, Vec<TimelineRow>) {
        self.lock_counters().timeline.copy_rows_and_seconds_per_row()
    }

    /// Ends the present interval of the timeline; to be called once a second. `at` is the time since the start.
    pub(crate) fn end_timeline_interval(&self, at: Duration) {
        let counters = &mut *self.lock_counters();
        let quantile = |call: CallKind, quantile: f64| {
            let counted = counters.endpoints.get(&find_endpoint_index(call))?;
            counted.interval_latency.find_latency_at_quantile(quantile).map(convert_to_rounded_milliseconds)
        };
        let row = TimelineRow {
            at_s: (at.as_secs_f64() * 1e3).round() / 1e3,
            running_visits: counters.visits_started - counters.visits_ended,
            requests: counters.sum_over_endpoints(|counted| counted.requests + counted.never_sent),
            failures: counters.sum_over_endpoints(|counted| counted.failures),
            visits_started: counters.visits_started,
            visits_ended: counters.visits_ended,
            issue_p50_ms: quantile(CallKind::Generate, 0.5),
            issue_p99_ms: quantile(CallKind::Generate, 0.99),
            redeem_p50_ms: quantile(CallKind::Redeem, 0.5),
            redeem_p99_ms: quantile(CallKind::Redeem, 0.99),
        };
        counters.timeline.add_second_from_totals(row);
        counters.endpoints.values_mut().for_each(|counted| counted.interval_latency.clear_latencies());
    }

    /// Records that a visit started, `lag` after its arrival.
    pub(crate) fn record_visit_start(&self, lag: Duration) {
        let mut counters = self.lock_counters();
        counters.visits_started += 1;
        counters.start_lag.record_latency(lag);
    }

    /// Records an arrival for which no console was free.
    pub(crate) fn record_visit_not_started(&self) {
        self.lock_counters().visits_not_started += 1;
    }

    /// Records the outcome, the token and the polls of a visit that ended.
    pub(crate) fn record_visit_end(&self, visit: &VisitSummary<'_>) {
        let mut counters = self.lock_counters();
        counters.visits_ended += 1;
        *counters.outcomes.entry((visit.outcome.error_code(), visit.outcome.exit_code())).or_default() += 1;
        if let Some(fate) = visit.fate {
            counters.tokens.record_token_outcome(fate);
        }
        if !matches!(visit.outcome, Outcome::Interrupted) {
            counters.visit_duration.record_latency(visit.duration);
            counters.polls += visit.polls;
            counters.visits_with_polls += 1;
        }
        counters.max_polls = counters.max_polls.max(visit.polls);
    }

    /// Records how long a request waited for one of the connections.
    pub(crate) fn record_connection_wait(&self, wait: Duration) {
        self.lock_counters().connection_wait.record_latency(wait);
    }

    /// Records the maximum time from a ready avatar to the poll that noticed it.
    pub(crate) fn record_ready_to_noticed_time(&self, at_most: Duration) {
        self.lock_counters().noticed.record_latency(at_most);
    }

    /// Records a token that the backend issued.
    pub(crate) fn record_issued_token(&self, token: &ExportToken) {
        self.lock_counters().tokens.record_issued_token(token);
    }

    /// Records a request that may have issued a token which never arrived.
    pub(crate) fn record_possibly_issued_token(&self) {
        self.lock_counters().tokens.record_possibly_issued_token();
    }

    /// Records a response with download URLs, and whether it is a second delivery.
    pub(crate) fn record_delivered_urls(&self, token: &ExportToken, delivery: &DeliveredExports) {
        self.lock_counters().tokens.record_delivered_urls(token, delivery);
    }

    /// Records whether the phone associated an avatar.
    pub(crate) fn record_phone_association(&self, result: Result<(), &str>) {
        let mut counters = self.lock_counters();
        match result {
            Ok(()) => counters.phone.associated += 1,
            Err(why) => {
                counters.phone.failed += 1;
                counters.count_error("phone", "phone_failed", why);
            }
        }
    }
}

impl LoadCounters {
    /// Counts a failure of an endpoint. The first one of its code is kept as the example.
    fn count_error(&mut self, endpoint: &'static str, code: &'static str, detail: &str) {
        let example = || detail.chars().take(MAX_ERROR_EXAMPLE_CHARACTERS).collect();
        self.errors.entry((endpoint, code)).or_insert_with(|| (0, example())).0 += 1;
    }

    /// The sum of a count over all endpoints.
    fn sum_over_endpoints(&self, count: impl Fn(&EndpointCounters) -> u64) -> u64 {
        self.endpoints.values().map(count).sum()
    }
}

impl RequestCounter for Statistics {
    fn count_request(&self, sample: &RequestMeasurement) {
        let mut counters = self.lock_counters();
        let counted = counters.endpoints.entry(find_endpoint_index(sample.call)).or_default();
        match sample.outcome {
            ExchangeOutcome::NeverSent => counted.never_sent += 1,
            _ => counted.requests += 1,
        }
        if let Some(status) = sample.status {
            *counted.statuses.entry(status).or_default() += 1;
        }
        counted.bytes += sample.body_size;
        if sample.outcome == ExchangeOutcome::Cancelled {
            // Its time says nothing about the backend.
            counted.cancelled += 1;
            return;
        }
        counted.latency.record_latency(sample.latency);
        counted.interval_latency.record_latency(sample.latency);
        counted.service_time.record_latency(sample.service_time);
    }

    fn count_failed_request(&self, failure: &RequestFailure<'_>) {
        let mut counters = self.lock_counters();
        counters.endpoints.entry(find_endpoint_index(failure.call)).or_default().failures += 1;
        counters.count_error(metric_name_of_endpoint(failure.call), failure.code, failure.detail);
    }
}

/// The position of an endpoint in [`ENDPOINTS`].
fn find_endpoint_index(call: CallKind) -> usize {
    ENDPOINTS.iter().position(|endpoint| *endpoint == call).unwrap_or(ENDPOINTS.len() - 1)
}

/// A quotient of two counts; `None` if the second is zero.
pub(crate) fn compute_ratio(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    (whole > 0).then(|| part as f64 / whole as f64)
}
