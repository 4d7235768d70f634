//! Forgetting visits: because a visitor asks for it, or because the retention time is over.

use super::Kiosk;
use super::retention::is_retention_over;
use super::state::{KioskState, ShownScreenWithState};
use crate::view::{ForgettingProgress, Problem};
use copresence_engine::history::{self, ForgetResult};
use copresence_engine::problem::problem_for_code;
use copresence_store::{StoreError, VisitId, VisitRecord};
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Maximum attempts to forget a visit that another task or program has locked. After them the visitor is told, and
/// the next sweep tries again.
const MAX_LOCKED_TRIES: u32 = 20;
/// The delay between two of them.
const LOCKED_RETRY_DELAY: Duration = Duration::from_millis(500);

impl Kiosk {
    /// Cancels the visit on the screen, shows that it is being forgotten, and forgets it in the background once it has
    /// ended.
    pub(super) fn cancel_shown_visit_and_start_forgetting(&self, state: &mut KioskState) {
        let Some((id, active_visit)) = state.shown_visit() else { return };
        active_visit.stop_signals.forgotten.cancel();
        let gone = active_visit.task_done.clone();
        state.shown = ShownScreenWithState::Forgetting(id, ForgettingProgress::Working);
        self.spawn_forgetting_once_ended(state, id, gone);
    }

