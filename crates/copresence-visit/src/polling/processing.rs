//! Intervals while the avatar is processed: an estimate of when it will be ready.
//!
//! The end is extrapolated from the remaining work at a speed that blends the usual processing time with the progress
//! so far, each weighted by its certainty. Stalls do not count towards the speed and push the end back. A small share
//! of visits is always expected to end against the estimate, and more the longer progress does not change. All times
//! are fractions of the usual time, so that backends of any speed are polled alike.

use super::delay_budget::secs_until_delay_budget_spent;

/// Expected seconds that a ready avatar may go unnoticed.
const UNNOTICED_BUDGET: f64 = 0.06;
/// Spread of processing times around the usual one: σ of a log-normal distribution.
const USUAL_SPREAD: f64 = 0.5;
/// Spread of a speed derived from progress, likewise.
const SPEED_SPREAD: f64 = 0.2;
/// Error of a reported share.
const SHARE_ERROR: f64 = 0.03;
/// A reported share may lag behind the work by its step and this much.
const SHARE_LAG: f64 = 0.015;
/// Minimum uncertainty of the end, as a fraction of the usual time.
const MIN_UNCERTAINTY: f64 = 1.0 / 60.0;
/// Scale of the end's logistic distribution per standard deviation: √3/π = 0.55, and a margin.
const LOGISTIC_SCALE: f64 = 0.65;
/// A step that took this many times longer than expected was a stall.
const STALL_FACTOR: f64 = 1.4;
/// Share of visits that end against the estimate.
const SURPRISE_SHARE: f64 = 0.03;
/// The same when progress has not changed for a long time.
const SURPRISE_WITHOUT_PROGRESS: f64 = 0.3;

/// The estimate of one avatar's processing, from the usual time and from what the polls have shown. Times are in
/// seconds, shares in 0..=1.
#[derive(Debug, Clone)]
pub(super) struct ProcessingDurationEstimate {
    usual: f64,
    last_poll: f64,
    /// The last share that was a rise, and when it was reached.
    share: f64,
    reached: f64,
    /// Working time up to there, without stalls. `None` before any progress.
    worked: Option<f64>,
    /// Greatest common divisor of the reported percentages: a backend may report in steps.
    step: u8,
}

impl ProcessingDurationEstimate {
    /// First seen in processing at `now`, with `percent` done; at `before` it was not yet in processing.
    pub(super) fn new(now: f64, before: Option<f64>, percent: Option<u8>, usual: f64) -> Self {
        let share = fraction_from_percent(percent.unwrap_or(0));
        let estimated = now - share * usual;
        let began = match before {
            None => estimated,
            Some(before) if share > 0.0 => estimated.max(before),
            Some(before) => f64::midpoint(before, now),
        };
        let (reached, worked) = if share > 0.0 { (now, Some(now - began)) } else { (began, None) };
        Self { usual, last_poll: now, share, reached, worked, step: percent.unwrap_or(0) }
    }

    /// Updates the estimate with the progress that a poll reported at `now`.
    pub(super) fn update_progress(&mut self, now: f64, percent: Option<u8>) {
        if let Some(percent) = percent {
            self.step = greatest_common_progress_step(self.step, percent);
            let share = fraction_from_percent(percent);
            if share > self.share {
                self.record_progress_rise(now, share);
            } else if share < self.share - 4.0 * SHARE_ERROR {
                // More than an error of the report: the work was started again.
                let worked = (share > 0.0).then_some(share * self.usual);
                (self.share, self.reached, self.worked) = (share, now, worked);
            }
        }
        self.last_poll = now;
    }

    /// Records a rise of the progress to `share`, and adds the time that it took to the working time. Longer pauses
    /// count as stalls.
    fn record_progress_rise(&mut self, now: f64, share: f64) {
        let at = f64::midpoint(self.last_poll, now);
        let expected = (share - self.share) * self.estimate_whole_work_seconds_and_log_sigma().0;
        let unsure = (now - self.last_poll) / 2.0 + self.usual / 30.0;
        let took = (at - self.reached).clamp(0.0, STALL_FACTOR * expected + unsure);
        self.worked = Some(self.worked.unwrap_or(0.0) + took);
        (self.share, self.reached) = (share, at);
    }

    /// Estimated seconds of the whole work without stalls, and the σ of its log-normal distribution.
    fn estimate_whole_work_seconds_and_log_sigma(&self) -> (f64, f64) {
        let prior = USUAL_SPREAD.powi(-2);
        match self.worked {
            Some(worked) if worked > 0.0 && self.share > 0.0 => {
                let observed = (SHARE_ERROR / self.share).hypot(SPEED_SPREAD).powi(-2);
                let speed = (worked / self.share).ln();
                let blended = (self.usual.ln() * prior + speed * observed) / (prior + observed);
                (blended.exp(), (prior + observed).powf(-0.5))
            }
            _ => (self.usual, USUAL_SPREAD),
        }
    }

