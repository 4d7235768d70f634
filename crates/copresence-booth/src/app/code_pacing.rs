//! Spaces out new codes when visitors leave again and again before their code is scanned. Each code is an Export Token that
//! the backend issued: a stranger who presses *New code* for fun, or a key that is stuck, would use up tokens.

use copresence_store::VisitId;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// For how long an unused code counts.
const COUNTED_PERIOD: Duration = Duration::from_mins(10);
/// Number of unused codes after which the next one waits.
const CODES_WITHOUT_WAIT: usize = 5;
/// By how much each further unused code lengthens the wait.
const WAIT_PER_CODE: Duration = Duration::from_secs(10);
/// The longest wait for a code.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// The visits of the last minutes whose visitors left, or got a ticket, before a phone scanned their QR codes.
#[derive(Debug, Default)]
pub(super) struct RecentUnscannedVisits {
    /// Each with the time by a monotonic clock, oldest first.
    left: VecDeque<(VisitId, Timestamp)>,
}

impl RecentUnscannedVisits {
    /// Records a visit whose visitor left before its QR code was scanned. It may not be known yet whether a token is
    /// issued. A visit counts once, from its last record.
    pub(super) fn record_unscanned_visit(&mut self, visit: VisitId, now: Timestamp) {
        self.drop_visits_outside_window(now);
        self.remove_visit(visit);
        self.left.push_back((visit, now));
    }

    /// Removes a visit that ended before it had a QR code, or whose code a phone scanned.
    pub(super) fn remove_visit(&mut self, visit: VisitId) {
        self.left.retain(|(left, _)| *left != visit);
    }

    /// How long the QR code of the next visit has to wait. At a booth with usual visitors: zero.
    pub(super) fn required_wait_before_next_code(&mut self, now: Timestamp) -> Duration {
        self.drop_visits_outside_window(now);
        let too_many = (self.left.len() + 1).saturating_sub(CODES_WITHOUT_WAIT);
        let wait = WAIT_PER_CODE.saturating_mul(u32::try_from(too_many).unwrap_or(u32::MAX)).min(MAX_WAIT);
        let since_last = self.left.back().map_or(Duration::MAX, |(_, last)| duration_between(*last, now));
        wait.saturating_sub(since_last)
    }

    /// Drops the visits that left longer ago than the counted period.
    fn drop_visits_outside_window(&mut self, now: Timestamp) {
        while self.left.front().is_some_and(|(_, first)| duration_between(*first, now) > COUNTED_PERIOD) {
            self.left.pop_front();
        }
    }
}

/// The time from one moment to a later one.
fn duration_between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    #[test]
    fn codes_wait_only_after_several_unused_ones() {
        let mut counter = RecentUnscannedVisits::default();
        for nth in 0..4 {
            counter.record_unscanned_visit(VisitId::new(), at(nth));
            assert_eq!(counter.required_wait_before_next_code(at(nth)), Duration::ZERO, "after {nth}");
        }
        counter.record_unscanned_visit(VisitId::new(), at(10));
        assert_eq!(counter.required_wait_before_next_code(at(10)), Duration::from_secs(10));
        assert_eq!(counter.required_wait_before_next_code(at(17)), Duration::from_secs(3));
        assert_eq!(counter.required_wait_before_next_code(at(20)), Duration::ZERO);
        counter.record_unscanned_visit(VisitId::new(), at(20));
        assert_eq!(counter.required_wait_before_next_code(at(20)), Duration::from_secs(20));
        let without_code = VisitId::new();
        counter.record_unscanned_visit(without_code, at(30));
        counter.remove_visit(without_code);
        assert_eq!(counter.required_wait_before_next_code(at(20)), Duration::from_secs(20), "it does not count");
        assert_eq!(counter.required_wait_before_next_code(at(620)), Duration::ZERO, "they no longer count");
        let again = VisitId::new();
        for _ in 0..9 {
            counter.record_unscanned_visit(again, at(621));
        }
        assert_eq!(counter.required_wait_before_next_code(at(621)), Duration::ZERO, "a visit counts once");
    }

    proptest! {
        /// Somebody who takes a new code as soon as he gets one.
        #[test]
        fn at_most_about_one_code_per_minute_in_the_long_run(hold_seconds in 0..5_i64) {
            let mut counter = RecentUnscannedVisits::default();
            let (mut now, mut codes) = (0, 0);
            while now < 3600 {
                now += i64::try_from(counter.required_wait_before_next_code(at(now)).as_secs()).expect("short") + hold_seconds;
                counter.record_unscanned_visit(VisitId::new(), at(now));
                codes += 1;
            }
            prop_assert!(codes <= 75, "{codes} codes in an hour");
        }
    }
}
