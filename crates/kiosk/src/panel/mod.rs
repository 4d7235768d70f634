//! The operator's panel: a door with a PIN, what is set behind it, and what it does.
//!
//! Every act takes effect at once, and is kept for the next start before it does. Visits that go on are left in peace.

mod acts;
mod gate;
mod pin;
mod settings;
mod simulator;
mod sources;
mod views;

pub use crate::language::LANGUAGES;
pub use acts::Next;
pub use gate::Gate;
pub use pin::{PIN_LENGTH, PinHash};
pub use settings::{IDLE_SECONDS, Settings, SettingsFile};
pub use simulator::{Simulated, Simulator};
pub use sources::{Env, Opened, Sources};

use crate::app::Kiosk;
use crate::health;
use crate::problem::problem;
use crate::stage::for_people;
use crate::view::panel::{DisplaySettings, HealthView, KioskModeView, MonitorView, PanelView, PastVisit};
use crate::view::{BoothView, Problem};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::HostFile;

/// How often it is looked for what was kept longer than the operator wants.
const SWEEP: Duration = Duration::from_mins(10);
/// How often a closed booth looks whether what closed it is mended: a person may unlock the keychain elsewhere.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The panel. Clones are handles of the same one. All its asynchronous calls need a tokio runtime.
#[derive(Clone)]
pub struct Panel(Arc<Inner>);

struct Inner {
    kiosk: Kiosk,
    gate: Gate,
    file: SettingsFile,
    sources: Sources,
    /// Where the web view gets files.
    asset_base: String,
    wish: Mutex<Wish>,
    flag: Flag,
    /// Held while something is changed: one at a time.
    acting: tokio::sync::Mutex<()>,
}

/// The wish of the command line for kiosk mode, whatever is set.
#[derive(Default)]
struct Flag {
    given: AtomicBool,
    /// Until somebody behind the PIN says how it is to be.
    holds: AtomicBool,
}

/// What the operator wants to be in use, and what stands in the way.
struct Wish {
    profile: String,
    closed: Option<Problem>,
}

impl Panel {
    /// The panel over an application whose backend was [`Opened`] for the profile of this name.
    pub fn new(
        kiosk: Kiosk,
        gate: Gate,
        file: SettingsFile,
        sources: Sources,
        asset_base: String,
        profile: String,
        closed: Option<Problem>,
    ) -> Self {
        let wish = Mutex::new(Wish { profile, closed });
        let acting = tokio::sync::Mutex::default();
        let panel = Self(Arc::new(Inner {
            kiosk,
            gate,
            file,
            sources,
            asset_base,
            wish,
            flag: Flag::default(),
            acting,
        }));
        panel.show_booth();
        panel
    }

    /// The door in front of it.
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// The panel as it is now.
    pub async fn view(&self, monitors: Vec<MonitorView>) -> Result<PanelView, Problem> {
        let visits_kept = self.0.kiosk.disk().journal.count().await.unwrap_or_default();
        let panel = self.clone();
        off_thread(move || panel.gather(monitors, visits_kept)).await
    }

