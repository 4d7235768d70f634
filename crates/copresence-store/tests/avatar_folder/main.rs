//! Avatar folders through the public API: written, published by one rename, and protected against foreign entries.

#[path = "../common/mod.rs"]
mod common;
mod partial_files;
mod publication;
mod removal;
mod special_disks;

use common::time_at;
use copresence_protocol::ExportType;
use copresence_store::{
    CompleteFile, Manifest, ManifestCompleteFile, MissingFile, PartialAvatarFolder, PhaseTimestamps, SCHEMA_VERSION,
    VisitId,
};
use jiff::civil::{Date, date};
use std::path::Path;

const DAY: Date = date(2026, 11, 22);

fn manifest(visit: VisitId, files: &[(&CompleteFile, &str)]) -> Manifest {
    Manifest {
        schema_version: SCHEMA_VERSION,
        visit,
        profile: "sandbox".into(),
        backend_host: "127.0.0.1:4010".into(),
        times: PhaseTimestamps { started: time_at(0), saved: Some(time_at(60)), ..PhaseTimestamps::default() },
        complete: true,
        files: files
            .iter()
            .map(|(whole, export_type)| ManifestCompleteFile {
                path: whole.name.clone(),
                export_type: (*export_type).to_owned(),
                bytes: whole.bytes,
                sha256: whole.sha256,
                format: whole.format,
                notes: whole.notes.clone(),
            })
            .collect(),
        missing: Vec::new(),
    }
}

fn incomplete_manifest(visit: VisitId, files: &[(&CompleteFile, &str)], missing: &str) -> Manifest {
    let lost = MissingFile { export_type: "fbx".into(), path: missing.to_owned(), reason: "the URL was spent".into() };
    Manifest { complete: false, missing: vec![lost], ..manifest(visit, files) }
}

/// Saves one file in a new folder.
fn folder_with_glb(out: &Path, visit: &VisitId) -> (PartialAvatarFolder, CompleteFile) {
    let mut folder = PartialAvatarFolder::create_or_reopen_folder(out, visit, DAY).expect("a folder");
    let name = folder.assign_file_name(0, &ExportType::new("glb"));
    let mut file = folder.open_partial_file_keeping_all_bytes(&name).expect("a file");
    file.append_bytes(b"glTF\x02\0\0\0").expect("written");
    file.append_bytes(b"\x0c\0\0\0").expect("written");
    let whole = file.finish_partial_file().expect("whole");
    (folder, whole)
}

fn entry_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a list");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
