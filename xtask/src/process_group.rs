//! Starts programs, each in a process group of its own, and ends all groups together with this program.
//!
//! `process-wrap` covers the group, but neither the list of all groups that a signal handler needs, nor the grace
//! period before the kill; so the few calls are made here.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

static RUNNING_GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Time between the request to end and the kill.
const TERMINATION_GRACE: Duration = Duration::from_secs(3);

/// Makes Ctrl-C, a hang-up and a termination end every started program, then this one. A second signal kills at once.
///
/// # Errors
/// If the signal handler cannot be installed.
pub(crate) fn install_signal_handler() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        let again = INTERRUPTED.swap(true, Ordering::SeqCst);
        if again {
            signal_all_groups(Signal::Kill);
        } else {
            end_all_groups();
        }
    })
}

/// Whether this program was interrupted: it received a signal to end.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Runs a program in its own process group to its end, with our output, and ends the processes that it left behind.
///
/// # Errors
/// If the program cannot be started.
pub(crate) fn run_in_own_group(command: &mut Command) -> io::Result<ExitStatus> {
    ProcessGroup::spawn_in_new_group(command)?.wait_for_program()
}

/// Runs a program in our own group, so that it can ask questions at the terminal (`sudo`): a terminal gives its input
/// to one group only.
///
/// # Errors
/// If the program cannot be started.
pub(crate) fn run_in_current_group(command: &mut Command) -> io::Result<ExitStatus> {
    if is_interrupted() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    command.status()
}

/// A started program and everything in its process group; dropping it ends them.
pub(crate) struct ProcessGroup(Child);

impl ProcessGroup {
    /// Starts a program as the leader of a new process group.
    ///
    /// # Errors
    /// If the program cannot be started, or this process was interrupted.
    pub(crate) fn spawn_in_new_group(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        // One lock over check, start and entry: the signal handler finds the group listed, or it never starts.
        let mut running = RUNNING_GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        if is_interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let child = command.spawn()?;
        running.push(child.id());
        Ok(Self(child))
    }

    /// Waits for the program's end.
    ///
    /// # Errors
    /// If its status cannot be read.
    pub(crate) fn wait_for_program(mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }

    /// The exit status, or `None` while the program runs.
    ///
    /// # Errors
    /// If its status cannot be read.
    pub(crate) fn try_wait_for_program(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let id = self.0.id();
        signal_group(id, Signal::Term);
        let deadline = Instant::now() + TERMINATION_GRACE;
        while Instant::now() < deadline && (matches!(self.0.try_wait(), Ok(None)) || is_group_alive(id)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        signal_group(id, Signal::Kill);
        #[cfg(not(unix))]
        drop(self.0.kill());
        drop(self.0.wait());
        RUNNING_GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|running| *running != id);
    }
}

/// Asks every started group to end, and kills what remains after the grace period.
pub(crate) fn end_all_groups() {
    signal_all_groups(Signal::Term);
    let deadline = Instant::now() + TERMINATION_GRACE;
    while Instant::now() < deadline && started_group_ids().into_iter().any(is_group_alive) {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal_all_groups(Signal::Kill);
}

/// The signal that ends a process group: SIGTERM or SIGKILL.
#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

/// The ids of the started groups.
fn started_group_ids() -> Vec<u32> {
    RUNNING_GROUPS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Sends a signal to every started group.
fn signal_all_groups(which: Signal) {
    for id in started_group_ids() {
        signal_group(id, which);
    }
}

/// Sends a signal to every process of a group.
#[cfg(unix)]
fn signal_group(id: u32, which: Signal) {
    use rustix::process::{Signal as Unix, kill_process_group};
    let which = match which {
        Signal::Term => Unix::TERM,
        Signal::Kill => Unix::KILL,
    };
    if let Some(group) = group_pid(id) {
        // An error means that the group is already gone.
        let _ = kill_process_group(group, which);
    }
}

/// Whether any process of the group exists.
#[cfg(unix)]
fn is_group_alive(id: u32) -> bool {
    group_pid(id).is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
}

/// The group's id in the form of the system call.
#[cfg(unix)]
fn group_pid(id: u32) -> Option<rustix::process::Pid> {
    i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw)
}

/// Does nothing: on Windows, Ctrl-C reaches every program of the console by itself.
#[cfg(not(unix))]
fn signal_group(_: u32, _: Signal) {}

/// Always false: there are no process groups here.
#[cfg(not(unix))]
fn is_group_alive(_: u32) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::Stdio;

    #[test]
    fn background_processes_of_the_group_end_with_it() {
        assert_dropped_group_leaves_no_process("sleep 600 & echo started; wait");
    }

    #[test]
    fn programs_that_ignore_the_request_are_killed() {
        assert_dropped_group_leaves_no_process("trap '' TERM; echo started; while :; do sleep 600; done");
    }

    /// Starts a shell script in a group of its own, drops the group, and asserts that none of its processes remains.
    ///
    /// A pipe ends when the last process that holds its other end is gone. (An empty process group is no proof: a
    /// killed process may still wait to be reaped.)
    fn assert_dropped_group_leaves_no_process(script: &str) {
        let mut group =
            ProcessGroup::spawn_in_new_group(Command::new("sh").args(["-c", script]).stdout(Stdio::piped()))
                .expect("sh starts");
        let mut out = group.0.stdout.take().expect("piped");
        let mut line = [0; 8];
        out.read_exact(&mut line).expect("a line");
        drop(group);
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).expect("the pipe ends");
        assert_eq!((&line, rest.len()), (b"started\n", 0));
    }
}
