//! The link as a QR code: SVG, PNG, and blocks for a terminal; always with four quiet modules.

use qrcode::render::{svg, unicode};
use qrcode::{Color, EcLevel, QrCode as Encoder};

/// Modules around the QR code: "the quiet zone is 4 modules wide" (ISO/IEC 18004).
const QUIET_MODULES: usize = 4;

/// Why a link cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// The link is longer than the capacity of a QR code.
    #[error(
        "the link has {bytes} bytes, and a QR code holds {capacity}: shorten the profile's `link`, or ask the backend for shorter tokens"
    )]
    TooLong {
        /// Length of the link, in bytes.
        bytes: usize,
        /// Capacity at the lowest error correction, in bytes.
        capacity: usize,
    },
}

/// Capacity of a QR code, in bytes: version 40 at level L.
pub const MAX_LINK_BYTES: usize = 2953;

/// A link encoded as a QR code.
#[derive(Clone)]
pub struct QrCode {
    code: Encoder,
}

impl QrCode {
    /// Checks that a link can be encoded, without drawing the QR code.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn check_link_fits(link: &str) -> Result<(), QrError> {
        match qrcode::bits::encode_auto(link.as_bytes(), EcLevel::L) {
            Ok(_) => Ok(()),
            Err(_) => Err(QrError::TooLong { bytes: link.len(), capacity: MAX_LINK_BYTES }),
        }
    }

    /// Encodes a link with the strongest error correction that needs no larger QR code.
    ///
    /// # Errors
    /// The link is longer than [`MAX_LINK_BYTES`].
    pub fn new(link: &str) -> Result<Self, QrError> {
        let fits = |level| Encoder::with_error_correction_level(link.as_bytes(), level).ok();
        let small = |code: &Encoder| code.width() <= 45; // version 7
        let code = [EcLevel::Q, EcLevel::M]
            .into_iter()
            .find_map(|level| fits(level).filter(small))
            .or_else(|| fits(EcLevel::L));
        code.map(|code| Self { code }).ok_or(QrError::TooLong { bytes: link.len(), capacity: MAX_LINK_BYTES })
    }

    /// Encodes a link in as few modules as possible, with the weakest error correction: for a terminal that is too
    /// small for the QR code of [`Self::new`], and for a screen, where a QR code is never damaged.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn encode_with_fewest_modules(link: &str) -> Result<Self, QrError> {
        let code = Encoder::with_error_correction_level(link.as_bytes(), EcLevel::L);
        code.map(|code| Self { code }).map_err(|_| QrError::TooLong { bytes: link.len(), capacity: MAX_LINK_BYTES })
    }

    /// Modules per side, without the quiet zone.
    pub fn modules_per_side(&self) -> usize {
        self.code.width()
    }

    /// An SVG image, dark on white.
    pub fn to_svg(&self) -> String {
        self.code
            .render::<svg::Color<'_>>()
            .quiet_zone(true)
            .min_dimensions(256, 256)
            .dark_color(svg::Color("#0b0d17"))
            .light_color(svg::Color("#ffffff"))
            .build()
    }

    /// A PNG image with `module` pixels per module.
    ///
    /// # Errors
    /// When the encoder fails, for example for want of memory.
    pub fn to_png(&self, module: u32) -> Result<Vec<u8>, image::ImageError> {
        let picture = self.code.render::<image::Luma<u8>>().quiet_zone(true).module_dimensions(module, module).build();
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png)?;
        Ok(bytes.into_inner())
    }

    /// Half blocks with two modules per character, for a terminal with a dark background. It has no colour codes, so
    /// that it works with `--no-color` and in a pipe.
    pub fn to_half_blocks(&self) -> String {
        self.code
            .render::<unicode::Dense1x2>()
            .quiet_zone(true)
            .dark_color(unicode::Dense1x2::Light)
            .light_color(unicode::Dense1x2::Dark)
            .build()
    }

    /// Whether a module is dark. Coordinates include the quiet zone, in which no module is dark.
    pub fn is_module_dark(&self, x: usize, y: usize) -> bool {
        let inside = |v: usize| v.checked_sub(QUIET_MODULES).filter(|v| *v < self.modules_per_side());
        matches!((inside(x), inside(y)), (Some(x), Some(y)) if self.code[(x, y)] == Color::Dark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(picture: &image::GrayImage) -> String {
        let mut prepared = rqrr::PreparedImage::prepare(picture.clone());
        let grids = prepared.detect_grids();
        grids.first().expect("a code is seen").decode().expect("it decodes").1
    }

    #[test]
    fn a_link_that_is_too_long_is_refused_with_both_lengths() {
        let error = QrCode::new(&"x".repeat(MAX_LINK_BYTES + 1)).err();
        assert_eq!(error.expect("too long"), QrError::TooLong { bytes: MAX_LINK_BYTES + 1, capacity: MAX_LINK_BYTES });
        assert!(QrCode::new(&"x".repeat(MAX_LINK_BYTES)).is_ok());
        for bytes in [1, MAX_LINK_BYTES, MAX_LINK_BYTES + 1] {
            let link = "x".repeat(bytes);
            assert_eq!(QrCode::check_link_fits(&link).err(), QrCode::new(&link).err(), "{bytes} bytes");
        }
    }

    #[test]
    fn a_short_link_gets_stronger_error_correction() {
        let code = QrCode::new("https://a.test/?exportToken=abcdefghij").expect("fits");
        assert_eq!(code.code.error_correction_level(), EcLevel::Q);
        let code = QrCode::new(&format!("https://a.test/?exportToken={}", "a".repeat(300))).expect("fits");
        assert_eq!(code.code.error_correction_level(), EcLevel::L);
    }

    #[test]
    fn the_smallest_code_is_smaller_and_is_scanned_the_same() {
        let link = "http://127.0.0.1:41587/phone?exportToken=0Za3BfVAv9pRMUPLSsLN6jlq";
        let (small, usual) =
            (QrCode::encode_with_fewest_modules(link).expect("fits"), QrCode::new(link).expect("fits"));
        assert!(small.modules_per_side() < usual.modules_per_side());
        let png = image::load_from_memory(&small.to_png(4).expect("png")).expect("decodes").to_luma8();
        assert_eq!(decode(&png), link);
    }

    #[test]
    fn every_format_has_four_quiet_modules_on_each_side() {
        let code = QrCode::new("https://a.test/?exportToken=abc").expect("fits");
        let side = code.modules_per_side() + 2 * QUIET_MODULES;
        let png = image::load_from_memory(&code.to_png(1).expect("png")).expect("decodes").to_luma8();
        assert_eq!(png.width() as usize, side);
        let quiet = |x: u32, y: u32| {
            let edge = |v: u32| (v as usize) < QUIET_MODULES || (v as usize) >= side - QUIET_MODULES;
            edge(x) || edge(y)
        };
        assert!(png.enumerate_pixels().all(|(x, y, p)| !quiet(x, y) || p.0[0] == 255));
        assert_eq!(code.to_half_blocks().lines().next().map(|line| line.chars().count()), Some(side));
        assert!(code.to_svg().contains("viewBox=\"0 0 "));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn every_format_is_scanned_as_the_link(token in "[a-zA-Z0-9:/?&=%-]{1,400}") {
            let link = format!("https://app.test/?exportToken={token}");
            let code = QrCode::new(&link).expect("fits");
            let png = image::load_from_memory(&code.to_png(4).expect("png")).expect("decodes").to_luma8();
            prop_assert_eq!(decode(&png), link.clone());
            // The terminal's half blocks, as pixels: a drawn half is light.
            let lines: Vec<Vec<char>> = code.to_half_blocks().lines().map(|line| line.chars().collect()).collect();
            let side = u32::try_from(lines[0].len()).expect("small");
            let shown = image::GrayImage::from_fn(side * 4, side * 4, |x, y| {
                let (column, row) = ((x / 4) as usize, (y / 4) as usize);
                let character = lines.get(row / 2).and_then(|line| line.get(column)).copied().unwrap_or('█');
                let light = match character { '█' => true, '▀' => row % 2 == 0, '▄' => row % 2 == 1, _ => false };
                image::Luma([if light { 255 } else { 0 }])
            });
            prop_assert_eq!(decode(&shown), link);
        }
    }
}
