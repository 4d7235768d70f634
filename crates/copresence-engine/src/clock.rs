//! The one clock. Everything else takes time as a value.

use copresence_visit::MillisSinceOrigin;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// The time of day for people and records, and a monotonic time for waiting.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), started_at: system_or_simulated_time() }
    }
}

impl Clock {
    /// The time of day by the system's clock, which may be set at any time.
    pub fn wall_clock_time(&self) -> Timestamp {
        system_or_simulated_time()
    }

    /// A monotonic timestamp: the time of day at which this clock was made plus the time since. Not affected by a
    /// change of the system's clock.
    pub fn monotonic_timestamp(&self) -> Timestamp {
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
            Some(instant) => tokio::time::sleep_until(instant).await,
            None => std::future::pending().await,
        }
    }
}

/// The time of day by the system's clock, or by the simulated one of this thread.
fn system_or_simulated_time() -> Timestamp {
    #[cfg(feature = "simulation")]
    if let Some(simulated) = simulation::simulated_thread_time() {
        return simulated;
    }
    Timestamp::now()
}

/// A clock that tests set, in place of the system's (feature `simulation`).
#[cfg(feature = "simulation")]
pub mod simulation {
    use jiff::Timestamp;
    use std::cell::Cell;
    use tokio::time::Instant;

    thread_local! {
        /// When the clock of this thread was set, and to what.
        static CLOCK: Cell<Option<(Instant, Timestamp)>> = const { Cell::new(None) };
    }

    /// Sets the simulated clock of this thread; it then advances with tokio's time, which may be paused.
    pub fn set_simulated_thread_clock(now: Timestamp) {
        CLOCK.set(Some((Instant::now(), now)));
    }

    /// The simulated time of day of this thread, if it has a simulated clock.
    pub fn simulated_thread_time() -> Option<Timestamp> {
        CLOCK.get().map(|(set_at, time)| time.saturating_add(set_at.elapsed()).unwrap_or(Timestamp::MAX))
    }
}
