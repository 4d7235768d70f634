//! Keeps the page alive: receives its heartbeats and performs the actions of [`WatchdogState`].

use super::page;
use super::pulse::{Act, Pulse};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tauri::{Runtime, WebviewWindow};
use tokio::sync::Notify;

/// Interval of the checks.
const LOOK: Duration = Duration::from_secs(1);

/// Watchdog of the page. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heart(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    pulse: Mutex<Option<Pulse>>,
    /// Wakes the check loop early.
    wake: Notify,
}

impl Default for Inner {
    fn default() -> Self {
        Self { began: Instant::now(), pulse: Mutex::default(), wake: Notify::new() }
    }
}

impl Heart {
    /// Records a heartbeat of the page, which says whether it is hidden.
    pub(crate) fn beat(&self, hidden: bool) {
        let now = self.now();
        let first = self.lock().as_mut().is_some_and(|pulse| pulse.beat(now, hidden));
        if first {
            tracing::info!("the page lives");
            self.0.wake.notify_one();
        }
    }

    /// Watches the page of this window until the window is gone.
    pub(super) fn watch<R: Runtime>(&self, window: &WebviewWindow<R>) -> tauri::Result<()> {
        let home = window.url()?;
        *self.lock() = Some(Pulse::new(self.now()));
        let heart = self.clone();
        page::on_page_death(window, move |why| heart.died(why))?;
        let (heart, window) = (self.clone(), window.clone());
        tauri::async_runtime::spawn(async move {
            loop {
                _ = tokio::time::timeout(LOOK, heart.0.wake.notified()).await;
                if let Err(error) = heart.look_after(&window, &home) {
                    // The window was closed, and the program ends.
                    tracing::debug!(%error, "the page watchdog has ended");
                    break;
                }
            }
        });
        Ok(())
    }

    fn died(&self, why: &str) {
        let now = self.now();
        let rest = self.lock().as_mut().and_then(|pulse| pulse.died(now));
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

    fn look_after<R: Runtime>(&self, window: &WebviewWindow<R>, home: &url::Url) -> tauri::Result<()> {
        let now = self.now();
        let (act, given_up) = match self.lock().as_mut() {
            Some(pulse) => (pulse.look(now), pulse.is_given_up()),
            None => (None, false),
        };
        match act {
            None => {}
            Some(Act::Reload) => {
                tracing::warn!("the page is reloaded");
                page::load_page(window, home)?;
            }
            Some(Act::Terminate) => {
                tracing::error!("the page does not answer; its process is terminated");
                page::terminate_page(window, home)?;
            }
        }
        page::show_fallback(window, given_up)
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pulse>> {
        self.0.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
