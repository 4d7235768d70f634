//! Errors of API calls, by what the backend may have done.

use crate::response::ErrorResponse;
use crate::transport_error::{LostResponse, RequestNotSentError};
use bytes::Bytes;
use copresence_protocol::SpecViolation;
use std::fmt;

/// Why an API call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// No byte of the request was sent. The backend did nothing, so the call can be repeated.
    #[error("the request was never sent: {0}")]
    NeverSent(RequestNotSentError),
    /// The request may have arrived, and no complete response was received. The backend may have processed it, so a
    /// token may be spent.
    #[error("the request was sent, but the response was lost: {0}")]
    ResponseLost(LostResponse),
    /// The backend responded with an error status.
    #[error("{0}")]
    ErrorResponse(ErrorResponse),
    /// The login that precedes the call failed, so the call itself was not sent. Contains any other variant.
    #[error("{0}")]
    LoginFailed(Box<CallError>),
    /// The backend responded with success, but the response violates the specification.
    #[error("{0}")]
    InvalidResponse(InvalidResponse),
}

/// A complete response that cannot be parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidResponse {
    /// The status of the response.
    pub status: u16,
    /// The violated requirement. Contains no value of the body.
    pub violation: SpecViolation,
    /// The body as received. It may contain a token that was paid for, so it may be worth keeping.
    pub body: Bytes,
}

impl fmt::Display for InvalidResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response (status {}) violates the specification {}", self.status, self.violation)
    }
}

impl fmt::Debug for InvalidResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidResponse")
            .field("status", &self.status)
            .field("mismatch", &self.violation)
            .field("body_size", &self.body.len())
            .finish()
    }
}
