//! The report of a load test, as JSON (`report.schema.json`) and as a page.

mod chart;
mod html;

pub use html::{format_millis, render_html_report};

use crate::latency_histogram::LatencyQuantiles;
use crate::load_plan::{ConsoleVisitPlan, LoadPlan, VisitStartModel};
use crate::load_run::RunEnd;
use crate::statistics::{LoadFigures, Statistics};
use crate::threshold::{Threshold, ThresholdResult};
use crate::timeline::TimelineRow;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the report's form. Fields may be added within a version.
pub const SCHEMA_VERSION: u32 = 1;

/// Start lag or wait for a connection, in milliseconds, that is large beside the latencies of a healthy backend.
const NOTICEABLE_GENERATOR_DELAY_MS: f64 = 50.0;

/// The backend of a load test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportTarget {
    /// The profile's name.
    pub profile: String,
    /// Base URL of the backend.
    pub api_url: String,
    /// Whether it is a sandbox, whose tokens cost nothing.
    pub is_sandbox: bool,
}

/// One stage of the arrivals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportStage {
    /// Visits per second at its start.
    pub from_per_second: f64,
    /// Visits per second at its end.
    pub to_per_second: f64,
    /// Seconds.
    pub duration_s: f64,
}

/// What the run was to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportPlan {
    /// `open` or `closed`.
    pub model: String,
    /// Maximum number of visits at a time (open), or the number of consoles (closed).
    pub consoles: u64,
    /// The arrivals of an open model.
    pub stages: Vec<ReportStage>,
    /// Seconds in which visits started.
    pub duration_s: f64,
    /// Seconds that visits might continue after that.
    pub finish_within_s: f64,
    /// Who played the phone: `sandbox`, `command` or `none`.
    pub phone: String,
    /// Mean seconds from the invitation to the scan.
    pub scan_after_s: f64,
    /// What was done with files: `none`, `head` or `full`.
    pub download: String,
    /// Maximum number of requests in flight.
    pub max_connections: u64,
    /// Maximum number of requests for a token; `null` without a limit.
    pub max_tokens: Option<u64>,
    /// Seed of arrivals and jitter.
    pub seed: u64,
}

/// The report of a load test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub program_version: String,
    /// Name of the machine that made the load.
    pub machine: String,
    /// The backend.
    pub target: ReportTarget,
    /// What the run was to do.
    pub plan: ReportPlan,
    /// When it began (RFC 3339).
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When it ended (RFC 3339).
    #[schemars(with = "String")]
    pub ended_at: Timestamp,
    /// Why it ended.
    pub end: RunEnd,
    /// The exit code of the command.
    pub exit: u8,
    /// The thresholds, and whether the run satisfies them.
    pub thresholds: Vec<ThresholdResult>,
    /// The figures of the whole run.
    pub figures: LoadFigures,
    /// Seconds per row of the timeline.
    pub timeline_row_s: f64,
    /// The run over time.
    pub timeline: Vec<TimelineRow>,
}

/// What a report says beside the figures.
#[derive(Debug, Clone)]
pub struct ReportRunDetails {
    /// The backend.
    pub target: ReportTarget,
    /// The plan in the report's form.
    pub plan: ReportPlan,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why it ended.
    pub end: RunEnd,
}

impl ReportStage {
    /// Whether the rate changes within the stage.
    pub fn has_changing_arrival_rate(&self) -> bool {
        (self.from_per_second - self.to_per_second).abs() > f64::EPSILON
    }
}

impl ReportPlan {
    /// The plan of a run in the report's form. `phone` is `sandbox`, `command` or `none`.
    pub fn new(plan: &LoadPlan, console: &ConsoleVisitPlan, phone: &str) -> Self {
        let (model, consoles, stages) = match &plan.model {
            VisitStartModel::Open { stages, max_consoles, .. } => ("open", *max_consoles, stages.as_slice()),
            VisitStartModel::Closed { consoles, .. } => ("closed", *consoles, &[][..]),
        };
        let stages = stages.iter().map(|stage| ReportStage {
            from_per_second: stage.from_per_second,
            to_per_second: stage.to_per_second,
            duration_s: stage.duration.as_secs_f64(),
        });
        Self {
            model: model.to_owned(),
            consoles: consoles as u64,
            stages: stages.collect(),
            duration_s: plan.duration.as_secs_f64(),
            finish_within_s: plan.finish_within.as_secs_f64(),
            phone: phone.to_owned(),
            scan_after_s: console.scan_after.as_secs_f64(),
            download: console.download.command_line_word().to_owned(),
            max_connections: console.max_connections as u64,
            max_tokens: console.max_tokens,
            seed: console.seed,
        }
    }
}

