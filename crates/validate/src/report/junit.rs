//! The report as `JUnit` XML, as CI systems read it: one suite an area, one case a check.

use super::{CheckReport, Report};
use crate::check::Verdict;
use crate::requirement::Level;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// The report as `JUnit` XML.
///
/// A failed MUST is a failure. A failed SHOULD is a skipped case whose message begins with `SHOULD`, so that a CI
/// system goes red exactly when the exit code is 1. A run that could tell nothing is an error of its own.
pub fn document(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut junit = quick_junit::Report::new(format!("copresence validate: {}", report.target.name));
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    for check in &report.checks {
        let area = check.area().to_owned();
        if suites.last().is_none_or(|(name, _)| *name != area) {
            suites.push((area.clone(), TestSuite::new(area)));
        }
        if let Some((_, suite)) = suites.last_mut() {
            suite.add_test_case(case(check));
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

fn case(check: &CheckReport) -> TestCase {
    let words = || {
        let mut words = check.detail.clone();
        for finding in &check.findings {
            words.push_str(
                &format_args!("\nexpected {}\nreceived {}", finding.expected, finding.came).to_string(),
            );
        }
        words.extend(check.remedy.iter().flat_map(|remedy| ["\nwhat to do: ", remedy]));
        words
    };
    let status = match (check.verdict, check.level) {
        (Verdict::Pass, _) => TestCaseStatus::success(),
        (Verdict::Fail, Level::Must) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("MUST").set_message(check.detail.as_str()).set_description(words());
            status
        }
        (Verdict::Fail, Level::Should) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("SHOULD: {}", check.detail)).set_description(words());
            status
        }
        (other, _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {}", other.as_str(), check.detail));
            status
        }
    };
    let mut case = TestCase::new(format!("{}: {}", check.id, check.title), status);
    case.set_classname(format!("copresence.{}", check.area()));
    case
}
