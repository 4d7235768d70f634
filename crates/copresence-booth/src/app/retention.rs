//! When the retention time of a visit is over.

use copresence_engine::clock::Clock;
use copresence_store::VisitRecord;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Largest difference between two clocks that is no change of one of them.
const MAX_CLOCK_DRIFT: SignedDuration = SignedDuration::from_mins(5);

/// The time of day for deletions. A system's clock that is set forward, rightly or not, deletes nothing at once: it is
/// believed after it has kept its new time for the retention time.
#[derive(Default)]
pub(super) struct RetentionClock {
    /// How far the time of day is ahead of the program's own, as believed.
    offset: SignedDuration,
    /// Another offset, and the program's own time at which it was first seen.
    changed: Option<(SignedDuration, Duration)>,
}

impl RetentionClock {
    /// The time of day, as far as the system's clock is believed.
    pub(super) fn trusted_time(&mut self, clock: Clock, keep_hours: u32) -> Timestamp {
        let elapsed = Duration::from_millis(clock.millis_since_clock_creation().as_millis());
        self.compare_clocks(clock.wall_clock_time(), clock.monotonic_timestamp(), elapsed, keep_hours)
    }

    /// As [`trusted_time`](Self::trusted_time); `elapsed` is the time since the program's own clock was made.
    fn compare_clocks(
        &mut self,
        wall: Timestamp,
        monotonic: Timestamp,
        elapsed: Duration,
        keep_hours: u32,
    ) -> Timestamp {
        let offset = wall.duration_since(monotonic);
        let differs_from = |other: SignedDuration| (offset - other).abs() > MAX_CLOCK_DRIFT;
        match self.changed {
            _ if !differs_from(self.offset) => self.changed = None,
            Some((changed, since)) if !differs_from(changed) => {
                if elapsed.saturating_sub(since) >= Duration::from_hours(keep_hours.into()) {
                    (self.offset, self.changed) = (offset, None);
                }
            }
            _ => self.changed = Some((offset, elapsed)),
        }
        monotonic.saturating_add(self.offset).unwrap_or(Timestamp::MAX).min(wall)
    }
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
    use copresence_store::{PhaseTimes, VisitEnding, VisitId, VisitStart};
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
            times: PhaseTimes { started: at_hour(0), ..PhaseTimes::default() },
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
        let times = PhaseTimes { saved: Some(at_hour(4)), ..visit.times };
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
            clock.compare_clocks(at_hour(hour + jump), at_hour(hour), elapsed, 24)
        };
        assert_eq!(at(1, 0), at_hour(1));
        assert_eq!(at(2, 72), at_hour(2), "three days ahead");
        assert_eq!(at(25, 72), at_hour(25));
        assert_eq!(at(26, 72), at_hour(98), "for a day");
        assert_eq!(at(27, 0), at_hour(27), "set back");
    }
}
