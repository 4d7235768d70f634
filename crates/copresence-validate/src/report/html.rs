//! Renders the report as one self-contained HTML page without scripts.

use super::change::VerdictChange;
use super::invisible_text::escape_invisible_characters;
use super::{CheckReport, Report, RequirementReport, STALE_MESSAGE, StepReport};
use crate::check::Verdict;
use crate::requirement::Level;
use crate::verdict_effect::VerdictEffectOnRun;
use askama::Template;

/// Template of the report's HTML page.
#[derive(Template)]
#[template(path = "report.html")]
struct HtmlReport<'a> {
    report: &'a Report,
    changes: Option<&'a [VerdictChange]>,
    areas: Vec<CheckArea<'a>>,
}

/// The checks of one area.
struct CheckArea<'a> {
    name: &'static str,
    checks: Vec<&'a CheckReport>,
}

/// The areas: the part of the check id before the dot, and the heading.
const CHECK_AREAS: [(&str, &str); 15] = [
    ("login", "Logging in"),
    ("generate", "Generating Export Tokens"),
    ("redeem", "Redeeming"),
    ("fresh", "Before the scan"),
    ("visit", "From the scan to the files"),
    ("progress", "While the avatar is processed"),
    ("failed", "When the avatar fails"),
    ("delivery", "Delivering the URLs"),
    ("token", "Lifetime of the token"),
    ("files", "The files"),
    ("avatar", "The avatar"),
    ("errors", "Errors"),
    ("http", "TLS, caching, other sites"),
    ("time", "Time"),
    ("relay", "The partner's relay"),
];

/// Renders the page, with the changes since an earlier run if there is one.
///
/// # Errors
/// If the template cannot be rendered.
pub fn render_html(report: &Report, changes: Option<&[VerdictChange]>) -> Result<String, askama::Error> {
    let area = |(prefix, name): (&str, &'static str)| {
        let of_area = |check: &&CheckReport| check.area_of_check() == prefix;
        CheckArea { name, checks: report.checks.iter().filter(of_area).collect() }
    };
    let areas = CHECK_AREAS.into_iter().map(area).filter(|area| !area.checks.is_empty()).collect();
    // The texts of a backend are all over the page; its own markup has no such characters.
    HtmlReport { report, changes, areas }.render().map(|page| escape_invisible_characters(&page))
}

impl HtmlReport<'_> {
    /// CSS class of the banner.
    fn css_class_of_banner(&self) -> &'static str {
        match (self.report.exit, self.report.failed_checks().is_empty()) {
            (0, true) => "pass",
            (0, false) => "warn",
            _ => "fail",
        }
    }

    /// The failed checks that are not listed as known failures, MUST before SHOULD.
    fn failed_checks_except_known_failures(&self) -> Vec<&CheckReport> {
        self.report.failed_checks().into_iter().filter(|check| !check.expected_to_fail).collect()
    }

    /// The known failures that pass.
    fn known_failures_that_pass(&self) -> Vec<&CheckReport> {
        self.report.checks_with_effect(VerdictEffectOnRun::Stale)
    }

    /// The failed checks that are listed as known failures.
    fn failures_listed_as_known(&self) -> Vec<&CheckReport> {
        self.report.checks_with_effect(VerdictEffectOnRun::KnownFailure)
    }

    /// The headline of the report: the result of the run in one or two words, as on the banner.
    fn result_headline(&self) -> &'static str {
        match self.css_class_of_banner() {
            "pass" => "Passed",
            "warn" if !self.failures_listed_as_known().is_empty() => "Passed, with known failures",
            "warn" => "Passed, with recommendations",
            _ if self.report.error.is_some() => "Not judged",
            _ => "Failed",
        }
    }

    /// The CSS class of a check's verdict, by its effect on the run.
    fn css_class_of_check_verdict(&self, check: &CheckReport) -> &'static str {
        match self.report.run_effect_of_check_verdict(check) {
            VerdictEffectOnRun::Failure | VerdictEffectOnRun::Stale => "fail",
            VerdictEffectOnRun::Warning => "warn",
            VerdictEffectOnRun::KnownFailure => "open",
            VerdictEffectOnRun::Neutral => css_class_of_verdict(Some(check.verdict), check.level),
        }
    }

    /// The verdict of a check as a word, by its effect on the run.
    fn verdict_word_of_check(&self, check: &CheckReport) -> &'static str {
        self.report.run_effect_of_check_verdict(check).verdict_word(check.verdict)
    }

    /// Whether the check is a known failure that passes.
    fn is_known_failure_that_passes(&self, check: &CheckReport) -> bool {
        self.report.run_effect_of_check_verdict(check) == VerdictEffectOnRun::Stale
    }

    /// CSS class of the verdict before or after a change; `none` if the check does not exist in that run.
    fn css_class_of_verdict_or_none(change: &VerdictChange, verdict: Option<&Verdict>) -> &'static str {
        css_class_of_verdict(verdict.copied(), change.level)
    }

    /// The verdict as a word, or `missing` for a check that one report lacks.
    fn verdict_word_or_missing(change: &VerdictChange, verdict: Option<&Verdict>) -> &'static str {
        verdict.map_or("missing", |verdict| verdict.verdict_word_for_level(change.level))
    }

    /// The CSS class of a requirement, by its verdict.
    fn css_class_of_requirement_verdict(row: &RequirementReport) -> &'static str {
        css_class_of_verdict(row.verdict, row.level)
    }

    /// The word for a requirement's verdict, or `not testable` without one.
    fn requirement_verdict_word(row: &RequirementReport) -> &'static str {
        row.verdict.map_or("not testable", |verdict| verdict.verdict_word_for_level(row.level))
    }

    /// The status of a step's response, or `no response`.
    fn response_status_text(step: &StepReport) -> String {
        step.status.map_or_else(|| "no response".to_owned(), |status| status.to_string())
    }

    /// Indents a body if it is JSON.
    fn pretty_json(body: &str) -> String {
        let value: Result<serde_json::Value, _> = serde_json::from_str(body);
        value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| body.to_owned())
    }

    /// Splits a text at its backticks. The flag says whether the part is code.
    fn split_code_spans(text: &str) -> Vec<(bool, &str)> {
        text.split('`').enumerate().map(|(index, part)| (index % 2 == 1, part)).collect()
    }

    /// The score of an area: its number of passed checks, as in `3 of 4 passed`.
    fn format_area_passed_count(area: &CheckArea<'_>) -> String {
        let count = |verdict| area.checks.iter().filter(|check| check.verdict == verdict).count();
        let (passed, failed) = (count(Verdict::Pass), count(Verdict::Fail));
        format!("{passed} of {} passed", passed + failed)
    }
}

/// CSS class of a verdict. A failed SHOULD is only a warning.
fn css_class_of_verdict(verdict: Option<Verdict>, level: Level) -> &'static str {
    match (verdict, level) {
        (Some(Verdict::Pass), _) => "pass",
        (Some(Verdict::Fail), Level::Must) => "fail",
        (Some(Verdict::Fail), Level::Should) => "warn",
        (Some(Verdict::NotApplicable) | None, _) => "none",
        (Some(Verdict::Skipped | Verdict::Inconclusive), _) => "open",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::CHECKS;

    #[test]
    fn every_check_belongs_to_an_area() {
        for check in CHECKS.iter() {
            let prefix = check.id.split('.').next().unwrap_or_default();
            assert!(CHECK_AREAS.iter().any(|(area, _)| *area == prefix), "{}", check.id);
        }
    }
}
