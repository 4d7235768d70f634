//! Kiosk mode: the window fills one monitor, stays on top, on all virtual desktops, and can only be closed with the PIN.
//!
//! It protects against visitors, not against attackers. `docs/kiosk.md` describes how to lock down the system (task
//! switcher, consoles).

use super::KIOSK_WINDOW;
use super::monitors::{self, MonitorArea};
use copresence_booth::panel::Panel;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tauri::{AppHandle, Manager, PhysicalPosition, PhysicalSize, Runtime, WebviewWindow, Window, WindowEvent};
use tokio::sync::Notify;

/// How the window is placed, how it is restored, and whether it refuses to close.
#[derive(Debug, Default)]
pub(crate) struct KioskWindowState {
    /// Whether requests to close the window are refused. Read on the UI thread, which must not wait for
    /// `placement_state`: its holder waits for the UI thread.
    refuses_close: AtomicBool,
    placement_state: Mutex<PlacementState>,
}

/// How the window is placed now, and what is needed to restore it.
#[derive(Debug, Default)]
struct PlacementState {
    /// Whether `--full-screen` was given.
    full_screen_flag: bool,
    current: WindowPlacement,
    /// Position and size before the window became full screen.
    windowed: Option<(PhysicalPosition<i32>, PhysicalSize<u32>)>,
}

/// The placement of the window: full screen or not, above others or not, and its monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct WindowPlacement {
    /// Full screen without decorations.
    full_screen: bool,
    /// Above all other windows, and on all virtual desktops.
    always_on_top: bool,
    /// The monitor to fill; `None` if there is none.
    monitor: Option<MonitorArea>,
}

impl KioskWindowState {
    /// Locks the mutex of the window's placement state.
    fn lock_placement_state(&self) -> MutexGuard<'_, PlacementState> {
        self.placement_state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets whether `--full-screen` was given.
    pub(super) fn record_full_screen_flag_given(&self, full_screen: bool) {
        self.lock_placement_state().full_screen_flag = full_screen;
    }
}

/// Places the window as command line and settings require. Does nothing if it is already placed so.
///
/// # Errors
/// The window system refused a change.
pub(crate) fn place_window_as_configured<R: Runtime>(app: &AppHandle<R>, panel: &Panel) -> tauri::Result<()> {
    let Some(window) = app.get_webview_window(KIOSK_WINDOW) else { return Ok(()) };
    let guard = app.state::<KioskWindowState>();
    let mut placement_state = guard.lock_placement_state();
    let kiosk_mode = panel.active_kiosk_mode_view().on;
    // Also if the window cannot be placed.
    guard.refuses_close.store(kiosk_mode, Ordering::Relaxed);
    let whole = kiosk_mode || placement_state.full_screen_flag;
    let on = if whole {
        monitors::find_monitor_or_first(&window, panel.current_appearance_and_language().monitor.as_deref())?
    } else {
        None
    };
    placement_state.apply_placement_differences(
        &window,
        WindowPlacement { full_screen: whole, always_on_top: kiosk_mode, monitor: on },
    )
}

/// Places the window again whenever monitors are added, removed or resized.
pub(super) fn place_window_on_monitor_changes<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<()> {
    let changed = Arc::new(Notify::new());
    let notify = changed.clone();
    monitors::notify_on_monitor_change(window, move || notify.notify_one())?;
    let app = window.app_handle().clone();
    tauri::async_runtime::spawn(async move {
        loop {
            changed.notified().await;
            let panel = app.state::<Panel>();
            if let Err(error) = place_window_as_configured(&app, &panel) {
                tracing::error!(%error, "the window could not be placed on its monitor");
            }
        }
    });
    Ok(())
}

/// Refuses to close the window in kiosk mode, for example by Alt+F4 or a task bar. *Quit* in the panel and signals of
/// the service manager end the program without this event.
pub(crate) fn refuse_close_in_kiosk_mode<R: Runtime>(window: &Window<R>, event: &WindowEvent) {
    if window.label() != KIOSK_WINDOW {
        return;
    }
    if let WindowEvent::CloseRequested { api, .. } = event
        && window.state::<KioskWindowState>().refuses_close.load(Ordering::Relaxed)
    {
        tracing::info!("something asked to close the window; kiosk mode only ends with the PIN");
        api.prevent_close();
    }
}

