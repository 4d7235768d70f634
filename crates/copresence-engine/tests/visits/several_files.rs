//! Deliveries of several files: one that fails does not keep the others from being saved.

use super::backend::{Backend, Request, Response, glb};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{Fixture, REDEEM_PATH, SHORT_PATIENCE, file_names, interrupted, manifest, saved};
use copresence_store::{FileDownloadState, FileRecord, VisitDownloadLimits};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Case L19. URLs that differ in their fragment only are the same, because a fragment is not sent.
#[tokio::test]
async fn the_same_one_time_url_twice_in_a_delivery_is_one_file_under_two_names() {
    for second in ["one", "one#lod0"] {
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("glb", second)]),
            ("/files/one", 1) => Response::file(&glb(1000)),
            ("/files/one", _) => Response::status(403),
            _ => Response::default(),
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{second}");
        let directory = ended.directory.expect("a folder");
        let files = manifest(&directory).files;
        assert_eq!(files.len(), 2, "{second}");
        assert!(files.iter().all(|file| std::fs::read(directory.join(&file.path)).expect("saved") == glb(1000)));
    }
}

/// Case L19, on a disk that cannot hold the copy.
#[tokio::test]
async fn a_file_whose_copy_failed_is_copied_by_recovery() {
    let root = tempfile::tempdir().expect("a folder");
    let out = root.path().join("out");
    let blocked = Arc::new(std::sync::Mutex::new(None));
    let folder_in_the_way = blocked.clone();
    let script = move |nth: usize, ask: &Request| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("glb", "one")]),
        ("/files/one", 1) => Response::file(&glb(1000)),
        // The last of three refusals.
        ("/files/one", 4) => {
            let partial =
                std::fs::read_dir(&out).expect("a folder").next().expect("the partial folder").expect("reads");
            let path = partial.path().join("avatar-2.glb");
            std::fs::create_dir(&path).expect("made");
            *folder_in_the_way.lock().expect("no panic") = Some(path);
            Response::status(403)
        }
        ("/files/one", _) => Response::status(403),
        _ => Response::default(),
    };
    let fixture = Fixture::with_root(root, Backend::start(script).await);
    let ended = fixture.run_visit_with_limits(|limits| limits.parallel_downloads = 1).await;
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code(), &ended.directory), (7, "storage_failed", &None));
    assert!(fixture.only_visit().await.visit.is_unfinished);
    let path = blocked.lock().expect("no panic").take().expect("the second request came");
    std::fs::remove_dir(path).expect("removed");
    let before = fixture.backend.count_requests("/files/one");
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all[0].outcome.exit_code(), 0, "{all:?}");
    assert_eq!(fixture.backend.count_requests("/files/one"), before, "nothing is requested again");
}

#[tokio::test]
async fn a_lost_file_does_not_end_the_visit_while_another_may_still_come() {
    let (gone, back) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (is_gone, asked_again) = (gone.clone(), back.clone());
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one"), ("png", "two")]),
        "/files/one" if is_gone.load(Ordering::SeqCst) => Response::status(503),
        "/files/one" => Response::file(&glb(1000)),
        "/files/two" => {
            asked_again.fetch_add(1, Ordering::SeqCst);
            Response::status(410)
        }
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = Duration::from_secs(2)).await;
    interrupted(&fixture, &ended).await;
    gone.store(false, Ordering::SeqCst);
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all[0].outcome.exit_code(), 7, "now every missing file is lost: {all:?}");
    assert_eq!(back.load(Ordering::SeqCst), 3, "a URL that was refused three times is not requested again");
    let incomplete = fixture.data_store.data.incomplete_avatars_path();
    let folder = incomplete.join(&file_names(&incomplete)[0]);
    assert_eq!(file_names(&folder), ["avatar.glb", "avatar.png.part", "manifest.json"]);
}

#[tokio::test]
async fn files_of_a_dead_server_do_not_block_those_of_another() {
    let nowhere = test_port::ReservedPort::reserve_port().expect("a port");
    let dead = format!("http://{nowhere}/dead");
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let mut exports: Vec<_> =
                (0..6).map(|_| serde_json::json!({"export_type": "fbx", "download_URL": dead})).collect();
            exports.push(serde_json::json!({"export_type": "glb", "download_URL": ask.url("/files/one")}));
            Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": exports}))
        }
        "/files/one" => Response::file(&glb(1000)),
        _ => Response::default(),
    })
    .await;
    let change = |limits: &mut VisitDownloadLimits| {
        (limits.patience, limits.parallel_downloads) = (SHORT_PATIENCE, 1);
    };
    let ended = fixture.run_visit_with_limits(change).await;
    assert_eq!(ended.outcome.error_code(), "download_interrupted");
    let record = fixture.only_visit().await;
    let is_complete = |file: &FileRecord| matches!(file.state, FileDownloadState::Complete { .. });
    assert_eq!(record.files.iter().filter(|file| is_complete(file)).count(), 1);
    assert!(!ended.outcome.detail_for_operator().expect("why").contains("one-time"), "{ended:?}");
}

#[tokio::test]
async fn files_of_a_silent_server_do_not_keep_the_others_from_being_requested() {
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let silent = (0..4).map(|index| ("fbx".to_owned(), ask.url(&format!("/silent/{index}"))));
            let all = silent.chain([("glb".to_owned(), ask.url("/files/one"))]);
            let exports: Vec<_> =
                all.map(|(kind, url)| serde_json::json!({"export_type": kind, "download_URL": url})).collect();
            Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": exports}))
        }
        "/files/one" => Response::file(&glb(1000)),
        path if path.starts_with("/silent/") => Response::no_response(),
        _ => Response::default(),
    })
    .await;
    fixture.run_visit_until_event("progress").await;
    assert_eq!(fixture.backend.count_requests("/files/one"), 1);
}
