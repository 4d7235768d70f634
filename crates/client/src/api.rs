//! The endpoints.

use crate::answer::{Answered, Refusal};
use crate::backend::{Backend, Credentials, TimeOuts};
use crate::download::{self, Download, DownloadError, Resume};
use crate::error::{BrokenAnswer, CallError};
use crate::exchange::{Call, Recorder};
use crate::lost::{Cause, CauseKind};
use crate::plan::{Login, Plan, Route, SetupError, Source, secret_value};
use crate::redact::Redactor;
use crate::transport::{Outgoing, Transport};
use bytes::Bytes;
use http::HeaderName;
use protocol::{DownloadUrl, ExportToken, GenerateAnswer, LoginAnswer, Mismatch, SessionToken};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// A backend that can be called. Cheap to clone; clones share the session token.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
    transport: Transport,
}

struct Shared {
    plan: Plan,
    /// The session token that was accepted last. Held while logging in, so that many visits log in once.
    session: Mutex<Option<SessionToken>>,
    /// The plan's secrets, and every session token that a login gave: a backend may repeat one in any later answer.
    known: RwLock<Redactor>,
}

impl Shared {
    /// All secrets known by now.
    fn redactor(&self) -> Redactor {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, session: &SessionToken) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = known.and(session.expose());
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.shared.plan.redeem.url.origin().ascii_serialization();
        f.debug_struct("Api").field("redeems_at", &origin).finish_non_exhaustive()
    }
}

