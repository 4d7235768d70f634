//! The acts of a run: what it does to the backend, each act at most once, and what each needs and costs.

use serde::{Deserialize, Serialize};

/// One act. Variants are in the order of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
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
pub struct Cost {
    /// The act.
    pub act: Act,
    /// What the act does, as shown to people.
    pub does: &'static str,
    /// Minimum number of requests. Each poll of an avatar adds one.
    pub requests: u32,
    /// Whether the act waits for time to pass at the backend. A sandbox's clock is advanced for it.
    pub waits: bool,
    /// Number of Export Tokens that the act generates.
    pub tokens: u32,
    /// Number of avatars that the act consumes.
    pub avatars: u32,
    /// Whether the act may lose an avatar. Such acts run only if they are explicitly allowed.
    pub destructive: bool,
    /// Whether a phone is needed, a person's or a simulated one.
    pub phone: bool,
    /// Acts that must have been completed before.
    pub after: &'static [Act],
}

/// Every act, in the order of a run.
pub const ACTS: [Cost; 16] = [
    sending(4, cost(Act::Login, "log in", 0, 0, &[])),
    cost(Act::Generate, "make an Export Token", 1, 0, &[]),
    cost(Act::GenerateAgain, "make a second Export Token", 1, 0, &[Act::Generate]),
    sending(2, cost(Act::Strangers, "ask for tokens without the right to them", 0, 0, &[])),
    sending(2, cost(Act::Fresh, "redeem a token that nobody has scanned", 0, 0, &[Act::Generate])),
    sending(9, cost(Act::Refused, "redeem what is no active token", 0, 0, &[Act::Generate])),
    sending(3, cost(Act::Page, "ask as a page of another site", 0, 0, &[Act::Generate])),
    cost(Act::Plain, "ask over plain HTTP, without credentials", 0, 0, &[]),
    waiting(with_phone(cost(
        Act::Visit,
        "watch an avatar from the scan to its files",
        0,
        1,
        &[Act::Generate],
    ))),
    sending(2, cost(Act::Files, "fetch each file, twice", 0, 0, &[Act::Visit])),
    sending(
        4,
        waiting(destructive(with_phone(cost(
            Act::Race,
            "redeem one avatar several times at once",
            0,
            1,
            &[Act::GenerateAgain],
        )))),
    ),
    waiting(destructive(cost(Act::UrlsEnd, "leave download URLs until they have ended", 0, 0, &[Act::Race]))),
    waiting(cost(Act::Failure, "watch an avatar that fails", 1, 0, &[Act::Generate])),
    waiting(cost(Act::Expiry, "redeem a token whose time is over", 1, 0, &[Act::Generate])),
    waiting(cost(Act::LostAnswer, "redeem while the upstream loses its answer", 1, 1, &[Act::Generate])),
    waiting(cost(Act::Witness, "compare what the upstream was asked", 1, 0, &[Act::Generate])),
];

const fn cost(act: Act, does: &'static str, tokens: u32, avatars: u32, after: &'static [Act]) -> Cost {
    let (requests, waits) = (1, false);
    Cost { act, does, requests, waits, tokens, avatars, destructive: false, phone: false, after }
}

const fn sending(requests: u32, cost: Cost) -> Cost {
    Cost { requests, ..cost }
}

const fn waiting(cost: Cost) -> Cost {
    Cost { waits: true, ..cost }
}

const fn with_phone(cost: Cost) -> Cost {
    Cost { phone: true, ..cost }
}

const fn destructive(cost: Cost) -> Cost {
    Cost { destructive: true, ..cost }
}

impl Act {
    /// What this act needs and costs.
    pub fn cost(self) -> &'static Cost {
        // `ACTS` is in the order of the enum; a test enforces it.
        &ACTS[self as usize]
    }
}

/// Outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Completed; its requests are in the observations.
    Done,
    /// The backend has nothing that the act could be applied to; the reason.
    NotApplicable(String),
    /// Omitted; the reason.
    Skipped(String),
    /// Started but not completed; the reason.
    Stuck(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_in_order_and_depend_only_on_earlier_acts() {
        for (index, row) in ACTS.iter().enumerate() {
            assert_eq!(row.act as usize, index, "{:?}", row.act);
            assert_eq!(row.act.cost().act, row.act);
            assert!(row.after.iter().all(|earlier| *earlier < row.act), "{:?}", row.act);
        }
    }
}
