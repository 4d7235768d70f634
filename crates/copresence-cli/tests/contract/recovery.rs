//! The program is killed during a visit, and `recover` finishes the visit or reports its outcome.

use crate::auto_visits::sha256;
use crate::support::backend::{API_KEY, Backend, BackendScript, SESSION_TOKEN};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, UrlBehavior, glb, zip};
use crate::support::wire::Request;
use serde_json::{Value, json};

/// Bytes on the disk that a continued download requests again, to compare them.
const OVERLAP: usize = 4096;

/// Checks the exit code and the only `ended` line of `recover`, and returns that line.
#[track_caller]
pub(crate) fn expect_recovered(run: &FinishedRun, exit: i32, code: &str) -> Value {
    run.lines();
    assert_eq!(run.exit, Some(exit), "{}\n{}", run.stdout, run.stderr);
    let lines = run.lines();
    let ended = lines.only_event("ended");
    assert_eq!(ended["code"], code, "{ended}");
    ended.clone()
}

#[track_caller]
pub(crate) fn check_nothing_to_recover(home: &TestHome) {
    let again = home.run_recover().expect_exit(0);
    assert_eq!(again.stdout, "", "{}", again.stderr);
    let text = home.run_program(&["recover"]).expect_exit(0);
    assert!(text.stderr.contains("Nothing to recover"), "{}", text.stderr);
}

#[test]
fn killed_while_waiting_is_saved_later() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    // Polls are so far apart that no redeem is in flight when the program is killed.
    let mut program = RunningProgram::start(home.visit_command_with_poll("2s", backend.url(), &[]));
    program.wait_for_event("status");
    assert_ne!(program.kill().exit, Some(0));
    backend.respond_to_redeems_with(Reply::Urls);
    expect_recovered(&home.run_recover(), 0, "saved");
    assert_eq!(home.saved_folders().len(), 1);
    assert_eq!(backend.requests_to("/generateExportToken").len(), 1, "no second token");
    check_nothing_to_recover(&home);
}

#[test]
fn killed_while_waiting_keeps_an_active_token() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command(&backend, &[]));
    program.wait_for_event("status");
    program.kill();
    let run = home.run_recover().expect_exit(0);
    assert!(run.stderr.contains("still active") && run.stderr.contains("again later"), "{}", run.stderr);
    // The token is kept for later runs.
    let run = home.run_recover().expect_exit(0);
    assert!(run.stderr.contains("still active"), "{}", run.stderr);
}

#[test]
fn killed_with_a_redeem_in_flight_and_then_refused_is_possibly_consumed() {
    let backend = Backend::with_redeems(vec![Reply::processing(90), Reply::Hangs, Reply::no_such_token()]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command(&backend, &[]));
    program.wait_for_event("status");
    backend.wait_for_redeems(2);
    program.kill();
    let run = home.run_recover();
    let ended = expect_recovered(&run, 10, "possibly_consumed");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("consumed")), "{ended}");
    check_nothing_to_recover(&home);
}

#[test]
fn killed_while_waiting_and_then_refused_is_token_refused() {
    let backend = Backend::with_redeems(vec![Reply::no_such_token()]);
    let home = TestHome::new();
    // Polls are so far apart that no redeem is in flight when the program is killed.
    let mut program = RunningProgram::start(home.visit_command_with_poll("1h", backend.url(), &[]));
    program.wait_for_event("invited");
    program.kill();
    expect_recovered(&home.run_recover(), 4, "token_refused");
    check_nothing_to_recover(&home);
}

#[test]
fn a_visit_that_nobody_scanned_ends_in_the_state_inviting() {
    let backend = Backend::with_redeems(vec![Reply::no_such_token()]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command_with_poll("1h", backend.url(), &[]));
    program.wait_for_event("invited");
    program.kill();
    let ended = expect_recovered(&home.run_recover(), 4, "token_refused");
    assert_eq!(ended["visit_state"], "inviting");
}

