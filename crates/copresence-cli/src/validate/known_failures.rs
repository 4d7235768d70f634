//! `--expected-failures`, `--write-expected` and `--fail-on`: which failed checks fail the run.

use super::options::ValidateOptions;
use crate::failure::CommandFailure;
use crate::output;
use crate::output_file::{DeferredOutputFile, OutputFileReadPermission};
use copresence_validate::{ExpectedFailures, FailurePolicy, Report};
use std::io::ErrorKind;
use std::path::Path;

/// The known failures of a run: the policy that `--expected-failures` sets, and the file that `--write-expected`
/// rewrites after the run.
pub(super) struct KnownFailures {
    policy: FailurePolicy,
    list_to_write: Option<DeferredOutputFile>,
}

impl KnownFailures {
    /// Reads the list of `--expected-failures`, or the present one of `--write-expected`, before the run.
    pub(super) fn load_known_failures(options: &ValidateOptions) -> Result<Self, CommandFailure> {
        let listed = options.expected_failures.as_deref();
        let expected = listed.map(|path| read_known_failures_file(path, "--expected-failures")).transpose()?;
        let (expected, list_to_write) = match &options.write_expected {
            None => (expected, None),
            Some(path) => {
                let refused = |error: &dyn std::fmt::Display| {
                    CommandFailure::usage_error(format!("--write-expected {}: {error}", path.display()))
                };
                let file =
                    DeferredOutputFile::check_output_file_can_be_written(path, OutputFileReadPermission::Default)
                        .map_err(|error| refused(&error))?;
                let present =
                    if path.is_file() { Some(read_known_failures_file(path, "--write-expected")?) } else { None };
                (present, Some(file))
            }
        };
        let policy = FailurePolicy { fail_on: options.fail_on, expected: expected.unwrap_or_default() };
        Ok(Self { policy, list_to_write })
    }

    /// The policy by which verdicts are shown while the run is in progress.
    pub(super) fn failure_policy_during_run(&self) -> &FailurePolicy {
        &self.policy
    }

    /// Decides the result of the run. With `--write-expected` it first writes the list, unless the run ended early, and
    /// then judges the run by it.
    pub(super) fn save_known_failures_and_judge_report(self, report: &mut Report) {
        report.apply_failure_policy(&self.policy);
        let Some(file) = self.list_to_write else { return };
        let path = file.path().display();
        if report.error.is_some() {
            output::eprint_sanitized_line(format_args!("{path} was not changed, because the run ended early"));
            return;
        }
        let expected = report.update_expected_failures_by_results(&self.policy.expected);
        match file.replace_output_bytes(expected.render_list().as_bytes()) {
            Ok(()) => {
                output::eprint_sanitized_line(format_args!("Wrote {path}"));
                report.apply_failure_policy(&FailurePolicy { expected, ..self.policy });
            }
            Err(error) => {
                output::eprint_sanitized_line(format_args!("warning: {path} could not be written: {error}"));
            }
        }
    }
}

/// Reads a list of known failures. The error has the position of a wrong line.
fn read_known_failures_file(path: &Path, flag: &str) -> Result<ExpectedFailures, CommandFailure> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        let remedy = if error.kind() == ErrorKind::NotFound { "; --write-expected writes one" } else { "" };
        CommandFailure::usage_error(format!("{flag} {shown}: {error}{remedy}"))
    })?;
    ExpectedFailures::parse_list(&bytes).map_err(|error| CommandFailure::usage_error(format!("{shown}:{error}")))
}
