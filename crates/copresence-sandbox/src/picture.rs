//! Decodes the visitor's picture: checked, rotated upright, and scaled down. It is kept in memory only.
//!
//! Strangers send these pictures, so the memory that decoding needs is computed from the headers, and bounded, before
//! anything is decoded.

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage, imageops::FilterType};
use std::io::Cursor;

/// Maximum length of the longer side after scaling, in pixels.
pub const MAX_KEPT_SIDE: u32 = 512;

/// Minimum length of the shorter side of an upload, in pixels.
const MIN_UPLOAD_SIDE: u32 = 32;

/// Maximum length of the longer side of an upload, in pixels.
const MAX_UPLOAD_SIDE: u32 = 4_096;

/// Maximum number of pixels of an upload. The phone page sends half a megapixel.
const MAX_UPLOAD_PIXELS: u64 = 16_000_000;

/// Maximum memory that one picture may need while it is decoded, in bytes: 16 megapixels in RGBA.
const MAX_DECODING_BYTES: u64 = 64_000_000;

/// Maximum memory for what a PNG has beside its pixels, in bytes. A colour profile of a few kilobytes can inflate to more
/// than the pixels need; a larger one is ignored, as every profile is.
const MAX_METADATA_BYTES: u64 = 4_000_000;

/// Why a picture is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// It is not a JPEG or PNG, or damaged.
    #[error("the picture cannot be decoded; send a JPEG or PNG")]
    Undecodable,
    /// Decoding it would need too much memory.
    #[error(
        "the picture is too large; send at most {MAX_UPLOAD_SIDE} pixels a side and 16 megapixels (JPEG with several \
         scans: 4 megapixels)"
    )]
    TooLarge,
    /// It is too small to show a face.
    #[error("the picture is too small; a face needs at least {MIN_UPLOAD_SIDE} pixels a side")]
    TooSmall,
}

/// Decodes a visitor's JPEG or PNG, turns it upright, and shrinks it to the size that is kept.
///
/// # Errors
/// The picture cannot be decoded, or is too large or too small.
pub fn decode_and_shrink_picture(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    let mut decoder = read_picture_headers(bytes)?;
    check_decoding_cost(bytes, &decoder)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| PictureError::Undecodable)?;
    if picture.width().max(picture.height()) > 2 * MAX_KEPT_SIDE {
        // Needs no memory beside the result. `resize` alone would need half as much again as the picture.
        picture = picture.thumbnail(2 * MAX_KEPT_SIDE, 2 * MAX_KEPT_SIDE);
    }
    if picture.width().max(picture.height()) > MAX_KEPT_SIDE {
        picture = picture.resize(MAX_KEPT_SIDE, MAX_KEPT_SIDE, FilterType::Triangle);
    }
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

/// Reads the headers of a JPEG or PNG, with [`MAX_METADATA_BYTES`] of memory. Returns the decoder of the pixels.
fn read_picture_headers(bytes: &[u8]) -> Result<impl ImageDecoder + '_, PictureError> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| PictureError::Undecodable)?;
    // Holds for the metadata and for rows of pixels, but not for the decoded picture.
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_METADATA_BYTES);
    reader.limits(limits);
    reader.into_decoder().map_err(|_| PictureError::Undecodable)
}

/// Refuses a picture by its headers: by its size, and by the memory that decoding it would need.
fn check_decoding_cost(bytes: &[u8], decoder: &impl ImageDecoder) -> Result<(), PictureError> {
    let (width, height) = decoder.dimensions();
    if width.min(height) < MIN_UPLOAD_SIDE {
        return Err(PictureError::TooSmall);
    }
    let pixels = u64::from(width) * u64::from(height);
    // PNG signatures do not start with 0xFF.
    let coefficients =
        if bytes.starts_with(&[0xff]) { max_jpeg_coefficient_memory_bytes(bytes, width, height) } else { 0 };
    let color = decoder.color_type();
    // A greyscale or RGBA picture is converted to RGB after scaling, which costs little.
    debug_assert!(color.bytes_per_pixel() <= ColorType::Rgba16.bytes_per_pixel(), "the types of JPEG and PNG");
    let cost = (pixels * u64::from(color.bytes_per_pixel())).saturating_add(coefficients);
    let is_too_large = width.max(height) > MAX_UPLOAD_SIDE || pixels > MAX_UPLOAD_PIXELS || cost > MAX_DECODING_BYTES;
    if is_too_large { Err(PictureError::TooLarge) } else { Ok(()) }
}

