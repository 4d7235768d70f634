//! The application behind a window: any number of visits, one of them on the screen.

use crate::clock::Clock;
use crate::drive::{Teller, drive};
use crate::line::{Line, LineEvent};
use crate::problem;
use crate::profile::Profile;
use crate::setup::{Disk, Overrides, Target, order};
use crate::stage::{HostFacts, Stage};
use crate::view::{BackendView, Screen, Snapshot};
use client::NoRecorder;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    clock: Clock,
    state: Arc<Mutex<State>>,
    snapshots: Arc<watch::Sender<Snapshot>>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

#[derive(Default)]
struct State {
    stages: HashMap<VisitId, (Stage, CancellationToken)>,
    shown: Option<VisitId>,
}

impl Kiosk {
    /// The application, showing nobody.
    pub fn new(setup: Setup) -> Self {
        let first = Snapshot { revision: 1, backend: backend_view(&setup), screen: Screen::Attract };
        Self {
            setup: Arc::new(setup),
            clock: Clock::default(),
            state: Arc::default(),
            snapshots: Arc::new(watch::Sender::new(first)),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
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

    /// Begins a visit and shows it; nothing while one that lives is shown. Needs a tokio runtime around it.
    pub fn start(&self) {
        let mut state = self.lock();
        let busy =
            state.shown.and_then(|id| state.stages.get(&id)).is_some_and(|(scene, _)| !scene.is_over());
        if !busy && !self.stopping.is_cancelled() {
            self.begin(&mut state);
        }
        self.publish(&state);
    }

    /// Leaves the screen. A visit whose avatar is on its way goes on behind it; another one ends.
    pub fn cancel(&self) {
        let mut state = self.lock();
        Self::leave(&mut state);
        self.publish(&state);
    }

    /// A new Export Token for whoever stands here.
    pub fn new_code(&self) {
        let mut state = self.lock();
        Self::leave(&mut state);
        self.begin(&mut state);
        self.publish(&state);
    }

    /// Back to the beginning, for the next visitor.
    pub fn again(&self) {
        self.cancel();
    }

    /// The link that is on the screen, for *play the phone*.
    pub fn shown_link(&self) -> Option<String> {
        let state = self.lock();
        let (scene, _) = state.stages.get(&state.shown?)?;
        scene.link().map(str::to_owned)
    }

    /// A saved file of the visit on the screen, and of no other.
    pub fn shown_file(&self, visit: &str, name: &str) -> Option<PathBuf> {
        match self.snapshot().screen {
            Screen::Reveal { visit: shown, directory, files, .. } if shown == visit => {
                files.iter().any(|file| file.path == name).then(|| PathBuf::from(directory).join(name))
            }
            _ => None,
        }
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

    fn leave(state: &mut State) {
        let Some((scene, leave)) = state.shown.take().and_then(|id| state.stages.get(&id)) else {
            return;
        };
        if !scene.is_making() {
            leave.cancel();
        }
        // Of visits that are over nothing needs to be remembered here: the journal has them.
        state.stages.retain(|_, (scene, _)| !scene.is_over());
    }

    fn begin(&self, state: &mut State) {
        let setup = &self.setup;
        let order = order(&setup.profile, &setup.target, &setup.disk, &setup.overrides);
        let id = order.id;
        let leave = self.stopping.child_token();
        state.stages.insert(id, (Stage::new(id.to_string()), leave.clone()));
        state.shown = Some(id);
        let api = match setup.target.api(&setup.profile, Arc::new(NoRecorder)) {
            Ok(api) => api,
            Err(error) => {
                let problem = problem::problem("credentials_missing", Some(&error.to_string()));
                let event = LineEvent::Ended {
                    code: problem.code.clone(),
                    exit: 3,
                    message: problem::message(&problem),
                    visit_state: "issuing".to_owned(),
                };
                if let Some((scene, _)) = state.stages.get_mut(&id) {
                    scene.take(&event);
                }
                return;
            }
        };
        let parts = setup.disk.parts(api, self.clock, self.teller());
        self.tasks.spawn(async move { drive(order, parts, leave).await });
    }

    fn teller(&self) -> Teller {
        // Weak in effect: a handle of the same application, which the visit's task outlives by nothing.
        let kiosk = self.clone();
        Arc::new(move |line: Line| kiosk.take(&line))
    }

    fn take(&self, line: &Line) {
        let mut state = self.lock();
        let over_and_unseen = {
            let shown = state.shown == Some(line.visit);
            let Some((scene, _)) = state.stages.get_mut(&line.visit) else {
                return;
            };
            scene.take(&line.event);
            scene.is_over() && !shown
        };
        if over_and_unseen {
            state.stages.remove(&line.visit);
        }
        self.publish(&state);
    }

    fn publish(&self, state: &State) {
        let facts = HostFacts {
            asset_base: self.setup.asset_base.clone(),
            can_play_phone: self.setup.target.embedded_sandbox,
        };
        let shown = state.shown.and_then(|id| state.stages.get(&id));
        let screen = shown.map_or(Screen::Attract, |(scene, _)| scene.screen(&facts));
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

fn backend_view(setup: &Setup) -> BackendView {
    BackendView {
        profile: setup.profile.name.clone(),
        host: setup.target.host(),
        sandbox: setup.target.embedded_sandbox,
        phones_at: setup.phones_at.clone(),
    }
}
