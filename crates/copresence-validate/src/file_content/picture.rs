//! Decodes pictures completely, within a limit that is known from their headers.

use super::InspectionError;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// Maximum number of pixels of a decoded picture.
const MAX_PIXELS: u64 = 16 * 1024 * 1024;
/// How many times the memory of its pixels a JPEG takes whose coefficients are all kept: two bytes a coefficient beside
/// one byte a component.
const COEFFICIENT_COST: u64 = 3;
/// Maximum memory of a decoder, in bytes: pixels of four components with 16 bits each, and the decoder's buffers.
const MAX_DECODER_MEMORY: u64 = MAX_PIXELS * 8 + 32 * 1024 * 1024;

/// Decodes a picture. Returns its width and height in pixels.
pub(super) fn decode_picture_size(bytes: &[u8], format: ImageFormat) -> Result<(u32, u32), InspectionError> {
    let decoder =
        memory_limited_image_reader(bytes, format, MAX_DECODER_MEMORY).into_decoder().map_err(decode_error)?;
    let (width, height) = decoder.dimensions();
    let is_expensive = format == ImageFormat::Jpeg && jpeg_decoding_buffers_all_coefficients(bytes);
    let max = if is_expensive { MAX_PIXELS / COEFFICIENT_COST } else { MAX_PIXELS };
    if u64::from(width).saturating_mul(u64::from(height)) > max {
        let kind = if is_expensive { "a progressive JPEG" } else { "a picture" };
        return Err(InspectionError::limit_exceeded(format!(
            "it has {width} × {height} pixels, and {kind} of at most {max} pixels is decoded"
        )));
    }
    DynamicImage::from_decoder(decoder).map_err(decode_error)?;
    Ok((width, height))
}

/// An image reader of this format that may allocate at most `max_memory` bytes.
fn memory_limited_image_reader(bytes: &[u8], format: ImageFormat, max_memory: u64) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_memory);
    reader.limits(limits);
    reader
}

fn decode_error(error: image::ImageError) -> InspectionError {
    match error {
        image::ImageError::Limits(_) => InspectionError::limit_exceeded("decoding it takes too much memory"),
        error => format!("it cannot be decoded: {error}").into(),
    }
}

/// Whether a decoder has to keep all coefficients of a JPEG: it is progressive, its components are in several scans, or
/// its header is damaged.
fn jpeg_decoding_buffers_all_coefficients(bytes: &[u8]) -> bool {
    let mut frame_components = None;
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        // Fill bytes and damage before a marker are skipped, as decoders do.
        let Some(marker_at) = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff)) else {
            return true;
        };
        let Some([_, marker, after @ ..]) = rest.get(marker_at..) else { return true };
        let segment = after.first_chunk().and_then(|length| after.get(..usize::from(u16::from_be_bytes(*length))));
        match (marker, segment) {
            (0xc0 | 0xc1, Some([_, _, _, _, _, _, _, components, ..])) => frame_components = Some(*components),
            (0xda, Some([_, _, components, ..])) => return frame_components != Some(*components),
            // Start and restart markers have no segment.
            (0x01 | 0xd0..=0xd8, _) => {
                rest = after;
                continue;
            }
            // Also progressive frames.
            (0xc2..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, _) | (_, None) => return true,
            _ => {}
        }
        rest = after.get(segment.map_or(0, <[u8]>::len)..).unwrap_or_default();
    }
}
