//! What a run says in the end, as data: written as JSON, `JUnit`, HTML and HAR, compared with earlier runs.

mod build;
pub mod change;
pub mod html;
pub mod junit;
pub mod shape;

use crate::act::Act;
use crate::check::Verdict;
use crate::requirement::Level;
use crate::run::EXIT_STOPPED;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of this form. It rises when a field changes its meaning or goes; new fields may come without.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole run. Holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this form.
    pub schema_version: u32,
    /// What made it.
    pub tool: Tool,
    /// When the run began (RFC 3339).
    pub started_at: String,
    /// When it ended (RFC 3339).
    pub ended_at: String,
    /// Which backend was checked.
    pub target: TargetReport,
    /// Where the run was made.
    pub environment: Environment,
    /// What was planned and what was used.
    pub budget: Budget,
    /// The exit code of the run: 0, 1 (a MUST failed), 3 (credentials refused), 6 (not reached), 130 (stopped).
    pub exit: u8,
    /// Why nothing more could be told, when that is so.
    pub error: Option<String>,
    /// How the backend did where it was judged.
    pub score: Score,
    /// How much was judged at all.
    pub coverage: Coverage,
    /// Every check.
    pub checks: Vec<CheckReport>,
    /// Every requirement.
    pub requirements: Vec<RequirementReport>,
    /// What became of each act.
    pub acts: Vec<ActReport>,
    /// How long answers took, by endpoint.
    pub latency: Vec<LatencyReport>,
    /// What answers looked like, by what was asked.
    pub shapes: BTreeMap<String, Shape>,
    /// Every request, redacted.
    pub steps: Vec<StepReport>,
}

/// What made the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// The program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Which backend was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetReport {
    /// What people call it: a profile's name.
    pub name: String,
    /// The API's or the relay's URL, without its query.
    pub url: String,
    /// What it is.
    pub kind: TargetKind,
    /// Whether a sandbox played the phone.
    pub sandbox: bool,
}

/// What a backend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// The vendor's API.
    Vendor,
    /// A relay that hands out tokens; redeems go to the vendor.
    TokenRelay,
    /// A relay for both.
    Relay,
}

/// Where the run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The operating system.
    pub os: String,
    /// The processor.
    pub arch: String,
}

/// What was planned and what was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// Export Tokens planned.
    pub tokens_planned: u32,
    /// Export Tokens made.
    pub tokens_made: u32,
    /// Avatars planned.
    pub avatars_planned: u32,
    /// Avatars consumed.
    pub avatars_consumed: u32,
    /// `--max-tokens`.
    pub max_tokens: Option<u32>,
    /// `--destructive`.
    pub destructive: bool,
}

/// How the backend did where it was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Checks of a MUST.
    pub must: Tally,
    /// Checks of a SHOULD.
    pub should: Tally,
}

/// Passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
}

impl Tally {
    /// Both.
    pub fn judged(&self) -> usize {
        self.passed + self.failed
    }
}

/// How much was judged at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Rows of the table.
    pub requirements: usize,
    /// Rows that no check can cover.
    pub untestable: usize,
    /// Rows that say nothing about a backend of this kind.
    pub not_applicable: usize,
    /// Rows of the rest that were judged, wholly.
    pub judged: usize,
}

impl Coverage {
    /// Rows that could be judged.
    pub fn applicable(&self) -> usize {
        self.requirements - self.untestable - self.not_applicable
    }

