//! Inspector and checks at the embedded sandbox.

use super::commands::{build_page, call_command};
use super::{Booth, PATIENCE};
use crate::checks::{CheckRunner, judge_inspected_exchange};
use copresence_booth::view::checks::{CheckRunOptions, ChecksState, ChecksView};
use copresence_booth::view::inspector::TimelineEntry;
use copresence_sandbox::{ClockChange, faults};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const ALL: CheckRunOptions =
    CheckRunOptions { most_tokens: 10, wrong_requests: true, with_phone: true, despite_visits: false };

/// Runs the sandbox in real time, so that tokens do not expire early.
fn set_real_time(booth: &Booth) {
    let change = ClockChange { speed: Some(1.0), ..ClockChange::default() };
    booth.sandbox().change_clock(&change).expect("a speed");
}

fn follow_backend_checks(checks: &CheckRunner, booth: &Booth) -> UnboundedReceiver<ChecksView> {
    let (send, views) = unbounded_channel();
    let (checks, kiosk) = (checks.clone(), booth.kiosk.clone());
    tokio::spawn(async move {
        checks.stream_check_views(&kiosk, std::future::pending(), |view| send.send(view).is_ok()).await;
    });
    views
}

async fn wait_for_view(views: &mut UnboundedReceiver<ChecksView>, wanted: impl Fn(&ChecksView) -> bool) -> ChecksView {
    let found = async {
        loop {
            let view = views.recv().await.expect("it tells");
            if wanted(&view) {
                return view;
            }
        }
    };
    tokio::time::timeout(PATIENCE * 2, found).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_checks_completes_and_is_saved() {
    let booth = Booth::new();
    set_real_time(&booth);
    let checks = CheckRunner::default();
    let mut views = follow_backend_checks(&checks, &booth);
    let idle = views.recv().await.expect("at once");
    assert_eq!((idle.stand, idle.requests, idle.saved), (ChecksState::Idle, 0, None));
    assert!(booth.sandbox().sandbox_state().tokens.is_empty(), "never by itself");
    assert_eq!(checks.save_report(booth.kiosk.data_store()).expect_err("none").code, "checks_none");

    checks.start_run(&booth.kiosk.backend_config(), &ALL, 0).await.expect("free");
    let again = checks.start_run(&booth.kiosk.backend_config(), &ALL, 0).await.expect_err("one at a time");
    assert_eq!(again.code, "checks_running");
    let ended = wait_for_view(&mut views, |view| matches!(view.stand, ChecksState::Ended { .. })).await;
    assert_eq!(ended.stand, ChecksState::Ended { passed: true }, "{:?}", ended.summary);
    assert_eq!(ended.target, booth.kiosk.backend_config().target.host_and_port());
    let known = copresence_validate::checks::CHECKS.iter().map(|check| check.id);
    assert!(ended.checks.iter().map(|check| check.id.as_str()).eq(known));
    assert!(ended.checks.iter().all(|check| check.verdict.is_some() && !check.requirements.is_empty()));
    assert!(ended.notes[0].starts_with("This makes 4 Export Tokens") && ended.tokens == 4);

    let saved = checks.save_report(booth.kiosk.data_store()).expect("saved");
    assert!(saved.starts_with(booth.data().join("reports")), "{}", saved.display());
    let sandbox = booth.sandbox();
    let known = sandbox.accepted_credentials();
    let secrets = [known.api_key.expose(), known.password.expose(), known.session_token.expose()];
    for name in ["report.html", "report.json", "junit.xml", "exchanges.har"] {
        let text = std::fs::read_to_string(saved.join(name)).expect("written");
        assert!(text.len() > 1_000, "{name}");
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{name}");
    }
    wait_for_view(&mut views, |view| view.saved.as_ref().is_some_and(|saved| saved.contains("reports"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_shown_and_no_visit_is_disturbed_without_consent() {
    let booth = Booth::new();
    set_real_time(&booth);
    let (checks, backend_config) = (CheckRunner::default(), booth.kiosk.backend_config());
    let plan = checks.plan_run(&backend_config, &ALL, 1).await.expect("a plan");
    let rows = copresence_validate::act::ACTS.iter().map(|row| row.description);
    assert!(plan.acts.iter().map(|act| act.does.as_str()).eq(rows));
    let done = plan.acts.iter().filter(|act| act.left_out.is_none());
    assert_eq!(plan.requests, done.map(|act| act.requests).sum::<u32>());
    assert_eq!((plan.tokens, plan.avatars, plan.free, plan.asks_people), (4, 2, true, false));
    assert_eq!((plan.moves_clock, plan.disturbs), (true, 1));
    let least = CheckRunOptions { most_tokens: 1, with_phone: false, ..ALL };
    let plan = checks.plan_run(&backend_config, &least, 1).await.expect("a plan");
    assert_eq!((plan.tokens, plan.avatars, plan.moves_clock, plan.disturbs), (1, 0, false, 0));
    assert!(booth.sandbox().sandbox_state().tokens.is_empty(), "a plan asks for nothing");

    booth.show_code().await;
    let visits = booth.kiosk.running_visits().len();
    let refused = checks.start_run(&backend_config, &ALL, visits).await.expect_err("somebody is here");
    assert_eq!((refused.code.as_str(), booth.sandbox().sandbox_state().tokens.len()), ("checks_disturb", 1));
    let all_the_same = CheckRunOptions { despite_visits: true, ..ALL };
    checks.start_run(&backend_config, &all_the_same, visits).await.expect("as was wanted");
    checks.stop_run();
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_stopped_and_missing_credentials_are_reported_first() {
    let (booth, _app, window) = build_page();
    call_command(&window, "panel_set_first_pin", json!({"pin": "4711"})).await.expect("set");
    for (command, code) in [("save_har", "not_recorded"), ("save_report", "checks_none")] {
        let refused = call_command(&window, command, json!({"visit": "nobody"})).await.expect_err(command);
        assert_eq!(refused["code"], code);
    }
    for command in ["stop_backend_checks", "skip_check_waiting_for_phone"] {
        call_command(&window, command, json!({})).await.expect("nothing to do");
    }
    for command in ["subscribe_to_inspector", "follow_backend_checks"] {
        call_command(&window, command, json!({"visit": null, "channel": "__CHANNEL__:7"})).await.expect(command);
    }
    // Slow enough to be stopped before its end.
    set_real_time(&booth);
    let slow = r#"[{"on":"redeem","do":{"delay":{"median_ms":500,"sigma":0.0}}}]"#;
    booth.sandbox().set_faults(faults::parse_and_check_faults(slow.as_bytes()).expect("a list")).expect("faults");
    let ask = json!({"ask": {"most_tokens": 10, "wrong_requests": true, "with_phone": true, "despite_visits": false}});
    call_command(&window, "start_backend_checks", ask.clone()).await.expect("begun");
    assert_eq!(call_command(&window, "start_backend_checks", ask).await.expect_err("one")["code"], "checks_running");
    call_command(&window, "stop_backend_checks", json!({})).await.expect("stopping");
    let saved = async {
        loop {
            if let Ok(Value::String(place)) = call_command(&window, "save_report", json!({})).await {
                return place;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let place = tokio::time::timeout(PATIENCE, saved).await.expect("what was judged stays");
    let report = std::fs::read_to_string(std::path::Path::new(&place).join("report.json")).expect("written");
    assert_eq!(serde_json::from_str::<Value>(&report).expect("JSON")["exit"], 130);

    let mut backend_config = booth.kiosk.backend_config();
    backend_config.target.credentials.api_key = None;
    let tokens = booth.sandbox().sandbox_state().tokens.len();
    let refused = CheckRunner::default().start_run(&backend_config, &ALL, 0).await.expect_err("refused");
    assert_eq!(refused.code, "credentials_missing");
    assert_eq!(booth.sandbox().sandbox_state().tokens.len(), tokens);
    booth.simulator.stop_sandbox().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspector_judges_exchanges_by_the_requirements() {
    let booth = Booth::new();
    set_real_time(&booth);
    let wrong = r#"[{"on":"redeem","do":{"wrong_shape":{"field":"payload_incomplete.queue_position","becomes":"other_type"}}}]"#;
    booth.sandbox().set_faults(faults::parse_and_check_faults(wrong.as_bytes()).expect("a list")).expect("faults");
    booth.show_code().await;
    let judged = async {
        while !booth
            .kiosk
            .inspector()
            .build_inspector_view_of_visit_or_newest(None, &judge_inspected_exchange)
            .visits
            .iter()
            .any(|visit| visit.broken > 0)
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, judged).await.expect("in time");
    booth.kiosk.stop_visits_for_shutdown().await;
    let shown = booth
        .kiosk
        .inspector()
        .build_inspector_view_of_visit_or_newest(None, &judge_inspected_exchange)
        .shown
        .expect("the visit");
    let (mut broken, mut kept) = (Vec::new(), 0);
    for entry in shown.entries {
        let TimelineEntry::Exchange { exchange } = entry else { continue };
        for rule in exchange.rules {
            if rule.kept {
                kept += 1;
            } else {
                broken.push((exchange.call.clone(), rule.requirement, rule.at, rule.level, rule.came));
            }
        }
    }
    broken.dedup();
    let place = "/payload_incomplete/queue_position".to_owned();
    let came = Some("\"-1\"".to_owned());
    assert_eq!(broken, [("redeem".to_owned(), "RED-21".to_owned(), place, "must".to_owned(), came)]);
    assert!(kept > 8, "{kept}");
}
