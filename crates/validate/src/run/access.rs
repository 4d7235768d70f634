//! The acts of login and token generation.

use super::wire::{Given, WRONG};
use super::{About, Acted, Event, Run, RunError, Stop, stuck};
use crate::act::Act;
use crate::seen::{Role, Step};
use http::Method;
use protocol::{SessionToken, headers};
use serde_json::Value;

impl Run<'_> {
    /// Logs in with the right credentials, then with wrong ones.
    ///
    /// # Errors
    /// If the backend is unreachable, refuses the credentials, or returns no session token.
    pub(super) async fn log_in(&mut self) -> Acted {
        let wire = self.wire();
        let right = self
            .step(Act::Login, Role::Login, About::default(), wire.login(None, None, Given::Right)?)
            .await?;
        self.reached(right)?;
        self.take_session(right);
        let wrong = [
            (Role::LoginWrongPassword, None, Some(WRONG), Given::Right),
            (Role::LoginUnknownUser, Some("nobody-on-purpose"), Some(WRONG), Given::Right),
            (Role::LoginNoKey, None, None, Given::Missing),
        ];
        for (role, user, password, key) in wrong.into_iter().filter(|_| self.options.wrong_requests) {
            let step =
                self.step(Act::Login, role, About::default(), wire.login(user, password, key)?).await?;
            if self.seen.steps[step].succeeded() {
                self.hide_session(step);
            }
        }
        let step = &self.seen.steps[right];
        if refuses_credentials(step) {
            return Err(Stop::Fatal(RunError::Credentials(format!("the login returned {}", step.came()))));
        }
        if self.session.is_none() {
            return Err(stuck("the login returned no session token"));
        }
        Ok(())
    }

    /// Generates one token.
    pub(super) async fn generate(&mut self, act: Act) -> Acted {
        let step = self.make_token(act).await?;
        match self.token_in(step) {
            Some(_) => Ok(()),
            None => Err(stuck(format!("no Export Token was returned: {}", self.seen.steps[step].came()))),
        }
    }

    /// Generates one token with valid credentials, within the budget. Returns the index of the step.
    pub(super) async fn make_token(&mut self, act: Act) -> Result<usize, Stop> {
        if self.options.max_tokens.is_some_and(|most| self.made >= most) {
            return Err(stuck(
                "the backend generated tokens where it must refuse, so --max-tokens is reached",
            ));
        }
        let request = self.wire().generate(Given::Right, Given::Right, self.session.as_ref(), None)?;
        let about = About::token(self.tokens.len());
        let index = self.step(act, Role::Generate, about, request).await?;
        self.reached(index)?;
        let step = &self.seen.steps[index];
        if act == Act::Generate && refuses_credentials(step) {
            let response = step.came();
            return Err(Stop::Fatal(RunError::Credentials(format!(
                "{} returned {response}",
                headers::GENERATE_PATH
            ))));
        }
        if let Some(token) = self.token_in(index) {
            self.count_token();
            self.keep_secret("Export Token", false, &token);
            self.tokens.push(token);
        }
        Ok(index)
    }

    /// Requests tokens with missing or wrong credentials.
    pub(super) async fn strangers(&mut self) -> Acted {
        let wire = self.wire();
        let session = self.session.clone();
        let session = session.as_ref();
        let cases: Vec<_> = if self.seen.ground.relays_tokens {
            vec![
                (Role::StrangerTokenNoKey, wire.generate(Given::Missing, Given::Missing, None, None)?),
                (Role::StrangerTokenWrongKey, wire.generate(Given::Wrong, Given::Missing, None, None)?),
            ]
        } else {
            let get = Some(Method::GET);
            // Without a session token these cases are the same as the one without a session.
            let with = if session.is_some() { Given::Right } else { Given::Missing };
            vec![
                (Role::GenerateNoKey, wire.generate(Given::Missing, with, session, None)?),
                (Role::GenerateWrongKey, wire.generate(Given::Wrong, with, session, None)?),
                (Role::GenerateNoSession, wire.generate(Given::Right, Given::Missing, None, None)?),
                (Role::GenerateWrongSession, wire.generate(Given::Right, Given::Wrong, None, None)?),
                (Role::GenerateByGet, wire.generate(Given::Right, with, session, get)?),
            ]
        };
        for (role, request) in cases {
            let index = self.step(Act::Strangers, role, About::default(), request).await?;
            // The account pays for such a token too.
            if self.seen.steps[index].succeeded()
                && let Some(token) = self.token_in(index)
            {
                self.count_token();
                self.keep_secret("Export Token", false, &token);
            }
        }
        Ok(())
    }

    /// Counts a generated token, and reports the number.
    fn count_token(&mut self) {
        self.made += 1;
        (self.tell)(Event::Made(self.made));
    }

    /// Fails if no step has a response so far.
    fn reached(&self, index: usize) -> Acted {
        let step = &self.seen.steps[index];
        match (&step.reply, &step.exchange.error) {
            (None, why) if self.seen.steps.iter().all(|step| step.reply.is_none()) => {
                let why = why.clone().unwrap_or_else(|| "no response was received".to_owned());
                Err(Stop::Fatal(RunError::Unreachable(why)))
            }
            _ => Ok(()),
        }
    }

    /// Uses the session token of a step from now on.
    fn take_session(&mut self, index: usize) {
        if let Some(session) = self.session_in(index) {
            self.keep_secret("session token", true, &session);
            self.session = Some(SessionToken::new(session));
        }
    }

    /// Masks the session token of a step from now on.
    fn hide_session(&mut self, index: usize) {
        if let Some(session) = self.session_in(index) {
            self.keep_secret("session token", true, &session);
        }
    }

    /// The session token in a response.
    fn session_in(&self, index: usize) -> Option<String> {
        let step = &self.seen.steps[index];
        let body = step.json().filter(|_| step.succeeded())?;
        let session = body.pointer(&self.seen.ground.session_pointer)?.as_str()?;
        (!session.is_empty()).then(|| session.to_owned())
    }

    /// The Export Token in a response, if it is valid in a header.
    fn token_in(&self, index: usize) -> Option<String> {
        let step = &self.seen.steps[index];
        let body = step.json().filter(|_| step.succeeded())?;
        let token = body.pointer(&self.seen.ground.token_pointer).and_then(Value::as_str)?;
        let usable = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
        usable.then(|| token.to_owned())
    }
}

/// Whether a response refuses the credentials: 401, 403 or code 209; for a login also 404 with code 101, as Parse sends.
fn refuses_credentials(step: &Step) -> bool {
    let code = step.json().and_then(|body| body.get("code").and_then(Value::as_i64));
    match step.status() {
        Some(401 | 403) => true,
        Some(400..=499) if code == Some(headers::INVALID_SESSION) => true,
        Some(404) => step.role == Role::Login && code == Some(101),
        _ => false,
    }
}
