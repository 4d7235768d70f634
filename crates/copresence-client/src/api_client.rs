//! The API client: generate and redeem Export Tokens, open downloads.

use crate::backend::{BackendWithRoutes, Credentials, Timeouts};
use crate::download;
use crate::download_error::DownloadError;
use crate::download_target::{DownloadTargetRules, create_system_host_lookup};
use crate::error::{CallError, InvalidResponse};
use crate::exchange::{CallKind, ExchangeRecorder};
use crate::opened_download::{OpenedDownload, ResumePoint};
use crate::redact::Redactor;
use crate::redirect_cookies::RedirectCookies;
use crate::request_plan::{CallRoute, LoginPlan, PreparedBackendRoutes, TokenRoute, secret_header_value};
use crate::response::{ApiResponse, ErrorClass, ErrorResponse};
use crate::setup_error::SetupError;
use crate::transport::{ApiRequest, HttpTransport};
use crate::transport_error::{ConnectErrorKind, RequestNotSentError};
use bytes::Bytes;
use copresence_protocol::headers::{EXPORT_TOKEN_NAME, SESSION_TOKEN_NAME};
use copresence_protocol::{
    DownloadUrl, ExportToken, GenerateResponse, LoginResponse, SessionToken, SpecViolation,
    keep_whole_values_of_truncated_json,
};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// Maximum time of a logout. It is done at the end of a run, where somebody waits.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client for one backend. Cheap to clone. Clones share the session token.
#[derive(Clone)]
pub struct ApiClient {
    shared: Arc<SharedClientState>,
    transport: HttpTransport,
}

/// State that all clones share.
struct SharedClientState {
    plan: PreparedBackendRoutes,
    /// The lock is held during a login, so that concurrent visits log in once.
    session: Mutex<SessionSharedByClones>,
    /// The configured secrets and every session token of a login, because any later response may repeat them.
    known_secrets: RwLock<Redactor>,
    remedy_if_credentials_refused: Option<String>,
}

/// The session that all clones share.
#[derive(Default)]
struct SessionSharedByClones {
    /// The session token that was accepted last.
    token: Option<SessionToken>,
    /// Whether the token comes from a login of this client, which then has to log it out.
    is_from_login: bool,
    /// Whether the token comes from a login and was not used yet: if it is refused, another login helps nothing.
    is_unused: bool,
    /// The refusal of the user name and password. They are not sent again, because repeated refusals lock accounts.
    refused_login: Option<ErrorResponse>,
}

impl SharedClientState {
    /// A redactor for all secrets that are known so far.
    fn known_secrets_redactor(&self) -> Redactor {
        self.known_secrets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a session token to the known secrets.
    fn add_session_token_to_secrets(&self, session: &SessionToken) {
        let mut known = self.known_secrets.write().unwrap_or_else(PoisonError::into_inner);
        *known = known.with_secret(session.expose());
    }
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.shared.plan.redeem_route.url.origin().ascii_serialization();
        f.debug_struct("ApiClient").field("redeems_at", &origin).finish_non_exhaustive()
    }
}

impl ApiClient {
    /// Checks that the routes are valid and that their credentials are present. Sends nothing.
    ///
    /// # Errors
    /// A credential is missing or invalid, or the routes, timeouts or root certificates are not usable.
    pub fn new(
        backend: BackendWithRoutes,
        credentials: Credentials,
        time_outs: Timeouts,
        recorder: Arc<dyn ExchangeRecorder>,
    ) -> Result<Self, SetupError> {
        let remedy_if_credentials_refused = credentials.remedy_if_credentials_refused.clone();
        let exceptions = backend.download_exceptions;
        let mut plan = PreparedBackendRoutes::new(backend, credentials, &time_outs)?;
        let rules = DownloadTargetRules::new(plan.redeem_route.url.clone(), exceptions, create_system_host_lookup());
        let transport = HttpTransport::new(time_outs, recorder, plan.has_https_call(), Some(rules))?;
        let session = match &mut plan.token_route {
            TokenRoute::Direct { session, .. } => session.take(),
            TokenRoute::Partner { .. } => None,
        };
        let known = RwLock::new(plan.redactor.clone());
        Ok(Self {
            shared: Arc::new(SharedClientState {
                plan,
                session: Mutex::new(SessionSharedByClones { token: session, ..SessionSharedByClones::default() }),
                known_secrets: known,
                remedy_if_credentials_refused,
            }),
            transport,
        })
    }

