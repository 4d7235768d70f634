//! Runs one visit, live or recovered: feeds events to the machine and performs its effects.

use super::config::{DEFAULT_DOWNLOAD_PAUSE, VisitConfig, VisitContext};
use super::delivery_journal::{DeliveryJournal, UnjournalledDeliveryParts};
use super::download_coordinator::{CoordinatorLimits, DownloadCoordinator};
use super::issue::{IssuedToken, TokenIssueError, issue_and_journal_token};
use super::redeem::{MAX_JOURNAL_WAIT, PendingJournalWrite, RedeemResultAndPendingWrite, redeem_if_space_and_journal};
use super::save::{EarlySavingStopReason, SaveJob, SaveResult, discard_partial_folder, download_and_publish_delivery};
use super::{RequiredDiskSpace, VisitStopSignals, block_in_place, duration_as_millis, ended_event_and_message};
use crate::clock::Clock;
use crate::events::{EventKind, VisitEvent};
use crate::problem::outcome_problem_with_credentials_remedy;
use copresence_protocol::{CompletionStatus, DeliveredExports, Progress};
use copresence_store::{
    DataRetainedForRecovery, FileRecord, Journal, PhaseTimestamps, RedeemNumber, StoreError, UnfinishedVisit,
    VisitDownloadLimits, VisitEnding, VisitId, VisitLock, VisitPhase, VisitStart,
};
use copresence_visit::outcome::EndPhase;
use copresence_visit::{
    MachineEffect, MachineEvent, MillisSinceOrigin, Outcome, RedeemOnceOrUntilReady, RedeemResult, Visit, VisitNotice,
    VisitPollingPlan, advance_visit_machine,
};
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Runs a visit to its end. The machine owns the token and the delivery; the runner owns the journal entry.
pub(crate) struct VisitRunner {
    start: Arc<VisitStart>,
    limits: VisitDownloadLimits,
    download_pause: Duration,
    /// As [`CoordinatorLimits::patience`].
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
        let (mut has_left, mut is_interrupted) = (false, false);
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
                    self.interruption_event()
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
        // The loop ends with an outcome.
        self.finish_visit(outcome.unwrap_or(Outcome::Interrupted)).await
    }

    /// The event for a program that stops. If the downloads wait for a network or a server that fails, that is why the
    /// avatar is not saved, and the visit ends with it.
    fn interruption_event(&self) -> MachineEvent {
        match self.downloads.as_ref().and_then(|downloads| downloads.describe_failures_while_all_wait()) {
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
                    self.in_flight = Some(Box::pin(async move {
                        let space = RequiredDiskSpace { out_dir: &start.out_dir, min_free };
                        let redeemed = redeem_if_space_and_journal(&context, start.id, &token, before, space).await;
                        TaskOutput::Redeemed(Box::new(redeemed))
                    }));
                }
                MachineEffect::UsePartial { redeem } => self.journal_truncated_response_as_delivery(redeem).await,
                MachineEffect::FetchPartial { delivery } => self.start_truncated_response_download(delivery),
                MachineEffect::Save { delivery } => {
                    // What it received stays on the disk, where the download of the same file finds it.
                    self.partial_fetch = None;
                    self.start_saving(delivery);
                }
                MachineEffect::SavePartial { delivery } => match self.partial_fetch.take() {
                    Some(fetch) if fetch.delivery == delivery => self.use_truncated_response_files(fetch).await,
                    _ => self.start_saving(delivery),
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

    /// Starts to save the files of a delivery, which includes their download, as the task in flight.
    fn start_saving(&mut self, delivery: DeliveredExports) {
        let missing = UnjournalledDeliveryParts {
            response: self.pending_write.take(),
            used_truncated: self.unjournalled_truncated.take(),
            planned: None,
        };
        let is_used = CancellationToken::new();
        is_used.cancel();
        let job = self.build_save_job(missing, self.times.clone(), is_used);
        self.downloads = Some(job.coordinator.clone());
        self.delivery_journal = Some(job.journal.clone());
        let context = self.context.clone();
        self.in_flight =
            Some(Box::pin(
                async move { TaskOutput::Saved(download_and_publish_delivery(&context, job, delivery).await) },
            ));
    }

    /// Describes how to save a delivery, of which the journal lacks `missing`.
    fn build_save_job(
        &mut self,
        missing: UnjournalledDeliveryParts,
        times: PhaseTimestamps,
        is_used: CancellationToken,
    ) -> SaveJob {
        self.is_delivery_known = true;
        let coordinator = Arc::new(DownloadCoordinator::new(CoordinatorLimits {
            parallel: self.limits.parallel_downloads,
            patience: self.download_patience,
            transfer_patience: self.limits.patience,
            keep_trying: retry_time_left_since_delivery(
                self.limits.keep_trying,
                times.redeemed.or(times.ready),
                self.context.clock.monotonic_timestamp(),
                self.recovery_attempts,
            ),
            can_continue_later: !self.start.ephemeral,
        }));
        SaveJob {
            start: self.start.clone(),
            limits: self.limits,
            coordinator,
            journal: Arc::new(DeliveryJournal::new(self.context.journal.clone(), self.start.id, missing)),
            pause: self.download_pause,
            times,
            known_files: self.known_files.clone(),
            is_resumed: self.is_resumed,
            is_used,
        }
    }

    /// Starts to download the files that a truncated response names, beside the redeems.
    fn start_truncated_response_download(&mut self, delivery: DeliveredExports) {
        if self.partial_fetch.as_ref().is_some_and(|fetch| fetch.delivery == delivery) {
            return;
        }
        let now = Some(self.context.clock.wall_clock_time());
        let times = PhaseTimestamps { ready: now, redeemed: now, ..self.times.clone() };
        let missing = UnjournalledDeliveryParts { response: None, used_truncated: None, planned: None };
        let is_used = CancellationToken::new();
        let job = self.build_save_job(missing, times, is_used.clone());
        let (coordinator, journal) = (job.coordinator.clone(), job.journal.clone());
        let (context, exports) = (self.context.clone(), delivery.clone());
        let task = Box::pin(async move { download_and_publish_delivery(&context, job, exports).await });
        self.partial_fetch = Some(TruncatedResponseDownload { delivery, coordinator, journal, is_used, task });
    }

    /// Uses the files that a truncated response names, whose download has begun: they are journalled and published.
    async fn use_truncated_response_files(&mut self, fetch: TruncatedResponseDownload) {
        let (response, used_truncated) = (self.pending_write.take(), self.unjournalled_truncated.take());
        fetch.journal.add_unjournalled_response(response, used_truncated).await;
        fetch.is_used.cancel();
        self.downloads = Some(fetch.coordinator);
        self.delivery_journal = Some(fetch.journal);
        let task = fetch.task;
        self.in_flight = Some(Box::pin(async move { TaskOutput::Saved(task.await) }));
    }

    /// Journals that a truncated response is used as the delivery. What fails is repeated while its files are saved.
    async fn journal_truncated_response_as_delivery(&mut self, redeem: u32) {
        let (journal, id, no) = (&self.context.journal, self.start.id, RedeemNumber::new(redeem));
        let mut written = match &mut self.pending_write {
            Some(write) => write.journal_redeem_response(journal, id).await,
            None => Ok(()),
        };
        if written.is_ok() {
            self.pending_write = None;
            written = journal.record_truncated_delivery_erasing_token(&id, no).await;
        }
        if let Err(error) = written {
            // The URLs are in memory and will not be sent again, so the downloads start all the same.
            tracing::error!(%error, visit = %id, "cannot journal the partial delivery");
            self.unjournalled_truncated = Some(no);
        }
        self.record_when_delivery_spent_token().await;
    }

    /// Records the time of the delivery, at which the token was spent.
    async fn record_when_delivery_spent_token(&mut self) {
        let now = self.context.clock.wall_clock_time();
        (self.times.ready, self.times.redeemed) = (Some(now), Some(now));
        let recorded = record_phase_start(&self.context.journal, self.start.id, VisitPhase::Ready, now);
        // A journal that is locked does not delay the downloads further: the write stays queued.
        let max_wait = if self.pending_write.is_some() { Duration::ZERO } else { MAX_JOURNAL_WAIT };
        _ = tokio::time::timeout(max_wait, recorded).await;
    }

    /// Takes over the output of the task that was in flight: stores and journals times, emits events, and returns
    /// the event for the machine.
    async fn apply_task_output_returning_event(&mut self, output: TaskOutput) -> MachineEvent {
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
                    let why = missing.join("; ");
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
                    MachineEvent::NothingSaved(missing.join("; "))
                } else {
                    MachineEvent::SavedInPart(missing.join("; "))
                }
            }
        }
    }

    /// Records the first time of each status, for the manifest and the history.
    async fn record_first_status_time(&mut self, status: &CompletionStatus) {
        let now = self.context.clock.wall_clock_time();
        let mut reached = Vec::new();
        if *status != CompletionStatus::NoAssociatedAvatar {
            reached.push((VisitPhase::Associated, &mut self.times.associated));
        }
        match status {
            CompletionStatus::InQueue => reached.push((VisitPhase::Queued, &mut self.times.queued)),
            CompletionStatus::Processing => {
                reached.push((VisitPhase::Processing, &mut self.times.processing));
            }
            _ => {}
        }
        let mut new = Vec::new();
        for (phase, time) in reached {
            if time.is_none() {
                *time = Some(now);
                new.push(phase);
            }
        }
        for phase in new {
            record_phase_start(&self.context.journal, self.start.id, phase, now).await;
        }
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

    /// Finishes the visit: journals its end and emits the last event.
    async fn finish_visit(mut self, outcome: Outcome) -> RunnerResult {
        // A redeem in flight journals itself as unanswered when it is dropped.
        self.in_flight = None;
        self.partial_fetch = None;
        let id = self.start.id;
        if let Some(mut write) = self.pending_write.take()
            && let Err(error) = write.journal_redeem_response(&self.context.journal, id).await
        {
            tracing::error!(%error, visit = %id, "cannot journal the last redeem");
        }
        if let Some(journal) = &self.delivery_journal
            && let Err(error) = journal.write_unjournalled_changes().await
        {
            tracing::error!(%error, visit = %id, "cannot journal the delivery");
        }
        let end = self.visit.end_state_if_ended();
        let state = end.map_or(EndPhase::Issuing, |end| end.ended_in).as_str();
        let progress = end.and_then(|end| end.progress.clone());
        let problem = outcome_problem_with_credentials_remedy(&outcome, &self.context.api);
        let (message, event) = ended_event_and_message(&outcome, &problem, state, self.directory.as_deref());
        let ending = VisitEnding {
            code: outcome.error_code().to_owned(),
            exit: outcome.exit_code(),
            message,
            visit_state: state.to_owned(),
            directory: self.directory.clone(),
            at: self.context.clock.wall_clock_time(),
        };
        match self.context.journal.record_end_and_erase_secrets(&id, &ending).await {
            Ok(DataRetainedForRecovery::Nothing) if self.directory.is_none() => {
                // Without a known delivery there should be no folder. If there is one, the journal lost its delivery (a
                // damaged disk), and the folder has the only copy of its files.
                if self.is_delivery_known {
                    block_in_place(|| discard_partial_folder(&self.start));
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, visit = %id, "cannot journal the end of the visit"),
        }
        if !self.is_resumed && outcome.can_later_run_continue_saving() {
            // Programs that run for long look for such visits.
            let pause = match outcome {
                Outcome::DownloadInterrupted(_) => SignedDuration::ZERO,
                _ => PAUSE_AFTER_DISK_FAILURE,
            };
            let due = self.context.clock.wall_clock_time().saturating_add(pause).unwrap_or(Timestamp::MAX);
            if let Err(error) = self.context.journal.record_next_recovery_attempt(&id, 0, due).await {
                tracing::warn!(%error, visit = %id, "cannot journal the next recovery");
            }
        }
        self.emit_event(event);
        RunnerResult { outcome, directory: self.directory, progress }
    }
}

type InFlight = Pin<Box<dyn Future<Output = TaskOutput> + Send>>;

/// The download of the files that a truncated response names, beside the redeems that decide whether they are used.
struct TruncatedResponseDownload {
    delivery: DeliveredExports,
    coordinator: Arc<DownloadCoordinator>,
    /// Keeps the state of the files in memory until they are used.
    journal: Arc<DeliveryJournal>,
    is_used: CancellationToken,
    /// Ends only after `is_used` is cancelled.
    task: Pin<Box<dyn Future<Output = SaveResult> + Send>>,
}

/// Drives the download of a truncated response's files, if there is one. Never returns. A download that ended early, by
/// an error of its folder, is repeated once the files are used.
async fn drive_truncated_download_forever(fetch: &mut Option<TruncatedResponseDownload>) -> Infallible {
    if let Some(running) = fetch {
        (&mut running.task).await;
        *fetch = None;
    }
    std::future::pending().await
}

/// Output of the task in flight.
enum TaskOutput {
    Issued(Result<IssuedToken, TokenIssueError>),
    Redeemed(Box<RedeemResultAndPendingWrite>),
    Saved(SaveResult),
}

/// Waits for the task in flight; never resolves if there is none.
async fn await_task_or_forever(task: &mut Option<InFlight>) -> TaskOutput {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// Waits until `time`; for ever if there is none.
async fn wait_until_or_forever(clock: Clock, time: Option<MillisSinceOrigin>) {
    match time {
        Some(time) => clock.sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Journals when a phase was first seen. A failure is only logged, because the visit can go on without it.
async fn record_phase_start(journal: &Journal, id: VisitId, phase: VisitPhase, at: Timestamp) {
    if let Err(error) = journal.record_visit_phase(&id, phase, at).await {
        tracing::warn!(%error, visit = %id, "cannot journal a phase");
    }
}

/// Pause after a failure of the disk before recovery first tries again to save the avatar.
const PAUSE_AFTER_DISK_FAILURE: SignedDuration = SignedDuration::from_secs(5);
/// An age of a delivery beyond this is more likely a wrong clock.
const MAX_PLAUSIBLE_DELIVERY_AGE: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Attempts of recovery before which no delivery is too old: the clock alone, which may be wrong, cannot decide. They
/// take more than an hour.
const MIN_ATTEMPTS: u32 = 20;
/// As [`MIN_ATTEMPTS`], for a delivery of an implausible age. They take a day.
const MIN_ATTEMPTS_BEYOND_PLAUSIBLE_AGE: u32 = 300;

/// Time from `now` until `keep_trying` since the delivery is over; all of it if there were so few attempts that a wrong
/// clock is as likely.
fn retry_time_left_since_delivery(
    keep_trying: Duration,
    delivered_at: Option<Timestamp>,
    now: Timestamp,
    attempts: u32,
) -> Duration {
    let age = delivered_at.map_or(SignedDuration::ZERO, |delivered_at| now.duration_since(delivered_at));
    let min_attempts = if age > MAX_PLAUSIBLE_DELIVERY_AGE { MIN_ATTEMPTS_BEYOND_PLAUSIBLE_AGE } else { MIN_ATTEMPTS };
    let left = keep_trying.saturating_sub(Duration::try_from(age).unwrap_or_default());
    if left.is_zero() && attempts < min_attempts { keep_trying } else { left }
}

/// Seed of the jitter, from the random part of the visit's id.
pub(crate) fn derive_jitter_seed(id: VisitId) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&id, &mut hasher);
    std::hash::Hasher::finish(&hasher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_keep_trying_is_counted_from_the_delivery() {
        let (hour, now) = (SignedDuration::from_hours(1), Timestamp::UNIX_EPOCH);
        let left = |age: SignedDuration, attempts| {
            let left = retry_time_left_since_delivery(Duration::from_hours(24), Some(now), now + age, attempts);
            left.as_secs() / 3600
        };
        assert_eq!(left(hour, 0), 23);
        assert_eq!(left(25 * hour, 0), 24, "the clock may be wrong");
        assert_eq!(left(25 * hour, MIN_ATTEMPTS), 0);
        assert_eq!(left(-25 * hour, 0), 24, "the clock was set back");
        assert_eq!(left(20_000 * hour, MIN_ATTEMPTS), 24, "the clock was wrong at the delivery");
        assert_eq!(left(20_000 * hour, MIN_ATTEMPTS_BEYOND_PLAUSIBLE_AGE), 0);
        assert_eq!(retry_time_left_since_delivery(Duration::from_hours(1), None, now, 0), Duration::from_hours(1));
    }
}
