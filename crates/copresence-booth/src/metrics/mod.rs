//! What a fleet's monitoring reads of this booth: counters, durations and states, in the text format of Prometheus.
//!
//! No label and no value contains a secret, a link, a file name or anything about a visitor. Label values come from fixed
//! lists, so that the number of time series is bounded. `docs/fleet.md` lists the metrics.

mod endpoint;
mod keychain_probe;
mod visit_phases;

pub use endpoint::{MetricsEndpoint, MetricsEndpointConfig, MetricsEndpointError, MetricsRenderer};
pub(crate) use keychain_probe::KeychainStateCache;
pub use keychain_probe::KeychainUsability;

use copresence_client::{CallKind, Exchange, ExchangeOutcome, ExchangeRecorder};
use copresence_engine::Outcome;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::recovery::RecoveryOutcome;
use prometheus::core::Collector;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::sync::{Arc, Mutex, PoisonError};
use visit_phases::{VISIT_PHASE_LABELS, VisitPhaseTimers};

/// Upper bounds of the durations of requests, in seconds.
const REQUEST_DURATION_BUCKETS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds of the durations of a visit's phases, in seconds.
const PHASE_DURATION_BUCKETS: &[f64] =
    &[0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1800.0];

/// Outcome codes that the visit machine does not give: the visit could not be set up, or a bug ended it.
const OUTCOME_CODES_OUTSIDE_MACHINE: &[&str] = &["credentials_missing", "setup_failed", "internal"];

/// Why the page was loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageReloadReason {
    /// The page's process ended.
    Crashed,
    /// The page did not respond, and its process was ended.
    Frozen,
    /// The page never sent a heartbeat after it was loaded.
    NeverLoaded,
    /// The booth was idle: a fresh page frees what the old one accumulated.
    Idle,
    /// The page's processes used more memory than allowed.
    Memory,
}

impl PageReloadReason {
    const ALL: [Self; 5] = [Self::Crashed, Self::Frozen, Self::NeverLoaded, Self::Idle, Self::Memory];

    /// The value of the label `reason` in the metric of page reloads.
    fn to_page_reload_reason_label(self) -> &'static str {
        match self {
            Self::Crashed => "crashed",
            Self::Frozen => "frozen",
            Self::NeverLoaded => "never_loaded",
            Self::Idle => "idle",
            Self::Memory => "memory",
        }
    }
}

/// Numbers of ended visits that a later recovery continues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndedVisitsToRecoverCounts {
    /// All of them, also those whose code was left before a phone scanned it: their tokens are kept.
    pub all: usize,
    /// Those whose avatar was delivered and is not saved yet.
    pub delivered: usize,
}

/// Values of the gauges, which are read at the time of each metrics request.
#[derive(Debug, Clone)]
pub struct BoothGaugeValues {
    /// Whether visitors can start a visit.
    pub is_open: bool,
    /// Whether it is within the opening hours.
    pub is_within_opening_hours: bool,
    /// Number of visits in progress.
    pub visits_in_progress: usize,
    /// The visits that a later recovery continues; `None` if the journal cannot be read.
    pub recoverable_visits: Option<EndedVisitsToRecoverCounts>,
    /// Free space of the data folder in bytes; `None` if the system does not report it.
    pub data_free_bytes: Option<u64>,
    /// Free space of the folder of avatars in bytes; `None` if the system does not report it.
    pub avatars_free_bytes: Option<u64>,
    /// Free space below which no visit begins, in bytes.
    pub required_free_bytes: u64,
    /// The keychain, as found last.
    pub keychain: KeychainUsability,
}

/// The metrics of one program. Clones share them.
#[derive(Clone)]
pub struct BoothMetrics(Arc<MetricFamilies>);

/// The Prometheus metric families and the registry that has them.
struct MetricFamilies {
    registry: Registry,
    visits_started: IntCounter,
    visits_ended: IntCounterVec,
    visit_retries: IntCounterVec,
    visit_recoveries: IntCounterVec,
    phase_duration: HistogramVec,
    polls: IntCounter,
    backend_requests: IntCounterVec,
    backend_request_duration: HistogramVec,
    page_reloads: IntCounterVec,
    page_memory: IntGauge,
    open: IntGauge,
    within_opening_hours: IntGauge,
    visits_in_progress: IntGauge,
    recoverable_visits: IntGauge,
    unsaved_avatars: IntGauge,
    disk_free: IntGaugeVec,
    disk_required: IntGauge,
    keychain_state: IntGaugeVec,
    phase_clock: Mutex<VisitPhaseTimers>,
}

