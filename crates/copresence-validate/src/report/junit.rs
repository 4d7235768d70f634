//! Renders the report as `JUnit` XML for CI systems: one suite for each area, one case for each check.

use super::invisible_text::escape_invisible_characters;
use super::{CheckReport, Report, STALE_MESSAGE};
use crate::check::Verdict;
use crate::verdict_effect::VerdictEffectOnRun;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// Renders the report as `JUnit` XML.
///
/// A check that fails the run is a failure; so is a known failure that passes, with the type `STALE`. Other failed checks
/// are skipped cases whose message starts with `SHOULD` or `KNOWN`. So a CI system fails exactly if the exit code is 1. If
/// the run could not judge the backend, an extra case is an error.
///
/// The time of a case is that of the requests that show its verdict. Invisible characters of a backend are written as
/// `\u{…}`. The XML is valid for the schema of Jenkins.
///
/// # Errors
/// If the XML cannot be written.
pub fn render_junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let name = format!("copresence validate: {}", report.target.name);
    let mut junit = quick_junit::Report::new(escape_invisible_characters(&name));
    junit.set_time(run_duration(report));
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    for check in &report.checks {
        let area = check.area_of_check().to_owned();
        if suites.last().is_none_or(|(name, _)| *name != area) {
            suites.push((area.clone(), TestSuite::new(area)));
        }
        if let Some((_, suite)) = suites.last_mut() {
            suite.add_test_case(build_test_case(report, check));
        }
    }
    if let Some(error) = &report.error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        // GitLab shows the text of the element, Jenkins also its attribute.
        let error = escape_invisible_characters(error);
        status.set_type("run").set_message(error.clone()).set_description(error);
        let mut case = TestCase::new("the backend can be checked", status);
        case.set_classname("copresence.run").set_time(run_duration(report));
        let mut suite = TestSuite::new("run");
        suite.add_test_case(case);
        suites.push(("run".to_owned(), suite));
    }
    let host = host_name();
    junit.add_test_suites(suites.into_iter().map(|(_, mut suite)| {
        suite.set_time(suite.test_cases.iter().filter_map(|case| case.time).sum());
        // Ant's schema has a time without a zone. It is in UTC.
        suite.extra.insert("timestamp".into(), report.started_at.trim_end_matches('Z').into());
        suite.extra.insert("hostname".into(), host.as_str().into());
        suite
    }));
    junit.to_string().map(|xml| remove_skipped_attribute_of_root(&xml))
}

/// Removes the attribute `skipped` of the root element, which Jenkins' schema does not allow there.
fn remove_skipped_attribute_of_root(xml: &str) -> String {
    let root_end = xml.find("<testsuites").and_then(|start| Some(start + xml[start..].find('>')?)).unwrap_or(0);
    let (root, rest) = xml.split_at(root_end);
    let Some((before, after)) = root.split_once(" skipped=\"") else { return xml.to_owned() };
    let after = after.split_once('"').map_or(after, |(_, after)| after);
    format!("{before}{after}{rest}")
}

/// The name of this machine, where the checks ran; `localhost` if it has none.
fn host_name() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { escape_invisible_characters(&name) }
}

/// The duration of the run, in whole seconds.
fn run_duration(report: &Report) -> Duration {
    let at = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let (Some(start), Some(end)) = (at(&report.started_at), at(&report.ended_at)) else { return Duration::ZERO };
    end.duration_since(start).try_into().unwrap_or_default()
}

/// The duration of the requests with these numbers.
fn total_duration_of_requests(report: &Report, numbers: &[usize]) -> Duration {
    let steps = report.steps.iter().filter(|step| numbers.contains(&step.number));
    let milliseconds: f64 = steps.map(|step| step.duration_ms).sum();
    Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default()
}

/// Builds the `JUnit` test case of one check, with its findings.
fn build_test_case(report: &Report, check: &CheckReport) -> TestCase {
    let detail = escape_invisible_characters(&check.detail);
    let describe = || {
        let mut text = check.detail.clone();
        for finding in &check.findings {
            text.push_str(&format_args!("\nexpected {}\nreceived {}", finding.expected, finding.came).to_string());
        }
        text.extend(check.remedy.iter().flat_map(|remedy| ["\nwhat to do: ", remedy]));
        escape_invisible_characters(&text)
    };
    let failure = |kind: &str, message: String, description: String| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(kind).set_message(message).set_description(description);
        status
    };
    let skipped = |message: String| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(message);
        status
    };
    let status = match report.run_effect_of_check_verdict(check) {
        VerdictEffectOnRun::Failure => failure(check.level.uppercase_level(), detail, describe()),
        VerdictEffectOnRun::Stale => failure("STALE", STALE_MESSAGE.to_owned(), STALE_MESSAGE.to_owned()),
        VerdictEffectOnRun::Warning => {
            let mut status = skipped(format!("SHOULD: {detail}"));
            status.set_description(describe());
            status
        }
        VerdictEffectOnRun::KnownFailure => {
            let mut status = skipped(format!("KNOWN: {detail}"));
            status.set_description(describe());
            status
        }
        VerdictEffectOnRun::Neutral if check.verdict == Verdict::Pass => TestCaseStatus::success(),
        VerdictEffectOnRun::Neutral => skipped(format!("{}: {detail}", check.verdict.as_str())),
    };
    let mut case = TestCase::new(format!("{}: {}", check.id, check.title), status);
    let duration = total_duration_of_requests(report, &check.steps);
    case.set_classname(format!("copresence.{}", check.area_of_check())).set_time(duration);
    case
}
