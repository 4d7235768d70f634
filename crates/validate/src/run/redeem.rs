//! Redeeming what nobody has scanned, what is no token, and what is over.

use super::wire::{Given, own_token};
use super::{About, Acted, Run, stuck};
use crate::act::Act;
use crate::points::STRANGER_ORIGIN;
use crate::seen::Role;
use client::Call;
use client::curl::Word;
use http::Method;

impl Run<'_> {
    pub(super) async fn fresh(&mut self) -> Acted {
        for _ in 0..2 {
            self.redeem(Act::Fresh, Role::RedeemFresh, 0).await?;
        }
        Ok(())
    }

    pub(super) async fn refused(&mut self) -> Acted {
        let wire = self.wire();
        let token = self.tokens[0].clone();
        let (mangled, longer) = (mangled(&token), format!("{token}x"));
        // As long as a real one, of the same letters, and nobody's.
        let unknown: String = token.chars().rev().map(|c| if c.is_ascii_digit() { '7' } else { c }).collect();
        let unknown = if unknown == token { format!("z{}", &token[1..]) } else { unknown };
        for made_up in [&mangled, &longer, &unknown] {
            self.prober.learn(made_up);
        }
        let named = |name: &str| Some(Word::variable(name));
        let own = Some((token.as_str(), Some(own_token(0))));
        let get = Method::GET;
        let mut cases = vec![
            (
                Role::RedeemUnknown,
                Some((unknown.as_str(), named("UNKNOWN_TOKEN"))),
                Given::Right,
                get.clone(),
            ),
            (
                Role::RedeemUnknown,
                Some((unknown.as_str(), named("UNKNOWN_TOKEN"))),
                Given::Right,
                get.clone(),
            ),
            (Role::RedeemMissing, None, Given::Right, get.clone()),
            (
                Role::RedeemMangled,
                Some((mangled.as_str(), named("MANGLED_TOKEN"))),
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

    pub(super) async fn plain(&mut self) -> Acted {
        let request = self.wire().plain()?;
        self.step(Act::Plain, Role::PlainHttp, About::default(), request).await?;
        Ok(())
    }

    pub(super) async fn expiry(&mut self) -> Acted {
        let tester = self.hand.tester().cloned().ok_or_else(|| stuck("there is no sandbox"))?;
        let token = self.next_token(Act::Expiry).await?;
        tester.force(&self.tokens[token], "expire").await.map_err(stuck)?;
        self.redeem(Act::Expiry, Role::RedeemExpired, token).await?;
        Ok(())
    }

    /// A token of this act's own; its index.
    pub(super) async fn next_token(&mut self, act: Act) -> Result<usize, super::Stop> {
        let before = self.tokens.len();
        let step = self.make_token(act).await?;
        if self.tokens.len() == before {
            return Err(stuck(format!("no Export Token came: {}", self.seen.steps[step].came())));
        }
        if self.tokens[..before].contains(&self.tokens[before]) {
            return Err(stuck("a token came that was given before"));
        }
        Ok(before)
    }

    /// Redeems one of the run's own tokens with all that is right; gives the step's index.
    pub(super) async fn redeem(&mut self, act: Act, role: Role, token: usize) -> Result<usize, super::Stop> {
        let value = self.tokens[token].clone();
        let token_word = Some((value.as_str(), Some(own_token(token))));
        let request = self.wire().redeem(token_word, Given::Right, Method::GET, None)?;
        self.step(act, role, About::token(token), request).await
    }
}

/// The token with another last character of the same kind.
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
    fn a_mangled_token_is_another_of_the_same_form() {
        for (token, other) in [("abcz", "abca"), ("abc9", "abc0"), ("ab_", "ab0"), ("aZ", "aA"), ("a1", "a2")]
        {
            assert_eq!(mangled(token), other);
        }
    }
}
