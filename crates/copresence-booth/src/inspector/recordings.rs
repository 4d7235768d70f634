//! Recordings of the latest visits, bounded in number and bytes. The oldest are dropped.

use copresence_client::{BackendWithRoutes, Exchange, Redactor};
use copresence_protocol::LinkTemplate;
use copresence_store::VisitId;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Bounds of the recordings.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordingMemoryBounds {
    pub(super) visits: usize,
    pub(super) exchanges: usize,
    /// Approximate size of exchanges and events together.
    pub(super) bytes: usize,
}

pub(super) const DEFAULT_BOUNDS: RecordingMemoryBounds =
    RecordingMemoryBounds { visits: 50, exchanges: 2_000, bytes: 16 * 1024 * 1024 };

/// Estimated size of an item in addition to its texts, in bytes.
const ITEM_OVERHEAD: usize = 256;

/// The recorded visits, kept in memory within bounds: the oldest are dropped.
#[derive(Debug)]
pub(super) struct Recordings {
    bounds: RecordingMemoryBounds,
    /// In order of their start.
    recorded_visits: VecDeque<RecordedVisit>,
    exchanges: usize,
    bytes: usize,
    dropped_exchange_count: u32,
    next_id: u32,
}

/// The recording of one visit.
#[derive(Debug, Clone)]
pub(super) struct RecordedVisit {
    pub(super) id: VisitId,
    pub(super) started_at: Timestamp,
    pub(super) end_code: Option<String>,
    /// The visit's backend, for checks that depend on its routes.
    pub(super) backend: Option<Arc<BackendWithRoutes>>,
    /// Template of its link, which shows where the Export Token is.
    pub(super) link: Option<LinkTemplate>,
    /// Masks the visit's Export Token, once it is known.
    pub(super) redactor: Redactor,
    pub(super) events: VecDeque<RecordedEvent>,
    pub(super) exchanges: VecDeque<Arc<RecordedExchange>>,
}

/// A recorded event of a visit.
#[derive(Debug, Clone)]
pub(super) struct RecordedEvent {
    pub(super) at: Timestamp,
    pub(super) instant: Instant,
    pub(super) kind: &'static str,
    pub(super) json: Arc<str>,
}

/// An HTTP exchange that the inspector holds in memory, with its id and its number of violations.
#[derive(Debug)]
pub(super) struct RecordedExchange {
    pub(super) id: u32,
    /// Start on the monotonic clock.
    pub(super) instant: Instant,
    pub(super) exchange: Exchange,
    /// Number of violated requirements, computed on first use.
    pub(super) violations: OnceLock<u32>,
    size: usize,
}

impl Recordings {
    pub(super) fn new(bounds: RecordingMemoryBounds) -> Self {
        Self { bounds, recorded_visits: VecDeque::new(), exchanges: 0, bytes: 0, dropped_exchange_count: 0, next_id: 1 }
    }

    /// The recorded visits, in the order of their recording.
    pub(super) fn recorded_visits(&self) -> impl DoubleEndedIterator<Item = &RecordedVisit> {
        self.recorded_visits.iter()
    }

    /// Number of exchanges that were dropped to stay within the bounds.
    pub(super) fn dropped_exchange_count(&self) -> u32 {
        self.dropped_exchange_count
    }

    /// The recording of a visit. Creates it if there is none.
    pub(super) fn get_or_insert_visit(&mut self, id: VisitId, now: Timestamp) -> &mut RecordedVisit {
        let known = self.recorded_visits.iter().position(|visit| visit.id == id);
        let index = known.unwrap_or_else(|| {
            while self.recorded_visits.len() >= self.bounds.visits.max(1) {
                self.drop_oldest_visit_preferring_ended();
            }
            self.recorded_visits.push_back(RecordedVisit {
                id,
                started_at: now,
                end_code: None,
                backend: None,
                link: None,
                redactor: Redactor::default(),
                events: VecDeque::new(),
                exchanges: VecDeque::new(),
            });
            self.recorded_visits.len() - 1
        });
        &mut self.recorded_visits[index]
    }

    /// Adds an event to the recording of a visit, in memory only. Replaces the last event if `replaces` returns
    /// true for it. Ignored if the visit is not recorded.
    pub(super) fn add_or_replace_last_event(
        &mut self,
        id: VisitId,
        step: RecordedEvent,
        replaces: impl Fn(&RecordedEvent) -> bool,
    ) {
        let Some(visit) = self.recorded_visits.iter_mut().find(|visit| visit.id == id) else { return };
        if visit.events.back().is_some_and(replaces)
            && let Some(old) = visit.events.pop_back()
        {
            self.bytes -= old.approximate_event_bytes();
        }
        self.bytes += step.approximate_event_bytes();
        visit.events.push_back(step);
        self.drop_oldest_beyond_bounds();
    }

