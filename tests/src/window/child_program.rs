//! A child program, which is ended with its process group when dropped.

use super::HarnessError;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Time that a program gets to end after SIGTERM.
const EXIT_GRACE: Duration = Duration::from_secs(3);

/// Interval of polling for conditions that send no event.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(25);

#[derive(Debug)]
pub(super) struct ChildProgram {
    name: String,
    child: Child,
}

impl ChildProgram {
    /// Starts a program. Its output goes to `<logs>/<name>.log`.
    pub(super) fn start(name: &str, command: &mut Command, logs: &Path) -> Result<Self, HarnessError> {
        let log = Self::create_log(name, logs)?;
        command.stdout(log.try_clone()?).stderr(log);
        Self::spawn(name, command)
    }

    /// Starts a program that prints its address or display number on the first line, and returns that line.
    pub(super) fn start_with_first_line(
        name: &str,
        command: &mut Command,
        logs: &Path,
    ) -> Result<(Self, String), HarnessError> {
        let mut program = Self::start_with_piped_output(name, command, logs)?;
        let out = program.take_output()?;
        let mut line = String::new();
        // Returns at the end of the program if it prints nothing.
        BufReader::new(out).read_line(&mut line)?;
        let line = line.trim().to_owned();
        if line.is_empty() {
            return Err(format!("{name} ended at once: see {name}.log").into());
        }
        Ok((program, line))
    }

    /// Starts a program whose standard output is read by [`take_output`](Self::take_output).
    pub(super) fn start_with_piped_output(
        name: &str,
        command: &mut Command,
        logs: &Path,
    ) -> Result<Self, HarnessError> {
        command.stdout(Stdio::piped()).stderr(Self::create_log(name, logs)?);
        Self::spawn(name, command)
    }

    /// The piped standard output of the program.
    pub(super) fn take_output(&mut self) -> Result<ChildStdout, HarnessError> {
        Ok(self.child.stdout.take().ok_or("no pipe")?)
    }

    /// Writes to the program's standard input and closes it.
    pub(super) fn write_input(&mut self, text: &str) -> Result<(), HarnessError> {
        use std::io::Write;
        let mut input = self.child.stdin.take().ok_or("no pipe")?;
        Ok(input.write_all(text.as_bytes())?)
    }

    /// Waits until `is_ready` returns true. An error if the program ends first or takes too long.
    pub(super) fn await_ready(&mut self, is_ready: impl Fn() -> bool) -> Result<(), HarnessError> {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !is_ready() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended with {status}: see {}.log", self.name, self.name).into());
            }
            if Instant::now() > deadline {
                return Err(format!("{} did not become ready: see {}.log", self.name, self.name).into());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Terminates the program with SIGTERM, and returns its exit code.
    pub(super) async fn terminate(&mut self) -> Result<Option<i32>, HarnessError> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or("no process")?;
        kill_process(id, Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not end after SIGTERM", self.name).into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether the program is running.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn create_log(name: &str, logs: &Path) -> Result<File, HarnessError> {
        Ok(File::create(logs.join(format!("{name}.log")))?)
    }

    fn spawn(name: &str, command: &mut Command) -> Result<Self, HarnessError> {
        let program = command.get_program().to_owned();
        let child = command.process_group(0).spawn().map_err(|error| {
            format!("{} could not be started ({error}): `cargo xtask setup` installs it", program.display())
        })?;
        Ok(Self { name: name.to_owned(), child })
    }
}

impl Drop for ChildProgram {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let deadline = Instant::now() + EXIT_GRACE;
        // The child is reaped as soon as it ends; as a zombie it would count as alive.
        while (matches!(self.child.try_wait(), Ok(None)) || test_kill_process_group(group).is_ok())
            && Instant::now() < deadline
        {
            std::thread::sleep(POLL_INTERVAL);
        }
        let _ = kill_process_group(group, Signal::KILL);
        drop(self.child.wait());
    }
}
