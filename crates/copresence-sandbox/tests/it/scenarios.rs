//! The effect of each scenario, as seen by the client that redeems the token.

use crate::support::{TestSandbox, request};
use axum::body::Body;
use axum::http::Method;
use copresence_sandbox::scenario::built_in_scenarios;
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, ClockChange, SandboxSettings, Scenario};
use futures_util::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

/// The responses for a token, one per second, until it is delivered or refused.
struct PlayedScenario {
    /// Status, progress and queue position of each response without files.
    waits: Vec<(String, i64, i64)>,
    /// The files, or `None` if the token was refused.
    files: Option<Vec<Value>>,
}

impl PlayedScenario {
    fn statuses(&self) -> Vec<&str> {
        let mut statuses: Vec<_> = self.waits.iter().map(|(status, ..)| status.as_str()).collect();
        statuses.dedup();
        statuses
    }
}

/// The bytes that `large-file` adds to the GLB.
const LARGE_FILE_PADDING: u64 = 60_000_000;

async fn play_scenario(scenario: impl Into<Scenario>) -> (TestSandbox, PlayedScenario) {
    let test = TestSandbox::with_settings(SandboxSettings {
        scenario: scenario.into(),
        seed: 1,
        ..SandboxSettings::default()
    });
    let token = test.generate().await;
    test.associate(&token);
    let mut waits = Vec::new();
    loop {
        let response = test.redeem(&token).await;
        if response.status != 200 {
            return (test, PlayedScenario { waits, files: None });
        }
        let body = response.json();
        if let Some(files) = body["payload_complete"].as_array() {
            assert_eq!(test.redeem(&token).await.status_and_code(), (400, 101), "spent");
            return (test, PlayedScenario { waits, files: Some(files.clone()) });
        }
        let wait = &body["payload_incomplete"];
        let number = |field: &str| wait[field].as_i64().expect("a number");
        let status = wait["completion_status"].as_str().expect("a word").to_owned();
        waits.push((status, number("completion_progress"), number("queue_position")));
        assert!(waits.len() < 3_000, "it never ends");
        test.advance_seconds(1);
    }
}

fn path_of(file: &Value) -> String {
    let url = file["download_URL"].as_str().expect("a URL");
    url::Url::parse(url).expect("a URL").path().to_owned()
}

#[tokio::test]
async fn every_scenario_delivers_its_number_of_files() {
    for scenario in built_in_scenarios() {
        let (_, seen) = play_scenario(scenario.clone()).await;
        let files = seen.files.as_ref().map(Vec::len);
        let expected = match scenario.name() {
            "fails" | "token-expires" => None,
            "no-files" => Some(0),
            "many-files" => Some(36),
            _ => Some(3),
        };
        assert_eq!(files, expected, "{}", scenario.name());
    }
}

#[tokio::test]
async fn slow_processing_takes_minutes() {
    let (_, seen) = play_scenario(BuiltInScenarioName::SlowProcessing).await;
    assert_eq!(seen.statuses(), ["in_queue", "processing"]);
    let processing = seen.waits.iter().filter(|(status, ..)| status == "processing").count();
    assert!((240..=360).contains(&processing), "{processing} seconds");
}

#[tokio::test]
async fn stalls_stands_still_in_the_middle_and_continues() {
    let (_, seen) = play_scenario(BuiltInScenarioName::Stalls).await;
    assert_eq!(seen.statuses(), ["in_queue", "processing"]);
    let progress: Vec<i64> = seen.waits.iter().map(|wait| wait.1).collect();
    let longest = progress.chunk_by(|a, b| a == b).max_by_key(|same| same.len()).expect("some");
    assert!(longest.len() >= 25 && longest[0] > 0 && longest[0] < 70, "{longest:?}");
    assert!(progress.last() > longest.last(), "it went on");
}

