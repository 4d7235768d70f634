//! The response with the URLs is sent once. If it is truncated, the files of its received part are saved.

use crate::recovery::{check_nothing_to_recover, expect_recovered, visible_folders};
use crate::support::backend::{Backend, BackendScript};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, zip};
use serde_json::Value;

/// Starts a backend that truncates the response with the URLs.
fn backend_with_truncated_urls(more: Vec<Reply>) -> Backend {
    let assets = vec![Asset::glb(), Asset::new("fbx", zip()), Asset::new("zip", zip()), Asset::new("zip", zip())];
    let redeem = [vec![Reply::processing(99), Reply::UrlsTruncated], more].concat();
    Backend::start(BackendScript { redeem, assets, ..BackendScript::default() })
}

fn check_first_half(home: &TestHome) {
    assert!(visible_folders(home).is_empty(), "OUT has no incomplete avatar");
    let kept = home.incomplete_folders();
    assert_eq!(kept.len(), 1);
    let manifest = std::fs::read_to_string(kept[0].join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!((&manifest["complete"], &manifest["files"][0]["path"]), (&false.into(), &"avatar.glb".into()));
    assert!(kept[0].join("avatar.glb").exists());
    assert!(!kept[0].join("avatar-2.zip").exists());
}

#[test]
fn half_of_the_urls_are_saved_as_incomplete() {
    let backend = backend_with_truncated_urls(Vec::new());
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
    let message = run.expect_end(7, "saved_in_part", "saving");
    assert!(message.contains("only a beginning"), "{message}");
    assert_eq!(run.lines().with_event("retrying")[0]["code"], "answer_lost");
    assert_eq!(run.lines().with_event("redeemed").len(), 1);
    check_first_half(&home);
    let shown =
        home.run_program(&["history", "show", run.lines().0[0]["visit"].as_str().expect("an id")]).expect_exit(0);
    assert!(shown.stdout.contains("what came was taken for the answer"), "{}", shown.stdout);
    check_nothing_to_recover(&home);
}

#[test]
fn killed_after_a_lost_response_recover_saves_the_named_files() {
    let backend = backend_with_truncated_urls(vec![Reply::Hangs]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command(&backend, &[]));
    program.wait_for_event("retrying");
    program.kill();
    let ended = expect_recovered(&home.run_recover(), 7, "saved_in_part");
    assert!(ended["message"].as_str().is_some_and(|text| text.contains("only a beginning")), "{ended}");
    check_first_half(&home);
    check_nothing_to_recover(&home);
}
