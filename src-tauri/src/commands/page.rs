//! The page's heartbeat.

use crate::window::Heart;
use tauri::State;

/// A heartbeat. A page that sends none for too long is reloaded.
#[tauri::command]
pub(super) async fn alive(heart: State<'_, Heart>, hidden: bool) -> Result<(), ()> {
    heart.beat(hidden);
    Ok(())
}
