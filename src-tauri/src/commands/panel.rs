//! The door to the desk, and the operator's panel behind it: a few lines each over `kiosk`.

use kiosk::SecretString;
use kiosk::clock::Clock;
use kiosk::panel::Gate;
use kiosk::view::Problem;
use kiosk::view::panel::GateView;
use tauri::State;

/// How the door stands.
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
