//! What a run will do, told before it begins: tokens, avatars, and what is left out.

use crate::act::{ACTS, Act, Cost, State};
use crate::hand::Hand;
use crate::target::{Ground, Options, Target};
use client::TokenSource;
use std::collections::BTreeMap;

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Export Tokens that it will make.
    pub tokens: u32,
    /// Avatars that it will consume.
    pub avatars: u32,
    /// Tokens more, if the backend gives some where it must refuse.
    pub tokens_at_risk: u32,
    /// The acts, in order.
    pub acts: Vec<Act>,
    /// What is left out, and why.
    pub left_out: BTreeMap<Act, State>,
    /// Whether nothing of it costs anybody money: the tokens are a sandbox's.
    pub free: bool,
}

impl Plan {
    /// Plans a run; asks nobody.
    pub fn new(target: &Target, options: &Options, hand: &Hand) -> Self {
        let ground = target.ground();
        let mut plan = Self {
            tokens: 0,
            avatars: 0,
            tokens_at_risk: 0,
            acts: Vec::new(),
            left_out: BTreeMap::new(),
            free: hand.tester().is_some(),
        };
        for row in &ACTS {
            let left_out = left_out(row, target, &ground, options, hand)
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
            plan.tokens_at_risk = if ground.relays_tokens { 2 } else { 5 };
        }
        plan
    }

    /// What it will cost and what is left out, in sentences, before it costs anything.
    pub fn words(&self) -> Vec<String> {
        let paid =
            if self.free { "simulated ones, which cost nothing" } else { "which the account pays for" };
        let (tokens, avatars) = (counted(self.tokens, "Export Token"), counted(self.avatars, "avatar"));
        let mut words = vec![format!("This makes {tokens} and consumes {avatars}, {paid}.")];
        if self.tokens_at_risk > 0 && !self.free {
            words.push(format!(
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
        words.extend(reasons.iter().map(|(why, acts)| format!("Left out: {}: {why}.", acts.join("; "))));
        words
    }

    /// Requests that it sends at least.
    pub fn requests(&self) -> u32 {
        self.acts.iter().map(|act| act.cost().requests).sum()
    }

    /// Whether a person is asked to scan a code.
    pub fn asks_people(&self) -> bool {
        !self.free && self.acts.iter().any(|act| act.cost().phone)
    }

    /// Whether it moves a sandbox's clock on, which everybody at that sandbox notices.
    pub fn moves_clock(&self) -> bool {
        self.free && self.acts.iter().any(|act| act.cost().waits)
    }

    /// What is left out though it could be done, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (Act, &str)> {
        self.left_out.iter().filter_map(|(act, state)| match state {
            State::Skipped(why) => Some((*act, why.as_str())),
            _ => None,
        })
    }

    /// An act that it stands on is left out: for the same reason.
    fn missing(&self, row: &Cost) -> Option<State> {
        row.after.iter().find_map(|earlier| self.left_out.get(earlier).cloned())
    }

    fn over(&self, row: &Cost, options: &Options) -> Option<State> {
        let most = options.max_tokens?;
        let needed = self.tokens + row.tokens;
        (row.tokens > 0 && needed > most)
            .then(|| State::Skipped(format!("it needs a token more than --max-tokens {most} allows")))
    }
}

/// So many of something, for people.
pub fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Why something that is wrong on purpose was left out.
pub(crate) const NO_WRONG_REQUESTS: &str = "no request that is wrong on purpose is to be sent";

fn left_out(row: &Cost, target: &Target, ground: &Ground, options: &Options, hand: &Hand) -> Option<State> {
    let not_applicable = |why: &str| Some(State::NotApplicable(why.to_owned()));
    let skipped = |why: &str| Some(State::Skipped(why.to_owned()));
    let relay = ground.relays_tokens || ground.relays_redeems;
    let sandbox = hand.tester().is_some();
    match row.act {
        Act::Login if matches!(target.backend.source, TokenSource::Partner(_)) => {
            not_applicable("the relay logs in, not the console")
        }
        Act::Login if target.credentials.login.is_none() => {
            skipped("no login is configured: a session token was given instead of user name and password")
        }
        Act::Strangers if ground.relays_tokens && !ground.relay_has_key => {
            not_applicable("the relay asks for no key, by its profile")
        }
        Act::Plain if !ground.https => not_applicable("the API is not reached over TLS"),
        Act::Failure | Act::Expiry if !sandbox => skipped("only a sandbox can be made to do this"),
        Act::LostAnswer | Act::Witness if !relay => not_applicable("there is no relay"),
        Act::LostAnswer | Act::Witness if !ground.relays_redeems => {
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
        _ if row.phone && matches!(hand, Hand::Nobody) => {
            skipped("nobody is here with a phone (a terminal is needed, or a sandbox)")
        }
        _ => None,
    }
}
