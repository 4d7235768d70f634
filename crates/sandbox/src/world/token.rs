//! One Export Token, from its generation to its end.

use crate::scenario::Scenario;
use crate::world::avatar::Avatar;
use crate::world::plan::{Plan, Stage};
use protocol::Progress;
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
    /// The ids of the URLs that it was spent for.
    pub(crate) urls: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// Nobody has associated an avatar.
    Waiting,
    /// In the queue or in processing.
    Making {
        avatar: Avatar,
        plan: Plan,
        since: Duration,
    },
    Failed {
        avatar: Avatar,
        percent: u8,
    },
    Ready {
        avatar: Avatar,
    },
    /// Its answer with URLs has gone out.
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

    /// Brings it to where the time has carried it.
    pub(crate) fn settle(&mut self, now: Duration) {
        if let Phase::Making { avatar, plan, since } = &self.phase {
            let end = since.saturating_add(plan.end());
            if end <= now.min(self.expires_at) {
                self.phase = match plan.stage(plan.end()) {
                    Stage::Failed { percent } => Phase::Failed { avatar: avatar.clone(), percent },
                    _ => Phase::Ready { avatar: avatar.clone() },
                };
            }
        }
        if self.is_active() && now >= self.expires_at {
            self.phase = Phase::Expired { at: self.expires_at };
        }
    }

    /// "Export token is still active".
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Spent { .. } | Phase::Expired { .. })
    }

    /// Where the avatar stands; `None` when there is none, or no more.
    pub(crate) fn stage(&self, now: Duration) -> Option<Stage> {
        match &self.phase {
            Phase::Making { plan, since, .. } => Some(plan.stage(now.saturating_sub(*since))),
            Phase::Failed { percent, .. } => Some(Stage::Failed { percent: *percent }),
            Phase::Ready { .. } => Some(Stage::Ready),
            Phase::Waiting | Phase::Spent { .. } | Phase::Expired { .. } => None,
        }
    }

    /// `payload_incomplete`, as far as it is not ready.
    pub(crate) fn progress(&self, now: Duration) -> Option<Progress> {
        match &self.phase {
            Phase::Waiting => Some(Progress::unassociated()),
            _ => self.stage(now).and_then(Stage::progress),
        }
    }

    pub(crate) fn avatar(&self) -> Option<&Avatar> {
        match &self.phase {
            Phase::Making { avatar, .. }
            | Phase::Failed { avatar, .. }
            | Phase::Ready { avatar }
            | Phase::Spent { avatar, .. } => Some(avatar),
            Phase::Waiting | Phase::Expired { .. } => None,
        }
    }
}