/// Upper bound on the memory for coefficients that the decoder holds for the whole JPEG, in bytes. 0 if it decodes row
/// by row, as it does if the first scan contains all components and the JPEG is not progressive.
///
/// Looks at every byte sequence that could be a frame or scan header, wherever it is. So no file can hide its real
/// headers from this function in a place where only the decoder finds them.
fn max_jpeg_coefficient_memory_bytes(bytes: &[u8], width: u32, height: u32) -> u64 {
    let (mut is_progressive, mut components, mut samples, mut fewest_scanned) = (false, 0, 0, u8::MAX);
    for (at, _) in bytes.windows(2).enumerate().filter(|(_, pair)| matches!(pair, [0xff, 0xc0..=0xc2 | 0xda])) {
        let marker = bytes[at + 1];
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { continue };
        let length = u16::from_be_bytes([high, low]);
        if marker == 0xda {
            // Start of scan: length, number of components, two bytes for each.
            let Some(&scanned) = bytes.get(at + 4) else { continue };
            if length == 6 + 2 * u16::from(scanned) {
                fewest_scanned = fewest_scanned.min(scanned);
            }
            continue;
        }
        // Start of frame: length, precision, height, width, number of components, three bytes for each.
        let Some(&declared) = bytes.get(at + 9) else { continue };
        let Some(described) = bytes.get(at + 10..at + 10 + 3 * usize::from(declared)) else { continue };
        if length == 8 + 3 * u16::from(declared) {
            is_progressive |= marker == 0xc2;
            components = components.max(declared);
            let factors =
                described.chunks_exact(3).map(|component| u64::from(component[1] >> 4) * u64::from(component[1] & 15));
            samples = samples.max(factors.sum());
        }
    }
    if !is_progressive && fewest_scanned >= components {
        return 0;
    }
    // Rounded up to whole blocks; two bytes for each coefficient.
    let padded = |side: u32| u64::from(side.next_multiple_of(32));
    2 * samples * padded(width) * padded(height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn encode_black(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height).write_to(&mut bytes, format).expect("encoded");
        bytes.into_inner()
    }

    #[test]
    fn large_picture_is_scaled_down_in_proportion() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let picture = decode_and_shrink_picture(&encode_black(1_600, 1_200, format)).expect("a picture");
            assert_eq!(picture.dimensions(), (512, 384));
        }
    }

    #[test]
    fn unusable_picture_is_refused() {
        assert_eq!(decode_and_shrink_picture(b"GIF89a nothing of use"), Err(PictureError::Undecodable));
        assert_eq!(
            decode_and_shrink_picture(&encode_black(100, 100, ImageFormat::Png)[..80]),
            Err(PictureError::Undecodable)
        );
        assert_eq!(decode_and_shrink_picture(&encode_black(8, 8, ImageFormat::Png)), Err(PictureError::TooSmall));
    }

    /// A black JPEG whose header claims this size, and has `from` replaced by `to`. Its scan ends too early.
    fn jpeg_with_patched_header(side: u16, from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut jpeg = encode_black(64, 64, ImageFormat::Jpeg);
        let mut patch = |from: &[u8], to: &[u8]| {
            let at = jpeg.windows(from.len()).position(|window| window == from).expect("the header");
            jpeg.splice(at..at + from.len(), to.iter().copied());
        };
        let [high, low] = side.to_be_bytes();
        patch(b"\xff\xc0\0\x11\x08\0\x40\0\x40", &[0xff, 0xc0, 0, 17, 8, high, low, high, low]);
        patch(from, to);
        jpeg
    }

    #[test]
    fn picture_with_too_many_pixels_is_refused_by_its_header() {
        for (width, height) in [(4_097, 33), (33, 4_097)] {
            for format in [ImageFormat::Jpeg, ImageFormat::Png] {
                // Without its end, so that decoding it would fail in another way.
                let mut picture = encode_black(width, height, format);
                picture.truncate(picture.len() - 20);
                assert_eq!(decode_and_shrink_picture(&picture), Err(PictureError::TooLarge), "{width} × {height}");
            }
        }
        let is_too_large = |side| {
            decode_and_shrink_picture(&jpeg_with_patched_header(side, b"\xff\xd8", b"\xff\xd8"))
                == Err(PictureError::TooLarge)
        };
        assert!(is_too_large(4_001) && !is_too_large(1_000));
        let mut deep = Cursor::new(Vec::new());
        DynamicImage::new_rgba16(4_000, 2_100).write_to(&mut deep, ImageFormat::Png).expect("encoded");
        assert_eq!(decode_and_shrink_picture(&deep.into_inner()), Err(PictureError::TooLarge), "8 bytes a pixel");
    }

    /// A PNG whose colour profile inflates to so many bytes.
    fn png_with_profile(bytes: usize) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        image::ImageEncoder::set_icc_profile(&mut encoder, vec![0; bytes]).expect("PNG has colour profiles");
        image::ImageEncoder::write_image(encoder, &[9; 3 * 64 * 64], 64, 64, image::ExtendedColorType::Rgb8)
            .expect("encoded");
        png.into_inner()
    }

    #[test]
    fn profile_that_inflates_to_more_than_the_pixels_is_not_inflated() {
        for (profile, is_read) in [(10_000, true), (60_000_000, false)] {
            let picture = png_with_profile(profile);
            let mut decoder = read_picture_headers(&picture).expect("a picture");
            assert_eq!(decoder.icc_profile().expect("readable").is_some(), is_read, "{profile} bytes");
            assert_eq!(decode_and_shrink_picture(&picture).map(|picture| picture.dimensions()), Ok((64, 64)));
        }
    }

    #[test]
    fn large_picture_needs_no_metadata() {
        let picture = encode_black(4_000, 4_000, ImageFormat::Png);
        assert_eq!(decode_and_shrink_picture(&picture).map(|picture| picture.dimensions()), Ok((512, 512)));
    }

    #[test]
    fn jpeg_that_is_decoded_as_a_whole_is_counted_with_its_coefficients() {
        let progressive = |side| jpeg_with_patched_header(side, b"\xff\xc0", b"\xff\xc2");
        // One component in its first scan, so that the decoder must hold all of them.
        let several_scans =
            |side| jpeg_with_patched_header(side, b"\xff\xda\0\x0c\x03\x01\0", b"\xff\xda\0\x08\x01\x01\0");
        for build in [&progressive as &dyn Fn(u16) -> Vec<u8>, &several_scans] {
            let picture = build(3_000);
            assert_eq!(decode_and_shrink_picture(&picture), Err(PictureError::TooLarge));
            assert!(max_jpeg_coefficient_memory_bytes(&picture, 3_000, 3_000) >= 2 * 3 * 3_000 * 3_000);
            assert_ne!(decode_and_shrink_picture(&build(720)), Err(PictureError::TooLarge));
        }
        assert_eq!(max_jpeg_coefficient_memory_bytes(&encode_black(64, 64, ImageFormat::Jpeg), 64, 64), 0);
    }

    /// A JPEG of 200 × 100 pixels with red, green, blue and white quarters and this EXIF orientation.
    fn jpeg_with_orientation(orientation: u8) -> Vec<u8> {
        let quarters = RgbImage::from_fn(200, 100, |x, y| match (x < 100, y < 50) {
            (true, true) => Rgb([230, 20, 20]),
            (false, true) => Rgb([20, 200, 20]),
            (true, false) => Rgb([20, 20, 230]),
            (false, false) => Rgb([255, 255, 255]),
        });
        let mut jpeg = Cursor::new(Vec::new());
        quarters.write_to(&mut jpeg, ImageFormat::Jpeg).expect("encoded");
        let jpeg = jpeg.into_inner();
        let head = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
        let tiff = [head.as_slice(), &[orientation, 0, 0, 0, 0, 0, 0]].concat();
        let length = u16::try_from(tiff.len() + 8).expect("short").to_be_bytes();
        [&jpeg[..2], b"\xff\xe1", &length, b"Exif\0\0", &tiff, &jpeg[2..]].concat()
    }

    #[test]
    fn every_exif_orientation_is_rotated_upright() {
        let upright =
            [(1, "rgbw"), (2, "grwb"), (3, "wbgr"), (4, "bwrg"), (5, "rbgw"), (6, "brwg"), (7, "wgbr"), (8, "gwrb")];
        for (orientation, expected) in upright {
            let picture = decode_and_shrink_picture(&jpeg_with_orientation(orientation)).expect("a picture");
            let (width, height) = picture.dimensions();
            assert_eq!((width, height), if orientation < 5 { (200, 100) } else { (100, 200) });
            let seen: String = [(1, 1), (3, 1), (1, 3), (3, 3)]
                .map(|(x, y)| {
                    let Rgb([r, g, b]) = *picture.get_pixel(width * x / 4, height * y / 4);
                    match (r > 150, g > 150, b > 150) {
                        (true, true, true) => 'w',
                        (true, false, false) => 'r',
                        (false, true, false) => 'g',
                        (false, false, true) => 'b',
                        _ => '?',
                    }
                })
                .iter()
                .collect();
            assert_eq!(seen, expected, "orientation {orientation}");
        }
    }

    #[test]
    fn invalid_exif_orientation_is_ignored() {
        assert_eq!(decode_and_shrink_picture(&jpeg_with_orientation(0)).expect("a picture").dimensions(), (200, 100));
        assert_eq!(decode_and_shrink_picture(&jpeg_with_orientation(77)).expect("a picture").dimensions(), (200, 100));
    }

    proptest! {
        // Few, because each picture is decoded.
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damaged_picture_is_decoded_or_refused_without_a_panic(
            is_png: bool,
            orientation: u8,
            changes in vec((any::<Index>(), any::<u8>()), 0..12),
            cut in proptest::option::weighted(0.2, any::<Index>()),
        ) {
            let mut bytes =
                if is_png { encode_black(200, 100, ImageFormat::Png) } else { jpeg_with_orientation(orientation) };
            for (place, byte) in changes {
                *place.get_mut(&mut bytes) = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(picture) = decode_and_shrink_picture(&bytes) {
                let (width, height) = picture.dimensions();
                prop_assert!(width.max(height) <= MAX_KEPT_SIDE, "{width} x {height}");
            }
        }
    }
}
