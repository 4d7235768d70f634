//! Forgetting visits: because a visitor asks for it, or because the retention time is over.

use super::Kiosk;
use super::state::{Shown, State};
use crate::history::{self, Forgotten};
use crate::problem::problem;
use crate::view::{ForgettingState, Problem};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use store::{StoreError, VisitId, VisitRecord};
use tokio_util::sync::CancellationToken;

/// How often a visit is tried that another task or program has locked, before the visitor is told; the sweep tries it
/// again later.
const TRIES_IF_HELD: u32 = 20;
/// The delay between two of them.
const RETRY_IF_HELD: Duration = Duration::from_millis(500);

impl Kiosk {
    /// Forgets the visit on the screen.
    pub(super) fn forget_shown(&self, state: &mut State) {
        let Some((id, guest)) = state.shown_guest() else { return };
        guest.ends.cancel();
        let gone = guest.gone.clone();
        state.shown = Shown::Forgetting(id, ForgettingState::Working);
        self.forget_once_gone(state, id, gone);
    }

    /// Forgets visits that were kept longer than the operator wants, and those that could not be forgotten before, but
    /// none that is on the screen or continues behind it: to be called at the program's start and now and then. Needs a
    /// tokio runtime.
    ///
    /// If files are kept until their visitor leaves, every visit that is not here any more is forgotten, also one that
    /// left under another setting.
    pub fn sweep(&self) {
        let (hours, to_forget) = {
            let state = self.lock();
            (state.booth.keep_hours, state.to_forget.clone())
        };
        let before = match hours {
            None if to_forget.is_empty() => return,
            None => Timestamp::MIN,
            Some(0) => Timestamp::MAX,
            Some(hours) => {
                let kept = SignedDuration::from_hours(i64::from(hours));
                self.clock.now().checked_sub(kept).unwrap_or(Timestamp::MIN)
            }
        };
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let is_due = |visit: &VisitRecord| {
                let id = visit.start.id;
                (visit.start.started_at < before || to_forget.contains(&id)) && !kiosk.lock().is_here(&id)
            };
            let swept = history::forget_visits(&kiosk.setup.disk, is_due).await;
            for visit in swept.iter().flat_map(|forgotten| &forgotten.visits) {
                kiosk.inspector.forget_visit(*visit);
                kiosk.lock().to_forget.remove(visit);
            }
            // A locked visit is tried again by the next sweep.
            let swept = swept.map(|forgotten| Forgotten { held: Vec::new(), ..forgotten });
            if let Some(problem) = forget_problem(swept.map_err(|error| error.to_string())) {
                kiosk.note_problem(&problem);
            }
        });
    }

    /// Leaves the screen; a visit that is kept only until then is forgotten as soon as it has ended.
    pub(super) fn leave(&self, state: &mut State) {
        let leaves = state.shown_guest().map(|(id, guest)| (id, guest.gone.clone()));
        state.leave();
        if let Some((id, gone)) = leaves
            && state.booth.keep_hours == Some(0)
        {
            self.forget_once_gone(state, id, gone);
        }
    }

    fn forget_once_gone(&self, state: &mut State, id: VisitId, gone: CancellationToken) {
        // Before its lock is free: recovery would take it, and use the token of a person who left.
        state.to_forget.insert(id);
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            gone.cancelled().await;
            let forgotten = kiosk.forget_when_free(id).await;
            kiosk.inspector.forget_visit(id);
            if matches!(&forgotten, Ok(forgotten) if forgotten.held.is_empty()) {
                kiosk.lock().to_forget.remove(&id);
            }
            kiosk.show_forgotten(id, forget_problem(forgotten.map_err(|error| error.to_string())));
        });
    }

    /// Forgets a visit, and tries again while something else has it locked.
    async fn forget_when_free(&self, id: VisitId) -> Result<Forgotten, StoreError> {
        let mut tries = 1;
        loop {
            let forgotten = history::forget(&self.setup.disk, &id).await?.unwrap_or_default();
            if forgotten.held.is_empty() || tries >= TRIES_IF_HELD {
                return Ok(forgotten);
            }
            tries += 1;
            tokio::time::sleep(RETRY_IF_HELD).await;
        }
    }

    fn show_forgotten(&self, id: VisitId, problem: Option<Problem>) {
        if let Some(problem) = &problem {
            self.note_problem(problem);
        }
        let mut state = self.lock();
        if let Shown::Forgetting(shown, stand) = &mut state.shown
            && *shown == id
        {
            *stand = problem.map_or(ForgettingState::Done, |problem| ForgettingState::Failed { problem });
        }
        self.publish(&mut state);
    }

    fn note_problem(&self, problem: &Problem) {
        tracing::error!(code = problem.code, "{}", problem.operator);
        self.lock().last_problem = Some((self.clock.now(), problem.clone()));
    }
}

/// The problem with what could not be forgotten, if any.
pub(crate) fn forget_problem(forgotten: Result<Forgotten, String>) -> Option<Problem> {
    let detail = match forgotten {
        Ok(Forgotten { left, held, .. }) if left.is_empty() && held.is_empty() => return None,
        Ok(Forgotten { left, held, .. }) => {
            let folders = left.iter().map(|(folder, names)| {
                format!("{} holds files that are not ours: {}", folder.display(), names.join(", "))
            });
            let held = held.iter().map(|id| format!("another program has the visit {id} in hand"));
            folders.chain(held).collect::<Vec<_>>().join("; ")
        }
        Err(error) => error,
    };
    Some(problem("forget_incomplete", Some(&detail)))
}
