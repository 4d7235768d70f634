//! Saves a delivery: all files at once, into a folder that appears complete or not at all.

use super::delivery_journal::DeliveryJournal;
use super::download::download_file;
use super::download_coordinator::DownloadCoordinator;
use super::file_request::{FileFailure, FileFailureKind, FileToDownload};
use super::redeem::MAX_JOURNAL_WAIT;
use super::{VisitContext, block_in_place, visit_start_date_for_folder};
use crate::events::SavedFile;
use copresence_protocol::{DeliveredExports, DownloadUrl, DownloadableExport, shorten_text_of_backend};
use copresence_store::{
    CompleteFile, FileDownloadState, FileRecord, Manifest, ManifestCompleteFile, MissingFile, PartialAvatarFolder,
    PhaseTimestamps, PlannedFile, SavedAvatarOperations, Sha256Digest, StoreError, VisitDownloadLimits, VisitPhase,
    VisitStart, is_same_export_type,
};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Maximum length of the reason why a file is missing, in bytes: the manifest has one for each file.
const MAX_MISSING_REASON: usize = 1000;

/// What to save, and where.
#[derive(Clone)]
pub(crate) struct SaveJob {
    /// The visit.
    pub(crate) start: Arc<VisitStart>,
    pub(crate) limits: VisitDownloadLimits,
    pub(crate) coordinator: Arc<DownloadCoordinator>,
    pub(crate) journal: Arc<DeliveryJournal>,
    /// As [`super::VisitConfig::download_pause`].
    pub(crate) pause: Duration,
    pub(crate) times: PhaseTimestamps,
    /// The files that an earlier run planned, with their state.
    pub(crate) known_files: Vec<FileRecord>,
    /// Attempts of recovery before this run.
    pub(crate) recovery_attempts: u32,
    /// Whether an earlier run may have saved the avatar already.
    pub(crate) is_resumed: bool,
    /// Cancelled when the delivery is used. Until then files are only received: nothing is journalled or published.
    pub(crate) is_used: CancellationToken,
}

/// Result of saving.
#[derive(Debug, Default)]
pub(crate) struct SaveResult {
    /// The avatar's folder, complete or incomplete.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) files: Vec<SavedFile>,
    /// One text for each missing file; empty when the avatar is complete.
    pub(crate) missing: Vec<String>,
    /// Why saving stopped although files may still be saved. Received bytes stay in the partial folder, so that a later
    /// run can continue.
    pub(crate) stop: Option<EarlySavingStopReason>,
}

/// Why saving stopped although files may still be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlySavingStopReason {
    /// The disk is too full.
    DiskFull,
    /// Our own disk failed in another way.
    StorageFailed,
    /// The network or a file server failed.
    Interrupted,
}

impl EarlySavingStopReason {
    /// Each reason with the kind of failure that leads to it. If files failed in several ways, the first reason
    /// applies: a disk needs an operator.
    const BY_KIND: [(Self, FileFailureKind); 3] = [
        (Self::DiskFull, FileFailureKind::DiskFull),
        (Self::StorageFailed, FileFailureKind::Storage),
        (Self::Interrupted, FileFailureKind::Interrupted),
    ];
}

impl From<&StoreError> for EarlySavingStopReason {
    fn from(error: &StoreError) -> Self {
        if error.is_disk_full() { Self::DiskFull } else { Self::StorageFailed }
    }
}

/// Saves a delivery: downloads its files and publishes them. If the future is dropped, the partial files stay for
/// recovery.
pub(crate) async fn download_and_publish_delivery(
    context: &VisitContext,
    job: SaveJob,
    delivery: DeliveredExports,
) -> SaveResult {
    if job.is_resumed
        && let Some(saved) = block_in_place(|| find_avatar_saved_before_crash(context, &job.start))
    {
        return saved;
    }
    match try_download_and_publish_delivery(context, &job, delivery).await {
        Ok(saved) => saved,
        Err(error) => SaveResult {
            missing: vec![error.to_string()],
            stop: Some(EarlySavingStopReason::from(&error)),
            ..SaveResult::default()
        },
    }
}

