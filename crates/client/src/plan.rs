//! A backend and credentials, checked and made ready to send.

use crate::backend::{
    Backend, Credentials, LoginRoute, PARTNER_KEY_PLACEHOLDER, RedeemRoute, TimeOuts, TokenSource,
};
use crate::exchange::Call;
use crate::redact::Redactor;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use protocol::{ApiKey, PartnerKey, Password, SessionToken, Username, headers};
use std::time::Duration;
use url::Url;

/// Beyond it nobody waits, and clocks overflow.
const LONGEST_TIME_OUT: Duration = Duration::from_hours(1);

/// What is missing or wrong before the first request. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// No API key, and a route that needs one.
    #[error("the API key is missing: {call} sends it as {}", headers::API_KEY)]
    MissingApiKey {
        /// Which call needs it.
        call: Call,
    },
    /// [`TokenSource::Direct`] with neither session token nor login.
    #[error(
        "neither a session token nor a user name and password: one of the two is needed to make Export Tokens"
    )]
    MissingSession,
    /// A login of which a half is empty.
    #[error("the login is incomplete: both user name and password are needed")]
    IncompleteLogin,
    /// A partner header has `{partner_key}`, and there is none.
    #[error("the partner key is missing: the header {header} asks for it")]
    MissingPartnerKey {
        /// The header's name.
        header: String,
    },
    /// A credential that no header can carry.
    #[error("the {what} has a character that no HTTP header can carry (was a line copied with it?)")]
    NotAHeaderValue {
        /// Which one.
        what: String,
    },
    /// A partner header's name that is none.
    #[error("{name:?} is not the name of an HTTP header")]
    NotAHeaderName {
        /// The name.
        name: String,
    },
    /// A URL that cannot be called.
    #[error("the {what} cannot be used: {why}")]
    Url {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A JSON Pointer that is none.
    #[error(
        "{pointer:?}, the place of the {what}, is not a JSON Pointer: it begins with a slash, as in /data/token"
    )]
    Pointer {
        /// Whose place.
        what: &'static str,
        /// The text.
        pointer: String,
    },
    /// A login that would put the password into a URL.
    #[error("the login cannot be a {0} request: it has no body for the password (use POST)")]
    LoginMethod(Method),
    /// Time-outs that would blur whether a request was sent.
    #[error("the time-outs must be over zero and at most an hour, and the one to connect under the total")]
    TimeOuts,
    /// https without anything to trust.
    #[error(
        "no trusted root certificates ({0}): install the system's (Debian: ca-certificates), or check what \
         SSL_CERT_FILE and SSL_CERT_DIR point at"
    )]
    NoRoots(String),
    /// The HTTP client could not be made.
    #[error("HTTP cannot be used here: {0}")]
    Client(String),
}

/// What is sent, route by route.
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) redeem: Route,
    /// Knows every credential.
    pub(crate) redactor: Redactor,
}

pub(crate) enum Source {
    Direct { generate: Route, session: Option<SessionToken>, login: Option<Box<Login>> },
    Partner { generate: Route, token_pointer: String },
}

/// Where one call goes and the headers that do not change.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

pub(crate) struct Login {
    pub(crate) route: Route,
    pub(crate) username: Username,
    pub(crate) password: Password,
    pub(crate) token_pointer: String,
}

impl Plan {
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

    /// Whether a call of this plan goes over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        let generate = match &self.source {
            Source::Direct { generate, .. } | Source::Partner { generate, .. } => generate,
        };
        [generate, &self.redeem].iter().any(|route| route.url.scheme() == "https")
    }
}

/// A secret as a header's value, marked so that no log shows it.
pub(crate) fn secret_value(value: &str, what: &str) -> Result<HeaderValue, SetupError> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| SetupError::NotAHeaderValue { what: what.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

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

fn with_api_key(api_key: Option<&ApiKey>, call: Call) -> Result<HeaderMap, SetupError> {
    let api_key = api_key.ok_or(SetupError::MissingApiKey { call })?;
    let name = HeaderName::from_bytes(headers::API_KEY.as_bytes())
        .map_err(|_| SetupError::NotAHeaderName { name: headers::API_KEY.to_owned() })?;
    Ok(HeaderMap::from_iter([(name, secret_value(api_key.expose(), "API key")?)]))
}

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

/// A path (and query, if any) under the base URL, whose own path stays in front.
pub(crate) fn endpoint(base: &Url, path: &str) -> Result<Url, SetupError> {
    let mut url = usable(base, "base URL")?;
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let whole = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&whole);
    url.set_query(query);
    Ok(url)
}

fn usable(url: &Url, what: &'static str) -> Result<Url, SetupError> {
    let problem = |why| Err(SetupError::Url { what, why });
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return problem("it must begin with https:// or http:// and a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return problem("it has a user name or password in it, which belong into the keychain");
    }
    let mut url = url.clone();
    url.set_fragment(None);
    Ok(url)
}

fn pointer(text: &str, what: &'static str) -> Result<String, SetupError> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err(SetupError::Pointer { what, pointer: text.to_owned() })
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
