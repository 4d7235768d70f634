//! While the avatar is being made: when will it be ready?
//!
//! The end is expected where the work not yet done leads to, at a pace blended from how long processing usually takes and
//! from the progress so far, each by its own certainty. A stall is taken out of the pace and pushes the end ahead of it.
//! Beside this reckoning a small share of visits is always expected to end against it, and more the longer the progress
//! says nothing. Whatever is a time is a part of the usual time, so a backend of another size is polled alike.

use super::inspection::look_again;

/// Seconds that a ready avatar may have waited unseen, in expectation.
const BUDGET: f64 = 0.06;
/// How far from the usual a processing time may well be, as a log-normal's σ.
const USUAL_SPREAD: f64 = 0.5;
/// How far a pace taken from progress may be out, likewise: progress tells the time only roughly.
const PACE_SPREAD: f64 = 0.2;
/// … and what the reported share may be out.
const SHARE_ERROR: f64 = 0.03;
/// A reported share may lag behind the work by its step and this.
const LAG: f64 = 0.015;
/// How sharply the end can be known at all, as a part of the usual time.
const BLUR: f64 = 1.0 / 60.0;
/// Scale of the end's logistic distribution per standard deviation: √3/π = 0.55 exactly, and some doubt.
const SCALE: f64 = 0.65;
/// What took this much longer than the pace allows was a stall.
const STALL: f64 = 1.4;
/// The share of visits that end against all reckoning, and what it grows to when progress has long stood still.
const SURPRISE: f64 = 0.03;
const LOST: f64 = 0.3;

/// What was seen of one making. Times are in seconds, shares between 0 and 1.
#[derive(Debug, Clone)]
pub(super) struct Making {
    usual: f64,
    last_poll: f64,
    /// The share reported last that was a rise, and when it was reached.
    share: f64,
    reached: f64,
    /// The working time up to there: stalls left out. `None` while no progress was seen.
    worked: Option<f64>,
    /// The greatest common divisor of the percentages reported: a backend may count in steps.
    step: u8,
}

impl Making {
    /// First seen at `now`, with `percent` done; at `before` the avatar was not yet in the making.
    pub(super) fn new(now: f64, before: Option<f64>, percent: Option<u8>, usual: f64) -> Self {
        let share = share_of(percent.unwrap_or(0));
        let reckoned = now - share * usual;
        let began = match before {
            None => reckoned,
            Some(before) if share > 0.0 => reckoned.max(before),
            Some(before) => f64::midpoint(before, now),
        };
        let (reached, worked) = if share > 0.0 { (now, Some(now - began)) } else { (began, None) };
        Self { usual, last_poll: now, share, reached, worked, step: percent.unwrap_or(0) }
    }

    /// Takes in what was reported at `now`.
    pub(super) fn see(&mut self, now: f64, percent: Option<u8>) {
        if let Some(percent) = percent {
            self.step = common_divisor(self.step, percent);
            let share = share_of(percent);
            if share > self.share {
                self.rise(now, share);
            } else if share < self.share - 4.0 * SHARE_ERROR {
                // Not an error of the report: the work has begun anew, or is counted anew.
                let worked = (share > 0.0).then_some(share * self.usual);
                (self.share, self.reached, self.worked) = (share, now, worked);
            }
        }
        self.last_poll = now;
    }

    fn rise(&mut self, now: f64, share: f64) {
        let at = f64::midpoint(self.last_poll, now);
        let expected = (share - self.share) * self.whole().0;
        let unsure = (now - self.last_poll) / 2.0 + self.usual / 30.0;
        let took = (at - self.reached).clamp(0.0, STALL * expected + unsure);
        self.worked = Some(self.worked.unwrap_or(0.0) + took);
        (self.share, self.reached) = (share, at);
    }

    /// Seconds that the whole work would take without a stall, and how far that may be out, as a log-normal's σ.
    fn whole(&self) -> (f64, f64) {
        let prior = USUAL_SPREAD.powi(-2);
        match self.worked {
            Some(worked) if worked > 0.0 && self.share > 0.0 => {
                let seen = (SHARE_ERROR / self.share).hypot(PACE_SPREAD).powi(-2);
                let pace = (worked / self.share).ln();
                let blended = (self.usual.ln() * prior + pace * seen) / (prior + seen);
                (blended.exp(), (prior + seen).powf(-0.5))
            }
            _ => (self.usual, USUAL_SPREAD),
        }
    }

