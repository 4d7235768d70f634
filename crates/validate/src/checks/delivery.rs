//! Checks of the response that delivers the URLs, and of its effect on the token.

use super::not_active;
use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::points::{self, Point};
use crate::seen::{Role, Seen};
use serde_json::Value;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "visit.delivered",
        title: "Once the avatar is ready, a redeem brings its URLs",
        needs: &[Act::Visit],
        remedy: "Answer with `avatar_ready: true` and `payload_complete` as soon as the avatar is processed.",
        judge: delivered,
    },
    Check {
        id: "delivery.flag",
        title: "With the URLs, `avatar_ready` is the boolean true",
        needs: &[Act::Visit],
        remedy: "Send `avatar_ready: true`, a JSON boolean, in the response that delivers the URLs.",
        judge: flag,
    },
    Check {
        id: "delivery.urls",
        title: "Each entry of `payload_complete` has an absolute http(s) `download_URL`",
        needs: &[Act::Visit],
        remedy: "Send `payload_complete` as a list of objects with `download_URL` (in this spelling), an absolute URL with scheme and host.",
        judge: |observations| delivery(observations, points::urls, "absolute URLs"),
    },
    Check {
        id: "delivery.types",
        title: "Each entry of `payload_complete` has an `export_type`",
        needs: &[Act::Visit],
        remedy: "Send `export_type` as a non-empty string with each URL: clients use it to choose what to load.",
        judge: |observations| delivery(observations, points::types, "a type with each URL"),
    },
    Check {
        id: "delivery.extension",
        title: "Each `export_type` is a file extension",
        needs: &[Act::Visit],
        remedy: "Use the usual file extension as `export_type`, as in glb, fbx or blend.",
        judge: |observations| delivery(observations, points::extensions, "file extensions"),
    },
    Check {
        id: "delivery.spent",
        title: "After the URLs were delivered, a redeem of the token returns 400",
        needs: &[Act::Visit],
        remedy: "Invalidate the token in the same transaction that delivers the URLs, and answer 400 from then on.",
        judge: |observations| not_active(observations, Role::RedeemSpent),
    },
    Check {
        id: "delivery.race",
        title: "Of several concurrent redeems, at most one delivers the URLs",
        needs: &[Act::Race],
        remedy: "Invalidate the token atomically (one conditional update) before the response is built: otherwise two clients can get the same avatar.",
        judge: race,
    },
    Check {
        id: "token.expires",
        title: "A redeem of an expired token returns 400",
        needs: &[Act::Expiry],
        remedy: "Let Export Tokens expire, and answer 400 from then on: they are “temporary identifiers”.",
        judge: |observations| not_active(observations, Role::RedeemExpired),
    },
];

const NONE: &str = "no URLs were delivered";

fn delivered(observations: &Seen) -> Judged {
    if let Some(step) = observations.delivery() {
        return Judged::Pass("delivered".to_owned(), vec![step.number]);
    }
    let mut collector = Sheet::default();
    if let (true, Some(last)) = (observations.known_ready, observations.of(Role::Poll).last()) {
        collector.wrong(&[last], "the URLs, because the avatar is ready", "no URLs");
    }
    collector.judged("", "the avatar was not ready within the time limit")
}

fn flag(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    if let Some(step) = observations.delivery() {
        collector.point(step, points::flag(&step.json().unwrap_or_default(), true));
    }
    collector.judged("true", NONE)
}

/// Judges fields of the response that delivered the URLs.
fn delivery(observations: &Seen, points: fn(&Value) -> Vec<Point>, passed: &str) -> Judged {
    let mut collector = Sheet::default();
    if let Some(step) = observations.delivery() {
        for point in points(&step.json().unwrap_or_default()) {
            collector.point(step, point);
        }
    }
    collector.judged(passed, NONE)
}

fn race(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    let all: Vec<_> = observations.of(Role::Race).filter(|step| step.reply.is_some()).collect();
    let delivering: Vec<_> = all.iter().copied().filter(|step| step.is_delivery()).collect();
    if delivering.is_empty() {
        return Judged::Inconclusive(NONE.to_owned());
    }
    for step in &all {
        collector.look(step);
    }
    if delivering.len() > 1 {
        let received = format!("URLs in {} of {} responses", delivering.len(), all.len());
        collector.wrong(&delivering, "URLs in one response", received);
    }
    collector.judged(format!("URLs in one of {} responses", all.len()), NONE)
}
