//! Kiosk mode: the whole of one monitor, above everything, and closed by nobody who has no PIN.
//!
//! It is a guard against a stranger's fingers, not a lockdown: what keeps people from the system itself (its task
//! switcher, its other terminals) is the system's own recipe, in `docs/kiosk.md`.

use super::monitors::{self, Spot};
use crate::commands::WINDOW;
use kiosk::panel::Panel;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tauri::{
    AppHandle, Manager, PhysicalPosition, PhysicalSize, Runtime, WebviewWindow, Window, WindowEvent,
};
use tokio::sync::Notify;

/// How the window stands, and what it goes back to.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// Whether it may not be closed from outside. Asked on the thread that draws, which must not wait for `stand`: who
    /// holds that waits for this thread.
    closed: AtomicBool,
    stand: Mutex<Stand>,
}

#[derive(Debug, Default)]
struct Stand {
    /// What the command line wants in any case.
    full_screen: bool,
    now: Placement,
    /// Where the window was before it took the whole screen.
    before: Option<(PhysicalPosition<i32>, PhysicalSize<u32>)>,
}

/// What is to be seen of the window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Placement {
    /// Full screen and undecorated.
    whole: bool,
    /// Above all others.
    above: bool,
    /// The monitor that it takes; none while there is none.
    on: Option<Spot>,
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, Stand> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the command line wants in any case.
    pub(super) fn begin(&self, full_screen: bool) {
        self.lock().full_screen = full_screen;
    }
}

/// Makes of the window what command line and operator want, at the start and while it runs. Nothing that stands already
/// is touched.
pub(crate) fn apply<R: Runtime>(app: &AppHandle<R>, panel: &Panel) -> tauri::Result<()> {
    let Some(window) = app.get_webview_window(WINDOW) else { return Ok(()) };
    let guard = app.state::<Guard>();
    let mut stand = guard.lock();
    let kiosk_mode = panel.kiosk_mode().on;
    // Also where the window cannot be placed: it is closed by nobody then.
    guard.closed.store(kiosk_mode, Ordering::Relaxed);
    let whole = kiosk_mode || stand.full_screen;
    let on = if whole { monitors::find(&window, panel.display().monitor.as_deref())? } else { None };
    stand.place(&window, Placement { whole, above: kiosk_mode, on })
}

/// Puts the window back in its place from now on whenever monitors come, go, or change their size.
pub(super) fn follow_monitors<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<()> {
    let changed = Arc::new(Notify::new());
    let tell = changed.clone();
    monitors::on_change(window, move || tell.notify_one())?;
    let app = window.app_handle().clone();
    tauri::async_runtime::spawn(async move {
        loop {
            changed.notified().await;
            let panel = app.state::<Panel>();
            if let Err(error) = apply(&app, &panel) {
                tracing::error!(%error, "the window is not on its monitor");
            }
        }
    });
    Ok(())
}

/// While guarded the window stays, whoever asks: Alt+F4, a window manager, a task bar. The panel's *Quit* and the
/// service manager's signals end the program, not the window, and are not asked.
pub(crate) fn on_window_event<R: Runtime>(window: &Window<R>, event: &WindowEvent) {
    if window.label() != WINDOW {
        return;
    }
    if let WindowEvent::CloseRequested { api, .. } = event
        && window.state::<Guard>().closed.load(Ordering::Relaxed)
    {
        tracing::info!("something asked to close the window; kiosk mode is left by the PIN alone");
        api.prevent_close();
    }
}

impl Stand {
    fn place<R: Runtime>(&mut self, window: &WebviewWindow<R>, wanted: Placement) -> tauri::Result<()> {
        if wanted == self.now {
            return Ok(());
        }
        let (was, is) = (self.now.whole, wanted.whole);
        if is && !was {
            self.before = Some((window.outer_position()?, window.inner_size()?));
        }
        if is && (!was || wanted.on != self.now.on) {
            fill(window, wanted.on.as_ref(), self.now.on.as_ref())?;
        } else if was && !is {
            shrink(window, self.before.take())?;
        }
        window.set_always_on_top(wanted.above)?;
        // The last to be told, because it is what the next call compares with.
        self.now = wanted;
        Ok(())
    }
}

/// Takes the whole monitor. With no window manager nobody grants full screen: then the window takes the monitor's
/// place and size by itself, which also holds its size where somebody does.
fn fill<R: Runtime>(
    window: &WebviewWindow<R>,
    spot: Option<&Spot>,
    before: Option<&Spot>,
) -> tauri::Result<()> {
    window.set_decorations(false)?;
    let Some(Spot { name, position, size }) = spot else { return window.set_fullscreen(true) };
    tracing::info!(monitor = name, width = size.width, height = size.height, "the window takes a monitor");
    window.set_max_size(None::<PhysicalSize<u32>>)?;
    if monitors::are_given_by_the_compositor(window)? {
        // Wayland's compositors always grant full screen, and follow the monitor's size themselves.
        window.set_min_size(None::<PhysicalSize<u32>>)?;
        if before.is_some_and(|before| before.name == *name) {
            return Ok(());
        }
        // labwc leaves where it is what fills a monitor already.
        window.set_fullscreen(false)?;
    } else {
        window.set_min_size(Some(*size))?;
        window.set_position(*position)?;
        window.set_size(*size)?;
        window.set_max_size(Some(*size))?;
    }
    window.set_fullscreen_on_monitor(PhysicalPosition::new(f64::from(position.x), f64::from(position.y)))
}

fn shrink<R: Runtime>(
    window: &WebviewWindow<R>,
    before: Option<(PhysicalPosition<i32>, PhysicalSize<u32>)>,
) -> tauri::Result<()> {
    window.set_fullscreen(false)?;
    window.set_max_size(None::<PhysicalSize<u32>>)?;
    window.set_min_size(Some(super::SMALLEST))?;
    window.set_decorations(true)?;
    if let Some((position, size)) = before {
        window.set_size(size)?;
        window.set_position(position)?;
    }
    Ok(())
}
