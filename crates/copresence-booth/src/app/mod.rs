//! The application behind the window: any number of visits, one of them on the screen.

mod backend_config;
mod code_pacing;
mod earlier_visits;
mod forgetting;
mod lanes;
mod restored_tickets;
mod retention;
mod snapshots;
mod state;
mod tickets;
mod visit_task;

pub use backend_config::BackendConfig;
pub(crate) use forgetting::incomplete_forget_problem;
pub use lanes::{EnteredPickupCode, SandboxTicketWithLink};

use crate::inspector::Inspector;
use crate::metrics::BoothMetrics;
use crate::screen_state::VisitScreenState;
use crate::view::{LocalizedTextView, Problem, Screen, Snapshot, VisitorScreenSettingsView};
use backend_config::ActiveBackendWithSharedSession;
use copresence_engine::clock::Clock;
use copresence_engine::profile::Profile;
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend, VisitOverrides};
use copresence_store::VisitId;
use jiff::Timestamp;
use state::{KioskState, ShownScreenWithState};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
    /// The live tickets of visits at the embedded sandbox.
    sandbox_tickets: Arc<watch::Sender<Vec<SandboxTicketWithLink>>>,
    inspector: Inspector,
    metrics: BoothMetrics,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Held while earlier visits are recovered: one recovery at a time.
    recovery_lock: Arc<tokio::sync::Mutex<()>>,
    /// Held while a task waits until downloads of earlier visits are due again: one wait at a time.
    recovery_wait_lock: Arc<tokio::sync::Mutex<()>>,
}

