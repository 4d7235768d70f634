//! Arbitrary turns of a visit: each decides how the effect in flight ends.

use super::host::{delivery, failure, partial, progress, token};
use copresence_protocol::{CompletionStatus, Progress};
use copresence_visit::{MachineEvent, RedeemResult, VisitStepFailure, VisitStepFailureKind};
use proptest::prelude::*;
use std::time::Duration;

pub(crate) fn any_failure() -> impl Strategy<Value = VisitStepFailure> {
    let kinds = prop_oneof![
        4 => Just(VisitStepFailureKind::NeverSent),
        4 => Just(VisitStepFailureKind::Unanswered),
        2 => Just(VisitStepFailureKind::Busy),
        2 => Just(VisitStepFailureKind::BackendFailing),
        2 => Just(VisitStepFailureKind::Gate),
        1 => Just(VisitStepFailureKind::GateNotPassed),
        1 => Just(VisitStepFailureKind::NoApi),
        1 => Just(VisitStepFailureKind::CredentialsRefused),
        2 => Just(VisitStepFailureKind::ProtocolViolation),
        1 => Just(VisitStepFailureKind::Storage),
        1 => Just(VisitStepFailureKind::DiskFull),
    ];
    (kinds, proptest::option::of(0u64..10_000))
        .prop_map(|(kind, after)| VisitStepFailure { retry_after: after.map(Duration::from_secs), ..failure(kind) })
}

/// A failure after which a part of the response is known.
pub(crate) fn any_truncation() -> impl Strategy<Value = VisitStepFailure> {
    prop::sample::select(vec![VisitStepFailureKind::Unanswered, VisitStepFailureKind::ProtocolViolation])
        .prop_map(failure)
}

pub(crate) fn any_progress() -> impl Strategy<Value = Progress> {
    prop_oneof![
        Just(Progress::progress_without_avatar()),
        (0u32..30).prop_map(|place| progress(CompletionStatus::InQueue, Some(0), Some(place))),
        (0u8..=100).prop_map(|percent| progress(CompletionStatus::Processing, Some(percent), None)),
        Just(progress(CompletionStatus::Failed, Some(50), None)),
        Just(progress(CompletionStatus::Other("baking".into()), None, None)),
    ]
}

pub(crate) fn any_redeem() -> impl Strategy<Value = RedeemResult> {
    prop_oneof![
        12 => any_progress().prop_map(RedeemResult::NotReady),
        1 => Just(RedeemResult::Delivered(delivery())),
        1 => Just(RedeemResult::Refused),
        5 => any_failure().prop_map(RedeemResult::Failed),
        2 => any_truncation().prop_map(|failure| RedeemResult::Truncated(failure, partial())),
    ]
}

/// One turn: how the effect in flight ends, whether the timer fires instead, and an unexpected event.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) issue: Result<(), VisitStepFailure>,
    pub(crate) redeem: RedeemResult,
    pub(crate) saving: Saving,
    /// Whether the timer fires before the effect in flight ends.
    pub(crate) timer: bool,
    /// Milliseconds until the effect in flight ends.
    pub(crate) takes: u64,
    /// An unexpected event that replaces the turn.
    pub(crate) noise: Option<MachineEvent>,
}

/// How saving ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Saving {
    All,
    Some,
    UntilFull,
    UntilStorageFailed,
    Interrupted,
    Nothing,
}

pub(crate) fn any_turn() -> impl Strategy<Value = Turn> {
    let noise = prop_oneof![
        Just(MachineEvent::TimerFired),
        Just(MachineEvent::Started),
        Just(MachineEvent::TokenIssued(token())),
        Just(MachineEvent::Saved),
        Just(MachineEvent::SavedInPart("noise".into())),
        Just(MachineEvent::DiskFull("noise".into())),
        Just(MachineEvent::StorageFailed("noise".into())),
        Just(MachineEvent::DownloadsInterrupted("noise".into())),
        Just(MachineEvent::NothingSaved("noise".into())),
        any_redeem().prop_map(MachineEvent::Redeemed),
        Just(MachineEvent::VisitorLeft),
        Just(MachineEvent::Interrupted),
    ];
    (
        prop_oneof![3 => Just(Ok(())), 1 => any_failure().prop_map(Err)],
        any_redeem(),
        prop::sample::select(vec![
            Saving::All,
            Saving::Some,
            Saving::UntilFull,
            Saving::UntilStorageFailed,
            Saving::Interrupted,
            Saving::Nothing,
        ]),
        proptest::bool::weighted(0.2),
        0u64..40_000,
        proptest::option::weighted(0.05, noise),
    )
        .prop_map(|(issue, redeem, saving, timer, takes, noise)| Turn {
            issue,
            redeem,
            saving,
            timer,
            takes,
            noise,
        })
}
