//! The visits of this process, and what the screen shows.

use super::backend_config::ActiveBackendWithSharedSession;
use super::code_pacing::RecentUnscannedVisits;
use super::retention::RetentionClock;
use super::tickets::{LiveTicketList, Ticket};
use crate::screen_state::{ScreenDataFromHost, VisitScreenState};
use crate::view::{
    ForgettingProgress, LocalizedTextView, NextVisitorOffer, PickupCodeEntryView, Problem, Screen, TicketName,
    TicketState, TicketView, VisitorScreenSettingsView,
};
use copresence_engine::SecretString;
use copresence_engine::events::{EventKind, VisitEvent, format_rfc3339};
use copresence_engine::problem::problem_for_code;
use copresence_engine::runner::VisitStopSignals;
use copresence_store::VisitId;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A visit on the screen, or running in the background.
pub(super) struct ShownOrRunningVisit {
    pub(super) screen_state: VisitScreenState,
    pub(super) backend: Arc<ActiveBackendWithSharedSession>,
    /// What ends the visit early.
    pub(super) stop_signals: VisitStopSignals,
    /// Cancelled when the visit's task has ended and its lock is released.
    pub(super) task_done: CancellationToken,
}

/// The present time of the wall clock and of the monotonic clock.
pub(super) struct CurrentWallAndMonotonicTime {
    /// The time of day.
    pub(super) wall: Timestamp,
    /// A monotonic timestamp.
    pub(super) monotonic: Timestamp,
}

impl CurrentWallAndMonotonicTime {
    /// The time of day of a monotonic timestamp, in whole seconds, so that it is the same in each snapshot.
    pub(super) fn convert_to_wall_time(&self, monotonic: Timestamp) -> Timestamp {
        let at = self.wall.saturating_add(monotonic.duration_since(self.monotonic)).unwrap_or(Timestamp::MAX);
        at.round(jiff::Unit::Second).unwrap_or(at)
    }
}

/// Which screen the window shows, with the state that only this screen has.
#[derive(Default)]
pub(super) enum ShownScreenWithState {
    #[default]
    Attract,
    /// The text to agree to, as it was when the screen appeared.
    Consent(LocalizedTextView),
    Visit(VisitId),
    /// The ticket of a visit that was just handed over, with its code.
    Ticket {
        visit: VisitId,
        name: TicketName,
        code: SecretString,
    },
    /// The code entry of a ticket.
    PickUp(PickupCodeEntryState),
    Forgetting(VisitId, ForgettingProgress),
}

/// State of the pickup code entry of a ticket.
pub(super) struct PickupCodeEntryState {
    pub(super) visit: VisitId,
    pub(super) name: TicketName,
    /// Whether a code is being checked.
    pub(super) is_checking: bool,
    /// Whether the last code was wrong.
    pub(super) was_wrong: bool,
}

/// What the kiosk knows while it runs: visits, the shown screen, the backend and the settings. Behind one lock.
pub(super) struct KioskState {
    pub(super) visits: HashMap<VisitId, ShownOrRunningVisit>,
    pub(super) shown: ShownScreenWithState,
    /// The backend of new visits.
    pub(super) active_backend: Arc<ActiveBackendWithSharedSession>,
    pub(super) booth_settings: VisitorScreenSettingsView,
    /// The text that visitors agree to before their code; empty for none.
    pub(super) consent: LocalizedTextView,
    /// The revision of the first snapshot that showed the present screen.
    pub(super) screen_since: u64,
    /// Visits that are being forgotten, or could not be yet: recovery leaves them alone.
    pub(super) to_forget: HashSet<VisitId>,
    /// The time of day for the retention of files.
    pub(super) retention_clock: RetentionClock,
    /// The live tickets.
    pub(super) tickets: LiveTicketList,
    /// The visit that is being handed over: its ticket is being journalled.
    pub(super) handing_over: Option<VisitId>,
    /// The codes that were not used, by which new codes are spaced out.
    pub(super) unused_codes: RecentUnscannedVisits,
    /// The last problem, for the operator.
    pub(super) last_problem: Option<(Timestamp, Problem)>,
}

