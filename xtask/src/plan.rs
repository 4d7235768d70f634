//! Steps, one after the other, each told: its number, what it does, how long it took, and what to do when it
//! fails.

use crate::children;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

/// The steps of one command.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    steps: Vec<Step<'a>>,
}

struct Step<'a> {
    title: String,
    action: Box<dyn FnOnce() -> Result<Done, Failure> + 'a>,
}

/// How a step ended well.
pub(crate) enum Done {
    /// It did what its title says.
    Ran,
    /// There was nothing to do, and why.
    Needless(String),
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    remedy: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FAILED: {}", self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "\nTo do:  {}", self.remedy) }
    }
}

impl<'a> Plan<'a> {
    /// Adds a step of our own.
    pub(crate) fn step(
        &mut self,
        title: impl Into<String>,
        action: impl FnOnce() -> Result<Done, Failure> + 'a,
    ) {
        self.steps.push(Step { title: title.into(), action: Box::new(action) });
    }

    /// Adds a program to run; `remedy` says what to do when it fails.
    pub(crate) fn program(&mut self, title: impl Into<String>, mut command: Command, remedy: &'a str) {
        self.step(title, move || run(&mut command, remedy));
    }

    /// Takes the steps in order, until one fails.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let started = Instant::now();
        let total = self.steps.len();
        for (index, step) in self.steps.into_iter().enumerate() {
            let number = format!("[{:>2}/{total}]", index + 1);
            eprintln!("{number} {}", step.title);
            let begun = Instant::now();
            match (step.action)() {
                Ok(Done::Ran) => eprintln!("{number} done in {}", told(begun.elapsed())),
                Ok(Done::Needless(why)) => eprintln!("{number} nothing to do: {why}"),
                Err(failure) => {
                    eprintln!("{number} failed after {}", told(begun.elapsed()));
                    return Err(failure);
                }
            }
        }
        eprintln!("All {total} steps done in {}.", told(started.elapsed()));
        Ok(())
    }
}

/// Runs a program; what it prints goes straight to the terminal.
pub(crate) fn run(command: &mut Command, remedy: &str) -> Result<Done, Failure> {
    judge(command, remedy, children::run)
}

/// The same for one that may ask something (`sudo`).
pub(crate) fn run_in_foreground(command: &mut Command, remedy: &str) -> Result<Done, Failure> {
    judge(command, remedy, children::run_in_foreground)
}

fn judge(
    command: &mut Command,
    remedy: &str,
    run: impl FnOnce(&mut Command) -> io::Result<std::process::ExitStatus>,
) -> Result<Done, Failure> {
    let status = run(command).map_err(|error| {
        let line = line_of(command);
        Failure::new(format!("`{line}` could not be started: {error}"), remedy)
    })?;
    if status.success() {
        return Ok(Done::Ran);
    }
    Err(Failure::new(format!("`{}` ended with {status}", line_of(command)), remedy))
}

/// The command as one would type it.
pub(crate) fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    let line: Vec<String> = set.chain(words).collect();
    match command.get_current_dir() {
        Some(dir) => format!("cd {} && {}", quoted(dir.as_os_str()), line.join(" ")),
        None => line.join(" "),
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./=:+@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn told(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f32())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn a_command_is_told_as_it_would_be_typed() {
        let mut command = Command::new("cargo");
        command.args(["test", "it's", ""]).env("A", "b c").current_dir("ui");
        assert_eq!(line_of(&command), r"cd ui && A='b c' cargo test 'it'\''s' ''");
    }

    #[test]
    fn nothing_runs_after_a_step_that_failed_and_the_failure_says_what_to_do() {
        let ran = RefCell::new(Vec::new());
        let mut plan = Plan::default();
        plan.step("first", || {
            ran.borrow_mut().push(1);
            Ok(Done::Needless("it is there".into()))
        });
        plan.program("second", Command::new("false"), "mend it");
        plan.step("third", || {
            ran.borrow_mut().push(3);
            Ok(Done::Ran)
        });
        let failure = plan.run().expect_err("the second step fails").to_string();
        assert_eq!(ran.into_inner(), [1]);
        assert!(failure.contains("`false` ended with") && failure.contains("mend it"), "{failure}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let failure = run(&mut Command::new("no-such-program-here"), "").err().expect("not there");
        assert!(failure.to_string().contains("no-such-program-here"));
    }

    #[test]
    fn times_read_well() {
        assert_eq!(told(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(told(Duration::from_secs(125)), "2 min 5 s");
    }
}
