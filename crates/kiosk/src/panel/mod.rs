//! The operator's panel: the PIN lock, the settings behind it, and the actions.
//!
//! Each action is saved for the next start before it takes effect, and takes effect at once. Visits in progress are not
//! affected.

mod acts;
mod gate;
mod simulator;
mod sources;
mod views;

pub use crate::language::LANGUAGES;
pub use crate::pin::{PIN_LENGTH, PinHash};
pub use crate::settings::{IDLE_SECONDS, Settings, SettingsFile};
pub use acts::Next;
pub use gate::Gate;
pub use simulator::{Simulated, Simulator};
pub use sources::{Env, Opened, Sources};

use crate::app::Kiosk;
use crate::health;
use crate::home_path::abbreviate_home;
use crate::problem::problem;
use crate::view::panel::{DisplaySettings, HealthView, KioskModeView, MonitorView, PanelView, PastVisit};
use crate::view::{BoothView, Problem};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::HostFile;

/// Interval of the search for visits past their retention time.
const SWEEP: Duration = Duration::from_mins(10);
/// Interval at which a closed booth retries its backend, for example because the keychain was unlocked elsewhere.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The operator's panel. Clones share it. Its async methods need a tokio runtime.
#[derive(Clone)]
pub struct Panel(Arc<Inner>);

struct Inner {
    kiosk: Kiosk,
    gate: Gate,
    file: SettingsFile,
    sources: Sources,
    /// Base URL of files for the web view.
    asset_base: String,
    wish: Mutex<Wish>,
    flag: Flag,
    /// Held during a change, so that changes run one at a time.
    acting: tokio::sync::Mutex<()>,
}

/// Kiosk-mode override from `--kiosk`.
#[derive(Default)]
struct Flag {
    given: AtomicBool,
    /// Whether the override is in force: until the operator sets kiosk mode in the panel.
    holds: AtomicBool,
}

/// The profile that the operator chose, and why the booth is closed, if it is.
struct Wish {
    profile: String,
    closed: Option<Problem>,
}

impl Panel {
    /// Creates the panel of an application whose backend was opened from the profile `profile`. `closed` is the reason
    /// why no visit can start.
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

    /// The PIN lock.
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// The current panel.
    ///
    /// # Errors
    /// `internal` if gathering it panicked.
    pub async fn view(&self, monitors: Vec<MonitorView>) -> Result<PanelView, Problem> {
        let visits_kept = self.0.kiosk.disk().journal.count().await.unwrap_or_default();
        let panel = self.clone();
        off_thread(move || panel.gather(monitors, visits_kept)).await
    }

    /// Past visits, newest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn history(&self) -> Result<Vec<PastVisit>, Problem> {
        let Inner { kiosk, asset_base, .. } = &*self.0;
        let past = views::past(kiosk.disk(), &kiosk.live(), asset_base).await;
        past.map_err(|error| problem("storage_failed", Some(&error.to_string())))
    }

    /// Path of a past visit's portrait. The caller must have checked [`pin_lock`](Self::pin_lock). Blocks on the disk.
    pub async fn past_portrait(&self, visit: &str, name: &str) -> Option<PathBuf> {
        views::past_portrait(self.0.kiosk.disk(), visit, name).await
    }

    /// The operator's logo. Blocks on the disk.
    pub fn logo(&self) -> Option<Vec<u8>> {
        self.0.kiosk.disk().data.read_host(HostFile::Logo).ok().flatten()
    }

    /// Appearance and language of the window.
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

    /// Turns kiosk mode on for `--kiosk`, until the operator changes it in the panel.
    pub fn start_in_kiosk_mode(&self) {
        self.0.flag.given.store(true, Ordering::Relaxed);
        self.0.flag.holds.store(true, Ordering::Relaxed);
        self.show_booth();
    }

    /// Checks everything that the booth depends on. Takes up to some seconds.
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
                    health::disk(kiosk.disk(), &kiosk.out(), backing.profile.limits.min_free_space),
                    health::keychain(&sources.vault, &backing.profile),
                    health::credentials(&backing.profile, &sources.vault, &*sources.env),
                ]
            })
        };
        let clock = crate::clock::Clock::default();
        let there = health::backend(&backing.profile, &backing.target, || clock.now());
        let (here, there) = futures_util::future::join(here, there).await;
        let mut views = here.unwrap_or_else(|problem| {
            vec![health::bad(health::part::SETTINGS, problem.operator, problem.hint)]
        });
        views.extend(there);
        views.push(health::last_problem(self.0.kiosk.last_problem().as_ref()));
        views
    }

    /// Applies retention and reopens a closed booth, forever. Run it beside everything else.
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

    /// Reopens a closed booth if its backend can be opened now.
    pub async fn look_again(&self) {
        if self.wish().closed.is_none() {
            return;
        }
        let _one_at_a_time = self.0.acting.lock().await;
        let panel = self.clone();
        let name = self.wish().profile.clone();
        let Ok(Ok(opened)) = off_thread(move || panel.open(&name)).await else { return };
        // A profile that exists again may still lack credentials. They can be entered once it is in use.
        let another = opened.backing.profile.name != self.0.kiosk.backing().profile.name;
        if opened.closed.is_none() || another {
            tracing::info!(
                profile = opened.backing.profile.name,
                "the closed booth's backend can be opened now"
            );
            self.take_up(opened);
        }
    }

    fn open(&self, name: &str) -> Result<Opened, Problem> {
        self.0.sources.open(name, self.0.file.get().phones)
    }

    /// Starts new visits at this backend.
    fn take_up(&self, opened: Opened) {
        self.wish().closed = opened.closed;
        self.0.kiosk.use_backend(opened.backing);
        self.show_booth();
    }

    /// Publishes the operator's settings to every visitor screen.
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
        let path = |path: PathBuf| abbreviate_home(&path.display().to_string(), home.as_deref());
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
        // A panic leaves no partial change.
        self.0.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs blocking disk or keychain work outside the async worker threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| problem("internal", Some(&error.to_string())))
}
