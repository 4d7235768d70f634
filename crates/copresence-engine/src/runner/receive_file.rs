//! Requests a file once, and writes what arrives to its partial file.

use super::block_in_place;
use super::error_page_detector::ErrorPageDetector;
use super::file_download::{
    AttemptError, FileDownload, MAX_SILENCE_WITH_PERMIT, is_caused_by_range, is_caused_by_response,
};
use super::file_urls::FileUrlChoice;
use super::range_overlap::RangeOverlap;
use copresence_client::{DownloadError, DownloadErrorKind, OpenedDownload, ResumePoint, is_weak_tag};
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{DurableFileProgress, PartialFile, SavedFileNote, StoreError};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes after which received data is flushed and journalled.
const FLUSH_BYTES: u64 = 8 << 20;
/// Maximum time that received bytes may stay unflushed. Most avatars are smaller than [`FLUSH_BYTES`], and a spent URL
/// that continues by range is useful only with a known offset.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);
/// Time without a byte after which a file that is complete by its own structure is used although its response does not end: a
/// proxy may keep it open for minutes.
const MAX_WAIT_AFTER_COMPLETE_FILE: Duration = Duration::from_secs(1);
/// Bytes for which space is reserved ahead while a file of unknown size is received.
const RESERVED_BYTES_OF_UNKNOWN_SIZE: u64 = 512 * 1024;
/// Bytes received of a file that has too little space, or is too large.
const FIRST_BYTES: usize = 4096;

