//! The checks of `copresence validate`, run from the window.

use super::{Problem, ProblemTypescriptDeclaration};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Options of a run of the checks: what it may spend, send and disturb. All fields are required.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
pub struct CheckRunOptions {
    /// Maximum number of Export Tokens that the run may request. Each one costs money.
    pub most_tokens: u32,
    /// Whether deliberately invalid requests may be sent.
    pub wrong_requests: bool,
    /// Whether avatars are made, by a person with a phone or by the sandbox itself.
    pub with_phone: bool,
    /// Whether to start even if a visit in progress is disturbed, see [`ChecksPlan::disturbs`].
    pub despite_visits: bool,
}

/// What a run would do. Nothing has been sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ChecksPlan {
    /// Every step in order, including those that are left out.
    pub acts: Vec<PlannedCheckStep>,
    /// Minimum number of requests. Each poll while waiting for an avatar is one more.
    pub requests: u32,
    /// Export Tokens that it requests.
    pub tokens: u32,
    /// Further tokens that a backend creates if it accepts requests that it must refuse.
    pub tokens_at_risk: u32,
    /// Avatars that it consumes.
    pub avatars: u32,
    /// Whether the tokens cost nothing, because the backend is a sandbox.
    pub free: bool,
    /// Whether a person has to scan a code.
    pub asks_people: bool,
    /// Whether it moves the sandbox's clock forward.
    pub moves_clock: bool,
    /// Visits in progress whose time passes faster because the clock is moved.
    pub disturbs: u32,
}

/// One step of a planned run of the checks, with the requests that it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PlannedCheckStep {
    /// What it does, as in `log in`.
    pub does: String,
    /// Minimum number of requests.
    pub requests: u32,
    /// Why it is left out, if it is.
    pub left_out: Option<String>,
}

/// State of the checks. Before the first run, what can be run.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ChecksView {
    /// Host of the checked backend.
    pub target: String,
    /// State of the run.
    pub stand: ChecksState,
    /// Every check, in order.
    pub checks: Vec<CheckView>,
    /// What the run is doing now, in words.
    pub doing: Option<String>,
    /// The code that a person with a phone has to scan.
    pub invitation: Option<PhoneScanRequestForChecks>,
    /// Requests sent so far.
    pub requests: u32,
    /// Export Tokens requested so far.
    pub tokens: u32,
    /// Summary of the run in one sentence, once it has ended.
    pub summary: Option<String>,
    /// Notes for people, in order of appearance.
    pub notes: Vec<String>,
    /// Folder of the last saved report, `~/…` below the home folder.
    pub saved: Option<String>,
}

/// State of a run of checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChecksState {
    /// No run has been started.
    Idle,
    /// In progress.
    Running,
    /// Ended; every check has a verdict.
    Ended {
        /// Whether every MUST that could be judged holds.
        passed: bool,
    },
    /// Failed before a judgement was possible, or was stopped.
    Broken {
        /// Why, and what to do.
        #[ts(as = "ProblemTypescriptDeclaration")]
        problem: Problem,
    },
}

/// One check of a conformance run, as the window shows it: its meaning, verdict and findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct CheckView {
    /// Stable id, as in `redeem.unknown-400`.
    pub id: String,
    /// What should hold, as a sentence.
    pub title: String,
    /// `must`, `should` or `may`.
    pub level: String,
    /// None while it waits; otherwise `pass`, `fail`, `skipped`, `inconclusive` or `not applicable`.
    pub verdict: Option<String>,
    /// Observations; for a failure, what was expected and what came instead.
    pub findings: Vec<String>,
    /// What to do if it fails.
    pub remedy: String,
    /// Ids of the requirements that it covers.
    pub requirements: Vec<String>,
}

/// Request, during a run of the checks, to a person with a phone to scan a QR code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PhoneScanRequestForChecks {
    /// The link in the code.
    pub link: String,
    /// The QR code as an SVG document.
    pub qr_svg: String,
    /// What the avatar is needed for.
    pub purpose: String,
    /// Progress of the avatar, in words.
    pub status: Option<String>,
}
