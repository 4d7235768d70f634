//! The application behind a window: any number of visits, one of them on the screen.

use crate::clock::Clock;
use crate::drive::{Leave, Parts, Teller, drive};
use crate::line::{Line, LineEvent};
use crate::problem;
use crate::profile::Profile;
use crate::recover::{Unfinished, recover};
use crate::setup::{Disk, Overrides, Target, order};
use crate::stage::{HostFacts, Stage};
use crate::view::{BackendView, BoothView, Screen, Snapshot};
use client::{Api, NoRecorder, SetupError};
use futures_util::FutureExt as _;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use store::VisitId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the application is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Limits and ways.
    pub profile: Profile,
    /// The backend.
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
    /// Made for the first visit; the later ones share its session token.
    api: Arc<OnceLock<Api>>,
    clock: Clock,
    state: Arc<Mutex<State>>,
    snapshots: Arc<watch::Sender<Snapshot>>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Held while earlier visits are taken up: once at a time.
    finishing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    stages: HashMap<VisitId, (Stage, CancellationToken)>,
    shown: Option<VisitId>,
}

impl Kiosk {
    /// The application, showing nobody.
    pub fn new(setup: Setup) -> Self {
        let first = Snapshot {
            revision: 1,
            backend: backend_view(&setup),
            booth: BoothView::default(),
            screen: Screen::Attract,
        };
        Self {
            setup: Arc::new(setup),
            api: Arc::default(),
            clock: Clock::default(),
            state: Arc::default(),
            snapshots: Arc::new(watch::Sender::new(first)),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            finishing: Arc::default(),
        }
    }

    /// What is on the screen now, whole.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Every snapshot from now on; a slow reader skips to the newest.
    pub fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.subscribe()
    }

    /// Begins a visit and shows it; nothing while one that lives is shown, and nothing after [`stop`](Self::stop).
    /// Needs a tokio runtime around it.
    pub fn start(&self) {
        let mut state = self.lock();
        if state.shown_stage().is_none_or(Stage::is_over) {
            self.begin(&mut state);
        }
        self.publish(&state);
    }

    /// Leaves the screen. A visit whose avatar is on its way goes on behind it; another one ends.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.leave();
        self.publish(&state);
    }

    /// A new Export Token for whoever stands here; nothing while one is being asked for, because each is paid for.
    pub fn new_code(&self) {
        let mut state = self.lock();
        if state.shown_stage().is_none_or(|stage| stage.is_over() || stage.link().is_some()) {
            state.leave();
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
        let shown = state.shown.is_some_and(|shown| shown.to_string() == visit);
        state.shown_stage().filter(|_| shown)?.saved_file(name)
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
        let order = order(&setup.profile, &setup.target, &setup.disk, &setup.overrides);
        let id = order.id;
        let leave = Leave { interrupted: self.stopping.clone(), left: CancellationToken::new() };
        state.show(id, leave.left.clone());
        let api = match self.api() {
            Ok(api) => api,
            Err(error) => {
                return state.take(&Line { visit: id, at: self.clock.now(), event: unready(&error) });
            }
        };
        let parts = setup.disk.parts(api, self.clock, self.teller());
        self.finish_left_over();
        let kiosk = self.clone();
        self.tasks.spawn(async move {
            // A mistake of ours ends a visit and not the kiosk: nobody is left in front of a screen that stands.
            if AssertUnwindSafe(drive(order, parts, leave)).catch_unwind().await.is_err() {
                let event = ended("internal", 2, "the program failed in this visit; the log says where");
                kiosk.take(&Line { visit: id, at: kiosk.clock.now(), event });
            }
        });
    }

    fn parts_for(&self, unfinished: &Unfinished) -> Result<Parts, String> {
        let setup = &self.setup;
        let api = if unfinished.token.is_none() {
            setup.target.downloads(setup.profile.network)
        } else if unfinished.visit.start.api_url == setup.target.api_url.as_str() {
            self.api()
        } else {
            return Err("it was made at another backend; `copresence recover` finishes it".to_owned());
        };
        let api = api.map_err(|error| error.to_string())?;
        Ok(setup.disk.parts(api, self.clock, self.teller()).within(&setup.profile))
    }

    fn api(&self) -> Result<Api, SetupError> {
        if let Some(api) = self.api.get() {
            return Ok(api.clone());
        }
        let api = self.setup.target.api(&self.setup.profile, Arc::new(NoRecorder))?;
        Ok(self.api.get_or_init(|| api).clone())
    }

    /// Keeps this application alive as long as the visit's task does, and no longer.
    fn teller(&self) -> Teller {
        let kiosk = self.clone();
        Arc::new(move |line: Line| kiosk.take(&line))
    }

    fn take(&self, line: &Line) {
        let mut state = self.lock();
        state.take(line);
        self.publish(&state);
    }

    fn publish(&self, state: &State) {
        let facts = HostFacts {
            asset_base: self.setup.asset_base.clone(),
            can_play_phone: self.setup.target.embedded_sandbox,
            home: dirs::home_dir(),
        };
        let screen = state.shown_stage().map_or(Screen::Attract, |stage| stage.screen(&facts));
        self.snapshots.send_if_modified(|snapshot| {
            if snapshot.screen == screen {
                return false;
            }
            snapshot.screen = screen;
            snapshot.revision += 1;
            true
        });
    }
}

