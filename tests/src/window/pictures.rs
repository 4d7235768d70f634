//! The eyes: what is really on a screen.

use super::{Desk, Part, Screen, Trouble};
use std::collections::HashSet;
use std::path::Path;

/// Takes a picture of everything on the screen, not of what a page says that it shows.
pub fn photograph(desk: &Desk, screen: &Screen, file: &Path) -> Result<(), Trouble> {
    let mut camera = desk.command("import");
    let output =
        camera.args(["-display", screen.display(), "-window", "root", "-silent"]).arg(file).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("no screenshot: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// What the QR codes in a picture say, as a phone's camera would read them.
pub fn decode_qr(desk: &Desk, picture: &Path) -> Result<Vec<String>, Trouble> {
    let mut reader = desk.command("zbarimg");
    let output = reader
        .args(["--quiet", "--nodbus", "--raw", "-Sdisable", "-Sqrcode.enable"])
        .arg(picture)
        .output()?;
    // 4 means that there is none in the picture.
    match output.status.code() {
        Some(0 | 4) => Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect()),
        _ => Err(format!("zbarimg: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// How many different colours a part of a picture has: one or two when it is blank, hundreds with a lit face.
pub fn colours(picture: &Path, part: Part) -> Result<usize, Trouble> {
    let whole = image::open(picture)?.to_rgb8();
    let view = image::imageops::crop_imm(&whole, part.x, part.y, part.width, part.height).to_image();
    if view.is_empty() {
        return Err(format!("{part:?} lies outside of {}", picture.display()).into());
    }
    Ok(view.pixels().map(|pixel| pixel.0).collect::<HashSet<_>>().len())
}

/// How alike two pictures' words are, from 0 to 1: the share of bright pixels that they have in common. Words keep
/// their places; the light behind them moves, and is never as bright.
pub fn likeness(one: &Path, other: &Path, part: Part) -> Result<f64, Trouble> {
    let bright = |picture: &Path| -> Result<Vec<bool>, Trouble> {
        let whole = image::open(picture)?.to_luma8();
        let view = image::imageops::crop_imm(&whole, part.x, part.y, part.width, part.height).to_image();
        Ok(view.pixels().map(|pixel| pixel.0[0] > 220).collect())
    };
    let (one, other) = (bright(one)?, bright(other)?);
    let count = |both: fn(bool, bool) -> bool| one.iter().zip(&other).filter(|(a, b)| both(**a, **b)).count();
    let (common, all) = (count(|a, b| a && b), count(|a, b| a || b));
    #[expect(clippy::cast_precision_loss, reason = "pixels of a screen")]
    Ok(if all == 0 { 0.0 } else { common as f64 / all as f64 })
}

impl Part {
    /// All of any picture.
    pub const WHOLE: Self = Self { x: 0, y: 0, width: u32::MAX, height: u32::MAX };
}
