//! What the page says of itself.

use crate::window::Heart;
use tauri::State;

/// The page lives. One that has fallen silent is ended and loaded anew.
#[tauri::command]
pub(super) async fn alive(heart: State<'_, Heart>, hidden: bool) -> Result<(), ()> {
    heart.beat(hidden);
    Ok(())
}
