//! Somebody presses Ctrl-C, and `recover` finishes what was begun.

use crate::crash::{came, nothing_is_left, recovered, until_kept, visible};
use crate::support::backend::{Backend, Script};
use crate::support::program::{Fixture, Live};
use crate::support::reply::{Asset, Manner, Reply, glb};
use rustix::process::Signal;

#[test]
fn interrupted_while_waiting_the_avatar_is_fetched_later() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit_every("1h", backend.url(), &[]));
    live.until("invited");
    live.signal(Signal::INT);
    let message = live.end().ends(130, "interrupted", "inviting");
    assert!(message.contains("copresence recover"), "{message}");
    assert!(backend.requests_to("/redeem").is_empty());
    let ran = fixture.recover().exits(0);
    assert!(ran.stderr.contains("still active"), "{}", ran.stderr);
    backend.answer_from_now(Reply::Urls);
    recovered(&fixture.recover(), 0, "saved");
    assert_eq!(fixture.saved().len(), 1);
    nothing_is_left(&fixture);
}

#[test]
fn interrupted_while_downloading_is_finished_later() {
    let assets = vec![Asset::new("glb", glb(3 << 20)).but(Manner::StallsAfter(1 << 20))];
    let backend = Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() });
    let fixture = Fixture::new();
    let live = Live::start(fixture.visit(&backend, &[]));
    backend.until_sent(1 << 20);
    until_kept(&fixture, "avatar.glb", |state| came(state) == 1 << 20);
    live.signal(Signal::INT);
    let ran = live.end();
    ran.ends(130, "interrupted", "saving");
    assert!(visible(&fixture).is_empty(), "nothing incomplete stands in OUT");
    recovered(&fixture.recover(), 0, "saved");
    let folder = visible(&fixture).remove(0);
    assert!(std::fs::read(folder.join("avatar.glb")).expect("saved") == glb(3 << 20), "to the byte");
    nothing_is_left(&fixture);
}

#[test]
fn recover_can_be_interrupted_and_loses_nothing() {
    let backend = Backend::redeeming(vec![Reply::Never]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit_every("1h", backend.url(), &[]));
    live.until("invited");
    live.kill();
    let live = Live::start(fixture.recovering());
    backend.until_redeems(1);
    live.signal(Signal::TERM);
    assert_eq!(live.end().exit, Some(130));
    backend.answer_from_now(Reply::Urls);
    recovered(&fixture.recover(), 0, "saved");
    nothing_is_left(&fixture);
}
