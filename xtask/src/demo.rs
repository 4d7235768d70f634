//! `cargo xtask demo`: from a fresh clone to the window.

use crate::prerequisites::{self, PrerequisitePurpose};
use crate::steps::{self, StepFailure, StepPlan};
use crate::{Options, display, project, ui};
use std::process::Command;

/// Runs the demo: opens the window, or runs a visit in the terminal where no window can be opened.
///
/// # Errors
/// If a step fails.
pub(crate) fn run_demo(options: &Options, app_args: &[String]) -> Result<(), StepFailure> {
    let no_window = if options.no_window { Some("--no-window".to_owned()) } else { display::missing_display_reason() };
    match no_window {
        None => run_demo_in_window(options, app_args),
        Some(reason) => run_demo_in_terminal(options, app_args, &reason),
    }
}

/// Builds the app and runs it in a window until it is closed.
fn run_demo_in_window(options: &Options, app_args: &[String]) -> Result<(), StepFailure> {
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Window);
    ui::add_npm_ci_if_stale(&mut plan);
    ui::add_ui_build_if_stale(&mut plan);
    // The development profile builds in about half the time, and optimises what would be slow otherwise (pictures,
    // digests).
    plan.add_program_step(
        "the app (a first build takes some minutes)",
        project::cargo_command(&["build", "--package", "copresence-kiosk"]),
        "fix what the compiler reports above",
    );
    plan.run_steps()?;
    eprintln!("The window opens. Press start, then “simulate the phone”. Close the window or press Ctrl-C to end.");
    let mut app = Command::new(project::debug_program_path("copresence-kiosk"));
    app.args(app_args).current_dir(project::repository_root());
    steps::run_program(&mut app, "run `cargo xtask demo --no-window` for a visit in the terminal").map(drop)
}

/// Builds the command line and runs one visit with a simulated phone. `reason` says why there is no window.
fn run_demo_in_terminal(options: &Options, app_args: &[String], reason: &str) -> Result<(), StepFailure> {
    eprintln!("No window ({reason}): running one visit in the terminal, with a simulated phone.");
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Terminal);
    plan.add_program_step(
        "the command line (a first build takes some minutes)",
        project::cargo_command(&["build", "--package", "copresence-cli"]),
        "fix what the compiler reports above",
    );
    let mut visit = project::cargo_command(&["run", "--quiet", "--package", "copresence-cli", "--", "visit", "--auto"]);
    visit.args(app_args);
    plan.add_program_step("copresence visit --auto", visit, "the last lines above say why the visit ended");
    plan.run_steps()
}
