//! How requests are worded, right and wrong, and the `curl` line of each.

use crate::target::Target;
use client::curl::{self, Curl, Word};
use client::probe::Probe;
use client::{Backend, Call, PARTNER_KEY_PLACEHOLDER, RedeemRoute, SetupError, TokenSource};
use http::Method;
use protocol::{SessionToken, headers};
use url::Url;

/// A request, and how to send it by hand.
pub(super) struct Worded {
    pub(super) probe: Probe,
    pub(super) curl: String,
}

/// What stands in the place of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Right,
    Missing,
    Wrong,
}

/// Nobody's key: as long as a real one, and readable in a log.
pub(super) const WRONG: &str = "wrong-on-purpose-0123456789abcdef";

/// The longest answer of the API that is read, and the longest file.
const MOST_OF_AN_ANSWER: usize = client::MAX_BODY;
const MOST_OF_A_FILE: usize = 512 * 1024 * 1024;

/// A header as it is sent, and as it is shown: with a variable in the place of a secret.
struct Header {
    name: String,
    value: String,
    shown: Word,
}

impl Header {
    fn plain(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), shown: Word::text(value) }
    }

    fn secret(name: &str, value: &str, shown: Word) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), shown }
    }
}

/// Words requests for one target.
pub(super) struct Wire<'a> {
    pub(super) target: &'a Target,
}

impl Wire<'_> {
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

    /// At the vendor: with key and session token. At a relay: with its key.
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

    /// `token`: the value, and its variable when it is one of the run's own.
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

    /// What a browser asks before it lets a page of another site ask.
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

    /// The same place over plain HTTP, without any credential.
    pub(super) fn plain(&self) -> Result<Worded, SetupError> {
        let (mut url, _) = self.redeem_route(Given::Missing)?;
        let wrong = SetupError::Url { what: "redeem URL", why: "it has no plain form" };
        url.set_scheme("http").map_err(|()| wrong.clone())?;
        // The port of https is not the one of http.
        url.set_port(None).map_err(|()| wrong)?;
        Ok(worded(Call::Redeem, Method::GET, url, Vec::new(), None, None))
    }

    /// A one-time URL, without any credential.
    pub(super) fn download(url: &Url, number: usize) -> Worded {
        let mut request = worded(Call::Download, Method::GET, url.clone(), Vec::new(), None, None);
        request.probe.limit = MOST_OF_A_FILE;
        let place = Word::variable(&format!("{}_{number}", curl::DOWNLOAD_URL));
        request.curl = Curl::new("GET", place).output(&format!("file-{number}")).command();
        request
    }

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

    fn partner_headers(&self, templates: &[(String, String)], key: Given) -> Result<Vec<Header>, SetupError> {
        let mut all = Vec::new();
        for (name, template) in templates {
            if !template.contains(PARTNER_KEY_PLACEHOLDER) {
                // It may be a secret of the partner's all the same.
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

fn worded(
    call: Call,
    method: Method,
    url: Url,
    headers: Vec<Header>,
    body: Option<(String, Word)>,
    token_pointer: Option<String>,
) -> Worded {
    let mut line = Curl::new(method.as_str(), curl::without_query(&url));
    for header in &headers {
        line = line.header(&header.name, header.shown.clone());
    }
    let (body, shown) = body.unzip();
    if let Some(shown) = shown {
        line = line.body(shown);
    }
    let headers = headers.into_iter().map(|header| (header.name, header.value)).collect();
    let probe = Probe { call, method, url, headers, body, token_pointer, limit: MOST_OF_AN_ANSWER };
    Worded { probe, curl: line.command() }
}

/// The variable of one of the run's own tokens.
pub(super) fn own_token(index: usize) -> Word {
    Word::variable(&format!("{}_{}", curl::EXPORT_TOKEN, index + 1))
}
