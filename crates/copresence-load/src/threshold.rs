//! Thresholds decide whether a run passed: `issue_p99<500ms`, `failures<1%`, `completed_visits>=1000`.

use crate::latency_histogram::LatencyQuantiles;
use crate::statistics::{LoadFigures, compute_ratio};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A condition on a figure of the run.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// As written.
    text: String,
    metric: Metric,
    comparison: Comparison,
    limit: f64,
}

/// The judgement of a threshold at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdResult {
    /// The threshold as written.
    pub threshold: String,
    /// The measured value, in milliseconds, percent or a count; `null` if nothing was measured, which fails.
    pub measured: Option<f64>,
    /// `ms`, `%`, or empty for a count.
    pub unit: String,
    /// Whether the run satisfies it.
    pub passed: bool,
}

/// Why a threshold cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdParseError {
    /// There is no comparison in it.
    #[error("`{0}` has no comparison; write a metric, one of < <= > >= ==, and a limit, as in `issue_p99<500ms`")]
    NoComparison(String),
    /// The metric is unknown.
    #[error("`{0}` is no metric; there are {names}", names = list_metric_names())]
    UnknownMetric(String),
    /// The limit does not fit the metric.
    #[error("`{limit}` is no limit of {metric}, which needs {expected}")]
    InvalidLimit {
        /// The metric's name.
        metric: String,
        /// The limit as written.
        limit: String,
        /// What would be valid.
        expected: &'static str,
    },
}

/// How the measured value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

/// Comparisons, those with two characters first.
const COMPARISON_SIGNS: [(&str, Comparison); 5] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// A figure of a run that a threshold can name.
#[derive(Debug, Clone, Copy)]
enum Metric {
    /// A statistic of a distribution of latencies, in milliseconds.
    Latency(MetricLatencySource, LatencyStatisticSelector),
    /// A share of failures, in percent.
    Share(FailureShareBase),
    Count(Count),
}

/// The latencies that a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricLatencySource {
    /// Latencies of an endpoint by its name in the figures.
    Endpoint(&'static str),
    Noticed,
    Visit,
    ConnectionWait,
    StartLag,
}

/// Selects one value of a distribution, in milliseconds.
type LatencyStatisticSelector = fn(&LatencyQuantiles) -> f64;

/// What a share of failures is a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureShareBase {
    Requests,
    Visits,
}

/// Selects one count of the figures.
type Count = fn(&LoadFigures) -> u64;

/// Distributions by the first part of a metric's name.
const DISTRIBUTIONS_BY_NAME: [(&str, MetricLatencySource); 8] = [
    ("login", MetricLatencySource::Endpoint("login")),
    ("issue", MetricLatencySource::Endpoint("issue")),
    ("redeem", MetricLatencySource::Endpoint("redeem")),
    ("download", MetricLatencySource::Endpoint("download")),
    ("noticed", MetricLatencySource::Noticed),
    ("visit", MetricLatencySource::Visit),
    ("connection_wait", MetricLatencySource::ConnectionWait),
    ("start_lag", MetricLatencySource::StartLag),
];

/// Statistics by the second part of a metric's name.
const LATENCY_STATISTICS_BY_NAME: [(&str, LatencyStatisticSelector); 7] = [
    ("p50", |quantiles| quantiles.p50),
    ("p90", |quantiles| quantiles.p90),
    ("p95", |quantiles| quantiles.p95),
    ("p99", |quantiles| quantiles.p99),
    ("p999", |quantiles| quantiles.p999),
    ("mean", |quantiles| quantiles.mean),
    ("max", |quantiles| quantiles.max),
];

const FAILURE_SHARES_BY_NAME: [(&str, FailureShareBase); 2] =
    [("failures", FailureShareBase::Requests), ("failed_visits", FailureShareBase::Visits)];

const COUNTS_BY_NAME: [(&str, Count); 8] = [
    ("requests", LoadFigures::count_sent_requests),
    ("completed_visits", LoadFigures::count_completed_visits),
    ("not_started", |figures| figures.visits.not_started),
    ("tokens_issued", |figures| figures.tokens.issued),
    ("tokens_spent", |figures| figures.tokens.spent),
    ("possibly_issued", |figures| figures.tokens.possibly_issued),
    ("possibly_consumed", |figures| figures.tokens.possibly_consumed),
    ("double_deliveries", |figures| figures.tokens.double_deliveries),
];

