//! The visits of this process, and what the screen shows.

use super::backend_config::ActiveBackend;
use super::retention::RetentionClock;
use crate::screen_state::{ScreenDataFromHost, VisitScreenState};
use crate::view::{ForgettingState, LocalizedTextView, Problem, Screen, VisitorScreenSettingsView};
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::problem::problem_for_code;
use copresence_store::VisitId;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A visit on the screen, or running in the background.
pub(super) struct ActiveVisit {
    pub(super) screen_state: VisitScreenState,
    pub(super) backend: Arc<ActiveBackend>,
    /// Cancelled when the visitor leaves: the visit ends, unless an avatar is being made.
    pub(super) visitor_left: CancellationToken,
    /// Cancelled to end the visit in any case.
    pub(super) cancel: CancellationToken,
    /// Cancelled when the visit's task has ended and its lock is released.
    pub(super) task_done: CancellationToken,
}

/// What the screen shows.
#[derive(Default)]
pub(super) enum ShownScreen {
    #[default]
    Attract,
    /// The text to agree to, as it was when the screen appeared.
    Consent(LocalizedTextView),
    Visit(VisitId),
    Forgetting(VisitId, ForgettingState),
}

/// What the kiosk knows while it runs: visits, the shown screen, the backend and the settings. Behind one lock.
pub(super) struct KioskState {
    pub(super) visits: HashMap<VisitId, ActiveVisit>,
    pub(super) shown: ShownScreen,
    /// The backend of new visits.
    pub(super) active_backend: Arc<ActiveBackend>,
    pub(super) booth_settings: VisitorScreenSettingsView,
    /// The text that visitors agree to before their code; empty for none.
    pub(super) consent: LocalizedTextView,
    /// The revision of the first snapshot that showed the present screen.
    pub(super) screen_since: u64,
    /// Visits that are being forgotten, or could not be yet: recovery leaves them alone.
    pub(super) to_forget: HashSet<VisitId>,
    /// The time of day for the retention of files.
    pub(super) retention_clock: RetentionClock,
    /// The last problem, for the operator.
    pub(super) last_problem: Option<(Timestamp, Problem)>,
}

impl KioskState {
    pub(super) fn new(active_backend: Arc<ActiveBackend>) -> Self {
        Self {
            visits: HashMap::new(),
            shown: ShownScreen::default(),
            active_backend,
            booth_settings: VisitorScreenSettingsView::default(),
            consent: LocalizedTextView::default(),
            screen_since: 0,
            to_forget: HashSet::new(),
            retention_clock: RetentionClock::default(),
            last_problem: None,
        }
    }

    /// The visit on the screen.
    pub(super) fn shown_visit(&self) -> Option<(VisitId, &ActiveVisit)> {
        let ShownScreen::Visit(id) = &self.shown else { return None };
        self.visits.get(id).map(|active_visit| (*id, active_visit))
    }

    /// The visit that the screen is about, also while it is being forgotten.
    pub(super) fn shown_or_forgetting_visit_id(&self) -> Option<VisitId> {
        match &self.shown {
            ShownScreen::Visit(id) | ShownScreen::Forgetting(id, _) => Some(*id),
            ShownScreen::Attract | ShownScreen::Consent(_) => None,
        }
    }

    /// Whether a visit is on the screen, or continues behind it.
    pub(super) fn is_shown_or_running(&self, id: &VisitId) -> bool {
        self.shown_or_forgetting_visit_id() == Some(*id)
            || self.visits.get(id).is_some_and(|active_visit| !active_visit.task_done.is_cancelled())
    }

    /// The visits that have not ended.
    pub(super) fn unended_visits(&self) -> HashSet<VisitId> {
        self.visits
            .iter()
            .filter(|(_, active_visit)| !active_visit.screen_state.has_ended())
            .map(|(id, _)| *id)
            .collect()
    }

    /// Why no visit can start, if the booth is closed: what the operator's settings say, or the refusal of the
    /// credentials.
    pub(super) fn booth_closed_reason(&self) -> Option<&Problem> {
        self.booth_settings.closed.as_ref().or_else(|| self.active_backend.remembered_credentials_refusal())
    }

    /// Whether no visit is on the screen, or only one that has ended.
    pub(super) fn is_screen_free_for_visit(&self) -> bool {
        self.shown_visit().is_none_or(|(_, active_visit)| active_visit.screen_state.has_ended())
    }

    /// Adds a visit and shows it.
    pub(super) fn add_and_show_visit(&mut self, id: VisitId, active_visit: ActiveVisit) {
        self.visits.insert(id, active_visit);
        self.shown = ShownScreen::Visit(id);
        self.drop_ended_unshown_visits();
    }

    /// Shows the first screen, and signals the visit that its visitor left: the visit itself decides whether it
    /// ends or continues in the background.
    pub(super) fn signal_leave_and_clear_screen(&mut self) -> Option<VisitId> {
        let left = self.shown_visit().map(|(id, active_visit)| {
            active_visit.visitor_left.cancel();
            id
        });
        self.shown = ShownScreen::Attract;
        self.drop_ended_unshown_visits();
        left
    }