#[test]
fn recover_uses_the_size_limit_of_the_profile() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let config = home.root().join("profiles.toml");
    std::fs::write(&config, "[profiles.sandbox]\ndownloads.max_file_size = \"1KiB\"\n").expect("written");
    let mut command = home.visit_command_with_poll("1h", backend.url(), &["--config"]);
    command.arg(&config);
    let mut program = RunningProgram::start(command);
    program.wait_for_event("invited");
    program.kill();
    backend.respond_to_redeems_with(Reply::Urls);
    let mut recovering = home.recover_command();
    recovering.arg("--config").arg(&config);
    let ended = expect_recovered(&RunningProgram::start(recovering).wait(), 6, "download_interrupted");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("1024 bytes")), "{ended}");
}

#[test]
fn recover_uses_the_larger_size_limit_of_the_visit_and_the_profile() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let mut program =
        RunningProgram::start(home.visit_command_with_poll("1h", backend.url(), &["--max-file-size", "1KiB"]));
    program.wait_for_event("invited");
    program.kill();
    backend.respond_to_redeems_with(Reply::Urls);
    expect_recovered(&home.run_recover(), 0, "saved");
}

#[test]
fn killed_while_waiting_keeps_the_visit_while_the_backend_fails() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command_with_poll("1h", backend.url(), &[]));
    program.wait_for_event("invited");
    program.kill();
    backend.respond_to_redeems_with(Reply::json(500, &serde_json::json!({})));
    let run = home.run_recover().expect_exit(6);
    assert!(run.stderr.contains("everything is kept"), "{}", run.stderr);
    backend.respond_to_redeems_with(Reply::Urls);
    expect_recovered(&home.run_recover(), 0, "saved");
    check_nothing_to_recover(&home);
}

#[test]
fn killed_while_downloading_resumes_with_a_range() {
    // Enough bytes to be flushed and recorded in the journal.
    let bytes = glb(24 << 20);
    let assets = vec![
        Asset::new("fbx", zip()),
        Asset::new("glb", bytes.clone()).with_url_behavior(UrlBehavior::StallsAfter(20 << 20)),
    ];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let program = RunningProgram::start(home.visit_command(&backend, &[]));
    backend.wait_for_sent_bytes((20 << 20) + zip().len());
    wait_for_file_state(&home, "avatar.glb", |state| received_bytes(state) >= 16 << 20);
    program.kill();
    assert!(visible_folders(&home).is_empty(), "OUT has no incomplete avatar");
    let run = home.run_recover();
    expect_recovered(&run, 0, "saved");
    let folder = visible_folders(&home).remove(0);
    let saved = std::fs::read(folder.join("avatar.glb")).expect("saved");
    assert!(saved == bytes, "equal bytes");
    let digest = sha256(&bytes);
    let lines = run.lines();
    let file = lines.only_event("saved")["files"].as_array().and_then(|f| f.iter().find(|f| f["path"] == "avatar.glb"));
    assert_eq!(file.and_then(|file| file["sha256"].as_str()), Some(digest.as_str()));
    let ranges: Vec<_> = backend.requests_to("/dl/1").iter().filter_map(Request::range_start).collect();
    assert!(
        ranges.len() == 1 && ranges[0] >= (16 << 20) - OVERLAP,
        "the download resumes at the recorded offset: {ranges:?}"
    );
    assert_eq!(backend.requests_to("/redeemExportToken").len(), 1, "the journal has the URLs");
    check_nothing_to_recover(&home);
}

