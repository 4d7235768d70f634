//! `cargo xtask …`: every task of this repository in one command each.

mod apt;
mod demo;
mod dev;
mod display;
mod documents;
mod package;
mod prerequisites;
mod process_group;
mod project;
mod schemathesis;
mod setup;
mod steps;
mod test;
mod ui;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Set-up, demo, tests and development of this repository.
#[derive(Debug, PartialEq, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Options {
    #[command(subcommand)]
    task: Task,
    /// Never install anything: name what is missing, and stop
    #[arg(long, global = true)]
    no_install: bool,
    /// test: skip the tests in the real window; demo: run the visit in the terminal
    #[arg(long, global = true)]
    no_window: bool,
    /// demo, dev: arguments of the app; soak: arguments of the matrices
    #[arg(last = true, global = true)]
    app_args: Vec<String>,
}

#[derive(Debug, PartialEq, Clone, Copy, Subcommand)]
enum Task {
    /// Install what is missing, build the app and open its window (without a display: one visit in the terminal)
    Demo,
    /// Everything: formatting, lints, all tests, every screen in Chromium, visits in a real window (under Xvfb)
    Test,
    /// The window with hot reload of the UI; built and started again when Rust code changes
    Dev,
    /// Only install what the other commands need
    Setup,
    /// The matrices in their long form: kills at every step and at random instants, power cuts, hostile exports
    Soak,
    /// Photograph every screen and the desk at 1080p into docs/screens
    Screenshots,
    /// Build an optimised Debian package and an archive in target/package
    Package,
    /// Measure cold start, memory and processor time of the optimised app
    Measure,
    /// Measure how late and how often the polling policies poll, and how long an avatar takes
    Bench,
}

fn main() -> ExitCode {
    let options = match parse_options(std::env::args()) {
        Ok(options) => options,
        Err(error) => {
            drop(error.print());
            // Without a task, the help is an answer, not a mistake.
            let asked = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            return if asked || !error.use_stderr() { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    if let Err(error) = process_group::install_signal_handler() {
        eprintln!("Ctrl-C cannot be handled ({error}); started programs may outlive this one.");
    }
    let outcome = match options.task {
        Task::Demo => demo::run(&options),
        Task::Test => test::run(&options),
        Task::Dev => dev::run(&options),
        Task::Setup => setup::run(&options),
        Task::Bench => test::run_benchmarks(),
        Task::Soak => test::run_soak(&options),
        Task::Screenshots => ui::run_screenshots(&options),
        Task::Package => package::run(&options),
        Task::Measure => test::run_measurements(&options),
    };
    process_group::end_all_groups();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if process_group::is_interrupted() => {
            eprintln!("\nInterrupted; no started program is left running.");
            ExitCode::from(130)
        }
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse_options(args: impl IntoIterator<Item = String>) -> Result<Options, clap::Error> {
    let options = Options::try_parse_from(args)?;
    let takes_args = matches!(options.task, Task::Demo | Task::Dev | Task::Soak);
    if !options.app_args.is_empty() && !takes_args {
        let message = "only `demo`, `dev` and `soak` take arguments after `--`\n";
        return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        parse_options(std::iter::once("xtask").chain(line.split_whitespace()).map(str::to_owned))
    }

    #[test]
    fn options_are_accepted_on_either_side_of_the_task() {
        let options = parse("--no-install test --no-window").expect("valid");
        let expected = Options { task: Task::Test, no_install: true, no_window: true, app_args: vec![] };
        assert_eq!(options, expected);
    }

    #[test]
    fn arguments_after_the_dashes_go_to_the_app() {
        let options = parse("demo -- --profile booth test").expect("valid");
        assert_eq!(options.task, Task::Demo);
        assert_eq!(options.app_args, ["--profile", "booth", "test"]);
        assert!(parse("test -- x").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse("tset").expect_err("a typing error").to_string().contains("tset"));
        assert!(parse("test demo").is_err());
        let help = parse("").expect_err("help");
        assert_eq!(help.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    }
}
