//! The report of a run as data, written as JSON, HTML, `JUnit` XML, SARIF and Markdown, and compared with earlier reports.

mod build;
pub mod change;
pub mod html;
mod invisible_text;
pub mod junit;
pub mod markdown;
pub mod sarif;
pub mod shape;

pub(crate) use build::JudgedChecks;

use crate::act::Act;
use crate::check::Verdict;
use crate::expected_failures::{ExpectedFailures, FailurePolicy};
use crate::requirement::Level;
use crate::run_error::EXIT_STOPPED;
use crate::verdict_effect::VerdictEffectOnRun;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Version of the report format. Increases if a field is removed or changes its meaning, but not for new fields.
pub const SCHEMA_VERSION: u32 = 1;

/// What the reports say about a known failure that passes.
pub(crate) const STALE_MESSAGE: &str =
    "This check passes, but it is listed as a known failure. Remove it from the list of --expected-failures.";

/// Report of a run. Contains no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of the report format.
    pub schema_version: u32,
    /// The program that made the report.
    pub tool: Tool,
    /// When the run started (RFC 3339).
    pub started_at: String,
    /// When the run ended (RFC 3339).
    pub ended_at: String,
    /// The backend that was checked.
    pub target: TargetReport,
    /// The machine of the run.
    pub environment: Environment,
    /// Planned and used tokens and avatars.
    pub budget: PlannedAndUsedTokensAndAvatars,
    /// The exit code of the run: 0, 1 (a check failed that fails the run, or a known failure is stale), 2 (no API at this
    /// address), 3 (credentials refused), 6 (the API did not answer), 130 (stopped).
    pub exit: u8,
    /// Why the run ended early; null if it did not.
    pub error: Option<String>,
    /// Stable code of `error`: `backend_unreachable`, `backend_failing`, `backend_busy`, `gate`, `no_api`,
    /// `credentials_refused`, `interrupted`; null without an error.
    #[serde(default)]
    pub error_code: Option<String>,
    /// The lowest level whose failures fail the run (`--fail-on`).
    #[serde(default)]
    pub fail_on: Level,
    /// Passed and failed checks by level.
    pub score: Score,
    /// How many requirements were judged.
    pub coverage: RequirementCoverage,
    /// Every check.
    pub checks: Vec<CheckReport>,
    /// Every requirement.
    pub requirements: Vec<RequirementReport>,
    /// Outcome of each act.
    pub acts: Vec<ActReport>,
    /// Response times by endpoint.
    pub latency: Vec<LatencyReport>,
    /// Form of the responses, by the kind of request.
    pub shapes: BTreeMap<String, ResponseShape>,
    /// Every request, redacted.
    pub steps: Vec<StepReport>,
}

/// The program that made the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Name of the program.
    pub name: String,
    /// Version of the program.
    pub version: String,
}

/// The backend that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetReport {
    /// Name of the profile.
    pub name: String,
    /// URL of the API or the relay, without its query.
    pub url: String,
    /// Kind of the backend.
    pub kind: TargetKind,
    /// Whether a sandbox simulated the phone.
    pub sandbox: bool,
}

/// Kind of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// The vendor's API.
    Vendor,
    /// A relay for tokens; redeems go to the vendor.
    TokenRelay,
    /// A relay for tokens and redeems.
    Relay,
}

/// The machine of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The operating system.
    pub os: String,
    /// The processor architecture.
    pub arch: String,
}

/// How many Export Tokens and avatars the run planned and used, and the limits that were set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Budget")]
pub struct PlannedAndUsedTokensAndAvatars {
    /// Number of Export Tokens planned.
    pub tokens_planned: u32,
    /// Number of Export Tokens generated.
    pub tokens_made: u32,
    /// Number of avatars planned.
    pub avatars_planned: u32,
    /// Number of avatars consumed.
    pub avatars_consumed: u32,
    /// Value of `--max-tokens`; null without a limit.
    pub max_tokens: Option<u32>,
    /// Whether acts that may lose an avatar were allowed (`--destructive`).
    pub destructive: bool,
    /// Whether a wrong password for the account's own user was allowed (`--allow-lockout`).
    #[serde(default)]
    pub allow_lockout: bool,
}

