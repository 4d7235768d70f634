//! Mutants of the delivery and its effect on the token.

use super::Mutation::Layer;
use super::{Mutant, mutant};
use crate::layers::{
    Memory, REDEEM, TOKEN, WholeResponse, answer_one_request_at_a_time, change_delivery, change_responses,
    sandbox_tokens,
};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use copresence_sandbox::TokenPhase;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn mutants() -> Vec<Mutant> {
    vec![
        mutant(
            "avatar_ready false beside the URLs",
            &["delivery.flag"],
            Layer(|_, app| change_delivery(app, |body| body["avatar_ready"] = json!(false))),
        ),
        mutant(
            "avatar_ready 1 beside the URLs",
            &["delivery.flag"],
            Layer(|_, app| change_delivery(app, |body| body["avatar_ready"] = json!(1))),
        ),
        mutant(
            "both payloads at once",
            &["redeem.either-or"],
            Layer(|_, app| {
                change_delivery(app, |body| body["payload_incomplete"] = json!({"completion_progress": 100}))
            }),
        ),
        mutant(
            "URLs without a host",
            &["delivery.urls"],
            Layer(|_, app| {
                change_delivery(app, |body| {
                    change_entries(body, |entry| entry["download_URL"] = json!("/files/abc/avatar.glb"));
                })
            }),
        ),
        mutant(
            "download_URL in a different spelling",
            &["delivery.urls"],
            Layer(|_, app| {
                change_delivery(app, |body| {
                    change_entries(body, |entry| {
                        let url = entry.as_object_mut().expect("an object").remove("download_URL");
                        entry["download_url"] = url.expect("a URL");
                    });
                })
            }),
        ),
        mutant(
            "ready, with an empty list",
            &["delivery.urls"],
            Layer(|_, app| change_delivery(app, |body| body["payload_complete"] = json!([]))),
        ),
        mutant(
            "no export_type",
            &["delivery.types"],
            Layer(|_, app| {
                change_delivery(app, |body| {
                    change_entries(body, |entry| {
                        entry.as_object_mut().expect("an object").remove("export_type");
                    });
                })
            }),
        ),
        mutant(
            "an export_type that is a sentence",
            &["delivery.extension"],
            Layer(|_, app| {
                change_delivery(app, |body| {
                    change_entries(body, |entry| {
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
                change_delivery(app, |body| {
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
                // Otherwise a concurrent redeem may be answered before the delivery is remembered.
                answer_one_request_at_a_time(change_responses(app, move |request, response| {
                    if request.path != REDEEM {
                        return;
                    }
                    if response.is_delivery() {
                        delivered.put(request.header(TOKEN), response.body.clone());
                    } else if let (400, Some(body)) = (response.status(), delivered.get(request.header(TOKEN))) {
                        response.set_status(200);
                        response.body = body;
                    }
                }))
            }),
        ),
        mutant(
            "two concurrent redeems both get the URLs",
            &["delivery.race"],
            Layer(|_, app| deliver_concurrently(app)),
        ),
        mutant(
            "a token that never expires",
            &["token.expires"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                change_responses(app, move |request, response| {
                    let over = |(token, phase): &(String, TokenPhase)| {
                        token == request.header(TOKEN) && *phase == TokenPhase::Expired
                    };
                    if request.path == REDEEM && response.status() == 400 && sandbox_tokens(&sandbox).iter().any(over) {
                        response.become_fresh();
                    }
                })
            }),
        ),
    ]
}

fn change_entries(body: &mut Value, change: impl Fn(&mut Value)) {
    body["payload_complete"].as_array_mut().expect("a list").iter_mut().for_each(change);
}

/// Delivers the URLs also to redeems that started before the first delivery.
fn deliver_concurrently(app: Router) -> Router {
    let (begun, clock) = (Memory::<(u64, Vec<u8>)>::default(), Arc::new(AtomicU64::new(0)));
    app.layer(from_fn(move |request: Request, next: Next| {
        let (begun, clock) = (begun.clone(), clock.clone());
        async move {
            if request.uri().path() != REDEEM {
                return next.run(request).await;
            }
            let token = request.headers().get(TOKEN).map_or("", |v| v.to_str().expect("visible")).to_owned();
            let started = clock.fetch_add(1, Ordering::SeqCst);
            // Concurrent redeems all arrive before the first response.
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            let mut response = WholeResponse::from_response(next.run(request).await).await;
            if response.is_delivery() {
                begun.put(&token, (clock.load(Ordering::SeqCst), response.body.clone()));
            } else if let (400, Some((until, body))) = (response.status(), begun.get(&token))
                && started < until
            {
                response.set_status(200);
                response.body = body;
            }
            response.into_response()
        }
    }))
}
