//! Saves what a spent token bought: all files at once, and a folder that appears whole or not at all.

use super::pump::{Failure, Fetch, fetch};
use super::{Parts, at_the_disk};
use crate::line::SavedFile;
use futures_util::StreamExt;
use protocol::{Delivery, Export, ExportType};
use std::path::PathBuf;
use store::{
    AvatarFolder, FileRecord, FileState, Manifest, ManifestFile, MissingFile, Phase, PlannedFile, Room,
    StoreError, VisitId, VisitLimits, WholeFile,
};

/// What is to be saved, and where.
#[derive(Debug, Clone)]
pub(crate) struct SaveOrder {
    pub(crate) id: VisitId,
    pub(crate) profile: String,
    pub(crate) backend_host: String,
    pub(crate) out: PathBuf,
    pub(crate) required_exports: Vec<ExportType>,
    pub(crate) limits: VisitLimits,
    /// As [`super::Order::download_pause`].
    pub(crate) pause: std::time::Duration,
    pub(crate) times: store::Times,
    /// How far an earlier run had come, when this one finishes what a crash left.
    pub(crate) earlier: Vec<FileRecord>,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) files: Vec<SavedFile>,
    /// In words, one a thing that is missing; empty when the avatar is whole.
    pub(crate) missing: Vec<String>,
    pub(crate) contradiction: Option<String>,
    /// Room on the disk is what is missing: what came stays in the making, to be gone on with.
    pub(crate) disk_full: bool,
}

/// Downloads and saves. Dropped in the middle, it leaves partial files that `recover` goes on with.
pub(crate) async fn save(parts: &Parts, order: SaveOrder, delivery: Delivery) -> Saved {
    let contradiction = delivery.contradiction.as_ref().map(ToString::to_string);
    let mut saved = match try_save(parts, &order, delivery).await {
        Ok(saved) => saved,
        Err(error) => {
            Saved { missing: vec![error.to_string()], disk_full: error.is_disk_full(), ..Saved::default() }
        }
    };
    saved.contradiction = contradiction;
    saved
}

async fn try_save(parts: &Parts, order: &SaveOrder, delivery: Delivery) -> Result<Saved, StoreError> {
    let date = super::day_of(order.times.started);
    let mut folder = AvatarFolder::create(&order.out, &order.id, date)?;
    let names: Vec<String> = delivery
        .exports
        .iter()
        .enumerate()
        .map(|(index, export)| folder.file(index, &export.export_type))
        .collect();
    if order.earlier.is_empty()
        && let Err(error) = plan(parts, order, &delivery.exports, &names).await
    {
        // The URLs are in memory, and there will be no others: going on beats stopping here.
        tracing::error!(%error, "the files could not be journalled");
    }
    let results = fetch_all(parts, order, &folder, &delivery.exports, &names).await;
    let full: Vec<String> = names
        .iter()
        .zip(&results)
        .filter_map(|(name, result)| {
            result.as_ref().err().filter(|failure| failure.full).map(|failure| (name, failure))
        })
        .map(|(name, failure)| format!("{name}: {}", failure.why))
        .collect();
    if !full.is_empty() {
        // Nothing is put away as incomplete that a little room would make whole: the URLs may live that long.
        return Ok(Saved { missing: full, disk_full: true, ..Saved::default() });
    }

    let mut files = Vec::new();
    let mut missing: Vec<MissingFile> = delivery
        .unusable
        .iter()
        .map(|mismatch| MissingFile {
            export_type: String::new(),
            path: String::new(),
            reason: mismatch.to_string(),
        })
        .collect();
    for ((export, name), result) in delivery.exports.iter().zip(&names).zip(results) {
        let export_type = export.export_type.as_str().to_owned();
        match result {
            Ok(whole) => files.push(ManifestFile {
                path: whole.name,
                export_type,
                bytes: whole.bytes,
                sha256: whole.sha256,
                format: whole.format,
            }),
            Err(failure) => {
                missing.push(MissingFile { export_type, path: name.clone(), reason: failure.why });
            }
        }
    }
    for required in &order.required_exports {
        let required = required.as_str();
        let came = delivery.exports.iter().any(|e| e.export_type.as_str().eq_ignore_ascii_case(required));
        if !came {
            missing.push(MissingFile {
                export_type: required.to_owned(),
                path: String::new(),
                reason: "required, and the backend delivered no such export".to_owned(),
            });
        }
    }
    let now = parts.clock.now();
    if missing.is_empty()
        && let Err(error) = parts.journal.phase_reached(&order.id, Phase::Saved, now).await
    {
        // The avatar is whole: a journal that cannot say so does not keep it from its place.
        tracing::error!(%error, "that the avatar is saved could not be written");
    }
    at_the_disk(|| finish(parts, order, folder, files, missing, now))
}

