//! Logging in, and making tokens.

use super::Wrong::Layer;
use super::{Mutant, key, mutant, requests_before_routing, session};
use crate::wrong::{GENERATE, KEY, Memory, SESSION, When, answers, ignores, logins};
use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn mutants() -> Vec<Mutant> {
    vec![
        mutant(
            "a login takes any password",
            &["login.wrong-password"],
            Layer(|sandbox, app| {
                let known = sandbox.credentials().clone();
                logins(app, move |body| {
                    if body["username"] == known.username.expose() {
                        body["password"] = known.password.expose().into();
                    }
                })
            }),
        ),
        mutant(
            "a login takes anybody",
            &["login.unknown-user"],
            Layer(|sandbox, app| {
                let known = sandbox.credentials().clone();
                logins(app, move |body| {
                    if body["username"] != known.username.expose() {
                        *body =
                            json!({"username": known.username.expose(), "password": known.password.expose()});
                    }
                })
            }),
        ),
        mutant(
            "a login needs no API key",
            &["login.needs-key"],
            Layer(|sandbox, app| ignores(app, "/login", KEY, &key(sandbox), When::Missing)),
        ),
        mutant(
            "the session token has another name",
            &["login.gives-session"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    if asked.path == "/login" && answer.status() == 200 {
                        answer.edit(|body| *body = json!({"session": body["sessionToken"]}));
                    }
                })
            }),
        ),
        mutant(
            "a token without the API key",
            &["generate.no-key"],
            Layer(|sandbox, app| ignores(app, GENERATE, KEY, &key(sandbox), When::Missing)),
        ),
        mutant(
            "a token for any API key",
            &["generate.wrong-key"],
            Layer(|sandbox, app| ignores(app, GENERATE, KEY, &key(sandbox), When::Wrong)),
        ),
        mutant(
            "a token without a session token",
            &["generate.no-session"],
            Layer(|sandbox, app| ignores(app, GENERATE, SESSION, &session(sandbox), When::Missing)),
        ),
        mutant(
            "a token for any session token",
            &["generate.wrong-session"],
            Layer(|sandbox, app| ignores(app, GENERATE, SESSION, &session(sandbox), When::Wrong)),
        ),
        mutant(
            "a token by GET",
            &["generate.get-makes-none"],
            Layer(|_, app| {
                requests_before_routing(app, |request| {
                    if request.uri().path() == GENERATE && request.method() == Method::GET {
                        *request.method_mut() = Method::POST;
                    }
                })
            }),
        ),
        mutant(
            "one token for all",
            &["generate.distinct"],
            Layer(|_, app| {
                let first = Memory::default();
                answers(app, move |asked, answer| {
                    if asked.path == GENERATE && answer.status() == 200 {
                        match first.get("") {
                            Some(body) => answer.body = body,
                            None => first.put("", answer.body.clone()),
                        }
                    }
                })
            }),
        ),
        mutant(
            "a token that is a number",
            &["generate.token-string"],
            Layer(|_, app| generated(app, |body| body["token"] = json!(12_345_678))),
        ),
        mutant(
            "a token with a line end in it",
            &["generate.token-string"],
            Layer(|_, app| generated(app, |body| body["token"] = json!("abc\ndefghij"))),
        ),
        mutant(
            "a token under another name",
            &["generate.token-string"],
            Layer(|_, app| generated(app, |body| *body = json!({"exportToken": body["token"]}))),
        ),
        mutant(
            "a token as text/html",
            &["generate.json"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    if asked.path == GENERATE && answer.status() == 200 {
                        answer.set_header("content-type", "text/html");
                    }
                })
            }),
        ),
    ]
}

fn generated(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    answers(app, move |asked, answer| {
        if asked.path == GENERATE && answer.status() == 200 {
            answer.edit(|body| change(body));
        }
    })
}
