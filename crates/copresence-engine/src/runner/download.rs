//! Downloads one file from its one-time URL: resumed by range where the server allows it, and requested again until the
//! file is complete, certainly lost, or the visit's patience is over.
//!
//! A file is lost for certain if the server refuses its URL several times, with pauses in between unless it says that this is
//! final (and where that redirected, see [`FileUrls`]). If it is resumed by range, each refusal is one of the range and of the
//! whole file. A file is also lost if [`keep_trying`](copresence_store::VisitDownloadLimits::keep_trying) is over. Every other
//! response and failure proves nothing, however often it comes: something in between may have sent it. Received bytes are
//! discarded only when a response arrives that can be the file. A URL that may not be requested
//! ([`DownloadErrorKind::TargetNotAllowed`]) is left to a later run, because the profile can allow it.

use super::content_doubts::ContentDoubts;
use super::download_coordinator::RetryDecision;
use super::error_page_detector::decode_start_of_content;
use super::file_download::{
    AttemptError, FileDownload, is_caused_by_range, is_caused_by_response, open_and_truncate_partial_file,
};
use super::file_request::{FileFailure, FileFailureKind, FileToDownload};
use super::file_urls::{FileUrlChoice, FileUrls, RefusalMeaning};
use super::finish_file::{
    ContentDefect, FinishError, check_received_file_content, finish_received_file, is_proven_complete_by_structure,
};
use super::{VisitContext, block_in_place};
use crate::events::EventKind;
use copresence_client::{DownloadError, DownloadErrorKind, RedirectCookies};
use copresence_store::{
    CompleteFile, DurableFileProgress, FileDownloadState, PartialAvatarFolder, PartialFile, SavedFileNote, StoreError,
    is_text,
};
use std::time::Duration;

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
    file: &FileToDownload<'_>,
) -> Result<CompleteFile, FileFailure> {
    let permit = Some(file.coordinator.acquire_request_permit().await);
    let mut has_other_content = false;
    let state = file.earlier.map(|record| &record.state);
    let mut known = match state {
        Some(FileDownloadState::Requested(progress) | FileDownloadState::Failed { progress, .. }) => progress.clone(),
        _ => DurableFileProgress::default(),
    };
    // The journal may not have its completion: a crash came after the rename, its disk was full, or its end was lost.
    if let Some(whole) = block_in_place(|| folder.sync_and_rehash_complete_file(file.name))? {
        if let Ok(whole) = check_received_file_content(file, &known.notes, whole) {
            return Ok(whole);
        }
        // Completed by an earlier version.
        block_in_place(|| folder.return_complete_file_to_partial(file.name))?;
        has_other_content = true;
        known = DurableFileProgress::default();
    }
    if let Some(FileDownloadState::Failed { why, spent: true, .. }) = state {
        return Err(FileFailure::permanent_file_failure(why));
    }
    // The journal could not be written when these bytes were received, so they are kept until a response replaces them.
    let is_origin_unknown = file.earlier.is_none_or(|record| matches!(record.state, FileDownloadState::Planned));
    let skips_range = is_origin_unknown && !folder.was_partial_file_written_since_boot(file.name);
    // After a power cut, bytes that were never flushed may be wrong.
    let usable = if has_other_content {
        0
    } else if is_origin_unknown {
        u64::MAX
    } else if file.earlier.is_some_and(|record| record.is_from_this_boot) {
        known.total.unwrap_or(u64::MAX)
    } else {
        known.bytes
    };
    let partial = open_and_truncate_partial_file(folder, file, usable, &known)?;
    file.journal.record_file_request(file.index).await;
    let lacks_journalled_bytes = partial.resume_offset() < known.bytes;
    let (furthest, flushed_before) = (partial.resume_offset(), known.bytes);
    let mut download = FileDownload {
        context,
        folder,
        file,
        last_event: None,
        known,
        furthest,
        // They may be wrong, so the whole file is requested first.
        skips_range,
        skips_overlap: false,
        flushed_before,
        urls: FileUrls::new(
            file.url,
            file.earlier.map_or_else(Vec::new, |record| record.redirect_targets.clone()),
            file.recovery_attempts,
        ),
        cookies: RedirectCookies::default(),
        is_total_stated: false,
        doubts: ContentDoubts::default(),
        stated_digest: None,
        lacks_journalled_bytes,
        permit,
        unrepeatable: None,
    };
    download.restore_uncertain_end(&partial);
    download.find_doubted_copy_on_disk();
    let whole = download.download_with_retries(partial).await?;
    download.emit_throttled_progress(whole.bytes, true);
    Ok(whole)
}

