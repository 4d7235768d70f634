//! Requests of Export Tokens: how many are sent, and what failures on the way to them mean.

use super::{fire_timer, host_with_redeem_in_flight, respond};
use crate::host::{Host, InFlight, PATIENCE, delivery, failure};
use copresence_visit::{MachineEvent, MillisSinceOrigin, RedeemResult, VisitNotice, VisitStepFailureKind};
use std::time::Duration;

#[test]
fn few_tokens_are_requested() {
    let mut host = Host::new();
    host.feed(MachineEvent::IssueFailed(failure(VisitStepFailureKind::ProtocolViolation)));
    assert_eq!(host.end.map(|end| end.exit_code()), Some(9));
    let mut host = Host::new();
    host.feed(MachineEvent::IssueFailed(failure(VisitStepFailureKind::Storage)));
    assert_eq!(
        host.end.map(|end_state| end_state.exit_code()),
        Some(2),
        "a token that cannot be stored is not requested again"
    );
    let mut host = Host::new();
    host.feed(MachineEvent::IssueFailed(failure(VisitStepFailureKind::DiskFull)));
    assert_eq!(host.end.map(|end| (end.exit_code(), end.error_code())), Some((2, "disk_full")));
}

/// Fails every request for a token with this event; returns the ended host and the number of requests.
fn fail_every_token_request(event: &MachineEvent) -> (Host, u32) {
    let mut host = Host::new();
    let mut request_count = 1;
    loop {
        host.feed(event.clone());
        if host.end.is_some() {
            return (host, request_count);
        }
        fire_timer(&mut host);
        request_count += 1;
    }
}

#[test]
fn generate_answered_500_after_its_effect_issues_few_tokens_and_says_how_many() {
    for kind in [VisitStepFailureKind::Unanswered, VisitStepFailureKind::BackendFailing, VisitStepFailureKind::Gate] {
        let (host, request_count) = fail_every_token_request(&MachineEvent::IssueFailed(failure(kind)));
        let end = host.end.expect("ended");
        assert_eq!((end.exit_code(), request_count), (6, 3), "{kind:?}");
        let told = end.detail_for_operator().expect("a detail");
        assert!(told.ends_with("; up to 3 Export Tokens may have been issued and billed"), "{told}");
        let retried: Vec<_> = host
            .notices
            .iter()
            .filter_map(|notice| match notice {
                VisitNotice::Retrying { failure, .. } => Some(failure.detail.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(
            retried,
            [
                "what happened; up to 1 Export Token may have been issued and billed",
                "what happened; up to 2 Export Tokens may have been issued and billed"
            ]
        );
        // The last request is sent when patience ends, so that a short outage is endured.
        assert!(host.now.duration_since(MillisSinceOrigin::default()) >= Duration::from_secs(20), "{:?}", host.now);
    }
}

#[test]
fn a_login_behind_a_502_has_the_patience_of_every_other_call_and_issues_no_token() {
    for kind in [VisitStepFailureKind::BackendFailing, VisitStepFailureKind::Unanswered, VisitStepFailureKind::Gate] {
        let (host, request_count) = fail_every_token_request(&MachineEvent::LoginFailed(failure(kind)));
        let end = host.end.expect("ended");
        assert!(request_count > 3, "{kind:?}: {request_count}");
        assert_eq!((end.exit_code(), end.detail_for_operator()), (6, Some("what happened")), "{kind:?}");
        assert!(host.now.duration_since(MillisSinceOrigin::default()) >= Duration::from_secs(20), "{:?}", host.now);
    }
}

#[test]
fn a_gate_in_the_way_is_endured_and_then_named() {
    for (kind, code, exit) in [
        (VisitStepFailureKind::Gate, "gate", 6),
        (VisitStepFailureKind::GateNotPassed, "gate", 6),
        (VisitStepFailureKind::NoApi, "no_api", 2),
    ] {
        let (host, request_count) = fail_every_token_request(&MachineEvent::IssueFailed(failure(kind)));
        let end = host.end.expect("ended");
        // A page may have replaced a response with a token.
        assert_eq!(request_count == 3, kind.may_have_issued_unreceived_token(), "{kind:?}: {request_count}");
        assert_eq!((end.error_code(), end.exit_code()), (code, exit));

        let mut host = host_with_redeem_in_flight();
        while host.end.is_none() {
            respond(&mut host, RedeemResult::Failed(failure(kind)));
            if host.end.is_none() {
                fire_timer(&mut host);
            }
        }
        assert!(host.now.duration_since(MillisSinceOrigin::default()) >= PATIENCE, "{kind:?}");
        assert_eq!(host.end.map(|end| (end.error_code(), end.exit_code())), Some((code, exit)));

        let mut host = host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::Failed(failure(kind)));
        fire_timer(&mut host);
        respond(&mut host, RedeemResult::Delivered(delivery()));
        assert_eq!(host.in_flight, InFlight::Save, "{kind:?}");
    }
}
