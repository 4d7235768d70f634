//! Why an API client cannot be made from a backend and credentials.

use crate::exchange::CallKind;
use copresence_protocol::headers;
use http::Method;

/// What is missing or invalid before the first request. Contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A call needs the API key, and there is none.
    #[error("the API key is missing: {call} sends it in the header {}", headers::API_KEY)]
    MissingApiKey {
        /// The call that needs it.
        call: CallKind,
    },
    /// [`TokenSource::Direct`](crate::TokenSource::Direct) with neither session token nor login.
    #[error("no session token and no user name and password: one of the two is needed to generate Export Tokens")]
    MissingSession,
    /// The user name or the password of the login is empty.
    #[error("the login is incomplete: both the user name and the password are needed")]
    IncompleteLogin,
    /// A partner header contains `{partner_key}`, and there is no partner key.
    #[error("the partner key is missing: the header {header} contains it")]
    MissingPartnerKey {
        /// The name of the header.
        header: String,
    },
    /// A value is not a valid header value.
    #[error("the {what} contains a character that is not allowed in an HTTP header, for example a line end")]
    InvalidHeaderValue {
        /// The value, for example `API key`.
        what: String,
    },
    /// A name is not a valid header name.
    #[error("{name:?} is not a valid name of an HTTP header")]
    InvalidHeaderName {
        /// The invalid name.
        name: String,
    },
    /// A URL cannot be called.
    #[error("the {what} is not valid: {why}")]
    InvalidUrl {
        /// The URL, for example `base URL`.
        what: &'static str,
        /// Why it is not valid.
        why: &'static str,
    },
    /// A string is not a JSON Pointer.
    #[error("{pointer:?} is not a JSON Pointer to the {what}: it must start with a slash, for example /data/token")]
    InvalidPointer {
        /// The value that the pointer is for.
        what: &'static str,
        /// The invalid pointer.
        pointer: String,
    },
    /// The login method has no body, so the password would be part of the URL.
    #[error("the login cannot be a {0} request, because it has no body for the password; use POST")]
    LoginMethodWithoutBody(Method),
    /// The timeouts are out of range, or it could not be determined whether a request was sent.
    #[error("the timeouts must be above zero and at most one hour, and the connect timeout must be below the total")]
    InvalidTimeouts,
    /// https is used, and there are no root certificates.
    #[error(
        "no trusted root certificates ({0}): install those of the system (Debian: ca-certificates), or check \
         SSL_CERT_FILE and SSL_CERT_DIR"
    )]
    NoRootCertificates(String),
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created: {0}")]
    HttpClient(String),
}
