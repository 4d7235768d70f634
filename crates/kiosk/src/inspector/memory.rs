//! Recordings of the latest visits, bounded in number and bytes. The oldest are dropped.

use client::{Backend, Exchange, Redactor};
use jiff::Timestamp;
use protocol::LinkTemplate;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use store::VisitId;

/// Bounds of the recordings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) visits: usize,
    pub(super) exchanges: usize,
    /// Approximate size of exchanges and events together.
    pub(super) bytes: usize,
}

pub(super) const BOUNDS: Bounds = Bounds { visits: 50, exchanges: 2_000, bytes: 16 * 1024 * 1024 };

/// Estimated size of an item in addition to its texts, in bytes.
const OVERHEAD: usize = 256;

#[derive(Debug)]
pub(super) struct Memory {
    bounds: Bounds,
    /// In order of their start.
    visits: VecDeque<Visit>,
    exchanges: usize,
    bytes: usize,
    dropped: u32,
    next_id: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) id: VisitId,
    pub(super) started: Timestamp,
    pub(super) ended: Option<String>,
    /// The visit's backend, for checks that depend on its routes.
    pub(super) backend: Option<Arc<Backend>>,
    /// Template of its link, which shows where the Export Token is.
    pub(super) link: Option<LinkTemplate>,
    /// Masks the visit's Export Token, once it is known.
    pub(super) redactor: Redactor,
    pub(super) steps: VecDeque<Step>,
    pub(super) exchanges: VecDeque<Arc<Kept>>,
}

/// A recorded event of a visit.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) moment: Instant,
    pub(super) event: &'static str,
    pub(super) line: Arc<str>,
}

/// A recorded exchange.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) id: u32,
    /// Start on the monotonic clock.
    pub(super) moment: Instant,
    pub(super) exchange: Exchange,
    /// Number of violated requirements, computed on first use.
    pub(super) broken: OnceLock<u32>,
    size: usize,
}

impl Memory {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, visits: VecDeque::new(), exchanges: 0, bytes: 0, dropped: 0, next_id: 1 }
    }

    pub(super) fn visits(&self) -> impl DoubleEndedIterator<Item = &Visit> {
        self.visits.iter()
    }

    pub(super) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The recording of a visit. Creates it if there is none.
    pub(super) fn visit(&mut self, id: VisitId, now: Timestamp) -> &mut Visit {
        let known = self.visits.iter().position(|visit| visit.id == id);
        let index = known.unwrap_or_else(|| {
            while self.visits.len() >= self.bounds.visits.max(1) {
                self.drop_a_visit();
            }
            self.visits.push_back(Visit {
                id,
                started: now,
                ended: None,
                backend: None,
                link: None,
                redactor: Redactor::default(),
                steps: VecDeque::new(),
                exchanges: VecDeque::new(),
            });
            self.visits.len() - 1
        });
        &mut self.visits[index]
    }

    /// Records an event. Replaces the last one if `replaces` returns true for it.
    pub(super) fn step(&mut self, id: VisitId, step: Step, replaces: impl Fn(&Step) -> bool) {
        let Some(visit) = self.visits.iter_mut().find(|visit| visit.id == id) else { return };
        if visit.steps.back().is_some_and(replaces)
            && let Some(old) = visit.steps.pop_back()
        {
            self.bytes -= old.size();
        }
        self.bytes += step.size();
        visit.steps.push_back(step);
        self.make_room();
    }

    /// Records an exchange that has just ended. Ignored if the visit is not recorded or was deleted.
    pub(super) fn exchange(&mut self, id: VisitId, exchange: Exchange, now: Instant) {
        let Some(visit) = self.visits.iter_mut().find(|visit| visit.id == id) else { return };
        let moment = now.checked_sub(exchange.duration).unwrap_or(now);
        let size = size_of(&exchange);
        let kept = Kept { id: self.next_id, moment, exchange, broken: OnceLock::new(), size };
        self.next_id = self.next_id.wrapping_add(1);
        visit.exchanges.push_back(Arc::new(kept));
        self.exchanges += 1;
        self.bytes += size;
        self.make_room();
    }

    /// Removes a visit. Returns whether it was recorded.
    pub(super) fn forget(&mut self, id: VisitId) -> bool {
        let Some(index) = self.visits.iter().position(|visit| visit.id == id) else { return false };
        self.remove(index);
        true
    }

    fn make_room(&mut self) {
        while self.exchanges > self.bounds.exchanges {
            self.drop_an_exchange();
        }
        while self.bytes > self.bounds.bytes && (self.drop_an_exchange() || self.drop_a_step()) {}
    }

    /// Drops the oldest exchange. Returns whether there was one.
    fn drop_an_exchange(&mut self) -> bool {
        let oldest = |visit: &&mut Visit| visit.exchanges.front().map(|kept| kept.id);
        let visit = self.visits.iter_mut().filter(|visit| !visit.exchanges.is_empty()).min_by_key(oldest);
        let Some(kept) = visit.and_then(|visit| visit.exchanges.pop_front()) else { return false };
        self.bytes -= kept.size;
        self.exchanges -= 1;
        self.dropped = self.dropped.saturating_add(1);
        true
    }

    fn drop_a_step(&mut self) -> bool {
        let visit = self.visits.iter_mut().find(|visit| !visit.steps.is_empty());
        let Some(step) = visit.and_then(|visit| visit.steps.pop_front()) else { return false };
        self.bytes -= step.size();
        true
    }

    /// Drops the oldest visit that has ended, else the oldest one.
    fn drop_a_visit(&mut self) {
        let index = self.visits.iter().position(|visit| visit.ended.is_some()).unwrap_or(0);
        let dropped = self.remove(index);
        self.dropped = self.dropped.saturating_add(dropped);
    }

    /// Removes a visit. Returns the number of exchanges that it had.
    fn remove(&mut self, index: usize) -> u32 {
        let Some(visit) = self.visits.remove(index) else { return 0 };
        self.bytes -= visit.exchanges.iter().map(|kept| kept.size).sum::<usize>();
        self.bytes -= visit.steps.iter().map(Step::size).sum::<usize>();
        self.exchanges -= visit.exchanges.len();
        u32::try_from(visit.exchanges.len()).unwrap_or(u32::MAX)
    }
}

