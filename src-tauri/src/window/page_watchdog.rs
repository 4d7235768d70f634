//! Keeps the page alive: receives its heartbeats and performs the actions of [`WatchdogState`].

use super::page;
use super::watchdog_state::{WatchdogAction, WatchdogState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tauri::{Runtime, WebviewWindow};
use tokio::sync::Notify;

/// Interval of the checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Watchdog of the page. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageWatchdog(Arc<PageWatchdogInner>);

#[derive(Debug)]
struct PageWatchdogInner {
    started_at: Instant,
    state: Mutex<Option<WatchdogState>>,
    /// Wakes the check loop early.
    wake: Notify,
}

impl Default for PageWatchdogInner {
    fn default() -> Self {
        Self { started_at: Instant::now(), state: Mutex::default(), wake: Notify::new() }
    }
}

impl PageWatchdog {
    /// Records a heartbeat of the page, which says whether it is hidden.
    pub(crate) fn record_heartbeat(&self, hidden: bool) {
        let now = self.time_since_start();
        let first = self.lock_watchdog_state().as_mut().is_some_and(|pulse| pulse.record_heartbeat(now, hidden));
        if first {
            tracing::info!("the page lives");
            self.0.wake.notify_one();
        }
    }

    /// Watches the page of this window until the window is gone.
    pub(super) fn watch_page<R: Runtime>(&self, window: &WebviewWindow<R>) -> tauri::Result<()> {
        let home = window.url()?;
        *self.lock_watchdog_state() = Some(WatchdogState::new(self.time_since_start()));
        let heart = self.clone();
        page::notify_on_page_death(window, move |why| heart.record_page_crash(why))?;
        let (heart, window) = (self.clone(), window.clone());
        tauri::async_runtime::spawn(async move {
            loop {
                _ = tokio::time::timeout(CHECK_INTERVAL, heart.0.wake.notified()).await;
                if let Err(error) = heart.recover_page_if_due(&window, &home) {
                    // The window was closed, and the program ends.
                    tracing::debug!(%error, "the page watchdog has ended");
                    break;
                }
            }
        });
        Ok(())
    }

    /// Records that the page crashed: its process ended. Wakes the watchdog.
    fn record_page_crash(&self, why: &str) {
        let now = self.time_since_start();
        let rest = self.lock_watchdog_state().as_mut().and_then(|pulse| pulse.record_crash(now));
        match rest {
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
                tracing::warn!("the page is reloaded");
                page::load_page(window, home)?;
            }
            Some(WatchdogAction::Terminate) => {
                tracing::error!("the page does not answer; its process is terminated");
                page::terminate_or_reload_page(window, home)?;
            }
        }
        page::set_fallback_visible(window, given_up)
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
