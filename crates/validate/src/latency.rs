//! How long answers took.

use std::time::Duration;

/// What is told of many durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    /// Half took at most this.
    pub p50: Duration,
    /// Ninety-five of a hundred took at most this.
    pub p95: Duration,
    /// The slowest.
    pub max: Duration,
}

/// By nearest rank; `None` of none. In whole tenths of a millisecond: more is noise.
pub fn percentiles(times: &[Duration]) -> Option<Percentiles> {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rounded = |time: Duration| {
        Duration::from_micros(u64::try_from(time.as_micros() / 100 * 100).unwrap_or(u64::MAX))
    };
    let at =
        |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied().map(rounded);
    Some(Percentiles { p50: at(50)?, p95: at(95)?, max: at(100)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        let told = percentiles(&times).expect("some");
        assert_eq!((told.p50.as_millis(), told.p95.as_millis(), told.max.as_millis()), (50, 95, 100));
        let one = percentiles(&[Duration::from_millis(7)]).expect("one");
        assert_eq!((one.p50, one.p95), (one.max, one.max));
        assert_eq!(percentiles(&[]), None);
    }
}
