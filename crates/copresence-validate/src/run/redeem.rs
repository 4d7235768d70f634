//! The acts that redeem fresh, inactive and expired tokens.

use super::request_builder::{CredentialMode, RequestWithCurl, token_curl_variable};
use super::{ActResult, CheckRun, StepTokenAndFileIndexes, build_incomplete_act_abort};
use crate::act::Act;
use crate::answer::ApiAnswerCertainty;
use crate::observations::{RecordedStep, StepRole};
use crate::response_fields::STRANGER_ORIGIN;
use copresence_client::CallKind;
use copresence_client::curl::ShellWord;
use http::Method;

impl CheckRun<'_> {
    /// Redeems a fresh token twice.
    ///
    /// # Errors
    /// If the API does not answer within the patience, or refuses credentials that it did not verify before.
    pub(super) async fn run_fresh_token_redeemed_twice_act(&mut self) -> ActResult {
        for _ in 0..2 {
            let index = self.redeem_until_answered(Act::Fresh, StepRole::RedeemFresh, 0).await?;
            let step = &self.observations.steps[index];
            if step.is_credential_refusal() && !self.is_own_key_verified() {
                return Err(step.error_preventing_run_continuation().map_or_else(
                    || build_incomplete_act_abort("the credentials were refused"),
                    super::ActAbort::Fatal,
                ));
            }
        }
        Ok(())
    }

    /// Whether the backend accepted the run's own key, and refused a wrong one. Then a later refusal is not the key's
    /// fault.
    fn is_own_key_verified(&self) -> bool {
        let wrong_key = if self.observations.target_info.relays_redeems {
            StepRole::RelayTokenWrongKey
        } else {
            StepRole::GenerateWrongKey
        };
        let is_refusal =
            |step: &RecordedStep| step.api_answer_certainty() == ApiAnswerCertainty::Api && !step.has_success_status();
        self.observations.steps_with_role(wrong_key).any(is_refusal)
            && self.observations.steps_with_role(StepRole::Generate).any(RecordedStep::has_success_status)
    }

    /// Redeems inactive tokens, and redeems with missing or wrong credentials; then the fresh token again.
    pub(super) async fn run_refused_redeems_act(&mut self) -> ActResult {
        let wire = self.request_builder();
        let token = self.export_tokens[0].clone();
        let (mangled, longer) = (replace_last_token_character(&token), format!("{token}x"));
        // As long as a real token and of the same characters, but unknown to the backend.
        let unknown: String = token.chars().rev().map(|c| if c.is_ascii_digit() { '7' } else { c }).collect();
        let unknown = if unknown == token { format!("z{}", &token[1..]) } else { unknown };
        for invented in [&mangled, &longer, &unknown] {
            self.prober.add_secret_to_mask(invented);
        }
        let variable = |name: &str| Some(ShellWord::word_from_variable(name));
        let own = Some((token.as_str(), Some(token_curl_variable(0))));
        let get = Method::GET;
        let mut cases = vec![
            (
                StepRole::RedeemUnknown,
                Some((unknown.as_str(), variable("UNKNOWN_TOKEN"))),
                CredentialMode::Valid,
                get.clone(),
            ),
            (
                StepRole::RedeemUnknown,
                Some((unknown.as_str(), variable("UNKNOWN_TOKEN"))),
                CredentialMode::Valid,
                get.clone(),
            ),
            (StepRole::RedeemMissing, None, CredentialMode::Valid, get.clone()),
            (
                StepRole::RedeemMangled,
                Some((mangled.as_str(), variable("MANGLED_TOKEN"))),
                CredentialMode::Valid,
                get.clone(),
            ),
            (
                StepRole::RedeemLengthened,
                Some((longer.as_str(), Some(token_curl_variable(0).append_text("x")))),
                CredentialMode::Valid,
                get.clone(),
            ),
            (StepRole::RedeemByPost, own.clone(), CredentialMode::Valid, Method::POST),
        ];
        if !self.observations.target_info.relays_redeems || self.observations.target_info.relay_requires_key {
            cases.push((StepRole::RedeemNoKey, own.clone(), CredentialMode::Missing, get.clone()));
            cases.push((StepRole::RedeemWrongKey, own.clone(), CredentialMode::Wrong, get));
        }
        for (role, token, key, method) in cases {
            let about = if token == own {
                StepTokenAndFileIndexes::build_step_indexes_for_token(0)
            } else {
                StepTokenAndFileIndexes::default()
            };
            let request = wire.build_redeem_request(token, key, method, None)?;
            self.send_wrong_request_retrying_once(Act::Refused, role, about, request).await?;
        }
        self.redeem_until_answered(Act::Refused, StepRole::RedeemAfterRefusals, 0).await?;
        Ok(())
    }

    /// Sends two preflights and a redeem with the Origin of another site.
    pub(super) async fn run_cross_origin_act(&mut self) -> ActResult {
        let wire = self.request_builder();
        let ask = wire.build_cors_preflight_request(CallKind::Generate, STRANGER_ORIGIN)?;
        self.send_and_record_request(Act::Page, StepRole::PreflightGenerate, StepTokenAndFileIndexes::default(), ask)
            .await?;
        let ask = wire.build_cors_preflight_request(CallKind::Redeem, STRANGER_ORIGIN)?;
        self.send_and_record_request(Act::Page, StepRole::PreflightRedeem, StepTokenAndFileIndexes::default(), ask)
            .await?;
        let index = self.find_unscanned_token_index()?;
        let token = self.export_tokens[index].clone();
        let token = Some((token.as_str(), Some(token_curl_variable(index))));
        let redeem = wire.build_redeem_request(token, CredentialMode::Valid, Method::GET, Some(STRANGER_ORIGIN))?;
        self.send_and_record_request(
            Act::Page,
            StepRole::RedeemCrossOrigin,
            StepTokenAndFileIndexes::build_step_indexes_for_token(index),
            redeem,
        )
        .await?;
        Ok(())
    }

    /// Sends a redeem without credentials over plain HTTP.
    pub(super) async fn run_plain_http_act(&mut self) -> ActResult {
        let request = self.request_builder().build_plain_http_redeem_request()?;
        self.send_and_record_request(Act::Plain, StepRole::PlainHttp, StepTokenAndFileIndexes::default(), request)
            .await?;
        Ok(())
    }

    /// Lets the sandbox expire a token, then redeems it.
    pub(super) async fn run_forced_token_expiry_act(&mut self) -> ActResult {
        let tester =
            self.phone.sandbox_control().cloned().ok_or_else(|| build_incomplete_act_abort("there is no sandbox"))?;
        let token = self.generate_token_for_act(Act::Expiry).await?;
        tester.force_token_state(&self.export_tokens[token], "expire").await.map_err(build_incomplete_act_abort)?;
        self.redeem_token(Act::Expiry, StepRole::RedeemExpired, token).await?;
        Ok(())
    }

    /// Generates a token for one act. Returns the token's index.
    pub(super) async fn generate_token_for_act(&mut self, act: Act) -> Result<usize, super::ActAbort> {
        let before = self.export_tokens.len();
        let step = self.generate_token(act).await?;
        if self.export_tokens.len() == before {
            return Err(build_incomplete_act_abort(format!(
                "no Export Token was returned: {}",
                self.observations.steps[step].describe_status_or_no_response()
            )));
        }
        if self.export_tokens[..before].contains(&self.export_tokens[before]) {
            return Err(build_incomplete_act_abort("the backend returned a token that it had returned before"));
        }
        Ok(before)
    }

    /// Builds a redeem of one of the run's tokens with valid credentials.
    pub(super) fn build_valid_redeem_request(&self, token: usize) -> Result<RequestWithCurl, super::ActAbort> {
        let word = Some((self.export_tokens[token].as_str(), Some(token_curl_variable(token))));
        Ok(self.request_builder().build_redeem_request(word, CredentialMode::Valid, Method::GET, None)?)
    }

    /// Redeems one of the run's tokens with valid credentials. Returns the index of the step.
    pub(super) async fn redeem_token(
        &mut self,
        act: Act,
        role: StepRole,
        token: usize,
    ) -> Result<usize, super::ActAbort> {
        let request = self.build_valid_redeem_request(token)?;
        self.send_and_record_request(act, role, StepTokenAndFileIndexes::build_step_indexes_for_token(token), request)
            .await
    }
}

/// The token with a different last character of the same class.
fn replace_last_token_character(token: &str) -> String {
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
    use super::replace_last_token_character;

    #[test]
    fn a_mangled_token_differs_in_its_last_character() {
        for (token, other) in [("abcz", "abca"), ("abc9", "abc0"), ("ab_", "ab0"), ("aZ", "aA"), ("a1", "a2")] {
            assert_eq!(replace_last_token_character(token), other);
        }
    }
}
