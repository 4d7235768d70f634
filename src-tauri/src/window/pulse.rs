//! State of the page watchdog: a pure state machine; times are passed in.
//!
//! The page sends a heartbeat every [`HEARTBEAT_INTERVAL`] from its main thread. A page that falls silent is terminated
//! and reloaded, and one that crashes is reloaded. After repeated crashes the reload is delayed, and the window shows a
//! text meanwhile. The first snapshot after a reload restores the screen; the page holds no state of a visit.

use std::collections::VecDeque;
use std::time::Duration;

/// Interval of the page's heartbeats.
#[cfg(test)]
const BEAT: Duration = Duration::from_secs(5);
/// Maximum silence of a page. Drawing an avatar of 60 MB without a graphics card can block it for 20 s.
const SILENCE: Duration = Duration::from_secs(45);
/// Maximum time from the start of loading to the first heartbeat.
const BIRTH: Duration = Duration::from_secs(30);
/// Number of crashes within [`CRASH_WINDOW`] from which reloads are delayed.
const TOO_OFTEN: usize = 5;
const A_WHILE: Duration = Duration::from_mins(1);
/// First delay of a reload. It doubles with each further one.
const REST: Duration = Duration::from_secs(15);
const LONGEST_REST: Duration = Duration::from_mins(5);
/// Maximum gap between two checks. After a longer one this program was suspended itself, so silence of the page proves
/// nothing.
const OVERSLEPT: Duration = Duration::from_secs(10);

/// What has to be done about the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// It never sent a heartbeat: load it again.
    Reload,
    /// It hangs: end its process. [`WatchdogState::record_crash`] follows.
    Terminate,
}

/// State of the watchdog. Times are monotonic, from any origin.
#[derive(Debug)]
pub(super) struct Pulse {
    /// When the current page began to load; `None` while none is loaded.
    loaded: Option<Duration>,
    /// Time of the last heartbeat, and whether the page was hidden then. Timers of a hidden page are suspended.
    heard: Option<(Duration, bool)>,
    looked: Duration,
    deaths: VecDeque<Duration>,
    /// Delayed reloads in a row, reset by a page that lives longer than [`CRASH_WINDOW`].
    rests: u32,
    /// When the page is to be loaded again.
    due: Option<Duration>,
}

impl Pulse {
    /// Starts with a page that began to load at `now`.
    pub(super) fn new(now: Duration) -> Self {
        let deaths = VecDeque::new();
        Self { loaded: Some(now), heard: None, looked: now, deaths, rests: 0, due: None }
    }

    /// Records a heartbeat. Returns whether it is the first one of this page.
    pub(super) fn beat(&mut self, now: Duration, hidden: bool) -> bool {
        // A late heartbeat of a page that is already gone.
        let Some(loaded) = self.loaded else { return false };
        let first = self.heard.replace((now, hidden)).is_none();
        if now.saturating_sub(loaded) > A_WHILE {
            self.rests = 0;
        }
        first
    }

