//! Whether there is a screen to open a window on (the toolkit would panic without one), and what is said there when the
//! window itself cannot be opened.

use crate::Failure;

#[cfg(target_os = "linux")]
pub(crate) fn check() -> Result<(), Failure> {
    gtk::init().map_err(|_| {
        Failure::usage(
            "there is no display to open a window on (is DISPLAY or WAYLAND_DISPLAY set?); \
             `copresence visit --auto` shows a visit in the terminal",
        )
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn check() -> Result<(), Failure> {
    Ok(())
}

/// Says why the program ends, and waits until it is read. Without a screen there is nobody to read it.
#[cfg(target_os = "linux")]
pub(crate) fn show_failure(message: &str) {
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

#[cfg(not(target_os = "linux"))]
pub(crate) fn show_failure(_: &str) {}
