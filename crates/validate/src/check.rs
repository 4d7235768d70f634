//! A check: one small judgement over what was seen.

use crate::act::Act;
use crate::points::Point;
use crate::requirement::Level;
use crate::seen::{Seen, Step};
use serde::{Deserialize, Serialize};

/// What a check says in the end.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The backend keeps it.
    Pass,
    /// The backend breaks it.
    Fail,
    /// It was left out: by choice, for the budget, or because nobody was there.
    Skipped,
    /// It was tried, and nothing can be told.
    Inconclusive,
    /// There is nothing here that it could judge.
    NotApplicable,
}

impl Verdict {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
            Self::Inconclusive => "inconclusive",
            Self::NotApplicable => "not applicable",
        }
    }

    /// For people, of a check of that level: what breaks a SHOULD only warns. Terminal, window and page say it so, and
    /// docs/validate.md tells what it means.
    pub fn word(self, level: Level) -> &'static str {
        match (self, level) {
            (Self::Fail, Level::Should) => "warn",
            _ => self.as_str(),
        }
    }

    /// Whether it tells something about the backend.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Pass | Self::Fail)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What should have come.
    pub expected: String,
    /// What came; no value that may be a secret.
    pub came: String,
    /// The numbers of the steps that show it.
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
    /// Kept; what was seen, and the steps that show it.
    Pass(String, Vec<usize>),
    /// Broken.
    Fail(Vec<Finding>),
    /// Left out, and why.
    Skipped(String),
    /// Nothing can be told.
    Inconclusive(String),
    /// Nothing to judge.
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
    /// Stable, as in `redeem.unknown-400`.
    pub id: &'static str,
    /// What should hold, as a sentence.
    pub title: &'static str,
    /// The acts without which there is nothing to judge.
    pub needs: &'static [Act],
    /// What to do when it fails.
    pub remedy: &'static str,
    /// Judges.
    pub judge: fn(&Seen) -> Judged,
}

/// Gathers what is wrong, and passes when nothing is.
#[derive(Default)]
pub(crate) struct Sheet {
    seen: Vec<usize>,
    findings: Vec<Finding>,
}

/// As many findings and steps are told of one check.
const MOST_TOLD: usize = 5;

impl Sheet {
    /// A step that was looked at.
    pub(crate) fn look(&mut self, step: &Step) {
        self.seen.push(step.number);
    }

    /// Looks at a step, which must be so.
    pub(crate) fn expect(
        &mut self,
        step: &Step,
        good: bool,
        expected: impl Into<String>,
        came: impl Into<String>,
    ) {
        self.look(step);
        if !good {
            self.wrong(&[step], expected, came);
        }
    }

    /// Looks at one place of a step's answer.
    pub(crate) fn point(&mut self, step: &Step, point: Point) {
        self.expect(step, point.good, point.expected, point.came);
    }

    pub(crate) fn wrong(&mut self, steps: &[&Step], expected: impl Into<String>, came: impl Into<String>) {
        let steps: Vec<_> = steps.iter().take(MOST_TOLD).map(|step| step.number).collect();
        let finding = Finding { expected: expected.into(), came: came.into(), steps };
        // The same thing at many steps is one finding.
        let same = |told: &&mut Finding| told.expected == finding.expected && told.came == finding.came;
        match self.findings.iter_mut().find(same) {
            Some(told) if told.steps.len() < MOST_TOLD => told.steps.extend(finding.steps),
            Some(_) => {}
            None => self.findings.push(finding),
        }
    }

    pub(crate) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    /// Whether nothing was looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.findings.is_empty()
    }

    /// Nothing wrong passes, when something was looked at at all.
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
    fn every_word_of_a_verdict_is_told_in_the_documentation() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/validate.md");
        let docs = std::fs::read_to_string(docs).expect("there");
        for verdict in
            [Verdict::Pass, Verdict::Fail, Verdict::Skipped, Verdict::Inconclusive, Verdict::NotApplicable]
        {
            for level in [Level::Must, Level::Should] {
                let (word, json) = (verdict.word(level), serde_json::to_string(&verdict).expect("a word"));
                let row = docs.lines().find(|line| line.starts_with(&format!("| `{word}` |")));
                let row = row.unwrap_or_else(|| panic!("`{word}` is not told"));
                assert!(row.contains(&format!("| `{}` |", json.trim_matches('"'))), "{row}");
            }
        }
    }
}