/// A command that a visitor gives at the screen.
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
    /// Hands the visit over: it continues as a ticket.
    HandOver,
    /// Chooses a ticket.
    ChooseTicket {
        /// The id of its visit.
        visit: &'a str,
    },
    /// Enters the code of the chosen ticket.
    EnterPickupCode {
        /// The code.
        code: EnteredPickupCode<'a>,
    },
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
            tickets: Vec::new(),
            screen: Screen::Attract,
        };
        let clock = Clock::default();
        Self {
            setup: Arc::new(setup),
            clock,
            state: Arc::new(Mutex::new(KioskState::new(ActiveBackendWithSharedSession::new(backend_config)))),
            snapshots: Arc::new(watch::Sender::new(first)),
            sandbox_tickets: Arc::default(),
            inspector: Inspector::default(),
            metrics: BoothMetrics::new(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            recovery_lock: Arc::default(),
            recovery_wait_lock: Arc::default(),
        }
    }

    /// Applies the operator's settings: those of every screen, and the text that each visitor agrees to first, if any.
    pub fn apply_screen_settings_and_consent(&self, booth: VisitorScreenSettingsView, consent: LocalizedTextView) {
        let mut state = self.lock_kiosk_state();
        state.booth_settings = booth;
        state.consent = consent;
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Makes this the backend of new visits, and logs out the session of the earlier one in the background. Running
    /// visits keep theirs; one that still needs a session logs in again. Opens a booth that was closed because the
    /// backend refused the credentials.
    pub fn replace_active_backend(&self, backend_config: BackendConfig) {
        let mut state = self.lock_kiosk_state();
        let earlier = std::mem::replace(&mut state.active_backend, ActiveBackendWithSharedSession::new(backend_config));
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

    /// The inspector, which records events and exchanges of visits for the integrator.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The metrics of this program.
    pub fn metrics(&self) -> &BoothMetrics {
        &self.metrics
    }

    /// Whether visitors can start a visit.
    pub fn is_booth_open(&self) -> bool {
        self.lock_kiosk_state().booth_closed_reason().is_none()
    }

    /// The data store: the program's data folder and the journal in it.
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
    pub fn last_problem_and_time(&self) -> Option<(Timestamp, Problem)> {
        self.lock_kiosk_state().last_problem.clone()
    }

    /// The current snapshot.
    pub fn current_snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Subscribes to snapshots; a slow receiver skips to the newest.
    pub fn watch_latest_snapshot(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.subscribe()
    }

    /// Starts a visit and shows it, or first shows the consent text if the operator set one. Does nothing while a visit
    /// that has not ended is shown or the booth is closed, and after
    /// [`stop_visits_for_shutdown`](Self::stop_visits_for_shutdown). Needs a tokio runtime.
    pub fn start_visit_or_show_consent(&self) {
        self.run_command_if_still_current(VisitorCommand::Start, &ExpectedScreen::default());
    }

    /// Starts a visit, because the visitor agreed to the consent text `to`. Does nothing on any other screen, and if
    /// another text is shown now: the visitor did not agree to that one. Needs a tokio runtime.
    pub fn accept_consent_and_start_visit(&self, to: &str) {
        self.run_command_if_still_current(VisitorCommand::Agree { to }, &ExpectedScreen::default());
    }

    /// Leaves the shown visit and its screen. A visit whose avatar is being made continues in the background; any
    /// other ends.
    pub fn leave_shown_visit(&self) {
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
                VisitorCommand::Start => self.start_visit_or_consent_if_free(&mut state),
                VisitorCommand::Agree { to } => self.begin_visit_if_agreed(&mut state, to),
                VisitorCommand::Cancel | VisitorCommand::Again => self.leave_visit_and_forget_if_unretained(&mut state),
                VisitorCommand::NewCode => self.restart_visit_unless_awaiting_code(&mut state),
                VisitorCommand::Forget => self.cancel_shown_visit_and_start_forgetting(&mut state),
                VisitorCommand::HandOver => self.start_hand_over_of_shown_visit(&mut state),
                VisitorCommand::ChooseTicket { visit } => self.show_pickup_code_entry(&mut state, visit),
                VisitorCommand::EnterPickupCode { code } => self.start_pickup_code_check(&mut state, code),
            }
        } else {
            tracing::info!(?command, ?target, "a command for another screen is ignored");
        }
        self.publish_snapshot_if_changed(&mut state);
    }

    /// Whether what a command names is still on the screen.
    pub fn is_command_target_still_shown(&self, target: &ExpectedScreen) -> bool {
        self.matches_expected_screen(&self.lock_kiosk_state(), target)
    }

    /// Whether the screen is still the one that a command expects: the visit and the revision that the command
    /// names, as far as it names them.
    fn matches_expected_screen(&self, state: &KioskState, target: &ExpectedScreen) -> bool {
        let is_visit =
            |visit: &String| state.find_visit_id_of_screen().is_some_and(|shown| shown.to_string() == *visit);
        let is_revision = |revision: u64| (state.screen_since..=self.snapshots.borrow().revision).contains(&revision);
        target.visit.as_ref().is_none_or(is_visit) && target.revision.is_none_or(is_revision)
    }

    /// Starts a visit, or shows the text to agree to if the operator set one. Does nothing while the booth is
    /// closed, or while a visit is on the screen.
    fn start_visit_or_consent_if_free(&self, state: &mut KioskState) {
        if state.is_screen_free_for_visit() && state.booth_closed_reason().is_none() {
            self.leave_visit_and_forget_if_unretained(state);
            if state.consent.is_empty() {
                self.show_and_spawn_visit(state);
            } else {
                state.shown = ShownScreenWithState::Consent(state.consent.clone());
            }
        }
    }

    /// Begins a visit if the visitor agreed to the shown consent text: `to` must be the text on the consent screen,
    /// in any language.
    fn begin_visit_if_agreed(&self, state: &mut KioskState, to: &str) {
        let language = match &state.shown {
            ShownScreenWithState::Consent(texts) => texts.find_language_by_full_text(to).map(str::to_owned),
            _ => None,
        };
        if let Some(language) = language
            && state.booth_closed_reason().is_none()
        {
            tracing::info!(language, "the visitor agreed to what is shown before the code");
            self.show_and_spawn_visit(state);
        }
    }

    /// Leaves the shown visit and starts a new one, with a new QR code. Does nothing while the shown visit has no QR
    /// code yet. At a closed booth, only leaves a visit that has ended.
    fn restart_visit_unless_awaiting_code(&self, state: &mut KioskState) {
        let has_its_code =
            |screen_state: &VisitScreenState| screen_state.has_ended() || screen_state.shown_qr_link().is_some();
        if state.shown_visit().is_some_and(|(_, active_visit)| has_its_code(&active_visit.screen_state)) {
            if state.booth_closed_reason().is_none() {
                self.leave_visit_and_forget_if_unretained(state);
                self.show_and_spawn_visit(state);
            } else if state.is_screen_free_for_visit() {
                // The first screen says that the booth is closed.
                self.leave_visit_and_forget_if_unretained(state);
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

    /// Records that the page asks for a saved file of the visit on the screen, for
    /// [`withhold_file_after_page_crash`](Self::withhold_file_after_page_crash).
    pub fn record_file_request_of_page(&self, visit: &str, name: &str) {
        let mut state = self.lock_kiosk_state();
        if let Some((_, active_visit)) = state.shown_visit_mut().filter(|(id, _)| id.to_string() == visit) {
            active_visit.screen_state.record_file_request(name);
        }
    }

    /// Withholds the model on the screen from the page if the page crashed or froze after it asked for it: the screen
    /// then has the portrait. If it was the portrait, the screen only has words. Without this, a file that ends the page
    /// would do so each time it is shown.
    pub fn withhold_file_after_page_crash(&self) {
        let mut state = self.lock_kiosk_state();
        let withholds = state.shown_visit_mut().is_some_and(|(id, active_visit)| {
            let withheld = active_visit.screen_state.withhold_file_requested_before_crash();
            if let Some(what) = withheld {
                tracing::warn!(visit = %id, "the page ended while it showed this avatar, whose {what} is not shown again");
            }
            withheld.is_some()
        });
        if withholds {
            self.publish_snapshot_if_changed(&mut state);
        }
    }

    /// Interrupts every visit and waits until each has written its end, because the program stops. No visit begins afterwards.
    pub async fn stop_visits_for_shutdown(&self) {
        {
            let mut state = self.lock_kiosk_state();
            // An avatar that is shown is saved, also if the end of its visit is still being written.
            let is_shown = matches!(self.snapshots.borrow().screen, Screen::Reveal { .. });
            if is_shown || state.is_screen_free_for_visit() {
                self.leave_visit_and_forget_if_unretained(&mut state);
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
}
