//! The plan of a run, known before the first request: acts, cost, and what is omitted.

use crate::act::{ACTS, Act, ActNeedsAndCosts, ActOutcome};
use crate::phone_driver::PhoneDriver;
use crate::target::{CheckTarget, KnownBackendFacts, RunLimits};
use copresence_client::TokenSource;
use std::collections::BTreeMap;

/// What a run will do and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlanWithCosts {
    /// Number of Export Tokens that the run will generate.
    pub tokens: u32,
    /// Number of avatars that the run will consume.
    pub avatars: u32,
    /// Maximum number of additional tokens, if the backend generates some where it must refuse.
    pub tokens_at_risk: u32,
    /// The acts to run, in order.
    pub acts: Vec<Act>,
    /// The omitted acts, with the reason.
    pub omitted: BTreeMap<Act, ActOutcome>,
    /// Whether the run costs no money, because the tokens are a sandbox's.
    pub is_free: bool,
    /// The deliberately wrong requests that the run sends, as shown to people.
    pub wrong_requests: Vec<&'static str>,
    /// Whether a wrong password is among them that may lock the account.
    pub may_lock_account: bool,
    /// Whether that password is left out, although the run logs in and sends other wrong requests.
    pub is_wrong_password_left_out: bool,
}

impl RunPlanWithCosts {
    /// Plans a run. Sends no request.
    pub fn new(target: &CheckTarget, options: &RunLimits, phone: &PhoneDriver) -> Self {
        let info = target.backend_facts_before_first_request();
        let mut plan = Self {
            tokens: 0,
            avatars: 0,
            tokens_at_risk: 0,
            acts: Vec::new(),
            omitted: BTreeMap::new(),
            is_free: phone.sandbox_control().is_some(),
            wrong_requests: Vec::new(),
            may_lock_account: false,
            is_wrong_password_left_out: false,
        };
        for row in &ACTS {
            let left_out = outcome_if_act_ruled_out(row, target, &info, options, phone)
                .or_else(|| plan.omitted_prerequisite_outcome(row))
                .or_else(|| plan.outcome_if_over_token_limit(row, options));
            if let Some(state) = left_out {
                plan.omitted.insert(row.act, state);
            } else {
                plan.tokens += row.tokens;
                plan.avatars += row.avatars;
                plan.acts.push(row.act);
            }
        }
        if plan.acts.contains(&Act::Strangers) {
            plan.tokens_at_risk = if info.relays_tokens { 2 } else { 5 };
        }
        if options.allow_wrong_requests {
            plan.wrong_requests =
                plan.acts.iter().flat_map(|act| descriptions_of_wrong_requests(*act, &info)).copied().collect();
            if plan.acts.contains(&Act::Login) {
                plan.may_lock_account = options.allow_lockout;
                plan.is_wrong_password_left_out = !options.allow_lockout;
            }
            if plan.may_lock_account {
                plan.wrong_requests.push("one wrong password for the account's own user, which may lock the account");
            }
        }
        plan
    }

    /// Cost and omitted acts, in sentences.
    pub fn describe_costs_and_omitted_acts(&self) -> Vec<String> {
        let paid = if self.is_free { "simulated and free of charge" } else { "which the account pays for" };
        let (tokens, avatars) = (count_with_noun(self.tokens, "Export Token"), count_with_noun(self.avatars, "avatar"));
        let mut sentences = vec![format!("This makes {tokens} and consumes {avatars}, {paid}.")];
        if self.tokens_at_risk > 0 && !self.is_free {
            sentences.push(format!(
                "If the backend gives tokens where it must refuse them, up to {} more.",
                self.tokens_at_risk
            ));
        }
        if !self.wrong_requests.is_empty() {
            sentences.push(format!("Tries on purpose what must be refused: {}.", self.wrong_requests.join("; ")));
        }
        if self.is_wrong_password_left_out {
            sentences.push(
                "Left out: a wrong password for the user of the account: it may lock the account, so it is tried only \
                 with --allow-lockout."
                    .to_owned(),
            );
        }
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for (act, why) in self.skipped_acts_with_reasons() {
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, acts)) => acts.push(act.act_needs_and_costs().description),
                None => reasons.push((why, vec![act.act_needs_and_costs().description])),
            }
        }
        sentences.extend(reasons.iter().map(|(why, acts)| format!("Left out: {}: {why}.", acts.join("; "))));
        sentences
    }

    /// Minimum number of requests of the run.
    pub fn min_requests(&self) -> u32 {
        self.acts.iter().map(|act| act.act_needs_and_costs().min_requests).sum()
    }

    /// Whether a person has to scan a QR code.
    pub fn needs_person_to_scan(&self) -> bool {
        !self.is_free && self.acts.iter().any(|act| act.act_needs_and_costs().needs_phone)
    }

    /// Whether the run advances a sandbox's clock, which affects all other users of that sandbox.
    pub fn run_advances_sandbox_clock(&self) -> bool {
        self.is_free && self.acts.iter().any(|act| act.act_needs_and_costs().needs_time)
    }

    /// The acts that were omitted although they apply to the backend, with the reason.
    pub fn skipped_acts_with_reasons(&self) -> impl Iterator<Item = (Act, &str)> {
        self.omitted.iter().filter_map(|(act, state)| match state {
            ActOutcome::Skipped(why) => Some((*act, why.as_str())),
            _ => None,
        })
    }

    /// The outcome of the first prerequisite that was omitted, which this act gets too; `None` if none was omitted.
    fn omitted_prerequisite_outcome(&self, row: &ActNeedsAndCosts) -> Option<ActOutcome> {
        row.prerequisites.iter().find_map(|earlier| self.omitted.get(earlier).cloned())
    }

    /// The outcome of an act if it exceeds the token limit; `None` if it does not.
    fn outcome_if_over_token_limit(&self, row: &ActNeedsAndCosts, options: &RunLimits) -> Option<ActOutcome> {
        let most = options.max_tokens?;
        let needed = self.tokens + row.tokens;
        (row.tokens > 0 && needed > most)
            .then(|| ActOutcome::Skipped(format!("it needs a token more than --max-tokens {most} allows")))
    }
}

