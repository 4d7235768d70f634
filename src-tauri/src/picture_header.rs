//! Reads the size of a picture from its header: PNG, JPEG and WebP, the formats of saved portraits. Nothing is decoded.
//! `ui/src/reveal/image-size.ts` does the same for the pictures of a model.

/// Checks by its header that a picture has at most `max_pixels`.
///
/// # Errors
/// It has more, or its size is unknown. A message for the log.
pub(crate) fn check_picture_within_max_pixels(bytes: &[u8], max_pixels: u64) -> Result<(), String> {
    let (width, height) =
        read_picture_size(bytes).ok_or("it is no PNG, JPEG or WebP picture, or its size is unknown")?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(format!("it has {width} × {height} pixels, and at most {max_pixels} are shown"));
    }
    Ok(())
}

/// Width and height in the header of a picture, in pixels. `None` for other formats and for broken headers.
fn read_picture_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let size = match bytes {
        [0x89, b'P', b'N', b'G', ..] => read_png_size(bytes),
        [0xff, 0xd8, rest @ ..] => read_jpeg_size(rest),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => read_webp_size(bytes),
        _ => None,
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

/// The size in the first chunk of a PNG. `None` if that is another one, which decoders may skip.
fn read_png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.get(12..24)?.strip_prefix(b"IHDR")?;
    let (width, height) = header.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height.first_chunk()?)))
}

/// The size in the first start-of-frame segment of a JPEG, whose first marker is not in `rest`. As decoders do, it skips
/// bytes between segments that mean nothing.
fn read_jpeg_size(mut rest: &[u8]) -> Option<(u32, u32)> {
    loop {
        let [first, marker, segment @ ..] = rest else { return None };
        match (*first, *marker) {
            // The pixels, or the end.
            (0xff, 0xda | 0xd9) => return None,
            // A start of frame: length, precision, height, width.
            (0xff, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => {
                let &[_, _, _, height_high, height_low, width_high, width_low, ..] = segment else { return None };
                let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                return Some((side(width_high, width_low), side(height_high, height_low)));
            }
            // Markers without a segment.
            (0xff, 0x01 | 0xd0..=0xd8) => rest = segment,
            (0xff, 0x02..=0xfe) => rest = segment.get(usize::from(u16::from_be_bytes(*segment.first_chunk()?))..)?,
            _ => rest = rest.get(1..)?,
        }
    }
}

/// The size in the first chunk of a WebP: with features, lossless or lossy.
fn read_webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let at = |offset: usize| bytes.get(offset).copied().map(u32::from);
    let two = |offset: usize| Some(at(offset)? | (at(offset + 1)? << 8));
    let three = |offset: usize| Some(two(offset)? | (at(offset + 2)? << 16));
    match bytes.get(12..16)? {
        b"VP8X" => Some((three(24)? + 1, three(27)? + 1)),
        b"VP8L" => {
            let bits = three(21)? | (at(24)? << 24);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8 " => Some((two(26)? & 0x3fff, two(28)? & 0x3fff)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat};
    use std::io::Cursor;

    fn encode(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height).write_to(&mut bytes, format).expect("encoded");
        bytes.into_inner()
    }

    fn webp(chunk: &[u8], content: &[u8]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WEBP", chunk, b"\0\0\0\0", content].concat()
    }

    #[test]
    fn the_size_of_each_format_is_read_from_its_header() {
        assert_eq!(read_picture_size(&encode(300, 20, ImageFormat::Png)), Some((300, 20)));
        let jpeg = encode(300, 20, ImageFormat::Jpeg);
        assert_eq!(read_picture_size(&jpeg), Some((300, 20)));
        // Fill bytes, a marker without a segment and bytes without a meaning, which decoders skip.
        let padded = [&jpeg[..2], &[0xff, 0xff, 0x01, 0, 7], &jpeg[2..]].concat();
        assert_eq!(read_picture_size(&padded), Some((300, 20)));
        assert_eq!(read_picture_size(&webp(b"VP8X", &[0, 0, 0, 0, 43, 1, 0, 19, 0, 0])), Some((300, 20)));
        let bits = (299_u32 + (19 << 14)).to_le_bytes();
        assert_eq!(read_picture_size(&webp(b"VP8L", &[&[0x2f], bits.as_slice()].concat())), Some((300, 20)));
        let lossy = [0, 0, 0, 0x9d, 0x01, 0x2a, 0x2c, 0x01, 20, 0];
        assert_eq!(read_picture_size(&webp(b"VP8 ", &lossy)), Some((300, 20)));
    }

    #[test]
    fn a_picture_with_too_many_pixels_or_of_unknown_size_is_not_shown() {
        let mut png = encode(4096, 8, ImageFormat::Png);
        png[20..24].copy_from_slice(&4096_u32.to_be_bytes());
        assert_eq!(check_picture_within_max_pixels(&png, 4096 * 4096), Ok(()));
        png[20..24].copy_from_slice(&4097_u32.to_be_bytes());
        let refused = check_picture_within_max_pixels(&png, 4096 * 4096).expect_err("too large");
        assert!(refused.contains("4096 × 4097 pixels"), "{refused}");
        png[20..24].copy_from_slice(&u32::MAX.to_be_bytes());
        png[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        check_picture_within_max_pixels(&png, 4096 * 4096).expect_err("too large");
        for unknown in
            [&b"GIF89a\xff\xff\xff\xff"[..], b"", b"\x89PNG", b"<svg/>", &encode(9, 9, ImageFormat::Png)[..20]]
        {
            check_picture_within_max_pixels(unknown, u64::MAX).expect_err("unknown");
        }
    }

    #[test]
    fn a_header_that_is_cut_anywhere_gives_no_size_and_no_panic() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = encode(300, 20, format);
            for length in 0..whole.len() {
                assert!(matches!(read_picture_size(&whole[..length]), None | Some((300, 20))), "{length}");
            }
        }
        for chunk in [b"VP8X", b"VP8L", b"VP8 "] {
            for length in 0..9 {
                read_picture_size(&webp(chunk, &vec![0xff; length]));
            }
        }
    }
}
