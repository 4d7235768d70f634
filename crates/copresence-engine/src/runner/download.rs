//! Downloads one file from its one-time URL: resumed by range where the server allows it, and requested again until the
//! file is complete, certainly lost, or the visit's patience is over.
//!
//! A file is lost for certain if the server refuses its URL, or if
//! [`keep_trying`](copresence_store::VisitLimits::keep_trying) is over. Every other response and failure proves
//! nothing, however often it comes: something in between may have sent it. Received bytes are discarded only when a
//! response arrives that can be the file.

use super::download_coordinator::RetryDecision;
use super::file_request::{DownloadRequest, FileFailure, FileFailureKind};
use super::finish_file::{ContentDefect, FinishError, add_notes_and_check, finish_received_file};
use super::response_start::ResponseStart;
use super::{VisitContext, block_in_place};
use crate::events::{EventKind, VisitEvent};
use copresence_client::{DownloadError, DownloadErrorKind, OpenedDownload, ResumePoint};
use copresence_protocol::DownloadUrl;
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{
    CompleteFile, FileNote, FileProgress, FileState, PartialAvatarFolder, PartialFile, Sha256, StoreError,
};
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
/// Bytes received of a file that has too little space, or is too large.
const FIRST_BYTES: usize = 4096;
/// The longest pause between two requests, and the longest `Retry-After` that is honoured. Spec: "The provided URLs are
/// also invalidated after a short while."
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause after a request that was never sent: trying again costs the server nothing.
const MAX_PAUSE_UNSENT: Duration = Duration::from_secs(5);

/// Downloads one file into the avatar's partial folder.
///
/// # Errors
/// Why the file is not there, and whether a later run may get it.
pub(crate) async fn download_file(
    context: &VisitContext,
    folder: &PartialAvatarFolder,
    file: &DownloadRequest<'_>,
) -> Result<CompleteFile, FileFailure> {
    let permit = file.coordinator.acquire_request_permit().await;
    let mut has_other_content = false;
    let known = match file.earlier.map(|record| &record.state) {
        Some(FileState::Failed { why, spent: true, .. }) => return Err(FileFailure::failure_of_lost_file(why)),
        Some(FileState::Requested(progress)) => {
            // A crash may have come between the rename of the file and its entry in the journal.
            match block_in_place(|| folder.rehash_complete_file(file.name))? {
                None => progress.clone(),
                Some(whole) => {
                    if let Ok(whole) = add_notes_and_check(file, &progress.notes, whole) {
                        return Ok(whole);
                    }
                    // Completed by an earlier version.
                    block_in_place(|| folder.return_complete_file_to_partial(file.name))?;
                    has_other_content = true;
                    FileProgress::default()
                }
            }
        }
        Some(FileState::Failed { progress, .. }) => progress.clone(),
        _ => FileProgress::default(),
    };
    // After a power cut, bytes that were never flushed may be wrong.
    let usable = if has_other_content {
        0
    } else if file.earlier.is_some_and(|record| record.is_from_this_boot) {
        known.total.unwrap_or(u64::MAX)
    } else {
        known.bytes
    };
    let partial = open_and_truncate_partial_file(folder, file, usable)?;
    if let Err(error) = context.journal.record_file_request(&file.id, file.index).await {
        tracing::error!(%error, file = file.name, "cannot journal the request");
    }
    let lacks_journalled_bytes = partial.resume_offset() < known.bytes;
    let furthest = partial.resume_offset();
    let mut download = FileDownload {
        context,
        folder,
        file,
        last_event: None,
        known,
        furthest,
        skips_range: false,
        redirected_to: None,
        is_total_stated: false,
        undecodable: None,
        lacks_journalled_bytes,
    };
    let whole = download.download_with_retries(partial, permit).await?;
    download.emit_throttled_progress(whole.bytes, true);
    Ok(whole)
}

/// Opens the partial file with at most `usable` of its bytes.
fn open_and_truncate_partial_file(
    folder: &PartialAvatarFolder,
    file: &DownloadRequest<'_>,
    usable: u64,
) -> Result<PartialFile, StoreError> {
    let partial = block_in_place(|| folder.resume_partial_file_after_crash(file.name, usable))?;
    Ok(partial.with_max_size_bytes(file.limits.max_file_size))
}

