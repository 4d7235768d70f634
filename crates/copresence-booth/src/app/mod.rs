//! The application behind the window: any number of visits, one of them on the screen.

mod backend_config;
mod forgetting;
mod retention;
mod state;

pub use backend_config::BackendConfig;
pub(crate) use forgetting::incomplete_forget_problem;

use crate::inspector::Inspector;
use crate::screen_state::VisitScreenState;
use crate::view::{LocalizedTextView, Problem, Screen, Snapshot, VisitorScreenSettingsView};
use backend_config::ActiveBackend;
use copresence_client::SetupError;
use copresence_engine::clock::Clock;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::problem;
use copresence_engine::profile::Profile;
use copresence_engine::recovery::{
    EarliestDownload, UnfinishedVisit, load_earliest_download_time, recover_visits_capping_total_redeems,
};
use copresence_engine::runner::{EventSink, VisitConfig, VisitContext, VisitStopSignals, run_visit};
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend, VisitOverrides, build_config_using_visit_history};
use copresence_store::VisitId;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use state::{ActiveVisit, KioskState, ShownScreen};
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Maximum time between two looks at the time of day, which a person may change.
const MAX_CLOCK_WAIT: Duration = Duration::from_secs(30);

/// Minimum wait before interrupted downloads are recovered again.
const MIN_DOWNLOAD_WAIT: Duration = Duration::from_secs(1);
/// Maximum wait before interrupted downloads are looked at again, because more may have been interrupted meanwhile.
const MAX_DOWNLOAD_WAIT: Duration = Duration::from_secs(10);
/// Pause before the next recovery if the journal cannot say when downloads are due: it may be on a disk that failed.
const UNKNOWN_DOWNLOAD_WAIT: Duration = Duration::from_mins(1);

/// What the application starts with.
#[derive(Debug, Clone)]
pub struct KioskSetup {
    /// Limits and routes, until another backend is chosen.
    pub profile: Profile,
    /// The backend, until another is chosen.
    pub target: ProfileOrSandboxBackend,
    /// The data folder.
    pub data_store: DataStore,
    /// Overrides of the profile.
    pub overrides: VisitOverrides,
    /// The address at which phones on this network reach the sandbox, once allowed.
    pub phone_address: Option<String>,
    /// Base URL of saved files in the web view, to which `/<visit>/<path>` is added.
    pub asset_base: String,
}

/// The application. Clones are handles of the same instance.
#[derive(Clone)]
pub struct Kiosk {
    setup: Arc<KioskSetup>,
    clock: Clock,
    state: Arc<Mutex<KioskState>>,
    snapshots: Arc<watch::Sender<Snapshot>>,
    inspector: Inspector,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Held while earlier visits are recovered: one recovery at a time.
    recovery_lock: Arc<tokio::sync::Mutex<()>>,
    /// Held while a task waits until downloads of earlier visits are due again: one wait at a time.
    download_wait_lock: Arc<tokio::sync::Mutex<()>>,
}

/// What the visitor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitorCommand<'a> {
    /// Begins.
    Start,
    /// Agrees to what is shown before the code.
    Agree {
        /// The words that were shown.
        to: &'a str,
    },
    /// Leaves.
    Cancel,
    /// Asks for a new code.
    NewCode,
    /// Goes back to the first screen.
    Again,
    /// Has the visit forgotten.
    Forget,
}

/// What a command of the window acts on. A command whose target is not shown any more is ignored; what is not named
/// matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedScreen {
    /// The id of the visit on the screen.
    pub visit: Option<String>,
    /// The revision of the snapshot in which the button was. Any later one matches as long as it is the same screen of
    /// the same visit.
    pub revision: Option<u64>,
}

