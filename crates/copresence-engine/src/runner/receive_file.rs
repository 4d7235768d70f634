//! Requests a file once, and writes what arrives to its partial file.

use super::error_page_detector::ErrorPageDetector;
use super::file_request::DownloadRequest;
use super::file_urls::{FileUrls, UrlChoice};
use super::range_overlap::RangeOverlap;
use super::{VisitContext, block_in_place};
use crate::events::{EventKind, VisitEvent};
use copresence_client::{DownloadError, DownloadErrorKind, OpenedDownload, RedirectCookies, ResumePoint, StatedDigest};
use copresence_protocol::DownloadUrl;
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{FileProgress, PartialAvatarFolder, PartialFile, SavedFileNote, Sha256Digest, StoreError};
use futures_util::{FutureExt as _, StreamExt};
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

/// Minimum time between two progress events of a file. One more is sent when it is complete.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Bytes after which received data is flushed and journalled.
const FLUSH_BYTES: u64 = 8 << 20;
/// Maximum time that received bytes may stay unflushed. Most avatars are smaller than [`FLUSH_BYTES`], and a spent URL
/// that continues by range is useful only with a known offset.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);
/// Time without a byte after which a request gives its permit to another file: its server may be dead, and the URLs of
/// the others expire.
const MAX_SILENCE_WITH_PERMIT: Duration = Duration::from_secs(3);
/// Bytes received of a file that has too little space, or is too large.
const FIRST_BYTES: usize = 4096;

/// Why one request did not complete the file.
pub(super) enum AttemptError {
    Disk(StoreError),
    Download(DownloadError),
    /// The response is not the file, or not the rest of the bytes on disk. A sentence that names the server.
    Unusable {
        why: String,
        /// Whether the whole file is requested next, although bytes are on disk.
        skips_range: bool,
    },
}

impl AttemptError {
    /// Whether the next request would fail in the same way, until the operator changes a setting: the file is too
    /// large, or its URL is not allowed.
    pub(super) fn would_fail_until_settings_change(&self) -> bool {
        match self {
            Self::Disk(_) => true,
            Self::Download(failure) => {
                matches!(failure.kind, DownloadErrorKind::TargetNotAllowed { may_pass: false, .. })
            }
            Self::Unusable { .. } => false,
        }
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Disk(error)
    }
}

/// State of one file across its requests.
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(super) struct FileDownload<'a> {
    pub(super) context: &'a VisitContext,
    pub(super) folder: &'a PartialAvatarFolder,
    pub(super) file: &'a DownloadRequest<'a>,
    pub(super) last_event: Option<Instant>,
    pub(super) known: FileProgress,
    /// The largest number of bytes that the partial file ever had. Restarting from byte 0 is no progress until then.
    pub(super) furthest: u64,
    /// Whether the next request is for the whole file, although bytes are on disk.
    pub(super) skips_range: bool,
    /// Whether ranges are requested without an overlap: the server refused it, or sent nothing behind it.
    pub(super) skips_overlap: bool,
    /// Bytes that an earlier run flushed, until the end of the partial file was compared with the server's bytes. Those
    /// behind them may be wrong. 0 if unknown.
    pub(super) flushed_before: u64,
    pub(super) urls: FileUrls<'a>,
    /// Those of this run's redirects, with which their targets send the file.
    pub(super) cookies: RedirectCookies,
    /// Whether the last response stated the size of the file.
    pub(super) is_total_stated: bool,
    /// The digest of all bytes of a response whose content was doubtful.
    pub(super) doubtful: Option<Sha256Digest>,
    /// The digest that the last response states of the whole file.
    pub(super) stated_digest: Option<StatedDigest>,
    /// Size in bytes of all that a server sent, if it stated another digest.
    pub(super) mismatched_size: Option<u64>,
    /// The size of the received bytes when the server sent others for their end. Their structure proves nothing then.
    pub(super) differing_size: Option<u64>,
    /// Whether bytes that the journal describes are missing, because their disk is not mounted or was restored.
    pub(super) lacks_journalled_bytes: bool,
    /// The permit of the request in flight, unless its server has been silent for [`MAX_SILENCE_WITH_PERMIT`].
    pub(super) permit: Option<SemaphorePermit<'a>>,
}

