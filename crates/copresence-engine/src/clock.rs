//! The one clock. Everything else takes time as a value.

use copresence_visit::MillisSinceOrigin;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// The time of day for people and records, and a monotonic time for waiting.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), started_at: Timestamp::now() }
    }
}

impl Clock {
    /// The time of day by the system's clock, which may be set at any time.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The time of day at which this clock was made plus the time since: not affected by a change of the system's
    /// clock.
    pub fn steady_time_of_day(&self) -> Timestamp {
        self.started_at.saturating_add(self.started.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// Milliseconds since this clock was made; never goes back.
    pub fn millis_since_clock_creation(&self) -> MillisSinceOrigin {
        MillisSinceOrigin::default() + self.started.elapsed()
    }

    /// Waits until a point in time; returns at once if it has passed.
    pub async fn sleep_until(&self, moment: MillisSinceOrigin) {
        let from_start = Duration::from_millis(moment.as_millis());
        match self.started.checked_add(from_start) {
            Some(instant) => tokio::time::sleep_until(instant.into()).await,
            None => std::future::pending().await,
        }
    }
}
