//! Forgetting visits: because a visitor asks for it, or because the retention time is over.

use super::Kiosk;
use super::retention::is_retention_over;
use super::state::{KioskState, ShownScreen};
use crate::view::{ForgettingState, Problem};
use copresence_engine::history::{self, ForgetResult};
use copresence_engine::problem::problem_for_code;
use copresence_store::{StoreError, VisitId, VisitRecord};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Maximum attempts to forget a visit that another task or program has locked. After them the visitor is told, and
/// the next sweep tries again.
const MAX_LOCKED_TRIES: u32 = 20;
/// The delay between two of them.
const LOCKED_RETRY_DELAY: Duration = Duration::from_millis(500);

impl Kiosk {
    /// Forgets the visit on the screen.
    pub(super) fn start_forgetting_shown_visit(&self, state: &mut KioskState) {
        let Some((id, active_visit)) = state.shown_visit() else { return };
        active_visit.cancel.cancel();
        let gone = active_visit.task_done.clone();
        state.shown = ShownScreen::Forgetting(id, ForgettingState::Working);
        self.forget_visit_once_ended(state, id, gone);
    }

    /// Forgets visits that are older than the retention time, and visits that could not be forgotten earlier. Skips
    /// visits on the screen or in progress. Call it at the start of the program and then periodically. Needs a
    /// tokio runtime. If files are kept until their visitor leaves, forgets every visit that is not in progress.
    pub fn spawn_forgetting_of_due_visits(&self) {
        let (hours, now, to_forget) = {
            let mut state = self.lock_kiosk_state();
            let hours = state.booth_settings.keep_hours;
            let now = state.retention_clock.trusted_time(self.clock, hours.unwrap_or_default());
            (hours, now, state.to_forget.clone())
        };
        if hours.is_none() && to_forget.is_empty() {
            return;
        }
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let is_due = |visit: &VisitRecord| {
                let id = visit.start.id;
                (hours.is_some_and(|hours| is_retention_over(visit, hours, now)) || to_forget.contains(&id))
                    && !kiosk.lock_kiosk_state().is_shown_or_running(&id)
            };
            let swept = history::forget_matching_visits(&kiosk.setup.data_store, is_due).await;
            for visit in swept.iter().flat_map(|forgotten| &forgotten.visits) {
                kiosk.inspector.forget_recordings_of_visit(*visit);
                kiosk.lock_kiosk_state().to_forget.remove(visit);
            }
            // A locked visit is tried again by the next sweep.
            let swept = swept.map(|forgotten| ForgetResult { locked: Vec::new(), ..forgotten });
            if let Some(problem) = incomplete_forget_problem(swept.map_err(|error| error.to_string())) {
                kiosk.log_and_set_last_problem(&problem);
            }
        });
    }

    /// Leaves the shown visit and its screen. A visit that is kept only until then is forgotten as soon as it has
    /// ended.
    pub(super) fn leave_and_maybe_forget_visit(&self, state: &mut KioskState) {
        let leaves = state.shown_visit().map(|(id, active_visit)| (id, active_visit.task_done.clone()));
        state.signal_leave_and_clear_screen();
        if let Some((id, gone)) = leaves
            && state.booth_settings.keep_hours == Some(0)
        {
            self.forget_visit_once_ended(state, id, gone);
        }
    }

    /// Waits until the visit has ended, then deletes its files, journal and recordings. Recovery leaves it alone
    /// meanwhile.
    fn forget_visit_once_ended(&self, state: &mut KioskState, id: VisitId, gone: CancellationToken) {
        // Before its lock is free: recovery would take it, and use the token of a person who left.
        state.to_forget.insert(id);
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            gone.cancelled().await;
            let forgotten = kiosk.retry_forget_while_locked(id).await;
            kiosk.inspector.forget_recordings_of_visit(id);
            if matches!(&forgotten, Ok(forgotten) if forgotten.locked.is_empty()) {
                kiosk.lock_kiosk_state().to_forget.remove(&id);
            }
            kiosk.show_forget_result(id, incomplete_forget_problem(forgotten.map_err(|error| error.to_string())));
        });
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
        if let ShownScreen::Forgetting(shown, state) = &mut state.shown
            && *shown == id
        {
            *state = problem.map_or(ForgettingState::Done, |problem| ForgettingState::Failed { problem });
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
