//! Decodes pictures completely.

use image::{ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// Maximum width and height of a picture, in pixels.
const MAX_SIDE: u32 = 16_384;

/// Decodes a picture. Returns its width and height in pixels.
pub(super) fn decode_picture_size(bytes: &[u8], format: ImageFormat) -> Result<(u32, u32), String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| format!("it cannot be decoded: {error}"))?;
    Ok((picture.width(), picture.height()))
}
