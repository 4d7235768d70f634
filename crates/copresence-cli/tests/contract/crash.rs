//! The program dies in the middle, and `recover` finishes what it left or says what became of it.

use crate::loop_alone::sha256;
use crate::support::backend::{API_KEY, Backend, SESSION_TOKEN, Script};
use crate::support::program::{Fixture, Live, Ran};
use crate::support::reply::{Asset, Manner, Reply, glb, zip};
use crate::support::wire::Request;
use serde_json::Value;

/// The `ended` line of the one visit that was recovered.
#[track_caller]
pub(crate) fn recovered(ran: &Ran, exit: i32, code: &str) -> Value {
    ran.lines();
    assert_eq!(ran.exit, Some(exit), "{}\n{}", ran.stdout, ran.stderr);
    let lines = ran.lines();
    let ended = lines.one("ended");
    assert_eq!(ended["code"], code, "{ended}");
    ended.clone()
}

#[track_caller]
pub(crate) fn nothing_is_left(fixture: &Fixture) {
    let again = fixture.recover().exits(0);
    assert_eq!(again.stdout, "", "{}", again.stderr);
    let words = fixture.run(&["recover"]).exits(0);
    assert!(words.stderr.contains("Nothing to recover"), "{}", words.stderr);
}

#[test]
fn killed_while_waiting_the_avatar_is_fetched_later() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    let fixture = Fixture::new();
    // So far apart that no redeem is under way when it dies.
    let mut live = Live::start(fixture.visit_every("2s", backend.url(), &[]));
    live.until("status");
    assert_ne!(live.kill().exit, Some(0));
    backend.answer_from_now(Reply::Urls);
    recovered(&fixture.recover(), 0, "saved");
    assert_eq!(fixture.saved().len(), 1);
    assert_eq!(backend.requests_to("/generateExportToken").len(), 1, "no second token");
    nothing_is_left(&fixture);
}

#[test]
fn killed_while_waiting_a_token_still_active_is_kept() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit(&backend, &[]));
    live.until("status");
    live.kill();
    let ran = fixture.recover().exits(0);
    assert!(ran.stderr.contains("still active") && ran.stderr.contains("again later"), "{}", ran.stderr);
    // It is kept: later there is an answer.
    let ran = fixture.recover().exits(0);
    assert!(ran.stderr.contains("still active"), "{}", ran.stderr);
}

#[test]
fn killed_with_a_redeem_under_way_and_the_token_gone_is_possibly_consumed() {
    let backend = Backend::redeeming(vec![Reply::processing(90), Reply::Never, Reply::no_such_token()]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit(&backend, &[]));
    live.until("status");
    backend.until_redeems(2);
    live.kill();
    let ran = fixture.recover();
    let ended = recovered(&ran, 10, "possibly_consumed");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("consumed")), "{ended}");
    nothing_is_left(&fixture);
}

#[test]
fn killed_while_waiting_and_the_token_gone_is_refused() {
    let backend = Backend::redeeming(vec![Reply::no_such_token()]);
    let fixture = Fixture::new();
    // So far apart that no redeem is under way when it dies.
    let mut live = Live::start(fixture.visit_every("1h", backend.url(), &[]));
    live.until("invited");
    live.kill();
    recovered(&fixture.recover(), 4, "token_refused");
    nothing_is_left(&fixture);
}

#[test]
fn a_visit_that_nobody_scanned_is_not_told_to_have_ended_while_making() {
    let backend = Backend::redeeming(vec![Reply::no_such_token()]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit_every("1h", backend.url(), &[]));
    live.until("invited");
    live.kill();
    let ended = recovered(&fixture.recover(), 4, "token_refused");
    assert_eq!(ended["visit_state"], "inviting");
}

#[test]
fn recover_keeps_the_profiles_limit() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    let fixture = Fixture::new();
    let config = fixture.root().join("profiles.toml");
    std::fs::write(&config, "[profiles.sandbox]\ndownloads.max_file_size = \"1KiB\"\n").expect("written");
    let mut command = fixture.visit_every("1h", backend.url(), &["--config"]);
    command.arg(&config);
    let mut live = Live::start(command);
    live.until("invited");
    live.kill();
    backend.answer_from_now(Reply::Urls);
    let mut recovering = fixture.recovering();
    recovering.arg("--config").arg(&config);
    recovered(&Live::start(recovering).end(), 7, "saved_in_part");
}

