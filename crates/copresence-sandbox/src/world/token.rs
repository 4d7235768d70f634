//! One Export Token, from its generation to its end.

use crate::faults::FaultSet;
use crate::scenario::Scenario;
use crate::world::avatar::AvatarIdentity;
use crate::world::plan::{ProcessingPlan, ProcessingStage};
use copresence_protocol::Progress;
use std::time::Duration;

/// An Export Token of the model, with its history.
#[derive(Debug)]
pub(crate) struct SimulatedToken {
    /// Its number among all tokens that were generated, from 1.
    pub(crate) ordinal: u64,
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
    /// The faults of the scenario, with the counts of this token's requests.
    pub(crate) faults: FaultSet,
    pub(crate) generated_at: Duration,
    pub(crate) expires_at: Duration,
    pub(crate) associated_at: Option<Duration>,
    pub(crate) associations: u64,
    pub(crate) redeems: u64,
    /// Number of requests for its files, for a replay.
    pub(crate) download_requests: u64,
    pub(crate) last_redeem_at: Option<Duration>,
    pub(crate) phase: TokenLifecycle,
    /// The ids of the download URLs returned for it.
    pub(crate) urls: Vec<String>,
}

/// The state of a token, with its data. [`super::state::TokenPhase`] is the form shown to testers.
#[derive(Debug, Clone)]
pub(crate) enum TokenLifecycle {
    /// No avatar is associated yet.
    Waiting,
    /// In the queue or in processing, as the plan says.
    InProgress {
        avatar: AvatarIdentity,
        plan: ProcessingPlan,
        since: Duration,
    },
    Failed {
        avatar: AvatarIdentity,
        percent: u8,
    },
    Ready {
        avatar: AvatarIdentity,
    },
    /// The response with download URLs was returned.
    Spent {
        avatar: AvatarIdentity,
        at: Duration,
    },
    Expired {
        at: Duration,
    },
}

impl SimulatedToken {
    pub(crate) fn new(
        ordinal: u64,
        name: String,
        scenario: Scenario,
        faults: FaultSet,
        life: Duration,
        now: Duration,
    ) -> Self {
        Self {
            ordinal,
            name,
            scenario,
            faults,
            generated_at: now,
            expires_at: now.saturating_add(life),
            associated_at: None,
            associations: 0,
            redeems: 0,
            download_requests: 0,
            last_redeem_at: None,
            phase: TokenLifecycle::Waiting,
            urls: Vec::new(),
        }
    }

    /// Updates the phase to this time.
    pub(crate) fn update_phase_to_time(&mut self, now: Duration) {
        if let TokenLifecycle::InProgress { avatar, plan, since } = &self.phase {
            let end = since.saturating_add(plan.avatar_ready_or_failed_time());
            if end <= now.min(self.expires_at) {
                self.phase = match plan.stage_at(plan.avatar_ready_or_failed_time()) {
                    ProcessingStage::Failed { percent } => TokenLifecycle::Failed { avatar: avatar.clone(), percent },
                    _ => TokenLifecycle::Ready { avatar: avatar.clone() },
                };
            }
        }
        if self.is_active() && now >= self.expires_at {
            self.phase = TokenLifecycle::Expired { at: self.expires_at };
        }
    }

    /// Spec: "Export token is still active".
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.phase, TokenLifecycle::Spent { .. } | TokenLifecycle::Expired { .. })
    }

    /// The stage of its avatar; `None` if it has none, or is no longer active.
    pub(crate) fn avatar_stage_at(&self, now: Duration) -> Option<ProcessingStage> {
        match &self.phase {
            TokenLifecycle::InProgress { plan, since, .. } => Some(plan.stage_at(now.saturating_sub(*since))),
            TokenLifecycle::Failed { percent, .. } => Some(ProcessingStage::Failed { percent: *percent }),
            TokenLifecycle::Ready { .. } => Some(ProcessingStage::Ready),
            TokenLifecycle::Waiting | TokenLifecycle::Spent { .. } | TokenLifecycle::Expired { .. } => None,
        }
    }

    /// The progress at this time, as in `payload_incomplete`; `None` when ready or no longer active.
    pub(crate) fn progress_at(&self, now: Duration) -> Option<Progress> {
        match &self.phase {
            TokenLifecycle::Waiting => Some(Progress::progress_without_avatar()),
            _ => self.avatar_stage_at(now).and_then(ProcessingStage::stage_to_progress),
        }
    }

    /// The avatar that is associated with this token; `None` before the association and after the token has
    /// expired.
    pub(crate) fn associated_avatar(&self) -> Option<&AvatarIdentity> {
        match &self.phase {
            TokenLifecycle::InProgress { avatar, .. }
            | TokenLifecycle::Failed { avatar, .. }
            | TokenLifecycle::Ready { avatar }
            | TokenLifecycle::Spent { avatar, .. } => Some(avatar),
            TokenLifecycle::Waiting | TokenLifecycle::Expired { .. } => None,
        }
    }
}
