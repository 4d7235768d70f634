//! The PIN lock of the desk, and the operator's panel: a few lines each over `kiosk`.

use crate::window;
use copresence_booth::panel::{HostStepAfterAction, Panel, PinLock};
use copresence_booth::view::Problem;
use copresence_booth::view::panel::{PanelAction, PanelView, PartHealthView, PastVisit, PinLockView};
use copresence_engine::SecretString;
use copresence_engine::clock::Clock;
use copresence_engine::health::{self, PartHealth};
use copresence_engine::problem::problem_for_code;
use tauri::{AppHandle, Runtime, State};

/// The gate of the panel: the state of its PIN lock.
#[tauri::command]
pub(crate) async fn read_panel_pin_lock(
    panel: State<'_, Panel>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
) -> Result<PinLockView, Problem> {
    Ok(pin_lock.pin_lock_view(panel.active_kiosk_mode_view().on, clock.millis_since_clock_creation()))
}

/// Tries a PIN.
#[tauri::command]
pub(crate) async fn try_panel_pin(
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    pin: SecretString,
) -> Result<PinLockView, Problem> {
    pin_lock.try_unlock(pin, clock.millis_since_clock_creation()).await
}

/// Sets the first PIN.
#[tauri::command]
pub(crate) async fn panel_set_first_pin(
    panel: State<'_, Panel>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    pin: SecretString,
) -> Result<PinLockView, Problem> {
    let kiosk_mode = panel.active_kiosk_mode_view().on;
    pin_lock.set_first_pin_and_unlock(pin, kiosk_mode, clock.millis_since_clock_creation()).await
}

/// The panel as it is now.
#[tauri::command]
pub(crate) async fn read_panel<R: Runtime>(
    app: AppHandle<R>,
    panel: State<'_, Panel>,
    clock: State<'_, Clock>,
) -> Result<PanelView, Problem> {
    panel.pin_lock().require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    panel.load_panel_view(window::list_monitors(&app)).await
}

/// Runs an action; returns the panel after it.
#[tauri::command]
pub(crate) async fn run_panel_action<R: Runtime>(
    app: AppHandle<R>,
    panel: State<'_, Panel>,
    clock: State<'_, Clock>,
    act: PanelAction,
) -> Result<PanelView, Problem> {
    panel.pin_lock().require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    match panel.run_action(act, clock.millis_since_clock_creation()).await? {
        HostStepAfterAction::ShowPanel => {}
        HostStepAfterAction::UpdateWindow => window::place_window_as_configured(&app, &panel)
            .map_err(|error| problem_for_code("display_failed", Some(&error.to_string())))?,
        HostStepAfterAction::Quit => app.exit(0),
    }
    panel.load_panel_view(window::list_monitors(&app)).await
}

/// Checks everything that the booth depends on.
#[tauri::command]
pub(crate) async fn panel_health<R: Runtime>(
    app: AppHandle<R>,
    panel: State<'_, Panel>,
    clock: State<'_, Clock>,
) -> Result<Vec<PartHealthView>, Problem> {
    panel.pin_lock().require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    let mut views = panel.check_booth_health().await;
    let display = display_and_webview_health(&app, panel.current_appearance_and_language().monitor.as_deref());
    views.extend(display.map(PartHealthView::from));
    Ok(views)
}

/// The past visits, the newest first.
#[tauri::command]
pub(crate) async fn panel_history(panel: State<'_, Panel>, clock: State<'_, Clock>) -> Result<Vec<PastVisit>, Problem> {
    panel.pin_lock().require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    panel.load_visit_history().await
}

/// Health of the monitor and of the web view, which only a program with a window can check.
fn display_and_webview_health<R: Runtime>(app: &AppHandle<R>, wanted: Option<&str>) -> [PartHealth; 2] {
    let monitors = window::list_monitors(app);
    let there = monitors.iter().map(|one| format!("{} ({} × {})", one.name, one.width, one.height));
    let seen = there.collect::<Vec<_>>().join(", ");
    let missing = wanted.filter(|wanted| monitors.iter().all(|one| one.name != *wanted));
    let display = match missing {
        _ if monitors.is_empty() => health::unknown_part_health(health::part::DISPLAY, "the system names no monitor"),
        Some(wanted) => health::doubtful_part_health(
            health::part::DISPLAY,
            format_args!("the monitor `{wanted}` is not there: {seen}"),
            "Plug it in, or choose another one under Display",
        ),
        None => health::good_part_health(health::part::DISPLAY, seen),
    };
    let web_view = match tauri::webview_version() {
        Ok(version) => health::good_part_health(health::part::WEB_VIEW, version),
        Err(error) => health::unknown_part_health(health::part::WEB_VIEW, error),
    };
    [display, web_view]
}
