//! The integrator's inspector: a few lines each over `kiosk`.

use super::desk::ReplaceableSubscription;
use crate::checks::judge_inspected_exchange;
use copresence_booth::app::Kiosk;
use copresence_booth::panel::PinLock;
use copresence_booth::view::Problem;
use copresence_booth::view::inspector::InspectorView;
use copresence_engine::clock::Clock;
use std::sync::Arc;
use tauri::State;
use tauri::ipc::Channel;

/// The window's one subscription to the inspector. A new subscription replaces it.
#[derive(Default)]
pub(crate) struct InspectorSubscription(ReplaceableSubscription);

/// Subscribes to a visit, or to the newest; replaces an earlier subscription.
#[tauri::command]
pub(crate) async fn subscribe_to_inspector(
    kiosk: State<'_, Kiosk>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    inspecting: State<'_, InspectorSubscription>,
    visit: Option<String>,
    channel: Channel<InspectorView>,
) -> Result<(), Problem> {
    let until = inspecting.0.replace_subscription_if_unlocked(&pin_lock, *clock)?;
    let inspector = kiosk.inspector().clone();
    tokio::spawn(async move {
        inspector
            .stream_inspector_views(visit, Arc::new(judge_inspected_exchange), until, |view| channel.send(view).is_ok())
            .await;
    });
    Ok(())
}

/// Saves a visit's exchanges; returns the path.
#[tauri::command]
pub(crate) async fn save_har(
    kiosk: State<'_, Kiosk>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    visit: String,
) -> Result<String, Problem> {
    pin_lock.require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    let kiosk = kiosk.inner().clone();
    super::save_off_thread_returning_display_path(move || kiosk.inspector().save_har(kiosk.data_store(), &visit)).await
}
