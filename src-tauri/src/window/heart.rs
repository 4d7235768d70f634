//! Keeps the page alive: hears it, looks after it, and does what [`Pulse`] says.

use super::page;
use super::pulse::{Act, Pulse};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tauri::{Runtime, WebviewWindow};
use tokio::sync::Notify;

/// How often the page is looked after.
const LOOK: Duration = Duration::from_secs(1);

/// The page's heart, as far as it is heard. Clones are handles of the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heart(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    pulse: Mutex<Option<Pulse>>,
    /// Something happened that wants looking at now.
    wake: Notify,
}

impl Default for Inner {
    fn default() -> Self {
        Self { began: Instant::now(), pulse: Mutex::default(), wake: Notify::new() }
    }
}

impl Heart {
    /// The page says that it lives, and whether it is hidden.
    pub(crate) fn beat(&self, hidden: bool) {
        let now = self.now();
        let first = self.lock().as_mut().is_some_and(|pulse| pulse.beat(now, hidden));
        if first {
            tracing::info!("the page lives");
            self.0.wake.notify_one();
        }
    }

    /// Looks after the page of this window from now on, as long as the window is there.
    pub(super) fn watch<R: Runtime>(&self, window: &WebviewWindow<R>) -> tauri::Result<()> {
        let home = window.url()?;
        *self.lock() = Some(Pulse::new(self.now()));
        let heart = self.clone();
        page::on_death(window, move |why| heart.died(why))?;
        let (heart, window) = (self.clone(), window.clone());
        tauri::async_runtime::spawn(async move {
            loop {
                _ = tokio::time::timeout(LOOK, heart.0.wake.notified()).await;
                if let Err(error) = heart.look_after(&window, &home) {
                    // The window is gone, and the program with it.
                    tracing::debug!(%error, "the page is not looked after any more");
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
            None => tracing::error!(why, "the page's process ended; the page is loaded anew at once"),
            Some(rest) => tracing::error!(
                why,
                rest = rest.as_secs(),
                "the page's process ended, as it does again and again; the page is loaded anew after a rest (seconds)"
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
                tracing::warn!("the page is loaded anew");
                page::load(window, home)?;
            }
            Some(Act::Terminate) => {
                tracing::error!("the page does not answer; its process is ended");
                page::end(window, home)?;
            }
        }
        page::give_up(window, given_up)
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pulse>> {
        self.0.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
