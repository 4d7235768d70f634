//! What this machine's graphics need, as far as it can be told without a window.

use super::{PartHealth, good_part_health, part, unknown_part_health};
use std::path::Path;

/// The variable that disables the DMA-BUF renderer of `WebKitGTK`, which fails with some drivers.
pub const DISABLE_DMABUF_VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Whether NVIDIA's own driver is loaded. Always false on other systems than Linux.
pub fn has_nvidia_driver() -> bool {
    let files = ["/proc/driver/nvidia/version", "/sys/module/nvidia/version"];
    cfg!(target_os = "linux") && files.iter().any(|path| Path::new(path).exists())
}

/// Whether there is a graphics device that draws. Always false on other systems than Linux.
pub fn has_graphics_device() -> bool {
    if !cfg!(target_os = "linux") {
        return false;
    }
    let Ok(entries) = std::fs::read_dir("/dev/dri") else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
}

/// Names the workaround that the window will use on this machine.
pub fn check_graphics_workaround(env: &dyn Fn(&str) -> Option<String>) -> PartHealth {
    if !cfg!(target_os = "linux") {
        return unknown_part_health(part::GRAPHICS, "drawn by the system's web view");
    }
    build_graphics_health(env(DISABLE_DMABUF_VARIABLE).as_deref(), has_nvidia_driver(), has_graphics_device())
}

/// The health for this value of the variable, NVIDIA driver and graphics device.
fn build_graphics_health(variable: Option<&str>, has_nvidia: bool, has_device: bool) -> PartHealth {
    match variable {
        Some(value) => {
            good_part_health(part::GRAPHICS, format_args!("{DISABLE_DMABUF_VARIABLE}={value}, from the environment"))
        }
        None if has_nvidia => good_part_health(
            part::GRAPHICS,
            format_args!("an NVIDIA driver is loaded: `copresence-kiosk` sets {DISABLE_DMABUF_VARIABLE}=1 by itself"),
        ),
        None if has_device => good_part_health(
            part::GRAPHICS,
            format_args!(
                "no workaround is known to be needed; `copresence-kiosk` sets {DISABLE_DMABUF_VARIABLE}=1 if it draws nothing"
            ),
        ),
        None => {
            unknown_part_health(part::GRAPHICS, "no graphics device: pages are drawn by the processor, which is slow")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphics_health_names_the_workaround() {
        assert!(build_graphics_health(None, true, true).seen.contains("by itself"));
        assert!(build_graphics_health(Some("0"), true, true).seen.contains("=0, from the environment"));
        assert!(build_graphics_health(None, false, true).seen.contains("if it draws nothing"));
        assert!(build_graphics_health(None, false, false).seen.contains("slow"));
    }
}