/// Passed and failed checks by level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Required checks (MUST).
    pub must: Tally,
    /// Recommended checks (SHOULD).
    pub should: Tally,
}

/// Number of passed and failed checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Number of passed checks.
    pub passed: usize,
    /// Number of failed checks.
    pub failed: usize,
}

impl Tally {
    /// Number of checks that passed or failed.
    pub fn judged_check_count(&self) -> usize {
        self.passed.saturating_add(self.failed)
    }
}

/// Number of requirements that were judged, of those that apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Coverage")]
pub struct RequirementCoverage {
    /// Number of requirements in the table.
    pub requirements: usize,
    /// Number of requirements that no check can cover.
    pub untestable: usize,
    /// Number of requirements that do not apply to a backend of this kind.
    pub not_applicable: usize,
    /// Number of applicable requirements whose combined verdict is pass or fail.
    pub judged: usize,
}

impl RequirementCoverage {
    /// Number of requirements that could be judged.
    pub fn judgeable_requirement_count(&self) -> usize {
        self.requirements.saturating_sub(self.untestable).saturating_sub(self.not_applicable)
    }

    /// Percentage of these requirements that were judged, 0..=100.
    pub fn judged_requirements_percent(&self) -> usize {
        self.judged.saturating_mul(100).checked_div(self.judgeable_requirement_count()).unwrap_or(0)
    }
}

/// The report of one check: its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckReport {
    /// Stable id, as in `redeem.unknown-400`.
    pub id: String,
    /// What should hold, as a sentence.
    pub title: String,
    /// Level: must or should.
    pub level: Level,
    /// The verdict.
    pub verdict: Verdict,
    /// What was observed, or why there is no verdict of pass or fail.
    pub detail: String,
    /// The violations; empty unless the check failed.
    pub findings: Vec<FindingReport>,
    /// What to do; null unless the check failed.
    pub remedy: Option<String>,
    /// Ids of the requirements that the check covers.
    pub requirements: Vec<String>,
    /// Numbers of the steps that show it.
    pub steps: Vec<usize>,
    /// Whether the check is listed as a known failure (`--expected-failures`). If it passes, it is stale.
    #[serde(default)]
    pub expected_to_fail: bool,
}

impl CheckReport {
    /// The part of the id before the dot, as in `redeem`.
    pub(crate) fn area_of_check(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }
}

/// One violation that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingReport {
    /// What the backend should have sent.
    pub expected: String,
    /// What the backend sent.
    pub came: String,
    /// Numbers of the steps that show it.
    pub steps: Vec<usize>,
}

/// Result of one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequirementReport {
    /// Stable id, as in `RED-8`.
    pub id: String,
    /// Section of the source that contains the sentence.
    pub place: String,
    /// The sentence, verbatim.
    pub quote: String,
    /// Level: must or should.
    pub level: Level,
    /// Combined verdict of its checks; null if no check can cover it.
    pub verdict: Option<Verdict>,
    /// Ids of the checks that cover it.
    pub checks: Vec<String>,
    /// Why no check can cover it; null if one does.
    pub untestable: Option<String>,
}

/// Outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActReport {
    /// The act.
    pub act: Act,
    /// What the act does.
    pub does: String,
    /// Whether the act was completed.
    pub done: bool,
    /// Why the act was not completed; null if it was.
    pub why: Option<String>,
}

/// Response times of an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyReport {
    /// The endpoint: login, generate, redeem, download.
    pub call: String,
    /// Number of responses.
    pub answers: usize,
    /// Half of the responses took at most this long, in milliseconds.
    pub p50_ms: f64,
    /// 95 % of the responses took at most this long, in milliseconds.
    pub p95_ms: f64,
    /// Time of the slowest response, in milliseconds.
    pub max_ms: f64,
}