#[test]
fn downloads_are_recovered_without_profile_and_credentials() {
    let assets = vec![Asset::new("glb", glb(3 << 20)).with_url_behavior(UrlBehavior::StallsAfter(1 << 20))];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let config = home.root().join("profiles.toml");
    let profile = format!("[profiles.mine]\napi_url = \"{}\"\nlink = \"https://app.test/{{token}}\"\n", backend.url());
    std::fs::write(&config, profile).expect("written");
    let mut command = home.visit_command(&backend, &["--profile", "mine", "--config"]);
    command.arg(&config);
    let program = RunningProgram::start(command);
    backend.wait_for_sent_bytes(1 << 20);
    wait_for_file_state(&home, "avatar.glb", |state| received_bytes(state) == 1 << 20);
    program.kill();
    let run = home.run_program(&["recover", "--json"]);
    expect_recovered(&run, 0, "saved");
    assert_eq!(visible_folders(&home).len(), 1);
}

#[test]
fn killed_early_in_a_small_file_resumes_with_a_range() {
    let bytes = glb(3 << 20);
    let assets = vec![Asset::new("glb", bytes.clone()).with_url_behavior(UrlBehavior::StallsAfter(1 << 20))];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let program = RunningProgram::start(home.visit_command(&backend, &[]));
    backend.wait_for_sent_bytes(1 << 20);
    wait_for_file_state(&home, "avatar.glb", |state| received_bytes(state) == 1 << 20);
    program.kill();
    expect_recovered(&home.run_recover(), 0, "saved");
    let folder = visible_folders(&home).remove(0);
    assert!(std::fs::read(folder.join("avatar.glb")).expect("saved") == bytes, "equal bytes");
    let ranges: Vec<_> = backend.requests_to("/dl/0").iter().filter_map(Request::range_start).collect();
    assert_eq!(ranges, [(1 << 20) - OVERLAP]);
    check_nothing_to_recover(&home);
}

#[test]
fn files_of_a_visit_that_the_journal_lost_are_reported() {
    let assets = vec![Asset::new("glb", glb(3 << 20)).with_url_behavior(UrlBehavior::StallsAfter(1 << 20))];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let program = RunningProgram::start(home.visit_command(&backend, &[]));
    backend.wait_for_sent_bytes(1 << 20);
    wait_for_file_state(&home, "avatar.glb", |state| received_bytes(state) == 1 << 20);
    program.kill();
    for name in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        std::fs::remove_file(home.data().join(name)).expect("removed");
    }
    let out = home.out();
    let run = home.run_program(&["recover", "--out", out.to_str().expect("UTF-8")]).expect_exit(10);
    for words in ["the journal does not know it", "avatar.glb.part", ".partial"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    let folder = std::fs::read_dir(&out).expect("lists").next().expect("one").expect("reads").path();
    std::fs::remove_dir_all(folder).expect("removed");
    check_nothing_to_recover(&home);
}

#[test]
fn killed_while_downloading_and_a_refused_url_is_saved_in_part() {
    let assets = vec![
        Asset::new("fbx", zip()),
        Asset::new("glb", glb(3 << 20)).with_url_behavior(UrlBehavior::StallsThenRefuses(2 << 20)),
    ];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let program = RunningProgram::start(home.visit_command(&backend, &[]));
    backend.wait_for_sent_bytes((2 << 20) + zip().len());
    wait_for_file_state(&home, "avatar_fbx.zip", |state| state.starts_with("whole"));
    program.kill();
    let run = home.run_recover();
    let ended = expect_recovered(&run, 7, "saved_in_part");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("avatar.glb")), "{ended}");
    assert!(visible_folders(&home).is_empty(), "OUT has no incomplete avatar");
    assert_eq!(home.incomplete_folders().len(), 1);
    assert!(home.incomplete_folders()[0].join("avatar_fbx.zip").exists(), "the received file is kept");
    check_nothing_to_recover(&home);
}

