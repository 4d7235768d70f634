//! The acts: what is done to a backend, each once, and what each costs. Checks judge what the acts brought.

use serde::{Deserialize, Serialize};

/// One act. The order is the order of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Logs in, rightly and wrongly.
    Login,
    /// Asks for the first Export Token.
    Generate,
    /// Asks for a second one.
    GenerateAgain,
    /// Asks for tokens without the right to them.
    Strangers,
    /// Redeems a token that nobody has scanned.
    Fresh,
    /// Redeems what is no active token, and without the right to.
    Refused,
    /// Asks as a page of another site would.
    Page,
    /// Asks for the plain-HTTP side of an HTTPS backend.
    Plain,
    /// Watches one avatar from the scan to its URLs, and redeems again.
    Visit,
    /// Fetches each file, twice.
    Files,
    /// Redeems a ready avatar several times at once.
    Race,
    /// Leaves URLs unused for a while, then asks for them.
    UrlsEnd,
    /// Watches an avatar that fails.
    Failure,
    /// Redeems a token whose time is over.
    Expiry,
    /// Redeems through a relay whose upstream loses its answer.
    LostAnswer,
    /// Compares what a relay's upstream was asked with what the relay was.
    Witness,
}

/// What an act needs and costs.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Which act.
    pub act: Act,
    /// What it does, for people.
    pub does: &'static str,
    /// Requests that it sends at least; while it waits for an avatar, each look at it is one more.
    pub requests: u32,
    /// Whether it waits for the backend's own time to pass: a sandbox's clock is moved on for it.
    pub waits: bool,
    /// Export Tokens that it makes.
    pub tokens: u32,
    /// Avatars that it consumes.
    pub avatars: u32,
    /// Whether it may lose an avatar, so that it runs only when it is asked for.
    pub destructive: bool,
    /// Whether somebody with a phone is needed.
    pub phone: bool,
    /// Acts that must have brought what they bring.
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
    /// Its row.
    pub fn cost(self) -> &'static Cost {
        // The table is in the order of the enum; a test holds it.
        &ACTS[self as usize]
    }
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was done; what it brought stands in the steps.
    Done,
    /// There is nothing here to do it to.
    NotApplicable(String),
    /// It was left out, and why.
    Skipped(String),
    /// It could not be done to its end.
    Stuck(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_acts_and_need_only_earlier_ones() {
        for (index, row) in ACTS.iter().enumerate() {
            assert_eq!(row.act as usize, index, "{:?}", row.act);
            assert_eq!(row.act.cost().act, row.act);
            assert!(row.after.iter().all(|earlier| *earlier < row.act), "{:?}", row.act);
        }
    }
}
