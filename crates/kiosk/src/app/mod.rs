//! The application behind the window: any number of visits, one of them on the screen.

mod backing;
mod forgetting;
mod state;

pub use backing::Backing;
pub(crate) use forgetting::forget_problem;

use crate::clock::Clock;
use crate::drive::{Leave, Order, Parts, Teller, drive};
use crate::inspector::Inspector;
use crate::line::{Line, LineEvent};
use crate::problem;
use crate::profile::Profile;
use crate::recover::{Unfinished, recover_due};
use crate::setup::{Disk, Overrides, Target, order};
use crate::stage::Stage;
use crate::view::{BoothView, Problem, Screen, Snapshot, Texts};
use backing::InUse;
use client::SetupError;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use state::{Guest, Shown, State};
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::VisitId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Maximum time between two looks at the time of day, which a person may change.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What the application starts with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Limits and routes, until another backend is chosen.
    pub profile: Profile,
    /// The backend, until another is chosen.
    pub target: Target,
    /// The data folder.
    pub disk: Disk,
    /// Overrides of the profile.
    pub overrides: Overrides,
    /// The address at which phones on this network reach the sandbox, once allowed.
    pub phones_at: Option<String>,
    /// Base URL of saved files in the web view, to which `/<visit>/<path>` is added.
    pub asset_base: String,
}

/// The application. Clones are handles of the same instance.
#[derive(Clone)]
pub struct Kiosk {
    setup: Arc<Setup>,
    clock: Clock,
    state: Arc<Mutex<State>>,
    snapshots: Arc<watch::Sender<Snapshot>>,
    inspector: Inspector,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Held while earlier visits are recovered: one recovery at a time.
    finishing: Arc<tokio::sync::Mutex<()>>,
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
pub struct CommandTarget {
    /// The id of the visit on the screen.
    pub visit: Option<String>,
    /// The revision of the snapshot in which the button was. Any later one matches as long as it is the same screen of
    /// the same visit.
    pub revision: Option<u64>,
}

impl Kiosk {
    /// The application, showing the first screen.
    pub fn new(setup: Setup) -> Self {
        let backing = Backing {
            profile: setup.profile.clone(),
            target: setup.target.clone(),
            phones_at: setup.phones_at.clone(),
        };
        let first = Snapshot {
            revision: 1,
            backend: backing.view(),
            booth: BoothView::default(),
            screen: Screen::Attract,
        };
        let clock = Clock::default();
        Self {
            setup: Arc::new(setup),
            clock,
            state: Arc::new(Mutex::new(State::new(InUse::new(backing)))),
            snapshots: Arc::new(watch::Sender::new(first)),
            inspector: Inspector::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            finishing: Arc::default(),
        }
    }

    /// Applies the operator's settings: those of every screen, and the text that each visitor agrees to first, if any.
    pub fn set_booth(&self, booth: BoothView, consent: Texts) {
        let mut state = self.lock();
        state.booth = booth;
        state.consent = consent;
        self.publish(&mut state);
    }

    /// Uses this backend for new visits. Running visits keep theirs.
    pub fn use_backend(&self, backing: Backing) {
        let mut state = self.lock();
        state.in_use = InUse::new(backing);
        self.publish(&mut state);
    }

    /// The backend of new visits.
    pub fn backing(&self) -> Backing {
        self.lock().in_use.backing.clone()
    }

    /// The running visits, on the screen or in the background.
    pub fn live(&self) -> Vec<VisitId> {
        let state = self.lock();
        let live = state.guests.iter().filter(|(_, guest)| !guest.gone.is_cancelled());
        live.map(|(id, _)| *id).collect()
    }

    /// Events and exchanges of visits, for the integrator.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The data folder.
    pub fn disk(&self) -> &Disk {
        &self.setup.disk
    }

    /// The folder in which avatars of new visits are saved.
    pub fn out(&self) -> PathBuf {
        let of_profile = || self.lock().in_use.backing.profile.out.clone();
        let out = self.setup.overrides.out.clone().or_else(of_profile);
        out.unwrap_or_else(|| self.setup.disk.default_out())
    }

