//! Worlds: many sandboxes in one process, which do not see each other.

use crate::support::{API_KEY, SESSION, TOKEN, TestResponse, TestSandbox};
use axum::body::Body;
use axum::http::Method;
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, SandboxSettings, Server, WorldSettings};
use serde_json::{Value, json};
use std::time::Duration;

/// A world that a tester created over HTTP, and the URL prefix and credentials of its clients.
struct ClientOfWorld<'a> {
    test: &'a TestSandbox,
    created: Value,
}

impl<'a> ClientOfWorld<'a> {
    async fn create(test: &'a TestSandbox, settings: Value) -> Self {
        let response = test.post("/sandbox/worlds", settings.to_string()).await;
        assert_eq!(response.status, 201, "{}", response.text());
        Self { test, created: response.json() }
    }

    fn text(&self, field: &str) -> &str {
        self.created[field].as_str().expect(field)
    }

    /// A request as a client of the main URL sends it: only its key is another one.
    async fn send_with_key(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> TestResponse {
        let mut headers = headers.to_vec();
        headers.push((API_KEY, self.text("api_key")));
        self.test.send_request(method, path, &headers, body.to_owned()).await
    }

    /// A request under the world's URL.
    async fn send_under_url(&self, method: Method, path: &str, body: &str) -> TestResponse {
        let path = format!("/worlds/{}{path}", self.text("id"));
        self.test.send_request(method, &path, &[], body.to_owned()).await
    }

    async fn generate(&self) -> String {
        let session = [(SESSION, self.text("session_token"))];
        let response = self.send_with_key(Method::POST, "/generateExportToken", &session, "").await;
        response.json()["token"].as_str().expect("a token").to_owned()
    }

    async fn redeem(&self, token: &str) -> TestResponse {
        self.send_with_key(Method::GET, "/redeemExportToken", &[(TOKEN, token)], "").await
    }

    async fn associate(&self, token: &str) {
        let path = format!("/sandbox/tokens/{token}/associate");
        assert_eq!(self.send_under_url(Method::POST, &path, r#"{"avatar":"new"}"#).await.status, 200);
    }

    async fn now_ms(&self) -> u64 {
        self.send_under_url(Method::GET, "/sandbox/state", "").await.json()["clock"]["now_ms"].as_u64().expect("a time")
    }
}

fn url_path(url: &Value) -> String {
    url::Url::parse(url.as_str().expect("a URL")).expect("a URL").path().to_owned()
}

#[tokio::test]
async fn unmodified_client_visits_a_world_by_its_key_alone() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let world = ClientOfWorld::create(&test, json!({"scenario": "existing-avatar", "paused": true})).await;
    let login = json!({"username": world.text("username"), "password": world.text("password")}).to_string();
    let session = world.send_with_key(Method::POST, "/login", &[], &login).await.json();
    let session = session["sessionToken"].as_str().expect("a session").to_owned();
    let token = world.send_with_key(Method::POST, "/generateExportToken", &[(SESSION, &session)], "").await.json();
    let token = token["token"].as_str().expect("a token").to_owned();
    assert_eq!(test.redeem(&token).await.status, 400, "the main world does not know it");
    world.associate(&token).await;
    let ready = world.redeem(&token).await.json();
    let file = &ready["payload_complete"][2];
    assert!(url_path(&file["download_URL"]).starts_with(&format!("/worlds/{}/files/", world.text("id"))), "{file}");
    let portrait = test.get(&url_path(&file["download_URL"]), &[]).await;
    assert_eq!((portrait.status.as_u16(), portrait.header("content-type")), (200, "image/png"));
    assert_eq!(test.get(&url_path(&file["download_URL"]), &[]).await.status, 410);
}

#[tokio::test]
async fn everything_works_under_the_url_of_a_world() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let world = ClientOfWorld::create(&test, json!({"paused": true})).await;
    assert_eq!(url_path(&world.created["url"]), format!("/worlds/{}", world.text("id")));
    let token = world.generate().await;
    let phone = world.send_under_url(Method::GET, &format!("/phone?exportToken={token}"), "").await;
    assert!(phone.status == 200 && !phone.text().contains("\"/"), "its links are relative: {}", phone.text());
    assert_eq!(test.get(&format!("/phone?exportToken={token}"), &[]).await.status, 404);
    assert_eq!(world.send_under_url(Method::GET, "/static/phone.js", "").await.status, 200);
    let index = world.send_under_url(Method::GET, "/", "").await;
    assert!(index.text().contains(world.text("url")), "its examples are for this world");
    let without_slash = test.get(&format!("/worlds/{}", world.text("id")), &[]).await;
    assert_eq!(
        (without_slash.status.as_u16(), without_slash.header("location")),
        (308, &*format!("{}/", world.text("id")))
    );
    let path = format!("/worlds/{}/redeemExportToken", world.text("id"));
    let key_of_main = test.sandbox.accepted_credentials().api_key.expose().to_owned();
    assert_eq!(test.get(&path, &[(API_KEY, &key_of_main), (TOKEN, &token)]).await.status, 403);
    assert_eq!(test.get("/worlds/nowhere/sandbox/state", &[]).await.status_and_code(), (404, 101));
    // A redirect would lead to another host.
    for path in ["/worlds/https:evil.test", "/worlds/\\evil.test", "/worlds/nowhere", "/worlds/"] {
        assert_eq!(test.get(path, &[]).await.status_and_code(), (404, 101), "{path}");
    }
    let log = test.get("/sandbox/requests", &[]).await.json();
    let to_no_world = log
        .as_array()
        .expect("a list")
        .iter()
        .filter(|line| line["path"].as_str().is_some_and(|path| path.starts_with("/worlds/")))
        .count();
    assert_eq!(to_no_world, 6, "they are in the main world's log: {log}");
}

#[tokio::test]
async fn nested_router_has_worlds() {
    let mut test = TestSandbox::new(BuiltInScenarioName::Happy);
    test.app = axum::Router::new().nest("/copresence", test.app.clone());
    let created = test.post("/copresence/sandbox/worlds", "").await;
    assert_eq!(created.status, 201, "{}", created.text());
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(test.get(&format!("/copresence/worlds/{id}/sandbox/state"), &[]).await.status, 200);
}

#[tokio::test]
async fn settings_that_are_left_out_are_those_of_the_sandbox() {
    let faults = copresence_sandbox::faults::parse_and_check_faults(br#"[{"on":"redeem","nth":1,"do":"reset"}]"#);
    let settings = SandboxSettings {
        scenario: BuiltInScenarioName::Fails.into(),
        speed: 3.0,
        faults: faults.expect("valid"),
        ..SandboxSettings::default()
    };
    let test = TestSandbox::with_settings(settings);
    let world = ClientOfWorld::create(&test, json!({})).await;
    let state = world.send_under_url(Method::GET, "/sandbox/state", "").await.json();
    assert_eq!(
        (&state["scenario"], &state["clock"]["speed"], &state["clock"]["paused"]),
        (&json!("fails"), &json!(3.0), &json!(false))
    );
    assert_eq!(world.send_under_url(Method::GET, "/sandbox/faults", "").await.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn worlds_are_listed_shown_and_deleted() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let world = ClientOfWorld::create(&test, json!({"seed": 5, "idle_limit_seconds": 60})).await;
    let token = world.generate().await;
    let path = format!("/sandbox/worlds/{}", world.text("id"));
    let shown = test.get(&path, &[]).await;
    assert!(!shown.text().contains(world.text("api_key")), "no credential");
    let shown = shown.json();
    assert_eq!((&shown["seed"], &shown["tokens"], &shown["idle_limit_seconds"]), (&json!(5), &json!(1), &json!(60)));
    assert_eq!(test.get("/sandbox/worlds", &[]).await.json()[0]["id"], shown["id"]);
    assert_eq!(test.send_request(Method::DELETE, &path, &[], Body::empty()).await.status, 204);
    assert_eq!(test.send_request(Method::DELETE, &path, &[], Body::empty()).await.status_and_code(), (404, 101));
    assert_eq!(test.get(&path, &[]).await.status, 404);
    assert_eq!(world.redeem(&token).await.status, 403, "its key is unknown");
    assert_eq!(test.get("/sandbox/worlds", &[]).await.json(), json!([]));
}

#[tokio::test]
async fn invalid_settings_are_refused() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    for (bad, says) in [
        (r#"{"sed":1}"#, "seed"),
        (r#"{"seed":1.5}"#, "`seed`: a whole number from 0 on is needed, not 1.5"),
        ("[]", "not a JSON object"),
        ("{} {}", "trailing"),
        (r#"{"speed":0}"#, "speed"),
        (r#"{"scenario":"sunny"}"#, "existing-avatar"),
        (r#"{"idle_limit_seconds":0}"#, "idle_limit_seconds"),
        (r#"{"faults":[{"on":"redeem","do":"ignore_range"}]}"#, "file"),
    ] {
        let refused = test.post("/sandbox/worlds", bad).await;
        assert_eq!(refused.status_and_code(), (400, 107), "{bad}");
        assert!(refused.text().contains(says), "{bad}: {}", refused.text());
    }
    assert!(test.sandbox.list_world_views().is_empty());
}

#[tokio::test]
async fn unused_world_ends_by_itself() {
    let settings = SandboxSettings { world_idle_limit: Duration::ZERO, ..SandboxSettings::default() };
    let test = TestSandbox::with_settings(settings);
    let held = test.sandbox.create_world(WorldSettings::default()).expect("room");
    let unused = ClientOfWorld::create(&test, json!({})).await;
    test.sandbox.clean_up_worlds_and_avatars();
    let views = test.sandbox.list_world_views();
    assert_eq!(views.iter().map(|world| Some(world.id.as_str())).collect::<Vec<_>>(), [held.world_id()]);
    assert_eq!(unused.send_under_url(Method::GET, "/sandbox/state", "").await.status, 404);
    drop(held);
    test.sandbox.clean_up_worlds_and_avatars();
    assert!(test.sandbox.list_world_views().is_empty());
}

#[tokio::test]
async fn tokens_and_log_of_a_world_are_bounded() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let world = ClientOfWorld::create(&test, json!({"paused": true})).await;
    for _ in 0..1_000 {
        world.generate().await;
    }
    let session = [(SESSION, world.text("session_token"))];
    let refused = world.send_with_key(Method::POST, "/generateExportToken", &session, "").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    world.send_under_url(Method::GET, "/sandbox/state", "").await;
    let log = world.send_under_url(Method::GET, "/sandbox/requests", "").await.json();
    assert_eq!(log.as_array().map(Vec::len), Some(1_000), "the oldest lines are dropped");
    ClientOfWorld::create(&test, json!({})).await.generate().await;
}

/// Everything of a visit that a seed decides: the tokens, the progress, the URLs without the world's prefix, and a file.
async fn visit_with_seed(test: &TestSandbox, seed: u64) -> Vec<String> {
    let world = ClientOfWorld::create(test, json!({"seed": seed, "paused": true})).await;
    let mut observed = Vec::new();
    for _ in 0..2 {
        let token = world.generate().await;
        world.associate(&token).await;
        observed.push(token);
    }
    let mut body = Value::Null;
    while body["avatar_ready"] != true {
        body = world.redeem(&observed[0]).await.json();
        observed.push(body["payload_incomplete"].to_string());
        world.send_under_url(Method::POST, "/sandbox/clock", r#"{"advance_ms":1000}"#).await;
    }
    let paths = body["payload_complete"].as_array().expect("files").iter().map(|file| url_path(&file["download_URL"]));
    let paths: Vec<String> = paths.collect();
    let portrait = test.get(&paths[2], &[]).await;
    observed.push(portrait.header("etag").to_string());
    observed.extend(paths.iter().map(|path| path.replace(world.text("id"), "")));
    observed
}

#[tokio::test]
async fn same_seed_gives_the_same_ids_progress_and_files() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let first = visit_with_seed(&test, 11).await;
    assert_eq!(first, visit_with_seed(&test, 11).await);
    assert_ne!(first[0], visit_with_seed(&test, 12).await[0]);
}

/// One of the parallel tests: it uses its own clock, faults and log, and sees no others. Half of the tests have the same
/// seed, so that their tokens have the same names.
async fn run_isolated_test(test: &TestSandbox, number: u64) {
    let world = ClientOfWorld::create(test, json!({"seed": number % 50, "paused": true})).await;
    let fault = json!([{"on": "redeem", "nth": number % 3 + 1, "do": {"status": {"code": 500 + number % 50}}}]);
    assert_eq!(world.send_under_url(Method::PUT, "/sandbox/faults", &fault.to_string()).await.status, 200);
    let token = world.generate().await;
    for redeem in 0..3 {
        tokio::task::yield_now().await;
        let expected = if redeem == number % 3 { 500 + number % 50 } else { 200 };
        assert_eq!(u64::from(world.redeem(&token).await.status.as_u16()), expected, "test {number}, redeem {redeem}");
    }
    let advance = json!({"advance_ms": 1_000 + number}).to_string();
    for _ in 0..3 {
        world.send_with_key(Method::POST, "/sandbox/clock", &[], &advance).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(world.now_ms().await, 3 * (1_000 + number));
    let state = world.send_under_url(Method::GET, "/sandbox/state", "").await.json();
    let tokens = state["tokens"].as_array().expect("tokens");
    assert_eq!((tokens.len(), &tokens[0]["token"], &tokens[0]["redeems"]), (1, &json!(token), &json!(2)));
    let log = world.send_under_url(Method::GET, "/sandbox/requests", "").await.json();
    let log = log.as_array().expect("lines");
    assert_eq!(log.len(), 10, "1 fault list, 1 token, 3 redeems, 3 moves, 2 looks at the state: {log:?}");
    assert!(log.iter().all(|line| line["world"] == world.created["id"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hundred_parallel_tests_do_not_see_each_other() {
    let test: &'static TestSandbox = Box::leak(Box::new(TestSandbox::new(BuiltInScenarioName::Happy)));
    let mut running = tokio::task::JoinSet::new();
    for number in 0..100 {
        running.spawn(run_isolated_test(test, number));
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("the test passes");
    }
    assert!(test.sandbox.sandbox_state().tokens.is_empty(), "the main world has nothing of it");
    assert_eq!(test.sandbox.list_world_views().len(), 100);
}

#[tokio::test]
async fn pictures_of_tokens_with_the_same_name_are_not_mixed_up() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let portrait = async |with_picture: bool| {
        let world =
            test.sandbox.create_world(WorldSettings { seed: Some(3), ..WorldSettings::default() }).expect("room");
        let id = world.world_id().expect("an id").to_owned();
        let accepted = world.accepted_credentials();
        let headers = [(API_KEY, accepted.api_key.expose()), (SESSION, accepted.session_token.expose())];
        let token = test.send_request(Method::POST, "/generateExportToken", &headers, "").await.json();
        let token = token["token"].as_str().expect("a token").to_owned();
        let face = with_picture.then(image_of_one_colour);
        world.associate_avatar_with_picture(&token, &AvatarChoice::New, None, face).expect("free");
        let headers = [(API_KEY, accepted.api_key.expose()), (TOKEN, &token)];
        let ready = test.get("/redeemExportToken", &headers).await.json();
        let path = url_path(&ready["payload_complete"][2]["download_URL"]);
        (token, id, test.get(&path, &[]).await.body)
    };
    let (token, first_id, plain) = portrait(false).await;
    let (same_token, second_id, with_face) = portrait(true).await;
    assert_eq!(token, same_token);
    assert_ne!(first_id, second_id);
    assert_ne!(plain, with_face);
    assert_eq!(portrait(false).await.2, plain);
}

fn image_of_one_colour() -> image::RgbImage {
    image::RgbImage::from_pixel(64, 64, image::Rgb([200, 30, 30]))
}

#[tokio::test]
async fn server_prints_the_requests_of_all_worlds() {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = Server::start(SandboxSettings::default(), listen).await.expect("a free port");
    let mut lines = server.subscribe_to_request_log();
    let http = crate::served::client();
    let created: Value = http
        .post(server.local_url().join("sandbox/worlds").expect("a URL"))
        .send()
        .await
        .expect("sent")
        .json()
        .await
        .expect("JSON");
    let url = created["url"].as_str().expect("a URL");
    assert!(url.starts_with(server.local_url().as_str()), "{url}");
    assert_eq!(http.get(format!("{url}/sandbox/state")).send().await.expect("sent").status(), 200);
    assert_eq!(lines.recv().await.expect("a line").world, None);
    let line = lines.recv().await.expect("a line");
    assert_eq!((line.world.as_deref(), line.path.as_str()), (created["id"].as_str(), "/sandbox/state"));
    server.shut_down_server().await;
}
