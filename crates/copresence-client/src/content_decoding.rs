//! Removes the content encoding of a file or a body while it is read.
//!
//! Object stores send the encoding with which a file was stored, whatever `Accept-Encoding` says. Some servers state an
//! encoding that the bytes do not have, or a word that is no encoding (`aws-chunked`, `UTF-8`, `base64`, `none`).

use copresence_protocol::shorten_text_of_backend;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Number of first bytes that decide whether a stated encoding is contradicted.
const HEAD_BYTES: usize = 512;
/// Length of the head of a skippable zstd frame: signature and length, in bytes.
const SKIPPABLE_FRAME_HEAD: usize = 8;
/// Size of the buffer of each decoder, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// Number of encodings that are removed from one content. Each decoder calls the one before it, and has its own window.
const MAX_REMOVED_ENCODINGS: usize = 4;
/// Largest window of a zstd frame, in bytes: what RFC 9659 allows for `Content-Encoding: zstd`.
const MAX_ZSTD_WINDOW_BYTES: u64 = 8 << 20;
/// Bytes that a decoder may produce more than its limit, so that a caller with the same limit notices first that the
/// content is too large.
const DECODED_SLACK_BYTES: u64 = 1 << 20;

/// Content whose encodings are removed while it is read.
pub struct DecodingReader {
    reader: PeekReader,
    /// The encodings that are removed, in the order in which they were stated.
    pub removed: Vec<String>,
    /// The stated encodings that are unknown, or that the first bytes contradict, in the order in which they were
    /// stated.
    pub ignored: Vec<String>,
    /// Whether the first bytes prove the outermost removed encoding: gzip and zstd have a signature, deflate and br
    /// have none.
    pub is_proven: bool,
    has_source_ended: Arc<AtomicBool>,
}

impl DecodingReader {
    /// Whether the encoded bytes were read to their end; after an error of [`Self::read`], this means that the
    /// content was truncated.
    pub fn has_encoded_source_ended(&self) -> bool {
        self.has_source_ended.load(Ordering::Relaxed)
    }
}

impl Read for DecodingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// A content coding (RFC 9110) that can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContentCoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl ContentCoding {
    /// The coding of a word of `Content-Encoding`, in lower case (RFC 9110, 8.4.1; RFC 7932; RFC 8878).
    fn from_content_encoding_word(word: &str) -> Option<Self> {
        match word {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Whether bytes with this coding start with a signature.
    fn is_recognizable_by_signature(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd)
    }

    /// Whether a stream with this coding may start with these bytes: by the signature of gzip and zstd, otherwise
    /// if the bytes are no known content. Brotli with a window that RFC 7932 does not have is none.
    fn is_plausible_for_first_bytes(self, head: &[u8], is_known_content: &dyn Fn(&[u8]) -> bool) -> bool {
        match self {
            Self::Gzip => head.starts_with(b"\x1f\x8b\x08"),
            // A frame, or a skippable frame.
            Self::Zstd => {
                head.starts_with(b"\x28\xb5\x2f\xfd")
                    || matches!(head, [first, b'\x2a', b'\x4d', b'\x18', ..] if first & 0xf0 == 0x50)
            }
            Self::Deflate => !is_known_content(head),
            Self::Brotli => !has_large_brotli_window(head) && !is_known_content(head),
        }
    }

    /// Wraps a reader of encoded bytes in a reader of the bytes without this coding.
    fn wrap_in_decoder(self, mut encoded: PeekReader) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip | Self::Zstd => {
                Box::new(MultiFrameDecoder { coding: self, source: Some(encoded), frame: None, is_first: true })
            }
            // `deflate` is the zlib format (RFC 9110, 8.4.1.2), but some servers send a raw deflate stream.
            Self::Deflate if has_zlib_header(encoded.peek(2)?) => Box::new(ZlibDecoder::new(encoded)),
            Self::Deflate => Box::new(DeflateDecoder::new(encoded)),
            Self::Brotli => Box::new(brotli_decompressor::Decompressor::new(encoded, BUFFER_BYTES)),
        })
    }
}