/// Checks that the output folder exists if bytes were received before. Its disk may not be mounted: a request now could
/// spend a URL whose bytes are there.
fn check_output_folder_exists_if_resuming(job: &SaveJob) -> Result<(), StoreError> {
    let out_dir = &job.start.out_dir;
    let has_received_bytes = |file: &FileRecord| match &file.state {
        FileDownloadState::Planned => false,
        FileDownloadState::Requested(progress) | FileDownloadState::Failed { progress, .. } => progress.bytes > 0,
        FileDownloadState::Complete { .. } => true,
    };
    if job.known_files.iter().any(has_received_bytes) && !out_dir.exists() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(StoreError::Io { doing: "find the received files in", path: out_dir.clone(), source });
    }
    Ok(())
}

/// Tries to save a delivery: downloads its files into the partial folder and publishes it. An error means that the
/// folder or the journal could not be used.
async fn try_download_and_publish_delivery(
    context: &VisitContext,
    job: &SaveJob,
    delivery: DeliveredExports,
) -> Result<SaveResult, StoreError> {
    let start = &job.start;
    check_output_folder_exists_if_resuming(job)?;
    if let Err(error) = block_in_place(|| context.data.record_output_disk(&start.out_dir)) {
        tracing::warn!(%error, "a later deletion cannot tell whether the disk of the avatar's folder is mounted");
    }
    let mut folder = PartialAvatarFolder::create_or_reopen_folder(
        &start.out_dir,
        &start.id,
        visit_start_date_for_folder(start.started_at),
    )?;
    let names = assign_file_names(job, &mut folder, &delivery.exports)?;
    if job.known_files.is_empty() {
        job.journal.add_planned_files(plan_files_for_journal(&delivery.exports, &names)).await;
    }
    let write_delivery = async {
        // The URLs are in memory and will not be sent again, so the downloads start all the same.
        match tokio::time::timeout(MAX_JOURNAL_WAIT, job.journal.write_unjournalled_changes()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, visit = %start.id, "cannot journal the delivery; it is tried again meanwhile");
            }
            Err(_elapsed) => {
                tracing::error!(visit = %start.id, "the journal is slow or locked; the delivery is journalled meanwhile");
            }
        }
    };
    let is_used_from_start = job.is_used.is_cancelled();
    if is_used_from_start {
        write_delivery.await;
    }
    let keep_journalling = async {
        if !is_used_from_start {
            job.is_used.cancelled().await;
            _ = job.journal.write_unjournalled_changes().await;
        }
        job.journal.keep_writing_unjournalled_changes().await
    };
    let mut results = tokio::select! {
        results = download_all_files(context, job, &folder, &delivery.exports, &names) => results,
        never = keep_journalling => match never {},
    };
    job.is_used.cancelled().await;
    copy_files_of_repeated_urls(job, &folder, &delivery.exports, &names, &mut results).await;
    // The avatar is published all the same; what is missing is written at the end of the visit.
    match tokio::time::timeout(MAX_JOURNAL_WAIT, job.journal.write_unjournalled_changes()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, visit = %start.id, "cannot journal the files"),
        Err(_elapsed) => {
            tracing::error!(visit = %start.id, "the journal is slow or locked; the files are journalled later");
        }
    }
    let failures = || names.iter().zip(&results).filter_map(|(name, result)| Some((name, result.as_ref().err()?)));
    for (stop, kind) in EarlySavingStopReason::BY_KIND {
        let missing: Vec<String> = failures()
            .filter(|(_, failure)| failure.kind == kind)
            .map(|(name, failure)| format!("{name}: {}", failure.why))
            .collect();
        if !missing.is_empty() {
            // Not set aside as incomplete: a later run may complete it, if the URLs live that long.
            return Ok(SaveResult { missing, stop: Some(stop), ..SaveResult::default() });
        }
    }

    let mut files = Vec::new();
    let mut missing: Vec<MissingFile> = delivery
        .unusable_entries
        .iter()
        .map(|mismatch| missing_file(String::new(), String::new(), &mismatch.to_string()))
        .collect();
    for ((export, name), result) in delivery.exports.iter().zip(&names).zip(results) {
        let export_type = export.export_type.as_str().to_owned();
        match result {
            Ok(whole) => files.push(ManifestCompleteFile {
                path: whole.name,
                export_type,
                bytes: whole.bytes,
                sha256: whole.sha256,
                format: whole.format,
                notes: whole.notes,
            }),
            Err(failure) => {
                missing.push(missing_file(export_type, name.clone(), &failure.why));
            }
        }
    }
    for required in &start.required_exports {
        if !delivery.exports.iter().any(|export| is_same_export_type(&export.export_type, required)) {
            missing.push(MissingFile {
                export_type: required.as_str().to_owned(),
                path: String::new(),
                reason: "required, but not delivered by the backend".to_owned(),
            });
        }
    }
    publish_or_set_aside_avatar(context, job, folder, files, missing).await
}

