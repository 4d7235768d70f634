//! Visits that ended before their avatar was saved: recovered at the start, and again when they are due.

use super::{BackendConfig, Kiosk};
use crate::metrics::EndedVisitsToRecoverCounts;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::recovery::{
    EarliestRecoveryTime, UnfinishedVisit, load_earliest_recovery_time, recover_visits_capping_total_redeems,
};
use copresence_engine::runner::{EventSink, VisitContext, VisitResult};
use copresence_engine::setup::ProfileOrSandboxBackend;
use copresence_store::{StoreError, VisitId};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Minimum wait before earlier visits are recovered again.
const MIN_RECOVERY_WAIT: Duration = Duration::from_secs(1);
/// Wait before visits are recovered that were due before the last recovery ended: it took as many as one recovery takes,
/// or could not journal when they are due again.
const OVERDUE_RECOVERY_WAIT: Duration = Duration::from_secs(5);
/// Maximum wait before it is looked again which visits are due, because more may have been interrupted meanwhile.
const MAX_RECOVERY_WAIT: Duration = Duration::from_secs(10);
/// Pause before the next recovery if the journal has no time for it: a visit ended just now, or the journal may be on
/// a disk that failed.
const UNKNOWN_RECOVERY_WAIT: Duration = Duration::from_mins(1);

impl Kiosk {
    /// Finishes in the background what a crash, the last stop or a failing backend left unfinished: to be called at the
    /// program's start, and done again with each new visit, and whenever an unfinished visit is due. A few
    /// visits at a time, each with back-off. Does nothing while an earlier call still runs. Needs a tokio runtime.
    pub fn spawn_recovery_of_earlier_visits(&self) {
        let running = self.lock_kiosk_state().unended_visits();
        self.spawn_recovery_except_running_visits(running);
    }

