//! Builds the view of the recordings.

use super::RequirementJudge;
use super::recordings::{RecordedExchange, RecordedVisit, Recordings};
use crate::view::inspector::{ExchangeView, InspectorView, InspectorVisitListEntry, Timeline, TimelineEntry};
use copresence_client::{BackendWithRoutes, curl};
use std::time::Instant;

/// A copy of the recordings for a view, so that building the view does not block recording.
pub(super) struct RecordingsCopy {
    visits: Vec<RecordedVisit>,
    shown: Option<usize>,
    dropped: u32,
}

impl RecordingsCopy {
    /// Copies the recordings; `asked` is the visit to show, `None` the newest.
    pub(super) fn copy_recordings(memory: &Recordings, asked: Option<&str>) -> Self {
        let visits: Vec<RecordedVisit> = memory.recorded_visits().rev().cloned().collect();
        let shown = match asked {
            Some(asked) => visits.iter().position(|visit| visit.id.to_string() == asked),
            None => (!visits.is_empty()).then_some(0),
        };
        Self { visits, shown, dropped: memory.dropped_exchange_count() }
    }

    /// Converts the copy to the view of the inspector: the visits, and the timeline of the shown one.
    pub(super) fn to_inspector_view(&self, rules: &RequirementJudge) -> InspectorView {
        let visits: Vec<_> = self.visits.iter().map(|visit| to_visit_list_entry(visit, rules)).collect();
        let shown = self.shown.map(|index| Timeline {
            visit: visits[index].clone(),
            entries: build_timeline_entries(&self.visits[index], rules),
        });
        InspectorView { visits, shown, dropped: self.dropped }
    }
}

/// A recorded visit as a row of the list, with the number of violated requirements.
fn to_visit_list_entry(visit: &RecordedVisit, rules: &RequirementJudge) -> InspectorVisitListEntry {
    let broken = visit
        .exchanges
        .iter()
        .map(|kept| count_and_cache_exchange_violations(kept, visit.backend.as_deref(), rules))
        .sum();
    InspectorVisitListEntry {
        visit: visit.id.to_string(),
        started_ms: visit.started_at.as_millisecond(),
        ended: visit.end_code.clone(),
        exchanges: u32::try_from(visit.exchanges.len()).unwrap_or(u32::MAX),
        broken,
    }
}

/// Counts the requirements that an exchange violates, the first time, and keeps the number.
fn count_and_cache_exchange_violations(
    kept: &RecordedExchange,
    backend: Option<&BackendWithRoutes>,
    rules: &RequirementJudge,
) -> u32 {
    *kept.violations.get_or_init(|| {
        let broken = backend.map_or(0, |at| rules(&kept.exchange, at).iter().filter(|rule| !rule.kept).count());
        u32::try_from(broken).unwrap_or(u32::MAX)
    })
}

/// Events and exchanges in the order in which they began.
fn build_timeline_entries(visit: &RecordedVisit, rules: &RequirementJudge) -> Vec<TimelineEntry> {
    let mut all: Vec<(Instant, TimelineEntry)> = Vec::with_capacity(visit.events.len() + visit.exchanges.len());
    for step in &visit.events {
        let entry = TimelineEntry::Step {
            at_ms: step.at.as_millisecond(),
            event: step.kind.to_owned(),
            line: step.json.to_string(),
        };
        all.push((step.instant, entry));
    }
    for kept in &visit.exchanges {
        let exchange = Box::new(build_exchange_view(kept, visit.backend.as_deref(), rules));
        all.push((kept.instant, TimelineEntry::Exchange { exchange }));
    }
    all.sort_by_key(|(moment, _)| *moment);
    all.into_iter().map(|(_, entry)| entry).collect()
}

/// A recorded exchange with the requirements that it meets and violates.
fn build_exchange_view(
    kept: &RecordedExchange,
    backend: Option<&BackendWithRoutes>,
    rules: &RequirementJudge,
) -> ExchangeView {
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let exchange = &kept.exchange;
    ExchangeView {
        id: kept.id,
        at_ms: exchange.started_at.as_millisecond(),
        call: exchange.call.to_string(),
        method: exchange.method.clone(),
        url: exchange.url.clone(),
        request_headers: exchange.request_headers.clone(),
        request_body: exchange.request_body.clone(),
        status: exchange.status,
        wait_ms: exchange.time_to_headers.map(milliseconds),
        duration_ms: milliseconds(exchange.duration),
        response_headers: exchange.response_headers.clone(),
        response_body: exchange.body.clone(),
        body_size: exchange.body_size,
        error: exchange.error.clone(),
        rules: backend.map_or_else(Vec::new, |at| rules(exchange, at)),
        curl: backend.map_or_else(String::new, |at| curl::curl_for_exchange(exchange, at).to_multiline_shell_command()),
    }
}