/// Form of the responses to one kind of request, without any value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Shape")]
pub struct ResponseShape {
    /// Their statuses.
    pub statuses: BTreeSet<u16>,
    /// Their `Content-Type` headers.
    pub content_types: BTreeSet<String>,
    /// The names of their headers.
    pub headers: BTreeSet<String>,
    /// The JSON types at each location of their bodies.
    pub fields: BTreeMap<String, BTreeSet<String>>,
}

/// One request and its response, redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// Number of the step, from 1.
    pub number: usize,
    /// The act that sent it.
    pub act: Act,
    /// What the step does.
    pub what: String,
    /// Number of the run's Export Token that it was about, from 1; null if none.
    pub token: Option<usize>,
    /// The request as a `curl` command, with variables for secrets.
    pub curl: String,
    /// When the request started (RFC 3339).
    pub at: String,
    /// Duration of the exchange, in milliseconds.
    pub duration_ms: f64,
    /// Method of the request.
    pub method: String,
    /// URL of the request, masked.
    pub url: String,
    /// Headers of the request, masked.
    pub request_headers: Vec<Header>,
    /// Body of the request, masked.
    pub request_body: Option<String>,
    /// Status of the response; null without a response.
    pub status: Option<u16>,
    /// Headers of the response, masked.
    pub response_headers: Vec<Header>,
    /// Body of the response, masked and limited in size; null for files.
    pub body: Option<String>,
    /// Number of body bytes received.
    pub body_size: u64,
    /// Why no complete response was received; null if one was.
    pub error: Option<String>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Name of the header.
    pub name: String,
    /// Value of the header, masked if it is secret.
    pub value: String,
}