impl KioskState {
    pub(super) fn new(active_backend: Arc<ActiveBackendWithSharedSession>) -> Self {
        Self {
            visits: HashMap::new(),
            shown: ShownScreenWithState::default(),
            active_backend,
            booth_settings: VisitorScreenSettingsView::default(),
            consent: LocalizedTextView::default(),
            screen_since: 0,
            to_forget: HashSet::new(),
            retention_clock: RetentionClock::default(),
            tickets: LiveTicketList::default(),
            handing_over: None,
            unused_codes: RecentUnscannedVisits::default(),
            last_problem: None,
        }
    }

    /// The visit on the screen.
    pub(super) fn shown_visit(&self) -> Option<(VisitId, &ShownOrRunningVisit)> {
        let ShownScreenWithState::Visit(id) = &self.shown else { return None };
        self.visits.get(id).map(|active_visit| (*id, active_visit))
    }

    /// The visit on the screen, to be changed.
    pub(super) fn shown_visit_mut(&mut self) -> Option<(VisitId, &mut ShownOrRunningVisit)> {
        let ShownScreenWithState::Visit(id) = &self.shown else { return None };
        self.visits.get_mut(id).map(|active_visit| (*id, active_visit))
    }

    /// The visit that the screen is about: also its ticket, and while it is being forgotten.
    pub(super) fn find_visit_id_of_screen(&self) -> Option<VisitId> {
        match &self.shown {
            ShownScreenWithState::Visit(id)
            | ShownScreenWithState::Forgetting(id, _)
            | ShownScreenWithState::Ticket { visit: id, .. }
            | ShownScreenWithState::PickUp(PickupCodeEntryState { visit: id, .. }) => Some(*id),
            ShownScreenWithState::Attract | ShownScreenWithState::Consent(_) => None,
        }
    }

    /// Whether a visit is on the screen, continues behind it, or waits for its visitor.
    pub(super) fn is_shown_running_or_ticketed(&self, id: &VisitId) -> bool {
        self.find_visit_id_of_screen() == Some(*id)
            || self.tickets.find_by_visit(id).is_some()
            || self.visits.get(id).is_some_and(|active_visit| !active_visit.task_done.is_cancelled())
    }

    /// Whether a visitor still waits for this visit: it is on the screen, runs in the background, or has a live ticket.
    pub(super) fn has_waiting_visitor(&self, visit: &VisitId) -> bool {
        self.visits.contains_key(visit) || self.tickets.find_by_visit(visit).is_some()
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
    pub(super) fn add_and_show_visit(&mut self, id: VisitId, active_visit: ShownOrRunningVisit) {
        self.visits.insert(id, active_visit);
        self.shown = ShownScreenWithState::Visit(id);
        self.drop_ended_unshown_unticketed_visits();
    }

    /// Shows the first screen, and signals the visit that its visitor left: the visit itself decides whether it ends or
    /// continues in the background. Returns the visit that was left.
    pub(super) fn signal_leave_and_show_first_screen(&mut self) -> Option<VisitId> {
        let left = self.shown_visit().map(|(id, active_visit)| {
            active_visit.stop_signals.visitor_left.cancel();
            id
        });
        self.shown = ShownScreenWithState::Attract;
        self.drop_ended_unshown_unticketed_visits();
        left
    }

    /// Counts the code of the visit on the screen as unused if no phone scanned it, because its visitor leaves or gets a
    /// ticket. `now` is a monotonic timestamp.
    pub(super) fn count_shown_code_if_unscanned(&mut self, now: Timestamp) {
        // The tokens of the embedded sandbox cost nothing.
        let unused = self.shown_visit().filter(|(_, active_visit)| {
            active_visit.screen_state.may_have_unscanned_code()
                && !active_visit.backend.config.target.is_embedded_sandbox
        });
        if let Some((id, _)) = unused {
            self.unused_codes.record_unscanned_visit(id, now);
        }
    }

    /// Applies an event of a visit to its screen and its ticket, keeps the problem that ended it, and drops visits that
    /// are over. `now` is a monotonic timestamp.
    pub(super) fn update_screen_and_ticket_from_event(&mut self, event: &VisitEvent, now: Timestamp) {
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
            if active_visit.screen_state.is_code_scanned() {
                self.unused_codes.remove_visit(event.visit);
            }
        }
        self.update_ticket_from_visit(&event.visit, now);
        self.drop_ended_unshown_unticketed_visits();
    }