#[tokio::test]
async fn fails_then_succeeds_fails_once_until_recorded_again() {
    let (_, seen) = play_scenario(BuiltInScenarioName::FailsThenSucceeds).await;
    assert_eq!(seen.statuses(), ["in_queue", "processing", "failed", "in_queue", "processing"]);
    let failed = seen.waits.iter().filter(|(status, ..)| status == "failed").count();
    assert!((29..=31).contains(&failed), "{failed} seconds");
    let test = TestSandbox::new(BuiltInScenarioName::FailsThenSucceeds);
    let token = test.generate().await;
    test.associate(&token);
    while test.redeem(&token).await.json()["payload_incomplete"]["completion_status"] != "failed" {
        test.advance_seconds(1);
    }
    let again = test.sandbox.associate_avatar(&token, &AvatarChoice::Existing("ari".into()), None);
    again.expect("the phone may be sooner");
    test.advance_seconds(60);
    assert_eq!(test.redeem(&token).await.json()["avatar_ready"], true);
}

#[tokio::test]
async fn goes_backwards_moves_both_ways_and_is_delivered() {
    let (_, seen) = play_scenario(BuiltInScenarioName::GoesBackwards).await;
    assert_eq!(seen.statuses(), ["in_queue", "processing", "in_queue", "processing"]);
    let falls = |status: &str, of: fn(&(String, i64, i64)) -> i64, rises: bool| {
        let values: Vec<i64> = seen.waits.iter().filter(|wait| wait.0 == status).map(of).collect();
        values.windows(2).any(|two| if rises { two[1] > two[0] } else { two[1] < two[0] })
    };
    assert!(falls("in_queue", |wait| wait.2, true), "a place that rises");
    assert!(falls("processing", |wait| wait.1, false), "a progress that falls");
}

#[tokio::test]
async fn no_files_is_ready_with_an_empty_list() {
    let test = TestSandbox::new(BuiltInScenarioName::NoFiles);
    let token = test.generate().await;
    test.associate(&token);
    test.advance_seconds(10);
    assert_eq!(test.redeem(&token).await.text(), r#"{"avatar_ready":true,"payload_complete":[]}"#);
}

#[tokio::test]
async fn many_files_each_have_their_own_url() {
    let (test, seen) = play_scenario(BuiltInScenarioName::ManyFiles).await;
    let files = seen.files.expect("delivered");
    let mut paths: Vec<_> = files.iter().map(path_of).collect();
    assert!(paths[3].ends_with("/avatar-2.glb") && paths[35].ends_with("/portrait-12.png"), "{paths:?}");
    assert_eq!(test.get(&paths[35], &[]).await.header("content-type"), "image/png");
    assert_eq!(test.get(&paths[35], &[]).await.status, 410);
    assert_eq!(test.get(&paths[2], &[]).await.status, 200);
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 36);
}

#[tokio::test]
async fn large_file_is_a_valid_glb_and_supports_ranges() {
    let (test, seen) = play_scenario(BuiltInScenarioName::LargeFile).await;
    let files = seen.files.expect("delivered");
    let glb = path_of(&files[0]);
    let tail = test.get(&glb, &[("Range", "bytes=59000000-59000999")]).await;
    assert_eq!((tail.status.as_u16(), tail.body.len()), (206, 1_000));
    let asked = request(Method::GET, &glb, &[], Body::empty());
    let response = test.app.clone().oneshot(asked).await.expect("infallible");
    let promised = response.headers()["content-length"].to_str().expect("visible").to_owned();
    let mut body = response.into_body().into_data_stream();
    let (mut start, mut at, mut largest) = (Vec::new(), 0_u64, 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.expect("bytes");
        largest = largest.max(chunk.len());
        // The range has the same bytes as the whole file.
        let (from, to) = (59_000_000_u64.max(at), 59_001_000.min(at + chunk.len() as u64));
        if from < to {
            let index = |place: u64, base: u64| usize::try_from(place - base).expect("small");
            let part = &chunk[index(from, at)..index(to, at)];
            assert_eq!(part, &tail.body[index(from, 59_000_000)..index(to, 59_000_000)]);
        }
        at += chunk.len() as u64;
        if start.len() < 12 {
            start.extend_from_slice(&chunk);
        }
    }
    assert!(at > LARGE_FILE_PADDING && promised == at.to_string() && largest <= 64 * 1024, "{at}");
    assert_eq!(&start[..4], b"glTF");
    assert_eq!(u64::from(u32::from_le_bytes(start[8..12].try_into().expect("four"))), at, "its header knows");
    assert_eq!(test.get(&glb, &[]).await.status, 410, "used");
    assert!(test.get(&path_of(&files[2]), &[]).await.body.len() < 10_000_000, "the portrait is as ever");
}

