//! Whole answers, and what it means when one is not what was asked for.

use crate::exchange::Call;
use crate::redact::Redactor;
use bytes::Bytes;
use http::StatusCode;
use protocol::{ErrorBody, headers};
use std::fmt;
use std::time::Duration;

/// Parse Server's code for a wrong user name or password at login.
const OBJECT_NOT_FOUND: i64 = 101;

/// A whole answer, unparsed.
#[derive(Clone)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The body as it came, at most [`crate::MAX_BODY`].
    pub body: Bytes,
    /// `Retry-After`, as seconds from now; zero when its date has passed.
    pub retry_after: Option<Duration>,
    /// Where a redirect pointed: the host only. It is not followed.
    pub redirect_host: Option<String>,
    pub(crate) redactor: Redactor,
}

impl Answered {
    /// An answer to a redeem, as one stands in a journal.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            body: body.into(),
            retry_after: None,
            redirect_host: None,
            redactor: Redactor::default(),
        }
    }

    /// What an answer to a redeem means that is not "200 OK – Export token is still active"; `None` for 200.
    ///
    /// "400 Bad Request – Provided Export Token string does not match an active Export Token" is
    /// [`Class::TokenRefused`].
    pub fn refusal(&self) -> Option<Refusal> {
        (self.status != StatusCode::OK.as_u16()).then(|| Refusal::read(Call::Redeem, self))
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered")
            .field("status", &self.status)
            .field("body_size", &self.body.len())
            .field("retry_after", &self.retry_after)
            .field("redirect_host", &self.redirect_host)
            .finish_non_exhaustive()
    }
}

/// What a refusal means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Class {
    /// API key, session token, login or partner key: 401, 403, code 209, and 400 where the request holds nothing
    /// else.
    CredentialsRefused,
    /// The Export Token is not, or no longer, active (a redeem's 400).
    TokenRefused,
    /// Too many requests (429): wait for `retry_after`.
    Busy,
    /// The backend failed (5xx).
    BackendBroken,
    /// A redirect (3xx), which is not followed: it would carry the credentials away.
    Redirect {
        /// The host that it pointed at, when it named one.
        to: Option<String>,
    },
    /// Any other status: often a wrong URL.
    Unexpected,
}

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which call was refused: a `generate` may fail at its login.
    pub call: Call,
    /// The status.
    pub status: u16,
    /// The backend's own code and words, with known secrets masked.
    pub body: ErrorBody,
    /// `Retry-After`, from the moment of the answer.
    pub retry_after: Option<Duration>,
    /// What it means.
    pub class: Class,
}

impl Refusal {
    pub(crate) fn read(call: Call, answered: &Answered) -> Self {
        let mut body = ErrorBody::read(&answered.body);
        body.error = body.error.map(|words| answered.redactor.words(&words));
        let class = match answered.status {
            401 | 403 => Class::CredentialsRefused,
            400..=499 if body.code == Some(headers::INVALID_SESSION) => Class::CredentialsRefused,
            429 => Class::Busy,
            // A login and a generate consist of credentials only, so there is nothing else to refuse.
            400 if matches!(call, Call::Login | Call::Generate) => Class::CredentialsRefused,
            404 if call == Call::Login && body.code == Some(OBJECT_NOT_FOUND) => Class::CredentialsRefused,
            400 if call == Call::Redeem => Class::TokenRefused,
            500..=599 => Class::BackendBroken,
            300..=399 => Class::Redirect { to: answered.redirect_host.clone() },
            _ => Class::Unexpected,
        };
        Self { call, status: answered.status, body, retry_after: answered.retry_after, class }
    }

    /// Whether another session token might be accepted: 401, 403 or code 209.
    pub(crate) fn is_about_the_session(&self) -> bool {
        self.class == Class::CredentialsRefused
            && (self.status != 400 || self.body.code == Some(headers::INVALID_SESSION))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call;
        match &self.class {
            Class::CredentialsRefused => write!(f, "the backend refused the credentials at {call}")?,
            Class::TokenRefused => f.write_str("the backend knows no such active Export Token")?,
            Class::Busy => write!(f, "the backend is too busy for {call}")?,
            Class::BackendBroken => write!(f, "the backend failed at {call}")?,
            Class::Redirect { to: Some(host) } => {
                write!(f, "the backend sent {call} on to {host}, which is not followed")?;
            }
            Class::Redirect { to: None } => {
                write!(f, "the backend sent {call} elsewhere, which is not followed")?;
            }
            Class::Unexpected => write!(f, "the backend gave an unexpected answer to {call}")?,
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
    fn a_status_means_what_the_call_makes_of_it() {
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
    fn only_a_200_is_no_refusal_of_a_redeem() {
        assert!(Answered::new(200, "").refusal().is_none());
        assert!(Answered::new(201, "").refusal().is_some());
    }

    #[test]
    fn what_is_printed_of_an_answer_is_not_its_body() {
        let answered = Answered::new(200, r#"{"download_URL":"https://files.test/secret"}"#);
        assert!(!format!("{answered:?}").contains("secret"));
    }
}
