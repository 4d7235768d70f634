//! While the avatar waits its turn: it cannot be ready soon, so only the place shown has to be about right.

use super::inspection::look_again;

/// A place takes this share of the usual processing (several are made at a time), before any was seen to pass.
const PLACE: f64 = 0.45;
/// How alike the places are: the shape of a log-logistic time.
const ALIKE: f64 = 5.0;
/// The same before any was seen to pass, when the pace is only a guess.
const GUESSED: f64 = 3.5;
/// Seconds that a place may have passed unseen, in expectation.
const BUDGET: f64 = 5.0;
const LONGEST: f64 = 30.0;

/// What was seen of the queue.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    /// Seconds a place, as far as is known beforehand.
    guess: f64,
    /// When the counting of places began, and the place then.
    since: f64,
    first: Option<u32>,
    /// When the present place was reached.
    reached: f64,
    place: Option<u32>,
    last_poll: f64,
}

impl Queued {
    pub(super) fn new(now: f64, place: Option<u32>, usual_processing: f64) -> Self {
        let guess = PLACE * usual_processing;
        Self { guess, since: now, first: place, reached: now, place, last_poll: now }
    }

    /// Takes in the place reported at `now`.
    pub(super) fn see(&mut self, now: f64, place: Option<u32>) {
        if place != self.place {
            let onward = place.is_some() && place < self.place;
            if onward {
                self.reached = f64::midpoint(self.last_poll, now);
            } else {
                // Overtaken, or not told any more: the counting begins anew.
                (self.since, self.first, self.reached) = (now, place, now);
            }
            self.place = place;
        }
        self.last_poll = now;
    }

    /// Seconds to the next poll.
    pub(super) fn next(&self, now: f64) -> f64 {
        let passed = self.first.unwrap_or(0).saturating_sub(self.place.unwrap_or(0));
        // The guess counts as one place seen.
        let pace = (self.reached - self.since + self.guess) / (f64::from(passed) + 1.0);
        let shape = if passed == 0 { GUESSED } else { ALIKE };
        let lasts = |for_long: f64| 1.0 / (1.0 + (for_long.max(0.0) / pace).powf(shape));
        let spent = now - self.reached;
        look_again(|ahead| 1.0 - lasts(spent + ahead) / lasts(spent), BUDGET, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue in which each place takes `pace` seconds, polled as planned; the last spacing.
    fn spacing_at(pace: f64) -> f64 {
        let mut queued = Queued::new(0.0, Some(9), 90.0);
        let mut now = 0.0;
        let mut polls = 0.0;
        while now < 8.0 * pace {
            now += queued.next(now);
            polls += 1.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few places")]
            queued.see(now, Some(9_u32.saturating_sub((now / pace) as u32)));
        }
        now / polls
    }

    #[test]
    fn the_pace_of_the_queue_spaces_the_polls() {
        let (brisk, usual, slow) = (spacing_at(10.0), spacing_at(40.0), spacing_at(160.0));
        assert!(brisk < usual && usual < slow, "{brisk} {usual} {slow}");
    }

    #[test]
    fn a_place_that_is_due_is_looked_at_more_closely() {
        let mut queued = Queued::new(0.0, Some(3), 90.0);
        queued.see(40.0, Some(2));
        assert!(queued.next(75.0) < queued.next(40.0));
    }

    #[test]
    fn a_queue_that_moves_backwards_or_hides_its_places_is_borne() {
        let mut queued = Queued::new(0.0, None, 90.0);
        for (now, place) in
            [(10.0, Some(4)), (20.0, Some(7)), (30.0, None), (40.0, Some(u32::MAX)), (50.0, Some(0))]
        {
            queued.see(now, place);
            let next = queued.next(now);
            assert!(next > 0.0 && next <= LONGEST, "{next} after {place:?}");
        }
    }
}
