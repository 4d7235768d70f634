//! Report files of `copresence validate`. Created at the start, so that a wrong path is reported before a token is
//! spent.

use super::options::ValidateOptions;
use crate::context::create_private_file;
use crate::failure::CommandFailure;
use crate::output;
use copresence_validate::Report;
use copresence_validate::report::change::VerdictChange;
use copresence_validate::report::{html, junit};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The report files named on the command line, open for writing.
pub(super) struct ReportFiles {
    report: Option<OpenReportFile>,
    html: Option<OpenReportFile>,
    junit: Option<OpenReportFile>,
    har: Option<OpenReportFile>,
}

struct OpenReportFile {
    path: PathBuf,
    file: File,
}

impl ReportFiles {
    /// Creates the files of `--report`, `--html`, `--junit` and `--har` before the run, so that a wrong path is
    /// reported early.
    pub(super) fn create_report_files(options: &ValidateOptions) -> Result<Self, CommandFailure> {
        let open =
            |path: &Option<PathBuf>, flag: &str| path.as_deref().map(|path| create_report_file(path, flag)).transpose();
        Ok(Self {
            report: open(&options.report, "--report")?,
            html: open(&options.html, "--html")?,
            junit: open(&options.junit, "--junit")?,
            har: open(&options.har, "--har")?,
        })
    }

    pub(super) fn write_report_files(
        self,
        report: &Report,
        har: &serde_json::Value,
        changes: Option<&[VerdictChange]>,
    ) {
        if let Some(open) = self.report {
            open.write_report(Ok(report.to_json()));
        }
        if let Some(open) = self.html {
            open.write_report(html::render_html(report, changes).map_err(|error| error.to_string()));
        }
        if let Some(open) = self.junit {
            open.write_report(junit::render_junit(report).map_err(|error| error.to_string()));
        }
        if let Some(open) = self.har {
            open.write_report(serde_json::to_string_pretty(har).map_err(|error| error.to_string()));
        }
    }
}

/// Creates an output file before any request is sent. The recorded exchanges are for their owner only; the reports are
/// made to be handed on.
fn create_report_file(path: &Path, flag: &str) -> Result<OpenReportFile, CommandFailure> {
    let file = if flag == "--har" { create_private_file(path) } else { File::create(path) }
        .map_err(|error| CommandFailure::usage_error(format!("{flag} {}: {error}", path.display())))?;
    Ok(OpenReportFile { path: path.to_path_buf(), file })
}

impl OpenReportFile {
    fn write_report(mut self, text: Result<String, String>) {
        let path = self.path.display();
        let written = text.and_then(|text| self.file.write_all(text.as_bytes()).map_err(|error| error.to_string()));
        match written {
            Ok(()) => output::eprint_sanitized_line(format_args!("Wrote {path}")),
            Err(error) => output::eprint_sanitized_line(format_args!("warning: {path} could not be written: {error}")),
        }
    }
}
