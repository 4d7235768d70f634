//! Mutants of the status reports.

use super::Mutation::Layer;
use super::{Mutant, mutant};
use crate::layers::{Memory, REDEEM, TOKEN, change_reports, change_responses, sandbox_tokens};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use copresence_sandbox::{Sandbox, TokenPhase};
use serde_json::{Value, json};

pub(super) fn mutants() -> Vec<Mutant> {
    fn set_field(app: Router, status: &'static str, field: &'static str, value: fn(i64) -> Value) -> Router {
        change_reports(app, status, move |body| {
            let held = &mut body["payload_incomplete"][field];
            *held = value(held.as_i64().expect("an integer"));
        })
    }
    const PERCENT: &str = "completion_progress";
    const QUEUE: &str = "queue_position";
    vec![
        mutant(
            "progress as a fraction of 1",
            &["progress.percent"],
            Layer(|_, app| {
                set_field(app, "processing", PERCENT, |n| {
                    json!(0.005 + f64::from(i16::try_from(n).expect("small")) / 1000.0)
                })
            }),
        ),
        mutant(
            "progress over 100",
            &["progress.percent"],
            Layer(|_, app| set_field(app, "processing", PERCENT, |n| json!(n + 101))),
        ),
        mutant(
            "progress as a string",
            &["progress.percent"],
            Layer(|_, app| set_field(app, "processing", PERCENT, |n| json!(n.to_string()))),
        ),
        mutant(
            "progress -1 in the queue",
            &["progress.percent"],
            Layer(|_, app| set_field(app, "in_queue", PERCENT, |_| json!(-1))),
        ),
        mutant(
            "a fifth word for the status",
            &["progress.status"],
            Layer(|_, app| {
                change_reports(app, "processing", |body| {
                    body["payload_incomplete"]["completion_status"] = json!("rendering");
                })
            }),
        ),
        mutant(
            "the queue position as a string",
            &["progress.queue"],
            Layer(|_, app| set_field(app, "in_queue", QUEUE, |n| json!(n.to_string()))),
        ),
        mutant(
            "no position in the queue",
            &["progress.queue"],
            Layer(|_, app| set_field(app, "in_queue", QUEUE, |_| json!(-1))),
        ),
        mutant(
            "a position outside the queue",
            &["progress.not-queued"],
            Layer(|_, app| set_field(app, "processing", QUEUE, |_| json!(0))),
        ),
        mutant(
            "progress that decreases",
            &["progress.rises"],
            Layer(|_, app| set_field(app, "processing", PERCENT, |n| json!(100 - n))),
        ),
        mutant(
            "a queue position that increases",
            &["progress.queue-falls"],
            Layer(|_, app| set_field(app, "in_queue", QUEUE, |n| json!(100 - n))),
        ),
        mutant(
            "a failed avatar at -1 %",
            &["failed.fields"],
            Layer(|_, app| set_field(app, "failed", PERCENT, |_| json!(-1))),
        ),
        mutant(
            "a failed avatar in the queue",
            &["failed.fields"],
            Layer(|_, app| set_field(app, "failed", QUEUE, |_| json!(0))),
        ),
        mutant(
            "a failed avatar ends its token",
            &["failed.stays-active"],
            Layer(|_, app| {
                let reported = Memory::default();
                change_responses(app, move |request, response| {
                    if request.path == REDEEM && response.completion_status() == "failed" {
                        if reported.get(request.header(TOKEN)).is_some() {
                            response.set_status(400);
                            response.edit(|body| *body = json!({"code": 101, "error": "no such token"}));
                        }
                        reported.put(request.header(TOKEN), ());
                    }
                })
            }),
        ),
        mutant("an avatar that is never ready", &["visit.delivered"], Layer(never_ready)),
    ]
}

/// Reports the avatar of the first token as `processing` for ever.
fn never_ready(sandbox: &Sandbox, app: Router) -> Router {
    let sandbox = sandbox.clone();
    app.layer(from_fn(move |request: Request, next: Next| {
        let sandbox = sandbox.clone();
        async move {
            let sent = request.headers().get(TOKEN).map_or("", |value| value.to_str().expect("visible"));
            let first = sandbox_tokens(&sandbox).into_iter().next();
            let held = first.is_some_and(|(token, phase)| token == sent && phase == TokenPhase::Ready);
            if request.uri().path() != REDEEM || !held {
                return next.run(request).await;
            }
            let report = json!({"completion_progress": 99, "completion_status": "processing", "queue_position": -1});
            let body = json!({"avatar_ready": false, "payload_incomplete": report});
            ([("cache-control", "no-store")], axum::Json(body)).into_response()
        }
    }))
}
