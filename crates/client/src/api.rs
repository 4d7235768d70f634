//! The API client: generate and redeem Export Tokens, open downloads.

use crate::answer::{Answered, Refusal};
use crate::backend::{Backend, Credentials, TimeOuts};
use crate::download::{self, Download, DownloadError, Resume};
use crate::error::{BrokenAnswer, CallError};
use crate::exchange::{Call, Recorder};
use crate::lost::{Cause, CauseKind};
use crate::plan::{Login, Plan, Route, Source, secret_value};
use crate::redact::Redactor;
use crate::setup_error::SetupError;
use crate::transport::{Outgoing, Transport};
use bytes::Bytes;
use http::HeaderName;
use protocol::{DownloadUrl, ExportToken, GenerateAnswer, LoginAnswer, Mismatch, SessionToken};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// A client for one backend. Cheap to clone. Clones share the session token.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
    transport: Transport,
}

/// State that all clones share.
struct Shared {
    plan: Plan,
    /// The session token that was accepted last. The lock is held during a login, so that concurrent visits log in
    /// once.
    session: Mutex<Option<SessionToken>>,
    /// The configured secrets and every session token of a login, because any later response may repeat them.
    known: RwLock<Redactor>,
}

impl Shared {
    /// A redactor for all secrets that are known so far.
    fn redactor(&self) -> Redactor {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a session token to the known secrets.
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
    /// Checks that the routes are valid and that their credentials are present. Sends nothing.
    ///
    /// # Errors
    /// A credential is missing or invalid, or the routes, timeouts or root certificates are not usable.
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

    /// A client for the same backend and session token with another recorder.
    ///
    /// It gives each of several concurrent visits its own exchanges. A login that several of them wait for is recorded
    /// by the client that sends it.
    #[must_use]
    pub fn recorded_by(&self, recorder: Arc<dyn Recorder>) -> Self {
        Self { shared: self.shared.clone(), transport: self.transport.recorded_by(recorder) }
    }

    /// Generates one Export Token, which is billed.
    ///
    /// Spec: "Generates an Export Token object in the Copresence backend … and returns the token's string as a
    /// response." (POST /generateExportToken)
    ///
    /// Logs in first if there is a login and no session token. If the backend rejects an earlier session token (401,
    /// 403, or code 209) and there is a login, the client logs in and sends the request once more. This is safe,
    /// because no token was generated. The session token is kept in memory for later calls.
    ///
    /// # Errors
    /// Any [`CallError`]. [`ErrorResponse::call`] says whether the login or the generate request failed.
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
                            "the session token was rejected; logging in again"
                        );
                        let (session, _) = self.session(login.as_deref(), Some(&session)).await?;
                        self.generate_within(generate, &session).await
                    }
                    other => other,
                }
            }
        }
    }

    /// Sends exactly one redeem request.
    ///
    /// Spec: "Attempts to redeem an Export Token." (GET /redeemExportToken)
    ///
    /// Every complete response is returned unparsed, with any status, so that it can be saved before it is parsed.
    /// [`ApiResponse::redeem_error`] classifies a status other than 200, and [`protocol::RedeemResponse::parse`] parses
    /// the body of a 200.
    ///
    /// # Errors
    /// [`CallError::NeverSent`], [`CallError::ResponseLost`] (also for a body that is truncated or longer than
    /// [`crate::MAX_BODY`]), and [`CallError::InvalidResponse`] for a content encoding that cannot be decoded. The last
    /// two contain the received part of the body.
    pub async fn redeem(&self, token: &ExportToken) -> Result<Answered, CallError> {
        let shared = &*self.shared;
        let mut route = shared.plan.redeem.clone();
        let value = secret_value(token.expose(), "Export Token").map_err(|error| unsendable(&error))?;
        route.headers.insert(HeaderName::from_static(EXPORT_TOKEN), value);
        let redactor = shared.redactor().and(token.expose());
        let outgoing = Outgoing { call: Call::Redeem, route, body: None, token_pointer: None, redactor };
        self.transport.call(outgoing).await
    }

    /// Opens a one-time download URL, from the start or from where an earlier download ended.
    ///
    /// Sends no credentials. Follows at most five redirects, to http(s) only and never from https to http. Returns when
    /// the response headers are received. [`Download::stream`] reads the body.
    ///
    /// # Errors
    /// Any [`DownloadError`]. [`DownloadError::may_have_spent_url`] says whether the URL may be spent.
    pub async fn download(
        &self,
        url: &DownloadUrl,
        resume: Option<&Resume>,
    ) -> Result<Download, DownloadError> {
        download::open(&self.transport, &self.shared.redactor(), url, resume).await
    }

    /// Masks every known secret in a text of the backend.
    pub fn without_secrets(&self, word: &str) -> String {
        self.shared.redactor().text(word)
    }

    /// Masks every known secret in a response body that is to be saved.
    ///
    /// Field names of the specification are kept. URLs are kept unless the status says that the response has no
    /// download URLs, because the avatar could not be downloaded without them.
    pub fn without_secrets_in_answer(&self, status: Option<u16>, body: &Bytes) -> Bytes {
        let may_deliver = status.is_none_or(|status| (200..300).contains(&status));
        self.shared.redactor().answer_to_keep(body, may_deliver)
    }

    /// Sends one generate request with a session token.
    async fn generate_within(&self, route: &Route, session: &SessionToken) -> Result<ExportToken, CallError> {
        let mut route = route.clone();
        let value = secret_value(session.expose(), "session token").map_err(|error| unsendable(&error))?;
        route.headers.insert(HeaderName::from_static(SESSION_TOKEN), value);
        let answered = self.send(Call::Generate, route, Some(session), "/token").await?;
        read_token(&answered, "/token")
    }

    /// The session token to use, and whether it comes from a login of this call. A `refused` token is not returned
    /// again.
    async fn session(
        &self,
        login: Option<&Login>,
        refused: Option<&SessionToken>,
    ) -> Result<(SessionToken, bool), CallError> {
        let mut held = self.shared.session.lock().await;
        // Another visit may have logged in meanwhile.
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

    /// Sends a generate request. Other statuses than 2xx are errors.
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

// Header names in lower case, for `HeaderName::from_static`.
const EXPORT_TOKEN: &str = "x-copresence-export-token";
const SESSION_TOKEN: &str = "x-copresence-session-token";

/// Checks for any 2xx status. The specification lists no status codes of `/generateExportToken`.
fn succeeded(call: Call, answered: &Answered) -> Result<(), CallError> {
    match answered.status {
        200..=299 => Ok(()),
        _ => Err(CallError::Answered(Refusal::read(call, answered))),
    }
}

/// Parses the Export Token in a generate response.
fn read_token(answered: &Answered, pointer: &str) -> Result<ExportToken, CallError> {
    let read = GenerateAnswer::read_at(&answered.body, pointer);
    read.map(|answer| answer.token).map_err(|mismatch| broken(answered, mismatch))
}

/// The error for a response that violates the specification.
fn broken(answered: &Answered, mismatch: Mismatch) -> CallError {
    CallError::Broken(BrokenAnswer { status: answered.status, mismatch, body: answered.body.clone() })
}

/// The error for a request that could not be built.
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