    /// Of a hundred rows that could be judged, how many were.
    pub fn percent(&self) -> usize {
        (self.judged * 100).checked_div(self.applicable()).unwrap_or(0)
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckReport {
    /// Stable, as in `redeem.unknown-400`.
    pub id: String,
    /// What should hold.
    pub title: String,
    /// How much it weighs.
    pub level: Level,
    /// What it says.
    pub verdict: Verdict,
    /// What was seen, or why nothing can be told.
    pub detail: String,
    /// What is wrong, when it fails.
    pub findings: Vec<FindingReport>,
    /// What to do, when it fails.
    pub remedy: Option<String>,
    /// The requirements that it covers.
    pub requirements: Vec<String>,
    /// The steps that show it.
    pub steps: Vec<usize>,
}

impl CheckReport {
    /// The part of the id before the dot, as in `redeem`.
    pub(crate) fn area(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingReport {
    /// What should have come.
    pub expected: String,
    /// What came.
    pub came: String,
    /// The steps that show it.
    pub steps: Vec<usize>,
}

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequirementReport {
    /// Stable, as in `RED-8`.
    pub id: String,
    /// Where the sentence stands.
    pub place: String,
    /// The sentence.
    pub quote: String,
    /// How much it weighs.
    pub level: Level,
    /// What its checks say together; null where none can cover it.
    pub verdict: Option<Verdict>,
    /// The checks that cover it.
    pub checks: Vec<String>,
    /// Why none can.
    pub untestable: Option<String>,
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActReport {
    /// Which one.
    pub act: Act,
    /// What it does.
    pub does: String,
    /// Whether it was done to its end.
    pub done: bool,
    /// Why not.
    pub why: Option<String>,
}

/// How long an endpoint's answers took, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyReport {
    /// The endpoint: login, generate, redeem, download.
    pub call: String,
    /// How many answers.
    pub answers: usize,
    /// Half took at most this.
    pub p50_ms: f64,
    /// Ninety-five of a hundred took at most this.
    pub p95_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// Form of the responses to one kind of request, without any value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shape {
    /// Their statuses.
    pub statuses: BTreeSet<u16>,
    /// Their `Content-Type` headers.
    pub content_types: BTreeSet<String>,
    /// The names of their headers.
    pub headers: BTreeSet<String>,
    /// The JSON types at each location of their bodies.
    pub fields: BTreeMap<String, BTreeSet<String>>,
}

/// One request and its answer, redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// From 1.
    pub number: usize,
    /// The act that it belongs to.
    pub act: Act,
    /// What it does.
    pub what: String,
    /// Which Export Token of the run it was about, from 1.
    pub token: Option<usize>,
    /// How to send it by hand, with variables for secrets.
    pub curl: String,
    /// When it began (RFC 3339).
    pub at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// The request's method.
    pub method: String,
    /// The request's URL, masked.
    pub url: String,
    /// The request's headers, masked.
    pub request_headers: Vec<Header>,
    /// The request's body, masked.
    pub request_body: Option<String>,
    /// The answer's status; null when none came.
    pub status: Option<u16>,
    /// The answer's headers, masked.
    pub response_headers: Vec<Header>,
    /// The answer's body, masked and bounded; never a file's.
    pub body: Option<String>,
    /// How many bytes of the body came.
    pub body_size: u64,
    /// Why no whole answer came.
    pub error: Option<String>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value, masked where it is a secret.
    pub value: String,
}

impl Report {
    /// Reads an earlier run.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        match value.get("schema_version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(SCHEMA_VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "it is a report of form {version}, and this program reads form {SCHEMA_VERSION}"
                ));
            }
            None => return Err("it is no report of `copresence validate --report`".to_owned()),
        }
        serde_json::from_value(value).map_err(|error| format!("it is no whole report: {error}"))
    }

    /// The report as indented JSON, with a line end.
    pub fn to_json(&self) -> String {
        // Structs of texts and numbers always are JSON.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The checks that failed, MUST before SHOULD.
    pub fn failed(&self) -> Vec<&CheckReport> {
        let mut failed: Vec<_> = self.checks.iter().filter(|check| check.verdict == Verdict::Fail).collect();
        failed.sort_by_key(|check| check.level);
        failed
    }

    /// The run in one sentence.
    pub fn summary(&self) -> String {
        let Score { must, should } = self.score;
        match &self.error {
            Some(_) if self.exit == EXIT_STOPPED => {
                let failed = must.failed + should.failed;
                let judged = must.judged() + should.judged();
                return format!("Stopped: {failed} of the {judged} checks that were judged by then failed");
            }
            Some(error) => return format!("Nothing can be told: {error}"),
            None => {}
        }
        match (must.failed, should.failed) {
            (0, 0) => {
                format!("Passed: all {} required and all {} recommended checks", must.passed, should.passed)
            }
            (0, some) => format!(
                "Passed: all {} required checks; {some} of {} recommended ones failed",
                must.passed,
                should.judged()
            ),
            (some, _) => format!("Failed: {some} of {} required checks", must.judged()),
        }
    }
}

/// The schema of the JSON, indented, with a line end.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
