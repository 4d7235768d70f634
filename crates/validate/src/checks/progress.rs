//! Checks of the status reports while an avatar is processed.

use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::points::{self, integer};
use crate::seen::{Role, Seen, Step};
use protocol::CompletionStatus;
use serde_json::{Map, Value};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "visit.associated",
        title: "After the scan, an avatar is associated with the token",
        needs: &[Act::Visit],
        remedy: "Check that the link in the QR code contains this Export Token, percent-encoded, and that the app of this backend opens it.",
        judge: associated,
    },
    Check {
        id: "progress.reported",
        title: "While the avatar is processed, a status report is sent",
        needs: &[Act::Visit],
        remedy: "Send `payload_incomplete` with its three fields from the scan until the URLs are delivered.",
        judge: reported,
    },
    Check {
        id: "progress.status",
        title: "`completion_status` is one of the four words",
        needs: &[Act::Visit],
        remedy: "Send one of no_associated_avatar, in_queue, processing, failed, in this spelling.",
        judge: status,
    },
    Check {
        id: "progress.percent",
        title: "`completion_progress` is an integer from 0 to 100",
        needs: &[Act::Visit],
        remedy: "Send a JSON integer from 0 to 100 once an avatar is associated: not a fraction of 1, not a string, not -1.",
        judge: percent,
    },
    Check {
        id: "progress.queue",
        title: "In the queue, `queue_position` is an integer from 0",
        needs: &[Act::Visit],
        remedy: "Send the position in the queue as a JSON integer from 0 while the status is in_queue.",
        judge: |observations| queue(observations, true),
    },
    Check {
        id: "progress.not-queued",
        title: "Outside the queue, `queue_position` is -1",
        needs: &[Act::Visit],
        remedy: "Send `queue_position: -1` once the avatar has left the queue: 0 is a valid position.",
        judge: |observations| queue(observations, false),
    },
    Check {
        id: "progress.rises",
        title: "The progress never decreases",
        needs: &[Act::Visit],
        remedy: "Report progress as a value that only increases: visitors leave when a progress bar runs backwards.",
        judge: rises,
    },
    Check {
        id: "progress.queue-falls",
        title: "The queue position never increases",
        needs: &[Act::Visit],
        remedy: "Keep an avatar's position in the queue: later avatars are queued behind it.",
        judge: queue_falls,
    },
    Check {
        id: "failed.fields",
        title: "A failed avatar is reported as `failed`, with a percentage and no queue position",
        needs: &[Act::Failure],
        remedy: "Answer 200 with `completion_status: \"failed\"`, a `completion_progress` from 0 to 100 and `queue_position: -1`.",
        judge: failed_fields,
    },
    Check {
        id: "failed.stays-active",
        title: "A failed avatar leaves its token active",
        needs: &[Act::Failure],
        remedy: "Keep answering 200 after `failed`: the specification lists it as a status of an active token, with which a visitor may record again.",
        judge: stays_active,
    },
];

/// Polls with a status report between the scan and the delivery.
fn making(observations: &Seen) -> impl Iterator<Item = (&Step, Map<String, Value>)> {
    let waiting = CompletionStatus::NoAssociatedAvatar;
    observations
        .of(Role::Poll)
        .filter(|step| !step.is_delivery())
        .filter_map(|step| Some((step, step.progress()?)))
        .filter(move |(_, progress)| {
            progress.get("completion_status").and_then(Value::as_str) != Some(waiting.as_str())
        })
}

const TOO_FAST: &str = "the avatar was ready before any status report was received";

fn associated(observations: &Seen) -> Judged {
    let scanned = observations.of(Role::Poll).find(|step| {
        step.is_delivery() || step.completion_status().is_some_and(|status| status != "no_associated_avatar")
    });
    match scanned {
        Some(step) => Judged::Pass("the token has an avatar".to_owned(), vec![step.number]),
        None => Judged::Inconclusive("no avatar was associated within the time limit".to_owned()),
    }
}

fn reported(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in making(observations) {
        let missing: Vec<_> = ["completion_progress", "completion_status", "queue_position"]
            .into_iter()
            .filter(|field| !progress.contains_key(*field))
            .collect();
        let expected = "completion_progress, completion_status and queue_position";
        collector.expect(step, missing.len() < 3, expected, "none of them");
    }
    collector.judged("reported", TOO_FAST)
}

fn status(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in making(observations) {
        collector.point(step, points::word(&progress));
    }
    collector.judged("one of the four words", TOO_FAST)
}

fn percent(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in making(observations) {
        collector.point(step, points::percent(&progress));
    }
    collector.judged("from 0 to 100", TOO_FAST)
}

fn queue(observations: &Seen, queued: bool) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in making(observations) {
        let status = progress.get("completion_status").and_then(Value::as_str);
        match status {
            Some("in_queue") if queued => collector.point(step, points::place(&progress)),
            Some("processing" | "failed") if !queued => {
                collector.point(step, points::minus_one(&progress, "queue_position", points::NOT_QUEUED));
            }
            _ => {}
        }
    }
    let (passed, nothing) = if queued {
        ("a position in every response", "no response with the status in_queue was received")
    } else {
        ("-1 in every response", "no response with the status processing or failed was received")
    };
    collector.judged(passed, nothing)
}

/// The values of a progress field from 0, in order. Other checks judge values that are not integers.
fn numbers<'a>(observations: &'a Seen, field: &str) -> Vec<(&'a Step, i64)> {
    let read =
        |(step, progress): (&'a Step, Map<String, Value>)| Some((step, integer(progress.get(field)?)?));
    making(observations).filter_map(read).filter(|(_, number)| *number >= 0).collect()
}

fn rises(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for pair in numbers(observations, "completion_progress").windows(2) {
        let ((_, before), (step, now)) = (pair[0], pair[1]);
        collector.expect(step, now >= before, format!("at least {before}, as before"), now.to_string());
    }
    collector.judged("it only increased", TOO_FAST)
}

fn queue_falls(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    let places: Vec<_> = numbers(observations, "queue_position")
        .into_iter()
        .filter(|(step, _)| step.completion_status().as_deref() == Some("in_queue"))
        .collect();
    for pair in places.windows(2) {
        let ((_, before), (step, now)) = (pair[0], pair[1]);
        collector.expect(step, now <= before, format!("at most {before}, as before"), now.to_string());
    }
    collector.judged("it only decreased", "fewer than two queue positions were received")
}

/// Polls with the status `failed`.
fn failed(observations: &Seen) -> impl Iterator<Item = (&Step, Map<String, Value>)> {
    observations
        .of(Role::FailedPoll)
        .filter_map(|step| Some((step, step.progress()?)))
        .filter(|(_, progress)| progress.get("completion_status").and_then(Value::as_str) == Some("failed"))
}

fn failed_fields(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for (step, progress) in failed(observations) {
        collector.point(step, points::percent(&progress));
        collector.point(step, points::minus_one(&progress, "queue_position", ""));
    }
    if let (Some(last), true) = (observations.of(Role::FailedPoll).last(), collector.is_empty()) {
        collector.expect(
            last,
            false,
            "`completion_status`: \"failed\" for an avatar that failed",
            last.came(),
        );
    }
    collector.judged("reported as specified", "no response was received")
}

fn stays_active(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::FailedAgain).filter(|step| step.reply.is_some()) {
        collector.expect(step, step.status() == Some(200), "status 200 after `failed`", step.came());
    }
    collector.judged("still active", "no response was received")
}