/// Starts to remove encodings. `stated` are the words of `Content-Encoding` in lower case and in the order of the
/// header; the last one was applied last. `max_decoded_bytes` limits what each decoder produces, also those between the
/// first and the last: a few bytes can decode to gigabytes. `is_known_content` says whether bytes are the start of content
/// without encoding.
///
/// # Errors
/// The first bytes cannot be read or decoded, or there are more than [`MAX_REMOVED_ENCODINGS`] encodings.
pub fn open_decoding_reader(
    stated: &[String],
    encoded: impl Read + Send + 'static,
    max_decoded_bytes: u64,
    is_known_content: &dyn Fn(&[u8]) -> bool,
) -> io::Result<DecodingReader> {
    let has_source_ended = Arc::new(AtomicBool::new(false));
    let source = EndDetectingReader { inner: encoded, has_ended: Arc::clone(&has_source_ended) };
    let mut reader = PeekReader::new(Box::new(source));
    let (mut removed, mut ignored, mut is_proven) = (Vec::new(), Vec::new(), false);
    for word in stated.iter().rev() {
        let head = reader.peek(HEAD_BYTES)?;
        match ContentCoding::from_content_encoding_word(word)
            .filter(|coding| coding.is_plausible_for_first_bytes(head, is_known_content))
        {
            Some(_) if removed.len() == MAX_REMOVED_ENCODINGS => {
                let why = format!("it has more than {MAX_REMOVED_ENCODINGS} content encodings");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            Some(coding) => {
                is_proven |= removed.is_empty() && coding.is_recognizable_by_signature();
                let decoded = coding.wrap_in_decoder(reader)?;
                let left = max_decoded_bytes.saturating_add(DECODED_SLACK_BYTES);
                reader = PeekReader::new(Box::new(ReaderFailingAboveLimit { inner: decoded, left }));
                removed.insert(0, word.clone());
            }
            None => ignored.insert(0, word.clone()),
        }
    }
    Ok(DecodingReader { reader, removed, ignored, is_proven, has_source_ended })
}

/// Maximum length of a `Content-Encoding` value whose words are looked at, in bytes.
const MAX_CONTENT_ENCODING: usize = 1024;

/// Splits the words of a `Content-Encoding` value, in lower case and without `identity`. A value of more than 1,024 bytes is one
/// unknown word, of which the beginning is kept.
pub fn split_content_encodings(value: &str) -> Vec<String> {
    if value.len() > MAX_CONTENT_ENCODING {
        return vec![shorten_text_of_backend(&value.replace(',', " "), MAX_CONTENT_ENCODING / 16)];
    }
    let words = value.split(',').map(|word| word.trim().to_ascii_lowercase());
    words.filter(|word| !word.is_empty() && word != "identity").collect()
}

/// A reader that records when the end of the encoded bytes is reached.
struct EndDetectingReader<R> {
    inner: R,
    has_ended: Arc<AtomicBool>,
}

impl<R: Read> Read for EndDetectingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.has_ended.store(true, Ordering::Relaxed);
        }
        Ok(count)
    }
}

/// A reader that fails after a number of bytes.
struct ReaderFailingAboveLimit {
    inner: Box<dyn Read + Send>,
    left: u64,
}

impl Read for ReaderFailingAboveLimit {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it decodes to more than is allowed"))?;
        Ok(count)
    }
}

/// A buffered reader whose next bytes can be looked at.
struct PeekReader {
    inner: Box<dyn Read + Send>,
    peeked: Vec<u8>,
    consumed: usize,
}

impl PeekReader {
    fn new(inner: Box<dyn Read + Send>) -> Self {
        Self { inner, peeked: Vec::new(), consumed: 0 }
    }

    /// The next `count` bytes, or fewer before the end. They stay unread.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.peeked.drain(..self.consumed);
        self.consumed = 0;
        let missing = count.saturating_sub(self.peeked.len());
        self.inner.by_ref().take(missing as u64).read_to_end(&mut self.peeked)?;
        Ok(&self.peeked[..self.peeked.len().min(count)])
    }
}

