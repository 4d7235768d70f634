//! A partner's relay between the console and Copresence.

use super::{ANY, find_repeated_tokens, refused};
use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::seen::{Role, Seen};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "relay.fresh-token",
        title: "The relay gives a fresh token each time",
        needs: &[Act::Generate, Act::GenerateAgain],
        remedy: "Ask Copresence for a new Export Token for each visitor; keep none and share none.",
        judge: fresh_token,
    },
    Check {
        id: "relay.no-cache",
        title: "The relay answers from no cache",
        needs: &[Act::Fresh],
        remedy: "Ask Copresence each time; switch caching off for these routes, in the proxy in front too.",
        judge: no_cache,
    },
    Check {
        id: "relay.no-credential",
        title: "The relay shows neither API key nor session token",
        needs: ANY,
        remedy: "Build the answer from the fields of the specification, and pass no request header and no error text on.",
        judge: no_credential,
    },
    Check {
        id: "relay.stranger-token",
        title: "Strangers get no token of the relay",
        needs: &[Act::Strangers],
        remedy: "Check your own key before Copresence is asked: each token is your money.",
        judge: |observations| {
            let mut judged = Vec::new();
            for role in [Role::StrangerTokenNoKey, Role::StrangerTokenWrongKey] {
                judged.push(refused(observations, role, "no key, or a wrong one"));
            }
            worst(judged)
        },
    },
    Check {
        id: "relay.stranger-redeem",
        title: "Strangers redeem nothing through the relay",
        needs: &[Act::Refused],
        remedy: "Check your own key on the redeem route too: whoever reads a token off a screen could take the avatar.",
        judge: |observations| {
            if !observations.ground.relays_redeems {
                return Judged::NotApplicable("redeems do not go through a relay".to_owned());
            }
            if !observations.ground.relay_has_key {
                return Judged::NotApplicable("the relay asks for no key".to_owned());
            }
            worst(
                [Role::RedeemNoKey, Role::RedeemWrongKey]
                    .map(|role| refused(observations, role, "no key, or a wrong one")),
            )
        },
    },
    Check {
        id: "relay.quiet",
        title: "The relay redeems only when it is asked to",
        needs: &[Act::Witness],
        remedy: "Poll nothing at the relay: any redeem may be the one that spends the token, and its URLs would reach nobody.",
        judge: quiet,
    },
    Check {
        id: "relay.no-resend",
        title: "The relay sends no redeem again",
        needs: &[Act::LostAnswer],
        remedy: "Switch retries off for the redeem route, in the HTTP client and in every proxy; when Copresence's answer is lost, answer 502.",
        judge: no_resend,
    },
];

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
        .unwrap_or_else(|| Judged::Inconclusive("nothing was asked".to_owned()))
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
            "an answer of this moment",
            "one out of a cache, by its own headers",
        );
    }
    for count in &observations.counts {
        if count.upstream < count.ours
            && let Some(step) = observations.of(Role::Watched).last()
        {
            let expected = format!("{} redeems at Copresence, one for each of ours", count.ours);
            collector.wrong(&[step], expected, format!("{} ({})", count.upstream, count.when));
        }
    }
    collector.judged("each question went through", "no answer came")
}

fn no_credential(observations: &Seen) -> Judged {
    if !observations.ground.relays_tokens && !observations.ground.relays_redeems {
        return Judged::NotApplicable("there is no relay".to_owned());
    }
    let mut collector = Sheet::default();
    for step in &observations.steps {
        let Some(reply) = &step.reply else { continue };
        // A file may be anything, and comes from Copresence's own server.
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
        let named = headers.iter().any(|(name, _)| {
            let name = name.to_ascii_lowercase();
            name.starts_with("x-copresence-rest")
                || name.starts_with("x-copresence-session")
                || name.starts_with("x-parse-")
        }) || body.contains("sessionToken");
        let secret = observations.needles.iter().filter(|secret| secret.credential).find(|secret| {
            secret.stands_in(&body) || headers.iter().any(|(_, value)| secret.stands_in(value))
        });
        if named || secret.is_some() {
            let what = secret.map_or("a field of Copresence's credentials", |secret| secret.what);
            collector.wrong(
                &[step],
                "an answer without Copresence's credentials",
                format!("{}, and in it {what}", step.came()),
            );
        }
    }
    collector.judged("none was shown", "no answer came")
}

fn quiet(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    if let Some(step) = observations.of(Role::Watched).last() {
        collector.look(step);
        for count in observations.counts.iter().filter(|count| count.upstream > count.ours) {
            let expected = format!("{} redeems at Copresence, as many as were asked for", count.ours);
            collector.wrong(&[step], expected, format!("{} ({})", count.upstream, count.when));
        }
    }
    collector.judged("as many redeems upstream as were asked for", "the upstream told nothing")
}

fn no_resend(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    if let (Some(step), Some(count)) = (observations.first(Role::LostAnswer), &observations.lost) {
        let expected = "one redeem at Copresence, whose answer was lost";
        collector.expect(step, count.upstream <= 1, expected, format!("{} redeems", count.upstream));
        collector.expect(step, !step.succeeded(), "an error, because the answer was lost", step.came());
        if count.upstream == 0 {
            return Judged::Inconclusive("the redeem did not reach the upstream".to_owned());
        }
    }
    collector.judged("sent once, and the loss was told", "the upstream told nothing")
}
