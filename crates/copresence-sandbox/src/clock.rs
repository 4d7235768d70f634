//! The sandbox's virtual clock, which can be paused, moved and sped up.

use crate::whole_number::deserialize_whole_number;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// Maximum speed, in virtual seconds per real second.
pub const MAX_SPEED: f64 = 100_000.0;

/// Maximum advance in one call: a week.
pub const MAX_ADVANCE: Duration = Duration::from_hours(7 * 24);

/// Virtual time as a function of real time. Both count from the start of the sandbox. It never runs backwards.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualClock {
    anchor_real: Duration,
    anchor_virtual: Duration,
    speed: f64,
    paused: bool,
}

/// A change of the virtual clock: the body of `POST /sandbox/clock`. Omitted fields keep their values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClockMove, min_properties = 1)]
pub struct ClockChange {
    /// Advances the clock by this many milliseconds.
    #[serde(default, deserialize_with = "deserialize_whole_number", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 604_800_000_u64)]
    pub advance_ms: Option<u64>,
    /// Virtual seconds per real second, above 0.
    #[serde(default, deserialize_with = "deserialize_non_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, exclusive_minimum = 0.0, maximum = 100_000.0)]
    pub speed: Option<f64>,
    /// `true` pauses the clock, `false` resumes it.
    #[serde(default, deserialize_with = "deserialize_non_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paused: Option<bool>,
}

/// Deserializes a field that must not be `null`: omitting the field is the only way to keep a value.
fn deserialize_non_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// The state of the virtual clock.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ClockState {
    /// Milliseconds of virtual time since the start.
    pub now_ms: u64,
    /// Virtual seconds per real second.
    pub speed: f64,
    /// Whether the clock is paused.
    pub paused: bool,
}

/// Why the clock cannot be changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClockError {
    /// The speed is out of range.
    #[error("the speed must be above 0 and at most {MAX_SPEED}, not {0}; to stop the clock, pause it")]
    InvalidSpeed(f64),
    /// The advance is longer than [`MAX_ADVANCE`].
    #[error("the clock moves by at most a week in one call ({max} ms), not {0} ms", max = MAX_ADVANCE.as_millis())]
    AdvanceTooLong(u64),
    /// The change contains nothing.
    #[error("one of `advance_ms`, `speed` and `paused` must be given")]
    EmptyChange,
}

impl VirtualClock {
    /// Creates a clock that starts at 0.
    ///
    /// # Errors
    /// The speed is not above 0, or above [`MAX_SPEED`].
    pub fn new(speed: f64) -> Result<Self, ClockError> {
        let speed = check_speed(speed)?;
        Ok(Self { anchor_real: Duration::ZERO, anchor_virtual: Duration::ZERO, speed, paused: false })
    }

    /// The virtual time at the real time `real`.
    pub fn virtual_time_at(&self, real: Duration) -> Duration {
        if self.paused {
            return self.anchor_virtual;
        }
        let passed = real.saturating_sub(self.anchor_real);
        let scaled = Duration::try_from_secs_f64(passed.as_secs_f64() * self.speed).unwrap_or(Duration::MAX);
        self.anchor_virtual.saturating_add(scaled)
    }

    /// Advances, speeds up or pauses the clock at the real time `real`.
    ///
    /// # Errors
    /// The change is empty, or the speed or the advance is out of range. Then nothing changes.
    pub fn change_virtual_clock(&mut self, change: &ClockChange, real: Duration) -> Result<(), ClockError> {
        if *change == ClockChange::default() {
            return Err(ClockError::EmptyChange);
        }
        let speed = change.speed.map(check_speed).transpose()?;
        let advance = Duration::from_millis(change.advance_ms.unwrap_or(0));
        if advance > MAX_ADVANCE {
            return Err(ClockError::AdvanceTooLong(change.advance_ms.unwrap_or(0)));
        }
        self.anchor_virtual = self.virtual_time_at(real).saturating_add(advance);
        self.anchor_real = real;
        self.speed = speed.unwrap_or(self.speed);
        self.paused = change.paused.unwrap_or(self.paused);
        Ok(())
    }

    /// The state at the real time `real`.
    pub fn clock_state_at(&self, real: Duration) -> ClockState {
        ClockState { now_ms: to_millis(self.virtual_time_at(real)), speed: self.speed, paused: self.paused }
    }
}

/// Whole milliseconds, as sent in JSON.
pub(crate) fn to_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Checks that a speed is above 0 and at most the maximum.
fn check_speed(speed: f64) -> Result<f64, ClockError> {
    if speed > 0.0 && speed <= MAX_SPEED { Ok(speed) } else { Err(ClockError::InvalidSpeed(speed)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn clock_changes_speed_pauses_and_advances() {
        let mut clock = VirtualClock::new(10.0).expect("a speed");
        assert_eq!(clock.virtual_time_at(SECOND), 10 * SECOND);
        clock
            .change_virtual_clock(&ClockChange { paused: Some(true), ..ClockChange::default() }, SECOND)
            .expect("paused");
        assert_eq!(clock.virtual_time_at(60 * SECOND), 10 * SECOND);
        clock
            .change_virtual_clock(&ClockChange { advance_ms: Some(500), ..ClockChange::default() }, 60 * SECOND)
            .expect("moved");
        assert_eq!(clock.clock_state_at(90 * SECOND), ClockState { now_ms: 10_500, speed: 10.0, paused: true });
    }

    #[test]
    fn invalid_change_is_refused_and_changes_nothing() {
        let mut clock = VirtualClock::new(1.0).expect("a speed");
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(VirtualClock::new(bad).is_err());
            let change = ClockChange { speed: Some(bad), advance_ms: Some(5), ..ClockChange::default() };
            assert!(clock.change_virtual_clock(&change, SECOND).is_err());
        }
        assert_eq!(clock.change_virtual_clock(&ClockChange::default(), SECOND), Err(ClockError::EmptyChange));
        assert_eq!(clock, VirtualClock::new(1.0).expect("a speed"));
    }

    proptest! {
        #[test]
        fn clock_never_runs_backwards(moves in prop::collection::vec(
            (0_u64..5_000, prop::option::of(0_u64..10_000), prop::option::of(0.01_f64..500.0), prop::option::of(any::<bool>())), 1..30)
        ) {
            let mut clock = VirtualClock::new(1.0).expect("a speed");
            let (mut real, mut last) = (Duration::ZERO, Duration::ZERO);
            for (pass, advance_ms, speed, paused) in moves {
                real += Duration::from_millis(pass);
                prop_assert!(clock.virtual_time_at(real) >= last);
                let _ = clock.change_virtual_clock(&ClockChange { advance_ms, speed, paused }, real);
                prop_assert!(clock.virtual_time_at(real) >= last);
                last = clock.virtual_time_at(real);
            }
        }
    }
}
