//! The known workaround for drivers with which `WebKitGTK` draws nothing: `WEBKIT_DISABLE_DMABUF_RENDERER=1`.
//!
//! `WebKitGTK` reads the variable at its start, so the program replaces itself by a new instance with the variable set:
//! at its start if an NVIDIA driver is loaded, or when no frame was drawn although there is a graphics device.

use copresence_engine::health::graphics::{DISABLE_DMABUF_VARIABLE, has_graphics_device, has_nvidia_driver};
use copresence_engine::health::{self, PartHealth, part};

/// Set by the program itself beside [`DISABLE_DMABUF_VARIABLE`]: why.
const WORKAROUND_REASON_VARIABLE: &str = "COPRESENCE_GRAPHICS_WORKAROUND";

/// The variables with which the program has to be started again because an NVIDIA driver is loaded and the workaround is
/// not set. Empty if that is not needed.
pub(crate) fn restart_variables_for_nvidia_driver() -> Vec<(&'static str, &'static str)> {
    if std::env::var_os(DISABLE_DMABUF_VARIABLE).is_none() && has_nvidia_driver() {
        workaround_variables_with_reason("an NVIDIA driver is loaded").to_vec()
    } else {
        Vec::new()
    }
}

/// The variables of the workaround, with the reason.
pub(crate) fn workaround_variables_with_reason(reason: &'static str) -> [(&'static str, &'static str); 2] {
    [(DISABLE_DMABUF_VARIABLE, "1"), (WORKAROUND_REASON_VARIABLE, reason)]
}

/// Whether the workaround can be tried because no frame was drawn.
pub(crate) fn can_try_workaround() -> bool {
    cfg!(target_os = "linux") && std::env::var_os(DISABLE_DMABUF_VARIABLE).is_none() && has_graphics_device()
}

/// The state of the workaround, for *Health*.
pub(crate) fn report_graphics_workaround_health() -> PartHealth {
    let value = std::env::var(DISABLE_DMABUF_VARIABLE).unwrap_or_default();
    match std::env::var(WORKAROUND_REASON_VARIABLE) {
        Ok(reason) => health::good_part_health(
            part::GRAPHICS,
            format_args!("{DISABLE_DMABUF_VARIABLE}={value}, set by the program because {reason}"),
        ),
        Err(_) if !value.is_empty() => health::good_part_health(
            part::GRAPHICS,
            format_args!("{DISABLE_DMABUF_VARIABLE}={value}, from the environment"),
        ),
        Err(_) => health::good_part_health(part::GRAPHICS, "frames are drawn without a workaround"),
    }
}
