//! The page's heartbeat.

use crate::window::PageWatchdog;
use tauri::State;

/// Records a heartbeat of the page; a page that sends none for too long is reloaded.
#[tauri::command]
pub(super) async fn receive_heartbeat(heart: State<'_, PageWatchdog>, hidden: bool) -> Result<(), ()> {
    heart.record_heartbeat(hidden);
    Ok(())
}
