//! What all virtual consoles of a process share: client, connections, figures, token limit.

use crate::exchange_meter::{ExchangeMeter, RequestCounter, RequestFailure, run_call_measured_from_intended_start};
use crate::load_plan::ConsoleVisitPlan;
use crate::phone::LoadTestPhone;
use crate::statistics::Statistics;
use crate::usual_durations::LearnedDurations;
use copresence_client::{ApiClient, CallKind};
use copresence_visit::MillisSinceOrigin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Phones that scan at the same time.
const MAX_SCANS_AT_A_TIME: usize = 64;

/// What all consoles of a load test share: the client, the plan, the counters and the limits.
pub(crate) struct SharedConsoleState {
    pub(crate) api: ApiClient,
    pub(crate) plan: ConsoleVisitPlan,
    pub(crate) statistics: Arc<Statistics>,
    pub(crate) phone: Option<Arc<dyn LoadTestPhone>>,
    pub(crate) learned: LearnedDurations,
    /// Cancelled when the backend refuses the credentials: further logins could lock the account.
    pub(crate) credentials_refused: CancellationToken,
    /// Cancelled when the token limit is reached.
    pub(crate) tokens_exhausted: CancellationToken,
    origin: Instant,
    meter: Arc<ExchangeMeter>,
    connections: Semaphore,
    scans: Semaphore,
    tokens_left: Option<AtomicU64>,
}

impl SharedConsoleState {
    /// Creates the context. `api` is used with a recorder of its own; `more_sinks` also count every request.
    pub(crate) fn new(
        api: &ApiClient,
        plan: ConsoleVisitPlan,
        phone: Option<Arc<dyn LoadTestPhone>>,
        more_sinks: Vec<Arc<dyn RequestCounter>>,
    ) -> Self {
        let statistics = Arc::new(Statistics::default());
        let mut sinks: Vec<Arc<dyn RequestCounter>> = vec![statistics.clone()];
        sinks.extend(more_sinks);
        let meter = Arc::new(ExchangeMeter::new(sinks));
        Self {
            api: api.clone_with_recorder(meter.clone()),
            connections: Semaphore::new(plan.max_connections.clamp(1, Semaphore::MAX_PERMITS)),
            scans: Semaphore::new(MAX_SCANS_AT_A_TIME),
            tokens_left: plan.max_tokens.map(AtomicU64::new),
            plan,
            statistics,
            phone,
            learned: LearnedDurations::default(),
            credentials_refused: CancellationToken::new(),
            tokens_exhausted: CancellationToken::new(),
            origin: Instant::now(),
            meter,
        }
    }

    /// The time now for the visits' machines: milliseconds since the origin of the load test.
    pub(crate) fn millis_since_load_test_origin(&self) -> MillisSinceOrigin {
        MillisSinceOrigin::default() + self.origin.elapsed()
    }

    /// The instant of a time of the visits' machines; `None` if it is too far away to be awaited.
    pub(crate) fn instant_of_visit_machine_time(&self, time: MillisSinceOrigin) -> Option<Instant> {
        self.origin.checked_add(Duration::from_millis(time.as_millis()))
    }

    /// Reserves one of the tokens that may still be requested. Returns `false` if the limit is reached. Cancels
    /// `tokens_exhausted` if none are left.
    pub(crate) fn try_reserve_token_request(&self) -> bool {
        let Some(left) = &self.tokens_left else { return true };
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if !matches!(taken, Ok(2..)) {
            // This was the last one, or there was none left.
            self.tokens_exhausted.cancel();
        }
        taken.is_ok()
    }

    /// Waits for a free connection, and runs a call whose request was due at `intended`. Its latency counts from then.
    ///
    /// The call is made on the heap, and only when there is a connection: if a backend stalls, thousands of consoles wait
    /// here, and a call needs more memory than all else of a console.
    pub(crate) async fn run_measured_call_with_connection_permit<T, F: Future<Output = T>>(
        &self,
        intended: Instant,
        set_call_in_flight: impl FnOnce() -> F,
    ) -> T {
        let waits_since = Instant::now();
        // Fails only if the semaphore is closed, which it never is.
        let _connection = self.connections.acquire().await.ok();
        self.statistics.record_connection_wait(waits_since.elapsed());
        run_call_measured_from_intended_start(intended, Box::pin(set_call_in_flight())).await
    }

    /// Waits until another phone may scan.
    pub(crate) async fn wait_for_scan_permit(&self) -> Option<SemaphorePermit<'_>> {
        // Fails only if the semaphore is closed, which it never is.
        self.scans.acquire().await.ok()
    }

    /// Counts a failed request.
    pub(crate) fn count_failure(&self, call: CallKind, code: &'static str, detail: &str) {
        self.meter.count_failed_request(&RequestFailure { call, code, detail });
    }
}
