//! Identity of the boot of the operating system, to tell the crash of a process from a power cut.
//!
//! Bytes that a process wrote without a flush survive its crash, because the system still holds them. They do not
//! survive a power cut or a restart of the machine.

use std::sync::OnceLock;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_id_is_stable_within_a_boot() {
        assert_eq!(read_boot_id(), read_boot_id());
        assert_eq!(current_boot_id().is_some(), cfg!(target_os = "linux"));
    }
}
