//! Checks of the status reports while an avatar is processed.

use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, RecordedStep, StepRole};
use crate::response_fields::{self, parse_integer};
use copresence_protocol::CompletionStatus;
use serde_json::{Map, Value};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "visit.associated",
        title: "After the scan, an avatar is associated with the token",
        required_acts: &[Act::Visit],
        remedy: "Check that the link in the QR code contains this Export Token, percent-encoded, and that the app of this backend opens it.",
        judge: check_avatar_associated,
    },
    Check {
        id: "progress.reported",
        title: "While the avatar is processed, a status report is sent",
        required_acts: &[Act::Visit],
        remedy: "Send `payload_incomplete` with its three fields from the scan until the URLs are delivered.",
        judge: check_status_reports_not_empty,
    },
    Check {
        id: "progress.status",
        title: "`completion_status` is one of the four words",
        required_acts: &[Act::Visit],
        remedy: "Send one of no_associated_avatar, in_queue, processing, failed, in this spelling.",
        judge: check_completion_status_known,
    },
    Check {
        id: "progress.percent",
        title: "`completion_progress` is an integer from 0 to 100",
        required_acts: &[Act::Visit],
        remedy: "Send a JSON integer from 0 to 100 once an avatar is associated: not a fraction of 1, not a string, not -1.",
        judge: check_progress_percent,
    },
    Check {
        id: "progress.queue",
        title: "In the queue, `queue_position` is an integer from 0",
        required_acts: &[Act::Visit],
        remedy: "Send the position in the queue as a JSON integer from 0 while the status is in_queue.",
        judge: |observations| check_queue_position_matches_queued(observations, true),
    },
    Check {
        id: "progress.not-queued",
        title: "Outside the queue, `queue_position` is -1",
        required_acts: &[Act::Visit],
        remedy: "Send `queue_position: -1` once the avatar has left the queue: 0 is a valid position.",
        judge: |observations| check_queue_position_matches_queued(observations, false),
    },
    Check {
        id: "progress.rises",
        title: "The progress never decreases",
        required_acts: &[Act::Visit],
        remedy: "Report progress as a value that only increases: visitors leave when a progress bar runs backwards.",
        judge: check_progress_never_decreases,
    },
    Check {
        id: "progress.queue-falls",
        title: "The queue position never increases",
        required_acts: &[Act::Visit],
        remedy: "Keep an avatar's position in the queue: later avatars are queued behind it.",
        judge: check_queue_position_never_increases,
    },
    Check {
        id: "failed.fields",
        title: "A failed avatar is reported as `failed`, with a percentage and no queue position",
        required_acts: &[Act::Failure],
        remedy: "Answer 200 with `completion_status: \"failed\"`, a `completion_progress` from 0 to 100 and `queue_position: -1`.",
        judge: check_failed_avatar_fields,
    },
    Check {
        id: "failed.stays-active",
        title: "A failed avatar leaves its token active",
        required_acts: &[Act::Failure],
        remedy: "Keep answering 200 after `failed`: the specification lists it as a status of an active token, with which a visitor may record again.",
        judge: check_token_active_after_avatar_failed,
    },
];

/// The polls of the visit act whose status report says that an avatar is associated, without the response that ends
/// the token; each with its report.
fn reports_between_scan_and_delivery(
    observations: &Observations,
) -> impl Iterator<Item = (&RecordedStep, Map<String, Value>)> {
    let waiting = CompletionStatus::NoAssociatedAvatar;
    observations
        .steps_with_role(StepRole::Poll)
        .filter(|step| !step.is_token_spending_response())
        .filter_map(|step| Some((step, step.status_report()?)))
        .filter(move |(_, progress)| {
            progress.get("completion_status").and_then(Value::as_str) != Some(waiting.as_str())
        })
}

const NO_PROGRESS_SEEN: &str = "the avatar was ready before any status report was received";

/// Passes once a poll shows an avatar; never fails, but may be inconclusive.
fn check_avatar_associated(observations: &Observations) -> CheckResult {
    let scanned = observations.steps_with_role(StepRole::Poll).find(|step| {
        step.is_token_spending_response()
            || step.read_completion_status_field().is_some_and(|status| status != "no_associated_avatar")
    });
    match scanned {
        Some(step) => CheckResult::Pass("the token has an avatar".to_owned(), vec![step.number]),
        None => CheckResult::Inconclusive("no avatar was associated within the time limit".to_owned()),
    }
}

/// Each status report has at least one of its three fields.
fn check_status_reports_not_empty(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, progress) in reports_between_scan_and_delivery(observations) {
        let missing: Vec<_> = ["completion_progress", "completion_status", "queue_position"]
            .into_iter()
            .filter(|field| !progress.contains_key(*field))
            .collect();
        let expected = "completion_progress, completion_status and queue_position";
        collector.record_step_result(step, missing.len() < 3, expected, "none of them");
    }
    collector.into_check_result("reported", NO_PROGRESS_SEEN)
}