impl FileDownload<'_> {
    /// Requests the file, from the current offset if some bytes are on disk, and receives the response.
    pub(super) async fn request_and_receive(
        &mut self,
        partial: &mut PartialFile,
        skips_range: bool,
        choice: FileUrlChoice,
    ) -> Result<(), AttemptError> {
        let offset = partial.resume_offset();
        let is_range = offset > 0 && !skips_range;
        let overlap = if is_range && !self.skips_overlap {
            let validator = self.known.validator.as_deref();
            block_in_place(|| RangeOverlap::read_end_of_partial_file(partial, validator))?
        } else {
            RangeOverlap::default()
        };
        let resume = is_range.then(|| ResumePoint {
            offset: offset - overlap.byte_count(),
            validator: self.known.validator.clone(),
            total: self.known.total,
        });
        self.unrepeatable = (!is_range).then(|| self.file.coordinator.mark_transfer_as_unrepeatable());
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
                if choice == FileUrlChoice::OneTime {
                    self.remember_redirect_targets(std::mem::take(&mut failure.redirect_targets)).await;
                }
                return Err(AttemptError::Download(failure));
            }
        };
        crash_point::reach_crash_point(CrashPoint::HeadReceived);
        let mut response = Some((download, (is_range, overlap)));
        while let Some((download, range)) = response.take() {
            if download.status == 206 {
                self.unrepeatable = None;
            }
            response = self
                .receive_response(download, partial, range, choice)
                .await?
                .map(|(download, overlap)| (download, (true, overlap)));
        }
        Ok(())
    }

    /// Requests the rest of the file by range, while the response so far is silent. `None` if the server sends no range: then
    /// the rest may only arrive in that response.
    async fn open_range_beside_silent_response(
        &mut self,
        partial: &mut PartialFile,
        choice: FileUrlChoice,
        longest: Duration,
    ) -> Result<Option<(OpenedDownload, RangeOverlap)>, AttemptError> {
        self.flush_and_journal(partial).await?;
        let validator = self.known.validator.as_deref();
        let overlap = block_in_place(|| RangeOverlap::read_end_of_partial_file(partial, validator))?;
        let resume = ResumePoint {
            offset: partial.resume_offset() - overlap.byte_count(),
            validator: self.known.validator.clone(),
            total: self.known.total,
        };
        let (api, url) = (&self.context.api, self.urls.chosen_url(choice));
        let opening = api.open_download_with_cookies(url, Some(&resume), &mut self.cookies);
        let opened = tokio::time::timeout(longest, opening).await;
        Ok(match opened {
            Ok(Ok(download)) if download.status == 206 => Some((download, overlap)),
            _ => None,
        })
    }

    /// Checks the head of a response, and writes its body to the partial file. `is_range` says whether a range was requested,
    /// which begins with `overlap`. Returns the response that sends the rest, if this one became silent.
    async fn receive_response(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
        (is_range, overlap): (bool, RangeOverlap),
        choice: FileUrlChoice,
    ) -> Result<Option<(OpenedDownload, RangeOverlap)>, AttemptError> {
        let is_same_version = self.known.validator == download.validator
            && self.known.validator.as_deref().is_some_and(|validator| !is_weak_tag(validator));
        self.refuse_changed_file_or_other_content(&mut download, partial, (is_range, &overlap), is_same_version)
            .await?;
        let overlap = match download.offset {
            0 => RangeOverlap::default(),
            offset if offset + overlap.byte_count() == partial.resume_offset() => overlap,
            // It begins earlier than the requested range.
            offset => block_in_place(|| RangeOverlap::read_bytes_from(partial, offset))?,
        };
        // Also if the connection breaks before the end: refusals count in a row.
        self.urls.reset_url_refusal_count(choice);
        self.remember_redirect_targets(std::mem::take(&mut download.redirect_targets)).await;
        if self.lacks_journalled_bytes {
            // The journal must not describe earlier bytes when new ones are written.
            self.flush_and_journal(partial).await?;
            self.lacks_journalled_bytes = false;
        }
        let _receiving = self.file.coordinator.mark_file_as_receiving(self.file.index);
        let (before, digest_before) = (self.known.clone(), self.stated_digest.clone());
        self.known.total = download.total;
        self.is_total_stated = download.total.is_some();
        if self.is_total_stated {
            self.forget_unknown_length();
        }
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
        let is_weak = download.validator.as_deref().is_some_and(is_weak_tag);
        if download.offset == 0 || download.validator.is_some() && (!is_weak || self.known.validator.is_none()) {
            self.known.validator.clone_from(&download.validator);
        }
        if download.offset + overlap.byte_count() != partial.resume_offset() {
            // The server ignored the range, or has another version by now, and sends the whole file.
            self.replace_received_bytes(partial, (&before, digest_before)).await?;
        } else if self.known != before {
            self.queue_journaling_response_head();
        }
        let max = self.file.limits.max_file_size;
        if download.total.is_some_and(|total| total > max) {
            // Without downloading up to the limit first.
            self.save_first_bytes_despite_full_disk(&mut download, partial).await;
            return Err(partial.too_large_error(max).into());
        }
        // A file of unknown size must not fill the disk either.
        let remaining = download.total.map(|total| total.saturating_sub(partial.resume_offset()));
        let next = remaining.unwrap_or(RESERVED_BYTES_OF_UNKNOWN_SIZE);
        if let Err(full) = self.file.room.set_reserved_bytes(next) {
            self.save_first_bytes_despite_full_disk(&mut download, partial).await;
            return Err(full.into());
        }
        self.write_body(download, partial, overlap, before, choice).await
    }

    /// Writes the body of a response, which begins with `overlap`, to the partial file. `before` is what was known of the
    /// file before this response. Returns the response that sends the rest, if this one became silent.
    async fn write_body(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
        mut overlap: RangeOverlap,
        before: DurableFileProgress,
        choice: FileUrlChoice,
    ) -> Result<Option<(OpenedDownload, RangeOverlap)>, AttemptError> {
        let (began, received_before) = (Instant::now(), partial.resume_offset());
        let coordinator = self.file.coordinator;
        let mut transfer_patience =
            coordinator.start_transfer_patience_at_first_byte(download.has_stated_range_support);
        let (mut flushed, mut flushed_at) = (partial.resume_offset(), Instant::now());
        let mut reserved_until = partial.resume_offset() + RESERVED_BYTES_OF_UNKNOWN_SIZE;
        let (mut last_byte_at, mut checked_size) = (Instant::now(), 0);
        let mut silence_before_range_request = download.silence_before_range_request;
        let content_encoding = download.content_encoding.as_deref();
        let mut start = (download.offset == 0).then(|| ErrorPageDetector::new(self.file.export_type, content_encoding));
        loop {
            transfer_patience.restore_patience_lost_while_suspended();
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
                    if last_byte_at.elapsed() >= MAX_WAIT_AFTER_COMPLETE_FILE
                        && overlap.has_compared_all_bytes()
                        && self.is_complete_although_response_is_open(partial, &mut checked_size)?
                    {
                        break;
                    }
                    if partial.resume_offset() > 0
                        && let Some(silence) =
                            silence_before_range_request.take_if(|silence| last_byte_at.elapsed() >= *silence)
                        && let Some(rest) = self.open_range_beside_silent_response(partial, choice, silence).await?
                    {
                        return Ok(Some(rest));
                    }
                    continue;
                }
            };
            let mut chunk = match chunk {
                Ok(chunk) => chunk,
                Err(failure) => {
                    let has_new_bytes = partial.resume_offset() > received_before;
                    self.skips_overlap |= overlap.has_compared_some_bytes() && !has_new_bytes;
                    let checks = (start.as_mut(), &overlap);
                    return Err(self.interrupted_response_error(failure, partial, checks, before).await?);
                }
            };
            last_byte_at = Instant::now();
            let received = chunk.len() as u64;
            if !overlap.has_compared_all_bytes() {
                if !overlap.compare_and_remove_known_bytes(&mut chunk) {
                    return Err(self.rewind_after_server_bytes_differ(partial, before).await?);
                }
                if overlap.has_compared_all_bytes() {
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
            let reserved = self.reserve_space_of_unknown_size(partial, grown, &mut reserved_until);
            if let Err(error) = reserved.and_then(|()| partial.append_bytes(&chunk)) {
                // The offset at which a later run continues, once there is space.
                _ = self.flush_and_journal(partial).await;
                return Err(error.into());
            }
            let new = partial.resume_offset().saturating_sub(self.furthest);
            self.furthest = self.furthest.max(partial.resume_offset());
            self.file.coordinator.restore_patience_for_new_bytes(new);
            let is_whole = self.known.total == Some(partial.resume_offset());
            if !transfer_patience.add_bytes_and_check_patience_left(received) && !is_whole {
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
        self.check_ended_body_is_whole(partial, download.has_unverifiable_end, &overlap, before).await?;
        Ok(None)
    }

    /// Makes sure that a file of unknown size that grows to `grown` bytes has space, ahead of its bytes: until `reserved_until`.
    fn reserve_space_of_unknown_size(
        &self,
        partial: &PartialFile,
        grown: u64,
        reserved_until: &mut u64,
    ) -> Result<(), StoreError> {
        if self.known.total.is_some() || grown <= *reserved_until {
            return Ok(());
        }
        *reserved_until = grown + RESERVED_BYTES_OF_UNKNOWN_SIZE;
        self.file.room.ensure_space_for_next_bytes(*reserved_until - partial.resume_offset())
    }

    /// The error for a response that broke off, or had no certain end. `start` checks its first bytes, `overlap` is what of it was
    /// to be compared, and `before` is what was known of the file before it.
    async fn interrupted_response_error(
        &mut self,
        mut failure: DownloadError,
        partial: &mut PartialFile,
        (start, overlap): (Option<&mut ErrorPageDetector<'_>>, &RangeOverlap),
        before: DurableFileProgress,
    ) -> Result<AttemptError, StoreError> {
        if let DownloadErrorKind::Interrupted { may_be_whole, .. } = &mut failure.kind {
            *may_be_whole &= overlap.has_compared_all_bytes();
        }
        if failure.may_be_whole_response() {
            if let Some(page) = start.and_then(ErrorPageDetector::detect_page_in_complete_response) {
                return self.discard_page_returning_error(partial, before, page).await;
            }
            self.note_unknown_length_of_received_bytes(partial);
        }
        self.flush_and_journal(partial).await?;
        Ok(AttemptError::Download(failure))
    }

    /// Whether the received bytes are the whole file by its own structure, while its response may still go on. Each size is
    /// looked at once: the last one is `checked_size`. Encoded bytes are not: to decode them takes long.
    fn is_complete_although_response_is_open(
        &self,
        partial: &mut PartialFile,
        checked_size: &mut u64,
    ) -> Result<bool, StoreError> {
        let size = partial.resume_offset();
        if std::mem::replace(checked_size, size) == size
            || self.known.content_encoding.is_some()
            || self.lacks_stated_bytes(partial)
            || self.doubts.is_structure_no_proof(size)
        {
            return Ok(false);
        }
        block_in_place(|| partial.is_proven_complete_by_structure())
    }

    /// Checks that a body whose stream has ended is the whole file, or its rest, and journals that. `before` is what was known
    /// of the file before this response.
    async fn check_ended_body_is_whole(
        &mut self,
        partial: &mut PartialFile,
        has_unverifiable_end: bool,
        overlap: &RangeOverlap,
        before: DurableFileProgress,
    ) -> Result<(), AttemptError> {
        if !overlap.has_compared_all_bytes() {
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
        if has_unverifiable_end {
            self.note_unknown_length_of_received_bytes(partial);
        }
        // With the size in the journal, a crash from here on needs no URL.
        self.known.total = Some(partial.resume_offset());
        Ok(self.flush_and_journal(partial).await?)
    }

    /// Notes that the length of the file is unknown, unless its size was stated or its content has a mark of its end.
    fn note_unknown_length_of_received_bytes(&mut self, partial: &PartialFile) {
        if self.known.total.is_none()
            && self.known.content_encoding.is_none()
            && !partial.detected_format().is_truncation_detectable()
        {
            self.add_file_note_once(SavedFileNote::note_of_unknown_length());
        }
    }

    /// Builds the error for bytes on the disk that differ from those of the server, and discards them if an earlier run
    /// flushed bytes before them: the download continues there. Otherwise the whole file is requested, and no byte is
    /// discarded until it arrives, because the server may be wrong. `before` is what was known of the file before this
    /// response.
    async fn rewind_after_server_bytes_differ(
        &mut self,
        partial: &mut PartialFile,
        before: DurableFileProgress,
    ) -> Result<AttemptError, StoreError> {
        self.known = before;
        self.add_file_note_once(SavedFileNote::note_of_different_bytes_on_resume());
        self.doubts.record_other_end(partial.resume_offset());
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
        before: DurableFileProgress,
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
