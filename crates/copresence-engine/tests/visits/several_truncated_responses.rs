//! Truncated responses that are followed by another truncated response, or by a whole one with other files.

use super::backend::{Request, Response, glb, png};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{Fixture, REDEEM_PATH, file_names, manifest};
use copresence_engine::Outcome;
use copresence_engine::recovery::RecoveryOutcome;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Ready with these exports, of which the last one is cut off.
fn response_cut_in_its_last_export(ask: &Request, exports: &[(&str, &str)]) -> Response {
    let whole = ask.ready_response(exports);
    let length = whole.length();
    whole.breaking_at(length - 30)
}

/// A file that its URL sends once.
fn serve_once(nth: usize, ask: &Request) -> Response {
    match (ask.path.as_str(), nth) {
        ("/files/one", 1) => Response::file(&glb(500)),
        ("/files/two", 1) => Response::file(&png(600)),
        ("/files/three", 1) => Response::file(&glb(700)),
        (path, _) if path.starts_with("/files/") => Response::status(410),
        _ => Response::default(),
    }
}

fn content(directory: &Path, name: &str) -> Vec<u8> {
    std::fs::read(directory.join(name)).expect("there")
}

/// Whether a visit has received this file, but has not published its avatar.
fn has_complete_file(out_dir: &Path, name: &str) -> bool {
    let folders = std::fs::read_dir(out_dir).into_iter().flatten().flatten();
    folders.into_iter().any(|folder| folder.path().join(name).exists())
}

/// A backend that sends the `truncated` response, fails until `count` files were requested, and then sends `next`.
async fn fixture_with_responses_after_truncated_one(
    truncated: &'static [(&'static str, &'static str)],
    count: usize,
    next: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> Fixture {
    let requested = AtomicUsize::new(0);
    let after = AtomicUsize::new(0);
    Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => response_cut_in_its_last_export(ask, truncated),
        (REDEEM_PATH, _) if requested.load(Ordering::SeqCst) < count => Response::status(503),
        (REDEEM_PATH, _) => next(after.fetch_add(1, Ordering::SeqCst) + 1, ask),
        _ => {
            let is_first = nth == 1 && ask.path.starts_with("/files/");
            requested.fetch_add(usize::from(is_first), Ordering::SeqCst);
            serve_once(nth, ask)
        }
    })
    .await
}

#[tokio::test]
async fn a_whole_response_in_another_order_finds_each_file_by_its_url() {
    let fixture = fixture_with_responses_after_truncated_one(&[("glb", "one"), ("glb", "three")], 1, |_, ask| {
        ask.ready_response(&[("glb", "three"), ("glb", "one")])
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome, Outcome::Saved, "{ended:?}");
    let directory = ended.directory.expect("saved");
    assert_eq!(file_names(&directory), ["avatar-2.glb", "avatar.glb", "manifest.json"]);
    assert_eq!((content(&directory, "avatar.glb"), content(&directory, "avatar-2.glb")), (glb(500), glb(700)));
    assert_eq!(manifest(&directory).files[0].path, "avatar-2.glb", "the manifest has the order of the delivery");
}

#[tokio::test]
async fn a_file_of_a_truncated_response_is_not_taken_for_that_of_another_url() {
    let fixture = fixture_with_responses_after_truncated_one(&[("glb", "one"), ("png", "two")], 1, |_, ask| {
        ask.ready_response(&[("glb", "three")])
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome, Outcome::Saved, "{ended:?}");
    let directory = ended.directory.expect("saved");
    assert_eq!(file_names(&directory), ["avatar.glb", "manifest.json"]);
    assert_eq!(content(&directory, "avatar.glb"), glb(700));
}

/// The whole response has another signature in its URL, which is refused. In the second case, the program ends before that.
#[tokio::test]
async fn a_file_of_a_truncated_response_is_kept_until_its_successor_has_arrived() {
    for is_killed in [false, true] {
        let is_killed_yet = Arc::new(AtomicBool::new(!is_killed));
        let is_refused = is_killed_yet.clone();
        let out_dir: Arc<OnceLock<PathBuf>> = Arc::default();
        let out = out_dir.clone();
        let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, 1) => response_cut_in_its_last_export(ask, &[("glb", "one"), ("png", "two")]),
            (REDEEM_PATH, _) if !has_complete_file(out.get().expect("set"), "avatar.glb") => Response::status(503),
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "signed-anew")]),
            ("/files/signed-anew", _) if !is_refused.load(Ordering::SeqCst) => Response::status(503),
            _ => serve_once(nth, ask),
        })
        .await;
        out_dir.set(fixture.out_dir()).expect("once");
        let directory = if is_killed {
            let (visit, _) = fixture.spawn_visit().await;
            fixture.backend.wait_for_requests("/files/signed-anew", 1).await;
            visit.abort();
            assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");
            is_killed_yet.store(true, Ordering::SeqCst);
            let all = recover_fixture_visits(&fixture).await;
            let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } = &all[0].outcome
            else {
                panic!("{all:?}")
            };
            directory.clone()
        } else {
            let ended = fixture.run_visit().await;
            assert_eq!(ended.outcome, Outcome::Saved, "{ended:?}");
            ended.directory.expect("saved")
        };
        assert_eq!(file_names(&directory), ["avatar.glb", "manifest.json"]);
        assert_eq!(content(&directory, "avatar.glb"), glb(500));
        let notes = &manifest(&directory).files[0].notes;
        assert!(notes.iter().any(|note| note.code == "earlier_response"), "{notes:?}");
    }
}

