//! Redeeming a fresh token, and what is no active token.

use super::{not_active, refused};
use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::points::{self, shown};
use crate::seen::{Role, Seen, Step};
use serde_json::Value;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "redeem.active-200",
        title: "An active token is redeemed with 200, whatever its avatar's state",
        needs: &[Act::Fresh],
        remedy: "Answer /redeemExportToken with 200 as long as the token is active: not 202, 204, 404 or 425 while the avatar is not ready.",
        judge: active,
    },
    Check {
        id: "redeem.json",
        title: "The answers say that they are JSON",
        needs: &[Act::Fresh],
        remedy: "Send `Content-Type: application/json` with the answers of /redeemExportToken.",
        judge: json,
    },
    Check {
        id: "redeem.flag",
        title: "While not ready, `avatar_ready` is the boolean false",
        needs: &[Act::Fresh],
        remedy: "Send `avatar_ready` in every answer, as a JSON boolean: neither a string, nor a number, nor left out.",
        judge: flag,
    },
    Check {
        id: "redeem.either-or",
        title: "An answer carries either a status report or URLs",
        needs: &[Act::Fresh],
        remedy: "Send the object `payload_incomplete` while the avatar is not ready, and `payload_complete` alone once it is.",
        judge: either_or,
    },
    Check {
        id: "fresh.status",
        title: "Before anybody scans, the status is `no_associated_avatar`",
        needs: &[Act::Fresh],
        remedy: "Send `completion_status: \"no_associated_avatar\"` until the phone has associated an avatar.",
        judge: fresh_status,
    },
    Check {
        id: "fresh.progress",
        title: "Before anybody scans, the progress is -1",
        needs: &[Act::Fresh],
        remedy: "Send `completion_progress: -1` until an avatar is associated: 0 says that one is being made.",
        judge: |observations| fresh_minus_one(observations, "completion_progress"),
    },
    Check {
        id: "fresh.queue",
        title: "Before anybody scans, the queue position is -1",
        needs: &[Act::Fresh],
        remedy: "Send `queue_position: -1` until an avatar is in the queue: 0 is a place.",
        judge: |observations| fresh_minus_one(observations, "queue_position"),
    },
    Check {
        id: "fresh.repeatable",
        title: "Asking twice about a fresh token gives the same answer",
        needs: &[Act::Fresh],
        remedy: "Let a redeem of a token that is not ready change nothing at all.",
        judge: repeatable,
    },
    Check {
        id: "redeem.unknown-400",
        title: "A token that was never made is answered with 400",
        needs: &[Act::Refused],
        remedy: "Answer 400 for every string that is no active Export Token: clients take any other status for a fault of the network.",
        judge: |observations| not_active(observations, Role::RedeemUnknown),
    },
    Check {
        id: "redeem.mangled-400",
        title: "A token with one character changed is answered with 400",
        needs: &[Act::Refused],
        remedy: "Compare the whole Export Token, letter by letter, upper and lower case apart.",
        judge: |observations| not_active(observations, Role::RedeemMangled),
    },
    Check {
        id: "redeem.lengthened-400",
        title: "A token with one character more is answered with 400",
        needs: &[Act::Refused],
        remedy: "Compare the whole Export Token, not only its beginning.",
        judge: |observations| not_active(observations, Role::RedeemLengthened),
    },
    Check {
        id: "redeem.missing-400",
        title: "A redeem without a token is answered with 400",
        needs: &[Act::Refused],
        remedy: "Answer 400 when X-Copresence-Export-Token is missing: nothing matches an active token either.",
        judge: |observations| not_active(observations, Role::RedeemMissing),
    },
    Check {
        id: "redeem.no-key",
        title: "No redeem without the REST API key",
        needs: &[Act::Refused],
        remedy: "Refuse /redeemExportToken without X-Copresence-REST-API-Key (401 or 403).",
        judge: |observations| at_the_vendor(observations, Role::RedeemNoKey, "no API key"),
    },
    Check {
        id: "redeem.wrong-key",
        title: "No redeem for a wrong REST API key",
        needs: &[Act::Refused],
        remedy: "Compare the whole of X-Copresence-REST-API-Key, not only that it is there.",
        judge: |observations| at_the_vendor(observations, Role::RedeemWrongKey, "a wrong API key"),
    },
    Check {
        id: "redeem.post-refused",
        title: "A redeem is a GET, and no POST",
        needs: &[Act::Refused],
        remedy: "Answer other methods than GET at /redeemExportToken with 405.",
        judge: |observations| refused(observations, Role::RedeemByPost, "POST instead of GET"),
    },
    Check {
        id: "redeem.untouched",
        title: "Refused requests leave a fresh token as it was",
        needs: &[Act::Refused],
        remedy: "Change nothing for a request that is refused: a stranger's guess must not cost a visitor's token.",
        judge: untouched,
    },
];

