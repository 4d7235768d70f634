//! Errors of the client and the store as failures of a visit.

use copresence_client::{CallError, ErrorClass, ErrorResponse};
use copresence_store::StoreError;
use copresence_visit::{Outcome, VisitFailure, VisitFailureKind};

/// The failure of a call without a usable response.
pub(crate) fn failure_of_call_error(error: &CallError) -> VisitFailure {
    match error {
        CallError::NeverSent(cause) => VisitFailure::new(VisitFailureKind::NeverSent, cause.to_string()),
        CallError::ResponseLost(evidence) => VisitFailure::new(VisitFailureKind::Unanswered, evidence.to_string()),
        CallError::InvalidResponse(broken) => {
            VisitFailure::new(VisitFailureKind::ProtocolViolation, broken.to_string())
        }
        CallError::ErrorResponse(refusal) => failure_of_error_response(refusal),
    }
}

/// The failure of our own disk; no request was sent.
pub(crate) fn failure_of_store_error(error: &StoreError) -> VisitFailure {
    let kind = if error.is_disk_full() { VisitFailureKind::DiskFull } else { VisitFailureKind::Storage };
    VisitFailure::new(kind, error.to_string())
}

/// The outcome of a visit that could not be journalled at its start.
pub(crate) fn outcome_of_store_error(error: &StoreError) -> Outcome {
    let detail = error.to_string();
    if error.is_disk_full() { Outcome::DiskFull(detail) } else { Outcome::StorageFailed(detail) }
}

/// The failure of a whole response with another status than the expected one.
pub(crate) fn failure_of_error_response(refusal: &ErrorResponse) -> VisitFailure {
    let kind = match refusal.class {
        ErrorClass::CredentialsRejected => VisitFailureKind::CredentialsRefused,
        ErrorClass::RateLimited => VisitFailureKind::Busy,
        ErrorClass::ServerError if matches!(refusal.status, 502 | 504) => VisitFailureKind::GatewayLostAnswer,
        ErrorClass::ServerError => VisitFailureKind::BackendFailing,
        _ => VisitFailureKind::ProtocolViolation,
    };
    VisitFailure { retry_after: refusal.retry_after, ..VisitFailure::new(kind, refusal.to_string()) }
}
