//! Processor time and memory of this process, for the master's page. Known on Linux; 0 elsewhere.

use std::time::Instant;

/// Ticks of the processor times in `/proc`, per second: fixed for programs on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures the processor time of this process between two calls of [`Self::measure_own_processor_percent`].
pub(super) struct ProcessorUsageMeter {
    last: Option<(Instant, f64)>,
}

impl ProcessorUsageMeter {
    /// Starts the measurement with the processor time used so far.
    pub(super) fn new() -> Self {
        Self { last: read_processor_seconds().map(|seconds| (Instant::now(), seconds)) }
    }

    /// Processor time of this process since the last call, in percent of one processor; 0 if it cannot be read.
    pub(super) fn measure_own_processor_percent(&mut self) -> f64 {
        let Some(seconds) = read_processor_seconds() else { return 0.0 };
        let now = Instant::now();
        let before = self.last.replace((now, seconds));
        let Some((then, earlier)) = before else { return 0.0 };
        let passed = now.duration_since(then).as_secs_f64();
        if passed > 0.0 { ((seconds - earlier) / passed * 100.0).max(0.0) } else { 0.0 }
    }
}

/// Resident memory of this process, in bytes; 0 if it cannot be read.
pub(super) fn read_own_resident_memory_bytes() -> u64 {
    let status = read_file_about_this_process("status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A file about this process in `/proc`; `None` on other systems than Linux.
fn read_file_about_this_process(name: &str) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    std::fs::read_to_string(format!("/proc/self/{name}")).ok()
}

/// Processor time that this process used so far, in seconds.
fn read_processor_seconds() -> Option<f64> {
    let stat = read_file_about_this_process("stat")?;
    // The name of the program may contain spaces; it ends with the last parenthesis.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_and_processor_time_of_this_process_are_found() {
        assert!(read_own_resident_memory_bytes() > 1_000_000);
        assert!(read_processor_seconds().is_some());
        assert!(ProcessorUsageMeter::new().measure_own_processor_percent() >= 0.0);
    }
}
