//! When to ask next: the adaptive polling policy.
//!
//! It is pure: from what the polls have shown to the time of the next. It thinks of polling as inspecting a machine that
//! fails at an unknown time: it asks again when the *expected unseen waiting* (the chance that the awaited thing has
//! happened, summed over the time since the last look) has reached a small budget. Where readiness is unlikely it looks
//! away for long, near the expected end it looks closely, and what is uncertain is spread over the uncertainty.
//!
//! - **Nobody has scanned** (`no_associated_avatar`): nothing foretells a scan; steady looks while one is likely, rarer ones
//!   later, few once nobody seems to come.
//! - **`in_queue`**: by the pace of the places, closer when the next move is due.
//! - **`processing`** (and any status that the specification does not list): the end is reckoned from the usual processing
//!   time and the pace of the progress; stalls, steps and noise are allowed for.
//! - **`failed`**: slowly, but a new recording under the same token is noticed.
//! - **Trouble**: doubles from one second (never below the spacing without trouble) to [`Pace::slowest`], and is forgotten at the first
//!   good answer. A `Retry-After` is honoured up to five minutes: a visitor stands waiting.
//!
//! Every spacing is jittered, and lies between [`Pace::fastest`] and [`Pace::slowest`]. The same seed and the same answers
//! give the same times. `benches/polling.rs` measures it against other ways of polling.

mod inspection;
mod invited;
mod jitter;
mod making;
#[cfg(test)]
mod properties;
mod queued;

use crate::time::Moment;
use jitter::Jitter;
use making::Making;
use protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use queued::Queued;
use std::time::Duration;

/// The longest `Retry-After` that is honoured, in milliseconds.
const LONGEST_WISH: u64 = 5 * 60 * 1000;
/// Spacings are spread this much to both sides.
const JITTER: f64 = 0.07;
/// The spacing in `failed`: at first, and how much it grows with each second of it. Recording again takes a minute.
const FAILED: (f64, f64) = (8.0, 0.05);

/// What one poll showed.
#[derive(Debug, Clone)]
pub enum Seen<'a> {
    /// The backend answered how far the avatar is.
    Progress(&'a Progress),
    /// No usable answer came (network, 429, 5xx, a broken body).
    Trouble {
        /// The backend's own wish, from `Retry-After`.
        retry_after: Option<Duration>,
    },
}

/// What the profile allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Never two polls closer together than this, from an answer to the next request. Default 250 ms.
    pub fastest: Duration,
    /// Never longer than this between an answer and the next poll, but for a longer `Retry-After`. Default 30 s.
    pub slowest: Duration,
    /// `--poll`: that long after each answer instead of the adaptive policy (trouble backs off from it). It may be longer
    /// than `slowest`, not shorter than `fastest`.
    pub fixed: Option<Duration>,
    /// How long processing usually takes at this backend, learnt from earlier visits. Default 90 s.
    pub usual_processing: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fastest: Duration::from_millis(250),
            slowest: Duration::from_secs(30),
            fixed: None,
            usual_processing: Duration::from_secs(90),
        }
    }
}

/// The policy's memory of one token.
#[derive(Debug, Clone)]
pub struct Polling {
    /// In milliseconds, like the next two.
    fastest: u64,
    slowest: u64,
    fixed: Option<u64>,
    /// In seconds, like every time below.
    usual_processing: f64,
    jitter: Jitter,
    /// The first answer; times are counted from there.
    began: Option<Moment>,
    /// The last usable answer.
    last: f64,
    phase: Phase,
    /// Polls in a row without a usable answer.
    troubles: u32,
    /// The spacing after the last answer, before the jitter.
    spacing: f64,
}

#[derive(Debug, Clone)]
enum Phase {
    Unknown,
    Invited { since: f64 },
    Queued(Queued),
    Making(Making),
    Failed { since: f64 },
}

impl Polling {
    /// A fresh memory; `seed` feeds the jitter.
    #[expect(clippy::needless_pass_by_value, reason = "made once a token, from a pace of its own")]
    pub fn new(pace: Pace, seed: u64) -> Self {
        let Pace { fastest, slowest, fixed, usual_processing } = pace;
        let fastest = millis(fastest);
        Self {
            fastest,
            slowest: millis(slowest).max(fastest),
            fixed: fixed.map(|fixed| millis(fixed).max(fastest)),
            usual_processing: usual_processing.as_secs_f64().clamp(1.0, 3600.0),
            jitter: Jitter::new(seed),
            began: None,
            last: 0.0,
            phase: Phase::Unknown,
            troubles: 0,
            spacing: 1.0,
        }
    }

