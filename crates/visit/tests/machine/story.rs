//! Arbitrary stories: how whatever is in flight ends, beat by beat.

use super::world::{fault, progress};
use proptest::prelude::*;
use protocol::{CompletionStatus, Progress};
use std::time::Duration;
use visit::{Event, Fault, FaultKind, RedeemResult};

pub(crate) fn any_fault() -> impl Strategy<Value = Fault> {
    let kinds = prop_oneof![
        4 => Just(FaultKind::NeverSent),
        4 => Just(FaultKind::Unanswered),
        2 => Just(FaultKind::Busy),
        2 => Just(FaultKind::BackendFailing),
        2 => Just(FaultKind::GatewayLostAnswer),
        1 => Just(FaultKind::CredentialsRefused),
        2 => Just(FaultKind::ProtocolBroken),
        1 => Just(FaultKind::Storage),
        1 => Just(FaultKind::DiskFull),
    ];
    (kinds, proptest::option::of(0u64..10_000))
        .prop_map(|(kind, after)| Fault { retry_after: after.map(Duration::from_secs), ..fault(kind) })
}

/// A fault that leaves a beginning of an answer behind.
pub(crate) fn any_lost() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![FaultKind::Unanswered, FaultKind::ProtocolBroken]).prop_map(fault)
}

pub(crate) fn any_progress() -> impl Strategy<Value = Progress> {
    prop_oneof![
        Just(Progress::unassociated()),
        (0u32..30).prop_map(|place| progress(CompletionStatus::InQueue, Some(0), Some(place))),
        (0u8..=100).prop_map(|percent| progress(CompletionStatus::Processing, Some(percent), None)),
        Just(progress(CompletionStatus::Failed, Some(50), None)),
        Just(progress(CompletionStatus::Other("baking".into()), None, None)),
    ]
}

pub(crate) fn any_redeem() -> impl Strategy<Value = RedeemResult> {
    prop_oneof![
        12 => any_progress().prop_map(RedeemResult::NotReady),
        1 => Just(RedeemResult::Delivered),
        1 => Just(RedeemResult::Refused),
        5 => any_fault().prop_map(RedeemResult::Failed),
        2 => any_lost().prop_map(RedeemResult::Fragment),
    ]
}

/// One turn of a story: how whatever is in flight ends, whether the timer rings instead, and noise.
#[derive(Debug, Clone)]
pub(crate) struct Beat {
    pub(crate) issue: Result<(), Fault>,
    pub(crate) redeem: RedeemResult,
    pub(crate) saved: Came,
    pub(crate) ring: bool,
    pub(crate) takes: u64,
    pub(crate) noise: Option<Event>,
}

/// How saving ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Came {
    All,
    Some,
    UntilFull,
    /// Of a lost answer's files alone.
    Nothing,
}

pub(crate) fn any_beat() -> impl Strategy<Value = Beat> {
    let noise = prop_oneof![
        Just(Event::Due),
        Just(Event::Begun),
        Just(Event::Issued),
        Just(Event::Saved { contradiction: None }),
        Just(Event::SavedInPart("noise".into())),
        Just(Event::DiskFull("noise".into())),
        Just(Event::NothingSalvaged("noise".into())),
        any_redeem().prop_map(Event::Redeemed),
        Just(Event::Left),
        Just(Event::Interrupted),
    ];
    (
        prop_oneof![3 => Just(Ok(())), 1 => any_fault().prop_map(Err)],
        any_redeem(),
        prop::sample::select(vec![Came::All, Came::Some, Came::UntilFull, Came::Nothing]),
        proptest::bool::weighted(0.2),
        0u64..40_000,
        proptest::option::weighted(0.05, noise),
    )
        .prop_map(|(issue, redeem, saved, ring, takes, noise)| Beat {
            issue,
            redeem,
            saved,
            ring,
            takes,
            noise,
        })
}
