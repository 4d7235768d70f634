//! A running sandbox. It has a main world and any number of others, which share its server, and nothing else that a
//! client can see. Each has a model ([`World`]) behind a lock, its clock, credentials, faults and request log.

mod access;
mod additional_worlds;

pub use additional_worlds::{CreateWorldError, WorldView};

use crate::avatar_store::{AssetsFolderError, AvatarStore, TokenInWorld};
use crate::clock::{ClockChange, ClockError, ClockState, VirtualClock};
use crate::connection_slots::ConnectionSlots;
use crate::faults::{Fault, FaultListError, FaultSet, FaultWithCounts, RequestAttributes, SelectedFault};
use crate::limits::{ResourceLimits, UploadLimiter};
use crate::network::is_loopback_url;
use crate::open_files::open_file_limit;
use crate::rate_limit::ClientRateLimiter;
use crate::replay::{Recording, ReplayPosition};
use crate::requests::{FinishedRequest, RequestLine, RequestLog};
use crate::scenario::{Scenario, UnknownScenarioError, built_in_scenarios, copy_scenarios_with, find_scenario_by_name};
use crate::settings::{Credentials, SandboxSettings};
use crate::tls::CertificateSource;
use crate::world::avatar::{AvatarCatalog, AvatarChoice, ExistingAvatar};
use crate::world::state::{PhoneTicket, PhoneView, TesterTokenView};
use crate::world::{AssociateError, ForceError, ForcedState, World};
use crate::world_registry::WorldRegistry;
use image::RgbImage;
use rand::RngExt;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
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
            copy_scenarios_with(built_in_scenarios(), &settings.scenario),
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

    /// Plays the phone: associates an avatar with a token, without a network request.
    ///
    /// # Errors
    /// The token is unknown, no longer active or already has an avatar, or the chosen avatar does not exist.
    pub fn associate_avatar(
        &self,
        token: &str,
        choice: &AvatarChoice,
        scenario: Option<&Scenario>,
    ) -> Result<(), AssociateError> {
        self.associate_avatar_with_picture(token, choice, scenario, None)
    }

    /// Like [`Sandbox::associate_avatar`], with the visitor's picture as the face of a new avatar.
    ///
    /// # Errors
    /// As [`Sandbox::associate_avatar`].
    pub fn associate_avatar_with_picture(
        &self,
        token: &str,
        choice: &AvatarChoice,
        scenario: Option<&Scenario>,
        picture: Option<RgbImage>,
    ) -> Result<(), AssociateError> {
        self.with_locked_world(|world, now| {
            let picture = picture.map(|image| (self.avatar_store().allocate_picture_id(), image));
            world.associate_avatar(token, choice, scenario, picture.as_ref().map(|(id, _)| *id), now)?;
            // Under the same lock, so that no redeem runs before the picture is stored.
            self.avatar_store().store_visitor_picture(self.qualify_token_with_world(token), picture);
            Ok(())
        })
    }

    /// The token together with its world, as the owner of a picture.
    fn qualify_token_with_world(&self, token: &str) -> TokenInWorld {
        TokenInWorld { world: self.world.id.clone(), token: token.to_owned() }
    }

    /// Checks whether [`Sandbox::associate_avatar`] would succeed now.
    ///
    /// # Errors
    /// As [`Sandbox::associate_avatar`].
    pub(crate) fn check_association(&self, token: &str, choice: &AvatarChoice) -> Result<(), AssociateError> {
        self.with_locked_world(|world, now| world.check_association(token, choice, now))
    }

    /// Forces a token into a state.
    ///
    /// # Errors
    /// The token is unknown or no longer active, or has no avatar that could fail or complete.
    pub fn force_token_state(&self, token: &str, force: ForcedState) -> Result<(), ForceError> {
        self.with_locked_world(|world, now| world.force_token_state(token, force, now))
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
    pub fn new_token_scenario(&self) -> Scenario {
        self.with_locked_world(|world, _| world.scenario().clone())
    }

    /// Changes the scenario of new tokens.
    pub fn set_new_token_scenario(&self, scenario: Scenario) {
        self.with_locked_world(|world, _| world.set_new_token_scenario(scenario));
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
        inner.clock.apply_change(change, real)?;
        let state = inner.clock.clock_state_at(real);
        inner.world.set_speed(state.speed);
        Ok(state)
    }

    /// Replaces the list of faults; all counts restart at 0. An empty list removes all faults. See [`crate::faults`].
    ///
    /// # Errors
    /// The list is too long, or a fault is invalid. Then nothing changes.
    pub fn set_faults(&self, faults: Vec<Fault>) -> Result<(), FaultListError> {
        self.lock_fault_set().replace_faults(faults)
    }

    /// Adds a fault. The counts of the other faults continue.
    ///
    /// # Errors
    /// The list is full, or the fault is invalid. Then nothing changes.
    pub fn add_fault(&self, fault: Fault) -> Result<(), FaultListError> {
        self.lock_fault_set().add_fault(fault)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        *self.lock_fault_set() = FaultSet::new(self.with_locked_world(|world, _| world.seed()));
    }

    /// The active faults, each with the number of requests that it matched and that it was applied to.
    pub fn active_faults_with_counts(&self) -> Vec<FaultWithCounts> {
        self.lock_fault_set().active_faults_with_counts()
    }

    /// The existing avatars, which a visitor can choose.
    pub fn existing_avatars(&self) -> Vec<ExistingAvatar> {
        self.with_locked_world(|world, _| world.avatar_catalog().existing.clone())
    }

    /// Subscribes to the request log, credentials masked. A slow subscriber misses the oldest lines.
    pub fn subscribe_requests(&self) -> broadcast::Receiver<RequestLine> {
        self.world.request_log.subscribe_to_lines()
    }

    /// Calls `act` with the log line of every later request, after the request had its effect and before the body of
    /// its response is sent. Changes that `act` makes to the sandbox are visible to the client's next request, so a
    /// test can play the phone at the second poll without waiting.
    ///
    /// `act` must not block and must not panic.
    pub fn add_request_watcher(&self, act: impl Fn(&Self, &RequestLine) + Send + Sync + 'static) {
        self.world.watchers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(act));
    }

    /// Calls the watchers with the line of a finished request, and adds it to the log.
    pub(crate) fn notify_watchers_and_log_request(&self, request: FinishedRequest) {
        // Cloned, so that no lock is held: a watcher may register another one.
        let watchers = self.world.watchers.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !watchers.is_empty() || self.request_log().has_subscribers() {
            let line = request.to_log_line();
            for watcher in &watchers {
                watcher(self, &line);
            }
            self.request_log().publish_line(line);
        }
        self.request_log().append_request(request);
    }

    /// Ends the worlds that were not used for their idle limit, and drops the pictures and generated avatars that no
    /// token needs any more. A [`crate::Server`] does this periodically.
    pub fn clean_up_worlds_and_avatars(&self) {
        self.shared.worlds.drop_unused_worlds();
        self.shared.avatar_store.drop_unneeded_pictures_and_avatars(|owner| {
            let world = match &owner.world {
                None => Some(self.world.clone()),
                Some(id) => self.shared.worlds.find_world(id).map(|listed| listed.state),
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

    /// The state of a token for the phone page; `None` if the token is unknown.
    pub(crate) fn phone_view_by_token(&self, token: &str) -> Option<PhoneView> {
        let view = self.with_locked_world(|world, now| world.phone_view(token, now))?;
        Some(PhoneView { ticket: self.find_phone_ticket(token), ..view })
    }

    /// The ticket on the phone page of a token.
    pub fn find_phone_ticket(&self, token: &str) -> Option<PhoneTicket> {
        self.lock_phone_tickets().get(token).cloned()
    }

    /// Shows these tickets on the phone pages of their tokens, in place of all earlier ones: for a console in the same
    /// program that continues visits in the background.
    pub fn replace_phone_tickets(&self, by_token: HashMap<String, PhoneTicket>) {
        *self.lock_phone_tickets() = by_token;
    }

    /// Locks the tickets on phone pages.
    fn lock_phone_tickets(&self) -> MutexGuard<'_, HashMap<String, PhoneTicket>> {
        // Replaced as a whole, also when a thread panicked.
        self.world.phone_tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a token for testers; `None` if the token is unknown.
    pub(crate) fn token_view(&self, token: &str) -> Option<TesterTokenView> {
        self.with_locked_world(|world, now| world.token_view(token, now))
    }

    /// Counts a request, and returns the faults to apply to it: those of the token's scenario, then those of the active
    /// list. `url_id` is the id in the URL of a download.
    pub(crate) fn count_and_select_faults(
        &self,
        attributes: &RequestAttributes<'_>,
        token: Option<&str>,
        url_id: Option<&str>,
    ) -> Vec<SelectedFault> {
        let mut selected =
            self.with_locked_world(|world, _| world.count_and_select_token_faults(attributes, token, url_id));
        selected.extend(self.lock_fault_set().count_and_select_faults(attributes));
        selected
    }

    /// Whether there are faults: in the active list, or of a token's scenario.
    pub(crate) fn has_active_or_scenario_faults(&self) -> bool {
        !self.lock_fault_set().is_empty() || self.with_locked_world(|world, _| world.has_scenario_faults())
    }

    /// Locks the active list of faults.
    fn lock_fault_set(&self) -> MutexGuard<'_, FaultSet> {
        self.world.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next redeem of a token returns download URLs.
    pub(crate) fn is_token_ready(&self, token: &str) -> bool {
        self.with_locked_world(|world, now| world.is_token_ready(token, now))
    }

    /// The export type behind a download URL.
    pub(crate) fn export_type_of_url(&self, id: &str) -> Option<String> {
        self.with_locked_world(|world, _| world.export_type_of_url(id).map(str::to_owned))
    }

    /// Where the certificate comes from; `None` for plain HTTP.
    pub(crate) fn certificate_source(&self) -> Option<&CertificateSource> {
        self.shared.tls.as_ref()
    }

    /// `http` or `https`.
    pub(crate) fn url_scheme(&self) -> &'static str {
        if self.shared.tls.is_some() { "https" } else { "http" }
    }

    /// The rate limiter of the clients, which counts the requests of each address.
    pub(crate) fn client_rate_limiter(&self) -> &ClientRateLimiter {
        &self.shared.rate_limit
    }

    /// The bounds on bodies, responses and connections.
    pub(crate) fn resource_limits(&self) -> &ResourceLimits {
        &self.shared.limits
    }

    /// The places for connections, which all servers of this sandbox share.
    pub(crate) fn connection_slots(&self) -> &Arc<ConnectionSlots> {
        &self.shared.connection_slots
    }

    /// The limiter of bodies and uploaded pictures.
    pub(crate) fn upload_limiter(&self) -> &UploadLimiter {
        &self.shared.upload_limiter
    }

    /// The store that generates, caches and reads the files of avatars.
    pub(crate) fn avatar_store(&self) -> &AvatarStore {
        &self.shared.avatar_store
    }

    /// The log of past requests, which the index page and testers read.
    pub(crate) fn request_log(&self) -> &RequestLog {
        &self.world.request_log
    }

    /// The public URL from the settings, for a sandbox behind a reverse proxy; `None` if not set.
    pub(crate) fn configured_public_url(&self) -> Option<&Url> {
        self.shared.public_url.as_ref()
    }

    /// Whether a proxy on this machine may forward requests of other machines, because the public URL names another
    /// host than this machine's loopback address.
    pub(crate) fn is_behind_proxy(&self) -> bool {
        self.configured_public_url().is_some_and(|url| !is_loopback_url(url))
    }

    /// The URL under which a client reaches this sandbox, without a trailing `/`: the public URL if set, else `host`
    /// (the client's `Host` header, which was checked), else the listening address.
    /// That of a world other than the main one ends with its prefix.
    pub(crate) fn base_url_for_client(&self, host: Option<&str>) -> String {
        let from_host = || Url::parse(&format!("{}://{}/", self.url_scheme(), host?)).ok();
        let local = || self.shared.local_url.read().unwrap_or_else(PoisonError::into_inner).clone();
        let url = self.shared.public_url.clone().or_else(from_host).or_else(local);
        let base = url.as_ref().map_or("http://localhost", |url| url.as_str().trim_end_matches('/'));
        self.world_id().map_or_else(|| base.to_owned(), |id| format!("{base}{WORLD_PATH_PREFIX}{id}"))
    }

    /// Sets the URL for clients on this machine, once the server listens.
    pub(crate) fn set_local_url(&self, url: Url) {
        *self.shared.local_url.write().unwrap_or_else(PoisonError::into_inner) = Some(url);
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
    use crate::scenario::TokenScenario;
    use crate::scenario::URL_LIFETIME;

    #[test]
    fn picture_is_dropped_when_its_token_expires_or_its_urls_do() {
        let settings = SandboxSettings { scenario: TokenScenario::ExistingAvatar.into(), ..SandboxSettings::default() };
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
