//! OUT on a small disk of its own, where this system lets a test mount one.

use crate::support::backend::{Backend, Script};
use crate::support::lines::Lines;
use crate::support::program::{Fixture, Live, Ran};
use crate::support::reply::{Asset, Manner, Reply, glb};
use crate::support::wire::Request;
use std::process::{Command, Stdio};

/// A visit whose OUT is a disk of 3 MiB, and then, on 64 MiB, `recover`. Its lines are all in one; the exit code is the
/// visit's. `None` where nothing can be mounted.
fn on_a_small_disk(fixture: &Fixture, backend: &Backend, config: &str) -> Option<Ran> {
    std::fs::create_dir_all(fixture.out()).expect("made");
    let file = fixture.root().join("profiles.toml");
    std::fs::write(&file, format!("[profiles.sandbox]\n{config}\n")).expect("written");
    let visit = fixture.visit(backend, &["--config", "profiles.toml"]);
    let script = "mount -t tmpfs -o size=3m none \"$0\" || exit 77; \"$@\"; ended=$?; ls -A \"$0\" >&2; \
        mount -o remount,size=64m \"$0\"; \"$1\" recover --json; echo \"recover: $?\" >&2; exit $ended";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(fixture.out());
    command.arg(visit.get_program()).args(visit.get_args()).env_clear().current_dir(fixture.root());
    for (name, value) in visit.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Where there is no such program either, there is nothing to try.
    let probe = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: nobody may mount here");
        return None;
    }
    let ran = Live::start(command).end();
    if ran.exit == Some(77) {
        eprintln!("skipped: {}", ran.stderr);
        return None;
    }
    Some(ran)
}

/// The `ended` lines: the visit's, and recover's.
fn endings(ran: &Ran) -> Vec<serde_json::Value> {
    let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines.filter(|line: &serde_json::Value| line["event"] == "ended").collect()
}

#[test]
fn too_small_a_disk_is_told_before_a_token_is_bought() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let Some(ran) = on_a_small_disk(&fixture, &backend, "downloads.min_free_space = \"4MiB\"") else {
        return;
    };
    assert_eq!(ran.exit, Some(2), "{}", ran.stderr);
    let lines: Lines = ran.lines();
    let ended = lines.ended();
    assert_eq!((&ended["code"], &ended["visit_state"]), (&"disk_full".into(), &"issuing".into()));
    let message = ended["message"].as_str().expect("a message");
    assert!(message.contains("needs 4.0 MiB, has 3.0 MiB in "), "{message}");
    assert!(backend.requests().is_empty(), "a token is somebody's money");
}

#[test]
fn a_disk_that_fills_up_in_the_middle_is_told_and_gone_on_with() {
    // With a length hardly anything of the file is taken; without one it runs into the end of the disk.
    for manner in [Manner::Once, Manner::Unstated] {
        let assets = vec![
            Asset::new("fbx", crate::support::reply::zip()),
            Asset::new("glb", glb(9 << 20)).but(manner),
        ];
        let backend = Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() });
        let fixture = Fixture::new();
        let Some(ran) = on_a_small_disk(&fixture, &backend, "downloads.min_free_space = \"0B\"") else {
            return;
        };
        assert_eq!(ran.exit, Some(7), "{manner:?} {}", ran.stderr);
        let ended = endings(&ran);
        assert_eq!((&ended[0]["code"], &ended[0]["exit"]), (&"disk_full".into(), &7.into()), "{manner:?}");
        let message = ended[0]["message"].as_str().expect("a message");
        assert!(
            message.contains("avatar.glb: disk full") && message.contains("copresence recover"),
            "{message}"
        );
        assert!(
            ran.stderr.lines().any(|name| name.ends_with(".partial")),
            "only in the making: {}",
            ran.stderr
        );
        assert!(fixture.incomplete().is_empty(), "it is not given up: {} {:?}", ran.stderr, ended);
        assert_eq!(backend.requests_to("/redeem").len(), 1);
        // Of both there is a beginning, by which a one-time URL is gone on with.
        let (code, exit) = (&ended[1]["code"], &ended[1]["exit"]);
        assert_eq!((code, exit), (&"saved".into(), &0.into()), "{manner:?} {}", ran.stderr);
        let ranges: Vec<_> = backend.requests_to("/dl/1").iter().filter_map(Request::range_start).collect();
        let fits = if manner == Manner::Unstated { 1 << 20..3 << 20 } else { 1..4097 };
        assert!(ranges.len() == 1 && fits.contains(&ranges[0]), "{manner:?} {ranges:?}");
    }
}
