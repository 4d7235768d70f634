//! State of the page watchdog: a pure state machine; times are passed in.
//!
//! The page sends a heartbeat at a fixed interval from its main thread. A page that falls silent is terminated
//! and reloaded, and one that crashes is reloaded. After repeated crashes the reload is delayed, and the window shows a
//! text meanwhile. The first snapshot after a reload restores the screen; the page holds no state of a visit.

use copresence_booth::metrics::PageReloadReason;
use std::collections::VecDeque;
use std::time::Duration;

/// Interval of the page's heartbeats.
#[cfg(test)]
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum silence of a page. Drawing an avatar of 60 MB without a graphics card can block it for 20 s.
const MAX_SILENCE: Duration = Duration::from_secs(45);
/// Maximum time from the start of loading to the first heartbeat.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Number of crashes within [`CRASH_WINDOW`] from which reloads are delayed.
const MAX_CRASHES: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_mins(1);
/// First delay of a reload. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(15);
const MAX_DELAY: Duration = Duration::from_mins(5);
/// Maximum gap between two checks. After a longer one this program was suspended itself, so silence of the page proves
/// nothing.
const MAX_CHECK_GAP: Duration = Duration::from_secs(10);

/// What has to be done about the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchdogAction {
    /// It never sent a heartbeat: load it again.
    Reload,
    /// It hangs: end its process. [`WatchdogState::record_crash`] follows.
    Terminate,
}

/// State of the watchdog. Times are monotonic, from any origin.
#[derive(Debug)]
pub(super) struct WatchdogState {
    /// When the current page began to load; `None` while none is loaded.
    loading_since: Option<Duration>,
    /// Time of the last heartbeat, and whether the page was hidden then. Timers of a hidden page are suspended.
    last_heartbeat: Option<(Duration, bool)>,
    last_check: Duration,
    crashes: VecDeque<Duration>,
    /// Delayed reloads in a row, reset by a page that lives longer than [`CRASH_WINDOW`].
    delayed_reloads: u32,
    /// When the page is to be loaded again.
    reload_at: Option<Duration>,
    /// Why the page's process is being ended by this program.
    end_reason: Option<PageReloadReason>,
    /// Why the page was or will be loaded again last.
    reload_reason: PageReloadReason,
}

impl WatchdogState {
    /// Starts with a page that began to load at `now`.
    pub(super) fn new(now: Duration) -> Self {
        let crashes = VecDeque::new();
        Self {
            loading_since: Some(now),
            last_heartbeat: None,
            last_check: now,
            crashes,
            delayed_reloads: 0,
            reload_at: None,
            end_reason: None,
            reload_reason: PageReloadReason::NeverLoaded,
        }
    }

    /// How long the page has been loaded and drawing; `None` while it is not.
    pub(super) fn compute_page_age(&self, now: Duration) -> Option<Duration> {
        self.last_heartbeat.and(self.loading_since).map(|since| now.saturating_sub(since))
    }

    /// Plans a fresh page in a new process, for this reason. The caller ends the page's process.
    pub(super) fn plan_fresh_page(&mut self, now: Duration, reason: PageReloadReason) {
        self.expect_end_of_page_process(now, reason);
    }

    /// Why the page was loaded again by the last [`WatchdogAction::Reload`].
    pub(super) fn reload_reason(&self) -> PageReloadReason {
        self.reload_reason
    }

    /// Whether the page's process ends because a fresh page was planned.
    pub(super) fn is_fresh_page_planned(&self) -> bool {
        matches!(self.end_reason, Some(PageReloadReason::Idle | PageReloadReason::Memory))
    }

    /// Records that the page's process is about to end. The page is loaded again even if the end is not reported.
    fn expect_end_of_page_process(&mut self, now: Duration, reason: PageReloadReason) {
        (self.loading_since, self.last_heartbeat) = (None, None);
        self.reload_at = Some(now + MAX_CHECK_GAP);
        (self.end_reason, self.reload_reason) = (Some(reason), reason);
    }

    /// Records a heartbeat. Returns whether it is the first one of this page.
    pub(super) fn record_heartbeat(&mut self, now: Duration, hidden: bool) -> bool {
        // A late heartbeat of a page that is already gone.
        let Some(loaded) = self.loading_since else { return false };
        let first = self.last_heartbeat.replace((now, hidden)).is_none();
        if now.saturating_sub(loaded) > CRASH_WINDOW {
            self.delayed_reloads = 0;
        }
        first
    }

