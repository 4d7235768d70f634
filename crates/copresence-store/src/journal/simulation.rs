//! The end of a simulated process, for tests in simulated time (feature `simulation`).
//!
//! Under paused time the clock advances whenever nothing but timers is left to wait for, and the journal's thread would
//! be such a wait. In a simulation ([`crate::DataDir::open_journal_for_simulation`]) each request to the journal runs at
//! once, and none is flushed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When a simulated process ends: its journal ignores all requests afterwards, and whatever waits for the journal
/// never continues; clones share this state.
#[derive(Debug, Clone)]
pub struct SimulatedProcessEndSignal {
    /// Requests to the journal until the one before which the process ends. Zero: it has ended.
    requests_left: Arc<AtomicU64>,
}

impl SimulatedProcessEndSignal {
    /// A simulated process that ends when it sends its journal request number `request` (counted from 1), which is
    /// not executed.
    pub fn process_ending_at_request_number(request: u64) -> Self {
        Self { requests_left: Arc::new(AtomicU64::new(request)) }
    }

    /// A simulated process that ends only by [`Self::end_simulated_process`].
    pub fn process_without_request_limit() -> Self {
        Self::process_ending_at_request_number(u64::MAX)
    }

    /// Ends the process now.
    pub fn end_simulated_process(&self) {
        self.requests_left.store(0, Ordering::Relaxed);
    }

    /// Whether the process has ended.
    pub fn has_simulated_process_ended(&self) -> bool {
        self.requests_left.load(Ordering::Relaxed) == 0
    }

    /// Counts one journal request, and returns whether the process has ended, so that the request must not be
    /// executed.
    pub(super) fn count_request_and_check_end(&self) -> bool {
        let left = self.requests_left.load(Ordering::Relaxed).saturating_sub(1);
        self.requests_left.store(left, Ordering::Relaxed);
        left == 0
    }
}
