//! The application behind a window: any number of visits, one of them on the screen.

mod backing;
mod forgetting;
mod state;

pub use backing::Backing;
pub(crate) use forgetting::unforgotten;

use crate::clock::Clock;
use crate::drive::{Leave, Parts, Teller, drive};
use crate::inspector::Inspector;
use crate::line::{Line, LineEvent};
use crate::problem;
use crate::profile::Profile;
use crate::recover::{Unfinished, recover};
use crate::setup::{Disk, Overrides, Target, order};
use crate::stage::Stage;
use crate::view::{BoothView, Problem, Screen, Snapshot, Texts};
use backing::InUse;
use client::SetupError;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use state::{Guest, Shown, State};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::VisitId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest that a wait trusts a steady clock over the time of day, which somebody may set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What the application is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Limits and ways, until another backend is chosen.
    pub profile: Profile,
    /// The backend, until another is chosen.
    pub target: Target,
    /// The data folder.
    pub disk: Disk,
    /// What the host sets over the profile.
    pub overrides: Overrides,
    /// The address that phones on this network reach the sandbox at, once allowed.
    pub phones_at: Option<String>,
    /// Where the web view gets saved files: base, to which `/<visit>/<path>` is added.
    pub asset_base: String,
}

/// The application. Clones are handles of the same one.
#[derive(Clone)]
pub struct Kiosk {
    setup: Arc<Setup>,
    clock: Clock,
    /// When this application was made.
    opened: Timestamp,
    state: Arc<Mutex<State>>,
    snapshots: Arc<watch::Sender<Snapshot>>,
    inspector: Inspector,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Held while earlier visits are taken up: once at a time.
    finishing: Arc<tokio::sync::Mutex<()>>,
}

