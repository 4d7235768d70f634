//! A check: judges one property of the backend from the observations of a run.

use crate::act::Act;
use crate::observations::{Observations, RecordedStep};
use crate::requirement::Level;
use crate::response_fields::FieldResult;
use serde::{Deserialize, Serialize};

/// Verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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
    pub fn verdict_word_for_level(self, level: Level) -> &'static str {
        match (self, level) {
            (Self::Fail, Level::Should) => "warn",
            _ => self.as_str(),
        }
    }

    /// Whether the verdict says something about the backend (`pass` or `fail`).
    pub fn is_pass_or_fail(self) -> bool {
        matches!(self, Self::Pass | Self::Fail)
    }
}

/// One violation that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What the backend should have sent.
    pub expected: String,
    /// What the backend sent, without values that may be secret.
    pub received: String,
    /// Numbers of the steps that show it, from 1.
    pub steps: Vec<usize>,
}

impl Finding {
    /// The finding in one sentence.
    pub fn describe_finding(&self) -> String {
        format!("expected {}, came {}", self.expected, self.received)
    }
}

/// Result of one check, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckResult {
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

impl CheckResult {
    /// The verdict of the check, without its findings or reason.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Pass(..) => Verdict::Pass,
            Self::Fail(_) => Verdict::Fail,
            Self::Skipped(_) => Verdict::Skipped,
            Self::Inconclusive(_) => Verdict::Inconclusive,
            Self::NotApplicable(_) => Verdict::NotApplicable,
        }
    }

    /// The findings of a failed check, one sentence each. For any other verdict, the detail or the reason.
    pub fn findings_or_reason_sentences(&self) -> Vec<String> {
        match self {
            Self::Pass(detail, _)
            | Self::Skipped(detail)
            | Self::Inconclusive(detail)
            | Self::NotApplicable(detail) => vec![detail.clone()],
            Self::Fail(findings) => findings.iter().map(Finding::describe_finding).collect(),
        }
    }
}

/// One check of the table: its id and title, the acts that it needs, and how it judges their observations.
#[derive(Debug)]
pub struct Check {
    /// Stable id, as in `redeem.unknown-400`.
    pub id: &'static str,
    /// What should hold, as a sentence.
    pub title: &'static str,
    /// Acts whose observations the check needs.
    pub required_acts: &'static [Act],
    /// What to do if the check fails.
    pub remedy: &'static str,
    /// Judges the observations.
    pub judge: fn(&Observations) -> CheckResult,
}

/// Collects the findings of a check. Without findings the check passes.
#[derive(Default)]
pub(crate) struct FindingCollector {
    examined_steps: Vec<usize>,
    findings: Vec<Finding>,
}

/// Maximum number of findings of a check, and of steps of a finding.
const MAX_REPORTED: usize = 5;

impl FindingCollector {
    /// Records that the check examined a step.
    pub(crate) fn mark_step_examined(&mut self, step: &RecordedStep) {
        self.examined_steps.push(step.number);
    }

    /// Records the result of a step: marks the step as examined, and adds a finding unless `good`.
    pub(crate) fn record_step_result(
        &mut self,
        step: &RecordedStep,
        good: bool,
        expected: impl Into<String>,
        received: impl Into<String>,
    ) {
        self.mark_step_examined(step);
        if !good {
            self.add_finding(&[step], expected, received);
        }
    }

    /// Records the result of one field of a response: marks the step as examined, and adds a finding unless the
    /// field is good.
    pub(crate) fn record_field_result(&mut self, step: &RecordedStep, point: FieldResult) {
        self.record_step_result(step, point.is_ok, point.expected, point.received);
    }

    /// Adds a finding, with the steps that show it.
    pub(crate) fn add_finding(
        &mut self,
        steps: &[&RecordedStep],
        expected: impl Into<String>,
        received: impl Into<String>,
    ) {
        let steps: Vec<_> = steps.iter().take(MAX_REPORTED).map(|step| step.number).collect();
        let finding = Finding { expected: expected.into(), received: received.into(), steps };
        // The same violation at several steps is one finding.
        let same = |known: &&mut Finding| known.expected == finding.expected && known.received == finding.received;
        match self.findings.iter_mut().find(same) {
            Some(known) if known.steps.len() < MAX_REPORTED => known.steps.extend(finding.steps),
            Some(_) => {}
            None => self.findings.push(finding),
        }
    }

    /// Whether a violation was found.
    pub(crate) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    /// Whether no step was examined and no violation was found.
    pub(crate) fn has_examined_nothing(&self) -> bool {
        self.examined_steps.is_empty() && self.findings.is_empty()
    }

    /// Ends the check. The result is `Fail` if there are findings, `Inconclusive` with the reason `nothing` if no
    /// step was examined, otherwise `Pass`.
    pub(crate) fn into_check_result(mut self, passed: impl Into<String>, nothing: impl Into<String>) -> CheckResult {
        if !self.findings.is_empty() {
            self.findings.truncate(MAX_REPORTED);
            return CheckResult::Fail(self.findings);
        }
        if self.examined_steps.is_empty() {
            return CheckResult::Inconclusive(nothing.into());
        }
        self.examined_steps.dedup();
        self.examined_steps.truncate(MAX_REPORTED);
        CheckResult::Pass(passed.into(), self.examined_steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_explains_every_verdict() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/validate.md");
        let docs = std::fs::read_to_string(docs).expect("docs/validate.md");
        for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Skipped, Verdict::Inconclusive, Verdict::NotApplicable] {
            for level in [Level::Must, Level::Should] {
                let (word, json) =
                    (verdict.verdict_word_for_level(level), serde_json::to_string(&verdict).expect("a word"));
                let row = docs.lines().find(|line| line.starts_with(&format!("| `{word}` |")));
                let row = row.unwrap_or_else(|| panic!("`{word}` is not documented"));
                assert!(row.contains(&format!("| `{}` |", json.trim_matches('"'))), "{row}");
            }
        }
    }
}