    /// Records that the page's process ended. Returns the delay of the reload; `None` means at once.
    pub(super) fn record_crash(&mut self, now: Duration) -> Option<Duration> {
        let is_planned = self.is_fresh_page_planned();
        self.reload_reason = self.end_reason.take().unwrap_or(PageReloadReason::Crashed);
        if is_planned {
            (self.loading_since, self.last_heartbeat, self.reload_at) = (None, None, Some(now));
            return None;
        }
        self.crashes.push_back(now);
        while self.crashes.front().is_some_and(|death| now.saturating_sub(*death) > CRASH_WINDOW) {
            self.crashes.pop_front();
        }
        (self.loading_since, self.last_heartbeat) = (None, None);
        let rest = (self.crashes.len() >= MAX_CRASHES).then(|| self.next_delay());
        self.reload_at = Some(now + rest.unwrap_or_default());
        rest
    }

    /// The action that is due. Call it about once a second.
    pub(super) fn next_action(&mut self, now: Duration) -> Option<WatchdogAction> {
        let slept = now.saturating_sub(self.last_check);
        self.last_check = now;
        if self.reload_at.is_some_and(|due| now >= due) {
            (self.reload_at, self.end_reason) = (None, None);
            (self.loading_since, self.last_heartbeat) = (Some(now), None);
            return Some(WatchdogAction::Reload);
        }
        if slept > MAX_CHECK_GAP {
            self.loading_since = self.loading_since.map(|at| at + slept);
            self.last_heartbeat = self.last_heartbeat.map(|(at, hidden)| (at + slept, hidden));
        }
        match (self.loading_since, self.last_heartbeat) {
            (Some(_), Some((at, false))) if now.saturating_sub(at) > MAX_SILENCE => {
                self.expect_end_of_page_process(now, PageReloadReason::Frozen);
                Some(WatchdogAction::Terminate)
            }
            (Some(loaded), None) if now.saturating_sub(loaded) > LOAD_TIMEOUT + self.load_grace() => {
                self.delayed_reloads += 1;
                self.loading_since = Some(now);
                self.reload_reason = PageReloadReason::NeverLoaded;
                Some(WatchdogAction::Reload)
            }
            _ => None,
        }
    }

