//! The checks of `copresence validate`, run from the window.

use super::Problem;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a run is allowed. Whole when asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
pub struct ChecksAsk {
    /// Export Tokens that the run may ask for at most: each is somebody's money.
    pub most_tokens: u32,
    /// Whether requests that are wrong on purpose may be sent.
    pub wrong_requests: bool,
    /// Whether a person with a phone (or the sandbox, by itself) makes an avatar.
    pub with_phone: bool,
    /// Whether it may begin although a visit is under way that it disturbs, as [`ChecksPlan::disturbs`] says.
    pub despite_visits: bool,
}

/// What a run would do, before it sends anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ChecksPlan {
    /// Each act, in its order; also those that are left out.
    pub acts: Vec<PlannedAct>,
    /// Requests that it sends at least: while it waits for an avatar, each look at it is one more.
    pub requests: u32,
    /// Export Tokens that it makes.
    pub tokens: u32,
    /// Tokens more, if the backend gives some where it must refuse.
    pub tokens_at_risk: u32,
    /// Avatars that it consumes.
    pub avatars: u32,
    /// Whether nobody pays for them, because they are a sandbox's.
    pub free: bool,
    /// Whether somebody is asked to scan a code.
    pub asks_people: bool,
    /// Whether it moves the sandbox's clock on.
    pub moves_clock: bool,
    /// Visits under way that it disturbs by that: their time passes, too.
    pub disturbs: u32,
}

/// One act of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PlannedAct {
    /// What it does, as in `log in`.
    pub does: String,
    /// Requests that it sends at least.
    pub requests: u32,
    /// Why it is left out, if it is.
    pub left_out: Option<String>,
}

/// A run, whole; before the first, what could be run.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ChecksView {
    /// What is checked: the backend's host.
    pub target: String,
    /// How the run stands.
    pub stand: ChecksStand,
    /// Every check, in its order.
    pub checks: Vec<CheckView>,
    /// What is being done now, in words.
    pub doing: Option<String>,
    /// The code that somebody with a phone is asked to scan.
    pub invitation: Option<ChecksInvitation>,
    /// Requests sent so far.
    pub requests: u32,
    /// Export Tokens asked for so far.
    pub tokens: u32,
    /// The run in one sentence, when it is over.
    pub summary: Option<String>,
    /// What people should know, in the order in which it came.
    pub notes: Vec<String>,
    /// Where the report was saved last, as people read it.
    pub saved: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChecksStand {
    /// None was begun.
    Idle,
    /// Under way.
    Running,
    /// Ended; every check has its verdict.
    Ended {
        /// Whether every MUST holds that could be judged.
        passed: bool,
    },
    /// Could not tell anything, or was stopped.
    Broken {
        /// Why, and what to do.
        problem: Problem,
    },
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct CheckView {
    /// Stable, as in `redeem.unknown-400`.
    pub id: String,
    /// What should hold, as a sentence.
    pub title: String,
    /// `must`, `should` or `may`.
    pub level: String,
    /// None while it waits; else `pass`, `fail`, `skipped`, `inconclusive` or `not applicable`.
    pub verdict: Option<String>,
    /// What was seen, or what is wrong: expected and came.
    pub findings: Vec<String>,
    /// What to do when it fails.
    pub remedy: String,
    /// The requirements that it covers.
    pub requirements: Vec<String>,
}

/// What somebody with a phone is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ChecksInvitation {
    /// What the code says.
    pub link: String,
    /// The code, as an SVG document.
    pub qr_svg: String,
    /// What the avatar is needed for.
    pub purpose: String,
    /// How far the avatar is, in words.
    pub status: Option<String>,
}
