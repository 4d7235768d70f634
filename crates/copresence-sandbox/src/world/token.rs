//! One Export Token, from its generation to its end.

use crate::scenario::Scenario;
use crate::world::avatar::Avatar;
use crate::world::plan::{ProcessingPlan, ProcessingStage};
use copresence_protocol::Progress;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
    pub(crate) generated_at: Duration,
    pub(crate) expires_at: Duration,
    pub(crate) associated_at: Option<Duration>,
    pub(crate) associations: u64,
    pub(crate) redeems: u64,
    pub(crate) last_redeem_at: Option<Duration>,
    pub(crate) phase: Phase,
    /// The ids of the download URLs returned for it.
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// No avatar is associated yet.
    Waiting,
    /// In the queue or in processing, as the plan says.
    InProgress {
        avatar: Avatar,
        plan: ProcessingPlan,
        since: Duration,
    },
    Failed {
        avatar: Avatar,
        percent: u8,
    },
    Ready {
        avatar: Avatar,
    },
    /// The response with download URLs was returned.
    Spent {
        avatar: Avatar,
        at: Duration,
    },
    Expired {
        at: Duration,
    },
}

impl Token {
    pub(crate) fn new(name: String, scenario: Scenario, life: Duration, now: Duration) -> Self {
        Self {
            name,
            scenario,
            generated_at: now,
            expires_at: now.saturating_add(life),
            associated_at: None,
            associations: 0,
            redeems: 0,
            last_redeem_at: None,
            phase: Phase::Waiting,
            urls: Vec::new(),
        }
    }

    /// Updates the phase to this time.
    pub(crate) fn update_phase(&mut self, now: Duration) {
        if let Phase::InProgress { avatar, plan, since } = &self.phase {
            let end = since.saturating_add(plan.end_time());
            if end <= now.min(self.expires_at) {
                self.phase = match plan.stage_at(plan.end_time()) {
                    ProcessingStage::Failed { percent } => Phase::Failed { avatar: avatar.clone(), percent },
                    _ => Phase::Ready { avatar: avatar.clone() },
                };
            }
        }
        if self.is_active() && now >= self.expires_at {
            self.phase = Phase::Expired { at: self.expires_at };
        }
    }

    /// Spec: "Export token is still active".
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Spent { .. } | Phase::Expired { .. })
    }

    /// The stage of its avatar; `None` if it has none, or is no longer active.
    pub(crate) fn stage_at(&self, now: Duration) -> Option<ProcessingStage> {
        match &self.phase {
            Phase::InProgress { plan, since, .. } => Some(plan.stage_at(now.saturating_sub(*since))),
            Phase::Failed { percent, .. } => Some(ProcessingStage::Failed { percent: *percent }),
            Phase::Ready { .. } => Some(ProcessingStage::Ready),
            Phase::Waiting | Phase::Spent { .. } | Phase::Expired { .. } => None,
        }
    }

    /// The `payload_incomplete`; `None` when ready or no longer active.
    pub(crate) fn progress_at(&self, now: Duration) -> Option<Progress> {
        match &self.phase {
            Phase::Waiting => Some(Progress::without_avatar()),
            _ => self.stage_at(now).and_then(ProcessingStage::to_progress),
        }
    }

    pub(crate) fn avatar(&self) -> Option<&Avatar> {
        match &self.phase {
            Phase::InProgress { avatar, .. }
            | Phase::Failed { avatar, .. }
            | Phase::Ready { avatar }
            | Phase::Spent { avatar, .. } => Some(avatar),
            Phase::Waiting | Phase::Expired { .. } => None,
        }
    }
}