impl State {
    fn shown_stage(&self) -> Option<&Stage> {
        self.stages.get(&self.shown?).map(|(stage, _)| stage)
    }

    fn show(&mut self, id: VisitId, left: CancellationToken) {
        self.stages.insert(id, (Stage::new(id.to_string()), left));
        self.shown = Some(id);
        self.forget_ended();
    }

    /// Takes the shown visit off the screen, and tells it so: whether it goes on is for the visit to say.
    fn leave(&mut self) {
        if let Some((_, left)) = self.shown.take().and_then(|id| self.stages.get(&id)) {
            left.cancel();
        }
        self.forget_ended();
    }

    fn take(&mut self, line: &Line) {
        if let Some((stage, _)) = self.stages.get_mut(&line.visit) {
            stage.take(&line.event);
        }
        if self.shown != Some(line.visit) {
            self.forget_ended();
        }
    }

    /// Of visits that are over nothing needs to be remembered here: the journal has them.
    fn forget_ended(&mut self) {
        let shown = self.shown;
        self.stages.retain(|id, (stage, _)| !stage.is_over() || shown == Some(*id));
    }
}

/// Why no visit can be driven.
fn unready(error: &SetupError) -> LineEvent {
    let missing = matches!(
        error,
        SetupError::MissingApiKey { .. }
            | SetupError::MissingSession
            | SetupError::IncompleteLogin
            | SetupError::MissingPartnerKey { .. }
    );
    let (code, exit) = if missing { ("credentials_missing", 3) } else { ("configuration", 2) };
    ended(code, exit, &error.to_string())
}

fn ended(code: &str, exit: u8, detail: &str) -> LineEvent {
    let message = problem::message(&problem::problem(code, Some(detail)));
    LineEvent::Ended { code: code.to_owned(), exit, message, visit_state: "issuing".to_owned() }
}

fn backend_view(setup: &Setup) -> BackendView {
    BackendView {
        profile: setup.profile.name.clone(),
        host: setup.target.host(),
        sandbox: setup.target.embedded_sandbox,
        phones_at: setup.phones_at.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_that_are_over_are_not_remembered() {
        let mut state = State::default();
        let end = |visit| Line { visit, at: jiff::Timestamp::now(), event: ended("timed_out", 8, "") };
        for _ in 0..3 {
            let id = VisitId::new();
            state.show(id, CancellationToken::new());
            state.take(&end(id));
            assert!(state.shown_stage().is_some_and(Stage::is_over), "the screen says how it ended");
            assert_eq!(state.stages.len(), 1);
        }
        let behind = VisitId::new();
        state.show(behind, CancellationToken::new());
        state.leave();
        assert!(state.shown_stage().is_none());
        assert_eq!(state.stages.len(), 1, "it goes on");
        state.take(&end(behind));
        assert!(state.stages.is_empty());
    }
}
