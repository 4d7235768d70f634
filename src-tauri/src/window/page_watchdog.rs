//! Keeps the page alive: receives its heartbeats and performs the actions of [`WatchdogState`].

use super::page;
use super::page_renewal::PageRenewalMonitor;
use super::watchdog_state::{WatchdogAction, WatchdogState};
use crate::graphics;
use copresence_booth::app::Kiosk;
use copresence_booth::metrics::PageReloadReason;
use copresence_booth::panel::Panel;
use copresence_engine::clock::Clock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tauri::{Manager as _, Runtime, WebviewWindow};
use tokio::sync::Notify;

/// Interval of the checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Watchdog of the page. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageWatchdog(Arc<PageWatchdogSharedState>);

/// What all clones of a [`PageWatchdog`] share.
#[derive(Debug)]
struct PageWatchdogSharedState {
    started_at: Instant,
    state: Mutex<Option<WatchdogState>>,
    /// Whether any page of this process has drawn a frame.
    has_drawn_frame: AtomicBool,
    /// Whether the program is to be started again with the graphics workaround.
    wants_graphics_workaround: AtomicBool,
    /// Wakes the check loop early.
    wake: Notify,
}

impl Default for PageWatchdogSharedState {
    fn default() -> Self {
        Self {
            started_at: Instant::now(),
            state: Mutex::default(),
            has_drawn_frame: AtomicBool::default(),
            wants_graphics_workaround: AtomicBool::default(),
            wake: Notify::new(),
        }
    }
}

impl PageWatchdog {
    /// Records a heartbeat of the page, which says whether it is hidden.
    pub(crate) fn record_heartbeat(&self, hidden: bool) {
        let now = self.time_since_start();
        let first = self.lock_watchdog_state().as_mut().is_some_and(|pulse| pulse.record_heartbeat(now, hidden));
        if first {
            self.0.has_drawn_frame.store(true, Ordering::Relaxed);
            tracing::info!("the page lives");
            self.0.wake.notify_one();
        }
    }

    /// Whether the program is to be started again with the graphics workaround, because no frame was ever drawn.
    pub(crate) fn should_restart_with_graphics_workaround(&self) -> bool {
        self.0.wants_graphics_workaround.load(Ordering::Relaxed)
    }

    /// Watches the page of this window until the window is gone.
    pub(super) fn watch_page<R: Runtime>(&self, window: &WebviewWindow<R>) -> tauri::Result<()> {
        let home = window.url()?;
        *self.lock_watchdog_state() = Some(WatchdogState::new(self.time_since_start()));
        let (heart, kiosk) = (self.clone(), window.state::<Kiosk>().inner().clone());
        page::notify_on_page_death(window, move |why| heart.record_page_crash(why, &kiosk))?;
        let (heart, window) = (self.clone(), window.clone());
        let mut renewal = PageRenewalMonitor::new(window.state::<Kiosk>().inner().clone());
        tauri::async_runtime::spawn(async move {
            loop {
                _ = tokio::time::timeout(CHECK_INTERVAL, heart.0.wake.notified()).await;
                if let Err(error) = heart.renew_page_if_due(&mut renewal, &window, &home) {
                    tracing::debug!(%error, "the page watchdog has ended");
                    break;
                }
                if let Err(error) = heart.recover_page_if_due(&window, &home) {
                    // The window was closed, and the program ends.
                    tracing::debug!(%error, "the page watchdog has ended");
                    break;
                }
            }
        });
        Ok(())
    }

    /// Records that the page crashed: its process ended. An avatar that it was showing is withheld from the next page.
    /// Wakes the watchdog.
    fn record_page_crash(&self, why: &str, kiosk: &Kiosk) {
        let now = self.time_since_start();
        let (is_planned, rest) = self
            .lock_watchdog_state()
            .as_mut()
            .map_or((false, None), |pulse| (pulse.is_fresh_page_planned(), pulse.record_crash(now)));
        if !is_planned {
            kiosk.withhold_file_after_page_crash();
        }
        match rest {
            None if is_planned => tracing::info!("the page's process has ended; a fresh page is loaded"),
            None => tracing::error!(why, "the page's process ended; the page is reloaded at once"),
            Some(rest) => tracing::error!(
                why,
                rest = rest.as_secs(),
                "the page's process ended, as it does again and again; the page is reloaded after a delay (seconds)"
            ),
        }
        self.0.wake.notify_one();
    }

    /// Recovers the page if the watchdog asks for it: reloads it or ends its process. Shows the fallback text after
    /// the watchdog has given up.
    fn recover_page_if_due<R: Runtime>(&self, window: &WebviewWindow<R>, home: &url::Url) -> tauri::Result<()> {
        let now = self.time_since_start();
        let (act, given_up) = match self.lock_watchdog_state().as_mut() {
            Some(pulse) => (pulse.next_action(now), pulse.shows_fallback()),
            None => (None, false),
        };
        match act {
            None => {}
            Some(WatchdogAction::Reload) => {
                let reason = self.lock_watchdog_state().as_ref().map(WatchdogState::reload_reason);
                tracing::warn!(?reason, "the page is reloaded");
                if let Some(reason) = reason {
                    window.state::<Kiosk>().metrics().record_page_reload(reason);
                }
                // The page sends its first heartbeat when a frame is drawn. With some drivers none ever is.
                if reason == Some(PageReloadReason::NeverLoaded)
                    && !self.0.has_drawn_frame.load(Ordering::Relaxed)
                    && graphics::can_try_workaround()
                {
                    tracing::warn!("no frame was drawn; the program starts again with the graphics workaround");
                    self.0.wants_graphics_workaround.store(true, Ordering::Relaxed);
                    window.app_handle().exit(0);
                    return Ok(());
                }
                page::load_page(window, home)?;
            }
            Some(WatchdogAction::Terminate) => {
                tracing::error!("the page does not answer; its process is terminated");
                // Not every system reports the end of the process.
                window.state::<Kiosk>().withhold_file_after_page_crash();
                page::terminate_or_reload_page(window, home)?;
            }
        }
        page::set_fallback_text_visible(window, given_up)
    }

    /// Replaces the page by a fresh one in a new process, if it is old or large and no visitor would notice.
    fn renew_page_if_due<R: Runtime>(
        &self,
        renewal: &mut PageRenewalMonitor,
        window: &WebviewWindow<R>,
        home: &url::Url,
    ) -> tauri::Result<()> {
        let now = self.time_since_start();
        let Some(age) = self.lock_watchdog_state().as_ref().and_then(|pulse| pulse.compute_page_age(now)) else {
            return Ok(());
        };
        // The operator at the desk would lose what is typed there.
        let is_desk_open =
            window.state::<Panel>().pin_lock().is_unlocked(window.state::<Clock>().millis_since_clock_creation());
        let Some(reason) = renewal.find_reason_to_renew_page(now, age, is_desk_open) else { return Ok(()) };
        if let Some(pulse) = self.lock_watchdog_state().as_mut() {
            pulse.plan_fresh_page(now, reason);
        }
        tracing::info!(?reason, age = age.as_secs(), "the page is replaced by a fresh one; its age is in seconds");
        page::terminate_or_reload_page(window, home)
    }

    /// Time since this watchdog was created.
    fn time_since_start(&self) -> Duration {
        self.0.started_at.elapsed()
    }

    /// Locks the mutex of the watchdog's state.
    fn lock_watchdog_state(&self) -> MutexGuard<'_, Option<WatchdogState>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
