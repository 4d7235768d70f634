//! `cargo xtask …`: everything that this repository does, in one command each.

mod apt;
mod children;
mod demo;
mod dev;
mod display;
mod documents;
mod package;
mod plan;
mod prerequisites;
mod project;
mod schemathesis;
mod test;
mod ui;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask demo   sees to what is missing, builds the app and opens its window; without a display, one visit
                   in the terminal
cargo xtask test   everything: formatting, lints, all tests, every screen in Chromium, and the whole visit in a
                   real window (under Xvfb)
cargo xtask dev    the window with hot reload of the UI; rebuilt and started again when Rust code changes
cargo xtask setup  only sees to what is missing for all of these
cargo xtask soak   the matrices in their long form: the program killed at every step and at hundreds of random
                   instants, power cut after every step, and 10,000 hostile exports; what follows -- goes to the
                   matrices (--only NAME, --seed N, …)
cargo xtask screenshots
                   photographs every screen and the desk at 1080p into docs/screens/
cargo xtask package
                   an optimised build as a Debian package and an archive, in target/package
cargo xtask measure
                   cold start, memory and processor time of the optimised app, as a table
cargo xtask bench  how late and how often the polling policies poll; how long an avatar takes

Options
  --no-install     never install anything: say what is missing and stop
  --no-window      test: leave out the test in the real window; demo: the visit in the terminal
  --               demo, dev: what follows goes to the app; soak: to the matrices";

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("{mistake}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = children::end_with_this_program() {
        eprintln!("Ctrl-C cannot be caught, programs that this one starts may outlive it: {error}");
    }
    let outcome = match options.command {
        Command::Help => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Command::Demo => demo::run(&options),
        Command::Test => test::run(&options),
        Command::Dev => dev::run(&options),
        Command::Setup => prerequisites::run(&options),
        Command::Bench => test::bench(),
        Command::Soak => test::soak(&options),
        Command::Screenshots => ui::screenshots(&options),
        Command::Package => package::run_all(&options),
        Command::Measure => test::measure(&options),
    };
    children::end_all();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if children::interrupted() => {
            eprintln!("\nInterrupted; nothing is left running.");
            ExitCode::from(130)
        }
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

/// What was typed.
#[derive(Debug, PartialEq)]
struct Options {
    command: Command,
    install: bool,
    window: bool,
    app_args: Vec<String>,
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum Command {
    Help,
    Demo,
    Test,
    Dev,
    Setup,
    Bench,
    Soak,
    Screenshots,
    Package,
    Measure,
}

impl Options {
    fn read(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { command: Command::Help, install: true, window: true, app_args: Vec::new() };
        let mut args = args.into_iter();
        let mut command = None;
        while let Some(arg) = args.next() {
            let named = match arg.as_str() {
                "demo" => Command::Demo,
                "test" => Command::Test,
                "dev" => Command::Dev,
                "setup" => Command::Setup,
                "bench" => Command::Bench,
                "soak" => Command::Soak,
                "screenshots" => Command::Screenshots,
                "package" => Command::Package,
                "measure" => Command::Measure,
                "help" | "-h" | "--help" => Command::Help,
                "--no-install" => {
                    options.install = false;
                    continue;
                }
                "--no-window" => {
                    options.window = false;
                    continue;
                }
                "--" => {
                    options.app_args = args.by_ref().collect();
                    continue;
                }
                other => return Err(format!("“{other}” is not something that xtask knows.")),
            };
            if command.replace(named).is_some() {
                return Err("One command at a time.".to_owned());
            }
        }
        options.command = command.unwrap_or(Command::Help);
        let takes_args = matches!(options.command, Command::Demo | Command::Dev | Command::Soak);
        if !options.app_args.is_empty() && !takes_args {
            return Err("Only `demo`, `dev` and `soak` start something that takes arguments.".to_owned());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_stand_on_either_side_of_the_command() {
        let expected = Options { command: Command::Test, install: false, window: false, app_args: vec![] };
        assert_eq!(read("--no-install test --no-window"), Ok(expected));
    }

    #[test]
    fn what_follows_the_dashes_goes_to_the_app() {
        let options = read("demo -- --profile booth test").expect("valid");
        assert_eq!(options.command, Command::Demo);
        assert_eq!(options.app_args, ["--profile", "booth", "test"]);
        assert!(read("test -- x").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        assert!(read("tset").expect_err("a typing error").contains("tset"));
        assert!(read("test demo").is_err());
        assert_eq!(read("").expect("help").command, Command::Help);
    }
}
