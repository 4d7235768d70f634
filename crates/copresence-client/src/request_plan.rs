//! The requests for a backend and its credentials, checked and prepared.

use crate::backend::{
    BackendWithRoutes, Credentials, LoginRoute, PARTNER_KEY_PLACEHOLDER, RedeemEndpoint, Timeouts, TokenSource,
};
use crate::endpoint_url::{check_http_url_and_strip_fragment, join_endpoint};
use crate::exchange::CallKind;
use crate::redact::Redactor;
use crate::setup_error::SetupError;
use copresence_protocol::{ApiKey, PartnerKey, Password, SessionToken, Username, headers};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::time::Duration;
use url::Url;

/// Maximum of every timeout. Larger values could overflow the clock.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

/// The plan of all requests to a backend: prepared routes, and the redactor of their credentials.
pub(crate) struct PreparedBackendRoutes {
    pub(crate) token_route: TokenRoute,
    pub(crate) redeem_route: CallRoute,
    /// Redacts every credential.
    pub(crate) redactor: Redactor,
}

/// How Export Tokens are obtained.
pub(crate) enum TokenRoute {
    Direct { generate: CallRoute, session: Option<SessionToken>, login: Option<Box<LoginPlan>> },
    Partner { generate: CallRoute, token_pointer: String },
}

/// Method, URL and constant headers of one call.
#[derive(Clone)]
pub(crate) struct CallRoute {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

/// The prepared login request.
pub(crate) struct LoginPlan {
    pub(crate) route: CallRoute,
    pub(crate) username: Username,
    pub(crate) password: Password,
    pub(crate) token_pointer: String,
    /// The logout, without the session token.
    pub(crate) logout: Option<CallRoute>,
}

impl PreparedBackendRoutes {
    /// Checks the backend, credentials and timeouts, and prepares the requests.
    pub(crate) fn new(
        backend: BackendWithRoutes,
        credentials: Credentials,
        time_outs: &Timeouts,
    ) -> Result<Self, SetupError> {
        let Timeouts { connect, read, first_byte, total } = time_outs;
        let shortest = *connect.min(read).min(first_byte);
        let longest = *read.max(first_byte).max(total);
        if shortest.is_zero() || connect >= total || longest > MAX_TIMEOUT {
            return Err(SetupError::InvalidTimeouts);
        }
        let BackendWithRoutes { base_url, login_route: login, token_source: source, redeem_route: redeem, .. } =
            backend;
        let redactor = credentials_redactor(&credentials);
        let api_key = credentials.api_key.as_ref().filter(|key| !key.is_empty());
        let partner_key = credentials.partner_key.as_ref().filter(|key| !key.is_empty());
        let redeem = match redeem {
            RedeemEndpoint::Vendor => CallRoute {
                method: Method::GET,
                url: join_endpoint(&base_url, headers::REDEEM_PATH)?,
                headers: api_key_headers(api_key, CallKind::Redeem)?,
            },
            RedeemEndpoint::Partner { url, headers } => CallRoute {
                method: Method::GET,
                url: check_http_url_and_strip_fragment(&url, "partner's redeem URL")?,
                headers: build_partner_headers(&headers, partner_key)?,
            },
        };
        let source = match source {
            TokenSource::Direct => {
                let login = plan_login(&base_url, login, api_key, credentials.login)?;
                plan_business_account_token_requests(&base_url, api_key, credentials.session_token, login)?
            }

            TokenSource::Partner(partner) => TokenRoute::Partner {
                generate: CallRoute {
                    method: partner.method,
                    url: check_http_url_and_strip_fragment(&partner.url, "partner's URL")?,
                    headers: build_partner_headers(&partner.headers, partner_key)?,
                },
                token_pointer: check_json_pointer(&partner.token_pointer, "Export Token")?,
            },
        };
        Ok(Self { token_route: source, redeem_route: redeem, redactor })
    }

