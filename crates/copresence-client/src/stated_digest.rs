//! The digest of a file that its server states in a header of the response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use std::fmt;
use std::io::{self, Read};

/// A digest algorithm that can be computed, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DigestAlgorithm {
    Sha512,
    Sha256,
    Md5,
    Crc32,
}

impl DigestAlgorithm {
    const STRONGEST_FIRST: [Self; 4] = [Self::Sha512, Self::Sha256, Self::Md5, Self::Crc32];

    /// The algorithm of a name in a header, in any case.
    fn algorithm_from_header_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "sha-512" | "sha512" => Some(Self::Sha512),
            "sha-256" | "sha256" => Some(Self::Sha256),
            "md5" => Some(Self::Md5),
            "crc32" => Some(Self::Crc32),
            _ => None,
        }
    }

    /// Size of a digest in bytes.
    fn digest_byte_count(self) -> usize {
        match self {
            Self::Sha512 => 64,
            Self::Sha256 => 32,
            Self::Md5 => 16,
            Self::Crc32 => 4,
        }
    }
}

/// The digest that a response states of all bytes of its file, as they are sent (with their content encoding).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedDigest {
    algorithm: DigestAlgorithm,
    header: &'static str,
    digest: Vec<u8>,
}

impl StatedDigest {
    /// Finds the strongest digest in the headers of a response. `is_whole_file` says whether its body is the whole file:
    /// `Content-MD5` and `Content-Digest` are those of the body. Digests that cannot be computed are ignored.
    pub(crate) fn find_strongest_in_headers(headers: &HeaderMap, is_whole_file: bool) -> Option<Self> {
        let mut found = Vec::new();
        let mut add = |header: &'static str, word: &str, value: &str| {
            let Some(algorithm) = DigestAlgorithm::algorithm_from_header_word(word.trim()) else { return };
            // RFC 9530 encloses it in colons.
            let value = value.split(';').next().unwrap_or_default().trim().trim_matches(':');
            if let Ok(digest) = BASE64.decode(value)
                && digest.len() == algorithm.digest_byte_count()
            {
                found.push(Self { algorithm, header, digest });
            }
        };
        let values = |header: &'static str| headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
        let mut lists = vec!["repr-digest", "digest"];
        if is_whole_file {
            lists.push("content-digest");
        }
        // The hash of a file that is stored with an encoding, and sent without it.
        if !headers.contains_key("x-goog-stored-content-encoding") || headers.contains_key("content-encoding") {
            lists.push("x-goog-hash");
        }
        for header in lists {
            for (word, value) in
                values(header).flat_map(|list| list.split(',')).filter_map(|member| member.split_once('='))
            {
                add(header, word, value);
            }
        }
        if is_whole_file {
            values("content-md5").for_each(|value| add("content-md5", "md5", value));
        }
        values("x-ms-blob-content-md5").for_each(|value| add("x-ms-blob-content-md5", "md5", value));
        for (header, word) in [("x-amz-checksum-sha256", "sha256"), ("x-amz-checksum-crc32", "crc32")] {
            // One of several parts has another form, `VALUE-PARTS`.
            values(header).for_each(|value| add(header, word, value));
        }
        let strongest = |wanted: &DigestAlgorithm| found.iter().find(|stated| stated.algorithm == *wanted).cloned();
        DigestAlgorithm::STRONGEST_FIRST.iter().find_map(strongest)
    }

    /// Whether the stated digest is that of all bytes that `bytes` reads.
    ///
    /// # Errors
    /// The bytes cannot be read.
    pub fn is_digest_of(&self, bytes: impl Read) -> io::Result<bool> {
        let computed = match self.algorithm {
            DigestAlgorithm::Sha512 => hash_all::<sha2::Sha512>(bytes)?,
            DigestAlgorithm::Sha256 => hash_all::<sha2::Sha256>(bytes)?,
            DigestAlgorithm::Md5 => hash_all::<md5::Md5>(bytes)?,
            DigestAlgorithm::Crc32 => {
                let mut hasher = crc32fast::Hasher::new();
                read_chunks(bytes, |chunk| hasher.update(chunk))?;
                hasher.finalize().to_be_bytes().to_vec()
            }
        };
        Ok(computed == self.digest)
    }
}

/// As in `Content-MD5`: the name of its header.
impl fmt::Display for StatedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.header)
    }
}

/// The digest of all bytes.
fn hash_all<D: sha2::Digest>(bytes: impl Read) -> io::Result<Vec<u8>> {
    let mut hasher = D::new();
    read_chunks(bytes, |chunk| hasher.update(chunk))?;
    Ok(hasher.finalize().to_vec())
}

/// Reads all bytes in chunks.
fn read_chunks(mut bytes: impl Read, mut act: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match bytes.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => act(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    /// The digest that the headers state, for a body that is the whole file.
    fn find(headers: &[(&'static str, &'static str)]) -> Option<StatedDigest> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        StatedDigest::find_strongest_in_headers(&headers, true)
    }

    #[test]
    fn each_header_states_the_digest_of_hello() {
        for (header, value) in [
            ("repr-digest", "unixsum=:AAAA:, sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"),
            ("content-digest", "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:;q=1"),
            ("digest", "MD5=XUFAKrxLKna5cZ2REBfFkg=="),
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("x-ms-blob-content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("x-goog-hash", "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="),
            ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
            ("x-amz-checksum-crc32", "NhCmhg=="),
        ] {
            let stated = find(&[(header, value)]).unwrap_or_else(|| panic!("{header}"));
            assert!(stated.is_digest_of(&b"hello"[..]).expect("in memory"), "{header}");
            assert!(!stated.is_digest_of(&b"Hello"[..]).expect("in memory"), "{header}");
            assert_eq!(stated.to_string(), header);
        }
    }

    #[test]
    fn the_strongest_digest_of_the_file_counts_and_others_are_ignored() {
        let both = find(&[
            ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ("repr-digest", "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"),
        ]);
        assert_eq!(both.expect("two").header, "repr-digest");
        for other in [
            ("content-md5", "not base64"),
            ("content-md5", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
            ("x-amz-checksum-crc32", "NhCmhg==-3"),
            ("x-goog-hash", "crc32c=mnG7TA=="),
            ("repr-digest", "sha-256"),
        ] {
            assert_eq!(find(&[other]), None, "{other:?}");
        }
        let part = HeaderMap::from_iter([(
            HeaderName::from_static("content-md5"),
            HeaderValue::from_static("XUFAKrxLKna5cZ2REBfFkg=="),
        )]);
        assert_eq!(StatedDigest::find_strongest_in_headers(&part, false), None, "the digest of a range");
    }
}