/// A relay's own key is judged as a relay's.
fn at_the_vendor(observations: &Seen, role: Role, what: &str) -> Judged {
    if observations.ground.relays_redeems {
        return Judged::NotApplicable("redeems go through a relay, which holds the API key".to_owned());
    }
    refused(observations, role, what)
}

fn not_ready(observations: &Seen) -> impl Iterator<Item = &Step> {
    observations.active().filter(|step| step.succeeded() && step.json().is_some() && !step.is_delivery())
}

fn active(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.active().filter(|step| step.reply.is_some()) {
        // Whether the refusals before it spent the token is judged by itself.
        if step.role != Role::RedeemUntouched && step.role != Role::FailedAgain {
            let good = step.status() == Some(200) && step.json().is_some_and(|body| body.is_object());
            let body =
                if step.json().is_some_and(|body| body.is_object()) { "" } else { ", and no JSON object" };
            collector.expect(step, good, "status 200 and a JSON object", format!("{}{body}", step.came()));
        }
    }
    collector.judged("answered with 200", "no answer came")
}

fn json(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.active().filter(|step| step.succeeded()) {
        collector.point(step, points::content_type(step.header("content-type").as_deref()));
    }
    collector.judged("application/json", "no answer came")
}

fn flag(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in not_ready(observations) {
        collector.point(step, points::flag(&step.json().unwrap_or_default(), false));
    }
    collector.judged("false in every answer before the URLs", "no answer came")
}

fn either_or(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in not_ready(observations) {
        collector.point(step, points::report(&step.json().unwrap_or_default()));
    }
    if let Some(step) = observations.delivery() {
        collector.point(step, points::no_report(&step.json().unwrap_or_default()));
    }
    collector.judged("one of the two in every answer", "no answer came")
}

/// The answers of fresh tokens that carry a status report.
fn fresh(observations: &Seen) -> impl Iterator<Item = (&Step, serde_json::Map<String, Value>)> {
    observations.of(Role::RedeemFresh).filter_map(|step| Some((step, step.progress()?)))
}

fn fresh_status(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in fresh(observations) {
        let status = progress.get("completion_status");
        let good = status.and_then(Value::as_str) == Some("no_associated_avatar");
        collector.expect(step, good, "`completion_status`: \"no_associated_avatar\"", shown(status));
    }
    collector.judged("no_associated_avatar", "no status report came")
}

fn fresh_minus_one(observations: &Seen, field: &str) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in fresh(observations) {
        collector.point(step, points::minus_one(&progress, field, ""));
    }
    collector.judged("-1", "no status report came")
}

fn repeatable(observations: &Seen) -> Judged {
    let answered: Vec<_> = observations.of(Role::RedeemFresh).filter(|step| step.reply.is_some()).collect();
    let mut collector = Sheet::default();
    for pair in answered.windows(2) {
        let same = pair[0].status() == pair[1].status() && pair[0].json() == pair[1].json();
        collector.look(pair[0]);
        collector.expect(pair[1], same, "the same answer as a moment before", "another one");
    }
    collector.judged("the same answer twice", "fewer than two answers came")
}

fn untouched(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::RedeemUntouched).filter(|step| step.reply.is_some()) {
        let status = step.completion_status();
        let was = observations.of(Role::RedeemFresh).find_map(Step::completion_status);
        let good = step.status() == Some(200) && status == was;
        collector.expect(step, good, "status 200 and the state of before", step.came());
    }
    collector.judged("still as it was", "no answer came")
}
