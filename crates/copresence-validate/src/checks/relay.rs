//! Checks of a partner's relay between the console and Copresence.

use super::{NO_REQUIRED_ACTS, check_invalid_request_refused, count_tokens_and_collect_repeats};
use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::observations::{Observations, StepRole};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "relay.fresh-token",
        title: "The relay returns a fresh token for each request",
        required_acts: &[Act::Generate, Act::GenerateAgain],
        remedy: "Request a new Export Token from Copresence for each visitor. Do not store or share tokens.",
        judge: check_relay_tokens_distinct,
    },
    Check {
        id: "relay.no-cache",
        title: "The relay does not cache",
        required_acts: &[Act::Fresh],
        remedy: "Forward every request to Copresence. Disable caching for these routes, also in proxies in front.",
        judge: check_relay_uncached,
    },
    Check {
        id: "relay.no-credential",
        title: "The relay discloses neither API key nor session token",
        required_acts: NO_REQUIRED_ACTS,
        remedy: "Build the response from the fields of the specification. Do not forward request headers or error texts.",
        judge: check_relay_hides_credentials,
    },
    Check {
        id: "relay.stranger-token",
        title: "Without the relay's key there is no token",
        required_acts: &[Act::Strangers],
        remedy: "Verify your own key before you call Copresence: you pay for each token.",
        judge: |observations| {
            let mut judged = Vec::new();
            for role in [StepRole::RelayTokenNoKey, StepRole::RelayTokenWrongKey] {
                judged.push(check_invalid_request_refused(observations, role, "a missing or wrong key"));
            }
            most_decisive_result(judged)
        },
    },
    Check {
        id: "relay.stranger-redeem",
        title: "Without the relay's key there is no redeem",
        required_acts: &[Act::Refused],
        remedy: "Verify your own key on the redeem route too: otherwise anybody who reads a token from a screen can take the avatar.",
        judge: |observations| {
            if !observations.target_info.relays_redeems {
                return CheckResult::NotApplicable("redeems do not go through a relay".to_owned());
            }
            if !observations.target_info.relay_requires_key {
                return CheckResult::NotApplicable("the relay requires no key".to_owned());
            }
            most_decisive_result(
                [StepRole::RedeemNoKey, StepRole::RedeemWrongKey]
                    .map(|role| check_invalid_request_refused(observations, role, "a missing or wrong key")),
            )
        },
    },
    Check {
        id: "relay.quiet",
        title: "The relay redeems only on request",
        required_acts: &[Act::Witness],
        remedy: "Do not poll in the relay: any redeem may be the one that spends the token, and then its URLs are lost.",
        judge: check_no_extra_redeems,
    },
    Check {
        id: "relay.no-resend",
        title: "The relay does not retry a redeem",
        required_acts: &[Act::LostAnswer],
        remedy: "Disable retries for the redeem route, in the HTTP client and in every proxy. Answer 502 if Copresence's response was lost.",
        judge: check_no_redeem_retry,
    },
];

/// A failure if there is one, else a pass, else an undecided or skipped result, else "not applicable".
fn most_decisive_result(judged: impl IntoIterator<Item = CheckResult>) -> CheckResult {
    let rank = |judged: &CheckResult| match judged {
        CheckResult::Fail(_) => 0,
        CheckResult::Pass(..) => 1,
        CheckResult::Inconclusive(_) | CheckResult::Skipped(_) => 2,
        CheckResult::NotApplicable(_) => 3,
    };
    judged.into_iter().min_by_key(rank).unwrap_or_else(|| CheckResult::Inconclusive("no request was sent".to_owned()))
}

/// A relay that gives tokens gives no Export Token twice.
fn check_relay_tokens_distinct(observations: &Observations) -> CheckResult {
    if !observations.target_info.relays_tokens {
        return CheckResult::NotApplicable("tokens do not come from a relay".to_owned());
    }
    let (collector, _) = count_tokens_and_collect_repeats(observations, "a fresh token");
    collector.into_check_result("a fresh token each time", "no token was generated")
}

