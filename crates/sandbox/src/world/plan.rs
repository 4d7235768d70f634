//! The course of an avatar through queue and processing, drawn in advance so that its stage at any time is known.

use crate::scenario::{Course, Entry, Fails, Making, SECOND_THOUGHTS};
use protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The planned stages. All times count from the association.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// The end time of each stage, ascending.
    stages: Vec<(Duration, Stage)>,
    /// The percentage at which it fails; `None` if it succeeds.
    fails_at: Option<u8>,
}

/// The stage of an avatar at a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    InQueue { place: u32 },
    Processing { percent: u8 },
    Ready,
    Failed { percent: u8 },
}

impl Plan {
    /// Draws the course of an avatar under a scenario. `earlier` is the number of avatars that the token had before.
    pub(crate) fn draw(entry: &Entry, existing: bool, earlier: u64, rng: &mut ChaCha8Rng) -> Self {
        let making = if existing { &entry.existing } else { &entry.new };
        let mut plan = Self::default();
        let fails = entry.fails == Fails::Always || (entry.fails == Fails::Once && earlier == 0);
        plan.add_making(making, entry.course, fails, rng);
        if fails && entry.fails == Fails::Once {
            let percent = plan.fails_at.take().unwrap_or_default();
            plan.add(SECOND_THOUGHTS, Stage::Failed { percent });
            plan.add_making(making, entry.course, false, rng);
        }
        plan
    }

    /// When the avatar is ready, or has finally failed.
    pub(crate) fn end(&self) -> Duration {
        self.stages.last().map_or(Duration::ZERO, |(until, _)| *until)
    }

    /// The stage after this time.
    pub(crate) fn stage(&self, passed: Duration) -> Stage {
        let at = self.stages.partition_point(|(until, _)| *until <= passed);
        match (self.stages.get(at), self.fails_at) {
            (Some((_, stage)), _) => *stage,
            (None, Some(percent)) => Stage::Failed { percent },
            (None, None) => Stage::Ready,
        }
    }

    fn add(&mut self, lasts: Duration, stage: Stage) {
        self.stages.push((self.end() + lasts, stage));
    }

    fn add_making(&mut self, making: &Making, course: Course, fails: bool, rng: &mut ChaCha8Rng) {
        let places = rng.random_range(making.places.0..=making.places.1);
        for place in (1..=places).rev() {
            self.add(between(making.per_place, rng), Stage::InQueue { place });
            if course == Course::Backwards && place > 1 {
                self.add(between(making.per_place, rng), Stage::InQueue { place: place + 1 });
            }
        }
        let processing = between(making.processing, rng);
        let mut steps = draw_steps(rng);
        match course {
            Course::Onward => {}
            Course::Stalls => steps.iter_mut().for_each(|(share, _)| *share = stalled(*share)),
            Course::Backwards => {
                steps.iter_mut().skip(2).step_by(3).for_each(|(_, p)| *p = p.saturating_sub(25));
            }
        }
        let lasts = if fails { rng.random_range(0.4..0.8) } else { 1.0 };
        steps.retain(|(share, _)| *share < lasts);
        let (mut percent, mut reached) = (0, 0.0);
        let middle = steps.len() / 2;
        for (index, (share, next)) in steps.into_iter().enumerate() {
            self.add(processing.mul_f64(share - reached), Stage::Processing { percent });
            if course == Course::Backwards && index == middle {
                self.add(between(making.per_place, rng), Stage::InQueue { place: 2 });
            }
            (percent, reached) = (next, share);
        }
        self.add(processing.mul_f64(lasts - reached), Stage::Processing { percent });
        self.fails_at = fails.then_some(percent);
    }
}

impl Stage {
    /// The `payload_incomplete` of this stage; `None` when ready.
    pub(crate) fn progress(self) -> Option<Progress> {
        let (status, percent, queue) = match self {
            Self::InQueue { place } => (CompletionStatus::InQueue, 0, Some(QueuePosition::new(place))),
            Self::Processing { percent } => (CompletionStatus::Processing, percent, None),
            // Spec: "If … the avatar is not in the queue, value is -1". The progress keeps its last value.
            Self::Failed { percent } => (CompletionStatus::Failed, percent, None),
            Self::Ready => return None,
        };
        Some(Progress { status, completion: Percent::new(percent), queue })
    }
}

/// Draws 12 to 24 irregular progress steps: the share of the processing time (0 to 1), and the percentage reported from then
/// on (below 100).
fn draw_steps(rng: &mut ChaCha8Rng) -> Vec<(f64, u8)> {
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
            (share, reached)
        })
        .collect()
}

/// Moves the steps out of the middle half of the processing time.
fn stalled(share: f64) -> f64 {
    if share < 0.45 { share / 0.45 * 0.3 } else { 0.8 + (share - 0.45) / 0.55 * 0.2 }
}

fn between(range: (Duration, Duration), rng: &mut ChaCha8Rng) -> Duration {
    rng.random_range(range.0..=range.1)
}
