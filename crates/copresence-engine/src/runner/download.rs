//! Downloads one file from its one-time URL: resumed by range where the server allows it, and requested again until the
//! file is complete, certainly lost, or the visit's patience is over.
//!
//! A file is lost for certain if the server refuses its URL, if the content is not the file, or if
//! [`keep_trying`](copresence_store::VisitLimits::keep_trying) is over. A network or a server that fails proves
//! nothing, however often it fails.

use super::download_coordinator::RetryDecision;
use super::file_request::{DownloadRequest, FileFailure, FileFailureKind};
use super::finish_file::{add_encoding_notes_and_check, finish_received_file};
use super::{VisitContext, block_in_place};
use crate::events::{EventKind, VisitEvent};
use copresence_client::{DownloadError, DownloadErrorKind, OpenedDownload, ResumePoint};
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{
    CompleteFile, FileFormat, FileProgress, FileState, PartialAvatarFolder, PartialFile, StoreError,
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
/// Bytes received of a file that has too little space.
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
    let known = match file.earlier.map(|record| &record.state) {
        Some(FileState::Failed { why, spent: true, .. }) => return Err(FileFailure::lost_file(why)),
        Some(FileState::Requested(progress)) => {
            // A crash may have come between the rename of the file and its entry in the journal.
            if let Some(whole) = block_in_place(|| folder.rehash_complete_file(file.name))? {
                return add_encoding_notes_and_check(file, &progress.notes, whole);
            }
            progress.clone()
        }
        Some(FileState::Failed { progress, .. }) => progress.clone(),
        _ => FileProgress::default(),
    };
    // After a power cut, bytes that were never flushed may be wrong.
    let usable = if file.earlier.is_some_and(|record| record.is_from_this_boot) {
        known.total.unwrap_or(u64::MAX)
    } else {
        known.bytes
    };
    let mut partial = open_and_truncate_partial_file(folder, file, usable)?;
    if let Err(error) = context.journal.record_file_request(&file.id, file.index).await {
        tracing::error!(%error, file = file.name, "cannot journal the request");
    }
    let fewer_bytes_than_journalled = partial.resume_offset() < known.bytes;
    let furthest = partial.resume_offset();
    let mut download = FileDownload { context, folder, file, last_event: None, known, furthest };
    if fewer_bytes_than_journalled {
        // The journal must not describe earlier bytes when new ones are written.
        download.flush_and_journal(&mut partial).await?;
    }
    let partial = download.download_with_retries(partial, permit).await?;
    let whole = finish_received_file(context, file, &mut download.known, partial).await?;
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
    Ok(partial.with_size_limit(file.limits.max_file_size))
}

