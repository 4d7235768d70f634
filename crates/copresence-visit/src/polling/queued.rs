//! Intervals while the avatar is in the queue: it cannot be ready soon, so only the displayed position has to be
//! current.

use super::delay_budget::secs_until_delay_budget_spent;

/// Time per position as a fraction of the usual processing time, before a move was observed. Several avatars are
/// processed at a time.
const TIME_PER_POSITION: f64 = 0.45;
/// Shape of the log-logistic time per position.
const OBSERVED_SHAPE: f64 = 5.0;
/// The same before a move was observed, when the time per position is a guess.
const GUESSED_SHAPE: f64 = 3.5;
/// Expected seconds that a move may go unnoticed.
const UNNOTICED_BUDGET: f64 = 5.0;
/// Maximum interval, in seconds.
const MAX_INTERVAL: f64 = 30.0;

/// What the polls have shown of the queue.
#[derive(Debug, Clone)]
pub(super) struct QueueEstimate {
    /// Seconds per position, before any observation.
    guessed_seconds: f64,
    /// When counting began, and the position then.
    since: f64,
    first_position: Option<u32>,
    /// When the present position was reached.
    position_since: f64,
    position: Option<u32>,
    last_poll: f64,
}

impl QueueEstimate {
    /// First seen in the queue at `now`.
    pub(super) fn new(now: f64, position: Option<u32>, usual_processing: f64) -> Self {
        let guessed_seconds = TIME_PER_POSITION * usual_processing;
        Self { guessed_seconds, since: now, first_position: position, position_since: now, position, last_poll: now }
    }

    /// Updates the estimate with the position that a poll reported at `now`.
    pub(super) fn update_position(&mut self, now: f64, place: Option<u32>) {
        if place != self.position {
            let has_advanced = place.is_some() && place < self.position;
            if has_advanced {
                self.position_since = f64::midpoint(self.last_poll, now);
            } else {
                // Moved back, or no longer reported: counting starts again.
                (self.since, self.first_position, self.position_since) = (now, place, now);
            }
            self.position = place;
        }
        self.last_poll = now;
    }

    /// Seconds until the next poll.
    pub(super) fn seconds_until_next_poll(&self, now: f64) -> f64 {
        let passed = self.first_position.unwrap_or(0).saturating_sub(self.position.unwrap_or(0));
        // The guess counts as one observed move.
        let per_position = (self.position_since - self.since + self.guessed_seconds) / (f64::from(passed) + 1.0);
        let shape = if passed == 0 { GUESSED_SHAPE } else { OBSERVED_SHAPE };
        let survival = |seconds: f64| 1.0 / (1.0 + (seconds.max(0.0) / per_position).powf(shape));
        let spent = now - self.position_since;
        secs_until_delay_budget_spent(
            |ahead| 1.0 - survival(spent + ahead) / survival(spent),
            UNNOTICED_BUDGET,
            MAX_INTERVAL,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean interval in a queue in which each position takes `pace` seconds.
    fn mean_interval(pace: f64) -> f64 {
        let mut queued = QueueEstimate::new(0.0, Some(9), 90.0);
        let mut now = 0.0;
        let mut polls = 0.0;
        while now < 8.0 * pace {
            now += queued.seconds_until_next_poll(now);
            polls += 1.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few places")]
            queued.update_position(now, Some(9_u32.saturating_sub((now / pace) as u32)));
        }
        now / polls
    }

    #[test]
    fn a_faster_queue_is_polled_more_often() {
        let (brisk, usual, slow) = (mean_interval(10.0), mean_interval(40.0), mean_interval(160.0));
        assert!(brisk < usual && usual < slow, "{brisk} {usual} {slow}");
    }

    #[test]
    fn a_move_that_is_due_is_polled_more_often() {
        let mut queued = QueueEstimate::new(0.0, Some(3), 90.0);
        queued.update_position(40.0, Some(2));
        assert!(queued.seconds_until_next_poll(75.0) < queued.seconds_until_next_poll(40.0));
    }

    #[test]
    fn a_queue_that_moves_back_or_hides_positions_is_tolerated() {
        let mut queued = QueueEstimate::new(0.0, None, 90.0);
        for (now, place) in [(10.0, Some(4)), (20.0, Some(7)), (30.0, None), (40.0, Some(u32::MAX)), (50.0, Some(0))] {
            queued.update_position(now, place);
            let next = queued.seconds_until_next_poll(now);
            assert!(next > 0.0 && next <= MAX_INTERVAL, "{next} after {place:?}");
        }
    }
}
