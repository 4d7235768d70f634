//! Backends that are wrong in one thing: each is caught by the checks meant for it, and by no other.

use crate::support::{Assets, Serving, credentials, hand, options, serve, target, validate};
use crate::wrong::{
    Answer, GENERATE, KEY, Memory, REDEEM, SESSION, TOKEN, When, answers, delivery, edit_glb, files, ignores,
    logins, redeems, reports, requests, tokens,
};
use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use futures_util::StreamExt;
use futures_util::stream;
use sandbox::{Force, Sandbox, Server, TokenPhase, faults};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use validate::Verdict;
use validate::requirement::level_of;

struct Mutant {
    name: &'static str,
    /// Exactly these fail.
    caught_by: &'static [&'static str],
    wrong: Wrong,
}

enum Wrong {
    /// A layer before the sandbox.
    Layer(fn(&Sandbox, Router) -> Router),
    /// The sandbox's own faults, as JSON.
    Faults(&'static str),
}

use Wrong::{Faults, Layer};

fn mutants() -> Vec<Mutant> {
    let mut all = access();
    all.extend(fresh());
    all.extend(refusals());
    all.extend(progress());
    all.extend(deliveries());
    all.extend(downloads());
    all.extend(manners());
    all
}

const fn mutant(name: &'static str, caught_by: &'static [&'static str], wrong: Wrong) -> Mutant {
    Mutant { name, caught_by, wrong }
}

fn key(sandbox: &Sandbox) -> String {
    sandbox.credentials().api_key.expose().to_owned()
}

fn session(sandbox: &Sandbox) -> String {
    sandbox.credentials().session_token.expose().to_owned()
}

fn access() -> Vec<Mutant> {
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

fn fresh() -> Vec<Mutant> {
    const FRESH: &str = "no_associated_avatar";
    vec![
        mutant(
            "-1 replaced by 0 in the progress",
            &["fresh.progress"],
            Layer(|_, app| {
                reports(app, FRESH, |body| body["payload_incomplete"]["completion_progress"] = json!(0))
            }),
        ),
        mutant(
            "-1 replaced by 0 in the queue",
            &["fresh.queue"],
            Layer(|_, app| {
                reports(app, FRESH, |body| body["payload_incomplete"]["queue_position"] = json!(0))
            }),
        ),
        mutant(
            "-1 as a string",
            &["fresh.progress"],
            Layer(|_, app| {
                reports(app, FRESH, |body| body["payload_incomplete"]["completion_progress"] = json!("-1"))
            }),
        ),
        mutant(
            "a fresh token is `waiting`",
            &["fresh.status"],
            Layer(|_, app| {
                reports(app, FRESH, |body| body["payload_incomplete"]["completion_status"] = json!("waiting"))
            }),
        ),
        mutant(
            "avatar_ready as a string",
            &["redeem.flag"],
            Layer(|_, app| reports(app, FRESH, |body| body["avatar_ready"] = json!("false"))),
        ),
        mutant(
            "avatar_ready left out",
            &["redeem.flag"],
            Layer(|_, app| {
                reports(app, "processing", |body| {
                    body.as_object_mut().expect("an object").remove("avatar_ready");
                })
            }),
        ),
        mutant(
            "no payload_incomplete",
            &["redeem.either-or"],
            Layer(|_, app| {
                reports(app, FRESH, |body| {
                    body.as_object_mut().expect("an object").remove("payload_incomplete");
                })
            }),
        ),
        mutant(
            "202 while not ready",
            &["redeem.active-200"],
            Layer(|_, app| {
                redeems(app, |answer| {
                    if answer.completion_status() == "processing" {
                        answer.set_status(202);
                    }
                })
            }),
        ),
        mutant(
            "redeems as text/plain",
            &["redeem.json"],
            Layer(|_, app| redeems(app, |answer| answer.set_header("content-type", "text/plain"))),
        ),
        mutant(
            "each look counts",
            &["fresh.repeatable"],
            Layer(|_, app| {
                let looks = Arc::new(AtomicU64::new(0));
                reports(app, FRESH, move |body| body["looks"] = looks.fetch_add(1, Ordering::Relaxed).into())
            }),
        ),
    ]
}

fn refusals() -> Vec<Mutant> {
    vec![
        mutant(
            "404 instead of 400",
            &[
                "delivery.spent",
                "redeem.lengthened-400",
                "redeem.mangled-400",
                "redeem.missing-400",
                "redeem.unknown-400",
                "token.expires",
            ],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    if asked.path == REDEEM && answer.status() == 400 {
                        answer.set_status(404);
                    }
                })
            }),
        ),
        mutant(
            "any token of the right form is one",
            &["redeem.unknown-400"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                answers(app, move |asked, answer| {
                    let sent = asked.header(TOKEN);
                    let known =
                        tokens(&sandbox).iter().any(|(token, _)| token[..5] == sent[..sent.len().min(5)]);
                    if asked.path == REDEEM && answer.status() == 400 && !sent.is_empty() && !known {
                        answer.become_fresh();
                    }
                })
            }),
        ),
        mutant(
            "the last character does not count",
            &["redeem.mangled-400"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                requests(app, move |request| {
                    let sent =
                        request.headers().get(TOKEN).map(|value| value.to_str().expect("visible").to_owned());
                    let Some(sent) = sent else { return };
                    let like = |token: &String| {
                        token.len() == sent.len() && token[..token.len() - 1] == sent[..sent.len() - 1]
                    };
                    if let Some((token, _)) = tokens(&sandbox).into_iter().find(|(token, _)| like(token)) {
                        request.headers_mut().insert(TOKEN, token.parse().expect("a value"));
                    }
                })
            }),
        ),
        mutant(
            "what follows the token does not count",
            &["redeem.lengthened-400"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                requests(app, move |request| {
                    let sent =
                        request.headers().get(TOKEN).map(|value| value.to_str().expect("visible").to_owned());
                    let Some(sent) = sent else { return };
                    if let Some((token, _)) =
                        tokens(&sandbox).into_iter().find(|(token, _)| sent.starts_with(token.as_str()))
                    {
                        request.headers_mut().insert(TOKEN, token.parse().expect("a value"));
                    }
                })
            }),
        ),
        mutant(
            "without a token the server fails",
            &["http.no-5xx", "redeem.missing-400"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    if asked.path == REDEEM && asked.header(TOKEN).is_empty() && answer.status() == 400 {
                        answer.set_status(500);
                    }
                })
            }),
        ),
        mutant(
            "without a token all is well",
            &["redeem.missing-400"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    if asked.path == REDEEM && asked.header(TOKEN).is_empty() && answer.status() == 400 {
                        answer.become_fresh();
                    }
                })
            }),
        ),
        mutant(
            "a redeem without the API key",
            &["redeem.no-key"],
            Layer(|sandbox, app| ignores(app, REDEEM, KEY, &key(sandbox), When::Missing)),
        ),
        mutant(
            "a redeem for any API key",
            &["redeem.wrong-key"],
            Layer(|sandbox, app| ignores(app, REDEEM, KEY, &key(sandbox), When::Wrong)),
        ),
        mutant(
            "a redeem by POST",
            &["redeem.post-refused"],
            Layer(|_, app| {
                requests_before_routing(app, |request| {
                    if request.uri().path() == REDEEM && request.method() == Method::POST {
                        *request.method_mut() = Method::GET;
                    }
                })
            }),
        ),
        mutant(
            "a stranger's redeem ends the token",
            &["redeem.untouched"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                answers(app, move |asked, answer| {
                    if asked.path == REDEEM && answer.status() == 403 {
                        _ = sandbox.force(asked.header(TOKEN), Force::Expire);
                    }
                })
            }),
        ),
    ]
}

