//! The tests with the avatar files of `tests/avatars`: the verdicts on them, and how the reveal shows them.

use crate::project::{repository_root, target_dir};
use crate::steps::StepPlan;
use crate::{Options, npm, ui};
use std::path::PathBuf;
use std::process::Command;

/// The head that the files are made of.
const HEAD_SEED: &str = "3";

/// Adds the installation of the packages of `tests/avatars`, and the build of the files. `heads`: the built example of
/// that name.
pub(crate) fn add_avatar_corpus_build_steps(plan: &mut StepPlan<'_>, options: &Options, heads: PathBuf) {
    let scripts = repository_root().join("tests/avatars");
    let install = !options.no_install;
    let folder = scripts.clone();
    plan.add_function_step("the packages that make avatar files (npm ci)", move || {
        npm::ensure_locked_packages_installed(&folder, install)
    });
    let heads_folder = target_dir().join("avatar-heads");
    let mut head = Command::new(heads);
    head.arg(&heads_folder).arg(HEAD_SEED);
    plan.add_program_step("a head, of which the avatar files are made", head, "fix the build");
    let mut build = Command::new("node");
    build.arg("build.mjs").arg(heads_folder.join(format!("{HEAD_SEED}.glb"))).arg(corpus_folder());
    build.current_dir(scripts);
    plan.add_program_step("avatar files, judged by the Khronos validator", build, "fix what the script reports above");
}

/// Adds the tests on the files that [`add_avatar_corpus_build_steps`] makes: comparison with the Khronos validator, and the reveal
/// in the UI. `cargo_test`: `cargo test` on the workspace.
pub(crate) fn add_avatar_corpus_test_steps(plan: &mut StepPlan<'_>, mut cargo_test: Command) {
    cargo_test.args(["--test", "avatars", "--", "--ignored"]).env("AVATAR_CORPUS", corpus_folder());
    let remedy = "docs/avatars.md says how to run it, and how to renew its table";
    plan.add_program_step("avatar files, compared with the Khronos validator", cargo_test, remedy);
    ui::add_avatar_reveal_test_step(plan, &corpus_folder(), None);
}

/// The folder with the avatar files and `corpus.json`.
pub(crate) fn corpus_folder() -> PathBuf {
    target_dir().join("avatar-corpus")
}