    /// Updates the ticket of a visit from the visit's state, if it has a ticket. `now` is a monotonic timestamp.
    pub(super) fn update_ticket_from_visit(&mut self, visit: &VisitId, now: Timestamp) {
        if let Some(active_visit) = self.visits.get(visit) {
            let (ticket_state, _) = active_visit.screen_state.derive_ticket_state_and_progress();
            self.tickets.note_ticket_state_and_finish_time(visit, ticket_state, now);
        }
    }

    /// Drops visits that have ended, are not shown and have no ticket; the journal has them.
    pub(super) fn drop_ended_unshown_unticketed_visits(&mut self) {
        let shown = self.shown_visit().map(|(id, _)| id);
        let tickets = &self.tickets;
        self.visits.retain(|id, active_visit| {
            !active_visit.screen_state.has_ended() || shown == Some(*id) || tickets.find_by_visit(id).is_some()
        });
    }

    /// Whether the visit on the screen can be handed over if a lane is free. `now` is the time of day.
    pub(super) fn can_hand_over_shown_visit(&self, now: Timestamp) -> bool {
        self.shown_visit().is_some_and(|(_, active_visit)| {
            let can_phones_scan = active_visit.backend.config.can_phones_reach_backend();
            active_visit.screen_state.can_continue_in_background(can_phones_scan, now)
                && !active_visit.task_done.is_cancelled()
        })
    }

    /// Finds the visits with a live ticket that ended before a phone scanned their QR codes.
    pub(super) fn find_ticketed_visits_ended_without_scan(&self) -> Vec<VisitId> {
        let is_unused = |visit: &VisitId| {
            self.visits.get(visit).is_none_or(|active_visit| active_visit.screen_state.has_ended_without_scan())
        };
        self.tickets.iter().map(|ticket| ticket.visit).filter(is_unused).collect()
    }

    /// Whether there is a lane for the visit on the screen. Visits whose codes no phone scanned have at most half of the
    /// lanes: a person without a phone cannot take all of them.
    pub(super) fn has_lane_for_shown_visit(&self) -> bool {
        let lanes = self.booth_settings.lanes.count as usize;
        let is_unscanned = |active_visit: &ShownOrRunningVisit| active_visit.screen_state.may_have_unscanned_code();
        let count_unscanned = || {
            let visits = self.tickets.iter().filter_map(|ticket| self.visits.get(&ticket.visit));
            visits.filter(|active_visit| is_unscanned(active_visit)).count()
        };
        self.tickets.len() < lanes
            && (!self.shown_visit().is_some_and(|(_, active_visit)| is_unscanned(active_visit))
                || count_unscanned() < lanes.div_ceil(2))
    }

    /// Builds the offer that the next visitor may start while the avatar on the screen is still made; `None` without lanes.
    fn build_next_visitor_offer(&self) -> Option<NextVisitorOffer> {
        let lanes = self.booth_settings.lanes;
        let has_free_lane = self.has_lane_for_shown_visit();
        (lanes.count > 0).then(|| NextVisitorOffer {
            has_free_lane,
            automatic_seconds: lanes.automatic_seconds.filter(|_| has_free_lane),
        })
    }

    /// The live tickets as everybody may see them, in the order of the strip.
    pub(super) fn build_ticket_views(&self) -> Vec<TicketView> {
        self.tickets.iter().map(|ticket| self.build_ticket_view(ticket)).collect()
    }

    /// A live ticket as everybody may see it.
    pub(super) fn build_ticket_view(&self, ticket: &Ticket) -> TicketView {
        let (state, progress) = self.visits.get(&ticket.visit).map_or((TicketState::Failed, None), |active_visit| {
            active_visit.screen_state.derive_ticket_state_and_progress()
        });
        TicketView { visit: ticket.visit.to_string(), name: ticket.name, state, progress }
    }

    /// The view of a ticket that may be closed by now.
    fn build_view_of_live_or_closed_ticket(&self, visit: &VisitId, name: TicketName) -> TicketView {
        self.tickets.find_by_visit(visit).map_or_else(
            || TicketView { visit: visit.to_string(), name, state: TicketState::Closed, progress: None },
            |ticket| self.build_ticket_view(ticket),
        )
    }

