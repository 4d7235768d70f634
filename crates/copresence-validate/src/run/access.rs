//! The acts of login and token generation.

use super::request_builder::{CredentialMode, WRONG_CREDENTIAL};
use super::{ActAbort, ActResult, CheckRun, RunError, RunEvent, StepTokenAndFile, incomplete_act_abort};
use crate::act::Act;
use crate::observations::{RecordedStep, StepRole};
use copresence_protocol::{SessionToken, headers};
use http::Method;
use serde_json::Value;

impl CheckRun<'_> {
    /// Attempts logins: with the right credentials, then with wrong ones.
    ///
    /// # Errors
    /// If the backend is unreachable, refuses the credentials, or returns no session token.
    pub(super) async fn run_login_attempts_act(&mut self) -> ActResult {
        let wire = self.request_builder();
        let right = self
            .send_and_record_request(
                Act::Login,
                StepRole::Login,
                StepTokenAndFile::default(),
                wire.build_login_request(None, None, CredentialMode::Valid)?,
            )
            .await?;
        self.ensure_any_response_received(right)?;
        self.use_session_token_of_step(right);
        let wrong = [
            (StepRole::LoginWrongPassword, None, Some(WRONG_CREDENTIAL), CredentialMode::Valid),
            (StepRole::LoginUnknownUser, Some("nobody-on-purpose"), Some(WRONG_CREDENTIAL), CredentialMode::Valid),
            (StepRole::LoginNoKey, None, None, CredentialMode::Missing),
        ];
        for (role, user, password, key) in wrong.into_iter().filter(|_| self.options.allow_wrong_requests) {
            let step = self
                .send_and_record_request(
                    Act::Login,
                    role,
                    StepTokenAndFile::default(),
                    wire.build_login_request(user, password, key)?,
                )
                .await?;
            if self.observations.steps[step].has_success_status() {
                self.mask_session_token_of_step(step);
            }
        }
        let step = &self.observations.steps[right];
        if is_credential_refusal(step) {
            return Err(ActAbort::Fatal(RunError::CredentialsRefused(format!(
                "the login returned {}",
                step.describe_status_or_no_response()
            ))));
        }
        if self.session_token.is_none() {
            return Err(incomplete_act_abort("the login returned no session token"));
        }
        Ok(())
    }

    /// Generates one token.
    pub(super) async fn run_generate_act(&mut self, act: Act) -> ActResult {
        let step = self.generate_token(act).await?;
        match self.export_token_in_response(step) {
            Some(_) => Ok(()),
            None => Err(incomplete_act_abort(format!(
                "no Export Token was returned: {}",
                self.observations.steps[step].describe_status_or_no_response()
            ))),
        }
    }

    /// Generates one token with valid credentials, within the budget. Returns the index of the step.
    pub(super) async fn generate_token(&mut self, act: Act) -> Result<usize, ActAbort> {
        if self.options.max_tokens.is_some_and(|most| self.tokens_made >= most) {
            return Err(incomplete_act_abort(
                "the backend generated tokens where it must refuse, so --max-tokens is reached",
            ));
        }
        let request = self.request_builder().build_generate_request(
            CredentialMode::Valid,
            CredentialMode::Valid,
            self.session_token.as_ref(),
            None,
        )?;
        let about = StepTokenAndFile::for_token_without_file(self.export_tokens.len());
        let index = self.send_and_record_request(act, StepRole::Generate, about, request).await?;
        self.ensure_any_response_received(index)?;
        let step = &self.observations.steps[index];
        if act == Act::Generate && is_credential_refusal(step) {
            let response = step.describe_status_or_no_response();
            return Err(ActAbort::Fatal(RunError::CredentialsRefused(format!(
                "{} returned {response}",
                headers::GENERATE_PATH
            ))));
        }
        if let Some(token) = self.export_token_in_response(index) {
            self.count_generated_token();
            self.mask_and_remember_secret("Export Token", false, &token);
            self.export_tokens.push(token);
        }
        Ok(index)
    }

    /// Requests tokens with missing or wrong credentials.
    pub(super) async fn run_refused_generates_act(&mut self) -> ActResult {
        let wire = self.request_builder();
        let session = self.session_token.clone();
        let session = session.as_ref();
        let cases: Vec<_> = if self.observations.target_info.relays_tokens {
            vec![
                (
                    StepRole::RelayTokenNoKey,
                    wire.build_generate_request(CredentialMode::Missing, CredentialMode::Missing, None, None)?,
                ),
                (
                    StepRole::RelayTokenWrongKey,
                    wire.build_generate_request(CredentialMode::Wrong, CredentialMode::Missing, None, None)?,
                ),
            ]
        } else {
            let get = Some(Method::GET);
            // Without a session token these cases are the same as the one without a session.
            let with = if session.is_some() { CredentialMode::Valid } else { CredentialMode::Missing };
            vec![
                (StepRole::GenerateNoKey, wire.build_generate_request(CredentialMode::Missing, with, session, None)?),
                (StepRole::GenerateWrongKey, wire.build_generate_request(CredentialMode::Wrong, with, session, None)?),
                (
                    StepRole::GenerateNoSession,
                    wire.build_generate_request(CredentialMode::Valid, CredentialMode::Missing, None, None)?,
                ),
                (
                    StepRole::GenerateWrongSession,
                    wire.build_generate_request(CredentialMode::Valid, CredentialMode::Wrong, None, None)?,
                ),
                (StepRole::GenerateByGet, wire.build_generate_request(CredentialMode::Valid, with, session, get)?),
            ]
        };
        for (role, request) in cases {
            let index =
                self.send_and_record_request(Act::Strangers, role, StepTokenAndFile::default(), request).await?;
            // The account pays for such a token too.
            if self.observations.steps[index].has_success_status()
                && let Some(token) = self.export_token_in_response(index)
            {
                self.count_generated_token();
                self.mask_and_remember_secret("Export Token", false, &token);
            }
        }
        Ok(())
    }

    /// Counts a generated token, and reports the number.
    fn count_generated_token(&mut self) {
        self.tokens_made += 1;
        (self.on_event)(RunEvent::TokensMade(self.tokens_made));
    }

    /// Fails with [`RunError::Unreachable`] if this step and all earlier ones got no response.
    fn ensure_any_response_received(&self, index: usize) -> ActResult {
        let step = &self.observations.steps[index];
        match (&step.reply, &step.exchange.error) {
            (None, why) if self.observations.steps.iter().all(|step| step.reply.is_none()) => {
                let why = why.clone().unwrap_or_else(|| "no response was received".to_owned());
                Err(ActAbort::Fatal(RunError::Unreachable(why)))
            }
            _ => Ok(()),
        }
    }

    /// Stores the session token that a step returned. Later requests use it, and it is masked.
    fn use_session_token_of_step(&mut self, index: usize) {
        if let Some(session) = self.session_token_in_response(index) {
            self.mask_and_remember_secret("session token", true, &session);
            self.session_token = Some(SessionToken::new(session));
        }
    }

    /// Masks the session token that a step returned. The run does not use this token.
    fn mask_session_token_of_step(&mut self, index: usize) {
        if let Some(session) = self.session_token_in_response(index) {
            self.mask_and_remember_secret("session token", true, &session);
        }
    }

    /// The session token in a response.
    fn session_token_in_response(&self, index: usize) -> Option<String> {
        let step = &self.observations.steps[index];
        let body = step.json_body().filter(|_| step.has_success_status())?;
        let session = body.pointer(&self.observations.target_info.session_pointer)?.as_str()?;
        (!session.is_empty()).then(|| session.to_owned())
    }

    /// The Export Token in a response, if it is valid in a header.
    fn export_token_in_response(&self, index: usize) -> Option<String> {
        let step = &self.observations.steps[index];
        let body = step.json_body().filter(|_| step.has_success_status())?;
        let token = body.pointer(&self.observations.target_info.token_pointer).and_then(Value::as_str)?;
        let usable = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
        usable.then(|| token.to_owned())
    }
}

/// Whether a response refuses the credentials: 401, 403 or code 209; for a login also 404 with code 101, as Parse
/// sends.
fn is_credential_refusal(step: &RecordedStep) -> bool {
    let code = step.json_body().and_then(|body| body.get("code").and_then(Value::as_i64));
    match step.response_status() {
        Some(401 | 403) => true,
        Some(400..=499) if code == Some(headers::INVALID_SESSION_CODE) => true,
        Some(404) => step.role == StepRole::Login && code == Some(101),
        _ => false,
    }
}
