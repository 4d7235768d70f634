//! A running sandbox: the [`World`] behind a lock, with its clock, credentials, faults and request log.

use crate::avatar_store::{AssetsFolderError, AvatarStore};
use crate::clock::{ClockChange, ClockError, ClockState, VirtualClock};
use crate::connection_slots::ConnectionSlots;
use crate::faults::{Fault, FaultListError, FaultSet, FaultWithCounts, RequestAttributes, SelectedFault};
use crate::limits::{ResourceLimits, UploadLimiter};
use crate::network::is_loopback_url;
use crate::open_files::open_file_limit;
use crate::rate_limit::ClientRateLimiter;
use crate::requests::{RequestLine, RequestLog};
use crate::scenario::TokenScenario;
use crate::settings::{Credentials, SandboxSettings, random_session_token};
use crate::tls::CertificateSource;
use crate::world::avatar::{AvatarChoice, AvatarIdentity, ExistingAvatar};
use crate::world::state::{PhoneView, TesterTokenView};
use crate::world::{AssociateError, ForceError, ForcedState, World};
use copresence_protocol::ApiKey;
use image::RgbImage;
use rand::RngExt;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tokio::sync::broadcast;
use url::Url;

/// Maximum number of valid session tokens. Beyond it, the oldest becomes invalid.
const MAX_SESSIONS: usize = 1_000;

/// A handle to a running sandbox. Clones share the same sandbox.
#[derive(Clone)]
pub struct Sandbox(Arc<SharedState>);

/// Called with the log line of every request.
type RequestWatcher = dyn Fn(&Sandbox, &RequestLine) + Send + Sync;

