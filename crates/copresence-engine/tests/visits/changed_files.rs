//! Received files that are missing at recovery, or that the disk has changed: they are requested again and never lost.

use super::backend::{Request, Response, glb};
use super::earlier_visits::{journal_planned_visit, recover_only_visit, serve_files};
use super::fixture::{Fixture, file_names};
use copresence_engine::Outcome;
use copresence_engine::recovery::RecoveryOutcome;

/// A visit with one complete file, whose URL is answered with `status`, 200 with the file.
async fn journal_complete_file(status: u16) -> Fixture {
    let fixture = Fixture::new(move |_, ask| match status {
        200 => serve_files(ask),
        _ => Response::status(status),
    })
    .await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let journal = &fixture.data_store.journal;
    journal.record_file_request(&id, 0).await.expect("requested");
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)).expect("written");
    let whole = part.finish_partial_file().expect("renamed");
    journal.record_complete_file_erasing_urls(&id, 0, 500, &whole.sha256, whole.format, &[]).await.expect("complete");
    fixture
}

/// Recovers the only visit, whose files cannot be found, and returns its message.
async fn recover_with_failed_storage(fixture: &Fixture) -> String {
    let RecoveryOutcome::Finished { outcome: Outcome::SavedUntilStorageFailed(why), directory: None } =
        recover_only_visit(fixture).await
    else {
        panic!("kept")
    };
    assert!(fixture.only_visit().await.visit.is_unfinished);
    why
}

/// Cases L5: the disk is not mounted, or the file was removed.
#[tokio::test]
async fn a_complete_file_that_is_missing_is_requested_again_and_never_lost() {
    let remove_files = |fixture: &Fixture| {
        let folder = fixture.out_dir().join(&file_names(&fixture.out_dir())[0]);
        std::fs::remove_file(folder.join("avatar.glb")).expect("removed");
    };
    let fixture = journal_complete_file(200).await;
    remove_files(&fixture);
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
    assert_eq!(fixture.backend.count_requests("/files/one"), 1);

    let fixture = journal_complete_file(403).await;
    remove_files(&fixture);
    let why = recover_with_failed_storage(&fixture).await;
    assert!(why.contains("is missing in") && why.contains("403"), "{why}");
    let folder = fixture.out_dir().join(&file_names(&fixture.out_dir())[0]);
    std::fs::write(folder.join("avatar.glb"), glb(500)).expect("restored");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);

    // Received bytes of an incomplete file.
    let fixture = Fixture::new(|_, ask| match ask.range_start() {
        0 => Response::status(403),
        from => Response::range_response(&glb(500), from),
    })
    .await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)[..300]).expect("written");
    part.sync_and_get_durable_length().expect("durable");
    let progress = copresence_store::DurableFileProgress { bytes: 300, ..Default::default() };
    fixture.data_store.journal.record_file_progress(&id, 0, &progress).await.expect("noted");
    drop(part);
    let part = folder.partial_folder_path().join("avatar.glb.part");
    // Windows does not rename a folder with open files.
    drop(folder);
    std::fs::remove_file(&part).expect("removed");
    let why = recover_with_failed_storage(&fixture).await;
    assert!(why.contains("are missing in") && why.contains("403"), "{why}");
    std::fs::write(&part, &glb(500)[..300]).expect("restored");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);

    let fixture = journal_complete_file(403).await;
    let elsewhere = fixture.root.path().join("unmounted");
    std::fs::rename(fixture.out_dir(), &elsewhere).expect("unmounted");
    let why = recover_with_failed_storage(&fixture).await;
    assert!(why.contains("could not find the received files in"), "{why}");
    assert!(fixture.backend.requests().is_empty() && !fixture.out_dir().exists());
    std::fs::rename(&elsewhere, fixture.out_dir()).expect("mounted");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
}

/// The partial folder of the only visit.
fn only_partial_folder(fixture: &Fixture) -> std::path::PathBuf {
    fixture.out_dir().join(&file_names(&fixture.out_dir())[0])
}

#[tokio::test]
async fn a_complete_file_that_the_disk_has_changed_is_set_aside_and_requested_again() {
    let mut changed = glb(500);
    changed[400] ^= 1;
    for status in [200, 403] {
        let fixture = journal_complete_file(status).await;
        let folder = only_partial_folder(&fixture);
        std::fs::write(folder.join("avatar.glb"), &changed).expect("changed");
        if status == 403 {
            let why = recover_with_failed_storage(&fixture).await;
            assert!(why.contains("was changed there") && why.contains("403"), "{why}");
            assert_eq!(std::fs::read(folder.join("avatar.glb.damaged")).expect("kept"), changed);
            continue;
        }
        let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(saved) } =
            recover_only_visit(&fixture).await
        else {
            panic!("saved")
        };
        assert_eq!(std::fs::read(saved.join("avatar.glb")).expect("there"), glb(500));
        assert_eq!(file_names(&saved), ["avatar.glb", "manifest.json"]);
    }
}

#[tokio::test]
async fn received_bytes_that_the_disk_has_changed_are_not_continued() {
    for is_changed in [false, true] {
        let fixture = Fixture::new(|_, ask| match ask.range_start() {
            0 => Response::file(&glb(500)),
            from => Response::range_response(&glb(500), from),
        })
        .await;
        let (id, folder) = journal_planned_visit(&fixture, true).await;
        let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
        part.append_bytes(&glb(500)[..300]).expect("written");
        part.sync_and_get_durable_length().expect("durable");
        let sha256 = Some(part.digest_written_bytes());
        let progress = copresence_store::DurableFileProgress { bytes: 300, sha256, ..Default::default() };
        fixture.data_store.journal.record_file_progress(&id, 0, &progress).await.expect("noted");
        drop((part, folder));
        if is_changed {
            let path = only_partial_folder(&fixture).join("avatar.glb.part");
            let mut bytes = std::fs::read(&path).expect("there");
            bytes[200..264].fill(0);
            std::fs::write(&path, bytes).expect("changed");
        }
        let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(saved) } =
            recover_only_visit(&fixture).await
        else {
            panic!("saved")
        };
        assert_eq!(std::fs::read(saved.join("avatar.glb")).expect("there"), glb(500));
        assert_eq!(file_names(&saved), ["avatar.glb", "manifest.json"]);
        let requests = fixture.backend.requests();
        let starts: Vec<_> = requests.iter().map(Request::range_start).collect();
        assert_eq!(starts, [usize::from(!is_changed)], "all bytes but the first are compared");
    }
}
