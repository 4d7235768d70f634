//! The vendor's endpoints against raw JSON from the specification.

use crate::support::{API_KEY, SESSION, TOKEN, TestSandbox};
use axum::body::Body;
use axum::http::Method;
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName};

const WAITING: &str = r#"{"avatar_ready":false,"payload_incomplete":{"completion_progress":-1,"completion_status":"no_associated_avatar","queue_position":-1}}"#;
const TWELFTH: &str = r#"{"avatar_ready":false,"payload_incomplete":{"completion_progress":0,"completion_status":"in_queue","queue_position":12}}"#;

#[tokio::test]
async fn token_goes_through_the_queue_to_files_and_is_spent() {
    let test = TestSandbox::new(BuiltInScenarioName::LongQueue);
    let token = test.generate().await;
    let waiting = test.redeem(&token).await;
    assert_eq!((waiting.status.as_u16(), waiting.text()), (200, WAITING));
    assert_eq!(waiting.header("content-type"), "application/json");
    assert_eq!(waiting.header("cache-control"), "no-store");
    test.associate(&token);
    assert_eq!(test.redeem(&token).await.text(), TWELFTH);
    test.advance_seconds(300);
    let ready = test.redeem(&token).await;
    let body = ready.json();
    assert_eq!(body["avatar_ready"], true);
    assert!(body.get("payload_incomplete").is_none());
    let types: Vec<_> = body["payload_complete"].as_array().expect("a list").iter().collect();
    let kinds: Vec<_> = types.iter().map(|entry| entry["export_type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["glb", "obj", "png"]);
    assert!(types.iter().all(|entry| entry["download_URL"].as_str().is_some_and(|u| u.starts_with("http://"))));
    assert_eq!(test.redeem(&token).await.status_and_code(), (400, 101), "spent");
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let known = test.sandbox.accepted_credentials();
    let (key, session) = (known.api_key.expose(), known.session_token.expose());
    let generate = async |headers: &[(&str, &str)]| {
        test.send_request(Method::POST, "/generateExportToken", headers, Body::empty()).await.status_and_code()
    };
    assert_eq!(generate(&[(SESSION, session)]).await, (403, 119));
    assert_eq!(generate(&[(API_KEY, "wrong"), (SESSION, session)]).await, (403, 119));
    assert_eq!(generate(&[(API_KEY, key)]).await, (401, 209));
    assert_eq!(generate(&[(API_KEY, key), (SESSION, "r:wrong")]).await, (401, 209));
    let token = test.generate().await;
    let redeem = async |headers: &[(&str, &str)]| test.get("/redeemExportToken", headers).await.status_and_code();
    assert_eq!(redeem(&[(TOKEN, &token)]).await, (403, 119));
    assert_eq!(redeem(&[(API_KEY, key)]).await, (400, 101));
    assert_eq!(redeem(&[(API_KEY, key), (TOKEN, "unknown")]).await, (400, 101));
}

#[tokio::test]
async fn login_returns_a_valid_session_token() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let known = test.sandbox.accepted_credentials();
    let key = known.api_key.expose();
    let login = async |body: String| test.send_request(Method::POST, "/login", &[(API_KEY, key)], body).await;
    let body =
        |password: &str| serde_json::json!({"username": known.username.expose(), "password": password}).to_string();
    let response = login(body(known.password.expose())).await.json();
    let session = response["sessionToken"].as_str().expect("a session token");
    assert!(session.starts_with("r:") && session != known.session_token.expose());
    let headers = [(API_KEY, key), (SESSION, session)];
    assert_eq!(test.send_request(Method::POST, "/generateExportToken", &headers, Body::empty()).await.status, 200);
    assert_eq!(login(body("wrong")).await.status_and_code(), (401, 101));
    assert_eq!(login("{".into()).await.status_and_code(), (400, 107));
    assert_eq!(login("x".repeat(70_000)).await.status, 413);
    assert_eq!(test.send_request(Method::POST, "/login", &[], body("wrong")).await.status_and_code(), (403, 119));
}

#[tokio::test]
async fn head_and_other_methods_are_refused_and_spend_no_token() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let token = test.generate().await;
    test.associate(&token);
    let key = test.sandbox.accepted_credentials().api_key.expose().to_owned();
    let headers = [(API_KEY, key.as_str()), (TOKEN, &token)];
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
        let response = test.send_request(method.clone(), "/redeemExportToken", &headers, Body::empty()).await;
        assert_eq!(response.status, 405, "{method}");
    }
    assert_eq!(test.get("/generateExportToken", &headers).await.status_and_code(), (405, 108));
    assert_eq!(test.get("/nothing", &[]).await.status_and_code(), (404, 108));
    assert_eq!(test.redeem(&token).await.json()["avatar_ready"], true);
}

