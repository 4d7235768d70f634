//! Mutants of errors, caching, CORS and connections.

use super::Mutation::{Faults, Layer};
use super::{Mutant, mutant};
use crate::layers::{REDEEM, TOKEN, WholeResponse, change_responses};
use axum::Router;
use axum::http::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn mutants() -> Vec<Mutant> {
    fn errors(app: Router, change: impl Fn(&str, &mut WholeResponse) + Clone + Send + Sync + 'static) -> Router {
        change_responses(app, move |request, response| {
            if request.path == REDEEM && response.status() == 400 {
                change(request.header(TOKEN), response);
            }
        })
    }
    vec![
        mutant(
            "an error that repeats the token",
            &["errors.no-secret"],
            Layer(|_, app| {
                errors(app, |token, response| {
                    response.edit(|body| body["error"] = json!(format!("there is no token {token}")));
                })
            }),
        ),
        mutant(
            "an error with a stack trace",
            &["errors.no-inside"],
            Layer(|_, app| {
                errors(app, |_, response| {
                    let trace = "TypeError: undefined\n    at redeem (/srv/node_modules/parse/index.js:7)";
                    response.edit(|body| body["error"] = json!(trace));
                })
            }),
        ),
        mutant(
            "errors as plain text",
            &["errors.form"],
            Layer(|_, app| errors(app, |_, response| response.body = b"Bad Request".to_vec())),
        ),
        mutant(
            "errors that differ each time",
            &["errors.idempotent"],
            Layer(|_, app| {
                let count = Arc::new(AtomicU64::new(0));
                errors(app, move |_, response| {
                    response.edit(|body| body["code"] = json!(count.fetch_add(1, Ordering::Relaxed)));
                })
            }),
        ),
        mutant(
            "any page may read the responses",
            &["http.cors"],
            Faults(r#"[{"on":"redeem","do":{"headers":{"set":{"access-control-allow-origin":"*"}}}}]"#),
        ),
        mutant(
            "the Origin is copied into the response",
            &["http.cors"],
            Layer(|_, app| {
                change_responses(app, |request, response| {
                    let origin = request.header("origin").to_owned();
                    if !origin.is_empty() {
                        response.set_header("access-control-allow-origin", &origin);
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
                change_responses(app, |request, response| {
                    if request.method == Method::OPTIONS {
                        response.set_status(500);
                    }
                })
            }),
        ),
        mutant("a reset connection", &["time.answered"], Faults(r#"[{"on":"redeem","nth":4,"do":"reset"}]"#)),
        mutant(
            "a truncated response",
            &["time.answered"],
            Faults(r#"[{"on":"redeem","nth":3,"do":{"cut_body":{"after":5}}}]"#),
        ),
    ]
}
