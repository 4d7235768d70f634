//! Runs steps one after the other, and prints each step's number, title and duration, and the remedy when it fails.

use crate::process_group;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

/// The steps of one task, in the order in which they run.
#[derive(Default)]
pub(crate) struct StepPlan<'a> {
    steps: Vec<Step<'a>>,
}

/// A title and what is done.
struct Step<'a> {
    title: String,
    action: Box<dyn FnOnce() -> Result<StepSuccess, StepFailure> + 'a>,
}

/// How a step succeeded.
pub(crate) enum StepSuccess {
    /// It did what its title says.
    Ran,
    /// There was nothing to do, for this reason.
    Skipped(String),
}

/// What failed, and what to do about it.
#[derive(Debug)]
pub(crate) struct StepFailure {
    what: String,
    remedy: String,
}

impl StepFailure {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FAILED: {}", self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "\nTo do:  {}", self.remedy) }
    }
}

impl<'a> StepPlan<'a> {
    /// Adds a step that is a function.
    pub(crate) fn add_function_step(
        &mut self,
        title: impl Into<String>,
        action: impl FnOnce() -> Result<StepSuccess, StepFailure> + 'a,
    ) {
        self.steps.push(Step { title: title.into(), action: Box::new(action) });
    }

    /// Adds a program to run; `remedy` says what to do when it fails.
    pub(crate) fn add_program_step(&mut self, title: impl Into<String>, mut command: Command, remedy: &'a str) {
        self.add_function_step(title, move || run_program(&mut command, remedy));
    }

    /// Runs the steps in order, until one fails.
    ///
    /// # Errors
    /// The failure of the first step that fails; the steps after it do not run.
    pub(crate) fn run_steps(self) -> Result<(), StepFailure> {
        self.run_timed_steps().0
    }

    /// Like [`run_steps`](Self::run_steps), and prints the duration of each step if all succeed. After a failure it
    /// prints no table, so that the output of the failed program stays next to the failure.
    ///
    /// # Errors
    /// The failure of the first step that fails. Later steps do not run.
    pub(crate) fn run_steps_with_summary(self) -> Result<(), StepFailure> {
        let (outcome, timings) = self.run_timed_steps();
        if outcome.is_ok() {
            eprint!("\n{}", format_timing_summary(&timings));
        }
        outcome
    }

    /// Runs the steps until one fails, and measures each.
    fn run_timed_steps(self) -> (Result<(), StepFailure>, Vec<StepTiming>) {
        let started = Instant::now();
        let total = self.steps.len();
        let mut timings = Vec::new();
        for (index, step) in self.steps.into_iter().enumerate() {
            let number = format!("[{:>2}/{total}]", index + 1);
            eprintln!("{number} {}", step.title);
            let step_started = Instant::now();
            let outcome = (step.action)();
            let duration = step_started.elapsed();
            let note = match &outcome {
                Ok(StepSuccess::Skipped(_)) => "nothing to do",
                Ok(StepSuccess::Ran) | Err(_) => "",
            };
            timings.push(StepTiming { title: step.title, duration, note });
            match outcome {
                Ok(StepSuccess::Ran) => eprintln!("{number} done in {}", format_duration(duration)),
                Ok(StepSuccess::Skipped(reason)) => eprintln!("{number} nothing to do: {reason}"),
                Err(failure) => {
                    eprintln!("{number} failed after {}", format_duration(duration));
                    return (Err(failure), timings);
                }
            }
        }
        eprintln!("All {total} steps done in {}.", format_duration(started.elapsed()));
        (Ok(()), timings)
    }
}

/// How long a step took.
struct StepTiming {
    title: String,
    duration: Duration,
    /// `nothing to do`, or empty.
    note: &'static str,
}

/// A table of durations, in the order of the steps, with their total.
fn format_timing_summary(timings: &[StepTiming]) -> String {
    let mut lines = vec!["    Duration  Step".to_owned()];
    for StepTiming { title, duration, note } in timings {
        let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
        lines.push(format!("{:>12}  {title}{note}", format_duration(*duration)));
    }
    let total = timings.iter().map(|timing| timing.duration).sum();
    lines.push(format!("{:>12}  total\n", format_duration(total)));
    lines.join("\n")
}

