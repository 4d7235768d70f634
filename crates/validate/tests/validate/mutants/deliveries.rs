//! The URLs, and what they do to the token.

use super::Wrong::Layer;
use super::{Mutant, mutant};
use crate::wrong::{Answer, Memory, REDEEM, TOKEN, answers, delivery, tokens};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use sandbox::TokenPhase;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn mutants() -> Vec<Mutant> {
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
                    each(body, |entry| entry["download_URL"] = json!("/files/abc/avatar.glb"));
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
                    });
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
                    });
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
                    });
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

fn each(body: &mut Value, change: impl Fn(&mut Value)) {
    body["payload_complete"].as_array_mut().expect("a list").iter_mut().for_each(change);
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
