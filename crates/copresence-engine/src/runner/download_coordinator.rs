//! What the downloads of one visit share: permits for parallel requests, the patience of the visit, and what is known
//! of the network.
//!
//! # When a visit stops trying
//! The visit has one budget of time for all its files, [`CoordinatorLimits::patience`] at first. It is consumed by the
//! time that passes, and each [`MIN_RATE`] new bytes that arrive of any file restore one second, up to the whole
//! patience. A file stops only after a failed request, so that each file is requested at least once.
//!
//! A response that arrives has a budget of its own, [`TransferPatience`], which every byte restores. So a transfer is
//! aborted only if it is too slow itself, whatever was consumed before its first byte. If its server does not say that it can
//! be continued by range, the budget is [`PATIENCE_FACTOR_WITHOUT_RANGES`] times as large: the rest may never come again.

use super::failure::join_reasons;
use copresence_client::PATIENCE_FACTOR_WITHOUT_RANGES;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

/// Bytes that restore one second of patience. At this rate 3 MB take an hour.
const MIN_RATE: u64 = 1024;

/// Limits of all downloads of a visit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoordinatorLimits {
    /// Requests in flight at the same time, at least 1.
    pub(crate) parallel: usize,
    /// Time without enough new bytes after which the visit stops trying.
    pub(crate) patience: Duration,
    /// Time without enough bytes after which a response is aborted as too slow.
    pub(crate) transfer_patience: Duration,
    /// Time from now after which a file that cannot be downloaded is lost; `downloads.keep_trying` minus the time since
    /// the delivery.
    pub(crate) keep_trying: Duration,
    /// Whether a later run can continue. False if the backend ends with this process.
    pub(crate) can_continue_later: bool,
}

/// What follows for a file whose request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Try again within this run.
    Retry {
        /// What is left of the patience.
        patience_left: Duration,
    },
    /// Stop for now. A later run continues.
    Postpone,
    /// Stop for good.
    GiveUp {
        /// Why there is no later run.
        why: &'static str,
    },
}

/// Coordinates the downloads of one visit with each other and with its runner: how many run at once, which wait for
/// the network, and how long they are tried.
pub(crate) struct DownloadCoordinator {
    permits: Semaphore,
    limits: CoordinatorLimits,
    keep_trying_ends: Option<Instant>,
    state: Mutex<DownloadsState>,
    /// Number of responses that any file server sent. Downloads that wait for the network retry when it grows.
    responses: watch::Sender<u64>,
    /// Number of requests in flight whose file may not come again.
    unrepeatable_transfers: watch::Sender<usize>,
    /// Number of files that are neither complete nor given up nor in a pause after a failure. `None` before the downloads begin.
    active_files: watch::Sender<Option<usize>>,
}

/// What is known of the downloads now.
struct DownloadsState {
    /// When the patience ends, if nothing more is received.
    patience_ends: Instant,
    /// Number of responses whose body is being received.
    receiving: usize,
    /// The last failure of each file whose last request failed, by index.
    failures: BTreeMap<usize, String>,
}

/// The patience left with the transfer of one response. Consumed from its first byte on, and restored by each of
/// its bytes.
pub(crate) struct TransferPatience {
    whole: Duration,
    ends: Instant,
    looked_at: Instant,
}

/// Longest time between two looks at the patience of a transfer that counts. A longer one is that of a stopped process (a
/// paused virtual machine, SIGSTOP) or of our own disk, while the server may have sent all.
const MAX_TIME_BETWEEN_LOOKS: Duration = Duration::from_secs(2);

impl TransferPatience {
    /// Restores the time during which this process could not receive. To be called at least once a second.
    pub(crate) fn restore_patience_lost_while_suspended(&mut self) {
        let now = Instant::now();
        self.ends += now.duration_since(self.looked_at).saturating_sub(MAX_TIME_BETWEEN_LOOKS);
        self.looked_at = now;
    }

    /// Restores patience for received bytes. Returns whether patience is left.
    pub(crate) fn add_bytes_and_check_patience_left(&mut self, bytes: u64) -> bool {
        let now = Instant::now();
        self.ends = patience_end_after_bytes_received(self.ends, self.whole, bytes, now);
        now < self.ends
    }
}

/// When patience ends after bytes were received.
fn patience_end_after_bytes_received(ends: Instant, whole: Duration, bytes: u64, now: Instant) -> Instant {
    (ends + Duration::from_millis(bytes.saturating_mul(1000) / MIN_RATE)).min(now + whole)
}

