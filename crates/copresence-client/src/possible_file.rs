//! Responses whose status or headers do not say that they are a file, and whose content is one.
//!
//! The URL may be spent by such a response, so its content decides.

use crate::content_range::ContentRange;
use bytes::{Bytes, BytesMut};
use http::header;
use tokio::time::{Instant, timeout_at};

/// Number of first bytes that show the signature of a file.
const SIGNATURE_BYTES: usize = 20;

/// Signatures of binary files, as of models and pictures. No text begins so.
const SIGNATURES: [&[u8]; 9] = [
    b"glTF",
    b"PK\x03\x04",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"BLENDER",
    b"Kaydara FBX Binary",
    b"\xabKTX 20\xbb",
    b"PXR-USDC",
    // gzip, as which Blender and others write.
    b"\x1f\x8b\x08",
];

/// Whether a response may be a whole file although its head does not say so: 201 and 202, and a 206 without a usable range although
/// none was requested. Only the first two state its size.
pub(crate) fn is_possible_file(response: &reqwest::Response, is_range_requested: bool) -> bool {
    let value = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let range = value(header::CONTENT_RANGE).and_then(ContentRange::parse_content_range);
    let is_multipart = value(header::CONTENT_TYPE).is_some_and(|media| media.starts_with("multipart/"));
    match response.status().as_u16() {
        201 | 202 => true,
        206 => !is_range_requested && range.is_none_or(|range| range.first == 0) && !is_multipart,
        _ => false,
    }
}

/// Reads the first bytes of a body, until `deadline`. Fewer than [`SIGNATURE_BYTES`] if it is shorter.
pub(crate) async fn read_first_bytes(response: &mut reqwest::Response, deadline: Instant) -> Bytes {
    let mut first = BytesMut::new();
    while first.len() < SIGNATURE_BYTES
        && let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await
    {
        first.extend_from_slice(&chunk);
    }
    first.freeze()
}

/// Whether content begins like a binary file.
pub(crate) fn has_binary_file_signature(first: &[u8]) -> bool {
    let is_webp = first.starts_with(b"RIFF") && first.get(8..12) == Some(b"WEBP".as_slice());
    is_webp || SIGNATURES.iter().any(|signature| first.starts_with(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_binary_files_have_a_signature() {
        for file in [&b"glTF\x02\0\0\0"[..], b"PK\x03\x04..", b"RIFF\0\0\0\0WEBPVP8 ", b"\xff\xd8\xff\xe0"] {
            assert!(has_binary_file_signature(file), "{file:?}");
        }
        for other in
            [&b""[..], b"{}", b"{\"status\":\"pending\"}", b"<html>", b"glT", b"RIFF\0\0\0\0WAVEfmt ", b"queued"]
        {
            assert!(!has_binary_file_signature(other), "{other:?}");
        }
    }
}
