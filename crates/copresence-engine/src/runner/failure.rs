//! Errors of the client and the store as failures of a visit.

use copresence_client::{CallError, ErrorClass, ErrorResponse};
use copresence_store::StoreError;
use copresence_visit::{Failure, FailureKind, Outcome};

/// The failure of a call without a usable response.
pub(crate) fn call_failure(error: &CallError) -> Failure {
    match error {
        CallError::NeverSent(cause) => Failure::new(FailureKind::NeverSent, cause.to_string()),
        CallError::ResponseLost(evidence) => Failure::new(FailureKind::Unanswered, evidence.to_string()),
        CallError::InvalidResponse(broken) => {
            Failure::new(FailureKind::ProtocolViolation, broken.to_string())
        }
        CallError::ErrorResponse(refusal) => refusal_failure(refusal),
    }
}

/// The failure of our own disk; no request was sent.
pub(crate) fn disk_failure(error: &StoreError) -> Failure {
    let kind = if error.is_disk_full() { FailureKind::DiskFull } else { FailureKind::Storage };
    Failure::new(kind, error.to_string())
}

/// The outcome of a visit that could not be journalled at its start.
pub(crate) fn disk_outcome(error: &StoreError) -> Outcome {
    let detail = error.to_string();
    if error.is_disk_full() { Outcome::DiskFull(detail) } else { Outcome::StorageFailed(detail) }
}

/// The failure of a whole response with another status than the expected one.
pub(crate) fn refusal_failure(refusal: &ErrorResponse) -> Failure {
    let kind = match refusal.class {
        ErrorClass::CredentialsRejected => FailureKind::CredentialsRefused,
        ErrorClass::RateLimited => FailureKind::Busy,
        ErrorClass::ServerError if matches!(refusal.status, 502 | 504) => FailureKind::GatewayLostAnswer,
        ErrorClass::ServerError => FailureKind::BackendFailing,
        _ => FailureKind::ProtocolViolation,
    };
    Failure { retry_after: refusal.retry_after, ..Failure::new(kind, refusal.to_string()) }
}