/// Whether a retry of the same URL may help: everything but a refusal of the URL and content that is not the file.
fn is_retryable(failure: &DownloadError) -> bool {
    match failure.kind {
        DownloadErrorKind::NeverSent(_)
        | DownloadErrorKind::ResponseLost(_)
        | DownloadErrorKind::Interrupted { .. } => true,
        // 202: the file is still being made.
        DownloadErrorKind::ErrorStatus { status, .. } => matches!(status, 202 | 408 | 425 | 429 | 500..),
        DownloadErrorKind::RangeNotSatisfiable { .. }
        | DownloadErrorKind::RedirectNotFollowed { .. }
        | DownloadErrorKind::InvalidResponse(_) => false,
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
fn is_other_version(before: Option<&str>, now: Option<&str>) -> bool {
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
    /// The rest belongs to another version of the file than the bytes on disk.
    Changed,
    /// More bytes were sent than announced.
    TooManyBytes {
        total: u64,
    },
    /// So few bytes a second that the visit's patience is over.
    TooSlow,
    /// An HTML page in place of the file: from a gate in between (a captive portal answers every request so), or from
    /// a server that shows an error with status 200.
    HtmlPage,
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

impl FileDownload<'_> {
    /// Sends requests until the file is complete, certainly lost, or to be continued by a later run. `permit` is for
    /// the first request.
    async fn download_with_retries(
        &mut self,
        mut partial: PartialFile,
        mut permit: Option<SemaphorePermit<'_>>,
    ) -> Result<PartialFile, FileFailure> {
        let coordinator = self.file.coordinator;
        let mut fruitless = 0;
        loop {
            let (offset, furthest) = (partial.resume_offset(), self.furthest);
            if offset > 0 && self.known.total == Some(offset) {
                // Complete before a crash: the URL is no longer needed.
                return Ok(partial);
            }
            let began = Instant::now();
            let result = self.request_and_receive(&mut partial).await;
            drop(permit.take());
            let failure = match result {
                Ok(()) => return Ok(partial),
                Err(AttemptError::Disk(error)) => return Err(error.into()),
                Err(AttemptError::Download(DownloadError {
                    kind: DownloadErrorKind::RangeNotSatisfiable { total: Some(total) },
                    ..
                })) if total == offset => {
                    return Ok(partial);
                }
                Err(AttemptError::Download(failure)) if !is_retryable(&failure) => {
                    return Err(FileFailure::lost_file(failure.to_string()));
                }
                Err(AttemptError::TooManyBytes { total }) => {
                    let server = self.file.url.url_origin();
                    return Err(FileFailure::lost_file(format!("{server} announced {total} bytes and sent more")));
                }
                Err(AttemptError::TooSlow) => RetryableFailure::failure_after_response(format!(
                    "{} is too slow: {} bytes were received in {} ms",
                    self.file.url.url_origin(),
                    partial.resume_offset().saturating_sub(offset),
                    began.elapsed().as_millis()
                )),
                Err(AttemptError::HtmlPage) => RetryableFailure::failure_after_response(format!(
                    "{} was answered with an HTML page instead of the file: this network may ask for a login, or the \
                     file server shows an error",
                    self.file.url.url_origin()
                )),
                Err(AttemptError::Changed) => RetryableFailure::failure_after_response(format!(
                    "the file changed on {} during the download",
                    self.file.url.url_origin()
                )),
                Err(AttemptError::Download(failure)) => RetryableFailure::from(&failure),
            };
            fruitless = if self.furthest > furthest { 1 } else { fruitless + 1 };
            let why = failure.why;
            let patience_left = match coordinator
                .record_failure_and_decide_retry(self.file.index, &format!("{}: {why}", self.file.name))
            {
                RetryDecision::Retry { patience_left } => patience_left,
                RetryDecision::Postpone => return Err(FileFailure { why, kind: FileFailureKind::Interrupted }),
                RetryDecision::GiveUp { why: reason } => {
                    return Err(FileFailure::lost_file(format!("{why}. It is not requested again: {reason}")));
                }
            };
            let doubled = self.file.pause * (1 << (fruitless - 1).min(16));
            let pause = failure.requested_pause.unwrap_or(doubled.min(patience_left)).min(failure.longest_pause);
            tracing::info!(file = self.file.name, at = partial.resume_offset(), %why, "retrying the download");
            self.emit_retry(&why, fruitless, pause);
            // Any number of files may wait, and the system opens only so many at a time.
            let waiting = (partial.resume_offset() > 0).then_some(partial);
            coordinator.wait_before_retry(pause, !failure.has_response).await;
            permit = coordinator.acquire_request_permit().await;
            partial = match waiting {
                Some(partial) => partial,
                None => open_and_truncate_partial_file(self.folder, self.file, 0)?,
            };
        }
    }

    /// Requests the file, from the current offset if some bytes are on disk, and receives the response.
    async fn request_and_receive(&mut self, partial: &mut PartialFile) -> Result<(), AttemptError> {
        let offset = partial.resume_offset();
        let resume = (offset > 0).then(|| ResumePoint {
            offset,
            validator: self.known.validator.clone(),
            total: self.known.total,
        });
        let opened = self.context.api.open_download(self.file.url, resume.as_ref()).await;
        if opened.as_ref().map_or_else(is_caused_by_response, |_| true) {
            self.file.coordinator.record_response_and_wake_retries();
        }
        let download = opened.map_err(AttemptError::Download)?;
        crash_point::reach_crash_point(CrashPoint::HeadReceived);
        self.receive_response(download, partial).await
    }

    /// Writes the response to the partial file.
    async fn receive_response(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
    ) -> Result<(), AttemptError> {
        // A range may be sent without its content encoding (RFC 9110, 15.3.7).
        let is_encoded_otherwise =
            download.content_encoding.is_some() && download.content_encoding != self.known.content_encoding;
        let is_other =
            is_encoded_otherwise || is_other_version(self.known.validator.as_deref(), download.validator.as_deref());
        if download.offset > 0 && is_other {
            self.known = FileProgress::default();
            self.discard_received_bytes(partial).await?;
            return Err(AttemptError::Changed);
        }
        if download.offset == 0 && self.is_unexpected_html_response(&mut download).await {
            // Before anything that was received earlier is discarded.
            return Err(AttemptError::HtmlPage);
        }
        let _receiving = self.file.coordinator.start_receiving(self.file.index);
        let before = self.known.clone();
        self.known.total = download.total;
        if download.offset == 0 {
            self.known.content_encoding.clone_from(&download.content_encoding);
        }
        if download.offset == 0 || download.validator.is_some() {
            self.known.validator.clone_from(&download.validator);
        }
        if download.offset != partial.resume_offset() {
            // The server ignored the range, or has another version by now, and sends the whole file.
            self.discard_received_bytes(partial).await?;
        } else if self.known != before {
            self.queue_response_head();
        }
        if let Some(total) = download.total {
            let max = self.file.limits.max_file_size;
            if total > max {
                // Refused by its announced size, without downloading up to the limit first.
                return Err(partial.too_large_error(max).into());
            }
            let remaining = total.saturating_sub(partial.resume_offset());
            if let Err(full) = self.file.room.set_file_space_reservation(self.file.index, remaining) {
                self.save_first_bytes_for_resume(&mut download, partial).await;
                return Err(full.into());
            }
        }
        let (mut flushed, mut flushed_at) = (partial.resume_offset(), Instant::now());
        loop {
            let chunk = match tokio::time::timeout(FLUSH_INTERVAL, download.stream.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
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
            let grown = partial.resume_offset() + chunk.len() as u64;
            if let Some(total) = self.known.total.filter(|total| grown > *total) {
                return Err(AttemptError::TooManyBytes { total });
            }
            if let Err(error) = partial.append_bytes(&chunk) {
                // The offset at which a later run continues, once there is space.
                _ = self.flush_and_journal(partial).await;
                return Err(error.into());
            }
            let new = partial.resume_offset().saturating_sub(self.furthest);
            self.furthest = self.furthest.max(partial.resume_offset());
            if !self.file.coordinator.restore_patience_and_check_left(new) {
                self.flush_and_journal(partial).await?;
                return Err(AttemptError::TooSlow);
            }
            if partial.resume_offset() - flushed >= FLUSH_BYTES || flushed_at.elapsed() >= FLUSH_INTERVAL {
                self.flush_and_journal(partial).await?;
                (flushed, flushed_at) = (partial.resume_offset(), Instant::now());
            }
            self.emit_throttled_progress(partial.resume_offset(), false);
        }
        // With the size in the journal, a crash from here on needs no URL.
        self.known.total = Some(partial.resume_offset());
        Ok(self.flush_and_journal(partial).await?)
    }

    /// Whether the body begins as an HTML page although the export type names none. The stream is as before.
    async fn is_unexpected_html_response(&self, download: &mut OpenedDownload) -> bool {
        if self.file.export_type.as_str().to_ascii_lowercase().contains("html") {
            return false;
        }
        let mut stream = std::mem::replace(&mut download.stream, futures_util::stream::empty().boxed());
        let Some(first) = stream.next().await else { return false };
        let is_page = first.as_ref().is_ok_and(|first| FileFormat::detect_file_format(first) == FileFormat::Html);
        download.stream = futures_util::stream::iter([first]).chain(stream).boxed();
        is_page
    }

    /// Saves the first bytes of a file that has too little space. A one-time URL that was requested can be continued by
    /// range, and never be started again.
    async fn save_first_bytes_for_resume(&mut self, download: &mut OpenedDownload, partial: &mut PartialFile) {
        if partial.resume_offset() == 0
            && let Some(Ok(chunk)) = download.stream.next().await
        {
            let few = &chunk[..chunk.len().min(FIRST_BYTES)];
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
    fn queue_response_head(&self) {
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
