//! The programs that this one starts: each in a process group of its own, all ended with this program.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long a program may take to end by itself once asked.
const GRACE: Duration = Duration::from_secs(3);

/// From now on Ctrl-C, a hang-up and a termination end every started program, then this one.
pub(crate) fn end_with_this_program() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        let again = INTERRUPTED.swap(true, Ordering::SeqCst);
        if again {
            signal_all(Signal::Kill);
        } else {
            end_all();
        }
    })
}

/// Whether this program was asked to end.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Runs a program to its end, its output going where ours goes, and ends what it left behind in its group.
pub(crate) fn run(command: &mut Command) -> io::Result<ExitStatus> {
    Running::start(command)?.wait()
}

/// Runs a program that may ask the person at the terminal something (`sudo`): it stays in our group, because the
/// terminal gives its input to one group only.
pub(crate) fn run_in_foreground(command: &mut Command) -> io::Result<ExitStatus> {
    if interrupted() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    command.status()
}

/// A started program; ended, with its whole group, when dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        // One lock over check, start and entry: an interruption finds the program listed or never started.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let child = command.spawn()?;
        running.push(child.id());
        Ok(Self(child))
    }

    pub(crate) fn wait(mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.0.id();
        signal(id, Signal::Term);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && (matches!(self.0.try_wait(), Ok(None)) || alive(id)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(id, Signal::Kill);
        #[cfg(not(unix))]
        drop(self.0.kill());
        drop(self.0.wait());
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).retain(|running| *running != id);
    }
}

/// Asks every started program to end, and makes it after a moment.
pub(crate) fn end_all() {
    signal_all(Signal::Term);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && groups().into_iter().any(alive) {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal_all(Signal::Kill);
}

#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

fn groups() -> Vec<u32> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn signal_all(which: Signal) {
    for id in groups() {
        signal(id, which);
    }
}

#[cfg(unix)]
fn signal(id: u32, which: Signal) {
    use rustix::process::{Signal as Unix, kill_process_group};
    let which = match which {
        Signal::Term => Unix::TERM,
        Signal::Kill => Unix::KILL,
    };
    if let Some(group) = group(id) {
        // A group that is already gone is what was wanted.
        let _ = kill_process_group(group, which);
    }
}

/// Whether anything of the group is still there.
#[cfg(unix)]
fn alive(id: u32) -> bool {
    group(id).is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
}

#[cfg(unix)]
fn group(id: u32) -> Option<rustix::process::Pid> {
    i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw)
}

/// On Windows, Ctrl-C reaches every program of the console by itself.
#[cfg(not(unix))]
fn signal(_: u32, _: Signal) {}

#[cfg(not(unix))]
fn alive(_: u32) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::Stdio;

    #[test]
    fn what_a_program_left_in_its_group_ends_with_it() {
        nothing_is_left_of("sleep 600 & echo started; wait");
    }

    #[test]
    fn a_program_that_will_not_end_is_made_to() {
        nothing_is_left_of("trap '' TERM; echo started; while :; do sleep 600; done");
    }

    /// The pipe's end is seen only when the last holder of its other end is gone. (That a process group is empty
    /// is not: who was killed may wait for its new parent to take note.)
    fn nothing_is_left_of(script: &str) {
        let mut running = Running::start(Command::new("sh").args(["-c", script]).stdout(Stdio::piped()))
            .expect("sh starts");
        let mut out = running.0.stdout.take().expect("piped");
        let mut line = [0; 8];
        out.read_exact(&mut line).expect("a line");
        drop(running);
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).expect("the pipe ends");
        assert_eq!((&line, rest.len()), (b"started\n", 0));
    }
}