impl Default for BoothMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl BoothMetrics {
    /// Creates the metrics, all at zero. Every value of a label that is known beforehand exists from the start, so that
    /// `increase()` sees the first event.
    pub fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| register_metric(&registry, IntCounter::new(name, help));
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register_metric(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauge = |name: &str, help: &str| register_metric(&registry, IntGauge::new(name, help));
        let histograms = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            register_metric(
                &registry,
                HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels),
            )
        };
        add_version_and_start_time_metrics(&registry);
        let families = MetricFamilies {
            visits_started: counter("copresence_visits_started_total", "Visits that began."),
            visits_ended: counters(
                "copresence_visits_total",
                "Visits that ended, by the stable code of their outcome. possibly_consumed is a lost avatar.",
                &["outcome"],
            ),
            visit_retries: counters(
                "copresence_visit_retries_total",
                "Failures in visits that were retried, by their stable error code.",
                &["code"],
            ),
            visit_recoveries: counters(
                "copresence_visit_recoveries_total",
                "Attempts to finish an earlier visit, by the code of its outcome, or by why it is not finished.",
                &["outcome"],
            ),
            phase_duration: histograms(
                "copresence_visit_phase_duration_seconds",
                "Duration of the phases of visits: token (until the QR code), scan (until a phone is associated), avatar \
                 (until the URLs), download (until the avatar is saved), visit (until the end).",
                &["phase"],
                PHASE_DURATION_BUCKETS,
            ),
            polls: counter("copresence_polls_total", "Requests to redeem an Export Token."),
            backend_requests: counters(
                "copresence_backend_requests_total",
                "Requests by endpoint and result: class of the status, or how the request failed.",
                &["endpoint", "result"],
            ),
            backend_request_duration: histograms(
                "copresence_backend_request_duration_seconds",
                "Duration of requests until the end of the response, by endpoint.",
                &["endpoint"],
                REQUEST_DURATION_BUCKETS,
            ),
            page_reloads: counters(
                "copresence_page_reloads_total",
                "How often the page of the window was loaded again, by reason.",
                &["reason"],
            ),
            page_memory: gauge(
                "copresence_page_memory_bytes",
                "Resident memory of the page's processes; 0 if the system does not report it.",
            ),
            open: gauge("copresence_booth_open", "1 if visitors can start a visit, 0 if the booth is closed."),
            within_opening_hours: gauge(
                "copresence_booth_scheduled_open",
                "1 within the opening hours or if there are none, 0 while the booth is closed by them.",
            ),
            visits_in_progress: gauge("copresence_visits_in_progress", "Visits on the screen or in the background."),
            recoverable_visits: gauge(
                "copresence_recoverable_visits",
                "Ended visits that a later recovery continues; -1 if the journal cannot be read.",
            ),
            unsaved_avatars: gauge(
                "copresence_unsaved_avatars",
                "Avatars that were delivered and that a later recovery saves; -1 if the journal cannot be read.",
            ),
            disk_free: register_metric(
                &registry,
                IntGaugeVec::new(
                    Opts::new("copresence_disk_free_bytes", "Free space for this user, by folder."),
                    &["folder"],
                ),
            ),
            disk_required: gauge(
                "copresence_disk_required_bytes",
                "Free space below which no visit begins (the profile's limits.min_free_space).",
            ),
            keychain_state: register_metric(
                &registry,
                IntGaugeVec::new(
                    Opts::new(
                        "copresence_keychain_state",
                        "1 for the state of the keychain as found last (usable, unusable, unknown), 0 for the others.",
                    ),
                    &["state"],
                ),
            ),
            phase_clock: Mutex::default(),
            registry,
        };
        families.create_zero_series_of_known_labels();
        Self(Arc::new(families))
    }

    /// Counts an event of a visit.
    pub(crate) fn record_visit_event(&self, event: &VisitEvent) {
        let families = &*self.0;
        match &event.kind {
            EventKind::Started { .. } => families.visits_started.inc(),
            EventKind::Retrying { code, .. } => families.visit_retries.with_label_values(&[code]).inc(),
            EventKind::Ended { code, .. } => families.visits_ended.with_label_values(&[code]).inc(),
            _ => {}
        }
        // A panic leaves no partial change.
        let mut clock = families.phase_clock.lock().unwrap_or_else(PoisonError::into_inner);
        for (phase, seconds) in clock.take_phases_ended_by_event(event) {
            families.phase_duration.with_label_values(&[phase]).observe(seconds);
        }
    }

    /// Counts an attempt to finish an earlier visit.
    pub(crate) fn count_visit_recovery_attempt(&self, outcome: &RecoveryOutcome) {
        self.0.visit_recoveries.with_label_values(&[recovery_outcome_to_label(outcome)]).inc();
    }

    /// Counts a request to the backend or to a file server.
    pub(crate) fn record_request(&self, exchange: &Exchange) {
        let families = &*self.0;
        let endpoint = exchange.call.as_str();
        if exchange.call == CallKind::Redeem {
            families.polls.inc();
        }
        families.backend_requests.with_label_values(&[endpoint, to_request_result_label(exchange)]).inc();
        families.backend_request_duration.with_label_values(&[endpoint]).observe(exchange.duration.as_secs_f64());
    }

    /// Counts a reload of the window's page.
    pub fn record_page_reload(&self, reason: PageReloadReason) {
        self.0.page_reloads.with_label_values(&[reason.to_page_reload_reason_label()]).inc();
    }

    /// Sets the resident memory of the page's processes in bytes; `None` if the system does not report it.
    pub fn record_page_memory(&self, bytes: Option<u64>) {
        self.0.page_memory.set(bytes.map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)));
    }

    /// All metrics in the text format of Prometheus, with these states.
    pub fn render_metrics_text(&self, states: &BoothGaugeValues) -> String {
        let families = &*self.0;
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        families.open.set(states.is_open.into());
        families.within_opening_hours.set(states.is_within_opening_hours.into());
        families.visits_in_progress.set(count(states.visits_in_progress));
        families.recoverable_visits.set(states.recoverable_visits.map_or(-1, |counts| count(counts.all)));
        families.unsaved_avatars.set(states.recoverable_visits.map_or(-1, |counts| count(counts.delivered)));
        families.disk_required.set(bytes(states.required_free_bytes));
        for (folder, free) in [("data", states.data_free_bytes), ("avatars", states.avatars_free_bytes)] {
            match free {
                Some(free) => families.disk_free.with_label_values(&[folder]).set(bytes(free)),
                // An error means that the series does not exist.
                None => _ = families.disk_free.remove_label_values(&[folder]),
            }
        }
        for (state, label) in KEYCHAIN_LABELS {
            families.keychain_state.with_label_values(&[label]).set((state == states.keychain).into());
        }
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&families.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics cannot be written");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl ExchangeRecorder for BoothMetrics {
    /// Counts a request of a recovery, which the inspector does not record.
    fn record_exchange(&self, exchange: Exchange) {
        self.record_request(&exchange);
    }
}

