//! Errors of API calls, by what the backend may have done.

use crate::answer::Refusal;
use crate::lost::{Cause, Evidence};
use bytes::Bytes;
use protocol::Mismatch;
use std::fmt;

/// Why an API call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// No byte of the request was sent. The backend did nothing, so the call can be repeated.
    #[error("the request was never sent: {0}")]
    NeverSent(Cause),
    /// The request may have arrived, and no complete response was received. The backend may have processed it, so a
    /// token may be spent.
    #[error("the request was sent, but the response was lost: {0}")]
    Unanswered(Evidence),
    /// The backend responded with an error status.
    #[error("{0}")]
    Answered(Refusal),
    /// The backend responded with success, but the response violates the specification.
    #[error("{0}")]
    Broken(BrokenAnswer),
}

/// A complete response that cannot be parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenAnswer {
    /// The status of the response.
    pub status: u16,
    /// The violated requirement. Contains no value of the body.
    pub mismatch: Mismatch,
    /// The body as received. It may contain a token that was paid for, so it may be worth keeping.
    pub body: Bytes,
}

impl fmt::Display for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response (status {}) violates the specification {}", self.status, self.mismatch)
    }
}

impl fmt::Debug for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidResponse")
            .field("status", &self.status)
            .field("mismatch", &self.mismatch)
            .field("body_size", &self.body.len())
            .finish()
    }
}
