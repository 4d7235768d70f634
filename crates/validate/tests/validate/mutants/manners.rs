//! Errors, caches, other sites, and connections.

use super::Wrong::{Faults, Layer};
use super::{Mutant, mutant};
use crate::wrong::{Answer, REDEEM, TOKEN, answers};
use axum::Router;
use axum::http::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn mutants() -> Vec<Mutant> {
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
