//! `cargo xtask test`: everything that must be true before a change goes in.

use crate::plan::{Failure, Plan};
use crate::prerequisites::{self, For};
use crate::project::{self, cargo, find_program};
use crate::{Options, ui};

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let window = options.window && cfg!(target_os = "linux");
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Tests);
    ui::install(&mut plan);
    ui::check(&mut plan);
    plan.program("formatting", cargo(&["fmt", "--all", "--check"]), "cargo fmt --all");
    plan.program(
        "lints, each warning an error",
        // With the window test, which no other step before its own would compile.
        cargo(&["clippy", "--workspace", "--all-targets", "--features", WINDOW, "--", "-D", "warnings"]),
        "mend what clippy says above, or expect it by name and reason",
    );
    plan.program("unit, property and integration tests", tests(), "mend the tests named above");
    plan.program("examples in the documentation", cargo(&["test", "--workspace", "--doc"]), "mend them");
    if window {
        plan.program("the app", cargo(&["build", "--package", "copresence-kiosk"]), "mend the build");
        let mut test =
            cargo(&["test", "--package", "product-tests", "--features", WINDOW, "--test", "window"]);
        test.args(["--", "--nocapture", "--test-threads=1"]).env("COPRESENCE_KIOSK", project::app());
        if let Some(driver) = find_program("tauri-driver") {
            test.env("TAURI_DRIVER", driver);
        }
        plan.program(
            "a whole visit in the real window",
            test,
            "the screenshots, and what the app and the drivers said, are in target/window-test",
        );
    }
    plan.run()?;
    if options.window && !window {
        eprintln!("Left out: the test in the real window, which runs on Linux only.");
    }
    Ok(())
}

/// `cargo xtask bench`.
pub(crate) fn bench() -> Result<(), Failure> {
    let mut plan = Plan::default();
    plan.program("the polling policies", cargo(&["bench", "--package", "visit"]), "mend the build");
    plan.run()
}

const WINDOW: &str = "product-tests/window";

fn tests() -> std::process::Command {
    // The same tests either way; nextest runs them all side by side.
    if find_program("cargo-nextest").is_some() {
        cargo(&["nextest", "run", "--workspace"])
    } else {
        cargo(&["test", "--workspace", "--lib", "--bins", "--tests"])
    }
}
