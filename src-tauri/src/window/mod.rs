//! The visitor's window: how it is opened and guarded, on which monitor, and how its page is kept alive.

mod guard;
mod heart;
mod monitors;
mod page;
mod pulse;

pub(crate) use guard::{Guard, apply, on_window_event};
pub(crate) use heart::Heart;
pub(crate) use monitors::monitors;

use crate::commands::WINDOW;
use tauri::webview::{DownloadEvent, NewWindowResponse, PermissionResponse};
use tauri::{AppHandle, LogicalSize, Manager, Runtime, WebviewUrl, WebviewWindowBuilder};

/// What task bars call it.
const TITLE: &str = "Copresence Kiosk";
/// Less cannot be drawn on.
const SMALLEST: LogicalSize<f64> = LogicalSize::new(960.0, 540.0);

/// Opens the window. [`apply`] gives it its place, which is always the whole screen when the command line wants that.
pub(crate) fn open<R: Runtime>(app: &AppHandle<R>, full_screen: bool) -> tauri::Result<()> {
    // Where `cargo xtask dev` serves the page from a server of its own, its author may look into it.
    let server = app.config().build.dev_url.clone();
    let developing = server.is_some();
    let window = WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::default())
        .title(TITLE)
        .inner_size(1280.0, 720.0)
        .min_inner_size(SMALLEST.width, SMALLEST.height)
        .center()
        // It shows its own page and goes nowhere else, opens nothing, fetches nothing to the disk, and asks the
        // visitor for no camera: whatever a page could try is refused here once for all.
        .on_navigation(move |to| {
            let own = matches!(to.scheme(), "tauri") || to.host_str() == Some("tauri.localhost");
            let may = own || server.as_ref().is_some_and(|server| server.origin() == to.origin());
            may || refused("go to", to)
        })
        .on_new_window(|to, _| {
            refused("open a window at", &to);
            NewWindowResponse::Deny
        })
        .on_download(|_, event| match event {
            DownloadEvent::Requested { url, .. } => refused("save what is at", &url),
            _ => false,
        })
        .on_permission_request(|_, what| {
            tracing::info!(?what, "refused: the page asked the visitor for something");
            PermissionResponse::Deny
        })
        .devtools(developing)
        .build()?;
    page::harden(&window, developing)?;
    app.state::<Heart>().watch(&window)?;
    app.state::<Guard>().begin(full_screen);
    guard::follow_monitors(&window)?;
    Ok(())
}

/// Says what the page wanted, and that it may not. Not the whole address: that can hold a token.
fn refused(what: &str, to: &url::Url) -> bool {
    tracing::info!(
        scheme = to.scheme(),
        host = to.host_str(),
        "refused: the page wanted to {what} an address"
    );
    false
}
