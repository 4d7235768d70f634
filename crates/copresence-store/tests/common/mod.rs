//! Helpers for the tests of this crate.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this module")]

use copresence_protocol::{DownloadUrl, ExportToken, ExportType};
use copresence_store::{DataDir, PlannedFile, VisitEnding, VisitId, VisitStart};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use tempfile::TempDir;

/// A temporary folder, in memory if possible, because fsync is fast there.
pub fn temp_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// A temporary data folder.
pub fn temp_data_dir() -> (TempDir, DataDir) {
    let root = temp_folder();
    let data = DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder");
    (root, data)
}

/// Runs a future on a new single-threaded runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// The time `seconds` after 09:00 UTC.
pub fn time_at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(seconds)
}

/// The start record of a visit.
pub fn visit_start(id: VisitId, ephemeral: bool) -> VisitStart {
    VisitStart {
        id,
        profile: "partner".into(),
        api_url: "https://api.test/1".into(),
        backend_host: "api.test".into(),
        ephemeral,
        out_dir: "/out".into(),
        required_exports: vec![ExportType::new("glb")],
        started_at: time_at(0),
        limits: None,
    }
}

/// An ending with this exit code.
pub fn visit_ending(exit: u8) -> VisitEnding {
    VisitEnding {
        code: "a_word".into(),
        exit,
        message: "A sentence.".into(),
        visit_state: "ended".into(),
        directory: Some("/out/2026-11-22-x".into()),
        at: time_at(60),
    }
}

/// An Export Token.
pub fn export_token(value: &str) -> ExportToken {
    ExportToken::new(value).expect("a token")
}

/// `count` planned files.
pub fn planned_files(count: usize) -> Vec<PlannedFile> {
    (0..count)
        .map(|index| PlannedFile {
            index,
            name: format!("avatar-{index}.glb"),
            export_type: ExportType::new("glb"),
            url: DownloadUrl::new("https://files.test/one").expect("a URL"),
        })
        .collect()
}
