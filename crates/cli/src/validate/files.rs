//! Report files of `copresence validate`. Created at the start, so that a wrong path is reported before a token is spent.

use super::options::Options;
use crate::failure::Failure;
use crate::output;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use validate::Report;
use validate::report::change::Change;
use validate::report::{html, junit};

pub(super) struct Files {
    report: Option<Open>,
    html: Option<Open>,
    junit: Option<Open>,
    har: Option<Open>,
}

struct Open {
    path: PathBuf,
    file: File,
}

impl Files {
    pub(super) fn create(options: &Options) -> Result<Self, Failure> {
        let open =
            |path: &Option<PathBuf>, flag: &str| path.as_deref().map(|path| create(path, flag)).transpose();
        Ok(Self {
            report: open(&options.report, "--report")?,
            html: open(&options.html, "--html")?,
            junit: open(&options.junit, "--junit")?,
            har: open(&options.har, "--har")?,
        })
    }

    pub(super) fn write(self, report: &Report, har: &serde_json::Value, changes: Option<&[Change]>) {
        if let Some(open) = self.report {
            open.write(Ok(report.to_json()));
        }
        if let Some(open) = self.html {
            open.write(html::document(report, changes).map_err(|error| error.to_string()));
        }
        if let Some(open) = self.junit {
            open.write(junit::document(report).map_err(|error| error.to_string()));
        }
        if let Some(open) = self.har {
            open.write(serde_json::to_string_pretty(har).map_err(|error| error.to_string()));
        }
    }
}

fn create(path: &Path, flag: &str) -> Result<Open, Failure> {
    let file =
        File::create(path).map_err(|error| Failure::usage(format!("{flag} {}: {error}", path.display())))?;
    Ok(Open { path: path.to_path_buf(), file })
}

impl Open {
    fn write(mut self, text: Result<String, String>) {
        let path = self.path.display();
        let written =
            text.and_then(|text| self.file.write_all(text.as_bytes()).map_err(|error| error.to_string()));
        match written {
            Ok(()) => output::people(format_args!("Wrote {path}")),
            Err(error) => output::people(format_args!("warning: {path} could not be written: {error}")),
        }
    }
}