#[tokio::test]
async fn failed_avatar_keeps_its_token_and_expired_token_is_refused() {
    let test = TestSandbox::new(BuiltInScenarioName::Fails);
    let token = test.generate().await;
    test.associate(&token);
    test.advance_seconds(60);
    let body = test.redeem(&token).await.json();
    assert_eq!(body["payload_incomplete"]["completion_status"], "failed");
    assert_eq!(body["payload_incomplete"]["queue_position"], -1);
    assert_eq!(body, test.redeem(&token).await.json(), "the progress stays as it stood");
    let test = TestSandbox::new(BuiltInScenarioName::TokenExpires);
    let token = test.generate().await;
    test.associate(&token);
    test.advance_seconds(19);
    assert_eq!(test.redeem(&token).await.status, 200);
    test.advance_seconds(1);
    assert_eq!(test.redeem(&token).await.status_and_code(), (400, 101));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_concurrent_redeems_gets_the_urls() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let token = test.generate().await;
    test.sandbox.associate_avatar(&token, &AvatarChoice::Existing("ari".into()), None).expect("free");
    let key = test.sandbox.accepted_credentials().api_key.expose().to_owned();
    let redeems = (0..32).map(|_| {
        let (test, token, key) =
            (TestSandbox { sandbox: test.sandbox.clone(), app: test.app.clone() }, token.clone(), key.clone());
        tokio::spawn(async move {
            test.get("/redeemExportToken", &[(API_KEY, &key), (TOKEN, &token)]).await.status.as_u16()
        })
    });
    let mut statuses = Vec::new();
    for redeem in redeems.collect::<Vec<_>>() {
        statuses.push(redeem.await.expect("a response"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 400), "{statuses:?}");
}

#[tokio::test]
async fn download_urls_use_the_host_header_or_the_public_url() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let first_url = async |test: &TestSandbox, host: &str| {
        let token = test.generate().await;
        test.associate(&token);
        let key = test.sandbox.accepted_credentials().api_key.expose().to_owned();
        let headers = [(API_KEY, key.as_str()), (TOKEN, &token), ("Host", host)];
        let body = test.get("/redeemExportToken", &headers).await.json();
        body["payload_complete"][0]["download_URL"].as_str().expect("a URL").to_owned()
    };
    assert!(first_url(&test, "192.168.1.2:8787").await.starts_with("http://192.168.1.2:8787/files/"));
    let public = TestSandbox::with_settings(copresence_sandbox::SandboxSettings {
        scenario: BuiltInScenarioName::ExistingAvatar.into(),
        public_url: Some("https://booth.test/sandbox/".parse().expect("a URL")),
        ..copresence_sandbox::SandboxSettings::default()
    });
    assert!(first_url(&public, "127.0.0.1").await.starts_with("https://booth.test/sandbox/files/"));
}

#[tokio::test]
async fn openapi_document_names_the_response_fields() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let api = test.get("/openapi.json", &[]).await.json();
    assert_eq!(api["openapi"], "3.1.0");
    for path in ["/login", "/generateExportToken", "/redeemExportToken", "/files/{id}/{file}", "/sandbox/state"] {
        assert!(api["paths"].get(path).is_some(), "{path}");
    }
    let fields = |schema: &str| -> Vec<String> {
        let properties = api["components"]["schemas"][schema]["properties"].as_object();
        let mut names: Vec<_> = properties.unwrap_or_else(|| panic!("{schema}")).keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(fields("Login"), ["sessionToken"]);
    assert_eq!(fields("ExportToken"), ["token"]);
    assert_eq!(fields("Redeemed"), ["avatar_ready", "payload_complete", "payload_incomplete"]);
    assert_eq!(fields("Export"), ["download_URL", "export_type"]);
    assert_eq!(fields("Incomplete"), ["completion_progress", "completion_status", "queue_position"]);
    assert_eq!(fields("Error"), ["code", "error"]);
}

#[tokio::test]
async fn index_page_explains_the_calls_and_contains_no_secret() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let page = test.get("/", &[]).await;
    let known = test.sandbox.accepted_credentials();
    for secret in [known.api_key.expose(), known.session_token.expose(), known.password.expose()] {
        assert!(!page.text().contains(secret));
    }
    assert!(page.text().contains("/redeemExportToken") && page.text().contains("never-scanned"));
    assert!(page.text().contains("reset_after_spending") && page.text().contains("src=\"static/index.js\""));
    assert_eq!(test.get("/static/index.js", &[]).await.header("content-type"), "text/javascript; charset=utf-8");
}