impl PlacementState {
    /// Changes what differs from the current placement: full screen, monitor, always on top.
    fn apply_placement_differences<R: Runtime>(
        &mut self,
        window: &WebviewWindow<R>,
        wanted: WindowPlacement,
    ) -> tauri::Result<()> {
        if wanted == self.current {
            return Ok(());
        }
        let (was, is) = (self.current.full_screen, wanted.full_screen);
        if is && !was {
            self.windowed = Some((window.outer_position()?, window.inner_size()?));
        }
        if is && (!was || wanted.monitor != self.current.monitor) {
            fill_monitor(window, wanted.monitor.as_ref(), self.current.monitor.as_ref())?;
        } else if was && !is {
            leave_full_screen(window, self.windowed.take())?;
        }
        window.set_always_on_top(wanted.always_on_top)?;
        // Desktops have keys for the next virtual desktop, which would be empty.
        window.set_visible_on_all_workspaces(wanted.always_on_top)?;
        // Last, because the next call compares with it, and an error must lead to another attempt.
        self.current = wanted;
        Ok(())
    }
}

/// Fills the monitor. Without a window manager full screen is not granted, so the window also takes the monitor's
/// position and size. That also fixes its size with a window manager.
fn fill_monitor<R: Runtime>(
    window: &WebviewWindow<R>,
    spot: Option<&MonitorArea>,
    before: Option<&MonitorArea>,
) -> tauri::Result<()> {
    window.set_decorations(false)?;
    let Some(MonitorArea { name, position, size }) = spot else { return window.set_fullscreen(true) };
    tracing::info!(monitor = name, width = size.width, height = size.height, "the window fills a monitor");
    window.set_max_size(None::<PhysicalSize<u32>>)?;
    if monitors::is_wayland(window)? {
        // Wayland compositors always grant full screen, and follow the monitor's size.
        window.set_min_size(None::<PhysicalSize<u32>>)?;
        if before.is_some_and(|before| before.name == *name) {
            return Ok(());
        }
        // labwc does not move a window that is already full screen.
        window.set_fullscreen(false)?;
    } else {
        window.set_min_size(Some(*size))?;
        window.set_position(*position)?;
        window.set_size(*size)?;
        window.set_max_size(Some(*size))?;
        fix_or_release_window_size(window, Some(*size))?;
    }
    window.set_fullscreen_on_monitor(PhysicalPosition::new(f64::from(position.x), f64::from(position.y)))
}

/// Fixes the size of the window, or lets it change again. The window system's own frame is off, and the web view's library
/// would resize or move a window of variable size if the pointer or a finger drags its outer pixels; without a window manager
/// also one in full screen.
#[cfg(target_os = "linux")]
fn fix_or_release_window_size<R: Runtime>(
    window: &WebviewWindow<R>,
    size: Option<PhysicalSize<u32>>,
) -> tauri::Result<()> {
    use gtk::prelude::{Cast as _, GtkWindowExt as _, WidgetExt as _};
    window.with_webview(move |view| {
        let Some(window) = view.inner().toplevel().and_then(|top| top.downcast::<gtk::Window>().ok()) else { return };
        let scale = window.scale_factor().max(1);
        let logical = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX) / scale;
        let (width, height) = size.map_or((-1, -1), |size| (logical(size.width), logical(size.height)));
        // GTK makes a window of fixed size as small as its content requests.
        window.set_size_request(width, height);
        window.set_resizable(size.is_none());
    })
}

/// Fixes the size of the window, or lets it change again.
#[cfg(not(target_os = "linux"))]
fn fix_or_release_window_size<R: Runtime>(
    window: &WebviewWindow<R>,
    size: Option<PhysicalSize<u32>>,
) -> tauri::Result<()> {
    window.set_resizable(size.is_none())
}

/// Leaves full screen, and restores the position and the size from before.
fn leave_full_screen<R: Runtime>(
    window: &WebviewWindow<R>,
    before: Option<(PhysicalPosition<i32>, PhysicalSize<u32>)>,
) -> tauri::Result<()> {
    window.set_fullscreen(false)?;
    fix_or_release_window_size(window, None)?;
    window.set_max_size(None::<PhysicalSize<u32>>)?;
    window.set_min_size(Some(super::MIN_WINDOW_SIZE))?;
    window.set_decorations(true)?;
    if let Some((position, size)) = before {
        window.set_size(size)?;
        window.set_position(position)?;
    }
    Ok(())
}
