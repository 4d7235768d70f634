//! The one clock: everything else takes time in as a value.

use jiff::Timestamp;
use std::time::{Duration, Instant};
use visit::Moment;

/// The wall clock for what people read, and a steady one for what is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock {
    /// The time of day, which somebody may set back.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Milliseconds since this clock was made; never goes back.
    pub fn moment(&self) -> Moment {
        Moment::default() + self.started.elapsed()
    }

    /// Waits until a moment; at once when it is past.
    pub async fn until(&self, moment: Moment) {
        let from_start = Duration::from_millis(moment.as_millis());
        match self.started.checked_add(from_start) {
            Some(instant) => tokio::time::sleep_until(instant.into()).await,
            None => std::future::pending().await,
        }
    }
}
