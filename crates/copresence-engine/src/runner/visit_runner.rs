//! Runs one visit, live or recovered: feeds events to the machine and performs its effects.

mod delivery;
mod finish;
mod phase_times;
mod task;

use super::config::{DEFAULT_DOWNLOAD_PAUSE, VisitConfig, VisitContext};
use super::delivery_journal::DeliveryJournal;
use super::download_coordinator::DownloadCoordinator;
use super::redeem::{PendingJournalWrite, redeem_if_space_and_journal};
use super::token_issuing::issue_and_journal_token;
use super::{RequiredDiskSpace, VisitStopSignals, duration_as_millis};
use crate::events::{EventKind, VisitEvent};
use copresence_protocol::Progress;
use copresence_store::{
    FileRecord, PhaseTimestamps, RedeemNumber, StoreError, UnfinishedVisit, VisitDownloadLimits, VisitId, VisitLock,
    VisitStart,
};
use copresence_visit::{
    MachineEffect, MachineEvent, MillisSinceOrigin, Outcome, RedeemOnceOrUntilReady, Visit, VisitNotice,
    VisitPollingPlan, advance_visit_machine,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use task::{
    InFlight, TaskOutput, TruncatedResponseDownload, UnrepeatableTransfersAwaitedAtStop,
    await_ending_transfers_or_forever, await_task_or_forever, drive_truncated_download_forever, wait_until_or_forever,
};
use tokio_util::sync::CancellationToken;

/// Runs a visit to its end. The machine owns the token and the delivery; the runner owns the journal entry.
pub(crate) struct VisitRunner {
    start: Arc<VisitStart>,
    limits: VisitDownloadLimits,
    download_pause: Duration,
    /// As [`CoordinatorLimits::patience`](super::download_coordinator::CoordinatorLimits::patience).
    download_patience: Duration,
    /// How often recovery tried to finish the visit before.
    recovery_attempts: u32,
    /// Shared with the downloads while they run.
    downloads: Option<Arc<DownloadCoordinator>>,
    context: VisitContext,
    visit: Visit,
    /// What is still to be journalled of the last redeem. It moves to the delivery's journal when saving starts.
    pending_write: Option<PendingJournalWrite>,
    /// The redeem whose truncated response is used, until that is journalled.
    unjournalled_truncated: Option<RedeemNumber>,
    /// Journals the delivery once saving has started.
    delivery_journal: Option<Arc<DeliveryJournal>>,
    /// The avatar's folder, complete or incomplete.
    directory: Option<PathBuf>,
    times: PhaseTimestamps,
    /// The files that an earlier run planned.
    known_files: Vec<FileRecord>,
    is_resumed: bool,
    /// Whether a delivery is known: this run saves it, or an earlier one planned its files.
    is_delivery_known: bool,
    in_flight: Option<InFlight>,
    /// The download of the files that a truncated response names, until it is known whether they are used.
    partial_fetch: Option<TruncatedResponseDownload>,
    wake_at: Option<MillisSinceOrigin>,
    /// Cancelled once the visitor leaves or the program stops.
    leaving: CancellationToken,
    /// Held until the end, so that no recovery touches this visit.
    _visit_lock: VisitLock,
}

/// How a run ended.
pub(crate) struct RunnerResult {
    pub(crate) outcome: Outcome,
    pub(crate) directory: Option<PathBuf>,
    /// What the last usable response reported.
    pub(crate) progress: Option<Progress>,
}

/// What a run begins with: an event for the machine, or effects that a restored machine already returned.
pub(crate) enum FirstEventOrEffects {
    Event(MachineEvent),
    Effects(Vec<MachineEffect>),
}

impl VisitRunner {
    /// Locks a new visit and journals its start. Returns its runner, which has done nothing else yet.
    pub(crate) async fn runner_for_journaled_new_visit(
        config: VisitConfig,
        context: VisitContext,
    ) -> Result<Self, StoreError> {
        context.data.check_output_outside_incomplete_folder(&config.out_dir)?;
        let visit_lock = context.data.lock_visit(&config.id)?;
        let now = context.clock.wall_clock_time();
        let start = config.to_start_record(now);
        context.journal.record_visit_start(&start).await?;
        let plan = VisitPollingPlan {
            polling: config.polling.clone(),
            give_up_at: context.clock.millis_since_clock_creation() + config.timeout,
            patience: config.limits.patience,
            seed: derive_jitter_seed(config.id),
            mode: RedeemOnceOrUntilReady::UntilReady,
        };
        Ok(Self {
            start: Arc::new(start),
            limits: config.limits,
            download_pause: config.download_pause,
            download_patience: config.limits.patience,
            recovery_attempts: 0,
            downloads: None,
            visit: Visit::new(plan, config.to_token_request()),
            times: PhaseTimestamps { started: now, ..PhaseTimestamps::default() },
            known_files: Vec::new(),
            is_resumed: false,
            is_delivery_known: false,
            context,
            pending_write: None,
            unjournalled_truncated: None,
            delivery_journal: None,
            directory: None,
            in_flight: None,
            partial_fetch: None,
            wake_at: None,
            leaving: CancellationToken::new(),
            _visit_lock: visit_lock,
        })
    }

    /// Continues a visit that is reopened in the journal. `visit` is restored from it. Its downloads stop after
    /// `max_download_patience` without progress, or after the visit's own patience if that is shorter.
    pub(crate) fn runner_for_reopened_visit(
        unfinished: UnfinishedVisit,
        visit: Visit,
        context: VisitContext,
        visit_lock: VisitLock,
        max_download_patience: Duration,
    ) -> Self {
        let start = unfinished.visit.start;
        let mut limits = start.limits.unwrap_or(context.limits);
        // A file that was too large comes when the profile's limit is raised.
        limits.max_file_size = limits.max_file_size.max(context.limits.max_file_size);
        Self {
            limits,
            start: Arc::new(start),
            download_pause: DEFAULT_DOWNLOAD_PAUSE,
            download_patience: limits.patience.min(max_download_patience),
            recovery_attempts: unfinished.visit.recovery_attempts,
            downloads: None,
            visit,
            times: unfinished.visit.times,
            is_delivery_known: !unfinished.files.is_empty(),
            known_files: unfinished.files.into_iter().map(|file| file.record).collect(),
            is_resumed: true,
            context,
            pending_write: None,
            unjournalled_truncated: None,
            delivery_journal: None,
            directory: None,
            in_flight: None,
            partial_fetch: None,
            wake_at: None,
            leaving: CancellationToken::new(),
            _visit_lock: visit_lock,
        }
    }

    /// Passes an event of this visit to the host, with the time.
    fn emit_event(&self, event: EventKind) {
        (self.context.event_sink)(VisitEvent {
            visit: self.start.id,
            at: self.context.clock.wall_clock_time(),
            kind: event,
        });
    }

    /// Runs the visit to its end.
    pub(crate) async fn run_to_end(mut self, first: FirstEventOrEffects, leave: VisitStopSignals) -> RunnerResult {
        let (mut has_left, mut is_interrupted, mut is_forgotten) = (false, false, false);
        let mut ending_transfers: Option<UnrepeatableTransfersAwaitedAtStop> = None;
        let mut outcome = match first {
            // Left before the first request: no token is issued.
            FirstEventOrEffects::Event(MachineEvent::Started) if leave.is_any_stop_requested() => {
                self.advance_machine_returning_outcome(MachineEvent::VisitorLeft).await
            }
            FirstEventOrEffects::Event(event) => self.advance_machine_returning_outcome(event).await,
            FirstEventOrEffects::Effects(effects) => self.perform_effects_returning_outcome(effects).await,
        };
        while outcome.is_none() {
            let event = tokio::select! {
                biased;
                output = await_task_or_forever(&mut self.in_flight) => {
                    self.in_flight = None;
                    self.apply_task_output_returning_event(output).await
                }
                () = leave.interrupted.cancelled(), if !is_interrupted => {
                    is_interrupted = true;
                    self.leaving.cancel();
                    ending_transfers = self.current_downloads().map(UnrepeatableTransfersAwaitedAtStop::stop_new_requests);
                    if ending_transfers.is_some() {
                        continue;
                    }
                    self.event_when_program_stops()
                }
                () = await_ending_transfers_or_forever(&mut ending_transfers) => self.event_when_program_stops(),
                () = leave.forgotten.cancelled(), if !is_forgotten => {
                    is_forgotten = true;
                    self.leaving.cancel();
                    self.event_when_program_stops()
                }
                () = leave.visitor_left.cancelled(), if !has_left => {
                    has_left = true;
                    self.leaving.cancel();
                    MachineEvent::VisitorLeft
                }
                never = drive_truncated_download_forever(&mut self.partial_fetch) => match never {},
                () = wait_until_or_forever(self.context.clock, self.wake_at) => {
                    self.wake_at = None;
                    MachineEvent::TimerFired
                }
            };
            outcome = self.advance_machine_returning_outcome(event).await;
        }
        if !is_interrupted && !is_forgotten {
            self.await_active_files_of_truncated_response(&leave).await;
        }
        // The loop ends with an outcome.
        self.finish_visit(outcome.unwrap_or(Outcome::Interrupted)).await
    }

    /// Waits until the files of a truncated response that are requested or received have arrived or failed: they are kept for
    /// the run that uses them, and their one-time URLs may not send them again. A program that stops waits for less.
    async fn await_active_files_of_truncated_response(&mut self, leave: &VisitStopSignals) {
        let Some(mut fetch) = self.partial_fetch.take() else { return };
        let is_stopped = tokio::select! {
            () = fetch.wait_until_no_file_is_active() => false,
            () = leave.forgotten.cancelled() => false,
            () = leave.interrupted.cancelled() => true,
        };
        if is_stopped {
            fetch.end_after_unrepeatable_transfers().await;
        }
    }

    /// The downloads in progress, also those of a truncated response.
    fn current_downloads(&self) -> Option<Arc<DownloadCoordinator>> {
        let of_truncated_response = || self.partial_fetch.as_ref().map(|fetch| &fetch.coordinator);
        self.downloads.as_ref().or_else(of_truncated_response).cloned()
    }

    /// The event for a program that stops. If the downloads wait for a network or a server that fails, that is why the
    /// avatar is not saved, and the visit ends with it.
    fn event_when_program_stops(&self) -> MachineEvent {
        match self.downloads.as_ref().and_then(|downloads| downloads.describe_failures_if_all_downloads_wait()) {
            Some(why) => MachineEvent::DownloadsInterrupted(format!("{why}; the program was stopped meanwhile")),
            None => MachineEvent::Interrupted,
        }
    }

    /// Advances the machine by an event and performs its effects. Returns the outcome if the visit ended.
    async fn advance_machine_returning_outcome(&mut self, event: MachineEvent) -> Option<Outcome> {
        let (visit, effects) =
            advance_visit_machine(self.visit.clone(), event, self.context.clock.millis_since_clock_creation());
        self.visit = visit;
        self.perform_effects_returning_outcome(effects).await
    }

    /// Performs what the machine asks for: starts a task, emits a notice, or ends the visit. Returns the outcome if
    /// the visit ended.
    async fn perform_effects_returning_outcome(&mut self, effects: Vec<MachineEffect>) -> Option<Outcome> {
        let mut outcome = None;
        for effect in effects {
            match effect {
                MachineEffect::Issue(request) => {
                    let (context, start, min_free) = self.clone_inputs_for_new_task();
                    let (leaving, patience) = (self.leaving.clone(), self.limits.patience);
                    self.in_flight = Some(Box::pin(async move {
                        let space = RequiredDiskSpace { out_dir: &start.out_dir, min_free };
                        let issued =
                            issue_and_journal_token(&context, start.id, &request, space, patience, &leaving).await;
                        TaskOutput::Issued(issued)
                    }));
                }
                MachineEffect::Redeem { token } => {
                    let (context, start, min_free) = self.clone_inputs_for_new_task();
                    let before = self.pending_write.take();
                    let earlier = self.visit.delivery_of_truncated_responses().cloned();
                    self.in_flight = Some(Box::pin(async move {
                        let space = RequiredDiskSpace { out_dir: &start.out_dir, min_free };
                        let redeemed =
                            redeem_if_space_and_journal(&context, start.id, &token, before, earlier.as_ref(), space)
                                .await;
                        TaskOutput::Redeemed(Box::new(redeemed))
                    }));
                }
                MachineEffect::UsePartial { redeem } => self.journal_truncated_response_as_delivery(redeem).await,
                MachineEffect::FetchPartial { delivery } => self.start_truncated_response_download(delivery),
                MachineEffect::Save { delivery } => self.start_saving_delivery(delivery),
                MachineEffect::SavePartial { delivery } => match self.partial_fetch.take() {
                    Some(fetch) if fetch.delivery == delivery => self.use_truncated_response_files(fetch).await,
                    other => {
                        self.partial_fetch = other;
                        self.start_saving_delivery(delivery);
                    }
                },
                MachineEffect::Wait { until } => self.wake_at = Some(until),
                MachineEffect::Notify(notice) => self.emit_notice(notice),
                MachineEffect::End(end) => outcome = Some(end),
            }
        }
        outcome
    }

    /// What every task needs: context, start record, and the minimum of free space in bytes.
    fn clone_inputs_for_new_task(&self) -> (VisitContext, Arc<VisitStart>, u64) {
        (self.context.clone(), self.start.clone(), self.limits.min_free_space)
    }

    /// Turns a notice of the machine into an event and emits it.
    fn emit_notice(&self, notice: VisitNotice) {
        self.emit_event(match notice {
            VisitNotice::Status { progress, next_poll } => EventKind::Status {
                completion_status: progress.status.as_str().to_owned(),
                completion_progress: progress.completion_wire_value(),
                queue_position: progress.queue_position_wire_value(),
                next_poll_ms: duration_as_millis(next_poll),
            },
            VisitNotice::Retrying { failure, attempt, next_poll } => EventKind::Retrying {
                code: failure.kind.failure_code().to_owned(),
                message: failure.detail,
                attempt,
                next_poll_ms: duration_as_millis(next_poll),
            },
            VisitNotice::Delivered { exports } => {
                let exports = exports.iter().map(|export_type| export_type.as_str().to_owned()).collect();
                EventKind::Redeemed { exports }
            }
        });
    }
}

/// Seed of the jitter, from the random part of the visit's id.
pub(crate) fn derive_jitter_seed(id: VisitId) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&id, &mut hasher);
    std::hash::Hasher::finish(&hasher)
}