    /// Forgets visits that are older than the retention time, and visits that could not be forgotten earlier. Skips
    /// visits on the screen or in progress. Call it at the start of the program and then periodically. Needs a
    /// tokio runtime. If files are kept until their visitor leaves, forgets every visit that is not in progress.
    pub fn spawn_forgetting_of_due_visits(&self) {
        let (hours, to_forget) = {
            let state = self.lock_kiosk_state();
            (state.booth_settings.keep_hours, state.to_forget.clone())
        };
        if hours.is_none() && to_forget.is_empty() {
            return;
        }
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let now = match kiosk.load_trusted_time(hours.unwrap_or_default()).await {
                Ok(now) => now,
                Err(error) => {
                    return kiosk
                        .log_and_set_last_problem(&problem_for_code("storage_failed", Some(&error.to_string())));
                }
            };
            let is_due = |visit: &VisitRecord| {
                let id = visit.start.id;
                (hours.is_some_and(|hours| is_retention_over(visit, hours, now)) || to_forget.contains(&id))
                    && !kiosk.lock_kiosk_state().is_shown_running_or_ticketed(&id)
            };
            let swept = kiosk.forget_matching_visits_and_recordings(is_due).await;
            // A locked visit is tried again by the next sweep.
            let swept = swept.map(|forgotten| ForgetResult { locked: Vec::new(), ..forgotten });
            if let Some(problem) = incomplete_forget_problem(swept.map_err(|error| error.to_string())) {
                kiosk.log_and_set_last_problem(&problem);
            }
        });
    }

    /// The time of day, as far as the system's clock is believed.
    ///
    /// # Errors
    /// When the journal cannot be read, with which the first call compares the clock.
    async fn load_trusted_time(&self, keep_hours: u32) -> Result<Timestamp, StoreError> {
        if self.lock_kiosk_state().retention_clock.needs_start_time_comparison_with_journal() {
            let visits = self.setup.data_store.journal.load_all_visits().await?;
            self.lock_kiosk_state().retention_clock.compare_start_time_with_journal(self.clock, &visits);
        }
        Ok(self.lock_kiosk_state().retention_clock.trusted_time(self.clock, keep_hours))
    }

    /// Leaves the shown visit and its screen. A visit that is kept only until then is forgotten as soon as it has
    /// ended.
    pub(super) fn leave_visit_and_forget_if_unretained(&self, state: &mut KioskState) {
        let leaves = state.shown_visit().map(|(id, active_visit)| (id, active_visit.task_done.clone()));
        state.count_shown_code_if_unscanned(self.clock.monotonic_timestamp());
        state.signal_leave_and_show_first_screen();
        if let Some((id, gone)) = leaves
            && state.booth_settings.keep_hours == Some(0)
        {
            self.spawn_forgetting_once_ended(state, id, gone);
        }
    }

    /// Waits in the background until the visit has ended, then deletes its files, journal and recordings, and shows the
    /// result. Recovery leaves the visit alone meanwhile.
    pub(super) fn spawn_forgetting_once_ended(&self, state: &mut KioskState, id: VisitId, gone: CancellationToken) {
        // Before its lock is free: recovery would take it, and use the token of a person who left.
        state.to_forget.insert(id);
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            gone.cancelled().await;
            let problem = kiosk.forget_ended_visit(id).await;
            kiosk.show_forget_result(id, problem);
        });
    }

    /// Deletes files, journal and recordings of a past visit. Recovery leaves it alone from now on; one that has begun is
    /// awaited for some seconds. Returns what could not be deleted.
    pub(crate) async fn forget_past_visit_now(&self, id: VisitId) -> Option<Problem> {
        self.lock_kiosk_state().to_forget.insert(id);
        let problem = self.forget_ended_visit(id).await;
        // If another program has it, it stays: the operator was told.
        self.lock_kiosk_state().to_forget.remove(&id);
        problem
    }

    /// Whether this program recovers earlier visits just now.
    pub(crate) fn is_recovery_running(&self) -> bool {
        self.recovery_lock.try_lock().is_err()
    }

    /// Deletes files, journal and recordings of all visits for which `is_due` returns true.
    ///
    /// # Errors
    /// As [`history::forget_matching_visits`].
    pub(crate) async fn forget_matching_visits_and_recordings(
        &self,
        is_due: impl Fn(&VisitRecord) -> bool,
    ) -> Result<ForgetResult, StoreError> {
        let due = Mutex::new(Vec::new());
        let is_due_and_noted = |visit: &VisitRecord| {
            let is_due = is_due(visit);
            if is_due {
                due.lock().unwrap_or_else(PoisonError::into_inner).push(visit.start.id);
            }
            is_due
        };
        let forgotten = history::forget_matching_visits(&self.setup.data_store, is_due_and_noted).await;
        // Asked of the journal: one visit that could not be forgotten says nothing of the others.
        for visit in due.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if matches!(self.setup.data_store.journal.load_detailed_visit_record(&visit).await, Ok(None)) {
                self.inspector.forget_recordings_of_visit(visit);
                self.lock_kiosk_state().to_forget.remove(&visit);
            }
        }
        forgotten
    }

    /// Deletes files, journal and recordings of a visit that has ended. Returns what could not be deleted.
    pub(super) async fn forget_ended_visit(&self, id: VisitId) -> Option<Problem> {
        let forgotten = self.retry_forget_while_locked(id).await;
        self.inspector.forget_recordings_of_visit(id);
        if matches!(&forgotten, Ok(forgotten) if forgotten.locked.is_empty()) {
            self.lock_kiosk_state().to_forget.remove(&id);
        }
        incomplete_forget_problem(forgotten.map_err(|error| error.to_string()))
    }

    /// Forgets a visit, and tries again while something else has it locked.
    async fn retry_forget_while_locked(&self, id: VisitId) -> Result<ForgetResult, StoreError> {
        let mut tries = 1;
        loop {
            let forgotten = history::forget_visit(&self.setup.data_store, &id).await?.unwrap_or_default();
            if forgotten.locked.is_empty() || tries >= MAX_LOCKED_TRIES {
                return Ok(forgotten);
            }
            tries += 1;
            tokio::time::sleep(LOCKED_RETRY_DELAY).await;
        }
    }

    /// Shows on the screen whether the visit is forgotten, if that screen is still shown.
    fn show_forget_result(&self, id: VisitId, problem: Option<Problem>) {
        if let Some(problem) = &problem {
            self.log_and_set_last_problem(problem);
        }
        let mut state = self.lock_kiosk_state();
        if let ShownScreenWithState::Forgetting(shown, state) = &mut state.shown
            && *shown == id
        {
            *state = problem.map_or(ForgettingProgress::Done, |problem| ForgettingProgress::Failed { problem });
        }
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Logs a problem and keeps it as the last one, for the operator.
    fn log_and_set_last_problem(&self, problem: &Problem) {
        tracing::error!(code = problem.code, "{}", problem.operator);
        self.lock_kiosk_state().last_problem = Some((self.clock.wall_clock_time(), problem.clone()));
    }
}

/// The problem with what could not be forgotten, if any.
pub(crate) fn incomplete_forget_problem(forgotten: Result<ForgetResult, String>) -> Option<Problem> {
    let detail = match forgotten {
        Ok(ForgetResult { foreign_files: left, locked: held, .. }) if left.is_empty() && held.is_empty() => {
            return None;
        }
        Ok(ForgetResult { foreign_files: left, locked: held, .. }) => {
            let folders = left.iter().map(|(folder, names)| {
                format!("{} holds files that are not ours: {}", folder.display(), names.join(", "))
            });
            let held = held.iter().map(|id| format!("visit {id} is in use by another program"));
            folders.chain(held).collect::<Vec<_>>().join("; ")
        }
        Err(error) => error,
    };
    Some(problem_for_code("forget_incomplete", Some(&detail)))
}
