//! Known failures: the list of checks that are expected to fail.
//!
//! The list is a text file with one check id per line. `#` begins a comment.

use crate::check::Verdict;
use crate::checks::CHECKS;
use crate::requirement::Level;
use crate::verdict_effect::VerdictEffectOnRun;
use std::collections::BTreeMap;

/// The first lines of a new list.
const NEW_LIST_HEADER: &str = "\
# Checks of `copresence validate` that are known to fail: one id per line; `#` begins a comment.
# With --expected-failures the run passes if no other check fails. A listed check that passes is stale and fails the
# run: remove its line, or renew the list with --write-expected, which keeps the comments.
";

/// Which failed checks fail the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailurePolicy {
    /// The lowest level whose failures fail the run.
    pub fail_on: Level,
    /// The checks that are expected to fail.
    pub expected: ExpectedFailures,
}

/// # Defaults
/// A failed MUST fails the run, and no failure is expected.
impl Default for FailurePolicy {
    fn default() -> Self {
        Self { fail_on: Level::Must, expected: ExpectedFailures::default() }
    }
}

impl FailurePolicy {
    /// How the verdict of a check counts for the result of the run.
    pub fn effect_of_verdict(&self, check: &str, level: Level, verdict: Verdict) -> VerdictEffectOnRun {
        VerdictEffectOnRun::compute_verdict_effect(
            verdict,
            level,
            self.fail_on,
            self.expected.is_failure_expected(check),
        )
    }
}

/// The list of checks that are expected to fail, with its comments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedFailures {
    lines: Vec<ExpectedFailuresLine>,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ExpectedFailuresLine {
    /// The whole line, with its comment.
    text: String,
    /// Id of the listed check; `None` for a line without one.
    check: Option<&'static str>,
}

/// Why a list cannot be used, and where. Displayed as `LINE:COLUMN: reason`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {reason}")]
pub struct ExpectedFailuresError {
    /// Number of the line, from 1.
    pub line: usize,
    /// Number of the character in the line, from 1.
    pub column: usize,
    /// What is wrong, and what is expected.
    pub reason: String,
}

impl ExpectedFailures {
    /// Parses a list.
    ///
    /// # Errors
    /// The position and the reason, if the text is not UTF-8, or a line is neither empty nor a comment nor the id of a
    /// check that no other line lists.
    pub fn parse_list(bytes: &[u8]) -> Result<Self, ExpectedFailuresError> {
        let text = decode_utf8(bytes)?;
        let mut first_lines = BTreeMap::new();
        let mut lines = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let line = index.saturating_add(1);
            let check =
                parse_line(text).map_err(|(offset, reason)| build_list_error_at_offset(text, line, offset, reason))?;
            if let Some((id, offset)) = check
                && let Some(first) = first_lines.insert(id, line)
            {
                return Err(build_list_error_at_offset(
                    text,
                    line,
                    offset,
                    format!("`{id}` is already listed in line {first}"),
                ));
            }
            lines.push(ExpectedFailuresLine { text: text.to_owned(), check: check.map(|(id, _)| id) });
        }
        Ok(Self { lines })
    }

    /// Whether the check is expected to fail.
    pub fn is_failure_expected(&self, check: &str) -> bool {
        self.lines.iter().any(|line| line.check == Some(check))
    }

    /// The list without the checks for which `has_passed` holds, and with the `failed` ones: the ids and titles of
    /// further checks. Keeps comments.
    #[must_use]
    pub fn remove_passed_and_add_failed<'a>(
        &self,
        has_passed: impl Fn(&str) -> bool,
        failed: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let kept = self.lines.iter().filter(|line| !line.check.is_some_and(&has_passed));
        let mut lines: Vec<_> = kept.cloned().collect();
        if self.lines.is_empty() {
            lines.extend(
                NEW_LIST_HEADER.lines().map(|text| ExpectedFailuresLine { text: text.to_owned(), check: None }),
            );
        }
        for (id, title) in failed {
            if let Some(id) = find_known_check_id(id).filter(|id| !self.is_failure_expected(id)) {
                lines.push(ExpectedFailuresLine { text: format!("{id:<24}  # {title}"), check: Some(id) });
            }
        }
        Self { lines }
    }

    /// The list as text, with a final newline.
    pub fn render_list(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

/// Decodes UTF-8 without a byte order mark. The error says where the first other byte is.
fn decode_utf8(bytes: &[u8]) -> Result<&str, ExpectedFailuresError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
        let valid = valid.unwrap_or_default();
        let text = valid.rsplit('\n').next().unwrap_or_default();
        let line = valid.matches('\n').count().saturating_add(1);
        build_list_error_at_offset(text, line, text.len(), "the text is not UTF-8".to_owned())
    })
}

