//! Answers from a recorded run.

use crate::support::{API_KEY, SESSION, TOKEN, TestSandbox};
use axum::body::Body;
use axum::http::Method;
use copresence_sandbox::{Recording, SandboxSettings};
use serde_json::{Value, json};

fn entry(second: u32, call: &str, status: u16, body: &Value) -> Value {
    let text = if body.is_null() { Value::Null } else { body.to_string().into() };
    json!({
        "startedDateTime": format!("2026-01-01T10:00:{second:02}.000Z"),
        "request": {"method": "GET", "url": "https://api.test/…"},
        "response": {
            "status": status,
            "headers": [{"name": "content-type", "value": "application/json"}, {"name": "retry-after", "value": "7"}],
            "content": {"size": 5, "text": text},
        },
        "timings": {"wait": 1.0},
        "_call": call,
    })
}

/// A run as `copresence visit --har` records it, with masked secrets.
fn recorded_run() -> TestSandbox {
    let progress = json!({"avatar_ready": false, "payload_incomplete":
        {"completion_progress": 33, "completion_status": "reviewing", "queue_position": -1}});
    let delivery = json!({"avatar_ready": true, "batch": 4, "payload_complete": [
        {"download_URL": "https://files.test/…", "export_type": "glb", "checked": true},
        {"download_URL": "https://files.test/…", "export_type": "fbx"}]});
    let har = json!({"log": {"version": "1.2", "entries": [
        entry(0, "login", 200, &json!({"sessionToken": "…3f", "account": "booth"})),
        entry(1, "generate", 200, &json!({"token": "…ab"})),
        entry(2, "redeem", 503, &json!({"code": 1, "error": "busy"})),
        entry(3, "redeem", 200, &progress),
        entry(4, "redeem", 200, &delivery),
        entry(5, "download", 404, &json!({"code": 101, "error": "gone"})),
        entry(6, "download", 200, &Value::Null),
    ]}});
    let recording = Recording::parse_har(har.to_string().as_bytes()).expect("an archive");
    TestSandbox::with_settings(SandboxSettings { recording: Some(recording), ..SandboxSettings::default() })
}

#[tokio::test]
async fn each_token_gets_the_recorded_responses_with_new_secrets() {
    let test = recorded_run();
    let key = test.sandbox.accepted_credentials().api_key.expose().to_owned();
    let login = test.send_request(Method::POST, "/login", &[(API_KEY, &key)], "anything").await.json();
    assert_eq!(login["account"], "booth");
    let session = login["sessionToken"].as_str().expect("a session").to_owned();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let headers = [(API_KEY, key.as_str()), (SESSION, &session)];
        let generated = test.send_request(Method::POST, "/generateExportToken", &headers, Body::empty()).await.json();
        tokens.push(generated["token"].as_str().expect("a token").to_owned());
    }
    assert_ne!(tokens[0], tokens[1]);
    for token in &tokens {
        let busy = test.redeem(token).await;
        assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, "7"));
        assert_eq!(test.redeem(token).await.json()["payload_incomplete"]["completion_status"], "reviewing");
        let delivery = test.redeem(token).await.json();
        assert_eq!((&delivery["batch"], &delivery["payload_complete"][0]["checked"]), (&json!(4), &json!(true)));
        let types: Vec<_> = (0..2).map(|index| delivery["payload_complete"][index]["export_type"].clone()).collect();
        assert_eq!(types, ["glb", "fbx"]);
        let path = |index: usize| {
            let url = delivery["payload_complete"][index]["download_URL"].as_str().expect("a URL");
            url::Url::parse(url).expect("a URL").path().to_owned()
        };
        assert_eq!(test.get(&path(0), &[]).await.status_and_code(), (404, 101), "as the first recorded download");
        let file = test.get(&path(0), &[]).await;
        assert_eq!((file.status.as_u16(), &file.body[..4]), (200, &b"glTF"[..]));
        assert_eq!(test.get(&path(1), &[]).await.status, 200, "after the recorded ones");
        assert_eq!(test.redeem(token).await.status_and_code(), (400, 101), "the token is spent");
    }
}

#[tokio::test]
async fn wrong_credentials_and_tokens_are_refused_as_ever() {
    let test = recorded_run();
    assert_eq!(test.get("/redeemExportToken", &[(API_KEY, "wrong"), (TOKEN, "x")]).await.status, 403);
    assert_eq!(test.redeem("unknown").await.status_and_code(), (400, 101));
    let key = test.sandbox.accepted_credentials().api_key.expose().to_owned();
    let refused = test.send_request(Method::POST, "/generateExportToken", &[(API_KEY, &key)], Body::empty()).await;
    assert_eq!(refused.status.as_u16(), 401);
}

#[tokio::test]
async fn only_one_of_two_simultaneous_redeems_is_answered_with_the_delivery() {
    let test = recorded_run();
    let credentials = test.sandbox.accepted_credentials();
    let headers = [(API_KEY, credentials.api_key.expose()), (SESSION, credentials.session_token.expose())];
    let generated = test.send_request(Method::POST, "/generateExportToken", &headers, Body::empty()).await.json();
    let token = generated["token"].as_str().expect("a token");
    test.redeem(token).await;
    test.redeem(token).await;
    // Both wait as long as the recorded response did, and only then spend the token.
    let (first, second) = tokio::join!(test.redeem(token), test.redeem(token));
    let statuses = [first.status.as_u16(), second.status.as_u16()];
    assert!(statuses == [200, 400] || statuses == [400, 200], "{statuses:?}");
    let refused = if statuses[0] == 400 { first } else { second };
    assert_eq!(refused.status_and_code(), (400, 101));
}
