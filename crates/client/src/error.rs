//! How a call fails: by what may have happened at the backend.

use crate::answer::Refusal;
use crate::lost::{Cause, Evidence};
use bytes::Bytes;
use protocol::Mismatch;
use std::fmt;

/// A call that gave nothing usable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// For certain no byte of the request left: nothing happened at the backend, and it may be sent again.
    #[error("the request was never sent: {0}")]
    NeverSent(Cause),
    /// The request may have arrived, and no whole answer came: it may have been carried out. A token may be
    /// spent.
    #[error("the request was sent, and no whole answer came: {0}")]
    Unanswered(Evidence),
    /// The backend answered, and not with what was asked for.
    #[error("{0}")]
    Answered(Refusal),
    /// The backend answered with success, and in a form that breaks a promise of the specification.
    #[error("{0}")]
    Broken(BrokenAnswer),
}

/// A whole answer that cannot be read.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenAnswer {
    /// The answer's status.
    pub status: u16,
    /// Which promise, where, and what came instead; holds no value of the body.
    pub mismatch: Mismatch,
    /// The body as it came: it may be worth keeping (it may hold a token that was paid for).
    pub body: Bytes,
}

impl fmt::Display for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer (status {}) breaks the specification {}", self.status, self.mismatch)
    }
}

impl fmt::Debug for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokenAnswer")
            .field("status", &self.status)
            .field("mismatch", &self.mismatch)
            .field("body_size", &self.body.len())
            .finish()
    }
}
