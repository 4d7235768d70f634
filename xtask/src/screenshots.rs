//! `cargo xtask screenshots`: the pictures of the documentation.

use crate::prerequisites::{self, PrerequisitePurpose};
use crate::project::{cargo_command, debug_example_path, debug_program_path, repository_root, target_dir};
use crate::steps::{StepFailure, StepPlan};
use crate::ui::{self, npm_command_in_ui_folder};
use crate::{Options, avatars};

/// The states that are also photographed on a portrait screen and in another language: one of each kind.
const PICTURED_ELSEWHERE: [&str; 10] = [
    "attract",
    "attract-tickets",
    "consent",
    "invite",
    "invite-phones",
    "making",
    "reveal",
    "reveal-portrait",
    "ticket",
    "over-forget",
];

/// Photographs every screen at 1080p in English with an avatar of the sandbox at the reveal,
/// some of them in portrait and in Japanese, the desk, and the sandbox's phone page and avatars; and each avatar file of
/// `tests/avatars` in the reveal, into the target folder.
///
/// # Errors
/// If a step fails.
pub(crate) fn take_screenshots(options: &Options) -> Result<(), StepFailure> {
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Tests);
    ui::add_npm_ci_if_stale(&mut plan);
    // Beside the photographs that the tests in the real window take.
    let folder = repository_root().join("docs/screens/states");
    let heads = target_dir().join("screenshots");
    let mut avatar = cargo_command(&["run", "--package", "copresence-avatar", "--example", "heads", "--"]);
    avatar.arg(&heads).args(["3", "5", "8", "14"]);
    plan.add_program_step("avatars for the reveal and the history", avatar, "fix the build");
    avatars::add_avatar_corpus_build_steps(&mut plan, options, debug_example_path("heads"));
    let reveals = target_dir().join("screenshots/reveal");
    ui::add_avatar_reveal_test_step(&mut plan, &avatars::corpus_folder(), Some(&reveals));
    let mut pictures = npm_command_in_ui_folder(&["run", "screens", "--", "--out"]);
    pictures.arg(&folder).env("AVATAR", heads.join("3.glb"));
    plan.add_program_step("every screen, photographed", pictures, "fix what the program reports above");
    for (name, chosen) in [("portrait", "1080x1920"), ("languages", "ja")] {
        let mut other = npm_command_in_ui_folder(&["run", "screens", "--", "--out"]);
        other.arg(repository_root().join("docs/screens").join(name)).arg(chosen).args(PICTURED_ELSEWHERE);
        other.env("AVATAR", heads.join("3.glb"));
        plan.add_program_step("the same in portrait and in Japanese", other, "fix what the program reports above");
    }
    let mut desk = npm_command_in_ui_folder(&["run", "screens:desk", "--", "--out"]);
    desk.arg(repository_root().join("docs/screens/desk")).env("AVATAR", heads.join("3.glb"));
    plan.add_program_step("the desk, photographed", desk, "fix what the program reports above");
    let program = cargo_command(&["build", "--package", "copresence-cli"]);
    plan.add_program_step("the program for the terminal", program, "fix the build");
    let mut sandbox = npm_command_in_ui_folder(&["run", "screens:sandbox"]);
    sandbox.env("COPRESENCE_CLI", debug_program_path("copresence"));
    plan.add_program_step(
        "the sandbox's phone page and avatars, photographed",
        sandbox,
        "fix what the program reports above",
    );
    plan.run_steps()?;
    println!("The photographs are in {}, docs/screens/desk and docs/screens/sandbox", folder.display());
    println!("Those of the avatar files in the reveal are in {}", reveals.display());
    Ok(())
}
