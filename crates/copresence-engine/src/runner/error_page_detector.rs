//! The first bytes of a response for a file, checked for an error page while they arrive.

use copresence_client::{open_decoding_reader, split_content_encodings};
use copresence_protocol::ExportType;
use copresence_store::{FileFormat, HEAD_BYTES, detect_error_page};
use std::io::{Cursor, Read as _};

/// Detects an error page in place of a file, from the first bytes of a response.
pub(super) struct ErrorPageDetector<'a> {
    export_type: &'a ExportType,
    content_encoding: Option<&'a str>,
    /// As sent, at most [`HEAD_BYTES`] and one chunk.
    received: Vec<u8>,
    is_decided: bool,
}

impl<'a> ErrorPageDetector<'a> {
    /// Starts the check of a response from byte 0 with this `Content-Encoding`.
    pub(super) fn new(export_type: &'a ExportType, content_encoding: Option<&'a str>) -> Self {
        Self { export_type, content_encoding, received: Vec::new(), is_decided: false }
    }

    /// Checks one more chunk. Returns what was sent in place of the file, as in `an HTML page`.
    pub(super) fn detect_page_in_chunk(&mut self, chunk: &[u8]) -> Option<&'static str> {
        if self.is_decided {
            return None;
        }
        self.received.extend_from_slice(chunk);
        let page = self.detect_page_in_received_bytes(false);
        self.is_decided |= page.is_some() || self.received.len() >= HEAD_BYTES;
        page
    }

    /// Checks the complete response after its last byte. Returns what was sent in place of the file.
    pub(super) fn detect_page_in_complete_response(&mut self) -> Option<&'static str> {
        if self.is_decided {
            return None;
        }
        let page = self.detect_page_in_received_bytes(true);
        self.is_decided = true;
        page
    }

    /// Detects what was received in place of the file, and records whether more bytes can change the result.
    fn detect_page_in_received_bytes(&mut self, is_whole: bool) -> Option<&'static str> {
        let start = decode_start_of_content(&self.received, self.content_encoding);
        let is_short = start.len() <= HEAD_BYTES;
        let head = &start[..start.len().min(HEAD_BYTES)];
        self.is_decided = !matches!(
            FileFormat::detect_file_format(head),
            FileFormat::Html | FileFormat::Xml | FileFormat::Json | FileFormat::Unknown | FileFormat::Empty
        );
        detect_error_page(self.export_type, head, is_whole && is_short)
    }
}

/// The start of the content without its encoding, of the bytes received so far: at most one byte more than
/// [`HEAD_BYTES`].
pub(super) fn decode_start_of_content(received: &[u8], content_encoding: Option<&str>) -> Vec<u8> {
    let mut start = Vec::new();
    let limit = HEAD_BYTES as u64 + 1;
    let words = content_encoding.map(split_content_encodings).unwrap_or_default();
    match open_decoding_reader(&words, Cursor::new(received.to_vec()), limit, &is_start_of_known_unencoded_format) {
        // An error only ends what can be decoded.
        Ok(content) => _ = content.take(limit).read_to_end(&mut start),
        Err(_) => start.extend_from_slice(received),
    }
    start
}

/// Whether bytes are the start of content without encoding: its format is known.
pub(super) fn is_start_of_known_unencoded_format(head: &[u8]) -> bool {
    !matches!(FileFormat::detect_file_format(head), FileFormat::Unknown | FileFormat::Empty)
}
