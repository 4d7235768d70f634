//! Requests a file once, and writes what arrives to its partial file.

use super::block_in_place;
use super::error_page_detector::ErrorPageDetector;
use super::file_download::{
    AttemptError, FileDownload, MAX_SILENCE_WITH_PERMIT, is_caused_by_range, is_caused_by_response,
};
use super::file_urls::FileUrlKind;
use super::range_overlap::RangeOverlap;
use copresence_client::{OpenedDownload, ResumePoint};
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{FileProgress, PartialFile, SavedFileNote, StoreError};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes after which received data is flushed and journalled.
const FLUSH_BYTES: u64 = 8 << 20;
/// Maximum time that received bytes may stay unflushed. Most avatars are smaller than [`FLUSH_BYTES`], and a spent URL
/// that continues by range is useful only with a known offset.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);
/// Bytes received of a file that has too little space, or is too large.
const FIRST_BYTES: usize = 4096;

impl FileDownload<'_> {
    /// Requests the file, from the current offset if some bytes are on disk, and receives the response.
    pub(super) async fn request_and_receive(
        &mut self,
        partial: &mut PartialFile,
        skips_range: bool,
        choice: FileUrlKind,
    ) -> Result<(), AttemptError> {
        let offset = partial.resume_offset();
        let is_range = offset > 0 && !skips_range;
        let overlap = if is_range && !self.skips_overlap {
            block_in_place(|| RangeOverlap::read_end_of_partial_file(partial))?
        } else {
            RangeOverlap::default()
        };
        let resume = is_range.then(|| ResumePoint {
            offset: offset - overlap.byte_count(),
            validator: self.known.validator.clone(),
            total: self.known.total,
        });
        let opened = {
            let (api, url) = (&self.context.api, self.urls.chosen_url(choice));
            let mut opening = std::pin::pin!(api.open_download_with_cookies(url, resume.as_ref(), &mut self.cookies));
            match tokio::time::timeout(MAX_SILENCE_WITH_PERMIT, &mut opening).await {
                Ok(opened) => opened,
                Err(_elapsed) => {
                    self.permit = None;
                    opening.await
                }
            }
        };
        if opened.as_ref().map_or_else(is_caused_by_response, |_| true) {
            self.file.coordinator.record_response_and_wake_retries();
        }
        let download = match opened {
            Ok(download) => download,
            Err(mut failure) => {
                self.skips_overlap |= overlap.byte_count() > 0 && is_caused_by_range(&failure);
                // A target that may have sent the bytes on disk is not replaced by one that only failed.
                if choice == FileUrlKind::OneTime
                    && (offset == 0 || self.urls.redirect_target().is_none())
                    && let Some(target) = failure.redirected_to.take()
                {
                    self.remember_redirect_target(*target).await;
                }
                return Err(AttemptError::Download(failure));
            }
        };
        crash_point::reach_crash_point(CrashPoint::HeadReceived);
        self.receive_response(download, partial, (is_range, overlap), choice).await
    }

    /// Checks the head of a response, and writes its body to the partial file. `is_range` says whether a range was requested,
    /// which begins with `overlap`.
    async fn receive_response(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
        (is_range, overlap): (bool, RangeOverlap),
        choice: FileUrlKind,
    ) -> Result<(), AttemptError> {
        let is_same_version = self.known.validator.is_some() && self.known.validator == download.validator;
        self.refuse_changed_file_or_other_content(&mut download, partial, (is_range, &overlap), is_same_version)
            .await?;
        let overlap = if download.offset == 0 { RangeOverlap::default() } else { overlap };
        // Also if the connection breaks before the end: refusals count in a row.
        self.urls.reset_url_refusal_count(choice);
        if let Some(target) = download.redirected_to.take() {
            self.remember_redirect_target(target).await;
        }
        if self.lacks_journalled_bytes {
            // The journal must not describe earlier bytes when new ones are written.
            self.flush_and_journal(partial).await?;
            self.lacks_journalled_bytes = false;
        }
        let _receiving = self.file.coordinator.mark_file_as_receiving(self.file.index);
        let before = self.known.clone();
        self.known.total = download.total;
        self.is_total_stated = download.total.is_some();
        if download.offset == 0 {
            self.stated_digest = None;
            self.known.content_encoding.clone_from(&download.content_encoding);
            self.known.notes.retain(SavedFileNote::remains_true_after_redownload);
        } else if !is_same_version {
            self.add_file_note_once(SavedFileNote::note_of_unverified_join());
        }
        if let Some(stated) = download.stated_digest.take() {
            self.stated_digest = Some(stated);
        }
        if download.offset == 0 || download.validator.is_some() {
            self.known.validator.clone_from(&download.validator);
        }
        if download.offset + overlap.byte_count() != partial.resume_offset() {
            // The server ignored the range, or has another version by now, and sends the whole file.
            self.discard_received_bytes(partial).await?;
        } else if self.known != before {
            self.queue_journaling_response_head();
        }
        if let Some(total) = download.total {
            let max = self.file.limits.max_file_size;
            if total > max {
                // Without downloading up to the limit first.
                self.save_first_bytes_despite_full_disk(&mut download, partial).await;
                return Err(partial.too_large_error(max).into());
            }
            let remaining = total.saturating_sub(partial.resume_offset());
            if let Err(full) = self.file.room.set_reserved_bytes(remaining) {
                self.save_first_bytes_despite_full_disk(&mut download, partial).await;
                return Err(full.into());
            }
        }
        self.write_body(download, partial, overlap, before).await
    }

    /// Writes the body of a response, which begins with `overlap`, to the partial file. `before` is what was known of the
    /// file before this response.
    async fn write_body(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
        mut overlap: RangeOverlap,
        before: FileProgress,
    ) -> Result<(), AttemptError> {
        let (began, received_before) = (Instant::now(), partial.resume_offset());
        let mut transfer_patience = self.file.coordinator.transfer_patience_from_now();
        let (mut flushed, mut flushed_at) = (partial.resume_offset(), Instant::now());
        let mut last_byte_at = Instant::now();
        let content_encoding = download.content_encoding.as_deref();
        let mut start = (download.offset == 0).then(|| ErrorPageDetector::new(self.file.export_type, content_encoding));
        loop {
            let chunk = match tokio::time::timeout(FLUSH_INTERVAL, download.stream.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => {
                    if let Some(page) = start.as_mut().and_then(ErrorPageDetector::detect_page_in_complete_response) {
                        return Err(self.discard_page_returning_error(partial, before, page).await?);
                    }
                    break;
                }
                Err(_elapsed) => {
                    if last_byte_at.elapsed() >= MAX_SILENCE_WITH_PERMIT {
                        self.permit = None;
                    }
                    if partial.resume_offset() > flushed {
                        self.flush_and_journal(partial).await?;
                        (flushed, flushed_at) = (partial.resume_offset(), Instant::now());
                    }
                    continue;
                }
            };
            let mut chunk = match chunk {
                Ok(chunk) => chunk,
                Err(failure) => {
                    let has_new_bytes = partial.resume_offset() > received_before;
                    self.skips_overlap |= overlap.has_compared_bytes() && !has_new_bytes;
                    self.flush_and_journal(partial).await?;
                    return Err(AttemptError::Download(failure));
                }
            };
            last_byte_at = Instant::now();
            let received = chunk.len() as u64;
            if !overlap.is_compared() {
                if !overlap.compare_and_remove_known_bytes(&mut chunk) {
                    return Err(self.rewind_after_server_bytes_differ(partial, before).await?);
                }
                if overlap.is_compared() {
                    self.flushed_before = 0;
                }
            }
            // Bytes that do not show yet what they are belong on disk: the server may stall, and a crash may follow.
            if let Some(page) = start.as_mut().and_then(|start| start.detect_page_in_chunk(&chunk)) {
                return Err(self.discard_page_returning_error(partial, before, page).await?);
            }
            let grown = partial.resume_offset() + chunk.len() as u64;
            if let Some(total) = self.known.total.filter(|total| grown > *total) {
                self.flush_and_journal(partial).await?;
                return Err(
                    self.unusable_response_error(&format!("the server announced {total} bytes and sent more"), true)
                );
            }
            if let Err(error) = partial.append_bytes(&chunk) {
                // The offset at which a later run continues, once there is space.
                _ = self.flush_and_journal(partial).await;
                return Err(error.into());
            }
            let new = partial.resume_offset().saturating_sub(self.furthest);
            self.furthest = self.furthest.max(partial.resume_offset());
            self.file.coordinator.restore_patience(new);
            if !transfer_patience.add_bytes_and_check_patience_left(received) {
                self.flush_and_journal(partial).await?;
                let (bytes, ms) = (partial.resume_offset() - received_before, began.elapsed().as_millis());
                return Err(
                    self.unusable_response_error(&format!("too slow: {bytes} bytes were received in {ms} ms"), false)
                );
            }
            if partial.resume_offset() - flushed >= FLUSH_BYTES || flushed_at.elapsed() >= FLUSH_INTERVAL {
                self.flush_and_journal(partial).await?;
                (flushed, flushed_at) = (partial.resume_offset(), Instant::now());
            }
            self.emit_throttled_progress(partial.resume_offset(), false);
        }
        if !overlap.is_compared() {
            self.known = before;
            return Err(
                self.unusable_response_error("the response ended before the end of the bytes on the disk", true)
            );
        }
        // A rest with status 200 does not know the size of the file.
        if self.known.total.is_some_and(|total| partial.resume_offset() < total) {
            self.flush_and_journal(partial).await?;
            return Err(self.unusable_response_error("the response ended before the end of the file", false));
        }
        if download.has_unverifiable_end
            && self.known.total.is_none()
            && self.known.content_encoding.is_none()
            && !partial.detected_format().is_truncation_detectable()
        {
            self.add_file_note_once(SavedFileNote::note_of_unknown_length());
        }
        // With the size in the journal, a crash from here on needs no URL.
        self.known.total = Some(partial.resume_offset());
        Ok(self.flush_and_journal(partial).await?)
    }

    /// Builds the error for bytes on the disk that differ from those of the server, and discards them if an earlier run
    /// flushed bytes before them: the download continues there. Otherwise the whole file is requested, and no byte is
    /// discarded until it arrives, because the server may be wrong. `before` is what was known of the file before this
    /// response.
    async fn rewind_after_server_bytes_differ(
        &mut self,
        partial: &mut PartialFile,
        before: FileProgress,
    ) -> Result<AttemptError, StoreError> {
        self.known = before;
        self.add_file_note_once(SavedFileNote::note_of_bytes_received_again());
        self.differing_size = Some(partial.resume_offset());
        let flushed = std::mem::take(&mut self.flushed_before);
        let continues = 0 < flushed && flushed < partial.resume_offset();
        if continues {
            block_in_place(|| partial.discard_bytes_behind(flushed))?;
        }
        self.flush_and_journal(partial).await?;
        let what = "the bytes that the server sends differ from those on the disk";
        Ok(self.unusable_response_error(what, !continues))
    }

    /// Discards the start of a page that was sent in place of the file, with what the journal says of it since
    /// `before`. Returns the error for it.
    async fn discard_page_returning_error(
        &mut self,
        partial: &mut PartialFile,
        before: FileProgress,
        page: &str,
    ) -> Result<AttemptError, StoreError> {
        self.known = before;
        self.discard_received_bytes(partial).await?;
        Ok(self.page_instead_of_file_error(page))
    }

    /// Saves the first bytes of a file, so that it can be resumed, although the disk has too little space for it. A
    /// one-time URL that was requested can be continued by range, and never be started again.
    async fn save_first_bytes_despite_full_disk(&mut self, download: &mut OpenedDownload, partial: &mut PartialFile) {
        let limit = FIRST_BYTES.min(usize::try_from(self.file.limits.max_file_size).unwrap_or(FIRST_BYTES));
        if partial.resume_offset() == 0
            && let Some(Ok(chunk)) = download.stream.next().await
            && ErrorPageDetector::new(self.file.export_type, download.content_encoding.as_deref())
                .detect_page_in_chunk(&chunk)
                .is_none()
        {
            let few = &chunk[..chunk.len().min(limit)];
            let written = match partial.append_bytes(few) {
                Ok(()) => self.flush_and_journal(partial).await,
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                tracing::warn!(%error, file = self.file.name, "no space for the first bytes");
            }
        }
    }
}