    /// Records an exchange that has just ended. Ignored if the visit is not recorded or was deleted.
    pub(super) fn add_exchange_to_known_visit(&mut self, id: VisitId, exchange: Exchange, now: Instant) {
        let Some(visit) = self.recorded_visits.iter_mut().find(|visit| visit.id == id) else { return };
        let moment = now.checked_sub(exchange.duration).unwrap_or(now);
        let size = approximate_exchange_bytes(&exchange);
        let kept = RecordedExchange { id: self.next_id, instant: moment, exchange, violations: OnceLock::new(), size };
        self.next_id = self.next_id.wrapping_add(1);
        visit.exchanges.push_back(Arc::new(kept));
        self.exchanges += 1;
        self.bytes += size;
        self.drop_oldest_beyond_bounds();
    }

    /// Removes a visit. Returns whether it was recorded.
    pub(super) fn remove_visit_by_id(&mut self, id: VisitId) -> bool {
        let Some(index) = self.recorded_visits.iter().position(|visit| visit.id == id) else { return false };
        self.remove_visit_and_count_exchanges(index);
        true
    }

    /// Drops the oldest exchanges, then the oldest events, until the recordings are within their bounds.
    fn drop_oldest_beyond_bounds(&mut self) {
        while self.exchanges > self.bounds.exchanges {
            self.drop_oldest_exchange();
        }
        while self.bytes > self.bounds.bytes && (self.drop_oldest_exchange() || self.drop_oldest_event()) {}
    }

    /// Drops the oldest exchange. Returns whether there was one.
    fn drop_oldest_exchange(&mut self) -> bool {
        let oldest = |visit: &&mut RecordedVisit| visit.exchanges.front().map(|kept| kept.id);
        let visit = self.recorded_visits.iter_mut().filter(|visit| !visit.exchanges.is_empty()).min_by_key(oldest);
        let Some(kept) = visit.and_then(|visit| visit.exchanges.pop_front()) else { return false };
        self.bytes -= kept.size;
        self.exchanges -= 1;
        self.dropped_exchange_count = self.dropped_exchange_count.saturating_add(1);
        true
    }

    /// Drops the oldest event of the first recorded visit that has any. Returns whether there was one.
    fn drop_oldest_event(&mut self) -> bool {
        let visit = self.recorded_visits.iter_mut().find(|visit| !visit.events.is_empty());
        let Some(step) = visit.and_then(|visit| visit.events.pop_front()) else { return false };
        self.bytes -= step.approximate_event_bytes();
        true
    }

    /// Drops the oldest visit that has ended, else the oldest one.
    fn drop_oldest_visit_preferring_ended(&mut self) {
        let index = self.recorded_visits.iter().position(|visit| visit.end_code.is_some()).unwrap_or(0);
        let dropped = self.remove_visit_and_count_exchanges(index);
        self.dropped_exchange_count = self.dropped_exchange_count.saturating_add(dropped);
    }

    /// Removes a visit. Returns the number of exchanges that it had.
    fn remove_visit_and_count_exchanges(&mut self, index: usize) -> u32 {
        let Some(visit) = self.recorded_visits.remove(index) else { return 0 };
        self.bytes -= visit.exchanges.iter().map(|kept| kept.size).sum::<usize>();
        self.bytes -= visit.events.iter().map(RecordedEvent::approximate_event_bytes).sum::<usize>();
        self.exchanges -= visit.exchanges.len();
        u32::try_from(visit.exchanges.len()).unwrap_or(u32::MAX)
    }
}

impl RecordedEvent {
    /// Approximate size in memory, in bytes.
    fn approximate_event_bytes(&self) -> usize {
        ITEM_OVERHEAD + self.json.len()
    }
}

