//! Installs, checks and builds the web UI.

use crate::npm;
use crate::project::{debug_program_path, newest_change_time, repository_root};
use crate::steps::{StepPlan, StepSuccess, run_program};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Adds `npm ci`, which is skipped while `package-lock.json` is the one that was installed.
pub(crate) fn add_npm_ci_if_stale(plan: &mut StepPlan<'_>) {
    plan.add_function_step("the UI's packages (npm ci)", || npm::ensure_locked_packages_installed(&ui_dir(), true));
}

/// Adds the build of the UI, which the app contains; skipped while it is newer than its sources.
pub(crate) fn add_ui_build_if_stale(plan: &mut StepPlan<'_>) {
    plan.add_function_step("the UI, types checked", || {
        let built = newest_change_time(&[ui_dir().join("dist/index.html")]);
        if built.is_some() && built > newest_change_time(&ui_sources()) {
            return Ok(StepSuccess::Skipped("it is newer than its sources".to_owned()));
        }
        run_program(&mut npm_command_in_ui_folder(&["run", "build"]), "fix what svelte-check or vite reports above")
    });
}

/// Adds lints, build and unit tests of the UI, without skipping any.
pub(crate) fn add_ui_lint_build_unit_tests(plan: &mut StepPlan<'_>) {
    plan.add_program_step(
        "UI: lints",
        npm_command_in_ui_folder(&["run", "lint"]),
        "`cd ui && npx biome check --write .` fixes most of it",
    );
    plan.add_program_step(
        "UI: types and build",
        npm_command_in_ui_folder(&["run", "build"]),
        "fix what svelte-check or vite reports above",
    );
    plan.add_program_step(
        "UI: unit tests",
        npm_command_in_ui_folder(&["test"]),
        "fix the tests named above (`cd ui && npm test`)",
    );
}

/// Adds tests of the built UI in Chromium: every screen, size and language, and whole visits.
pub(crate) fn add_ui_browser_tests(plan: &mut StepPlan<'_>) {
    let remedy = "fix the screens named above (`cd ui && npm run screens -- NAME SIZE LANGUAGE` photographs one)";
    plan.add_program_step("UI: every screen in Chromium", npm_command_in_ui_folder(&["run", "test:browser"]), remedy);
}

/// Adds the test of the reveal with the avatar files in a folder. `pictures`: the folder for a photograph of each.
pub(crate) fn add_avatar_reveal_test_step(plan: &mut StepPlan<'_>, corpus: &Path, pictures: Option<&Path>) {
    let mut tests = npm_command_in_ui_folder(&["run", "test:avatars"]);
    tests.env("AVATAR_CORPUS", corpus);
    if let Some(folder) = pictures {
        tests.env("PICTURES", folder);
    }
    let remedy = "fix the reveal, or say in tests/avatars/not-shown.mjs why it cannot show the file; `PICTURES=FOLDER` \
                  saves what it shows";
    plan.add_program_step("avatar files in the reveal, in Chromium", tests, remedy);
}

/// Adds tests of the built sandbox from outside: its phone page in Chromium, and its avatars with a validator.
pub(crate) fn add_sandbox_page_and_avatar_tests(plan: &mut StepPlan<'_>) {
    let mut tests = npm_command_in_ui_folder(&["run", "test:sandbox"]);
    tests.env("COPRESENCE_CLI", debug_program_path("copresence"));
    let remedy = "fix the tests named above (`cd ui && npm run test:sandbox`)";
    plan.add_program_step(
        "the sandbox's phone page in Chromium, its avatars with the Khronos validator",
        tests,
        remedy,
    );
}

/// Adds the measurement of the same screens in Chromium's kiosk mode, at the size of the window's screen. `avatar`: the
/// GLB file of the reveal, with its portrait beside it.
pub(crate) fn add_chromium_measurement_step(plan: &mut StepPlan<'_>, avatar: &Path) {
    let mut measure = Command::new("xvfb-run");
    measure.args(["--auto-servernum", "--server-args", "-screen 0 1280x720x24", "npm", "run", "measure:chromium"]);
    measure.current_dir(ui_dir()).env("AVATAR", avatar);
    plan.add_program_step("the same screens in Chromium in kiosk mode", measure, "fix what the program reports above");
}

/// The command that starts the development server, on the port of `tauri.dev.conf.json`.
pub(crate) fn dev_server_command() -> Command {
    // Started directly: npm would not pass our signals on.
    let name = if cfg!(windows) { "vite.cmd" } else { "vite" };
    let mut command = Command::new(ui_dir().join("node_modules/.bin").join(name));
    command.args(["--strictPort", "--clearScreen", "false"]).current_dir(ui_dir());
    command
}

/// The folder of the UI's sources.
fn ui_dir() -> PathBuf {
    repository_root().join("ui")
}

/// The files and folders from which the UI is built.
fn ui_sources() -> Vec<PathBuf> {
    [
        "src",
        "public",
        "../locales",
        "index.html",
        "package-lock.json",
        "vite.config.ts",
        "svelte.config.js",
        "tsconfig.json",
    ]
    .map(|name| ui_dir().join(name))
    .to_vec()
}

/// An `npm …` command in the UI's folder.
pub(crate) fn npm_command_in_ui_folder(args: &[&str]) -> Command {
    npm::npm_command(&ui_dir(), args)
}
