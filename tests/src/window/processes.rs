//! The app's processes as the system sees them: which one draws the page, and signals to it.

use super::{Desk, Trouble};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

impl Desk {
    /// The app itself, started on this desk.
    pub fn app_process(&self, program: &Path) -> Result<i32, Trouble> {
        let program = program.canonicalize()?;
        let of_app = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        let found = self.processes().into_iter().find(of_app);
        found.ok_or_else(|| format!("{} does not run", program.display()).into())
    }

    /// The one process that draws the app's page now.
    pub fn page_process(&self, program: &Path) -> Result<i32, Trouble> {
        let app = self.app_process(program)?;
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let drawing: Vec<i32> =
                children(app).into_iter().filter(|pid| name(*pid) == "WebKitWebProces").collect();
            match drawing.as_slice() {
                [only] => return Ok(*only),
                _ if Instant::now() > deadline => return Err(format!("{drawing:?} draw the page").into()),
                // One that was killed may not have been taken note of yet.
                _ => std::thread::sleep(super::program::LOOK),
            }
        }
    }
}

/// Kills a process at once.
pub fn kill(pid: i32) -> Result<(), Trouble> {
    signal(pid, Signal::KILL)
}

/// Stops a process where it stands; it does not hear anything but its own end.
pub fn freeze(pid: i32) -> Result<(), Trouble> {
    signal(pid, Signal::STOP)
}

/// Asks a process to end, as a service manager does.
pub fn terminate(pid: i32) -> Result<(), Trouble> {
    signal(pid, Signal::TERM)
}

/// Whether it still runs.
pub fn runs(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// A process and what it started, each with its name and its memory: proportional set size in bytes.
pub fn memory(pid: i32) -> Vec<(String, u64)> {
    let own = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let pss = own.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib: u64 = pss.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let mut all = vec![(name(pid), kib * 1024)];
    all.extend(children(pid).into_iter().flat_map(memory));
    all
}

/// Processor time of a process and what it started, in clock ticks (hundredths of a second).
pub fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name, which may hold anything: state, parent, …; user and system time are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let at = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    at(11) + at(12) + children(pid).into_iter().map(ticks).sum::<u64>()
}

/// When a process was started, in milliseconds since 1970, to a hundredth of a second.
pub fn started_ms(pid: i32) -> Result<f64, Trouble> {
    let uptime: f64 =
        fs::read_to_string("/proc/uptime")?.split_whitespace().next().ok_or("no uptime")?.parse()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after: f64 = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().nth(19))
        .ok_or("no start")?
        .parse()?;
    Ok((now - uptime + after / 100.0) * 1000.0)
}

fn signal(pid: i32, signal: Signal) -> Result<(), Trouble> {
    Ok(kill_process(Pid::from_raw(pid).ok_or("no process")?, signal)?)
}

fn children(of: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{of}/task")) else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}
