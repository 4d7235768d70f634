//! Renders a summary of the report as Markdown, for the page of a CI run (GitHub's `$GITHUB_STEP_SUMMARY`).

use super::change::VerdictChange;
use super::invisible_text::escape_invisible_characters;
use super::{CheckReport, Report};
use crate::verdict_effect::VerdictEffectOnRun;
use std::fmt::Write as _;

/// Maximum number of characters of a text of the backend. GitHub accepts 1 MiB for one step.
const MAX_TEXT_CHARACTERS: usize = 500;

/// Renders the summary, with the changes since an earlier run if there is one. Texts of a backend are in code spans, where
/// they cannot be links, mentions or HTML.
pub fn render_markdown_summary(report: &Report, changes: Option<&[VerdictChange]>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    _ = write_summary(&mut text, report, changes);
    text
}

/// Appends the summary to `text`.
fn write_summary(text: &mut String, report: &Report, changes: Option<&[VerdictChange]>) -> std::fmt::Result {
    let failed = report.failed_checks();
    let mark = match (report.exit, failed.is_empty()) {
        (0, true) => "✅",
        (0, false) => "⚠️",
        _ => "❌",
    };
    writeln!(text, "\n## {mark} {}\n", escape_markdown(&report.summary()))?;
    let sandbox = if report.target.sandbox { " (sandbox)" } else { "" };
    let (name, url) = (code_span(&report.target.name), code_span(&report.target.url));
    writeln!(text, "Profile {name}, {url}{sandbox}, {}\n", report.started_at)?;
    let (must, should, coverage) = (report.score.must, report.score.should, &report.coverage);
    writeln!(text, "| | passed | failed |\n|---|---:|---:|")?;
    writeln!(text, "| required (MUST) | {} | {} |", must.passed, must.failed)?;
    writeln!(text, "| recommended (SHOULD) | {} | {} |\n", should.passed, should.failed)?;
    let percent = coverage.judged_requirements_percent();
    let judgeable = coverage.judgeable_requirement_count();
    writeln!(text, "Coverage: {} of {judgeable} requirements judged ({percent} %).", coverage.judged)?;
    for (effect, heading) in [
        (VerdictEffectOnRun::Failure, "To be fixed"),
        (VerdictEffectOnRun::Warning, "Recommended"),
        (VerdictEffectOnRun::Stale, "Stale: known failures that pass"),
        (VerdictEffectOnRun::KnownFailure, "Known failures"),
    ] {
        let checks = report.checks_with_effect(effect);
        if !checks.is_empty() {
            writeln!(text, "\n### {heading}\n")?;
        }
        for check in checks {
            write_check(text, check, effect)?;
        }
    }
    if let Some(changes) = changes.filter(|changes| !changes.is_empty()) {
        writeln!(text, "\n### Since the baseline\n")?;
        for change in changes {
            writeln!(text, "- {}", code_span(&change.describe_change()))?;
        }
    }
    Ok(())
}

/// Writes a check as a list item, with its findings as items below it.
fn write_check(text: &mut String, check: &CheckReport, effect: VerdictEffectOnRun) -> std::fmt::Result {
    writeln!(text, "- {}: {} ({})", code_span(&check.id), check.title, check.level.uppercase_level())?;
    if effect == VerdictEffectOnRun::Stale {
        return writeln!(text, "  - Remove it from the list of `--expected-failures`.");
    }
    for finding in &check.findings {
        writeln!(text, "  - expected {}, received {}", code_span(&finding.expected), code_span(&finding.came))?;
    }
    match check.remedy.as_ref().filter(|_| effect != VerdictEffectOnRun::KnownFailure) {
        Some(remedy) => writeln!(text, "  - What to do: {remedy}"),
        None => Ok(()),
    }
}

/// The text as a code span of one line, shortened, with its invisible characters shown.
fn code_span(text: &str) -> String {
    let shown = escape_invisible_characters(text).replace(['\n', '\r', '\t'], " ");
    let mut shortened: String = shown.chars().take(MAX_TEXT_CHARACTERS).collect();
    if shortened.len() < shown.len() {
        shortened.push('…');
    }
    // The fence is longer than every run of backticks in the text.
    let longest = shortened.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 || shortened.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{shortened}{pad}{fence}")
}

/// Escapes a text so that Markdown and HTML show it verbatim, in one line.
fn escape_markdown(text: &str) -> String {
    let shown = escape_invisible_characters(text).replace(['\n', '\r', '\t'], " ");
    let mut escaped = String::with_capacity(shown.len());
    for c in shown.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '#' | '!' | '@' | ':' | '.') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_contains_every_text() {
        assert_eq!(code_span("a | <b> @c"), "`a | <b> @c`");
        assert_eq!(code_span("`a` ```\nb\u{202e}"), r"```` `a` ``` b\u{202e} ````");
        assert_eq!(code_span(""), "`  `");
        let long = code_span(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), MAX_TEXT_CHARACTERS + 3);
        assert_eq!(escape_markdown("www.x <b> [y](z)"), r"www\.x \<b\> \[y\](z)");
    }
}