/// Failures in a row, of which all but the first brought no bytes, after which the whole file is requested: a server may
/// fail on every range.
const MAX_FRUITLESS_RANGE_FAILURES: u32 = 3;

/// Whether the whole file should be requested instead, after this failure of a range request. `fruitless` failures in
/// a row, with this one, brought no bytes.
fn should_retry_without_range(failure: &DownloadError, fruitless: u32) -> bool {
    match failure.kind {
        DownloadErrorKind::ErrorStatus { .. } if !is_caused_by_range(failure) => {
            fruitless >= MAX_FRUITLESS_RANGE_FAILURES
        }
        _ => is_caused_by_range(failure),
    }
}

/// Whether further requests will bring no more bytes, after this failure: the URL is refused, nothing is behind the received
/// bytes, or `fruitless` failures in a row brought none.
fn will_bring_no_more_bytes(failure: &DownloadError, fruitless: u32) -> bool {
    failure.is_refusal_of_url()
        || matches!(failure.kind, DownloadErrorKind::RangeNotSatisfiable { .. })
        || fruitless >= MAX_FRUITLESS_RANGE_FAILURES && is_caused_by_response(failure)
}

/// The pause after this many failures in a row: `shortest` doubled with each, up to the end of the patience. Never less
/// than `shortest`, because a server that sends a few bytes per request restores patience with each.
fn pause_length_after_failures(shortest: Duration, fruitless: u32, patience_left: Duration) -> Duration {
    let doubled = shortest * (1 << (fruitless - 1).min(16));
    doubled.min(patience_left.max(shortest))
}

/// The pause after a refusal that does not say that it is final, as a multiple of the first pause.
const REFUSAL_PAUSE_FACTOR: u32 = 25;
/// A pause after a refusal takes at most this fraction of the visit's patience.
const REFUSAL_PAUSES_WITHIN_PATIENCE: u32 = 6;

/// The pause before a refused URL is requested again: 10 s, by default. A network that asks for a login, a web server that is
/// configured anew, and an object store without the file yet refuse a URL for some seconds.
fn pause_length_after_refusal(shortest: Duration, patience: Duration) -> Duration {
    (shortest * REFUSAL_PAUSE_FACTOR).min(patience / REFUSAL_PAUSES_WITHIN_PATIENCE)
}

/// `Retry-After` of the response.
fn requested_retry_delay(failure: &DownloadError) -> Option<Duration> {
    match failure.kind {
        DownloadErrorKind::ErrorStatus { retry_after, .. } => retry_after,
        _ => None,
    }
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
    /// The pause before the next request: `usual`, or longer if the server asks for it or refused the URL. The pause after a
    /// refusal is not shortened at the end of the patience, because refusals without it prove nothing.
    fn pause_length_before_next_request(&self, usual: Duration, after_refusal: Duration) -> Duration {
        // Many servers send `Retry-After: 0` with an error that lasts.
        usual.max(after_refusal).max(self.requested_pause.unwrap_or_default()).min(self.longest_pause)
    }

    /// Builds the failure of a request that a server responded to, so that it is retried only after the whole
    /// pause.
    fn build_failure_retried_after_full_pause(why: String) -> Self {
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
            AttemptError::Disk(error) => Self::build_failure_retried_after_full_pause(error.to_string()),
            AttemptError::Unusable { why, .. } => Self::build_failure_retried_after_full_pause(why.clone()),
        }
    }
}

