//! Builds the view of the recordings.

use super::Rules;
use super::memory::{Kept, Memory, Visit};
use crate::view::inspector::{Entry, ExchangeView, InspectedVisit, InspectorView, Timeline};
use client::{Backend, curl};
use std::time::Instant;

/// A copy of the recordings for a view, so that building the view does not block recording.
pub(super) struct Taken {
    visits: Vec<Visit>,
    shown: Option<usize>,
    dropped: u32,
}

impl Taken {
    /// Copies the recordings; `asked` is the visit to show, `None` the newest.
    pub(super) fn of(memory: &Memory, asked: Option<&str>) -> Self {
        let visits: Vec<Visit> = memory.visits().rev().cloned().collect();
        let shown = match asked {
            Some(asked) => visits.iter().position(|visit| visit.id.to_string() == asked),
            None => (!visits.is_empty()).then_some(0),
        };
        Self { visits, shown, dropped: memory.dropped() }
    }

    pub(super) fn view(&self, rules: &Rules) -> InspectorView {
        let visits: Vec<_> = self.visits.iter().map(|visit| listed(visit, rules)).collect();
        let shown = self.shown.map(|index| Timeline {
            visit: visits[index].clone(),
            entries: entries(&self.visits[index], rules),
        });
        InspectorView { visits, shown, dropped: self.dropped }
    }
}

fn listed(visit: &Visit, rules: &Rules) -> InspectedVisit {
    let broken = visit.exchanges.iter().map(|kept| broken(kept, visit.backend.as_deref(), rules)).sum();
    InspectedVisit {
        visit: visit.id.to_string(),
        started_ms: visit.started.as_millisecond(),
        ended: visit.ended.clone(),
        exchanges: u32::try_from(visit.exchanges.len()).unwrap_or(u32::MAX),
        broken,
    }
}

fn broken(kept: &Kept, backend: Option<&Backend>, rules: &Rules) -> u32 {
    *kept.broken.get_or_init(|| {
        let broken =
            backend.map_or(0, |at| rules(&kept.exchange, at).iter().filter(|rule| !rule.kept).count());
        u32::try_from(broken).unwrap_or(u32::MAX)
    })
}

/// Events and exchanges in the order in which they began.
fn entries(visit: &Visit, rules: &Rules) -> Vec<Entry> {
    let mut all: Vec<(Instant, Entry)> = Vec::with_capacity(visit.steps.len() + visit.exchanges.len());
    for step in &visit.steps {
        let entry = Entry::Step {
            at_ms: step.at.as_millisecond(),
            event: step.event.to_owned(),
            line: step.line.to_string(),
        };
        all.push((step.moment, entry));
    }
    for kept in &visit.exchanges {
        let exchange = Box::new(exchange(kept, visit.backend.as_deref(), rules));
        all.push((kept.moment, Entry::Exchange { exchange }));
    }
    all.sort_by_key(|(moment, _)| *moment);
    all.into_iter().map(|(_, entry)| entry).collect()
}

fn exchange(kept: &Kept, backend: Option<&Backend>, rules: &Rules) -> ExchangeView {
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
        wait_ms: exchange.head_after.map(milliseconds),
        duration_ms: milliseconds(exchange.duration),
        response_headers: exchange.response_headers.clone(),
        response_body: exchange.body.clone(),
        body_size: exchange.body_size,
        error: exchange.error.clone(),
        rules: backend.map_or_else(Vec::new, |at| rules(exchange, at)),
        curl: backend.map_or_else(String::new, |at| curl::of_exchange(exchange, at).command()),
    }
}
