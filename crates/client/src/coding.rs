//! Content codings that nobody asked for: some proxies pack every answer. An answer to a redeem comes once, so it is
//! unpacked rather than refused; within bounds, for a few bytes can be made to unpack to gigabytes.

use crate::transport::MAX_BODY;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use protocol::Mismatch;
use std::io::Read;

/// A body as it was before it was packed.
pub(crate) struct Unpacked {
    /// All of it, or as much as could be had.
    pub(crate) body: Bytes,
    /// Why that is not all of it.
    pub(crate) fault: Option<Fault>,
}

pub(crate) enum Fault {
    /// A coding that is not known here, or a body that does not keep to it.
    Broken(Mismatch),
    /// It goes over [`MAX_BODY`].
    TooLarge,
}

/// Whether a header states a coding.
pub(crate) fn stated(headers: &HeaderMap) -> Option<Mismatch> {
    (!codings(headers).is_empty()).then(|| mismatch("a coded one"))
}

/// Undoes what the header states; without one, what the content shows: no JSON begins as a gzip does.
pub(crate) fn undo(headers: &HeaderMap, body: Bytes) -> Unpacked {
    let codings = codings(headers);
    match codings.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] if body.starts_with(b"\x1f\x8b") => read(MultiGzDecoder::new(&body[..])),
        [] => Unpacked { body, fault: None },
        // The header is left standing by some proxies that unpacked the body themselves.
        ["gzip" | "x-gzip" | "deflate"] if looks_like_json(&body) => Unpacked { body, fault: None },
        ["gzip" | "x-gzip"] => read(MultiGzDecoder::new(&body[..])),
        // The name says zlib (RFC 9110, 8.4.1.2), and some send the bare stream.
        ["deflate"] if is_zlib(&body) => read(ZlibDecoder::new(&body[..])),
        ["deflate"] => read(DeflateDecoder::new(&body[..])),
        _ => Unpacked { body, fault: Some(Fault::Broken(mismatch("one that is not known here"))) },
    }
}

fn codings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words
        .map(|word| String::from_utf8_lossy(word.trim_ascii()).to_ascii_lowercase())
        .filter(|word| !word.is_empty() && word != "identity")
        .collect()
}

fn looks_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    body.starts_with(b"{\"") || body == b"{}"
}

/// RFC 1950: the method is deflate, and the first two bytes are a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

fn read(decoder: impl Read) -> Unpacked {
    let mut body = Vec::new();
    let mut bounded = decoder.take(MAX_BODY as u64 + 1);
    // What came before the fault stays in the buffer.
    let whole = bounded.read_to_end(&mut body);
    let fault = if body.len() > MAX_BODY {
        body.truncate(MAX_BODY);
        Some(Fault::TooLarge)
    } else {
        whole.is_err().then(|| Fault::Broken(mismatch("one that does not keep to its own coding")))
    };
    Unpacked { body: body.into(), fault }
}

fn mismatch(found: &str) -> Mismatch {
    Mismatch::new("Content-Encoding", "a body without a content coding (`Accept-Encoding: identity`)", found)
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

    fn unpacked(coding: &'static str, body: Vec<u8>) -> Unpacked {
        undo(&headers(coding), body.into())
    }

    const BODY: &[u8] = br#"{"avatar_ready":false}"#;

    #[test]
    fn what_is_packed_is_unpacked_by_its_header_or_its_look() {
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
            assert!(unpacked.fault.is_none() && unpacked.body == BODY, "{coding}");
        }
    }

    #[test]
    fn of_a_cut_one_the_beginning_is_had() {
        let long: Vec<u8> =
            (0..200_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_be_bytes()).collect();
        let packed = gzip(&long);
        let part = unpacked("gzip", packed[..packed.len() / 2].to_vec());
        assert!(matches!(part.fault, Some(Fault::Broken(_))));
        assert!(part.body.len() > 100_000 && long.starts_with(&part.body), "{}", part.body.len());
    }

    #[test]
    fn a_bomb_is_not_unpacked_further_than_any_other_body() {
        let bomb = unpacked("gzip", gzip(&vec![b' '; 200 << 20]));
        assert!(matches!(bomb.fault, Some(Fault::TooLarge)));
        assert_eq!(bomb.body.len(), MAX_BODY);
        assert!(unpacked("gzip", gzip(&vec![b' '; MAX_BODY])).fault.is_none());
    }

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        for coding in ["br", "gzip, gzip", "zstd"] {
            let same = unpacked(coding, b"xyz".to_vec());
            assert!(matches!(same.fault, Some(Fault::Broken(_))) && &same.body[..] == b"xyz", "{coding}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_under_any_name_are_taken_without_a_panic(
            body: Vec<u8>,
            coding in prop::sample::select(vec!["", "gzip", "deflate", "br"]),
        ) {
            prop_assert!(undo(&headers(coding), body.into()).body.len() <= MAX_BODY);
        }
    }
}
