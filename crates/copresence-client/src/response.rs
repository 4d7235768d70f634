//! Complete responses, and the classification of error responses.

use crate::exchange::CallKind;
use crate::gate::{InterceptedResponseEvidence, NetworkGate, NetworkGateKind};
use crate::redact::Redactor;
use bytes::Bytes;
use copresence_protocol::{ErrorBody, headers};
use http::StatusCode;
use std::fmt;
use std::time::Duration;

/// Error code of Parse Server for a wrong user name or password at login.
const OBJECT_NOT_FOUND_CODE: i64 = 101;

/// A complete response with any status, also an error, with an unparsed body.
#[derive(Clone)]
pub struct ApiResponse {
    /// The status.
    pub status: u16,
    /// The body as received, at most [`crate::MAX_BODY`] bytes, without content encoding.
    pub body: Bytes,
    /// `Retry-After`, from the time of the response. Zero if its date has passed.
    pub retry_after: Option<Duration>,
    /// The host that a redirect points to. It is not followed.
    pub redirect_host: Option<String>,
    /// `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// The host that was asked.
    pub(crate) request_host: Option<String>,
    pub(crate) redactor: Redactor,
}

impl ApiResponse {
    /// A response to a redeem request, as read from a journal.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            body: body.into(),
            retry_after: None,
            redirect_host: None,
            content_type: None,
            request_host: None,
            redactor: Redactor::default(),
        }
    }

    /// Classifies a response to a redeem request with a status other than 200, or that is not of the API. Returns
    /// `None` for any other 200.
    ///
    /// Spec: "400 Bad Request – Provided Export Token string does not match an active Export Token"
    /// (GET /redeemExportToken). That is [`ErrorClass::TokenInactive`]. Any other 2xx is an
    /// [`ErrorClass::UnexpectedStatus`], whose body may still be a delivery.
    pub fn redeem_error_response_unless_ok(&self) -> Option<ErrorResponse> {
        ErrorResponse::classify_non_api_response(CallKind::Redeem, self).or_else(|| {
            (self.status != StatusCode::OK.as_u16())
                .then(|| ErrorResponse::classify_error_response(CallKind::Redeem, self))
        })
    }

    /// The gate that answered in place of the API, if one did.
    fn detect_gate(&self) -> Option<NetworkGate> {
        let is_foreign = self.request_host.is_some() && self.redirect_host != self.request_host;
        NetworkGate::detect_gate(&InterceptedResponseEvidence {
            status: self.status,
            content_type: self.content_type.as_deref(),
            body: &self.body,
            foreign_redirect_host: self.redirect_host.as_deref().filter(|_| is_foreign),
            redactor: &self.redactor,
        })
    }
}

impl fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse")
            .field("status", &self.status)
            .field("body_size", &self.body.len())
            .field("retry_after", &self.retry_after)
            .field("redirect_host", &self.redirect_host)
            .finish_non_exhaustive()
    }
}

/// What an error response means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The API key, session token, login or partner key was rejected: 401, 403, code 209, or 400 for a request that
    /// consists only of credentials.
    CredentialsRejected,
    /// The Export Token is not active or not active any more: 400 for a redeem request.
    TokenInactive,
    /// Too many requests: 429. Wait for `retry_after`.
    RateLimited,
    /// The backend failed: 5xx.
    ServerError,
    /// A redirect: 3xx. It is not followed, because that would send the credentials to another URL.
    Redirect {
        /// The host that it points to, if it has one.
        to: Option<String>,
    },
    /// Something between this program and the backend answered in its place.
    Gate(NetworkGate),
    /// The server has no such endpoint: 404 or 405, without an error code of the API (101 and the like).
    NoApi,
    /// Any other status.
    UnexpectedStatus,
}

/// A response with an error status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The call that failed. [`ApiClient::generate_token`](crate::ApiClient::generate_token) may also fail at its
    /// login.
    pub call: CallKind,
    /// The status.
    pub status: u16,
    /// The error code and message of the backend. Known secrets are masked.
    pub body: ErrorBody,
    /// `Retry-After`, from the time of the response.
    pub retry_after: Option<Duration>,
    /// What it means.
    pub class: ErrorClass,
}

/// Error codes of Parse Server for failures of its own: internal error, connection failed, timeout, request limit
/// exceeded, temporary rejection.
const PARSE_SERVER_FAILURE_CODES: [i64; 5] = [1, 100, 124, 155, 159];

