//! From how far away a phone can read the QR code on this machine's monitors.
//!
//! The monitor's size comes from its EDID, the code's size from the layout of the screen, and the number of modules from
//! the link. A phone's camera is taken to see 69° with 1,920 pixels (the main camera of most phones, in the resolution in
//! which they search for codes), and to need three pixels per module.

use super::{PartHealth, doubtful_part_health, good_part_health, part, unknown_part_health};
use crate::qr::QrCode;
use copresence_protocol::{ExportToken, LinkTemplate};
use std::path::Path;

/// Pixels per radian of a phone's camera: 1,920 / (2 × tan(69° / 2)).
const CAMERA_PIXELS_PER_RADIAN: f64 = 1397.0;
/// Pixels per module that a reader needs.
const MIN_PIXELS_PER_MODULE: f64 = 3.0;
/// Distance from which the QR code must be readable, in metres. A shorter reading distance is doubtful.
const MIN_READING_DISTANCE_METRES: f64 = 2.0;
/// Modules of the quiet zone on both sides together.
const QUIET_MODULES: usize = 8;
/// Length of the token in the sample link, in characters. Export Tokens are shorter.
const SAMPLE_TOKEN_LENGTH: usize = 40;
/// Width of the QR image as a fraction of the width of its panel (`ui/src/parts/QrPanel.svelte`: 1.2 % padding on each
/// side).
const QR_IMAGE_SHARE_OF_PANEL: f64 = 0.976;

/// Size of a monitor's picture in millimetres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MonitorSize {
    width: u32,
    height: u32,
}

/// Checks the distance for visits with this link template, on the connected monitors. Blocks on the disk.
pub fn check_qr_reading_distance(link: &LinkTemplate) -> PartHealth {
    let token = ExportToken::new("x".repeat(SAMPLE_TOKEN_LENGTH)).ok();
    let code = token.and_then(|token| QrCode::new(&link.link_for_token(&token)).ok());
    let Some(modules) = code.map(|code| code.modules_per_side()) else {
        return doubtful_part_health(
            part::QR_CODE_DISTANCE,
            "the link is too long for a QR code",
            "Shorten the profile's `link`",
        );
    };
    let folder = Path::new("/sys/class/drm");
    let monitors = if cfg!(target_os = "linux") { read_connected_monitor_sizes(folder) } else { Vec::new() };
    let Some((name, size)) = monitors.into_iter().min_by_key(|(_, size)| size.width.min(size.height)) else {
        return unknown_part_health(
            part::QR_CODE_DISTANCE,
            format_args!(
                "{modules} modules per side; no monitor says how large it is, so the reading distance is unknown"
            ),
        );
    };
    build_qr_distance_health(&name, size, modules)
}

/// The health for a QR code of this many modules per side that fills its place on a monitor of this size.
fn build_qr_distance_health(monitor: &str, size: MonitorSize, modules: usize) -> PartHealth {
    let distance = compute_reading_distance_metres(size, modules);
    let seen = format!(
        "readable from {distance:.1} m: {modules} modules per side on {monitor}, {} × {} mm",
        size.width, size.height
    );
    if distance < MIN_READING_DISTANCE_METRES {
        doubtful_part_health(
            part::QR_CODE_DISTANCE,
            seen,
            "Visitors at two metres must step closer: use a larger monitor, or a shorter `link` in the profile",
        )
    } else {
        good_part_health(part::QR_CODE_DISTANCE, seen)
    }
}

/// The distance in metres from which a phone can read the QR code.
fn compute_reading_distance_metres(size: MonitorSize, modules: usize) -> f64 {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    // The layout of `ui/src/parts/QrPanel.svelte`.
    let panel = if width >= height { (0.56 * height).min(0.40 * width) } else { (0.355 * height).min(0.63 * width) };
    let all_modules = u32::try_from(modules + QUIET_MODULES).map_or(f64::INFINITY, f64::from);
    let module_millimetres = panel * QR_IMAGE_SHARE_OF_PANEL / all_modules;
    module_millimetres / 1000.0 * CAMERA_PIXELS_PER_RADIAN / MIN_PIXELS_PER_MODULE
}