impl Step {
    fn size(&self) -> usize {
        OVERHEAD + self.line.len()
    }
}

/// Approximate size in bytes.
fn size_of(exchange: &Exchange) -> usize {
    let Exchange { url, request_headers, request_body, response_headers, body, error, .. } = exchange;
    let headers = request_headers.iter().chain(response_headers);
    let headers: usize = headers.map(|(name, value)| 64 + name.len() + value.len()).sum();
    let texts = [request_body, body, error].into_iter().flatten().map(String::len).sum::<usize>();
    OVERHEAD + url.len() + headers + texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::{Call, Ending};
    use proptest::prelude::*;
    use std::time::Duration;

    fn sample_exchange(body: usize) -> Exchange {
        Exchange {
            call: Call::Redeem,
            started_at: Timestamp::UNIX_EPOCH,
            head_after: None,
            duration: Duration::ZERO,
            method: "GET".into(),
            url: "https://api.test/redeemExportToken".into(),
            request_headers: Vec::new(),
            request_body: None,
            status: Some(200),
            response_headers: vec![("content-type".into(), "application/json".into())],
            body: Some("x".repeat(body)),
            body_size: body as u64,
            ending: Ending::Whole,
            error: None,
        }
    }

    fn sample_event(length: usize) -> Step {
        let line = "x".repeat(length).into();
        Step { at: Timestamp::UNIX_EPOCH, moment: Instant::now(), event: "status", line }
    }

    /// Asserts that the counters match the content.
    fn assert_counters_match(memory: &Memory) {
        let bytes: usize =
            memory.visits.iter().flat_map(|visit| visit.exchanges.iter()).map(|k| k.size).sum();
        let steps: usize = memory.visits.iter().flat_map(|visit| visit.steps.iter()).map(Step::size).sum();
        assert_eq!(memory.bytes, bytes + steps);
        assert_eq!(memory.exchanges, memory.visits.iter().map(|visit| visit.exchanges.len()).sum::<usize>());
        assert!(memory.bytes <= memory.bounds.bytes && memory.exchanges <= memory.bounds.exchanges);
        assert!(memory.visits.len() <= memory.bounds.visits);
    }

    #[test]
    fn recordings_stay_within_the_bounds_and_drops_are_counted() {
        let mut memory = Memory::new(BOUNDS);
        let now = Instant::now();
        for visitor in 0..200 {
            let id = VisitId::new();
            memory.visit(id, Timestamp::UNIX_EPOCH);
            for _ in 0..50 {
                memory.exchange(id, sample_exchange(1_000), now);
                memory.step(id, sample_event(200), |_| false);
            }
            memory.visit(id, Timestamp::UNIX_EPOCH).ended = (visitor % 10 != 0).then(|| "saved".to_owned());
            assert_counters_match(&memory);
        }
        assert_eq!((memory.visits.len(), memory.exchanges), (50, 2_000));
        assert_eq!(memory.dropped, 200 * 50 - 2_000);
        assert!(
            memory.visits.iter().filter(|visit| visit.ended.is_none()).count() >= 20,
            "who is here stays"
        );
    }

    #[test]
    fn large_bodies_drop_the_oldest_exchanges() {
        let mut memory = Memory::new(Bounds { bytes: 10_000, ..BOUNDS });
        let (first, second) = (VisitId::new(), VisitId::new());
        for id in [first, second] {
            memory.visit(id, Timestamp::UNIX_EPOCH);
        }
        for turn in 0..20 {
            memory.exchange(
                if turn % 2 == 0 { first } else { second },
                sample_exchange(2_000),
                Instant::now(),
            );
            assert_counters_match(&memory);
        }
        let left: Vec<_> =
            memory.visits.iter().flat_map(|v| v.exchanges.iter()).map(|kept| kept.id).collect();
        assert_eq!(left, [17, 19, 18, 20]);
        assert_eq!(memory.dropped, 16);
        memory.exchange(first, sample_exchange(50_000), Instant::now());
        assert_counters_match(&memory);
        assert_eq!(memory.exchanges, 0, "what is larger than all of it is not kept");
    }

    proptest! {
        #[test]
        fn bounds_hold_for_any_sequence(acts in prop::collection::vec((0..6_usize, 0..7_usize, 0..3_000_usize), 0..200)) {
            let mut memory = Memory::new(Bounds { visits: 3, exchanges: 10, bytes: 20_000 });
            let ids: Vec<_> = (0..6).map(|_| VisitId::new()).collect();
            let mut recorded = 0;
            for (who, act, size) in acts {
                match act {
                    0 => _ = memory.visit(ids[who], Timestamp::UNIX_EPOCH),
                    1 => _ = memory.forget(ids[who]),
                    2 => memory.visit(ids[who], Timestamp::UNIX_EPOCH).ended = Some("saved".into()),
                    3 | 4 => memory.step(ids[who], sample_event(size), |_| act == 3),
                    _ => {
                        memory.exchange(ids[who], sample_exchange(size), Instant::now());
                        recorded += 1;
                    }
                }
                assert_counters_match(&memory);
            }
            prop_assert!(memory.exchanges + memory.dropped as usize <= recorded);
        }
    }
}
