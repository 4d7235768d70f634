//! Report files of `copresence validate`. Checked at the start, so that a wrong path is reported before a token is spent.

use super::options::ValidateOptions;
use crate::failure::CommandFailure;
use crate::output;
use crate::output_file::{DeferredOutputFile, OutputFileReadPermission};
use copresence_validate::Report;
use copresence_validate::report::change::VerdictChange;
use copresence_validate::report::{html, junit, markdown, sarif};
use std::path::Path;

/// The report files named on the command line.
pub(super) struct CheckedReportFiles {
    report: Option<DeferredOutputFile>,
    html: Option<DeferredOutputFile>,
    junit: Option<DeferredOutputFile>,
    har: Option<DeferredOutputFile>,
    sarif: Option<DeferredOutputFile>,
    /// Appended to.
    summary: Option<DeferredOutputFile>,
}

impl CheckedReportFiles {
    /// Checks the report files before the run. Those that contain exchanges are readable by their owner only; a CI system
    /// may read the others as another user.
    pub(super) fn check_report_files(options: &ValidateOptions) -> Result<Self, CommandFailure> {
        let check = |path: Option<&Path>, flag: &str, readers: OutputFileReadPermission| {
            let refused =
                |path: &Path, error| CommandFailure::usage_error(format!("{flag} {}: {error}", path.display()));
            path.map(|path| {
                DeferredOutputFile::check_output_file_can_be_written(path, readers)
                    .map_err(|error| refused(path, error))
            })
            .transpose()
        };
        Ok(Self {
            report: check(options.report.as_deref(), "--report", OutputFileReadPermission::OwnerOnly)?,
            html: check(options.html.as_deref(), "--html", OutputFileReadPermission::OwnerOnly)?,
            junit: check(options.junit.as_deref(), "--junit", OutputFileReadPermission::Default)?,
            har: check(options.har.as_deref(), "--har", OutputFileReadPermission::OwnerOnly)?,
            sarif: check(options.sarif.as_deref(), "--sarif", OutputFileReadPermission::Default)?,
            summary: check(options.summary.as_deref(), "--summary", OutputFileReadPermission::Default)?,
        })
    }

    /// Writes the files; only warns about those that fail.
    pub(super) fn write_report_files_or_warn(
        self,
        report: &Report,
        har: &serde_json::Value,
        changes: Option<&[VerdictChange]>,
    ) {
        if let Some(file) = self.report {
            write_validation_report_or_warn(&file, Ok(report.to_json()));
        }
        if let Some(file) = self.html {
            write_validation_report_or_warn(
                &file,
                html::render_html(report, changes).map_err(|error| error.to_string()),
            );
        }
        if let Some(file) = self.junit {
            write_validation_report_or_warn(&file, junit::render_junit(report).map_err(|error| error.to_string()));
        }
        if let Some(file) = self.sarif {
            write_validation_report_or_warn(&file, Ok(sarif::render_sarif(report)));
        }
        if let Some(file) = self.summary {
            let text = markdown::render_markdown_summary(report, changes);
            let appended = file.append_output_bytes(text.as_bytes()).map_err(|error| error.to_string());
            print_written_path_or_warning(&file, appended);
        }
        if let Some(file) = self.har {
            write_validation_report_or_warn(
                &file,
                serde_json::to_string_pretty(har).map_err(|error| error.to_string()),
            );
        }
    }
}

/// Writes the report, and prints its path, or a warning if that failed.
fn write_validation_report_or_warn(file: &DeferredOutputFile, text: Result<String, String>) {
    let written = text.and_then(|text| file.replace_output_bytes(text.as_bytes()).map_err(|error| error.to_string()));
    print_written_path_or_warning(file, written);
}

/// Prints the path of a written file, or a warning that it could not be written.
fn print_written_path_or_warning(file: &DeferredOutputFile, written: Result<(), String>) {
    let path = file.path().display();
    match written {
        Ok(()) => output::eprint_sanitized_line(format_args!("Wrote {path}")),
        Err(error) => output::eprint_sanitized_line(format_args!("warning: {path} could not be written: {error}")),
    }
}
