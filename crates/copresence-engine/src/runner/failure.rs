//! Errors of the client and the store as failures of a visit.

use copresence_client::{CallError, ErrorClass, ErrorResponse};
use copresence_store::StoreError;
use copresence_visit::{Outcome, VisitStepFailure, VisitStepFailureKind};

/// The failure of a call without a usable response.
pub fn to_visit_step_failure(error: &CallError) -> VisitStepFailure {
    match error {
        CallError::NeverSent(cause) => VisitStepFailure::new(VisitStepFailureKind::NeverSent, cause.to_string()),
        CallError::ResponseLost(evidence) => {
            VisitStepFailure::new(VisitStepFailureKind::Unanswered, evidence.to_string())
        }
        CallError::InvalidResponse(broken) => {
            VisitStepFailure::new(VisitStepFailureKind::ProtocolViolation, broken.to_string())
        }
        CallError::ErrorResponse(refusal) => failure_of_error_response(refusal),
        CallError::LoginFailed(error) => to_visit_step_failure(error),
    }
}

/// Converts an error of the store to the failure of a visit step: disk full, or storage. No request was sent.
pub(crate) fn failure_of_store_error(error: &StoreError) -> VisitStepFailure {
    let kind = if error.is_disk_full() { VisitStepFailureKind::DiskFull } else { VisitStepFailureKind::Storage };
    VisitStepFailure::new(kind, error.to_string())
}

/// The outcome for an error of the store, which prevented that the start of a visit was journalled.
pub(crate) fn outcome_of_unjournalled_visit_start(error: &StoreError) -> Outcome {
    let detail = error.to_string();
    if error.is_disk_full() { Outcome::DiskFull(detail) } else { Outcome::StorageFailed(detail) }
}

/// The failure of a whole response with another status than the expected one.
pub(crate) fn failure_of_error_response(refusal: &ErrorResponse) -> VisitStepFailure {
    let kind = match &refusal.class {
        ErrorClass::CredentialsRejected => VisitStepFailureKind::CredentialsRefused,
        ErrorClass::RateLimited => VisitStepFailureKind::Busy,
        ErrorClass::ServerError => VisitStepFailureKind::BackendFailing,
        ErrorClass::Gate(gate) if gate.proves_not_forwarded() => VisitStepFailureKind::GateNotPassed,
        // The page of a gateway or web server whose backend failed. It is named, and means what a 5xx means.
        ErrorClass::Gate(_) if refusal.status >= 500 => VisitStepFailureKind::BackendFailing,
        ErrorClass::Gate(_) => VisitStepFailureKind::Gate,
        ErrorClass::NoApi => VisitStepFailureKind::NoApi,
        ErrorClass::TokenInactive | ErrorClass::Redirect { .. } | ErrorClass::UnexpectedStatus => {
            VisitStepFailureKind::ProtocolViolation
        }
    };
    VisitStepFailure { retry_after: refusal.retry_after, ..VisitStepFailure::new(kind, refusal.to_string()) }
}

/// Maximum number of missing files that an outcome names. The manifest names all of them.
const MAX_NAMED_REASONS: usize = 20;

/// Why files are missing, in one text for the outcome of the visit.
pub(super) fn join_reasons(missing: &[String]) -> String {
    let named = &missing[..missing.len().min(MAX_NAMED_REASONS)];
    let joined = named.join("; ");
    match missing.len() - named.len() {
        0 => joined,
        others => format!("{joined}; and {others} more"),
    }
}
