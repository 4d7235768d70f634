//! What a spent token bought is saved whole, or kept as incomplete and named so (exit 7).

use crate::loop_alone::is_whole;
use crate::support::backend::{Backend, Script};
use crate::support::program::{Fixture, Live};
use crate::support::reply::{Asset, Manner, Reply, glb, zip};
use serde_json::Value;
use std::path::PathBuf;

fn with(assets: Vec<Asset>) -> Backend {
    Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() })
}

/// Ends with 7, OUT is empty, and one folder is kept; gives it, its manifest and the message.
#[track_caller]
fn in_part(assets: Vec<Asset>, more: &[&str]) -> (PathBuf, Value, String) {
    let backend = with(assets);
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, more)).end();
    let message = ran.ends(7, "saved_in_part", "saving");
    assert!(ran.lines().of("saved").is_empty(), "nothing incomplete is called saved");
    assert!(fixture.saved().is_empty(), "nothing incomplete stands in OUT: {:?}", fixture.saved());
    let kept = fixture.incomplete();
    assert_eq!(kept.len(), 1, "{message}");
    let text = std::fs::read_to_string(kept[0].join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(manifest["complete"], false, "{text}");
    assert!(message.contains(kept[0].to_str().expect("UTF-8")), "where it is: {message}");
    // The files must outlive the stand that is dropped with this function's end.
    let held = kept[0].join("avatar.glb").exists();
    let mut manifest = manifest;
    manifest["held"] = held.into();
    (kept[0].clone(), manifest, message)
}

fn gone(status: u16) -> Vec<Asset> {
    vec![Asset::glb(), Asset::new("fbx", zip()).but(Manner::Refuses(status))]
}

#[test]
fn a_file_that_is_gone_leaves_the_others() {
    for status in [404, 410] {
        let (_, manifest, message) = in_part(gone(status), &[]);
        assert_eq!(manifest["files"][0]["path"], "avatar.glb");
        assert!(manifest["held"] == true, "what came is kept");
        let missing = &manifest["missing"][0];
        assert_eq!((&missing["export_type"], &missing["path"]), (&"fbx".into(), &"avatar_fbx.zip".into()));
        assert!(missing["reason"].as_str().is_some_and(|why| why.contains(&status.to_string())), "{missing}");
        assert!(message.contains("avatar_fbx.zip"), "{message}");
    }
}

#[test]
fn an_error_page_is_no_avatar() {
    let page = vec![Asset::glb().but(Manner::ErrorPage), Asset::new("fbx", zip())];
    let (_, manifest, message) = in_part(page, &[]);
    assert_eq!(manifest["missing"][0]["export_type"], "glb");
    assert!(message.to_lowercase().contains("html"), "{message}");
}

#[test]
fn an_export_asked_for_must_come() {
    let (_, manifest, message) = in_part(vec![Asset::glb()], &["--export", "fbx", "--export", "glb"]);
    assert_eq!(manifest["missing"].as_array().map(Vec::len), Some(1), "{manifest}");
    assert_eq!(manifest["missing"][0]["export_type"], "fbx");
    assert!(manifest["held"] == true && message.contains("fbx"), "{message}");
}

#[test]
fn a_file_over_the_limit_is_not_taken() {
    let assets = vec![Asset::new("fbx", zip()), Asset::new("glb", glb(500_000))];
    let (_, manifest, message) = in_part(assets, &["--max-file-size", "100KiB"]);
    assert_eq!(manifest["missing"][0]["export_type"], "glb");
    assert!(message.contains("avatar.glb"), "{message}");
}

#[test]
fn an_export_asked_for_that_comes_is_whole() {
    let backend = with(vec![Asset::new("GLB", glb(4_000)), Asset::new("fbx", zip())]);
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &["--export", "fbx", "--export", "glb"])).end();
    ran.ends(0, "saved", "saved");
    is_whole(&fixture.saved()[0], &ran.lines());
}

#[test]
fn a_download_that_breaks_off_goes_on_by_range() {
    let backend = with(vec![Asset::new("glb", glb(400_000)).but(Manner::CutAfter(150_000))]);
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &[])).end();
    ran.ends(0, "saved", "saved");
    is_whole(&fixture.saved()[0], &ran.lines());
    assert_eq!(std::fs::read(fixture.saved()[0].join("avatar.glb")).expect("saved"), glb(400_000));
    let asked = backend.requests_to("/dl/0");
    assert_eq!(asked.len(), 2);
    assert!(asked[1].range_start().is_some_and(|at| at > 0 && at <= 150_000), "{:?}", asked[1]);
    assert_eq!(asked[1].header("if-range"), "\"one\"", "only of the same file");
}