#[tokio::test]
async fn urls_expire_except_the_first() {
    let (test, seen) = play_scenario(BuiltInScenarioName::UrlsExpire).await;
    let files = seen.files.expect("delivered");
    assert_eq!(test.get(&path_of(&files[0]), &[]).await.status, 200);
    for file in &files[1..] {
        let refused = test.get(&path_of(file), &[]).await;
        assert_eq!(refused.status_and_code(), (410, 101));
        assert!(refused.text().contains("expired"), "{}", refused.text());
    }
}

#[tokio::test]
async fn tokens_and_urls_have_a_minimum_real_lifetime_at_high_speed() {
    let test = TestSandbox::with_settings(SandboxSettings { speed: 500.0, ..SandboxSettings::default() });
    let lives = async || {
        let token = test.generate().await;
        test.associate(&token);
        test.sandbox.force_token_state(&token, copresence_sandbox::ForcedState::Complete).expect("active");
        test.redeem(&token).await;
        let state = test.get("/sandbox/state", &[]).await.json();
        let last = state["tokens"].as_array().expect("a list").last().expect("one").clone();
        let number = |value: &Value| value.as_u64().expect("a number");
        let (made, spent) = (number(&last["generated_ms"]), number(&last["ended_ms"]));
        (number(&last["expires_ms"]) - made, number(&last["downloads"][0]["expires_ms"]) - spent)
    };
    assert_eq!(lives().await, (120_000 * 500, 60_000 * 500), "two minutes and one, in real time");
    let slower = ClockChange { speed: Some(1.0), ..ClockChange::default() };
    test.sandbox.change_clock(&slower).expect("a speed");
    assert_eq!(lives().await, (15 * 60_000, 5 * 60_000));
}