fn progress() -> Vec<Mutant> {
    fn set(app: Router, status: &'static str, field: &'static str, value: fn(i64) -> Value) -> Router {
        reports(app, status, move |body| {
            let held = &mut body["payload_incomplete"][field];
            *held = value(held.as_i64().expect("an integer"));
        })
    }
    const PERCENT: &str = "completion_progress";
    const QUEUE: &str = "queue_position";
    vec![
        mutant(
            "progress as a share of 1",
            &["progress.percent"],
            Layer(|_, app| {
                set(app, "processing", PERCENT, |n| {
                    json!(0.005 + f64::from(i16::try_from(n).expect("small")) / 1000.0)
                })
            }),
        ),
        mutant(
            "progress over 100",
            &["progress.percent"],
            Layer(|_, app| set(app, "processing", PERCENT, |n| json!(n + 101))),
        ),
        mutant(
            "progress as a string",
            &["progress.percent"],
            Layer(|_, app| set(app, "processing", PERCENT, |n| json!(n.to_string()))),
        ),
        mutant(
            "progress -1 in the queue",
            &["progress.percent"],
            Layer(|_, app| set(app, "in_queue", PERCENT, |_| json!(-1))),
        ),
        mutant(
            "a fifth word for the status",
            &["progress.status"],
            Layer(|_, app| {
                reports(app, "processing", |body| {
                    body["payload_incomplete"]["completion_status"] = json!("rendering")
                })
            }),
        ),
        mutant(
            "the place in the queue as a string",
            &["progress.queue"],
            Layer(|_, app| set(app, "in_queue", QUEUE, |n| json!(n.to_string()))),
        ),
        mutant(
            "no place in the queue",
            &["progress.queue"],
            Layer(|_, app| set(app, "in_queue", QUEUE, |_| json!(-1))),
        ),
        mutant(
            "a place out of the queue",
            &["progress.not-queued"],
            Layer(|_, app| set(app, "processing", QUEUE, |_| json!(0))),
        ),
        mutant(
            "progress that falls",
            &["progress.rises"],
            Layer(|_, app| set(app, "processing", PERCENT, |n| json!(100 - n))),
        ),
        mutant(
            "a place that rises",
            &["progress.queue-falls"],
            Layer(|_, app| set(app, "in_queue", QUEUE, |n| json!(100 - n))),
        ),
        mutant(
            "a failed avatar at -1 %",
            &["failed.fields"],
            Layer(|_, app| set(app, "failed", PERCENT, |_| json!(-1))),
        ),
        mutant(
            "a failed avatar in the queue",
            &["failed.fields"],
            Layer(|_, app| set(app, "failed", QUEUE, |_| json!(0))),
        ),
        mutant(
            "a failed avatar ends its token",
            &["failed.stays-active"],
            Layer(|_, app| {
                let told = Memory::default();
                answers(app, move |asked, answer| {
                    if asked.path == REDEEM && answer.completion_status() == "failed" {
                        if told.get(asked.header(TOKEN)).is_some() {
                            answer.set_status(400);
                            answer.edit(|body| *body = json!({"code": 101, "error": "no such token"}));
                        }
                        told.put(asked.header(TOKEN), ());
                    }
                })
            }),
        ),
        mutant(
            "an avatar that is never ready",
            &["visit.delivered"],
            Layer(|sandbox, app| holds_back(sandbox, app)),
        ),
    ]
}

