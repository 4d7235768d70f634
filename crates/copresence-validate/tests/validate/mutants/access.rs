//! Mutants of login and token generation.

use super::Mutation::Layer;
use super::{Mutant, change_requests_before_routing, mutant, sandbox_api_key, sandbox_session_token};
use crate::layers::{GENERATE, HeaderFault, KEY, Memory, SESSION, change_logins, change_responses, ignore_header};
use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn mutants() -> Vec<Mutant> {
    vec![
        mutant(
            "login accepts any password",
            &["login.wrong-password"],
            Layer(|sandbox, app| {
                let known = sandbox.accepted_credentials().clone();
                change_logins(app, move |body| {
                    if body["username"] == known.username.expose() {
                        body["password"] = known.password.expose().into();
                    }
                })
            }),
        ),
        mutant(
            "login accepts any user",
            &["login.unknown-user"],
            Layer(|sandbox, app| {
                let known = sandbox.accepted_credentials().clone();
                change_logins(app, move |body| {
                    if body["username"] != known.username.expose() {
                        *body = json!({"username": known.username.expose(), "password": known.password.expose()});
                    }
                })
            }),
        ),
        mutant(
            "login requires no API key",
            &["login.needs-key"],
            Layer(|sandbox, app| ignore_header(app, "/login", KEY, &sandbox_api_key(sandbox), HeaderFault::Missing)),
        ),
        mutant(
            "the session token has another name",
            &["login.gives-session"],
            Layer(|_, app| {
                change_responses(app, |request, response| {
                    if request.path == "/login" && response.status() == 200 {
                        response.edit(|body| *body = json!({"session": body["sessionToken"]}));
                    }
                })
            }),
        ),
        mutant(
            "a token without the API key",
            &["generate.no-key"],
            Layer(|sandbox, app| ignore_header(app, GENERATE, KEY, &sandbox_api_key(sandbox), HeaderFault::Missing)),
        ),
        mutant(
            "a token for any API key",
            &["generate.wrong-key"],
            Layer(|sandbox, app| ignore_header(app, GENERATE, KEY, &sandbox_api_key(sandbox), HeaderFault::Wrong)),
        ),
        mutant(
            "a token without a session token",
            &["generate.no-session"],
            Layer(|sandbox, app| {
                ignore_header(app, GENERATE, SESSION, &sandbox_session_token(sandbox), HeaderFault::Missing)
            }),
        ),
        mutant(
            "a token for any session token",
            &["generate.wrong-session"],
            Layer(|sandbox, app| {
                ignore_header(app, GENERATE, SESSION, &sandbox_session_token(sandbox), HeaderFault::Wrong)
            }),
        ),
        mutant(
            "a token by GET",
            &["generate.get-makes-none"],
            Layer(|_, app| {
                change_requests_before_routing(app, |request| {
                    if request.uri().path() == GENERATE && request.method() == Method::GET {
                        *request.method_mut() = Method::POST;
                    }
                })
            }),
        ),
        mutant(
            "the same token for all requests",
            &["generate.distinct"],
            Layer(|_, app| {
                let first = Memory::default();
                change_responses(app, move |request, response| {
                    if request.path == GENERATE && response.status() == 200 {
                        match first.get("") {
                            Some(body) => response.body = body,
                            None => first.put("", response.body.clone()),
                        }
                    }
                })
            }),
        ),
        mutant(
            "a token that is a number",
            &["generate.token-string"],
            Layer(|_, app| change_generated(app, |body| body["token"] = json!(12_345_678))),
        ),
        mutant(
            "a token that contains a newline",
            &["generate.token-string"],
            Layer(|_, app| change_generated(app, |body| body["token"] = json!("abc\ndefghij"))),
        ),
        mutant(
            "a token under another name",
            &["generate.token-string"],
            Layer(|_, app| change_generated(app, |body| *body = json!({"exportToken": body["token"]}))),
        ),
        mutant(
            "a token as text/html",
            &["generate.json"],
            Layer(|_, app| {
                change_responses(app, |request, response| {
                    if request.path == GENERATE && response.status() == 200 {
                        response.set_header("content-type", "text/html");
                    }
                })
            }),
        ),
    ]
}

fn change_generated(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    change_responses(app, move |request, response| {
        if request.path == GENERATE && response.status() == 200 {
            response.edit(|body| change(body));
        }
    })
}