fn parse_scenario(rest: &str) -> Scenario {
    let text = format!("name = \"mine\"\nabout = \"A test.\"\n{rest}");
    Scenario::parse_scenario_file(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

#[tokio::test]
async fn own_scenario_is_followed_step_by_step() {
    let own = parse_scenario(
        r#"
        steps = [
            { status = "in_queue", queue_position = 7, lasts = "2s" },
            { status = "in_queue", queue_position = 2, lasts_per_position = "1s" },
            { status = "processing", progress = 30, lasts = "2s" },
            { status = "failed", lasts = "1s" },
            { status = "processing", progress = [80, 80], lasts = "1s" },
        ]
        files = { copies = 2, export_types = ["glb", "png"] }
        "#,
    );
    let (test, seen) = play_scenario(own).await;
    let waits: Vec<_> = seen.waits.iter().map(|(status, percent, place)| (status.as_str(), *percent, *place)).collect();
    assert_eq!(
        waits,
        [
            ("in_queue", 0, 7),
            ("in_queue", 0, 7),
            ("in_queue", 0, 2),
            ("in_queue", 0, 1),
            ("processing", 30, -1),
            ("processing", 30, -1),
            ("failed", 30, -1),
            ("processing", 80, -1),
        ]
    );
    let types: Vec<_> = seen.files.iter().flatten().map(|file| file["export_type"].as_str().expect("a type")).collect();
    assert_eq!(types, ["glb", "png", "glb", "png"]);
    let rows = test.get("/sandbox/scenarios", &[]).await.json();
    let row = rows.as_array().expect("a list").last().expect("one").clone();
    assert_eq!((&row["name"], &row["new_ms"]), (&"mine".into(), &serde_json::json!([8_000, 8_000])));
    assert_eq!(test.get("/sandbox/state", &[]).await.json()["scenario"], "mine");
}

#[tokio::test]
async fn last_failed_step_lasts_until_the_visitor_records_again() {
    let own = parse_scenario(
        r#"
        steps = [
            { status = "processing", progress = 10, lasts = "1s" },
            { status = "failed" },
            { status = "processing", progress = 20, lasts = "1s" },
            { status = "failed", progress = 90 },
        ]
        "#,
    );
    let test = TestSandbox::with_settings(SandboxSettings { scenario: own, ..SandboxSettings::default() });
    let token = test.generate().await;
    let progress = async || test.redeem(&token).await.json()["payload_incomplete"]["completion_progress"].as_i64();
    for (first, last) in [(10, 10), (20, 90), (20, 90)] {
        test.associate(&token);
        assert_eq!(progress().await, Some(first));
        test.advance_seconds(100);
        assert_eq!(progress().await, Some(last));
    }
}

#[tokio::test]
async fn faults_of_a_scenario_count_the_requests_of_each_token() {
    let own = parse_scenario(
        r#"
        steps = []
        faults = [
            { on = "redeem", nth = 2, do = { status = { code = 503 } } },
            { on = "file", export_type = "png", nth = 1, do = { status = { code = 500 } } },
        ]
        "#,
    );
    let test = TestSandbox::with_settings(SandboxSettings { scenario: own, ..SandboxSettings::default() });
    let (first, second) = (test.generate().await, test.generate().await);
    let status = async |token: &str| test.redeem(token).await.status.as_u16();
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    assert_eq!((status(&first).await, status(&second).await), (503, 503));
    let other = test.generate().await;
    let happy = BuiltInScenarioName::ExistingAvatar.built_in_scenario();
    test.sandbox.associate_avatar(&other, &AvatarChoice::New, Some(happy)).expect("free");
    let files_of = async |token: &str| {
        let files = test.redeem(token).await.json()["payload_complete"].as_array().expect("ready").clone();
        path_of(&files[2])
    };
    let portrait = files_of(&other).await;
    assert_eq!(test.get(&portrait, &[]).await.status, 200, "another scenario has no faults");
    test.associate(&first);
    let portrait = files_of(&first).await;
    assert_eq!(test.get(&portrait, &[]).await.status, 500);
    assert_eq!(test.get(&portrait, &[]).await.status, 200, "the fault came before the URL was used");
    let log = test.get("/sandbox/requests", &[]).await.json();
    let faults: Vec<_> = log.as_array().expect("lines").iter().filter_map(|line| line.get("faults")).collect();
    assert_eq!(faults, [&serde_json::json!(["status"]); 3]);
}

#[tokio::test]
async fn world_has_its_own_scenario() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let scenario = "name = \"only-here\"\nabout = \"x\"\nsteps = []";
    let created = test.post("/sandbox/worlds", serde_json::json!({"scenario_file": scenario}).to_string()).await.json();
    let scenarios = format!("/worlds/{}/sandbox/scenarios", created["id"].as_str().expect("an id"));
    assert!(test.get(&scenarios, &[]).await.text().contains("only-here"));
    assert!(!test.get("/sandbox/scenarios", &[]).await.text().contains("only-here"));
    let wrong = test.post("/sandbox/worlds", r#"{"scenario_file":"name = 1"}"#).await;
    assert_eq!(wrong.status_and_code(), (400, 107));
    assert!(wrong.text().contains("line 1, column 8"), "{}", wrong.text());
}
