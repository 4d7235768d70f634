//! The checks of `copresence validate`: a few lines each over [`CheckRunner`].

use super::desk::ReplaceableSubscription;
use crate::checks::CheckRunner;
use copresence_booth::app::Kiosk;
use copresence_booth::panel::PinLock;
use copresence_booth::view::Problem;
use copresence_booth::view::checks::{CheckRunOptions, ChecksPlan, ChecksView};
use copresence_engine::clock::Clock;
use tauri::State;
use tauri::ipc::Channel;

/// The web view's subscription to the snapshots of the checks.
#[derive(Default)]
pub(crate) struct ChecksSubscription(ReplaceableSubscription);

/// Subscribes to the checks; replaces an earlier subscription.
#[tauri::command]
pub(crate) async fn follow_backend_checks(
    kiosk: State<'_, Kiosk>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
    following: State<'_, ChecksSubscription>,
    channel: Channel<ChecksView>,
) -> Result<(), Problem> {
    let until = following.0.replace_subscription_if_unlocked(&pin_lock, *clock)?;
    let (checks, kiosk) = (checks.inner().clone(), kiosk.inner().clone());
    tokio::spawn(async move {
        checks.stream_check_views(&kiosk, until, |view| channel.send(view).is_ok()).await;
    });
    Ok(())
}

/// Plans a run of the checks: returns what it would do.
#[tauri::command]
pub(crate) async fn plan_backend_checks(
    kiosk: State<'_, Kiosk>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
    ask: CheckRunOptions,
) -> Result<ChecksPlan, Problem> {
    pin_lock.require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    checks.plan_run(&kiosk.backend_config(), &ask, kiosk.running_visits().len()).await
}

/// Starts a run of the checks of the backend.
#[tauri::command]
pub(crate) async fn start_backend_checks(
    kiosk: State<'_, Kiosk>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
    ask: CheckRunOptions,
) -> Result<(), Problem> {
    pin_lock.require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    checks.start_run(&kiosk.backend_config(), &ask, kiosk.running_visits().len()).await
}

/// Stops the run of the checks.
#[tauri::command]
pub(crate) async fn stop_backend_checks(
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
) -> Result<(), Problem> {
    pin_lock.require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    checks.stop_run();
    Ok(())
}

/// Skips the check that waits for a phone.
#[tauri::command]
pub(crate) async fn skip_check_waiting_for_phone(
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
) -> Result<(), Problem> {
    pin_lock.require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    checks.skip_check_awaiting_phone();
    Ok(())
}

/// Saves the report; returns its folder.
#[tauri::command]
pub(crate) async fn save_report(
    kiosk: State<'_, Kiosk>,
    pin_lock: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
) -> Result<String, Problem> {
    pin_lock.require_unlocked_and_reset_idle(clock.millis_since_clock_creation())?;
    let (checks, data_store) = (checks.inner().clone(), kiosk.data_store().clone());
    super::save_off_thread_returning_display_path(move || checks.save_report(&data_store)).await
}
