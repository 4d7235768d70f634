//! Mutants of refused redeems.

use super::Mutation::Layer;
use super::{Mutant, change_requests_before_routing, mutant, sandbox_api_key};
use crate::layers::{
    HeaderFault, KEY, REDEEM, TOKEN, change_requests, change_responses, ignore_header, sandbox_tokens,
};
use axum::http::Method;
use copresence_sandbox::ForcedState;

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
                change_responses(app, |request, response| {
                    if request.path == REDEEM && response.status() == 400 {
                        response.set_status(404);
                    }
                })
            }),
        ),
        mutant(
            "any token of the right form is active",
            &["redeem.unknown-400"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                change_responses(app, move |request, response| {
                    let sent = request.header(TOKEN);
                    let known =
                        sandbox_tokens(&sandbox).iter().any(|(token, _)| token[..5] == sent[..sent.len().min(5)]);
                    if request.path == REDEEM && response.status() == 400 && !sent.is_empty() && !known {
                        response.become_fresh();
                    }
                })
            }),
        ),
        mutant(
            "the last character is ignored",
            &["redeem.mangled-400"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                change_requests(app, move |request| {
                    let sent = request.headers().get(TOKEN).map(|value| value.to_str().expect("visible").to_owned());
                    let Some(sent) = sent else { return };
                    let like = |token: &String| {
                        token.len() == sent.len() && token[..token.len() - 1] == sent[..sent.len() - 1]
                    };
                    if let Some((token, _)) = sandbox_tokens(&sandbox).into_iter().find(|(token, _)| like(token)) {
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
                change_requests(app, move |request| {
                    let sent = request.headers().get(TOKEN).map(|value| value.to_str().expect("visible").to_owned());
                    let Some(sent) = sent else { return };
                    if let Some((token, _)) =
                        sandbox_tokens(&sandbox).into_iter().find(|(token, _)| sent.starts_with(token.as_str()))
                    {
                        request.headers_mut().insert(TOKEN, token.parse().expect("a value"));
                    }
                })
            }),
        ),
        mutant(
            "a redeem without a token is a server error",
            &["http.no-5xx", "redeem.missing-400"],
            Layer(|_, app| {
                change_responses(app, |request, response| {
                    if request.path == REDEEM && request.header(TOKEN).is_empty() && response.status() == 400 {
                        response.set_status(500);
                    }
                })
            }),
        ),
        mutant(
            "a redeem without a token returns 200",
            &["redeem.missing-400"],
            Layer(|_, app| {
                change_responses(app, |request, response| {
                    if request.path == REDEEM && request.header(TOKEN).is_empty() && response.status() == 400 {
                        response.become_fresh();
                    }
                })
            }),
        ),
        mutant(
            "a redeem without the API key",
            &["redeem.no-key"],
            Layer(|sandbox, app| ignore_header(app, REDEEM, KEY, &sandbox_api_key(sandbox), HeaderFault::Missing)),
        ),
        mutant(
            "a redeem for any API key",
            &["redeem.wrong-key"],
            Layer(|sandbox, app| ignore_header(app, REDEEM, KEY, &sandbox_api_key(sandbox), HeaderFault::Wrong)),
        ),
        mutant(
            "a redeem by POST",
            &["redeem.post-refused"],
            Layer(|_, app| {
                change_requests_before_routing(app, |request| {
                    if request.uri().path() == REDEEM && request.method() == Method::POST {
                        *request.method_mut() = Method::GET;
                    }
                })
            }),
        ),
        mutant(
            "a refused redeem expires the token",
            &["redeem.untouched"],
            Layer(|sandbox, app| {
                let sandbox = sandbox.clone();
                change_responses(app, move |request, response| {
                    if request.path == REDEEM && response.status() == 403 {
                        _ = sandbox.force_token_state(request.header(TOKEN), ForcedState::Expire);
                    }
                })
            }),
        ),
    ]
}
