//! Builds requests, valid and deliberately wrong, each with its `curl` command.

use crate::target::CheckTarget;
use copresence_client::curl::{self, CurlCommand, ShellWord};
use copresence_client::probe::ProbeRequest;
use copresence_client::{
    BackendWithRoutes, CallKind, PARTNER_KEY_PLACEHOLDER, RedeemEndpoint, SetupError, TokenSource,
};
use copresence_protocol::{SessionToken, headers};
use http::Method;
use url::Url;

/// A request, and the `curl` command that sends it.
#[derive(Clone)]
pub(super) struct RequestWithCurl {
    pub(super) probe: ProbeRequest,
    pub(super) curl: String,
}

/// Which credential a request contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CredentialMode {
    Valid,
    Missing,
    Wrong,
}

/// A wrong credential: as long as a real one, and recognisable in logs.
pub(super) const WRONG_CREDENTIAL: &str = "wrong-on-purpose-0123456789abcdef";

/// Maximum size of an API response, in bytes.
const MAX_API_BODY: usize = copresence_client::MAX_BODY;
/// Maximum size of a downloaded file, in bytes.
const MAX_FILE_SIZE: usize = 512 * 1024 * 1024;

/// A request header: the value that is sent, and the value in the `curl` command, with variables for secrets.
struct HeaderWithCurlValue {
    name: String,
    value: String,
    displayed: ShellWord,
}

impl HeaderWithCurlValue {
    /// A header whose value the `curl` command shows.
    fn header_shown_in_curl(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), displayed: ShellWord::shell_word_from_text(value) }
    }

    /// A header whose value the `curl` command replaces by a variable.
    fn header_masked_in_curl(name: &str, value: &str, displayed: ShellWord) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), displayed }
    }
}

/// Builds requests for one target.
pub(super) struct RequestBuilder<'a> {
    pub(super) target: &'a CheckTarget,
}

