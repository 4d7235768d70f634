//! When the retention time of a visit is over.

use copresence_engine::clock::Clock;
use copresence_store::{PhaseTimestamps, VisitRecord};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Largest difference between two clocks that is no change of one of them.
const MAX_CLOCK_DRIFT: SignedDuration = SignedDuration::from_mins(5);

/// A start at most this long after the newest time in the journal is believed at once.
const MAX_PAUSE_BEFORE_START: SignedDuration = SignedDuration::from_hours(1);
/// How long the time of day at any other start must stay as it is before it is believed. A machine that is online has
/// learnt the right time by then.
const START_CONFIRMATION: Duration = Duration::from_hours(1);

/// The time of day for deletions. A system's clock that is set forward, rightly or not, deletes nothing at once: it is
/// believed after it has kept its new time for the retention time. One that is ahead of the journal when the program
/// starts, before a machine without a clock battery learnt the time, is believed after [`START_CONFIRMATION`].
#[derive(Default)]
pub(super) struct RetentionClock {
    /// Whether the time of day at the start was compared with the journal.
    is_start_compared: bool,
    /// Whether the time of day at the start is not believed yet.
    is_start_doubted: bool,
    /// How far the time of day is ahead of the program's own, as believed.
    offset: SignedDuration,
    /// Another offset, and the program's own time at which it was first seen.
    changed: Option<(SignedDuration, Duration)>,
}

impl RetentionClock {
    /// Whether [`compare_start_time_with_journal`](Self::compare_start_time_with_journal) is still to be called.
    pub(super) fn needs_start_time_comparison_with_journal(&self) -> bool {
        !self.is_start_compared
    }

    /// Compares the time of day at which the program started with what the journal knows of earlier times.
    pub(super) fn compare_start_time_with_journal(&mut self, clock: Clock, visits: &[VisitRecord]) {
        let elapsed = Duration::from_millis(clock.millis_since_clock_creation().as_millis());
        let started_at = SignedDuration::try_from(elapsed)
            .ok()
            .and_then(|elapsed| clock.monotonic_timestamp().checked_sub(elapsed).ok())
            .unwrap_or(Timestamp::MIN);
        self.trust_start_time_unless_after_journal(started_at, newest_journal_event_time_before(visits, started_at));
    }

    /// As [`compare_start_time_with_journal`](Self::compare_start_time_with_journal), for a start at `started_at`.
    fn trust_start_time_unless_after_journal(&mut self, started_at: Timestamp, newest: Option<Timestamp>) {
        self.is_start_compared = true;
        let ahead = newest.map_or(SignedDuration::ZERO, |newest| started_at.duration_since(newest));
        if ahead > MAX_PAUSE_BEFORE_START {
            self.is_start_doubted = true;
            (self.offset, self.changed) = (-ahead, Some((SignedDuration::ZERO, Duration::ZERO)));
        }
    }

    /// The time of day, as far as the system's clock is believed.
    pub(super) fn trusted_time(&mut self, clock: Clock, keep_hours: u32) -> Timestamp {
        let elapsed = Duration::from_millis(clock.millis_since_clock_creation().as_millis());
        self.trusted_time_from_clocks(clock.wall_clock_time(), clock.monotonic_timestamp(), elapsed, keep_hours)
    }

    /// As [`trusted_time`](Self::trusted_time); `elapsed` is the time since the program's own clock was made.
    fn trusted_time_from_clocks(
        &mut self,
        wall: Timestamp,
        monotonic: Timestamp,
        elapsed: Duration,
        keep_hours: u32,
    ) -> Timestamp {
        let offset = wall.duration_since(monotonic);
        let differs_from = |other: SignedDuration| (offset - other).abs() > MAX_CLOCK_DRIFT;
        let retention = Duration::from_hours(keep_hours.into());
        let confirmation = if self.is_start_doubted { retention.min(START_CONFIRMATION) } else { retention };
        match self.changed {
            _ if !differs_from(self.offset) => (self.changed, self.is_start_doubted) = (None, false),
            Some((changed, since)) if !differs_from(changed) => {
                if elapsed.saturating_sub(since) >= confirmation {
                    (self.offset, self.changed, self.is_start_doubted) = (offset, None, false);
                }
            }
            _ => self.changed = Some((offset, elapsed)),
        }
        monotonic.saturating_add(self.offset).unwrap_or(Timestamp::MAX).min(wall)
    }
}

