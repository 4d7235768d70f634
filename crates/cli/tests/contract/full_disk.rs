//! OUT on a small disk of its own, where this system lets a test mount one.

use crate::support::backend::{Backend, Script};
use crate::support::lines::Lines;
use crate::support::program::{Live, Ran, Stand};
use std::process::{Command, Stdio};

/// A visit whose OUT is a disk of 3 MiB, and then, on 64 MiB, `recover`. Its lines are all in one; the exit code is the
/// visit's. `None` where nothing can be mounted.
fn on_a_small_disk(stand: &Stand, backend: &Backend, config: &str) -> Option<Ran> {
    std::fs::create_dir_all(stand.out()).expect("made");
    let file = stand.root().join("profiles.toml");
    std::fs::write(&file, format!("[profiles.sandbox]\n{config}\n")).expect("written");
    let visit = stand.visit(backend, &["--config", "profiles.toml"]);
    let script = "mount -t tmpfs -o size=3m none \"$0\" || exit 77; \"$@\"; ended=$?; ls -A \"$0\" >&2; \
        mount -o remount,size=64m \"$0\"; \"$1\" recover --json; echo \"recover: $?\" >&2; exit $ended";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(stand.out());
    command.arg(visit.get_program()).args(visit.get_args()).env_clear().current_dir(stand.root());
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

#[test]
fn too_small_a_disk_is_told_before_a_token_is_bought() {
    let backend = Backend::start(Script::default());
    let stand = Stand::new();
    let Some(ran) = on_a_small_disk(&stand, &backend, "downloads.min_free_space = \"4MiB\"") else { return };
    assert_eq!(ran.exit, Some(2), "{}", ran.stderr);
    let lines: Lines = ran.lines();
    let ended = lines.ended();
    assert_eq!((&ended["code"], &ended["visit_state"]), (&"disk_full".into(), &"issuing".into()));
    let message = ended["message"].as_str().expect("a message");
    assert!(message.contains("needs 4.0 MiB, has 3.0 MiB in "), "{message}");
    assert!(backend.requests().is_empty(), "a token is somebody's money");
}
