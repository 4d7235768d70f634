//! The end of a simulated process, for tests in simulated time (feature `simulation`).
//!
//! Under paused time the clock advances whenever nothing but timers is left to wait for, and the journal's thread would
//! be such a wait. In a simulation ([`crate::DataDir::open_simulated_journal`]) each request to the journal runs at
//! once, and none is flushed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When a simulated process ends: nothing is written to its journal afterwards, and what waits for the journal waits
/// for ever. Clones are the same.
#[derive(Debug, Clone)]
pub struct ProcessEnd {
    /// Requests to the journal until the one before which the process ends. Zero: it has ended.
    requests_left: Arc<AtomicU64>,
}

impl ProcessEnd {
    /// The process ends in place of its request number `request` to the journal, counted from 1.
    pub fn before_journal_request(request: u64) -> Self {
        Self { requests_left: Arc::new(AtomicU64::new(request)) }
    }

    /// The process does not end by itself.
    pub fn never() -> Self {
        Self::before_journal_request(u64::MAX)
    }

    /// Ends the process now.
    pub fn end_now(&self) {
        self.requests_left.store(0, Ordering::Relaxed);
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        self.requests_left.load(Ordering::Relaxed) == 0
    }

    /// Counts one request. Whether the process ends before it, or has ended.
    pub(super) fn is_reached_by_next_request(&self) -> bool {
        let left = self.requests_left.load(Ordering::Relaxed).saturating_sub(1);
        self.requests_left.store(left, Ordering::Relaxed);
        left == 0
    }
}
