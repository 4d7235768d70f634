//! How a healthy sandbox is made wrong in one thing: layers before its router.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, response::Parts};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use sandbox::{Sandbox, TokenPhase};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(crate) const KEY: &str = "x-copresence-rest-api-key";
pub(crate) const SESSION: &str = "x-copresence-session-token";
pub(crate) const TOKEN: &str = "x-copresence-export-token";
pub(crate) const GENERATE: &str = "/generateExportToken";
pub(crate) const REDEEM: &str = "/redeemExportToken";

/// What was asked, for those that change the answer.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn of(request: &Request) -> Self {
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

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) parts: Parts,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.map(Vec::from).unwrap_or_default();
        Self { parts, body }
    }

    pub(crate) fn response(mut self) -> Response {
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

    /// The answer to a token that nobody has scanned.
    pub(crate) fn become_fresh(&mut self) {
        self.set_status(200);
        self.edit(|body| {
            *body = json!({"avatar_ready": false, "payload_incomplete": {
                "completion_progress": -1, "completion_status": "no_associated_avatar", "queue_position": -1,
            }});
        });
    }
}

/// Changes answers.
pub(crate) fn answers(
    app: Router,
    change: impl Fn(&Asked, &mut Answer) + Clone + Send + Sync + 'static,
) -> Router {
    app.layer(from_fn(move |request: Request, next: Next| {
        let change = change.clone();
        async move {
            let asked = Asked::of(&request);
            let mut answer = Answer::of(next.run(request).await).await;
            change(&asked, &mut answer);
            answer.response()
        }
    }))
}

/// Changes the answers of redeems with status 200.
pub(crate) fn redeems(app: Router, change: impl Fn(&mut Answer) + Clone + Send + Sync + 'static) -> Router {
    answers(app, move |asked, answer| {
        if asked.path == REDEEM && answer.status() == 200 {
            change(answer);
        }
    })
}

/// Changes the status reports of one status.
pub(crate) fn reports(
    app: Router,
    status: &'static str,
    change: impl Fn(&mut Value) + Clone + Send + Sync + 'static,
) -> Router {
    redeems(app, move |answer| {
        if answer.completion_status() == status {
            answer.edit(|body| change(body));
        }
    })
}

/// Changes the answer that carries the URLs.
pub(crate) fn delivery(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    redeems(app, move |answer| {
        if answer.is_delivery() {
            answer.edit(|body| change(body));
        }
    })
}

/// Changes files of one ending.
pub(crate) fn files(
    app: Router,
    ending: &'static str,
    change: impl Fn(&mut Answer) + Clone + Send + Sync + 'static,
) -> Router {
    answers(app, move |asked, answer| {
        if asked.path.starts_with("/files/") && asked.path.ends_with(ending) && answer.status() == 200 {
            change(answer);
        }
    })
}

/// Changes requests on their way in.
pub(crate) fn requests(app: Router, change: impl Fn(&mut Request) + Clone + Send + Sync + 'static) -> Router {
    app.layer(from_fn(move |mut request: Request, next: Next| {
        change(&mut request);
        next.run(request)
    }))
}

/// Gives a request a header that it lacks, or had wrong: as a backend that does not look at it.
pub(crate) fn ignores(
    app: Router,
    path: &'static str,
    header: &'static str,
    right: &str,
    when: When,
) -> Router {
    let right = right.to_owned();
    requests(app, move |request| {
        let sent = request.headers().get(header).map(|value| value.to_str().expect("visible").to_owned());
        let strikes = match (when, sent) {
            (When::Missing, None) => true,
            (When::Wrong, Some(sent)) => sent != right,
            _ => false,
        };
        if strikes && request.uri().path() == path {
            request.headers_mut().insert(header, right.parse().expect("a value"));
        }
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Missing,
    Wrong,
}

/// Changes the login's body.
pub(crate) fn logins(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
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

/// What a wrong backend remembers.
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
pub(crate) fn tokens(sandbox: &Sandbox) -> Vec<(String, TokenPhase)> {
    sandbox.state().tokens.into_iter().map(|token| (token.token, token.state)).collect()
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
