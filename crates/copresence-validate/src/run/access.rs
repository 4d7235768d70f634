//! The acts of login and token generation.

use super::request_builder::{CredentialMode, WRONG_CREDENTIAL};
use super::{ActAbort, ActResult, CheckRun, RunEvent, StepTokenAndFileIndexes, build_incomplete_act_abort};
use crate::act::Act;
use crate::observations::StepRole;
use copresence_protocol::SessionToken;
use http::Method;
use serde_json::Value;

/// A user name that no backend has.
const UNKNOWN_USER: &str = "copresence-validate-unknown-user";

impl CheckRun<'_> {
    /// Attempts logins: with the right credentials, then with wrong ones.
    ///
    /// # Errors
    /// If the API does not answer, refuses the credentials, or returns no session token.
    pub(super) async fn run_login_attempts_act(&mut self) -> ActResult {
        let wire = self.request_builder();
        let right = self.log_in().await?;
        // Whatever wrong requests get now, it is not because they are wrong.
        self.ensure_valid_request_answered(right)?;
        self.use_and_mask_session_token(right);
        if !self.observations.steps[right].has_success_status() {
            return Err(build_incomplete_act_abort("the login returned no session token"));
        }
        let mut wrong = vec![
            (StepRole::LoginUnknownUser, Some(UNKNOWN_USER), Some(WRONG_CREDENTIAL), CredentialMode::Valid),
            (StepRole::LoginNoKey, None, None, CredentialMode::Missing),
        ];
        if self.options.allow_lockout {
            wrong.push((StepRole::LoginWrongPassword, None, Some(WRONG_CREDENTIAL), CredentialMode::Valid));
        }
        for (role, user, password, key) in wrong.into_iter().filter(|_| self.options.allow_wrong_requests) {
            let request = wire.build_login_request(user, password, key)?;
            let step = self
                .send_wrong_request_retrying_once(Act::Login, role, StepTokenAndFileIndexes::default(), request)
                .await?;
            if self.observations.steps[step].has_success_status() {
                self.mask_session_token_of_step(step);
            }
        }
        if self.session_token.is_none() {
            return Err(build_incomplete_act_abort("the login returned no session token"));
        }
        Ok(())
    }

    /// Logs in with the right credentials. Returns the index of the step.
    pub(super) async fn log_in(&mut self) -> Result<usize, ActAbort> {
        let request = self.request_builder().build_login_request(None, None, CredentialMode::Valid)?;
        self.send_and_record_request(Act::Login, StepRole::Login, StepTokenAndFileIndexes::default(), request).await
    }

    /// Generates one token.
    pub(super) async fn run_generate_act(&mut self, act: Act) -> ActResult {
        let step = self.generate_token(act).await?;
        match self.extract_export_token_sendable_in_header(step) {
            Some(_) => Ok(()),
            None => Err(build_incomplete_act_abort(format!(
                "no Export Token was returned: {}",
                self.observations.steps[step].describe_status_or_no_response()
            ))),
        }
    }

    /// Generates one token with valid credentials, within the budget. Returns the index of the step.
    pub(super) async fn generate_token(&mut self, act: Act) -> Result<usize, ActAbort> {
        if self.options.max_tokens.is_some_and(|most| self.tokens_made >= most) {
            return Err(build_incomplete_act_abort(
                "the backend generated tokens where it must refuse, so --max-tokens is reached",
            ));
        }
        let request = self.request_builder().build_generate_request(
            CredentialMode::Valid,
            CredentialMode::Valid,
            self.session_token.as_ref(),
            None,
        )?;
        let about = StepTokenAndFileIndexes::build_step_indexes_for_token(self.export_tokens.len());
        let index = self.send_and_record_request(act, StepRole::Generate, about, request).await?;
        if act == Act::Generate {
            self.ensure_valid_request_answered(index)?;
        }
        if let Some(token) = self.extract_export_token_sendable_in_header(index) {
            self.count_and_report_generated_token();
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
            let index = self
                .send_wrong_request_retrying_once(Act::Strangers, role, StepTokenAndFileIndexes::default(), request)
                .await?;
            // The account pays for such a token too.
            if self.observations.steps[index].has_success_status()
                && let Some(token) = self.extract_export_token_sendable_in_header(index)
            {
                self.count_and_report_generated_token();
                self.mask_and_remember_secret("Export Token", false, &token);
            }
        }
        Ok(())
    }

    /// Counts a generated token, and reports the number.
    fn count_and_report_generated_token(&mut self) {
        self.tokens_made += 1;
        (self.on_event)(RunEvent::TokensMade(self.tokens_made));
    }

    /// Fails unless the API answered this request with valid credentials and accepted them.
    fn ensure_valid_request_answered(&self, index: usize) -> ActResult {
        self.observations.steps[index]
            .error_preventing_run_continuation()
            .map_or(Ok(()), |error| Err(ActAbort::Fatal(error)))
    }

    /// Stores the session token that a step returned. Later requests use it, and it is masked.
    fn use_and_mask_session_token(&mut self, index: usize) {
        if let Some(session) = self.extract_session_token(index) {
            self.mask_and_remember_secret("session token", true, &session);
            self.session_token = Some(SessionToken::new(session));
        }
    }

    /// Masks the session token that a step returned. The run does not use this token.
    fn mask_session_token_of_step(&mut self, index: usize) {
        if let Some(session) = self.extract_session_token(index) {
            self.mask_and_remember_secret("session token", true, &session);
        }
    }

    /// The session token in the response of a step, to send it with later requests and to mask it in the report.
    fn extract_session_token(&self, index: usize) -> Option<String> {
        let step = &self.observations.steps[index];
        let body = step.json_body().filter(|_| step.has_success_status())?;
        let session = body.pointer(&self.observations.target_info.session_pointer)?.as_str()?;
        (!session.is_empty()).then(|| session.to_owned())
    }

    /// The Export Token in the response of a step, for later requests; `None` if it cannot be sent in a header.
    fn extract_export_token_sendable_in_header(&self, index: usize) -> Option<String> {
        let step = &self.observations.steps[index];
        let body = step.json_body().filter(|_| step.has_success_status())?;
        let token = body.pointer(&self.observations.target_info.token_pointer).and_then(Value::as_str)?;
        let usable = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
        usable.then(|| token.to_owned())
    }
}
