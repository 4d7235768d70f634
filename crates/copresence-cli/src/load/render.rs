//! What `copresence load` prints: a live view on a terminal, otherwise a line now and then, or JSON Lines.

use crate::common_options::CommonOptions;
use crate::output;
use copresence_load::locust::WorkerSummary;
use copresence_load::report::{ReportPlan, ReportTarget, format_millis};
use copresence_load::{LatencyQuantiles, LiveFigures, LoadFigures, LoadReport, Statistics};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::convert::Infallible;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Interval of the live view, and of the JSON lines.
const LIVE_VIEW_INTERVAL: Duration = Duration::from_secs(1);
/// Interval of the lines without a terminal.
const PROGRESS_LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Prints the start, the progress and the result of a load test.
pub(super) struct LoadRenderer {
    statistics: Arc<Statistics>,
    json: bool,
    live: Option<ProgressBar>,
    started: Instant,
}

impl LoadRenderer {
    pub(super) fn new(common: &CommonOptions, statistics: Arc<Statistics>) -> Self {
        let live = (!common.json && output::can_animate_stderr(common.no_color)).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant without placeholders that could be wrong.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { statistics, json: common.json, live, started: Instant::now() }
    }

    /// Prints what a load test is about to do: the backend, the consoles or rates, and the address of the metrics.
    pub(super) fn print_load_test_start(&self, target: &ReportTarget, plan: &ReportPlan, metrics: Option<SocketAddr>) {
        if self.json {
            let metrics = metrics.map(|address| format!("http://{address}/metrics"));
            return output::print_json_line(&json!({
                "event": "started", "target": target, "plan": plan, "metrics": metrics,
            }));
        }
        let model = if plan.model == "open" {
            let stage = |stage: &copresence_load::report::ReportStage| {
                let rate = if (stage.from_per_second - stage.to_per_second).abs() < f64::EPSILON {
                    format!("{}", stage.to_per_second)
                } else {
                    format!("{} to {}", stage.from_per_second, stage.to_per_second)
                };
                format!("{rate} visits per second for {} s", stage.duration_s)
            };
            let stages: Vec<_> = plan.stages.iter().map(stage).collect();
            format!("{}, at most {} at a time", stages.join(", then "), plan.consoles)
        } else {
            format!("{} consoles for {} s", plan.consoles, plan.duration_s)
        };
        let sandbox = if target.is_sandbox { " (a sandbox)" } else { "" };
        output::eprint_sanitized_line(format_args!("Load test of {}{sandbox}: {model}", target.api_url));
        output::eprint_sanitized_line(format_args!(
            "phone: {}, downloads: {}, seed {}",
            plan.phone, plan.download, plan.seed
        ));
        if let Some(address) = metrics {
            output::eprint_sanitized_line(format_args!("Prometheus: http://{address}/metrics"));
        }
    }

    /// Prints the figures at each interval. Never returns.
    pub(super) async fn show_progress_forever(&self) -> Infallible {
        let is_frequent = self.json || self.live.is_some();
        let mut tick = tokio::time::interval(if is_frequent { LIVE_VIEW_INTERVAL } else { PROGRESS_LINE_INTERVAL });
        // The first tick comes at once, when there is nothing to show.
        tick.tick().await;
        loop {
            tick.tick().await;
            let figures = self.statistics.compute_live_figures();
            let seconds = self.started.elapsed().as_secs();
            if self.json {
                output::print_json_line(&build_progress_json(seconds, &figures));
            } else if let Some(bar) = &self.live {
                bar.set_message(format_live_view(seconds, &figures));
            } else {
                output::eprint_sanitized_line(format_args!("{}", format_progress_line(seconds, &figures)));
            }
        }
    }

    /// Prints the result. With `--json`, the last line is the whole report.
    pub(super) fn print_summary(&self, report: &LoadReport) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
        if self.json {
            return output::print_json_line(&json!({ "event": "ended", "report": report }));
        }
        for line in format_summary_lines(&report.figures) {
            output::print_stdout_line(format_args!("{}", output::sanitize_for_terminal(&line)));
        }
        for threshold in &report.thresholds {
            let measured = threshold.measured.map_or_else(
                || "not measured".to_owned(),
                |value| format!("measured {}{}", format_rounded_number(value), threshold.unit),
            );
            let word = if threshold.passed { "passed" } else { "FAILED" };
            output::print_stdout_line(format_args!("{word}  {}  ({measured})", threshold.threshold));
        }
        for limit in report.explain_why_generator_distorts_latencies() {
            output::print_stdout_line(format_args!("note: {limit}"));
        }
        output::print_stdout_line(format_args!("{}", describe_load_end(report)));
    }
}

/// Prints the result of a worker.
pub(super) fn print_worker_summary(common: &CommonOptions, summary: &WorkerSummary) {
    if common.json {
        return output::print_json_line(&json!({
            "event": "ended", "figures": summary.figures,
            "reported_requests": summary.reported_requests, "reported_failures": summary.reported_failures,
        }));
    }
    for line in format_summary_lines(&summary.figures) {
        output::print_stdout_line(format_args!("{}", output::sanitize_for_terminal(&line)));
    }
    output::print_stdout_line(format_args!(
        "Reported to the Locust master in its last test: {} requests, {} failures",
        summary.reported_requests, summary.reported_failures
    ));
}

