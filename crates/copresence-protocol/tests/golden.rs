//! Golden JSON, written by hand from the text of the specification. Tests parsing and serializing.

use copresence_protocol::response_body::{
    CompletePayloadEntry, ErrorResponseBody, GenerateBody, LoginResponseBody, RedeemBody,
};
use copresence_protocol::{
    CompletionStatus, ErrorBody, ExportType, GenerateResponse, LoginResponse, Percent, Progress, QueuePosition,
    RedeemResponse,
};
use serde_json::{Value, json};

const GENERATED: &str = r#"{"token":"a1B2c3D4"}"#;
const LOGGED_IN: &str = r#"{"sessionToken":"r:0123456789abcdef"}"#;
const WAITING: &str = r#"{"avatar_ready":false,"payload_incomplete":{"completion_progress":-1,"completion_status":"no_associated_avatar","queue_position":-1}}"#;
const QUEUED: &str = r#"{"avatar_ready":false,"payload_incomplete":{"completion_progress":0,"completion_status":"in_queue","queue_position":3}}"#;
const PROCESSING: &str = r#"{"avatar_ready":false,"payload_incomplete":{"completion_progress":42,"completion_status":"processing","queue_position":-1}}"#;
const FAILED: &str = r#"{"avatar_ready":false,"payload_incomplete":{"completion_progress":71,"completion_status":"failed","queue_position":-1}}"#;
const READY: &str = r#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.copresence.test/1","export_type":"glb"},{"download_URL":"https://files.copresence.test/2","export_type":"blend"}]}"#;

fn progress(status: CompletionStatus, percent: Option<u8>, place: Option<u32>) -> Progress {
    Progress { status, completion: percent.and_then(Percent::new), queue_position: place.map(QueuePosition::new) }
}

fn states() -> Vec<(&'static str, Progress)> {
    vec![
        (WAITING, Progress::progress_without_avatar()),
        (QUEUED, progress(CompletionStatus::InQueue, Some(0), Some(3))),
        (PROCESSING, progress(CompletionStatus::Processing, Some(42), None)),
        (FAILED, progress(CompletionStatus::Failed, Some(71), None)),
    ]
}

fn rule_broken(body: &str) -> String {
    RedeemResponse::parse(body.as_bytes()).expect_err(body).body_path_or_header_name().to_owned()
}

#[test]
fn golden_bodies_are_parsed() {
    assert_eq!(GenerateResponse::parse(GENERATED.as_bytes()).expect("token").token.expose(), "a1B2c3D4");
    let login = LoginResponse::parse_session_at_pointer(LOGGED_IN.as_bytes(), "/sessionToken").expect("session");
    assert_eq!(login.session_token.expose(), "r:0123456789abcdef");
    for (golden, expected) in states() {
        let expected = RedeemResponse::NotReady { progress: expected, violations: Vec::new() };
        assert_eq!(RedeemResponse::parse(golden.as_bytes()), Ok(expected), "{golden}");
    }
    let Ok(RedeemResponse::Ready(delivery)) = RedeemResponse::parse(READY.as_bytes()) else {
        panic!("the golden ready body is ready");
    };
    let types: Vec<_> = delivery.exports.iter().map(|export| export.export_type.as_str()).collect();
    assert_eq!(types, ["glb", "blend"]);
    assert_eq!(delivery.exports[0].download_url.expose_url(), "https://files.copresence.test/1");
    assert!(delivery.unusable_entries.is_empty() && delivery.contradiction.is_none());
}

#[test]
fn golden_bodies_are_serialized() {
    assert_eq!(written(&GenerateBody { token: "a1B2c3D4".into() }), GENERATED);
    assert_eq!(written(&LoginResponseBody { session_token: "r:0123456789abcdef".into() }), LOGGED_IN);
    for (golden, progress) in states() {
        assert_eq!(written(&RedeemBody::not_ready_redeem_body(&progress)), golden);
    }
    let export = |url: &str, kind: &str| CompletePayloadEntry { download_url: url.into(), export_type: kind.into() };
    let ready = RedeemBody::ready_redeem_body(vec![
        export("https://files.copresence.test/1", "glb"),
        export("https://files.copresence.test/2", "blend"),
    ]);
    assert_eq!(written(&ready), READY);
    let error = written(&ErrorResponseBody { code: 209, error: "invalid session token".into() });
    assert_eq!(ErrorBody::parse(error.as_bytes()).code, Some(209));
}

fn written(body: &impl serde::Serialize) -> String {
    serde_json::to_string(body).expect("plain data")
}

