//! The adaptive polling policy: when to poll next.
//!
//! It is pure: it maps the results of the polls to the time of the next one. It treats polling as the inspection of a
//! machine that fails at an unknown time: the next poll is due when the *expected unnoticed waiting time* (the
//! probability that the event has happened, integrated since the last poll) reaches a small budget. Polls are rare
//! while readiness is unlikely, and frequent near the expected end; uncertainty spreads them.
//!
//! - **`no_associated_avatar`**: a scan cannot be predicted. Polls are evenly spaced while an association is likely, and
//!   few once it has become unlikely. Who records an avatar is associated after more than a minute; where the usual time
//!   is shorter, visitors select avatars that they already have, which are ready at once, so polls are more frequent.
//! - **`in_queue`**: from the speed of the queue, more often when the next move is due.
//! - **`processing`** (and any status that the specification does not list): the end is estimated from the usual processing
//!   time and the speed of the progress; stalls, steps and noise are allowed for.
//! - **`failed`**: slowly, but a new recording under the same token is noticed.
//! - **Failures**: the next poll comes soon, because a single failure is usually an exception and the avatar may be ready;
//!   then exponential backoff to [`PollingConfig::slowest`], reset by the first usable response. `Retry-After` is honoured
//!   up to five minutes, because a visitor is waiting; of anything but a rate limit, up to a third of the visit's patience.
//!
//! Every interval is jittered, and lies between [`PollingConfig::fastest`] and [`PollingConfig::slowest`]. The same
//! seed and the same responses give the same times. `benches/polling.rs` measures the policy against other ways of
//! polling.

mod delay_budget;
mod jitter;
mod processing;
#[cfg(test)]
mod properties;
mod queued;
mod unassociated;

use crate::time::MillisSinceOrigin;
use copresence_protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use jitter::JitterRng;
use processing::ProcessingDurationEstimate;
use queued::QueueEstimate;
use std::time::Duration;
use unassociated::AssociationPollSpacing;

/// The longest `Retry-After` that is honoured, in milliseconds.
const MAX_RETRY_AFTER_MILLIS: u64 = 5 * 60 * 1000;
/// Relative jitter of an interval, to both sides.
const JITTER: f64 = 0.07;
/// Intervals after failures, in seconds: the first one, the growth with each failure after the second, and the upper
/// limit of an interval that was longer before the failure.
const RETRY_INTERVAL: f64 = 0.8;
const RETRY_GROWTH: f64 = 1.5;
const MAX_FIRST_RETRY_INTERVAL: f64 = 2.0;
/// The interval in `failed`: its start in seconds, and its growth per second. Recording again takes a minute.
const FAILED_INTERVAL_AND_GROWTH: (f64, f64) = (8.0, 0.05);

/// Result of one poll.
#[derive(Debug, Clone)]
pub enum PollResult<'a> {
    /// The backend reported the progress of the avatar.
    Progress(&'a Progress),
    /// No usable response (network, 429, 5xx, an unreadable body).
    Failed {
        /// `Retry-After` of the response.
        retry_after: Option<Duration>,
    },
}

/// How polls are spaced.
///
/// # Defaults
/// At least 250 ms and at most 30 s between polls, adaptive, for a backend that usually processes for 90 s, and
/// visitors of whom nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollingConfig {
    /// Minimum time between a response and the next poll.
    pub fastest: Duration,
    /// Maximum time between a response and the next poll, except for a longer `Retry-After`.
    pub slowest: Duration,
    /// `--poll`: a fixed interval after each response instead of the adaptive policy. Failures back off from it. It may
    /// be longer than `slowest`, not shorter than `fastest`.
    pub fixed: Option<Duration>,
    /// Usual processing time of this backend, learnt from earlier visits.
    pub usual_processing: Duration,
    /// Usual time from the first poll to an association, learnt from earlier visits; `None` if it is unknown.
    pub usual_association: Option<Duration>,
}

impl Default for PollingConfig {
    fn default() -> Self {
        Self {
            fastest: Duration::from_millis(250),
            slowest: Duration::from_secs(30),
            fixed: None,
            usual_processing: Duration::from_secs(90),
            usual_association: None,
        }
    }
}

/// State of the policy for one token.
#[derive(Debug, Clone)]
pub struct PollSchedule {
    /// Milliseconds, like the next two fields.
    fastest: u64,
    slowest: u64,
    fixed: Option<u64>,
    association: AssociationPollSpacing,
    /// Seconds, like every time below.
    usual_processing: f64,
    jitter: JitterRng,
    /// Time of the first response: the origin of the times below.
    first_response: Option<MillisSinceOrigin>,
    /// The last usable response.
    last: f64,
    phase: Phase,
    /// Polls in a row without a usable response.
    failures: u32,
    /// The interval after the last response, before the jitter.
    interval: f64,
}

/// What the backend last reported, with what the policy needs to predict the next change.
#[derive(Debug, Clone)]
enum Phase {
    Unknown,
    Unassociated { since: f64 },
    Queued(QueueEstimate),
    Processing(ProcessingDurationEstimate),
    Failed { since: f64 },
}

