//! What a visitor or a tester does with a token: associates an avatar, or forces a state.

use super::{World, find_updated_token};
use crate::faults::FaultSet;
use crate::scenario::Scenario;
use crate::world::avatar::{AvatarChoice, AvatarIdentity, PictureId};
use crate::world::plan::{ProcessingPlan, ProcessingStage};
use crate::world::token::{SimulatedToken, TokenLifecycle};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Why an avatar is not associated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssociateError {
    /// The token was never generated, or is forgotten.
    #[error("there is no such Export Token")]
    NoSuchToken,
    /// The token already has an avatar.
    #[error("the Export Token already has an avatar")]
    HasAvatar,
    /// The token is spent or expired.
    #[error("the Export Token is no longer active")]
    NotActive,
    /// No avatar has this id.
    #[error("there is no avatar `{0}`; use `new` to record one")]
    NoSuchAvatar(String),
}

/// A state that a tester can force a token into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedState {
    /// The token expires now.
    Expire,
    /// Processing fails now.
    Fail,
    /// The avatar is ready now.
    Complete,
}

/// Why a state cannot be forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForceTokenStateError {
    /// The token was never generated, or is forgotten.
    #[error("there is no such Export Token")]
    NoSuchToken,
    /// The token is spent or expired.
    #[error("the Export Token is no longer active")]
    NotActive,
    /// The token has no avatar that could fail or complete.
    #[error("the Export Token has no avatar yet; associate one first")]
    NoAvatar,
}

impl World {
    /// Checks whether [`World::associate_avatar`] would succeed now.
    ///
    /// # Errors
    /// As [`World::associate_avatar`].
    pub fn check_avatar_can_be_associated(
        &mut self,
        name: &str,
        choice: &AvatarChoice,
        now: Duration,
    ) -> Result<(), AssociateError> {
        let token =
            find_updated_token(&self.by_name, &mut self.token_views, name, now).ok_or(AssociateError::NoSuchToken)?;
        let failed = matches!(token.avatar_stage_at(now), Some(ProcessingStage::Failed { .. }));
        match token.phase {
            TokenLifecycle::Waiting | TokenLifecycle::Failed { .. } => {}
            // The visitor records again before the scenario does.
            TokenLifecycle::InProgress { .. } if failed => {}
            TokenLifecycle::InProgress { .. } | TokenLifecycle::Ready { .. } | TokenLifecycle::Spent { .. } => {
                return Err(AssociateError::HasAvatar);
            }
            TokenLifecycle::Expired { .. } => return Err(AssociateError::NotActive),
        }
        match choice {
            AvatarChoice::Existing(id) if self.avatar_catalog.find_existing_avatar(id).is_none() => {
                Err(AssociateError::NoSuchAvatar(id.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Spec: "After recording or selection, the avatar is associated with the Export Token." `scenario` replaces the
    /// token's own scenario, and its lifetime then counts from now if that ends sooner. `picture` is the face of a new
    /// avatar.
    ///
    /// # Errors
    /// The token is unknown, no longer active or already has an avatar, or the chosen avatar does not exist.
    pub fn associate_avatar(
        &mut self,
        name: &str,
        choice: &AvatarChoice,
        scenario: Option<&Scenario>,
        picture: Option<PictureId>,
        now: Duration,
    ) -> Result<AvatarIdentity, AssociateError> {
        self.check_avatar_can_be_associated(name, choice, now)?;
        let ordinal = self.by_name.get(name).copied().ok_or(AssociateError::NoSuchToken)?;
        let life = scenario.map_or(Duration::MAX, |scenario| self.token_lifetime(scenario));
        let token =
            find_updated_token(&self.by_name, &mut self.token_views, name, now).ok_or(AssociateError::NoSuchToken)?;
        // Each recording has its own random stream, so that it does not depend on other requests.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((ordinal << 16) | token.associations);
        let seed = rng.random();
        let avatar = match choice {
            AvatarChoice::Existing(id) => {
                let found = self
                    .avatar_catalog
                    .find_existing_avatar(id)
                    .ok_or_else(|| AssociateError::NoSuchAvatar(id.clone()))?;
                AvatarIdentity::Existing { id: found.id.clone() }
            }
            AvatarChoice::New => match self.avatar_catalog.existing.as_slice() {
                owned if self.avatar_catalog.new_is_existing && !owned.is_empty() => {
                    AvatarIdentity::Existing { id: owned[rng.random_range(0..owned.len())].id.clone() }
                }
                _ => AvatarIdentity::New { seed, picture },
            },
        };
        if let Some(scenario) = scenario {
            token.scenario = scenario.clone();
            token.faults = FaultSet::faults_of_token_scenario(self.seed, ordinal, scenario.faults());
            self.has_scenario_faults |= !scenario.faults().is_empty();
            token.expires_at = token.expires_at.min(now.saturating_add(life));
        }
        let existing = matches!(choice, AvatarChoice::Existing(_));
        let plan =
            ProcessingPlan::generate_random_plan_for_scenario(&token.scenario, existing, token.associations, &mut rng);
        token.associations += 1;
        token.associated_at = Some(now);
        token.phase = TokenLifecycle::InProgress { avatar: avatar.clone(), plan, since: now };
        Ok(avatar)
    }

    /// Forces a token into a state.
    ///
    /// # Errors
    /// The token is unknown or no longer active, or has no avatar that could fail or complete.
    pub fn force_token_state(
        &mut self,
        name: &str,
        force: ForcedState,
        now: Duration,
    ) -> Result<(), ForceTokenStateError> {
        let token = find_updated_token(&self.by_name, &mut self.token_views, name, now)
            .ok_or(ForceTokenStateError::NoSuchToken)?;
        if !token.is_active() {
            return Err(ForceTokenStateError::NotActive);
        }
        token.phase = match (force, token.associated_avatar().cloned()) {
            (ForcedState::Expire, _) => {
                token.expires_at = now;
                TokenLifecycle::Expired { at: now }
            }
            (ForcedState::Fail, Some(avatar)) => {
                TokenLifecycle::Failed { avatar, percent: progress_percent(token, now) }
            }
            (ForcedState::Complete, Some(avatar)) => TokenLifecycle::Ready { avatar },
            (ForcedState::Fail | ForcedState::Complete, None) => return Err(ForceTokenStateError::NoAvatar),
        };
        Ok(())
    }
}

fn progress_percent(token: &SimulatedToken, now: Duration) -> u8 {
    match token.avatar_stage_at(now) {
        Some(ProcessingStage::Processing { percent } | ProcessingStage::Failed { percent }) => percent,
        Some(ProcessingStage::Ready) => 100,
        Some(ProcessingStage::InQueue { .. }) | None => 0,
    }
}
