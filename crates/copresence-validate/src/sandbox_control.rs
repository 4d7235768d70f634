//! Client for the control endpoints of a sandbox (`/sandbox/…`). Sends no credential of the backend.

use crate::target::is_loopback_url;
use copresence_client::probe::{ProbeRequest, ProbeResponse, Prober};
use copresence_client::{CallKind, SetupError, Timeouts};
use copresence_protocol::ApiKey;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Header that authorises control calls from another machine than the sandbox's own.
const OPERATOR_KEY_HEADER: &str = "X-Sandbox-Operator-Key";

/// How a sandbox loses the response to a redeem that spent its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostResponseKind {
    /// The connection is reset without a response.
    ConnectionReset,
    /// A gateway answers 502 in its place.
    BadGateway,
    /// A gateway answers 504 in its place.
    GatewayTimeout,
}

impl LostResponseKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ConnectionReset, Self::BadGateway, Self::GatewayTimeout];

    /// Describes for people how the response was lost.
    pub fn describe_response_loss(self) -> &'static str {
        match self {
            Self::ConnectionReset => "the connection was reset",
            Self::BadGateway => "a gateway answered 502",
            Self::GatewayTimeout => "a gateway answered 504",
        }
    }
}

/// Controls one sandbox. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SandboxControl {
    base_url: Url,
    operator_key: Option<ApiKey>,
    prober: Arc<Prober>,
}