    /// The last problem since the program started, and its time.
    pub fn last_problem(&self) -> Option<(Timestamp, Problem)> {
        self.lock().last_problem.clone()
    }

    /// The current snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Subscribes to snapshots; a slow receiver skips to the newest.
    pub fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.subscribe()
    }

    /// Begins a visit and shows it, or first what the operator wants visitors to agree to. Does nothing while a visit
    /// that has not ended is shown or the booth is closed, and after [`stop`](Self::stop). Needs a tokio runtime.
    pub fn start(&self) {
        self.run_command(VisitorCommand::Start, &CommandTarget::default());
    }

    /// The visitor agrees to these words, and gets the code. Does nothing on any other screen, and if other words are
    /// shown now: nobody agreed to those. Needs a tokio runtime.
    pub fn agree(&self, to: &str) {
        self.run_command(VisitorCommand::Agree { to }, &CommandTarget::default());
    }

    /// Leaves the screen. A visit whose avatar is being made continues in the background; any other ends.
    pub fn cancel(&self) {
        self.run_command(VisitorCommand::Cancel, &CommandTarget::default());
    }

    /// Asks for a new Export Token in place of the one that is shown. Does nothing while one is being issued, because
    /// each is paid for. Needs a tokio runtime.
    pub fn new_code(&self) {
        self.run_command(VisitorCommand::NewCode, &CommandTarget::default());
    }

    /// Back to the first screen, for the next visitor.
    pub fn again(&self) {
        self.run_command(VisitorCommand::Again, &CommandTarget::default());
    }

    /// Forgets the visit on the screen (files, history and journal), whatever is in progress for it, and shows how far
    /// that is. Needs a tokio runtime.
    pub fn forget(&self) {
        self.run_command(VisitorCommand::Forget, &CommandTarget::default());
    }

    /// Runs a command of the window, unless the screen that it was given on is not shown any more.
    pub fn run_command(&self, command: VisitorCommand<'_>, target: &CommandTarget) {
        let mut state = self.lock();
        if self.is_shown(&state, target) {
            match command {
                VisitorCommand::Start => self.start_if_free(&mut state),
                VisitorCommand::Agree { to } => self.begin_if_agreed(&mut state, to),
                VisitorCommand::Cancel | VisitorCommand::Again => self.leave(&mut state),
                VisitorCommand::NewCode => self.replace_code(&mut state),
                VisitorCommand::Forget => self.forget_shown(&mut state),
            }
        } else {
            tracing::info!(?command, ?target, "a command for another screen is ignored");
        }
        self.publish(&mut state);
    }

    /// Whether what a command names is still on the screen.
    pub fn is_current(&self, target: &CommandTarget) -> bool {
        self.is_shown(&self.lock(), target)
    }

    fn is_shown(&self, state: &State, target: &CommandTarget) -> bool {
        let is_visit = |visit: &String| state.shown_id().is_some_and(|shown| shown.to_string() == *visit);
        let is_revision =
            |revision: u64| (state.screen_since..=self.snapshots.borrow().revision).contains(&revision);
        target.visit.as_ref().is_none_or(is_visit) && target.revision.is_none_or(is_revision)
    }

    fn start_if_free(&self, state: &mut State) {
        if state.is_free() && state.booth.closed.is_none() {
            self.leave(state);
            if state.consent.is_empty() {
                self.begin(state);
            } else {
                state.shown = Shown::Consent(state.consent.clone());
            }
        }
    }

    fn begin_if_agreed(&self, state: &mut State, to: &str) {
        let language = match &state.shown {
            Shown::Consent(texts) => texts.language_of(to).map(str::to_owned),
            _ => None,
        };
        if let Some(language) = language {
            tracing::info!(language, "the visitor agreed to what is shown before the code");
            self.begin(state);
        }
    }

    fn replace_code(&self, state: &mut State) {
        let has_its_code = |stage: &Stage| stage.is_over() || stage.link().is_some();
        if state.shown_guest().is_some_and(|(_, guest)| has_its_code(&guest.stage)) {
            self.leave(state);
            self.begin(state);
        }
    }

