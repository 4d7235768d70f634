//! The task in flight and its output, and what else the runner waits for.

use super::VisitRunner;
use crate::clock::Clock;
use crate::events::EventKind;
use crate::runner::delivery_journal::DeliveryJournal;
use crate::runner::download_coordinator::DownloadCoordinator;
use crate::runner::failure::join_reasons;
use crate::runner::redeem::RedeemResultAndPendingWrite;
use crate::runner::save::{EarlySavingStopReason, SaveResult};
use crate::runner::token_issuing::{IssuedToken, TokenIssueError};
use copresence_protocol::DeliveredExports;
use copresence_visit::{MachineEvent, MillisSinceOrigin, RedeemResult};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

pub(super) type InFlight = Pin<Box<dyn Future<Output = TaskOutput> + Send>>;

/// The download of the files that a truncated response names, beside the redeems that decide whether they are used.
pub(super) struct TruncatedResponseDownload {
    pub(super) delivery: DeliveredExports,
    pub(super) coordinator: Arc<DownloadCoordinator>,
    /// Keeps the state of the files in memory until they are used.
    pub(super) journal: Arc<DeliveryJournal>,
    pub(super) is_used: CancellationToken,
    /// Ends only after `is_used` is cancelled.
    pub(super) task: Pin<Box<dyn Future<Output = SaveResult> + Send>>,
}

/// Drives the download of a truncated response's files, if there is one. Never returns. A download that ended early, by
/// an error of its folder, is repeated once the files are used.
pub(super) async fn drive_truncated_download_forever(fetch: &mut Option<TruncatedResponseDownload>) -> Infallible {
    if let Some(running) = fetch {
        (&mut running.task).await;
        *fetch = None;
    }
    std::future::pending().await
}

impl TruncatedResponseDownload {
    /// Waits until no file is requested or received any more: its one-time URL may not send it again.
    pub(super) async fn wait_until_no_file_is_active(&mut self) {
        tokio::select! {
            _ = &mut self.task => {}
            () = self.coordinator.wait_until_no_file_is_active() => {}
        }
    }

    /// Sends no further request, and waits for the files in flight that may not come again, for at most
    /// [`MAX_WAIT_FOR_UNREPEATABLE_TRANSFERS`].
    pub(super) async fn end_after_unrepeatable_transfers(mut self) {
        let mut transfers = Some(UnrepeatableTransfersAwaitedAtStop::stop_new_requests(self.coordinator.clone()));
        tokio::select! {
            _ = &mut self.task => {}
            () = await_ending_transfers_or_forever(&mut transfers) => {}
        }
    }
}

/// Maximum time that a program that stops waits for downloads whose files may not come again. Services are killed after 90 s
/// by default.
const MAX_WAIT_FOR_UNREPEATABLE_TRANSFERS: Duration = Duration::from_secs(30);

/// Downloads that stop, and of which those whose files may not come again are awaited.
pub(super) struct UnrepeatableTransfersAwaitedAtStop {
    coordinator: Arc<DownloadCoordinator>,
    until: Instant,
}

impl UnrepeatableTransfersAwaitedAtStop {
    /// Stops all other requests.
    pub(super) fn stop_new_requests(coordinator: Arc<DownloadCoordinator>) -> Self {
        coordinator.stop_new_requests();
        Self { coordinator, until: Instant::now() + MAX_WAIT_FOR_UNREPEATABLE_TRANSFERS }
    }
}

/// Waits until the transfers have ended or their time is over, once; never resolves if there are none.
pub(super) async fn await_ending_transfers_or_forever(transfers: &mut Option<UnrepeatableTransfersAwaitedAtStop>) {
    match transfers {
        Some(UnrepeatableTransfersAwaitedAtStop { coordinator, until }) => {
            _ = timeout_at(*until, coordinator.wait_while_transfers_are_unrepeatable()).await;
            *transfers = None;
        }
        None => std::future::pending().await,
    }
}

/// Output of the task in flight.
pub(super) enum TaskOutput {
    Issued(Result<IssuedToken, TokenIssueError>),
    Redeemed(Box<RedeemResultAndPendingWrite>),
    Saved(SaveResult),
}

/// Waits for the task in flight; never resolves if there is none.
pub(super) async fn await_task_or_forever(task: &mut Option<InFlight>) -> TaskOutput {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// Waits until `time`; for ever if there is none.
pub(super) async fn wait_until_or_forever(clock: Clock, time: Option<MillisSinceOrigin>) {
    match time {
        Some(time) => clock.sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl VisitRunner {
    /// Takes over the output of the task that was in flight: stores and journals times, emits events, and returns
    /// the event for the machine.
    pub(super) async fn apply_task_output_returning_event(&mut self, output: TaskOutput) -> MachineEvent {
        match output {
            TaskOutput::Issued(Ok(IssuedToken { token, link, expires_at, at })) => {
                self.times.issued = Some(at);
                // After the visitor left, no code is shown.
                if !self.leaving.is_cancelled() {
                    self.emit_event(EventKind::Invited { link, expires_at });
                }
                MachineEvent::TokenIssued(token)
            }
            TaskOutput::Issued(Err(TokenIssueError { failure, is_of_login: true })) => {
                MachineEvent::LoginFailed(failure)
            }
            TaskOutput::Issued(Err(TokenIssueError { failure, .. })) => MachineEvent::IssueFailed(failure),
            TaskOutput::Redeemed(redeemed) => {
                let RedeemResultAndPendingWrite { result, pending_write } = *redeemed;
                self.pending_write = pending_write;
                match &result {
                    RedeemResult::NotReady(progress) => self.record_first_status_time(&progress.status).await,
                    RedeemResult::Delivered(_) => self.record_when_delivery_spent_token().await,
                    _ => {}
                }
                MachineEvent::Redeemed(result)
            }
            TaskOutput::Saved(SaveResult { directory, files, missing, stop }) => {
                self.directory = directory;
                self.downloads = None;
                if let Some(stop) = stop {
                    let why = join_reasons(&missing);
                    match stop {
                        EarlySavingStopReason::DiskFull => MachineEvent::DiskFull(why),
                        EarlySavingStopReason::StorageFailed => MachineEvent::StorageFailed(why),
                        EarlySavingStopReason::Interrupted => MachineEvent::DownloadsInterrupted(why),
                    }
                } else if missing.is_empty() {
                    let directory = self.directory.as_deref().unwrap_or(&self.start.out_dir);
                    self.emit_event(EventKind::Saved { directory: directory.display().to_string(), files });
                    MachineEvent::Saved
                } else if files.is_empty() {
                    MachineEvent::NothingSaved(join_reasons(&missing))
                } else {
                    MachineEvent::SavedInPart(join_reasons(&missing))
                }
            }
        }
    }
}