impl Kiosk {
    /// The application, showing the first screen.
    pub fn new(setup: KioskSetup) -> Self {
        let backend_config = BackendConfig {
            profile: setup.profile.clone(),
            target: setup.target.clone(),
            phone_address: setup.phone_address.clone(),
        };
        let first = Snapshot {
            revision: 1,
            backend: backend_config.to_backend_view(),
            booth: VisitorScreenSettingsView::default(),
            screen: Screen::Attract,
        };
        let clock = Clock::default();
        Self {
            setup: Arc::new(setup),
            clock,
            state: Arc::new(Mutex::new(KioskState::new(ActiveBackend::new(backend_config)))),
            snapshots: Arc::new(watch::Sender::new(first)),
            inspector: Inspector::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            recovery_lock: Arc::default(),
            download_wait_lock: Arc::default(),
        }
    }

    /// Applies the operator's settings: those of every screen, and the text that each visitor agrees to first, if any.
    pub fn apply_visitor_screen_settings(&self, booth: VisitorScreenSettingsView, consent: LocalizedTextView) {
        let mut state = self.lock_kiosk_state();
        state.booth_settings = booth;
        state.consent = consent;
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Uses this backend for new visits. Running visits keep theirs; one that still needs a session logs in again.
    /// Opens a booth that was closed because the backend refused the credentials.
    pub fn set_backend_for_new_visits(&self, backend_config: BackendConfig) {
        let mut state = self.lock_kiosk_state();
        let earlier = std::mem::replace(&mut state.active_backend, ActiveBackend::new(backend_config));
        self.publish_snapshot_if_changed(&mut state);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.tasks.spawn_on(async move { earlier.log_out_shared_session().await }, &runtime);
        }
    }

    /// The backend of new visits.
    pub fn backend_config(&self) -> BackendConfig {
        self.lock_kiosk_state().active_backend.config.clone()
    }

    /// The refusal of the credentials in use, if the backend refused them. It closes the booth until they change.
    pub fn credentials_refusal_by_backend(&self) -> Option<Problem> {
        self.lock_kiosk_state().active_backend.remembered_credentials_refusal().cloned()
    }

    /// The running visits, on the screen or in the background.
    pub fn running_visits(&self) -> Vec<VisitId> {
        let state = self.lock_kiosk_state();
        let live = state.visits.iter().filter(|(_, active_visit)| !active_visit.task_done.is_cancelled());
        live.map(|(id, _)| *id).collect()
    }

    /// Events and exchanges of visits, for the integrator.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The data folder.
    pub fn data_store(&self) -> &DataStore {
        &self.setup.data_store
    }

    /// The folder in which avatars of new visits are saved.
    pub fn output_folder(&self) -> PathBuf {
        let of_profile = || self.lock_kiosk_state().active_backend.config.profile.out_dir.clone();
        let out_dir = self.setup.overrides.out_dir.clone().or_else(of_profile);
        out_dir.unwrap_or_else(|| self.setup.data_store.default_avatars_dir())
    }

    /// The last problem since the program started, and its time.
    pub fn last_problem(&self) -> Option<(Timestamp, Problem)> {
        self.lock_kiosk_state().last_problem.clone()
    }

    /// The current snapshot.
    pub fn current_snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Subscribes to snapshots; a slow receiver skips to the newest.
    pub fn subscribe_snapshots(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.subscribe()
    }

    /// Begins a visit and shows it, or first what the operator wants visitors to agree to. Does nothing while a visit
    /// that has not ended is shown or the booth is closed, and after [`stop_visits`](Self::stop_visits). Needs a tokio
    /// runtime.
    pub fn start_visit_or_show_consent(&self) {
        self.run_command_if_still_current(VisitorCommand::Start, &ExpectedScreen::default());
    }

    /// The visitor agrees to these words, and gets the code. Does nothing on any other screen, and if other words are
    /// shown now: the visitor did not agree to those. Needs a tokio runtime.
    pub fn accept_consent_and_start_visit(&self, to: &str) {
        self.run_command_if_still_current(VisitorCommand::Agree { to }, &ExpectedScreen::default());
    }

    /// Leaves the shown visit and its screen. A visit whose avatar is being made continues in the background; any
    /// other ends.
    pub fn leave_visit(&self) {
        self.run_command_if_still_current(VisitorCommand::Cancel, &ExpectedScreen::default());
    }

