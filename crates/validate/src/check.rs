//! A check: judges one property of the backend from the observations of a run.

use crate::act::Act;
use crate::points::Point;
use crate::requirement::Level;
use crate::seen::{Seen, Step};
use serde::{Deserialize, Serialize};

/// Verdict of a check.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The backend fulfils the requirement.
    Pass,
    /// The backend violates the requirement.
    Fail,
    /// Omitted: by choice, because of the budget, or because there was no phone.
    Skipped,
    /// Tried, but the observations do not decide it.
    Inconclusive,
    /// The backend has nothing that the check could judge.
    NotApplicable,
}

impl Verdict {
    /// The verdict as shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
            Self::Inconclusive => "inconclusive",
            Self::NotApplicable => "not applicable",
        }
    }

    /// The verdict as shown to people, depending on the check's level: a failed SHOULD is only a warning.
    /// docs/validate.md explains each word.
    pub fn word(self, level: Level) -> &'static str {
        match (self, level) {
            (Self::Fail, Level::Should) => "warn",
            _ => self.as_str(),
        }
    }

    /// Whether the verdict says something about the backend (`pass` or `fail`).
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Pass | Self::Fail)
    }
}

/// One violation that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What the backend should have sent.
    pub expected: String,
    /// What the backend sent, without values that may be secret.
    pub came: String,
    /// Numbers of the steps that show it, from 1.
    pub steps: Vec<usize>,
}

impl Finding {
    /// The finding in one sentence.
    pub fn describe(&self) -> String {
        format!("expected {}, came {}", self.expected, self.came)
    }
}

/// Result of one check, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// Passed; the detail, and the numbers of the steps that show it.
    Pass(String, Vec<usize>),
    /// Failed; at least one finding.
    Fail(Vec<Finding>),
    /// Omitted; the reason.
    Skipped(String),
    /// Undecided; the reason.
    Inconclusive(String),
    /// Nothing to judge; the reason.
    NotApplicable(String),
}

impl Judged {
    /// The verdict alone.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Pass(..) => Verdict::Pass,
            Self::Fail(_) => Verdict::Fail,
            Self::Skipped(_) => Verdict::Skipped,
            Self::Inconclusive(_) => Verdict::Inconclusive,
            Self::NotApplicable(_) => Verdict::NotApplicable,
        }
    }

    /// One sentence a finding of a failed check; otherwise the detail or the reason.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Pass(detail, _)
            | Self::Skipped(detail)
            | Self::Inconclusive(detail)
            | Self::NotApplicable(detail) => vec![detail.clone()],
            Self::Fail(findings) => findings.iter().map(Finding::describe).collect(),
        }
    }
}

/// A check.
#[derive(Debug)]
pub struct Check {
    /// Stable id, as in `redeem.unknown-400`.
    pub id: &'static str,
    /// What should hold, as a sentence.
    pub title: &'static str,
    /// Acts whose observations the check needs.
    pub needs: &'static [Act],
    /// What to do if the check fails.
    pub remedy: &'static str,
    /// Judges the observations.
    pub judge: fn(&Seen) -> Judged,
}

/// Collects the findings of a check. Without findings the check passes.
#[derive(Default)]
pub(crate) struct Sheet {
    seen: Vec<usize>,
    findings: Vec<Finding>,
}

/// Maximum number of findings of a check, and of steps of a finding.
const MOST_TOLD: usize = 5;

impl Sheet {
    /// Records that the check examined a step.
    pub(crate) fn look(&mut self, step: &Step) {
        self.seen.push(step.number);
    }

    /// Examines a step, and adds a finding unless `good`.
    pub(crate) fn expect(
        &mut self,
        step: &Step,
        good: bool,
        expected: impl Into<String>,
        received: impl Into<String>,
    ) {
        self.look(step);
        if !good {
            self.wrong(&[step], expected, received);
        }
    }

    /// Examines a step by one field of its response.
    pub(crate) fn point(&mut self, step: &Step, point: Point) {
        self.expect(step, point.good, point.expected, point.came);
    }

    /// Adds a finding, with the steps that show it.
    pub(crate) fn wrong(
        &mut self,
        steps: &[&Step],
        expected: impl Into<String>,
        received: impl Into<String>,
    ) {
        let steps: Vec<_> = steps.iter().take(MOST_TOLD).map(|step| step.number).collect();
        let finding = Finding { expected: expected.into(), came: received.into(), steps };
        // The same violation at several steps is one finding.
        let same = |known: &&mut Finding| known.expected == finding.expected && known.came == finding.came;
        match self.findings.iter_mut().find(same) {
            Some(known) if known.steps.len() < MOST_TOLD => known.steps.extend(finding.steps),
            Some(_) => {}
            None => self.findings.push(finding),
        }
    }

    pub(crate) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    /// Whether no step was examined.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.findings.is_empty()
    }

    /// Ends the check: `Fail` with findings, `Inconclusive` with `nothing` if no step was examined, else `Pass`.
    pub(crate) fn judged(mut self, passed: impl Into<String>, nothing: impl Into<String>) -> Judged {
        if !self.findings.is_empty() {
            self.findings.truncate(MOST_TOLD);
            return Judged::Fail(self.findings);
        }
        if self.seen.is_empty() {
            return Judged::Inconclusive(nothing.into());
        }
        self.seen.dedup();
        self.seen.truncate(MOST_TOLD);
        Judged::Pass(passed.into(), self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_explains_every_verdict() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/validate.md");
        let docs = std::fs::read_to_string(docs).expect("docs/validate.md");
        for verdict in
            [Verdict::Pass, Verdict::Fail, Verdict::Skipped, Verdict::Inconclusive, Verdict::NotApplicable]
        {
            for level in [Level::Must, Level::Should] {
                let (word, json) = (verdict.word(level), serde_json::to_string(&verdict).expect("a word"));
                let row = docs.lines().find(|line| line.starts_with(&format!("| `{word}` |")));
                let row = row.unwrap_or_else(|| panic!("`{word}` is not documented"));
                assert!(row.contains(&format!("| `{}` |", json.trim_matches('"'))), "{row}");
            }
        }
    }
}
