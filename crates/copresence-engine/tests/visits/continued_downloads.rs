//! Downloads that are continued by range: the last bytes on the disk are requested again and compared.

use super::backend::{Request, Response, glb};
use super::earlier_visits::{journal_planned_visit, recover_fixture_visits};
use super::fixture::{ETAG, Fixture, manifest, range_starts, visit};
use copresence_engine::Outcome;
use copresence_engine::recovery::RecoveryOutcome;
use std::path::Path;

/// Bytes that are compared.
const OVERLAP: usize = 4096;
/// Bytes that were received before the connection failed.
const FIRST: usize = 9000;

fn file() -> Vec<u8> {
    glb(20_000)
}

/// A visit whose only file is answered by a script.
async fn run_visit(
    answer: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> (Fixture, std::path::PathBuf) {
    let (fixture, ended) = visit("glb", answer).await;
    assert_eq!(ended.outcome, Outcome::Saved);
    (fixture, ended.directory.expect("a folder"))
}

fn note_codes(directory: &Path) -> Vec<String> {
    manifest(directory).files[0].notes.iter().map(|note| note.code.clone()).collect()
}

#[tokio::test]
async fn a_range_is_requested_with_the_last_bytes_on_the_disk() {
    let (fixture, directory) = run_visit(|nth, ask| match nth {
        1 => Response::file(&file()).with_header(ETAG, "\"1\"").breaking_at(FIRST),
        _ => Response::range_response(&file(), ask.range_start()).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), file());
    assert_eq!(range_starts(&fixture), [0, FIRST - OVERLAP]);
    assert!(note_codes(&directory).is_empty());
}

#[tokio::test]
async fn a_range_of_other_bytes_than_stated_is_not_joined() {
    let (fixture, directory) = run_visit(|nth, ask| match (nth, ask.range_start()) {
        (1, _) => Response::file(&file()).with_header(ETAG, "\"1\"").breaking_at(FIRST),
        (_, 0) => Response::file(&file()).with_header(ETAG, "\"1\""),
        (_, from) => {
            Response::file(&file()[..20_000 - from]).with_content_range(from, 20_000).with_header(ETAG, "\"1\"")
        }
    })
    .await;
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), file());
    assert_eq!(range_starts(&fixture), [0, FIRST - OVERLAP, 0]);
    assert_eq!(note_codes(&directory), ["received_again"]);
}

#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "elsewhere bytes that were not flushed are not used")]
async fn zeros_of_the_disk_behind_flushed_bytes_are_received_again() {
    // Its URL is spent, and continues by range only.
    let fixture = Fixture::new(|_, ask| match ask.range_start() {
        0 => Response::status(403),
        from => Response::range_response(&file(), from).with_header(ETAG, "\"1\""),
    })
    .await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
    fixture.data_store.journal.record_file_request(&id, 0).await.expect("noted");
    part.append_bytes(&file()[..FIRST]).expect("written");
    part.sync_and_get_durable_length().expect("durable");
    let progress = copresence_store::DurableFileProgress {
        bytes: FIRST as u64,
        total: Some(20_000),
        validator: Some("\"1\"".to_owned()),
        ..Default::default()
    };
    fixture.data_store.journal.record_file_progress(&id, 0, &progress).await.expect("noted");
    part.append_bytes(&[0; 5000]).expect("written");
    drop((part, folder));
    let mut all = recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } = all.remove(0).outcome
    else {
        panic!("saved")
    };
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), file());
    assert_eq!(range_starts(&fixture), [FIRST + 5000 - OVERLAP, FIRST - OVERLAP]);
    assert_eq!(note_codes(&directory), ["received_again"]);
}

#[tokio::test]
async fn connections_that_are_shorter_than_the_overlap_bring_the_file_all_the_same() {
    let (fixture, directory) = run_visit(|nth, ask| match nth {
        1 => Response::file(&file()).with_header(ETAG, "\"1\"").breaking_at(FIRST),
        _ => Response::range_response(&file(), ask.range_start()).with_header(ETAG, "\"1\"").breaking_at(4000),
    })
    .await;
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), file());
    assert_eq!(range_starts(&fixture), [0, FIRST - OVERLAP, FIRST, FIRST + 4000, FIRST + 8000]);
}

#[tokio::test]
async fn a_server_that_sends_no_byte_twice_continues_without_the_overlap() {
    let (fixture, directory) = run_visit(|nth, ask| match (nth, ask.range_start()) {
        (1, _) => Response::file(&file()).with_header(ETAG, "\"1\"").breaking_at(FIRST),
        (_, from) if from < FIRST => Response::status(403),
        (_, from) => Response::range_response(&file(), from).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), file());
    assert_eq!(range_starts(&fixture), [0, FIRST - OVERLAP, 0, FIRST]);
}