/// Counts a transfer as unrepeatable until it is dropped.
pub(crate) struct UnrepeatableTransferGuard<'a>(&'a DownloadCoordinator);

impl Drop for UnrepeatableTransferGuard<'_> {
    fn drop(&mut self) {
        self.0.unrepeatable_transfers.send_modify(|transfers| *transfers -= 1);
    }
}

/// Counts a response as being received until it is dropped.
pub(crate) struct ReceivingResponseGuard<'a>(&'a DownloadCoordinator);

impl Drop for ReceivingResponseGuard<'_> {
    fn drop(&mut self) {
        self.0.lock_downloads_state().receiving -= 1;
    }
}

/// Counts a file as inactive, during its pause after a failure, until it is dropped.
struct PausedFileGuard<'a>(&'a DownloadCoordinator);

impl Drop for PausedFileGuard<'_> {
    fn drop(&mut self) {
        self.0.active_files.send_modify(|files| *files = files.map(|files| files + 1));
    }
}

impl DownloadCoordinator {
    pub(crate) fn new(limits: CoordinatorLimits) -> Self {
        let now = Instant::now();
        Self {
            permits: Semaphore::new(limits.parallel.clamp(1, Semaphore::MAX_PERMITS)),
            keep_trying_ends: now.checked_add(limits.keep_trying),
            state: Mutex::new(DownloadsState {
                patience_ends: now + limits.patience,
                receiving: 0,
                failures: BTreeMap::new(),
            }),
            responses: watch::Sender::new(0),
            unrepeatable_transfers: watch::Sender::new(0),
            active_files: watch::Sender::new(None),
            limits,
        }
    }

