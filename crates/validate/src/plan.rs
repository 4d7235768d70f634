//! The plan of a run, known before the first request: acts, cost, and what is omitted.

use crate::act::{ACTS, Act, Cost, State};
use crate::hand::Hand;
use crate::target::{Ground, Options, Target};
use client::TokenSource;
use std::collections::BTreeMap;

/// What a run will do and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Number of Export Tokens that the run will generate.
    pub tokens: u32,
    /// Number of avatars that the run will consume.
    pub avatars: u32,
    /// Maximum number of additional tokens, if the backend generates some where it must refuse.
    pub tokens_at_risk: u32,
    /// The acts to run, in order.
    pub acts: Vec<Act>,
    /// The omitted acts, with the reason.
    pub left_out: BTreeMap<Act, State>,
    /// Whether the run costs no money, because the tokens are a sandbox's.
    pub free: bool,
}

impl Plan {
    /// Plans a run. Sends no request.
    pub fn new(target: &Target, options: &Options, phone: &Hand) -> Self {
        let info = target.ground();
        let mut plan = Self {
            tokens: 0,
            avatars: 0,
            tokens_at_risk: 0,
            acts: Vec::new(),
            left_out: BTreeMap::new(),
            free: phone.tester().is_some(),
        };
        for row in &ACTS {
            let left_out = left_out(row, target, &info, options, phone)
                .or_else(|| plan.missing(row))
                .or_else(|| plan.over(row, options));
            if let Some(state) = left_out {
                plan.left_out.insert(row.act, state);
            } else {
                plan.tokens += row.tokens;
                plan.avatars += row.avatars;
                plan.acts.push(row.act);
            }
        }
        if plan.acts.contains(&Act::Strangers) {
            plan.tokens_at_risk = if info.relays_tokens { 2 } else { 5 };
        }
        plan
    }

    /// Cost and omitted acts, in sentences.
    pub fn words(&self) -> Vec<String> {
        let paid = if self.free { "simulated and free of charge" } else { "which the account pays for" };
        let (tokens, avatars) = (counted(self.tokens, "Export Token"), counted(self.avatars, "avatar"));
        let mut sentences = vec![format!("This makes {tokens} and consumes {avatars}, {paid}.")];
        if self.tokens_at_risk > 0 && !self.free {
            sentences.push(format!(
                "If the backend gives tokens where it must refuse them, up to {} more.",
                self.tokens_at_risk
            ));
        }
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for (act, why) in self.skipped() {
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, acts)) => acts.push(act.cost().does),
                None => reasons.push((why, vec![act.cost().does])),
            }
        }
        sentences.extend(reasons.iter().map(|(why, acts)| format!("Left out: {}: {why}.", acts.join("; "))));
        sentences
    }

    /// Minimum number of requests of the run.
    pub fn requests(&self) -> u32 {
        self.acts.iter().map(|act| act.cost().requests).sum()
    }

    /// Whether a person has to scan a QR code.
    pub fn asks_people(&self) -> bool {
        !self.free && self.acts.iter().any(|act| act.cost().phone)
    }

    /// Whether the run advances a sandbox's clock, which affects all other users of that sandbox.
    pub fn moves_clock(&self) -> bool {
        self.free && self.acts.iter().any(|act| act.cost().waits)
    }

    /// The acts that were omitted although they apply to the backend, with the reason.
    pub fn skipped(&self) -> impl Iterator<Item = (Act, &str)> {
        self.left_out.iter().filter_map(|(act, state)| match state {
            State::Skipped(why) => Some((*act, why.as_str())),
            _ => None,
        })
    }

    /// The reason of an omitted prerequisite, which omits this act too.
    fn missing(&self, row: &Cost) -> Option<State> {
        row.after.iter().find_map(|earlier| self.left_out.get(earlier).cloned())
    }

    /// The reason for omitting an act that exceeds the token limit.
    fn over(&self, row: &Cost, options: &Options) -> Option<State> {
        let most = options.max_tokens?;
        let needed = self.tokens + row.tokens;
        (row.tokens > 0 && needed > most)
            .then(|| State::Skipped(format!("it needs a token more than --max-tokens {most} allows")))
    }
}

/// Count and noun, as in `1 avatar` or `2 avatars`.
pub fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Reason for omitting acts that send deliberately wrong requests.
pub(crate) const NO_WRONG_REQUESTS: &str = "no request that is wrong on purpose is to be sent";

/// The reason for omitting an act, except its prerequisites and the token limit.
fn left_out(row: &Cost, target: &Target, info: &Ground, options: &Options, phone: &Hand) -> Option<State> {
    let not_applicable = |why: &str| Some(State::NotApplicable(why.to_owned()));
    let skipped = |why: &str| Some(State::Skipped(why.to_owned()));
    let relay = info.relays_tokens || info.relays_redeems;
    let sandbox = phone.tester().is_some();
    match row.act {
        Act::Login if matches!(target.backend.source, TokenSource::Partner(_)) => {
            not_applicable("the relay logs in, not the console")
        }
        Act::Login if target.credentials.login.is_none() => {
            skipped("no login is configured: a session token was given instead of user name and password")
        }
        Act::Strangers if info.relays_tokens && !info.relay_has_key => {
            not_applicable("the relay requires no key, according to its profile")
        }
        Act::Plain if !info.https => not_applicable("the API is not reached over TLS"),
        Act::Failure | Act::Expiry if !sandbox => skipped("only a sandbox can be made to do this"),
        Act::LostAnswer | Act::Witness if !relay => not_applicable("there is no relay"),
        Act::LostAnswer | Act::Witness if !info.relays_redeems => {
            not_applicable("redeems do not go through the relay")
        }
        Act::LostAnswer | Act::Witness if !sandbox => {
            skipped("the relay's upstream must be a sandbox that can be asked: name it with --upstream")
        }
        Act::Strangers | Act::Refused | Act::Page | Act::Plain if !options.wrong_requests => {
            skipped(NO_WRONG_REQUESTS)
        }
        _ if row.phone && !options.avatars => skipped("no avatar is to be made"),
        _ if row.destructive && !options.destructive => {
            skipped("it may lose an avatar, so it runs only with --destructive")
        }
        _ if row.phone && matches!(phone, Hand::Nobody) => {
            skipped("no phone is available (this needs a terminal or a sandbox)")
        }
        _ => None,
    }
}
