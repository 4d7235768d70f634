//! The requests for a backend and its credentials, checked and prepared.

use crate::backend::{
    Backend, Credentials, LoginRoute, PARTNER_KEY_PLACEHOLDER, RedeemRoute, TimeOuts, TokenSource,
};
use crate::endpoint_url::{endpoint, usable};
use crate::exchange::Call;
use crate::redact::Redactor;
use crate::setup_error::SetupError;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use protocol::{ApiKey, PartnerKey, Password, SessionToken, Username, headers};
use std::time::Duration;
use url::Url;

/// Maximum of every timeout. Larger values could overflow the clock.
const LONGEST_TIME_OUT: Duration = Duration::from_hours(1);

/// The prepared requests of a backend.
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) redeem: Route,
    /// Redacts every credential.
    pub(crate) redactor: Redactor,
}

/// How Export Tokens are obtained.
pub(crate) enum Source {
    Direct { generate: Route, session: Option<SessionToken>, login: Option<Box<Login>> },
    Partner { generate: Route, token_pointer: String },
}

/// Method, URL and constant headers of one call.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

/// The prepared login request.
pub(crate) struct Login {
    pub(crate) route: Route,
    pub(crate) username: Username,
    pub(crate) password: Password,
    pub(crate) token_pointer: String,
}

impl Plan {
    /// Checks the backend, credentials and timeouts, and prepares the requests.
    pub(crate) fn new(
        backend: Backend,
        credentials: Credentials,
        time_outs: &TimeOuts,
    ) -> Result<Self, SetupError> {
        let TimeOuts { connect, read, total } = time_outs;
        if connect.is_zero() || read.is_zero() || connect >= total || (*read).max(*total) > LONGEST_TIME_OUT {
            return Err(SetupError::TimeOuts);
        }
        let Backend { base_url, login, source, redeem } = backend;
        let redactor = redactor(&credentials);
        let api_key = credentials.api_key.as_ref().filter(|key| !key.is_empty());
        let partner_key = credentials.partner_key.as_ref().filter(|key| !key.is_empty());
        let redeem = match redeem {
            RedeemRoute::Vendor => Route {
                method: Method::GET,
                url: endpoint(&base_url, headers::REDEEM_PATH)?,
                headers: with_api_key(api_key, Call::Redeem)?,
            },
            RedeemRoute::Partner { url, headers } => Route {
                method: Method::GET,
                url: usable(&url, "partner's redeem URL")?,
                headers: partner_headers(&headers, partner_key)?,
            },
        };
        let source = match source {
            TokenSource::Direct => {
                let login = login_plan(&base_url, login, api_key, credentials.login)?;
                direct(&base_url, api_key, credentials.session_token, login)?
            }

            TokenSource::Partner(partner) => Source::Partner {
                generate: Route {
                    method: partner.method,
                    url: usable(&partner.url, "partner's URL")?,
                    headers: partner_headers(&partner.headers, partner_key)?,
                },
                token_pointer: pointer(&partner.token_pointer, "Export Token")?,
            },
        };
        Ok(Self { source, redeem, redactor })
    }

    /// Whether any call of this plan uses TLS.
    pub(crate) fn is_secure(&self) -> bool {
        let generate = match &self.source {
            Source::Direct { generate, .. } | Source::Partner { generate, .. } => generate,
        };
        [generate, &self.redeem].iter().any(|route| route.url.scheme() == "https")
    }
}

/// A secret as a header value, marked as sensitive so that logs do not show it.
pub(crate) fn secret_value(value: &str, what: &str) -> Result<HeaderValue, SetupError> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| SetupError::NotAHeaderValue { what: what.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Prepares the token requests of a business account, with a session token or a login.
fn direct(
    base_url: &Url,
    api_key: Option<&ApiKey>,
    session: Option<SessionToken>,
    login: Option<Box<Login>>,
) -> Result<Source, SetupError> {
    let session = session.filter(|token| !token.is_empty());
    if let Some(session) = &session {
        secret_value(session.expose(), "session token")?;
    }
    if session.is_none() && login.is_none() {
        return Err(SetupError::MissingSession);
    }
    let generate = Route {
        method: Method::POST,
        url: endpoint(base_url, headers::GENERATE_PATH)?,
        headers: with_api_key(api_key, Call::Generate)?,
    };
    Ok(Source::Direct { generate, session, login })
}

/// Prepares the login request, if there is a login.
fn login_plan(
    base_url: &Url,
    route: LoginRoute,
    api_key: Option<&ApiKey>,
    login: Option<(Username, Password)>,
) -> Result<Option<Box<Login>>, SetupError> {
    let Some((username, password)) = login else { return Ok(None) };
    if username.is_empty() || password.is_empty() {
        return Err(SetupError::IncompleteLogin);
    }
    let LoginRoute { path, method, token_pointer } = route;
    if matches!(method, Method::GET | Method::HEAD) {
        return Err(SetupError::LoginMethod(method));
    }
    let token_pointer = pointer(&token_pointer, "session token")?;
    let headers = with_api_key(api_key, Call::Login)?;
    let route = Route { method, url: endpoint(base_url, &path)?, headers };
    Ok(Some(Box::new(Login { route, username, password, token_pointer })))
}

/// A redactor for all credentials.
fn redactor(credentials: &Credentials) -> Redactor {
    let Credentials { api_key, session_token, login, partner_key } = credentials;
    let secrets = [
        api_key.as_ref().map(ApiKey::expose),
        session_token.as_ref().map(SessionToken::expose),
        login.as_ref().map(|(username, _)| username.expose()),
        login.as_ref().map(|(_, password)| password.expose()),
        partner_key.as_ref().map(PartnerKey::expose),
    ];
    Redactor::new(secrets.into_iter().flatten())
}

/// Headers that contain only the API key.
fn with_api_key(api_key: Option<&ApiKey>, call: Call) -> Result<HeaderMap, SetupError> {
    let api_key = api_key.ok_or(SetupError::MissingApiKey { call })?;
    let name = HeaderName::from_bytes(headers::API_KEY.as_bytes())
        .map_err(|_| SetupError::NotAHeaderName { name: headers::API_KEY.to_owned() })?;
    Ok(HeaderMap::from_iter([(name, secret_value(api_key.expose(), "API key")?)]))
}

/// The headers of a partner, with [`PARTNER_KEY_PLACEHOLDER`] replaced by the key.
fn partner_headers(
    headers: &[(String, String)],
    partner_key: Option<&PartnerKey>,
) -> Result<HeaderMap, SetupError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| SetupError::NotAHeaderName { name: name.clone() })?;
        let what = format!("value of the header {name}");
        let value = if value.contains(PARTNER_KEY_PLACEHOLDER) {
            let key = partner_key.ok_or_else(|| SetupError::MissingPartnerKey { header: name.clone() })?;
            secret_value(&value.replace(PARTNER_KEY_PLACEHOLDER, key.expose()), &what)?
        } else {
            HeaderValue::from_str(value).map_err(|_| SetupError::NotAHeaderValue { what })?
        };
        map.append(header, value);
    }
    Ok(map)
}

/// Checks that a string is a JSON Pointer to a part of a document.
fn pointer(text: &str, what: &'static str) -> Result<String, SetupError> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err(SetupError::Pointer { what, pointer: text.to_owned() })
    }
}

#[cfg(test)]
#[path = "request_plan_tests.rs"]
mod tests;
