//! Decides when the page is replaced by a fresh one: at an idle time once a day, or when its processes have grown too
//! large. A web view that runs for weeks accumulates memory that only the end of its process frees.

use copresence_booth::app::Kiosk;
use copresence_booth::metrics::PageReloadReason;
use copresence_booth::view::{Screen, Snapshot};
use std::time::Duration;
use tokio::sync::watch;

/// Age from which the page is replaced at an idle time.
const MAX_PAGE_AGE: Duration = Duration::from_hours(24);
/// Time without a visitor after which the booth is idle.
const BOOTH_IDLE_TIME: Duration = Duration::from_mins(20);
/// Memory of the page's processes, in bytes, from which the page is replaced between two visitors.
const MAX_PAGE_MEMORY_BYTES: u64 = 1_500_000_000;
/// Time without a visitor before a page that is too large is replaced.
const MIN_PAUSE_BETWEEN_VISITORS: Duration = Duration::from_secs(30);
/// Interval at which the memory of the page is measured.
const MEMORY_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Watches the age and memory of the page and the visitors, to decide when the page is replaced by a fresh one.
pub(super) struct PageRenewalMonitor {
    kiosk: Kiosk,
    snapshots: watch::Receiver<Snapshot>,
    /// Since when the first screen has been shown, in the watchdog's time; `None` while another one is.
    first_screen_since: Option<Duration>,
    memory_checked_at: Option<Duration>,
    memory: Option<u64>,
}

impl PageRenewalMonitor {
    pub(super) fn new(kiosk: Kiosk) -> Self {
        let snapshots = kiosk.watch_latest_snapshot();
        Self { kiosk, snapshots, first_screen_since: None, memory_checked_at: None, memory: None }
    }

    /// Why the page is to be replaced now, if it is. `now` is the watchdog's time, `age` that of the page. Call it about
    /// once a second.
    pub(super) fn find_reason_to_renew_page(
        &mut self,
        now: Duration,
        age: Duration,
        is_desk_open: bool,
    ) -> Option<PageReloadReason> {
        if self.memory_checked_at.is_none_or(|at| now.saturating_sub(at) >= MEMORY_CHECK_INTERVAL) {
            self.memory_checked_at = Some(now);
            self.memory = read_page_memory_bytes();
            self.kiosk.metrics().record_page_memory(self.memory);
        }
        let is_free = !is_desk_open && matches!(self.snapshots.borrow().screen, Screen::Attract);
        self.first_screen_since = is_free.then(|| self.first_screen_since.unwrap_or(now));
        let free_for = now.saturating_sub(self.first_screen_since?);
        choose_renewal_reason(free_for, age, self.memory)
    }
}

/// Decides why a page of this `age` and `memory` (bytes) is replaced now, if at all. No visitor has been there for
/// `free_for`.
fn choose_renewal_reason(free_for: Duration, age: Duration, memory: Option<u64>) -> Option<PageReloadReason> {
    // A page that is too large from the start would be replaced for ever.
    if memory.is_some_and(|bytes| bytes > MAX_PAGE_MEMORY_BYTES)
        && free_for >= MIN_PAUSE_BETWEEN_VISITORS
        && age >= BOOTH_IDLE_TIME
    {
        Some(PageReloadReason::Memory)
    } else if age >= MAX_PAGE_AGE && free_for >= BOOTH_IDLE_TIME {
        Some(PageReloadReason::Idle)
    } else {
        None
    }
}

/// Resident memory of the page's processes in bytes: of the web processes that this program started. `None` if the system
/// does not report it.
#[cfg(target_os = "linux")]
fn read_page_memory_bytes() -> Option<u64> {
    let mut total = None;
    let own = std::process::id().to_string();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else { continue };
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // The name is cut to 15 characters.
        if field("PPid:") == Some(&own)
            && field("Name:").is_some_and(|name| name.starts_with("WebKitWebProces"))
            && let Some(kib) = field("VmRSS:").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        {
            total = Some(total.unwrap_or(0) + kib * 1024);
        }
    }
    total
}

/// Not reported: the web view's processes are not children of this program.
#[cfg(not(target_os = "linux"))]
fn read_page_memory_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_page_is_replaced_at_an_idle_time_and_a_large_one_between_visitors() {
        let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
        let small = Some(500_000_000);
        let large = Some(MAX_PAGE_MEMORY_BYTES + 1);
        for (free_for, age, memory, reason) in [
            (minute, hour * 30, small, None),
            (hour, hour * 23, small, None),
            (hour, hour * 24, small, Some(PageReloadReason::Idle)),
            (hour, hour * 24, None, Some(PageReloadReason::Idle)),
            (minute, hour, large, Some(PageReloadReason::Memory)),
            (Duration::from_secs(5), hour, large, None),
            (minute, minute * 5, large, None),
        ] {
            assert_eq!(choose_renewal_reason(free_for, age, memory), reason, "{free_for:?} {age:?} {memory:?}");
        }
    }
}
