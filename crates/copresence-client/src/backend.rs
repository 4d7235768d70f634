//! The configuration of a backend: routes, timeouts and credentials.

use crate::endpoint_url;
use crate::setup_error::SetupError;
use copresence_protocol::{ApiKey, PartnerKey, Password, SessionToken, Username, headers};
use http::Method;
use std::fmt;
use std::time::Duration;
use url::Url;

/// Placeholder for the partner key in the header values of a partner.
pub const PARTNER_KEY_PLACEHOLDER: &str = "{partner_key}";

/// Timeouts of a call.
///
/// # Defaults
/// `connect` 10 s, `read` 15 s, `first_byte` 2 min, `total` 30 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Time from the start of a call to a usable connection: name resolution, TCP, proxy and TLS. Above zero and below
    /// `total`.
    pub connect: Duration,
    /// Time without a byte from the backend, for API calls and downloads (after the first byte of the file). Above zero
    /// and at most one hour.
    ///
    /// The first byte of an API call may take `connect` + `read` from the start of the call, so that a connect timeout
    /// is always distinguished from a missing response. Does not apply to a redeem; see `total`. A download whose server
    /// does not say that it can continue with a range may be silent for eight times as long.
    pub read: Duration,
    /// Time without the first byte of a file, in addition to `connect`, because a backend may make a file only when it
    /// is requested. Above zero and at most one hour.
    pub first_byte: Duration,
    /// Time of an API call from start to end, at most one hour. Does not apply to downloads.
    ///
    /// The response to a redeem may be the only one with URLs, so it is awaited for longer: for `connect` + two
    /// times `total` until its headers, then for `total` without a byte of its body, and for ten times `total` until its end.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 10 s, 15 s, 2 min, 30 s.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), read: seconds(15), first_byte: seconds(120), total: seconds(30) }
    }
}

/// A backend and its routes.
#[derive(Debug, Clone)]
pub struct BackendWithRoutes {
    /// http or https URL. Its path is prepended to the paths of the endpoints. No user name or password.
    pub base_url: Url,
    /// The login of a business account.
    pub login_route: LoginRoute,
    /// Where Export Tokens come from.
    pub token_source: TokenSource,
    /// Where Export Tokens are redeemed.
    pub redeem_route: RedeemEndpoint,
    /// Download URLs that are requested although the backend should not send them.
    pub download_exceptions: DownloadUrlRuleExceptions,
}

/// Download URLs that are requested although the backend should not send them.
///
/// # Defaults
/// None.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DownloadUrlRuleExceptions {
    /// Plain http URLs from a backend that is called over https.
    pub allow_http: bool,
    /// Hosts with a loopback, link-local, private or multicast address, from a backend with a public address.
    pub allow_private_hosts: bool,
}

impl BackendWithRoutes {
    /// The backend of Copresence itself at a base URL: direct token requests, the vendor's redeem endpoint, and the
    /// assumed login.
    pub fn copresence_backend_from_url(base_url: Url) -> Self {
        Self {
            base_url,
            login_route: LoginRoute::default(),
            token_source: TokenSource::Direct,
            redeem_route: RedeemEndpoint::Vendor,
            download_exceptions: DownloadUrlRuleExceptions::default(),
        }
    }

    /// Appends a path and an optional query to the base URL. The path of the base URL is kept.
    ///
    /// # Errors
    /// [`SetupError::InvalidUrl`] if the base URL cannot be called.
    pub fn endpoint_url_from_path(&self, path: &str) -> Result<Url, SetupError> {
        endpoint_url::join_endpoint(&self.base_url, path)
    }
}

/// The login request: JSON `{"username", "password"}` with the API key as a header.
///
/// Spec: "authenticate with the Copresence backend through an API request to receive a session token in response". The
/// specification gives no details, so all of them are configurable.
///
/// # Defaults
/// As in Parse Server: `POST /login`, with the session token at `/sessionToken` of the response. No logout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRoute {
    /// Path below the base URL, with an optional query.
    pub path: String,
    /// A method with a body. GET and HEAD are rejected, because the password would be part of the URL.
    pub method: Method,
    /// JSON Pointer (RFC 6901) to the session token in the response.
    pub token_pointer: String,
    /// Path of the logout below the base URL: a `POST` with the API key and the session token as headers. `None` if
    /// sessions are left to expire.
    pub logout_path: Option<String>,
}