    /// Builds the screen on which the pickup code of a ticket is entered.
    fn build_pickup_code_screen(&self, entry: &PickupCodeEntryState, times: &CurrentWallAndMonotonicTime) -> Screen {
        let ticket = self.tickets.find_by_visit(&entry.visit);
        Screen::PickUp {
            visit: entry.visit.to_string(),
            ticket: self.build_view_of_live_or_closed_ticket(&entry.visit, entry.name),
            entry: PickupCodeEntryView {
                checking: entry.is_checking,
                wrong: entry.was_wrong && !entry.is_checking,
                tries_left: ticket.map_or(1, Ticket::count_attempts_left_before_wait),
                blocked_until: ticket
                    .and_then(|ticket| ticket.code_entry_blocked_until(times.monotonic))
                    .map(|until| format_rfc3339(times.convert_to_wall_time(until))),
            },
        }
    }

    /// The screen that the window shows now. A visit that is no longer known gives the attract screen.
    pub(super) fn build_current_screen(
        &self,
        asset_base: &str,
        home: Option<PathBuf>,
        times: &CurrentWallAndMonotonicTime,
    ) -> Screen {
        match &self.shown {
            ShownScreenWithState::Attract => Screen::Attract,
            ShownScreenWithState::Consent(texts) => Screen::Consent { texts: texts.clone() },
            ShownScreenWithState::Forgetting(visit, state) => {
                Screen::Forgetting { visit: visit.to_string(), stand: state.clone() }
            }
            ShownScreenWithState::Ticket { visit, name, code } => Screen::Ticket {
                visit: visit.to_string(),
                ticket: self.build_view_of_live_or_closed_ticket(visit, *name),
                pickup_code: code.expose_secret().to_owned(),
            },
            ShownScreenWithState::PickUp(entry) => self.build_pickup_code_screen(entry, times),
            ShownScreenWithState::Visit(id) => self.visits.get(id).map_or(Screen::Attract, |active_visit| {
                let facts = ScreenDataFromHost {
                    asset_base: asset_base.to_owned(),
                    can_play_phone: active_visit.backend.config.target.is_embedded_sandbox,
                    home,
                    can_phones_scan: active_visit.backend.config.can_phones_reach_backend(),
                    next_visitor: self.build_next_visitor_offer(),
                };
                active_visit.screen_state.to_screen(&facts, times.wall)
            }),
        }
    }

    /// The backend of the visit on the screen, otherwise that of the next visit.
    pub(super) fn backend_of_shown_or_next_visit(&self) -> &ActiveBackendWithSharedSession {
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
        let profile = Profiles::default().build_profile_by_name("sandbox").expect("built in");
        let target = ProfileOrSandboxBackend {
            api_url: "http://127.0.0.1:1/".parse().expect("a URL"),
            link: "http://127.0.0.1:1/{token}".parse().expect("a link"),
            credentials: copresence_client::Credentials::default(),
            is_embedded_sandbox: true,
        };
        KioskState::new(ActiveBackendWithSharedSession::new(BackendConfig { profile, target, phone_address: None }))
    }

    fn active_visit(state: &KioskState, id: VisitId) -> ShownOrRunningVisit {
        ShownOrRunningVisit {
            screen_state: VisitScreenState::new(id.to_string()),
            backend: state.active_backend.clone(),
            stop_signals: VisitStopSignals::default(),
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
            state.update_screen_and_ticket_from_event(&end(id), Timestamp::now());
            assert!(
                state.shown_visit().is_some_and(|(_, active_visit)| active_visit.screen_state.has_ended()),
                "the screen says how"
            );
            assert_eq!(state.visits.len(), 1);
        }
        let behind = VisitId::new();
        let active_visit = active_visit(&state, behind);
        state.add_and_show_visit(behind, active_visit);
        state.signal_leave_and_show_first_screen();
        assert!(state.shown_visit().is_none());
        assert_eq!(state.visits.len(), 1, "it goes on");
        state.update_screen_and_ticket_from_event(&end(behind), Timestamp::now());
        assert!(state.visits.is_empty());
        let (_, problem) = state.last_problem.expect("the operator is told");
        assert_eq!(problem.code, "timed_out");
    }
}
