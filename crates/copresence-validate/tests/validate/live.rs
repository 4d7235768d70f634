//! The run controller against a real sandbox.

use crate::support::{Serving, new_sandbox, run_options, sandbox_credentials, serve_router, vendor_target};
use copresence_validate::checks::CHECKS;
use copresence_validate::run_controller::{PhoneMode, RunController, RunInProgressError, RunSnapshot, RunState};
use copresence_validate::{CheckTarget, RunError, RunLimits, SandboxControl, Verdict};
use std::time::Duration;

async fn start_sandbox() -> (Serving, CheckTarget, SandboxControl) {
    let sandbox = new_sandbox();
    let backend = serve_router(copresence_sandbox::build_router(sandbox.clone())).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let tester =
        SandboxControl::detect_controllable_sandbox(&backend.url, None).await.expect("HTTP").expect("a sandbox");
    (backend, target, tester)
}

async fn wait_until(live: &RunController, wanted: impl FnMut(&RunSnapshot) -> bool) -> RunSnapshot {
    let mut views = live.subscribe_to_snapshots();
    let found = tokio::time::timeout(Duration::from_mins(1), views.wait_for(wanted)).await;
    found.expect("in time").expect("it lives").clone()
}

fn verdict(view: &RunSnapshot, check: &str) -> (Option<Verdict>, String) {
    let found = view.checks.iter().find(|known| known.check_id == check).expect("a check");
    (found.verdict, found.findings.join("; "))
}

#[tokio::test]
async fn a_run_gives_every_check_a_verdict_and_leaves_four_files() {
    let (_backend, target, tester) = start_sandbox().await;
    let live = RunController::default();
    let idle = live.subscribe_to_snapshots().borrow().clone();
    assert_eq!(idle.state, RunState::Idle);
    assert!(idle.checks.iter().map(|view| view.check_id).eq(CHECKS.iter().map(|check| check.id)));
    assert!(live.last_report_with_har().is_none());

    let player = PhoneMode::Sandbox(tester);
    let run =
        live.reserve_run_and_return_future(target.clone(), run_options(), player.clone()).expect("no run in progress");
    assert_eq!(live.reserve_run_and_return_future(target, run_options(), player).err(), Some(RunInProgressError));
    let run = tokio::spawn(run);
    let view = wait_until(&live, |view| view.current_act.is_some()).await;
    assert!(view.notes[0].starts_with("This makes 4 Export Tokens"), "{:?}", view.notes);
    run.await.expect("it ends");

    let view = live.subscribe_to_snapshots().borrow().clone();
    assert_eq!(view.state, RunState::Ended { passed: true });
    assert!(view.checks.iter().map(|view| view.check_id).eq(CHECKS.iter().map(|check| check.id)));
    assert!(view.checks.iter().all(|check| check.verdict.is_some() && !check.findings.is_empty()));
    assert!(
        view.requests_sent > 50 && view.tokens_made == 4,
        "{} requests, {} tokens",
        view.requests_sent,
        view.tokens_made
    );
    assert!(view.summary.is_some_and(|summary| summary.starts_with("Passed")));
    assert_eq!((view.current_act, view.invitation), (None, None));
    let documents = live.last_report_with_har().expect("a report");
    let files = documents.render_report_files().expect("written");
    assert!(files.iter().all(|(_, text)| text.len() > 1_000));
    let folder = documents.report_folder_name();
    assert!(folder.contains("-127.0.0.1-") && folder.starts_with("20"), "{folder}");
}

