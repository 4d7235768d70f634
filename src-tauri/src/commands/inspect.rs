//! The integrator's inspector: a few lines each over `kiosk`.

use super::desk::Follower;
use crate::checks::rules;
use kiosk::app::Kiosk;
use kiosk::clock::Clock;
use kiosk::panel::Gate;
use kiosk::view::Problem;
use kiosk::view::inspector::InspectorView;
use std::sync::Arc;
use tauri::State;
use tauri::ipc::Channel;

/// The subscription to the inspector.
#[derive(Default)]
pub(crate) struct Inspecting(Follower);

/// Subscribes to a visit, or to the newest; replaces an earlier subscription.
#[tauri::command]
pub(crate) async fn inspect(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    inspecting: State<'_, Inspecting>,
    visit: Option<String>,
    channel: Channel<InspectorView>,
) -> Result<(), Problem> {
    let until = inspecting.0.replace(&gate, *clock)?;
    let inspector = kiosk.inspector().clone();
    tokio::spawn(async move {
        inspector.tell(visit, Arc::new(rules), until, |view| channel.send(view).is_ok()).await;
    });
    Ok(())
}

/// Saves a visit's exchanges; returns the path.
#[tauri::command]
pub(crate) async fn save_har(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    visit: String,
) -> Result<String, Problem> {
    gate.check(clock.moment())?;
    let kiosk = kiosk.inner().clone();
    super::saved(move || kiosk.inspector().save_har(kiosk.disk(), &visit)).await
}
