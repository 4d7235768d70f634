//! The checks of `copresence validate`: a few lines each over [`Checks`].

use super::desk::Follower;
use crate::checks::Checks;
use kiosk::app::Kiosk;
use kiosk::clock::Clock;
use kiosk::panel::Gate;
use kiosk::view::Problem;
use kiosk::view::checks::{ChecksAsk, ChecksPlan, ChecksView};
use tauri::State;
use tauri::ipc::Channel;

/// The subscription to the checks.
#[derive(Default)]
pub(crate) struct Following(Follower);

/// Subscribes to the checks; replaces an earlier subscription.
#[tauri::command]
pub(crate) async fn follow_checks(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    checks: State<'_, Checks>,
    following: State<'_, Following>,
    channel: Channel<ChecksView>,
) -> Result<(), Problem> {
    let until = following.0.replace(&gate, *clock)?;
    let (checks, kiosk) = (checks.inner().clone(), kiosk.inner().clone());
    tokio::spawn(async move {
        checks.tell(&kiosk, until, |view| channel.send(view).is_ok()).await;
    });
    Ok(())
}

/// Returns what a run would do.
#[tauri::command]
pub(crate) async fn plan_checks(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    checks: State<'_, Checks>,
    ask: ChecksAsk,
) -> Result<ChecksPlan, Problem> {
    gate.check(clock.moment())?;
    checks.plan(&kiosk.backing(), &ask, kiosk.live().len()).await
}

/// Starts a run.
#[tauri::command]
pub(crate) async fn start_checks(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    checks: State<'_, Checks>,
    ask: ChecksAsk,
) -> Result<(), Problem> {
    gate.check(clock.moment())?;
    checks.start(&kiosk.backing(), &ask, kiosk.live().len()).await
}

/// Stops the run.
#[tauri::command]
pub(crate) async fn stop_checks(
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    checks: State<'_, Checks>,
) -> Result<(), Problem> {
    gate.check(clock.moment())?;
    checks.stop();
    Ok(())
}

/// Skips the check that waits for a phone.
#[tauri::command]
pub(crate) async fn skip_check(
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    checks: State<'_, Checks>,
) -> Result<(), Problem> {
    gate.check(clock.moment())?;
    checks.skip();
    Ok(())
}

/// Saves the report; returns its folder.
#[tauri::command]
pub(crate) async fn save_report(
    kiosk: State<'_, Kiosk>,
    gate: State<'_, Gate>,
    clock: State<'_, Clock>,
    checks: State<'_, Checks>,
) -> Result<String, Problem> {
    gate.check(clock.moment())?;
    let (checks, disk) = (checks.inner().clone(), kiosk.disk().clone());
    super::saved(move || checks.save(&disk)).await
}
