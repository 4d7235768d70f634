//! The commands of the web view: a few lines each over `copresence_booth`. All are asynchronous, because a visit's task
//! needs a runtime.

mod checks;
mod desk;
mod inspect;
mod page;
mod panel;

pub(crate) use checks::ChecksSubscription;
pub(crate) use inspect::InspectorSubscription;

use crate::window::{PHONE_WINDOW, open_phone_window};
use copresence_booth::app::{EnteredPickupCode, ExpectedScreen, Kiosk, VisitorCommand};
use copresence_booth::panel::{Panel, PinLock};
use copresence_booth::view::{Problem, Screen, Snapshot};
use copresence_engine::problem::problem_for_code;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tauri::ipc::{Channel, Invoke};
use tauri::{AppHandle, Manager, Runtime, State};
use tokio_util::sync::CancellationToken;

/// The web view that receives snapshots. A reloaded page replaces the one before.
#[derive(Default)]
pub(crate) struct SnapshotSubscription(Mutex<CancellationToken>);

impl SnapshotSubscription {
    /// Cancels the subscription of the page before, if there is one. The returned token is cancelled when another one replaces
    /// the new one.
    fn replace_snapshot_subscription(&self) -> CancellationToken {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.cancel();
        *current = CancellationToken::new();
        current.clone()
    }
}

/// The handler of all commands.
pub(crate) fn command_handler<R: Runtime>() -> impl Fn(Invoke<R>) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        subscribe,
        start_visit,
        agree_to_consent,
        cancel_visit,
        request_new_qr_code,
        open_sandbox_phone,
        record_avatar_with_sandbox,
        return_to_attract,
        forget_visit,
        continue_visit_as_ticket,
        show_ticket_code_entry,
        enter_pickup_code,
        page::receive_heartbeat,
        panel::read_panel_pin_lock,
        panel::try_panel_pin,
        panel::panel_set_first_pin,
        panel::read_panel,
        panel::run_panel_action,
        panel::panel_health,
        panel::panel_history,
        inspect::subscribe_to_inspector,
        inspect::save_har,
        checks::follow_backend_checks,
        checks::plan_backend_checks,
        checks::start_backend_checks,
        checks::stop_backend_checks,
        checks::skip_check_waiting_for_phone,
        checks::save_report,
    ]
}

/// Saves something off the runtime's threads; returns its path for people.
async fn save_off_thread_returning_display_path(
    save: impl FnOnce() -> Result<PathBuf, Problem> + Send + 'static,
) -> Result<String, Problem> {
    let saved = tokio::task::spawn_blocking(save).await;
    let saved = saved.map_err(|error| problem_for_code("storage_failed", Some(&error.to_string())))??;
    Ok(copresence_engine::display_path_abbreviating_home(&saved))
}

