//! Decodes content encodings that were not requested, because some proxies compress every response.
//!
//! The response to a redeem is sent only once, so it is decoded instead of rejected. The decoded size is limited,
//! because a few bytes can decompress to gigabytes.

use crate::content_decoding::{open_decoding_reader, split_content_encodings};
use bytes::Bytes;
use copresence_protocol::SpecViolation;
use http::{HeaderMap, header};
use std::io::{Cursor, Read as _};

/// A body without its content encoding.
pub(crate) struct DecodedBody {
    /// The whole body, or the part that could be decoded.
    pub(crate) body: Bytes,
    /// Why the body is not complete.
    pub(crate) error: Option<DecodeError>,
}

/// Why a body could not be decoded completely.
pub(crate) enum DecodeError {
    /// The encoding is not supported, or the body does not conform to it.
    InvalidEncoding(SpecViolation),
    /// The decoded body is longer than is allowed.
    TooLarge,
}

/// Decodes a body by the encoding of its headers, at most `limit` bytes. Without one, gzip is recognized by its
/// first bytes, with which no JSON starts, and so is zlib. JSON in UTF-16 is converted, as an invalid response.
pub(crate) fn decode_body(headers: &HeaderMap, body: Bytes, limit: usize) -> DecodedBody {
    let mut stated = encodings_other_than_identity(headers);
    if stated.is_empty() {
        stated.extend(detect_unstated_encoding(&body).map(str::to_owned));
    }
    if let Some(text) = decode_utf16_json(&body) {
        let violation = SpecViolation::new("", "JSON in UTF-8", "JSON in UTF-16");
        return DecodedBody { body: text.into(), error: Some(DecodeError::InvalidEncoding(violation)) };
    }
    // Some proxies decode the body but keep the header.
    if stated.is_empty() || has_json_object_start(&body) {
        return DecodedBody { body, error: None };
    }
    let invalid = |body, found| DecodedBody {
        body,
        error: Some(DecodeError::InvalidEncoding(unrequested_encoding_violation(found))),
    };
    let does_not_conform = "a body that does not conform to its content encoding";
    let encoded = Cursor::new(body.clone());
    let Ok(content) = open_decoding_reader(&stated, encoded, limit as u64, &has_json_object_start) else {
        return invalid(body, does_not_conform);
    };
    if content.removed.is_empty() {
        return invalid(body, "an unsupported content encoding");
    }
    let mut decoded = Vec::new();
    // Bytes that were decoded before an error stay in the buffer.
    let result = content.take(limit as u64 + 1).read_to_end(&mut decoded);
    if decoded.len() > limit {
        decoded.truncate(limit);
        return DecodedBody { body: decoded.into(), error: Some(DecodeError::TooLarge) };
    }
    match result {
        Ok(_) => DecodedBody { body: decoded.into(), error: None },
        Err(_) if decoded.is_empty() => invalid(body, does_not_conform),
        Err(_) => invalid(decoded.into(), does_not_conform),
    }
}

/// The content encoding of a body by its first bytes.
fn detect_unstated_encoding(body: &[u8]) -> Option<&'static str> {
    match body {
        [0x1f, 0x8b, ..] => Some("gzip"),
        // Method and check bits of the zlib header (RFC 1950, 2.2).
        [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0 => Some("deflate"),
        _ => None,
    }
}

