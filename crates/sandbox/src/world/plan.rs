//! The course that the making of one avatar takes, drawn in advance, so that any moment of it can be asked for.

use crate::scenario::Entry;
use crate::scenario::Making;
use protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// All times count from the association.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// When each place of the queue is left, the furthest first.
    leaves: Vec<Duration>,
    /// When processing reaches which percentage; both only grow.
    steps: Vec<(Duration, u8)>,
    end: Duration,
    breaks_off: bool,
}

/// Where a plan stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    InQueue { place: u32 },
    Processing { percent: u8 },
    Ready,
    Failed { percent: u8 },
}

impl Plan {
    /// Draws the course of an avatar under a scenario.
    pub(crate) fn draw(entry: &Entry, existing: bool, rng: &mut ChaCha8Rng) -> Self {
        let making = if existing { &entry.existing } else { &entry.new };
        let leaves = draw_queue(making, rng);
        let start = leaves.last().copied().unwrap_or_default();
        let processing = between(making.processing, rng);
        let mut steps = draw_steps(start, processing, rng);
        let mut end = start + processing;
        if entry.fails {
            end = start + processing.mul_f64(rng.random_range(0.4..0.8));
            steps.retain(|(at, _)| *at < end);
        }
        Self { leaves, steps, end, breaks_off: entry.fails }
    }

    /// When the avatar is ready, or has failed.
    pub(crate) fn end(&self) -> Duration {
        self.end
    }

    /// Where it stands when so much time has passed.
    pub(crate) fn stage(&self, passed: Duration) -> Stage {
        let left = self.leaves.iter().filter(|at| **at <= passed).count();
        let places = self.leaves.len() - left;
        if places > 0 {
            return Stage::InQueue { place: u32::try_from(places).unwrap_or(u32::MAX) };
        }
        let percent = self.steps.iter().take_while(|(at, _)| *at <= passed).last().map_or(0, |(_, p)| *p);
        match (passed >= self.end, self.breaks_off) {
            (false, _) => Stage::Processing { percent },
            (true, true) => Stage::Failed { percent },
            (true, false) => Stage::Ready,
        }
    }
}

impl Stage {
    /// `payload_incomplete` of this stage; `None` when it is ready.
    pub(crate) fn progress(self) -> Option<Progress> {
        let (status, percent, queue) = match self {
            Self::InQueue { place } => (CompletionStatus::InQueue, 0, Some(QueuePosition::new(place))),
            Self::Processing { percent } => (CompletionStatus::Processing, percent, None),
            // "If … the avatar is not in the queue, value is -1"; the progress stays as it stood.
            Self::Failed { percent } => (CompletionStatus::Failed, percent, None),
            Self::Ready => return None,
        };
        Some(Progress { status, completion: Percent::new(percent), queue })
    }
}

fn draw_queue(making: &Making, rng: &mut ChaCha8Rng) -> Vec<Duration> {
    let places = rng.random_range(making.places.0..=making.places.1);
    let mut at = Duration::ZERO;
    (0..places)
        .map(|_| {
            at += between(making.per_place, rng);
            at
        })
        .collect()
}

/// Between 12 and 24 steps of uneven length and height, as a renderer reports them: 0 at the start, below 100
/// before the end.
fn draw_steps(start: Duration, processing: Duration, rng: &mut ChaCha8Rng) -> Vec<(Duration, u8)> {
    let count = rng.random_range(12..=24);
    let mut at: Vec<f64> = (0..count).map(|_| rng.random_range(0.02..1.0)).collect();
    at.sort_by(f64::total_cmp);
    let mut reached = 0_u8;
    at.into_iter()
        .map(|share| {
            let noisy = (share * 100.0 + rng.random_range(-6.0..6.0)).clamp(0.0, 99.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0–99")]
            let percent = noisy as u8;
            reached = reached.max(percent);
            (start + processing.mul_f64(share), reached)
        })
        .collect()
}

fn between(range: (Duration, Duration), rng: &mut ChaCha8Rng) -> Duration {
    rng.random_range(range.0..=range.1)
}
