//! The effect of each scenario, as seen by the client that redeems the token.

use crate::support::{TestSandbox, request};
use axum::body::Body;
use axum::http::Method;
use copresence_sandbox::scenario::{CATALOGUE, LARGE_FILE_PADDING};
use copresence_sandbox::{AvatarChoice, ClockChange, SandboxSettings, TokenScenario};
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

async fn play_scenario(scenario: TokenScenario) -> (TestSandbox, PlayedScenario) {
    let test = TestSandbox::new(scenario);
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
    for entry in CATALOGUE {
        let (_, seen) = play_scenario(entry.scenario).await;
        let files = seen.files.as_ref().map(Vec::len);
        let expected = match entry.name {
            "fails" | "token-expires" => None,
            "no-files" => Some(0),
            "many-files" => Some(36),
            _ => Some(3),
        };
        assert_eq!(files, expected, "{}", entry.name);
    }
}

#[tokio::test]
async fn slow_processing_takes_minutes() {
    let (_, seen) = play_scenario(TokenScenario::SlowProcessing).await;
    assert_eq!(seen.statuses(), ["in_queue", "processing"]);
    let processing = seen.waits.iter().filter(|(status, ..)| status == "processing").count();
    assert!((240..=360).contains(&processing), "{processing} seconds");
}

#[tokio::test]
async fn stalls_stands_still_in_the_middle_and_continues() {
    let (_, seen) = play_scenario(TokenScenario::Stalls).await;
    assert_eq!(seen.statuses(), ["in_queue", "processing"]);
    let progress: Vec<i64> = seen.waits.iter().map(|wait| wait.1).collect();
    let longest = progress.chunk_by(|a, b| a == b).max_by_key(|same| same.len()).expect("some");
    assert!(longest.len() >= 25 && longest[0] > 0 && longest[0] < 70, "{longest:?}");
    assert!(progress.last() > longest.last(), "it went on");
}

#[tokio::test]
async fn fails_then_succeeds_fails_once_until_recorded_again() {
    let (_, seen) = play_scenario(TokenScenario::FailsThenSucceeds).await;
    assert_eq!(seen.statuses(), ["in_queue", "processing", "failed", "in_queue", "processing"]);
    let failed = seen.waits.iter().filter(|(status, ..)| status == "failed").count();
    assert!((29..=31).contains(&failed), "{failed} seconds");
    let test = TestSandbox::new(TokenScenario::FailsThenSucceeds);
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
    let (_, seen) = play_scenario(TokenScenario::GoesBackwards).await;
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
    let test = TestSandbox::new(TokenScenario::NoFiles);
    let token = test.generate().await;
    test.associate(&token);
    test.advance_seconds(10);
    assert_eq!(test.redeem(&token).await.text(), r#"{"avatar_ready":true,"payload_complete":[]}"#);
}

#[tokio::test]
async fn many_files_each_have_their_own_url() {
    let (test, seen) = play_scenario(TokenScenario::ManyFiles).await;
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
    let (test, seen) = play_scenario(TokenScenario::LargeFile).await;
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
    let (test, seen) = play_scenario(TokenScenario::UrlsExpire).await;
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
