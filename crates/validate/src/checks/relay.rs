//! Checks of a partner's relay between the console and Copresence.

use super::{ANY, find_repeated_tokens, refused};
use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::seen::{Role, Seen};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "relay.fresh-token",
        title: "The relay returns a fresh token for each request",
        needs: &[Act::Generate, Act::GenerateAgain],
        remedy: "Request a new Export Token from Copresence for each visitor. Do not store or share tokens.",
        judge: fresh_token,
    },
    Check {
        id: "relay.no-cache",
        title: "The relay does not cache",
        needs: &[Act::Fresh],
        remedy: "Forward every request to Copresence. Disable caching for these routes, also in proxies in front.",
        judge: no_cache,
    },
    Check {
        id: "relay.no-credential",
        title: "The relay discloses neither API key nor session token",
        needs: ANY,
        remedy: "Build the response from the fields of the specification. Do not forward request headers or error texts.",
        judge: no_credential,
    },
    Check {
        id: "relay.stranger-token",
        title: "Without the relay's key there is no token",
        needs: &[Act::Strangers],
        remedy: "Verify your own key before you call Copresence: you pay for each token.",
        judge: |observations| {
            let mut judged = Vec::new();
            for role in [Role::StrangerTokenNoKey, Role::StrangerTokenWrongKey] {
                judged.push(refused(observations, role, "a missing or wrong key"));
            }
            worst(judged)
        },
    },
    Check {
        id: "relay.stranger-redeem",
        title: "Without the relay's key there is no redeem",
        needs: &[Act::Refused],
        remedy: "Verify your own key on the redeem route too: otherwise anybody who reads a token from a screen can take the avatar.",
        judge: |observations| {
            if !observations.ground.relays_redeems {
                return Judged::NotApplicable("redeems do not go through a relay".to_owned());
            }
            if !observations.ground.relay_has_key {
                return Judged::NotApplicable("the relay requires no key".to_owned());
            }
            worst(
                [Role::RedeemNoKey, Role::RedeemWrongKey]
                    .map(|role| refused(observations, role, "a missing or wrong key")),
            )
        },
    },
    Check {
        id: "relay.quiet",
        title: "The relay redeems only on request",
        needs: &[Act::Witness],
        remedy: "Do not poll in the relay: any redeem may be the one that spends the token, and then its URLs are lost.",
        judge: quiet,
    },
    Check {
        id: "relay.no-resend",
        title: "The relay does not retry a redeem",
        needs: &[Act::LostAnswer],
        remedy: "Disable retries for the redeem route, in the HTTP client and in every proxy. Answer 502 if Copresence's response was lost.",
        judge: no_resend,
    },
];

/// The most severe of several results.
fn worst(judged: impl IntoIterator<Item = Judged>) -> Judged {
    let rank = |judged: &Judged| match judged {
        Judged::Fail(_) => 0,
        Judged::Pass(..) => 1,
        Judged::Inconclusive(_) | Judged::Skipped(_) => 2,
        Judged::NotApplicable(_) => 3,
    };
    judged
        .into_iter()
        .min_by_key(rank)
        .unwrap_or_else(|| Judged::Inconclusive("no request was sent".to_owned()))
}

fn fresh_token(observations: &Seen) -> Judged {
    if !observations.ground.relays_tokens {
        return Judged::NotApplicable("tokens do not come from a relay".to_owned());
    }
    let (collector, _) = find_repeated_tokens(observations, "a fresh token");
    collector.judged("a fresh token each time", "no token was generated")
}

fn no_cache(observations: &Seen) -> Judged {
    if !observations.ground.relays_redeems {
        return Judged::NotApplicable("redeems do not go through a relay".to_owned());
    }
    let mut collector = Sheet::default();
    for step in observations.active().filter(|step| step.reply.is_some()) {
        let aged = step.header("age").is_some_and(|age| age.trim() != "0");
        let hit = ["x-cache", "cf-cache-status", "x-cache-status"]
            .iter()
            .filter_map(|name| step.header(name))
            .any(|value| value.to_ascii_lowercase().contains("hit"));
        collector.expect(
            step,
            !aged && !hit,
            "an uncached response",
            "a cached response, according to its headers",
        );
    }
    for count in &observations.counts {
        if count.upstream < count.ours
            && let Some(step) = observations.of(Role::Watched).last()
        {
            let expected = format!("{} redeems at Copresence, one for each request of the run", count.ours);
            collector.wrong(&[step], expected, format!("{} ({})", count.upstream, count.when));
        }
    }
    collector.judged("each request reached the upstream", "no response was received")
}

fn no_credential(observations: &Seen) -> Judged {
    if !observations.ground.relays_tokens && !observations.ground.relays_redeems {
        return Judged::NotApplicable("there is no relay".to_owned());
    }
    let mut collector = Sheet::default();
    for step in &observations.steps {
        let Some(reply) = &step.reply else { continue };
        // Files come from Copresence's own server and may contain anything.
        if step.exchange.call == client::Call::Download {
            continue;
        }
        collector.look(step);
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
        let secret = observations.needles.iter().filter(|secret| secret.credential).find(|secret| {
            secret.stands_in(&body) || headers.iter().any(|(_, value)| secret.stands_in(value))
        });
        if has_credential_field || secret.is_some() {
            let what = secret.map_or("a field name of Copresence's credentials", |secret| secret.what);
            collector.wrong(
                &[step],
                "a response without Copresence's credentials",
                format!("{}, and it contains {what}", step.came()),
            );
        }
    }
    collector.judged("none was disclosed", "no response was received")
}

fn quiet(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    if let Some(step) = observations.of(Role::Watched).last() {
        collector.look(step);
        for count in observations.counts.iter().filter(|count| count.upstream > count.ours) {
            let expected = format!("{} redeems at Copresence, as many as the run sent", count.ours);
            collector.wrong(&[step], expected, format!("{} ({})", count.upstream, count.when));
        }
    }
    collector.judged("as many redeems at the upstream as the run sent", "the upstream reported no count")
}

fn no_resend(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    if let (Some(step), Some(count)) = (observations.first(Role::LostAnswer), &observations.lost) {
        let expected = "one redeem at Copresence, whose response was lost";
        collector.expect(step, count.upstream <= 1, expected, format!("{} redeems", count.upstream));
        collector.expect(step, !step.succeeded(), "an error, because the response was lost", step.came());
        if count.upstream == 0 {
            return Judged::Inconclusive("the redeem did not reach the upstream".to_owned());
        }
    }
    collector.judged("sent once, and the loss was reported", "the upstream reported no count")
}