impl RequestBuilder<'_> {
    /// Builds a login. `None` uses the configured user or password.
    ///
    /// # Errors
    /// If a credential is missing, or the URL is not valid.
    pub(super) fn build_login_request(
        &self,
        user: Option<&str>,
        password: Option<&str>,
        key: CredentialMode,
    ) -> Result<RequestWithCurl, SetupError> {
        let backend = &self.target.backend;
        let login = self.target.credentials.login.as_ref().ok_or(SetupError::MissingSession)?;
        let mut headers: Vec<_> = self.api_key_header(key, CallKind::Login)?.into_iter().collect();
        headers.push(HeaderWithCurlValue::header_shown_in_curl("Content-Type", "application/json"));
        let body = serde_json::json!({
            "username": user.unwrap_or(login.0.expose()),
            "password": password.unwrap_or(login.1.expose()),
        });
        let word = |given: Option<&str>, variable| {
            given.map_or_else(|| ShellWord::word_from_variable(variable), ShellWord::shell_word_from_text)
        };
        let shown = ShellWord::shell_word_from_text("{\"username\":\"")
            .concat_word(word(user, curl::USERNAME_VAR))
            .append_text("\",\"password\":\"")
            .concat_word(word(password, curl::PASSWORD_VAR))
            .append_text("\"}");
        let url = backend.endpoint_url_from_path(&backend.login_route.path)?;
        let pointer = Some(backend.login_route.token_pointer.clone());
        let method = backend.login_route.method.clone();
        Ok(build_request_with_curl(CallKind::Login, method, url, headers, Some((body.to_string(), shown)), pointer))
    }

    /// Builds a token request: with API key and session token for the vendor, with the partner key for a relay.
    pub(super) fn build_generate_request(
        &self,
        key: CredentialMode,
        session: CredentialMode,
        held: Option<&SessionToken>,
        method: Option<Method>,
    ) -> Result<RequestWithCurl, SetupError> {
        let backend = &self.target.backend;
        if let TokenSource::Partner(partner) = &backend.token_source {
            let headers = self.resolve_partner_headers(&partner.headers, key)?;
            let method = method.unwrap_or_else(|| partner.method.clone());
            let pointer = Some(partner.token_pointer.clone());
            return Ok(build_request_with_curl(
                CallKind::Generate,
                method,
                partner.url.clone(),
                headers,
                None,
                pointer,
            ));
        }
        let mut headers: Vec<_> = self.api_key_header(key, CallKind::Generate)?.into_iter().collect();
        match (session, held) {
            (CredentialMode::Valid, Some(held)) => {
                let variable = ShellWord::word_from_variable(curl::SESSION_TOKEN_VAR);
                headers.push(HeaderWithCurlValue::header_masked_in_curl(
                    headers::SESSION_TOKEN,
                    held.expose(),
                    variable,
                ));
            }
            (CredentialMode::Valid, None) => return Err(SetupError::MissingSession),
            (CredentialMode::Wrong, _) => {
                headers.push(HeaderWithCurlValue::header_shown_in_curl(headers::SESSION_TOKEN, WRONG_CREDENTIAL));
            }
            (CredentialMode::Missing, _) => {}
        }
        let url = backend.endpoint_url_from_path(headers::GENERATE_PATH)?;
        let pointer = Some("/token".to_owned());
        Ok(build_request_with_curl(CallKind::Generate, method.unwrap_or(Method::POST), url, headers, None, pointer))
    }

    /// Builds a redeem. `token`: the value, and its variable if it is one of the run's tokens.
    pub(super) fn build_redeem_request(
        &self,
        token: Option<(&str, Option<ShellWord>)>,
        key: CredentialMode,
        method: Method,
        origin: Option<&str>,
    ) -> Result<RequestWithCurl, SetupError> {
        let (url, mut headers) = self.base_redeem_url_and_headers(key)?;
        match token {
            Some((value, Some(variable))) => {
                headers.push(HeaderWithCurlValue::header_masked_in_curl(headers::EXPORT_TOKEN, value, variable));
            }
            Some((value, None)) => {
                headers.push(HeaderWithCurlValue::header_shown_in_curl(headers::EXPORT_TOKEN, value));
            }
            None => {}
        }
        if let Some(origin) = origin {
            headers.push(HeaderWithCurlValue::header_shown_in_curl("Origin", origin));
        }
        Ok(build_request_with_curl(CallKind::Redeem, method, url, headers, None, None))
    }

    /// Builds the CORS preflight that a browser sends for a page of another site.
    pub(super) fn build_cors_preflight_request(
        &self,
        call: CallKind,
        origin: &str,
    ) -> Result<RequestWithCurl, SetupError> {
        let (url, method, names) = if call == CallKind::Redeem {
            (self.base_redeem_url_and_headers(CredentialMode::Missing)?.0, "GET", headers::EXPORT_TOKEN.to_owned())
        } else {
            let url =
                self.build_generate_request(CredentialMode::Missing, CredentialMode::Missing, None, None)?.probe.url;
            (url, "POST", format!("{}, {}", headers::API_KEY, headers::SESSION_TOKEN))
        };
        let headers = vec![
            HeaderWithCurlValue::header_shown_in_curl("Origin", origin),
            HeaderWithCurlValue::header_shown_in_curl("Access-Control-Request-Method", method),
            HeaderWithCurlValue::header_shown_in_curl("Access-Control-Request-Headers", &names.to_ascii_lowercase()),
        ];
        Ok(build_request_with_curl(call, Method::OPTIONS, url, headers, None, None))
    }

    /// Builds a redeem over plain HTTP, without credentials.
    pub(super) fn build_plain_http_redeem_request(&self) -> Result<RequestWithCurl, SetupError> {
        let (mut url, _) = self.base_redeem_url_and_headers(CredentialMode::Missing)?;
        let wrong = SetupError::InvalidUrl { what: "redeem URL", why: "it has no plain HTTP form" };
        url.set_scheme("http").map_err(|()| wrong.clone())?;
        // The port for https does not apply to http.
        url.set_port(None).map_err(|()| wrong)?;
        Ok(build_request_with_curl(CallKind::Redeem, Method::GET, url, Vec::new(), None, None))
    }

    /// Builds the download of a one-time URL, without credentials. `number` from 1.
    pub(super) fn build_download_request(url: &Url, number: usize) -> RequestWithCurl {
        let mut request = build_request_with_curl(CallKind::Download, Method::GET, url.clone(), Vec::new(), None, None);
        request.probe.max_body = MAX_FILE_SIZE;
        let url_variable = ShellWord::word_from_variable(&format!("{}_{number}", curl::DOWNLOAD_URL_VAR));
        request.curl = CurlCommand::new("GET", url_variable)
            .with_output_file(&format!("file-{number}"))
            .to_multiline_shell_command();
        request
    }

    /// URL of the redeem route, and its headers without the Export Token.
    fn base_redeem_url_and_headers(&self, key: CredentialMode) -> Result<(Url, Vec<HeaderWithCurlValue>), SetupError> {
        let backend: &BackendWithRoutes = &self.target.backend;
        match &backend.redeem_route {
            RedeemEndpoint::Vendor => {
                let headers = self.api_key_header(key, CallKind::Redeem)?.into_iter().collect();
                Ok((backend.endpoint_url_from_path(headers::REDEEM_PATH)?, headers))
            }
            RedeemEndpoint::Partner { url, headers } => Ok((url.clone(), self.resolve_partner_headers(headers, key)?)),
        }
    }

    /// Builds the API key header for this credential mode; `None` if the mode sends none.
    fn api_key_header(&self, key: CredentialMode, call: CallKind) -> Result<Option<HeaderWithCurlValue>, SetupError> {
        Ok(match key {
            CredentialMode::Valid => {
                let key = self.target.credentials.api_key.as_ref().ok_or(SetupError::MissingApiKey { call })?;
                Some(HeaderWithCurlValue::header_masked_in_curl(
                    headers::API_KEY,
                    key.expose(),
                    ShellWord::word_from_variable(curl::API_KEY_VAR),
                ))
            }
            CredentialMode::Wrong => {
                Some(HeaderWithCurlValue::header_shown_in_curl(headers::API_KEY, WRONG_CREDENTIAL))
            }
            CredentialMode::Missing => None,
        })
    }

    /// The configured headers of a relay, with the partner key in place of its placeholder.
    fn resolve_partner_headers(
        &self,
        templates: &[(String, String)],
        key: CredentialMode,
    ) -> Result<Vec<HeaderWithCurlValue>, SetupError> {
        let mut all = Vec::new();
        for (name, template) in templates {
            if !template.contains(PARTNER_KEY_PLACEHOLDER) {
                // The value may still be a secret of the partner.
                all.push(HeaderWithCurlValue::header_masked_in_curl(
                    name,
                    template,
                    ShellWord::word_from_variable(name),
                ));
                continue;
            }
            let own = self.target.credentials.partner_key.as_ref();
            let own = own.ok_or_else(|| SetupError::MissingPartnerKey { header: name.clone() })?;
            match key {
                CredentialMode::Valid => {
                    let value = template.replace(PARTNER_KEY_PLACEHOLDER, own.expose());
                    let shown = ShellWord::word_from_template(template, PARTNER_KEY_PLACEHOLDER, curl::PARTNER_KEY_VAR);
                    all.push(HeaderWithCurlValue::header_masked_in_curl(name, &value, shown));
                }
                CredentialMode::Wrong => {
                    all.push(HeaderWithCurlValue::header_shown_in_curl(
                        name,
                        &template.replace(PARTNER_KEY_PLACEHOLDER, WRONG_CREDENTIAL),
                    ));
                }
                CredentialMode::Missing => {}
            }
        }
        Ok(all)
    }
}

/// Builds a request from its parts, and the `curl` command that sends it.
fn build_request_with_curl(
    call: CallKind,
    method: Method,
    url: Url,
    headers: Vec<HeaderWithCurlValue>,
    body: Option<(String, ShellWord)>,
    token_pointer: Option<String>,
) -> RequestWithCurl {
    let mut command = CurlCommand::new(method.as_str(), curl::url_with_query_as_variable(&url));
    for header in &headers {
        command = command.with_header(&header.name, header.displayed.clone());
    }
    let (body, shown) = body.unzip();
    if let Some(shown) = shown {
        command = command.with_body(shown);
    }
    let headers = headers.into_iter().map(|header| (header.name, header.value)).collect();
    let probe = ProbeRequest { call, method, url, headers, body, token_pointer, max_body: MAX_API_BODY };
    RequestWithCurl { probe, curl: command.to_multiline_shell_command() }
}

/// The `curl` variable of one of the run's tokens.
pub(super) fn token_curl_variable(index: usize) -> ShellWord {
    ShellWord::word_from_variable(&format!("{}_{}", curl::EXPORT_TOKEN_VAR, index + 1))
}