    /// The past visits, the newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn history(&self) -> Result<Vec<PastVisit>, Problem> {
        let Inner { kiosk, asset_base, .. } = &*self.0;
        let past = views::past(kiosk.disk(), &kiosk.live(), asset_base).await;
        past.map_err(|error| problem("storage_failed", Some(&error.to_string())))
    }

    /// The portrait of a past visit. Whoever asks has asked the [gate](Self::gate) before.
    pub async fn past_portrait(&self, visit: &str, name: &str) -> Option<PathBuf> {
        views::past_portrait(self.0.kiosk.disk(), visit, name).await
    }

    /// The operator's logo. Blocks on the disk.
    pub fn logo(&self) -> Option<Vec<u8>> {
        self.0.kiosk.disk().data.read_host(HostFile::Logo).ok().flatten()
    }

    /// How the window is to look and speak.
    pub fn display(&self) -> DisplaySettings {
        let display = self.0.file.get().display;
        DisplaySettings { logo: self.logo().is_some(), ..display }
    }

    /// Kiosk mode as it is in force.
    pub fn kiosk_mode(&self) -> KioskModeView {
        let Inner { file, flag, .. } = &*self.0;
        let set = file.get().kiosk_mode;
        KioskModeView {
            on: set || flag.holds.load(Ordering::Relaxed),
            set,
            by_flag: flag.given.load(Ordering::Relaxed),
        }
    }

    /// Kiosk mode from the start, as the command line wants it, until somebody behind the PIN turns it off.
    pub fn start_in_kiosk_mode(&self) {
        self.0.flag.given.store(true, Ordering::Relaxed);
        self.0.flag.holds.store(true, Ordering::Relaxed);
        self.show_booth();
    }

    /// Everything that the booth depends on, looked at now; some seconds at worst.
    pub async fn health(&self) -> Vec<HealthView> {
        let backing = self.0.kiosk.backing();
        let panel = self.clone();
        let here = {
            let backing = backing.clone();
            off_thread(move || {
                let Inner { kiosk, file, sources, .. } = &*panel.0;
                let wished = panel.wish().profile.clone();
                vec![
                    health::profiles(sources.config.as_deref(), &wished),
                    health::settings(file),
                    health::disk(kiosk.disk(), &kiosk.out(), backing.profile.min_free_space),
                    health::keychain(&sources.vault, &backing.profile),
                    health::credentials(&backing.profile, &sources.vault, &*sources.env),
                ]
            })
        };
        let clock = crate::clock::Clock::default();
        let there = health::backend(&backing.profile, &backing.target, || clock.now());
        let (here, there) = futures_util::future::join(here, there).await;
        let mut told = here.unwrap_or_else(|problem| {
            vec![health::bad(health::part::SETTINGS, problem.operator, problem.hint)]
        });
        told.extend(there);
        told.push(health::last_problem(self.0.kiosk.last_problem().as_ref()));
        told
    }

    /// Sweeps away what was kept long enough, and opens a closed booth once what closed it is mended: to be awaited
    /// beside everything else, for as long as the program runs.
    pub async fn keep_watch(&self) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut look = tokio::time::interval(LOOK_AGAIN);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = sweep.tick() => self.0.kiosk.sweep(),
                _ = look.tick() => self.look_again().await,
            }
        }
    }

    /// Opens a closed booth if what closed it is mended.
    pub async fn look_again(&self) {
        if self.wish().closed.is_none() {
            return;
        }
        let _one_at_a_time = self.0.acting.lock().await;
        let panel = self.clone();
        let name = self.wish().profile.clone();
        let Ok(Ok(opened)) = off_thread(move || panel.open(&name)).await else { return };
        // A profile that is there again may lack its credentials still: then they can be set now.
        let another = opened.backing.profile.name != self.0.kiosk.backing().profile.name;
        if opened.closed.is_none() || another {
            tracing::info!(profile = opened.backing.profile.name, "what closed the booth is mended");
            self.take_up(opened);
        }
    }

    fn open(&self, name: &str) -> Result<Opened, Problem> {
        self.0.sources.open(name, self.0.file.get().phones)
    }

    /// Visits begin there from now on.
    fn take_up(&self, opened: Opened) {
        self.wish().closed = opened.closed;
        self.0.kiosk.use_backend(opened.backing);
        self.show_booth();
    }

    /// What the operator set, for every screen of the visitor.
    fn show_booth(&self) {
        let Settings { display, keep_hours, .. } = self.0.file.get();
        let logo = self.logo().map(|png| {
            let digest = store::Sha256::of(&png).to_string();
            format!("{}/booth/{}?v={}", self.0.asset_base, HostFile::Logo.name(), &digest[..12])
        });
        let booth = BoothView {
            language: display.language,
            attract_text: display.attract_text,
            logo,
            idle_seconds: display.idle_seconds,
            voice: display.voice,
            keep_hours,
            kiosk_mode: self.kiosk_mode().on,
            closed: self.wish().closed.clone(),
        };
        self.0.kiosk.set_booth(booth, display.consent);
    }

    fn gather(&self, monitors: Vec<MonitorView>, visits_kept: u32) -> PanelView {
        let Inner { kiosk, file, sources, .. } = &*self.0;
        let backing = kiosk.backing();
        let home = dirs::home_dir();
        let path = |path: PathBuf| for_people(&path.display().to_string(), home.as_deref());
        let (credentials, keychain) = views::credentials(sources, &backing);
        let (profiles, profiles_file) = views::profiles(sources, &backing.profile.name);
        let sandbox = if backing.target.embedded_sandbox { sources.simulator.view() } else { None };
        PanelView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data_dir: path(kiosk.disk().data.path().to_owned()),
            out: path(kiosk.out()),
            backend: backing.view(),
            profiles,
            profiles_file,
            credentials,
            keychain,
            sandbox,
            kiosk_mode: self.kiosk_mode(),
            display: self.display(),
            monitors,
            languages: LANGUAGES.map(str::to_owned).to_vec(),
            keep_hours: file.get().keep_hours,
            visits_kept,
            visits_live: u32::try_from(kiosk.live().len()).unwrap_or(u32::MAX),
        }
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        // Each change of it is whole.
        self.0.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Disk and keychain block: not on the runtime's own threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| problem("internal", Some(&error.to_string())))
}