/// Runs a program with our output.
///
/// # Errors
/// If the program cannot be started, or does not exit with success.
pub(crate) fn run_program(command: &mut Command, remedy: &str) -> Result<StepSuccess, StepFailure> {
    run_and_check_status(command, remedy, process_group::run_in_own_group)
}

/// Runs a program that may ask something at the terminal (`sudo`).
///
/// # Errors
/// If the program cannot be started, or does not exit with success.
pub(crate) fn run_program_that_may_prompt(command: &mut Command, remedy: &str) -> Result<StepSuccess, StepFailure> {
    run_and_check_status(command, remedy, process_group::run_in_current_group)
}

/// Runs a command with `run`. Fails if it cannot be started or ends without success.
fn run_and_check_status(
    command: &mut Command,
    remedy: &str,
    run: impl FnOnce(&mut Command) -> io::Result<std::process::ExitStatus>,
) -> Result<StepSuccess, StepFailure> {
    let status = run(command).map_err(|error| {
        let line = shell_command_line(command);
        StepFailure::new(format!("`{line}` could not be started: {error}"), remedy)
    })?;
    if status.success() {
        return Ok(StepSuccess::Ran);
    }
    Err(StepFailure::new(format!("`{}` ended with {status}", shell_command_line(command)), remedy))
}

/// The command as it would be typed in a shell.
pub(crate) fn shell_command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quote_shell_word);
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quote_shell_word(value?))));
    let line: Vec<String> = set.chain(words).collect();
    match command.get_current_dir() {
        Some(dir) => format!("cd {} && {}", quote_shell_word(dir.as_os_str()), line.join(" ")),
        None => line.join(" "),
    }
}

/// A word in quotes where a shell would split or interpret it.
fn quote_shell_word(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./=:+@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A duration for people, as in `4.2 s` or `2 min 5 s`.
fn format_duration(time: Duration) -> String {
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
    fn commands_are_printed_as_they_would_be_typed() {
        let mut command = Command::new("cargo");
        command.args(["test", "it's", ""]).env("A", "b c").current_dir("ui");
        assert_eq!(shell_command_line(&command), r"cd ui && A='b c' cargo test 'it'\''s' ''");
    }

    #[test]
    fn steps_after_a_failure_do_not_run_and_the_remedy_is_printed() {
        let ran = RefCell::new(Vec::new());
        let mut plan = StepPlan::default();
        plan.add_function_step("first", || {
            ran.borrow_mut().push(1);
            Ok(StepSuccess::Skipped("it exists".into()))
        });
        // A program that every system has: this one, which does not know the option.
        let mut failing = Command::new(std::env::current_exe().expect("a path"));
        failing.arg("--no-such-option");
        plan.add_program_step("second", failing, "fix it");
        plan.add_function_step("third", || {
            ran.borrow_mut().push(3);
            Ok(StepSuccess::Ran)
        });
        let failure = plan.run_steps().expect_err("the second step fails").to_string();
        assert_eq!(ran.into_inner(), [1]);
        assert!(failure.contains("--no-such-option` ended with") && failure.contains("fix it"), "{failure}");
    }

    #[test]
    fn missing_programs_are_named() {
        let failure = run_program(&mut Command::new("no-such-program-here"), "").err().expect("no such program");
        assert!(failure.to_string().contains("no-such-program-here"));
    }

    #[test]
    fn durations_are_in_seconds_or_in_minutes_and_seconds() {
        assert_eq!(format_duration(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(format_duration(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn summary_lists_each_step_and_the_total() {
        let step = |title: &str, seconds, note| StepTiming {
            title: title.to_owned(),
            duration: Duration::from_secs(seconds),
            note,
        };
        let summary = format_timing_summary(&[step("build", 65, ""), step("packages", 10, "nothing to do")]);
        let lines: Vec<&str> = summary.lines().map(str::trim_start).collect();
        assert_eq!(
            lines,
            ["Duration  Step", "1 min 5 s  build", "10.0 s  packages (nothing to do)", "1 min 15 s  total"]
        );
    }
}