/// Never tells of the first token's avatar that it is ready.
fn holds_back(sandbox: &Sandbox, app: Router) -> Router {
    let sandbox = sandbox.clone();
    app.layer(from_fn(move |request: Request, next: Next| {
        let sandbox = sandbox.clone();
        async move {
            let sent = request.headers().get(TOKEN).map_or("", |value| value.to_str().expect("visible"));
            let first = tokens(&sandbox).into_iter().next();
            let held = first.is_some_and(|(token, phase)| token == sent && phase == TokenPhase::Ready);
            if request.uri().path() != REDEEM || !held {
                return next.run(request).await;
            }
            let report =
                json!({"completion_progress": 99, "completion_status": "processing", "queue_position": -1});
            let body = json!({"avatar_ready": false, "payload_incomplete": report});
            ([("cache-control", "no-store")], axum::Json(body)).into_response()
        }
    }))
}

fn deliveries() -> Vec<Mutant> {
    vec![
        mutant(
            "avatar_ready false beside the URLs",
            &["delivery.flag"],
            Layer(|_, app| delivery(app, |body| body["avatar_ready"] = json!(false))),
        ),
        mutant(
            "avatar_ready 1 beside the URLs",
            &["delivery.flag"],
            Layer(|_, app| delivery(app, |body| body["avatar_ready"] = json!(1))),
        ),
        mutant(
            "both payloads at once",
            &["redeem.either-or"],
            Layer(|_, app| {
                delivery(app, |body| body["payload_incomplete"] = json!({"completion_progress": 100}))
            }),
        ),
        mutant(
            "URLs without a host",
            &["delivery.urls"],
            Layer(|_, app| {
                delivery(app, |body| {
                    each(body, |entry| entry["download_URL"] = json!("/files/abc/avatar.glb"))
                })
            }),
        ),
        mutant(
            "download_URL in another spelling",
            &["delivery.urls"],
            Layer(|_, app| {
                delivery(app, |body| {
                    each(body, |entry| {
                        let url = entry.as_object_mut().expect("an object").remove("download_URL");
                        entry["download_url"] = url.expect("a URL");
                    })
                })
            }),
        ),
        mutant(
            "ready, with an empty list",
            &["delivery.urls"],
            Layer(|_, app| delivery(app, |body| body["payload_complete"] = json!([]))),
        ),
        mutant(
            "no export_type",
            &["delivery.types"],
            Layer(|_, app| {
                delivery(app, |body| {
                    each(body, |entry| {
                        entry.as_object_mut().expect("an object").remove("export_type");
                    })
                })
            }),
        ),
        mutant(
            "an export_type that is a sentence",
            &["delivery.extension"],
            Layer(|_, app| {
                delivery(app, |body| {
                    each(body, |entry| {
                        if entry["export_type"] == "png" {
                            entry["export_type"] = json!("a portrait, from the front");
                        }
                    })
                })
            }),
        ),
        mutant(
            "no GLB among the exports",
            &["avatar.glb-offered"],
            Layer(|_, app| {
                delivery(app, |body| {
                    let entries = body["payload_complete"].as_array_mut().expect("a list");
                    entries.retain(|entry| entry["export_type"] != "glb");
                })
            }),
        ),
        mutant(
            "a token that works twice",
            &["delivery.race", "delivery.spent"],
            Layer(|_, app| {
                let delivered = Memory::default();
                answers(app, move |asked, answer| {
                    if asked.path != REDEEM {
                        return;
                    }
                    if answer.is_delivery() {
                        delivered.put(asked.header(TOKEN), answer.body.clone());
                    } else if let (400, Some(body)) = (answer.status(), delivered.get(asked.header(TOKEN))) {
                        answer.set_status(200);
                        answer.body = body;
                    }
                })
            }),
        ),
        mutant("two redeems at once both get the URLs", &["delivery.race"], Layer(|_, app| races(app))),
        mutant(
            "a token without an end",
            &["token.expires"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                answers(app, move |asked, answer| {
                    let over = |(token, phase): &(String, TokenPhase)| {
                        token == asked.header(TOKEN) && *phase == TokenPhase::Expired
                    };
                    if asked.path == REDEEM && answer.status() == 400 && tokens(&sandbox).iter().any(over) {
                        answer.become_fresh();
                    }
                })
            }),
        ),
    ]
}

