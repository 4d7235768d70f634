//! A visit is interrupted with Ctrl-C, and `recover` finishes it.

use crate::recovery::{
    check_nothing_to_recover, expect_recovered, received_bytes, visible_folders, wait_for_file_state,
};
use crate::support::backend::{Backend, BackendScript};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, UrlBehavior, glb};
use rustix::process::Signal;

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
    let program = RunningProgram::start(home.recover_command());
    backend.wait_for_redeems(1);
    program.send_signal(Signal::TERM);
    assert_eq!(program.wait().exit, Some(130));
    backend.respond_to_redeems_with(Reply::Urls);
    expect_recovered(&home.run_recover(), 0, "saved");
    check_nothing_to_recover(&home);
}
