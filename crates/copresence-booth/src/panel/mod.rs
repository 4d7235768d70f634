//! The operator's panel: the PIN lock, the settings behind it, and the actions.
//!
//! Each action is saved for the next start before it takes effect, and takes effect at once. Visits in progress are not
//! affected.

mod actions;
mod backend_sources;
mod metrics_states;
mod opening;
mod panel_data;
mod pin_lock;
mod simulator;

pub use crate::pin::{PIN_LENGTH, PinHash};
pub use crate::settings::{OperatorSettings, SettingsFileHandle};
pub use actions::HostStepAfterAction;
pub use backend_sources::{EnvLookup, OpenedBackendAndClosedReason, ProfileAndCredentialSources};
pub use pin_lock::PinLock;
pub use simulator::{EmbeddedSandboxBackend, EmbeddedSandboxControl};

use crate::app::Kiosk;
use crate::metrics::{KeychainStateCache, MetricsEndpoint};
use crate::view::panel::{
    AppearanceAndLanguageSettings, ConnectedMonitorView, KioskModeView, PanelView, PartHealthView, PastVisit,
};
use crate::view::{LanesPanelView, Problem, VisitorScreenSettingsView};
use copresence_engine::health::{self, PartHealth};
use copresence_engine::home_path::abbreviate_home;
use copresence_engine::problem::problem_for_code;
use copresence_engine::settings_toml::LANGUAGES;
use copresence_protocol::LinkTemplate;
use copresence_store::{SettingsOrLogoFile, TokenCounts};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Interval of the search for visits past their retention time.
const RETENTION_INTERVAL: Duration = Duration::from_mins(10);
/// Interval at which a closed booth retries its backend, for example because the keychain was unlocked elsewhere.
const REOPEN_INTERVAL: Duration = Duration::from_secs(15);
/// Interval of the search for tickets that have expired.
const TICKET_EXPIRY_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The operator's panel. Clones share it. Its async methods need a tokio runtime.
#[derive(Clone)]
pub struct Panel(Arc<SharedPanelState>);

/// What all clones of the panel share: the kiosk, the PIN lock, the settings file, and what was published last.
struct SharedPanelState {
    kiosk: Kiosk,
    pin_lock: PinLock,
    settings_file: SettingsFileHandle,
    sources: ProfileAndCredentialSources,
    /// Base URL of files for the web view.
    asset_base: String,
    requested: Mutex<RequestedProfileAndClosedReason>,
    kiosk_mode_override: KioskModeFromFlag,
    keychain_probe: KeychainStateCache,
    /// Whether the booth is closed by its opening hours, as published last.
    is_outside_hours: AtomicBool,
    /// The metrics endpoint, or why it is not there: once it was to be started.
    metrics_endpoint: Mutex<Option<Result<MetricsEndpoint, String>>>,
    host_health: OnceLock<Arc<HostHealthChecks>>,
    /// Held during a change, so that changes run one at a time.
    action_lock: tokio::sync::Mutex<()>,
}

/// Checks the parts of the booth that only its host knows. May block.
pub type HostHealthChecks = dyn Fn(&Panel) -> Vec<PartHealth> + Send + Sync;

/// Kiosk-mode override from `--kiosk`.
#[derive(Default)]
struct KioskModeFromFlag {
    flag_given: AtomicBool,
    /// Whether the override is in force: until the operator sets kiosk mode in the panel.
    in_force: AtomicBool,
}

/// The profile that the operator requested, and why the booth is closed, if it is.
struct RequestedProfileAndClosedReason {
    profile: String,
    closed_reason: Option<Problem>,
}

impl Panel {
    /// Creates the panel of an application whose backend was opened from the profile `profile`. `closed` is the reason
    /// why no visit can start.
    pub fn new(
        kiosk: Kiosk,
        pin_lock: PinLock,
        file: SettingsFileHandle,
        sources: ProfileAndCredentialSources,
        asset_base: String,
        profile: String,
        closed: Option<Problem>,
    ) -> Self {
        let requested = Mutex::new(RequestedProfileAndClosedReason { profile, closed_reason: closed });
        let action_lock = tokio::sync::Mutex::default();
        let panel = Self(Arc::new(SharedPanelState {
            kiosk,
            pin_lock,
            settings_file: file,
            sources,
            asset_base,
            requested,
            kiosk_mode_override: KioskModeFromFlag::default(),
            keychain_probe: KeychainStateCache::default(),
            is_outside_hours: AtomicBool::default(),
            metrics_endpoint: Mutex::default(),
            host_health: OnceLock::new(),
            action_lock,
        }));
        panel.publish_booth_settings();
        panel
    }

