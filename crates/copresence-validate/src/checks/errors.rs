//! Checks of error responses.

use super::NO_REQUIRED_ACTS;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, RecordedStep, StepRole};
use crate::response_fields;
use copresence_client::CallKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "errors.no-secret",
        title: "No error repeats a credential or an Export Token",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Do not repeat request values in error messages: messages end up in logs and tickets.",
        judge: check_errors_hide_secrets,
    },
    Check {
        id: "errors.no-inside",
        title: "No error discloses internals of the server",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Log stack traces, paths and queries on the server, and answer with a short message.",
        judge: check_errors_hide_internals,
    },
    Check {
        id: "errors.form",
        title: "Errors are JSON with a message in `error`",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Send errors as `{\"code\": N, \"error\": \"…\"}`, including those of proxies and frameworks in front.",
        judge: check_errors_have_message,
    },
    Check {
        id: "errors.idempotent",
        title: "The same wrong request gets the same response",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Do not change any state for a refused request, so that a repetition gets the same response.",
        judge: check_repeated_redeem_errors_equal,
    },
];

/// Every step with an error response (400 or above), and its body as text.
fn recorded_error_responses(observations: &Observations) -> impl Iterator<Item = (&RecordedStep, String)> {
    observations.steps.iter().filter_map(|step| {
        let reply = step.reply.as_ref().filter(|reply| reply.status >= 400)?;
        Some((step, String::from_utf8_lossy(&reply.body).into_owned()))
    })
}

/// No error response contains a secret of the run.
fn check_errors_hide_secrets(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, body) in recorded_error_responses(observations) {
        collector.mark_step_examined(step);
        let headers = step.reply.as_ref().map(|reply| format!("{:?}", reply.headers)).unwrap_or_default();
        for secret in &observations.known_secrets {
            if secret.is_secret_in_text(&body) || secret.is_secret_in_text(&headers) {
                let received =
                    format!("{}, and it contains the {}", step.describe_status_or_no_response(), secret.label);
                collector.add_finding(&[step], "an error without request values", received);
            }
        }
    }
    collector.into_check_result("no request value was repeated", "no error response was received")
}

/// No error response discloses internals, such as a stack trace.
fn check_errors_hide_internals(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, body) in recorded_error_responses(observations) {
        let point = response_fields::judge_no_internals(&body);
        collector.record_step_result(
            step,
            point.is_ok,
            point.expected,
            format!("{}, and {}", step.describe_status_or_no_response(), point.received),
        );
    }
    collector.into_check_result("no internals were disclosed", "no error response was received")
}

/// Each error response of the API is JSON with a message. Downloads, preflights and plain HTTP are not judged.
fn check_errors_have_message(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (step, _) in recorded_error_responses(observations).filter(|(step, _)| step.exchange.call != CallKind::Download)
    {
        // The pages of gateways (502, 503, 504) and of anything else in between are not the API's.
        if !observations.is_certain_api_answer(step) && step.response_status() != Some(500) {
            continue;
        }
        // Responses to preflights and over plain HTTP need no JSON body.
        if matches!(step.role, StepRole::PreflightGenerate | StepRole::PreflightRedeem | StepRole::PlainHttp) {
            continue;
        }
        let point = response_fields::judge_error_format(step.json_body().as_ref());
        collector.record_step_result(
            step,
            point.is_ok,
            point.expected,
            format!("{} without a message", step.describe_status_or_no_response()),
        );
    }
    collector.into_check_result("each error has a message", "no error response was received")
}

/// The same wrong redeem, sent again, gets the same status and error code.
fn check_repeated_redeem_errors_equal(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for role in [StepRole::RedeemUnknown, StepRole::RedeemSpent] {
        let answered: Vec<_> =
            observations.steps_with_role(role).filter(|step| observations.is_certain_api_answer(step)).collect();
        for pair in answered.windows(2) {
            let code = |step: &RecordedStep| step.json_body().and_then(|body| body.get("code").cloned());
            let same = pair[0].response_status() == pair[1].response_status() && code(pair[0]) == code(pair[1]);
            collector.mark_step_examined(pair[0]);
            collector.record_step_result(
                pair[1],
                same,
                format!("{}, as before", pair[0].describe_status_or_no_response()),
                pair[1].describe_status_or_no_response(),
            );
        }
    }
    collector.into_check_result("the same response twice", "fewer than two errors of one kind were received")
}
