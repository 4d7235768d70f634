//! Journals a delivery and the state of its files while they are saved.
//!
//! The URLs of a delivery are in memory and will not be sent again, so the files are downloaded although the journal
//! cannot be written. What the journal lacks is kept here, and written as soon as that succeeds: otherwise a crash would
//! lose the URLs and the received bytes. While anything is missing, the downloads do not wait for the journal.

use super::redeem::{MAX_JOURNAL_WAIT, PendingJournalWrite};
use copresence_protocol::DownloadUrl;
use copresence_store::{CompleteFile, DurableFileProgress, Journal, PlannedFile, RedeemNumber, StoreError, VisitId};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Pause between two attempts to write what the journal lacks.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Journals one delivery and its files. All methods may be called again after an error or a dropped future.
pub(crate) struct DeliveryJournal {
    journal: Journal,
    id: VisitId,
    delivery: tokio::sync::Mutex<UnjournalledDeliveryParts>,
    files: Mutex<UnjournalledFiles>,
    /// Notified when the journal begins to lack something.
    is_incomplete: Notify,
}

/// What the journal lacks of a delivery, in the order in which it is written.
pub(crate) struct UnjournalledDeliveryParts {
    /// The response of the redeem.
    pub(crate) response: Option<PendingJournalWrite>,
    /// The redeem whose truncated response is used as the delivery.
    pub(crate) used_truncated: Option<RedeemNumber>,
    /// Its files.
    pub(crate) planned: Option<Vec<PlannedFile>>,
}

/// What the journal lacks of the files.
struct UnjournalledFiles {
    /// Whether the journal lacks anything, also of the delivery. New states of files are added here then.
    is_behind: bool,
    by_index: BTreeMap<usize, UnjournalledFile>,
}

/// What the journal lacks of one file, in the order in which it is written.
#[derive(Default)]
struct UnjournalledFile {
    is_requested: bool,
    redirect: Option<Vec<DownloadUrl>>,
    progress: Option<DurableFileProgress>,
    end: Option<FileDownloadEnd>,
}

/// How the download of a file ended.
#[derive(Clone)]
enum FileDownloadEnd {
    Complete(Box<CompleteFile>),
    Failed { why: String, is_lost: bool },
}

/// One change of the state of a file.
#[derive(Clone)]
enum FileDownloadStateChange {
    Requested,
    Redirected(Vec<DownloadUrl>),
    Progress(DurableFileProgress),
    Ended(FileDownloadEnd),
}

impl UnjournalledFile {
    /// Adds a change, which replaces an earlier one of its kind.
    fn add_or_replace_change(&mut self, change: FileDownloadStateChange) {
        match change {
            FileDownloadStateChange::Requested => self.is_requested = true,
            FileDownloadStateChange::Redirected(targets) => self.redirect = Some(targets),
            FileDownloadStateChange::Progress(progress) => self.progress = Some(progress),
            FileDownloadStateChange::Ended(end) => self.end = Some(end),
        }
    }

    /// Removes the change that is written next.
    fn take_next_change(&mut self) -> Option<FileDownloadStateChange> {
        if std::mem::take(&mut self.is_requested) {
            return Some(FileDownloadStateChange::Requested);
        }
        if let Some(change) = self.redirect.take() {
            return Some(FileDownloadStateChange::Redirected(change));
        }
        let progress = self.progress.take().map(FileDownloadStateChange::Progress);
        progress.or_else(|| self.end.take().map(FileDownloadStateChange::Ended))
    }

    /// Puts back a change that could not be written, unless a newer one of its kind was added meanwhile.
    fn put_back_unwritten_change(&mut self, change: FileDownloadStateChange) {
        match change {
            FileDownloadStateChange::Requested => self.is_requested = true,
            FileDownloadStateChange::Redirected(targets) => _ = self.redirect.get_or_insert(targets),
            FileDownloadStateChange::Progress(progress) => _ = self.progress.get_or_insert(progress),
            FileDownloadStateChange::Ended(end) => _ = self.end.get_or_insert(end),
        }
    }
}

