//! `cargo xtask demo`: from a fresh clone to the window.

use crate::plan::{self, Failure, Plan};
use crate::prerequisites::{self, For};
use crate::{Options, display, project, ui};
use std::process::Command;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let why_not = if options.window { display::why_no_window() } else { Some("as asked".to_owned()) };
    match why_not {
        None => in_a_window(options),
        Some(why) => in_the_terminal(options, &why),
    }
}

fn in_a_window(options: &Options) -> Result<(), Failure> {
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Window);
    ui::install(&mut plan);
    ui::build(&mut plan);
    // The development profile: the first window comes in about half the time, and what is slow unoptimised
    // (pictures, digests) is optimised in it too.
    plan.program(
        "the app (a first build takes some minutes)",
        project::cargo(&["build", "--package", "copresence-kiosk"]),
        "mend what the compiler says above",
    );
    plan.run()?;
    eprintln!("The window opens; press start, then “simulate the phone”. It ends with the window or Ctrl-C.");
    plan::run(
        Command::new(project::app()).args(&options.app_args).current_dir(project::root()),
        "`cargo xtask demo --no-window` shows a visit in the terminal instead",
    )
    .map(drop)
}

fn in_the_terminal(options: &Options, why: &str) -> Result<(), Failure> {
    eprintln!("No window ({why}): one whole visit in the terminal instead, with the phone played for you.");
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Terminal);
    plan.program(
        "the command line (a first build takes some minutes)",
        project::cargo(&["build", "--package", "cli"]),
        "mend what the compiler says above",
    );
    let mut visit = project::cargo(&["run", "--quiet", "--package", "cli", "--", "visit", "--auto"]);
    visit.args(&options.app_args);
    plan.program("copresence visit --auto", visit, "the last lines above say why the visit ended");
    plan.run()
}