/// Count and noun, as in `1 avatar` or `2 avatars`.
pub fn count_with_noun(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Reason for omitting acts that send deliberately wrong requests.
pub(crate) const WRONG_REQUESTS_OFF: &str = "no request that is wrong on purpose is to be sent";

/// The deliberately wrong requests of an act, as shown to people. Without the wrong password that may lock the account.
fn descriptions_of_wrong_requests(act: Act, info: &KnownBackendFacts) -> &'static [&'static str] {
    match act {
        Act::Login => &["a login of a user that does not exist", "a login without the API key"],
        Act::Strangers if info.relays_tokens => &["token requests without the relay's key and with a wrong one"],
        Act::Strangers => &[
            "token requests without an API key and with a wrong one",
            "token requests without a session token and with a wrong one",
            "a token request with GET",
        ],
        Act::Refused => &[
            "redeems of tokens that were never made",
            "a redeem without a token",
            "a redeem with POST",
            "redeems without the key and with a wrong one",
        ],
        Act::Page => &["requests as a page of another site sends them"],
        Act::Plain => &["a request over plain HTTP, without credentials"],
        Act::Visit => &["redeems of the token whose URLs were delivered"],
        Act::Files => &["a second download of each file"],
        Act::UrlsEnd => &["downloads from expired URLs"],
        Act::Expiry => &["a redeem of an expired token"],
        Act::Generate | Act::GenerateAgain | Act::Fresh | Act::Race | Act::Failure | Act::LostAnswer | Act::Witness => {
            &[]
        }
    }
}

/// Why a run tries no wrong password for the account's own user.
pub(crate) const LOCKOUT_NOT_ALLOWED: &str =
    "a wrong password for the account may lock it, so it is tried only with --allow-lockout";

/// The outcome of an act that the target, the options or the phone rule out, whatever its prerequisites and the
/// token limit are; `None` if they do not.
fn outcome_if_act_ruled_out(
    row: &ActNeedsAndCosts,
    target: &CheckTarget,
    info: &KnownBackendFacts,
    options: &RunLimits,
    phone: &PhoneDriver,
) -> Option<ActOutcome> {
    let not_applicable = |why: &str| Some(ActOutcome::NotApplicable(why.to_owned()));
    let skipped = |why: &str| Some(ActOutcome::Skipped(why.to_owned()));
    let relay = info.relays_tokens || info.relays_redeems;
    let sandbox = phone.sandbox_control().is_some();
    match row.act {
        Act::Login if matches!(target.backend.token_source, TokenSource::Partner(_)) => {
            not_applicable("the relay logs in, not the console")
        }
        Act::Login if target.credentials.login.is_none() => {
            skipped("no login is configured: a session token was given instead of user name and password")
        }
        Act::Strangers if info.relays_tokens && !info.relay_requires_key => {
            not_applicable("the relay requires no key, according to its profile")
        }
        Act::Plain if !info.uses_https => not_applicable("the API is not reached over TLS"),
        Act::Failure | Act::Expiry if !sandbox => skipped("only a sandbox can be made to do this"),
        Act::LostAnswer | Act::Witness if !relay => not_applicable("there is no relay"),
        Act::LostAnswer | Act::Witness if !info.relays_redeems => not_applicable("redeems do not go through the relay"),
        Act::LostAnswer | Act::Witness if !sandbox => {
            skipped("the relay's upstream must be a sandbox that can be asked: name it with --upstream")
        }
        Act::Strangers | Act::Refused | Act::Page | Act::Plain if !options.allow_wrong_requests => {
            skipped(WRONG_REQUESTS_OFF)
        }
        _ if row.needs_phone && !options.allow_avatars => skipped("no avatar is to be made"),
        _ if row.may_lose_avatar && !options.allow_destructive => {
            skipped("it may lose an avatar, so it runs only with --destructive")
        }
        _ if row.needs_phone && matches!(phone, PhoneDriver::Unavailable) => {
            skipped("no phone is available (this needs a terminal or a sandbox)")
        }
        _ => None,
    }
}