async fn plan(
    parts: &Parts,
    order: &SaveOrder,
    exports: &[Export],
    names: &[String],
) -> Result<(), StoreError> {
    let planned: Vec<PlannedFile> = exports
        .iter()
        .zip(names)
        .enumerate()
        .map(|(index, (export, name))| PlannedFile {
            index,
            name: name.clone(),
            export_type: export.export_type.clone(),
            url: export.download_url.clone(),
        })
        .collect();
    parts.journal.files_planned(&order.id, &planned).await
}

async fn fetch_all(
    parts: &Parts,
    order: &SaveOrder,
    folder: &AvatarFolder,
    exports: &[Export],
    names: &[String],
) -> Vec<Result<WholeFile, Failure>> {
    let room = Room::at(&order.out);
    let fetches: Vec<_> = exports
        .iter()
        .zip(names)
        .enumerate()
        .map(|(index, (export, name))| fetch_one(parts, order, (folder, &room), index, export, name))
        .collect();
    let mut results: Vec<_> = futures_util::stream::iter(fetches)
        .buffer_unordered(order.limits.parallel_downloads.max(1))
        .collect()
        .await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

async fn fetch_one(
    parts: &Parts,
    order: &SaveOrder,
    (folder, room): (&AvatarFolder, &Room),
    index: usize,
    export: &Export,
    name: &str,
) -> (usize, Result<WholeFile, Failure>) {
    let earlier = order.earlier.iter().find(|record| record.index == index).map(|record| &record.state);
    if let Some(FileState::Whole { .. }) = earlier {
        return (index, whole_already(folder, name, earlier));
    }
    let file = Fetch {
        id: order.id,
        index,
        name,
        export_type: &export.export_type,
        url: &export.download_url,
        max: order.limits.max_file_size,
        room,
        pause: order.pause,
        patience: order.limits.patience,
        earlier,
    };
    let result = fetch(parts, folder, &file).await;
    room.release(index);
    let noted = match &result {
        Ok(whole) => {
            parts.journal.file_whole(&order.id, index, whole.bytes, &whole.sha256, whole.format).await
        }
        // How far it came is what the journal has to know: it goes on from there when there is room.
        Err(failure) if failure.full => Ok(()),
        Err(failure) => parts.journal.file_failed(&order.id, index, &failure.why, failure.spent).await,
    };
    if let Err(error) = noted {
        tracing::error!(%error, file = name, "the file's end could not be written");
    }
    (index, result)
}

/// A file that an earlier run finished, read again to be sure of it.
fn whole_already(
    folder: &AvatarFolder,
    name: &str,
    earlier: Option<&FileState>,
) -> Result<WholeFile, Failure> {
    let whole = at_the_disk(|| folder.whole(name))?;
    let same = |whole: &WholeFile| matches!(earlier, Some(FileState::Whole { sha256, .. }) if whole.sha256 == *sha256);
    whole.filter(same).ok_or_else(|| Failure {
        why: "it was whole, and is no longer on the disk as it was".to_owned(),
        spent: true,
        full: false,
    })
}

fn finish(
    parts: &Parts,
    order: &SaveOrder,
    folder: AvatarFolder,
    files: Vec<ManifestFile>,
    missing: Vec<MissingFile>,
    now: jiff::Timestamp,
) -> Result<Saved, StoreError> {
    let told = files
        .iter()
        .map(|file| SavedFile {
            path: file.path.clone(),
            export_type: file.export_type.clone(),
            bytes: file.bytes,
            sha256: file.sha256.to_string(),
        })
        .collect();
    let words = missing.iter().map(|m| format!("{}: {}", label(m), m.reason)).collect();
    let complete = missing.is_empty();
    let manifest = Manifest {
        schema_version: store::SCHEMA_VERSION,
        visit: order.id,
        profile: order.profile.clone(),
        backend_host: order.backend_host.clone(),
        times: store::Times { saved: complete.then_some(now), ..order.times.clone() },
        complete,
        files,
        missing,
    };
    let directory =
        if complete { folder.publish(&manifest)? } else { folder.keep_incomplete(&parts.data, &manifest)? };
    Ok(Saved { directory: Some(directory), files: told, missing: words, ..Saved::default() })
}

fn label(missing: &MissingFile) -> &str {
    [&missing.path, &missing.export_type].into_iter().find(|s| !s.is_empty()).map_or("a file", |s| s)
}