    /// Takes in what the poll answered at `now` showed, and says when the next one is due.
    pub fn next_poll(&mut self, seen: &Seen<'_>, now: Moment) -> Moment {
        let began = *self.began.get_or_insert(now);
        // A clock that runs backwards stands still here.
        let at = now.since(began).as_secs_f64().max(self.last);
        let wait = match seen {
            Seen::Progress(progress) => self.after_progress(progress, at),
            Seen::Trouble { retry_after } => self.after_trouble(*retry_after, at),
        };
        now + Duration::from_millis(wait)
    }

    /// Milliseconds to the next poll.
    fn after_progress(&mut self, progress: &Progress, at: f64) -> u64 {
        self.troubles = 0;
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Unknown);
        self.phase = phase.after(progress, at, self.last, self.usual_processing);
        self.last = at;
        self.spacing = self.phase.next(at);
        let jittered = self.spacing * self.jitter.between(1.0 - JITTER, 1.0 + JITTER);
        whole_millis(jittered).clamp(self.fastest, self.slowest)
    }

    /// Milliseconds to the next poll.
    fn after_trouble(&mut self, retry_after: Option<Duration>, at: f64) -> u64 {
        let doubled = f64::from(1_u32 << self.troubles.min(20));
        self.troubles = self.troubles.saturating_add(1);
        let backed_off = if let Some(fixed) = self.fixed {
            let wait = seconds(fixed) * doubled * self.jitter.between(1.0, 1.3);
            whole_millis(wait).clamp(fixed, self.slowest.max(fixed))
        } else {
            if self.troubles == 1 {
                // The time for rare looks may have passed meanwhile.
                self.spacing = self.spacing.min(self.phase.next(at));
            }
            self.spacing = self.spacing.max(doubled);
            let wait = self.spacing * self.jitter.between(0.8, 1.2);
            whole_millis(wait).clamp(self.fastest, self.slowest)
        };
        // Never before the wish, and not all at the same instant after it.
        let wish = retry_after.map_or(0, |wish| millis(wish).min(LONGEST_WISH));
        let spread = whole_millis(seconds(wish) * self.jitter.between(1.0, 1.1)).clamp(wish, LONGEST_WISH);
        backed_off.max(spread)
    }
}

impl Phase {
    /// The phase that an answer at `at` leads to; the last usable one came at `last`.
    fn after(self, progress: &Progress, at: f64, last: f64, usual_processing: f64) -> Self {
        match &progress.status {
            CompletionStatus::NoAssociatedAvatar => match self {
                Self::Invited { since } => Self::Invited { since },
                _ => Self::Invited { since: at },
            },
            CompletionStatus::InQueue => {
                let place = progress.queue.map(QueuePosition::get);
                let mut queued = match self {
                    Self::Queued(queued) => queued,
                    _ => Queued::new(at, place, usual_processing),
                };
                queued.see(at, place);
                Self::Queued(queued)
            }
            CompletionStatus::Processing | CompletionStatus::Other(_) => {
                let percent = progress.completion.map(Percent::get);
                let mut making = match self {
                    Self::Making(making) => making,
                    Self::Unknown => Making::new(at, None, percent, usual_processing),
                    _ => Making::new(at, Some(last), percent, usual_processing),
                };
                making.see(at, percent);
                Self::Making(making)
            }
            CompletionStatus::Failed => match self {
                Self::Failed { since } => Self::Failed { since },
                _ => Self::Failed { since: at },
            },
        }
    }

    /// Seconds to the next poll.
    fn next(&self, at: f64) -> f64 {
        match self {
            Self::Unknown => 1.0,
            Self::Invited { since } => invited::next(at - since),
            Self::Queued(queued) => queued.next(at),
            Self::Making(making) => making.next(at),
            Self::Failed { since } => FAILED.0 + FAILED.1 * (at - since),
        }
    }
}

/// Rounded up, so that "never faster" holds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Rounded up; what is not a number is none.
fn whole_millis(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, as is wanted"
    )]
    {
        (seconds * 1000.0).ceil() as u64
    }
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}
