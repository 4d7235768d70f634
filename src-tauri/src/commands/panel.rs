//! The PIN lock of the desk, and the operator's panel: a few lines each over `kiosk`.

use crate::window;
use kiosk::SecretString;
use kiosk::clock::Clock;
use kiosk::health;
use kiosk::panel::{Gate, Next, Panel};
use kiosk::problem::problem;
use kiosk::view::Problem;
use kiosk::view::panel::{GateView, HealthView, PanelAct, PanelView, PastVisit};
use tauri::{AppHandle, Runtime, State};

/// The state of the PIN lock.
#[tauri::command]
pub(crate) async fn panel_gate(gate: State<'_, Gate>, clock: State<'_, Clock>) -> Result<GateView, Problem> {
    Ok(gate.state(clock.moment()))
}

/// Tries a PIN.
#[tauri::command]
pub(crate) async fn panel_enter(
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    pin: SecretString,
) -> Result<GateView, Problem> {
    gate.enter(pin, clock.moment()).await
}

/// Sets the first PIN.
#[tauri::command]
pub(crate) async fn panel_set_first_pin(
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    pin: SecretString,
) -> Result<GateView, Problem> {
    gate.set_first_pin(pin, clock.moment()).await
}

/// The panel as it is now.
#[tauri::command]
pub(crate) async fn panel<R: Runtime>(
    app: AppHandle<R>,
    panel: State<'_, Panel>,
    clock: State<'_, Clock>,
) -> Result<PanelView, Problem> {
    panel.gate().check(clock.moment())?;
    panel.view(window::monitors(&app)).await
}

/// Runs an action; returns the panel after it.
#[tauri::command]
pub(crate) async fn panel_act<R: Runtime>(
    app: AppHandle<R>,
    panel: State<'_, Panel>,
    clock: State<'_, Clock>,
    act: PanelAct,
) -> Result<PanelView, Problem> {
    panel.gate().check(clock.moment())?;
    match panel.act(act, clock.moment()).await? {
        Next::Show => {}
        Next::Display => window::apply(&app, &panel)
            .map_err(|error| problem("display_failed", Some(&error.to_string())))?,
        Next::Quit => app.exit(0),
    }
    panel.view(window::monitors(&app)).await
}

/// Checks everything that the booth depends on.
#[tauri::command]
pub(crate) async fn panel_health<R: Runtime>(
    app: AppHandle<R>,
    panel: State<'_, Panel>,
    clock: State<'_, Clock>,
) -> Result<Vec<HealthView>, Problem> {
    panel.gate().check(clock.moment())?;
    let mut told = panel.health().await;
    told.extend(screen(&app, panel.display().monitor.as_deref()));
    Ok(told)
}

/// The past visits, the newest first.
#[tauri::command]
pub(crate) async fn panel_history(
    panel: State<'_, Panel>,
    clock: State<'_, Clock>,
) -> Result<Vec<PastVisit>, Problem> {
    panel.gate().check(clock.moment())?;
    panel.history().await
}

/// The health of what only a program with a window can check.
fn screen<R: Runtime>(app: &AppHandle<R>, wanted: Option<&str>) -> [HealthView; 2] {
    let monitors = window::monitors(app);
    let there = monitors.iter().map(|one| format!("{} ({} × {})", one.name, one.width, one.height));
    let seen = there.collect::<Vec<_>>().join(", ");
    let missing = wanted.filter(|wanted| monitors.iter().all(|one| one.name != *wanted));
    let display = match missing {
        _ if monitors.is_empty() => health::unknown(health::part::DISPLAY, "the system names no monitor"),
        Some(wanted) => health::doubtful(
            health::part::DISPLAY,
            format_args!("the monitor `{wanted}` is not there: {seen}"),
            "Plug it in, or choose another one under Display",
        ),
        None => health::good(health::part::DISPLAY, seen),
    };
    let web_view = match tauri::webview_version() {
        Ok(version) => health::good(health::part::WEB_VIEW, version),
        Err(error) => health::unknown(health::part::WEB_VIEW, error),
    };
    [display, web_view]
}
