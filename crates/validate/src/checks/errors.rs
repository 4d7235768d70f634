//! What errors tell, and what they do not.

use super::ANY;
use crate::check::{Check, Judged, Sheet};
use crate::seen::{Role, Seen, Step};
use client::Call;
use serde_json::Value;

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

/// Words that stand in stack traces and database errors, and in no sentence for a client.
const INSIDE: [&str; 16] = [
    "traceback (most recent",
    "stack trace",
    "stacktrace",
    "\n    at ",
    "node_modules",
    "panicked at",
    "goroutine ",
    ".java:",
    ".py\", line",
    ".rs:",
    "/usr/",
    "/home/",
    "/var/",
    "select * from",
    "sqlstate",
    "mongoerror",
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
        let text = body.to_ascii_lowercase();
        let found = INSIDE.iter().find(|word| text.contains(**word));
        let came =
            found.map_or_else(String::new, |word| format!("{}, and {:?} in it", step.came(), word.trim()));
        sheet.expect(step, found.is_none(), "a short sentence", came);
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
        let body = step.json();
        let said = body.as_ref().and_then(|body| body.get("error").or_else(|| body.get("message")));
        let good = said.and_then(Value::as_str).is_some_and(|said| !said.trim().is_empty());
        sheet.expect(step, good, "JSON with a sentence in `error`", format!("{}, without one", step.came()));
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