#[tokio::test]
async fn a_restricted_run_sends_no_wrong_request_and_consumes_no_avatar() {
    let (_backend, target, tester) = start_sandbox().await;
    let live = RunController::default();
    let restricted =
        RunLimits { allow_wrong_requests: false, allow_avatars: false, max_tokens: Some(2), ..run_options() };
    live.reserve_run_and_return_future(target.clone(), restricted, PhoneMode::Sandbox(tester.clone()))
        .expect("no run in progress")
        .await;
    let view = live.subscribe_to_snapshots().borrow().clone();
    assert_eq!(view.state, RunState::Ended { passed: true }, "{:?}", view.summary);
    let steps = live.last_report_with_har().expect("a report").report.steps;
    let asked: Vec<_> = steps.iter().map(|step| step.what.as_str()).collect();
    let right = ["log in", "generate an Export Token", "redeem a token that nobody has scanned"];
    assert!(asked.iter().all(|what| right.contains(what)), "{asked:?}");
    for check in ["login.wrong-password", "redeem.unknown-400", "http.cors", "visit.delivered"] {
        assert_eq!(verdict(&view, check).0, Some(Verdict::Skipped), "{check}");
    }
    assert_eq!(verdict(&view, "login.gives-session").0, Some(Verdict::Pass));
    assert_eq!(view.tokens_made, 2);

    let with_avatar = RunLimits { allow_avatars: true, allow_wrong_requests: false, ..run_options() };
    live.reserve_run_and_return_future(target, with_avatar, PhoneMode::Sandbox(tester))
        .expect("no run in progress")
        .await;
    let view = live.subscribe_to_snapshots().borrow().clone();
    assert_eq!(verdict(&view, "visit.delivered").0, Some(Verdict::Pass));
    for check in ["delivery.spent", "files.once"] {
        assert_eq!(verdict(&view, check).0, Some(Verdict::Skipped), "{check}");
    }
}

#[tokio::test]
async fn a_stopped_run_keeps_its_verdicts() {
    let (_backend, target, _) = start_sandbox().await;
    let live = RunController::default();
    let run = live
        .reserve_run_and_return_future(
            target,
            RunLimits { allow_destructive: false, ..run_options() },
            PhoneMode::SnapshotViewer,
        )
        .expect("no run in progress");
    let run = tokio::spawn(run);
    let view = wait_until(&live, |view| matches!(&view.invitation, Some((_, Some(_))))).await;
    let (invitation, status) = view.invitation.expect("an invitation");
    assert!(invitation.link.contains("exportToken=") && status.as_deref() == Some("no_associated_avatar"));
    live.stop_run();
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("soon").expect("it ends");

    let view = live.subscribe_to_snapshots().borrow().clone();
    assert_eq!(view.state, RunState::Aborted(RunError::Stopped));
    assert_eq!(verdict(&view, "login.gives-session").0, Some(Verdict::Pass));
    assert_eq!(verdict(&view, "redeem.unknown-400").0, Some(Verdict::Pass));
    let (skipped, why) = verdict(&view, "visit.delivered");
    assert!(skipped == Some(Verdict::Skipped) && why.contains("stopped"), "{why}");
    assert!(view.invitation.is_none() && view.checks.iter().all(|check| check.verdict.is_some()));
    assert!(view.checks.iter().all(|check| check.verdict != Some(Verdict::Fail)));
    let report = live.last_report_with_har().expect("a partial report").report;
    assert_eq!(report.exit, 130);
    assert!(report.summary().starts_with("Stopped: 0 of the "), "{}", report.summary());
    live.stop_run();
    live.skip_invitation();
}

#[tokio::test]
async fn skipping_an_invitation_continues_with_the_other_acts() {
    let (_backend, target, _) = start_sandbox().await;
    let live = RunController::default();
    let run = live
        .reserve_run_and_return_future(
            target,
            RunLimits { allow_destructive: false, ..run_options() },
            PhoneMode::SnapshotViewer,
        )
        .expect("no run in progress");
    let run = tokio::spawn(run);
    wait_until(&live, |view| view.invitation.is_some()).await;
    live.skip_invitation();
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("soon").expect("it ends");
    let view = live.subscribe_to_snapshots().borrow().clone();
    assert_eq!(view.state, RunState::Ended { passed: true });
    assert_eq!(verdict(&view, "visit.delivered"), (Some(Verdict::Skipped), "left out by hand".to_owned()));
    assert_eq!(verdict(&view, "files.download").0, Some(Verdict::Inconclusive));
}

#[tokio::test]
async fn a_dropped_run_allows_the_next_one() {
    let (_backend, target, tester) = start_sandbox().await;
    let live = RunController::default();
    drop(
        live.reserve_run_and_return_future(target.clone(), run_options(), PhoneMode::NoPhone)
            .expect("no run in progress"),
    );
    assert_eq!(live.subscribe_to_snapshots().borrow().state, RunState::Aborted(RunError::Stopped));
    assert!(live.reserve_run_and_return_future(target, run_options(), PhoneMode::Sandbox(tester)).is_ok());
}