/// All metrics, for messages and help.
pub fn list_metric_names() -> String {
    let list = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>().join(", ");
    format!(
        "{{{}}}_{{{}}} (durations); {} (percent); {} (counts)",
        list(&mut DISTRIBUTIONS_BY_NAME.iter().map(|(name, _)| *name)),
        list(&mut LATENCY_STATISTICS_BY_NAME.iter().map(|(name, _)| *name)),
        list(&mut FAILURE_SHARES_BY_NAME.iter().map(|(name, _)| *name)),
        list(&mut COUNTS_BY_NAME.iter().map(|(name, _)| *name)),
    )
}

impl FromStr for Threshold {
    type Err = ThresholdParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = COMPARISON_SIGNS.iter().find_map(|(sign, comparison)| Some((text.split_once(sign)?, *comparison)));
        let ((name, limit), comparison) = split.ok_or_else(|| ThresholdParseError::NoComparison(text.to_owned()))?;
        let (name, limit) = (name.trim(), limit.trim());
        let metric = find_metric(name).ok_or_else(|| ThresholdParseError::UnknownMetric(name.to_owned()))?;
        let limit = metric.parse_limit(name, limit)?;
        Ok(Self { text: text.to_owned(), metric, comparison, limit })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Threshold {
    /// Judges the figures of a run. A latency that was never measured fails.
    pub fn compare_figures_with_threshold(&self, figures: &LoadFigures) -> ThresholdResult {
        let measured = self.metric.compute_measured_value(figures);
        let holds = |value: f64| match self.comparison {
            Comparison::Less => value < self.limit,
            Comparison::LessOrEqual => value <= self.limit,
            Comparison::Greater => value > self.limit,
            Comparison::GreaterOrEqual => value >= self.limit,
            Comparison::Equal => (value - self.limit).abs() < 1e-9,
        };
        ThresholdResult {
            threshold: self.text.clone(),
            measured,
            unit: self.metric.metric_unit().to_owned(),
            passed: measured.is_some_and(holds),
        }
    }

    /// The condition that every run must satisfy: no token and no URL is delivered twice.
    pub fn create_no_double_deliveries_threshold() -> Self {
        Self {
            text: "double_deliveries==0".to_owned(),
            metric: Metric::Count(|figures| figures.tokens.double_deliveries),
            comparison: Comparison::Equal,
            limit: 0.0,
        }
    }
}

/// The metric with this name.
fn find_metric(name: &str) -> Option<Metric> {
    if let Some((_, share)) = FAILURE_SHARES_BY_NAME.iter().find(|(known, _)| *known == name) {
        return Some(Metric::Share(*share));
    }
    if let Some((_, count)) = COUNTS_BY_NAME.iter().find(|(known, _)| *known == name) {
        return Some(Metric::Count(*count));
    }
    let (distribution, statistic) = name.rsplit_once('_')?;
    let (_, distribution) = DISTRIBUTIONS_BY_NAME.iter().find(|(known, _)| *known == distribution)?;
    let (_, statistic) = LATENCY_STATISTICS_BY_NAME.iter().find(|(known, _)| *known == statistic)?;
    Some(Metric::Latency(*distribution, *statistic))
}

impl Metric {
    /// The limit in the unit of the metric.
    fn parse_limit(self, name: &str, text: &str) -> Result<f64, ThresholdParseError> {
        let invalid =
            |expected| ThresholdParseError::InvalidLimit { metric: name.to_owned(), limit: text.to_owned(), expected };
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        match self {
            Self::Latency(..) => humantime::parse_duration(text)
                .map(|limit: Duration| limit.as_secs_f64() * 1e3)
                .map_err(|_| invalid("a duration, as in `500ms` or `2s`")),
            Self::Share(_) => {
                text.strip_suffix('%').and_then(number).ok_or_else(|| invalid("a percentage, as in `1%`"))
            }
            Self::Count(_) => number(text).ok_or_else(|| invalid("a number, as in `0` or `1000`")),
        }
    }

