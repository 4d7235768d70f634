//! Decodes the visitor's picture: checked, rotated upright, and scaled down. It is kept in memory only.

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage, imageops::FilterType};
use std::io::Cursor;

/// Maximum length of the longer side after scaling, in pixels.
pub const MAX_KEPT_SIDE: u32 = 512;

/// Maximum length of the longer side of an upload, in pixels; far above any phone's camera.
const MAX_UPLOAD_SIDE: u32 = 12_000;

/// Why a picture is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// It is not a JPEG or PNG, damaged, or too large.
    #[error("the picture cannot be decoded; send a JPEG or PNG of at most 10 MB and {MAX_UPLOAD_SIDE} pixels a side")]
    Undecodable,
    /// It is too small to show a face.
    #[error("the picture is too small; a face needs at least 32 pixels a side")]
    TooSmall,
}

/// Decodes a JPEG or PNG.
///
/// # Errors
/// The picture cannot be decoded, or is too large or too small.
pub fn decode_and_shrink_picture(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    let unreadable = |_| PictureError::Undecodable;
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| PictureError::Undecodable)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_UPLOAD_SIDE);
    limits.max_image_height = Some(MAX_UPLOAD_SIDE);
    limits.max_alloc = Some(400 * 1024 * 1024);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    if picture.width().min(picture.height()) < 32 {
        return Err(PictureError::TooSmall);
    }
    if picture.width().max(picture.height()) > MAX_KEPT_SIDE {
        picture = picture.resize(MAX_KEPT_SIDE, MAX_KEPT_SIDE, FilterType::Triangle);
    }
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb};

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
        assert_eq!(
            decode_and_shrink_picture(&encode_black(12_001, 33, ImageFormat::Png)),
            Err(PictureError::Undecodable)
        );
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
}
