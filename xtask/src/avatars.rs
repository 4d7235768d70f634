//! The comparison of the verdicts on avatar files with those of the Khronos validator.

use crate::project::repository_root;
use crate::steps::StepPlan;
use crate::{Options, npm};
use std::process::Command;

/// Adds the installation of the packages of `tests/avatars`, and the comparison. `cargo_test`: `cargo test` on the
/// workspace.
pub(crate) fn add_avatar_comparison_steps(plan: &mut StepPlan<'_>, options: &Options, mut cargo_test: Command) {
    let install = !options.no_install;
    plan.add_function_step("the packages that make avatar files (npm ci)", move || {
        npm::ensure_locked_packages_installed(&repository_root().join("tests/avatars"), install)
    });
    cargo_test.args(["--test", "avatars", "--", "--ignored"]);
    plan.add_program_step(
        "avatar files, compared with the Khronos validator",
        cargo_test,
        "docs/avatars.md says how to run it, and how to renew its table",
    );
}
