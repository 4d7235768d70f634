//! The acts of a run: what it does to the backend, each act at most once, and what each needs and costs.

use serde::{Deserialize, Serialize};

/// One act. Variants are in the order of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Logs in with the right and with wrong credentials.
    Login,
    /// Generates the first Export Token.
    Generate,
    /// Generates a second Export Token.
    GenerateAgain,
    /// Requests tokens with missing or wrong credentials.
    Strangers,
    /// Redeems a token that was not scanned.
    Fresh,
    /// Redeems inactive tokens, and redeems with missing or wrong credentials.
    Refused,
    /// Sends requests as a page of another site would (CORS).
    Page,
    /// Sends a request over plain HTTP to an HTTPS backend.
    Plain,
    /// Polls one avatar from the scan to its URLs, then redeems again.
    Visit,
    /// Downloads each file twice.
    Files,
    /// Redeems a ready avatar with several concurrent requests.
    Race,
    /// Leaves URLs unused until they must have expired, then downloads them.
    UrlsEnd,
    /// Polls an avatar that fails.
    Failure,
    /// Redeems an expired token.
    Expiry,
    /// Redeems through a relay while the upstream drops its response.
    LostAnswer,
    /// Compares the redeems at a relay's upstream with those sent to the relay.
    Witness,
}

/// What an act needs and costs.
#[derive(Debug, Clone, Copy)]
pub struct ActNeedsAndCosts {
    /// The act.
    pub act: Act,
    /// What the act does, as shown to people.
    pub description: &'static str,
    /// Minimum number of requests. Each poll of an avatar adds one.
    pub min_requests: u32,
    /// Whether the act waits for time to pass at the backend. A sandbox's clock is advanced for it.
    pub needs_time: bool,
    /// Number of Export Tokens that the act generates.
    pub tokens: u32,
    /// Number of avatars that the act consumes.
    pub avatars: u32,
    /// Whether the act may lose an avatar. Such acts run only if they are explicitly allowed.
    pub may_lose_avatar: bool,
    /// Whether a phone is needed, a person's or a simulated one.
    pub needs_phone: bool,
    /// Acts that must have been completed before.
    pub prerequisites: &'static [Act],
}

/// Every act, in the order of a run.
pub const ACTS: [ActNeedsAndCosts; 16] = [
    with_min_requests(4, single_request_act_spec(Act::Login, "log in", 0, 0, &[])),
    single_request_act_spec(Act::Generate, "make an Export Token", 1, 0, &[]),
    single_request_act_spec(Act::GenerateAgain, "make a second Export Token", 1, 0, &[Act::Generate]),
    with_min_requests(
        2,
        single_request_act_spec(Act::Strangers, "ask for tokens without the right to them", 0, 0, &[]),
    ),
    with_min_requests(
        2,
        single_request_act_spec(Act::Fresh, "redeem a token that nobody has scanned", 0, 0, &[Act::Generate]),
    ),
    with_min_requests(
        9,
        single_request_act_spec(Act::Refused, "redeem what is no active token", 0, 0, &[Act::Generate]),
    ),
    with_min_requests(3, single_request_act_spec(Act::Page, "ask as a page of another site", 0, 0, &[Act::Generate])),
    single_request_act_spec(Act::Plain, "ask over plain HTTP, without credentials", 0, 0, &[]),
    mark_act_waits_for_time(mark_act_needs_phone(single_request_act_spec(
        Act::Visit,
        "watch an avatar from the scan to its files",
        0,
        1,
        &[Act::Generate],
    ))),
    with_min_requests(2, single_request_act_spec(Act::Files, "fetch each file, twice", 0, 0, &[Act::Visit])),
    with_min_requests(
        4,
        mark_act_waits_for_time(mark_may_lose_avatar(mark_act_needs_phone(single_request_act_spec(
            Act::Race,
            "redeem one avatar several times at once",
            0,
            1,
            &[Act::GenerateAgain],
        )))),
    ),
    mark_act_waits_for_time(mark_may_lose_avatar(single_request_act_spec(
        Act::UrlsEnd,
        "leave download URLs until they have ended",
        0,
        0,
        &[Act::Race],
    ))),
    mark_act_waits_for_time(single_request_act_spec(
        Act::Failure,
        "watch an avatar that fails",
        1,
        0,
        &[Act::Generate],
    )),
    mark_act_waits_for_time(single_request_act_spec(
        Act::Expiry,
        "redeem a token whose time is over",
        1,
        0,
        &[Act::Generate],
    )),
    with_min_requests(
        6,
        mark_act_waits_for_time(single_request_act_spec(
            Act::LostAnswer,
            "redeem while the upstream loses its answer, in three ways",
            3,
            3,
            &[Act::Generate],
        )),
    ),
    mark_act_waits_for_time(single_request_act_spec(
        Act::Witness,
        "compare what the upstream was asked",
        1,
        0,
        &[Act::Generate],
    )),
];

/// Creates the specification of an act that sends one request, needs neither a phone nor waiting time, and cannot
/// lose an avatar. Other functions change these defaults.
const fn single_request_act_spec(
    act: Act,
    does: &'static str,
    tokens: u32,
    avatars: u32,
    after: &'static [Act],
) -> ActNeedsAndCosts {
    let (requests, waits) = (1, false);
    ActNeedsAndCosts {
        act,
        description: does,
        min_requests: requests,
        needs_time: waits,
        tokens,
        avatars,
        may_lose_avatar: false,
        needs_phone: false,
        prerequisites: after,
    }
}

/// Sets the minimum number of requests of an act.
const fn with_min_requests(requests: u32, cost: ActNeedsAndCosts) -> ActNeedsAndCosts {
    ActNeedsAndCosts { min_requests: requests, ..cost }
}

/// Marks an act that waits for time to pass at the backend.
const fn mark_act_waits_for_time(cost: ActNeedsAndCosts) -> ActNeedsAndCosts {
    ActNeedsAndCosts { needs_time: true, ..cost }
}

/// Marks an act that needs a phone, a person's or a simulated one.
const fn mark_act_needs_phone(cost: ActNeedsAndCosts) -> ActNeedsAndCosts {
    ActNeedsAndCosts { needs_phone: true, ..cost }
}

/// Marks an act that may lose an avatar.
const fn mark_may_lose_avatar(cost: ActNeedsAndCosts) -> ActNeedsAndCosts {
    ActNeedsAndCosts { may_lose_avatar: true, ..cost }
}

impl Act {
    /// What this act needs and costs.
    pub fn act_needs_and_costs(self) -> &'static ActNeedsAndCosts {
        // `ACTS` is in the order of the enum; a test enforces it.
        &ACTS[self as usize]
    }
}

/// Outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActOutcome {
    /// Completed; its requests are in the observations.
    Done,
    /// The backend has nothing that the act could be applied to; the reason.
    NotApplicable(String),
    /// Omitted; the reason.
    Skipped(String),
    /// Started but not completed; the reason.
    Incomplete(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_in_order_and_depend_only_on_earlier_acts() {
        for (index, row) in ACTS.iter().enumerate() {
            assert_eq!(row.act as usize, index, "{:?}", row.act);
            assert_eq!(row.act.act_needs_and_costs().act, row.act);
            assert!(row.prerequisites.iter().all(|earlier| *earlier < row.act), "{:?}", row.act);
        }
    }
}