    /// Recovers unfinished visits of this and earlier runs of the program in the background, except those in `running`: one
    /// that ends meanwhile is not left over.
    pub(super) fn spawn_recovery_except_running_visits(&self, running: HashSet<VisitId>) {
        let Ok(once) = self.recovery_lock.clone().try_lock_owned() else { return };
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let once = once;
            let find_context_for = |unfinished: &UnfinishedVisit| {
                kiosk.build_recovery_context(unfinished, kiosk.build_event_sink_of_recovered_visit())
            };
            let skip = |id: &VisitId| running.contains(id) || kiosk.lock_kiosk_state().to_forget.contains(id);
            let data_store = &kiosk.setup.data_store;
            let (clock, stop) = (kiosk.clock, &kiosk.stopping);
            match recover_visits_capping_total_redeems(data_store, clock, &find_context_for, &skip, stop).await {
                Ok(all) => {
                    for one in all {
                        kiosk.metrics.count_visit_recovery_attempt(&one.outcome);
                        tracing::info!(visit = %one.visit, outcome = ?one.outcome, "an earlier visit was resumed");
                    }
                }
                Err(error) => tracing::error!(%error, "earlier visits could not be recovered"),
            }
            drop(once);
            kiosk.wait_and_recover_when_due().await;
        });
    }

    /// Starts the recovery of what a visit left unfinished, at once or when it is due. Call it at the end of the
    /// visit's task.
    pub(super) fn spawn_recovery_of_ended_visit(&self, result: &VisitResult) {
        if result.outcome.can_later_run_continue_saving() {
            self.spawn_recovery_of_earlier_visits();
        } else {
            // Its token may be kept.
            self.spawn_wait_for_due_recovery();
        }
    }

    /// Waits in the background until an unfinished visit is due again, and recovers it then.
    pub(super) fn spawn_wait_for_due_recovery(&self) {
        let kiosk = self.clone();
        self.tasks.spawn(async move { kiosk.wait_and_recover_when_due().await });
    }

    /// Waits until an unfinished visit is due again, and starts the next recovery. No visitor needs to come for an avatar
    /// to be saved when the backend, the network or the disk is back.
    async fn wait_and_recover_when_due(&self) {
        let Ok(once) = self.recovery_wait_lock.try_lock() else { return };
        let skip = |id: &VisitId| {
            let state = self.lock_kiosk_state();
            state.unended_visits().contains(id) || state.to_forget.contains(id)
        };
        let wait = match load_earliest_recovery_time(&self.setup.data_store, skip).await {
            Ok(EarliestRecoveryTime::NoneWaiting) => return,
            Ok(EarliestRecoveryTime::At(due)) => {
                let until_due = Duration::try_from(due.duration_since(self.clock.wall_clock_time()));
                let wait = |until_due: Duration| until_due.clamp(MIN_RECOVERY_WAIT, MAX_RECOVERY_WAIT);
                until_due.map_or(OVERDUE_RECOVERY_WAIT, wait)
            }
            Ok(EarliestRecoveryTime::Unknown) => UNKNOWN_RECOVERY_WAIT,
            Err(error) => {
                tracing::error!(%error, "it is unknown when earlier visits are due again");
                UNKNOWN_RECOVERY_WAIT
            }
        };
        tokio::select! {
            () = self.stopping.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        drop(once);
        self.spawn_recovery_of_earlier_visits();
    }

    /// Builds the event sink of one visit that is recovered. Unless it is on the screen or has a ticket, the events are
    /// only logged: no visitor waits for it.
    fn build_event_sink_of_recovered_visit(&self) -> EventSink {
        let (kiosk, is_saved) = (self.clone(), AtomicBool::new(false));
        Arc::new(move |event: VisitEvent| {
            // Asked for each event: its visitor may come or leave meanwhile.
            if !kiosk.lock_kiosk_state().has_waiting_visitor(&event.visit) {
                tracing::debug!(visit = %event.visit, event = event.kind.event_name());
                return;
            }
            // Its end was counted before: each attempt to recover it ends again.
            match &event.kind {
                // An attempt that saves nothing changes nothing on the screen of an ended visit.
                EventKind::Saved { .. } => {
                    let redeemed = EventKind::Redeemed { exports: Vec::new() };
                    kiosk.record_and_publish_event_without_counting(&VisitEvent { kind: redeemed, ..event.clone() });
                    kiosk.record_and_publish_event_without_counting(&event);
                    is_saved.store(true, Ordering::Relaxed);
                }
                EventKind::Ended { .. } if is_saved.load(Ordering::Relaxed) => {
                    kiosk.record_and_publish_event_without_counting(&event);
                }
                _ => kiosk.inspector.record_event(&event),
            }
        })
    }

    /// Builds the context in which an earlier visit is recovered or continued.
    pub(super) fn build_recovery_context(
        &self,
        unfinished: &UnfinishedVisit,
        event_sink: EventSink,
    ) -> Result<VisitContext, String> {
        let setup = &self.setup;
        let in_use = self.lock_kiosk_state().active_backend.clone();
        let BackendConfig { profile, target, .. } = &in_use.config;
        let start = &unfinished.visit.start;
        let api = if unfinished.token.is_none() {
            // Its own backend decides where its file URLs may lead, and only its own profile may allow more.
            let api_url = start.api_url.parse().map_err(|error| format!("its backend's URL: {error}"))?;
            let own_target = ProfileOrSandboxBackend { api_url, ..target.clone() };
            let own_profile =
                (start.profile == profile.name && target.is_same_backend(&start.api_url)).then_some(profile);
            own_target.build_download_only_client(own_profile)
        } else if target.is_same_backend(&start.api_url) {
            in_use.get_or_build_api_client()
        } else {
            return Err("it was made at another backend; `copresence recover` finishes it".to_owned());
        };
        let api = api.map_err(|error| error.to_string())?.clone_with_recorder(Arc::new(self.metrics.clone()));
        Ok(setup
            .data_store
            .context_with_default_recovery_limits(api, self.clock, event_sink)
            .with_profile_recovery_limits(profile))
    }

    /// Counts the ended visits that a later recovery continues.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(crate) async fn count_recoverable_visits(&self) -> Result<EndedVisitsToRecoverCounts, StoreError> {
        let unfinished = self.setup.data_store.journal.load_unfinished_visit_summaries().await?;
        let running = self.lock_kiosk_state().unended_visits();
        let mut counts = EndedVisitsToRecoverCounts::default();
        for summary in unfinished.iter().filter(|summary| !running.contains(&summary.id)) {
            counts.all += 1;
            counts.delivered += usize::from(summary.has_answer && !summary.ephemeral);
        }
        Ok(counts)
    }
}
