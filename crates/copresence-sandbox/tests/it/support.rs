//! A sandbox with a paused clock, and functions that send requests to it.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, ClockChange, Sandbox, SandboxSettings};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const API_KEY: &str = "X-Copresence-REST-API-Key";
pub(crate) const SESSION: &str = "X-Copresence-Session-Token";
pub(crate) const TOKEN: &str = "X-Copresence-Export-Token";

pub(crate) struct TestSandbox {
    pub(crate) sandbox: Sandbox,
    pub(crate) app: Router,
}

pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TestResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible"))
    }

    /// The status and the `code` of an error response, which must have exactly the backend's fields.
    pub(crate) fn status_and_code(&self) -> (u16, i64) {
        let body = self.json();
        assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{body}");
        assert_eq!(body.as_object().expect("an object").len(), 2, "{body}");
        (self.status.as_u16(), body["code"].as_i64().expect("a code"))
    }
}

impl TestSandbox {
    pub(crate) fn new(scenario: BuiltInScenarioName) -> Self {
        Self::with_settings(SandboxSettings { scenario: scenario.into(), seed: 1, ..SandboxSettings::default() })
    }

    pub(crate) fn with_settings(settings: SandboxSettings) -> Self {
        let sandbox = Sandbox::new(settings).expect("a sandbox");
        sandbox.change_clock(&ClockChange { paused: Some(true), ..ClockChange::default() }).expect("paused");
        Self { app: copresence_sandbox::build_router(sandbox.clone()), sandbox }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> TestResponse {
        let response = self.app.clone().oneshot(request).await.expect("infallible");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        TestResponse { status, headers, body }
    }

    pub(crate) async fn send_request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> TestResponse {
        self.send(request(method, path, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> TestResponse {
        self.send_request(Method::GET, path, headers, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> TestResponse {
        self.send_request(Method::POST, path, &[], body).await
    }

    pub(crate) async fn generate(&self) -> String {
        let known = self.sandbox.accepted_credentials();
        let headers = [(API_KEY, known.api_key.expose()), (SESSION, known.session_token.expose())];
        let response = self.send_request(Method::POST, "/generateExportToken", &headers, Body::empty()).await;
        assert_eq!(response.status, 200);
        response.json()["token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn redeem(&self, token: &str) -> TestResponse {
        let key = self.sandbox.accepted_credentials().api_key.expose().to_owned();
        self.get("/redeemExportToken", &[(API_KEY, &key), (TOKEN, token)]).await
    }

    pub(crate) fn associate(&self, token: &str) {
        self.sandbox.associate_avatar(token, &AvatarChoice::New, None).expect("free");
    }

    pub(crate) fn advance_seconds(&self, seconds: u64) {
        let change = ClockChange { advance_ms: Some(seconds * 1_000), ..ClockChange::default() };
        self.sandbox.change_clock(&change).expect("moved");
    }

    /// Generates a token, associates an avatar and redeems it. Returns type and path of each file.
    pub(crate) async fn redeem_new_avatar(&self) -> Vec<(String, String)> {
        let token = self.generate().await;
        self.associate(&token);
        self.advance_seconds(120);
        let body = self.redeem(&token).await.json();
        let path = |url: &str| url::Url::parse(url).expect("a URL").path().to_owned();
        let entries = body["payload_complete"].as_array().expect("ready").iter();
        entries
            .map(|entry| {
                let text = |field: &str| entry[field].as_str().expect("a string").to_owned();
                (text("export_type"), path(&text("download_URL")))
            })
            .collect()
    }
}

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}
