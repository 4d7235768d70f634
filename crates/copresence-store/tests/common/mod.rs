//! Helpers for the tests of this crate.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this module")]

use copresence_protocol::{DownloadUrl, ExportToken, ExportType};
use copresence_store::{DataDir, PlannedFile, VisitEnding, VisitId, VisitStart};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use tempfile::TempDir;

/// A temporary folder, in memory if possible, because fsync is fast there.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// A temporary data folder.
pub fn data() -> (TempDir, DataDir) {
    let root = folder();
    let data = DataDir::open(root.path()).expect("a data folder");
    (root, data)
}

/// The time a number of seconds after 09:00.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// So many seconds after nine o'clock.
pub fn at(seconds: i64) -> Timestamp {
    let nine: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
    nine + SignedDuration::from_secs(seconds)
}

/// The start record of a visit.
pub fn start(id: VisitId, ephemeral: bool) -> VisitStart {
    VisitStart {
        id,
        profile: "partner".into(),
        api_url: "https://api.test/1".into(),
        backend_host: "api.test".into(),
        ephemeral,
        out_dir: "/out".into(),
        required_exports: vec![ExportType::new("glb")],
        started_at: at(0),
        limits: None,
    }
}

/// An ending with an exit code.
pub fn ending(exit: u8) -> VisitEnding {
    VisitEnding {
        code: "a_word".into(),
        exit,
        message: "A sentence.".into(),
        visit_state: "ended".into(),
        directory: Some("/out/2026-11-22-x".into()),
        at: at(60),
    }
}

/// A token.
pub fn token(value: &str) -> ExportToken {
    ExportToken::new(value).expect("a token")
}

/// A number of planned files.
pub fn exports(count: usize) -> Vec<PlannedFile> {
    (0..count)
        .map(|index| PlannedFile {
            index,
            name: format!("avatar-{index}.glb"),
            export_type: ExportType::new("glb"),
            url: DownloadUrl::new("https://files.test/one").expect("a URL"),
        })
        .collect()
}