/// The program ends between the truncated response and the whole one.
#[tokio::test]
async fn a_later_run_finds_each_file_of_a_truncated_response_by_its_url() {
    let is_whole = Arc::new(AtomicBool::new(false));
    let whole = is_whole.clone();
    let fixture = fixture_with_responses_after_truncated_one(&[("glb", "one"), ("glb", "three")], 1, move |_, ask| {
        if whole.load(Ordering::SeqCst) {
            ask.ready_response(&[("glb", "three"), ("glb", "one")])
        } else {
            Response::status(503)
        }
    })
    .await;
    let (visit, _) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests("/files/one", 1).await;
    fixture.backend.wait_for_requests(REDEEM_PATH, 2).await;
    visit.abort();
    assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");
    is_whole.store(true, Ordering::SeqCst);
    let all = recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } = &all[0].outcome else {
        panic!("{all:?}")
    };
    assert_eq!((content(directory, "avatar.glb"), content(directory, "avatar-2.glb")), (glb(500), glb(700)));
}

const TWO_EXPORTS_AND_ONE_CUT: &[(&str, &str)] = &[("glb", "one"), ("png", "two"), ("fbx", "three")];

/// The second one names one file, the first one two.
#[tokio::test]
async fn a_shorter_truncated_response_loses_no_file_of_an_earlier_one() {
    let fixture = fixture_with_responses_after_truncated_one(TWO_EXPORTS_AND_ONE_CUT, 2, |nth, ask| match nth {
        1 => response_cut_in_its_last_export(ask, &TWO_EXPORTS_AND_ONE_CUT[..2]),
        _ => Response::status(400),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(ended.outcome.exit_code(), 7, "{ended:?}");
    let directory = ended.directory.expect("what came is kept");
    assert_eq!(file_names(&directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!((content(&directory, "avatar.glb"), content(&directory, "avatar.png")), (glb(500), png(600)));
}

#[tokio::test]
async fn a_later_run_saves_the_files_of_all_truncated_responses() {
    let is_refused = Arc::new(AtomicBool::new(false));
    let refused = is_refused.clone();
    let fixture = fixture_with_responses_after_truncated_one(TWO_EXPORTS_AND_ONE_CUT, 2, move |nth, ask| match nth {
        1 => response_cut_in_its_last_export(ask, &[("glb", "three"), ("png", "two")]),
        _ => Response::status(if refused.load(Ordering::SeqCst) { 400 } else { 503 }),
    })
    .await;
    let (visit, _) = fixture.spawn_visit().await;
    let requested = fixture.backend.wait_for_requests("/files/three", 1);
    tokio::time::timeout(Duration::from_secs(20), requested).await.expect("the new URL is requested");
    visit.abort();
    assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");
    is_refused.store(true, Ordering::SeqCst);
    let all = recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { directory: Some(directory), .. } = &all[0].outcome else { panic!("{all:?}") };
    assert_eq!(all[0].outcome.exit_code(), 7, "{all:?}");
    let names = file_names(directory);
    assert!(names.contains(&"avatar.glb".to_owned()) && names.contains(&"avatar.png".to_owned()), "{names:?}");
    assert_eq!((content(directory, "avatar.glb"), content(directory, "avatar.png")), (glb(500), png(600)));
}