/// Converts JSON in UTF-16 to UTF-8. It begins with a byte order mark, a bracket or a blank. `None` for any other
/// body.
fn decode_utf16_json(body: &[u8]) -> Option<String> {
    let (units, is_big_endian) = match body {
        [0xff, 0xfe, units @ ..] => (units, false),
        [0xfe, 0xff, units @ ..] => (units, true),
        [b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n', 0, ..] => (body, false),
        [0, b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n', ..] => (body, true),
        _ => return None,
    };
    let unit = if is_big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    // A last byte alone is the rest of a truncated body.
    let units: Vec<u16> = units.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}

/// The stated content encodings in lower case, without `identity`.
pub(crate) fn encodings_other_than_identity(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    split_content_encodings(&values.join(","))
}

/// Whether a body starts like a JSON object.
fn has_json_object_start(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    body.starts_with(b"{\"") || body == b"{}"
}

/// Builds the violation for a body with a content encoding, although none was requested. `found` says what was
/// received.
fn unrequested_encoding_violation(found: &str) -> SpecViolation {
    SpecViolation::new("Content-Encoding", "a body without content encoding (`Accept-Encoding: identity`)", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_BODY;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn headers(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))])
    }

    fn unpacked(coding: &'static str, body: Vec<u8>) -> DecodedBody {
        decode_body(&headers(coding), body.into(), MAX_BODY)
    }

    const BODY: &[u8] = br#"{"avatar_ready":false}"#;

    #[test]
    fn json_in_utf_16_is_converted_and_reported() {
        let text = r#"{"note":"café 👋"}"#;
        let encode = |bytes: fn(u16) -> [u8; 2], mark: bool| {
            let mark = mark.then_some(0xfeff).into_iter();
            mark.chain(text.encode_utf16()).flat_map(bytes).collect::<Vec<u8>>()
        };
        for (bytes, mark) in [(u16::to_le_bytes as fn(u16) -> [u8; 2], true), (u16::to_be_bytes, true)]
            .into_iter()
            .chain([(u16::to_le_bytes as fn(u16) -> [u8; 2], false), (u16::to_be_bytes, false)])
        {
            let decoded = decode_body(&HeaderMap::new(), encode(bytes, mark).into(), MAX_BODY);
            assert_eq!(decoded.body, text, "mark {mark}");
            assert!(matches!(decoded.error, Some(DecodeError::InvalidEncoding(_))));
        }
        for other in [&b""[..], b"{", b"{}", b"\xff", b"\0\0\0", b"\0\x1b[2J", b"x\0"] {
            assert!(decode_body(&HeaderMap::new(), Bytes::from_static(other), MAX_BODY).body == other);
        }
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text.as_bytes()).expect("in memory");
        let decoded = decode_body(&HeaderMap::new(), zlib.finish().expect("in memory").into(), MAX_BODY);
        assert!(decoded.error.is_none() && decoded.body == text);
    }

    #[test]
    fn encoded_bodies_are_decoded_by_header_or_content() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(BODY).expect("in memory");
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(BODY).expect("in memory");
        for (coding, body) in [
            ("gzip", gzip(BODY)),
            ("X-GZIP", gzip(BODY)),
            ("", gzip(BODY)),
            ("identity, gzip", gzip(BODY)),
            ("deflate", zlib.finish().expect("in memory")),
            ("deflate", bare.finish().expect("in memory")),
            ("gzip", BODY.to_vec()),
            ("", BODY.to_vec()),
        ] {
            let unpacked = unpacked(coding, body);
            assert!(unpacked.error.is_none() && unpacked.body == BODY, "{coding}");
        }
    }

    #[test]
    fn a_truncated_encoded_body_is_decoded_up_to_its_end() {
        let long: Vec<u8> = (0..200_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_be_bytes()).collect();
        let packed = gzip(&long);
        let part = unpacked("gzip", packed[..packed.len() / 2].to_vec());
        assert!(matches!(part.error, Some(DecodeError::InvalidEncoding(_))));
        assert!(part.body.len() > 100_000 && long.starts_with(&part.body), "{}", part.body.len());
    }

    #[test]
    fn a_decompression_bomb_is_decoded_only_up_to_the_limit() {
        let bomb = unpacked("gzip", gzip(&vec![b' '; 200 << 20]));
        assert!(matches!(bomb.error, Some(DecodeError::TooLarge)));
        assert_eq!(bomb.body.len(), MAX_BODY);
        assert!(unpacked("gzip", gzip(&vec![b' '; MAX_BODY])).error.is_none());
    }

    #[test]
    fn an_unsupported_encoding_leaves_the_body_unchanged() {
        for coding in ["br", "gzip, gzip", "zstd", "compress"] {
            let same = unpacked(coding, b"xyz".to_vec());
            assert!(
                matches!(same.error, Some(DecodeError::InvalidEncoding(_))) && &same.body[..] == b"xyz",
                "{coding}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            body: Vec<u8>,
            coding in prop::sample::select(vec!["", "gzip", "deflate", "br"]),
        ) {
            prop_assert!(decode_body(&headers(coding), body.into(), MAX_BODY).body.len() <= MAX_BODY);
        }
    }
}
