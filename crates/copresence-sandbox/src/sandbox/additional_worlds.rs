//! Worlds other than the main one: created, listed and ended by testers, and found by their id or API key.

use super::{Sandbox, WorldState};
use crate::clock::{ClockChange, ClockError, ClockState, VirtualClock};
use crate::faults::{FaultListError, FaultSet};
use crate::replay::ReplayPosition;
use crate::scenario::copy_scenarios_adding_or_replacing;
use crate::settings::{Credentials, WorldSettings, generate_random_alphanumeric, generate_random_seed_exact_in_json};
use crate::world::World;
use crate::world_registry::{ListedWorld, TooManyWorldsError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of tokens of a world other than the main one.
const MAX_TOKENS_OF_ADDITIONAL_WORLD: usize = 1_000;

/// Why a world cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateWorldError {
    /// There are too many.
    #[error(transparent)]
    TooMany(#[from] TooManyWorldsError),
    /// The speed of the clock is out of range.
    #[error(transparent)]
    Speed(#[from] ClockError),
    /// The list of faults is invalid.
    #[error(transparent)]
    Faults(#[from] FaultListError),
}

/// A world as testers see it, without its credentials. The main world is not listed.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = World)]
pub struct WorldView {
    /// Its id, which is in its URLs: `/worlds/{id}/…`.
    pub id: String,
    /// The scenario of new tokens.
    pub scenario: String,
    /// The seed of ids, timings and avatars.
    pub seed: u64,
    /// The virtual clock.
    pub clock: ClockState,
    /// Number of tokens that it has.
    pub tokens: usize,
    /// Seconds of real time since it was last used.
    pub idle_seconds: u64,
    /// Seconds of real time after which it ends, if it is not used.
    pub idle_limit_seconds: u64,
}

impl Sandbox {
    /// Creates another world: with its own credentials, clock, faults, tokens and request log. Its time starts at 0.
    /// The same seed gives the same tokens, download URLs, timings and avatars, in the order of the requests. The world
    /// ends when nobody used it for its idle limit; it is in use while there is a handle to it.
    ///
    /// # Errors
    /// There are [`crate::MAX_ADDITIONAL_WORLDS`], or the speed or a fault is invalid.
    pub fn create_world(&self, settings: WorldSettings) -> Result<Self, CreateWorldError> {
        let defaults = &self.shared.world_defaults;
        let seed = settings.seed.unwrap_or_else(generate_random_seed_exact_in_json);
        let mut faults = FaultSet::new(seed);
        faults.replace_faults(settings.faults.unwrap_or_else(|| defaults.faults.clone()))?;
        let mut clock = VirtualClock::new(settings.speed.unwrap_or(defaults.speed))?;
        if settings.paused {
            clock
                .change_virtual_clock(&ClockChange { paused: Some(true), ..ClockChange::default() }, Duration::ZERO)?;
        }
        let credentials = Credentials::generate_random_credentials(self.accepted_credentials().operator_key.clone());
        // Others cannot guess the ids, although the seed determines them: the world's id is in the URL, and its key in
        // the headers.
        let ids = StdRng::seed_from_u64(seed).random();
        let scenario = settings.scenario.unwrap_or_else(|| defaults.scenario.clone());
        let scenarios = copy_scenarios_adding_or_replacing(self.scenarios(), &scenario);
        let mut world = World::new(scenario, seed, ids, self.shared.avatar_catalog.clone());
        world.set_max_tokens(MAX_TOKENS_OF_ADDITIONAL_WORLD);
        let id = generate_random_alphanumeric(24);
        let api_key = credentials.api_key.expose().to_owned();
        let log = self.request_log().new_log_with_same_subscribers();
        let world = WorldState::new(Some(id.clone()), scenarios, world, clock, credentials, faults, log);
        let state = Arc::new(WorldState { replay: defaults.recording.clone().map(ReplayPosition::new), ..world });
        let idle_limit = settings.idle_limit.unwrap_or(defaults.idle_limit);
        self.shared.worlds.drop_unused_and_add_world(&id, &api_key, idle_limit, state.clone())?;
        Ok(Self { world: state, shared: self.shared.clone() })
    }

    /// Ends a world: from now on, its id and its credentials are unknown. Requests in flight are completed. Returns
    /// whether there was a world with this id.
    pub fn remove_world(&self, id: &str) -> bool {
        self.shared.worlds.remove_world(id)
    }

    /// The worlds other than the main one, sorted by id.
    pub fn list_world_views(&self) -> Vec<WorldView> {
        let mut views: Vec<_> =
            self.shared.worlds.list_worlds().into_iter().filter_map(|listed| self.build_world_view(listed)).collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }

    /// The description for testers of the world with this id; `None` if there is none, or it has ended.
    pub fn find_world_view(&self, id: &str) -> Option<WorldView> {
        self.shared.worlds.find_world_without_renewal(id).and_then(|listed| self.build_world_view(listed))
    }

    /// Describes a world for testers; `None` for the main world, which has no id.
    fn build_world_view(&self, listed: ListedWorld<WorldState>) -> Option<WorldView> {
        let world = Self { world: listed.state, shared: self.shared.clone() };
        let state = world.lock_protected_state();
        Some(WorldView {
            id: world.world_id()?.to_owned(),
            scenario: state.world.scenario().name().to_owned(),
            seed: state.world.seed(),
            clock: state.clock.clock_state_at(world.world.started_at.elapsed()),
            tokens: state.world.token_count(),
            idle_seconds: listed.idle.as_secs(),
            idle_limit_seconds: listed.idle_limit.as_secs(),
        })
    }

    /// The id of this world; `None` for the main one.
    pub fn world_id(&self) -> Option<&str> {
        self.world.id.as_deref()
    }

    /// The world with this id, whose life is prolonged by this use; `None` if there is none, or it has ended.
    pub(crate) fn find_and_renew_world_by_id(&self, id: &str) -> Option<Self> {
        let world = self.shared.worlds.find_and_renew_world_by_id(id)?;
        Some(Self { world, shared: self.shared.clone() })
    }

    /// The world with this API key, whose life is prolonged by this use; `None` for the key of the main world, and for an
    /// unknown key.
    pub(crate) fn find_and_renew_world_by_api_key(&self, api_key: &str) -> Option<Self> {
        let world = self.shared.worlds.find_and_renew_world_by_api_key(api_key)?;
        Some(Self { world, shared: self.shared.clone() })
    }
}
