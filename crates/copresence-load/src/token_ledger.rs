//! Accounts for every Export Token of a run: each was spent, or not, or nobody knows.

use copresence_protocol::{DeliveredExports, ExportToken};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// The outcomes of the Export Tokens. `issued` is the sum of `spent`, `possibly_consumed`, `refused` and `unspent` once
/// all visits have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCounts {
    /// Tokens received from the backend.
    pub issued: u64,
    /// Requests for a token without a usable response, or that the end of the run cut off: each may have issued one that
    /// is billed.
    pub possibly_issued: u64,
    /// Tokens whose download URLs were received.
    pub spent: u64,
    /// Tokens that were refused after a lost answer: their URLs are probably lost.
    pub possibly_consumed: u64,
    /// Tokens that the backend refused or that expired before an avatar was delivered.
    pub refused: u64,
    /// Tokens that were given up unspent: time or patience ran out, the avatar failed, or the run ended.
    pub unspent: u64,
    /// Responses with download URLs for a token, or with a URL, that was delivered before. Must be 0.
    pub double_deliveries: u64,
    /// Tokens that the backend had issued before in this run. Must be 0.
    pub issued_twice: u64,
}

/// The outcome of one token at the end of its visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenOutcome {
    /// Its download URLs were received.
    Spent,
    /// It was refused after a lost answer.
    PossiblyConsumed,
    /// It was refused, or expired.
    Refused,
    /// It was given up.
    Unspent,
}

/// Counts what became of the tokens of a run, and finds second deliveries. Keeps no token, only a keyed hash of each.
#[derive(Debug, Default)]
pub(crate) struct TokenLedger {
    counts: TokenCounts,
    hasher: RandomState,
    issued: HashSet<u64>,
    delivered: HashSet<u64>,
}

impl TokenLedger {
    /// The counts so far.
    pub(crate) fn token_counts(&self) -> &TokenCounts {
        &self.counts
    }

    /// Records a token that the backend issued.
    pub(crate) fn record_issued_token(&mut self, token: &ExportToken) {
        self.counts.issued += 1;
        if !self.issued.insert(self.hasher.hash_one(token.expose())) {
            self.counts.issued_twice += 1;
        }
    }

    /// Records a request that may have issued a token.
    pub(crate) fn record_possibly_issued_token(&mut self) {
        self.counts.possibly_issued += 1;
    }

    /// Records a response with download URLs, and counts a second delivery of a token or a URL.
    pub(crate) fn record_delivered_urls(&mut self, token: &ExportToken, delivery: &DeliveredExports) {
        let urls = delivery.exports.iter().map(|export| self.hasher.hash_one(export.download_url.expose_url()));
        // A delivery may name one file twice; that is not a second delivery.
        let hashes: HashSet<u64> = urls.chain([self.hasher.hash_one(token.expose())]).collect();
        let known = hashes.iter().filter(|hash| !self.delivered.insert(**hash)).count();
        self.counts.double_deliveries += u64::from(known > 0);
    }

    /// Records what became of a token.
    pub(crate) fn record_token_outcome(&mut self, fate: TokenOutcome) {
        match fate {
            TokenOutcome::Spent => self.counts.spent += 1,
            TokenOutcome::PossiblyConsumed => self.counts.possibly_consumed += 1,
            TokenOutcome::Refused => self.counts.refused += 1,
            TokenOutcome::Unspent => self.counts.unspent += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use copresence_protocol::RedeemResponse;

    fn delivery(urls: &[&str]) -> DeliveredExports {
        let list: Vec<_> =
            urls.iter().map(|url| serde_json::json!({ "download_URL": url, "export_type": "glb" })).collect();
        let body = serde_json::json!({ "avatar_ready": true, "payload_complete": list }).to_string();
        match RedeemResponse::parse(body.as_bytes()) {
            Ok(RedeemResponse::Ready(delivery)) => delivery,
            other => panic!("{other:?}"),
        }
    }

    fn token(text: &str) -> ExportToken {
        ExportToken::new(text).expect("a token")
    }

    #[test]
    fn second_deliveries_and_second_issues_are_found() {
        let (a, b) = (token("token-a"), token("token-b"));
        let mut ledger = TokenLedger::default();
        ledger.record_issued_token(&a);
        ledger.record_issued_token(&b);
        ledger.record_delivered_urls(&a, &delivery(&["https://f.test/1", "https://f.test/1"]));
        ledger.record_delivered_urls(&b, &delivery(&["https://f.test/2"]));
        assert_eq!((ledger.token_counts().double_deliveries, ledger.token_counts().issued_twice), (0, 0));
        ledger.record_delivered_urls(&a, &delivery(&["https://f.test/3"]));
        assert_eq!(ledger.token_counts().double_deliveries, 1, "the same token");
        ledger.record_issued_token(&a);
        ledger.record_delivered_urls(&token("token-c"), &delivery(&["https://f.test/2"]));
        assert_eq!(
            (ledger.token_counts().double_deliveries, ledger.token_counts().issued_twice),
            (2, 1),
            "the same URL"
        );
    }
}
