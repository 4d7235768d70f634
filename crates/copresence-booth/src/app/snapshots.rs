//! What the windows show: events of visits are applied to the screen, and a changed screen is published as a snapshot.

use super::Kiosk;
use super::state::{CurrentWallAndMonotonicTime, KioskState};
use crate::view::{Screen, Snapshot, VisitorScreenSettingsView};
use copresence_engine::EndPhase;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::runner::EventSink;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Maximum time between two looks at the time of day, which a person may change.
const MAX_CLOCK_WAIT: Duration = Duration::from_secs(30);

impl Kiosk {
    /// Builds the event sink of visits on the screen.
    pub(super) fn build_event_sink_of_shown_visit(&self) -> EventSink {
        let kiosk = self.clone();
        Arc::new(move |event: VisitEvent| kiosk.count_record_and_publish_event(&event))
    }

    /// Counts the event, records it for the inspector, applies it to the screen and publishes a snapshot.
    pub(super) fn count_record_and_publish_event(&self, event: &VisitEvent) {
        self.metrics.record_visit_event(event);
        self.record_and_publish_event_without_counting(event);
    }

    /// As [`count_record_and_publish_event`](Self::count_record_and_publish_event), without counting the
    /// event in the metrics.
    pub(super) fn record_and_publish_event_without_counting(&self, event: &VisitEvent) {
        self.inspector.record_event(event);
        let mut state = self.lock_kiosk_state();
        if let EventKind::Ended { visit_state, .. } = &event.kind
            && visit_state == EndPhase::Issuing.as_str()
        {
            state.unused_codes.remove_visit(event.visit);
        }
        state.update_screen_and_ticket_from_event(event, self.clock.monotonic_timestamp());
        if let EventKind::Invited { expires_at: Some(at), .. } = &event.kind
            && let Some(active_visit) = state.visits.get(&event.visit)
        {
            self.publish_at_qr_code_expiry(*at, active_visit.task_done.clone());
        }
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Publishes a snapshot when the QR code expires, unless the visit's task has ended by then.
    fn publish_at_qr_code_expiry(&self, at: Timestamp, gone: CancellationToken) {
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            while let Ok(left) = Duration::try_from(at.duration_since(kiosk.clock.wall_clock_time()))
                && !left.is_zero()
            {
                tokio::select! {
                    () = gone.cancelled() => return,
                    () = tokio::time::sleep(left.min(MAX_CLOCK_WAIT)) => {}
                }
            }
            kiosk.publish_snapshot_if_changed(&mut kiosk.lock_kiosk_state());
        });
    }

    /// Reads the wall clock and the monotonic clock, for times on a screen.
    pub(super) fn read_wall_and_monotonic_clock(&self) -> CurrentWallAndMonotonicTime {
        CurrentWallAndMonotonicTime { wall: self.clock.wall_clock_time(), monotonic: self.clock.monotonic_timestamp() }
    }

    /// Sends a snapshot with a new revision to the windows, unless screen, backend and operator settings are those
    /// of the last one.
    pub(super) fn publish_snapshot_if_changed(&self, state: &mut KioskState) {
        let screen =
            state.build_current_screen(&self.setup.asset_base, dirs::home_dir(), &self.read_wall_and_monotonic_clock());
        let tickets = state.build_ticket_views();
        self.publish_tickets_to_sandbox_phone_pages(state);
        let backend = state.backend_of_shown_or_next_visit().config.to_backend_view();
        let booth =
            VisitorScreenSettingsView { closed: state.booth_closed_reason().cloned(), ..state.booth_settings.clone() };
        let screen_since = &mut state.screen_since;
        self.snapshots.send_if_modified(|snapshot| {
            if snapshot.screen == screen
                && snapshot.tickets == tickets
                && snapshot.backend == backend
                && snapshot.booth == booth
            {
                return false;
            }
            let revision = snapshot.revision + 1;
            if !has_same_screen_and_visit(&snapshot.screen, &screen) {
                *screen_since = revision;
            }
            *snapshot = Snapshot { revision, backend, booth, tickets, screen };
            true
        });
    }
}

/// Whether a button of one snapshot means the same in another: the same screen of the same visit, however its contents
/// changed.
fn has_same_screen_and_visit(before: &Screen, after: &Screen) -> bool {
    // After `failed` the visitor records again or leaves; before, the avatar is being made.
    let has_failed = |screen: &Screen| matches!(screen, Screen::Making { status, .. } if status == "failed");
    std::mem::discriminant(before) == std::mem::discriminant(after)
        && before.visit_id() == after.visit_id()
        && has_failed(before) == has_failed(after)
}
