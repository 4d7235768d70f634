//! Kiosk mode: the whole of one monitor, above everything, and closed by nobody who has no PIN.
//!
//! It is a guard against a stranger's fingers, not a lockdown: what keeps people from the system itself (its task
//! switcher, its other terminals) is the system's own recipe, in `docs/kiosk.md`.

use super::{Start, monitors};
use crate::commands::WINDOW;
use kiosk::view::panel::DisplaySettings;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tauri::{
    AppHandle, Manager, PhysicalPosition, PhysicalSize, Runtime, WebviewWindow, Window, WindowEvent,
};

/// How the window stands, and what it goes back to.
#[derive(Debug, Default)]
pub(crate) struct Guard(Mutex<Stand>);

#[derive(Debug, Default)]
struct Stand {
    /// What the command line wants in any case.
    full_screen: bool,
    kiosk: bool,
    now: Placement,
    /// Where the window was before it took the whole screen.
    before: Option<(PhysicalPosition<i32>, PhysicalSize<u32>)>,
}

/// What is to be seen of the window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Placement {
    /// Full screen and undecorated.
    whole: bool,
    /// Above all others, and not to be closed.
    guarded: bool,
    /// The monitor's name; none for the first.
    monitor: Option<String>,
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, Stand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the window may not be closed from outside.
    pub(crate) fn is_on(&self) -> bool {
        self.lock().now.guarded
    }

    /// The window as the command line wants it.
    pub(super) fn begin<R: Runtime>(&self, window: &WebviewWindow<R>, start: Start) -> tauri::Result<()> {
        let mut stand = self.lock();
        (stand.full_screen, stand.kiosk) = (start.full_screen, start.kiosk);
        let wanted = stand.wanted(false, None);
        stand.place(window, wanted)
    }
}

/// Makes of the window what the operator set, while it runs. Nothing that stands already is touched.
pub(crate) fn apply<R: Runtime>(app: &AppHandle<R>, display: &DisplaySettings) -> tauri::Result<()> {
    let Some(window) = app.get_webview_window(WINDOW) else { return Ok(()) };
    let guard = app.state::<Guard>();
    let mut stand = guard.lock();
    let wanted = stand.wanted(display.kiosk_mode, display.monitor.clone());
    stand.place(&window, wanted)
}

/// While guarded the window stays, whoever asks: Alt+F4, a window manager, a task bar. The panel's *Quit* and the
/// service manager's signals end the program, not the window, and are not asked.
pub(crate) fn on_window_event<R: Runtime>(window: &Window<R>, event: &WindowEvent) {
    if window.label() != WINDOW {
        return;
    }
    if let WindowEvent::CloseRequested { api, .. } = event
        && window.state::<Guard>().is_on()
    {
        tracing::info!("something asked to close the window; kiosk mode is left by the PIN alone");
        api.prevent_close();
    }
}

impl Stand {
    fn wanted(&self, kiosk_mode: bool, monitor: Option<String>) -> Placement {
        let guarded = kiosk_mode || self.kiosk;
        Placement { whole: guarded || self.full_screen, guarded, monitor }
    }

    fn place<R: Runtime>(&mut self, window: &WebviewWindow<R>, wanted: Placement) -> tauri::Result<()> {
        if wanted == self.now {
            return Ok(());
        }
        let (was, is) = (self.now.whole, wanted.whole);
        if is && !was {
            self.before = Some((window.outer_position()?, window.inner_size()?));
        }
        if is && (!was || wanted.monitor != self.now.monitor) {
            fill(window, wanted.monitor.as_deref())?;
        } else if was && !is {
            shrink(window, self.before.take())?;
        }
        window.set_always_on_top(wanted.guarded)?;
        // The last to be told, because it is what the next call compares with.
        self.now = wanted;
        Ok(())
    }
}

/// Takes the whole monitor. With no window manager nobody grants full screen: then the window takes the monitor's
/// place and size by itself, which also holds its size where somebody does.
fn fill<R: Runtime>(window: &WebviewWindow<R>, wanted: Option<&str>) -> tauri::Result<()> {
    let found = monitors::find(window, wanted)?;
    window.set_decorations(false)?;
    let Some(monitor) = found else { return window.set_fullscreen(true) };
    let (position, size) = (*monitor.position(), *monitor.size());
    window.set_max_size(None::<PhysicalSize<u32>>)?;
    window.set_min_size(Some(size))?;
    window.set_position(position)?;
    window.set_size(size)?;
    window.set_max_size(Some(size))?;
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