impl SandboxControl {
    /// Returns the sandbox at this URL, if its control endpoint lists scenarios; otherwise `None`.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub async fn detect_sandbox_at_url(base: Url, operator: Option<ApiKey>) -> Result<Option<Self>, SetupError> {
        let prober = Arc::new(Prober::new(Timeouts::default(), base.scheme() == "https")?);
        let tester = Self { base_url: base, operator_key: operator, prober };
        let scenarios = tester.send_control_request(Method::GET, &["scenarios"], None).await.ok();
        let is_scenario = |row: &Value| row.get("name").is_some() && row.get("does").is_some();
        let is_one = scenarios.is_some_and(|list| list.as_array().is_some_and(|list| list.iter().all(is_scenario)));
        Ok(is_one.then_some(tester))
    }

    /// Returns the sandbox behind a backend URL, if the backend is a sandbox that can be controlled from here: it runs
    /// on this machine, or its operator key is given. Sends nothing to any other backend.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub async fn detect_controllable_sandbox(base: &Url, operator: Option<ApiKey>) -> Result<Option<Self>, SetupError> {
        if !is_loopback_url(base) && operator.is_none() {
            return Ok(None);
        }
        Self::detect_sandbox_at_url(base.clone(), operator).await
    }

    /// Associates a new avatar with the token, as a phone does after the scan.
    ///
    /// # Errors
    /// If the sandbox does not respond, or responds with an error status.
    pub async fn associate_avatar(&self, token: &str, scenario: Option<&str>) -> Result<(), String> {
        let mut body = json!({ "avatar": "new" });
        if let Some(scenario) = scenario {
            body["scenario"] = scenario.into();
        }
        self.send_control_request(Method::POST, &["tokens", token, "associate"], Some(body)).await.map(drop)
    }

    /// Forces a token into a state: `expire`, `fail` or `complete`.
    ///
    /// # Errors
    /// If the sandbox does not respond, or responds with an error status.
    pub async fn force_token_state(&self, token: &str, state: &str) -> Result<(), String> {
        self.send_control_request(Method::POST, &["tokens", token, state], None).await.map(drop)
    }

    /// Advances the sandbox's clock.
    ///
    /// # Errors
    /// If the sandbox does not respond, or responds with an error status.
    pub async fn advance_clock(&self, time: Duration) -> Result<(), String> {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.send_control_request(Method::POST, &["clock"], Some(json!({ "advance_ms": milliseconds }))).await.map(drop)
    }

    /// Speed of the sandbox's clock: its seconds per real second, more than 0.
    ///
    /// # Errors
    /// If the sandbox does not respond, or reports no positive speed.
    pub async fn fetch_clock_speed(&self) -> Result<f64, String> {
        let state = self.send_control_request(Method::GET, &["state"], None).await?;
        let speed = state.get("clock").and_then(|clock| clock.get("speed")?.as_f64());
        speed
            .filter(|speed| speed.is_finite() && *speed > 0.0)
            .ok_or_else(|| "the sandbox reports no clock speed".to_owned())
    }

    /// Fetches the sandbox's own record of a token.
    ///
    /// # Errors
    /// If the sandbox does not respond, or does not know the token.
    pub async fn fetch_token_record(&self, token: &str) -> Result<Value, String> {
        let state = self.send_control_request(Method::GET, &["state"], None).await?;
        let all = state.get("tokens").and_then(Value::as_array);
        let this = all.into_iter().flatten().find(|row| row.get("token").and_then(Value::as_str) == Some(token));
        this.cloned().ok_or_else(|| "the sandbox does not know this token".to_owned())
    }

    /// Number of redeem requests that the sandbox counted for a token.
    ///
    /// # Errors
    /// If the sandbox does not respond, or does not know the token.
    pub async fn fetch_redeem_count(&self, token: &str) -> Result<u64, String> {
        let row = self.fetch_token_record(token).await?;
        row.get("redeems").and_then(Value::as_u64).ok_or_else(|| "the sandbox reports no redeem count".to_owned())
    }

    /// Makes the sandbox lose its next response to a redeem, which spends its token. Replaces all of the sandbox's
    /// faults.
    ///
    /// # Errors
    /// If the sandbox does not respond, or responds with an error status.
    pub async fn replace_faults_by_lost_redeem_response(&self, kind: LostResponseKind) -> Result<(), String> {
        let effect = match kind {
            LostResponseKind::ConnectionReset => json!("reset_after_spending"),
            LostResponseKind::BadGateway => json!({ "status": { "code": 502, "spends": true } }),
            LostResponseKind::GatewayTimeout => json!({ "status": { "code": 504, "spends": true } }),
        };
        let fault = json!([{ "on": "redeem", "nth": [1], "do": effect }]);
        self.send_control_request(Method::PUT, &["faults"], Some(fault)).await.map(drop)
    }

    /// Removes all faults.
    ///
    /// # Errors
    /// If the sandbox does not respond, or responds with an error status.
    pub async fn clear_faults(&self) -> Result<(), String> {
        self.send_control_request(Method::DELETE, &["faults"], None).await.map(drop)
    }

    /// Sends a request to a control endpoint of the sandbox, and returns the JSON response.
    async fn send_control_request(&self, method: Method, path: &[&str], body: Option<Value>) -> Result<Value, String> {
        let mut url = self.base_url.clone();
        url.path_segments_mut()
            .map_err(|()| "the sandbox's URL has no path")?
            .pop_if_empty()
            .push("sandbox")
            .extend(path);
        let mut headers = Vec::new();
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        if let Some(key) = &self.operator_key {
            headers.push((OPERATOR_KEY_HEADER.to_owned(), key.expose().to_owned()));
        }
        let body = body.map(|body| body.to_string());
        let limit = 16 * 1024 * 1024;
        let probe =
            ProbeRequest { call: CallKind::Redeem, method, url, headers, body, token_pointer: None, max_body: limit };
        let probed = self.prober.send_probe(probe).await.map_err(|error| error.to_string())?;
        let ProbeResponse { status, body, .. } = probed.response.map_err(|error| error.to_string())?;
        if !(200..300).contains(&status) {
            let why: Value = serde_json::from_slice(&body).unwrap_or_default();
            let why = why.get("error").and_then(Value::as_str).unwrap_or("it is not a sandbox").to_owned();
            return Err(format!("the sandbox responded with {status}: {why}"));
        }
        if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body).map_err(|error| error.to_string()) }
    }
}
