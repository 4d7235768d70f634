//! Latencies as a high dynamic range histogram: bounded memory, and every quantile within 0.1 %.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Maximum of a recorded latency. Longer ones count as this.
const MAX_LATENCY: Duration = Duration::from_hours(1);

/// Significant digits of a recorded value.
const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram of durations, in whole microseconds from 1 µs to one hour.
#[derive(Debug, Clone)]
pub struct LatencyHistogram(Histogram<u64>);

/// Quantiles of a distribution of durations. All values are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyQuantiles {
    /// Number of values.
    pub count: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest value.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90 % of the values are at most this.
    pub p90: f64,
    /// 95 % of the values are at most this.
    pub p95: f64,
    /// 99 % of the values are at most this.
    pub p99: f64,
    /// 99.9 % of the values are at most this.
    pub p999: f64,
    /// Largest value.
    pub max: f64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, bounded_microseconds(MAX_LATENCY), SIGNIFICANT_DIGITS);
        // Cannot fail with these constants, which a test checks; a histogram that grows is the fallback.
        Self(bounds.or_else(|_| Histogram::new(SIGNIFICANT_DIGITS)).unwrap_or_else(|_| unreachable!("valid constants")))
    }
}

impl LatencyHistogram {
    /// Records one duration.
    pub fn record_latency(&mut self, latency: Duration) {
        self.0.saturating_record(bounded_microseconds(latency).max(1));
    }

    /// Number of recorded durations.
    pub fn recorded_latency_count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that a share `quantile` (0 to 1) of the values does not exceed; `None` without values.
    pub fn find_latency_at_quantile(&self, quantile: f64) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.value_at_quantile(quantile)))
    }

    /// Mean of all values; zero without values.
    pub fn mean_latency(&self) -> Duration {
        Duration::try_from_secs_f64(self.0.mean() / 1e6).unwrap_or_default()
    }

    /// The usual quantiles; `None` without values.
    pub fn latency_quantiles(&self) -> Option<LatencyQuantiles> {
        if self.0.is_empty() {
            return None;
        }
        let millis =
            |quantile| convert_to_rounded_milliseconds(Duration::from_micros(self.0.value_at_quantile(quantile)));
        Some(LatencyQuantiles {
            count: self.0.len(),
            mean: convert_to_rounded_milliseconds(self.mean_latency()),
            min: convert_to_rounded_milliseconds(Duration::from_micros(self.0.min())),
            p50: millis(0.5),
            p90: millis(0.9),
            p95: millis(0.95),
            p99: millis(0.99),
            p999: millis(0.999),
            max: convert_to_rounded_milliseconds(Duration::from_micros(self.0.max())),
        })
    }

    /// Removes all values.
    pub fn clear_latencies(&mut self) {
        self.0.reset();
    }
}

/// Whole microseconds, at most one hour.
fn bounded_microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.min(MAX_LATENCY).as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds with three decimals.
pub(crate) fn convert_to_rounded_milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// The quantile of an exponential distribution with this mean.
    fn compute_exponential_quantile(mean: f64, quantile: f64) -> f64 {
        -(1.0 - quantile).ln() * mean
    }

    #[test]
    fn quantiles_of_a_known_distribution_are_within_two_percent() {
        let mut histogram = LatencyHistogram::default();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mean = 0.080;
        for _ in 0..400_000 {
            let seconds = compute_exponential_quantile(mean, rng.random::<f64>());
            histogram.record_latency(Duration::from_secs_f64(seconds));
        }
        for quantile in [0.5, 0.9, 0.95, 0.99] {
            let measured = histogram.find_latency_at_quantile(quantile).expect("values").as_secs_f64();
            let expected = compute_exponential_quantile(mean, quantile);
            assert!((measured / expected - 1.0).abs() < 0.02, "{quantile}: {measured} instead of {expected}");
        }
        assert!((histogram.mean_latency().as_secs_f64() / mean - 1.0).abs() < 0.02);
        assert_eq!(histogram.recorded_latency_count(), 400_000);
    }

    #[test]
    fn extreme_values_are_kept_within_the_bounds() {
        let mut histogram = LatencyHistogram::default();
        assert_eq!((histogram.latency_quantiles(), histogram.find_latency_at_quantile(0.5)), (None, None));
        histogram.record_latency(Duration::ZERO);
        histogram.record_latency(Duration::MAX);
        let quantiles = histogram.latency_quantiles().expect("values");
        assert_eq!((quantiles.count, quantiles.min), (2, 0.001));
        assert!((quantiles.max / 3_600_000.0 - 1.0).abs() < 0.001, "{quantiles:?}");
        histogram.clear_latencies();
        assert_eq!(histogram.recorded_latency_count(), 0);
    }
}