    /// Applies an event of a visit to its screen. Keeps the problem that ended a visit, and drops visits that are
    /// over.
    pub(super) fn apply_event(&mut self, event: &VisitEvent) {
        if let EventKind::Ended { code, exit, message, .. } = &event.kind
            && !matches!(*exit, 0 | 130)
        {
            let words = problem_for_code(code, None);
            self.last_problem = Some((event.at, Problem { operator: message.clone(), ..words }));
        }
        if let Some(active_visit) = self.visits.get_mut(&event.visit) {
            if let EventKind::Ended { code, message, .. } = &event.kind
                && code == "credentials_refused"
            {
                let hint = "The booth opens when the credentials change; *Try again* in the panel tries the same ones";
                let words = problem_for_code(code, None);
                active_visit.backend.remember_credentials_refusal(Problem {
                    operator: message.clone(),
                    hint: hint.to_owned(),
                    ..words
                });
            }
            active_visit.screen_state.apply_event(event);
        }
        self.drop_ended_unshown_visits();
    }

    /// Drops visits that have ended and are not shown; the journal has them.
    fn drop_ended_unshown_visits(&mut self) {
        let shown = self.shown_visit().map(|(id, _)| id);
        self.visits.retain(|id, active_visit| !active_visit.screen_state.has_ended() || shown == Some(*id));
    }

    /// The screen that the window shows now. A visit that is no longer known gives the attract screen.
    pub(super) fn current_screen(&self, asset_base: &str, home: Option<PathBuf>, now: Timestamp) -> Screen {
        match &self.shown {
            ShownScreen::Attract => Screen::Attract,
            ShownScreen::Consent(texts) => Screen::Consent { texts: texts.clone() },
            ShownScreen::Forgetting(visit, state) => {
                Screen::Forgetting { visit: visit.to_string(), stand: state.clone() }
            }
            ShownScreen::Visit(id) => self.visits.get(id).map_or(Screen::Attract, |active_visit| {
                let facts = ScreenDataFromHost {
                    asset_base: asset_base.to_owned(),
                    can_play_phone: active_visit.backend.config.target.is_embedded_sandbox,
                    home,
                };
                active_visit.screen_state.to_screen(&facts, now)
            }),
        }
    }

    /// The backend of the visit on the screen, otherwise that of the next visit.
    pub(super) fn shown_or_active_backend(&self) -> &ActiveBackend {
        self.shown_visit().map_or(&self.active_backend, |(_, active_visit)| &active_visit.backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::BackendConfig;
    use copresence_engine::profile::Profiles;
    use copresence_engine::setup::ProfileOrSandboxBackend;

    fn state() -> KioskState {
        let none = std::path::Path::new("/dev/null");
        let profile =
            Profiles::load_profiles(Some(none)).and_then(|all| all.build_profile_by_name("sandbox")).expect("built in");
        let target = ProfileOrSandboxBackend {
            api_url: "http://127.0.0.1:1/".parse().expect("a URL"),
            link: "http://127.0.0.1:1/{token}".parse().expect("a link"),
            credentials: copresence_client::Credentials::default(),
            is_embedded_sandbox: true,
        };
        KioskState::new(ActiveBackend::new(BackendConfig { profile, target, phone_address: None }))
    }

    fn active_visit(state: &KioskState, id: VisitId) -> ActiveVisit {
        ActiveVisit {
            screen_state: VisitScreenState::new(id.to_string()),
            backend: state.active_backend.clone(),
            visitor_left: CancellationToken::new(),
            cancel: CancellationToken::new(),
            task_done: CancellationToken::new(),
        }
    }

    #[test]
    fn ended_visits_are_dropped() {
        let mut state = state();
        let end = |visit| {
            let (code, message, visit_state) = ("timed_out".to_owned(), String::new(), "issuing".to_owned());
            let event = EventKind::Ended { code, exit: 8, message, visit_state };
            VisitEvent { visit, at: Timestamp::now(), kind: event }
        };
        for _ in 0..3 {
            let id = VisitId::new();
            let active_visit = active_visit(&state, id);
            state.add_and_show_visit(id, active_visit);
            state.apply_event(&end(id));
            assert!(
                state.shown_visit().is_some_and(|(_, active_visit)| active_visit.screen_state.has_ended()),
                "the screen says how"
            );
            assert_eq!(state.visits.len(), 1);
        }
        let behind = VisitId::new();
        let active_visit = active_visit(&state, behind);
        state.add_and_show_visit(behind, active_visit);
        state.signal_leave_and_clear_screen();
        assert!(state.shown_visit().is_none());
        assert_eq!(state.visits.len(), 1, "it goes on");
        state.apply_event(&end(behind));
        assert!(state.visits.is_empty());
        let (_, problem) = state.last_problem.expect("the operator is told");
        assert_eq!(problem.code, "timed_out");
    }
}