    /// Seconds to the next poll.
    pub(super) fn next(&self, now: f64) -> f64 {
        let (whole, spread) = self.whole();
        let left = (1.0 - self.share) * whole;
        let step = share_of(self.step.clamp(1, 10));
        let mut end = self.reached + left - now;
        if self.worked.is_some() {
            // It has not risen since, so no more than a step and the lag can have been done.
            end = end.max((1.0 - self.share - step - LAG) * whole);
        }
        let scale = SCALE * (left * spread).hypot(BLUR * self.usual);

        // Standing still is a stall at first, and after a third of the usual time more likely a report without worth.
        let overdue = now - self.reached - 2.0 * step.max(0.05) * whole;
        let lost = (3.0 * overdue / self.usual - 1.0 / 3.0).clamp(0.0, 1.0);
        let surprise = SURPRISE + (LOST - SURPRISE) * lost;
        let lull = (self.usual / 3.0).max(0.2 * left).max(-0.5 * end);

        let by = |ahead: f64| 1.0 / (1.0 + ((end - ahead) / scale).exp());
        let done = by(0.0);
        let still = (1.0 - surprise) * (1.0 - done) + surprise;
        let ready = |ahead: f64| {
            let reckoned = (1.0 - surprise) * (by(ahead) - done);
            let surprised = surprise * (1.0 - (-ahead / lull).exp());
            (reckoned + surprised) / still
        };
        look_again(ready, BUDGET, (self.usual / 9.0).clamp(1.0, 15.0))
    }
}

fn share_of(percent: u8) -> f64 {
    f64::from(percent) / 100.0
}

fn common_divisor(a: u8, b: u8) -> u8 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polled as planned while progress runs evenly to 100 % in `takes` seconds: the time and the spacing of each poll.
    fn evenly(takes: f64, usual: f64) -> Vec<(f64, f64)> {
        let mut making = Making::new(0.0, Some(0.0), Some(0), usual);
        let (mut now, mut polls) = (0.0, Vec::new());
        while now < takes {
            let next = making.next(now);
            polls.push((now, next));
            now += next;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
            making.see(now, Some((now / takes * 100.0).min(99.0) as u8));
        }
        polls
    }

    #[test]
    fn polls_stand_close_together_near_the_end_only() {
        for (takes, usual) in [(90.0, 90.0), (240.0, 90.0), (45.0, 90.0), (20.0, 20.0)] {
            let polls = evenly(takes, usual);
            let (_, last) = polls[polls.len() - 1];
            assert!(last < 1.5, "{takes} s: {last} s before the end");
            let widest =
                polls.iter().filter(|poll| poll.0 < takes / 2.0).map(|poll| poll.1).fold(0.0, f64::max);
            assert!(widest > 2.0 * last, "{takes} s: at most {widest} s at first, {last} s at the end");
        }
    }

    #[test]
    fn a_stall_half_way_is_not_taken_for_the_end() {
        let mut making = Making::new(0.0, Some(0.0), Some(0), 90.0);
        for second in (0..=45_u8).step_by(5) {
            making.see(f64::from(second), Some(second / 5 * 5));
        }
        // Without the stall the end would have come at about 90 s.
        for second in 50..=100 {
            let now = f64::from(second);
            making.see(now, Some(45));
            assert!(making.next(now) > 2.0, "{} s at {now} s", making.next(now));
        }
    }

    #[test]
    fn steps_are_found() {
        let mut making = Making::new(0.0, None, Some(10), 90.0);
        making.see(10.0, Some(25));
        assert_eq!(making.step, 5);
        making.see(20.0, Some(0));
        assert_eq!(making.step, 5);
        making.see(30.0, Some(33));
        assert_eq!(making.step, 1);
    }

    #[test]
    fn work_begun_anew_is_followed_anew() {
        let mut making = Making::new(0.0, Some(0.0), Some(0), 90.0);
        making.see(80.0, Some(90));
        let near = making.next(80.0);
        making.see(81.0, Some(10));
        assert!(making.next(81.0) > 3.0 * near);
    }
}