impl MetricFamilies {
    /// Creates every series whose labels are known beforehand, at zero.
    fn create_zero_series_of_known_labels(&self) {
        let outcomes = Outcome::example_of_each_outcome();
        for outcome in outcomes.iter().map(Outcome::error_code).chain(OUTCOME_CODES_OUTSIDE_MACHINE.iter().copied()) {
            self.visits_ended.with_label_values(&[outcome]);
        }
        for outcome in outcomes.iter().map(Outcome::error_code).chain(UNFINISHED_RECOVERY_LABELS) {
            self.visit_recoveries.with_label_values(&[outcome]);
        }
        for phase in VISIT_PHASE_LABELS {
            self.phase_duration.with_label_values(&[phase]);
        }
        for reason in PageReloadReason::ALL {
            self.page_reloads.with_label_values(&[reason.to_page_reload_reason_label()]);
        }
        for call in [CallKind::Login, CallKind::Generate, CallKind::Redeem, CallKind::Download, CallKind::Logout] {
            self.backend_request_duration.with_label_values(&[call.as_str()]);
            for result in REQUEST_RESULT_LABELS {
                self.backend_requests.with_label_values(&[call.as_str(), result]);
            }
        }
    }
}

/// The states of the keychain with the values of the label `state`.
const KEYCHAIN_LABELS: [(KeychainUsability, &str); 3] = [
    (KeychainUsability::Usable, "usable"),
    (KeychainUsability::Unusable, "unusable"),
    (KeychainUsability::Unknown, "unknown"),
];

/// The values of the label `result` of requests.
const REQUEST_RESULT_LABELS: [&str; 9] =
    ["1xx", "2xx", "3xx", "4xx", "5xx", "never_sent", "response_lost", "invalid_response", "cancelled"];

/// The value of the label `result` for a request.
fn to_request_result_label(exchange: &Exchange) -> &'static str {
    match (exchange.outcome, exchange.status) {
        (ExchangeOutcome::NeverSent, _) => "never_sent",
        (ExchangeOutcome::ResponseLost, _) => "response_lost",
        (ExchangeOutcome::Cancelled, _) => "cancelled",
        (ExchangeOutcome::Complete, Some(100..=199)) => "1xx",
        (ExchangeOutcome::Complete, Some(200..=299)) => "2xx",
        (ExchangeOutcome::Complete, Some(300..=399)) => "3xx",
        (ExchangeOutcome::Complete, Some(400..=499)) => "4xx",
        (ExchangeOutcome::Complete, Some(_)) => "5xx",
        (ExchangeOutcome::InvalidResponse, _) | (ExchangeOutcome::Complete, None) => "invalid_response",
    }
}

