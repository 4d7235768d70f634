//! The app's processes: which one renders the page, signals, memory and processor time.

use super::{DesktopSession, HarnessError};
use rustix::process::{Pid, Signal};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

impl DesktopSession {
    /// The process of the app in this session.
    pub fn app_process(&self, program: &Path) -> Result<i32, HarnessError> {
        let program = program.canonicalize()?;
        let of_app = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        let found = self.processes().into_iter().find(of_app);
        found.ok_or_else(|| format!("{} does not run", program.display()).into())
    }

    /// The process that renders the app's page. Waits until there is exactly one.
    pub fn page_process(&self, program: &Path) -> Result<i32, HarnessError> {
        let app = self.app_process(program)?;
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let renderers: Vec<i32> =
                child_processes(app).into_iter().filter(|pid| process_name(*pid) == "WebKitWebProces").collect();
            match renderers.as_slice() {
                [only] => return Ok(*only),
                _ if Instant::now() > deadline => {
                    return Err(format!("not exactly one process renders the page: {renderers:?}").into());
                }
                // A killed process may still be listed.
                _ => std::thread::sleep(super::child_program::POLL_INTERVAL),
            }
        }
    }
}

/// Kills a process with SIGKILL.
pub fn kill_process(pid: i32) -> Result<(), HarnessError> {
    send_signal(pid, Signal::KILL)
}

/// Kills a process and all its descendants with SIGKILL, the process itself first.
pub fn kill_process_tree(pid: i32) -> Result<(), HarnessError> {
    let descendants = descendant_processes(pid);
    kill_process(pid)?;
    for descendant in descendants {
        // It may have ended with its parent.
        drop(kill_process(descendant));
    }
    Ok(())
}

/// Stops a process with SIGSTOP.
pub fn freeze_process(pid: i32) -> Result<(), HarnessError> {
    send_signal(pid, Signal::STOP)
}

/// Terminates a process with SIGTERM.
pub fn terminate(pid: i32) -> Result<(), HarnessError> {
    send_signal(pid, Signal::TERM)
}

/// The name and the environment of a process and of all its descendants. An environment is the text `NAME=value`, with a NUL
/// after each variable.
pub fn environment_by_process(pid: i32) -> Vec<(String, String)> {
    let own = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut all = vec![(process_name(pid), String::from_utf8_lossy(&own).into_owned())];
    all.extend(child_processes(pid).into_iter().flat_map(environment_by_process));
    all
}

/// Whether a process runs, and is not a zombie.
pub fn is_process_running(pid: i32) -> bool {
    process_state(pid).is_some_and(|state| state != 'Z')
}

/// The name and memory of a process and of all its descendants. Memory: proportional set size in bytes.
pub fn memory_by_process(pid: i32) -> Vec<(String, u64)> {
    let own = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let pss = own.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib: u64 = pss.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    let mut all = vec![(process_name(pid), kib * 1024)];
    all.extend(child_processes(pid).into_iter().flat_map(memory_by_process));
    all
}

/// The memory of a process, measured from a moment on.
#[derive(Debug)]
pub struct PeakMemoryMeter {
    pid: i32,
    /// Proportional and resident set size at the start, in bytes.
    proportional: u64,
    resident: u64,
}

impl PeakMemoryMeter {
    /// Starts measuring a process.
    pub fn start(pid: i32) -> Result<Self, HarnessError> {
        let own = memory_by_process(pid).first().map_or(0, |(_, proportional)| *proportional);
        if own == 0 {
            return Err(format!("the memory of process {pid} cannot be read").into());
        }
        Ok(Self { pid, proportional: own, resident: read_memory_status(pid, "VmRSS:")? })
    }

    /// Upper bound of the largest proportional set size since the start, in bytes. The kernel records only the peak of
    /// the resident set size, which grows at least as much.
    pub fn peak_upper_bound(&self) -> Result<u64, HarnessError> {
        let peak = read_memory_status(self.pid, "VmHWM:")?;
        Ok(self.proportional + peak.saturating_sub(self.resident))
    }
}

/// A line of `/proc/…/status` with an amount of memory, in bytes.
fn read_memory_status(pid: i32, name: &str) -> Result<u64, HarnessError> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let amount = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(amount.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Processor time of a process and its descendants, in clock ticks (1/100 s).
pub fn cpu_ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name in parentheses: state, parent, …; user and system time are fields 12 and 13.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let field_at = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    field_at(11) + field_at(12) + child_processes(pid).into_iter().map(cpu_ticks).sum::<u64>()
}

/// Start time of a process in milliseconds since 1970, with a resolution of 10 ms.
pub fn process_start_ms(pid: i32) -> Result<f64, HarnessError> {
    let uptime: f64 = fs::read_to_string("/proc/uptime")?.split_whitespace().next().ok_or("no uptime")?.parse()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after: f64 =
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)).ok_or("no start")?.parse()?;
    Ok((now - uptime + after / 100.0) * 1000.0)
}

fn send_signal(pid: i32, signal: Signal) -> Result<(), HarnessError> {
    Ok(rustix::process::kill_process(Pid::from_raw(pid).ok_or("no process")?, signal)?)
}

fn child_processes(of: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{of}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

fn descendant_processes(of: i32) -> Vec<i32> {
    let children = child_processes(of);
    let further: Vec<i32> = children.iter().flat_map(|child| descendant_processes(*child)).collect();
    children.into_iter().chain(further).collect()
}

fn process_name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn process_state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}
