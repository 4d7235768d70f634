//! While the avatar is being made: when will it be ready?
//!
//! The end is expected where the work not yet done, at the pace seen, leads to. The pace is blended, each by its own
//! certainty, from how long processing usually takes, from all progress so far, and from the latest stretch of it. A stall
//! is taken out of the pace and pushes the end ahead of it. Beside this reckoning a small share of visits is always
//! expected to end against it, more of them the longer the progress says nothing.

use super::inspection::look_again;

/// Seconds that a ready avatar may have waited unseen, in expectation.
const BUDGET: f64 = 0.065;
/// How far from the usual a processing time may well be, as a log-normal's σ; likewise each blended pace below.
const USUAL_SPREAD: f64 = 0.5;
/// … a pace from all progress so far: the share tells the time only roughly, and stalls hide in it.
const OVERALL_SPREAD: f64 = 0.3;
/// … a pace from the latest stretch.
const LATEST_SPREAD: f64 = 0.15;
/// The latest stretch, as a share of the work.
const STRETCH: f64 = 0.35;
/// The error of a reported share as such.
const SHARE_ERROR: f64 = 0.02;
/// The error of a difference between two reported shares, beside what steps do.
const DIFFERENCE_ERROR: f64 = 0.04;
/// A reported share may lag behind the work by its step and this.
const LAG: f64 = 0.035;
/// A logistic distribution's scale, a standard deviation wide (√3/π = 0.55), and some doubt.
const SCALE: f64 = 0.65;
/// The share of visits that end against all reckoning, and what it grows to when progress has long stood still.
const SURPRISE: f64 = 0.04;
const LOST: f64 = 0.3;

/// What was seen of one making. Times are in seconds, shares between 0 and 1.
#[derive(Debug, Clone)]
pub(super) struct Making {
    usual: f64,
    last_poll: f64,
    /// The highest share reported, and when it was reached.
    share: f64,
    reached: f64,
    /// Working time (stalls left out) and share at each rise, from the beginning on.
    rises: Vec<(f64, f64)>,
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
        let mut rises = vec![(0.0, 0.0)];
        if share > 0.0 {
            rises.push((now - began, share));
        }
        let reached = if share > 0.0 { now } else { began };
        Self { usual, last_poll: now, share, reached, rises, step: percent.unwrap_or(0) }
    }

    /// Takes in what was reported at `now`.
    pub(super) fn see(&mut self, now: f64, percent: Option<u8>) {
        if let Some(percent) = percent {
            self.step = common_divisor(self.step, percent);
            let share = share_of(percent);
            if share > self.share {
                self.rise(now, share);
            } else if share < self.share - 3.0 * DIFFERENCE_ERROR {
                // Not an error of the report: the work has begun anew, or was counted anew.
                (self.share, self.reached) = (share, now);
                self.rises = vec![(share * self.usual, share)];
            }
        }
        self.last_poll = now;
    }

    fn rise(&mut self, now: f64, share: f64) {
        let at = f64::midpoint(self.last_poll, now);
        // What took much longer than the pace allows was a stall, and tells nothing about the rest.
        let expected = (share - self.share) * self.whole().0;
        let most = 1.7 * expected + (now - self.last_poll) / 2.0 + self.usual / 30.0;
        let worked =
            self.rises.last().map_or(0.0, |rise| rise.0) + (at - self.reached).clamp(0.0, most.max(0.0));
        self.rises.push((worked, share));
        (self.share, self.reached) = (share, at);
    }

    /// Seconds that the whole work would take at the present pace, and how far that may be out, as a log-normal's σ.
    fn whole(&self) -> (f64, f64) {
        let mut weights = USUAL_SPREAD.powi(-2);
        let mut sum = self.usual.ln() * weights;
        let mut blend = |took: f64, share: f64, spread: f64| {
            if took > 0.0 && share > 0.0 {
                let weight = (DIFFERENCE_ERROR / share).hypot(spread).powi(-2);
                sum += (took / share).ln() * weight;
                weights += weight;
            }
        };
        if let [_, .., (worked, share)] = self.rises[..] {
            blend(worked, share, OVERALL_SPREAD);
            if let Some((then, had)) = self.rises.iter().rev().find(|rise| rise.1 <= share - STRETCH) {
                blend(worked - then, share - had, LATEST_SPREAD);
            }
        }
        ((sum / weights).exp(), weights.powf(-0.5))
    }

    /// Seconds to the next poll.
    pub(super) fn next(&self, now: f64) -> f64 {
        let (whole, spread) = self.whole();
        let left = (1.0 - self.share) * whole;
        let step = share_of(self.step.clamp(1, 10));
        let mut end = self.reached + left - now;
        if self.rises.len() > 1 {
            // It has not risen since, so no more than a step and the lag can have been done.
            end = end.max((1.0 - self.share - step - LAG) * whole);
        }
        let scale = SCALE * (left * spread).hypot(SHARE_ERROR * whole).hypot(0.5);

        let overdue = now - self.reached - 2.0 * step.max(0.05) * whole;
        let lost = (overdue / self.usual * 3.0 - 0.33).clamp(0.0, 1.0);
        let surprise = SURPRISE + (LOST - SURPRISE) * lost;
        let lull = (self.usual / 3.0).max(0.15 * left).max(-0.5 * end);

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
        let before = making.next(45.0);
        making.see(65.0, Some(45));
        assert!(making.next(65.0) > 1.5, "{} s, after {before} s", making.next(65.0));
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