#[test]
fn unspecified_fields_and_values_are_tolerated() {
    let extra = json!({"avatar_ready": false, "payload_complete": null, "trace": {"id": 7},
        "payload_incomplete": {"completion_progress": 5, "completion_status": "thinking",
            "queue_position": -1, "eta": 3}});
    let Ok(RedeemResponse::NotReady { progress, .. }) = RedeemResponse::parse(extra.to_string().as_bytes()) else {
        panic!("tolerated");
    };
    assert_eq!(progress.status, CompletionStatus::Other("thinking".into()));
    let ready = json!({"avatar_ready": true, "payload_incomplete": null,
        "payload_complete": [{"download_URL": "http://h.test/x", "export_type": "usdz", "size": 1}]});
    let Ok(RedeemResponse::Ready(delivery)) = RedeemResponse::parse(ready.to_string().as_bytes()) else {
        panic!("tolerated");
    };
    assert_eq!(delivery.exports[0].export_type, ExportType::new("usdz"));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let body = [b"\xef\xbb\xbf", WAITING.as_bytes()].concat();
    assert!(RedeemResponse::parse(&body).is_ok());
}

#[test]
fn a_violation_names_its_path() {
    let with = |field: &str, value: Value| {
        let mut body: Value = serde_json::from_str(PROCESSING).expect("golden");
        body["payload_incomplete"][field] = value;
        rule_broken(&body.to_string())
    };
    assert_eq!(with("completion_status", json!(3)), "payload_incomplete.completion_status");
    assert_eq!(rule_broken(r#"{"avatar_ready":false}"#), "payload_incomplete");
    assert_eq!(rule_broken(r#"{"avatar_ready":true}"#), "payload_complete");
    assert_eq!(rule_broken(r#"{"avatar_ready":true,"payload_complete":[]}"#), "payload_complete");
    assert_eq!(
        rule_broken(r#"{"avatar_ready":true,"payload_complete":[{"export_type":"glb"}]}"#),
        "payload_complete[0].download_URL"
    );
    assert_eq!(rule_broken(r#"{"avatar_ready":"yes"}"#), "avatar_ready");
    for body in ["", "   ", "[]", "<html>", "{", "null", "{} {}", &"[".repeat(100_000)] {
        assert_eq!(rule_broken(body), "");
    }
    let at = GenerateResponse::parse_token_at_pointer(br#"{"data":{"t":5}}"#, "/data/t").expect_err("a number");
    assert_eq!(at.body_path_or_header_name(), "data.t");
}

#[test]
fn a_progress_with_a_clear_status_is_used_without_the_numbers_that_violate_the_specification() {
    let parse = |body: &Value| match RedeemResponse::parse(body.to_string().as_bytes()) {
        Ok(RedeemResponse::NotReady { progress, violations }) => {
            (progress, violations.iter().map(|violation| violation.body_path_or_header_name().to_owned()).collect())
        }
        other => panic!("{body}: {other:?}"),
    };
    let golden: Value = serde_json::from_str(PROCESSING).expect("golden");
    let (percent, place) = ("payload_incomplete.completion_progress", "payload_incomplete.queue_position");
    for value in [json!(101), json!(-2), json!(4.5), json!("50"), json!(1e30), Value::Null, json!([1])] {
        let mut body = golden.clone();
        body["payload_incomplete"]["completion_progress"] = value.clone();
        let expected = progress(CompletionStatus::Processing, None, None);
        assert_eq!(parse(&body), (expected.clone(), vec![percent.to_owned()]), "{value}");
        body["payload_incomplete"]["queue_position"] = value;
        let expected_queue = body["payload_incomplete"]["queue_position"].as_u64().map(|_| 101);
        let (found, paths): (_, Vec<String>) = parse(&body);
        assert_eq!(found, progress(CompletionStatus::Processing, None, expected_queue));
        assert_eq!(paths.len(), if expected_queue.is_some() { 1 } else { 2 }, "{paths:?}");
    }
    let body = json!({"avatar_ready": null, "payload_incomplete": {"completion_status": "in_queue"}});
    let expected = progress(CompletionStatus::InQueue, None, None);
    assert_eq!(parse(&body), (expected, ["avatar_ready", percent, place].map(str::to_owned).to_vec()));
}

#[test]
fn every_usable_url_is_kept_despite_other_violations() {
    let good = json!({"download_URL": "http://h.test/x", "export_type": "glb"});
    let partly = json!({"avatar_ready": true, "payload_complete": [good, {"export_type": "fbx"}, 7]});
    let Ok(RedeemResponse::Ready(delivery)) = RedeemResponse::parse(partly.to_string().as_bytes()) else {
        panic!("one URL is usable");
    };
    assert_eq!((delivery.exports.len(), delivery.unusable_entries.len()), (1, 2));
    assert_eq!(delivery.unusable_entries[0].body_path_or_header_name(), "payload_complete[1].download_URL");
    for ready in [json!(false), json!("true"), Value::Null] {
        let body = json!({"avatar_ready": ready, "payload_complete": [good]});
        let Ok(RedeemResponse::Ready(delivery)) = RedeemResponse::parse(body.to_string().as_bytes()) else {
            panic!("the URL is kept");
        };
        assert!(delivery.contradiction.is_some(), "{body}");
    }
}

#[test]
fn a_violation_does_not_quote_the_body() {
    let body = r#"{"avatar_ready":"SECRET-VALUE"}"#;
    let text = RedeemResponse::parse(body.as_bytes()).expect_err("a string").to_string();
    assert!(!text.contains("SECRET"), "{text}");
    assert_eq!(text, "at `avatar_ready`: expected a boolean, found a string");
}