    /// The next delay of a reload.
    fn next_delay(&mut self) -> Duration {
        let rest = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(self.delayed_reloads)).min(MAX_DELAY);
        self.delayed_reloads += 1;
        rest
    }

    /// Additional time for the first heartbeat: none at first, then growing with each reload.
    fn load_grace(&self) -> Duration {
        match self.delayed_reloads {
            0 => Duration::ZERO,
            tried => FIRST_DELAY.saturating_mul(2_u32.saturating_pow(tried)).min(MAX_DELAY),
        }
    }

    /// Whether the fallback text is shown in place of the page.
    pub(super) fn shows_fallback(&self) -> bool {
        self.delayed_reloads > 0 && self.last_heartbeat.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// Checks once a second in `from..=to`. Returns the actions with their times.
    fn check_every_second(pulse: &mut WatchdogState, from: u64, to: u64) -> Vec<(u64, WatchdogAction)> {
        (from..=to).filter_map(|at| pulse.next_action(seconds(at)).map(|act| (at, act))).collect()
    }

    #[test]
    fn a_page_with_heartbeats_is_left_alone() {
        let mut pulse = WatchdogState::new(seconds(0));
        for at in 1..7200 {
            if at % HEARTBEAT_INTERVAL.as_secs() == 0 {
                assert_eq!(pulse.record_heartbeat(seconds(at), false), at == HEARTBEAT_INTERVAL.as_secs());
            }
            assert_eq!(pulse.next_action(seconds(at)), None, "{at}");
        }
    }

    #[test]
    fn a_silent_page_is_terminated_once() {
        let mut pulse = WatchdogState::new(seconds(0));
        pulse.record_heartbeat(seconds(1), false);
        assert_eq!(check_every_second(&mut pulse, 2, 48), [(47, WatchdogAction::Terminate)]);
        assert_eq!(pulse.record_crash(seconds(49)), None);
        assert_eq!(check_every_second(&mut pulse, 49, 70), [(49, WatchdogAction::Reload)]);
    }

    #[test]
    fn a_terminated_page_is_reloaded_even_if_its_end_is_not_reported() {
        let mut pulse = WatchdogState::new(seconds(0));
        pulse.record_heartbeat(seconds(1), false);
        assert_eq!(
            check_every_second(&mut pulse, 2, 80),
            [(47, WatchdogAction::Terminate), (57, WatchdogAction::Reload)]
        );
    }

    #[test]
    fn a_hidden_page_can_be_silent() {
        let mut pulse = WatchdogState::new(seconds(0));
        pulse.record_heartbeat(seconds(1), true);
        assert_eq!(check_every_second(&mut pulse, 2, 1000), []);
        pulse.record_heartbeat(seconds(1000), false);
        assert_eq!(check_every_second(&mut pulse, 1001, 1050), [(1046, WatchdogAction::Terminate)]);
    }

    #[test]
    fn a_page_that_never_loads_is_reloaded_with_growing_delays() {
        let mut pulse = WatchdogState::new(seconds(0));
        let tries: Vec<u64> = check_every_second(&mut pulse, 1, 1500).into_iter().map(|(at, _)| at).collect();
        assert_eq!(tries[..4], [31, 92, 183, 334]);
        assert!(tries.windows(2).all(|two| two[1] - two[0] <= 331), "{tries:?}");
        assert!(pulse.shows_fallback());
        pulse.record_heartbeat(seconds(1501), false);
        assert!(!pulse.shows_fallback());
    }

    #[test]
    fn crashes_are_recovered_at_once_until_there_are_too_many() {
        let mut pulse = WatchdogState::new(seconds(0));
        let mut rests = Vec::new();
        let mut now = 0;
        for _ in 0..8 {
            rests.push(pulse.record_crash(seconds(now)).map(|rest| rest.as_secs()));
            let (mut tick, mut reloaded) = (now, false);
            while !reloaded {
                reloaded = pulse.next_action(seconds(tick)) == Some(WatchdogAction::Reload);
                tick += 1;
            }
            now = tick;
        }
        assert_eq!(rests[..5], [None, None, None, None, Some(15)]);
        assert_eq!(rests[5], Some(30), "twice as long when it dies again");
        assert!(pulse.shows_fallback());
        pulse.record_heartbeat(seconds(now), false);
        assert!(!pulse.shows_fallback(), "the page is shown as soon as it lives");
    }

    #[test]
    fn a_planned_fresh_page_is_no_crash() {
        let mut pulse = WatchdogState::new(seconds(0));
        for at in (10..100).step_by(10) {
            pulse.record_heartbeat(seconds(at), false);
            assert!(pulse.compute_page_age(seconds(at)).is_some());
            pulse.plan_fresh_page(seconds(at), PageReloadReason::Memory);
            assert_eq!(pulse.compute_page_age(seconds(at)), None);
            assert_eq!(pulse.next_action(seconds(at)), None, "its process ends first");
            assert_eq!(pulse.record_crash(seconds(at + 1)), None, "never delayed");
            assert_eq!(pulse.next_action(seconds(at + 1)), Some(WatchdogAction::Reload));
            assert_eq!(pulse.reload_reason(), PageReloadReason::Memory);
        }
        pulse.record_heartbeat(seconds(101), false);
        pulse.record_crash(seconds(102));
        assert_eq!(pulse.next_action(seconds(102)), Some(WatchdogAction::Reload));
        assert_eq!(pulse.reload_reason(), PageReloadReason::Crashed);
        pulse.record_heartbeat(seconds(103), false);
        pulse.plan_fresh_page(seconds(103), PageReloadReason::Idle);
        assert_eq!(check_every_second(&mut pulse, 104, 120), [(113, WatchdogAction::Reload)], "without a report");
    }

    #[test]
    fn rare_crashes_are_not_delayed() {
        let mut pulse = WatchdogState::new(seconds(0));
        for at in (20..2000).step_by(20) {
            assert_eq!(pulse.record_crash(seconds(at)), None);
            assert_eq!(pulse.next_action(seconds(at)), Some(WatchdogAction::Reload));
        }
    }

    #[test]
    fn silence_during_a_suspension_is_ignored() {
        let mut pulse = WatchdogState::new(seconds(0));
        pulse.record_heartbeat(seconds(1), false);
        assert_eq!(pulse.next_action(seconds(2)), None);
        // The machine was suspended for an hour.
        assert_eq!(pulse.next_action(seconds(3602)), None);
        pulse.record_heartbeat(seconds(3604), false);
        assert_eq!(check_every_second(&mut pulse, 3605, 3640), []);
    }

    #[test]
    fn a_late_heartbeat_is_ignored() {
        let mut pulse = WatchdogState::new(seconds(0));
        pulse.record_crash(seconds(5));
        assert!(!pulse.record_heartbeat(seconds(5), false));
        assert_eq!(pulse.next_action(seconds(5)), Some(WatchdogAction::Reload));
    }

    proptest! {
        /// Whatever happens, a dead or silent page is acted on within the maximum delay.
        #[test]
        fn a_dead_page_is_always_recovered(
            events in proptest::collection::vec((1_u64..120, 0_u8..3, any::<bool>()), 0..40)
        ) {
            let mut pulse = WatchdogState::new(seconds(0));
            let mut now = 0;
            for (wait, what, hidden) in events {
                for at in now + 1..=now + wait {
                    pulse.next_action(seconds(at));
                }
                now += wait;
                match what {
                    0 => drop(pulse.record_crash(seconds(now))),
                    _ => _ = pulse.record_heartbeat(seconds(now), hidden),
                }
            }
            pulse.record_crash(seconds(now));
            let acts = check_every_second(&mut pulse, now, now + MAX_DELAY.as_secs() + 1);
            prop_assert!(!acts.is_empty());
        }
    }
}