    /// Seconds from `now` until the next poll, by the estimated end of processing and its uncertainty.
    pub(super) fn seconds_until_next_poll(&self, now: f64) -> f64 {
        let (whole, spread) = self.estimate_whole_work_seconds_and_log_sigma();
        let left = (1.0 - self.share) * whole;
        let step = fraction_from_percent(self.step.clamp(1, 10));
        let mut end = self.reached + left - now;
        if self.worked.is_some() {
            // The share has not risen since, so at most one step and the lag can be done.
            end = end.max((1.0 - self.share - step - SHARE_LAG) * whole);
        }
        let scale = LOGISTIC_SCALE * (left * spread).hypot(MIN_UNCERTAINTY * self.usual);

        // Unchanged progress is first a stall, and after a third of the usual time more likely a useless report.
        let overdue = now - self.reached - 2.0 * step.max(0.05) * whole;
        let useless = (3.0 * overdue / self.usual - 1.0 / 3.0).clamp(0.0, 1.0);
        let surprise = SURPRISE_SHARE + (SURPRISE_WITHOUT_PROGRESS - SURPRISE_SHARE) * useless;
        let surprise_scale = (self.usual / 3.0).max(0.2 * left).max(-0.5 * end);

        let done_by = |ahead: f64| 1.0 / (1.0 + ((end - ahead) / scale).exp());
        let done = done_by(0.0);
        let remaining = (1.0 - surprise) * (1.0 - done) + surprise;
        let ready = |ahead: f64| {
            let estimated = (1.0 - surprise) * (done_by(ahead) - done);
            let surprised = surprise * (1.0 - (-ahead / surprise_scale).exp());
            (estimated + surprised) / remaining
        };
        secs_until_delay_budget_spent(ready, UNNOTICED_BUDGET, (self.usual / 9.0).clamp(1.0, 15.0))
    }
}

/// A percentage as a fraction from 0 to 1.
fn fraction_from_percent(percent: u8) -> f64 {
    f64::from(percent) / 100.0
}

/// The largest step of which both percentages are multiples: their greatest common divisor. It shows in which steps a
/// backend reports progress.
fn greatest_common_progress_step(a: u8, b: u8) -> u8 {
    if b == 0 { a } else { greatest_common_progress_step(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time and interval of each poll while progress runs evenly to 100 % in `takes` seconds.
    fn polls_of_even_progress(takes: f64, usual: f64) -> Vec<(f64, f64)> {
        let mut estimate = ProcessingDurationEstimate::new(0.0, Some(0.0), Some(0), usual);
        let (mut now, mut polls) = (0.0, Vec::new());
        while now < takes {
            let next = estimate.seconds_until_next_poll(now);
            polls.push((now, next));
            now += next;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
            estimate.update_progress(now, Some((now / takes * 100.0).min(99.0) as u8));
        }
        polls
    }

    #[test]
    fn polls_are_frequent_near_the_end_only() {
        for (takes, usual) in [(90.0, 90.0), (240.0, 90.0), (45.0, 90.0), (20.0, 20.0)] {
            let polls = polls_of_even_progress(takes, usual);
            let (_, last) = polls[polls.len() - 1];
            assert!(last < 1.5, "{takes} s: {last} s before the end");
            let widest = polls.iter().filter(|poll| poll.0 < takes / 2.0).map(|poll| poll.1).fold(0.0, f64::max);
            assert!(widest > 2.0 * last, "{takes} s: at most {widest} s at first, {last} s at the end");
        }
    }

    #[test]
    fn a_stall_half_way_is_not_mistaken_for_the_end() {
        let mut estimate = ProcessingDurationEstimate::new(0.0, Some(0.0), Some(0), 90.0);
        for second in (0..=45_u8).step_by(5) {
            estimate.update_progress(f64::from(second), Some(second / 5 * 5));
        }
        // Without the stall the end would have come at about 90 s.
        for second in 50..=100 {
            let now = f64::from(second);
            estimate.update_progress(now, Some(45));
            assert!(
                estimate.seconds_until_next_poll(now) > 2.0,
                "{} s at {now} s",
                estimate.seconds_until_next_poll(now)
            );
        }
    }

    #[test]
    fn the_step_of_reports_is_detected() {
        let mut estimate = ProcessingDurationEstimate::new(0.0, None, Some(10), 90.0);
        estimate.update_progress(10.0, Some(25));
        assert_eq!(estimate.step, 5);
        estimate.update_progress(20.0, Some(0));
        assert_eq!(estimate.step, 5);
        estimate.update_progress(30.0, Some(33));
        assert_eq!(estimate.step, 1);
    }

    #[test]
    fn restarted_work_is_estimated_again() {
        let mut estimate = ProcessingDurationEstimate::new(0.0, Some(0.0), Some(0), 90.0);
        estimate.update_progress(80.0, Some(90));
        let near = estimate.seconds_until_next_poll(80.0);
        estimate.update_progress(81.0, Some(10));
        assert!(estimate.seconds_until_next_poll(81.0) > 3.0 * near);
    }
}
