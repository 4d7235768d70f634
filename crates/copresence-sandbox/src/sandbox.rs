//! A running sandbox. It has a main world and any number of others, which share its server, and nothing else that a
//! client can see. Each has a model ([`World`]) behind a lock, its clock, credentials, faults and request log.

mod access;
mod active_faults;
mod additional_worlds;
mod request_watchers;
mod shared_services;
mod tokens;

pub use additional_worlds::{CreateWorldError, WorldView};

use crate::avatar_store::{AssetsFolderError, AvatarStore};
use crate::clock::{ClockChange, ClockError, ClockState, VirtualClock};
use crate::connection_slots::ConnectionSlots;
use crate::faults::{Fault, FaultListError, FaultSet};
use crate::limits::{ResourceLimits, UploadLimiter};
use crate::open_files::open_file_limit;
use crate::rate_limit::ClientRateLimiter;
use crate::replay::{Recording, ReplayPosition};
use crate::requests::{RequestLine, RequestLog};
use crate::scenario::{
    Scenario, UnknownScenarioError, built_in_scenarios, copy_scenarios_adding_or_replacing, find_scenario_by_name,
};
use crate::settings::{Credentials, SandboxSettings};
use crate::tls::CertificateSource;
use crate::world::World;
use crate::world::avatar::{AvatarCatalog, ExistingAvatar};
use crate::world::state::{PhoneTicket, TesterTokenView};
use crate::world_registry::WorldRegistry;
use rand::RngExt;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use url::Url;

/// Path under which a world other than the main one is reached, before its id.
pub(crate) const WORLD_PATH_PREFIX: &str = "/worlds/";

/// A handle to one world of a running sandbox. Clones are handles to the same world. [`Sandbox::new`] returns the main
/// world, [`Sandbox::create_world`] another one.
#[derive(Clone)]
pub struct Sandbox {
    world: Arc<WorldState>,
    shared: Arc<ServicesSharedByWorlds>,
}

/// Called with the log line of every request.
type RequestWatcher = dyn Fn(&Sandbox, &RequestLine) + Send + Sync;

/// The state of one world.
struct WorldState {
    /// `None` for the main world.
    id: Option<String>,
    /// The scenarios that it knows by their names.
    scenarios: Vec<Scenario>,
    locked: Mutex<MutexProtectedState>,
    started_at: Instant,
    credentials: Credentials,
    request_log: RequestLog,
    watchers: RwLock<Vec<Arc<RequestWatcher>>>,
    faults: Mutex<FaultSet>,
    /// Where it is in the recording that it answers from.
    replay: Option<ReplayPosition>,
    /// Tickets on the phone page, by Export Token.
    phone_tickets: Mutex<HashMap<String, PhoneTicket>>,
}

/// What all worlds of a sandbox share.
struct ServicesSharedByWorlds {
    worlds: WorldRegistry<WorldState>,
    /// What a new world has in place of settings that were left out.
    world_defaults: WorldDefaults,
    avatar_catalog: AvatarCatalog,
    avatar_store: AvatarStore,
    rate_limit: ClientRateLimiter,
    limits: ResourceLimits,
    upload_limiter: UploadLimiter,
    connection_slots: Arc<ConnectionSlots>,
    tls: Option<CertificateSource>,
    public_url: Option<Url>,
    /// URL for clients on this machine; `None` until a server listens.
    local_url: RwLock<Option<Url>>,
}

/// The settings of a new world where [`WorldSettings`] leaves them out: those that the sandbox was started with.
struct WorldDefaults {
    scenario: Scenario,
    speed: f64,
    faults: Vec<Fault>,
    recording: Option<Recording>,
    idle_limit: Duration,
}

/// The part of the state that one lock protects: model, clock and session tokens.
struct MutexProtectedState {
    world: World,
    clock: VirtualClock,
    sessions: VecDeque<String>,
}