/// The values of the label `outcome` for recoveries that finished no visit.
const UNFINISHED_RECOVERY_LABELS: [&str; 4] = ["still_active", "postponed", "in_use", "closed"];

/// The value of the label `outcome` for a recovery.
fn recovery_outcome_to_label(outcome: &RecoveryOutcome) -> &'static str {
    let [still_active, postponed, in_use, closed] = UNFINISHED_RECOVERY_LABELS;
    match outcome {
        RecoveryOutcome::Finished { outcome, .. } => outcome.error_code(),
        RecoveryOutcome::StillActive { .. } => still_active,
        RecoveryOutcome::Postponed { .. } => postponed,
        RecoveryOutcome::InUse => in_use,
        RecoveryOutcome::Closed { .. } => closed,
    }
}

/// Adds the version and the start time of the program.
fn add_version_and_start_time_metrics(registry: &Registry) {
    let build_info = register_metric(
        registry,
        IntGaugeVec::new(
            Opts::new("copresence_build_info", "Always 1; the labels describe the program."),
            &["version", "os", "arch"],
        ),
    );
    build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH]).set(1);
    let start_time =
        IntGauge::new("process_start_time_seconds", "Start time of the program since unix epoch in seconds.");
    register_metric(registry, start_time).set(jiff::Timestamp::now().as_second());
}

/// Registers a metric under its fixed, valid and unique name.
fn register_metric<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let registered = made.and_then(|metric| registry.register(Box::new(metric.clone())).map(|()| metric));
    registered.unwrap_or_else(|error| unreachable!("names and labels are fixed, valid and unique: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use copresence_store::VisitId;
    use jiff::Timestamp;

    fn states() -> BoothGaugeValues {
        BoothGaugeValues {
            is_open: true,
            is_within_opening_hours: true,
            visits_in_progress: 1,
            recoverable_visits: None,
            data_free_bytes: Some(5_000_000_000),
            avatars_free_bytes: None,
            required_free_bytes: 500_000_000,
            keychain: KeychainUsability::Unusable,
        }
    }

    fn find_lines_starting_with(text: &str, start: &str) -> Vec<String> {
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    #[test]
    fn every_series_is_there_before_the_first_visit() {
        let text = BoothMetrics::new().render_metrics_text(&states());
        for outcome in Outcome::example_of_each_outcome() {
            let line = format!("copresence_visits_total{{outcome=\"{}\"}} 0", outcome.error_code());
            assert!(text.contains(&line), "{line}\n{text}");
        }
        for line in [
            "copresence_backend_requests_total{endpoint=\"redeem\",result=\"response_lost\"} 0",
            "copresence_page_reloads_total{reason=\"frozen\"} 0",
            "copresence_visit_phase_duration_seconds_count{phase=\"avatar\"} 0",
            "copresence_keychain_state{state=\"unusable\"} 1",
            "copresence_keychain_state{state=\"usable\"} 0",
            "copresence_recoverable_visits -1",
            "copresence_unsaved_avatars -1",
            "copresence_disk_free_bytes{folder=\"data\"} 5000000000",
            "copresence_booth_open 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("folder=\"avatars\""), "the system does not report it");
        assert_eq!(find_lines_starting_with(&text, "copresence_build_info{").len(), 1);
    }

    #[test]
    fn a_visit_is_counted_with_its_phases() {
        let metrics = BoothMetrics::new();
        let visit = VisitId::new();
        let kinds = [
            EventKind::Started { profile: "p".into(), api_url: "https://api.test/".into() },
            EventKind::Retrying { code: "answer_lost".into(), message: String::new(), attempt: 1, next_poll_ms: 9 },
            EventKind::Ended {
                code: "timed_out".into(),
                exit: 8,
                message: String::new(),
                visit_state: "issuing".into(),
            },
        ];
        for (second, kind) in (0..).zip(kinds) {
            metrics.record_visit_event(&VisitEvent {
                visit,
                at: Timestamp::from_second(second).expect("a time"),
                kind,
            });
        }
        metrics.record_page_reload(PageReloadReason::Memory);
        let text = metrics.render_metrics_text(&states());
        for line in [
            "copresence_visits_started_total 1",
            "copresence_visits_total{outcome=\"timed_out\"} 1",
            "copresence_visits_total{outcome=\"saved\"} 0",
            "copresence_visit_retries_total{code=\"answer_lost\"} 1",
            "copresence_visit_phase_duration_seconds_sum{phase=\"visit\"} 2",
            "copresence_visit_phase_duration_seconds_count{phase=\"token\"} 0",
            "copresence_page_reloads_total{reason=\"memory\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