    /// Waits for the permit to send one request; for ever after [`Self::stop_new_requests`]. First come, first served, so that
    /// files of a server that does not respond do not keep the others from being requested.
    pub(crate) async fn acquire_request_permit(&self) -> SemaphorePermit<'_> {
        match self.permits.acquire().await {
            Ok(permit) => permit,
            Err(_closed) => std::future::pending().await,
        }
    }

    /// Sends no further request. Those in flight continue.
    pub(crate) fn stop_new_requests(&self) {
        self.permits.close();
    }

    /// Records that a server responded, with any status. Wakes the downloads that wait for the network.
    pub(crate) fn record_response_and_wake_retries(&self) {
        self.responses.send_modify(|responses| *responses += 1);
    }

    /// Records that the body of a file is being received, until the guard is dropped.
    pub(crate) fn mark_file_as_receiving(&self, index: usize) -> ReceivingResponseGuard<'_> {
        let mut state = self.lock_downloads_state();
        state.receiving += 1;
        state.failures.remove(&index);
        ReceivingResponseGuard(self)
    }

    /// Counts a request whose file may not come again, until the guard is dropped: it may spend its one-time URL, and the
    /// server has not said that it continues with ranges.
    pub(crate) fn mark_transfer_as_unrepeatable(&self) -> UnrepeatableTransferGuard<'_> {
        self.unrepeatable_transfers.send_modify(|transfers| *transfers += 1);
        UnrepeatableTransferGuard(self)
    }

    /// Waits until no request is in flight whose file may not come again.
    pub(crate) async fn wait_while_transfers_are_unrepeatable(&self) {
        // The sender lives as long as this value.
        _ = self.unrepeatable_transfers.subscribe().wait_for(|transfers| *transfers == 0).await;
    }

    /// Records that the downloads of so many files begin.
    pub(crate) fn begin_active_files(&self, files: usize) {
        self.active_files.send_replace(Some(files));
    }

    /// Records that a file is complete or given up.
    pub(crate) fn end_active_file(&self) {
        self.active_files.send_modify(|files| *files = files.map(|files| files.saturating_sub(1)));
    }

    /// Waits until each file was requested, and is complete, given up, or in a pause after a failure.
    pub(crate) async fn wait_until_no_file_is_active(&self) {
        // The sender lives as long as this value.
        _ = self.active_files.subscribe().wait_for(|files| *files == Some(0)).await;
    }

    /// The patience with a slow transfer: the time without enough bytes after which its response is aborted.
    pub(crate) fn transfer_patience(&self) -> Duration {
        self.limits.transfer_patience
    }

    /// Returns the transfer patience of a response whose first byte arrives now. `has_stated_range_support`: whether its server
    /// says that it can be continued.
    pub(crate) fn start_transfer_patience_at_first_byte(&self, has_stated_range_support: bool) -> TransferPatience {
        let whole =
            self.transfer_patience() * if has_stated_range_support { 1 } else { PATIENCE_FACTOR_WITHOUT_RANGES };
        let now = Instant::now();
        TransferPatience { whole, ends: now + whole, looked_at: now }
    }

    /// Restores patience for received bytes that no earlier response had.
    pub(crate) fn restore_patience_for_new_bytes(&self, bytes: u64) {
        let mut state = self.lock_downloads_state();
        state.patience_ends =
            patience_end_after_bytes_received(state.patience_ends, self.limits.patience, bytes, Instant::now());
    }

    /// Records the failure of a file, and decides whether its download is retried now, by a later run, or never.
    /// `has_response` says whether a server's response is the failure: a request without one uses nothing up, so that
    /// it never makes a file lost.
    pub(crate) fn record_failure_and_decide_next_attempt(
        &self,
        index: usize,
        why: &str,
        has_response: bool,
    ) -> RetryDecision {
        let mut state = self.lock_downloads_state();
        let patience_left = state.patience_ends.saturating_duration_since(Instant::now());
        if patience_left.is_zero() {
            drop(state);
            return self.decide_if_later_run_retries(index, has_response);
        }
        state.failures.insert(index, why.to_owned());
        RetryDecision::Retry { patience_left }
    }

    /// Decides whether a file that is not requested again in this run is downloaded by a later run, or never. See
    /// [`Self::record_failure_and_decide_next_attempt`].
    pub(crate) fn decide_if_later_run_retries(&self, index: usize, has_response: bool) -> RetryDecision {
        self.lock_downloads_state().failures.remove(&index);
        if !self.limits.can_continue_later {
            RetryDecision::GiveUp { why: "its server ends with this program" }
        } else if has_response && self.keep_trying_ends.is_some_and(|end| end <= Instant::now()) {
            RetryDecision::GiveUp { why: "the time of `downloads.keep_trying` since the delivery is over" }
        } else {
            RetryDecision::Postpone
        }
    }

    /// Waits for `pause`; with `wakes_after` only until any server has responded, but at least for that time: files whose
    /// responses all break off would otherwise wake one another without a pause.
    pub(crate) async fn wait_for_pause_or_server_response(&self, pause: Duration, wakes_after: Option<Duration>) {
        self.end_active_file();
        let _paused = PausedFileGuard(self);
        let mut responses = self.responses.subscribe();
        let any_response = async {
            tokio::time::sleep(wakes_after.unwrap_or(pause)).await;
            // The sender lives as long as this value.
            responses.changed().await
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = any_response => {}
        }
    }

    /// The failures for which all downloads of the visit wait; `None` while a file is being received, or if no
    /// later run can continue.
    pub(crate) fn describe_failures_if_all_downloads_wait(&self) -> Option<String> {
        let state = self.lock_downloads_state();
        let is_waiting = state.receiving == 0 && !state.failures.is_empty() && self.limits.can_continue_later;
        is_waiting.then(|| join_reasons(&state.failures.values().cloned().collect::<Vec<_>>()))
    }

    /// Locks the mutex of what is known of the downloads.
    fn lock_downloads_state(&self) -> MutexGuard<'_, DownloadsState> {
        // Each change is complete, also after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(100);

    fn coordinator(keep_trying: Duration, can_continue_later: bool) -> DownloadCoordinator {
        DownloadCoordinator::new(CoordinatorLimits {
            parallel: 2,
            patience: PATIENCE,
            transfer_patience: PATIENCE,
            keep_trying,
            can_continue_later,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn patience_is_consumed_by_time_and_restored_by_bytes() {
        let downloads = coordinator(Duration::from_hours(24), true);
        tokio::time::advance(Duration::from_secs(90)).await;
        let left = |seconds| RetryDecision::Retry { patience_left: Duration::from_secs(seconds) };
        let fail = || downloads.record_failure_and_decide_next_attempt(0, "refused", true);
        assert_eq!(fail(), left(10));
        downloads.restore_patience_for_new_bytes(20 * MIN_RATE);
        assert_eq!(fail(), left(30));
        downloads.restore_patience_for_new_bytes(u64::MAX);
        assert_eq!(fail(), left(100));
        // Less than the minimum rate is as good as nothing.
        for _ in 0..200 {
            tokio::time::advance(Duration::from_secs(1)).await;
            downloads.restore_patience_for_new_bytes(MIN_RATE / 2);
        }
        assert_eq!(fail(), RetryDecision::Postpone);
    }

    /// Cases L4: bytes received again, and the wait for the first byte.
    #[tokio::test(start_paused = true)]
    async fn a_transfer_is_too_slow_only_by_its_own_bytes() {
        let downloads = coordinator(Duration::from_hours(24), true);
        tokio::time::advance(2 * PATIENCE).await;
        let mut patience = downloads.start_transfer_patience_at_first_byte(true);
        for _ in 0..300 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(patience.add_bytes_and_check_patience_left(MIN_RATE));
        }
        for _ in 0..199 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(patience.add_bytes_and_check_patience_left(MIN_RATE / 2));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!patience.add_bytes_and_check_patience_left(MIN_RATE / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_stopped_process_does_not_count() {
        let downloads = coordinator(Duration::from_hours(24), true);
        let mut patience = downloads.start_transfer_patience_at_first_byte(true);
        for _ in 0..3 {
            tokio::time::advance(2 * PATIENCE).await;
            patience.restore_patience_lost_while_suspended();
            assert!(patience.add_bytes_and_check_patience_left(1));
        }
        for second in 1..=100 {
            tokio::time::advance(Duration::from_secs(1)).await;
            patience.restore_patience_lost_while_suspended();
            assert_eq!(patience.add_bytes_and_check_patience_left(1), second < 94, "{second}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_given_up_when_the_time_to_keep_trying_and_the_patience_are_over() {
        let downloads = coordinator(Duration::from_secs(10), true);
        tokio::time::advance(Duration::from_secs(10)).await;
        let fail = |has_response| downloads.record_failure_and_decide_next_attempt(0, "refused", has_response);
        assert!(matches!(fail(true), RetryDecision::Retry { .. }), "patience is left");
        tokio::time::advance(PATIENCE).await;
        assert_eq!(fail(false), RetryDecision::Postpone, "no server was asked");
        assert!(matches!(fail(true), RetryDecision::GiveUp { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn files_of_a_server_that_ends_with_the_program_are_not_postponed() {
        let downloads = coordinator(Duration::from_hours(24), false);
        assert!(matches!(
            downloads.record_failure_and_decide_next_attempt(0, "refused", true),
            RetryDecision::Retry { .. }
        ));
        assert_eq!(downloads.describe_failures_if_all_downloads_wait(), None);
        tokio::time::advance(PATIENCE).await;
        assert!(matches!(
            downloads.record_failure_and_decide_next_attempt(0, "refused", true),
            RetryDecision::GiveUp { .. }
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_reported_only_while_nothing_is_received() {
        let downloads = coordinator(Duration::from_hours(24), true);
        assert_eq!(downloads.describe_failures_if_all_downloads_wait(), None);
        _ = downloads.record_failure_and_decide_next_attempt(0, "a: refused", true);
        _ = downloads.record_failure_and_decide_next_attempt(1, "b: refused", true);
        assert_eq!(downloads.describe_failures_if_all_downloads_wait().as_deref(), Some("a: refused; b: refused"));
        let receiving = downloads.mark_file_as_receiving(0);
        assert_eq!(downloads.describe_failures_if_all_downloads_wait(), None);
        drop(receiving);
        assert_eq!(downloads.describe_failures_if_all_downloads_wait().as_deref(), Some("b: refused"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_ends_the_pauses_that_wait_for_the_network() {
        let downloads = coordinator(Duration::from_hours(24), true);
        let hour = Duration::from_hours(1);
        let began = Instant::now();
        let wait = downloads.wait_for_pause_or_server_response(hour, Some(Duration::from_secs(3)));
        let other = downloads.wait_for_pause_or_server_response(hour, None);
        let respond = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            downloads.record_response_and_wake_retries();
        };
        let waited = async {
            wait.await;
            began.elapsed()
        };
        let (waited, (), ()) = tokio::join!(waited, respond, other);
        assert_eq!(waited, Duration::from_secs(3), "not before the shortest pause");
        assert_eq!(began.elapsed(), hour, "a pause that the server asked for is kept");
    }
}
