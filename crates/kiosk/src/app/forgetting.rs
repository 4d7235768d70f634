//! Forgetting visits: because a visitor wants it, or because files are kept for a time only.

use super::Kiosk;
use super::state::Shown;
use crate::history::{self, Forgotten};
use crate::problem::problem;
use crate::view::{ForgettingStand, Problem};
use jiff::{SignedDuration, Timestamp};
use store::VisitId;
use tokio_util::sync::CancellationToken;

impl Kiosk {
    /// Forgets the visit on the screen, files, history and journal, whatever is on its way for it, and shows how far
    /// that is. Needs a tokio runtime around it.
    pub fn forget(&self) {
        let mut state = self.lock();
        if let Some((id, guest)) = state.shown_guest() {
            guest.ends.cancel();
            let gone = guest.gone.clone();
            state.shown = Shown::Forgetting(id, ForgettingStand::Working);
            self.forget_once_gone(id, gone);
        }
        self.publish(&state);
    }

    /// Forgets what was kept longer than the operator wants, but no visit that goes on: to be called at the program's
    /// start and now and then. Needs a tokio runtime around it.
    ///
    /// Where files are kept until their visitor leaves, those of earlier runs have no visitor any more.
    pub fn sweep(&self) {
        let Some(hours) = self.lock().booth.keep_hours else { return };
        let now = self.clock.now();
        let kept = SignedDuration::from_hours(i64::from(hours));
        let before = if hours == 0 { self.opened } else { now.checked_sub(kept).unwrap_or(Timestamp::MIN) };
        let kiosk = self.clone();
        self.tasks.spawn_blocking(move || {
            let swept = history::forget_before(&kiosk.setup.disk, Some(before));
            for visit in swept.iter().flat_map(|forgotten| &forgotten.visits) {
                kiosk.inspector.forget(*visit);
            }
            // A visit that is held goes on, and its turn comes.
            let swept = swept.map(|forgotten| Forgotten { held: Vec::new(), ..forgotten });
            if let Some(problem) = unforgotten(swept.map_err(|error| error.to_string())) {
                kiosk.note_problem(&problem);
            }
        });
    }

    /// Leaves the screen; what is kept only until then goes as soon as its visit has ended.
    pub(super) fn leave(&self, state: &mut super::state::State) {
        let leaves = state.shown_guest().map(|(id, guest)| (id, guest.gone.clone()));
        state.leave();
        if let Some((id, gone)) = leaves
            && state.booth.keep_hours == Some(0)
        {
            self.forget_once_gone(id, gone);
        }
    }

    fn forget_once_gone(&self, id: VisitId, gone: CancellationToken) {
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            gone.cancelled().await;
            let disk = kiosk.setup.disk.clone();
            let forgotten = tokio::task::spawn_blocking(move || history::forget(&disk, &id)).await;
            kiosk.inspector.forget(id);
            let forgotten = match forgotten {
                Ok(Ok(forgotten)) => Ok(forgotten.unwrap_or_default()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            kiosk.forgot(id, unforgotten(forgotten));
        });
    }

    fn forgot(&self, id: VisitId, problem: Option<Problem>) {
        if let Some(problem) = &problem {
            self.note_problem(problem);
        }
        let mut state = self.lock();
        if let Shown::Forgetting(shown, stand) = &mut state.shown
            && *shown == id
        {
            *stand = problem.map_or(ForgettingStand::Done, |problem| ForgettingStand::Failed { problem });
        }
        self.publish(&state);
    }

    fn note_problem(&self, problem: &Problem) {
        tracing::error!(code = problem.code, "{}", problem.operator);
        self.lock().last_problem = Some((self.clock.now(), problem.clone()));
    }
}

/// What is left of what was to be forgotten.
pub(crate) fn unforgotten(forgotten: Result<Forgotten, String>) -> Option<Problem> {
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
