//! Layers in front of a healthy sandbox's router that make it violate one requirement.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, response::Parts};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use copresence_sandbox::{Sandbox, TokenPhase};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(crate) const KEY: &str = "x-copresence-rest-api-key";
pub(crate) const SESSION: &str = "x-copresence-session-token";
pub(crate) const TOKEN: &str = "x-copresence-export-token";
pub(crate) const GENERATE: &str = "/generateExportToken";
pub(crate) const REDEEM: &str = "/redeemExportToken";

/// The parts of a request that a change of its response may depend on.
#[derive(Debug, Clone)]
pub(crate) struct RequestInfo {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl RequestInfo {
    pub(crate) fn from_request(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible"))
    }
}

/// A complete response.
pub(crate) struct WholeResponse {
    pub(crate) parts: Parts,
    pub(crate) body: Vec<u8>,
}

impl WholeResponse {
    pub(crate) async fn from_response(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.map(Vec::from).unwrap_or_default();
        Self { parts, body }
    }

    pub(crate) fn into_response(mut self) -> Response {
        self.parts.headers.remove("content-length");
        Response::from_parts(self.parts, Body::from(self.body))
    }

    pub(crate) fn status(&self) -> u16 {
        self.parts.status.as_u16()
    }

    pub(crate) fn set_status(&mut self, status: u16) {
        self.parts.status = StatusCode::from_u16(status).expect("a status");
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = self.json();
        change(&mut value);
        self.body = value.to_string().into_bytes();
    }

    pub(crate) fn set_header(&mut self, name: &'static str, value: &str) {
        self.parts.headers.insert(name, value.parse().expect("a value"));
    }

    pub(crate) fn completion_status(&self) -> String {
        self.json()["payload_incomplete"]["completion_status"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn is_delivery(&self) -> bool {
        self.json()["avatar_ready"] == json!(true)
    }

    /// Turns the response into that of a token that was not scanned.
    pub(crate) fn become_fresh(&mut self) {
        self.set_status(200);
        self.edit(|body| {
            *body = json!({"avatar_ready": false, "payload_incomplete": {
                "completion_progress": -1, "completion_status": "no_associated_avatar", "queue_position": -1,
            }});
        });
    }
}

/// Changes responses.
pub(crate) fn change_responses(
    app: Router,
    change: impl Fn(&RequestInfo, &mut WholeResponse) + Clone + Send + Sync + 'static,
) -> Router {
    app.layer(from_fn(move |request: Request, next: Next| {
        let change = change.clone();
        async move {
            let info = RequestInfo::from_request(&request);
            let mut response = WholeResponse::from_response(next.run(request).await).await;
            change(&info, &mut response);
            response.into_response()
        }
    }))
}

/// Changes the responses of redeems with status 200.
pub(crate) fn change_redeems(
    app: Router,
    change: impl Fn(&mut WholeResponse) + Clone + Send + Sync + 'static,
) -> Router {
    change_responses(app, move |request, response| {
        if request.path == REDEEM && response.status() == 200 {
            change(response);
        }
    })
}

/// Changes the status reports of one status.
pub(crate) fn change_reports(
    app: Router,
    status: &'static str,
    change: impl Fn(&mut Value) + Clone + Send + Sync + 'static,
) -> Router {
    change_redeems(app, move |response| {
        if response.completion_status() == status {
            response.edit(|body| change(body));
        }
    })
}

/// Changes the response that delivers the URLs.
pub(crate) fn change_delivery(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    change_redeems(app, move |response| {
        if response.is_delivery() {
            response.edit(|body| change(body));
        }
    })
}

/// Changes files with one extension.
pub(crate) fn change_files(
    app: Router,
    ending: &'static str,
    change: impl Fn(&mut WholeResponse) + Clone + Send + Sync + 'static,
) -> Router {
    change_responses(app, move |request, response| {
        if request.path.starts_with("/files/") && request.path.ends_with(ending) && response.status() == 200 {
            change(response);
        }
    })
}

/// Lets each request wait for the response to the one before.
pub(crate) fn answer_one_request_at_a_time(app: Router) -> Router {
    let turn = std::sync::Arc::new(tokio::sync::Mutex::new(()));
    app.layer(from_fn(move |request: Request, next: Next| {
        let turn = turn.clone();
        async move {
            let _turn = turn.lock().await;
            next.run(request).await
        }
    }))
}

/// Changes requests before the sandbox gets them.
pub(crate) fn change_requests(app: Router, change: impl Fn(&mut Request) + Clone + Send + Sync + 'static) -> Router {
    app.layer(from_fn(move |mut request: Request, next: Next| {
        change(&mut request);
        next.run(request)
    }))
}

/// Sets a header that is missing or wrong to its right value, so that the sandbox seems to ignore the header.
pub(crate) fn ignore_header(
    app: Router,
    path: &'static str,
    header: &'static str,
    right: &str,
    when: HeaderFault,
) -> Router {
    let right = right.to_owned();
    change_requests(app, move |request| {
        let sent = request.headers().get(header).map(|value| value.to_str().expect("visible").to_owned());
        let applies = match (when, sent) {
            (HeaderFault::Missing, None) => true,
            (HeaderFault::Wrong, Some(sent)) => sent != right,
            _ => false,
        };
        if applies && request.uri().path() == path {
            request.headers_mut().insert(header, right.parse().expect("a value"));
        }
    })
}

/// In which requests a header is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Missing,
    Wrong,
}

/// Changes the body of logins.
pub(crate) fn change_logins(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    app.layer(from_fn(move |request: Request, next: Next| {
        let change = change.clone();
        async move {
            if request.uri().path() != "/login" {
                return next.run(request).await;
            }
            let (mut parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a whole body");
            let mut value: Value = serde_json::from_slice(&body).expect("JSON");
            change(&mut value);
            parts.headers.remove("content-length");
            next.run(Request::from_parts(parts, Body::from(value.to_string()))).await
        }
    }))
}

/// State of a faulty backend.
#[derive(Clone, Default)]
pub(crate) struct Memory<T>(Arc<Mutex<BTreeMap<String, T>>>);

impl<T: Clone> Memory<T> {
    pub(crate) fn get(&self, key: &str) -> Option<T> {
        self.0.lock().expect("no panic").get(key).cloned()
    }

    pub(crate) fn put(&self, key: &str, value: T) {
        self.0.lock().expect("no panic").insert(key.to_owned(), value);
    }

    pub(crate) fn take(&self, key: &str) -> Option<T> {
        self.0.lock().expect("no panic").remove(key)
    }
}

/// The sandbox's tokens, with their phases.
pub(crate) fn sandbox_tokens(sandbox: &Sandbox) -> Vec<(String, TokenPhase)> {
    sandbox.sandbox_state().tokens.into_iter().map(|token| (token.token, token.state)).collect()
}

/// Changes the JSON of a binary glTF.
pub(crate) fn edit_glb(glb: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    let length = u32::from_le_bytes(glb[12..16].try_into().expect("four bytes")) as usize;
    let mut document: Value = serde_json::from_slice(&glb[20..20 + length]).expect("JSON");
    change(&mut document);
    let mut text = document.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let binary = glb.split_off(20 + length);
    glb.truncate(20);
    let number = |n: usize| u32::try_from(n).expect("small").to_le_bytes();
    glb[12..16].copy_from_slice(&number(text.len()));
    glb.extend(text);
    glb.extend(binary);
    let whole = number(glb.len());
    glb[8..12].copy_from_slice(&whole);
}
