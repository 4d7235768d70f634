//! Requests and failures in the form that a Locust master adds up.

use crate::exchange_meter::{RequestCounter, RequestFailure, RequestMeasurement};
use crate::latency_histogram::convert_to_rounded_milliseconds;
use copresence_client::{CallKind, ExchangeOutcome};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The requests of one endpoint, or of all, since the last report. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RequestStatisticsEntry {
    pub(super) name: String,
    pub(super) method: String,
    /// Seconds since the epoch.
    pub(super) last_request_timestamp: Option<f64>,
    /// Seconds since the epoch.
    pub(super) start_time: f64,
    pub(super) num_requests: u64,
    pub(super) num_none_requests: u64,
    pub(super) num_failures: u64,
    pub(super) total_response_time: f64,
    pub(super) max_response_time: f64,
    pub(super) min_response_time: Option<f64>,
    pub(super) total_content_length: u64,
    /// Number of requests by their rounded time.
    pub(super) response_times: BTreeMap<u64, u64>,
    /// Number of requests by second since the epoch.
    pub(super) num_reqs_per_sec: BTreeMap<u64, u64>,
    /// Number of failures by second since the epoch.
    pub(super) num_fail_per_sec: BTreeMap<u64, u64>,
}

/// One kind of failure since the last report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ErrorEntry {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) error: String,
    pub(super) occurrences: u64,
    /// Seconds since the epoch.
    pub(super) first_seen: f64,
    /// Seconds since the epoch.
    pub(super) last_seen: f64,
}

/// The users of a worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct UserCounts {
    pub(super) user_classes_count: BTreeMap<String, u64>,
    pub(super) user_count: u64,
}

/// Requests and failures since the last report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct StatisticsReport {
    pub(super) stats: Vec<RequestStatisticsEntry>,
    pub(super) stats_total: RequestStatisticsEntry,
    pub(super) errors: BTreeMap<String, ErrorEntry>,
    #[serde(flatten)]
    pub(super) users: UserCounts,
}

/// Collects requests and failures between two reports.
#[derive(Debug, Default)]
pub(super) struct LocustStatistics(Mutex<CollectedStatistics>);

/// What was counted since the last report, and the totals of all reports.
#[derive(Debug, Default)]
struct CollectedStatistics {
    /// By endpoint: name and method.
    entries: BTreeMap<(&'static str, &'static str), RequestStatisticsEntry>,
    total: Option<RequestStatisticsEntry>,
    errors: BTreeMap<String, ErrorEntry>,
    /// Requests in all reports so far.
    reported_requests: u64,
    /// Failures in all reports so far.
    reported_failures: u64,
}

/// The name and the method of an endpoint on the master's page.
fn name_endpoint_for_locust(call: CallKind) -> (&'static str, &'static str) {
    match call {
        CallKind::Login => ("/login", "POST"),
        CallKind::Generate => ("/generateExportToken", "POST"),
        CallKind::Redeem => ("/redeemExportToken", "GET"),
        CallKind::Download => ("download URL", "GET"),
        CallKind::Logout => ("/logout", "POST"),
    }
}

impl LocustStatistics {
    fn lock_collected_statistics(&self) -> MutexGuard<'_, CollectedStatistics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was counted since the last report.
    pub(super) fn take_report(&self, users: UserCounts) -> StatisticsReport {
        let mut collected = self.lock_collected_statistics();
        let total =
            collected.total.take().unwrap_or_else(|| RequestStatisticsEntry::create_empty_entry("Aggregated", ""));
        collected.reported_requests += total.num_requests;
        collected.reported_failures += total.num_failures;
        StatisticsReport {
            stats: std::mem::take(&mut collected.entries).into_values().collect(),
            stats_total: total,
            errors: std::mem::take(&mut collected.errors),
            users,
        }
    }