/// Whether two validators, if they are comparable, denote different versions. "A client that has received multiple
/// partial responses … combines \[them\] if they all share the same strong validator" (RFC 9110, 15.3.7.3).
fn is_different_file_version(before: Option<&str>, now: Option<&str>) -> bool {
    let is_tag = |validator: &str| validator.starts_with('"');
    matches!((before, now), (Some(before), Some(now)) if is_tag(before) == is_tag(now) && before != now)
}

/// Whether the failure is stated by a server's response; false if the connection failed, also in the middle of a
/// body, or if a rule of this program prevented the request.
pub(super) fn is_caused_by_response(failure: &DownloadError) -> bool {
    !matches!(
        failure.kind,
        DownloadErrorKind::NeverSent(_)
            | DownloadErrorKind::ResponseLost(_)
            | DownloadErrorKind::TargetNotAllowed { .. }
            | DownloadErrorKind::Interrupted { .. }
    )
}

/// Whether a range request failed because of its range, or may have: another one may succeed.
pub(super) fn is_caused_by_range(failure: &DownloadError) -> bool {
    match failure.kind {
        DownloadErrorKind::ErrorStatus { status, .. } => !matches!(status, 202 | 408 | 425 | 429 | 500..),
        DownloadErrorKind::InvalidResponse(_) | DownloadErrorKind::RangeNotSatisfiable { .. } => true,
        _ => false,
    }
}

