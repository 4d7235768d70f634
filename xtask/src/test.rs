//! `cargo xtask test`: everything that must be true before a change goes in.

use crate::plan::{self, Failure, Plan};
use crate::prerequisites::{self, For};
use crate::project::{self, cargo, find_program};
use crate::{Options, schemathesis, ui};
use std::process::Command;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let window = options.window && cfg!(target_os = "linux");
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Tests);
    ui::install(&mut plan);
    ui::check(&mut plan);
    if cfg!(target_os = "linux") {
        ui::browse(&mut plan);
    }
    plan.program("formatting", cargo(&["fmt", "--all", "--check"]), "cargo fmt --all");
    let mut clippy = whole(&["clippy"]);
    clippy.args(["--all-targets", "--", "-D", "warnings"]);
    plan.program("lints, each warning an error", clippy, "mend it, or expect it by name and reason");
    plan.program("unit, property and integration tests", tests(), "mend the tests named above");
    let install = options.install;
    plan.step("Schemathesis, which holds the sandbox to its OpenAPI document", move || {
        schemathesis::install(install)
    });
    let mut api = whole(&["test"]);
    api.args(["--test", "it", "--", "--ignored", "schemathesis"])
        .env("SCHEMATHESIS", schemathesis::program());
    plan.program(
        "requests that Schemathesis writes",
        api,
        "mend the API, or say in schemathesis.toml why it is right",
    );
    let mut examples = whole(&["test"]);
    examples.arg("--doc");
    plan.program("examples in the documentation", examples, "mend the examples named above");
    matrices(&mut plan, &[]);
    if cfg!(target_os = "linux") {
        let mut program = whole(&["build"]);
        program.args(["--bin", "copresence"]);
        plan.program("the program for the terminal", program, "mend what the compiler says above");
        ui::visit_sandbox(&mut plan);
    }
    if window {
        let mut app = whole(&["build"]);
        app.args(["--bin", "copresence-kiosk"]);
        plan.program("the app", app, "mend what the compiler says above");
        plan.step("visits in the real window, by every hand; the page killed and frozen", || {
            let mut test = whole(&["test"]);
            test.args([
                "--test",
                "window",
                "--test",
                "window_stories",
                "--test",
                "window_mend",
                "--test",
                "window_booth",
                "--test",
                "window_kiosk",
                "--test",
                "window_guards",
            ]);
            test.args(["--", "--ignored", "--nocapture", "--test-threads=1"]);
            test.env("COPRESENCE_KIOSK", project::app());
            // Looked for now: an earlier step may have installed it.
            if let Some(driver) = find_program("tauri-driver") {
                test.env("TAURI_DRIVER", driver);
            }
            let remedy = format!(
                "screenshots, and what app and drivers printed, are in {}",
                project::target().join("window-test").display()
            );
            plan::run(&mut test, &remedy)
        });
    }
    plan.run()?;
    if !cfg!(target_os = "linux") {
        eprintln!(
            "Left out: the matrices (kill, power cut) and the screens in Chromium, which run on Linux only."
        );
    }
    if options.window && !window {
        eprintln!("Left out: the test in the real window, which runs on Linux only.");
    }
    Ok(())
}

/// `cargo xtask bench`.
pub(crate) fn bench() -> Result<(), Failure> {
    let mut plan = Plan::default();
    plan.program("the polling policies", cargo(&["bench", "--package", "visit"]), "mend the build");
    plan.program("generated avatars", cargo(&["bench", "--package", "avatar"]), "mend the build");
    plan.run()
}

/// `cargo xtask soak`.
pub(crate) fn soak(options: &Options) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new("the matrices run on Linux only", "run them there, or in a container"));
    }
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Tests);
    let mut words = vec!["--long".to_owned()];
    words.extend(options.app_args.iter().cloned());
    matrices(&mut plan, &words);
    // With words for the matrices, somebody looks for one cell of theirs.
    if options.app_args.is_empty() {
        let mut hostile = whole(&["test"]);
        hostile.args(["--test", "hostile"]);
        hostile.env("HOSTILE_EXPORTS", "10000").env("HOSTILE_CASES", "300");
        plan.program("a hostile backend, in the long form", hostile, "mend what the tests above name");
    }
    plan.run()
}

/// `cargo xtask measure`: on the app as it is packed, because nobody runs another one all day.
pub(crate) fn measure(options: &Options) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new("the window is measured on Linux only", "run it there, or in a container"));
    }
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Tests);
    ui::install(&mut plan);
    ui::build(&mut plan);
    let mut app = cargo(&["build", "--release", "--package", "copresence-kiosk"]);
    app.args(["--features", "tauri/custom-protocol"]);
    plan.program("the app, optimised (takes some minutes)", app, "mend what the compiler says above");
    let mut build = whole(&["build"]);
    build.args(["--bin", "measure"]);
    plan.program("the measuring program", build, "mend what the compiler says above");
    plan.step("cold starts, twenty visits, two minutes of waiting", || {
        let mut measure = Command::new(project::built("measure"));
        measure.arg(project::target().join("release/copresence-kiosk"));
        measure.arg(project::target().join("measure"));
        if let Some(driver) = find_program("tauri-driver") {
            measure.env("TAURI_DRIVER", driver);
        }
        plan::run(&mut measure, "what the programs printed is in target/measure")
    });
    plan.run()
}

/// What becomes of avatars when the program is killed, the power fails, the backend misbehaves, and all of it for a
/// long day: each prints its table.
fn matrices(plan: &mut Plan<'_>, words: &[String]) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut build = whole(&["build"]);
    build.args(["--bin", "copresence", "--bin", "matrices", "--example", "day"]);
    plan.program("the program with its crash points", build, "mend what the compiler says above");
    let mut matrices = Command::new(project::built("matrices"));
    matrices.args(words).arg("--write").arg(project::target().join("matrices"));
    plan.program("the matrices", matrices, "each broken claim above says how to bring it back");
}

/// A cargo command on the whole workspace, the window's test and the matrices included: always the same features, so
/// that no step compiles again what an earlier one did.
fn whole(command: &[&str]) -> Command {
    let mut features = vec!["product-tests/window", "cli/crash-points"];
    if cfg!(unix) {
        features.push("product-tests/matrices");
    }
    let mut cargo = cargo(command);
    cargo.arg("--workspace").arg("--features").arg(features.join(","));
    cargo
}

fn tests() -> Command {
    // The same tests either way; nextest runs them all side by side.
    if find_program("cargo-nextest").is_some() {
        // All of them, also after a failure: a run of half an hour should tell everything it knows.
        return whole(&["nextest", "run", "--no-fail-fast"]);
    }
    let mut plain = whole(&["test"]);
    plain.args(["--no-fail-fast", "--lib", "--bins", "--tests"]);
    plain
}