/// Whether a response to a range request suggests to request the whole file instead.
fn is_odd_for_range(failure: &DownloadError) -> bool {
    match failure.kind {
        DownloadErrorKind::InvalidResponse(_) | DownloadErrorKind::RangeNotSatisfiable { .. } => true,
        DownloadErrorKind::ErrorStatus { status, .. } => !matches!(status, 202 | 408 | 425 | 429 | 500..),
        _ => false,
    }
}

/// `Retry-After` of the response.
fn requested_retry_delay(failure: &DownloadError) -> Option<Duration> {
    match failure.kind {
        DownloadErrorKind::ErrorStatus { retry_after, .. } => retry_after,
        _ => None,
    }
}

/// Whether two validators, if they are comparable, denote different versions. "A client that has received multiple
/// partial responses … combines \[them\] if they all share the same strong validator" (RFC 9110, 15.3.7.3).
fn is_different_file_version(before: Option<&str>, now: Option<&str>) -> bool {
    let is_tag = |validator: &str| validator.starts_with('"');
    matches!((before, now), (Some(before), Some(now)) if is_tag(before) == is_tag(now) && before != now)
}

/// Whether the failure is stated by a server's response; false if the connection failed, also in the middle of a
/// body.
fn is_caused_by_response(failure: &DownloadError) -> bool {
    !matches!(
        failure.kind,
        DownloadErrorKind::NeverSent(_) | DownloadErrorKind::ResponseLost(_) | DownloadErrorKind::Interrupted { .. }
    )
}

/// Why one request did not complete the file.
enum AttemptError {
    Disk(StoreError),
    Download(DownloadError),
    /// The response is not the file, or not the rest of the bytes on disk. A sentence that names the server.
    Unusable {
        why: String,
        /// Whether the whole file is requested next, although bytes are on disk.
        skips_range: bool,
    },
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Disk(error)
    }
}

/// State of one file across its requests.
struct FileDownload<'a> {
    context: &'a VisitContext,
    folder: &'a PartialAvatarFolder,
    file: &'a DownloadRequest<'a>,
    last_event: Option<Instant>,
    known: FileProgress,
    /// The largest number of bytes that the partial file ever had. Restarting from byte 0 is no progress until then.
    furthest: u64,
    /// Whether the next request is for the whole file, although bytes are on disk.
    skips_range: bool,
    /// Where the URL redirected to. A one-time URL may be spent by that, so a download continues there.
    redirected_to: Option<DownloadUrl>,
    /// Whether the last response stated the size of the file.
    is_total_stated: bool,
    /// The digest of all bytes of a response that could not be decoded.
    undecodable: Option<Sha256>,
    /// Whether bytes that the journal describes are missing, because their disk is not mounted or was restored.
    lacks_journalled_bytes: bool,
}

/// A failed request after which the file may still be downloaded.
struct RetryableFailure {
    why: String,
    /// `Retry-After` of the response.
    requested_pause: Option<Duration>,
    longest_pause: Duration,
    /// Whether a server responded. Otherwise, the next response of any server is a reason to retry at once.
    has_response: bool,
}

impl RetryableFailure {
    /// Builds the failure of a request that a server responded to, so that it is retried only after the whole
    /// pause.
    fn failure_after_response(why: String) -> Self {
        Self { why, requested_pause: None, longest_pause: MAX_PAUSE, has_response: true }
    }
}

impl From<&DownloadError> for RetryableFailure {
    fn from(failure: &DownloadError) -> Self {
        let is_unsent = matches!(failure.kind, DownloadErrorKind::NeverSent(_));
        Self {
            why: failure.to_string(),
            requested_pause: requested_retry_delay(failure),
            longest_pause: if is_unsent { MAX_PAUSE_UNSENT } else { MAX_PAUSE },
            has_response: is_caused_by_response(failure),
        }
    }
}

impl From<&AttemptError> for RetryableFailure {
    fn from(failure: &AttemptError) -> Self {
        match failure {
            AttemptError::Download(failure) => Self::from(failure),
            AttemptError::Disk(error) => Self::failure_after_response(error.to_string()),
            AttemptError::Unusable { why, .. } => Self::failure_after_response(why.clone()),
        }
    }
}

