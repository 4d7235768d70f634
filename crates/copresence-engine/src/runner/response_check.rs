//! Checks whether a response can be the file, or the rest of it, before received bytes are discarded for it.

use super::error_page_detector::ErrorPageDetector;
use super::file_download::{AttemptError, FileDownload};
use copresence_client::OpenedDownload;
use futures_util::StreamExt;
use tokio::time::Instant;

/// Whether two validators, if they are comparable, denote different versions. "A client that has received multiple
/// partial responses … combines \[them\] if they all share the same strong validator" (RFC 9110, 15.3.7.3).
fn is_different_file_version(before: Option<&str>, now: Option<&str>) -> bool {
    let is_tag = |validator: &str| validator.starts_with('"');
    matches!((before, now), (Some(before), Some(now)) if is_tag(before) == is_tag(now) && before != now)
}

impl FileDownload<'_> {
    /// Refuses a response that is the rest of another version of the file, or that begins as an error page.
    /// `keeps_bytes` says that earlier bytes would be discarded for the whole file.
    pub(super) async fn refuse_changed_file_or_error_page(
        &self,
        download: &mut OpenedDownload,
        keeps_bytes: bool,
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
        if download.offset == 0
            && keeps_bytes
            && let Some(page) = self.detect_error_page_at_start(download).await?
        {
            return Err(self.page_instead_of_file_error(page));
        }
        Ok(())
    }

    /// Reads the body until its start shows whether it can be the file, before earlier bytes are discarded for it;
    /// returns what it is otherwise. The stream is as before.
    ///
    /// # Errors
    /// The body ended before its start was decided.
    async fn detect_error_page_at_start(
        &self,
        download: &mut OpenedDownload,
    ) -> Result<Option<&'static str>, AttemptError> {
        let deadline = Instant::now() + self.file.coordinator.transfer_patience();
        // Its end may be read here and later again.
        let mut stream = std::mem::replace(&mut download.stream, futures_util::stream::empty().boxed()).fuse();
        let mut start = ErrorPageDetector::new(self.file.export_type, download.content_encoding.as_deref());
        let (mut chunks, mut page) = (Vec::new(), None);
        while page.is_none() && !start.is_decided() {
            match tokio::time::timeout_at(deadline, stream.next()).await {
                Ok(Some(Ok(chunk))) => {
                    page = start.detect_page_in_chunk(&chunk);
                    chunks.push(Ok(chunk));
                }
                Ok(Some(Err(failure))) => return Err(AttemptError::Download(failure)),
                Ok(None) => page = start.detect_page_in_complete_response(),
                Err(_elapsed) => {
                    let what = format!("too slow: {} bytes were received", start.byte_count_checked_so_far());
                    return Err(self.unusable_response_error(&what, false));
                }
            }
        }
        download.stream = futures_util::stream::iter(chunks).chain(stream).boxed();
        Ok(page)
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
