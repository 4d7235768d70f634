//! The visits of this process, and what the screen shows.

use super::backing::InUse;
use crate::line::{Line, LineEvent};
use crate::problem::problem;
use crate::stage::{HostFacts, Stage};
use crate::view::{BoothView, ForgettingStand, Problem, Screen, Texts};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use store::VisitId;
use tokio_util::sync::CancellationToken;

/// A visit on the screen, or running in the background.
pub(super) struct Guest {
    pub(super) stage: Stage,
    pub(super) at: Arc<InUse>,
    /// Cancelled when the visitor leaves: the visit ends, unless an avatar is being made.
    pub(super) left: CancellationToken,
    /// Cancelled to end the visit in any case.
    pub(super) ends: CancellationToken,
    /// Cancelled when the visit's task has ended and its lock is released.
    pub(super) gone: CancellationToken,
}

/// What the screen shows.
#[derive(Default)]
pub(super) enum Shown {
    #[default]
    Nobody,
    /// The text to agree to, as it was when the screen appeared.
    Consent(Texts),
    Visit(VisitId),
    Forgetting(VisitId, ForgettingStand),
}

pub(super) struct State {
    pub(super) guests: HashMap<VisitId, Guest>,
    pub(super) shown: Shown,
    /// The backend of new visits.
    pub(super) in_use: Arc<InUse>,
    pub(super) booth: BoothView,
    /// The text that visitors agree to before their code; empty for none.
    pub(super) consent: Texts,
    /// The revision of the first snapshot that showed the present screen.
    pub(super) screen_since: u64,
    /// Visits that are being forgotten, or could not be yet: recovery leaves them alone.
    pub(super) to_forget: HashSet<VisitId>,
    /// The last problem, for the operator.
    pub(super) last_problem: Option<(Timestamp, Problem)>,
}

impl State {
    pub(super) fn new(in_use: Arc<InUse>) -> Self {
        Self {
            guests: HashMap::new(),
            shown: Shown::default(),
            in_use,
            booth: BoothView::default(),
            consent: Texts::default(),
            screen_since: 0,
            to_forget: HashSet::new(),
            last_problem: None,
        }
    }

    /// The visit on the screen.
    pub(super) fn shown_guest(&self) -> Option<(VisitId, &Guest)> {
        let Shown::Visit(id) = &self.shown else { return None };
        self.guests.get(id).map(|guest| (*id, guest))
    }

    /// The visit that the screen is about, also while it is being forgotten.
    pub(super) fn shown_id(&self) -> Option<VisitId> {
        match &self.shown {
            Shown::Visit(id) | Shown::Forgetting(id, _) => Some(*id),
            Shown::Nobody | Shown::Consent(_) => None,
        }
    }

    /// Whether a visit is on the screen, or continues behind it.
    pub(super) fn is_here(&self, id: &VisitId) -> bool {
        self.shown_id() == Some(*id) || self.guests.get(id).is_some_and(|guest| !guest.gone.is_cancelled())
    }

    /// The visits that have not ended.
    pub(super) fn running(&self) -> HashSet<VisitId> {
        self.guests.iter().filter(|(_, guest)| !guest.stage.is_over()).map(|(id, _)| *id).collect()
    }

    /// Whether no visit is on the screen, or only one that has ended.
    pub(super) fn is_free(&self) -> bool {
        self.shown_guest().is_none_or(|(_, guest)| guest.stage.is_over())
    }

    pub(super) fn show(&mut self, id: VisitId, guest: Guest) {
        self.guests.insert(id, guest);
        self.shown = Shown::Visit(id);
        self.forget_ended();
    }

    /// Takes the visit off the screen. The visit itself decides whether it continues in the background.
    pub(super) fn leave(&mut self) -> Option<VisitId> {
        let left = self.shown_guest().map(|(id, guest)| {
            guest.left.cancel();
            id
        });
        self.shown = Shown::Nobody;
        self.forget_ended();
        left
    }

    pub(super) fn take(&mut self, line: &Line) {
        if let LineEvent::Ended { code, exit, message, .. } = &line.event
            && !matches!(*exit, 0 | 130)
        {
            let words = problem(code, None);
            self.last_problem = Some((line.at, Problem { operator: message.clone(), ..words }));
        }
        if let Some(guest) = self.guests.get_mut(&line.visit) {
            guest.stage.take(line);
        }
        self.forget_ended();
    }

    /// Drops visits that have ended and are not shown; the journal has them.
    fn forget_ended(&mut self) {
        let shown = self.shown_guest().map(|(id, _)| id);
        self.guests.retain(|id, guest| !guest.stage.is_over() || shown == Some(*id));
    }

    pub(super) fn screen(&self, asset_base: &str, home: Option<PathBuf>, now: Timestamp) -> Screen {
        match &self.shown {
            Shown::Nobody => Screen::Attract,
            Shown::Consent(texts) => Screen::Consent { texts: texts.clone() },
            Shown::Forgetting(visit, stand) => {
                Screen::Forgetting { visit: visit.to_string(), stand: stand.clone() }
            }
            Shown::Visit(id) => self.guests.get(id).map_or(Screen::Attract, |guest| {
                let facts = HostFacts {
                    asset_base: asset_base.to_owned(),
                    can_play_phone: guest.at.backing.target.embedded_sandbox,
                    home,
                };
                guest.stage.screen(&facts, now)
            }),
        }
    }

    /// The backend of the visit on the screen, otherwise that of the next visit.
    pub(super) fn shown_backend(&self) -> &InUse {
        self.shown_guest().map_or(&self.in_use, |(_, guest)| &guest.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Backing;
    use crate::profile::Profiles;
    use crate::setup::Target;

    fn state() -> State {
        let none = std::path::Path::new("/dev/null");
        let profile = Profiles::load(Some(none)).and_then(|all| all.get("sandbox")).expect("built in");
        let target = Target {
            api_url: "http://127.0.0.1:1/".parse().expect("a URL"),
            link: "http://127.0.0.1:1/{token}".parse().expect("a link"),
            credentials: client::Credentials::default(),
            embedded_sandbox: true,
        };
        State::new(InUse::new(Backing { profile, target, phones_at: None }))
    }

    fn guest(state: &State, id: VisitId) -> Guest {
        Guest {
            stage: Stage::new(id.to_string()),
            at: state.in_use.clone(),
            left: CancellationToken::new(),
            ends: CancellationToken::new(),
            gone: CancellationToken::new(),
        }
    }

    #[test]
    fn ended_visits_are_dropped() {
        let mut state = state();
        let end = |visit| {
            let (code, message, visit_state) = ("timed_out".to_owned(), String::new(), "issuing".to_owned());
            let event = LineEvent::Ended { code, exit: 8, message, visit_state };
            Line { visit, at: Timestamp::now(), event }
        };
        for _ in 0..3 {
            let id = VisitId::new();
            let guest = guest(&state, id);
            state.show(id, guest);
            state.take(&end(id));
            assert!(
                state.shown_guest().is_some_and(|(_, guest)| guest.stage.is_over()),
                "the screen says how"
            );
            assert_eq!(state.guests.len(), 1);
        }
        let behind = VisitId::new();
        let guest = guest(&state, behind);
        state.show(behind, guest);
        state.leave();
        assert!(state.shown_guest().is_none());
        assert_eq!(state.guests.len(), 1, "it goes on");
        state.take(&end(behind));
        assert!(state.guests.is_empty());
        let (_, problem) = state.last_problem.expect("the operator is told");
        assert_eq!(problem.code, "timed_out");
    }
}
