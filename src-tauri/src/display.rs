//! Checks that there is a display (the toolkit panics without one), and shows start errors on it.

use crate::StartError;

/// Checks that there is a display to open a window on.
#[cfg(target_os = "linux")]
pub(crate) fn check_display() -> Result<(), StartError> {
    gtk::init().map_err(|_| {
        StartError::usage(
            "there is no display to open a window on (is DISPLAY or WAYLAND_DISPLAY set?); \
             `copresence visit --auto` shows a visit in the terminal",
        )
    })
}

/// Does nothing: the display is checked on Linux only.
#[cfg(not(target_os = "linux"))]
pub(crate) fn check_display() -> Result<(), StartError> {
    Ok(())
}

/// Shows an error dialog and waits until it is closed. Does nothing without a display.
#[cfg(target_os = "linux")]
pub(crate) fn show_error_dialog(message: &str) {
    use gtk::prelude::{DialogExt, GtkWindowExt};
    if gtk::init().is_err() {
        return;
    }
    let heading = "The Copresence kiosk cannot start";
    let dialog = gtk::MessageDialog::builder()
        .message_type(gtk::MessageType::Error)
        .buttons(gtk::ButtonsType::Close)
        .title("Copresence Kiosk")
        .text(heading)
        .secondary_text(message)
        .build();
    dialog.set_keep_above(true);
    dialog.run();
}

/// Does nothing: there is a dialog on Linux only.
#[cfg(not(target_os = "linux"))]
pub(crate) fn show_error_dialog(_: &str) {}
