//! Renders the report as SARIF 2.1.0, which code hosts show as alerts: one rule for each check, one result for each
//! check that failed or is stale.

use super::invisible_text::escape_invisible_characters;
use super::{CheckReport, Report, STALE_MESSAGE, StepReport};
use crate::checks::CHECKS;
use crate::requirement::Level;
use crate::verdict_effect::VerdictEffectOnRun;
use serde_json::{Value, json};
use url::Url;

const SCHEMA_URL: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Id of the rule that a known failure must not pass.
const STALE_RULE: &str = "expected-failures.stale";

/// Renders the report as indented JSON, with a final newline.
///
/// A failure of the run is an `error`, another failed check a `warning`. A known failure is suppressed. Invisible
/// characters of a backend are written as `\u{…}`.
pub fn render_sarif(report: &Report) -> String {
    let notifications: Vec<_> = report.error.iter().map(|error| build_error_notification(report, error)).collect();
    let sarif = json!({
        "$schema": SCHEMA_URL,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": report.tool.name,
                "version": report.tool.version,
                "semanticVersion": report.tool.version,
                "rules": build_rules(report),
            }},
            "automationDetails": {"id": format!("copresence-validate/{}/", escaped_profile_name(report))},
            "invocations": [{
                "executionSuccessful": report.error.is_none(),
                "exitCode": report.exit,
                "startTimeUtc": report.started_at,
                "endTimeUtc": report.ended_at,
                "toolExecutionNotifications": notifications,
            }],
            "results": report.checks.iter().filter_map(|check| build_failed_or_stale_result(report, check)).collect::<Vec<_>>(),
        }],
    });
    // Cannot fail: all map keys are strings.
    let mut text = serde_json::to_string_pretty(&sarif).unwrap_or_default();
    text.push('\n');
    text
}

/// The rules: one for each check, and one for stale known failures.
fn build_rules(report: &Report) -> Vec<Value> {
    let rule = |check: &CheckReport| {
        let remedy =
            CHECKS.iter().find(|known| known.id == check.id).map_or(check.title.as_str(), |known| known.remedy);
        let sources = report.requirements.iter().filter(|row| check.requirements.contains(&row.id));
        let sources: Vec<_> = sources.map(|row| format!("{}: “{}”", row.place, row.quote)).collect();
        json!({
            "id": check.id,
            "shortDescription": {"text": ensure_final_full_stop(&check.title)},
            "fullDescription": {"text": ensure_final_full_stop(&sources.join("; "))},
            "help": {"text": ensure_final_full_stop(remedy)},
            "defaultConfiguration": {"level": sarif_level(check.level)},
            "properties": {"tags": [check.area_of_check(), check.level.uppercase_level()]},
        })
    };
    let stale = json!({
        "id": STALE_RULE,
        "shortDescription": {"text": "A known failure fails."},
        "fullDescription": {"text": "The list of --expected-failures has only checks that fail."},
        "help": {"text": "Remove the check from the list, or renew the list with --write-expected."},
        "defaultConfiguration": {"level": "error"},
    });
    report.checks.iter().map(rule).chain([stale]).collect()
}

/// The result of a check that failed or is stale; `None` for others.
fn build_failed_or_stale_result(report: &Report, check: &CheckReport) -> Option<Value> {
    let effect = report.run_effect_of_check_verdict(check);
    let (rule, level) = match effect {
        VerdictEffectOnRun::Neutral => return None,
        VerdictEffectOnRun::Failure => (check.id.as_str(), "error"),
        VerdictEffectOnRun::Warning => (check.id.as_str(), "warning"),
        VerdictEffectOnRun::KnownFailure => (check.id.as_str(), sarif_level(check.level)),
        VerdictEffectOnRun::Stale => (STALE_RULE, "error"),
    };
    let mut result = json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": failure_message_with_advice(check, effect)},
        "locations": [build_failed_endpoint_location(report, check)],
        // An alert stays the same one while the check fails at this backend.
        "partialFingerprints": {"primaryLocationLineHash": format!("{}/{}/{rule}:1", escaped_profile_name(report), check.id)},
    });
    if effect == VerdictEffectOnRun::KnownFailure {
        let why = "Listed as a known failure (--expected-failures).";
        result["suppressions"] = json!([{"kind": "external", "status": "accepted", "justification": why}]);
    }
    Some(result)
}

/// What failed, with every finding, and what to do.
fn failure_message_with_advice(check: &CheckReport, effect: VerdictEffectOnRun) -> String {
    if effect == VerdictEffectOnRun::Stale {
        return format!("{}: {}. {STALE_MESSAGE}", check.id, check.title);
    }
    let mut text = ensure_final_full_stop(&check.title);
    for finding in &check.findings {
        text.push_str(&ensure_final_full_stop(&format!("\nExpected {}, received {}", finding.expected, finding.came)));
    }
    if let Some(remedy) = &check.remedy {
        text.push_str(&ensure_final_full_stop(&format!("\nWhat to do: {remedy}")));
    }
    escape_invisible_characters(&text)
}

/// Where the check failed: the endpoint of the first request that shows it. Code hosts require a path without a scheme.
fn build_failed_endpoint_location(report: &Report, check: &CheckReport) -> Value {
    let first = check.steps.first().and_then(|number| report.steps.iter().find(|step| step.number == *number));
    let url = first.map_or(&report.target.url, |step: &StepReport| &step.url);
    let method = first.map(|step| format!("{} ", step.method)).unwrap_or_default();
    let Ok(url) = Url::parse(url) else {
        return json!({"logicalLocations": [{"fullyQualifiedName": escape_invisible_characters(url)}]});
    };
    let host = url.host_str().unwrap_or("backend").replace([':', '[', ']'], "_");
    let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": format!("{host}{port}{}", url.path())},
            "region": {"startLine": 1},
        },
        "logicalLocations": [{"fullyQualifiedName": format!("{method}{}", url.path()), "kind": "resource"}],
    })
}

/// The error that ended the run.
fn build_error_notification(report: &Report, error: &str) -> Value {
    json!({
        "level": "error",
        "message": {"text": escape_invisible_characters(&ensure_final_full_stop(error))},
        "descriptor": {"id": report.error_code.as_deref().unwrap_or("error")},
    })
}

/// The name of the profile, which identifies the alerts of a backend.
fn escaped_profile_name(report: &Report) -> String {
    escape_invisible_characters(&report.target.name)
}

fn sarif_level(level: Level) -> &'static str {
    match level {
        Level::Must => "error",
        Level::Should => "warning",
    }
}

/// The text with a full stop at its end.
fn ensure_final_full_stop(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
