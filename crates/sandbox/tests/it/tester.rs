//! The tester's calls.

use crate::support::World;
use axum::body::Body;
use axum::http::Method;
use sandbox::{AvatarChoice, Scenario};

#[tokio::test]
async fn a_tester_plays_the_phone_and_forces_states() {
    let world = World::new(Scenario::Happy);
    let token = world.generate().await;
    let call = async |what: &str, body: &'static str| {
        world.post(&format!("/sandbox/tokens/{token}/{what}"), body).await
    };
    assert_eq!(call("complete", "").await.refusal(), (409, 119), "no avatar yet");
    assert_eq!(call("associate", r#"{"avatar":"nobody"}"#).await.refusal(), (400, 107));
    let unknown = call("associate", r#"{"avatar":"new","scenario":"sunny"}"#).await;
    assert_eq!(unknown.refusal(), (400, 107));
    assert!(unknown.text().contains("existing-avatar"), "{}", unknown.text());
    let associated = call("associate", r#"{"avatar":"new","scenario":"long-queue"}"#).await.json();
    assert_eq!((&associated["state"], &associated["queue_position"]), (&"in_queue".into(), &12.into()));
    assert_eq!(call("associate", r#"{"avatar":"new"}"#).await.refusal(), (409, 119));
    assert_eq!(call("fail", "").await.json()["state"], "failed");
    assert_eq!(call("associate", r#"{"avatar":"ari"}"#).await.json()["avatar"], "ari");
    assert_eq!(call("complete", "").await.json()["state"], "ready");
    assert_eq!(call("expire", "").await.json()["state"], "expired");
    assert_eq!(call("fail", "").await.refusal(), (409, 119));
    assert_eq!(
        world.post("/sandbox/tokens/unknown/associate", r#"{"avatar":"new"}"#).await.refusal(),
        (404, 101)
    );
    assert_eq!(world.post("/sandbox/tokens/unknown/expire", "").await.refusal(), (404, 101));
    assert_eq!(world.redeem(&token).await.status, 400);
}

#[tokio::test]
async fn a_watcher_acts_between_an_answer_and_the_next_request() {
    let world = World::new(Scenario::Happy);
    world.sandbox.watch(|sandbox, line| {
        if line.path == "/redeemExportToken" && line.status == 200 {
            for token in sandbox.state().tokens {
                _ = sandbox.associate(&token.token, &AvatarChoice::New, None);
            }
        }
    });
    let token = world.generate().await;
    let status = async || {
        world.redeem(&token).await.json()["payload_incomplete"]["completion_status"]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(status().await.as_deref(), Some("no_associated_avatar"));
    assert_eq!(status().await.as_deref(), Some("in_queue"));
}

#[tokio::test]
async fn the_clock_is_moved_and_the_state_tells_all() {
    let world = World::new(Scenario::ExistingAvatar);
    let files = world.delivered().await;
    let moved = world.post("/sandbox/clock", r#"{"advance_ms":1500}"#).await.json();
    assert_eq!((&moved["now_ms"], &moved["paused"]), (&121_500.into(), &true.into()));
    let speed = world.post("/sandbox/clock", r#"{"speed":8,"paused":true}"#).await.json();
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
        assert_eq!(world.post("/sandbox/clock", bad).await.refusal(), (400, 107), "{bad}");
    }
    world.get(&files[0].1, &[]).await;
    let state = world.get("/sandbox/state", &[]).await;
    let token = &state.json()["tokens"][0];
    assert_eq!((&token["state"], &token["redeems"]), (&"spent".into(), &1.into()));
    let used: Vec<_> = token["downloads"].as_array().expect("a list").iter().map(|d| &d["state"]).collect();
    assert_eq!(used, ["used", "unused", "unused"]);
    let id = files[1].1.split('/').nth(2).expect("an id");
    assert!(!state.text().contains(id), "no URL that still works");
}

#[tokio::test]
async fn the_log_keeps_no_secret_and_is_emptied() {
    let world = World::new(Scenario::Happy);
    let mut live = world.sandbox.requests();
    let token = world.generate().await;
    world.redeem(&token).await;
    world.get(&format!("/phone/status?exportToken={token}"), &[]).await;
    world.get(&format!("/phone/status?{token}"), &[]).await;
    world.post(&format!("/sandbox/tokens/{token}/expire"), "").await;
    let log = world.get("/sandbox/requests", &[]).await;
    let known = world.sandbox.credentials();
    for secret in [token.as_str(), known.api_key.expose(), known.session_token.expose()] {
        assert!(!log.text().contains(secret), "{}", log.text());
    }
    let lines = log.json();
    let paths: Vec<_> =
        lines.as_array().expect("a list").iter().map(|l| l["path"].as_str().expect("a path")).collect();
    assert_eq!(paths[..2], ["/generateExportToken", "/redeemExportToken"]);
    assert!(paths[2].starts_with("/phone/status?exportToken=…"));
    let first = live.recv().await.expect("a line");
    assert_eq!(
        (first.method.as_str(), first.path.as_str(), first.status),
        ("POST", "/generateExportToken", 200)
    );
    assert_eq!(world.ask(Method::DELETE, "/sandbox/requests", &[], Body::empty()).await.status, 204);
    assert_eq!(world.get("/sandbox/state", &[("X-Sandbox-Watch", "1")]).await.status, 200);
    assert_eq!(world.get("/sandbox/requests", &[]).await.json().as_array().expect("a list").len(), 1);
}

#[tokio::test]
async fn the_catalogue_lists_every_scenario() {
    let world = World::new(Scenario::Happy);
    let rows = world.get("/sandbox/scenarios", &[]).await.json();
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
    assert!(!Scenario::NeverScanned.is_scanned());
}
