//! The course of an avatar through queue and processing, drawn in advance so that its stage at any time is known.

use crate::scenario::{NumberRange, Scenario, ScenarioStep, TimeRange};
use copresence_protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The planned stages. All times count from the association.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessingPlan {
    /// The end time of each stage, ascending.
    stages: Vec<(Duration, ProcessingStage)>,
    /// The percentage at which it fails in the end; `None` if it succeeds.
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
    /// had before; it decides which of the scenario's recordings comes first.
    pub(crate) fn generate_random_plan_for_scenario(
        scenario: &Scenario,
        existing: bool,
        earlier: u64,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let recordings = scenario.steps_of_each_avatar_recording(existing);
        let first = usize::try_from(earlier).unwrap_or(usize::MAX).min(recordings.len().saturating_sub(1));
        let mut plan = Self::default();
        for steps in recordings.into_iter().skip(first) {
            let mut percent = 0;
            for step in steps {
                match step {
                    ScenarioStep::WaitInQueue { position, lasts } => {
                        let place = pick_random_number_in_range(*position, rng);
                        plan.append_stage(
                            pick_random_duration_in_range(*lasts, rng),
                            ProcessingStage::InQueue { place },
                        );
                    }
                    ScenarioStep::AdvanceInQueue { from, lasts_per_position } => {
                        for place in (1..=pick_random_number_in_range(*from, rng)).rev() {
                            plan.append_stage(
                                pick_random_duration_in_range(*lasts_per_position, rng),
                                ProcessingStage::InQueue { place },
                            );
                        }
                    }
                    ScenarioStep::Process { progress, lasts } => {
                        percent = plan.append_irregular_processing(
                            *progress,
                            pick_random_duration_in_range(*lasts, rng),
                            rng,
                        );
                    }
                    ScenarioStep::Fail { progress, lasts } => {
                        let percent = progress.map_or(percent, clamp_to_percent);
                        let Some(lasts) = lasts else {
                            plan.fails_at = Some(percent);
                            return plan;
                        };
                        plan.append_stage(
                            pick_random_duration_in_range(*lasts, rng),
                            ProcessingStage::Failed { percent },
                        );
                    }
                }
            }
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
    fn append_stage(&mut self, lasts: Duration, stage: ProcessingStage) {
        self.stages.push((self.avatar_ready_or_failed_time() + lasts, stage));
    }

    /// Appends processing whose progress moves irregularly in a range. Returns the last percentage.
    fn append_irregular_processing(&mut self, progress: NumberRange, lasts: Duration, rng: &mut ChaCha8Rng) -> u8 {
        let (mut percent, mut reached) = (clamp_to_percent(progress.0), 0.0);
        if progress.0 != progress.1 {
            for (share, next) in generate_random_progress_steps(progress, rng) {
                self.append_stage(lasts.mul_f64(share - reached), ProcessingStage::Processing { percent });
                (percent, reached) = (next, share);
            }
        }
        self.append_stage(lasts.mul_f64(1.0 - reached), ProcessingStage::Processing { percent });
        percent
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
/// then on. It moves from the first percentage of the range towards the second.
fn generate_random_progress_steps(range: NumberRange, rng: &mut ChaCha8Rng) -> Vec<(f64, u8)> {
    let count = rng.random_range(12..=24);
    let mut at: Vec<f64> = (0..count).map(|_| rng.random_range(0.02..1.0)).collect();
    at.sort_by(f64::total_cmp);
    let (from, to) = (f64::from(range.0), f64::from(range.1));
    let mut covered = 0.0_f64;
    at.into_iter()
        .map(|share| {
            covered = covered.max((share + rng.random_range(-0.06..0.06)).clamp(0.0, 1.0));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two percentages")]
            let percent = (from + (to - from) * covered).round() as u8;
            (share, percent)
        })
        .collect()
}

/// Converts a percentage of a scenario, which is at most 100; larger numbers become 100.
fn clamp_to_percent(number: u32) -> u8 {
    u8::try_from(number).map_or(100, |percent| percent.min(100))
}

/// Draws a random number of a range.
fn pick_random_number_in_range(range: NumberRange, rng: &mut ChaCha8Rng) -> u32 {
    rng.random_range(range.0..=range.1)
}

/// Draws a random duration of a range.
fn pick_random_duration_in_range(range: TimeRange, rng: &mut ChaCha8Rng) -> Duration {
    rng.random_range(range.0..=range.1)
}