/// The state that all clones of a [`Sandbox`] share.
struct SharedState {
    locked: Mutex<MutexProtectedState>,
    started_at: Instant,
    credentials: Credentials,
    avatar_store: AvatarStore,
    request_log: RequestLog,
    watchers: RwLock<Vec<Arc<RequestWatcher>>>,
    faults: Mutex<FaultSet>,
    rate_limit: ClientRateLimiter,
    limits: ResourceLimits,
    upload_limiter: UploadLimiter,
    connection_slots: Arc<ConnectionSlots>,
    tls: Option<CertificateSource>,
    public_url: Option<Url>,
    /// URL for clients on this machine; `None` until a server listens.
    local_url: RwLock<Option<Url>>,
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
    pub scenario: TokenScenario,
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
        let (avatar_store, catalog) = AvatarStore::open_store_and_catalog(settings.assets.as_deref())?;
        let clock = VirtualClock::new(settings.speed)?;
        let mut faults = FaultSet::new(settings.seed);
        faults.replace_faults(settings.faults)?;
        let mut world = World::new(settings.scenario, settings.seed, rand::rng().random(), catalog);
        world.set_speed(settings.speed);
        let sessions = VecDeque::from([credentials.session_token.expose().to_owned()]);
        Ok(Self(Arc::new(SharedState {
            locked: Mutex::new(MutexProtectedState { world, clock, sessions }),
            started_at: Instant::now(),
            credentials,
            avatar_store,
            request_log: RequestLog::default(),
            watchers: RwLock::default(),
            faults: Mutex::new(faults),
            rate_limit: ClientRateLimiter::new(settings.rate_limit),
            upload_limiter: UploadLimiter::new(&settings.limits),
            connection_slots: Arc::new(ConnectionSlots::new(&settings.limits, open_file_limit())),
            limits: settings.limits,
            tls: settings.tls,
            public_url: settings.public_url,
            local_url: RwLock::default(),
        })))
    }

    /// The credentials that it accepts.
    pub fn accepted_credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// Plays the phone: associates an avatar with a token, without a network request.
    ///
    /// # Errors
    /// The token is unknown, no longer active or already has an avatar, or the chosen avatar does not exist.
    pub fn associate_avatar(
        &self,
        token: &str,
        choice: &AvatarChoice,
        scenario: Option<TokenScenario>,
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
        scenario: Option<TokenScenario>,
        picture: Option<RgbImage>,
    ) -> Result<(), AssociateError> {
        self.with_locked_world(|world, now| {
            let avatar = world.associate_avatar(token, choice, scenario, now)?;
            // Under the same lock, so that no redeem runs before the picture is stored.
            if let AvatarIdentity::New { token, .. } = &avatar {
                self.avatar_store().store_visitor_picture(token, picture);
            }
            Ok(())
        })
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
            scenario: world.scenario(),
            seed: world.seed(),
            tokens: world.token_views(now),
            clock,
        })
    }

    /// Changes the scenario of new tokens.
    pub fn set_new_token_scenario(&self, scenario: TokenScenario) {
        self.with_locked_world(|world, _| world.set_new_token_scenario(scenario));
    }

    /// The state of the virtual clock.
    pub fn clock_state(&self) -> ClockState {
        self.lock_protected_state().clock.clock_state_at(self.0.started_at.elapsed())
    }

    /// Moves, speeds up or pauses the virtual clock.
    ///
    /// # Errors
    /// The change is empty, or the speed or the advance is out of range. Then nothing changes.
    pub fn change_clock(&self, change: &ClockChange) -> Result<ClockState, ClockError> {
        let mut inner = self.lock_protected_state();
        let real = self.0.started_at.elapsed();
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
        self.0.request_log.subscribe_to_lines()
    }

    /// Calls `act` with the log line of every later request, after the request had its effect and before the body of
    /// its response is sent. Changes that `act` makes to the sandbox are visible to the client's next request, so a
    /// test can play the phone at the second poll without waiting.
    ///
    /// `act` must not block and must not panic.
    pub fn add_request_watcher(&self, act: impl Fn(&Self, &RequestLine) + Send + Sync + 'static) {
        self.0.watchers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(act));
    }

    /// Calls the watchers with the line of a finished request, and adds it to the log.
    pub(crate) fn notify_watchers_and_log_request(&self, line: RequestLine) {
        // Cloned, so that no lock is held: a watcher may register another one.
        let watchers = self.0.watchers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for watcher in &watchers {
            watcher(self, &line);
        }
        self.request_log().append_and_publish_line(line);
    }

    /// Drops the pictures and generated avatars that no token needs any more. A [`crate::Server`] does this
    /// periodically.
    pub fn drop_unneeded_avatars(&self) {
        let mut inner = self.lock_protected_state();
        let now = inner.clock.virtual_time_at(self.0.started_at.elapsed());
        self.0.avatar_store.drop_unneeded_avatars(|token| inner.world.needs_avatar(token, now));
    }

    /// Locks the model, and calls `act` with it and the current virtual time. `act` must not call other methods of
    /// the sandbox that lock the model.
    pub(crate) fn with_locked_world<T>(&self, act: impl FnOnce(&mut World, Duration) -> T) -> T {
        let mut inner = self.lock_protected_state();
        let now = inner.clock.virtual_time_at(self.0.started_at.elapsed());
        act(&mut inner.world, now)
    }

    /// The state of a token for the phone page; `None` if the token is unknown.
    pub(crate) fn phone_view_by_token(&self, token: &str) -> Option<PhoneView> {
        self.with_locked_world(|world, now| world.phone_view(token, now))
    }

    /// The state of a token for testers; `None` if the token is unknown.
    pub(crate) fn token_view(&self, token: &str) -> Option<TesterTokenView> {
        self.with_locked_world(|world, now| world.token_view(token, now))
    }

    /// Counts a request, and returns the faults to apply to it.
    pub(crate) fn count_and_select_faults(&self, attributes: &RequestAttributes<'_>) -> Vec<SelectedFault> {
        self.lock_fault_set().count_and_select_faults(attributes)
    }

    /// Whether the active list of faults is not empty.
    pub(crate) fn has_faults(&self) -> bool {
        !self.lock_fault_set().is_empty()
    }

    /// Locks the active list of faults.
    fn lock_fault_set(&self) -> MutexGuard<'_, FaultSet> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.0.tls.as_ref()
    }

    /// `http` or `https`.
    pub(crate) fn url_scheme(&self) -> &'static str {
        if self.0.tls.is_some() { "https" } else { "http" }
    }

    /// The rate limiter of the clients, which counts the requests of each address.
    pub(crate) fn client_rate_limiter(&self) -> &ClientRateLimiter {
        &self.0.rate_limit
    }

    /// The bounds on bodies, responses and connections.
    pub(crate) fn resource_limits(&self) -> &ResourceLimits {
        &self.0.limits
    }

    /// The places for connections, which all servers of this sandbox share.
    pub(crate) fn connection_slots(&self) -> &Arc<ConnectionSlots> {
        &self.0.connection_slots
    }

    /// The limiter of bodies and uploaded pictures.
    pub(crate) fn upload_limiter(&self) -> &UploadLimiter {
        &self.0.upload_limiter
    }

    /// The store that generates, caches and reads the files of avatars.
    pub(crate) fn avatar_store(&self) -> &AvatarStore {
        &self.0.avatar_store
    }

    /// The log of past requests, which the index page and testers read.
    pub(crate) fn request_log(&self) -> &RequestLog {
        &self.0.request_log
    }

    /// The public URL from the settings, for a sandbox behind a reverse proxy; `None` if not set.
    pub(crate) fn configured_public_url(&self) -> Option<&Url> {
        self.0.public_url.as_ref()
    }

    /// Whether a proxy on this machine may forward requests of other machines, because the public URL names another
    /// host than this machine's loopback address.
    pub(crate) fn is_behind_proxy(&self) -> bool {
        self.configured_public_url().is_some_and(|url| !is_loopback_url(url))
    }

    /// The URL under which a client reaches this sandbox, without a trailing `/`: the public URL if set, else `host`
    /// (the client's `Host` header, which was checked), else the listening address.
    pub(crate) fn base_url_for_client(&self, host: Option<&str>) -> String {
        let from_host = || Url::parse(&format!("{}://{}/", self.url_scheme(), host?)).ok();
        let local = || self.0.local_url.read().unwrap_or_else(PoisonError::into_inner).clone();
        let url = self.0.public_url.clone().or_else(from_host).or_else(local);
        url.map_or_else(|| "http://localhost".to_owned(), |url| url.as_str().trim_end_matches('/').to_owned())
    }

    /// Sets the URL for clients on this machine, once the server listens.
    pub(crate) fn set_local_url(&self, url: Url) {
        *self.0.local_url.write().unwrap_or_else(PoisonError::into_inner) = Some(url);
    }

    /// Creates a session token if the login is correct.
    pub(crate) fn create_session_if_correct(&self, username: &str, password: &str) -> Option<String> {
        let known = self.accepted_credentials();
        let is_correct =
            constant_time_eq(username, known.username.expose()) & constant_time_eq(password, known.password.expose());
        is_correct.then(|| {
            let session = random_session_token();
            let sessions = &mut self.lock_protected_state().sessions;
            if sessions.len() >= MAX_SESSIONS {
                sessions.pop_front();
            }
            sessions.push_back(session.clone());
            session
        })
    }

    /// Whether a session token was issued here; compares in constant time.
    pub(crate) fn is_valid_session(&self, session: &str) -> bool {
        self.lock_protected_state().sessions.iter().fold(false, |known, valid| known | constant_time_eq(session, valid))
    }

    pub(crate) fn is_valid_api_key(&self, key: &str) -> bool {
        constant_time_eq(key, self.accepted_credentials().api_key.expose())
    }

    /// Whether this is the operator key; compares in constant time.
    pub(crate) fn is_valid_operator_key(&self, key: &str) -> bool {
        let known: &ApiKey = &self.accepted_credentials().operator_key;
        constant_time_eq(key, known.expose())
    }

    /// Locks the model, the clock and the session tokens.
    fn lock_protected_state(&self) -> MutexGuard<'_, MutexProtectedState> {
        // A panic elsewhere leaves the model consistent: every change to it is made at the end of a step.
        self.0.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares in constant time, so that the duration does not reveal how much matched.