    /// Puts a report back that could not be sent.
    pub(super) fn put_back_unsent_report(&self, report: StatisticsReport) {
        let mut collected = self.lock_collected_statistics();
        collected.reported_requests -= report.stats_total.num_requests;
        collected.reported_failures -= report.stats_total.num_failures;
        for entry in report.stats {
            for call in crate::statistics::ENDPOINTS {
                let row = name_endpoint_for_locust(call);
                if (entry.name.as_str(), entry.method.as_str()) == row {
                    collected
                        .entries
                        .entry(row)
                        .or_insert_with(|| RequestStatisticsEntry::create_empty_entry(row.0, row.1))
                        .add_counts_of_entry(&entry);
                }
            }
        }
        let total = collected.total.get_or_insert_with(|| RequestStatisticsEntry::create_empty_entry("Aggregated", ""));
        total.add_counts_of_entry(&report.stats_total);
        for (key, error) in report.errors {
            match collected.errors.get_mut(&key) {
                Some(known) => {
                    known.occurrences += error.occurrences;
                    known.first_seen = known.first_seen.min(error.first_seen);
                }
                None => _ = collected.errors.insert(key, error),
            }
        }
    }

    /// Sets all counts to zero, also the totals of the reports, because the master starts a new test.
    pub(super) fn reset_all_counts(&self) {
        *self.lock_collected_statistics() = CollectedStatistics::default();
    }

    /// Requests and failures in all reports of this test.
    pub(super) fn reported_request_and_failure_totals(&self) -> (u64, u64) {
        let collected = self.lock_collected_statistics();
        (collected.reported_requests, collected.reported_failures)
    }
}

impl RequestCounter for LocustStatistics {
    fn count_request(&self, sample: &RequestMeasurement) {
        if sample.outcome == ExchangeOutcome::Cancelled {
            return;
        }
        let (name, method) = name_endpoint_for_locust(sample.call);
        let mut collected = self.lock_collected_statistics();
        let entry = collected
            .entries
            .entry((name, method))
            .or_insert_with(|| RequestStatisticsEntry::create_empty_entry(name, method));
        entry.count_request(sample);
        let total = collected.total.get_or_insert_with(|| RequestStatisticsEntry::create_empty_entry("Aggregated", ""));
        total.count_request(sample);
    }

    fn count_failed_request(&self, failure: &RequestFailure<'_>) {
        let (name, method) = name_endpoint_for_locust(failure.call);
        let now = read_seconds_since_epoch();
        let mut collected = self.lock_collected_statistics();
        let entry = collected
            .entries
            .entry((name, method))
            .or_insert_with(|| RequestStatisticsEntry::create_empty_entry(name, method));
        entry.count_failure(now);
        collected
            .total
            .get_or_insert_with(|| RequestStatisticsEntry::create_empty_entry("Aggregated", ""))
            .count_failure(now);
        // Details differ in numbers and addresses, so failures are grouped by their code.
        let error = collected.errors.entry(format!("{method} {name} {}", failure.code)).or_insert_with(|| ErrorEntry {
            name: name.to_owned(),
            method: method.to_owned(),
            error: format!("{}: {}", failure.code, failure.detail),
            occurrences: 0,
            first_seen: now,
            last_seen: now,
        });
        error.occurrences += 1;
        error.last_seen = now;
    }
}

impl RequestStatisticsEntry {
    /// Creates an entry without requests for this endpoint.
    fn create_empty_entry(name: &str, method: &str) -> Self {
        Self {
            name: name.to_owned(),
            method: method.to_owned(),
            last_request_timestamp: None,
            start_time: read_seconds_since_epoch(),
            num_requests: 0,
            num_none_requests: 0,
            num_failures: 0,
            total_response_time: 0.0,
            max_response_time: 0.0,
            min_response_time: None,
            total_content_length: 0,
            response_times: BTreeMap::new(),
            num_reqs_per_sec: BTreeMap::new(),
            num_fail_per_sec: BTreeMap::new(),
        }
    }

    /// Counts a request with its latency and size.
    fn count_request(&mut self, sample: &RequestMeasurement) {
        let now = read_seconds_since_epoch();
        let millis = convert_to_rounded_milliseconds(sample.latency);
        self.num_requests += 1;
        self.last_request_timestamp = Some(now);
        self.total_response_time += millis;
        self.max_response_time = self.max_response_time.max(millis);
        self.min_response_time = Some(self.min_response_time.map_or(millis, |least| least.min(millis)));
        self.total_content_length += sample.body_size;
        *self.response_times.entry(round_latency_like_locust(sample.latency)).or_default() += 1;
        *self.num_reqs_per_sec.entry(truncate_to_whole_seconds(now)).or_default() += 1;
    }

