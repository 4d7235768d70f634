//! The endpoints for testers.

use crate::support::TestSandbox;
use axum::body::Body;
use axum::http::Method;
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName};

#[tokio::test]
async fn tester_associates_avatars_and_forces_states() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let token = test.generate().await;
    let call = async |what: &str, body: &'static str| test.post(&format!("/sandbox/tokens/{token}/{what}"), body).await;
    assert_eq!(call("complete", "").await.status_and_code(), (409, 119), "no avatar yet");
    assert_eq!(call("associate", r#"{"avatar":"nobody"}"#).await.status_and_code(), (400, 107));
    let unknown = call("associate", r#"{"avatar":"new","scenario":"sunny"}"#).await;
    assert_eq!(unknown.status_and_code(), (400, 107));
    assert!(unknown.text().contains("existing-avatar"), "{}", unknown.text());
    let associated = call("associate", r#"{"avatar":"new","scenario":"long-queue"}"#).await.json();
    assert_eq!((&associated["state"], &associated["queue_position"]), (&"in_queue".into(), &12.into()));
    assert_eq!(call("associate", r#"{"avatar":"new"}"#).await.status_and_code(), (409, 119));
    assert_eq!(call("fail", "").await.json()["state"], "failed");
    assert_eq!(call("associate", r#"{"avatar":"ari"}"#).await.json()["avatar"], "ari");
    assert_eq!(call("complete", "").await.json()["state"], "ready");
    assert_eq!(call("expire", "").await.json()["state"], "expired");
    assert_eq!(call("fail", "").await.status_and_code(), (409, 119));
    assert_eq!(
        test.post("/sandbox/tokens/unknown/associate", r#"{"avatar":"new"}"#).await.status_and_code(),
        (404, 101)
    );
    assert_eq!(test.post("/sandbox/tokens/unknown/expire", "").await.status_and_code(), (404, 101));
    assert_eq!(test.redeem(&token).await.status, 400);
}

#[tokio::test]
async fn watcher_runs_between_a_response_and_the_next_request() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    test.sandbox.add_request_watcher(|sandbox, line| {
        if line.path == "/redeemExportToken" && line.status == 200 {
            for token in sandbox.sandbox_state().tokens {
                _ = sandbox.associate_avatar(&token.token, &AvatarChoice::New, None);
            }
        }
    });
    let token = test.generate().await;
    let status = async || {
        test.redeem(&token).await.json()["payload_incomplete"]["completion_status"].as_str().map(str::to_owned)
    };
    assert_eq!(status().await.as_deref(), Some("no_associated_avatar"));
    assert_eq!(status().await.as_deref(), Some("in_queue"));
}

#[tokio::test]
async fn clock_moves_and_state_lists_tokens_and_downloads() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let files = test.redeem_new_avatar().await;
    let moved = test.post("/sandbox/clock", r#"{"advance_ms":1500}"#).await.json();
    assert_eq!((&moved["now_ms"], &moved["paused"]), (&121_500.into(), &true.into()));
    let speed = test.post("/sandbox/clock", r#"{"speed":8,"paused":true}"#).await.json();
    assert_eq!(speed["speed"], 8.0);
    for bad in [
        r#"{"speed":0}"#,
        r#"{"advance_ms":-5}"#,
        r#"{"speed":null}"#,
        r#"{"sped":2}"#,
        "{}",
        "",
        r#"{"advance_ms":99999999999}"#,
    ] {
        assert_eq!(test.post("/sandbox/clock", bad).await.status_and_code(), (400, 107), "{bad}");
    }
    test.get(&files[0].1, &[]).await;
    let state = test.get("/sandbox/state", &[]).await;
    let token = &state.json()["tokens"][0];
    assert_eq!((&token["state"], &token["redeems"]), (&"spent".into(), &1.into()));
    let used: Vec<_> = token["downloads"].as_array().expect("a list").iter().map(|d| &d["state"]).collect();
    assert_eq!(used, ["used", "unused", "unused"]);
    let id = files[1].1.split('/').nth(2).expect("an id");
    assert!(!state.text().contains(id), "no URL that still works");
}

#[tokio::test]
async fn request_log_contains_no_secret_and_is_cleared() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let mut live = test.sandbox.subscribe_to_request_log();
    let token = test.generate().await;
    test.redeem(&token).await;
    test.get(&format!("/phone/status?exportToken={token}"), &[]).await;
    test.get(&format!("/phone/status?{token}"), &[]).await;
    test.post(&format!("/sandbox/tokens/{token}/expire"), "").await;
    let log = test.get("/sandbox/requests", &[]).await;
    let known = test.sandbox.accepted_credentials();
    for secret in [token.as_str(), known.api_key.expose(), known.session_token.expose()] {
        assert!(!log.text().contains(secret), "{}", log.text());
    }
    let lines = log.json();
    let paths: Vec<_> = lines.as_array().expect("a list").iter().map(|l| l["path"].as_str().expect("a path")).collect();
    assert_eq!(paths[..2], ["/generateExportToken", "/redeemExportToken"]);
    assert!(paths[2].starts_with("/phone/status?exportToken=…"));
    let first = live.recv().await.expect("a line");
    assert_eq!((first.method.as_str(), first.path.as_str(), first.status), ("POST", "/generateExportToken", 200));
    assert_eq!(test.send_request(Method::DELETE, "/sandbox/requests", &[], Body::empty()).await.status, 204);
    assert_eq!(test.get("/sandbox/state", &[("X-Sandbox-Watch", "1")]).await.status, 200);
    assert_eq!(test.get("/sandbox/requests", &[]).await.json().as_array().expect("a list").len(), 1);
}

#[tokio::test]
async fn scenario_endpoint_lists_every_scenario() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let rows = test.get("/sandbox/scenarios", &[]).await.json();
    let names: Vec<_> =
        rows.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name")).collect();
    let all = [
        "happy",
        "existing-avatar",
        "long-queue",
        "slow-processing",
        "stalls",
        "fails",
        "fails-then-succeeds",
        "token-expires",
        "never-scanned",
        "no-files",
        "many-files",
        "large-file",
        "urls-expire",
        "goes-backwards",
    ];
    assert_eq!(names, all);
    assert!(!BuiltInScenarioName::NeverScanned.built_in_scenario().is_associated_by_autoplay());
}