/// Each reported `completion_status` between scan and delivery is one of the four of the specification.
fn check_completion_status_known(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, progress) in reports_between_scan_and_delivery(observations) {
        collector.record_field_result(step, response_fields::judge_completion_status_word(&progress));
    }
    collector.into_check_result("one of the four words", NO_PROGRESS_SEEN)
}

/// Each status report between scan and delivery has a progress from 0 to 100.
fn check_progress_percent(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, progress) in reports_between_scan_and_delivery(observations) {
        collector.record_field_result(step, response_fields::judge_progress_percent(&progress));
    }
    collector.into_check_result("from 0 to 100", NO_PROGRESS_SEEN)
}

/// The queue position is an integer from 0 while in the queue (with `queued`), or -1 outside the queue (without).
fn check_queue_position_matches_queued(observations: &Observations, queued: bool) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, progress) in reports_between_scan_and_delivery(observations) {
        let status = progress.get("completion_status").and_then(Value::as_str);
        match status {
            Some("in_queue") if queued => {
                collector.record_field_result(step, response_fields::judge_queued_avatar_position(&progress));
            }
            Some("processing" | "failed") if !queued => {
                collector.record_field_result(
                    step,
                    response_fields::judge_field_minus_one(
                        &progress,
                        "queue_position",
                        response_fields::NOT_QUEUED_REASON,
                    ),
                );
            }
            _ => {}
        }
    }
    let (passed, nothing) = if queued {
        ("a position in every response", "no response with the status in_queue was received")
    } else {
        ("-1 in every response", "no response with the status processing or failed was received")
    };
    collector.into_check_result(passed, nothing)
}

/// Values of a field of the status reports, in order, without negative numbers. Other checks judge values that are
/// not integers.
fn non_negative_reported_values<'a>(observations: &'a Observations, field: &str) -> Vec<(&'a RecordedStep, i64)> {
    let read =
        |(step, progress): (&'a RecordedStep, Map<String, Value>)| Some((step, parse_integer(progress.get(field)?)?));
    reports_between_scan_and_delivery(observations).filter_map(read).filter(|(_, number)| *number >= 0).collect()
}

/// `completion_progress` never decreases from one status report to the next.
fn check_progress_never_decreases(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for pair in non_negative_reported_values(observations, "completion_progress").windows(2) {
        let ((_, before), (step, now)) = (pair[0], pair[1]);
        collector.record_step_result(step, now >= before, format!("at least {before}, as before"), now.to_string());
    }
    collector.into_check_result("it only increased", NO_PROGRESS_SEEN)
}

/// `queue_position` never increases while the status is `in_queue`.
fn check_queue_position_never_increases(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    let places: Vec<_> = non_negative_reported_values(observations, "queue_position")
        .into_iter()
        .filter(|(step, _)| step.read_completion_status_field().as_deref() == Some("in_queue"))
        .collect();
    for pair in places.windows(2) {
        let ((_, before), (step, now)) = (pair[0], pair[1]);
        collector.record_step_result(step, now <= before, format!("at most {before}, as before"), now.to_string());
    }
    collector.into_check_result("it only decreased", "fewer than two queue positions were received")
}

/// Polls with the status `failed`.
fn find_polls_with_failed_status(
    observations: &Observations,
) -> impl Iterator<Item = (&RecordedStep, Map<String, Value>)> {
    observations
        .steps_with_role(StepRole::PollFailing)
        .filter_map(|step| Some((step, step.status_report()?)))
        .filter(|(_, progress)| progress.get("completion_status").and_then(Value::as_str) == Some("failed"))
}

/// The fields of a failed avatar are valid: a progress from 0 to 100 and queue position -1. Fails if the failing
/// avatar was never reported as failed.
fn check_failed_avatar_fields(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, progress) in find_polls_with_failed_status(observations) {
        collector.record_field_result(step, response_fields::judge_progress_percent(&progress));
        collector.record_field_result(step, response_fields::judge_field_minus_one(&progress, "queue_position", ""));
    }
    if let (Some(last), true) =
        (observations.steps_with_role(StepRole::PollFailing).last(), collector.has_examined_nothing())
    {
        collector.record_step_result(
            last,
            false,
            "`completion_status`: \"failed\" for an avatar that failed",
            last.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("reported as specified", "no response was received")
}

/// Judges the redeem after a status of `failed`: the token must still be active (status 200).
fn check_token_active_after_avatar_failed(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations
        .steps_with_role(StepRole::RedeemAfterFailure)
        .filter(|step| observations.is_certain_api_answer(step))
    {
        collector.record_step_result(
            step,
            step.response_status() == Some(200),
            "status 200 after `failed`",
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("still active", "no response was received")
}
