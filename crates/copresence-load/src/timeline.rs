//! The course of a run over time, in a bounded number of rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximum number of rows. Beyond it, pairs of rows are merged, so that a run of any length fits.
const MAX_TIMELINE_ROWS: usize = 1_200;

/// One interval of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineRow {
    /// Seconds from the start of the run to the end of the interval.
    pub at_s: f64,
    /// Visits under way at its end.
    pub running_visits: u64,
    /// Requests in it, at all endpoints.
    pub requests: u64,
    /// Failures in it, at all endpoints.
    pub failures: u64,
    /// Visits that started in it.
    pub visits_started: u64,
    /// Visits that ended in it.
    pub visits_ended: u64,
    /// Median latency of requests for a token that ended in it, in milliseconds.
    pub issue_p50_ms: Option<f64>,
    /// 99 % quantile of the same.
    pub issue_p99_ms: Option<f64>,
    /// Median latency of redeems that ended in it, in milliseconds.
    pub redeem_p50_ms: Option<f64>,
    /// 99 % quantile of the same.
    pub redeem_p99_ms: Option<f64>,
}

/// The course of a run: one row a second, or one row for 2, 4, … seconds of a longer run.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    rows: Vec<TimelineRow>,
    /// Totals since the start of the run, at the end of the last row.
    totals: Option<TimelineRow>,
    /// How many one-second intervals a row has, as a power of two.
    seconds_per_row_log2: u32,
    /// One-second intervals in the last row.
    seconds_in_last_row: u32,
}

impl Timeline {
    /// Adds a second, whose counts are totals since the start of the run.
    pub(crate) fn add_second_from_totals(&mut self, total: TimelineRow) {
        let before = self.totals.replace(total);
        let since = |count: fn(&TimelineRow) -> u64| count(&total) - before.as_ref().map_or(0, count);
        let row = TimelineRow {
            requests: since(|row| row.requests),
            failures: since(|row| row.failures),
            visits_started: since(|row| row.visits_started),
            visits_ended: since(|row| row.visits_ended),
            ..total
        };
        let full = 1 << self.seconds_per_row_log2;
        match self.rows.last_mut() {
            Some(last) if self.seconds_in_last_row < full => {
                *last = merge_rows(*last, row);
                self.seconds_in_last_row += 1;
            }
            _ => {
                self.rows.push(row);
                self.seconds_in_last_row = 1;
            }
        }
        if self.rows.len() == MAX_TIMELINE_ROWS && self.seconds_in_last_row == full {
            self.rows =
                self.rows.chunks(2).map(|pair| pair.iter().copied().reduce(merge_rows).unwrap_or(row)).collect();
            self.seconds_per_row_log2 += 1;
            self.seconds_in_last_row *= 2;
        }
    }

    /// The last row.
    pub(crate) fn last_row(&self) -> Option<&TimelineRow> {
        self.rows.last()
    }

    /// Seconds per row, and the rows.
    pub(crate) fn copy_rows_and_seconds_per_row(&self) -> (f64, Vec<TimelineRow>) {
        (f64::from(1_u32 << self.seconds_per_row_log2), self.rows.clone())
    }
}

/// The row of two intervals that follow each other. Of two quantiles the larger one is kept: a merged row shows the worst
/// second in it.
fn merge_rows(first: TimelineRow, second: TimelineRow) -> TimelineRow {
    let larger = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    TimelineRow {
        requests: first.requests + second.requests,
        failures: first.failures + second.failures,
        visits_started: first.visits_started + second.visits_started,
        visits_ended: first.visits_ended + second.visits_ended,
        issue_p50_ms: larger(first.issue_p50_ms, second.issue_p50_ms),
        issue_p99_ms: larger(first.issue_p99_ms, second.issue_p99_ms),
        redeem_p50_ms: larger(first.redeem_p50_ms, second.redeem_p50_ms),
        redeem_p99_ms: larger(first.redeem_p99_ms, second.redeem_p99_ms),
        ..second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_long_run_are_merged_without_losing_requests() {
        let mut timeline = Timeline::default();
        for second in 1..=10_000_u32 {
            let total = u64::from(second);
            timeline.add_second_from_totals(TimelineRow {
                at_s: f64::from(second),
                running_visits: 5,
                requests: 3 * total,
                failures: total,
                visits_started: 2 * total,
                visits_ended: total,
                issue_p50_ms: None,
                issue_p99_ms: Some(f64::from(second)),
                redeem_p50_ms: None,
                redeem_p99_ms: None,
            });
        }
        let (seconds, rows) = timeline.copy_rows_and_seconds_per_row();
        assert!(rows.len() < MAX_TIMELINE_ROWS && seconds >= 8.0, "{} rows of {seconds} s", rows.len());
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), 30_000);
        assert_eq!(rows.iter().map(|row| row.failures).sum::<u64>(), 10_000);
        assert!(rows.windows(2).all(|pair| pair[0].at_s < pair[1].at_s));
        assert!(rows.iter().all(|row| row.issue_p99_ms == Some(row.at_s)), "the worst second");
    }
}