    /// The link on the screen, for *play the phone*.
    pub fn shown_link(&self) -> Option<String> {
        match self.snapshot().screen {
            Screen::Invite { link, .. } | Screen::Making { link, .. } => Some(link),
            _ => None,
        }
    }

    /// A saved file of the visit on the screen; `None` for any other visit.
    pub fn shown_file(&self, visit: &str, name: &str) -> Option<PathBuf> {
        let state = self.lock();
        let (id, guest) = state.shown_guest()?;
        guest.stage.saved_file(name).filter(|_| id.to_string() == visit)
    }

    /// Finishes in the background what a crash, the last stop or a failing backend left unfinished: to be called at the
    /// program's start, and done again with each new visit. A few visits at a time, each with back-off. Does nothing
    /// while an earlier call still runs. Needs a tokio runtime.
    pub fn finish_left_over(&self) {
        let running = self.lock().running();
        self.recover_in_background(running);
    }

    /// Recovers earlier visits, except those that run now: one that ends meanwhile is not left over.
    fn recover_in_background(&self, running: HashSet<VisitId>) {
        let Ok(once) = self.finishing.clone().try_lock_owned() else { return };
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let _once = once;
            let parts_for = |unfinished: &Unfinished| kiosk.recovery_parts(unfinished);
            let skip = |id: &VisitId| running.contains(id) || kiosk.lock().to_forget.contains(id);
            tokio::select! {
                // What is dropped half way is left as a crash would leave it, for the next start.
                () = kiosk.stopping.cancelled() => {}
                recovered = recover_due(&kiosk.setup.disk, kiosk.clock, &parts_for, &skip) => match recovered {
                    Ok(all) => for one in all {
                        tracing::info!(visit = %one.visit, fate = ?one.fate, "an earlier visit was resumed");
                    },
                    Err(error) => tracing::error!(%error, "earlier visits could not be recovered"),
                }
            }
        });
    }

    /// Interrupts every visit and waits until each has written its end.
    pub async fn stop(&self) {
        {
            let mut state = self.lock();
            // An avatar that is shown is saved, also if the end of its visit is still being written.
            let is_shown = matches!(self.snapshots.borrow().screen, Screen::Reveal { .. });
            if is_shown || state.is_free() {
                self.leave(&mut state);
            }
        }
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // The process may end without dropping the journal, and a cancelled redeem is only queued.
        if let Err(error) = self.setup.disk.journal.flush().await {
            tracing::error!(%error, "the journal could not be flushed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete, also after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a new visit at once. What touches the disk or builds HTTP clients happens in its task, without the lock.
    fn begin(&self, state: &mut State) {
        if self.stopping.is_cancelled() {
            return;
        }
        let id = VisitId::new();
        let at = state.in_use.clone();
        let (left, ends) = (CancellationToken::new(), self.stopping.child_token());
        let leave = Leave { interrupted: ends.clone(), left: left.clone() };
        let gone = CancellationToken::new();
        // Dropped with the task, however that ends.
        let ending = gone.clone().drop_guard();
        state.show(id, Guest { stage: Stage::new(id.to_string()), at: at.clone(), left, ends, gone });
        self.recover_in_background(state.running());
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let _ending = ending;
            // A bug ends a visit and not the kiosk: no visitor is left with a screen that does not change.
            if AssertUnwindSafe(kiosk.run_visit(id, at, leave)).catch_unwind().await.is_err() {
                let event = ended("internal", 2, "the program failed in this visit; the log says where");
                kiosk.take(&Line { visit: id, at: kiosk.clock.now(), event });
            }
        });
    }

    async fn run_visit(&self, id: VisitId, at: Arc<InUse>, leave: Leave) {
        let setup = &self.setup;
        let Backing { profile, target, .. } = &at.backing;
        let order = Order { id, ..order(profile, target, &setup.disk, &setup.overrides).await };
        let build = {
            let at = at.clone();
            move || at.api()
        };
        let api = match tokio::task::spawn_blocking(build).await {
            Ok(api) => api,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        match api {
            Ok(api) => {
                let api = self.inspector.follow(id, &api, target, profile);
                drive(order, setup.disk.parts(api, self.clock, self.teller()), leave).await;
            }
            Err(error) => self.take(&Line { visit: id, at: self.clock.now(), event: setup_failed(&error) }),
        }
    }

    /// With what an earlier visit is recovered. It has no place in the inspector, and its end is not what went wrong
    /// last: nobody stands at the booth for it.
    fn recovery_parts(&self, unfinished: &Unfinished) -> Result<Parts, String> {
        let setup = &self.setup;
        let in_use = self.lock().in_use.clone();
        let Backing { profile, target, .. } = &in_use.backing;
        let api = if unfinished.token.is_none() {
            target.downloads(profile.network)
        } else if unfinished.visit.start.api_url == target.api_url.as_str() {
            in_use.api()
        } else {
            return Err("it was made at another backend; `copresence recover` finishes it".to_owned());
        };
        let api = api.map_err(|error| error.to_string())?;
        let teller: Teller =
            Arc::new(|line: Line| tracing::debug!(visit = %line.visit, event = line.event.word()));
        Ok(setup.disk.parts(api, self.clock, teller).within(profile))
    }

    /// The event sink of visits on the screen.
    fn teller(&self) -> Teller {
        let kiosk = self.clone();
        Arc::new(move |line: Line| kiosk.take(&line))
    }

    fn take(&self, line: &Line) {
        self.inspector.take(line);
        let mut state = self.lock();
        state.take(line);
        if let LineEvent::Invited { expires_at: Some(at), .. } = &line.event
            && let Some(guest) = state.guests.get(&line.visit)
        {
            self.publish_at(*at, guest.gone.clone());
        }
        self.publish(&mut state);
    }

    /// Publishes a snapshot when the code expires, unless the visit's task has ended by then.
    fn publish_at(&self, at: Timestamp, gone: CancellationToken) {
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            while let Ok(left) = Duration::try_from(at.duration_since(kiosk.clock.now()))
                && !left.is_zero()
            {
                tokio::select! {
                    () = gone.cancelled() => return,
                    () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
                }
            }
            kiosk.publish(&mut kiosk.lock());
        });
    }

    fn publish(&self, state: &mut State) {
        let screen = state.screen(&self.setup.asset_base, dirs::home_dir(), self.clock.now());
        let backend = state.shown_backend().backing.view();
        let booth = state.booth.clone();
        let screen_since = &mut state.screen_since;
        self.snapshots.send_if_modified(|snapshot| {
            if snapshot.screen == screen && snapshot.backend == backend && snapshot.booth == booth {
                return false;
            }
            let revision = snapshot.revision + 1;
            if !is_same_screen(&snapshot.screen, &screen) {
                *screen_since = revision;
            }
            *snapshot = Snapshot { revision, backend, booth, screen };
            true
        });
    }
}

/// Whether a button of one snapshot means the same in another: the same screen of the same visit, however its contents
/// changed.
fn is_same_screen(before: &Screen, after: &Screen) -> bool {
    // After `failed` the visitor records again or leaves; before, the avatar is being made.
    let has_failed = |screen: &Screen| matches!(screen, Screen::Making { status, .. } if status == "failed");
    std::mem::discriminant(before) == std::mem::discriminant(after)
        && before.visit() == after.visit()
        && has_failed(before) == has_failed(after)
}

/// The end of a visit whose backend cannot be set up.
fn setup_failed(error: &SetupError) -> LineEvent {
    let code = problem::setup_code(error);
    let exit = if code == "credentials_missing" { 3 } else { 2 };
    ended(code, exit, &error.to_string())
}

fn ended(code: &str, exit: u8, detail: &str) -> LineEvent {
    let message = problem::message(&problem::problem(code, Some(detail)));
    LineEvent::Ended { code: code.to_owned(), exit, message, visit_state: "issuing".to_owned() }
}
