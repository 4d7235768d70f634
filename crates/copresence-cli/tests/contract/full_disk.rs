//! OUT on a small disk, if this system allows tests to mount one.

use crate::support::backend::{Backend, BackendScript};
use crate::support::lines::JsonLines;
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, UrlBehavior, glb};
use crate::support::wire::Request;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a visit with `folder` on a disk of 3 MiB, and then `recover` after the disk was resized to 64 MiB. Returns the lines
/// of both, with the exit code of the visit. `None` if no disk can be mounted.
fn run_on_small_disk(home: &TestHome, backend: &Backend, folder: &Path, config: &str) -> Option<FinishedRun> {
    std::fs::create_dir_all(folder).expect("made");
    let file = home.root().join("profiles.toml");
    std::fs::write(&file, format!("[profiles.sandbox]\n{config}\n")).expect("written");
    let visit = home.visit_command(backend, &["--config", "profiles.toml"]);
    let script = "mount -t tmpfs -o size=3m none \"$0\" || exit 77; \"$@\"; ended=$?; ls -A \"$0\" >&2; \
        df --output=avail \"$0\" >&2; mount -o remount,size=64m \"$0\"; \"$1\" recover --json; echo \"recover: $?\" >&2; exit $ended";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(folder);
    command.arg(visit.get_program()).args(visit.get_args()).env_clear().current_dir(home.root());
    for (name, value) in visit.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Skipped if `unshare` is missing or not allowed.
    let probe = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: mounts are not allowed on this machine");
        return None;
    }
    let run = RunningProgram::start(command).wait();
    if run.exit == Some(77) {
        eprintln!("skipped: {}", run.stderr);
        return None;
    }
    Some(run)
}

/// The `ended` lines of the visit and of `recover`.
fn ended_lines(run: &FinishedRun) -> Vec<serde_json::Value> {
    let lines = run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines.filter(|line: &serde_json::Value| line["event"] == "ended").collect()
}

#[test]
fn a_disk_that_is_too_small_is_reported_before_a_token_is_requested() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let Some(run) = run_on_small_disk(&home, &backend, &home.out(), "downloads.min_free_space = \"4MiB\"") else {
        return;
    };
    assert_eq!(run.exit, Some(2), "{}", run.stderr);
    let lines: JsonLines = run.lines();
    let ended = lines.ended_line();
    assert_eq!((&ended["code"], &ended["visit_state"]), (&"disk_full".into(), &"issuing".into()));
    let message = ended["message"].as_str().expect("a message");
    assert!(message.contains("needs 4.0 MiB, has 3.0 MiB in "), "{message}");
    assert!(backend.requests().is_empty(), "no token is requested");
}

#[test]
fn a_disk_that_fills_up_is_reported_and_the_download_is_resumed() {
    // With a length, hardly anything of the file is downloaded; without one, the disk fills up.
    for url_behavior in [UrlBehavior::Once, UrlBehavior::WithoutLength] {
        let assets = vec![
            Asset::new("fbx", crate::support::reply::zip()),
            Asset::new("glb", glb(9 << 20)).with_url_behavior(url_behavior),
        ];
        let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
        let home = TestHome::new();
        let Some(run) = run_on_small_disk(&home, &backend, &home.out(), "downloads.min_free_space = \"0B\"") else {
            return;
        };
        assert_eq!(run.exit, Some(7), "{url_behavior:?} {}", run.stderr);
        let ended = ended_lines(&run);
        assert_eq!((&ended[0]["code"], &ended[0]["exit"]), (&"disk_full".into(), &7.into()), "{url_behavior:?}");
        let message = ended[0]["message"].as_str().expect("a message");
        assert!(message.contains("avatar.glb: disk full") && message.contains("copresence recover"), "{message}");
        assert!(
            run.stderr.lines().any(|name| name.ends_with(".partial")),
            "the partial folder stays in OUT: {}",
            run.stderr
        );
        assert!(home.incomplete_folders().is_empty(), "the avatar is not given up");
        assert_eq!(backend.requests_to("/redeem").len(), 1);
        // Both files have a first part, so that their one-time URLs can be resumed.
        let (code, exit) = (&ended[1]["code"], &ended[1]["exit"]);
        assert_eq!((code, exit), (&"saved".into(), &0.into()), "{url_behavior:?} {}", run.stderr);
        let ranges: Vec<_> = backend.requests_to("/dl/1").iter().filter_map(Request::range_start).collect();
        let fits = if url_behavior == UrlBehavior::WithoutLength { (1 << 20) - 4096..3 << 20 } else { 1..4097 };
        assert!(ranges.len() == 1 && fits.contains(&ranges[0]), "{url_behavior:?} {ranges:?}");
    }
}

/// OUT has space for the avatar, and the data folder has none for an incomplete one.
#[test]
fn an_incomplete_avatar_does_not_fill_the_data_disk() {
    let refused = Asset::new("fbx", crate::support::reply::zip()).with_url_behavior(UrlBehavior::Refuses(404));
    let assets = vec![Asset::new("glb", glb(6 << 20)), refused];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let config = "patience = \"3s\"\ndownloads.min_free_space = \"0B\"";
    let Some(run) = run_on_small_disk(&home, &backend, &home.data(), config) else { return };
    let ended = ended_lines(&run);
    assert_eq!((&ended[0]["code"], &ended[0]["exit"]), (&"disk_full".into(), &7.into()), "{}", run.stderr);
    let free = run.stderr.lines().find_map(|line| line.trim().parse::<u64>().ok()).expect("the free space in KiB");
    assert!(free > 1024, "{free} KiB are free: {}", run.stderr);
    assert_eq!((&ended[1]["code"], &ended[1]["exit"]), (&"saved_in_part".into(), &7.into()), "{}", run.stderr);
}
