//! Downloads one file from its one-time URL: resumed by range where the server allows it, never restarted from a spent
//! URL.

use super::{VisitContext, block_in_place};
use crate::events::{EventKind, VisitEvent};
use copresence_client::{DownloadError, DownloadErrorKind, OpenedDownload, ResumePoint};
use copresence_protocol::{DownloadUrl, ExportType};
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{
    CompleteFile, DownloadSpaceReservations, FileFormat, FileProgress, FileState, PartialAvatarFolder, PartialFile,
    StoreError, VisitId, VisitLimits,
};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::Instant;

/// Maximum consecutive attempts without progress before a download is abandoned.
const MAX_FRUITLESS_ATTEMPTS: u32 = 5;
/// Minimum time between two progress events of a file. One more is sent when it is complete.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Bytes after which received data is flushed and journalled.
const FLUSH_BYTES: u64 = 8 << 20;
/// Maximum time that received bytes may stay unflushed. Most avatars are smaller than [`FLUSH_BYTES`], and a spent URL
/// that continues by range is useful only with a known offset.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);
/// Minimum bytes a second, averaged over `patience`. At this rate 3 MB take an hour.
const MIN_RATE: u64 = 1024;
/// Bytes received of a file that has too little space.
const FIRST_BYTES: usize = 4096;
/// The longest `Retry-After` that is honoured: "The provided URLs are also invalidated after a short while."
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// Why a file was not saved.
#[derive(Debug)]
pub(crate) struct FileFailure {
    /// For the manifest and the operator.
    pub(crate) why: String,
    /// Whether its URL is spent: a further request is useless.
    pub(crate) url_is_spent: bool,
    /// Whether the disk is too full.
    pub(crate) is_disk_full: bool,
}

impl FileFailure {
    /// The URL is spent.
    fn failure_with_spent_url(why: impl Into<String>) -> Self {
        Self { why: why.into(), url_is_spent: true, is_disk_full: false }
    }

    /// The URL may still be usable.
    fn failure_with_usable_url(why: impl Into<String>) -> Self {
        Self { why: why.into(), url_is_spent: false, is_disk_full: false }
    }
}

impl From<StoreError> for FileFailure {
    fn from(error: StoreError) -> Self {
        Self { why: error.to_string(), url_is_spent: false, is_disk_full: error.is_disk_full() }
    }
}

/// One file to download.
pub(crate) struct DownloadRequest<'a> {
    pub(crate) id: VisitId,
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) export_type: &'a ExportType,
    pub(crate) url: &'a DownloadUrl,
    pub(crate) limits: VisitLimits,
    /// Space that all files in flight still need.
    pub(crate) room: &'a DownloadSpaceReservations,
    /// First pause before a retry; doubled after each attempt without progress.
    pub(crate) pause: Duration,
    /// State of the file in the journal, if an earlier run began it.
    pub(crate) earlier: Option<&'a FileState>,
}

/// Downloads one file into the avatar's partial folder.
///
/// # Errors
/// Why the file is not there, and whether its URL is spent.
pub(crate) async fn download_file(
    context: &VisitContext,
    folder: &PartialAvatarFolder,
    file: &DownloadRequest<'_>,
) -> Result<CompleteFile, FileFailure> {
    let mut known = FileProgress::default();
    let durable = match file.earlier {
        Some(FileState::Failed { why, spent: true, .. }) => {
            return Err(FileFailure::failure_with_spent_url(why));
        }
        Some(FileState::Requested(progress)) => {
            // A crash may have come between the rename of the file and its entry in the journal.
            if let Some(whole) = block_in_place(|| folder.rehash_complete_file(file.name))? {
                return check_file_integrity(file, whole);
            }
            known = progress.clone();
            progress.bytes
        }
        Some(FileState::Failed { progress, .. }) => {
            known = progress.clone();
            progress.bytes
        }
        // Bytes that the journal does not know may be wrong.
        _ => 0,
    };
    let mut partial = block_in_place(|| folder.resume_partial_file_after_crash(file.name, durable))?
        .with_size_limit(file.limits.max_file_size);
    if let Err(error) = context.journal.record_file_request(&file.id, file.index).await {
        tracing::error!(%error, file = file.name, "cannot journal the request");
    }
    let rate_window = RateWindow { since: Instant::now(), bytes: 0 };
    let mut download = FileDownload { context, file, last_event: None, known, rate_window };
    if durable == 0 && file.earlier.is_some() {
        // The journal must not describe earlier bytes when new ones are written.
        download.flush_and_journal(&mut partial).await?;
    }
    download.download_with_retries(&mut partial).await?;
    check_file_format(file, partial.detected_format())?;
    // Without an await: a visit that is dropped must not rename a file after it released its lock.
    let whole = check_file_integrity(file, block_in_place(|| partial.finish_partial_file())?)?;
    download.emit_throttled_progress(whole.bytes, true);
    Ok(whole)
}

/// Refuses content that contradicts the export type: an error page with status 200.
fn check_file_format(file: &DownloadRequest<'_>, format: FileFormat) -> Result<(), FileFailure> {
    if copresence_store::contradicts_export_type(file.export_type, format) {
        return Err(FileFailure::failure_with_spent_url(format!(
            "the server sent {format} instead of {}",
            file.export_type
        )));
    }
    Ok(())
}

