//! The acts that redeem fresh, inactive and expired tokens.

use super::wire::{Given, own_token};
use super::{About, Acted, Run, stuck};
use crate::act::Act;
use crate::points::STRANGER_ORIGIN;
use crate::seen::Role;
use client::Call;
use client::curl::Word;
use http::Method;

impl Run<'_> {
    /// Redeems a fresh token twice.
    pub(super) async fn fresh(&mut self) -> Acted {
        for _ in 0..2 {
            self.redeem(Act::Fresh, Role::RedeemFresh, 0).await?;
        }
        Ok(())
    }

    /// Redeems inactive tokens, and redeems with missing or wrong credentials; then the fresh token again.
    pub(super) async fn refused(&mut self) -> Acted {
        let wire = self.wire();
        let token = self.tokens[0].clone();
        let (mangled, longer) = (mangled(&token), format!("{token}x"));
        // As long as a real token and of the same characters, but unknown to the backend.
        let unknown: String = token.chars().rev().map(|c| if c.is_ascii_digit() { '7' } else { c }).collect();
        let unknown = if unknown == token { format!("z{}", &token[1..]) } else { unknown };
        for invented in [&mangled, &longer, &unknown] {
            self.prober.learn(invented);
        }
        let variable = |name: &str| Some(Word::variable(name));
        let own = Some((token.as_str(), Some(own_token(0))));
        let get = Method::GET;
        let mut cases = vec![
            (
                Role::RedeemUnknown,
                Some((unknown.as_str(), variable("UNKNOWN_TOKEN"))),
                Given::Right,
                get.clone(),
            ),
            (
                Role::RedeemUnknown,
                Some((unknown.as_str(), variable("UNKNOWN_TOKEN"))),
                Given::Right,
                get.clone(),
            ),
            (Role::RedeemMissing, None, Given::Right, get.clone()),
            (
                Role::RedeemMangled,
                Some((mangled.as_str(), variable("MANGLED_TOKEN"))),
                Given::Right,
                get.clone(),
            ),
            (
                Role::RedeemLengthened,
                Some((longer.as_str(), Some(own_token(0).and("x")))),
                Given::Right,
                get.clone(),
            ),
            (Role::RedeemByPost, own.clone(), Given::Right, Method::POST),
        ];
        if !self.seen.ground.relays_redeems || self.seen.ground.relay_has_key {
            cases.push((Role::RedeemNoKey, own.clone(), Given::Missing, get.clone()));
            cases.push((Role::RedeemWrongKey, own.clone(), Given::Wrong, get));
        }
        for (role, token, key, method) in cases {
            let about = if token == own { About::token(0) } else { About::default() };
            self.step(Act::Refused, role, about, wire.redeem(token, key, method, None)?).await?;
        }
        self.redeem(Act::Refused, Role::RedeemUntouched, 0).await?;
        Ok(())
    }

    /// Sends two preflights and a redeem with the Origin of another site.
    pub(super) async fn page(&mut self) -> Acted {
        let wire = self.wire();
        let ask = wire.preflight(Call::Generate, STRANGER_ORIGIN)?;
        self.step(Act::Page, Role::PreflightGenerate, About::default(), ask).await?;
        let ask = wire.preflight(Call::Redeem, STRANGER_ORIGIN)?;
        self.step(Act::Page, Role::PreflightRedeem, About::default(), ask).await?;
        let index = self.waiting_token()?;
        let token = self.tokens[index].clone();
        let token = Some((token.as_str(), Some(own_token(index))));
        let redeem = wire.redeem(token, Given::Right, Method::GET, Some(STRANGER_ORIGIN))?;
        self.step(Act::Page, Role::RedeemFromPage, About::token(index), redeem).await?;
        Ok(())
    }

    /// Sends a redeem without credentials over plain HTTP.
    pub(super) async fn plain(&mut self) -> Acted {
        let request = self.wire().plain()?;
        self.step(Act::Plain, Role::PlainHttp, About::default(), request).await?;
        Ok(())
    }

    /// Lets the sandbox expire a token, then redeems it.
    pub(super) async fn expiry(&mut self) -> Acted {
        let tester = self.hand.tester().cloned().ok_or_else(|| stuck("there is no sandbox"))?;
        let token = self.next_token(Act::Expiry).await?;
        tester.force(&self.tokens[token], "expire").await.map_err(stuck)?;
        self.redeem(Act::Expiry, Role::RedeemExpired, token).await?;
        Ok(())
    }

    /// Generates a token for one act. Returns the token's index.
    pub(super) async fn next_token(&mut self, act: Act) -> Result<usize, super::Stop> {
        let before = self.tokens.len();
        let step = self.make_token(act).await?;
        if self.tokens.len() == before {
            return Err(stuck(format!("no Export Token was returned: {}", self.seen.steps[step].came())));
        }
        if self.tokens[..before].contains(&self.tokens[before]) {
            return Err(stuck("the backend returned a token that it had returned before"));
        }
        Ok(before)
    }

    /// Redeems one of the run's tokens with valid credentials. Returns the index of the step.
    pub(super) async fn redeem(&mut self, act: Act, role: Role, token: usize) -> Result<usize, super::Stop> {
        let value = self.tokens[token].clone();
        let token_word = Some((value.as_str(), Some(own_token(token))));
        let request = self.wire().redeem(token_word, Given::Right, Method::GET, None)?;
        self.step(act, role, About::token(token), request).await
    }
}

/// The token with a different last character of the same class.
fn mangled(token: &str) -> String {
    let mut mangled: Vec<char> = token.chars().collect();
    if let Some(last) = mangled.last_mut() {
        *last = match *last {
            'a'..='y' | 'A'..='Y' | '0'..='8' => char::from_u32(*last as u32 + 1).unwrap_or('b'),
            'z' => 'a',
            'Z' => 'A',
            _ => '0',
        };
    }
    mangled.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::mangled;

    #[test]
    fn a_mangled_token_differs_in_its_last_character() {
        for (token, other) in [("abcz", "abca"), ("abc9", "abc0"), ("ab_", "ab0"), ("aZ", "aA"), ("a1", "a2")]
        {
            assert_eq!(mangled(token), other);
        }
    }
}