/// A file that is missing, for the manifest. `reason` may repeat what a server sent.
fn missing_file(export_type: String, path: String, reason: &str) -> MissingFile {
    MissingFile { export_type, path, reason: shorten_text_of_backend(reason, MAX_MISSING_REASON) }
}

/// Assigns the names of a delivery's files: those in the journal, or else names by which each file in the folder stays with
/// the URL from which it comes.
fn assign_file_names(
    job: &SaveJob,
    folder: &mut PartialAvatarFolder,
    exports: &[DownloadableExport],
) -> Result<Vec<String>, StoreError> {
    if job.known_files.is_empty() {
        let source =
            |export: &DownloadableExport| Sha256Digest::sha256_of_bytes(export.download_url.expose_url().as_bytes());
        let sources: Vec<_> = exports.iter().map(|export| (&export.export_type, source(export))).collect();
        // The files of a truncated response are not in the journal before it is used.
        let is_truncated = !job.is_used.is_cancelled();
        return block_in_place(|| folder.assign_file_names_by_source(&sources, is_truncated));
    }
    folder.restore_file_names_of_earlier_run(job.known_files.iter().map(|file| (file.index, file.name.as_str())));
    let name = |(index, export): (usize, &DownloadableExport)| folder.assign_file_name(index, &export.export_type);
    Ok(exports.iter().enumerate().map(name).collect())
}

/// The files of a delivery, for the journal.
fn plan_files_for_journal(exports: &[DownloadableExport], names: &[String]) -> Vec<PlannedFile> {
    exports
        .iter()
        .zip(names)
        .enumerate()
        .map(|(index, (export, name))| PlannedFile {
            index,
            name: name.clone(),
            export_type: export.export_type.clone(),
            url: export.download_url.clone(),
        })
        .collect()
}

/// Downloads all files. The coordinator limits the requests in flight. The results have the order of the exports.
async fn download_all_files(
    context: &VisitContext,
    job: &SaveJob,
    folder: &PartialAvatarFolder,
    exports: &[DownloadableExport],
    names: &[String],
) -> Vec<Result<CompleteFile, FileFailure>> {
    job.coordinator.begin_active_files(exports.len());
    let downloads = exports.iter().zip(names).enumerate().map(async |(index, (export, name))| {
        let result = Box::pin(download_or_verify_journaled_file(context, job, folder, index, export, name)).await;
        job.coordinator.end_active_file();
        result
    });
    futures_util::future::join_all(downloads).await
}