/// The figures as a JSON event.
fn build_progress_json(seconds: u64, figures: &LiveFigures) -> serde_json::Value {
    json!({
        "event": "progress", "seconds": seconds, "running": figures.running, "started": figures.started,
        "completed": figures.completed, "failed": figures.failed, "not_started": figures.not_started,
        "requests": figures.requests, "failures": figures.failures, "tokens": figures.tokens,
    })
}

/// The figures as one line, for output without a terminal.
fn format_progress_line(seconds: u64, figures: &LiveFigures) -> String {
    let rate = figures.last_interval.map_or(0, |row| row.requests);
    let mut line = format!(
        "{seconds:>5} s  {} visits under way, {} completed, {} failed; {} requests ({rate}/s), {} failures",
        figures.running, figures.completed, figures.failed, figures.requests, figures.failures
    );
    for (name, _, _, _, p99) in &figures.endpoints {
        // Writing to a string cannot fail.
        _ = write!(line, "; {name} 99 % {}", format_duration_text(*p99));
    }
    line
}

/// The live view: several lines of figures.
fn format_live_view(seconds: u64, figures: &LiveFigures) -> String {
    let rate = figures.last_interval.map_or(0, |row| row.requests);
    let time = humantime::format_duration(Duration::from_secs(seconds));
    let mut text = format!(
        "{time}   {} visits under way\n  visits    {} started, {} completed, {} failed, {} not started\n  requests  {} ({rate}/s), {} failures\n  tokens    {} issued, {} spent, {} possibly consumed, {} double deliveries\n",
        figures.running,
        figures.started,
        figures.completed,
        figures.failed,
        figures.not_started,
        figures.requests,
        figures.failures,
        figures.tokens.issued,
        figures.tokens.spent,
        figures.tokens.possibly_consumed,
        figures.tokens.double_deliveries,
    );
    for (name, requests, failures, p50, p99) in &figures.endpoints {
        let (p50, p99) = (format_duration_text(*p50), format_duration_text(*p99));
        // Writing to a string cannot fail.
        _ = writeln!(
            text,
            "  {name:<9} {requests:>8} requests {failures:>6} failures   median {p50:>8}   99 % {p99:>8}"
        );
    }
    text.trim_end().to_owned()
}

/// The result as lines for people.
fn format_summary_lines(figures: &LoadFigures) -> Vec<String> {
    let mut lines = Vec::new();
    let header = ["requests", "failures", "median", "95 %", "99 %", "max"];
    lines.push(format!("{:<10}{}", "endpoint", header.map(|word| format!("{word:>11}")).concat()));
    for endpoint in &figures.endpoints {
        let mut line = format!("{:<10}{:>11}{:>11}", endpoint.endpoint, endpoint.requests, endpoint.failures);
        line += &format_quantile_columns(endpoint.latency_ms.as_ref());
        lines.push(line);
    }
    let others = [
        ("noticed", &figures.ready_to_noticed_at_most_ms, "ready to noticed, at most"),
        ("visit", &figures.visits.duration_ms, "arrival to end"),
        ("start lag", &figures.generator.start_lag_ms, "of this machine"),
        ("wait", &figures.generator.connection_wait_ms, "for a connection"),
    ];
    for (name, quantiles, words) in others {
        if let Some(quantiles) = quantiles {
            lines.push(format!(
                "{name:<10}{:>11}{:>11}{}  ({words})",
                quantiles.count,
                "",
                format_quantile_columns(Some(quantiles))
            ));
        }
    }
    let visits = &figures.visits;
    let outcomes: Vec<_> =
        visits.outcomes.iter().map(|outcome| format!("{} {}", outcome.count, outcome.code)).collect();
    lines.push(String::new());
    lines.push(format!(
        "visits: {} started, {} not started; ended: {}",
        visits.started,
        visits.not_started,
        outcomes.join(", ")
    ));
    let tokens = &figures.tokens;
    lines.push(format!(
        "tokens: {} issued ({} more possibly), {} spent, {} possibly consumed, {} refused or expired, {} unspent, {} double deliveries",
        tokens.issued,
        tokens.possibly_issued,
        tokens.spent,
        tokens.possibly_consumed,
        tokens.refused,
        tokens.unspent,
        tokens.double_deliveries
    ));
    for error in figures.errors.iter().take(10) {
        lines.push(format!("failure: {} × {} {}: {}", error.count, error.endpoint, error.code, error.example));
    }
    lines.push(String::new());
    lines
}

/// Median, 95 %, 99 % and maximum as columns.
fn format_quantile_columns(quantiles: Option<&LatencyQuantiles>) -> String {
    let values = quantiles.map(|quantiles| [quantiles.p50, quantiles.p95, quantiles.p99, quantiles.max]);
    let texts = values.map_or_else(|| [const { String::new() }; 4], |values| values.map(format_millis));
    texts.map(|text| format!("{text:>11}")).concat()
}

/// A sentence that says how the load test ended.
fn describe_load_end(report: &LoadReport) -> String {
    match report.exit {
        0 => "The load test passed.".to_owned(),
        1 => format!(
            "The load test failed: {} of {} thresholds.",
            report.find_failed_thresholds().count(),
            report.thresholds.len()
        ),
        3 => "The backend refused the credentials; the run was stopped, because more logins could lock the account."
            .to_owned(),
        6 => "The backend issued no Export Token; the failures above say why.".to_owned(),
        _ => "The load test was interrupted; the figures are those until then.".to_owned(),
    }
}

/// The duration in milliseconds or seconds.
fn format_duration_text(duration: Duration) -> String {
    format_millis(duration.as_secs_f64() * 1e3)
}

/// Formats a number with at most two decimals.
fn format_rounded_number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
