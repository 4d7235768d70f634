//! Renders the report as one self-contained HTML page without scripts.

use super::LoadReport;
use super::chart::{ChartLine, draw_line_chart};
use crate::latency_histogram::LatencyQuantiles;
use crate::load_run::RunEnd;
use crate::statistics::compute_ratio;
use crate::timeline::TimelineRow;
use askama::Template;

/// Template of the report's page.
#[derive(Template)]
#[template(path = "load-report.html")]
struct HtmlReportTemplate<'a> {
    report: &'a LoadReport,
    charts: Vec<TitledChart>,
}

/// A chart with its heading. `svg` is made by this program and contains no text of a backend.
struct TitledChart {
    heading: &'static str,
    explanation: &'static str,
    legend: Vec<(&'static str, &'static str)>,
    svg: String,
}

/// Renders the page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn render_html_report(report: &LoadReport) -> Result<String, askama::Error> {
    HtmlReportTemplate { report, charts: draw_charts(report) }.render()
}

/// Draws the charts of the report's timeline, in the order of the page.
fn draw_charts(report: &LoadReport) -> Vec<TitledChart> {
    let line = |name, class, value: &dyn Fn(&TimelineRow) -> Option<f64>| ChartLine {
        name,
        class,
        points: report.timeline.iter().map(|row| (row.at_s, value(row))).collect(),
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    let count = |value: u64| Some(value as f64);
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    let rate = |value: u64| Some(value as f64 / report.timeline_row_s);
    let chart = |heading, explanation, unit, lines: Vec<ChartLine>| TitledChart {
        heading,
        explanation,
        legend: lines.iter().map(|line| (line.name, line.class)).collect(),
        svg: draw_line_chart(heading, unit, &lines),
    };
    vec![
        chart(
            "Redeem latency",
            "Time from when a poll was due to its response. 99 % of the polls of each interval were faster than the upper line.",
            " ms",
            vec![line("median", "a", &|row| row.redeem_p50_ms), line("99 %", "b", &|row| row.redeem_p99_ms)],
        ),
        chart(
            "Issue latency",
            "Time from the arrival of a visitor to the Export Token.",
            " ms",
            vec![line("median", "a", &|row| row.issue_p50_ms), line("99 %", "b", &|row| row.issue_p99_ms)],
        ),
        chart(
            "Requests per second",
            "All endpoints; failures are requests without a usable response.",
            "",
            vec![line("requests", "a", &|row| rate(row.requests)), line("failures", "c", &|row| rate(row.failures))],
        ),
        chart(
            "Visits",
            "Consoles that wait for an avatar at the same time.",
            "",
            vec![line("under way", "a", &|row| count(row.running_visits))],
        ),
    ]
}

impl HtmlReportTemplate<'_> {
    /// CSS class of the banner: `pass`, `warn` or `fail`.
    fn css_class_of_banner(&self) -> &'static str {
        match self.report.exit {
            0 => "pass",
            130 => "warn",
            _ => "fail",
        }
    }

    /// The result of the run in a few words.
    fn result_headline(&self) -> String {
        match self.report.exit {
            0 => "Passed".to_owned(),
            1 => format!(
                "Failed: {} of {} thresholds",
                self.report.find_failed_thresholds().count(),
                self.report.thresholds.len()
            ),
            3 => "The backend refused the credentials".to_owned(),
            6 => "The backend issued no Export Token".to_owned(),
            _ => "Interrupted".to_owned(),
        }
    }

    /// One sentence that says why the run ended.
    fn describe_run_end(&self) -> &'static str {
        match self.report.end {
            RunEnd::Completed => "The run was completed.",
            RunEnd::Interrupted => "The run was interrupted; the figures are those until then.",
            RunEnd::TokenLimit => "The run ended at its limit of Export Tokens.",
            RunEnd::CredentialsRefused => "The run was stopped, because further logins could lock the account.",
        }
    }

    /// The start and the length of the run, as in `2026-11-29 13:32:21 UTC, for 1m 50s`.
    fn format_start_and_length(&self) -> String {
        let length =
            std::time::Duration::try_from_secs_f64(self.report.run_duration_seconds().round()).unwrap_or_default();
        let start = self.report.started_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        format!("{start}, for {}", humantime::format_duration(length))
    }

    /// Mean rate of requests, with one decimal.
    fn format_request_rate(&self) -> String {
        let seconds = self.report.run_duration_seconds().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
        let requests = self.report.figures.count_sent_requests() as f64;
        format!("{:.1}", requests / seconds)
    }

    /// Requests of an endpoint per second of the run.
    fn endpoint_requests_per_second(&self, endpoint: &crate::statistics::EndpointFigures) -> String {
        #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
        let requests = endpoint.requests as f64;
        format!("{:.1}", requests / self.report.run_duration_seconds().max(0.001))
    }

    /// Failed requests in percent of the attempted ones; a dash if there was none.
    fn format_failure_share(&self) -> String {
        let share = compute_ratio(
            self.report.figures.count_failed_requests(),
            self.report.figures.count_sent_and_unsent_requests(),
        );
        share.map_or_else(|| "–".to_owned(), |share| format!("{:.2} %", share * 100.0))
    }

    /// A latency for people, from milliseconds.
    #[expect(clippy::unused_self, reason = "the template calls it")]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn format_latency(&self, millis: &f64) -> String {
        format_millis(*millis)
    }

    /// The statuses of an endpoint with their counts, as in `200: 41, 503: 2`.
    #[expect(clippy::unused_self, reason = "the template calls it")]
    fn format_status_counts(&self, endpoint: &crate::statistics::EndpointFigures) -> String {
        let list: Vec<_> = endpoint.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        list.join(", ")
    }

    /// The distributions beside those of the endpoints, with their names.
    fn list_distributions_beside_endpoints(&self) -> Vec<(&'static str, &LatencyQuantiles)> {
        let figures = &self.report.figures;
        let rows = [
            ("Ready to noticed, at most", &figures.ready_to_noticed_at_most_ms),
            ("Whole visit", &figures.visits.duration_ms),
            ("Generator: start lag of visits", &figures.generator.start_lag_ms),
            ("Generator: wait for a connection", &figures.generator.connection_wait_ms),
        ];
        rows.into_iter().filter_map(|(name, quantiles)| Some((name, quantiles.as_ref()?))).collect()
    }

    /// The measured value of a threshold with its unit.
    fn format_measured_value(&self, threshold: &crate::threshold::ThresholdResult) -> String {
        match (threshold.measured, threshold.unit.as_str()) {
            (None, _) => "not measured".to_owned(),
            (Some(millis), "ms") => self.format_latency(&millis),
            (Some(value), "%") => format!("{value:.2} %"),
            (Some(value), _) => format!("{value}"),
        }
    }
}

/// A duration for people, from milliseconds: `0.42 ms`, `42 ms`, `4.20 s`.
pub fn format_millis(millis: f64) -> String {
    if millis >= 1000.0 {
        format!("{:.2} s", millis / 1e3)
    } else if millis >= 10.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{millis:.2} ms")
    }
}