/// Copies files whose one-time URL was refused because another export has the same URL and its file. A copy that fails
/// is left to a later run: the file is not lost.
async fn copy_files_of_repeated_urls(
    job: &SaveJob,
    folder: &PartialAvatarFolder,
    exports: &[DownloadableExport],
    names: &[String],
    results: &mut [Result<CompleteFile, FileFailure>],
) {
    // The first complete file of each URL. A delivery may have thousands of files.
    let mut complete_by_url = HashMap::new();
    for (export, result) in exports.iter().zip(&*results) {
        if let Ok(file) = result {
            complete_by_url.entry(url_without_fragment(&export.download_url)).or_insert_with(|| file.clone());
        }
    }
    for (index, name) in names.iter().enumerate() {
        if !matches!(&results[index], Err(failure) if failure.kind == FileFailureKind::Lost) {
            continue;
        }
        let Some(same) = complete_by_url.get(url_without_fragment(&exports[index].download_url)).cloned() else {
            continue;
        };
        match block_in_place(|| folder.copy_file_for_duplicate_export(&same.name, name)) {
            Ok(whole) => {
                let whole = CompleteFile { notes: same.notes, ..whole };
                job.journal.record_complete_file(index, &whole).await;
                results[index] = Ok(whole);
            }
            Err(error) => {
                tracing::error!(%error, file = name, "cannot copy the file of the same URL");
                results[index] = Err(error.into());
            }
        }
    }
}

/// A URL as it is requested: its fragment is not sent.
fn url_without_fragment(url: &DownloadUrl) -> &str {
    let url = url.expose_url();
    url.split_once('#').map_or(url, |(requested, _)| requested)
}

/// Downloads one file and journals whether it is complete or failed. A file that an earlier run completed is only
/// verified, and requested again if it is missing or changed. A changed one is set aside.
async fn download_or_verify_journaled_file(
    context: &VisitContext,
    job: &SaveJob,
    folder: &PartialAvatarFolder,
    index: usize,
    export: &DownloadableExport,
    name: &str,
) -> Result<CompleteFile, FileFailure> {
    let id = job.start.id;
    let earlier = job.known_files.iter().find(|record| record.index == index);
    let known = match earlier.map(|record| &record.state) {
        Some(FileDownloadState::Complete { sha256, notes, .. }) => Some((sha256, notes)),
        _ => None,
    };
    if let Some((sha256, notes)) = known
        && let Some(whole) = block_in_place(|| folder.sync_and_rehash_complete_file(name))?
    {
        if whole.sha256 == *sha256 {
            return Ok(CompleteFile { notes: notes.clone(), ..whole });
        }
        let kept_as = block_in_place(|| folder.set_aside_damaged_file(name))?;
        tracing::error!(file = name, kept_as, "the disk has changed a complete file: it is requested again");
    }
    let room = context.data.download_space_reservations().create_empty_file_reservation(&job.start.out_dir);
    let request = FileToDownload {
        id,
        index,
        name,
        export_type: &export.export_type,
        url: &export.download_url,
        limits: job.limits,
        room: &room,
        journal: &job.journal,
        coordinator: &job.coordinator,
        pause: job.pause,
        earlier,
        recovery_attempts: job.recovery_attempts,
    };
    let mut result = Box::pin(download_file(context, folder, &request)).await;
    drop(room);
    if known.is_some() {
        // Its journal entry stays: the file is complete, and may be on a disk that is not mounted.
        if let Err(failure) = &mut result
            && failure.kind == FileFailureKind::Lost
        {
            failure.kind = FileFailureKind::Storage;
            failure.why = format!(
                "it was complete, and is missing in {} or was changed there; restore it. It was requested again: {}",
                folder.partial_folder_path().display(),
                failure.why
            );
        }
        return result;
    }
    match &result {
        Ok(whole) => job.journal.record_complete_file(index, whole).await,
        // The journal keeps the number of received bytes: the download continues there when there is space.
        Err(failure) if failure.kind == FileFailureKind::DiskFull => {}
        Err(failure) => {
            let is_lost = failure.kind == FileFailureKind::Lost;
            job.journal.record_file_failure(index, &failure.why, is_lost).await;
        }
    }
    result
}

