//! The download of one file across its requests: its state, its journal, and why a request did not complete it.

use super::content_doubts::ContentDoubts;
use super::download_coordinator::UnrepeatableTransferGuard;
use super::file_request::FileToDownload;
use super::file_urls::FileUrls;
use super::{VisitContext, block_in_place};
use crate::events::{EventKind, VisitEvent};
use copresence_client::{DownloadError, DownloadErrorKind, RedirectCookies, StatedDigest};
use copresence_protocol::DownloadUrl;
use copresence_store::{DurableFileProgress, PartialAvatarFolder, PartialFile, SavedFileNote, StoreError};
use futures_util::FutureExt as _;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

/// Minimum time between two progress events of a file. One more is sent when it is complete.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Time without a byte after which a request gives its permit to another file: its server may be dead, and the URLs of
/// the others expire.
pub(super) const MAX_SILENCE_WITH_PERMIT: Duration = Duration::from_secs(3);

/// Why one request did not complete the file.
pub(super) enum AttemptError {
    Disk(StoreError),
    Download(DownloadError),
    /// The response is not the file, or not the rest of the bytes on disk. A sentence that names the server.
    Unusable {
        why: String,
        /// Whether the whole file is requested next, although bytes are on disk.
        skips_range: bool,
        /// Whether it may be a message in place of the file, which something in between may send for some seconds.
        may_be_message: bool,
    },
}

impl AttemptError {
    /// Whether the next request would fail in the same way, until the operator changes a setting: the file is too
    /// large, or its URL is not allowed.
    pub(super) fn would_fail_until_settings_change(&self) -> bool {
        match self {
            Self::Disk(_) => true,
            Self::Download(failure) => {
                matches!(failure.kind, DownloadErrorKind::TargetNotAllowed { may_be_allowed_later: false, .. })
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
    pub(super) file: &'a FileToDownload<'a>,
    pub(super) last_event: Option<Instant>,
    pub(super) known: DurableFileProgress,
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
    /// What speaks against the received bytes.
    pub(super) doubts: ContentDoubts,
    /// The digest that the last response states of the whole file.
    pub(super) stated_digest: Option<StatedDigest>,
    /// Whether bytes that the journal describes are missing, because their disk is not mounted or was restored.
    pub(super) lacks_journalled_bytes: bool,
    /// The permit of the request in flight, unless its server has been silent for [`MAX_SILENCE_WITH_PERMIT`].
    pub(super) permit: Option<SemaphorePermit<'a>>,
    /// Held while the request in flight may have spent the URL, and its server has not said that it continues with ranges.
    pub(super) unrepeatable: Option<UnrepeatableTransferGuard<'a>>,
}

/// Opens the partial file with at most `usable` of its bytes. `known` says which of them were flushed.
pub(super) fn open_and_truncate_partial_file(
    folder: &PartialAvatarFolder,
    file: &FileToDownload<'_>,
    usable: u64,
    known: &DurableFileProgress,
) -> Result<PartialFile, StoreError> {
    let (bytes, digest) = (known.bytes, known.sha256);
    let partial = block_in_place(|| folder.resume_partial_file_after_crash(file.name, usable, bytes, digest))?;
    Ok(partial.with_max_size_bytes(file.limits.max_file_size))
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
    /// Remembers the targets of redirects for later requests, in the journal too.
    pub(super) async fn remember_redirect_targets(&mut self, targets: impl IntoIterator<Item = DownloadUrl>) {
        if self.urls.add_new_redirect_targets(targets) {
            self.journal_redirect_targets().await;
        }
    }

    /// Journals the targets of redirects that were not refused.
    pub(super) async fn journal_redirect_targets(&self) {
        self.file.journal.record_redirect_targets(self.file.index, self.urls.usable_redirect_targets()).await;
    }

    /// The error for a response that is not the file, or not the rest of it.
    pub(super) fn unusable_response_error(&self, what: &str, skips_range: bool) -> AttemptError {
        let why = format!("{}: {what}", self.file.url.url_origin());
        AttemptError::Unusable { why, skips_range, may_be_message: false }
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
        if self.doubts.record_other_digest(partial.resume_offset()) {
            self.add_file_note_once(SavedFileNote::note_of_digest_mismatch(&stated.to_string()));
            return Ok(());
        }
        let what = format!("the received bytes do not have the digest that the server states in `{stated}`");
        Err(self.unusable_response_error(&what, true))
    }

    /// Adds a note about the received file, unless it has that note already.
    pub(super) fn add_file_note_once(&mut self, note: SavedFileNote) {
        if !self.known.notes.contains(&note) {
            self.known.notes.push(note);
        }
    }

    /// Removes the note that the length is unknown, because a server has stated it.
    pub(super) fn forget_unknown_length(&mut self) {
        let unknown = SavedFileNote::note_of_unknown_length();
        self.known.notes.retain(|note| *note != unknown);
    }

    /// Records that the last response may have been whole, without a certain end. Returns whether the server sent the same
    /// bytes before.
    pub(super) fn record_uncertain_end(&mut self, failure: &DownloadError, partial: &PartialFile) -> bool {
        failure.may_be_whole_response()
            && partial.resume_offset() > 0
            && self.known.total.is_none()
            && self.doubts.record_uncertain_end(partial.digest_written_bytes(), partial.resume_offset())
    }

    /// Journals size and validator of a response before its first bytes are written, without waiting: after a crash in
    /// the first half second, the bytes on disk are continued by `Range` with `If-Range`.
    pub(super) fn queue_journaling_response_head(&self) {
        _ = self.file.journal.record_file_progress(self.file.index, &self.known).now_or_never();
    }

    /// Discards the received bytes, in the journal too.
    pub(super) async fn discard_received_bytes(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        partial.remove_bytes_to_restart_download()?;
        self.flush_and_journal(partial).await
    }

    /// Makes the received bytes durable, and journals their number.
    pub(super) async fn flush_and_journal(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        self.known.bytes = block_in_place(|| partial.sync_and_get_durable_length())?;
        self.known.sha256 = (self.known.bytes > 0).then(|| partial.digest_written_bytes());
        if let Some(total) = self.known.total {
            self.file.room.reduce_reservation_to_unwritten_bytes(total.saturating_sub(self.known.bytes));
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
        let fails_until_change = |may_be_allowed_later| {
            let kind = DownloadErrorKind::TargetNotAllowed {
                after_redirect: may_be_allowed_later,
                may_be_allowed_later,
                why: "private".to_owned(),
            };
            let host = "files.test".into();
            let failure = DownloadError {
                host,
                kind,
                hint: None,
                redirect_targets: Box::default(),
                has_unsent_credentials: false,
            };
            AttemptError::Download(failure).would_fail_until_settings_change()
        };
        assert!(fails_until_change(false) && !fails_until_change(true));
    }
}
