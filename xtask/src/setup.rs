//! `cargo xtask setup`: installs what the other commands need.

use crate::prerequisites::{self, PrerequisitePurpose};
use crate::steps::{StepFailure, StepPlan};
use crate::{Options, ui};

/// Installs the prerequisites of all commands.
///
/// # Errors
/// If something is missing and cannot be installed.
pub(crate) fn install_all_prerequisites(options: &Options) -> Result<(), StepFailure> {
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Tests);
    ui::add_npm_ci_if_stale(&mut plan);
    plan.run_steps()
}
