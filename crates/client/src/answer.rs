//! Complete responses, and the classification of error responses.

use crate::exchange::Call;
use crate::redact::Redactor;
use bytes::Bytes;
use http::StatusCode;
use protocol::{ErrorBody, headers};
use std::fmt;
use std::time::Duration;

/// Error code of Parse Server for a wrong user name or password at login.
const OBJECT_NOT_FOUND: i64 = 101;

/// A complete response with an unparsed body.
#[derive(Clone)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The body as received, at most [`crate::MAX_BODY`] bytes, without content encoding.
    pub body: Bytes,
    /// `Retry-After`, from the time of the response. Zero if its date has passed.
    pub retry_after: Option<Duration>,
    /// The host that a redirect points to. It is not followed.
    pub redirect_host: Option<String>,
    pub(crate) redactor: Redactor,
}

impl Answered {
    /// A response to a redeem request, as read from a journal.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            body: body.into(),
            retry_after: None,
            redirect_host: None,
            redactor: Redactor::default(),
        }
    }

    /// Classifies a response to a redeem request with a status other than 200. Returns `None` for 200.
    ///
    /// Spec: "400 Bad Request – Provided Export Token string does not match an active Export Token"
    /// (GET /redeemExportToken). That is [`ErrorClass::TokenInactive`].
    pub fn refusal(&self) -> Option<Refusal> {
        (self.status != StatusCode::OK.as_u16()).then(|| Refusal::read(Call::Redeem, self))
    }
}

impl fmt::Debug for Answered {
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
pub enum Class {
    /// The API key, session token, login or partner key was rejected: 401, 403, code 209, or 400 for a request that
    /// consists only of credentials.
    CredentialsRefused,
    /// The Export Token is not active or not active any more: 400 for a redeem request.
    TokenRefused,
    /// Too many requests: 429. Wait for `retry_after`.
    Busy,
    /// The backend failed: 5xx.
    BackendBroken,
    /// A redirect: 3xx. It is not followed, because that would send the credentials to another URL.
    Redirect {
        /// The host that it points to, if it has one.
        to: Option<String>,
    },
    /// Any other status, often because of a wrong URL.
    Unexpected,
}

/// A response with an error status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The call that failed. [`ApiClient::generate_token`](crate::ApiClient::generate_token) may also fail at its
    /// login.
    pub call: Call,
    /// The status.
    pub status: u16,
    /// The error code and message of the backend. Known secrets are masked.
    pub body: ErrorBody,
    /// `Retry-After`, from the time of the response.
    pub retry_after: Option<Duration>,
    /// What it means.
    pub class: Class,
}

impl Refusal {
    /// Classifies a response by the call, the status and the error code.
    pub(crate) fn read(call: Call, response: &Answered) -> Self {
        let mut body = ErrorBody::read(&response.body);
        body.error = body.error.map(|words| response.redactor.words(&words));
        let class = match response.status {
            401 | 403 => Class::CredentialsRefused,
            400..=499 if body.code == Some(headers::INVALID_SESSION) => Class::CredentialsRefused,
            429 => Class::Busy,
            // A login or generate request consists only of credentials, so nothing else can be wrong.
            400 if matches!(call, Call::Login | Call::Generate) => Class::CredentialsRefused,
            404 if call == Call::Login && body.code == Some(OBJECT_NOT_FOUND) => Class::CredentialsRefused,
            400 if call == Call::Redeem => Class::TokenRefused,
            500..=599 => Class::BackendBroken,
            300..=399 => Class::Redirect { to: response.redirect_host.clone() },
            _ => Class::Unexpected,
        };
        Self { call, status: response.status, body, retry_after: response.retry_after, class }
    }

    /// Whether a new session token may be accepted: 401, 403 or code 209.
    pub(crate) fn is_about_the_session(&self) -> bool {
        self.class == Class::CredentialsRefused
            && (self.status != 400 || self.body.code == Some(headers::INVALID_SESSION))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call;
        match &self.class {
            Class::CredentialsRefused => write!(f, "the backend rejected the credentials of {call}")?,
            Class::TokenRefused => f.write_str("the Export Token does not match an active one")?,
            Class::Busy => write!(f, "the backend limits the rate of {call} requests")?,
            Class::BackendBroken => write!(f, "the backend failed to process {call}")?,
            Class::Redirect { to: Some(host) } => {
                write!(f, "the backend redirected {call} to {host}, and redirects are not followed")?;
            }
            Class::Redirect { to: None } => {
                write!(f, "the backend redirected {call}, and redirects are not followed")?;
            }
            Class::Unexpected => write!(f, "the backend sent an unexpected response to {call}")?,
        }
        write!(f, " (status {}", self.status)?;
        if let Some(code) = self.body.code {
            write!(f, ", code {code}")?;
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

    fn class(call: Call, status: u16, body: &'static str) -> Class {
        Refusal::read(call, &Answered::new(status, body)).class
    }

    #[test]
    fn responses_are_classified_by_call_status_and_code() {
        let invalid_session = r#"{"code":209,"error":"invalid session token"}"#;
        let wrong_login = r#"{"code":101,"error":"Invalid username/password."}"#;
        for (call, status, body, expected) in [
            (Call::Redeem, 400, "", Class::TokenRefused),
            (Call::Redeem, 400, invalid_session, Class::CredentialsRefused),
            (Call::Redeem, 403, "", Class::CredentialsRefused),
            (Call::Redeem, 404, "", Class::Unexpected),
            (Call::Redeem, 202, "", Class::Unexpected),
            (Call::Generate, 400, "", Class::CredentialsRefused),
            (Call::Generate, 404, "", Class::Unexpected),
            (Call::Generate, 429, "", Class::Busy),
            (Call::Generate, 503, invalid_session, Class::BackendBroken),
            (Call::Generate, 302, "", Class::Redirect { to: None }),
            (Call::Login, 400, wrong_login, Class::CredentialsRefused),
            (Call::Login, 404, wrong_login, Class::CredentialsRefused),
            (Call::Login, 404, "", Class::Unexpected),
        ] {
            assert_eq!(class(call, status, body), expected, "{call} {status} {body}");
        }
    }

    #[test]
    fn only_status_200_of_a_redeem_is_not_an_error() {
        assert!(Answered::new(200, "").refusal().is_none());
        assert!(Answered::new(201, "").refusal().is_some());
    }

    #[test]
    fn debug_of_a_response_does_not_show_its_body() {
        let answered = Answered::new(200, r#"{"download_URL":"https://files.test/secret"}"#);
        assert!(!format!("{answered:?}").contains("secret"));
    }
}