impl Kiosk {
    /// The application, showing nobody.
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
            opened: clock.now(),
            state: Arc::new(Mutex::new(State::new(InUse::new(backing)))),
            snapshots: Arc::new(watch::Sender::new(first)),
            inspector: Inspector::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            finishing: Arc::default(),
        }
    }

    /// What the operator set: for every screen from now on, and what each visitor is to agree to first, if anything.
    pub fn set_booth(&self, booth: BoothView, consent: Texts) {
        let mut state = self.lock();
        state.booth = booth;
        state.consent = consent;
        self.publish(&state);
    }

    /// Visits begin there from now on; those that go on are left in peace.
    pub fn use_backend(&self, backing: Backing) {
        let mut state = self.lock();
        state.in_use = InUse::new(backing);
        self.publish(&state);
    }

    /// Where visits begin.
    pub fn backing(&self) -> Backing {
        self.lock().in_use.backing.clone()
    }

    /// The visits that go on, on the screen or behind it.
    pub fn live(&self) -> Vec<VisitId> {
        let state = self.lock();
        let live = state.guests.iter().filter(|(_, guest)| !guest.gone.is_cancelled());
        live.map(|(id, _)| *id).collect()
    }

    /// What visits did and which exchanges they had, for the integrator.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The data folder.
    pub fn disk(&self) -> &Disk {
        &self.setup.disk
    }

    /// Where avatars of new visits are saved.
    pub fn out(&self) -> PathBuf {
        let of_profile = || self.lock().in_use.backing.profile.out.clone();
        let out = self.setup.overrides.out.clone().or_else(of_profile);
        out.unwrap_or_else(|| self.setup.disk.default_out())
    }

    /// What went wrong last since the program began, and when.
    pub fn last_problem(&self) -> Option<(Timestamp, Problem)> {
        self.lock().last_problem.clone()
    }

    /// What is on the screen now, whole.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Every snapshot from now on; a slow reader skips to the newest.
    pub fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.subscribe()
    }

    /// Begins a visit and shows it, or first what the operator wants visitors to agree to. Nothing while a visit that
    /// lives is shown or the booth is closed, and nothing after [`stop`](Self::stop). Needs a tokio runtime around it.
    pub fn start(&self) {
        let mut state = self.lock();
        if state.is_free() && state.booth.closed.is_none() {
            self.leave(&mut state);
            if state.consent.is_empty() {
                self.begin(&mut state);
            } else {
                state.shown = Shown::Consent(state.consent.clone());
            }
        }
        self.publish(&state);
    }

    /// The visitor agrees to these words, and goes on from what was told before the code. Nothing on any other screen,
    /// nor where other words are told now: nobody agreed to those. Needs a tokio runtime around it.
    pub fn agree(&self, to: &str) {
        let mut state = self.lock();
        let language = match &state.shown {
            Shown::Consent(texts) => texts.language_of(to).map(str::to_owned),
            _ => None,
        };
        if let Some(language) = language {
            tracing::info!(language, "the visitor agreed to what is told before the code");
            self.begin(&mut state);
        }
        self.publish(&state);
    }

    /// Leaves the screen. A visit whose avatar is on its way goes on behind it; another one ends.
    pub fn cancel(&self) {
        let mut state = self.lock();
        self.leave(&mut state);
        self.publish(&state);
    }

    /// A new Export Token for whoever stands here; nothing while one is being asked for, because each is paid for.
    pub fn new_code(&self) {
        let mut state = self.lock();
        let has_its_code = |stage: &Stage| stage.is_over() || stage.link().is_some();
        if state.shown_guest().is_some_and(|(_, guest)| has_its_code(&guest.stage)) {
            self.leave(&mut state);
            self.begin(&mut state);
        }
        self.publish(&state);
    }

    /// Back to the beginning, for the next visitor.
    pub fn again(&self) {
        self.cancel();
    }

    /// The link that is on the screen, for *play the phone*.
    pub fn shown_link(&self) -> Option<String> {
        match self.snapshot().screen {
            Screen::Invite { link, .. } | Screen::Making { link, .. } => Some(link),
            _ => None,
        }
    }

    /// A saved file of the visit on the screen, and of no other.
    pub fn shown_file(&self, visit: &str, name: &str) -> Option<PathBuf> {
        let state = self.lock();
        let (id, guest) = state.shown_guest()?;
        guest.stage.saved_file(name).filter(|_| id.to_string() == visit)
    }

    /// Finishes in the background what a crash, the last stop or a failing backend left unfinished of this backend's
    /// visits: to be called at the program's start. Each new visit does it again, so that a kiosk that runs all day
    /// needs nobody. Nothing while it is under way already. Needs a tokio runtime around it.
    pub fn finish_left_over(&self) {
        let Ok(once) = self.finishing.clone().try_lock_owned() else { return };
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let _once = once;
            let parts_for = |unfinished: &Unfinished| kiosk.parts_for(unfinished);
            tokio::select! {
                // What is dropped in the middle is left as a crash would leave it: for the next start.
                () = kiosk.stopping.cancelled() => {}
                recovered = recover(&kiosk.setup.disk, &parts_for) => match recovered {
                    Ok(all) => for one in all {
                        tracing::info!(visit = %one.visit, fate = ?one.fate, "an earlier visit was taken up");
                    },
                    Err(error) => tracing::error!(%error, "earlier visits could not be looked at"),
                }
            }
        });
    }

    /// Interrupts every visit and waits until each has written its end.
    pub async fn stop(&self) {
        {
            let mut state = self.lock();
            if state.is_free() {
                self.leave(&mut state);
            }
        }
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned state is still the truth about which visits there are.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, state: &mut State) {
        if self.stopping.is_cancelled() {
            return;
        }
        let setup = &self.setup;
        let at = state.in_use.clone();
        let Backing { profile, target, .. } = &at.backing;
        let order = order(profile, target, &setup.disk, &setup.overrides);
        let id = order.id;
        let (left, ends) = (CancellationToken::new(), self.stopping.child_token());
        let leave = Leave { interrupted: ends.clone(), left: left.clone() };
        let gone = CancellationToken::new();
        // Dropped with the task, however that ends.
        let ending = gone.clone().drop_guard();
        let api = at.api().map(|api| self.inspector.follow(id, &api, target, profile));
        state.show(id, Guest { stage: Stage::new(id.to_string()), at, left, ends, gone });
        let api = match api {
            Ok(api) => api,
            Err(error) => {
                let line = Line { visit: id, at: self.clock.now(), event: unready(&error) };
                self.inspector.take(&line);
                return state.take(&line);
            }
        };
        let parts = setup.disk.parts(api, self.clock, self.teller());
        self.finish_left_over();
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            let _ending = ending;
            // A mistake of ours ends a visit and not the kiosk: nobody is left in front of a screen that stands.
            if AssertUnwindSafe(drive(order, parts, leave)).catch_unwind().await.is_err() {
                let event = ended("internal", 2, "the program failed in this visit; the log says where");
                kiosk.take(&Line { visit: id, at: kiosk.clock.now(), event });
            }
        });
    }

    fn parts_for(&self, unfinished: &Unfinished) -> Result<Parts, String> {
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
        let api = self.inspector.follow(unfinished.visit.start.id, &api, target, profile);
        Ok(setup.disk.parts(api, self.clock, self.teller()).within(profile))
    }

    /// Keeps this application alive as long as the visit's task does, and no longer.
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
        self.publish(&state);
    }

    /// Shows anew what changes by itself at a moment, unless its visit has gone by then.
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
            kiosk.publish(&kiosk.lock());
        });
    }

    fn publish(&self, state: &State) {
        let screen = state.screen(&self.setup.asset_base, dirs::home_dir(), self.clock.now());
        let backend = state.shown_backend().backing.view();
        self.snapshots.send_if_modified(|snapshot| {
            let same = snapshot.screen == screen && snapshot.backend == backend;
            if same && snapshot.booth == state.booth {
                return false;
            }
            let revision = snapshot.revision + 1;
            *snapshot = Snapshot { revision, backend, booth: state.booth.clone(), screen };
            true
        });
    }
}

/// Why no visit can be driven.
fn unready(error: &SetupError) -> LineEvent {
    let code = problem::setup_code(error);
    let exit = if code == "credentials_missing" { 3 } else { 2 };
    ended(code, exit, &error.to_string())
}

fn ended(code: &str, exit: u8, detail: &str) -> LineEvent {
    let message = problem::message(&problem::problem(code, Some(detail)));
    LineEvent::Ended { code: code.to_owned(), exit, message, visit_state: "issuing".to_owned() }
}