impl UnjournalledDeliveryParts {
    /// Writes what is missing. What the journal refuses is given up.
    async fn write_unjournalled_ignoring_refused_steps(
        &mut self,
        journal: &Journal,
        id: VisitId,
    ) -> Result<(), StoreError> {
        if let Some(response) = &mut self.response {
            log_and_ignore_refused_step(response.journal_redeem_response(journal, id).await)?;
            self.response = None;
        }
        if let Some(no) = self.used_truncated {
            log_and_ignore_refused_step(journal.record_truncated_delivery_erasing_token(&id, no).await)?;
            self.used_truncated = None;
        }
        if let Some(planned) = &self.planned {
            log_and_ignore_refused_step(journal.record_planned_files(&id, planned).await)?;
            self.planned = None;
        }
        Ok(())
    }
}

/// Logs a step that the journal refuses: repeating it would not help.
fn log_and_ignore_refused_step(written: Result<(), StoreError>) -> Result<(), StoreError> {
    match written {
        Err(error @ (StoreError::StepRefused { .. } | StoreError::UnknownVisit { .. })) => {
            tracing::error!(%error, "the journal refuses a step of the delivery");
            Ok(())
        }
        other => other,
    }
}

impl DeliveryJournal {
    /// Begins to journal a delivery, of which `missing` could not be written yet.
    pub(crate) fn new(journal: Journal, id: VisitId, missing: UnjournalledDeliveryParts) -> Self {
        Self {
            journal,
            id,
            delivery: tokio::sync::Mutex::new(missing),
            files: Mutex::new(UnjournalledFiles { is_behind: true, by_index: BTreeMap::new() }),
            is_incomplete: Notify::new(),
        }
    }

    /// Adds the files of the delivery to what is to be written, before the first one is requested.
    pub(crate) async fn add_planned_files(&self, planned: Vec<PlannedFile>) {
        self.delivery.lock().await.planned = Some(planned);
    }

    /// Adds what the journal lacks of the response of a delivery whose downloads have begun.
    pub(crate) async fn add_unjournalled_response(
        &self,
        response: Option<PendingJournalWrite>,
        used_truncated: Option<RedeemNumber>,
    ) {
        let mut delivery = self.delivery.lock().await;
        (delivery.response, delivery.used_truncated) = (response, used_truncated);
    }

    /// Writes everything that the journal lacks.
    ///
    /// # Errors
    /// When the journal cannot be written; the rest stays to be written.
    pub(crate) async fn write_unjournalled_changes(&self) -> Result<(), StoreError> {
        if !self.lock_unjournalled_files_mutex().is_behind {
            return Ok(());
        }
        let mut delivery = self.delivery.lock().await;
        delivery.write_unjournalled_ignoring_refused_steps(&self.journal, self.id).await?;
        loop {
            let (index, change) = {
                let mut files = self.lock_unjournalled_files_mutex();
                let next = files.by_index.iter_mut().find_map(|(index, file)| Some((*index, file.take_next_change()?)));
                let Some(next) = next else {
                    *files = UnjournalledFiles { is_behind: false, by_index: BTreeMap::new() };
                    return Ok(());
                };
                next
            };
            let mut restore = PutBackChangeOnDrop { journal: self, index, change: Some(change.clone()) };
            log_and_ignore_refused_step(self.journal_file_change(index, change).await)?;
            restore.change = None;
        }
    }

    /// Writes what the journal lacks, with pauses, whenever something is missing. Never returns.
    pub(crate) async fn keep_writing_unjournalled_changes(&self) -> Infallible {
        loop {
            while self.lock_unjournalled_files_mutex().is_behind {
                tokio::time::sleep(RETRY_PAUSE).await;
                if let Err(error) = self.write_unjournalled_changes().await {
                    tracing::warn!(%error, visit = %self.id, "the delivery is still not in the journal");
                }
            }
            self.is_incomplete.notified().await;
        }
    }

    /// Journals that the URL of a file is about to be requested.
    pub(crate) async fn record_file_request(&self, index: usize) {
        self.write_change_or_keep_for_later(index, FileDownloadStateChange::Requested).await;
    }

