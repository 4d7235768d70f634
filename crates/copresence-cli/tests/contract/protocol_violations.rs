//! Exit code 9: the backend violates the protocol, and the message names the field.

use crate::support::backend::{Backend, BackendScript};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::reply::Reply;
use serde_json::{Value, json};

fn run_visit(backend: &Backend) -> FinishedRun {
    RunningProgram::start(TestHome::new().visit_command(backend, &[])).wait()
}

fn not_ready_reply(field: &str, value: Value) -> Reply {
    let mut body = json!({"avatar_ready": false, "payload_incomplete": {"completion_status": "processing",
        "completion_progress": 10, "queue_position": -1}});
    body["payload_incomplete"][field] = value;
    Reply::json(200, &body)
}

#[track_caller]
fn expect_violation(reply: Reply, field: &str) {
    let run = run_visit(&Backend::with_redeems(vec![Reply::unscanned(), reply]));
    let message = run.expect_end(9, "protocol_broken", "inviting");
    assert!(message.contains(field), "`{field}` is not named: {message}");
}

#[test]
fn numbers_that_violate_the_specification_do_not_hide_a_clear_status() {
    let numbers =
        [("completion_progress", json!(150)), ("completion_progress", json!("50")), ("queue_position", json!(1.5))];
    let mut redeem: Vec<_> = numbers.into_iter().map(|(field, value)| not_ready_reply(field, value)).collect();
    redeem.push(Reply::Urls);
    let run = run_visit(&Backend::with_redeems(redeem));
    run.expect_end(0, "saved", "saved");
    let lines = run.lines();
    let first = &lines.with_event("status")[0];
    assert_eq!(
        (&first["completion_status"], &first["completion_progress"]),
        (&json!("processing"), &json!(-1)),
        "{first}"
    );
}

#[test]
fn a_status_is_a_word() {
    expect_violation(not_ready_reply("completion_status", json!(3)), "payload_incomplete.completion_status");
}

#[test]
fn the_flag_is_a_boolean() {
    let body = |flag: Value| {
        Reply::json(
            200,
            &json!({"avatar_ready": flag, "payload_incomplete": {"completion_status": "in_queue",
                "completion_progress": 0, "queue_position": 1}}),
        )
    };
    expect_violation(body(json!("false")), "avatar_ready");
    expect_violation(Reply::json(200, &json!({"payload_incomplete": {}})), "avatar_ready");
}

#[test]
fn a_payload_is_required() {
    expect_violation(Reply::json(200, &json!({"avatar_ready": false})), "payload_incomplete");
    expect_violation(Reply::json(200, &json!({"avatar_ready": true})), "payload_complete");
    expect_violation(Reply::json(200, &json!({"avatar_ready": true, "payload_complete": []})), "payload_complete");
    let entry = json!({"download_URL": "file:///etc/passwd", "export_type": "glb"});
    let body = json!({"avatar_ready": true, "payload_complete": [entry]});
    expect_violation(Reply::json(200, &body), "payload_complete[0].download_URL");
}

#[test]
fn a_response_is_json() {
    expect_violation(Reply::Complete(200, b"hello".to_vec()), "JSON");
    expect_violation(Reply::Complete(200, Vec::new()), "redeemExportToken");
    expect_violation(Reply::json(200, &json!([])), "redeemExportToken");
}

#[test]
fn a_token_is_a_string_that_fits_into_a_header_and_a_qr_code() {
    let long = "a".repeat(4_000);
    for (body, named) in [
        (json!({"token": "two\nlines"}), "token"),
        (json!({"token": ""}), "token"),
        (json!({"token": 17}), "token"),
        (json!({"Token": "abc"}), "token"),
        (json!({"token": long}), "QR"),
    ] {
        let generate = vec![Reply::json(200, &body)];
        let backend = Backend::start(BackendScript { generate, ..BackendScript::default() });
        let message = run_visit(&backend).expect_end(9, "protocol_broken", "issuing");
        assert!(message.contains(named), "{message}");
        assert_eq!(backend.requests_to("/generateExportToken").len(), 1, "a token costs money");
        assert!(backend.requests_to("/redeem").is_empty());
    }
}

#[test]
fn urls_in_an_invalid_response_are_used() {
    let file = Backend::with_redeems(vec![Reply::Urls]);
    let entry = json!({"download_URL": format!("{}/dl/0", file.url()), "export_type": "glb"});
    let body = json!({"avatar_ready": false, "payload_complete": [entry]});
    let backend = Backend::with_redeems(vec![Reply::json(200, &body)]);
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
    let message = run.expect_end(9, "protocol_broken", "saved");
    assert!(message.contains("avatar_ready"), "{message}");
    assert_eq!(home.saved_folders().len(), 1, "the received file is saved: {message}");
}
