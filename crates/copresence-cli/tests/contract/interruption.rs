//! A visit is interrupted with Ctrl-C, and `recover` finishes it.

use crate::recovery::{
    check_nothing_to_recover, expect_recovered, received_bytes, visible_folders, wait_for_file_state,
};
use crate::support::backend::{Backend, BackendScript};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, UrlBehavior, glb};
use rustix::process::Signal;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn a_visit_interrupted_while_waiting_is_saved_later() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command_with_poll("1h", backend.url(), &[]));
    program.wait_for_event("invited");
    program.send_signal(Signal::INT);
    let message = program.wait().expect_end(130, "interrupted", "inviting");
    assert!(message.contains("copresence recover"), "{message}");
    assert!(backend.requests_to("/redeem").is_empty());
    let run = home.run_recover().expect_exit(0);
    assert!(run.stderr.contains("still active"), "{}", run.stderr);
    backend.respond_to_redeems_with(Reply::Urls);
    expect_recovered(&home.run_recover(), 0, "saved");
    assert_eq!(home.saved_folders().len(), 1);
    check_nothing_to_recover(&home);
}

#[test]
fn a_visit_interrupted_while_downloading_is_finished_later() {
    let assets = vec![Asset::new("glb", glb(3 << 20)).with_url_behavior(UrlBehavior::StallsAfter(1 << 20))];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let program = RunningProgram::start(home.visit_command(&backend, &[]));
    backend.wait_for_sent_bytes(1 << 20);
    wait_for_file_state(&home, "avatar.glb", |state| received_bytes(state) == 1 << 20);
    program.send_signal(Signal::INT);
    let run = program.wait();
    run.expect_end(130, "interrupted", "saving");
    assert!(visible_folders(&home).is_empty(), "OUT has no incomplete avatar");
    expect_recovered(&home.run_recover(), 0, "saved");
    let folder = visible_folders(&home).remove(0);
    assert!(std::fs::read(folder.join("avatar.glb")).expect("saved") == glb(3 << 20), "equal bytes");
    check_nothing_to_recover(&home);
}

#[test]
fn recover_can_be_interrupted_and_loses_nothing() {
    let backend = Backend::with_redeems(vec![Reply::Hangs]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command_with_poll("1h", backend.url(), &[]));
    program.wait_for_event("invited");
    program.kill();
    // The redeem in flight is awaited until its own time limits.
    let config = home.root().join("profiles.toml");
    let network = "[profiles.sandbox.network]\nconnect = \"1s\"\nsilence = \"1s\"\ncall = \"2s\"\n";
    std::fs::write(&config, network).expect("written");
    let mut command = home.recover_command();
    command.arg("--config").arg(&config);
    let program = RunningProgram::start(command);
    backend.wait_for_redeems(1);
    program.send_signal(Signal::TERM);
    assert_eq!(program.wait().exit, Some(130));
    backend.respond_to_redeems_with(Reply::Urls);
    expect_recovered(&home.run_recover(), 0, "saved");
    check_nothing_to_recover(&home);
}

/// L14, L1: no signal drops a redeem in flight, in a visit, in the recovery at its start, or in `recover`.
#[test]
fn a_signal_awaits_the_redeem_in_flight_and_keeps_its_delivery() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        for is_recovery in [None, Some("visit"), Some("recover")] {
            let slow = Reply::UrlsAfter(Duration::from_millis(800));
            let backend = Backend::with_redeems(vec![slow]);
            let home = TestHome::new();
            if is_recovery.is_some() {
                let mut program = RunningProgram::start(home.visit_command_with_poll("1h", backend.url(), &[]));
                program.wait_for_event("invited");
                program.kill();
            }
            let program = RunningProgram::start(match is_recovery {
                Some("recover") => home.recover_command(),
                _ => home.visit_command(&backend, &[]),
            });
            backend.wait_for_redeems(1);
            program.send_signal(signal);
            if signal == Signal::HUP {
                // A closed terminal sends more than one.
                program.send_signal(signal);
            }
            let run = program.wait();
            assert_eq!(run.exit, Some(130), "{signal:?} {is_recovery:?} {}", run.stderr);
            assert!(run.stderr.contains("a redeem in flight is awaited first"), "{}", run.stderr);
            assert!(run.stderr.contains("which can cost its avatar"), "M3: {}", run.stderr);
            expect_recovered(&home.run_recover(), 0, "saved");
            assert_eq!(backend.requests_to("/redeemExportToken").len(), 1, "{signal:?} {is_recovery:?}");
            check_nothing_to_recover(&home);
        }
    }
}

/// A command that is started by another program, with the same environment.
pub(crate) fn command_through(program: &str, args: &[&str], command: &Command, home: &TestHome) -> Command {
    let mut through = Command::new(program);
    through.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    through.current_dir(home.root()).args(args).arg(command.get_program()).args(command.get_args());
    through.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    through
}

/// L14: `nohup` keeps a visit running.
#[test]
fn a_visit_under_nohup_ignores_sighup() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let visit = home.visit_command(&backend, &[]);
    let command = command_through("nohup", &[], &visit, &home);
    let mut program = RunningProgram::start(command);
    program.wait_for_event("status");
    program.send_signal(Signal::HUP);
    backend.respond_to_redeems_with(Reply::Urls);
    assert_eq!(program.wait().exit, Some(0));
}

/// U5: a visit that another process runs is not "nothing".
#[test]
fn recover_says_that_another_process_has_the_visit() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command(&backend, &[]));
    program.wait_for_event("status");
    let run = home.run_program(&["recover"]).expect_exit(0);
    assert!(run.stderr.contains("in use by another copresence program"), "{}", run.stderr);
    assert!(!run.stderr.contains("Nothing to recover"), "{}", run.stderr);
    backend.respond_to_redeems_with(Reply::Urls);
    assert_eq!(program.wait().exit, Some(0));
}

/// M6: a file size limit is an I/O error.
#[test]
fn a_file_size_limit_does_not_kill_the_program() {
    let assets = vec![Asset { bytes: glb(3 << 20), ..Asset::glb() }];
    let backend = Backend::start(BackendScript { redeem: vec![Reply::Urls], assets, ..BackendScript::default() });
    let home = TestHome::new();
    let visit = home.visit_command(&backend, &[]);
    let command = command_through("bash", &["-c", "ulimit -f 1024; exec \"$@\"", "bash"], &visit, &home);
    let run = RunningProgram::start(command).wait();
    assert_eq!(run.exit, Some(7), "{}{}", run.stdout, run.stderr);
    expect_recovered(&home.run_recover(), 0, "saved");
}
