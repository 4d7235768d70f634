//! Which backend is asked, how, and with which credentials: what a profile and the keychain hold.

use crate::plan::{SetupError, endpoint};
use http::Method;
use protocol::{ApiKey, PartnerKey, Password, SessionToken, Username, headers};
use std::fmt;
use std::time::Duration;
use url::Url;

/// Where a partner's header value takes the partner key.
pub const PARTNER_KEY_PLACEHOLDER: &str = "{partner_key}";

/// How long each part of a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOuts {
    /// From the start of a call to a usable connection: name, TCP, proxy and TLS. Must be under `total`.
    pub connect: Duration,
    /// Without a byte from the backend, on API calls and downloads alike. The wait for the first byte counts from
    /// the start of the call and is `connect` longer, so that "no connection" is always told from "no answer".
    pub read: Duration,
    /// An API call from start to end. Downloads have no such limit.
    pub total: Duration,
}

impl Default for TimeOuts {
    /// 10 s, 15 s, 30 s.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), read: seconds(15), total: seconds(30) }
    }
}

/// One backend and the routes to it.
#[derive(Debug, Clone)]
pub struct Backend {
    /// http or https; a path in it is kept before the endpoints' paths. No user name or password.
    pub base_url: Url,
    /// How a business account logs in.
    pub login: LoginRoute,
    /// Who makes Export Tokens.
    pub source: TokenSource,
    /// Who redeems them.
    pub redeem: RedeemRoute,
}

impl Backend {
    /// The vendor's own endpoints under one URL, with the assumed login.
    pub fn vendor(base_url: Url) -> Self {
        Self {
            base_url,
            login: LoginRoute::default(),
            source: TokenSource::Direct,
            redeem: RedeemRoute::Vendor,
        }
    }

    /// Where a path (and query, if any) of the vendor's API is: under the base URL, whose own path stays in front.
    ///
    /// # Errors
    /// [`SetupError::Url`] for a base URL that cannot be called.
    pub fn endpoint(&self, path: &str) -> Result<Url, SetupError> {
        endpoint(&self.base_url, path)
    }
}

/// The login request: JSON `{"username", "password"}` with the API key as header.
///
/// The specification says only "authenticate with the Copresence backend through an API request to receive a
/// session token in response", so all of it can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRoute {
    /// Under the base URL; may carry a query.
    pub path: String,
    /// A method with a body: not GET or HEAD, which would put the password into a URL.
    pub method: Method,
    /// JSON Pointer (RFC 6901) to the session token in the answer.
    pub token_pointer: String,
}

impl Default for LoginRoute {
    /// Parse Server's: `POST /login`, answering `{"sessionToken": …}`.
    fn default() -> Self {
        Self {
            path: headers::LOGIN_PATH.to_owned(),
            method: Method::POST,
            token_pointer: "/sessionToken".to_owned(),
        }
    }
}

/// Who makes an Export Token.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// "Your backend requests the creation of an Export Token": this program is that backend, with API key and
    /// session token or a login.
    Direct,
    /// "Your backend transmits the Export Token to a device running one of your applications": this program is
    /// that device.
    Partner(PartnerSource),
}

/// A partner's own backend that hands out Export Tokens.
#[derive(Clone)]
pub struct PartnerSource {
    /// http or https.
    pub url: Url,
    /// Usually POST; sent without a body.
    pub method: Method,
    /// Sent as they are, with [`PARTNER_KEY_PLACEHOLDER`] replaced by the partner key.
    pub headers: Vec<(String, String)>,
    /// JSON Pointer (RFC 6901) to the Export Token in the answer.
    pub token_pointer: String,
}

impl PartnerSource {
    /// `POST` to a URL that answers as the vendor does (`{"token": …}`), with no headers of its own.
    pub fn new(url: Url) -> Self {
        Self { url, method: Method::POST, headers: Vec::new(), token_pointer: "/token".to_owned() }
    }
}

impl fmt::Debug for PartnerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartnerSource")
            .field("origin", &self.url.origin().ascii_serialization())
            .field("method", &self.method)
            .field("headers", &names(&self.headers))
            .field("token_pointer", &self.token_pointer)
            .finish()
    }
}

/// Who redeems an Export Token.
#[derive(Clone)]
pub enum RedeemRoute {
    /// `GET /redeemExportToken` of the vendor, which needs the API key.
    Vendor,
    /// A relay of the partner: GET with `X-Copresence-Export-Token` and the partner's headers, no API key. Its
    /// answers have the vendor's form.
    Partner {
        /// http or https.
        url: Url,
        /// Sent as they are, with [`PARTNER_KEY_PLACEHOLDER`] replaced by the partner key.
        headers: Vec<(String, String)>,
    },
}

impl fmt::Debug for RedeemRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vendor => f.write_str("Vendor"),
            Self::Partner { url, headers } => f
                .debug_struct("Partner")
                .field("origin", &url.origin().ascii_serialization())
                .field("headers", &names(headers))
                .finish(),
        }
    }
}

/// What the console holds. Which of them a route needs is checked when an [`crate::Api`] is made.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// "REST API key for the Copresence API".
    pub api_key: Option<ApiKey>,
    /// "Session token received by authenticating as a business account."
    pub session_token: Option<SessionToken>,
    /// To get a session token, and another one when it has expired.
    pub login: Option<(Username, Password)>,
    /// For the partner's own backend.
    pub partner_key: Option<PartnerKey>,
}

/// A header's value may be a secret of the partner's, so only names are shown.
fn names(headers: &[(String, String)]) -> Vec<&str> {
    headers.iter().map(|(name, _)| name.as_str()).collect()
}