    /// The unit of the metric, as in `ms`.
    fn metric_unit(self) -> &'static str {
        match self {
            Self::Latency(..) => "ms",
            Self::Share(_) => "%",
            Self::Count(_) => "",
        }
    }

    /// The value of the run, in the unit of the metric.
    fn compute_measured_value(self, figures: &LoadFigures) -> Option<f64> {
        match self {
            Self::Latency(distribution, statistic) => {
                let quantiles = match distribution {
                    MetricLatencySource::Endpoint(name) => figures.find_endpoint_figures(name)?.latency_ms.as_ref(),
                    MetricLatencySource::Noticed => figures.ready_to_noticed_at_most_ms.as_ref(),
                    MetricLatencySource::Visit => figures.visits.duration_ms.as_ref(),
                    MetricLatencySource::ConnectionWait => figures.generator.connection_wait_ms.as_ref(),
                    MetricLatencySource::StartLag => figures.generator.start_lag_ms.as_ref(),
                };
                quantiles.map(statistic)
            }
            Self::Share(FailureShareBase::Requests) => {
                compute_percent(figures.count_failed_requests(), figures.count_sent_and_unsent_requests())
            }
            Self::Share(FailureShareBase::Visits) => compute_percent(
                figures.count_failed_visits(),
                figures.count_failed_visits() + figures.count_completed_visits(),
            ),
            #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
            Self::Count(count) => Some(count(figures) as f64),
        }
    }
}

/// `part` in percent of `whole`; `None` if `whole` is zero.
fn compute_percent(part: u64, whole: u64) -> Option<f64> {
    compute_ratio(part, whole).map(|share| share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange_meter::{RequestCounter, RequestFailure, RequestMeasurement};
    use crate::statistics::Statistics;
    use copresence_client::{CallKind, ExchangeOutcome};

    fn figures() -> LoadFigures {
        let statistics = Statistics::default();
        for millis in 1..=200 {
            let latency = Duration::from_millis(millis);
            statistics.count_request(&RequestMeasurement {
                call: CallKind::Generate,
                status: Some(200),
                outcome: ExchangeOutcome::Complete,
                latency,
                service_time: latency / 2,
                body_size: 10,
            });
        }
        statistics.count_failed_request(&RequestFailure {
            call: CallKind::Generate,
            code: "backend_busy",
            detail: "429",
        });
        statistics.compute_load_figures()
    }

    #[test]
    fn thresholds_are_judged_in_the_unit_of_their_metric() {
        let figures = figures();
        let passed =
            |text: &str| text.parse::<Threshold>().expect(text).compare_figures_with_threshold(&figures).passed;
        for holds in [
            "issue_p99<500ms",
            "issue_p50 >= 100ms",
            "issue_max<=0.21s",
            "failures<1%",
            "failures>0.4%",
            "requests==200",
            "double_deliveries==0",
            "tokens_issued<=0",
        ] {
            // humantime knows no fractions of a second.
            let holds = holds.replace("0.21s", "210ms");
            assert!(passed(&holds), "{holds}");
        }
        for fails in ["issue_p99<100ms", "failures<0.5%", "requests>200", "redeem_p99<10s", "failed_visits<100%"] {
            assert!(!passed(fails), "{fails}");
        }
        let result = "issue_p50<1ms".parse::<Threshold>().expect("valid").compare_figures_with_threshold(&figures);
        assert_eq!((result.unit.as_str(), result.passed), ("ms", false));
        assert!((result.measured.expect("measured") - 100.0).abs() < 0.5, "{result:?}");
    }

    #[test]
    fn invalid_thresholds_say_what_is_expected() {
        for (bad, part) in [
            ("issue_p99", "comparison"),
            ("issue_p98<1s", "login, issue"),
            ("latency<1s", "no metric"),
            ("issue_p99<500", "duration"),
            ("failures<0.01", "percentage"),
            ("double_deliveries==none", "number"),
        ] {
            let error = bad.parse::<Threshold>().expect_err(bad).to_string();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }
}
