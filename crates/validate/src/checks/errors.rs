//! Checks of error responses.

use super::ANY;
use crate::check::{Check, Judged, Sheet};
use crate::points;
use crate::seen::{Role, Seen, Step};
use client::Call;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "errors.no-secret",
        title: "No error repeats a credential or an Export Token",
        needs: ANY,
        remedy: "Do not repeat request values in error messages: messages end up in logs and tickets.",
        judge: no_secret,
    },
    Check {
        id: "errors.no-inside",
        title: "No error discloses internals of the server",
        needs: ANY,
        remedy: "Log stack traces, paths and queries on the server, and answer with a short message.",
        judge: no_inside,
    },
    Check {
        id: "errors.form",
        title: "Errors are JSON with a message in `error`",
        needs: ANY,
        remedy: "Send errors as `{\"code\": N, \"error\": \"…\"}`, including those of proxies and frameworks in front.",
        judge: form,
    },
    Check {
        id: "errors.idempotent",
        title: "The same wrong request gets the same response",
        needs: ANY,
        remedy: "Do not change any state for a refused request, so that a repetition gets the same response.",
        judge: idempotent,
    },
];

/// Every step with an error response (400 or above), and its body as text.
fn errors(observations: &Seen) -> impl Iterator<Item = (&Step, String)> {
    observations.steps.iter().filter_map(|step| {
        let reply = step.reply.as_ref().filter(|reply| reply.status >= 400)?;
        Some((step, String::from_utf8_lossy(&reply.body).into_owned()))
    })
}

fn no_secret(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, body) in errors(observations) {
        collector.look(step);
        let headers = step.reply.as_ref().map(|reply| format!("{:?}", reply.headers)).unwrap_or_default();
        for secret in &observations.needles {
            if secret.stands_in(&body) || secret.stands_in(&headers) {
                let received = format!("{}, and it contains the {}", step.came(), secret.what);
                collector.wrong(&[step], "an error without request values", received);
            }
        }
    }
    collector.judged("no request value was repeated", "no error response was received")
}

fn no_inside(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, body) in errors(observations) {
        let point = points::no_inside(&body);
        collector.expect(step, point.good, point.expected, format!("{}, and {}", step.came(), point.came));
    }
    collector.judged("no internals were disclosed", "no error response was received")
}

fn form(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, _) in errors(observations).filter(|(step, _)| step.exchange.call != Call::Download) {
        // Responses to preflights and over plain HTTP need no JSON body.
        if matches!(step.role, Role::PreflightGenerate | Role::PreflightRedeem | Role::PlainHttp) {
            continue;
        }
        let point = points::error_form(step.json().as_ref());
        collector.expect(step, point.good, point.expected, format!("{} without a message", step.came()));
    }
    collector.judged("each error has a message", "no error response was received")
}

fn idempotent(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for role in [Role::RedeemUnknown, Role::RedeemSpent] {
        let answered: Vec<_> = observations.of(role).filter(|step| step.reply.is_some()).collect();
        for pair in answered.windows(2) {
            let code = |step: &Step| step.json().and_then(|body| body.get("code").cloned());
            let same = pair[0].status() == pair[1].status() && code(pair[0]) == code(pair[1]);
            collector.look(pair[0]);
            collector.expect(pair[1], same, format!("{}, as before", pair[0].came()), pair[1].came());
        }
    }
    collector.judged("the same response twice", "fewer than two errors of one kind were received")
}