impl BufRead for PeekReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed == self.peeked.len() {
            self.peeked.resize(BUFFER_BYTES, 0);
            self.consumed = 0;
            let read = self.inner.read(&mut self.peeked);
            self.peeked.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(&self.peeked[self.consumed..])
    }

    fn consume(&mut self, count: usize) {
        self.consumed = (self.consumed + count).min(self.peeked.len());
    }
}

impl Read for PeekReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Decodes gzip members or zstd frames one after the other. Bytes behind the last one are ignored, as gzip does.
struct MultiFrameDecoder {
    coding: ContentCoding,
    source: Option<PeekReader>,
    frame: Option<GzipOrZstdFrameDecoder>,
    is_first: bool,
}

/// The decoder of one gzip member or one zstd frame.
enum GzipOrZstdFrameDecoder {
    Gzip(Box<GzDecoder<PeekReader>>),
    Zstd(Box<StreamingDecoder<PeekReader, FrameDecoder>>),
}

impl Read for MultiFrameDecoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.frame.is_none() && !self.start_next_frame()? {
                return Ok(0);
            }
            let count = match &mut self.frame {
                Some(GzipOrZstdFrameDecoder::Gzip(frame)) => frame.read(buffer)?,
                Some(GzipOrZstdFrameDecoder::Zstd(frame)) => frame.read(buffer)?,
                None => 0,
            };
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.source = match self.frame.take() {
                Some(GzipOrZstdFrameDecoder::Gzip(frame)) => Some(frame.into_inner()),
                Some(GzipOrZstdFrameDecoder::Zstd(frame)) => {
                    let stated = frame.decoder.get_checksum_from_data();
                    if stated.is_some() && stated != frame.decoder.get_calculated_checksum() {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "wrong checksum of a zstd frame"));
                    }
                    Some(frame.into_inner())
                }
                None => None,
            };
        }
    }
}

impl MultiFrameDecoder {
    /// Starts the next frame. Returns false if no frame follows.
    fn start_next_frame(&mut self) -> io::Result<bool> {
        let Some(mut source) = self.source.take() else { return Ok(false) };
        let is_first = std::mem::replace(&mut self.is_first, false);
        let mut head = source.peek(SKIPPABLE_FRAME_HEAD)?;
        while self.coding == ContentCoding::Zstd
            && let [0x50..=0x5f, 0x2a, 0x4d, 0x18, length @ ..] = head
            && let Ok(length) = length.try_into().map(u32::from_le_bytes)
        {
            let skipped = u64::from(length) + SKIPPABLE_FRAME_HEAD as u64;
            io::copy(&mut source.by_ref().take(skipped), &mut io::sink())?;
            head = source.peek(SKIPPABLE_FRAME_HEAD)?;
        }
        if !is_first && !self.coding.is_plausible_for_first_bytes(head, &|_| false) {
            return Ok(false);
        }
        self.frame = Some(if self.coding == ContentCoding::Gzip {
            GzipOrZstdFrameDecoder::Gzip(Box::new(GzDecoder::new(source)))
        } else {
            let frame = StreamingDecoder::new_with_max_window_size(source, MAX_ZSTD_WINDOW_BYTES);
            GzipOrZstdFrameDecoder::Zstd(Box::new(
                frame.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
            ))
        });
        Ok(true)
    }
}

/// Whether a stream starts as "large window brotli", an extension with windows of up to 1 GiB, which the decoder allocates
/// for a few bytes. RFC 7932 has windows of at most 16 MiB, and excludes these first 7 bits.
fn has_large_brotli_window(head: &[u8]) -> bool {
    head.first().is_some_and(|first| first & 0x7f == 0x11)
}