fn constant_time_eq(given: &str, known: &str) -> bool {
    given.as_bytes().ct_eq(known.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::downloads::URL_LIFETIME;

    #[test]
    fn picture_is_dropped_when_its_token_expires_or_its_urls_do() {
        let settings = SandboxSettings { scenario: TokenScenario::ExistingAvatar, ..SandboxSettings::default() };
        let sandbox = Sandbox::new(settings).expect("a sandbox");
        let recorded = || {
            let token = sandbox.with_locked_world(World::generate_token).expect("room");
            let picture = Some(RgbImage::new(64, 64));
            sandbox.associate_avatar_with_picture(&token, &AvatarChoice::New, None, picture).expect("free");
            token
        };
        let (expired, redeemed) = (recorded(), recorded());
        sandbox.drop_unneeded_avatars();
        assert_eq!(sandbox.avatar_store().picture_count(), 2);
        sandbox.force_token_state(&expired, ForcedState::Expire).expect("active");
        sandbox.with_locked_world(|world, now| world.redeem_token(&redeemed, now)).expect("ready");
        sandbox.drop_unneeded_avatars();
        assert_eq!(sandbox.avatar_store().picture_count(), 1, "its files are still to be fetched");
        let life = u64::try_from(URL_LIFETIME.as_millis()).expect("minutes");
        sandbox.change_clock(&ClockChange { advance_ms: Some(life), ..ClockChange::default() }).expect("moved");
        sandbox.drop_unneeded_avatars();
        assert_eq!(sandbox.avatar_store().picture_count(), 0);
    }
}