#[test]
fn recover_keeps_to_the_size_that_the_visit_was_told() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit_every("1h", backend.url(), &["--max-file-size", "1KiB"]));
    live.until("invited");
    live.kill();
    backend.answer_from_now(Reply::Urls);
    let ended = recovered(&fixture.recover(), 7, "saved_in_part");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("1024 bytes")), "{ended}");
}

#[test]
fn killed_while_waiting_and_the_backend_gone_is_kept_for_later() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit_every("1h", backend.url(), &[]));
    live.until("invited");
    live.kill();
    backend.answer_from_now(Reply::json(500, &serde_json::json!({})));
    let ran = fixture.recover().exits(6);
    assert!(ran.stderr.contains("everything is kept"), "{}", ran.stderr);
    backend.answer_from_now(Reply::Urls);
    recovered(&fixture.recover(), 0, "saved");
    nothing_is_left(&fixture);
}

#[test]
fn killed_while_downloading_goes_on_by_range() {
    // Far enough that what came was flushed and journalled.
    let bytes = glb(24 << 20);
    let assets =
        vec![Asset::new("fbx", zip()), Asset::new("glb", bytes.clone()).but(Manner::StallsAfter(20 << 20))];
    let backend = Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() });
    let fixture = Fixture::new();
    let live = Live::start(fixture.visit(&backend, &[]));
    backend.until_sent((20 << 20) + zip().len());
    until_kept(&fixture, "avatar.glb", |state| came(state) >= 16 << 20);
    live.kill();
    assert!(visible(&fixture).is_empty(), "nothing incomplete stands in OUT");
    let ran = fixture.recover();
    recovered(&ran, 0, "saved");
    let folder = visible(&fixture).remove(0);
    let saved = std::fs::read(folder.join("avatar.glb")).expect("saved");
    assert!(saved == bytes, "to the byte");
    let digest = sha256(&bytes);
    let lines = ran.lines();
    let file =
        lines.one("saved")["files"].as_array().and_then(|f| f.iter().find(|f| f["path"] == "avatar.glb"));
    assert_eq!(file.and_then(|file| file["sha256"].as_str()), Some(digest.as_str()));
    let ranges: Vec<_> = backend.requests_to("/dl/1").iter().filter_map(Request::range_start).collect();
    assert!(ranges.len() == 1 && ranges[0] >= 16 << 20, "it goes on where it was: {ranges:?}");
    assert_eq!(backend.requests_to("/redeemExportToken").len(), 1, "the journal has the URLs");
    nothing_is_left(&fixture);
}

#[test]
fn what_was_delivered_needs_no_profile_and_no_credentials_any_more() {
    let assets = vec![Asset::new("glb", glb(3 << 20)).but(Manner::StallsAfter(1 << 20))];
    let backend = Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() });
    let fixture = Fixture::new();
    let config = fixture.root().join("profiles.toml");
    let profile =
        format!("[profiles.mine]\napi_url = \"{}\"\nlink = \"https://app.test/{{token}}\"\n", backend.url());
    std::fs::write(&config, profile).expect("written");
    let mut command = fixture.visit(&backend, &["--profile", "mine", "--config"]);
    command.arg(&config);
    let live = Live::start(command);
    backend.until_sent(1 << 20);
    until_kept(&fixture, "avatar.glb", |state| came(state) == 1 << 20);
    live.kill();
    let ran = fixture.run(&["recover", "--json"]);
    recovered(&ran, 0, "saved");
    assert_eq!(visible(&fixture).len(), 1);
}

