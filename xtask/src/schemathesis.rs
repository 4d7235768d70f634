//! Installs Schemathesis in its own Python environment under `target`.

use crate::project::{repository_root, target_dir};
use crate::steps::{self, StepFailure, StepSuccess};
use std::path::PathBuf;
use std::process::Command;

const REMEDY: &str = "install Python with venv (Debian: python3-venv), and check that its package index can be reached";

/// Path of the Schemathesis program after [`install_schemathesis`].
pub(crate) fn schemathesis_path() -> PathBuf {
    venv_bin_dir().join(format!("schemathesis{}", std::env::consts::EXE_SUFFIX))
}

/// Installs the version that the requirements name; only reports it as missing where `allowed` is false.
///
/// # Errors
/// If it is missing and may not or cannot be installed.
pub(crate) fn install_schemathesis(allowed: bool) -> Result<StepSuccess, StepFailure> {
    let wanted = repository_root().join("crates/copresence-sandbox/schemathesis-requirements.txt");
    let installed = venv_dir().join("requirements.txt");
    let same = std::fs::read(&wanted).ok().is_some_and(|wanted| std::fs::read(&installed).ok() == Some(wanted));
    if same && schemathesis_path().is_file() {
        return Ok(StepSuccess::Skipped("it is installed".to_owned()));
    }
    if !allowed {
        return Err(StepFailure::new("Schemathesis is missing, and --no-install was given", REMEDY));
    }
    let python = if cfg!(windows) { "python" } else { "python3" };
    steps::run_program(Command::new(python).args(["-m", "venv"]).arg(venv_dir()), REMEDY)?;
    let pip = venv_bin_dir().join(format!("pip{}", std::env::consts::EXE_SUFFIX));
    let quiet = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
    steps::run_program(Command::new(pip).args(quiet).arg(&wanted), REMEDY)?;
    // Written last, so that an incomplete installation is repeated.
    std::fs::copy(&wanted, &installed)
        .map_err(|error| StepFailure::new(format!("{}: {error}", installed.display()), REMEDY))?;
    Ok(StepSuccess::Ran)
}

/// The folder of the Python environment with Schemathesis.
fn venv_dir() -> PathBuf {
    target_dir().join("schemathesis")
}

fn venv_bin_dir() -> PathBuf {
    venv_dir().join(if cfg!(windows) { "Scripts" } else { "bin" })
}