/// The connected monitors that say how large they are, by the name of their connector.
fn read_connected_monitor_sizes(connectors: &Path) -> Vec<(String, MonitorSize)> {
    let Ok(entries) = std::fs::read_dir(connectors) else { return Vec::new() };
    let size = |entry: std::fs::DirEntry| {
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        if status.trim() != "connected" {
            return None;
        }
        let size = parse_monitor_size_from_edid(&std::fs::read(entry.path().join("edid")).ok()?)?;
        // `card0-HDMI-A-1`
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = name.split_once('-').map_or(name.clone(), |(_, connector)| connector.to_owned());
        Some((name, size))
    };
    entries.flatten().filter_map(size).collect()
}

/// The size in an EDID (VESA E-EDID 1.4): of its first detailed timing in millimetres, else of its basic parameters in
/// centimetres. `None` if it is not an EDID, or a projector, which says no size.
fn parse_monitor_size_from_edid(edid: &[u8]) -> Option<MonitorSize> {
    const HEADER: [u8; 8] = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
    let timing = edid.get(54..72).filter(|_| edid.starts_with(&HEADER))?;
    let has_timing = timing[0] != 0 || timing[1] != 0;
    let millimetres = |low: u8, high: u8| u32::from(low) | (u32::from(high) << 8);
    let detailed = MonitorSize {
        width: millimetres(timing[12], timing[14] >> 4),
        height: millimetres(timing[13], timing[14] & 0x0f),
    };
    let basic = MonitorSize { width: u32::from(edid[21]) * 10, height: u32::from(edid[22]) * 10 };
    // Some monitors have an aspect ratio such as 16 × 9 in place of a size.
    let is_usable = |size: &MonitorSize| size.width >= 50 && size.height >= 50;
    Some(detailed).filter(|size| has_timing && is_usable(size)).or(Some(basic).filter(is_usable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::PartHealthState;

    fn edid(width: u16, height: u16, centimetres: [u8; 2]) -> Vec<u8> {
        let mut edid = vec![0; 128];
        edid[..8].copy_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
        edid[21..23].copy_from_slice(&centimetres);
        edid[54] = 1;
        let ([width_high, width_low], [height_high, height_low]) = (width.to_be_bytes(), height.to_be_bytes());
        (edid[66], edid[67], edid[68]) = (width_low, height_low, (width_high << 4) | height_high);
        edid
    }

    #[test]
    fn the_monitor_size_is_parsed_from_its_edid() {
        let size = |edid: &[u8]| parse_monitor_size_from_edid(edid).map(|size| (size.width, size.height));
        assert_eq!(size(&edid(708, 398, [70, 40])), Some((708, 398)));
        assert_eq!(size(&edid(16, 9, [160, 90])), Some((1600, 900)), "an aspect ratio");
        assert_eq!(size(&edid(0, 0, [0, 0])), None, "a projector");
        assert_eq!(size(&[0; 128]), None);
        assert_eq!(size(b"short"), None);
    }

    #[test]
    fn a_small_monitor_is_doubtful() {
        let health = |width, height| build_qr_distance_health("HDMI-A-1", MonitorSize { width, height }, 37);
        let large = health(1210, 680);
        assert_eq!(large.stand, PartHealthState::Good, "55 inches: {large:?}");
        assert!(large.seen.starts_with("readable from 3.8 m"), "{large:?}");
        assert_eq!(health(680, 1210).stand, PartHealthState::Good, "upright: {:?}", health(680, 1210));
        let small = health(310, 174);
        assert_eq!(small.stand, PartHealthState::Doubtful, "a notebook: {small:?}");
    }

    #[test]
    fn connected_monitors_are_found_by_their_connector() {
        let root = tempfile::tempdir().expect("a folder");
        for (name, status) in [("card0-HDMI-A-1", "connected\n"), ("card0-DP-1", "disconnected\n"), ("version", "")] {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).expect("made");
            std::fs::write(folder.join("status"), status).expect("written");
            std::fs::write(folder.join("edid"), edid(708, 398, [70, 40])).expect("written");
        }
        let size = MonitorSize { width: 708, height: 398 };
        assert_eq!(read_connected_monitor_sizes(root.path()), [("HDMI-A-1".to_owned(), size)]);
        assert_eq!(read_connected_monitor_sizes(&root.path().join("none")), []);
    }
}