#[test]
fn the_next_visit_recovers_the_last_one_and_prints_only_its_own_lines() {
    let backend = Backend::with_redeems(vec![Reply::unscanned(), Reply::Hangs, Reply::Urls]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command(&backend, &[]));
    program.wait_for_event("status");
    backend.wait_for_redeems(2);
    program.kill();
    let other = Backend::start(BackendScript::default());
    let run = RunningProgram::start(home.visit_command(&other, &[])).wait();
    run.expect_end(0, "saved", "saved");
    let lines = run.lines();
    assert_eq!(lines.0[0]["event"], "started");
    assert_eq!(home.saved_folders().len(), 2, "{}", run.stderr);
    assert!(lines.0.iter().all(|line| line["visit"] == lines.0[0]["visit"]), "{}", run.stdout);
    check_nothing_to_recover(&home);
}

#[test]
fn a_relative_out_is_resolved_in_the_folder_of_the_visit() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let mut command = home.command(&["visit", "--json", "--poll", "1h", "--out", "out", "--api-url", backend.url()]);
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    let mut program = RunningProgram::start(command);
    program.wait_for_event("invited");
    program.kill();
    backend.respond_to_redeems_with(Reply::Urls);
    let elsewhere = home.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    let mut recovering = home.recover_command();
    recovering.current_dir(elsewhere);
    expect_recovered(&RunningProgram::start(recovering).wait(), 0, "saved");
    assert_eq!(home.saved_folders().len(), 1);
}

/// The number of bytes in the state of a file, such as `asked for, 123 bytes came`.
pub(crate) fn received_bytes(state: &str) -> usize {
    state.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
}

/// Waits until `history` shows a state of a file that `is_wanted` accepts. Recorded bytes are on the disk.
pub(crate) fn wait_for_file_state(home: &TestHome, file: &str, is_wanted: impl Fn(&str) -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let visits = home.run_program(&["history", "--json"]).expect_exit(0).stdout;
    let visit: Value = serde_json::from_str(visits.trim_end()).expect("one visit");
    loop {
        let shown =
            home.run_program(&["history", "show", visit["visit"].as_str().expect("an id"), "--json"]).expect_exit(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("one object");
        let files = shown["files"].as_array().expect("a list");
        let state = files.iter().find(|it| it["path"] == file).and_then(|it| it["state"].as_str());
        if state.is_some_and(&is_wanted) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{file}: {shown}");
    }
}

/// The folders in OUT that are not hidden.
pub(crate) fn visible_folders(home: &TestHome) -> Vec<std::path::PathBuf> {
    let hidden =
        |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    home.saved_folders().into_iter().filter(|path| !hidden(path)).collect()
}

#[test]
fn a_file_url_that_may_not_be_requested_is_downloaded_once_the_profile_allows_it() {
    let files = Backend::with_redeems(vec![Reply::Urls]);
    let entry = json!({"download_URL": format!("{}/dl/0", files.url()), "export_type": "glb"});
    let delivery = Reply::json(200, &json!({"avatar_ready": true, "payload_complete": [entry]}));
    // Stands for a backend elsewhere: it answers as the proxy of a host that has no address here.
    let proxy = Backend::with_redeems(vec![Reply::unscanned(), delivery]);
    let home = TestHome::new();
    let mut visit = home.visit_command_at("http://api.invalid", &[]);
    visit.env("HTTP_PROXY", proxy.url());
    let message = RunningProgram::start(visit).wait().expect_end(6, "download_interrupted", "saving");
    assert!(message.contains("127.0.0.1:") && message.contains("downloads.allow_private_hosts = true"), "{message}");
    expect_recovered(&home.run_recover(), 6, "download_interrupted");
    assert!(files.requests_to("/dl/").is_empty());
    let profiles = home.root().join("profiles.toml");
    std::fs::write(&profiles, "[profiles.sandbox]\ndownloads.allow_private_hosts = true\n").expect("written");
    let mut recover = home.recover_command();
    recover.arg("--config").arg(&profiles);
    expect_recovered(&RunningProgram::start(recover).wait(), 0, "saved");
    assert_eq!((files.requests_to("/dl/").len(), home.saved_folders().len()), (1, 1));
}
