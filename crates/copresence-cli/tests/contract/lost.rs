//! The answer with the URLs comes once: what came of one that did not come whole is saved.

use crate::crash::{nothing_is_left, recovered, visible};
use crate::support::backend::{Backend, Script};
use crate::support::program::{Fixture, Live};
use crate::support::reply::{Asset, Reply, zip};
use serde_json::Value;

/// Of whose URLs the first half comes.
fn cutting(more: Vec<Reply>) -> Backend {
    let assets =
        vec![Asset::glb(), Asset::new("fbx", zip()), Asset::new("zip", zip()), Asset::new("zip", zip())];
    let redeem = [vec![Reply::processing(99), Reply::UrlsCut], more].concat();
    Backend::start(Script { redeem, assets, ..Script::default() })
}

fn first_half(fixture: &Fixture) {
    assert!(visible(fixture).is_empty(), "nothing incomplete stands in OUT");
    let kept = fixture.incomplete();
    assert_eq!(kept.len(), 1);
    let manifest = std::fs::read_to_string(kept[0].join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!((&manifest["complete"], &manifest["files"][0]["path"]), (&false.into(), &"avatar.glb".into()));
    assert!(kept[0].join("avatar.glb").exists());
    assert!(!kept[0].join("avatar-2.zip").exists());
}

#[test]
fn half_of_the_urls_are_saved_as_incomplete() {
    let backend = cutting(Vec::new());
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &[])).end();
    let message = ran.ends(7, "saved_in_part", "saving");
    assert!(message.contains("only a beginning"), "{message}");
    assert_eq!(ran.lines().of("retrying")[0]["code"], "answer_lost");
    assert_eq!(ran.lines().of("redeemed").len(), 1);
    first_half(&fixture);
    let shown =
        fixture.run(&["history", "show", ran.lines().0[0]["visit"].as_str().expect("an id")]).exits(0);
    assert!(shown.stdout.contains("what came was taken for the answer"), "{}", shown.stdout);
    nothing_is_left(&fixture);
}

#[test]
fn killed_after_a_lost_answer_recover_saves_what_it_named() {
    let backend = cutting(vec![Reply::Never]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit(&backend, &[]));
    live.until("retrying");
    live.kill();
    let ended = recovered(&fixture.recover(), 7, "saved_in_part");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("only a beginning")), "{ended}");
    first_half(&fixture);
    nothing_is_left(&fixture);
}
