//! `cargo xtask …`: every task of this repository in one command each.

mod apt;
mod avatars;
mod demo;
mod dev;
mod display;
mod documents;
mod npm;
mod package;
mod peers;
mod prerequisites;
mod process_group;
mod project;
mod python;
mod schemathesis;
mod screenshots;
mod setup;
mod steps;
mod test;
mod ui;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// Set-up, demo, tests and development of this repository.
#[derive(Debug, PartialEq, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Options {
    #[command(subcommand)]
    task: Task,
    /// Never install anything: name what is missing, and stop
    #[arg(long, global = true)]
    no_install: bool,
    /// test: skip the tests in the real window; demo: run the visit in the terminal
    #[arg(long, global = true)]
    no_window: bool,
    /// test: run only the visits with servers that are not ours (Parse Server, nginx, …), the long ones included
    #[arg(long, global = true)]
    peers: bool,
}

#[derive(Debug, PartialEq, Subcommand)]
enum Task {
    /// Install what is missing, build the app and open its window (without a display: one visit in the terminal)
    Demo(ProgramArgs),
    /// Everything: formatting, lints, all tests, every screen in Chromium, visits in a real window (under Xvfb)
    Test,
    /// The window with hot reload of the UI; built and started again when Rust code changes
    Dev(ProgramArgs),
    /// Only install what the other commands need
    Setup,
    /// The matrices in their long form: kills at every step and at random instants, power cuts, hostile exports
    Soak(ProgramArgs),
    /// Photograph every screen and the desk at 1080p into docs/screens
    Screenshots,
    /// Build the packages of this system in target/package: a Debian package and an archive; installers on Windows; a
    /// disk image on macOS
    Package,
    /// Measure cold start, memory and processor time of the optimised app, and of its screens in Chromium
    Measure,
    /// Measure: the polling policies and lanes, avatars, the sandbox under load, downloads, ten thousand consoles; all of
    /// them without a name
    Bench(BenchmarkNames),
}

/// The benchmarks to run.
#[derive(Debug, PartialEq, Args)]
struct BenchmarkNames {
    /// The benchmarks; all of them if none is named
    #[arg(value_enum)]
    names: Vec<test::Benchmark>,
}

/// The arguments that a task passes on to the program that it starts.
#[derive(Debug, PartialEq, Args)]
struct ProgramArgs {
    /// Arguments of the started program: the app, or the matrices
    #[arg(last = true)]
    args: Vec<String>,
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
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
    let outcome = match &options.task {
        Task::Demo(app) => demo::run_demo(&options, &app.args),
        Task::Test if options.peers => test::run_tests_with_foreign_servers(&options),
        Task::Test => test::run_all_tests(&options),
        Task::Dev(app) => dev::run_dev_app(&options, &app.args),
        Task::Setup => setup::install_all_prerequisites(&options),
        Task::Bench(benchmarks) => test::run_benchmarks(&benchmarks.names),
        Task::Soak(matrices) => test::run_soak_tests(&options, &matrices.args),
        Task::Screenshots => screenshots::take_screenshots(&options),
        Task::Package => package::build_packages(&options),
        Task::Measure => test::measure_packaged_app(&options),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("xtask").chain(line.split_whitespace()))
    }

    #[test]
    fn options_are_accepted_on_either_side_of_the_task() {
        let options = parse("--no-install test --no-window").expect("valid");
        assert_eq!(options, Options { task: Task::Test, no_install: true, no_window: true, peers: false });
    }

    #[test]
    fn benchmarks_can_be_named() {
        let names = |line| match parse(line).expect("valid").task {
            Task::Bench(benchmarks) => benchmarks.names,
            other => panic!("{other:?}"),
        };
        assert_eq!(names("bench"), []);
        assert_eq!(names("bench -- sandbox"), [test::Benchmark::Sandbox]);
        assert!(parse("bench nothing").is_err());
    }

    #[test]
    fn tests_can_be_limited_to_the_peers() {
        assert!(parse("test --peers").expect("valid").peers);
        assert!(!parse("test").expect("valid").peers);
    }

    #[test]
    fn arguments_after_the_dashes_go_to_the_app() {
        let options = parse("demo --no-install -- --profile booth test").expect("valid");
        let args = ["--profile", "booth", "test"].map(str::to_owned).to_vec();
        let expected =
            Options { task: Task::Demo(ProgramArgs { args }), no_install: true, no_window: false, peers: false };
        assert_eq!(options, expected);
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