/// Parses a line: the id of its check with the byte offset of the id, or `None`. The error has a byte offset and the
/// reason.
fn parse_line(text: &str) -> Result<Option<(&'static str, usize)>, (usize, String)> {
    let content = text.split('#').next().unwrap_or_default();
    let is_text = |c: char| !c.is_whitespace();
    let Some(start) = content.find(is_text) else { return Ok(None) };
    let end = content[start..].find(char::is_whitespace).map_or(content.len(), |length| start + length);
    let word = &content[start..end];
    if let Some(gap) = content[end..].find(is_text) {
        return Err((end + gap, "a line has one check id; a comment begins with `#`".to_owned()));
    }
    match find_known_check_id(word) {
        Some(id) => Ok(Some((id, start))),
        None => Err((start, describe_unknown_id(word))),
    }
}

/// The error for a byte offset in a line.
fn build_list_error_at_offset(text: &str, line: usize, offset: usize, reason: String) -> ExpectedFailuresError {
    let before = text.get(..offset).unwrap_or_default();
    ExpectedFailuresError { line, column: before.chars().count().saturating_add(1), reason }
}

/// Finds this id among those of the program's checks; `None` if no check has it.
fn find_known_check_id(id: &str) -> Option<&'static str> {
    CHECKS.iter().map(|check| check.id).find(|known| *known == id)
}

/// Says that no check has this id, and which one may be meant.
fn describe_unknown_id(word: &str) -> String {
    let similarity = |id: &str| strsim::jaro_winkler(word, id);
    let nearest = CHECKS.iter().map(|check| check.id).max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest.filter(|id| similarity(id) > 0.8) {
        Some(id) => format!("no check has the id `{word}`; is `{id}` meant?"),
        None => format!("no check has the id `{word}`; the report of a run lists the ids"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ExpectedFailures, String> {
        ExpectedFailures::parse_list(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_has_ids_comments_and_empty_lines() {
        let text = "\u{feff}# Known\r\n\r\n  redeem.missing-400\t# 404 until release 4\r\nhttp.no-store#x\r\n";
        let list = parse(text).expect("a list");
        assert!(list.is_failure_expected("redeem.missing-400") && list.is_failure_expected("http.no-store"));
        assert!(!list.is_failure_expected("http.cors") && !list.is_failure_expected("Known"));
        assert_eq!(parse("").expect("an empty list"), ExpectedFailures::default());
    }

    #[test]
    fn a_wrong_line_is_refused_with_its_position() {
        for (text, expected) in [
            (
                "# é\n  redeem.mising-400\n",
                "2:3: no check has the id `redeem.mising-400`; is `redeem.missing-400` meant?",
            ),
            ("42\n", "1:1: no check has the id `42`; the report of a run lists the ids"),
            ("http.cors\n\nhttp.cors # again", "3:1: `http.cors` is already listed in line 1"),
            ("http.cors http.no-store", "1:11: a line has one check id; a comment begins with `#`"),
        ] {
            assert_eq!(parse(text).expect_err(text), expected);
        }
        let error = ExpectedFailures::parse_list(b"http.cors\n# caf\xe9\n").expect_err("Latin-1");
        assert_eq!(error.to_string(), "2:6: the text is not UTF-8");
    }

    #[test]
    fn a_renewed_list_keeps_comments_and_drops_what_passed() {
        let list = parse("# Team A\nhttp.cors # ABC-1\nredeem.json # ABC-2\n").expect("a list");
        let renewed = list.remove_passed_and_add_failed(
            |id| id == "http.cors",
            [("redeem.json", "Title"), ("files.once", "Each once")],
        );
        let text = "# Team A\nredeem.json # ABC-2\nfiles.once                # Each once\n";
        assert_eq!(renewed.render_list(), text);
        let new = ExpectedFailures::default()
            .remove_passed_and_add_failed(|_| false, [("files.once", "Each once")])
            .render_list();
        assert!(new.starts_with("# Checks of `copresence validate`") && new.ends_with("# Each once\n"), "{new}");
        assert!(parse(&new).expect("a list").is_failure_expected("files.once"));
    }

    #[test]
    fn only_unlisted_failures_of_the_level_and_stale_entries_fail_the_run() {
        use VerdictEffectOnRun::{Failure, KnownFailure, Neutral, Stale, Warning};
        let expected = parse("http.cors\nredeem.json").expect("a list");
        let lenient = FailurePolicy { fail_on: Level::Must, expected: expected.clone() };
        let strict = FailurePolicy { fail_on: Level::Should, expected };
        for (check, level, verdict, at_must, at_should) in [
            ("http.no-store", Level::Should, Verdict::Fail, Warning, Failure),
            ("files.once", Level::Must, Verdict::Fail, Failure, Failure),
            ("http.cors", Level::Should, Verdict::Fail, KnownFailure, KnownFailure),
            ("http.cors", Level::Should, Verdict::Pass, Stale, Stale),
            ("http.cors", Level::Should, Verdict::Inconclusive, Neutral, Neutral),
            ("files.once", Level::Must, Verdict::Pass, Neutral, Neutral),
        ] {
            assert_eq!(lenient.effect_of_verdict(check, level, verdict), at_must, "{check} {verdict:?}");
            assert_eq!(strict.effect_of_verdict(check, level, verdict), at_should, "{check} {verdict:?}");
        }
    }
}