    /// Records that the page's process ended. Returns the delay of the reload; `None` means at once.
    pub(super) fn died(&mut self, now: Duration) -> Option<Duration> {
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|death| now.saturating_sub(*death) > A_WHILE) {
            self.deaths.pop_front();
        }
        (self.loaded, self.heard) = (None, None);
        let rest = (self.deaths.len() >= TOO_OFTEN).then(|| self.rest());
        self.due = Some(now + rest.unwrap_or_default());
        rest
    }

    /// The action that is due. Call it about once a second.
    pub(super) fn look(&mut self, now: Duration) -> Option<Act> {
        let slept = now.saturating_sub(self.looked);
        self.looked = now;
        if self.due.is_some_and(|due| now >= due) {
            self.due = None;
            (self.loaded, self.heard) = (Some(now), None);
            return Some(Act::Reload);
        }
        if slept > OVERSLEPT {
            self.loaded = self.loaded.map(|at| at + slept);
            self.heard = self.heard.map(|(at, hidden)| (at + slept, hidden));
        }
        match (self.loaded, self.heard) {
            (Some(_), Some((at, false))) if now.saturating_sub(at) > SILENCE => {
                (self.loaded, self.heard) = (None, None);
                // If the end of the process is not reported, the page is reloaded all the same.
                self.due = Some(now + OVERSLEPT);
                Some(Act::Terminate)
            }
            (Some(loaded), None) if now.saturating_sub(loaded) > BIRTH + self.patience() => {
                self.rests += 1;
                self.loaded = Some(now);
                Some(Act::Reload)
            }
            _ => None,
        }
    }

    /// The next delay of a reload.
    fn rest(&mut self) -> Duration {
        let rest = REST.saturating_mul(2_u32.saturating_pow(self.rests)).min(LONGEST_REST);
        self.rests += 1;
        rest
    }

    /// Additional time for the first heartbeat: none at first, then growing with each reload.
    fn patience(&self) -> Duration {
        match self.rests {
            0 => Duration::ZERO,
            tried => REST.saturating_mul(2_u32.saturating_pow(tried)).min(LONGEST_REST),
        }
    }

    /// Whether the fallback text is shown in place of the page.
    pub(super) fn is_given_up(&self) -> bool {
        self.rests > 0 && self.heard.is_none()
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
    fn check_every_second(pulse: &mut Pulse, from: u64, to: u64) -> Vec<(u64, Act)> {
        (from..=to).filter_map(|at| pulse.look(seconds(at)).map(|act| (at, act))).collect()
    }

    #[test]
    fn a_page_with_heartbeats_is_left_alone() {
        let mut pulse = Pulse::new(seconds(0));
        for at in 1..7200 {
            if at % BEAT.as_secs() == 0 {
                assert_eq!(pulse.beat(seconds(at), false), at == BEAT.as_secs());
            }
            assert_eq!(pulse.look(seconds(at)), None, "{at}");
        }
    }

    #[test]
    fn a_silent_page_is_terminated_once() {
        let mut pulse = Pulse::new(seconds(0));
        pulse.beat(seconds(1), false);
        assert_eq!(check_every_second(&mut pulse, 2, 48), [(47, Act::Terminate)]);
        assert_eq!(pulse.died(seconds(49)), None);
        assert_eq!(check_every_second(&mut pulse, 49, 70), [(49, Act::Reload)]);
    }

    #[test]
    fn a_terminated_page_is_reloaded_even_if_its_end_is_not_reported() {
        let mut pulse = Pulse::new(seconds(0));
        pulse.beat(seconds(1), false);
        assert_eq!(check_every_second(&mut pulse, 2, 80), [(47, Act::Terminate), (57, Act::Reload)]);
    }

    #[test]
    fn a_hidden_page_can_be_silent() {
        let mut pulse = Pulse::new(seconds(0));
        pulse.beat(seconds(1), true);
        assert_eq!(check_every_second(&mut pulse, 2, 1000), []);
        pulse.beat(seconds(1000), false);
        assert_eq!(check_every_second(&mut pulse, 1001, 1050), [(1046, Act::Terminate)]);
    }

    #[test]
    fn a_page_that_never_loads_is_reloaded_with_growing_delays() {
        let mut pulse = Pulse::new(seconds(0));
        let tries: Vec<u64> = check_every_second(&mut pulse, 1, 1500).into_iter().map(|(at, _)| at).collect();
        assert_eq!(tries[..4], [31, 92, 183, 334]);
        assert!(tries.windows(2).all(|two| two[1] - two[0] <= 331), "{tries:?}");
        assert!(pulse.is_given_up());
        pulse.beat(seconds(1501), false);
        assert!(!pulse.is_given_up());
    }

    #[test]
    fn crashes_are_recovered_at_once_until_there_are_too_many() {
        let mut pulse = Pulse::new(seconds(0));
        let mut rests = Vec::new();
        let mut now = 0;
        for _ in 0..8 {
            rests.push(pulse.died(seconds(now)).map(|rest| rest.as_secs()));
            let (mut tick, mut reloaded) = (now, false);
            while !reloaded {
                reloaded = pulse.look(seconds(tick)) == Some(Act::Reload);
                tick += 1;
            }
            now = tick;
        }
        assert_eq!(rests[..5], [None, None, None, None, Some(15)]);
        assert_eq!(rests[5], Some(30), "twice as long when it dies again");
        assert!(pulse.is_given_up());
        pulse.beat(seconds(now), false);
        assert!(!pulse.is_given_up(), "the page is shown as soon as it lives");
    }

    #[test]
    fn rare_crashes_are_not_delayed() {
        let mut pulse = Pulse::new(seconds(0));
        for at in (20..2000).step_by(20) {
            assert_eq!(pulse.died(seconds(at)), None);
            assert_eq!(pulse.look(seconds(at)), Some(Act::Reload));
        }
    }

    #[test]
    fn silence_during_a_suspension_is_ignored() {
        let mut pulse = Pulse::new(seconds(0));
        pulse.beat(seconds(1), false);
        assert_eq!(pulse.look(seconds(2)), None);
        // The machine was suspended for an hour.
        assert_eq!(pulse.look(seconds(3602)), None);
        pulse.beat(seconds(3604), false);
        assert_eq!(check_every_second(&mut pulse, 3605, 3640), []);
    }

    #[test]
    fn a_late_heartbeat_is_ignored() {
        let mut pulse = Pulse::new(seconds(0));
        pulse.died(seconds(5));
        assert!(!pulse.beat(seconds(5), false));
        assert_eq!(pulse.look(seconds(5)), Some(Act::Reload));
    }

    proptest! {
        /// Whatever happens, a dead or silent page is acted on within the maximum delay.
        #[test]
        fn a_dead_page_is_always_recovered(
            events in proptest::collection::vec((1_u64..120, 0_u8..3, any::<bool>()), 0..40)
        ) {
            let mut pulse = Pulse::new(seconds(0));
            let mut now = 0;
            for (wait, what, hidden) in events {
                for at in now + 1..=now + wait {
                    pulse.look(seconds(at));
                }
                now += wait;
                match what {
                    0 => drop(pulse.died(seconds(now))),
                    _ => _ = pulse.beat(seconds(now), hidden),
                }
            }
            pulse.died(seconds(now));
            let acts = check_every_second(&mut pulse, now, now + LONGEST_REST.as_secs() + 1);
            prop_assert!(!acts.is_empty());
        }
    }
}
