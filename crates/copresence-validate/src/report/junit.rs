//! Renders the report as `JUnit` XML for CI systems: one suite for each area, one case for each check.

use super::{CheckReport, Report};
use crate::check::Verdict;
use crate::requirement::Level;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// Renders the report as `JUnit` XML.
///
/// A failed MUST is a failure. A failed SHOULD is a skipped case whose message starts with `SHOULD`, so that a CI
/// system fails exactly if the exit code is 1. If the run could not judge the backend, an extra case is an error.
///
/// # Errors
/// If the XML cannot be written.
pub fn render_junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut junit = quick_junit::Report::new(format!("copresence validate: {}", report.target.name));
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    for check in &report.checks {
        let area = check.area_of_check().to_owned();
        if suites.last().is_none_or(|(name, _)| *name != area) {
            suites.push((area.clone(), TestSuite::new(area)));
        }
        if let Some((_, suite)) = suites.last_mut() {
            suite.add_test_case(build_test_case(check));
        }
    }
    if let Some(error) = &report.error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(error.as_str());
        let mut suite = TestSuite::new("run");
        suite.add_test_case(TestCase::new("the backend can be checked", status));
        suites.push(("run".to_owned(), suite));
    }
    junit.add_test_suites(suites.into_iter().map(|(_, suite)| suite));
    junit.to_string()
}

/// Builds the `JUnit` test case of one check, with its findings.
fn build_test_case(check: &CheckReport) -> TestCase {
    let describe = || {
        let mut text = check.detail.clone();
        for finding in &check.findings {
            text.push_str(&format_args!("\nexpected {}\nreceived {}", finding.expected, finding.came).to_string());
        }
        text.extend(check.remedy.iter().flat_map(|remedy| ["\nwhat to do: ", remedy]));
        text
    };
    let status = match (check.verdict, check.level) {
        (Verdict::Pass, _) => TestCaseStatus::success(),
        (Verdict::Fail, Level::Must) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("MUST").set_message(check.detail.as_str()).set_description(describe());
            status
        }
        (Verdict::Fail, Level::Should) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("SHOULD: {}", check.detail)).set_description(describe());
            status
        }
        (other, _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {}", other.as_str(), check.detail));
            status
        }
    };
    let mut case = TestCase::new(format!("{}: {}", check.id, check.title), status);
    case.set_classname(format!("copresence.{}", check.area_of_check()));
    case
}