    /// A client for the same backend and session token with another recorder.
    ///
    /// It gives each of several concurrent visits its own exchanges. A login that several of them wait for is recorded
    /// by the client that sends it.
    #[must_use]
    pub fn clone_with_recorder(&self, recorder: Arc<dyn ExchangeRecorder>) -> Self {
        Self { shared: self.shared.clone(), transport: self.transport.with_recorder(recorder) }
    }

    /// The same client with a simulated network. Clones of it use the same network.
    #[cfg(feature = "simulation")]
    #[must_use]
    pub fn with_simulated_network(mut self, network: Arc<dyn crate::simulation::SimulatedNetwork>) -> Self {
        self.transport.simulated_network = Some(network);
        self
    }

    /// What an operator can do if the backend refuses the credentials ([`Credentials::remedy_if_credentials_refused`]).
    pub fn remedy_if_credentials_refused(&self) -> Option<&str> {
        self.shared.remedy_if_credentials_refused.as_deref()
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
    /// A login that was refused is not repeated: later calls end with the same refusal and send nothing. Other
    /// credentials need a new client.
    ///
    /// # Errors
    /// Any [`CallError`]; [`CallError::LoginFailed`] if the login failed, so that no token was requested.
    pub async fn generate_token(&self) -> Result<ExportToken, CallError> {
        match &self.shared.plan.token_route {
            TokenRoute::Partner { generate, token_pointer } => {
                self.request_export_token(generate.clone(), None, token_pointer).await
            }
            TokenRoute::Direct { generate, login, .. } => {
                let (session, fresh) = self.reuse_session_or_log_in(login.as_deref(), None).await?;
                self.shared.session.lock().await.is_unused = false;
                match self.send_generate_with_session_token(generate, &session).await {
                    Err(CallError::ErrorResponse(refusal))
                        if refusal.should_retry_with_new_session() && !fresh && login.is_some() =>
                    {
                        tracing::info!(status = refusal.status, "the session token was rejected; logging in again");
                        let (session, _) = self.reuse_session_or_log_in(login.as_deref(), Some(&session)).await?;
                        self.send_generate_with_session_token(generate, &session).await
                    }
                    other => other,
                }
            }
        }
    }

    /// Logs in, if the next [`Self::generate_token`] needs a session and there is none. Requests no token, so
    /// a caller that stops here leaves no unused token at the backend.
    ///
    /// # Errors
    /// As [`Self::generate_token`].
    pub async fn log_in_if_needed(&self) -> Result<(), CallError> {
        match &self.shared.plan.token_route {
            TokenRoute::Partner { .. } => Ok(()),
            TokenRoute::Direct { login, .. } => self.reuse_session_or_log_in(login.as_deref(), None).await.map(drop),
        }
    }

    /// Sends exactly one redeem request.
    ///
    /// Spec: "Attempts to redeem an Export Token." (GET /redeemExportToken)
    ///
    /// Every complete response is returned unparsed, with any status, so that it can be saved before it is parsed.
    /// [`ApiResponse::redeem_error_response_unless_ok`] classifies a status other than 200, and
    /// [`copresence_protocol::RedeemResponse::parse`] parses the body of a 200.
    ///
    /// # Errors
    /// [`CallError::NeverSent`], [`CallError::ResponseLost`] (also for a body that is truncated, or longer than
    /// [`crate::MAX_BODY`] without its long strings), and [`CallError::InvalidResponse`] for a content encoding that cannot be decoded. The last
    /// two contain the received part of the body.
    pub async fn send_redeem_request(&self, token: &ExportToken) -> Result<ApiResponse, CallError> {
        let shared = &*self.shared;
        let mut route = shared.plan.redeem_route.clone();
        let value =
            secret_header_value(token.expose(), "Export Token").map_err(|error| unsendable_request_error(&error))?;
        route.headers.insert(EXPORT_TOKEN_NAME, value);
        let redactor = shared.known_secrets_redactor().with_secret(token.expose());
        let outgoing = ApiRequest { call: CallKind::Redeem, route, body: None, token_pointer: None, redactor };
        self.transport.send_call(outgoing).await
    }

    /// Opens a one-time download URL, from the start or from where an earlier download ended.
    ///
    /// Sends no credentials. Follows at most five redirects, to http(s) only and never from https to http. A URL that
    /// the backend must not send is not requested ([`crate::DownloadErrorKind::TargetNotAllowed`]). Returns when the
    /// response headers are received. [`OpenedDownload::stream`] reads the body.
    ///
    /// # Errors
    /// Any [`DownloadError`]. [`DownloadError::may_have_spent_url`] says whether the URL may be spent.
    pub async fn open_download(
        &self,
        url: &DownloadUrl,
        resume: Option<&ResumePoint>,
    ) -> Result<OpenedDownload, DownloadError> {
        self.open_download_with_cookies(url, resume, &mut RedirectCookies::default()).await
    }

    /// As [`Self::open_download`], with the cookies that earlier requests of the same download have received. Adds those of
    /// this one.
    ///
    /// # Errors
    /// As [`Self::open_download`].
    pub async fn open_download_with_cookies(
        &self,
        url: &DownloadUrl,
        resume: Option<&ResumePoint>,
        cookies: &mut RedirectCookies,
    ) -> Result<OpenedDownload, DownloadError> {
        let known = self.shared.known_secrets_redactor();
        let backend = &self.shared.plan.redeem_route.url;
        download::open_download(&self.transport, &known, backend, url, resume, cookies).await
    }

    /// The URL of `GET /redeemExportToken`. It contains no token.
    pub fn redeem_url(&self) -> &Url {
        &self.shared.plan.redeem_route.url
    }

    /// Masks every known secret in a text of the backend.
    pub fn redact_text(&self, word: &str) -> String {
        self.shared.known_secrets_redactor().redact_text(word)
    }

    /// Masks every known secret in a response body that is to be saved.
    ///
    /// Field names of the specification are kept. URLs are kept unless the status says that the response has no
    /// download URLs, because the avatar could not be downloaded without them.
    pub fn redact_body_for_saving(&self, status: Option<u16>, body: &Bytes) -> Bytes {
        let may_deliver = status.is_none_or(|status| (200..300).contains(&status));
        self.shared.known_secrets_redactor().redact_body_for_saving(body, may_deliver)
    }

    /// Sends one generate request with a session token.
    async fn send_generate_with_session_token(
        &self,
        route: &CallRoute,
        session: &SessionToken,
    ) -> Result<ExportToken, CallError> {
        let mut route = route.clone();
        let value =
            secret_header_value(session.expose(), "session token").map_err(|error| unsendable_request_error(&error))?;
        route.headers.insert(SESSION_TOKEN_NAME, value);
        self.request_export_token(route, Some(session), "/token").await
    }

    /// The session token to use, and whether it comes from a login and was not used yet. A `refused` token is not returned
    /// again.
    async fn reuse_session_or_log_in(
        &self,
        login: Option<&LoginPlan>,
        refused: Option<&SessionToken>,
    ) -> Result<(SessionToken, bool), CallError> {
        let mut state = self.shared.session.lock().await;
        // Another visit may have logged in meanwhile.
        if let Some(session) = state.token.as_ref()
            && refused.is_none_or(|refused| refused.expose() != session.expose())
        {
            return Ok((session.clone(), state.is_unused));
        }
        let Some(login) = login else {
            return Err(unsendable_request_error(&SetupError::MissingSession));
        };
        state.token = None;
        if let Some(refusal) = &state.refused_login {
            return Err(CallError::LoginFailed(Box::new(CallError::ErrorResponse(refusal.clone()))));
        }
        let session = self.log_in(login).await.map_err(|error| {
            if let CallError::ErrorResponse(refusal) = &error
                && refusal.class == ErrorClass::CredentialsRejected
            {
                state.refused_login = Some(refusal.clone());
            }
            CallError::LoginFailed(Box::new(error))
        })?;
        (state.token, state.is_from_login, state.is_unused) = (Some(session.clone()), true, true);
        Ok((session, true))
    }

    /// Sends one login request.
    async fn log_in(&self, login: &LoginPlan) -> Result<SessionToken, CallError> {
        let body = serde_json::json!({
            "username": login.username.expose(),
            "password": login.password.expose(),
        });
        let redactor = self.shared.known_secrets_redactor();
        let outgoing = ApiRequest {
            call: CallKind::Login,
            route: login.route.clone(),
            body: Some(body.to_string()),
            token_pointer: Some(login.token_pointer.clone()),
            redactor,
        };
        let answered = self.transport.send_call(outgoing).await?;
        ensure_success_status(CallKind::Login, &answered)?;
        let read = LoginResponse::parse_session_at_pointer(&answered.body, &login.token_pointer);
        let session = read.map_err(|mismatch| invalid_response_error(&answered, mismatch))?.session_token;
        self.shared.add_session_token_to_secrets(&session);
        Ok(session)
    }

    /// Logs out the session of a login of this client or its clones, if the backend has a logout. To be called once, at
    /// the end of a run; a later call logs in again. Takes at most 3 s. A failure is only logged, because the session
    /// expires by itself.
    pub async fn log_out_own_session(&self) {
        let TokenRoute::Direct { login: Some(login), .. } = &self.shared.plan.token_route else { return };
        let Some(mut route) = login.logout.clone() else { return };
        let logout = async {
            let mut state = self.shared.session.lock().await;
            if !std::mem::take(&mut state.is_from_login) {
                return;
            }
            let Some(session) = state.token.take() else { return };
            drop(state);
            let Ok(value) = secret_header_value(session.expose(), "session token") else { return };
            route.headers.insert(SESSION_TOKEN_NAME, value);
            let redactor = self.shared.known_secrets_redactor();
            let outgoing = ApiRequest { call: CallKind::Logout, route, body: None, token_pointer: None, redactor };
            match self.transport.send_call(outgoing).await {
                Ok(answered) => tracing::debug!(status = answered.status, "logged out"),
                Err(error) => tracing::warn!(%error, "the session could not be logged out; it expires by itself"),
            }
        };
        if tokio::time::timeout(LOGOUT_TIMEOUT, logout).await.is_err() {
            tracing::warn!("the logout was not answered in time; the session expires by itself");
        }
    }

    /// Sends one generate request, and reads the token at `token_pointer` of the response. Other statuses than 2xx are
    /// errors. A token that was received whole is used although the end of its response is missing: it was issued, and
    /// is billed.
    async fn request_export_token(
        &self,
        route: CallRoute,
        session: Option<&SessionToken>,
        token_pointer: &str,
    ) -> Result<ExportToken, CallError> {
        let known = self.shared.known_secrets_redactor();
        let redactor = session.map_or_else(|| known.clone(), |session| known.with_secret(session.expose()));
        let pointer = Some(token_pointer.to_owned());
        let outgoing = ApiRequest { call: CallKind::Generate, route, body: None, token_pointer: pointer, redactor };
        let answered = self.transport.send_call(outgoing).await;
        let token = answered.and_then(|answered| {
            ensure_success_status(CallKind::Generate, &answered)?;
            parse_export_token(&answered, token_pointer)
        });
        token.or_else(|error| token_in_unfinished_response(&error, token_pointer).ok_or(error))
    }
}

/// The Export Token in the received part of a 2xx response that was lost before its end, or that is not valid JSON, does not
/// have its content encoding, or has the token within `result`. `None` if the token itself is not whole.
fn token_in_unfinished_response(error: &CallError, pointer: &str) -> Option<ExportToken> {
    let (status, body) = match error {
        CallError::ResponseLost(lost) => (lost.status?, &lost.body),
        CallError::InvalidResponse(invalid) => (invalid.status, &invalid.body),
        CallError::NeverSent(_) | CallError::ErrorResponse(_) | CallError::LoginFailed(_) => return None,
    };
    if !(200..300).contains(&status) {
        return None;
    }
    let find = |text: &[u8]| {
        // Parse Server wraps the result of a function.
        let pointers = [pointer.to_owned(), format!("/result{pointer}")];
        pointers.iter().find_map(|pointer| GenerateResponse::parse_token_at_pointer(text, pointer).ok())
    };
    let token = find(&keep_whole_values_of_truncated_json(body)?)?.token;
    tracing::warn!(%error, "the Export Token is used although its response is not whole, or has it at another place");
    Some(token)
}

/// Checks for any 2xx status of the API itself. The specification lists no status codes of `/generateExportToken`.
fn ensure_success_status(call: CallKind, answered: &ApiResponse) -> Result<(), CallError> {
    if let Some(gate) = ErrorResponse::classify_non_api_response(call, answered) {
        return Err(CallError::ErrorResponse(gate));
    }
    match answered.status {
        200..=299 => Ok(()),
        _ => Err(CallError::ErrorResponse(ErrorResponse::classify_error_response(call, answered))),
    }
}

/// Parses the Export Token in a generate response.
fn parse_export_token(answered: &ApiResponse, pointer: &str) -> Result<ExportToken, CallError> {
    let read = GenerateResponse::parse_token_at_pointer(&answered.body, pointer);
    read.map(|answer| answer.token).map_err(|mismatch| invalid_response_error(answered, mismatch))
}

/// The error for a response that violates the specification.
fn invalid_response_error(answered: &ApiResponse, mismatch: SpecViolation) -> CallError {
    CallError::InvalidResponse(InvalidResponse {
        status: answered.status,
        violation: mismatch,
        body: answered.body.clone(),
    })
}

/// The error for a request that could not be built.
fn unsendable_request_error(error: &SetupError) -> CallError {
    CallError::NeverSent(RequestNotSentError { kind: ConnectErrorKind::Other, detail: error.to_string() })
}