impl Api {
    /// Checks that the credentials suffice for the routes; sends nothing.
    ///
    /// # Errors
    /// Which credential is missing or unusable, or what is wrong with the routes or this machine's certificates.
    pub fn new(
        backend: Backend,
        credentials: Credentials,
        time_outs: TimeOuts,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Self, SetupError> {
        let mut plan = Plan::new(backend, credentials, &time_outs)?;
        let transport = Transport::new(time_outs, recorder, plan.is_secure())?;
        let session = match &mut plan.source {
            Source::Direct { session, .. } => session.take(),
            Source::Partner { .. } => None,
        };
        let known = RwLock::new(plan.redactor.clone());
        Ok(Self { shared: Arc::new(Shared { plan, session: Mutex::new(session), known }), transport })
    }

    /// The same backend with the same session token, whose calls are recorded elsewhere: so each of many visits at
    /// once has its own exchanges. A login that several of them wait for is recorded with the one that made it.
    #[must_use]
    pub fn recorded_by(&self, recorder: Arc<dyn Recorder>) -> Self {
        Self { shared: self.shared.clone(), transport: self.transport.recorded_by(recorder) }
    }

    /// "Generates an Export Token object in the Copresence backend … and returns the token's string": one token,
    /// which somebody pays for.
    ///
    /// Logs in first when there is a login and no session token. When the backend refuses a session token that
    /// was not made by this very call (401, 403, or code 209), and there is a login: logs in and asks once more,
    /// which is safe because nothing was generated. A session token is kept in memory for later calls.
    ///
    /// # Errors
    /// [`CallError`]; [`Refusal::call`] tells a refused login from a refused generate.
    pub async fn generate(&self) -> Result<ExportToken, CallError> {
        match &self.shared.plan.source {
            Source::Partner { generate, token_pointer } => {
                let answered = self.send(Call::Generate, generate.clone(), None, token_pointer).await?;
                read_token(&answered, token_pointer)
            }
            Source::Direct { generate, login, .. } => {
                let (session, fresh) = self.session(login.as_deref(), None).await?;
                match self.generate_within(generate, &session).await {
                    Err(CallError::Answered(refusal))
                        if refusal.is_about_the_session() && !fresh && login.is_some() =>
                    {
                        tracing::info!(
                            status = refusal.status,
                            "the session token was refused: logging in again"
                        );
                        let (session, _) = self.session(login.as_deref(), Some(&session)).await?;
                        self.generate_within(generate, &session).await
                    }
                    other => other,
                }
            }
        }
    }

    /// "Attempts to redeem an Export Token." Exactly one request, whatever happens.
    ///
    /// Every whole answer is given as it came, whatever its status, so that it can be on disk before it is read.
    /// [`Answered::refusal`] says what a status other than 200 means, [`protocol::RedeemAnswer::read`] reads a
    /// 200.
    ///
    /// # Errors
    /// [`CallError::NeverSent`]; [`CallError::Unanswered`] also for a body that is cut or over
    /// [`crate::MAX_BODY`]; [`CallError::Broken`] for a body with a content coding that cannot be undone (gzip and
    /// deflate can). Both hold as much of the body as came.
    pub async fn redeem(&self, token: &ExportToken) -> Result<Answered, CallError> {
        let shared = &*self.shared;
        let mut route = shared.plan.redeem.clone();
        let value = secret_value(token.expose(), "Export Token").map_err(|error| unsendable(&error))?;
        route.headers.insert(HeaderName::from_static(EXPORT_TOKEN), value);
        let redactor = shared.redactor().and(token.expose());
        let outgoing = Outgoing { call: Call::Redeem, route, body: None, token_pointer: None, redactor };
        self.transport.call(outgoing).await
    }

    /// Opens a "one-time download URL of avatar asset", from the start or where an earlier download ended.
    ///
    /// Sends no credential of any kind. Follows at most five redirects, to http(s) only and never from https to
    /// http. The answer's head has come when this returns; the body comes with [`Download::stream`].
    ///
    /// # Errors
    /// [`DownloadError`]; [`DownloadError::may_have_spent_the_url`] says whether to expect the URL to work again.
    pub async fn download(
        &self,
        url: &DownloadUrl,
        resume: Option<&Resume>,
    ) -> Result<Download, DownloadError> {
        download::open(&self.transport, &self.shared.redactor(), url, resume).await
    }

    /// A backend's own word, fit to be shown: without any secret that is known here, should it repeat one.
    pub fn without_secrets(&self, word: &str) -> String {
        self.shared.redactor().text(word)
    }

    /// An answer's body, fit to be kept on disk: without any credential that is known here, should the backend repeat
    /// one. Names of fields stay as they are, and so do URLs unless the answer's status says that it brings none: by
    /// them the avatar is had.
    pub fn without_secrets_in_answer(&self, status: Option<u16>, body: &Bytes) -> Bytes {
        let may_deliver = status.is_none_or(|status| (200..300).contains(&status));
        self.shared.redactor().answer_to_keep(body, may_deliver)
    }

    async fn generate_within(&self, route: &Route, session: &SessionToken) -> Result<ExportToken, CallError> {
        let mut route = route.clone();
        let value = secret_value(session.expose(), "session token").map_err(|error| unsendable(&error))?;
        route.headers.insert(HeaderName::from_static(SESSION_TOKEN), value);
        let answered = self.send(Call::Generate, route, Some(session), "/token").await?;
        read_token(&answered, "/token")
    }

    /// The session token to use, and whether it was made just now. A `refused` one is not given again.
    async fn session(
        &self,
        login: Option<&Login>,
        refused: Option<&SessionToken>,
    ) -> Result<(SessionToken, bool), CallError> {
        let mut held = self.shared.session.lock().await;
        // Another visit may have logged in while this one was being refused.
        if let Some(session) = held.as_ref()
            && refused.is_none_or(|refused| refused.expose() != session.expose())
        {
            return Ok((session.clone(), false));
        }
        let Some(login) = login else {
            return Err(unsendable(&SetupError::MissingSession));
        };
        *held = None;
        let body = serde_json::json!({
            "username": login.username.expose(),
            "password": login.password.expose(),
        });
        let redactor = self.shared.redactor();
        let outgoing = Outgoing {
            call: Call::Login,
            route: login.route.clone(),
            body: Some(body.to_string()),
            token_pointer: Some(login.token_pointer.clone()),
            redactor,
        };
        let answered = self.transport.call(outgoing).await?;
        succeeded(Call::Login, &answered)?;
        let read = LoginAnswer::read_at(&answered.body, &login.token_pointer);
        let session = read.map_err(|mismatch| broken(&answered, mismatch))?.session_token;
        self.shared.learn(&session);
        *held = Some(session.clone());
        Ok((session, true))
    }

    /// Sends a generate and takes its success only.
    async fn send(
        &self,
        call: Call,
        route: Route,
        session: Option<&SessionToken>,
        token_pointer: &str,
    ) -> Result<Answered, CallError> {
        let known = self.shared.redactor();
        let redactor = session.map_or_else(|| known.clone(), |session| known.and(session.expose()));
        let token_pointer = Some(token_pointer.to_owned());
        let outgoing = Outgoing { call, route, body: None, token_pointer, redactor };
        let answered = self.transport.call(outgoing).await?;
        succeeded(call, &answered)?;
        Ok(answered)
    }
}

const EXPORT_TOKEN: &str = "x-copresence-export-token";
const SESSION_TOKEN: &str = "x-copresence-session-token";

/// "Status Codes:" of `/generateExportToken` are not listed, so any 2xx is a success.
fn succeeded(call: Call, answered: &Answered) -> Result<(), CallError> {
    match answered.status {
        200..=299 => Ok(()),
        _ => Err(CallError::Answered(Refusal::read(call, answered))),
    }
}

fn read_token(answered: &Answered, pointer: &str) -> Result<ExportToken, CallError> {
    let read = GenerateAnswer::read_at(&answered.body, pointer);
    read.map(|answer| answer.token).map_err(|mismatch| broken(answered, mismatch))
}

fn broken(answered: &Answered, mismatch: Mismatch) -> CallError {
    CallError::Broken(BrokenAnswer { status: answered.status, mismatch, body: answered.body.clone() })
}

fn unsendable(error: &SetupError) -> CallError {
    CallError::NeverSent(Cause { kind: CauseKind::Other, words: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::headers;

    #[test]
    fn the_headers_have_the_names_of_the_specification() {
        assert!(EXPORT_TOKEN.eq_ignore_ascii_case(headers::EXPORT_TOKEN));
        assert!(SESSION_TOKEN.eq_ignore_ascii_case(headers::SESSION_TOKEN));
    }
}