impl LoadReport {
    /// The report of a run, judged by the thresholds. That no token is delivered twice is always a threshold.
    pub fn new(context: ReportRunDetails, statistics: &Statistics, thresholds: &[Threshold]) -> Self {
        let figures = statistics.compute_load_figures();
        let (timeline_row_s, timeline) = statistics.copy_timeline();
        let always = Threshold::create_no_double_deliveries_threshold();
        let is_given = thresholds.iter().any(|given| given.to_string() == always.to_string());
        let judged = thresholds.iter().chain((!is_given).then_some(&always));
        let thresholds: Vec<_> = judged.map(|threshold| threshold.compare_figures_with_threshold(&figures)).collect();
        let ReportRunDetails { target, plan, started_at, ended_at, end } = context;
        let exit = exit_code_of_run(end, &figures, &thresholds);
        Self {
            schema_version: SCHEMA_VERSION,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: gethostname::gethostname().to_string_lossy().into_owned(),
            target,
            plan,
            started_at,
            ended_at,
            end,
            exit,
            thresholds,
            figures,
            timeline_row_s,
            timeline,
        }
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        // All keys are strings or numbers, so it can be serialized.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Seconds from the start of the run to its end.
    pub fn run_duration_seconds(&self) -> f64 {
        self.ended_at.duration_since(self.started_at).as_secs_f64()
    }

    /// Why the latencies may say more about this machine than about the backend: one sentence for each reason.
    pub fn explain_why_generator_distorts_latencies(&self) -> Vec<String> {
        let slow = |quantiles: &Option<LatencyQuantiles>| {
            quantiles.as_ref().map(|quantiles| quantiles.p99).filter(|p99| *p99 > NOTICEABLE_GENERATOR_DELAY_MS)
        };
        let mut limits = Vec::new();
        if let Some(p99) = slow(&self.figures.generator.start_lag_ms) {
            limits.push(format!(
                "One visit in a hundred started {} or more after its arrival, because this machine was busy: use more machines, or fewer visits.",
                format_millis(p99)
            ));
        }
        if let Some(p99) = slow(&self.figures.generator.connection_wait_ms) {
            limits.push(format!(
                "One request in a hundred waited {} or more for one of the {} connections: the backend answered slowly, or --connections is too small.",
                format_millis(p99),
                self.plan.max_connections
            ));
        }
        let never_sent: u64 = self.figures.endpoints.iter().map(|endpoint| endpoint.never_sent).sum();
        if never_sent > 0 {
            limits.push(format!(
                "{never_sent} requests were not sent, because there was no connection: the backend was not reachable, or this machine had no free port."
            ));
        }
        limits
    }

    /// The thresholds that the run does not satisfy.
    pub fn find_failed_thresholds(&self) -> impl Iterator<Item = &ThresholdResult> {
        self.thresholds.iter().filter(|threshold| !threshold.passed)
    }
}

/// The JSON schema of the report, as it is committed.
pub fn generate_report_schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(LoadReport)).unwrap_or_default();
    text.push('\n');
    text
}

/// The exit code of a run: 130 interrupted, 3 credentials refused, 6 no token although some were requested, 1 a threshold is not
/// satisfied, 0 otherwise.
fn exit_code_of_run(end: RunEnd, figures: &LoadFigures, thresholds: &[ThresholdResult]) -> u8 {
    let has_reached_nothing = figures.tokens.issued == 0 && figures.count_failed_requests() > 0;
    match end {
        RunEnd::Interrupted => 130,
        RunEnd::CredentialsRefused => 3,
        RunEnd::Completed | RunEnd::TokenLimit if has_reached_nothing => 6,
        _ if thresholds.iter().any(|threshold| !threshold.passed) => 1,
        RunEnd::Completed | RunEnd::TokenLimit => 0,
    }
}
