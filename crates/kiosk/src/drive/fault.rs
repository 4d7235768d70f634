//! The client's errors as the machine's faults: class, words, and the backend's wish.

use client::{CallError, Class, Refusal};
use store::StoreError;
use visit::{Fault, FaultKind, Outcome};

/// A call that brought nothing usable.
pub(crate) fn of_call(error: &CallError) -> Fault {
    match error {
        CallError::NeverSent(cause) => Fault::new(FaultKind::NeverSent, cause.to_string()),
        CallError::Unanswered(evidence) => Fault::new(FaultKind::Unanswered, evidence.to_string()),
        CallError::Broken(broken) => Fault::new(FaultKind::ProtocolBroken, broken.to_string()),
        CallError::Answered(refusal) => of_refusal(refusal),
    }
}

/// Our own disk: nothing was asked for.
pub(crate) fn of_disk(error: &StoreError) -> Fault {
    let kind = if error.is_disk_full() { FaultKind::DiskFull } else { FaultKind::Storage };
    Fault::new(kind, error.to_string())
}

/// The same, where a visit could not even begin.
pub(crate) fn of_disk_outcome(error: &StoreError) -> Outcome {
    let words = error.to_string();
    if error.is_disk_full() { Outcome::DiskFull(words) } else { Outcome::StorageFailed(words) }
}

/// A whole answer with another status than the one hoped for.
pub(crate) fn of_refusal(refusal: &Refusal) -> Fault {
    let kind = match refusal.class {
        Class::CredentialsRefused => FaultKind::CredentialsRefused,
        Class::Busy => FaultKind::Busy,
        Class::BackendBroken if matches!(refusal.status, 502 | 504) => FaultKind::GatewayLostAnswer,
        Class::BackendBroken => FaultKind::BackendFailing,
        _ => FaultKind::ProtocolBroken,
    };
    Fault { retry_after: refusal.retry_after, ..Fault::new(kind, refusal.to_string()) }
}
