//! Reads the headers of images: format, width and height.

/// Format of an image, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageFormat {
    Jpeg,
    Png,
    WebP,
    Ktx2,
    Avif,
}

impl ImageFormat {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Ktx2 => "image/ktx2",
            Self::Avif => "image/avif",
        }
    }

    /// The name of the image format for messages, as in `JPEG`.
    pub(super) fn format_name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Ktx2 => "KTX2",
            Self::Avif => "AVIF",
        }
    }
}

/// Width and height in pixels.
pub(super) type ImageSize = (u32, u32);

/// The shortest image of a known format, in bytes.
const SHORTEST_IMAGE: usize = 14;
const KTX2_SIGNATURE: &[u8] = b"\xabKTX 20\xbb\r\n\x1a\n";
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Recognises the format; `None` for an unknown one.
pub(super) fn recognize_image_format(bytes: &[u8]) -> Option<ImageFormat> {
    if bytes.len() < SHORTEST_IMAGE {
        return None;
    }
    let has = |offset: usize, part: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(part));
    Some(match () {
        () if has(0, b"\xff\xd8\xff") => ImageFormat::Jpeg,
        () if has(0, PNG_SIGNATURE) => ImageFormat::Png,
        () if has(0, b"RIFF") && has(8, b"WEBPVP") => ImageFormat::WebP,
        () if has(0, KTX2_SIGNATURE) => ImageFormat::Ktx2,
        () if has(4, b"ftypavif") || has(4, b"ftypavis") => ImageFormat::Avif,
        () => return None,
    })
}

/// The size of an image of this format. The error says what is wrong with the header. `None` if it is not read.
pub(super) fn read_image_size(bytes: &[u8], format: ImageFormat) -> Result<Option<ImageSize>, &'static str> {
    match format {
        ImageFormat::Jpeg => read_jpeg_size(bytes).map(Some),
        ImageFormat::Png => read_png_size(bytes).map(Some),
        ImageFormat::WebP => read_webp_size(bytes).map(Some),
        ImageFormat::Ktx2 => Ok(read_little_endian_number(bytes, 20, 4).zip(read_little_endian_number(bytes, 24, 4))),
        ImageFormat::Avif => Ok(find_avif_size(bytes)),
    }
}

const CUT_OFF: &str = "the image is cut off";