    /// The PIN lock.
    pub fn pin_lock(&self) -> &PinLock {
        &self.0.pin_lock
    }

    /// The current panel.
    ///
    /// # Errors
    /// `internal` if gathering it panicked.
    pub async fn load_panel_view(&self, monitors: Vec<ConnectedMonitorView>) -> Result<PanelView, Problem> {
        let journal = &self.0.kiosk.data_store().journal;
        let visits_kept = journal.count_visits().await.unwrap_or_default();
        let tokens = journal.count_issued_tokens_by_outcome().await.unwrap_or_default();
        let panel = self.clone();
        run_blocking(move || panel.read_panel_view_blocking(monitors, visits_kept, tokens)).await
    }

    /// The latest visits of the journal, newest first, running ones included.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn load_visit_history(&self) -> Result<Vec<PastVisit>, Problem> {
        let SharedPanelState { kiosk, asset_base, .. } = &*self.0;
        let past =
            panel_data::load_latest_visits_for_history(kiosk.data_store(), &kiosk.running_visits(), asset_base).await;
        past.map_err(|error| problem_for_code("storage_failed", Some(&error.to_string())))
    }

    /// Path of a past visit's portrait. The caller must have checked [`pin_lock`](Self::pin_lock). Blocks on the disk.
    pub async fn find_past_portrait_path(&self, visit: &str, name: &str) -> Option<PathBuf> {
        panel_data::find_portrait_path_in_journal(self.0.kiosk.data_store(), visit, name).await
    }

    /// The operator's logo. Blocks on the disk.
    pub fn read_operator_logo(&self) -> Option<Vec<u8>> {
        self.0.kiosk.data_store().data.read_operator_file(SettingsOrLogoFile::Logo).ok().flatten()
    }

    /// The display settings: appearance and language of the window.
    pub fn current_appearance_and_language(&self) -> AppearanceAndLanguageSettings {
        let display = self.0.settings_file.current_settings().display;
        AppearanceAndLanguageSettings { logo: self.read_operator_logo().is_some(), ..display }
    }

    /// Kiosk mode as it is in force.
    pub fn active_kiosk_mode_view(&self) -> KioskModeView {
        let SharedPanelState { settings_file: file, kiosk_mode_override: flag, .. } = &*self.0;
        let set = file.current_settings().kiosk_mode;
        KioskModeView {
            on: set || flag.in_force.load(Ordering::Relaxed),
            set,
            by_flag: flag.flag_given.load(Ordering::Relaxed),
        }
    }

    /// Has the embedded sandbox record a new avatar for the QR code on the screen.
    ///
    /// # Errors
    /// The backend is not the embedded sandbox, no code is on the screen, or the code cannot have an avatar any more.
    pub fn record_avatar_with_embedded_sandbox(&self) -> Result<(), String> {
        if !self.0.kiosk.current_snapshot().backend.sandbox {
            return Err("only the embedded sandbox records an avatar by itself".to_owned());
        }
        let link = self.0.kiosk.shown_qr_link().ok_or("there is no code on the screen")?;
        self.0.sources.simulator.record_avatar_for_link_token(&link)
    }

    /// Forces kiosk mode on, for `--kiosk`. It stays on until the operator changes it in the panel.
    pub fn force_kiosk_mode_on(&self) {
        self.0.kiosk_mode_override.flag_given.store(true, Ordering::Relaxed);
        self.0.kiosk_mode_override.in_force.store(true, Ordering::Relaxed);
        self.publish_booth_settings();
    }

    /// Adds the host's own checks to [`check_booth_health`](Self::check_booth_health). Later calls are ignored.
    pub fn set_host_health_checks(&self, checks: Arc<HostHealthChecks>) {
        _ = self.0.host_health.set(checks);
    }

    /// The link in the QR codes of new visits.
    pub fn read_link_template_of_new_visits(&self) -> LinkTemplate {
        self.0.kiosk.backend_config().target.link
    }

    /// Whether the screen shall be kept from blanking now: in kiosk mode, within the opening hours, unless switched off.
    pub fn should_screen_stay_awake(&self) -> bool {
        self.active_kiosk_mode_view().on
            && self.is_within_opening_hours()
            && self.0.settings_file.current_settings().display.keep_awake
    }

    /// Checks everything that the booth depends on. Takes up to some seconds.
    pub async fn check_booth_health(&self) -> Vec<PartHealthView> {
        let backend_config = self.0.kiosk.backend_config();
        let panel = self.clone();
        let here = {
            let backend_config = backend_config.clone();
            run_blocking(move || {
                let SharedPanelState { kiosk, settings_file: file, sources, .. } = &*panel.0;
                let requested = panel.lock_requested_profile_mutex().profile.clone();
                vec![
                    health::check_profiles_are_usable(sources.config.as_deref(), &requested),
                    health::health_of_settings_file(file.settings_file_problem().as_deref(), file.is_pin_unknown()),
                    health::check_disk(
                        kiosk.data_store(),
                        &kiosk.output_folder(),
                        backend_config.profile.limits.min_free_space,
                    ),
                    health::check_keychain(&sources.credential_store, &backend_config.profile),
                    health::check_credentials_are_set(
                        &backend_config.profile,
                        &sources.credential_store,
                        &*sources.env,
                    ),
                ]
            })
        };
        let clock = copresence_engine::clock::Clock::default();
        let there = health::check_backend_and_clock(&backend_config.profile, &backend_config.target, || {
            clock.wall_clock_time()
        });
        let (here, there) = futures_util::future::join(here, there).await;
        let mut views = here.unwrap_or_else(|problem| {
            vec![health::bad_part_health(health::part::SETTINGS, problem.operator, problem.hint)]
        });
        views.extend(there);
        if let Some(checks) = self.0.host_health.get().cloned() {
            let panel = self.clone();
            views.extend(run_blocking(move || checks(&panel)).await.unwrap_or_default());
        }
        views.extend(self.check_metrics_endpoint());
        views.push(health::health_of_last_problem(self.0.kiosk.last_problem_and_time().as_ref()));
        views.into_iter().map(PartHealthView::from).collect()
    }

    /// Applies retention, closes expired tickets, follows the opening hours and reopens a closed booth, forever. Run it
    /// beside everything else.
    pub async fn run_periodic_booth_tasks_forever(&self) {
        let mut sweep = tokio::time::interval(RETENTION_INTERVAL);
        let mut look = tokio::time::interval(REOPEN_INTERVAL);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tickets = tokio::time::interval(TICKET_EXPIRY_CHECK_INTERVAL);
        tickets.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = sweep.tick() => self.0.kiosk.spawn_forgetting_of_due_visits(),
                _ = tickets.tick() => self.0.kiosk.close_due_tickets_and_publish_snapshot(),
                _ = look.tick() => {
                    self.open_or_close_booth_by_hours();
                    self.reopen_closed_booth_if_backend_opens().await;
                }
            }
        }
    }

    /// Reopens a closed booth if its backend can be opened now. One whose credentials were refused needs others.
    pub async fn reopen_closed_booth_if_backend_opens(&self) {
        let are_credentials_refused = self.0.kiosk.credentials_refusal_by_backend().is_some();
        if self.lock_requested_profile_mutex().closed_reason.is_none() && !are_credentials_refused {
            return;
        }
        let _one_at_a_time = self.0.action_lock.lock().await;
        let panel = self.clone();
        let name = self.lock_requested_profile_mutex().profile.clone();
        let Ok(Ok(opened)) = run_blocking(move || panel.open_backend_of_named_profile(&name)).await else { return };
        // A profile that exists again may still lack credentials. They can be entered once it is in use.
        let in_use = self.0.kiosk.backend_config();
        let another = opened.backend.profile.name != in_use.profile.name;
        // Refused credentials are not tried again by the program: that could lock the account.
        let credentials = &opened.backend.target.credentials;
        if are_credentials_refused && !another && in_use.target.credentials.has_same_secrets(credentials) {
            return;
        }
        if opened.closed_reason.is_none() || another {
            tracing::info!(profile = opened.backend.profile.name, "the closed booth's backend can be opened now");
            self.replace_backend_and_publish_settings(opened);
        }
    }

    /// Opens the backend of this profile, with the phone access that is set. Does not use it yet.
    fn open_backend_of_named_profile(&self, name: &str) -> Result<OpenedBackendAndClosedReason, Problem> {
        self.0
            .sources
            .open_backend_despite_missing_credentials(name, self.0.settings_file.current_settings().phone_access)
    }

    /// Makes this the backend of new visits, and publishes whether the booth is closed for it. If it is not the embedded
    /// sandbox, phones no longer reach the sandbox.
    fn replace_backend_and_publish_settings(&self, opened: OpenedBackendAndClosedReason) {
        if !opened.backend.target.is_embedded_sandbox {
            self.close_unused_sandbox_to_phones();
        }
        self.lock_requested_profile_mutex().closed_reason = opened.closed_reason;
        self.0.kiosk.replace_active_backend(opened.backend);
        self.publish_booth_settings();
    }

    /// Closes the sandbox to phones. No new visit uses it, so it would only be open to everybody on the network. The
    /// setting stays: if the sandbox is chosen again, phones reach it again.
    fn close_unused_sandbox_to_phones(&self) {
        let simulator = &self.0.sources.simulator;
        let is_open = simulator.sandbox_controls_view().is_some_and(|sandbox| sandbox.phones_at.is_some());
        if is_open && let Err(words) = simulator.set_sandbox_phone_access(false) {
            tracing::error!(%words, "the sandbox could not be closed to phones");
        }
    }

    /// Publishes the operator's settings to every visitor screen.
    fn publish_booth_settings(&self) {
        let OperatorSettings { display, keep_hours, lanes, .. } = self.0.settings_file.current_settings();
        let logo = self.read_operator_logo().map(|png| {
            let digest = copresence_store::Sha256Digest::sha256_of_bytes(&png).to_string();
            format!("{}/booth/{}?v={}", self.0.asset_base, SettingsOrLogoFile::Logo.file_name(), &digest[..12])
        });
        let outside_hours = self.find_opening_hours_closure_now();
        self.0.is_outside_hours.store(outside_hours.is_some(), Ordering::Relaxed);
        let closed_until = outside_hours.as_ref().map(|outside| outside.until.to_string());
        let closed_by_hours = outside_hours.map(|outside| outside.problem);
        let booth = VisitorScreenSettingsView {
            language: display.language,
            attract_text: display.attract_text,
            logo,
            idle_seconds: display.idle_seconds,
            voice: display.voice,
            sounds: display.sounds,
            keep_hours,
            kiosk_mode: self.active_kiosk_mode_view().on,
            lanes,
            closed: closed_by_hours.or_else(|| self.lock_requested_profile_mutex().closed_reason.clone()),
            closed_until,
        };
        self.0.kiosk.apply_screen_settings_and_consent(booth, display.consent);
    }

    /// Reads settings, profiles, credentials and sandbox into one view. Blocks on the disk and the keychain.
    fn read_panel_view_blocking(
        &self,
        monitors: Vec<ConnectedMonitorView>,
        visits_kept: u32,
        tokens: TokenCounts,
    ) -> PanelView {
        let SharedPanelState { kiosk, settings_file: file, sources, .. } = &*self.0;
        let backend_config = kiosk.backend_config();
        let home = dirs::home_dir();
        let path = |path: PathBuf| abbreviate_home(&path.display().to_string(), home.as_deref());
        let (credentials, keychain) = panel_data::load_credential_views_and_keychain_problem(sources, &backend_config);
        let (profiles, profiles_file) =
            panel_data::load_profile_choices_and_path(sources, &backend_config.profile.name);
        let sandbox =
            if backend_config.target.is_embedded_sandbox { sources.simulator.sandbox_controls_view() } else { None };
        PanelView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data_dir: path(kiosk.data_store().data.path().to_owned()),
            out: path(kiosk.output_folder()),
            backend: backend_config.to_backend_view(),
            profiles,
            profiles_file,
            credentials,
            keychain,
            refused_credentials: kiosk.credentials_refusal_by_backend(),
            sandbox,
            kiosk_mode: self.active_kiosk_mode_view(),
            display: self.current_appearance_and_language(),
            monitors,
            languages: LANGUAGES.map(str::to_owned).to_vec(),
            keep_hours: file.current_settings().keep_hours,
            visits_kept,
            visits_live: u32::try_from(kiosk.running_visits().len()).unwrap_or(u32::MAX),
            lanes: LanesPanelView {
                settings: file.current_settings().lanes,
                tickets: kiosk.build_operator_ticket_views(),
                tokens: panel_data::to_token_counts_view(tokens),
            },
        }
    }

    /// Locks the mutex of the requested profile.
    fn lock_requested_profile_mutex(&self) -> MutexGuard<'_, RequestedProfileAndClosedReason> {
        // A panic leaves no partial change.
        self.0.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs blocking disk or keychain work outside the async worker threads.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| problem_for_code("internal", Some(&error.to_string())))
}