/// No redeem through the relay shows signs of a cache: an `Age` other than 0, or a cache hit.
fn check_relay_uncached(observations: &Observations) -> CheckResult {
    if !observations.target_info.relays_redeems {
        return CheckResult::NotApplicable("redeems do not go through a relay".to_owned());
    }
    let mut collector = FindingCollector::default();
    for step in observations.redeems_of_active_tokens().filter(|step| observations.is_certain_api_answer(step)) {
        let aged = step.response_header("age").is_some_and(|age| age.trim() != "0");
        let hit = ["x-cache", "cf-cache-status", "x-cache-status"]
            .iter()
            .filter_map(|name| step.response_header(name))
            .any(|value| value.to_ascii_lowercase().contains("hit"));
        collector.record_step_result(
            step,
            !aged && !hit,
            "an uncached response",
            "a cached response, according to its headers",
        );
    }
    for count in &observations.upstream_counts {
        if count.upstream_redeems < count.relay_redeems
            && let Some(step) = observations.steps_with_role(StepRole::CountedRedeem).last()
        {
            let expected = format!("{} redeems at Copresence, one for each request of the run", count.relay_redeems);
            collector.add_finding(&[step], expected, format!("{} ({})", count.upstream_redeems, count.when));
        }
    }
    collector.into_check_result("each request reached the upstream", "no response was received")
}

/// No response of a relay, except downloaded files, contains a credential for Copresence's API or the field name of
/// one.
fn check_relay_hides_credentials(observations: &Observations) -> CheckResult {
    if !observations.target_info.relays_tokens && !observations.target_info.relays_redeems {
        return CheckResult::NotApplicable("there is no relay".to_owned());
    }
    let mut collector = FindingCollector::default();
    for step in &observations.steps {
        let Some(reply) = &step.reply else { continue };
        // Files come from Copresence's own server and may contain anything.
        if step.exchange.call == copresence_client::CallKind::Download {
            continue;
        }
        collector.mark_step_examined(step);
        let body = String::from_utf8_lossy(&reply.body);
        let headers: Vec<_> = reply
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let has_credential_field = headers.iter().any(|(name, _)| {
            let name = name.to_ascii_lowercase();
            name.starts_with("x-copresence-rest")
                || name.starts_with("x-copresence-session")
                || name.starts_with("x-parse-")
        }) || body.contains("sessionToken");
        let secret = observations.known_secrets.iter().filter(|secret| secret.is_credential).find(|secret| {
            secret.is_secret_in_text(&body) || headers.iter().any(|(_, value)| secret.is_secret_in_text(value))
        });
        if has_credential_field || secret.is_some() {
            let what = secret.map_or("a field name of Copresence's credentials", |secret| &secret.label);
            collector.add_finding(
                &[step],
                "a response without Copresence's credentials",
                format!("{}, and it contains {what}", step.describe_status_or_no_response()),
            );
        }
    }
    collector.into_check_result("none was disclosed", "no response was received")
}

/// The upstream got no more redeems than the run sent to the relay.
fn check_no_extra_redeems(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    if let Some(step) = observations.steps_with_role(StepRole::CountedRedeem).last() {
        collector.mark_step_examined(step);
        for count in observations.upstream_counts.iter().filter(|count| count.upstream_redeems > count.relay_redeems) {
            let expected = format!("{} redeems at Copresence, as many as the run sent", count.relay_redeems);
            collector.add_finding(&[step], expected, format!("{} ({})", count.upstream_redeems, count.when));
        }
    }
    collector.into_check_result("as many redeems at the upstream as the run sent", "the upstream reported no count")
}

/// After each lost response the upstream got at most one redeem, and the relay responded with an error or not at all.
fn check_no_redeem_retry(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (number, count) in &observations.lost_answer_counts {
        let Some(step) = observations.steps.iter().find(|step| step.number == *number) else { continue };
        // The redeem did not reach the upstream.
        if count.upstream_redeems == 0 {
            continue;
        }
        collector.record_step_result(
            step,
            count.upstream_redeems == 1,
            format!("one redeem at Copresence, whose response was lost ({})", count.when),
            format!("{} redeems", count.upstream_redeems),
        );
        collector.record_step_result(
            step,
            !step.has_success_status(),
            format!("an error, because the response was lost ({})", count.when),
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("sent once, and the loss was reported", "no redeem reached the upstream")
}
