//! The window with the sandbox's phone page, which plays a visitor's phone on the kiosk's own screen.

use super::{KIOSK_WINDOW, STAGE_BACKGROUND, confine_window_to_own_pages, page};
use tauri::{
    AppHandle, LogicalPosition, LogicalSize, Manager, Runtime, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
};

/// Label of the window with the sandbox's phone page.
pub(crate) const PHONE_WINDOW: &str = "phone";
/// Width and height of the phone's window, in logical pixels.
const PHONE_SIZE: (f64, f64) = (430.0, 880.0);
/// Blocks the browser features of the web view from inside the page. The settings that do so by the web view's own means
/// are those of Linux only.
const GUARD_SCRIPT: &str = include_str!("phone-guard.js");
/// Distance of the phone's window from the right edge of the screen, in logical pixels.
const PHONE_MARGIN: f64 = 48.0;

/// Opens the sandbox's phone page at `link` in a small window over the code. In kiosk mode it has no title bar, and
/// cannot be moved or resized. It is never higher than the screen.
///
/// # Errors
/// The window cannot be opened.
pub(crate) fn open_phone_window<R: Runtime>(app: &AppHandle<R>, link: url::Url, kiosk_mode: bool) -> tauri::Result<()> {
    let origin = link.origin();
    let kiosk = app.get_webview_window(KIOSK_WINDOW);
    let monitor = kiosk.as_ref().map(WebviewWindow::current_monitor).transpose()?.flatten();
    let screen: Option<LogicalSize<f64>> = monitor.map(|monitor| monitor.size().to_logical(monitor.scale_factor()));
    let height = screen.map_or(PHONE_SIZE.1, |screen| PHONE_SIZE.1.min(screen.height));
    let phone = WebviewWindowBuilder::new(app, PHONE_WINDOW, WebviewUrl::External(link))
        .title("Phone (sandbox)")
        .initialization_script(GUARD_SCRIPT)
        // Before the page is drawn, as dark as the page: no white flash over the code.
        .background_color(STAGE_BACKGROUND)
        .inner_size(PHONE_SIZE.0, height)
        .resizable(!kiosk_mode)
        .decorations(!kiosk_mode);
    let mut phone = confine_window_to_own_pages(phone, move |to| to.origin() == origin).devtools(false);
    // Without a parent, a compositor may hide it behind the full-screen window, or make it as large.
    if let Some(kiosk) = kiosk {
        phone = phone.parent(&kiosk)?;
    }
    let window = phone.build()?;
    page::disable_browser_features(&window, false)?;
    if let Some(screen) = screen {
        // At the right edge, over the code: the text on the screen stays readable.
        let x = (screen.width - PHONE_SIZE.0 - PHONE_MARGIN).max(0.0);
        window.set_position(LogicalPosition::new(x, (screen.height - height) / 2.0))?;
    }
    Ok(())
}
