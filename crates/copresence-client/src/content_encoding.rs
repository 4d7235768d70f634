//! Decodes content encodings that were not requested, because some proxies compress every response.
//!
//! The response to a redeem is sent only once, so it is decoded instead of rejected. The decoded size is limited,
//! because a few bytes can decompress to gigabytes.

use crate::content_decoding::{open_decoding_reader, split_content_encodings};
use crate::limits::MAX_BODY;
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
    /// The decoded body is longer than [`MAX_BODY`].
    TooLarge,
}

/// Decodes a body by the encoding of its headers, at most [`MAX_BODY`] bytes. Without one, gzip is recognized by its
/// first bytes, with which no JSON starts.
pub(crate) fn decode_body(headers: &HeaderMap, body: Bytes) -> DecodedBody {
    let mut stated = encodings_other_than_identity(headers);
    if stated.is_empty() && body.starts_with(b"\x1f\x8b") {
        stated.push("gzip".to_owned());
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
    let Ok(content) = open_decoding_reader(&stated, encoded, MAX_BODY as u64, &has_json_object_start) else {
        return invalid(body, does_not_conform);
    };
    if content.removed.is_empty() {
        return invalid(body, "an unsupported content encoding");
    }
    let mut decoded = Vec::new();
    // Bytes that were decoded before an error stay in the buffer.
    let result = content.take(MAX_BODY as u64 + 1).read_to_end(&mut decoded);
    if decoded.len() > MAX_BODY {
        decoded.truncate(MAX_BODY);
        return DecodedBody { body: decoded.into(), error: Some(DecodeError::TooLarge) };
    }
    match result {
        Ok(_) => DecodedBody { body: decoded.into(), error: None },
        Err(_) if decoded.is_empty() => invalid(body, does_not_conform),
        Err(_) => invalid(decoded.into(), does_not_conform),
    }
}

/// The stated content encodings in lower case, without `identity`.
pub(crate) fn encodings_other_than_identity(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    values.flat_map(|value| split_content_encodings(&String::from_utf8_lossy(value.as_bytes()))).collect()
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
        decode_body(&headers(coding), body.into())
    }

    const BODY: &[u8] = br#"{"avatar_ready":false}"#;

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
            prop_assert!(decode_body(&headers(coding), body.into()).body.len() <= MAX_BODY);
        }
    }
}
