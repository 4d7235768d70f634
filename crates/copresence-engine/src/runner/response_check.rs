//! Checks whether a response can be the file, or the rest of it, before received bytes are discarded for it.

use super::error_page_detector::{ErrorPageDetector, decode_start_of_content};
use super::file_download::{AttemptError, FileDownload};
use super::range_overlap::RangeOverlap;
use copresence_client::{OpenedDownload, is_weak_tag};
use copresence_store::{HEAD_BYTES, PartialFile, glb_stated_length, is_text};
use futures_util::StreamExt;
use tokio::time::Instant;

/// Whether two validators, if they are comparable, denote different versions. Weak tags that differ do, too: they stay the same
/// "when the representation metadata changes", and not when the content does (RFC 9110, 8.8.1). "A client that has received
/// multiple partial responses … combines \[them\] if they all share the same strong validator" (RFC 9110, 15.3.7.3).
fn is_different_file_version(before: Option<&str>, now: Option<&str>) -> bool {
    let kind = |validator: &str| (validator.starts_with('"'), is_weak_tag(validator));
    matches!((before, now), (Some(before), Some(now)) if kind(before) == kind(now) && before != now)
}

/// The first bytes of a response, as sent.
struct ResponseStart {
    /// At least [`HEAD_BYTES`], unless the response has fewer.
    bytes: Vec<u8>,
    /// Size of the whole response in bytes, if it is stated or the response is no longer than its start.
    total: Option<u64>,
}

impl FileDownload<'_> {
    /// Refuses a response that is the rest of another version of the file, or for which received bytes would be discarded
    /// although it is not the file: an error page, a text in place of a binary file, or content that contradicts them.
    ///
    /// A server may send the rest of the file with status 200, where a range was requested. If the response begins with the
    /// `overlap`, it is treated as that range.
    pub(super) async fn refuse_changed_file_or_other_content(
        &self,
        download: &mut OpenedDownload,
        partial: &PartialFile,
        (is_range, overlap): (bool, &RangeOverlap),
        is_same_version: bool,
    ) -> Result<(), AttemptError> {
        // A range of the same version may be sent without its content encoding (RFC 9110, 15.3.7).
        let is_encoded_otherwise = download.content_encoding != self.known.content_encoding
            && !(is_same_version && download.content_encoding.is_none());
        let is_other = is_encoded_otherwise
            || is_different_file_version(self.known.validator.as_deref(), download.validator.as_deref());
        if download.offset > 0 && is_other {
            return Err(self.unusable_response_error("the file changed during the download", true));
        }
        if download.offset > 0 || partial.resume_offset() == 0 {
            return Ok(());
        }
        let start = self.read_start_refusing_error_page(download).await?;
        let on_disk = partial.written_head();
        let content = decode_start_of_content(&start.bytes, download.content_encoding.as_deref());
        if !content.is_empty()
            && is_text(&content)
            && !is_text(&decode_start_of_content(on_disk, self.known.content_encoding.as_deref()))
        {
            return Err(self.page_instead_of_file_error("a text"));
        }
        // Without a range, the response is what the server has now.
        if !is_range || is_other {
            return Ok(());
        }
        let compared = start.bytes.len().min(on_disk.len());
        match (start.bytes[..compared] == on_disk[..compared], overlap.is_beginning_of(&start.bytes)) {
            (true, false) => {
                let stated = self.known.total.max(glb_stated_length(on_disk));
                if start.total.is_none_or(|total| stated.is_none_or(|stated| total >= stated)) {
                    return Ok(());
                }
            }
            (false, true) => {
                let from = partial.resume_offset() - overlap.byte_count();
                let total = start.total.and_then(|rest| from.checked_add(rest)).or(self.known.total);
                if self.known.total.is_none() || total == self.known.total {
                    // A digest would be that of the rest.
                    (download.offset, download.total, download.stated_digest) = (from, total, None);
                    return Ok(());
                }
            }
            // Content that repeats itself may be both.
            (true, true) | (false, false) => {}
        }
        let what = "the server answered the request for the rest of the file with status 200 and content that contradicts \
                    the bytes on the disk";
        Err(self.unusable_response_error(what, true))
    }

    /// Reads the start of the body, before earlier bytes are discarded for it. The stream is as before.
    ///
    /// # Errors
    /// It is an error page, or the body broke off before it was decided.
    async fn read_start_refusing_error_page(
        &self,
        download: &mut OpenedDownload,
    ) -> Result<ResponseStart, AttemptError> {
        let deadline = Instant::now() + self.file.coordinator.transfer_patience();
        // Its end may be read here and later again.
        let mut stream = std::mem::replace(&mut download.stream, futures_util::stream::empty().boxed()).fuse();
        let mut detector = ErrorPageDetector::new(self.file.export_type, download.content_encoding.as_deref());
        let (mut chunks, mut bytes, mut page) = (Vec::new(), Vec::new(), None);
        let mut total = download.total;
        while page.is_none() && bytes.len() < HEAD_BYTES {
            match tokio::time::timeout_at(deadline, stream.next()).await {
                Ok(Some(Ok(chunk))) => {
                    page = detector.detect_page_in_chunk(&chunk);
                    bytes.extend_from_slice(&chunk);
                    chunks.push(Ok(chunk));
                }
                Ok(Some(Err(failure))) => return Err(AttemptError::Download(failure)),
                Ok(None) => {
                    page = detector.detect_page_in_complete_response();
                    total = Some(bytes.len() as u64);
                    break;
                }
                Err(_elapsed) => {
                    let what = format!("too slow: {} bytes were received", bytes.len());
                    return Err(self.unusable_response_error(&what, false));
                }
            }
        }
        download.stream = futures_util::stream::iter(chunks).chain(stream).boxed();
        match page {
            Some(page) => Err(self.page_instead_of_file_error(page)),
            None => Ok(ResponseStart { bytes, total }),
        }
    }

    /// The error for a response that is a page in place of the file.
    pub(super) fn page_instead_of_file_error(&self, page: &str) -> AttemptError {
        let what = format!(
            "the server sent {page} instead of {}: this network may ask for a login, or the file server shows an error",
            self.file.export_type
        );
        self.unusable_response_error(&what, false)
    }
}
