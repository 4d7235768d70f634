//! Time as a value: nothing in this crate reads a clock.

use std::ops::Add;
use std::time::Duration;

/// A point in time: whole milliseconds since an origin that the host chooses once (the start of the process, the Unix
/// epoch, zero in a simulation). Only differences are meaningful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MillisSinceOrigin(u64);

impl MillisSinceOrigin {
    /// The largest value, for "never".
    pub const MAX: Self = Self(u64::MAX);

    /// `millis` after the host's origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the host's origin.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero when `earlier` is later.
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for MillisSinceOrigin {
    type Output = Self;

    /// Saturates at [`MillisSinceOrigin::MAX`], so that a very large duration means "never".
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}