/// Whether a body has a zlib header (RFC 1950): the method is deflate, and the first two bytes are a multiple of 31.
fn has_zlib_header(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;
    use std::io::{Cursor, Write as _};

    const LIMIT: u64 = 1 << 30;

    fn content() -> Vec<u8> {
        b"glTF".iter().copied().chain((0..200_000_u32).flat_map(|n| (n % 977).to_le_bytes())).collect()
    }

    fn encode(word: &str, content: &[u8]) -> Vec<u8> {
        match word {
            "gzip" | "x-gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).expect("in memory");
                encoder.finish().expect("in memory")
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).expect("in memory");
                encoder.finish().expect("in memory")
            }
            "raw deflate" => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).expect("in memory");
                encoder.finish().expect("in memory")
            }
            "br" => {
                let mut encoded = Vec::new();
                let params = brotli::enc::BrotliEncoderParams { quality: 4, ..Default::default() };
                brotli::BrotliCompress(&mut &content[..], &mut encoded, &params).expect("in memory");
                encoded
            }
            "zstd" => ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest),
            other => panic!("{other}"),
        }
    }

    fn is_glb(head: &[u8]) -> bool {
        head.starts_with(b"glTF")
    }

    fn open(stated: &str, encoded: Vec<u8>) -> DecodingReader {
        open_decoding_reader(&split_content_encodings(stated), Cursor::new(encoded), LIMIT, &is_glb)
            .expect("its first bytes")
    }

    fn read(mut content: DecodingReader) -> Vec<u8> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).expect("decoded");
        bytes
    }

    /// Case: file with `Content-Encoding: gzip`.
    #[test]
    fn every_supported_encoding_is_removed() {
        for (stated, coding) in [
            ("gzip", "gzip"),
            ("X-GZip", "x-gzip"),
            ("deflate", "deflate"),
            ("deflate", "raw deflate"),
            ("br", "br"),
            ("identity, zstd", "zstd"),
        ] {
            let decoded = open(stated, encode(coding, &content()));
            assert_eq!((decoded.removed.len(), decoded.ignored.len()), (1, 0), "{stated}");
            assert_eq!(read(decoded), content(), "{stated} {coding}");
        }
    }

    #[test]
    fn several_encodings_are_removed_in_reverse_order() {
        let encoded = encode("gzip", &encode("br", &encode("zstd", &content())));
        let decoded = open("zstd, br, gzip", encoded);
        assert_eq!(decoded.removed, ["zstd", "br", "gzip"]);
        assert_eq!(read(decoded), content());
    }

    /// Case: `Content-Encoding: aws-chunked`, `UTF-8`, `base64`, `none` over plain bytes.
    #[test]
    fn unknown_and_contradicted_encodings_are_ignored() {
        for stated in ["aws-chunked", "UTF-8", "base64", "none", "gzip", "deflate", "br", "zstd", "gzip, br"] {
            let decoded = open(stated, content());
            assert!(decoded.removed.is_empty() && !decoded.ignored.is_empty(), "{stated}");
            assert_eq!(read(decoded), content(), "{stated}");
        }
        // Object stores keep the word beside the encoding that the file has.
        let decoded = open("gzip,aws-chunked", encode("gzip", &content()));
        assert_eq!(
            (decoded.removed.clone(), decoded.ignored.clone()),
            (vec!["gzip".into()], vec!["aws-chunked".into()])
        );
        assert_eq!(read(decoded), content());
        // Encoded once, stated twice.
        let decoded = open("gzip, gzip", encode("gzip", &content()));
        assert_eq!((decoded.removed.len(), decoded.ignored.len()), (1, 1));
        assert_eq!(read(decoded), content());
    }

    /// A few bytes with a window of up to 1 GiB took the memory of the program.
    #[test]
    fn brotli_with_a_window_that_the_standard_does_not_have_is_not_decoded() {
        let with_window = |large_window: bool, lgwin: i32| {
            let params = brotli::enc::BrotliEncoderParams { quality: 4, large_window, lgwin, ..Default::default() };
            let mut encoded = Vec::new();
            brotli::BrotliCompress(&mut &content()[..], &mut encoded, &params).expect("in memory");
            encoded
        };
        for encoded in [with_window(true, 25), with_window(true, 16)] {
            let decoded = open("br", encoded.clone());
            assert_eq!((decoded.removed.len(), decoded.ignored.clone()), (0, vec!["br".to_owned()]));
            assert_eq!(read(decoded), encoded);
        }
        for window in 10..=24 {
            assert_eq!(read(open("br", with_window(false, window))), content(), "{window}");
        }
    }

    /// A gzip member that stores its content.
    fn store_in_gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(content).expect("in memory");
        encoder.finish().expect("in memory")
    }

    /// Decoders call each other: thousands of them overflowed the stack, at every start again.
    #[test]
    fn more_than_four_content_encodings_are_not_removed() {
        let nest = |count: usize| (0..count).fold(b"glTF".to_vec(), |content, _| store_in_gzip(&content));
        assert_eq!(read(open("gzip, gzip, gzip, gzip", nest(4))), b"glTF");
        for count in [5, 5000] {
            let encoded = Cursor::new(nest(count));
            let small_stack = std::thread::Builder::new().stack_size(256 << 10);
            let opening = small_stack.spawn(move || {
                open_decoding_reader(&vec!["gzip".to_owned(); count], encoded, LIMIT, &is_glb).err().map(|e| e.kind())
            });
            let error = opening.expect("a thread").join().expect("no overflow");
            assert_eq!(error, Some(io::ErrorKind::InvalidData), "{count}");
        }
        // A header of a thousand words is not looked at word by word.
        let words = split_content_encodings(&"a,".repeat(200_000));
        assert!(words.len() == 1 && words[0].len() < 100, "{words:?}");
        // Words that the bytes contradict do not count.
        assert_eq!(read(open(&["gzip"; 100].join(","), nest(1))), b"glTF");
    }

    #[test]
    fn a_zstd_window_above_8_mib_is_refused() {
        // A frame whose window is 128 MiB.
        let head = b"\x28\xb5\x2f\xfd\x00\x88".to_vec();
        let error = open_decoding_reader(&["zstd".to_owned()], Cursor::new(head), LIMIT, &is_glb)
            .and_then(|mut content| content.read_to_end(&mut Vec::new()))
            .expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        assert!(error.to_string().contains("window"), "{error}");
    }

    #[test]
    fn what_a_decoder_between_others_produces_is_limited() {
        // Frames that zstd skips: nothing of it is content.
        let skipped = [b"\x50\x2a\x4d\x18".as_slice(), &(8_u32 << 20).to_le_bytes(), &vec![0; 8 << 20]].concat();
        let encoded = encode("gzip", &skipped);
        let words = ["zstd".to_owned(), "gzip".to_owned()];
        let opened = open_decoding_reader(&words, Cursor::new(encoded), 1 << 20, &is_glb);
        let error = opened.and_then(|mut content| content.read_to_end(&mut Vec::new())).expect_err("limited");
        assert!(error.to_string().contains("more than is allowed"), "{error}");
    }

    #[test]
    fn several_gzip_members_and_zstd_frames_are_one_content() {
        let whole = content();
        let (first, second) = whole.split_at(70_000);
        for coding in ["gzip", "zstd"] {
            let mut encoded = encode(coding, first);
            if coding == "zstd" {
                encoded.extend(b"\x5a\x2a\x4d\x18\x03\0\0\0abc");
            }
            encoded.extend(encode(coding, second));
            encoded.extend(b"bytes behind the end");
            assert_eq!(read(open(coding, encoded)), content(), "{coding}");
        }
    }

    #[test]
    fn truncated_content_is_distinguished_from_content_that_does_not_conform() {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let whole = encode(coding, &content());
            let mut cut = open(coding, whole[..whole.len() / 2].to_vec());
            assert!(io::copy(&mut cut, &mut io::sink()).is_err() && cut.has_encoded_source_ended(), "{coding}");
        }
        let mut bytes = encode("gzip", &content());
        bytes.extend(vec![0; 4 * BUFFER_BYTES]);
        bytes[10..40].fill(0xff);
        let mut broken = open("gzip", bytes);
        assert!(io::copy(&mut broken, &mut io::sink()).is_err() && !broken.has_encoded_source_ended());
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            body: Vec<u8>,
            stated in prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "br, zstd", "x"]),
            signature in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"]),
        ) {
            let encoded = Cursor::new([signature, &body].concat());
            if let Ok(mut content) = open_decoding_reader(&split_content_encodings(stated), encoded, LIMIT, &is_glb) {
                let _ = io::copy(&mut content.by_ref().take(1 << 20), &mut io::sink());
            }
        }
    }
}