#[test]
fn killed_early_in_a_small_file_goes_on_by_range_too() {
    let bytes = glb(3 << 20);
    let assets = vec![Asset::new("glb", bytes.clone()).but(Manner::StallsAfter(1 << 20))];
    let backend = Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() });
    let fixture = Fixture::new();
    let live = Live::start(fixture.visit(&backend, &[]));
    backend.until_sent(1 << 20);
    until_kept(&fixture, "avatar.glb", |state| came(state) == 1 << 20);
    live.kill();
    recovered(&fixture.recover(), 0, "saved");
    let folder = visible(&fixture).remove(0);
    assert!(std::fs::read(folder.join("avatar.glb")).expect("saved") == bytes, "to the byte");
    let ranges: Vec<_> = backend.requests_to("/dl/0").iter().filter_map(Request::range_start).collect();
    assert_eq!(ranges, [1 << 20]);
    nothing_is_left(&fixture);
}

#[test]
fn killed_while_downloading_and_the_url_gone_is_kept_in_part() {
    let assets =
        vec![Asset::new("fbx", zip()), Asset::new("glb", glb(3 << 20)).but(Manner::StallsThenGone(2 << 20))];
    let backend = Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() });
    let fixture = Fixture::new();
    let live = Live::start(fixture.visit(&backend, &[]));
    backend.until_sent((2 << 20) + zip().len());
    until_kept(&fixture, "avatar_fbx.zip", |state| state.starts_with("whole"));
    live.kill();
    let ran = fixture.recover();
    let ended = recovered(&ran, 7, "saved_in_part");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("avatar.glb")), "{ended}");
    assert!(visible(&fixture).is_empty(), "nothing incomplete stands in OUT");
    assert_eq!(fixture.incomplete().len(), 1);
    assert!(fixture.incomplete()[0].join("avatar_fbx.zip").exists(), "what came is kept");
    nothing_is_left(&fixture);
}

#[test]
fn the_next_visit_finishes_what_the_last_one_left_and_its_lines_are_its_own() {
    let backend = Backend::redeeming(vec![Reply::unscanned(), Reply::Never, Reply::Urls]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit(&backend, &[]));
    live.until("status");
    backend.until_redeems(2);
    live.kill();
    let other = Backend::start(Script::default());
    let ran = Live::start(fixture.visit(&other, &[])).end();
    ran.ends(0, "saved", "saved");
    let lines = ran.lines();
    assert_eq!(lines.0[0]["event"], "started");
    assert_eq!(fixture.saved().len(), 2, "{}", ran.stderr);
    assert!(lines.0.iter().all(|line| line["visit"] == lines.0[0]["visit"]), "{}", ran.stdout);
    nothing_is_left(&fixture);
}

#[test]
fn a_relative_out_is_where_the_visit_was_not_where_recover_is() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    let fixture = Fixture::new();
    let mut command =
        fixture.command(&["visit", "--json", "--poll", "1h", "--out", "out", "--api-url", backend.url()]);
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    let mut live = Live::start(command);
    live.until("invited");
    live.kill();
    backend.answer_from_now(Reply::Urls);
    let elsewhere = fixture.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    let mut recovering = fixture.recovering();
    recovering.current_dir(elsewhere);
    recovered(&Live::start(recovering).end(), 0, "saved");
    assert_eq!(fixture.saved().len(), 1);
}

/// The figure in `asked for, 123 bytes came`.
pub(crate) fn came(state: &str) -> usize {
    state.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
}

/// Waits until the journal says so of a file: what it says is on the disk. The visit goes on meanwhile.
pub(crate) fn until_kept(fixture: &Fixture, file: &str, wanted: impl Fn(&str) -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let visits = fixture.run(&["history", "--json"]).exits(0).stdout;
    let visit: Value = serde_json::from_str(visits.trim_end()).expect("one visit");
    loop {
        let shown =
            fixture.run(&["history", "show", visit["visit"].as_str().expect("an id"), "--json"]).exits(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("one object");
        let files = shown["files"].as_array().expect("a list");
        let state = files.iter().find(|it| it["path"] == file).and_then(|it| it["state"].as_str());
        if state.is_some_and(&wanted) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{file}: {shown}");
    }
}

/// Folders in OUT that somebody who lists it sees.
pub(crate) fn visible(fixture: &Fixture) -> Vec<std::path::PathBuf> {
    let hidden = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    fixture.saved().into_iter().filter(|path| !hidden(path)).collect()
}
