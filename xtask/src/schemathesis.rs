//! Installs Schemathesis in its own Python environment under `target`.

use crate::project::{repository_root, target_dir};
use crate::python;
use crate::steps::{StepFailure, StepSuccess};
use std::path::PathBuf;

/// Path of the Schemathesis program after [`install_or_report_schemathesis`].
pub(crate) fn schemathesis_path() -> PathBuf {
    python::python_environment_program(&environment_dir(), "schemathesis")
}

/// Installs the version that the requirements name; only reports it as missing where `allowed` is false.
///
/// # Errors
/// If it is missing and may not or cannot be installed.
pub(crate) fn install_schemathesis_if_allowed(allowed: bool) -> Result<StepSuccess, StepFailure> {
    let requirements = repository_root().join("crates/copresence-sandbox/schemathesis-requirements.txt");
    python::ensure_requirements_installed(&requirements, &environment_dir(), allowed)
}

/// The folder of the Python environment with Schemathesis.
fn environment_dir() -> PathBuf {
    target_dir().join("schemathesis")
}