/// Writes the manifest and moves the folder to its final place: among the avatars if it is complete, otherwise to
/// the incomplete ones.
async fn publish_or_set_aside_avatar(
    context: &VisitContext,
    job: &SaveJob,
    folder: PartialAvatarFolder,
    files: Vec<ManifestCompleteFile>,
    missing: Vec<MissingFile>,
) -> Result<SaveResult, StoreError> {
    let now = context.clock.wall_clock_time();
    let complete = missing.is_empty();
    let manifest = Manifest {
        schema_version: copresence_store::SCHEMA_VERSION,
        visit: job.start.id,
        profile: job.start.profile.clone(),
        backend_host: job.start.backend_host.clone(),
        times: PhaseTimestamps { saved: complete.then_some(now), ..job.times.clone() },
        complete,
        files,
        missing,
    };
    if complete {
        let recorded = context.journal.record_first_time_of_phase(&job.start.id, VisitPhase::Saved, now);
        let max_wait = if job.journal.has_unjournalled_changes() { Duration::ZERO } else { MAX_JOURNAL_WAIT };
        // The avatar is complete, so it is published all the same. A write that takes longer stays queued.
        if let Ok(Err(error)) = tokio::time::timeout(max_wait, recorded).await {
            tracing::error!(%error, "cannot journal that the avatar is saved");
        }
    }
    // Without an await: a visit that is dropped must not rename a folder after it released its lock.
    let directory = block_in_place(|| {
        if complete {
            folder.publish_complete_avatar(&manifest)
        } else {
            folder.move_to_incomplete_folder(&context.data, &manifest)
        }
    })?;
    Ok(save_result_from_manifest(directory, &manifest))
}

/// The result of saving that the manifest of an already saved avatar describes.
fn save_result_from_manifest(directory: PathBuf, manifest: &Manifest) -> SaveResult {
    let files = manifest
        .files
        .iter()
        .map(|file| SavedFile {
            path: file.path.clone(),
            export_type: file.export_type.clone(),
            bytes: file.bytes,
            sha256: file.sha256.to_string(),
            notes: file.notes.clone(),
        })
        .collect();
    let missing = manifest.missing.iter().map(|m| format!("{}: {}", missing_file_label(m), m.reason)).collect();
    SaveResult { directory: Some(directory), files, missing, stop: None }
}

/// The path of a missing file, or its export type if it has no path.
fn missing_file_label(missing: &MissingFile) -> &str {
    [&missing.path, &missing.export_type].into_iter().find(|s| !s.is_empty()).map_or("a file", |s| s)
}

/// The avatar that an earlier run saved, if the crash came between the rename of its folder and the end of the visit.
fn find_avatar_saved_before_crash(context: &VisitContext, start: &VisitStart) -> Option<SaveResult> {
    let (folder, manifest) = find_avatar_folder_with_manifest(context, start)?;
    // An incomplete avatar is copied to the data folder's disk; the crash may have left the original.
    discard_partial_folder(start);
    Some(save_result_from_manifest(folder, &manifest))
}

/// Finds the folder of a visit's avatar, complete or incomplete, and its manifest.
pub(crate) fn find_avatar_folder_with_manifest(
    context: &VisitContext,
    start: &VisitStart,
) -> Option<(PathBuf, Manifest)> {
    let parents = [start.out_dir.clone(), context.data.incomplete_avatars_path()];
    parents
        .iter()
        .find_map(|parent| SavedAvatarOperations::find_durable_avatar_with_manifest(parent, &start.id).ok().flatten())
}

/// Discards the partial folder of a visit that cannot be resumed.
pub(crate) fn discard_partial_folder(start: &VisitStart) {
    let folder = PartialAvatarFolder::reopen_partial_folder(
        &start.out_dir,
        &start.id,
        visit_start_date_for_folder(start.started_at),
    );
    let removed = folder.and_then(|folder| folder.map(PartialAvatarFolder::remove_folder_and_own_files).transpose());
    if let Err(error) = removed {
        tracing::warn!(%error, visit = %start.id, "cannot remove the partial folder");
    }
}
