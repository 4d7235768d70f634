//! What the web view may ask: a few lines each over `kiosk`. They are all asynchronous, because a visit's task needs
//! the runtime around it.

use kiosk::app::Kiosk;
use kiosk::view::Snapshot;
use std::sync::{Mutex, PoisonError};
use tauri::ipc::{Channel, Invoke};
use tauri::{AppHandle, Manager, Runtime, State, WebviewUrl, WebviewWindowBuilder};
use tokio_util::sync::CancellationToken;

/// The label of the window in which the phone is played.
pub(crate) const PHONE: &str = "phone";

/// The web view that listens now; one that was reloaded listens no more.
#[derive(Default)]
pub(crate) struct Listener(Mutex<CancellationToken>);

impl Listener {
    fn replace(&self) -> CancellationToken {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.cancel();
        *current = CancellationToken::new();
        current.clone()
    }
}

/// All of them.
pub(crate) fn handler<R: Runtime>() -> impl Fn(Invoke<R>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![subscribe, start_visit, cancel_visit, new_code, play_phone, again]
}

/// Sends the present snapshot at once, and each that follows; ends an earlier subscription.
#[tauri::command]
async fn subscribe(
    kiosk: State<'_, Kiosk>,
    listener: State<'_, Listener>,
    channel: Channel<Snapshot>,
) -> Result<(), ()> {
    let mut snapshots = kiosk.subscribe();
    let replaced = listener.replace();
    tokio::spawn(async move {
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if channel.send(snapshot).is_err() {
                break;
            }
            tokio::select! {
                () = replaced.cancelled() => break,
                changed = snapshots.changed() => if changed.is_err() { break },
            }
        }
    });
    Ok(())
}

#[tauri::command]
async fn start_visit(kiosk: State<'_, Kiosk>) -> Result<(), ()> {
    kiosk.start();
    Ok(())
}

#[tauri::command]
async fn cancel_visit(kiosk: State<'_, Kiosk>) -> Result<(), ()> {
    kiosk.cancel();
    Ok(())
}

#[tauri::command]
async fn new_code(kiosk: State<'_, Kiosk>) -> Result<(), ()> {
    kiosk.new_code();
    Ok(())
}

#[tauri::command]
async fn again(kiosk: State<'_, Kiosk>) -> Result<(), ()> {
    kiosk.again();
    Ok(())
}

/// Opens the sandbox's phone page for the code on the screen, in a window the size of a phone that may do nothing
/// but be a page.
#[tauri::command]
async fn play_phone<R: Runtime>(app: AppHandle<R>, kiosk: State<'_, Kiosk>) -> Result<(), String> {
    if !kiosk.snapshot().backend.sandbox {
        return Err("only the sandbox's phone can be played".to_owned());
    }
    let link = kiosk.shown_link().ok_or("there is no code on the screen")?;
    let link: url::Url = link.parse().map_err(|_| "the link is no URL")?;
    if let Some(window) = app.get_webview_window(PHONE) {
        window.navigate(link).and_then(|()| window.set_focus()).map_err(|error| error.to_string())?;
        return Ok(());
    }
    let origin = link.origin();
    WebviewWindowBuilder::new(&app, PHONE, WebviewUrl::External(link))
        .title("Phone (sandbox)")
        .inner_size(430.0, 880.0)
        .on_navigation(move |to| to.origin() == origin)
        .build()
        .map(drop)
        .map_err(|error| error.to_string())
}