impl ErrorResponse {
    /// Classifies an error response by the call, the status and the error code.
    pub(crate) fn classify_error_response(call: CallKind, response: &ApiResponse) -> Self {
        if let Some(gate) = Self::classify_non_api_response(call, response) {
            return gate;
        }
        let body = Self::parse_and_mask_error_body(response);
        let class = match response.status {
            401 | 403 => ErrorClass::CredentialsRejected,
            400..=499 if body.code == Some(headers::INVALID_SESSION_CODE) => ErrorClass::CredentialsRejected,
            429 => ErrorClass::RateLimited,
            // A login or generate request consists only of credentials, so nothing else can be wrong.
            400 if matches!(call, CallKind::Login | CallKind::Generate) => ErrorClass::CredentialsRejected,
            404 if call == CallKind::Login && body.code == Some(OBJECT_NOT_FOUND_CODE) => {
                ErrorClass::CredentialsRejected
            }
            // Web frameworks repeat the status as the error code.
            status @ (404 | 405) if body.code.is_none_or(|code| code == i64::from(status)) => ErrorClass::NoApi,
            // Parse Server sends its own failures with status 400, too.
            400 if body.code.is_some_and(|code| PARSE_SERVER_FAILURE_CODES.contains(&code)) => ErrorClass::ServerError,
            400 if call == CallKind::Redeem => ErrorClass::TokenInactive,
            500..=599 => ErrorClass::ServerError,
            300..=399 => ErrorClass::Redirect { to: response.redirect_host.clone() },
            _ => ErrorClass::UnexpectedStatus,
        };
        Self { call, status: response.status, body, retry_after: response.retry_after, class }
    }

    /// Classifies a response that does not come from the API: a page or redirect of a gate, or the page of a server
    /// without such an endpoint. `None` for any other response.
    pub(crate) fn classify_non_api_response(call: CallKind, response: &ApiResponse) -> Option<Self> {
        // Status 429 is a rate limit, also with the page of a gate.
        let gate = response.detect_gate().filter(|_| response.status != 429)?;
        let is_missing_page = matches!(response.status, 404 | 405) && gate.kind == NetworkGateKind::Page;
        let class = if is_missing_page { ErrorClass::NoApi } else { ErrorClass::Gate(gate) };
        let (status, retry_after) = (response.status, response.retry_after);
        Some(Self { call, status, body: Self::parse_and_mask_error_body(response), retry_after, class })
    }

    /// Parses the error code and message of the backend, and masks known secrets in them.
    fn parse_and_mask_error_body(response: &ApiResponse) -> ErrorBody {
        let mut body = ErrorBody::parse(&response.body);
        body.error = body.error.map(|words| response.redactor.redact_secrets_and_urls(&words));
        body
    }