/// Refuses a file whose own structure says that it is incomplete.
fn check_file_integrity(file: &DownloadRequest<'_>, whole: CompleteFile) -> Result<CompleteFile, FileFailure> {
    check_file_format(file, whole.format)?;
    match whole.integrity_defect {
        Some(flaw) => Err(FileFailure::failure_with_spent_url(flaw)),
        None => Ok(whole),
    }
}

/// Whether a retry of the same URL may help.
fn is_retryable(failure: &DownloadError) -> bool {
    match failure.kind {
        DownloadErrorKind::NeverSent(_)
        | DownloadErrorKind::ResponseLost(_)
        | DownloadErrorKind::Interrupted { .. } => true,
        DownloadErrorKind::ErrorStatus { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502..=504),
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
    /// Fewer than [`MIN_RATE`] bytes a second for as long as patience lasts.
    TooSlow {
        bytes: u64,
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
    file: &'a DownloadRequest<'a>,
    last_event: Option<Instant>,
    known: FileProgress,
    rate_window: RateWindow,
}

/// Bytes received since a point in time.
struct RateWindow {
    since: Instant,
    bytes: u64,
}

impl FileDownload<'_> {
    /// Sends requests until the file is complete, or no request can help.
    async fn download_with_retries(&mut self, partial: &mut PartialFile) -> Result<(), FileFailure> {
        let mut fruitless = 0;
        // Restarting from byte 0 again and again is no progress.
        let mut furthest = partial.resume_offset();
        loop {
            let offset = partial.resume_offset();
            if offset > 0 && self.known.total == Some(offset) {
                // Complete before a crash: the URL is no longer needed.
                return Ok(());
            }
            let (why, requested) = match self.request_and_receive(partial).await {
                Ok(()) => return Ok(()),
                Err(AttemptError::Disk(error)) => return Err(error.into()),
                Err(AttemptError::Download(DownloadError {
                    kind: DownloadErrorKind::RangeNotSatisfiable { total: Some(total) },
                    ..
                })) if total == offset => {
                    return Ok(());
                }
                Err(AttemptError::Download(failure)) if !is_retryable(&failure) => {
                    return Err(FileFailure::failure_with_spent_url(failure.to_string()));
                }
                Err(AttemptError::TooManyBytes { total }) => {
                    return Err(FileFailure::failure_with_spent_url(format!(
                        "the server announced {total} bytes and sent more"
                    )));
                }
                Err(AttemptError::TooSlow { bytes }) => {
                    let patience = self.file.limits.patience;
                    let why = format!("too slow: {bytes} bytes received within {patience:?}");
                    return Err(FileFailure::failure_with_usable_url(why));
                }
                Err(AttemptError::Download(failure)) => (failure.to_string(), requested_retry_delay(&failure)),
                Err(AttemptError::Changed) => ("the file changed on the server during the download".to_owned(), None),
            };
            fruitless = if partial.resume_offset() > furthest { 0 } else { fruitless + 1 };
            furthest = furthest.max(partial.resume_offset());
            if fruitless >= MAX_FRUITLESS_ATTEMPTS {
                return Err(FileFailure::failure_with_usable_url(why));
            }
            let pause = requested.unwrap_or(self.file.pause * (1 << fruitless) / 2).min(MAX_PAUSE);
            tracing::info!(file = self.file.name, at = partial.resume_offset(), %why, "retrying the download");
            self.emit_retry(&why, fruitless.max(1), pause);
            tokio::time::sleep(pause).await;
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
        let download =
            self.context.api.open_download(self.file.url, resume.as_ref()).await.map_err(AttemptError::Download)?;
        crash_point::reach_crash_point(CrashPoint::HeadReceived);
        self.receive_response(download, partial).await
    }

    /// Writes the response to the partial file.
    async fn receive_response(
        &mut self,
        mut download: OpenedDownload,
        partial: &mut PartialFile,
    ) -> Result<(), AttemptError> {
        if download.offset > 0 && is_other_version(self.known.validator.as_deref(), download.validator.as_deref()) {
            self.known = FileProgress::default();
            self.discard_received_bytes(partial).await?;
            return Err(AttemptError::Changed);
        }
        self.known.total = download.total;
        if download.offset == 0 || download.validator.is_some() {
            self.known.validator.clone_from(&download.validator);
        }
        if download.offset != partial.resume_offset() {
            // The server ignored the range, or has another version by now, and sends the whole file.
            self.discard_received_bytes(partial).await?;
        }
        if let Some(total) = download.total {
            let max = self.file.limits.max_file_size;
            if total > max {
                // Refused by its announced size, without downloading up to the limit first.
                return Err(partial.too_large_error(max).into());
            }
            let remaining = total.saturating_sub(partial.resume_offset());
            if let Err(full) = self.file.room.reserve_space(self.file.index, remaining) {
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
            self.check_download_rate(chunk.len() as u64)?;
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

    /// Fails when too little was received for as long as patience lasts.
    fn check_download_rate(&mut self, received: u64) -> Result<(), AttemptError> {
        let RateWindow { since, bytes } = &mut self.rate_window;
        *bytes += received;
        let (since, bytes) = (*since, *bytes);
        if since.elapsed() >= self.file.limits.patience {
            if bytes < MIN_RATE * since.elapsed().as_secs().max(1) {
                return Err(AttemptError::TooSlow { bytes });
            }
            self.rate_window = RateWindow { since: Instant::now(), bytes: 0 };
        }
        Ok(())
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