impl FileDownload<'_> {
    /// Sends requests until the file is complete, certainly lost, or to be continued by a later run.
    async fn download_with_retries(&mut self, partial: PartialFile) -> Result<CompleteFile, FileFailure> {
        let coordinator = self.file.coordinator;
        let mut partial = Some(partial);
        let mut fruitless = 0;
        loop {
            let furthest = self.furthest;
            let open = match partial.take() {
                Some(open) => open,
                None => open_and_truncate_partial_file(self.folder, self.file, u64::MAX, &self.known)?,
            };
            let has_bytes = open.resume_offset() > 0;
            let skipped_range = std::mem::take(&mut self.skips_range) && has_bytes;
            let choice = self.urls.choose_next_url();
            let result = self.request_and_complete_file(&mut partial, open, skipped_range, choice, fruitless).await;
            self.permit = None;
            self.unrepeatable = None;
            let failure = match result {
                Ok(whole) => return Ok(whole),
                Err(AttemptError::Disk(error)) if !matches!(error, StoreError::TooLarge { .. }) => {
                    return Err(error.into());
                }
                Err(failure) => failure,
            };
            let has_progress = self.furthest > furthest;
            fruitless = if has_progress { 1 } else { fruitless + 1 };
            let (mut refusal_pause, mut is_only_range_refused) = (Duration::ZERO, false);
            match &failure {
                AttemptError::Disk(_) => {}
                AttemptError::Download(refused) if refused.is_refusal_of_url() => {
                    let is_of_range = has_bytes && !skipped_range;
                    let meaning = self.urls.count_refusal(choice, is_of_range, refused.is_refusal_final());
                    if meaning == RefusalMeaning::WholeFileNext {
                        (self.skips_range, is_only_range_refused) = (true, true);
                        fruitless = fruitless.saturating_sub(1).max(1);
                    } else {
                        if meaning == RefusalMeaning::UrlLost
                            && let Some(whole) =
                                self.complete_doubted_file_or_record_refusal(&mut partial, choice, refused).await?
                        {
                            return Ok(whole);
                        }
                        // Its range need not be requested again.
                        self.skips_range =
                            has_bytes && (refused.is_refusal_final() || self.is_in_doubt_as_a_whole(partial.as_ref()));
                        if !refused.is_refusal_final() {
                            refusal_pause =
                                pause_length_after_refusal(self.file.pause, coordinator.transfer_patience());
                        }
                    }
                }
                AttemptError::Download(failure) => {
                    self.remember_why_first_response_was_incomplete(failure);
                    self.skips_range = has_bytes && !skipped_range && should_retry_without_range(failure, fruitless);
                    // A file with another digest than stated is requested again, not only compared with its range.
                    self.skips_range |=
                        skipped_range && self.doubts.has_other_digest_in_place() && !is_caused_by_response(failure);
                    if is_caused_by_response(failure) {
                        self.urls.reset_url_refusal_count(choice);
                    }
                }
                AttemptError::Unusable { why, skips_range, may_be_message } => {
                    self.doubts.record_first_failure(why);
                    self.skips_range =
                        *skips_range || has_bytes && !skipped_range && fruitless >= MAX_FRUITLESS_RANGE_FAILURES;
                    if *may_be_message {
                        refusal_pause = pause_length_after_refusal(self.file.pause, coordinator.transfer_patience());
                    }
                    self.urls.reset_url_refusal_count(choice);
                }
            }
            // The whole file is requested where the range was, once.
            if skipped_range || !self.skips_range {
                self.urls.prefer_url_after_failure(choice, has_progress);
            }
            self.request_range_if_next_url_is_another(&failure, choice, partial.as_ref());
            let is_unchanged_in_this_run = failure.would_fail_until_settings_change()
                && (choice == FileUrlChoice::OneTime || !self.urls.has_other_usable_url(choice));
            let failure = RetryableFailure::from(&failure);
            let patience_left = if is_only_range_refused {
                Duration::ZERO
            } else {
                match self.record_failure_returning_patience_left(&failure, is_unchanged_in_this_run) {
                    Ok(patience_left) => patience_left,
                    Err(lost) if lost.kind == FileFailureKind::Lost => {
                        return self.complete_file_from_doubted_bytes(&mut partial).await?.ok_or(lost);
                    }
                    Err(postponed) => return Err(postponed),
                }
            };
            let pause = failure.pause_length_before_next_request(
                pause_length_after_failures(self.file.pause, fruitless, patience_left),
                refusal_pause,
            );
            tracing::info!(file = self.file.name, why = %failure.why, "retrying the download");
            self.emit_retry(&failure.why, fruitless, pause);
            coordinator
                .wait_for_pause_or_server_response(pause, (!failure.has_response).then_some(self.file.pause))
                .await;
            self.permit = Some(coordinator.acquire_request_permit().await);
        }
    }

    /// Records a failure after which the file may be requested again. `is_unchanged_in_this_run`: only other settings can change
    /// the result. Returns the patience that is left.
    ///
    /// # Errors
    /// The file is left to a later run, or lost because its time is over.
    fn record_failure_returning_patience_left(
        &self,
        failure: &RetryableFailure,
        is_unchanged_in_this_run: bool,
    ) -> Result<Duration, FileFailure> {
        let (coordinator, index, why) = (self.file.coordinator, self.file.index, &failure.why);
        let decision = if is_unchanged_in_this_run {
            coordinator.decide_if_later_run_retries(index, failure.has_response)
        } else {
            let what = format!("{}: {why}", self.file.name);
            coordinator.record_failure_and_decide_next_attempt(index, &what, failure.has_response)
        };
        match decision {
            RetryDecision::Retry { patience_left } => Ok(patience_left),
            RetryDecision::Postpone => Err(FileFailure { why: why.clone(), kind: FileFailureKind::Interrupted }),
            RetryDecision::GiveUp { why: reason } => {
                Err(FileFailure::permanent_file_failure(format!("{why}. It is not requested again: {reason}")))
            }
        }
    }

    /// Requests a range from the next URL if it is another one: what one URL refuses, another one may serve. Not if the bytes
    /// themselves are in doubt.
    fn request_range_if_next_url_is_another(
        &mut self,
        failure: &AttemptError,
        requested: FileUrlChoice,
        partial: Option<&PartialFile>,
    ) {
        let is_in_doubt = self.is_in_doubt_as_a_whole(partial) || self.doubts.has_other_digest_in_place();
        if matches!(failure, AttemptError::Download(_)) && self.urls.choose_next_url() != requested && !is_in_doubt {
            self.skips_range = false;
        }
    }

    /// Completes the file from bytes in doubt, because its URL is lost, or records that.
    ///
    /// # Errors
    /// As [`Self::record_refusal_failing_if_file_lost`], or the disk failed.
    async fn complete_doubted_file_or_record_refusal(
        &mut self,
        kept: &mut Option<PartialFile>,
        choice: FileUrlChoice,
        refused: &DownloadError,
    ) -> Result<Option<CompleteFile>, FileFailure> {
        if !self.urls.has_other_usable_url(choice)
            && let Some(whole) = self.complete_file_from_doubted_bytes(kept).await?
        {
            return Ok(Some(whole));
        }
        self.record_refusal_failing_if_file_lost(choice, refused).await?;
        Ok(None)
    }

    /// Records that the server refused a URL.
    ///
    /// # Errors
    /// The file is lost, or its bytes are missing on disk: no other URL is left.
    async fn record_refusal_failing_if_file_lost(
        &mut self,
        choice: FileUrlChoice,
        refused: &DownloadError,
    ) -> Result<(), FileFailure> {
        let refusal = self.urls.record_proven_refusal_returning_loss(choice, refused.to_string());
        let Some(mut refusal) = refusal else {
            if choice != FileUrlChoice::OneTime {
                self.journal_redirect_targets().await;
            }
            return Ok(());
        };
        if let Some(first) = self.doubts.first_failure() {
            refusal = format!("{first}. Then the URL was refused: {refusal}");
        }
        if self.lacks_journalled_bytes {
            let folder = self.folder.partial_folder_path().display();
            let why = format!("bytes that were received are missing in {folder}; restore them. {refusal}");
            return Err(FileFailure { why, kind: FileFailureKind::Storage });
        }
        Err(FileFailure::permanent_file_failure(refusal))
    }

    /// Restores the doubt of an earlier run about a response without a certain end: its bytes are noted as of unknown length, and
    /// the file is not complete.
    fn restore_uncertain_end(&mut self, partial: &PartialFile) {
        let size = partial.resume_offset();
        let is_noted = self.known.notes.contains(&SavedFileNote::note_of_unknown_length());
        if is_noted && self.known.total.is_none() && size > 0 && size == self.known.bytes {
            self.doubts.record_uncertain_end(partial.digest_written_bytes(), size);
        }
    }

    /// Remembers why the first response that sent bytes of the file did not complete it.
    fn remember_why_first_response_was_incomplete(&mut self, failure: &DownloadError) {
        if matches!(failure.kind, DownloadErrorKind::Interrupted { .. } | DownloadErrorKind::InvalidResponse(_)) {
            self.doubts.record_first_failure(failure.to_string());
        }
    }

    /// Whether the received bytes are the whole file by its own structure.
    fn is_proven_complete_by_structure(&self, partial: &mut PartialFile) -> Result<bool, StoreError> {
        is_proven_complete_by_structure(self.file, self.known.content_encoding.as_deref(), partial)
    }

    /// Whether the server stated a larger file than the partial file: bytes are still to be received.
    pub(super) fn lacks_stated_bytes(&self, partial: &PartialFile) -> bool {
        self.known.total.is_some_and(|total| total > partial.resume_offset())
    }

    /// Sends one request, unless all bytes are on disk, and completes the file. `fruitless` failures in a row came
    /// before it. After a failure, the partial file stays in `kept` if it is open and has bytes: any number of files
    /// may wait, and the system opens only so many at a time.
    async fn request_and_complete_file(
        &mut self,
        kept: &mut Option<PartialFile>,
        mut partial: PartialFile,
        skips_range: bool,
        choice: FileUrlChoice,
        fruitless: u32,
    ) -> Result<CompleteFile, AttemptError> {
        let offset = partial.resume_offset();
        // All of it may have arrived before a crash: then the URL is no longer needed.
        if offset == 0 || self.known.total != Some(offset) {
            match self.request_and_receive(&mut partial, skips_range, choice).await {
                Ok(()) => {}
                Err(AttemptError::Download(DownloadError {
                    kind: DownloadErrorKind::RangeNotSatisfiable { total: Some(total) },
                    ..
                    // Without the journalled response it is unknown whether these bytes are encoded.
                })) if total == offset && self.known != DurableFileProgress::default() => {
                    self.is_total_stated = true;
                    self.forget_unknown_length();
                }
                // Only the end of the response is missing, not the end of the file.
                Err(AttemptError::Download(failure))
                    if partial.resume_offset() > 0
                        && !self.doubts.is_structure_no_proof(partial.resume_offset())
                        && (!self.lacks_stated_bytes(&partial) || will_bring_no_more_bytes(&failure, fruitless))
                        && block_in_place(|| self.is_proven_complete_by_structure(&mut partial))? => {}
                Err(AttemptError::Download(failure)) if self.record_uncertain_end(&failure, &partial) => {}
                Err(failure) => {
                    *kept = (partial.resume_offset() > 0).then_some(partial);
                    return Err(failure);
                }
            }
        }
        self.complete_received_file(kept, partial, false).await
    }

    /// Whether a partial file has all bytes of a response that is doubted as a whole.
    fn is_in_doubt_as_a_whole(&self, partial: Option<&PartialFile>) -> bool {
        partial.is_some_and(|partial| self.doubts.is_whole_response_in_doubt(partial.resume_offset()))
    }

    /// Completes a file whose bytes are in doubt. To be called when no other bytes will come, because the URL is lost or the time
    /// is over. `None` if it has no such bytes.
    async fn complete_file_from_doubted_bytes(
        &mut self,
        kept: &mut Option<PartialFile>,
    ) -> Result<Option<CompleteFile>, StoreError> {
        let partial = match kept.take_if(|partial| self.is_in_doubt_as_a_whole(Some(partial))) {
            Some(partial) => partial,
            None => match self.restore_doubted_copy(kept).await? {
                Some(partial) => partial,
                None => return Ok(None),
            },
        };
        match self.complete_received_file(kept, partial, true).await {
            Ok(whole) => Ok(Some(whole)),
            Err(AttemptError::Disk(error)) => Err(error),
            Err(AttemptError::Download(_) | AttemptError::Unusable { .. }) => Ok(None),
        }
    }

    /// Completes a file whose bytes were all received, as far as the server says. `keeps_doubtful`: also if its content is
    /// doubtful, because no other will come. After a failure, the partial file stays in `kept` if it is open and has bytes.
    async fn complete_received_file(
        &mut self,
        kept: &mut Option<PartialFile>,
        mut partial: PartialFile,
        mut keeps_doubtful: bool,
    ) -> Result<CompleteFile, AttemptError> {
        if let Err(mismatch) = self.check_or_note_stated_digest(&partial) {
            self.known.total = None;
            *kept = Some(partial);
            return Err(mismatch);
        }
        loop {
            let finished = finish_received_file(self.file, &mut self.known, partial, keeps_doubtful).await;
            let (why, defect) = match finished {
                Ok(whole) => return Ok(whole),
                Err(FinishError::Disk(error)) => return Err(error.into()),
                Err(FinishError::Content { why, defect }) => (why, defect),
            };
            partial = open_and_truncate_partial_file(self.folder, self.file, u64::MAX, &self.known)?;
            let may_be_message = matches!(defect, ContentDefect::Doubtful(_))
                && self.known.content_encoding.is_none()
                && is_text(partial.written_head());
            let skips_range = match defect {
                // A server that stated the size of a truncated file has no more of it.
                ContentDefect::Truncated => self.is_total_stated,
                ContentDefect::OtherContent => {
                    self.known = DurableFileProgress::default();
                    self.discard_received_bytes(&mut partial).await?;
                    false
                }
                // The server sent the same bytes again, or refuses to: this is what it has.
                ContentDefect::Doubtful(digest) => {
                    let encoding = self.known.content_encoding.as_deref();
                    let is_text = is_text(&decode_start_of_content(partial.written_head(), encoding));
                    if self.doubts.record_doubtful_content(digest, partial.resume_offset(), is_text) {
                        keeps_doubtful = true;
                        continue;
                    }
                    true
                }
            };
            self.known.total = None;
            *kept = (partial.resume_offset() > 0).then_some(partial);
            return Err(AttemptError::Unusable { why, skips_range, may_be_message });
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_end_of_the_patience_and_are_never_shorter_than_the_first() {
        let [tenth, second] = [Duration::from_millis(100), Duration::from_secs(1)];
        assert_eq!(pause_length_after_failures(tenth, 1, second), tenth);
        assert_eq!(pause_length_after_failures(tenth, 3, second), 4 * tenth);
        assert_eq!(pause_length_after_failures(tenth, 40, second), second);
        assert_eq!(pause_length_after_failures(tenth, 1, tenth / 5), tenth);
    }

    /// The downloads of a recovery have a patience of 15 s, or of 1 s after another one failed.
    #[test]
    fn the_pause_after_a_refusal_is_not_shortened_at_the_end_of_the_patience() {
        let failure = RetryableFailure::build_failure_retried_after_full_pause("refused".to_owned());
        let [second, ten_seconds] = [Duration::from_secs(1), Duration::from_secs(10)];
        let usual = pause_length_after_failures(crate::runner::DEFAULT_DOWNLOAD_PAUSE, 5, second);
        assert_eq!(failure.pause_length_before_next_request(usual, ten_seconds), ten_seconds);
        assert_eq!(failure.pause_length_before_next_request(usual, Duration::ZERO), second);
    }

    #[test]
    fn a_refused_url_is_requested_again_after_ten_seconds_or_a_sixth_of_the_patience() {
        let pause = |patience| pause_length_after_refusal(crate::runner::DEFAULT_DOWNLOAD_PAUSE, patience);
        assert_eq!(pause(Duration::from_mins(3)), Duration::from_secs(10));
        assert_eq!(pause(Duration::from_secs(3)), Duration::from_millis(500));
    }
}