impl PollSchedule {
    /// A new state; `seed` feeds the jitter.
    #[expect(clippy::needless_pass_by_value, reason = "called once a token, with a config of its own")]
    pub fn new(config: PollingConfig, seed: u64) -> Self {
        let PollingConfig { fastest, slowest, fixed, usual_processing, usual_association } = config;
        let fastest = ceil_millis(fastest);
        Self {
            fastest,
            slowest: ceil_millis(slowest).max(fastest),
            fixed: fixed.map(|fixed| ceil_millis(fixed).max(fastest)),
            association: AssociationPollSpacing::choose_spacing_by_association_time(usual_association),
            usual_processing: usual_processing.as_secs_f64().clamp(1.0, 3600.0),
            jitter: JitterRng::new(seed),
            first_response: None,
            last: 0.0,
            phase: Phase::Unknown,
            failures: 0,
            interval: 1.0,
        }
    }

    /// Takes the result of the poll that ended at `now`, and returns when the next one is due.
    pub fn next_poll(&mut self, result: &PollResult<'_>, now: MillisSinceOrigin) -> MillisSinceOrigin {
        let origin = *self.first_response.get_or_insert(now);
        // Time never goes back, also if the clock does.
        let at = now.duration_since(origin).as_secs_f64().max(self.last);
        let wait = match result {
            PollResult::Progress(progress) => self.wait_after_progress(progress, at),
            PollResult::Failed { retry_after } => self.wait_after_failure(*retry_after, at),
        };
        now + Duration::from_millis(wait)
    }

    /// Milliseconds until the next poll after a usable response.
    fn wait_after_progress(&mut self, progress: &Progress, at: f64) -> u64 {
        self.failures = 0;
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Unknown);
        self.phase = phase.after_response(progress, at, self.last, self.usual_processing);
        self.last = at;
        self.interval = self.phase.next_interval(at, self.association);
        let jittered = self.interval * self.jitter.random_between(1.0 - JITTER, 1.0 + JITTER);
        millis_of_seconds(jittered).clamp(self.fastest, self.slowest)
    }

    /// Milliseconds until the next poll after a failure.
    fn wait_after_failure(&mut self, retry_after: Option<Duration>, at: f64) -> u64 {
        let growth = RETRY_GROWTH.powi(i32::try_from(self.failures.saturating_sub(1)).unwrap_or(20).min(20));
        self.failures = self.failures.saturating_add(1);
        let backed_off = if let Some(fixed) = self.fixed {
            let wait = seconds_of_millis(fixed) * growth * self.jitter.random_between(1.0, 1.3);
            millis_of_seconds(wait).clamp(fixed, self.slowest.max(fixed))
        } else {
            if self.failures == 1 {
                // The time for rare polls may have passed meanwhile.
                self.interval = self.interval.min(self.phase.next_interval(at, self.association));
            }
            let wait = self.interval.min(MAX_FIRST_RETRY_INTERVAL).max(RETRY_INTERVAL * growth);
            let wait = wait * self.jitter.random_between(0.8, 1.2);
            millis_of_seconds(wait).clamp(self.fastest, self.slowest)
        };
        // Never before `Retry-After`, and jittered after it.
        let requested = retry_after.map_or(0, |after| ceil_millis(after).min(MAX_RETRY_AFTER_MILLIS));
        let spread = millis_of_seconds(seconds_of_millis(requested) * self.jitter.random_between(1.0, 1.1))
            .clamp(requested, MAX_RETRY_AFTER_MILLIS);
        backed_off.max(spread)
    }
}

impl Phase {
    /// The phase after a usable response at `at`; the previous one was at `last`.
    fn after_response(self, progress: &Progress, at: f64, last: f64, usual_processing: f64) -> Self {
        match &progress.status {
            CompletionStatus::NoAssociatedAvatar => match self {
                Self::Unassociated { since } => Self::Unassociated { since },
                _ => Self::Unassociated { since: at },
            },
            CompletionStatus::InQueue => {
                let place = progress.queue_position.map(QueuePosition::queue_position_as_u32);
                let mut queued = match self {
                    Self::Queued(queued) => queued,
                    _ => QueueEstimate::new(at, place, usual_processing),
                };
                queued.update_position(at, place);
                Self::Queued(queued)
            }
            CompletionStatus::Processing | CompletionStatus::Other(_) => {
                let percent = progress.completion.map(Percent::percent_as_u8);
                let mut estimate = match self {
                    Self::Processing(estimate) => estimate,
                    Self::Unknown => ProcessingDurationEstimate::new(at, None, percent, usual_processing),
                    _ => ProcessingDurationEstimate::new(at, Some(last), percent, usual_processing),
                };
                estimate.update_progress(at, percent);
                Self::Processing(estimate)
            }
            CompletionStatus::Failed => match self {
                Self::Failed { since } => Self::Failed { since },
                _ => Self::Failed { since: at },
            },
        }
    }

    /// Seconds until the next poll, before the jitter.
    fn next_interval(&self, at: f64, association: AssociationPollSpacing) -> f64 {
        match self {
            Self::Unknown => 1.0,
            Self::Unassociated { since } => association.seconds_until_next_poll(at - since),
            Self::Queued(queued) => queued.seconds_until_next_poll(at),
            Self::Processing(estimate) => estimate.seconds_until_next_poll(at),
            Self::Failed { since } => FAILED_INTERVAL_AND_GROWTH.0 + FAILED_INTERVAL_AND_GROWTH.1 * (at - since),
        }
    }
}

/// Whole milliseconds, rounded up so that an interval is never too short.
fn ceil_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Whole milliseconds of a time in seconds, rounded up; 0 for NaN.
fn millis_of_seconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as is wanted")]
    {
        (seconds * 1000.0).ceil() as u64
    }
}

fn seconds_of_millis(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}
