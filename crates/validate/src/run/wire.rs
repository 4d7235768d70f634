//! Builds requests, valid and deliberately wrong, each with its `curl` command.

use crate::target::Target;
use client::curl::{self, Curl, Word};
use client::probe::Probe;
use client::{Backend, Call, PARTNER_KEY_PLACEHOLDER, RedeemRoute, SetupError, TokenSource};
use http::Method;
use protocol::{SessionToken, headers};
use url::Url;

/// A request, and the `curl` command that sends it.
pub(super) struct Worded {
    pub(super) probe: Probe,
    pub(super) curl: String,
}

/// Which credential a request contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Right,
    Missing,
    Wrong,
}

/// A wrong credential: as long as a real one, and recognisable in logs.
pub(super) const WRONG: &str = "wrong-on-purpose-0123456789abcdef";

/// Maximum size of an API response, in bytes.
const MOST_OF_AN_ANSWER: usize = client::MAX_BODY;
/// Maximum size of a downloaded file, in bytes.
const MOST_OF_A_FILE: usize = 512 * 1024 * 1024;

/// A request header: the value that is sent, and the value in the `curl` command, with variables for secrets.
struct Header {
    name: String,
    value: String,
    shown: Word,
}

impl Header {
    /// A header whose value the `curl` command shows.
    fn plain(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), shown: Word::text(value) }
    }

    /// A header whose value the `curl` command replaces by a variable.
    fn secret(name: &str, value: &str, shown: Word) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), shown }
    }
}

/// Builds requests for one target.
pub(super) struct Wire<'a> {
    pub(super) target: &'a Target,
}