/// Why a sandbox cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum SandboxSetupError {
    /// The assets folder cannot be served.
    #[error(transparent)]
    Assets(#[from] AssetsFolderError),
    /// The speed of the clock is out of range.
    #[error(transparent)]
    Speed(#[from] ClockError),
    /// A credential is empty.
    #[error("the sandbox's {0} must not be empty")]
    EmptyCredential(&'static str),
    /// The list of faults is invalid.
    #[error(transparent)]
    Faults(#[from] FaultListError),
}

/// The state of the sandbox as testers see it: the body of `GET /sandbox/state`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = SandboxState)]
pub struct SandboxStateView {
    /// The scenario of new tokens.
    pub scenario: String,
    /// The seed of timings and avatars.
    pub seed: u64,
    /// The virtual clock.
    pub clock: ClockState,
    /// All tokens, oldest first.
    pub tokens: Vec<TesterTokenView>,
}

impl Sandbox {
    /// Creates a sandbox; its virtual time starts at 0. Reads the folder `settings.assets` if there is one.
    ///
    /// # Errors
    /// A credential is empty, the assets folder cannot be read, or the speed or a fault is invalid.
    pub fn new(settings: SandboxSettings) -> Result<Self, SandboxSetupError> {
        let credentials = Credentials::credentials_from_settings_and_random(&settings);
        let given = [
            (credentials.api_key.is_empty(), "API key"),
            (credentials.username.is_empty(), "user name"),
            (credentials.password.is_empty(), "password"),
        ];
        if let Some((_, what)) = given.into_iter().find(|(empty, _)| *empty) {
            return Err(SandboxSetupError::EmptyCredential(what));
        }
        let (avatar_store, catalog) = AvatarStore::open_avatar_store_and_catalog(settings.assets.as_deref())?;
        let clock = VirtualClock::new(settings.speed)?;
        let mut faults = FaultSet::new(settings.seed);
        faults.replace_faults(settings.faults.clone())?;
        let world = World::new(settings.scenario.clone(), settings.seed, rand::rng().random(), catalog.clone());
        let world = WorldState::new(
            None,
            copy_scenarios_adding_or_replacing(built_in_scenarios(), &settings.scenario),
            world,
            clock,
            credentials,
            faults,
            RequestLog::default(),
        );
        let world = WorldState { replay: settings.recording.clone().map(ReplayPosition::new), ..world };
        let shared = ServicesSharedByWorlds {
            worlds: WorldRegistry::default(),
            world_defaults: WorldDefaults {
                scenario: settings.scenario,
                speed: settings.speed,
                faults: settings.faults,
                recording: settings.recording,
                idle_limit: settings.world_idle_limit,
            },
            avatar_catalog: catalog,
            avatar_store,
            rate_limit: ClientRateLimiter::new(settings.rate_limit),
            upload_limiter: UploadLimiter::new(&settings.limits),
            connection_slots: Arc::new(ConnectionSlots::new(&settings.limits, open_file_limit())),
            limits: settings.limits,
            tls: settings.tls,
            public_url: settings.public_url,
            local_url: RwLock::default(),
        };
        Ok(Self { world: Arc::new(world), shared: Arc::new(shared) })
    }

    /// The credentials that it accepts.
    pub fn accepted_credentials(&self) -> &Credentials {
        &self.world.credentials
    }

    /// The scenario, the clock and all tokens.
    pub fn sandbox_state(&self) -> SandboxStateView {
        let clock = self.clock_state();
        self.with_locked_world(|world, now| SandboxStateView {
            scenario: world.scenario().name().to_owned(),
            seed: world.seed(),
            tokens: world.token_views(now),
            clock,
        })
    }

    /// The scenarios that this world knows: the built-in ones, and those of its settings.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.world.scenarios
    }

    /// The scenario with this name.
    ///
    /// # Errors
    /// There is none; the error lists the names.
    pub fn find_scenario(&self, name: &str) -> Result<&Scenario, UnknownScenarioError> {
        find_scenario_by_name(&self.world.scenarios, name)
    }

    /// The scenario of new tokens.
    pub fn scenario_of_new_tokens(&self) -> Scenario {
        self.with_locked_world(|world, _| world.scenario().clone())
    }

    /// Changes the scenario of new tokens.
    pub fn set_scenario_of_new_tokens(&self, scenario: Scenario) {
        self.with_locked_world(|world, _| world.set_scenario_of_new_tokens(scenario));
    }

    /// The state of the virtual clock.
    pub fn clock_state(&self) -> ClockState {
        self.lock_protected_state().clock.clock_state_at(self.world.started_at.elapsed())
    }

    /// The virtual time at a moment since the start, in milliseconds.
    pub(crate) fn virtual_milliseconds_at(&self, moment: Instant) -> u64 {
        let real = moment.saturating_duration_since(self.world.started_at);
        self.lock_protected_state().clock.clock_state_at(real).now_ms
    }

    /// Moves, speeds up or pauses the virtual clock.
    ///
    /// # Errors
    /// The change is empty, or the speed or the advance is out of range. Then nothing changes.
    pub fn change_clock(&self, change: &ClockChange) -> Result<ClockState, ClockError> {
        let mut inner = self.lock_protected_state();
        let real = self.world.started_at.elapsed();
        inner.clock.change_virtual_clock(change, real)?;
        let state = inner.clock.clock_state_at(real);
        inner.world.set_speed(state.speed);
        Ok(state)
    }

    /// The existing avatars, which a visitor can choose.
    pub fn existing_avatars(&self) -> Vec<ExistingAvatar> {
        self.with_locked_world(|world, _| world.avatar_catalog().existing.clone())
    }

    /// Ends the worlds that were not used for their idle limit, and drops the pictures and generated avatars that no
    /// token needs any more. A [`crate::Server`] does this periodically.
    pub fn clean_up_worlds_and_avatars(&self) {
        self.shared.worlds.drop_unused_worlds();
        self.shared.avatar_store.drop_unneeded_pictures_and_avatars(|owner| {
            let world = match &owner.world {
                None => Some(self.world.clone()),
                Some(id) => self.shared.worlds.find_world_without_renewal(id).map(|listed| listed.state),
            };
            let owner_world = world.map(|world| Self { world, shared: self.shared.clone() });
            owner_world.is_some_and(|world| world.with_locked_world(|world, now| world.needs_avatar(&owner.token, now)))
        });
    }

    /// Locks the model, and calls `act` with it and the current virtual time. `act` must not call other methods of
    /// the sandbox that lock the model.
    pub(crate) fn with_locked_world<T>(&self, act: impl FnOnce(&mut World, Duration) -> T) -> T {
        let mut inner = self.lock_protected_state();
        let now = inner.clock.virtual_time_at(self.world.started_at.elapsed());
        act(&mut inner.world, now)
    }

    /// Where this world is in the recording that it answers from; `None` if it simulates.
    pub(crate) fn replay_position(&self) -> Option<&ReplayPosition> {
        self.world.replay.as_ref()
    }

    /// Locks the model, the clock and the session tokens.
    fn lock_protected_state(&self) -> MutexGuard<'_, MutexProtectedState> {
        // A panic elsewhere leaves the model consistent: every change to it is made at the end of a step.
        self.world.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorldState {
    fn new(
        id: Option<String>,
        scenarios: Vec<Scenario>,
        mut world: World,
        clock: VirtualClock,
        credentials: Credentials,
        faults: FaultSet,
        request_log: RequestLog,
    ) -> Self {
        let started_at = Instant::now();
        world.set_speed(clock.clock_state_at(Duration::ZERO).speed);
        let sessions = VecDeque::from([credentials.session_token.expose().to_owned()]);
        Self {
            id,
            scenarios,
            locked: Mutex::new(MutexProtectedState { world, clock, sessions }),
            started_at,
            credentials,
            request_log,
            watchers: RwLock::default(),
            faults: Mutex::new(faults),
            replay: None,
            phone_tickets: Mutex::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::BuiltInScenarioName;
    use crate::scenario::URL_LIFETIME;
    use crate::world::ForcedState;
    use crate::world::avatar::AvatarChoice;
    use image::RgbImage;

    #[test]
    fn picture_is_dropped_when_its_token_expires_or_its_urls_do() {
        let settings =
            SandboxSettings { scenario: BuiltInScenarioName::ExistingAvatar.into(), ..SandboxSettings::default() };
        let sandbox = Sandbox::new(settings).expect("a sandbox");
        let recorded = || {
            let token = sandbox.with_locked_world(World::generate_token).expect("room");
            let picture = Some(RgbImage::new(64, 64));
            sandbox.associate_avatar_with_picture(&token, &AvatarChoice::New, None, picture).expect("free");
            token
        };
        let (expired, redeemed) = (recorded(), recorded());
        sandbox.clean_up_worlds_and_avatars();
        assert_eq!(sandbox.avatar_store().picture_count(), 2);
        sandbox.force_token_state(&expired, ForcedState::Expire).expect("active");
        sandbox.with_locked_world(|world, now| world.redeem_token(&redeemed, now)).expect("ready");
        sandbox.clean_up_worlds_and_avatars();
        assert_eq!(sandbox.avatar_store().picture_count(), 1, "its files are still to be fetched");
        let life = u64::try_from(URL_LIFETIME.as_millis()).expect("minutes");
        sandbox.change_clock(&ClockChange { advance_ms: Some(life), ..ClockChange::default() }).expect("moved");
        sandbox.clean_up_worlds_and_avatars();
        assert_eq!(sandbox.avatar_store().picture_count(), 0);
    }
}