    /// Counts a failure at a time in seconds since the epoch.
    fn count_failure(&mut self, now: f64) {
        self.num_failures += 1;
        *self.num_fail_per_sec.entry(truncate_to_whole_seconds(now)).or_default() += 1;
    }

    /// Adds the counts of another entry.
    fn add_counts_of_entry(&mut self, other: &Self) {
        self.start_time = self.start_time.min(other.start_time);
        self.last_request_timestamp = match (self.last_request_timestamp, other.last_request_timestamp) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.num_requests += other.num_requests;
        self.num_failures += other.num_failures;
        self.total_response_time += other.total_response_time;
        self.max_response_time = self.max_response_time.max(other.max_response_time);
        self.min_response_time = match (self.min_response_time, other.min_response_time) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.total_content_length += other.total_content_length;
        let maps = [
            (&mut self.response_times, &other.response_times),
            (&mut self.num_reqs_per_sec, &other.num_reqs_per_sec),
            (&mut self.num_fail_per_sec, &other.num_fail_per_sec),
        ];
        for (own, others) in maps {
            for (key, count) in others {
                *own.entry(*key).or_default() += count;
            }
        }
    }
}

/// Milliseconds with two significant digits, as Locust groups them.
fn round_latency_like_locust(latency: Duration) -> u64 {
    let millis = u64::try_from((latency.as_micros() + 500) / 1000).unwrap_or(u64::MAX);
    let unit = match millis {
        0..100 => 1,
        100..1_000 => 10,
        1_000..10_000 => 100,
        _ => 1_000,
    };
    millis.saturating_add(unit / 2) / unit * unit
}

/// Seconds since 1970-01-01T00:00:00Z.
fn read_seconds_since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The whole second of a time since the epoch, by which Locust groups counts.
fn truncate_to_whole_seconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since the epoch")]
    {
        seconds as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> UserCounts {
        UserCounts { user_classes_count: BTreeMap::new(), user_count: 0 }
    }

    fn sample(call: CallKind, millis: u64) -> RequestMeasurement {
        RequestMeasurement {
            call,
            status: Some(200),
            outcome: ExchangeOutcome::Complete,
            latency: Duration::from_millis(millis),
            service_time: Duration::from_millis(1),
            body_size: 7,
        }
    }

    #[test]
    fn a_report_that_was_not_sent_is_part_of_the_next_one() {
        let statistics = LocustStatistics::default();
        statistics.count_request(&sample(CallKind::Generate, 5));
        statistics.count_request(&sample(CallKind::Redeem, 1234));
        statistics.count_failed_request(&RequestFailure {
            call: CallKind::Redeem,
            code: "backend_busy",
            detail: "429",
        });
        let first = statistics.take_report(users());
        assert_eq!((first.stats.len(), first.stats_total.num_requests, first.errors.len()), (2, 2, 1));
        statistics.count_request(&sample(CallKind::Redeem, 10));
        statistics.count_failed_request(&RequestFailure {
            call: CallKind::Redeem,
            code: "backend_busy",
            detail: "429",
        });
        statistics.put_back_unsent_report(first);
        assert_eq!(statistics.reported_request_and_failure_totals(), (0, 0));
        let second = statistics.take_report(users());
        assert_eq!((second.stats_total.num_requests, second.stats_total.num_failures), (3, 2));
        let redeem = second.stats.iter().find(|entry| entry.name == "/redeemExportToken").expect("a row");
        assert_eq!((redeem.num_requests, redeem.num_failures, redeem.total_content_length), (2, 2, 14));
        assert_eq!(redeem.response_times, BTreeMap::from([(10, 1), (1200, 1)]));
        assert_eq!((redeem.min_response_time, redeem.max_response_time), (Some(10.0), 1234.0));
        assert_eq!(second.errors.values().map(|error| error.occurrences).sum::<u64>(), 2);
        assert_eq!(statistics.reported_request_and_failure_totals(), (3, 2));
        assert_eq!(statistics.take_report(users()).stats_total.num_requests, 0);
    }

    #[test]
    fn latencies_are_rounded_like_locust() {
        for (millis, grouped) in [(0, 0), (99, 99), (143, 140), (147, 150), (3432, 3400), (58_760, 59_000)] {
            assert_eq!(round_latency_like_locust(Duration::from_millis(millis)), grouped);
        }
    }
}