    /// Ends the visit on the screen and starts one with a new Export Token. Does nothing while the first token is
    /// being issued, because each is paid for. Needs a tokio runtime.
    pub fn restart_visit_with_new_token(&self) {
        self.run_command_if_still_current(VisitorCommand::NewCode, &ExpectedScreen::default());
    }

    /// Back to the first screen, for the next visitor.
    pub fn return_to_start(&self) {
        self.run_command_if_still_current(VisitorCommand::Again, &ExpectedScreen::default());
    }

    /// Forgets the visit on the screen (files, history and journal), whatever is in progress for it, and shows how far
    /// that is. Needs a tokio runtime.
    pub fn forget_shown_visit(&self) {
        self.run_command_if_still_current(VisitorCommand::Forget, &ExpectedScreen::default());
    }

    /// Runs a command of the window, unless the screen that it was given on is not shown any more.
    pub fn run_command_if_still_current(&self, command: VisitorCommand<'_>, target: &ExpectedScreen) {
        let mut state = self.lock_kiosk_state();
        if self.matches_expected_screen(&state, target) {
            match command {
                VisitorCommand::Start => self.perform_start_command(&mut state),
                VisitorCommand::Agree { to } => self.begin_visit_if_agreed(&mut state, to),
                VisitorCommand::Cancel | VisitorCommand::Again => self.leave_and_maybe_forget_visit(&mut state),
                VisitorCommand::NewCode => self.restart_visit_unless_awaiting_code(&mut state),
                VisitorCommand::Forget => self.start_forgetting_shown_visit(&mut state),
            }
        } else {
            tracing::info!(?command, ?target, "a command for another screen is ignored");
        }
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Whether what a command names is still on the screen.
    pub fn is_command_current(&self, target: &ExpectedScreen) -> bool {
        self.matches_expected_screen(&self.lock_kiosk_state(), target)
    }

    /// Whether the screen is still the one that a command expects: the visit and the revision that the command
    /// names, as far as it names them.
    fn matches_expected_screen(&self, state: &KioskState, target: &ExpectedScreen) -> bool {
        let is_visit =
            |visit: &String| state.shown_or_forgetting_visit_id().is_some_and(|shown| shown.to_string() == *visit);
        let is_revision = |revision: u64| (state.screen_since..=self.snapshots.borrow().revision).contains(&revision);
        target.visit.as_ref().is_none_or(is_visit) && target.revision.is_none_or(is_revision)
    }

    /// Starts a visit, or shows the text to agree to if the operator set one. Does nothing while the booth is
    /// closed, or while a visit is on the screen.
    fn perform_start_command(&self, state: &mut KioskState) {
        if state.is_screen_free_for_visit() && state.booth_closed_reason().is_none() {
            self.leave_and_maybe_forget_visit(state);
            if state.consent.is_empty() {
                self.show_and_spawn_visit(state);
            } else {
                state.shown = ShownScreen::Consent(state.consent.clone());
            }
        }
    }

    /// Begins a visit if the visitor agreed to the shown consent text: `to` must be the text on the consent screen,
    /// in any language.
    fn begin_visit_if_agreed(&self, state: &mut KioskState, to: &str) {
        let language = match &state.shown {
            ShownScreen::Consent(texts) => texts.find_language_of_exact_text(to).map(str::to_owned),
            _ => None,
        };
        if let Some(language) = language
            && state.booth_closed_reason().is_none()
        {
            tracing::info!(language, "the visitor agreed to what is shown before the code");
            self.show_and_spawn_visit(state);
        }
    }

    /// Leaves the shown visit and starts a new one, with a new code. Does nothing while its code is still being
    /// issued.
    fn restart_visit_unless_awaiting_code(&self, state: &mut KioskState) {
        let has_its_code =
            |screen_state: &VisitScreenState| screen_state.has_ended() || screen_state.shown_qr_link().is_some();
        if state.shown_visit().is_some_and(|(_, active_visit)| has_its_code(&active_visit.screen_state)) {
            if state.booth_closed_reason().is_none() {
                self.leave_and_maybe_forget_visit(state);
                self.show_and_spawn_visit(state);
            } else if state.is_screen_free_for_visit() {
                // The first screen says that the booth is closed.
                self.leave_and_maybe_forget_visit(state);
            }
        }
    }

    /// The link on the screen, for *play the phone*.
    pub fn shown_qr_link(&self) -> Option<String> {
        match self.current_snapshot().screen {
            Screen::Invite { link, .. } | Screen::Making { link, .. } => Some(link),
            _ => None,
        }
    }

    /// A saved file of the visit on the screen; `None` for any other visit.
    pub fn shown_visit_file_path(&self, visit: &str, name: &str) -> Option<PathBuf> {
        let state = self.lock_kiosk_state();
        let (id, active_visit) = state.shown_visit()?;
        active_visit.screen_state.saved_file_path(name).filter(|_| id.to_string() == visit)
    }

    /// Finishes in the background what a crash, the last stop or a failing backend left unfinished: to be called at the
    /// program's start, and done again with each new visit, and whenever downloads that were interrupted are due. A few
    /// visits at a time, each with back-off. Does nothing while an earlier call still runs. Needs a tokio runtime.
    pub fn spawn_recovery_of_earlier_visits(&self) {
        let running = self.lock_kiosk_state().unended_visits();
        self.recover_visits_in_background(running);
    }

    /// Recovers earlier visits, except those that run now: one that ends meanwhile is not left over.
    fn recover_visits_in_background(&self, running: HashSet<VisitId>) {
        let Ok(once) = self.recovery_lock.clone().try_lock_owned() else { return };
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let once = once;
            let find_context_for = |unfinished: &UnfinishedVisit| kiosk.build_recovery_context(unfinished);
            let skip = |id: &VisitId| running.contains(id) || kiosk.lock_kiosk_state().to_forget.contains(id);
            let data_store = &kiosk.setup.data_store;
            let (clock, stop) = (kiosk.clock, &kiosk.stopping);
            match recover_visits_capping_total_redeems(data_store, clock, &find_context_for, &skip, stop).await {
                Ok(all) => {
                    for one in all {
                        tracing::info!(visit = %one.visit, outcome = ?one.outcome, "an earlier visit was resumed");
                    }
                }
                Err(error) => tracing::error!(%error, "earlier visits could not be recovered"),
            }
            drop(once);
            kiosk.recover_again_when_downloads_are_due().await;
        });
    }

    /// Waits until files that could not be saved are due again, and starts the next recovery. No visitor needs to come
    /// for an avatar to be saved when the network or the disk is back.
    async fn recover_again_when_downloads_are_due(&self) {
        let Ok(once) = self.download_wait_lock.try_lock() else { return };
        let skip = |id: &VisitId| {
            let state = self.lock_kiosk_state();
            state.unended_visits().contains(id) || state.to_forget.contains(id)
        };
        let wait = match load_earliest_download_time(&self.setup.data_store, skip).await {
            Ok(EarliestDownload::NoneWaiting) => return,
            Ok(EarliestDownload::At(due)) => {
                let until_due =
                    Duration::try_from(due.duration_since(self.clock.wall_clock_time())).unwrap_or_default();
                until_due.clamp(MIN_DOWNLOAD_WAIT, MAX_DOWNLOAD_WAIT)
            }
            Ok(EarliestDownload::Unknown) => UNKNOWN_DOWNLOAD_WAIT,
            Err(error) => {
                tracing::error!(%error, "it is unknown when downloads are due again");
                UNKNOWN_DOWNLOAD_WAIT
            }
        };
        tokio::select! {
            () = self.stopping.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        drop(once);
        self.spawn_recovery_of_earlier_visits();
    }

    /// Interrupts every visit and waits until each has written its end.
    pub async fn stop_visits(&self) {
        {
            let mut state = self.lock_kiosk_state();
            // An avatar that is shown is saved, also if the end of its visit is still being written.
            let is_shown = matches!(self.snapshots.borrow().screen, Screen::Reveal { .. });
            if is_shown || state.is_screen_free_for_visit() {
                self.leave_and_maybe_forget_visit(&mut state);
            }
        }
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let backend = self.lock_kiosk_state().active_backend.clone();
        backend.log_out_shared_session().await;
        // The process may end without dropping the journal, and a cancelled redeem is only queued.
        if let Err(error) = self.setup.data_store.journal.flush_queued_writes().await {
            tracing::error!(%error, "the journal could not be flushed");
        }
    }

    /// Locks the mutex of the kiosk's state: visits, shown screen, backend and settings.
    fn lock_kiosk_state(&self) -> MutexGuard<'_, KioskState> {
        // Every change of the state is complete, also after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a new visit at once. What touches the disk or builds HTTP clients happens in its task, without the lock.
    fn show_and_spawn_visit(&self, state: &mut KioskState) {
        if self.stopping.is_cancelled() {
            return;
        }
        let id = VisitId::new();
        let at = state.active_backend.clone();
        let (left, ends) = (CancellationToken::new(), self.stopping.child_token());
        let leave = VisitStopSignals { interrupted: ends.clone(), visitor_left: left.clone() };
        let gone = CancellationToken::new();
        // Dropped with the task, however that ends.
        let ending = gone.clone().drop_guard();
        state.add_and_show_visit(
            id,
            ActiveVisit {
                screen_state: VisitScreenState::new(id.to_string()),
                backend: at.clone(),
                visitor_left: left,
                cancel: ends,
                task_done: gone,
            },
        );
        self.recover_visits_in_background(state.unended_visits());
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let _ending = ending;
            // A bug ends a visit and not the kiosk: no visitor is left with a screen that does not change.
            if AssertUnwindSafe(kiosk.prepare_and_run_visit(id, at, leave)).catch_unwind().await.is_err() {
                let event =
                    ended_event_for_problem_code("internal", 2, "the program failed in this visit; the log says where");
                kiosk.record_event_for_inspector_and_screen(&VisitEvent {
                    visit: id,
                    at: kiosk.clock.wall_clock_time(),
                    kind: event,
                });
            }
        });
    }

    /// Builds the API client, runs the visit to its end, and reports a backend that cannot be set up.
    async fn prepare_and_run_visit(&self, id: VisitId, at: Arc<ActiveBackend>, leave: VisitStopSignals) {
        let setup = &self.setup;
        let BackendConfig { profile, target, .. } = &at.config;
        let config = VisitConfig {
            id,
            ..build_config_using_visit_history(profile, target, &setup.data_store, &setup.overrides).await
        };
        let build = {
            let at = at.clone();
            move || at.get_or_build_api()
        };
        let api = match tokio::task::spawn_blocking(build).await {
            Ok(api) => api,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        match api {
            Ok(api) => {
                let api = self.inspector.start_recording_and_build_client(id, &api, target, profile);
                let context = setup.data_store.context_with_default_recovery_limits(api, self.clock, self.event_sink());
                if run_visit(config, context, leave).await.outcome.can_saving_continue() {
                    let running = self.lock_kiosk_state().unended_visits();
                    self.recover_visits_in_background(running);
                }
            }
            Err(error) => {
                self.record_event_for_inspector_and_screen(&VisitEvent {
                    visit: id,
                    at: self.clock.wall_clock_time(),
                    kind: setup_failed_event(&error),
                });
            }
        }
    }

    /// Builds the context in which an earlier visit is recovered. It records nothing for the inspector, and its failure
    /// is not reported as the last problem: no visitor waits at the booth for it.
    fn build_recovery_context(&self, unfinished: &UnfinishedVisit) -> Result<VisitContext, String> {
        let setup = &self.setup;
        let in_use = self.lock_kiosk_state().active_backend.clone();
        let BackendConfig { profile, target, .. } = &in_use.config;
        let start = &unfinished.visit.start;
        let api = if unfinished.token.is_none() {
            // Its own backend decides where its file URLs may lead, and only its own profile may allow more.
            let api_url = start.api_url.parse().map_err(|error| format!("its backend's URL: {error}"))?;
            let own_target = ProfileOrSandboxBackend { api_url, ..target.clone() };
            let own_profile =
                (start.profile == profile.name && start.api_url == target.api_url.as_str()).then_some(profile);
            own_target.build_download_only_client(own_profile)
        } else if start.api_url == target.api_url.as_str() {
            in_use.get_or_build_api()
        } else {
            return Err("it was made at another backend; `copresence recover` finishes it".to_owned());
        };
        let api = api.map_err(|error| error.to_string())?;
        let event_sink: EventSink =
            Arc::new(|event: VisitEvent| tracing::debug!(visit = %event.visit, event = event.kind.event_name()));
        Ok(setup
            .data_store
            .context_with_default_recovery_limits(api, self.clock, event_sink)
            .with_profile_recovery_limits(profile))
    }

    /// The event sink of visits on the screen.
    fn event_sink(&self) -> EventSink {
        let kiosk = self.clone();
        Arc::new(move |event: VisitEvent| kiosk.record_event_for_inspector_and_screen(&event))
    }

    /// Records the event for the inspector, applies it to the screen and publishes a snapshot.
    fn record_event_for_inspector_and_screen(&self, event: &VisitEvent) {
        self.inspector.record_event(event);
        let mut state = self.lock_kiosk_state();
        state.apply_event(event);
        if let EventKind::Invited { expires_at: Some(at), .. } = &event.kind
            && let Some(active_visit) = state.visits.get(&event.visit)
        {
            self.publish_at_qr_code_expiry(*at, active_visit.task_done.clone());
        }
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Publishes a snapshot when the QR code expires, unless the visit's task has ended by then.
    fn publish_at_qr_code_expiry(&self, at: Timestamp, gone: CancellationToken) {
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            while let Ok(left) = Duration::try_from(at.duration_since(kiosk.clock.wall_clock_time()))
                && !left.is_zero()
            {
                tokio::select! {
                    () = gone.cancelled() => return,
                    () = tokio::time::sleep(left.min(MAX_CLOCK_WAIT)) => {}
                }
            }
            kiosk.publish_snapshot_if_changed(&mut kiosk.lock_kiosk_state());
        });
    }

    /// Sends a snapshot with a new revision to the windows, unless screen, backend and operator settings are those
    /// of the last one.
    fn publish_snapshot_if_changed(&self, state: &mut KioskState) {
        let screen = state.current_screen(&self.setup.asset_base, dirs::home_dir(), self.clock.wall_clock_time());
        let backend = state.shown_or_active_backend().config.to_backend_view();
        let booth =
            VisitorScreenSettingsView { closed: state.booth_closed_reason().cloned(), ..state.booth_settings.clone() };
        let screen_since = &mut state.screen_since;
        self.snapshots.send_if_modified(|snapshot| {
            if snapshot.screen == screen && snapshot.backend == backend && snapshot.booth == booth {
                return false;
            }
            let revision = snapshot.revision + 1;
            if !has_same_screen_and_visit(&snapshot.screen, &screen) {
                *screen_since = revision;
            }
            *snapshot = Snapshot { revision, backend, booth, screen };
            true
        });
    }
}

/// Whether a button of one snapshot means the same in another: the same screen of the same visit, however its contents
/// changed.
fn has_same_screen_and_visit(before: &Screen, after: &Screen) -> bool {
    // After `failed` the visitor records again or leaves; before, the avatar is being made.
    let has_failed = |screen: &Screen| matches!(screen, Screen::Making { status, .. } if status == "failed");
    std::mem::discriminant(before) == std::mem::discriminant(after)
        && before.visit_id() == after.visit_id()
        && has_failed(before) == has_failed(after)
}

/// The end of a visit whose backend cannot be set up.
fn setup_failed_event(error: &SetupError) -> EventKind {
    let code = problem::code_for_client_setup_error(error);
    let exit = if code == "credentials_missing" { 3 } else { 2 };
    ended_event_for_problem_code(code, exit, &error.to_string())
}

/// The `ended` event for a problem code, with its message. The visit ended in phase `issuing`.
fn ended_event_for_problem_code(code: &str, exit: u8, detail: &str) -> EventKind {
    let message = problem::operator_message_with_hint(&problem::problem_for_code(code, Some(detail)));
    EventKind::Ended { code: code.to_owned(), exit, message, visit_state: "issuing".to_owned() }
}