impl Wire<'_> {
    /// Builds a login. `None` uses the configured user or password.
    ///
    /// # Errors
    /// If a credential is missing, or the URL is not valid.
    pub(super) fn login(
        &self,
        user: Option<&str>,
        password: Option<&str>,
        key: Given,
    ) -> Result<Worded, SetupError> {
        let backend = &self.target.backend;
        let login = self.target.credentials.login.as_ref().ok_or(SetupError::MissingSession)?;
        let mut headers: Vec<_> = self.api_key(key, Call::Login)?.into_iter().collect();
        headers.push(Header::plain("Content-Type", "application/json"));
        let body = serde_json::json!({
            "username": user.unwrap_or(login.0.expose()),
            "password": password.unwrap_or(login.1.expose()),
        });
        let word = |given: Option<&str>, variable| given.map_or_else(|| Word::variable(variable), Word::text);
        let shown = Word::text("{\"username\":\"")
            .and_word(word(user, curl::USERNAME))
            .and("\",\"password\":\"")
            .and_word(word(password, curl::PASSWORD))
            .and("\"}");
        let url = backend.endpoint(&backend.login.path)?;
        let pointer = Some(backend.login.token_pointer.clone());
        let method = backend.login.method.clone();
        Ok(worded(Call::Login, method, url, headers, Some((body.to_string(), shown)), pointer))
    }

    /// Builds a token request: with API key and session token for the vendor, with the partner key for a relay.
    pub(super) fn generate(
        &self,
        key: Given,
        session: Given,
        held: Option<&SessionToken>,
        method: Option<Method>,
    ) -> Result<Worded, SetupError> {
        let backend = &self.target.backend;
        if let TokenSource::Partner(partner) = &backend.source {
            let headers = self.partner_headers(&partner.headers, key)?;
            let method = method.unwrap_or_else(|| partner.method.clone());
            let pointer = Some(partner.token_pointer.clone());
            return Ok(worded(Call::Generate, method, partner.url.clone(), headers, None, pointer));
        }
        let mut headers: Vec<_> = self.api_key(key, Call::Generate)?.into_iter().collect();
        match (session, held) {
            (Given::Right, Some(held)) => {
                let variable = Word::variable(curl::SESSION_TOKEN);
                headers.push(Header::secret(headers::SESSION_TOKEN, held.expose(), variable));
            }
            (Given::Right, None) => return Err(SetupError::MissingSession),
            (Given::Wrong, _) => headers.push(Header::plain(headers::SESSION_TOKEN, WRONG)),
            (Given::Missing, _) => {}
        }
        let url = backend.endpoint(headers::GENERATE_PATH)?;
        let pointer = Some("/token".to_owned());
        Ok(worded(Call::Generate, method.unwrap_or(Method::POST), url, headers, None, pointer))
    }

    /// Builds a redeem. `token`: the value, and its variable if it is one of the run's tokens.
    pub(super) fn redeem(
        &self,
        token: Option<(&str, Option<Word>)>,
        key: Given,
        method: Method,
        origin: Option<&str>,
    ) -> Result<Worded, SetupError> {
        let (url, mut headers) = self.redeem_route(key)?;
        match token {
            Some((value, Some(variable))) => {
                headers.push(Header::secret(headers::EXPORT_TOKEN, value, variable));
            }
            Some((value, None)) => headers.push(Header::plain(headers::EXPORT_TOKEN, value)),
            None => {}
        }
        if let Some(origin) = origin {
            headers.push(Header::plain("Origin", origin));
        }
        Ok(worded(Call::Redeem, method, url, headers, None, None))
    }

    /// Builds the CORS preflight that a browser sends for a page of another site.
    pub(super) fn preflight(&self, call: Call, origin: &str) -> Result<Worded, SetupError> {
        let (url, method, names) = if call == Call::Redeem {
            (self.redeem_route(Given::Missing)?.0, "GET", headers::EXPORT_TOKEN.to_owned())
        } else {
            let url = self.generate(Given::Missing, Given::Missing, None, None)?.probe.url;
            (url, "POST", format!("{}, {}", headers::API_KEY, headers::SESSION_TOKEN))
        };
        let headers = vec![
            Header::plain("Origin", origin),
            Header::plain("Access-Control-Request-Method", method),
            Header::plain("Access-Control-Request-Headers", &names.to_ascii_lowercase()),
        ];
        Ok(worded(call, Method::OPTIONS, url, headers, None, None))
    }

    /// Builds a redeem over plain HTTP, without credentials.
    pub(super) fn plain(&self) -> Result<Worded, SetupError> {
        let (mut url, _) = self.redeem_route(Given::Missing)?;
        let wrong = SetupError::Url { what: "redeem URL", why: "it has no plain HTTP form" };
        url.set_scheme("http").map_err(|()| wrong.clone())?;
        // The port for https does not apply to http.
        url.set_port(None).map_err(|()| wrong)?;
        Ok(worded(Call::Redeem, Method::GET, url, Vec::new(), None, None))
    }

    /// Builds the download of a one-time URL, without credentials. `number` from 1.
    pub(super) fn download(url: &Url, number: usize) -> Worded {
        let mut request = worded(Call::Download, Method::GET, url.clone(), Vec::new(), None, None);
        request.probe.limit = MOST_OF_A_FILE;
        let url_variable = Word::variable(&format!("{}_{number}", curl::DOWNLOAD_URL));
        request.curl = Curl::new("GET", url_variable).output(&format!("file-{number}")).command();
        request
    }

    /// URL of the redeem route, and its headers without the Export Token.
    fn redeem_route(&self, key: Given) -> Result<(Url, Vec<Header>), SetupError> {
        let backend: &Backend = &self.target.backend;
        match &backend.redeem {
            RedeemRoute::Vendor => {
                let headers = self.api_key(key, Call::Redeem)?.into_iter().collect();
                Ok((backend.endpoint(headers::REDEEM_PATH)?, headers))
            }
            RedeemRoute::Partner { url, headers } => Ok((url.clone(), self.partner_headers(headers, key)?)),
        }
    }

    /// The API key header.
    fn api_key(&self, key: Given, call: Call) -> Result<Option<Header>, SetupError> {
        Ok(match key {
            Given::Right => {
                let key =
                    self.target.credentials.api_key.as_ref().ok_or(SetupError::MissingApiKey { call })?;
                Some(Header::secret(headers::API_KEY, key.expose(), Word::variable(curl::API_KEY)))
            }
            Given::Wrong => Some(Header::plain(headers::API_KEY, WRONG)),
            Given::Missing => None,
        })
    }

    /// The configured headers of a relay, with the partner key in place of its placeholder.
    fn partner_headers(&self, templates: &[(String, String)], key: Given) -> Result<Vec<Header>, SetupError> {
        let mut all = Vec::new();
        for (name, template) in templates {
            if !template.contains(PARTNER_KEY_PLACEHOLDER) {
                // The value may still be a secret of the partner.
                all.push(Header::secret(name, template, Word::variable(name)));
                continue;
            }
            let own = self.target.credentials.partner_key.as_ref();
            let own = own.ok_or_else(|| SetupError::MissingPartnerKey { header: name.clone() })?;
            match key {
                Given::Right => {
                    let value = template.replace(PARTNER_KEY_PLACEHOLDER, own.expose());
                    let shown = Word::with_variable(template, PARTNER_KEY_PLACEHOLDER, curl::PARTNER_KEY);
                    all.push(Header::secret(name, &value, shown));
                }
                Given::Wrong => {
                    all.push(Header::plain(name, &template.replace(PARTNER_KEY_PLACEHOLDER, WRONG)));
                }
                Given::Missing => {}
            }
        }
        Ok(all)
    }
}

/// Prepares a request from its parts.
fn worded(
    call: Call,
    method: Method,
    url: Url,
    headers: Vec<Header>,
    body: Option<(String, Word)>,
    token_pointer: Option<String>,
) -> Worded {
    let mut command = Curl::new(method.as_str(), curl::without_query(&url));
    for header in &headers {
        command = command.header(&header.name, header.shown.clone());
    }
    let (body, shown) = body.unzip();
    if let Some(shown) = shown {
        command = command.body(shown);
    }
    let headers = headers.into_iter().map(|header| (header.name, header.value)).collect();
    let probe = Probe { call, method, url, headers, body, token_pointer, limit: MOST_OF_AN_ANSWER };
    Worded { probe, curl: command.command() }
}

/// The `curl` variable of one of the run's tokens.
pub(super) fn own_token(index: usize) -> Word {
    Word::variable(&format!("{}_{}", curl::EXPORT_TOKEN, index + 1))
}