/// The newest time that the journal has of an event before `end`.
fn newest_journal_event_time_before(visits: &[VisitRecord], end: Timestamp) -> Option<Timestamp> {
    let times = visits.iter().flat_map(|visit| {
        let PhaseTimestamps { started, issued, associated, queued, processing, ready, redeemed, saved } = &visit.times;
        let ended = visit.ending.as_ref().map(|ending| ending.at);
        [Some(*started), *issued, *associated, *queued, *processing, *ready, *redeemed, *saved, ended]
    });
    times.flatten().filter(|time| *time <= end).max()
}

/// Whether a visit has been kept for `hours` at `now`; with 0, until its visitor leaves. The hours count from the time
/// when the avatar was saved or the visit ended. A visit that recovery can still finish is kept for the time in which
/// its files can be downloaded, too; each attempt ends it again, so it counts from its delivery or its start.
pub(super) fn is_retention_over(visit: &VisitRecord, hours: u32, now: Timestamp) -> bool {
    if hours == 0 {
        return true;
    }
    let started_at = visit.start.started_at;
    let (kept_since, recoverable_for) = if visit.is_unfinished {
        (visit.times.redeemed.unwrap_or(started_at), visit.start.limits.unwrap_or_default().keep_trying)
    } else {
        let ended_at = visit.ending.as_ref().map(|ending| ending.at);
        (visit.times.saved.max(ended_at).unwrap_or(started_at), Duration::ZERO)
    };
    let kept_for = SignedDuration::from_hours(i64::from(hours))
        .saturating_add(SignedDuration::try_from(recoverable_for).unwrap_or(SignedDuration::MAX));
    now.duration_since(kept_since) >= kept_for
}

#[cfg(test)]
mod tests {
    use super::*;
    use copresence_store::{VisitEnding, VisitId, VisitStart};
    use std::path::PathBuf;

    fn at_hour(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(100_000 + hour)
    }

    /// A visit that began at hour 0 and ended at hour 1.
    fn ended_visit(is_unfinished: bool) -> VisitRecord {
        VisitRecord {
            start: VisitStart {
                id: VisitId::new(),
                profile: "test".into(),
                api_url: "https://api.test/".into(),
                backend_host: "api.test".into(),
                ephemeral: false,
                out_dir: PathBuf::new(),
                required_exports: Vec::new(),
                started_at: at_hour(0),
                limits: None,
            },
            times: PhaseTimestamps { started: at_hour(0), ..PhaseTimestamps::default() },
            token_expires_at: None,
            ending: Some(VisitEnding {
                code: "saved".into(),
                exit: 0,
                message: String::new(),
                visit_state: "saved".into(),
                directory: None,
                at: at_hour(1),
            }),
            is_unfinished,
            reopened_count: 0,
            redeems: 1,
            complete_files: 1,
            planned_files: 1,
            last_status: None,
            recovery_attempts: 0,
            recovery_next_attempt_at: None,
        }
    }

    #[test]
    fn the_retention_time_counts_from_the_end_of_a_visit() {
        let visit = ended_visit(false);
        assert!(!is_retention_over(&visit, 2, at_hour(2)));
        assert!(is_retention_over(&visit, 2, at_hour(3)));
        // Saved by recovery, three hours later.
        let times = PhaseTimestamps { saved: Some(at_hour(4)), ..visit.times };
        let recovered = VisitRecord { times, ..visit };
        assert!(!is_retention_over(&recovered, 2, at_hour(5)));
        assert!(is_retention_over(&recovered, 2, at_hour(6)));
        assert!(is_retention_over(&recovered, 0, at_hour(0)), "until its visitor leaves");
    }

