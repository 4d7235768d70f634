//! Mutants of the response for a fresh token.

use super::Mutation::Layer;
use super::{Mutant, mutant};
use crate::layers::{change_redeems, change_reports};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn mutants() -> Vec<Mutant> {
    const FRESH: &str = "no_associated_avatar";
    vec![
        mutant(
            "-1 replaced by 0 in the progress",
            &["fresh.progress"],
            Layer(|_, app| {
                change_reports(app, FRESH, |body| {
                    body["payload_incomplete"]["completion_progress"] = json!(0);
                })
            }),
        ),
        mutant(
            "-1 replaced by 0 in the queue",
            &["fresh.queue"],
            Layer(|_, app| change_reports(app, FRESH, |body| body["payload_incomplete"]["queue_position"] = json!(0))),
        ),
        mutant(
            "-1 as a string",
            &["fresh.progress"],
            Layer(|_, app| {
                change_reports(app, FRESH, |body| {
                    body["payload_incomplete"]["completion_progress"] = json!("-1");
                })
            }),
        ),
        mutant(
            "a fresh token is `waiting`",
            &["fresh.status"],
            Layer(|_, app| {
                change_reports(app, FRESH, |body| {
                    body["payload_incomplete"]["completion_status"] = json!("waiting");
                })
            }),
        ),
        mutant(
            "avatar_ready as a string",
            &["redeem.flag"],
            Layer(|_, app| change_reports(app, FRESH, |body| body["avatar_ready"] = json!("false"))),
        ),
        mutant(
            "avatar_ready left out",
            &["redeem.flag"],
            Layer(|_, app| {
                change_reports(app, "processing", |body| {
                    body.as_object_mut().expect("an object").remove("avatar_ready");
                })
            }),
        ),
        mutant(
            "no payload_incomplete",
            &["redeem.either-or"],
            Layer(|_, app| {
                change_reports(app, FRESH, |body| {
                    body.as_object_mut().expect("an object").remove("payload_incomplete");
                })
            }),
        ),
        mutant(
            "202 while not ready",
            &["redeem.active-200"],
            Layer(|_, app| {
                change_redeems(app, |response| {
                    if response.completion_status() == "processing" {
                        response.set_status(202);
                    }
                })
            }),
        ),
        mutant(
            "425 while not ready",
            &["redeem.active-200"],
            Layer(|_, app| {
                change_redeems(app, |response| {
                    if response.completion_status() == "processing" {
                        response.set_status(425);
                        response.edit(|body| *body = json!({"code": 1, "error": "not ready"}));
                    }
                })
            }),
        ),
        mutant(
            "redeems as text/plain",
            &["redeem.json"],
            Layer(|_, app| change_redeems(app, |response| response.set_header("content-type", "text/plain"))),
        ),
        mutant(
            "a response that differs each time",
            &["fresh.repeatable"],
            Layer(|_, app| {
                let redeems = Arc::new(AtomicU64::new(0));
                change_reports(app, FRESH, move |body| {
                    body["redeems"] = redeems.fetch_add(1, Ordering::Relaxed).into();
                })
            }),
        ),
    ]
}