    /// Whether the same request may succeed with a new session token: the credentials were rejected with 401, 403
    /// or code 209.
    pub(crate) fn should_retry_with_new_session(&self) -> bool {
        self.class == ErrorClass::CredentialsRejected
            && (self.status != 400 || self.body.code == Some(headers::INVALID_SESSION_CODE))
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call;
        match &self.class {
            ErrorClass::CredentialsRejected => write!(f, "the backend rejected the credentials of {call}")?,
            ErrorClass::TokenInactive => f.write_str("the Export Token does not match an active one")?,
            ErrorClass::RateLimited => write!(f, "the backend limits the rate of {call} requests")?,
            ErrorClass::ServerError => write!(f, "the backend failed to process {call}")?,
            ErrorClass::Redirect { to: Some(host) } => {
                write!(f, "the backend redirected {call} to {host}, and redirects are not followed")?;
            }
            ErrorClass::Redirect { to: None } => {
                write!(f, "the backend redirected {call}, and redirects are not followed")?;
            }
            ErrorClass::Gate(gate) => write!(f, "{gate} in response to {call}")?,
            ErrorClass::NoApi => write!(f, "there is no API at this address: the server does not know {call}")?,
            ErrorClass::UnexpectedStatus => write!(f, "the backend sent an unexpected response to {call}")?,
        }
        write!(f, " (status {}", self.status)?;
        if let Some(code) = self.body.code {
            write!(f, ", code {code}")?;
        }
        if let ErrorClass::Gate(NetworkGate { title: Some(title), .. }) = &self.class {
            write!(f, ", “{title}”")?;
        }
        match &self.body.error {
            Some(words) => write!(f, ": {words})"),
            None => f.write_str(")"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(call: CallKind, status: u16, body: &'static str) -> ErrorClass {
        ErrorResponse::classify_error_response(call, &ApiResponse::new(status, body)).class
    }

    #[test]
    fn responses_are_classified_by_call_status_and_code() {
        let invalid_session = r#"{"code":209,"error":"invalid session token"}"#;
        let wrong_login = r#"{"code":101,"error":"Invalid username/password."}"#;
        for (call, status, body, expected) in [
            (CallKind::Redeem, 400, "", ErrorClass::TokenInactive),
            (CallKind::Redeem, 400, r#"{"code":141,"error":"not active"}"#, ErrorClass::TokenInactive),
            (CallKind::Redeem, 400, r#"{"code":1,"error":"Internal server error."}"#, ErrorClass::ServerError),
            (CallKind::Redeem, 400, r#"{"code":155,"error":"Too many requests"}"#, ErrorClass::ServerError),
            (CallKind::Redeem, 400, invalid_session, ErrorClass::CredentialsRejected),
            (CallKind::Redeem, 403, "", ErrorClass::CredentialsRejected),
            (CallKind::Redeem, 404, "", ErrorClass::NoApi),
            (CallKind::Redeem, 404, "<html>Not Found</html>", ErrorClass::NoApi),
            (CallKind::Redeem, 404, wrong_login, ErrorClass::UnexpectedStatus),
            (CallKind::Redeem, 202, "", ErrorClass::UnexpectedStatus),
            (CallKind::Generate, 400, "", ErrorClass::CredentialsRejected),
            (CallKind::Generate, 404, r#"{"detail":"Not Found"}"#, ErrorClass::NoApi),
            (CallKind::Generate, 404, r#"{"code":404,"error":"not found"}"#, ErrorClass::NoApi),
            (CallKind::Generate, 429, "<html>", ErrorClass::RateLimited),
            (CallKind::Generate, 429, "", ErrorClass::RateLimited),
            (CallKind::Generate, 503, invalid_session, ErrorClass::ServerError),
            (CallKind::Generate, 302, "", ErrorClass::Redirect { to: None }),
            (CallKind::Login, 400, wrong_login, ErrorClass::CredentialsRejected),
            (CallKind::Login, 404, wrong_login, ErrorClass::CredentialsRejected),
            (CallKind::Login, 404, "", ErrorClass::NoApi),
        ] {
            assert_eq!(class(call, status, body), expected, "{call} {status} {body}");
        }
    }

    #[test]
    fn a_page_with_status_400_does_not_say_that_the_token_is_inactive() {
        let page = "<html><title>400 The plain HTTP request was sent to HTTPS port</title>";
        let refusal = ApiResponse::new(400, page).redeem_error_response_unless_ok().expect("an error");
        assert!(matches!(refusal.class, ErrorClass::Gate(_)), "{refusal:?}");
        assert_eq!(
            refusal.to_string(),
            "a gate in between answered with an HTML page in response to redeem (status 400, “400 The plain HTTP \
             request was sent to HTTPS port”)"
        );
    }

    #[test]
    fn a_redirect_to_another_host_is_a_login_of_the_network() {
        let to = |host: &str| ApiResponse {
            redirect_host: Some(host.to_owned()),
            request_host: Some("api.test".to_owned()),
            ..ApiResponse::new(302, "")
        };
        let class = |response: ApiResponse| response.redeem_error_response_unless_ok().expect("an error").class;
        assert!(matches!(class(to("login.hotel.test")), ErrorClass::Gate(gate) if !gate.proves_not_forwarded()));
        assert_eq!(class(to("api.test")), ErrorClass::Redirect { to: Some("api.test".to_owned()) });
    }

    #[test]
    fn only_status_200_of_a_redeem_is_not_an_error() {
        assert!(ApiResponse::new(200, "").redeem_error_response_unless_ok().is_none());
        assert!(ApiResponse::new(201, "").redeem_error_response_unless_ok().is_some());
    }

    #[test]
    fn debug_of_a_response_does_not_show_its_body() {
        let answered = ApiResponse::new(200, r#"{"download_URL":"https://files.test/secret"}"#);
        assert!(!format!("{answered:?}").contains("secret"));
    }
}
