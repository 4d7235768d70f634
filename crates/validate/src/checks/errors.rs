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

fn errors(seen: &Seen) -> impl Iterator<Item = (&Step, String)> {
    seen.steps.iter().filter_map(|step| {
        let reply = step.reply.as_ref().filter(|reply| reply.status >= 400)?;
        Some((step, String::from_utf8_lossy(&reply.body).into_owned()))
    })
}

fn no_secret(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for (step, body) in errors(seen) {
        sheet.look(step);
        let headers = step.reply.as_ref().map(|reply| format!("{:?}", reply.headers)).unwrap_or_default();
        for needle in &seen.needles {
            if needle.stands_in(&body) || needle.stands_in(&headers) {
                let came = format!("{}, and in it the {}", step.came(), needle.what);
                sheet.wrong(&[step], "an error without what was sent", came);
            }
        }
    }
    sheet.judged("nothing that was sent came back", "no error came")
}

fn no_inside(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for (step, body) in errors(seen) {
        let point = points::no_inside(&body);
        sheet.expect(step, point.good, point.expected, format!("{}, and {}", step.came(), point.came));
    }
    sheet.judged("nothing of the inside", "no error came")
}

fn form(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for (step, _) in errors(seen).filter(|(step, _)| step.exchange.call != Call::Download) {
        // What a browser asks beforehand needs no body.
        if matches!(step.role, Role::PreflightGenerate | Role::PreflightRedeem | Role::PlainHttp) {
            continue;
        }
        let point = points::error_form(step.json().as_ref());
        sheet.expect(step, point.good, point.expected, format!("{}, without one", step.came()));
    }
    sheet.judged("each says what was wrong", "no error came")
}

fn idempotent(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for role in [Role::RedeemUnknown, Role::RedeemSpent] {
        let answered: Vec<_> = seen.of(role).filter(|step| step.reply.is_some()).collect();
        for pair in answered.windows(2) {
            let code = |step: &Step| step.json().and_then(|body| body.get("code").cloned());
            let same = pair[0].status() == pair[1].status() && code(pair[0]) == code(pair[1]);
            sheet.look(pair[0]);
            sheet.expect(pair[1], same, format!("{}, as before", pair[0].came()), pair[1].came());
        }
    }
    sheet.judged("the same answer twice", "fewer than two errors of one kind came")
}
