//! What is no active token, and who may not redeem.

use super::Wrong::Layer;
use super::{Mutant, key, mutant, requests_before_routing};
use crate::wrong::{KEY, REDEEM, TOKEN, When, answers, ignores, requests, tokens};
use axum::http::Method;
use sandbox::Force;

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn mutants() -> Vec<Mutant> {
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
