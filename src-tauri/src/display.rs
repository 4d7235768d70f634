//! Whether there is a screen to open a window on: the toolkit would panic without one.

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
