//! The visitor's window: how it is opened, placed and protected, and how its page is kept alive.

mod kiosk_mode;
mod monitors;
mod page;
mod page_renewal;
mod page_watchdog;
mod phone;
mod watchdog_state;

pub(crate) use kiosk_mode::{KioskWindowState, place_window_as_configured, refuse_close_in_kiosk_mode};
pub(crate) use monitors::list_monitors;
pub(crate) use page_watchdog::PageWatchdog;
pub(crate) use phone::{PHONE_WINDOW, open_phone_window};

use tauri::webview::{DownloadEvent, NewWindowResponse, PermissionResponse};
use tauri::window::Color;
use tauri::{AppHandle, LogicalSize, Manager, Runtime, WebviewUrl, WebviewWindowBuilder};

/// Label of the visitor's window, the only one that may call the commands.
pub(crate) const KIOSK_WINDOW: &str = "kiosk";
/// Title for task bars.
const WINDOW_TITLE: &str = "Copresence Kiosk";
/// Minimum size, in logical pixels.
const MIN_WINDOW_SIZE: LogicalSize<f64> = LogicalSize::new(960.0, 540.0);
/// Colour of the window and of its web view until the page is drawn: `--ink-0` of `ui/src/tokens.css`. White would
/// blind visitors of a dark booth at every start and after every crash of the page.
const STAGE_BACKGROUND: Color = Color(0x05, 0x07, 0x0f, 0xff);

/// Opens the window. [`place_window_as_configured`] places it.
///
/// # Errors
/// The window cannot be opened.
pub(crate) fn open_kiosk_window<R: Runtime>(app: &AppHandle<R>, full_screen: bool) -> tauri::Result<()> {
    // `cargo xtask dev` serves the page from its own server. Developer tools are enabled then.
    let server = app.config().build.dev_url.clone();
    let developing = server.is_some();
    let window = WebviewWindowBuilder::new(app, KIOSK_WINDOW, WebviewUrl::default())
        .title(WINDOW_TITLE)
        .inner_size(1280.0, 720.0)
        .min_inner_size(MIN_WINDOW_SIZE.width, MIN_WINDOW_SIZE.height)
        .background_color(STAGE_BACKGROUND)
        .center();
    let window = confine_window_to_own_pages(window, move |to| {
        let own = matches!(to.scheme(), "tauri") || to.host_str() == Some("tauri.localhost");
        own || server.as_ref().is_some_and(|server| server.origin() == to.origin())
    })
    .devtools(developing)
    .build()?;
    page::disable_browser_features(&window, developing)?;
    app.state::<PageWatchdog>().watch_page(&window)?;
    app.state::<KioskWindowState>().record_full_screen_flag_given(full_screen);
    kiosk_mode::place_window_on_monitor_changes(&window)?;
    Ok(())
}

/// Makes the page of a new window stay where it is: navigation that `is_own` does not allow, new windows, downloads and
/// permission requests are refused. Every window of the program is built with it.
fn confine_window_to_own_pages<R: Runtime, M: Manager<R>>(
    window: WebviewWindowBuilder<'_, R, M>,
    is_own: impl Fn(&url::Url) -> bool + Send + 'static,
) -> WebviewWindowBuilder<'_, R, M> {
    window
        .on_navigation(move |to| is_own(to) || refuse_navigation_with_log_line("go to", to))
        .on_new_window(|to, _| {
            refuse_navigation_with_log_line("open a window at", &to);
            NewWindowResponse::Deny
        })
        .on_download(|_, event| match event {
            DownloadEvent::Requested { url, .. } => refuse_navigation_with_log_line("save what is at", &url),
            _ => false,
        })
        .on_permission_request(|_, what| {
            tracing::info!(?what, "refused: the page asked for a permission");
            PermissionResponse::Deny
        })
}

/// Logs that the page was refused an address, and returns false. Omits the path and the query of the URL, which can
/// contain a token.
fn refuse_navigation_with_log_line(what: &str, to: &url::Url) -> bool {
    tracing::info!(scheme = to.scheme(), host = to.host_str(), "refused: the page wanted to {what} an address");
    false
}

#[cfg(test)]
mod tests {
    use super::STAGE_BACKGROUND;

    #[test]
    fn the_window_has_the_colour_of_the_stage_before_the_page_is_drawn() {
        let tauri::window::Color(red, green, blue, alpha) = STAGE_BACKGROUND;
        let token = format!("--ink-0: #{red:02x}{green:02x}{blue:02x};");
        assert!(include_str!("../../../ui/src/tokens.css").contains(&token), "{token} is not in tokens.css");
        assert_eq!(alpha, 0xff);
    }
}
