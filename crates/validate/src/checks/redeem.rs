//! Checks of redeems with fresh, inactive and missing tokens.

use super::{not_active, refused};
use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::points::{self, shown};
use crate::seen::{Role, Seen, Step};
use serde_json::Value;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "redeem.active-200",
        title: "A redeem of an active token returns 200 in every state of the avatar",
        needs: &[Act::Fresh],
        remedy: "Answer /redeemExportToken with 200 as long as the token is active: not 202, 204, 404 or 425 while the avatar is not ready.",
        judge: active,
    },
    Check {
        id: "redeem.json",
        title: "The responses of /redeemExportToken are declared as JSON",
        needs: &[Act::Fresh],
        remedy: "Send `Content-Type: application/json` with the responses of /redeemExportToken.",
        judge: json,
    },
    Check {
        id: "redeem.flag",
        title: "While not ready, `avatar_ready` is the boolean false",
        needs: &[Act::Fresh],
        remedy: "Send `avatar_ready` in every response, as a JSON boolean: not a string, not a number, and not omitted.",
        judge: flag,
    },
    Check {
        id: "redeem.either-or",
        title: "A response has either a status report or URLs",
        needs: &[Act::Fresh],
        remedy: "Send the object `payload_incomplete` while the avatar is not ready, and only `payload_complete` once it is.",
        judge: either_or,
    },
    Check {
        id: "fresh.status",
        title: "Before the scan, the status is `no_associated_avatar`",
        needs: &[Act::Fresh],
        remedy: "Send `completion_status: \"no_associated_avatar\"` until the phone has associated an avatar.",
        judge: fresh_status,
    },
    Check {
        id: "fresh.progress",
        title: "Before the scan, the progress is -1",
        needs: &[Act::Fresh],
        remedy: "Send `completion_progress: -1` until an avatar is associated: 0 says that an avatar is being processed.",
        judge: |observations| fresh_minus_one(observations, "completion_progress"),
    },
    Check {
        id: "fresh.queue",
        title: "Before the scan, the queue position is -1",
        needs: &[Act::Fresh],
        remedy: "Send `queue_position: -1` until an avatar is in the queue: 0 is a valid position.",
        judge: |observations| fresh_minus_one(observations, "queue_position"),
    },
    Check {
        id: "fresh.repeatable",
        title: "Two redeems of a fresh token get the same response",
        needs: &[Act::Fresh],
        remedy: "Do not change any state for a redeem of a token whose avatar is not ready.",
        judge: repeatable,
    },
    Check {
        id: "redeem.unknown-400",
        title: "A redeem of an unknown token returns 400",
        needs: &[Act::Refused],
        remedy: "Answer 400 for every string that is not an active Export Token: clients treat other statuses as network errors.",
        judge: |observations| not_active(observations, Role::RedeemUnknown),
    },
    Check {
        id: "redeem.mangled-400",
        title: "A redeem of a token with one changed character returns 400",
        needs: &[Act::Refused],
        remedy: "Compare the whole Export Token, and distinguish upper and lower case.",
        judge: |observations| not_active(observations, Role::RedeemMangled),
    },
    Check {
        id: "redeem.lengthened-400",
        title: "A redeem of a token with one extra character returns 400",
        needs: &[Act::Refused],
        remedy: "Compare the whole Export Token, not only its beginning.",
        judge: |observations| not_active(observations, Role::RedeemLengthened),
    },
    Check {
        id: "redeem.missing-400",
        title: "A redeem without a token returns 400",
        needs: &[Act::Refused],
        remedy: "Answer 400 if X-Copresence-Export-Token is missing: without it no active token can match.",
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
        remedy: "Compare the value of X-Copresence-REST-API-Key. It is not enough that the header is present.",
        judge: |observations| at_the_vendor(observations, Role::RedeemWrongKey, "a wrong API key"),
    },
    Check {
        id: "redeem.post-refused",
        title: "POST does not redeem",
        needs: &[Act::Refused],
        remedy: "Answer all methods except GET at /redeemExportToken with 405.",
        judge: |observations| refused(observations, Role::RedeemByPost, "POST instead of GET"),
    },
    Check {
        id: "redeem.untouched",
        title: "Refused requests do not change a fresh token",
        needs: &[Act::Refused],
        remedy: "Do not change any state for a refused request: a guess by somebody else must not cost a visitor's token.",
        judge: untouched,
    },
];

/// Judges a refusal at the vendor's API. Other checks judge the key of a relay.
fn at_the_vendor(observations: &Seen, role: Role, what: &str) -> Judged {
    if observations.ground.relays_redeems {
        return Judged::NotApplicable("redeems go through a relay, which holds the API key".to_owned());
    }
    refused(observations, role, what)
}

/// Redeems of an active token before its delivery.
fn not_ready(observations: &Seen) -> impl Iterator<Item = &Step> {
    observations.active().filter(|step| step.succeeded() && step.json().is_some() && !step.is_delivery())
}

fn active(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.active().filter(|step| step.reply.is_some()) {
        // Other checks judge these redeems.
        if step.role != Role::RedeemUntouched && step.role != Role::FailedAgain {
            let good = step.status() == Some(200) && step.json().is_some_and(|body| body.is_object());
            let body =
                if step.json().is_some_and(|body| body.is_object()) { "" } else { " without a JSON object" };
            collector.expect(step, good, "status 200 and a JSON object", format!("{}{body}", step.came()));
        }
    }
    collector.judged("status 200", "no response was received")
}

fn json(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.active().filter(|step| step.succeeded()) {
        collector.point(step, points::content_type(step.header("content-type").as_deref()));
    }
    collector.judged("application/json", "no response was received")
}

fn flag(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in not_ready(observations) {
        collector.point(step, points::flag(&step.json().unwrap_or_default(), false));
    }
    collector.judged("false in every response before the URLs", "no response was received")
}

fn either_or(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in not_ready(observations) {
        collector.point(step, points::report(&step.json().unwrap_or_default()));
    }
    if let Some(step) = observations.delivery() {
        collector.point(step, points::no_report(&step.json().unwrap_or_default()));
    }
    collector.judged("one of the two in every response", "no response was received")
}

/// Redeems of fresh tokens with a status report.
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
    collector.judged("no_associated_avatar", "no status report was received")
}

fn fresh_minus_one(observations: &Seen, field: &str) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in fresh(observations) {
        collector.point(step, points::minus_one(&progress, field, ""));
    }
    collector.judged("-1", "no status report was received")
}

fn repeatable(observations: &Seen) -> Judged {
    let answered: Vec<_> = observations.of(Role::RedeemFresh).filter(|step| step.reply.is_some()).collect();
    let mut collector = Sheet::default();
    for pair in answered.windows(2) {
        let same = pair[0].status() == pair[1].status() && pair[0].json() == pair[1].json();
        collector.look(pair[0]);
        collector.expect(pair[1], same, "the same response as before", "a different one");
    }
    collector.judged("the same response twice", "fewer than two responses were received")
}

fn untouched(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::RedeemUntouched).filter(|step| step.reply.is_some()) {
        let status = step.completion_status();
        let was = observations.of(Role::RedeemFresh).find_map(Step::completion_status);
        let good = step.status() == Some(200) && status == was;
        collector.expect(step, good, "status 200 and the same status report as before", step.came());
    }
    collector.judged("unchanged", "no response was received")
}