impl FileDownload<'_> {
    /// Requests the file, from the current offset if some bytes are on disk, and receives the response.
    pub(super) async fn request_and_receive(
        &mut self,
        partial: &mut PartialFile,
        skips_range: bool,
        choice: UrlChoice,
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
                if choice == UrlChoice::OneTime
                    && (offset == 0 || self.urls.redirect_target().is_none())
                    && let Some(target) = failure.redirected_to.take()
                {
                    self.remember_redirect_target(*target).await;
                }
                return Err(AttemptError::Download(failure));
            }
        };
        crash_point::reach_crash_point(CrashPoint::HeadReceived);
        self.receive_response(download, partial, overlap, choice).await
    }

    /// Remembers the target of a redirect for later requests, in the journal too.
    async fn remember_redirect_target(&mut self, target: DownloadUrl) {
        if self.urls.set_redirect_target_if_new(target) {
            self.journal_redirect_target().await;
        }
    }

    /// Journals the target of the last redirect, or that it was refused.
    pub(super) async fn journal_redirect_target(&self) {
        self.file.journal.record_redirect_target(self.file.index, self.urls.redirect_target()).await;
    }

    /// Checks the head of a response, and writes its body to the partial file. A range begins with `overlap`.
    async fn receive_response(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
        overlap: RangeOverlap,
        choice: UrlChoice,
    ) -> Result<(), AttemptError> {
        let overlap = if download.offset == 0 { RangeOverlap::default() } else { overlap };
        let is_same_version = self.known.validator.is_some() && self.known.validator == download.validator;
        self.refuse_changed_file_or_error_page(&mut download, partial.resume_offset() > 0, is_same_version).await?;
        // Also if the connection breaks before the end: refusals count in a row.
        self.urls.reset_refusal_count(choice);
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
            if let Err(full) = self.file.room.set_file_space_reservation(self.file.index, remaining) {
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
                    return Err(self.rewind_to_flushed_or_refuse(partial, before).await?);
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
    async fn rewind_to_flushed_or_refuse(
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

    /// Refuses a response that is the rest of another version of the file, or that begins as an error page.
    /// `keeps_bytes` says that earlier bytes would be discarded for the whole file.
    async fn refuse_changed_file_or_error_page(
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

    /// The error for a response that is a page in place of the file.
    fn page_instead_of_file_error(&self, page: &str) -> AttemptError {
        let what = format!(
            "the server sent {page} instead of {}: this network may ask for a login, or the file server shows an error",
            self.file.export_type
        );
        self.unusable_response_error(&what, false)
    }

    /// The error for a response that is not the file, or not the rest of it.
    pub(super) fn unusable_response_error(&self, what: &str, skips_range: bool) -> AttemptError {
        AttemptError::Unusable { why: format!("{}: {what}", self.file.url.url_origin()), skips_range }
    }

    /// Checks a whole received file against the digest that the server states. A wrong digest is noted once the file
    /// was requested again: the server may state it of something else.
    ///
    /// # Errors
    /// The digest is another one, for the first time. The whole file is to be requested again.
    pub(super) fn check_or_note_stated_digest(&mut self, partial: &PartialFile) -> Result<(), AttemptError> {
        let Some(stated) = self.stated_digest.clone() else { return Ok(()) };
        let is_same = block_in_place(|| {
            let written = partial.rewound_reader_of_written_bytes()?;
            let read = stated.is_digest_of(written);
            read.map_err(|source| StoreError::Io { doing: "read", path: self.file.name.into(), source })
        })?;
        if is_same {
            return Ok(());
        }
        if self.mismatched_size.is_some() {
            self.add_file_note_once(SavedFileNote::note_of_digest_mismatch(&stated.to_string()));
            return Ok(());
        }
        let what = format!("the received bytes do not have the digest that the server states in `{stated}`");
        self.mismatched_size = Some(partial.resume_offset());
        Err(self.unusable_response_error(&what, true))
    }

    /// Adds a note about the received file, unless it has that note already.
    fn add_file_note_once(&mut self, note: SavedFileNote) {
        if !self.known.notes.contains(&note) {
            self.known.notes.push(note);
        }
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

    /// Journals size and validator of a response before its first bytes are written, without waiting: after a crash in
    /// the first half second, the bytes on disk are continued by `Range` with `If-Range`.
    fn queue_journaling_response_head(&self) {
        _ = self.file.journal.record_file_progress(self.file.index, &self.known).now_or_never();
    }

    /// Discards the received bytes, in the journal too.
    pub(super) async fn discard_received_bytes(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        partial.remove_bytes_to_restart_download()?;
        self.flush_and_journal(partial).await
    }

    /// Makes the received bytes durable, and journals their number.
    async fn flush_and_journal(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        self.known.bytes = block_in_place(|| partial.sync_and_get_durable_length())?;
        self.known.sha256 = (self.known.bytes > 0).then(|| partial.digest_written_bytes());
        if let Some(total) = self.known.total {
            self.file.room.reduce_reservation_to_remaining(self.file.index, total.saturating_sub(self.known.bytes));
        }
        self.file.journal.record_file_progress(self.file.index, &self.known).await;
        Ok(())
    }

    /// Emits the number of received bytes, at most once per interval and when the file is whole.
    pub(super) fn emit_throttled_progress(&mut self, bytes: u64, whole: bool) {
        let last = *self.last_event.get_or_insert_with(Instant::now);
        if !whole && last.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        self.last_event = Some(Instant::now());
        let total = if whole { Some(bytes) } else { self.known.total };
        self.emit_event(EventKind::Progress { file: self.file.name.to_owned(), bytes, total });
    }

    /// Passes an event of this file's visit to the host, with the time.
    pub(super) fn emit_event(&self, event: EventKind) {
        (self.context.event_sink)(VisitEvent {
            visit: self.file.id,
            at: self.context.clock.wall_clock_time(),
            kind: event,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_target_that_stays_forbidden_is_left_to_the_operator() {
        let fails_until_change = |may_pass| {
            let kind =
                DownloadErrorKind::TargetNotAllowed { after_redirect: may_pass, may_pass, why: "private".to_owned() };
            let host = "files.test".to_owned();
            let failure = DownloadError { host, kind, hint: None, redirected_to: None, has_unsent_credentials: false };
            AttemptError::Download(failure).would_fail_until_settings_change()
        };
        assert!(fails_until_change(false) && !fails_until_change(true));
    }
}
