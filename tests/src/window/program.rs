//! A started program, ended with everything in its process group when dropped.

use super::Trouble;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end when asked.
const GRACE: Duration = Duration::from_secs(3);

/// How often it is looked again for what cannot be awaited.
pub(super) const LOOK: Duration = Duration::from_millis(25);

#[derive(Debug)]
pub(super) struct Program {
    name: String,
    child: Child,
}

impl Program {
    /// Starts it; what it prints goes to `<logs>/<name>.log`.
    pub(super) fn start(name: &str, command: &mut Command, logs: &Path) -> Result<Self, Trouble> {
        let log = Self::log(name, logs)?;
        command.stdout(log.try_clone()?).stderr(log);
        Self::spawn(name, command)
    }

    /// Starts one that says on its first line how it can be reached (its display's number, its address).
    pub(super) fn start_saying(
        name: &str,
        command: &mut Command,
        logs: &Path,
    ) -> Result<(Self, String), Trouble> {
        command.stdout(Stdio::piped()).stderr(Self::log(name, logs)?);
        let mut program = Self::spawn(name, command)?;
        let out = program.child.stdout.take().ok_or("no pipe")?;
        let mut line = String::new();
        // Ends with the program, if that says nothing.
        BufReader::new(out).read_line(&mut line)?;
        let line = line.trim().to_owned();
        if line.is_empty() {
            return Err(format!("{name} ended at once: see {name}.log").into());
        }
        Ok((program, line))
    }

    /// Writes to its standard input, and closes that.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), Trouble> {
        use std::io::Write;
        let mut input = self.child.stdin.take().ok_or("no pipe")?;
        Ok(input.write_all(text.as_bytes())?)
    }

    /// Waits until `ready` says so, unless the program ends first or takes too long.
    pub(super) fn await_ready(&mut self, ready: impl Fn() -> bool) -> Result<(), Trouble> {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended with {status}: see {}.log", self.name, self.name).into());
            }
            if Instant::now() > deadline {
                return Err(format!("{} did not become ready: see {}.log", self.name, self.name).into());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has: its exit code.
    pub(super) async fn end(&mut self) -> Result<Option<i32>, Trouble> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or("no process")?;
        kill_process(id, Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not end when asked", self.name).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn log(name: &str, logs: &Path) -> Result<File, Trouble> {
        Ok(File::create(logs.join(format!("{name}.log")))?)
    }

    fn spawn(name: &str, command: &mut Command) -> Result<Self, Trouble> {
        let program = command.get_program().to_owned();
        let child = command.process_group(0).spawn().map_err(|error| {
            format!("{} could not be started ({error}): `cargo xtask setup` installs it", program.display())
        })?;
        Ok(Self { name: name.to_owned(), child })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        // Reaped as soon as it ends, or it would count as alive.
        while (matches!(self.child.try_wait(), Ok(None)) || test_kill_process_group(group).is_ok())
            && Instant::now() < deadline
        {
            std::thread::sleep(LOOK);
        }
        let _ = kill_process_group(group, Signal::KILL);
        drop(self.child.wait());
    }
}