    /// Its URLs and the bytes received are not deleted while recovery still tries.
    #[test]
    fn a_visit_that_recovery_can_finish_is_kept_while_its_files_can_be_downloaded() {
        let mut visit = ended_visit(true);
        visit.times.redeemed = Some(at_hour(1));
        for last_attempt in [1, 25] {
            visit.ending.as_mut().expect("it ended").at = at_hour(last_attempt);
            assert!(!is_retention_over(&visit, 1, at_hour(25)));
            assert!(is_retention_over(&visit, 1, at_hour(26)));
        }
    }

    #[test]
    fn a_clock_that_was_set_is_believed_after_the_retention_time() {
        let mut clock = RetentionClock::default();
        let mut at = |hour: i64, jump: i64| {
            let elapsed = Duration::from_hours(hour.unsigned_abs());
            clock.trusted_time_from_clocks(at_hour(hour + jump), at_hour(hour), elapsed, 24)
        };
        assert_eq!(at(1, 0), at_hour(1));
        assert_eq!(at(2, 72), at_hour(2), "three days ahead");
        assert_eq!(at(25, 72), at_hour(25));
        assert_eq!(at(26, 72), at_hour(98), "for a day");
        assert_eq!(at(27, 0), at_hour(27), "set back");
    }

    #[test]
    fn a_start_with_a_clock_that_is_ahead_of_the_journal_is_believed_after_an_hour() {
        let start = |newest: Option<i64>, started: i64| {
            let mut clock = RetentionClock::default();
            clock.trust_start_time_unless_after_journal(at_hour(started), newest.map(at_hour));
            clock
        };
        let minutes = |minutes: u64| Duration::from_mins(minutes);
        // Three days ahead, with the same clock all the time.
        let mut clock = start(Some(0), 72);
        let mut at = |elapsed: Duration| {
            let wall = at_hour(72) + elapsed;
            clock.trusted_time_from_clocks(wall, wall, elapsed, 24)
        };
        assert_eq!(at(minutes(1)), at_hour(0) + minutes(1), "from the newest time in the journal on");
        assert_eq!(at(minutes(59)), at_hour(0) + minutes(59));
        assert_eq!(at(minutes(60)), at_hour(73), "a clock that was not corrected in an hour is believed");
        // Three days ahead, and set by the network after a minute.
        let mut clock = start(Some(0), 72);
        let monotonic = |elapsed: Duration| at_hour(72) + elapsed;
        let wall = |elapsed: Duration| at_hour(0) + elapsed;
        for elapsed in [minutes(1), minutes(120)] {
            let time = clock.trusted_time_from_clocks(wall(elapsed), monotonic(elapsed), elapsed, 24);
            assert_eq!(time, wall(elapsed));
        }
        // No other start is doubted.
        for (newest, started) in [(None, 72), (Some(72), 72), (Some(71), 72)] {
            let mut clock = start(newest, started);
            assert_eq!(
                clock.trusted_time_from_clocks(at_hour(73), at_hour(73), minutes(60), 24),
                at_hour(73),
                "{newest:?}"
            );
        }
    }

    #[test]
    fn the_newest_time_of_the_journal_is_not_one_of_a_clock_that_was_ahead_before() {
        let visits = [ended_visit(false)];
        assert_eq!(newest_journal_event_time_before(&visits, at_hour(10)), Some(at_hour(1)));
        assert_eq!(newest_journal_event_time_before(&visits, at_hour(0)), Some(at_hour(0)));
        assert_eq!(newest_journal_event_time_before(&visits, at_hour(-1)), None);
    }
}