impl Default for LoginRoute {
    /// As in Parse Server: `POST /login` with the response `{"sessionToken": …}`.
    fn default() -> Self {
        Self {
            path: headers::LOGIN_PATH.to_owned(),
            method: Method::POST,
            token_pointer: "/sessionToken".to_owned(),
            logout_path: None,
        }
    }
}

/// Where Export Tokens come from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// This program requests tokens itself, with an API key and a session token or login.
    ///
    /// Spec: "Your backend requests the creation of an Export Token".
    Direct,
    /// A partner's backend hands out tokens.
    ///
    /// Spec: "Your backend transmits the Export Token to a device running one of your applications".
    Partner(PartnerTokenSource),
}

/// A source of Export Tokens at a partner: a backend that hands them out.
#[derive(Clone)]
pub struct PartnerTokenSource {
    /// http or https URL.
    pub url: Url,
    /// Usually POST. The request has no body.
    pub method: Method,
    /// Headers of the request. [`PARTNER_KEY_PLACEHOLDER`] is replaced by the partner key.
    pub headers: Vec<(String, String)>,
    /// JSON Pointer (RFC 6901) to the Export Token in the response.
    pub token_pointer: String,
}

impl PartnerTokenSource {
    /// `POST` without additional headers to a URL whose response has the form of the vendor: `{"token": …}`.
    pub fn new(url: Url) -> Self {
        Self { url, method: Method::POST, headers: Vec::new(), token_pointer: "/token".to_owned() }
    }
}

impl fmt::Debug for PartnerTokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartnerTokenSource")
            .field("origin", &self.url.origin().ascii_serialization())
            .field("method", &self.method)
            .field("headers", &header_names_for_debug(&self.headers))
            .field("token_pointer", &self.token_pointer)
            .finish()
    }
}

/// Where Export Tokens are redeemed: at the vendor, or at a partner's relay.
#[derive(Clone)]
pub enum RedeemEndpoint {
    /// `GET /redeemExportToken` of the vendor. Needs the API key.
    Vendor,
    /// A relay of a partner: GET with `X-Copresence-Export-Token` and the partner's headers, without the API key. Its
    /// responses have the form of the vendor.
    Partner {
        /// http or https URL.
        url: Url,
        /// Headers of the request. [`PARTNER_KEY_PLACEHOLDER`] is replaced by the partner key.
        headers: Vec<(String, String)>,
    },
}

impl fmt::Debug for RedeemEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vendor => f.write_str("Vendor"),
            Self::Partner { url, headers } => f
                .debug_struct("Partner")
                .field("origin", &url.origin().ascii_serialization())
                .field("headers", &header_names_for_debug(headers))
                .finish(),
        }
    }
}

/// The credentials with which this program calls a backend. Which of them are needed depends on the routes.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Spec: "REST API key for the Copresence API".
    pub api_key: Option<ApiKey>,
    /// Spec: "Session token received by authenticating as a business account."
    pub session_token: Option<SessionToken>,
    /// User name and password, to get a session token and to renew it when it has expired.
    pub login: Option<(Username, Password)>,
    /// The key for a partner's backend.
    pub partner_key: Option<PartnerKey>,
    /// What an operator can do if the backend refuses them: where they come from, and how they are changed. No secret.
    pub remedy_if_credentials_refused: Option<String>,
}

impl Credentials {
    /// Whether other credentials contain the same secrets; the remedy is not compared.
    pub fn has_same_secrets(&self, other: &Self) -> bool {
        self.expose_all_secrets() == other.expose_all_secrets()
    }

    /// Every secret, to mask and to compare them; `None` for those that are absent.
    pub(crate) fn expose_all_secrets(&self) -> [Option<&str>; 5] {
        let Self { api_key, session_token, login, partner_key, .. } = self;
        [
            api_key.as_ref().map(ApiKey::expose),
            session_token.as_ref().map(SessionToken::expose),
            login.as_ref().map(|(username, _)| username.expose()),
            login.as_ref().map(|(_, password)| password.expose()),
            partner_key.as_ref().map(PartnerKey::expose),
        ]
    }
}

/// The names of headers. Values may be secrets, so `Debug` does not show them.
fn header_names_for_debug(headers: &[(String, String)]) -> Vec<&str> {
    headers.iter().map(|(name, _)| name.as_str()).collect()
}
