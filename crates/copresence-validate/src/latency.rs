//! Percentiles of response times.

use std::time::Duration;

/// Percentiles of a set of response times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LatencyPercentiles {
    /// Half of the times are at most this long.
    pub(crate) p50: Duration,
    /// 95 % of the times are at most this long.
    pub(crate) p95: Duration,
    /// The longest time.
    pub(crate) max: Duration,
}

/// Computes percentiles by nearest rank, truncated to 0.1 ms; `None` for an empty slice.
pub(crate) fn compute_percentiles(times: &[Duration]) -> Option<LatencyPercentiles> {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rounded =
        |time: Duration| Duration::from_micros(u64::try_from(time.as_micros() / 100 * 100).unwrap_or(u64::MAX));
    let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied().map(rounded);
    Some(LatencyPercentiles { p50: at(50)?, p95: at(95)?, max: at(100)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_use_the_nearest_rank() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        let result = compute_percentiles(&times).expect("some");
        assert_eq!((result.p50.as_millis(), result.p95.as_millis(), result.max.as_millis()), (50, 95, 100));
        let one = compute_percentiles(&[Duration::from_millis(7)]).expect("one");
        assert_eq!((one.p50, one.p95), (one.max, one.max));
        assert_eq!(compute_percentiles(&[]), None);
    }
}
