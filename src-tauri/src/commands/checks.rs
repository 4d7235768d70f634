//! The checks of `copresence validate`: a few lines each over [`Checks`].

use super::desk::DeskSubscription;
use crate::checks::CheckRunner;
use copresence_booth::app::Kiosk;
use copresence_booth::panel::PinLock;
use copresence_booth::view::Problem;
use copresence_booth::view::checks::{ChecksPlan, ChecksRequest, ChecksView};
use copresence_engine::clock::Clock;
use tauri::State;
use tauri::ipc::Channel;

/// The subscription to the checks.
#[derive(Default)]
pub(crate) struct ChecksSubscription(DeskSubscription);

/// Subscribes to the checks; replaces an earlier subscription.
#[tauri::command]
pub(crate) async fn follow_checks(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
    following: State<'_, ChecksSubscription>,
    channel: Channel<ChecksView>,
) -> Result<(), Problem> {
    let until = following.0.replace_subscription(&gate, *clock)?;
    let (checks, kiosk) = (checks.inner().clone(), kiosk.inner().clone());
    tokio::spawn(async move {
        checks.stream_views(&kiosk, until, |view| channel.send(view).is_ok()).await;
    });
    Ok(())
}

/// Returns what a run would do.
#[tauri::command]
pub(crate) async fn plan_checks(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
    ask: ChecksRequest,
) -> Result<ChecksPlan, Problem> {
    gate.require_unlocked(clock.millis())?;
    checks.plan_run(&kiosk.backend_config(), &ask, kiosk.running_visits().len()).await
}

/// Starts a run.
#[tauri::command]
pub(crate) async fn start_checks(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
    ask: ChecksRequest,
) -> Result<(), Problem> {
    gate.require_unlocked(clock.millis())?;
    checks.start_run(&kiosk.backend_config(), &ask, kiosk.running_visits().len()).await
}

/// Stops the run.
#[tauri::command]
pub(crate) async fn stop_checks(
    gate: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
) -> Result<(), Problem> {
    gate.require_unlocked(clock.millis())?;
    checks.stop_run();
    Ok(())
}

/// Skips the check that waits for a phone.
#[tauri::command]
pub(crate) async fn skip_check(
    gate: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
) -> Result<(), Problem> {
    gate.require_unlocked(clock.millis())?;
    checks.skip_check();
    Ok(())
}

/// Saves the report; returns its folder.
#[tauri::command]
pub(crate) async fn save_report(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, PinLock>,
    clock: State<'_, Clock>,
    checks: State<'_, CheckRunner>,
) -> Result<String, Problem> {
    gate.require_unlocked(clock.millis())?;
    let (checks, disk) = (checks.inner().clone(), kiosk.disk().clone());
    super::save_off_thread(move || checks.save_report(&disk)).await
}
