//! The run controller against a real sandbox.

use crate::support::{Serving, new_sandbox, run_options, sandbox_credentials, serve_router, vendor_target};
use std::time::Duration;
use validate::checks::CHECKS;
use validate::live::{Busy, Live, Player, Stand, View};
use validate::{Options, RunError, Target, Tester, Verdict};

async fn start_sandbox() -> (Serving, Target, Tester) {
    let sandbox = new_sandbox();
    let backend = serve_router(sandbox::app(sandbox.clone())).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let tester = Tester::of_backend(&backend.url, None).await.expect("HTTP").expect("a sandbox");
    (backend, target, tester)
}

async fn wait_until(live: &Live, wanted: impl FnMut(&View) -> bool) -> View {
    let mut views = live.views();
    let found = tokio::time::timeout(Duration::from_mins(1), views.wait_for(wanted)).await;
    found.expect("in time").expect("it lives").clone()
}

fn verdict(view: &View, check: &str) -> (Option<Verdict>, String) {
    let found = view.checks.iter().find(|known| known.check == check).expect("a check");
    (found.verdict, found.findings.join("; "))
}

#[tokio::test]
async fn a_run_gives_every_check_a_verdict_and_leaves_four_files() {
    let (_backend, target, tester) = start_sandbox().await;
    let live = Live::default();
    let idle = live.views().borrow().clone();
    assert_eq!(idle.stand, Stand::Idle);
    assert!(idle.checks.iter().map(|view| view.check).eq(CHECKS.iter().map(|check| check.id)));
    assert!(live.documents().is_none());

    let player = Player::Sandbox(tester);
    let run = live.begin(target.clone(), run_options(), player.clone()).expect("no run in progress");
    assert_eq!(live.begin(target, run_options(), player).err(), Some(Busy));
    let run = tokio::spawn(run);
    let view = wait_until(&live, |view| view.doing.is_some()).await;
    assert!(view.notes[0].starts_with("This makes 4 Export Tokens"), "{:?}", view.notes);
    run.await.expect("it ends");

    let view = live.views().borrow().clone();
    assert_eq!(view.stand, Stand::Ended { passed: true });
    assert!(view.checks.iter().map(|view| view.check).eq(CHECKS.iter().map(|check| check.id)));
    assert!(view.checks.iter().all(|check| check.verdict.is_some() && !check.findings.is_empty()));
    assert!(view.requests > 50 && view.tokens == 4, "{} requests, {} tokens", view.requests, view.tokens);
    assert!(view.summary.is_some_and(|summary| summary.starts_with("Passed")));
    assert_eq!((view.doing, view.invitation), (None, None));
    let documents = live.documents().expect("a report");
    let files = documents.files().expect("written");
    assert!(files.iter().all(|(_, text)| text.len() > 1_000));
    let folder = documents.folder();
    assert!(folder.contains("-127.0.0.1-") && folder.starts_with("20"), "{folder}");
}

#[tokio::test]
async fn a_restricted_run_sends_no_wrong_request_and_consumes_no_avatar() {
    let (_backend, target, tester) = start_sandbox().await;
    let live = Live::default();
    let restricted = Options { wrong_requests: false, avatars: false, max_tokens: Some(2), ..run_options() };
    live.begin(target.clone(), restricted, Player::Sandbox(tester.clone()))
        .expect("no run in progress")
        .await;
    let view = live.views().borrow().clone();
    assert_eq!(view.stand, Stand::Ended { passed: true }, "{:?}", view.summary);
    let steps = live.documents().expect("a report").report.steps;
    let asked: Vec<_> = steps.iter().map(|step| step.what.as_str()).collect();
    let right = ["log in", "generate an Export Token", "redeem a token that nobody has scanned"];
    assert!(asked.iter().all(|what| right.contains(what)), "{asked:?}");
    for check in ["login.wrong-password", "redeem.unknown-400", "http.cors", "visit.delivered"] {
        assert_eq!(verdict(&view, check).0, Some(Verdict::Skipped), "{check}");
    }
    assert_eq!(verdict(&view, "login.gives-session").0, Some(Verdict::Pass));
    assert_eq!(view.tokens, 2);

    let with_avatar = Options { avatars: true, wrong_requests: false, ..run_options() };
    live.begin(target, with_avatar, Player::Sandbox(tester)).expect("no run in progress").await;
    let view = live.views().borrow().clone();
    assert_eq!(verdict(&view, "visit.delivered").0, Some(Verdict::Pass));
    for check in ["delivery.spent", "files.once"] {
        assert_eq!(verdict(&view, check).0, Some(Verdict::Skipped), "{check}");
    }
}

#[tokio::test]
async fn a_stopped_run_keeps_its_verdicts() {
    let (_backend, target, _) = start_sandbox().await;
    let live = Live::default();
    let run = live
        .begin(target, Options { destructive: false, ..run_options() }, Player::Watcher)
        .expect("no run in progress");
    let run = tokio::spawn(run);
    let view = wait_until(&live, |view| matches!(&view.invitation, Some((_, Some(_))))).await;
    let (invitation, status) = view.invitation.expect("an invitation");
    assert!(invitation.link.contains("exportToken=") && status.as_deref() == Some("no_associated_avatar"));
    live.stop();
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("soon").expect("it ends");

    let view = live.views().borrow().clone();
    assert_eq!(view.stand, Stand::Broken(RunError::Stopped));
    assert_eq!(verdict(&view, "login.gives-session").0, Some(Verdict::Pass));
    assert_eq!(verdict(&view, "redeem.unknown-400").0, Some(Verdict::Pass));
    let (skipped, why) = verdict(&view, "visit.delivered");
    assert!(skipped == Some(Verdict::Skipped) && why.contains("stopped"), "{why}");
    assert!(view.invitation.is_none() && view.checks.iter().all(|check| check.verdict.is_some()));
    assert!(view.checks.iter().all(|check| check.verdict != Some(Verdict::Fail)));
    let report = live.documents().expect("a partial report").report;
    assert_eq!(report.exit, 130);
    assert!(report.summary().starts_with("Stopped: 0 of the "), "{}", report.summary());
    live.stop();
    live.skip();
}

#[tokio::test]
async fn skipping_an_invitation_continues_with_the_other_acts() {
    let (_backend, target, _) = start_sandbox().await;
    let live = Live::default();
    let run = live
        .begin(target, Options { destructive: false, ..run_options() }, Player::Watcher)
        .expect("no run in progress");
    let run = tokio::spawn(run);
    wait_until(&live, |view| view.invitation.is_some()).await;
    live.skip();
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("soon").expect("it ends");
    let view = live.views().borrow().clone();
    assert_eq!(view.stand, Stand::Ended { passed: true });
    assert_eq!(verdict(&view, "visit.delivered"), (Some(Verdict::Skipped), "left out by hand".to_owned()));
    assert_eq!(verdict(&view, "files.download").0, Some(Verdict::Inconclusive));
}

#[tokio::test]
async fn a_dropped_run_allows_the_next_one() {
    let (_backend, target, tester) = start_sandbox().await;
    let live = Live::default();
    drop(live.begin(target.clone(), run_options(), Player::Nobody).expect("no run in progress"));
    assert_eq!(live.views().borrow().stand, Stand::Broken(RunError::Stopped));
    assert!(live.begin(target, run_options(), Player::Sandbox(tester)).is_ok());
}