fn downloads() -> Vec<Mutant> {
    vec![
        mutant(
            "a URL that works twice",
            &["files.once"],
            Layer(|_, app| {
                let kept = Memory::default();
                answers(app, move |asked, answer| {
                    if asked.path.starts_with("/files/") {
                        match answer.status() {
                            200 => kept.put(&asked.path, answer.body.clone()),
                            _ if kept.get(&asked.path).is_some() => {
                                answer.set_status(200);
                                answer.body = kept.get(&asked.path).expect("kept");
                            }
                            _ => {}
                        }
                    }
                })
            }),
        ),
        mutant(
            "URLs without an end",
            &["files.end"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    let over = String::from_utf8_lossy(&answer.body).contains("expired");
                    if asked.path.starts_with("/files/") && over {
                        answer.set_status(200);
                        answer.body = b"a face".to_vec();
                    }
                })
            }),
        ),
        mutant(
            "a file that is cut",
            &["files.download"],
            Faults(r#"[{"on":"file","export_type":"glb","nth":1,"do":{"cut_body":{"after":4096}}}]"#),
        ),
        mutant(
            "a file that is refused",
            &["files.download"],
            Faults(r#"[{"on":"file","export_type":"png","nth":1,"do":{"status":{"code":404}}}]"#),
        ),
        mutant(
            "a web page in place of the GLB",
            &["files.content"],
            Layer(|_, app| files(app, ".glb", |answer| answer.body = b"<!doctype html><p>Sorry!".to_vec())),
        ),
        mutant(
            "a GLB of another version",
            &["files.content"],
            Layer(|_, app| files(app, ".glb", |answer| answer.body[4] = 1)),
        ),
        mutant(
            "a GLB that ends early",
            &["files.content"],
            Layer(|_, app| {
                files(app, ".glb", |answer| {
                    let half = answer.body.len() / 2;
                    answer.body.truncate(half);
                })
            }),
        ),
        mutant(
            "an accessor over its view",
            &["files.content"],
            Layer(|_, app| glb(app, |document| document["accessors"][0]["count"] = json!(90_000_000))),
        ),
        mutant(
            "a GLB whose texture is no picture",
            &["files.content"],
            Layer(|_, app| {
                glb(app, |document| {
                    document["images"][0]["bufferView"] =
                        document["meshes"][0]["primitives"][0]["indices"].clone()
                })
            }),
        ),
        mutant(
            "a portrait that is no PNG",
            &["files.content"],
            Layer(|_, app| files(app, ".png", |answer| answer.body = b"GIF89a".to_vec())),
        ),
        mutant(
            "a zip that is broken",
            &["files.content"],
            Layer(|_, app| {
                files(app, ".zip", |answer| {
                    let middle = answer.body.len() / 2;
                    answer.body[middle..middle + 64].fill(0);
                })
            }),
        ),
        mutant(
            "blendshapes under other names",
            &["avatar.blendshapes"],
            Layer(|_, app| {
                glb(app, |document| {
                    for name in document["meshes"][0]["extras"]["targetNames"].as_array_mut().expect("names")
                    {
                        *name = json!(format!("shape_{}", name.as_str().expect("a name")));
                    }
                })
            }),
        ),
        mutant(
            "no texture",
            &["avatar.textures"],
            Layer(|_, app| {
                glb(app, |document| {
                    let document = document.as_object_mut().expect("an object");
                    document.remove("textures");
                    for material in document["materials"].as_array_mut().expect("materials") {
                        *material = json!({});
                    }
                })
            }),
        ),
        mutant(
            "no rig",
            &["avatar.rig"],
            Layer(|_, app| {
                glb(app, |document| {
                    let document = document.as_object_mut().expect("an object");
                    document.remove("skins");
                    for node in document["nodes"].as_array_mut().expect("nodes") {
                        node.as_object_mut().expect("an object").remove("skin");
                    }
                })
            }),
        ),
        mutant(
            "a pair of eyes instead of a head",
            &["avatar.blendshapes", "avatar.vertices"],
            Layer(|_, app| {
                glb(app, |document| {
                    let meshes = document["meshes"].as_array().expect("meshes");
                    let eyes = meshes.iter().find(|mesh| mesh["name"] == "eyes").expect("eyes").clone();
                    document["meshes"] = json!([eyes]);
                    for node in document["nodes"].as_array_mut().expect("nodes") {
                        if node.get("mesh").is_some() {
                            node["mesh"] = json!(0);
                        }
                    }
                })
            }),
        ),
        mutant(
            "files that may be cached",
            &["files.no-store"],
            Faults(r#"[{"on":"file","do":{"headers":{"set":{"cache-control":"public, max-age=600"}}}}]"#),
        ),
    ]
}

fn manners() -> Vec<Mutant> {
    fn errors(app: Router, change: impl Fn(&str, &mut Answer) + Clone + Send + Sync + 'static) -> Router {
        answers(app, move |asked, answer| {
            if asked.path == REDEEM && answer.status() == 400 {
                change(asked.header(TOKEN), answer);
            }
        })
    }
    vec![
        mutant(
            "an error that repeats the token",
            &["errors.no-secret"],
            Layer(|_, app| {
                errors(app, |token, answer| {
                    answer.edit(|body| body["error"] = json!(format!("there is no token {token}")));
                })
            }),
        ),
        mutant(
            "an error with a stack trace",
            &["errors.no-inside"],
            Layer(|_, app| {
                errors(app, |_, answer| {
                    let trace = "TypeError: undefined\n    at redeem (/srv/node_modules/parse/index.js:7)";
                    answer.edit(|body| body["error"] = json!(trace));
                })
            }),
        ),
        mutant(
            "errors as plain text",
            &["errors.form"],
            Layer(|_, app| errors(app, |_, answer| answer.body = b"Bad Request".to_vec())),
        ),
        mutant(
            "errors that differ each time",
            &["errors.idempotent"],
            Layer(|_, app| {
                let count = Arc::new(AtomicU64::new(0));
                errors(app, move |_, answer| {
                    answer.edit(|body| body["code"] = json!(count.fetch_add(1, Ordering::Relaxed)));
                })
            }),
        ),
        mutant(
            "any page may read the answers",
            &["http.cors"],
            Faults(r#"[{"on":"redeem","do":{"headers":{"set":{"access-control-allow-origin":"*"}}}}]"#),
        ),
        mutant(
            "whatever Origin is let in",
            &["http.cors"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    let origin = asked.header("origin").to_owned();
                    if !origin.is_empty() {
                        answer.set_header("access-control-allow-origin", &origin);
                    }
                })
            }),
        ),
        mutant(
            "tokens that may be cached",
            &["http.no-store"],
            Faults(r#"[{"on":"generate","do":{"headers":{"remove":["cache-control"]}}}]"#),
        ),
        mutant(
            "states that may be cached",
            &["http.no-store"],
            Faults(r#"[{"on":"redeem","do":{"headers":{"set":{"cache-control":"max-age=60"}}}}]"#),
        ),
        mutant(
            "a preflight that fails",
            &["http.no-5xx"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    if asked.method == Method::OPTIONS {
                        answer.set_status(500);
                    }
                })
            }),
        ),
        mutant(
            "a connection that is reset",
            &["time.answered"],
            Faults(r#"[{"on":"redeem","nth":4,"do":"reset"}]"#),
        ),
        mutant(
            "an answer that is cut",
            &["time.answered"],
            Faults(r#"[{"on":"redeem","nth":3,"do":{"cut_body":{"after":5}}}]"#),
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

fn each(body: &mut Value, change: impl Fn(&mut Value)) {
    body["payload_complete"].as_array_mut().expect("a list").iter_mut().for_each(change);
}

fn glb(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    files(app, ".glb", move |answer| edit_glb(&mut answer.body, |document| change(document)))
}

/// A layer of a router comes after its routing, so that another method needs a router around it.
fn requests_before_routing(
    app: Router,
    change: impl Fn(&mut Request) + Clone + Send + Sync + 'static,
) -> Router {
    requests(Router::new().fallback_service(app), change)
}

/// Redeems that were begun before the URLs went out get them too.
fn races(app: Router) -> Router {
    let (begun, clock) = (Memory::<(u64, Vec<u8>)>::default(), Arc::new(AtomicU64::new(0)));
    app.layer(from_fn(move |request: Request, next: Next| {
        let (begun, clock) = (begun.clone(), clock.clone());
        async move {
            if request.uri().path() != REDEEM {
                return next.run(request).await;
            }
            let token = request.headers().get(TOKEN).map_or("", |v| v.to_str().expect("visible")).to_owned();
            let came = clock.fetch_add(1, Ordering::SeqCst);
            // Those that were sent together are all here before the first is answered.
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            let mut answer = Answer::of(next.run(request).await).await;
            if answer.is_delivery() {
                begun.put(&token, (clock.load(Ordering::SeqCst), answer.body.clone()));
            } else if let (400, Some((until, body))) = (answer.status(), begun.get(&token))
                && came < until
            {
                answer.set_status(200);
                answer.body = body;
            }
            answer.response()
        }
    }))
}

/// A wrong backend, listening.
enum Running {
    Wrapped(Serving),
    Faulty(Server),
}

impl Running {
    fn url(&self) -> url::Url {
        match self {
            Self::Wrapped(serving) => serving.url.clone(),
            Self::Faulty(server) => server.url(),
        }
    }
}

async fn start(mutant: &Mutant, sandbox: &Sandbox) -> Running {
    match mutant.wrong {
        Layer(layer) => Running::Wrapped(serve(layer(sandbox, sandbox::app(sandbox.clone()))).await),
        Faults(list) => {
            sandbox.set_faults(faults::read(list.as_bytes()).expect("a list")).expect("faults");
            let anywhere = ([127, 0, 0, 1], 0).into();
            Running::Faulty(Server::serve(sandbox.clone(), anywhere).expect("a port"))
        }
    }
}

/// What failed, sorted.
async fn caught(mutant: &Mutant, assets: &Assets) -> Vec<&'static str> {
    let sandbox = assets.sandbox();
    let running = start(mutant, &sandbox).await;
    let target = target(&running.url(), credentials(&sandbox));
    let (_, ended) = validate(&target, &options(), &hand(&running.url()).await).await;
    assert_eq!(ended.error, None, "{}", mutant.name);
    let failed = ended.verdicts.iter().filter(|(_, judged)| judged.verdict() == Verdict::Fail);
    let mut failed: Vec<_> = failed.map(|(check, _)| check.id).collect();
    failed.sort_unstable();
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mutant_is_caught_by_the_checks_meant_for_it_and_by_no_other() {
    let mutants = mutants();
    assert!(mutants.len() >= 40, "{} mutants", mutants.len());
    let assets = &Assets::make();
    let judged: Vec<_> = stream::iter(&mutants)
        .map(|mutant| async move { (mutant, caught(mutant, assets).await) })
        .buffered(4)
        .collect()
        .await;
    let mut wrong = Vec::new();
    println!("{:<44} caught by", "mutant");
    for (mutant, caught) in &judged {
        let told: Vec<_> = caught.iter().map(|id| format!("{id} ({})", level_of(id).as_str())).collect();
        println!("{:<44} {}", mutant.name, told.join(", "));
        let mut meant = mutant.caught_by.to_vec();
        meant.sort_unstable();
        if *caught != meant {
            wrong.push(format!("{}: meant {meant:?}, caught by {caught:?}", mutant.name));
        }
    }
    println!("{} mutants", judged.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