/// Subscribes to snapshots: sends the current one at once, then each new one, and replaces an earlier subscription.
/// Also locks the panel, because the page was reloaded.
#[tauri::command]
async fn subscribe(
    kiosk: State<'_, Kiosk>,
    listener: State<'_, SnapshotSubscription>,
    pin_lock: State<'_, PinLock>,
    channel: Channel<Snapshot>,
) -> Result<(), ()> {
    pin_lock.lock_panel();
    let mut snapshots = kiosk.watch_latest_snapshot();
    let replaced = listener.replace_snapshot_subscription();
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

// A visitor's command names the visit and the revision of the snapshot in which its button was. A stale command is
// ignored. Without these arguments, a command acts on whatever is shown.

/// Starts a visit.
#[tauri::command]
async fn start_visit(kiosk: State<'_, Kiosk>, visit: Option<String>, revision: Option<u64>) -> Result<(), ()> {
    kiosk.run_command_if_still_current(VisitorCommand::Start, &ExpectedScreen { visit, revision });
    Ok(())
}

/// The visitor agrees to the consent text `to`.
#[tauri::command]
async fn agree_to_consent(
    kiosk: State<'_, Kiosk>,
    to: String,
    visit: Option<String>,
    revision: Option<u64>,
) -> Result<(), ()> {
    kiosk.run_command_if_still_current(VisitorCommand::Agree { to: &to }, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Cancels the shown visit: leaves it and its screen, as `return_to_attract` does.
#[tauri::command]
async fn cancel_visit(kiosk: State<'_, Kiosk>, visit: Option<String>, revision: Option<u64>) -> Result<(), ()> {
    kiosk.run_command_if_still_current(VisitorCommand::Cancel, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Requests a new code: another Export Token in place of the one that is shown.
#[tauri::command]
async fn request_new_qr_code(kiosk: State<'_, Kiosk>, visit: Option<String>, revision: Option<u64>) -> Result<(), ()> {
    kiosk.run_command_if_still_current(VisitorCommand::NewCode, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Takes the visit off the screen and shows the attract screen; if visits are kept for 0 hours, the visit is
/// deleted once it has ended.
#[tauri::command]
async fn return_to_attract(kiosk: State<'_, Kiosk>, visit: Option<String>, revision: Option<u64>) -> Result<(), ()> {
    kiosk.run_command_if_still_current(VisitorCommand::Again, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Forgets the shown visit: its files, history and journal.
#[tauri::command]
async fn forget_visit(kiosk: State<'_, Kiosk>, visit: Option<String>, revision: Option<u64>) -> Result<(), ()> {
    kiosk.run_command_if_still_current(VisitorCommand::Forget, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Hands the shown visit over: it continues as a ticket.
#[tauri::command]
async fn continue_visit_as_ticket(
    kiosk: State<'_, Kiosk>,
    visit: Option<String>,
    revision: Option<u64>,
) -> Result<(), ()> {
    kiosk.run_command_if_still_current(VisitorCommand::HandOver, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Shows the code entry of a ticket, named by the id of its visit.
#[tauri::command]
async fn show_ticket_code_entry(
    kiosk: State<'_, Kiosk>,
    ticket: String,
    visit: Option<String>,
    revision: Option<u64>,
) -> Result<(), ()> {
    let command = VisitorCommand::ChooseTicket { visit: &ticket };
    kiosk.run_command_if_still_current(command, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Enters the code of the chosen ticket.
#[tauri::command]
async fn enter_pickup_code(
    kiosk: State<'_, Kiosk>,
    code: SecretString,
    visit: Option<String>,
    revision: Option<u64>,
) -> Result<(), ()> {
    let command = VisitorCommand::EnterPickupCode { code: EnteredPickupCode(code.expose_secret()) };
    kiosk.run_command_if_still_current(command, &ExpectedScreen { visit, revision });
    Ok(())
}

/// Opens the sandbox's phone page for the code on the screen, in a window of the size of a phone without any
/// permission. It closes when the visit needs no phone any more, or has another code.
#[tauri::command]
async fn open_sandbox_phone<R: Runtime>(
    app: AppHandle<R>,
    kiosk: State<'_, Kiosk>,
    panel: State<'_, Panel>,
    visit: Option<String>,
    revision: Option<u64>,
) -> Result<(), String> {
    if !kiosk.is_command_target_still_shown(&ExpectedScreen { visit, revision }) {
        return Ok(());
    }
    if !kiosk.current_snapshot().backend.sandbox {
        return Err("only the sandbox's phone can be played".to_owned());
    }
    let shown_link = kiosk.shown_qr_link().ok_or("there is no code on the screen")?;
    let mut link: url::Url = shown_link.parse().map_err(|_| "the link is no URL")?;
    // The page then offers no picture of this machine.
    link.query_pairs_mut().append_pair("played", "1");
    if let Some(window) = app.get_webview_window(PHONE_WINDOW) {
        window.navigate(link).and_then(|()| window.set_focus()).map_err(|error| error.to_string())?;
        return Ok(());
    }
    open_phone_window(&app, link, panel.active_kiosk_mode_view().on).map_err(|error| error.to_string())?;
    let mut snapshots = kiosk.watch_latest_snapshot();
    tokio::spawn(async move {
        // The sender lives as long as the application, so an error ends the wait too.
        drop(snapshots.wait_for(|snapshot| !screen_still_needs_opened_phone(&snapshot.screen, &shown_link)).await);
        if let Some(window) = app.get_webview_window(PHONE_WINDOW)
            && let Err(error) = window.close()
        {
            tracing::warn!(%error, "the phone's window could not be closed");
        }
    });
    Ok(())
}

/// Has the embedded sandbox record a new avatar for the code on the screen, as its phone page does. The screen draws a
/// phone meanwhile.
#[tauri::command]
async fn record_avatar_with_sandbox(
    kiosk: State<'_, Kiosk>,
    panel: State<'_, Panel>,
    visit: Option<String>,
    revision: Option<u64>,
) -> Result<(), String> {
    if !kiosk.is_command_target_still_shown(&ExpectedScreen { visit, revision }) {
        return Ok(());
    }
    panel.record_avatar_with_embedded_sandbox()
}

/// Whether the visit on this screen still needs the phone that was opened with `opened_link`.
fn screen_still_needs_opened_phone(screen: &Screen, opened_link: &str) -> bool {
    matches!(screen, Screen::Invite { link, .. } | Screen::Making { link, .. } if link == opened_link)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn the_page_may_call_the_kiosks_commands_and_nothing_else() {
        let capability = read(include_str!("../../capabilities/kiosk.json"));
        assert_eq!(
            capability["windows"],
            serde_json::json!([crate::window::KIOSK_WINDOW]),
            "the phone's page gets none"
        );
        assert!(capability.get("remote").is_none(), "no page from elsewhere gets any");
        let permissions = capability["permissions"].as_array().expect("a list");
        let plain = |permission: &Value| {
            permission.as_str().is_some_and(|name| name.starts_with("allow-") && !name.contains(':'))
        };
        assert!(permissions.iter().all(plain), "{permissions:?}");
    }

    #[test]
    fn the_content_security_policy_is_strict() {
        let config = read(include_str!("../../tauri.conf.json"));
        let policy = config["app"]["security"]["csp"].as_str().expect("a policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        // The decoders of compressed avatars are WebAssembly, which comes with the program. No script is made from text.
        let policy = policy.replacen("script-src 'self' 'wasm-unsafe-eval';", "script-src 'self';", 1);
        for loose in ["unsafe-", "*", "https:", " http: "] {
            assert!(!policy.contains(loose), "{loose} in {policy}");
        }
    }
}