/// A number of up to four bytes at an offset, the lowest byte first.
fn read_little_endian_number(bytes: &[u8], offset: usize, length: usize) -> Option<u32> {
    let part = bytes.get(offset..offset.checked_add(length)?)?;
    Some(part.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A number of up to four bytes at an offset, the highest byte first.
fn read_big_endian_number(bytes: &[u8], offset: usize, length: usize) -> Option<u32> {
    let part = bytes.get(offset..offset.checked_add(length)?)?;
    Some(part.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The size in the first frame of a JPEG.
fn read_jpeg_size(bytes: &[u8]) -> Result<ImageSize, &'static str> {
    let mut rest = bytes;
    loop {
        // Bytes without a segment are skipped, as decoders do.
        let marker_at = rest.iter().position(|byte| !matches!(byte, 0x01 | 0xd0..=0xd9 | 0xff)).ok_or(CUT_OFF)?;
        let marker = *rest.get(marker_at).ok_or(CUT_OFF)?;
        let after = rest.get(marker_at.saturating_add(1)..).ok_or(CUT_OFF)?;
        let length = read_big_endian_number(after, 0, 2).ok_or(CUT_OFF)? as usize;
        if length < 2 {
            return Err("the length of a JPEG segment is wrong");
        }
        let segment = after.get(2..length).ok_or(CUT_OFF)?;
        if matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xde) {
            let (height, width) = (read_big_endian_number(segment, 1, 2), read_big_endian_number(segment, 3, 2));
            return match (width, height, segment.get(5)) {
                (Some(width), Some(height), Some(1 | 3)) => Ok((width, height)),
                _ => Err("the JPEG has neither one nor three colour channels"),
            };
        }
        rest = after.get(length..).unwrap_or_default();
    }
}

/// The size of a PNG, whose chunks are walked through up to its pixels.
fn read_png_size(bytes: &[u8]) -> Result<ImageSize, &'static str> {
    let mut offset = PNG_SIGNATURE.len();
    let mut size = None;
    loop {
        let length = read_big_endian_number(bytes, offset, 4).ok_or(CUT_OFF)?;
        let kind = offset.checked_add(4).and_then(|at| bytes.get(at..)?.first_chunk::<4>()).ok_or(CUT_OFF)?;
        let fixed = match kind {
            b"IHDR" => Some(13),
            b"cHRM" => Some(32),
            b"sRGB" => Some(1),
            b"pHYs" => Some(9),
            b"gAMA" => Some(4),
            b"IDAT" => return size.ok_or("the PNG has no header"),
            _ => None,
        };
        if fixed.is_some_and(|fixed| fixed != length) {
            return Err("the length of a PNG chunk is wrong");
        }
        let body = offset.saturating_add(8);
        if kind == b"IHDR" {
            size = read_big_endian_number(bytes, body, 4).zip(read_big_endian_number(bytes, body.saturating_add(4), 4));
        }
        offset = body.saturating_add(length as usize).saturating_add(4);
    }
}

/// The size in the first chunk of a WebP.
fn read_webp_size(bytes: &[u8]) -> Result<ImageSize, &'static str> {
    let is_lossless = bytes.get(15) == Some(&b'L');
    if bytes.len() < if is_lossless { 25 } else { 30 } {
        return Err(CUT_OFF);
    }
    let number = |offset: usize, length: usize| read_little_endian_number(bytes, offset, length).unwrap_or_default();
    match bytes.get(12..16) {
        Some(b"VP8 ") => Ok((number(26, 2) & 0x3fff, number(28, 2) & 0x3fff)),
        Some(b"VP8L") => {
            let bits = number(21, 4);
            Ok(((bits & 0x3fff).saturating_add(1), (bits >> 14 & 0x3fff).saturating_add(1)))
        }
        Some(b"VP8X") => Ok((number(24, 3).saturating_add(1), number(27, 3).saturating_add(1))),
        _ => Err("the first chunk of the WebP is unknown"),
    }
}

/// The size in the first image properties of an AVIF. Looks for them near the beginning only.
fn find_avif_size(bytes: &[u8]) -> Option<ImageSize> {
    let head = bytes.get(..4096).unwrap_or(bytes);
    let at = head.windows(4).position(|name| name == b"ispe")?;
    read_big_endian_number(bytes, at.checked_add(8)?, 4).zip(read_big_endian_number(bytes, at.checked_add(12)?, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_each_format_have_a_size() {
        let ktx2 = [KTX2_SIGNATURE, &[0; 8], &[0, 4, 0, 0], &[0, 2, 0, 0]].concat();
        assert_eq!(recognize_image_format(&ktx2), Some(ImageFormat::Ktx2));
        assert_eq!(read_image_size(&ktx2, ImageFormat::Ktx2), Ok(Some((1024, 512))));
        let avif = [b"\0\0\0\x1cftypavif", &[0; 8][..], b"\0\0\0\x14ispe\0\0\0\0\0\0\x01\0\0\0\0\x80"].concat();
        assert_eq!(recognize_image_format(&avif), Some(ImageFormat::Avif));
        assert_eq!(read_image_size(&avif, ImageFormat::Avif), Ok(Some((256, 128))));
        let webp = [b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0", &[0; 4][..], &[255, 0, 0, 127, 0, 0]].concat();
        assert_eq!(recognize_image_format(&webp), Some(ImageFormat::WebP));
        assert_eq!(read_image_size(&webp, ImageFormat::WebP), Ok(Some((256, 128))));
        assert_eq!(read_image_size(&webp[..29], ImageFormat::WebP), Err(CUT_OFF));
    }
}
