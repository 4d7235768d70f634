//! Identity and time of the boot of the operating system, to tell the crash of a process from a power cut.
//!
//! Bytes that a process wrote without a flush survive its crash, because the system still holds them. They do not
//! survive a power cut or a restart of the machine.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// The id of the running boot; `None` if the system has no such id. It changes with every start of the system.
///
/// Only Linux has one (`/proc/sys/kernel/random/boot_id`). Elsewhere only flushed bytes are used after a crash.
pub(crate) fn current_boot_id() -> Option<&'static str> {
    static BOOT_ID: OnceLock<Option<String>> = OnceLock::new();
    BOOT_ID.get_or_init(read_boot_id).as_deref()
}

/// Reads the id from the system. A build for tests reads `COPRESENCE_BOOT_ID` first, to simulate a power cut.
fn read_boot_id() -> Option<String> {
    #[cfg(feature = "crash-points")]
    if let Ok(id) = std::env::var("COPRESENCE_BOOT_ID") {
        return Some(id);
    }
    if !cfg!(target_os = "linux") {
        return None;
    }
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// When the running system was started, by its present clock; `None` if the system does not say it. Only Linux does
/// (`/proc/uptime`).
pub(crate) fn current_boot_time() -> Option<SystemTime> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime = Duration::try_from_secs_f64(text.split(' ').next()?.parse().ok()?).ok()?;
    SystemTime::now().checked_sub(uptime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_id_is_stable_within_a_boot() {
        assert_eq!(read_boot_id(), read_boot_id());
        assert_eq!(current_boot_id().is_some(), cfg!(target_os = "linux"));
    }

    #[test]
    fn the_system_was_started_before_now() {
        assert_eq!(current_boot_time().is_some(), cfg!(target_os = "linux"));
        assert!(current_boot_time().is_none_or(|started| started < SystemTime::now()));
    }
}