impl Report {
    /// Parses a report.
    ///
    /// # Errors
    /// The reason, if the text is not a complete report of this version.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        match value.get("schema_version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(SCHEMA_VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "the report has format version {version}, but this program reads version {SCHEMA_VERSION}"
                ));
            }
            None => return Err("it is not a report of `copresence validate --report`".to_owned()),
        }
        serde_json::from_value(value).map_err(|error| format!("it is not a complete report: {error}"))
    }

    /// The report as indented JSON, with a final newline.
    pub fn to_json(&self) -> String {
        // Cannot fail: all map keys are strings.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The checks that failed, MUST before SHOULD.
    pub fn failed_checks(&self) -> Vec<&CheckReport> {
        let mut failed: Vec<_> = self.checks.iter().filter(|check| check.verdict == Verdict::Fail).collect();
        failed.sort_by_key(|check| check.level);
        failed
    }

    /// Decides by this policy which failed checks fail the run, and sets the exit code unless an error ended the run.
    pub fn apply_failure_policy(&mut self, policy: &FailurePolicy) {
        self.fail_on = policy.fail_on;
        for check in &mut self.checks {
            check.expected_to_fail = policy.expected.is_failure_expected(&check.id);
        }
        if self.error.is_none() {
            self.exit = u8::from(self.checks.iter().any(|check| self.run_effect_of_check_verdict(check).fails_run()));
        }
    }

    /// How the verdict of one of the checks counts for the result of the run.
    pub fn run_effect_of_check_verdict(&self, check: &CheckReport) -> VerdictEffectOnRun {
        VerdictEffectOnRun::compute_verdict_effect(check.verdict, check.level, self.fail_on, check.expected_to_fail)
    }

    /// The checks with this effect on the result of the run, MUST before SHOULD.
    pub fn checks_with_effect(&self, effect: VerdictEffectOnRun) -> Vec<&CheckReport> {
        let mut found: Vec<_> =
            self.checks.iter().filter(|check| self.run_effect_of_check_verdict(check) == effect).collect();
        found.sort_by_key(|check| check.level);
        found
    }

    /// The list of known failures after this run: without the checks that passed, and with all that fail the run.
    #[must_use]
    pub fn update_expected_failures_by_results(&self, list: &ExpectedFailures) -> ExpectedFailures {
        let passed = |id: &str| self.checks.iter().any(|check| check.id == id && check.verdict == Verdict::Pass);
        let failed = self.checks_with_effect(VerdictEffectOnRun::Failure);
        list.remove_passed_and_add_failed(
            passed,
            failed.into_iter().map(|check| (check.id.as_str(), check.title.as_str())),
        )
    }

    /// Whether any check passed or failed.
    pub fn has_passed_or_failed_check(&self) -> bool {
        let Score { must, should } = self.score;
        must.judged_check_count().saturating_add(should.judged_check_count()) > 0
    }

    /// The result of the run in one sentence, without a full stop.
    pub fn summary(&self) -> String {
        let Score { must, should } = self.score;
        let failed = must.failed.saturating_add(should.failed);
        let judged = must.judged_check_count().saturating_add(should.judged_check_count());
        match &self.error {
            Some(_) if self.exit == EXIT_STOPPED => {
                return format!("Stopped: {failed} of the {judged} checks that were judged by then failed");
            }
            Some(error) if !self.has_passed_or_failed_check() => return format!("The backend was not judged: {error}"),
            Some(error) => {
                return format!(
                    "The run ended early: {error}; {failed} of the {judged} checks that were judged by then failed"
                );
            }
            None => {}
        }
        let undecided = self.checks.iter().filter(|check| check.verdict == Verdict::Inconclusive).count();
        let undecided = match undecided {
            0 => String::new(),
            1 => "; 1 check is inconclusive".to_owned(),
            some => format!("; {some} checks are inconclusive"),
        };
        let judgement = if self.checks.iter().any(|check| check.expected_to_fail) {
            self.summarize_against_known_failures()
        } else {
            self.summarize_failures_by_level()
        };
        format!("{judgement}{undecided}")
    }

    /// The result of a run without known failures, in one sentence.
    fn summarize_failures_by_level(&self) -> String {
        let Score { must, should } = self.score;
        match (must.failed, should.failed, self.fail_on) {
            (0, 0, _) => format!("Passed: all {} required and all {} recommended checks", must.passed, should.passed),
            (0, some, Level::Must) => format!(
                "Passed: all {} required checks; {some} of {} recommended ones failed",
                must.passed,
                should.judged_check_count()
            ),
            (0, some, Level::Should) => format!("Failed: {some} of {} recommended checks", should.judged_check_count()),
            (some, 0, _) | (some, _, Level::Must) => {
                format!("Failed: {some} of {} required checks", must.judged_check_count())
            }
            (some, others, Level::Should) => format!(
                "Failed: {some} of {} required and {others} of {} recommended checks",
                must.judged_check_count(),
                should.judged_check_count()
            ),
        }
    }

    /// The result of a run with known failures, in one sentence.
    fn summarize_against_known_failures(&self) -> String {
        let count = |effect| self.checks_with_effect(effect).len();
        let parts = [
            (
                count(VerdictEffectOnRun::Failure),
                "check that is not listed failed",
                "checks that are not listed failed",
            ),
            (count(VerdictEffectOnRun::Stale), "known failure passes (stale)", "known failures pass (stale)"),
            (count(VerdictEffectOnRun::KnownFailure), "check failed as listed", "checks failed as listed"),
            (count(VerdictEffectOnRun::Warning), "recommended check failed", "recommended checks failed"),
        ];
        let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
        let parts: Vec<_> =
            parts.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect();
        let result = if self.exit == 0 { "Passed" } else { "Failed" };
        if parts.is_empty() { format!("{result}: no check failed") } else { format!("{result}: {}", parts.join("; ")) }
    }
}

/// The JSON Schema of the report, indented, with a final newline.
pub fn report_schema() -> String {
    let schema = schemars::schema_for!(Report);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
