//! What the page says of itself.

use crate::window::PageWatchdog;
use tauri::State;

/// The page lives. One that has fallen silent is ended and loaded anew.
#[tauri::command]
pub(super) async fn alive(heart: State<'_, PageWatchdog>, hidden: bool) -> Result<(), ()> {
    heart.heartbeat(hidden);
    Ok(())
}
