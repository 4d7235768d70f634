//! The course of an avatar through queue and processing, drawn in advance so that its stage at any time is known.

use crate::scenario::{FailureFrequency, ProcessingTimes, ProgressPattern, RERECORD_DELAY, ScenarioEntry};
use copresence_protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The planned stages. All times count from the association.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessingPlan {
    /// The end time of each stage, ascending.
    stages: Vec<(Duration, ProcessingStage)>,
    /// The percentage at which it fails; `None` if it succeeds.
    fails_at: Option<u8>,
}

/// The stage of an avatar at a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessingStage {
    InQueue { place: u32 },
    Processing { percent: u8 },
    Ready,
    Failed { percent: u8 },
}

impl ProcessingPlan {
    /// Draws the plan of an avatar's processing under a scenario. `earlier` is the number of avatars that the token
    /// had before.
    pub(crate) fn draw_plan_for_scenario(
        entry: &ScenarioEntry,
        existing: bool,
        earlier: u64,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let making = if existing { &entry.existing_avatar } else { &entry.new_avatar };
        let mut plan = Self::default();
        let fails = entry.failure_mode == FailureFrequency::Always
            || (entry.failure_mode == FailureFrequency::Once && earlier == 0);
        plan.push_queue_and_processing(making, entry.progress_pattern, fails, rng);
        if fails && entry.failure_mode == FailureFrequency::Once {
            let percent = plan.fails_at.take().unwrap_or_default();
            plan.push_stage(RERECORD_DELAY, ProcessingStage::Failed { percent });
            plan.push_queue_and_processing(making, entry.progress_pattern, false, rng);
        }
        plan
    }

    /// When the avatar is ready, or has finally failed.
    pub(crate) fn avatar_ready_or_failed_time(&self) -> Duration {
        self.stages.last().map_or(Duration::ZERO, |(until, _)| *until)
    }

    /// The stage after this time.
    pub(crate) fn stage_at(&self, passed: Duration) -> ProcessingStage {
        let at = self.stages.partition_point(|(until, _)| *until <= passed);
        match (self.stages.get(at), self.fails_at) {
            (Some((_, stage)), _) => *stage,
            (None, Some(percent)) => ProcessingStage::Failed { percent },
            (None, None) => ProcessingStage::Ready,
        }
    }

    /// Appends a stage that lasts this long after the stages so far.
    fn push_stage(&mut self, lasts: Duration, stage: ProcessingStage) {
        self.stages.push((self.avatar_ready_or_failed_time() + lasts, stage));
    }

    /// Appends one pass through queue and processing. With `fails`, processing ends early and `fails_at` is set.
    fn push_queue_and_processing(
        &mut self,
        making: &ProcessingTimes,
        course: ProgressPattern,
        fails: bool,
        rng: &mut ChaCha8Rng,
    ) {
        let places = rng.random_range(making.queue_positions.0..=making.queue_positions.1);
        for place in (1..=places).rev() {
            self.push_stage(draw_duration(making.per_position, rng), ProcessingStage::InQueue { place });
            if course == ProgressPattern::Backwards && place > 1 {
                self.push_stage(draw_duration(making.per_position, rng), ProcessingStage::InQueue { place: place + 1 });
            }
        }
        let processing = draw_duration(making.processing, rng);
        let mut steps = generate_random_progress_steps(rng);
        match course {
            ProgressPattern::Forward => {}
            ProgressPattern::Stalls => {
                for (share, _) in &mut steps {
                    *share = move_time_share_out_of_stall(*share);
                }
            }
            ProgressPattern::Backwards => {
                steps.iter_mut().skip(2).step_by(3).for_each(|(_, p)| *p = p.saturating_sub(25));
            }
        }
        let lasts = if fails { rng.random_range(0.4..0.8) } else { 1.0 };
        steps.retain(|(share, _)| *share < lasts);
        let (mut percent, mut reached) = (0, 0.0);
        let middle = steps.len() / 2;
        for (index, (share, next)) in steps.into_iter().enumerate() {
            self.push_stage(processing.mul_f64(share - reached), ProcessingStage::Processing { percent });
            if course == ProgressPattern::Backwards && index == middle {
                self.push_stage(draw_duration(making.per_position, rng), ProcessingStage::InQueue { place: 2 });
            }
            (percent, reached) = (next, share);
        }
        self.push_stage(processing.mul_f64(lasts - reached), ProcessingStage::Processing { percent });
        self.fails_at = fails.then_some(percent);
    }
}

impl ProcessingStage {
    /// The `payload_incomplete` of this stage; `None` when ready.
    pub(crate) fn stage_to_progress(self) -> Option<Progress> {
        let (status, percent, queue) = match self {
            Self::InQueue { place } => (CompletionStatus::InQueue, 0, Some(QueuePosition::new(place))),
            Self::Processing { percent } => (CompletionStatus::Processing, percent, None),
            // Spec: "If … the avatar is not in the queue, value is -1". The progress keeps its last value.
            Self::Failed { percent } => (CompletionStatus::Failed, percent, None),
            Self::Ready => return None,
        };
        Some(Progress { status, completion: Percent::new(percent), queue_position: queue })
    }
}

/// Draws 12 to 24 irregular progress steps: the share of the processing time (0 to 1), and the percentage reported from
/// then on (below 100).
fn generate_random_progress_steps(rng: &mut ChaCha8Rng) -> Vec<(f64, u8)> {
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

/// Maps a share of the processing time (0 to 1) to one outside of the range 0.3 to 0.8, so that the progress stands
/// still there.
fn move_time_share_out_of_stall(share: f64) -> f64 {
    if share < 0.45 { share / 0.45 * 0.3 } else { 0.8 + (share - 0.45) / 0.55 * 0.2 }
}

/// Draws a random duration between a minimum and a maximum.
fn draw_duration(range: (Duration, Duration), rng: &mut ChaCha8Rng) -> Duration {
    rng.random_range(range.0..=range.1)
}