impl FileDownload<'_> {
    /// Sends requests until the file is complete, certainly lost, or to be continued by a later run. `permit` is for
    /// the first request.
    async fn download_with_retries(
        &mut self,
        partial: PartialFile,
        mut permit: Option<SemaphorePermit<'_>>,
    ) -> Result<CompleteFile, FileFailure> {
        let coordinator = self.file.coordinator;
        let mut partial = Some(partial);
        let mut fruitless = 0;
        loop {
            let furthest = self.furthest;
            let open = match partial.take() {
                Some(open) => open,
                None => open_and_truncate_partial_file(self.folder, self.file, u64::MAX)?,
            };
            let has_bytes = open.resume_offset() > 0;
            let skipped_range = std::mem::take(&mut self.skips_range) && has_bytes;
            let elsewhere = self.redirected_to.take().filter(|_| has_bytes && !skipped_range);
            let result = self.request_and_finish(&mut partial, open, skipped_range, elsewhere.as_ref()).await;
            drop(permit.take());
            let failure = match result {
                Ok(whole) => return Ok(whole),
                Err(AttemptError::Disk(error)) if !matches!(error, StoreError::TooLarge { .. }) => {
                    return Err(error.into());
                }
                Err(failure) => failure,
            };
            match &failure {
                AttemptError::Disk(_) => {}
                // The received bytes may still be continued by range, or by the URL itself.
                AttemptError::Download(refused)
                    if refused.is_refusal_of_url() && !skipped_range && elsewhere.is_none() =>
                {
                    if self.lacks_journalled_bytes {
                        let folder = self.folder.partial_folder_path().display();
                        let why = format!("bytes that were received are missing in {folder}; restore them. {refused}");
                        return Err(FileFailure { why, kind: FileFailureKind::Storage });
                    }
                    return Err(FileFailure::failure_of_lost_file(refused.to_string()));
                }
                AttemptError::Download(failure) => {
                    self.skips_range = has_bytes && !skipped_range && elsewhere.is_none() && is_odd_for_range(failure);
                }
                AttemptError::Unusable { skips_range, .. } => self.skips_range = *skips_range,
            }
            let is_too_large = matches!(failure, AttemptError::Disk(_));
            let failure = RetryableFailure::from(&failure);
            fruitless = if self.furthest > furthest { 1 } else { fruitless + 1 };
            let why = failure.why;
            let (index, has_response) = (self.file.index, failure.has_response);
            let decision = if is_too_large {
                // Its size and the limit stay the same in this run.
                coordinator.decide_after_last_attempt(index, has_response)
            } else {
                let what = format!("{}: {why}", self.file.name);
                coordinator.record_failure_and_decide_retry(index, &what, has_response)
            };
            let patience_left = match decision {
                RetryDecision::Retry { patience_left } => patience_left,
                RetryDecision::Postpone => return Err(FileFailure { why, kind: FileFailureKind::Interrupted }),
                RetryDecision::GiveUp { why: reason } => {
                    return Err(FileFailure::failure_of_lost_file(format!(
                        "{why}. It is not requested again: {reason}"
                    )));
                }
            };
            let doubled = self.file.pause * (1 << (fruitless - 1).min(16));
            let pause = failure.requested_pause.unwrap_or(doubled.min(patience_left)).min(failure.longest_pause);
            tracing::info!(file = self.file.name, %why, "retrying the download");
            self.emit_retry(&why, fruitless, pause);
            coordinator.wait_before_retry(pause, !failure.has_response).await;
            permit = coordinator.acquire_request_permit().await;
        }
    }

    /// Sends one request, unless all bytes are on disk, and completes the file. After a failure, the partial file stays
    /// in `kept` if it is open and has bytes: any number of files may wait, and the system opens only so many at a
    /// time.
    async fn request_and_finish(
        &mut self,
        kept: &mut Option<PartialFile>,
        mut partial: PartialFile,
        skips_range: bool,
        elsewhere: Option<&DownloadUrl>,
    ) -> Result<CompleteFile, AttemptError> {
        let offset = partial.resume_offset();
        // All of it may have arrived before a crash: then the URL is no longer needed.
        if offset == 0 || self.known.total != Some(offset) {
            match self.request_and_receive(&mut partial, skips_range, elsewhere).await {
                Ok(()) => {}
                Err(AttemptError::Download(DownloadError {
                    kind: DownloadErrorKind::RangeNotSatisfiable { total: Some(total) },
                    ..
                    // Without the journalled response it is unknown whether these bytes are encoded.
                })) if total == offset && self.known != FileProgress::default() => self.is_total_stated = true,
                // The bytes cannot be decoded, and no others will come.
                Err(AttemptError::Download(refused)) if refused.is_refusal_of_url() && self.undecodable.is_some() => {}
                Err(failure) => {
                    *kept = (partial.resume_offset() > 0).then_some(partial);
                    return Err(failure);
                }
            }
        }
        let mut keeps_undecodable = false;
        loop {
            let finished =
                finish_received_file(self.context, self.file, &mut self.known, partial, keeps_undecodable).await;
            let (why, defect) = match finished {
                Ok(whole) => return Ok(whole),
                Err(FinishError::Disk(error)) => return Err(error.into()),
                Err(FinishError::Content { why, defect }) => (why, defect),
            };
            partial = open_and_truncate_partial_file(self.folder, self.file, u64::MAX)?;
            let skips_range = match defect {
                // A server that stated the size of a truncated file has no more of it.
                ContentDefect::Truncated => self.is_total_stated,
                ContentDefect::OtherContent => {
                    self.known = FileProgress::default();
                    self.discard_received_bytes(&mut partial).await?;
                    false
                }
                // The server sent the same bytes again, or refuses to: this is what it has.
                ContentDefect::Undecodable(digest) if self.undecodable == Some(digest) => {
                    keeps_undecodable = true;
                    continue;
                }
                ContentDefect::Undecodable(digest) => {
                    self.undecodable = Some(digest);
                    true
                }
            };
            self.known.total = None;
            *kept = (partial.resume_offset() > 0).then_some(partial);
            return Err(AttemptError::Unusable { why, skips_range });
        }
    }

    /// Requests the file, from the current offset if some bytes are on disk, and receives the response.
    async fn request_and_receive(
        &mut self,
        partial: &mut PartialFile,
        skips_range: bool,
        elsewhere: Option<&DownloadUrl>,
    ) -> Result<(), AttemptError> {
        let offset = partial.resume_offset();
        let resume = (offset > 0 && !skips_range).then(|| ResumePoint {
            offset,
            validator: self.known.validator.clone(),
            total: self.known.total,
        });
        let url = elsewhere.unwrap_or(self.file.url);
        let opened = self.context.api.open_download(url, resume.as_ref()).await;
        if opened.as_ref().map_or_else(is_caused_by_response, |_| true) {
            self.file.coordinator.record_response_and_wake_retries();
        }
        let download = opened.map_err(AttemptError::Download)?;
        crash_point::reach_crash_point(CrashPoint::HeadReceived);
        self.redirected_to = download.redirected_to.clone().or_else(|| elsewhere.cloned());
        self.receive_response(download, partial).await
    }

    /// Writes the response to the partial file.
    async fn receive_response(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
    ) -> Result<(), AttemptError> {
        let is_same_version = self.known.validator.is_some() && self.known.validator == download.validator;
        self.refuse_unusable_response(&mut download, partial.resume_offset() > 0, is_same_version).await?;
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
            self.known.content_encoding.clone_from(&download.content_encoding);
            self.known.notes.clear();
        } else if !is_same_version {
            self.add_note(FileNote::joined_unverified());
        }
        if download.offset == 0 || download.validator.is_some() {
            self.known.validator.clone_from(&download.validator);
        }
        if download.offset != partial.resume_offset() {
            // The server ignored the range, or has another version by now, and sends the whole file.
            self.discard_received_bytes(partial).await?;
        } else if self.known != before {
            self.queue_journaling_response_head();
        }
        if let Some(total) = download.total {
            let max = self.file.limits.max_file_size;
            if total > max {
                // Without downloading up to the limit first.
                self.save_first_bytes_for_resume(&mut download, partial).await;
                return Err(partial.too_large_error(max).into());
            }
            let remaining = total.saturating_sub(partial.resume_offset());
            if let Err(full) = self.file.room.set_file_space_reservation(self.file.index, remaining) {
                self.save_first_bytes_for_resume(&mut download, partial).await;
                return Err(full.into());
            }
        }
        let (began, received_before) = (Instant::now(), partial.resume_offset());
        let mut transfer_patience = self.file.coordinator.start_transfer_patience();
        let (mut flushed, mut flushed_at) = (partial.resume_offset(), Instant::now());
        let content_encoding = download.content_encoding.as_deref();
        let mut start = (download.offset == 0).then(|| ResponseStart::new(self.file.export_type, content_encoding));
        loop {
            let chunk = match tokio::time::timeout(FLUSH_INTERVAL, download.stream.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => {
                    if let Some(page) = start.as_mut().and_then(ResponseStart::check_end) {
                        return Err(self.discard_page(partial, before, page).await?);
                    }
                    break;
                }
                Err(_elapsed) => {
                    if partial.resume_offset() > flushed {
                        self.flush_and_journal(partial).await?;
                        (flushed, flushed_at) = (partial.resume_offset(), Instant::now());
                    }
                    continue;
                }
            };
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(failure) => {
                    self.flush_and_journal(partial).await?;
                    return Err(AttemptError::Download(failure));
                }
            };
            // Bytes that do not show yet what they are belong on disk: the server may stall, and a crash may follow.
            if let Some(page) = start.as_mut().and_then(|start| start.check_chunk(&chunk)) {
                return Err(self.discard_page(partial, before, page).await?);
            }
            let grown = partial.resume_offset() + chunk.len() as u64;
            if let Some(total) = self.known.total.filter(|total| grown > *total) {
                self.flush_and_journal(partial).await?;
                return Err(self.unusable(&format!("the server announced {total} bytes and sent more"), true));
            }
            if let Err(error) = partial.append_bytes(&chunk) {
                // The offset at which a later run continues, once there is space.
                _ = self.flush_and_journal(partial).await;
                return Err(error.into());
            }
            let new = partial.resume_offset().saturating_sub(self.furthest);
            self.furthest = self.furthest.max(partial.resume_offset());
            self.file.coordinator.restore_patience(new);
            if !transfer_patience.restore_and_check_left(chunk.len() as u64) {
                self.flush_and_journal(partial).await?;
                let (bytes, ms) = (partial.resume_offset() - received_before, began.elapsed().as_millis());
                return Err(self.unusable(&format!("too slow: {bytes} bytes were received in {ms} ms"), false));
            }
            if partial.resume_offset() - flushed >= FLUSH_BYTES || flushed_at.elapsed() >= FLUSH_INTERVAL {
                self.flush_and_journal(partial).await?;
                (flushed, flushed_at) = (partial.resume_offset(), Instant::now());
            }
            self.emit_throttled_progress(partial.resume_offset(), false);
        }
        if download.ends_with_connection
            && self.known.total.is_none()
            && self.known.content_encoding.is_none()
            && !partial.detected_format().has_end_mark()
        {
            self.add_note(FileNote::length_unknown());
        }
        // With the size in the journal, a crash from here on needs no URL.
        self.known.total = Some(partial.resume_offset());
        Ok(self.flush_and_journal(partial).await?)
    }

    /// Refuses a response that is the rest of another version of the file, or that begins as an error page.
    /// `keeps_bytes` says that earlier bytes would be discarded for the whole file.
    async fn refuse_unusable_response(
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
            return Err(self.unusable("the file changed during the download", true));
        }
        if download.offset == 0
            && keeps_bytes
            && let Some(page) = self.detect_error_page_at_start(download).await?
        {
            return Err(self.unusable_page(page));
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
        let mut start = ResponseStart::new(self.file.export_type, download.content_encoding.as_deref());
        let (mut chunks, mut page) = (Vec::new(), None);
        while page.is_none() && !start.is_decided() {
            match tokio::time::timeout_at(deadline, stream.next()).await {
                Ok(Some(Ok(chunk))) => {
                    page = start.check_chunk(&chunk);
                    chunks.push(Ok(chunk));
                }
                Ok(Some(Err(failure))) => return Err(AttemptError::Download(failure)),
                Ok(None) => page = start.check_end(),
                Err(_elapsed) => {
                    let what = format!("too slow: {} bytes were received", start.received_bytes());
                    return Err(self.unusable(&what, false));
                }
            }
        }
        download.stream = futures_util::stream::iter(chunks).chain(stream).boxed();
        Ok(page)
    }

    /// Discards the start of a page that was sent in place of the file, with what the journal says of it since
    /// `before`. Returns the error for it.
    async fn discard_page(
        &mut self,
        partial: &mut PartialFile,
        before: FileProgress,
        page: &str,
    ) -> Result<AttemptError, StoreError> {
        self.known = before;
        self.discard_received_bytes(partial).await?;
        Ok(self.unusable_page(page))
    }

    /// The error for a response that is a page in place of the file.
    fn unusable_page(&self, page: &str) -> AttemptError {
        let what = format!(
            "the server sent {page} instead of {}: this network may ask for a login, or the file server shows an error",
            self.file.export_type
        );
        self.unusable(&what, false)
    }

    /// The error for a response that is not the file, or not the rest of it.
    fn unusable(&self, what: &str, skips_range: bool) -> AttemptError {
        AttemptError::Unusable { why: format!("{}: {what}", self.file.url.url_origin()), skips_range }
    }

    /// Adds a note about the bytes on disk once.
    fn add_note(&mut self, note: FileNote) {
        if !self.known.notes.contains(&note) {
            self.known.notes.push(note);
        }
    }

    /// Saves the first bytes of a file that has too little space. A one-time URL that was requested can be continued by
    /// range, and never be started again.
    async fn save_first_bytes_for_resume(&mut self, download: &mut OpenedDownload, partial: &mut PartialFile) {
        let limit = FIRST_BYTES.min(usize::try_from(self.file.limits.max_file_size).unwrap_or(FIRST_BYTES));
        if partial.resume_offset() == 0
            && let Some(Ok(chunk)) = download.stream.next().await
            && ResponseStart::new(self.file.export_type, download.content_encoding.as_deref())
                .check_chunk(&chunk)
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
        let (id, index) = (&self.file.id, self.file.index);
        if let Some(Err(error)) = self.context.journal.record_file_progress(id, index, &self.known).now_or_never() {
            tracing::error!(%error, file = self.file.name, "cannot journal the response of the file server");
        }
    }

    /// Discards the received bytes, in the journal too.
    async fn discard_received_bytes(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        partial.remove_written_bytes()?;
        self.flush_and_journal(partial).await
    }

    /// Makes the received bytes durable, and journals their number.
    async fn flush_and_journal(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        self.known.bytes = block_in_place(|| partial.sync_data())?;
        if let Some(total) = self.known.total {
            self.file.room.reduce_reservation_to_remaining(self.file.index, total.saturating_sub(self.known.bytes));
        }
        let (id, index) = (&self.file.id, self.file.index);
        if let Err(error) = self.context.journal.record_file_progress(id, index, &self.known).await {
            tracing::error!(%error, file = self.file.name, "cannot journal the progress");
        }
        Ok(())
    }

    /// Emits the number of received bytes, at most once per interval and when the file is whole.
    fn emit_throttled_progress(&mut self, bytes: u64, whole: bool) {
        let last = *self.last_event.get_or_insert_with(Instant::now);
        if !whole && last.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        self.last_event = Some(Instant::now());
        let total = if whole { Some(bytes) } else { self.known.total };
        self.emit_event(EventKind::Progress { file: self.file.name.to_owned(), bytes, total });
    }

    /// Announces that the download is retried after a pause, and why.
    fn emit_retry(&self, why: &str, attempt: u32, pause: Duration) {
        self.emit_event(EventKind::Retrying {
            code: "download_interrupted".to_owned(),
            message: format!("{}: {why}", self.file.name),
            attempt,
            next_poll_ms: super::duration_as_millis(pause),
        });
    }

    /// Passes an event of this file's visit to the host, with the time.
    fn emit_event(&self, event: EventKind) {
        (self.context.event_sink)(VisitEvent { visit: self.file.id, at: self.context.clock.now(), kind: event });
    }
}
