//! Exit 9: the backend broke the protocol, and the message says which rule, where.

use crate::support::backend::{Backend, Script};
use crate::support::program::{Fixture, Live, Ran};
use crate::support::reply::Reply;
use serde_json::{Value, json};

fn visit(backend: &Backend) -> Ran {
    Live::start(Fixture::new().visit(backend, &[])).end()
}

fn waiting(field: &str, value: Value) -> Reply {
    let mut body = json!({"avatar_ready": false, "payload_incomplete": {"completion_status": "processing",
        "completion_progress": 10, "queue_position": -1}});
    body["payload_incomplete"][field] = value;
    Reply::json(200, &body)
}

#[track_caller]
fn breaks(reply: Reply, place: &str) {
    let ran = visit(&Backend::redeeming(vec![Reply::unscanned(), reply]));
    let message = ran.ends(9, "protocol_broken", "inviting");
    assert!(message.contains(place), "`{place}` is not named: {message}");
}

#[test]
fn progress_is_a_percentage() {
    breaks(waiting("completion_progress", json!(150)), "payload_incomplete.completion_progress");
    breaks(waiting("completion_progress", json!("50")), "payload_incomplete.completion_progress");
    breaks(waiting("completion_progress", json!(-2)), "payload_incomplete.completion_progress");
}

#[test]
fn status_and_queue_have_their_types() {
    breaks(waiting("completion_status", json!(3)), "payload_incomplete.completion_status");
    breaks(waiting("queue_position", Value::Null), "payload_incomplete.queue_position");
    breaks(waiting("queue_position", json!(1.5)), "payload_incomplete.queue_position");
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
    breaks(body(json!("false")), "avatar_ready");
    breaks(body(Value::Null), "avatar_ready");
    breaks(Reply::json(200, &json!({"payload_incomplete": {}})), "avatar_ready");
}

#[test]
fn a_payload_is_due() {
    breaks(Reply::json(200, &json!({"avatar_ready": false})), "payload_incomplete");
    breaks(Reply::json(200, &json!({"avatar_ready": true})), "payload_complete");
    breaks(Reply::json(200, &json!({"avatar_ready": true, "payload_complete": []})), "payload_complete");
    let entry = json!({"download_URL": "file:///etc/passwd", "export_type": "glb"});
    let body = json!({"avatar_ready": true, "payload_complete": [entry]});
    breaks(Reply::json(200, &body), "payload_complete[0].download_URL");
}

#[test]
fn an_answer_is_json() {
    breaks(Reply::Whole(200, b"<html>hello</html>".to_vec()), "JSON");
    breaks(Reply::Whole(200, Vec::new()), "redeemExportToken");
    breaks(Reply::json(200, &json!([])), "redeemExportToken");
}

#[test]
fn a_token_is_a_string_that_a_header_and_a_code_can_hold() {
    let long = "a".repeat(4_000);
    for (body, named) in [
        (json!({"token": "two\nlines"}), "token"),
        (json!({"token": ""}), "token"),
        (json!({"token": 17}), "token"),
        (json!({"Token": "abc"}), "token"),
        (json!({"token": long}), "QR"),
    ] {
        let generate = vec![Reply::json(200, &body)];
        let backend = Backend::start(Script { generate, ..Script::default() });
        let message = visit(&backend).ends(9, "protocol_broken", "issuing");
        assert!(message.contains(named), "{message}");
        assert_eq!(backend.requests_to("/generateExportToken").len(), 1, "a token is somebody's money");
        assert!(backend.requests_to("/redeem").is_empty());
    }
}

#[test]
fn urls_that_came_in_a_wrong_answer_are_used_all_the_same() {
    let file = Backend::redeeming(vec![Reply::Urls]);
    let entry = json!({"download_URL": format!("{}/dl/0", file.url()), "export_type": "glb"});
    let body = json!({"avatar_ready": false, "payload_complete": [entry]});
    let backend = Backend::redeeming(vec![Reply::json(200, &body)]);
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &[])).end();
    let message = ran.ends(9, "protocol_broken", "saved");
    assert!(message.contains("avatar_ready"), "{message}");
    assert_eq!(fixture.saved().len(), 1, "what came once is kept: {message}");
}
