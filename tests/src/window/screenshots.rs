//! Screenshots of a screen, and what they show.

use super::{DesktopSession, HarnessError, PixelRect, VirtualScreen};
use std::collections::HashSet;
use std::path::Path;

/// Takes a screenshot of the whole screen, independent of any page.
pub fn take_screenshot(desktop: &DesktopSession, screen: &VirtualScreen, file: &Path) -> Result<(), HarnessError> {
    let mut import = desktop.command("import");
    let output = import.args(["-display", screen.display(), "-window", "root", "-silent"]).arg(file).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("no screenshot: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Decodes the QR codes in a picture, as a phone's camera would.
pub fn decode_qr_codes(desktop: &DesktopSession, picture: &Path) -> Result<Vec<String>, HarnessError> {
    let mut reader = desktop.command("zbarimg");
    let output = reader.args(["--quiet", "--nodbus", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(picture).output()?;
    // Exit code 4: the picture has no QR code.
    match output.status.code() {
        Some(0 | 4) => Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect()),
        _ => Err(format!("zbarimg: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Counts the distinct colours in an area: one or two if it is blank, hundreds if it shows a lit avatar.
pub fn count_colours(picture: &Path, area: PixelRect) -> Result<usize, HarnessError> {
    let whole = image::open(picture)?.to_rgb8();
    let view = image::imageops::crop_imm(&whole, area.x, area.y, area.width, area.height).to_image();
    if view.is_empty() {
        return Err(format!("{area:?} lies outside of {}", picture.display()).into());
    }
    Ok(view.pixels().map(|pixel| pixel.0).collect::<HashSet<_>>().len())
}

/// The share of bright pixels in an area, 0.0..=1.0. On a dark page only text, pictures and buttons are that bright.
pub fn bright_share(picture: &Path, area: PixelRect) -> Result<f64, HarnessError> {
    let pixels = bright_pixels(picture, area)?;
    Ok(share(pixels.iter().filter(|bright| **bright).count(), pixels.len()))
}

/// The similarity of the text in two pictures, 0.0..=1.0: the share of bright pixels that are bright in both. Only text
/// is that bright; the background is animated.
pub fn text_similarity(first: &Path, second: &Path, area: PixelRect) -> Result<f64, HarnessError> {
    let (first, second) = (bright_pixels(first, area)?, bright_pixels(second, area)?);
    let count = |both: fn(bool, bool) -> bool| first.iter().zip(&second).filter(|(a, b)| both(**a, **b)).count();
    Ok(share(count(|a, b| a && b), count(|a, b| a || b)))
}

/// Whether each pixel of an area is bright, row by row.
fn bright_pixels(picture: &Path, area: PixelRect) -> Result<Vec<bool>, HarnessError> {
    let whole = image::open(picture)?.to_luma8();
    let view = image::imageops::crop_imm(&whole, area.x, area.y, area.width, area.height).to_image();
    Ok(view.pixels().map(|pixel| pixel.0[0] > 220).collect())
}

#[expect(clippy::cast_precision_loss, reason = "pixels of a screen")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl PixelRect {
    /// The whole of any picture.
    pub const WHOLE: Self = Self { x: 0, y: 0, width: u32::MAX, height: u32::MAX };
}
