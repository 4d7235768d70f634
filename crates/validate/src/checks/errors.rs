//! What errors tell, and what they do not.

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
        remedy: "Leave what was sent out of error messages: they end in logs and tickets.",
        judge: no_secret,
    },
    Check {
        id: "errors.no-inside",
        title: "No error shows the server's inside",
        needs: ANY,
        remedy: "Log stack traces, paths and queries at the server, and answer with a short sentence.",
        judge: no_inside,
    },
    Check {
        id: "errors.form",
        title: "Errors are JSON with a sentence in `error`",
        needs: ANY,
        remedy: "Answer errors as `{\"code\": N, \"error\": \"…\"}`, also those of proxies and frameworks in front.",
        judge: form,
    },
    Check {
        id: "errors.idempotent",
        title: "The same wrong request gets the same answer",
        needs: ANY,
        remedy: "Let a refused request change nothing, so that its repetition is refused alike.",
        judge: idempotent,
    },
];

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
                let came = format!("{}, and in it the {}", step.came(), secret.what);
                collector.wrong(&[step], "an error without what was sent", came);
            }
        }
    }
    collector.judged("nothing that was sent came back", "no error came")
}

fn no_inside(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, body) in errors(observations) {
        let point = points::no_inside(&body);
        collector.expect(step, point.good, point.expected, format!("{}, and {}", step.came(), point.came));
    }
    collector.judged("nothing of the inside", "no error came")
}

fn form(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, _) in errors(observations).filter(|(step, _)| step.exchange.call != Call::Download) {
        // What a browser asks beforehand needs no body.
        if matches!(step.role, Role::PreflightGenerate | Role::PreflightRedeem | Role::PlainHttp) {
            continue;
        }
        let point = points::error_form(step.json().as_ref());
        collector.expect(step, point.good, point.expected, format!("{}, without one", step.came()));
    }
    collector.judged("each says what was wrong", "no error came")
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
    collector.judged("the same answer twice", "fewer than two errors of one kind came")
}
