//! Checks of login and token generation.

use super::{check_invalid_request_refused, count_tokens_and_collect_repeats};
use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, StepRole};
use crate::response_fields;
use crate::run_plan::LOCKOUT_NOT_ALLOWED;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "login.gives-session",
        title: "A valid login returns a session token",
        required_acts: &[Act::Login],
        remedy: "Answer the login of a business account with 200 and the session token as a string, at the JSON Pointer of the profile's `login.token`.",
        judge: check_login_returned_session,
    },
    Check {
        id: "login.wrong-password",
        title: "A wrong password is refused",
        required_acts: &[Act::Login],
        remedy: "Refuse a login whose password is wrong with 401 (Parse: 404 with code 101), without a session token.",
        judge: check_wrong_password_refused,
    },
    Check {
        id: "login.unknown-user",
        title: "An unknown user is refused",
        required_acts: &[Act::Login],
        remedy: "Refuse the login of an unknown user with the same response as for a wrong password, so that the response does not disclose who has an account.",
        judge: |observations| {
            check_invalid_request_refused(observations, StepRole::LoginUnknownUser, "an unknown user")
        },
    },
    Check {
        id: "login.needs-key",
        title: "A login without the REST API key is refused",
        required_acts: &[Act::Login],
        remedy: "Require X-Copresence-REST-API-Key for the login too, as for every other call.",
        judge: |observations| {
            check_invalid_request_refused(observations, StepRole::LoginNoKey, "a login without the API key")
        },
    },
    Check {
        id: "generate.succeeds",
        title: "An Export Token is generated for a valid key and session token",
        required_acts: &[Act::Generate],
        remedy: "Answer POST /generateExportToken with 200 if both headers are valid. If the credentials may be wrong, check them first: `copresence credentials status`.",
        judge: check_every_generate_returned_2xx,
    },
    Check {
        id: "generate.token-string",
        title: "`token` in the response is a string that is valid in a header",
        required_acts: &[Act::Generate],
        remedy: "Answer with a JSON object whose `token` is a non-empty string of visible ASCII characters: clients send it back in a header.",
        judge: check_generated_tokens_fit_header,
    },
    Check {
        id: "generate.distinct",
        title: "Two Export Tokens are never the same",
        required_acts: &[Act::Generate, Act::GenerateAgain],
        remedy: "Generate a new token for each request, and do not let proxies cache the response.",
        judge: check_generated_tokens_distinct,
    },
    Check {
        id: "generate.json",
        title: "The response of /generateExportToken is declared as JSON",
        required_acts: &[Act::Generate],
        remedy: "Send `Content-Type: application/json` with the response of /generateExportToken.",
        judge: check_generate_content_type,
    },
    Check {
        id: "generate.no-key",
        title: "No token without the REST API key",
        required_acts: &[Act::Strangers],
        remedy: "Refuse /generateExportToken without X-Copresence-REST-API-Key (401 or 403).",
        judge: |observations| check_invalid_request_refused(observations, StepRole::GenerateNoKey, "no API key"),
    },
    Check {
        id: "generate.wrong-key",
        title: "No token for a wrong REST API key",
        required_acts: &[Act::Strangers],
        remedy: "Compare the value of X-Copresence-REST-API-Key. It is not enough that the header is present.",
        judge: |observations| {
            check_invalid_request_refused(observations, StepRole::GenerateWrongKey, "a wrong API key")
        },
    },
    Check {
        id: "generate.no-session",
        title: "No token without a session token",
        required_acts: &[Act::Strangers],
        remedy: "Refuse /generateExportToken without X-Copresence-Session-Token (401; Parse: code 209): only business accounts may generate tokens.",
        judge: |observations| {
            check_invalid_request_refused(observations, StepRole::GenerateNoSession, "no session token")
        },
    },
    Check {
        id: "generate.wrong-session",
        title: "No token for a wrong session token",
        required_acts: &[Act::Strangers],
        remedy: "Compare the whole session token before a token is generated.",
        judge: |observations| {
            check_invalid_request_refused(observations, StepRole::GenerateWrongSession, "a wrong session token")
        },
    },
    Check {
        id: "generate.get-makes-none",
        title: "GET generates no token",
        required_acts: &[Act::Strangers],
        remedy: "Answer all methods except POST at /generateExportToken with 405: browsers, crawlers and caches send GET requests on their own.",
        judge: |observations| {
            check_invalid_request_refused(observations, StepRole::GenerateByGet, "GET instead of POST")
        },
    },
];

/// A login with a wrong password for the account's own user is refused, if the run was allowed to try one.
fn check_wrong_password_refused(observations: &Observations) -> CheckResult {
    if !observations.target_info.only_valid_requests && !observations.target_info.allows_lockout {
        return CheckResult::Skipped(LOCKOUT_NOT_ALLOWED.to_owned());
    }
    check_invalid_request_refused(observations, StepRole::LoginWrongPassword, "a wrong password")
}

/// Every answered login with valid credentials has a 2xx status and a session token in the body.
fn check_login_returned_session(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::Login).filter(|step| observations.is_certain_api_answer(step)) {
        let body = step.json_body();
        let point = response_fields::judge_session_token(body.as_ref(), &observations.target_info.session_pointer);
        let good = step.has_success_status() && point.is_ok;
        let expected = format!("2xx, and {}", point.expected);
        collector.record_step_result(
            step,
            good,
            expected,
            format!("{}, {}", step.describe_status_or_no_response(), point.received),
        );
    }
    collector.into_check_result("a session token was received", "the API did not answer")
}

/// Every answered generate request with valid credentials has a 2xx status. Does not look at the bodies.
fn check_every_generate_returned_2xx(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::Generate).filter(|step| observations.is_certain_api_answer(step))
    {
        collector.record_step_result(
            step,
            step.has_success_status(),
            "2xx for valid credentials",
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("generated", "the API did not answer")
}

/// Every successful generate response has an Export Token that is a valid header value.
fn check_generated_tokens_fit_header(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::Generate).filter(|step| step.has_success_status()) {
        let body = step.json_body();
        collector.record_field_result(
            step,
            response_fields::judge_export_token_value(body.as_ref(), &observations.target_info.token_pointer),
        );
    }
    collector.into_check_result("a valid string", "no token was generated")
}

/// No Export Token was generated twice. Inconclusive with fewer than two tokens.
fn check_generated_tokens_distinct(observations: &Observations) -> CheckResult {
    let (collector, different) = count_tokens_and_collect_repeats(observations, "a different token for each request");
    if different < 2 && !collector.has_findings() {
        return CheckResult::Inconclusive("fewer than two tokens were generated".to_owned());
    }
    collector.into_check_result(format!("{different} tokens, all different"), "fewer than two tokens were generated")
}

/// Every successful generate response has the content type `application/json`.
fn check_generate_content_type(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::Generate).filter(|step| step.has_success_status()) {
        collector.record_field_result(
            step,
            response_fields::judge_json_content_type(step.response_header("content-type").as_deref()),
        );
    }
    collector.into_check_result("application/json", "no token was generated")
}