/// Approximate size in bytes.
fn approximate_exchange_bytes(exchange: &Exchange) -> usize {
    let Exchange { url, request_headers, request_body, response_headers, body, error, .. } = exchange;
    let headers = request_headers.iter().chain(response_headers);
    let headers: usize = headers.map(|(name, value)| 64 + name.len() + value.len()).sum();
    let texts = [request_body, body, error].into_iter().flatten().map(String::len).sum::<usize>();
    ITEM_OVERHEAD + url.len() + headers + texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use copresence_client::{CallKind, ExchangeOutcome};
    use proptest::prelude::*;
    use std::time::Duration;

    fn sample_exchange(body: usize) -> Exchange {
        Exchange {
            call: CallKind::Redeem,
            started_at: Timestamp::UNIX_EPOCH,
            time_to_headers: None,
            duration: Duration::ZERO,
            method: "GET".into(),
            url: "https://api.test/redeemExportToken".into(),
            request_headers: Vec::new(),
            request_body: None,
            status: Some(200),
            response_headers: vec![("content-type".into(), "application/json".into())],
            body: Some("x".repeat(body)),
            body_size: body as u64,
            outcome: ExchangeOutcome::Complete,
            error: None,
        }
    }

    fn sample_event(length: usize) -> RecordedEvent {
        let line = "x".repeat(length).into();
        RecordedEvent { at: Timestamp::UNIX_EPOCH, instant: Instant::now(), kind: "status", json: line }
    }

    /// Asserts that the counters match the content.
    fn assert_counters_match(memory: &Recordings) {
        let bytes: usize = memory.recorded_visits.iter().flat_map(|visit| visit.exchanges.iter()).map(|k| k.size).sum();
        let steps: usize = memory
            .recorded_visits
            .iter()
            .flat_map(|visit| visit.events.iter())
            .map(RecordedEvent::approximate_event_bytes)
            .sum();
        assert_eq!(memory.bytes, bytes + steps);
        assert_eq!(memory.exchanges, memory.recorded_visits.iter().map(|visit| visit.exchanges.len()).sum::<usize>());
        assert!(memory.bytes <= memory.bounds.bytes && memory.exchanges <= memory.bounds.exchanges);
        assert!(memory.recorded_visits.len() <= memory.bounds.visits);
    }

    #[test]
    fn recordings_stay_within_the_bounds_and_drops_are_counted() {
        let mut memory = Recordings::new(DEFAULT_BOUNDS);
        let now = Instant::now();
        for visitor in 0..200 {
            let id = VisitId::new();
            memory.get_or_insert_visit(id, Timestamp::UNIX_EPOCH);
            for _ in 0..50 {
                memory.add_exchange_to_known_visit(id, sample_exchange(1_000), now);
                memory.add_or_replace_last_event(id, sample_event(200), |_| false);
            }
            memory.get_or_insert_visit(id, Timestamp::UNIX_EPOCH).end_code =
                (visitor % 10 != 0).then(|| "saved".to_owned());
            assert_counters_match(&memory);
        }
        assert_eq!((memory.recorded_visits.len(), memory.exchanges), (50, 2_000));
        assert_eq!(memory.dropped_exchange_count, 200 * 50 - 2_000);
        assert!(
            memory.recorded_visits.iter().filter(|visit| visit.end_code.is_none()).count() >= 20,
            "who is here stays"
        );
    }

    #[test]
    fn large_bodies_drop_the_oldest_exchanges() {
        let mut memory = Recordings::new(RecordingMemoryBounds { bytes: 10_000, ..DEFAULT_BOUNDS });
        let (first, second) = (VisitId::new(), VisitId::new());
        for id in [first, second] {
            memory.get_or_insert_visit(id, Timestamp::UNIX_EPOCH);
        }
        for turn in 0..20 {
            memory.add_exchange_to_known_visit(
                if turn % 2 == 0 { first } else { second },
                sample_exchange(2_000),
                Instant::now(),
            );
            assert_counters_match(&memory);
        }
        let left: Vec<_> = memory.recorded_visits.iter().flat_map(|v| v.exchanges.iter()).map(|kept| kept.id).collect();
        assert_eq!(left, [17, 19, 18, 20]);
        assert_eq!(memory.dropped_exchange_count, 16);
        memory.add_exchange_to_known_visit(first, sample_exchange(50_000), Instant::now());
        assert_counters_match(&memory);
        assert_eq!(memory.exchanges, 0, "what is larger than all of it is not kept");
    }

    proptest! {
        #[test]
        fn bounds_hold_for_any_sequence(acts in prop::collection::vec((0..6_usize, 0..7_usize, 0..3_000_usize), 0..200)) {
            let mut memory = Recordings::new(RecordingMemoryBounds { visits: 3, exchanges: 10, bytes: 20_000 });
            let ids: Vec<_> = (0..6).map(|_| VisitId::new()).collect();
            let mut recorded = 0;
            for (who, act, size) in acts {
                match act {
                    0 => _ = memory.get_or_insert_visit(ids[who], Timestamp::UNIX_EPOCH),
                    1 => _ = memory.remove_visit_by_id(ids[who]),
                    2 => memory.get_or_insert_visit(ids[who], Timestamp::UNIX_EPOCH).end_code = Some("saved".into()),
                    3 | 4 => memory.add_or_replace_last_event(ids[who], sample_event(size), |_| act == 3),
                    _ => {
                        memory.add_exchange_to_known_visit(ids[who], sample_exchange(size), Instant::now());
                        recorded += 1;
                    }
                }
                assert_counters_match(&memory);
            }
            prop_assert!(memory.exchanges + memory.dropped_exchange_count as usize <= recorded);
        }
    }
}