    /// Journals where the URL of a file redirected, without the targets that refused.
    pub(crate) async fn record_redirect_targets(&self, index: usize, targets: Vec<DownloadUrl>) {
        self.write_change_or_keep_for_later(index, FileDownloadStateChange::Redirected(targets)).await;
    }

    /// Journals how much of a file is durable.
    pub(crate) async fn record_file_progress(&self, index: usize, progress: &DurableFileProgress) {
        self.write_change_or_keep_for_later(index, FileDownloadStateChange::Progress(progress.clone())).await;
    }

    /// Journals that a file is complete and durable.
    pub(crate) async fn record_complete_file(&self, index: usize, file: &CompleteFile) {
        self.write_change_or_keep_for_later(
            index,
            FileDownloadStateChange::Ended(FileDownloadEnd::Complete(Box::new(file.clone()))),
        )
        .await;
    }

    /// Journals why the download of a file was given up, and whether its URL is spent.
    pub(crate) async fn record_file_failure(&self, index: usize, why: &str, is_lost: bool) {
        self.write_change_or_keep_for_later(
            index,
            FileDownloadStateChange::Ended(FileDownloadEnd::Failed { why: why.to_owned(), is_lost }),
        )
        .await;
    }

    /// Writes a change of a file, or keeps it for later if the journal cannot be written in time.
    async fn write_change_or_keep_for_later(&self, index: usize, change: FileDownloadStateChange) {
        {
            let mut files = self.lock_unjournalled_files_mutex();
            if files.is_behind {
                files.by_index.entry(index).or_default().add_or_replace_change(change);
                return;
            }
        }
        // Nothing is received meanwhile, and the server may give up on its connection. A write that takes longer stays queued.
        match tokio::time::timeout(MAX_JOURNAL_WAIT, self.journal_file_change(index, change.clone())).await {
            Ok(written) => match log_and_ignore_refused_step(written) {
                Ok(()) => return,
                Err(error) => tracing::error!(%error, visit = %self.id, index, "cannot journal the state of a file"),
            },
            Err(_elapsed) => {
                tracing::warn!(visit = %self.id, index, "the journal is slow or locked; the state of a file is journalled later");
            }
        }
        let mut files = self.lock_unjournalled_files_mutex();
        files.is_behind = true;
        files.by_index.entry(index).or_default().add_or_replace_change(change);
        self.is_incomplete.notify_one();
    }

    /// Whether the journal lacks anything of the delivery or its files.
    pub(crate) fn has_unjournalled_changes(&self) -> bool {
        self.lock_unjournalled_files_mutex().is_behind
    }

    /// Writes a change of a file.
    async fn journal_file_change(&self, index: usize, change: FileDownloadStateChange) -> Result<(), StoreError> {
        let (journal, id) = (&self.journal, &self.id);
        match change {
            FileDownloadStateChange::Requested => journal.record_file_request(id, index).await,
            FileDownloadStateChange::Redirected(targets) => journal.record_redirect_targets(id, index, &targets).await,
            FileDownloadStateChange::Progress(progress) => journal.record_file_progress(id, index, &progress).await,
            FileDownloadStateChange::Ended(FileDownloadEnd::Complete(file)) => {
                journal
                    .record_complete_file_erasing_urls(id, index, file.bytes, &file.sha256, file.format, &file.notes)
                    .await
            }
            FileDownloadStateChange::Ended(FileDownloadEnd::Failed { why, is_lost }) => {
                journal.record_file_failure(id, index, &why, is_lost).await
            }
        }
    }

    /// Locks the mutex of what the journal lacks of the files.
    fn lock_unjournalled_files_mutex(&self) -> MutexGuard<'_, UnjournalledFiles> {
        // Each change is complete, also after a panic.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a change back that is being written, if that fails or its future is dropped.
struct PutBackChangeOnDrop<'a> {
    journal: &'a DeliveryJournal,
    index: usize,
    change: Option<FileDownloadStateChange>,
}

impl Drop for PutBackChangeOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(change) = self.change.take() {
            self.journal
                .lock_unjournalled_files_mutex()
                .by_index
                .entry(self.index)
                .or_default()
                .put_back_unwritten_change(change);
        }
    }
}
