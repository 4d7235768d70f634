//! How long the phases of visits take, from their events.

use copresence_engine::events::{EventKind, VisitEvent};
use copresence_protocol::CompletionStatus;
use copresence_store::VisitId;
use jiff::Timestamp;
use std::collections::HashMap;

/// The phases, as values of the label `phase`, in the order of a visit.
pub(super) const VISIT_PHASE_LABELS: [&str; 5] = ["token", "scan", "avatar", "download", WHOLE_VISIT_LABEL];

/// The whole visit as a phase.
const WHOLE_VISIT_LABEL: &str = "visit";

/// Measures the phases of all visits in progress.
#[derive(Debug, Default)]
pub(super) struct VisitPhaseTimers {
    visits: HashMap<VisitId, CurrentVisitPhase>,
}

/// The phase that a visit is in, and since when.
#[derive(Debug, Clone, Copy)]
struct CurrentVisitPhase {
    started_at: Timestamp,
    /// Index in [`VISIT_PHASE_LABELS`] of the phase in progress.
    phase: usize,
    since: Timestamp,
}

impl VisitPhaseTimers {
    /// Moves a visit to the phase that its event begins. Returns the phases that ended, with their durations in
    /// seconds.
    pub(super) fn take_phases_ended_by_event(&mut self, event: &VisitEvent) -> Vec<(&'static str, f64)> {
        let at = event.at;
        let reached = match &event.kind {
            EventKind::Started { .. } => {
                self.visits.insert(event.visit, CurrentVisitPhase { started_at: at, phase: 0, since: at });
                return Vec::new();
            }
            EventKind::Invited { .. } => 1,
            EventKind::Status { completion_status, .. }
                if completion_status != CompletionStatus::NoAssociatedAvatar.as_str() =>
            {
                2
            }
            EventKind::Redeemed { .. } => 3,
            EventKind::Saved { .. } => 4,
            EventKind::Ended { .. } => {
                let ended = self.visits.remove(&event.visit);
                return ended
                    .map(|visit| (WHOLE_VISIT_LABEL, compute_nonnegative_seconds_between(visit.started_at, at)))
                    .into_iter()
                    .collect();
            }
            _ => return Vec::new(),
        };
        let Some(visit) = self.visits.get_mut(&event.visit) else { return Vec::new() };
        if reached <= visit.phase {
            return Vec::new();
        }
        let finished = (VISIT_PHASE_LABELS[visit.phase], compute_nonnegative_seconds_between(visit.since, at));
        (visit.phase, visit.since) = (reached, at);
        vec![finished]
    }
}

/// Seconds between two times of the wall clock, at least 0: the clock may have been set back.
fn compute_nonnegative_seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(word: &str) -> EventKind {
        EventKind::Status {
            completion_status: word.into(),
            completion_progress: 0,
            queue_position: -1,
            next_poll_ms: 0,
        }
    }

    fn started() -> EventKind {
        EventKind::Started { profile: "p".into(), api_url: "https://api.test/".into() }
    }

    fn ended() -> EventKind {
        EventKind::Ended { code: "saved".into(), exit: 0, message: String::new(), visit_state: "saved".into() }
    }

    fn measure_phases(events: &[(i64, EventKind)]) -> Vec<(&'static str, f64)> {
        let (mut clock, visit) = (VisitPhaseTimers::default(), VisitId::new());
        let event = |(second, kind): &(i64, EventKind)| VisitEvent {
            visit,
            at: Timestamp::from_second(*second).expect("a time"),
            kind: kind.clone(),
        };
        let phases = events.iter().flat_map(|one| clock.take_phases_ended_by_event(&event(one))).collect();
        assert!(clock.visits.is_empty() || !matches!(events.last(), Some((_, EventKind::Ended { .. }))));
        phases
    }

    #[test]
    fn each_phase_ends_at_the_event_of_the_next() {
        let invited = EventKind::Invited { link: String::new(), expires_at: None };
        let saved = EventKind::Saved { directory: String::new(), files: Vec::new() };
        let phases = measure_phases(&[
            (0, started()),
            (1, invited),
            (5, status("no_associated_avatar")),
            (11, status("in_queue")),
            (30, status("processing")),
            (31, status("no_associated_avatar")),
            (71, EventKind::Redeemed { exports: Vec::new() }),
            (74, saved),
            (75, ended()),
        ]);
        assert_eq!(phases, [("token", 1.0), ("scan", 10.0), ("avatar", 60.0), ("download", 3.0), ("visit", 75.0)]);
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_negative_duration() {
        assert_eq!(measure_phases(&[(100, started()), (40, ended())]), [("visit", 0.0)]);
    }

    #[test]
    fn events_of_an_unknown_visit_are_ignored() {
        assert_eq!(measure_phases(&[(5, ended()), (6, status("in_queue"))]), []);
    }
}