    /// Whether any call of this plan uses TLS.
    pub(crate) fn has_https_call(&self) -> bool {
        let generate = match &self.token_route {
            TokenRoute::Direct { generate, .. } | TokenRoute::Partner { generate, .. } => generate,
        };
        [generate, &self.redeem_route].iter().any(|route| route.url.scheme() == "https")
    }
}

/// A secret as a header value, marked as sensitive so that logs do not show it.
pub(crate) fn secret_header_value(value: &str, what: &str) -> Result<HeaderValue, SetupError> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| SetupError::InvalidHeaderValue { what: what.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Prepares the token requests of a business account, with a session token or a login.
fn plan_business_account_token_requests(
    base_url: &Url,
    api_key: Option<&ApiKey>,
    session: Option<SessionToken>,
    login: Option<Box<LoginPlan>>,
) -> Result<TokenRoute, SetupError> {
    let session = session.filter(|token| !token.is_empty());
    if let Some(session) = &session {
        secret_header_value(session.expose(), "session token")?;
    }
    if session.is_none() && login.is_none() {
        return Err(SetupError::MissingSession);
    }
    let generate = CallRoute {
        method: Method::POST,
        url: join_endpoint(base_url, headers::GENERATE_PATH)?,
        headers: api_key_headers(api_key, CallKind::Generate)?,
    };
    Ok(TokenRoute::Direct { generate, session, login })
}

/// Prepares the login request, if there is a login.
fn plan_login(
    base_url: &Url,
    route: LoginRoute,
    api_key: Option<&ApiKey>,
    login: Option<(Username, Password)>,
) -> Result<Option<Box<LoginPlan>>, SetupError> {
    let Some((username, password)) = login else { return Ok(None) };
    if username.is_empty() || password.is_empty() {
        return Err(SetupError::IncompleteLogin);
    }
    let LoginRoute { path, method, token_pointer, logout_path } = route;
    if matches!(method, Method::GET | Method::HEAD) {
        return Err(SetupError::LoginMethodWithoutBody(method));
    }
    let token_pointer = check_json_pointer(&token_pointer, "session token")?;
    let headers = api_key_headers(api_key, CallKind::Login)?;
    let logout_url = logout_path.map(|path| join_endpoint(base_url, &path)).transpose()?;
    let logout = logout_url.map(|url| CallRoute { method: Method::POST, url, headers: headers.clone() });
    let route = CallRoute { method, url: join_endpoint(base_url, &path)?, headers };
    Ok(Some(Box::new(LoginPlan { route, username, password, token_pointer, logout })))
}

/// A redactor for all credentials.
fn credentials_redactor(credentials: &Credentials) -> Redactor {
    Redactor::new(credentials.expose_all_secrets().into_iter().flatten())
}

/// Headers that contain only the API key.
fn api_key_headers(api_key: Option<&ApiKey>, call: CallKind) -> Result<HeaderMap, SetupError> {
    let api_key = api_key.ok_or(SetupError::MissingApiKey { call })?;
    let name = HeaderName::from_bytes(headers::API_KEY.as_bytes())
        .map_err(|_| SetupError::InvalidHeaderName { name: headers::API_KEY.to_owned() })?;
    Ok(HeaderMap::from_iter([(name, secret_header_value(api_key.expose(), "API key")?)]))
}

/// The headers of a partner, with [`PARTNER_KEY_PLACEHOLDER`] replaced by the key.
fn build_partner_headers(
    headers: &[(String, String)],
    partner_key: Option<&PartnerKey>,
) -> Result<HeaderMap, SetupError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| SetupError::InvalidHeaderName { name: name.clone() })?;
        let what = format!("value of the header {name}");
        let value = if value.contains(PARTNER_KEY_PLACEHOLDER) {
            let key = partner_key.ok_or_else(|| SetupError::MissingPartnerKey { header: name.clone() })?;
            secret_header_value(&value.replace(PARTNER_KEY_PLACEHOLDER, key.expose()), &what)?
        } else {
            HeaderValue::from_str(value).map_err(|_| SetupError::InvalidHeaderValue { what })?
        };
        map.append(header, value);
    }
    Ok(map)
}

/// Checks that a string is a JSON Pointer to a part of a document.
fn check_json_pointer(text: &str, what: &'static str) -> Result<String, SetupError> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err(SetupError::InvalidPointer { what, pointer: text.to_owned() })
    }
}

#[cfg(test)]
#[path = "request_plan_tests.rs"]
mod tests;
