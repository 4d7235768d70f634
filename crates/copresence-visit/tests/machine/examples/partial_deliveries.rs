//! Truncated and unreadable responses, and lost answers that a later response settles.

use super::{fire_timer, host_with_redeem_in_flight, refuse, respond};
use crate::host::{Host, InFlight, delivery, failure, partial, plan, progress, token};
use copresence_protocol::{CompletionStatus, MAX_REDEEM_DELAY, Progress};
use copresence_visit::{MachineEvent, MillisSinceOrigin, Outcome, RedeemResult, VisitStepFailureKind};
use std::time::Duration;

/// A host whose plan has no time limit, with its first redeem in flight.
fn patient_host_with_redeem_in_flight() -> Host {
    let mut host = Host::without_time_limit();
    host.feed(MachineEvent::TokenIssued(token()));
    fire_timer(&mut host);
    host
}

/// Fires the timer at `earliest`, or later if it is set so.
fn fire_timer_not_before(host: &mut Host, earliest: MillisSinceOrigin) {
    host.now = host.wait.expect("a timer is set").max(earliest);
    host.feed(MachineEvent::TimerFired);
}

#[test]
fn a_400_after_a_truncated_response_saves_the_files_that_it_names() {
    for kind in [VisitStepFailureKind::Unanswered, VisitStepFailureKind::ProtocolViolation] {
        for later in [
            None,
            Some(VisitStepFailureKind::NeverSent),
            Some(VisitStepFailureKind::Unanswered),
            Some(VisitStepFailureKind::BackendFailing),
        ] {
            let refused = || {
                let mut host = host_with_redeem_in_flight();
                respond(&mut host, RedeemResult::Truncated(failure(kind), partial()));
                fire_timer(&mut host);
                if let Some(later) = later {
                    respond(&mut host, RedeemResult::Failed(failure(later)));
                    fire_timer(&mut host);
                }
                refuse(&mut host);
                assert_eq!((host.in_flight, host.end.as_ref()), (InFlight::SavePartial, None), "{kind:?} {later:?}");
                host
            };
            let mut host = refused();
            host.feed(MachineEvent::VisitorLeft);
            host.feed(MachineEvent::SavedInPart("more may have been due".into()));
            assert_eq!(host.end.map(|end| (end.exit_code(), end.error_code())), Some((7, "saved_in_part")));
            let mut host = refused();
            host.feed(MachineEvent::DiskFull("no room".into()));
            assert_eq!(host.end.map(|end| (end.exit_code(), end.error_code())), Some((7, "disk_full")));
            let mut host = refused();
            host.feed(MachineEvent::DownloadsInterrupted("the connection was refused".into()));
            assert_eq!(host.end.map(|end| (end.exit_code(), end.error_code())), Some((6, "download_interrupted")));
            let mut host = refused();
            host.feed(MachineEvent::NothingSaved("gone (410)".into()));
            let end = host.end.expect("ended");
            assert!(end.exit_code() == 10 && end.detail_for_operator().is_some_and(|d| d.contains("410")), "{end:?}");
        }
    }
}

#[test]
fn files_that_may_still_come_end_the_visit_as_recoverable() {
    for (event, exit, code) in [
        (MachineEvent::DownloadsInterrupted("the connection was refused".into()), 6, "download_interrupted"),
        (MachineEvent::StorageFailed("input/output error".into()), 7, "storage_failed"),
        (MachineEvent::DiskFull("no space".into()), 7, "disk_full"),
        (MachineEvent::SavedInPart("status 410".into()), 7, "saved_in_part"),
    ] {
        let mut host = host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::Delivered(delivery()));
        host.feed(event);
        let end = host.end.expect("ended");
        assert_eq!((end.exit_code(), end.error_code()), (exit, code));
        assert!(end.detail_for_operator().is_some_and(|why| !why.is_empty()));
    }
}

#[test]
fn not_ready_settles_a_lost_answer_only_when_its_redeem_cannot_be_processed_any_more() {
    let second = Duration::from_secs(1);
    for (sent_after, code) in [
        (second, "possibly_consumed"),
        (MAX_REDEEM_DELAY.saturating_sub(second), "possibly_consumed"),
        (MAX_REDEEM_DELAY, "token_expired"),
    ] {
        let mut host = patient_host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::Failed(failure(VisitStepFailureKind::Unanswered)));
        let lost_at = host.now;
        fire_timer_not_before(&mut host, lost_at + sent_after);
        // What counts is when the answered redeem was sent, not when its response came.
        host.now = host.now + Duration::from_secs(20);
        respond(&mut host, RedeemResult::NotReady(progress(CompletionStatus::Processing, Some(4), None)));
        fire_timer(&mut host);
        refuse(&mut host);
        let end = host.end.expect("ended");
        assert_eq!(end.error_code(), code, "{sent_after:?}");
        if code == "possibly_consumed" {
            let detail = end.detail_for_operator().expect("evidence");
            assert!(detail.contains("what happened") && detail.contains("not ready"), "{detail}");
        }
    }
}

#[test]
fn not_ready_settles_a_truncated_response_only_when_its_redeem_cannot_be_processed_any_more() {
    for (sent_after, is_saved) in [(Duration::from_secs(1), true), (MAX_REDEEM_DELAY, false)] {
        let mut host = patient_host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::Truncated(failure(VisitStepFailureKind::Unanswered), partial()));
        let lost_at = host.now;
        fire_timer_not_before(&mut host, lost_at + sent_after);
        respond(&mut host, RedeemResult::NotReady(Progress::progress_without_avatar()));
        fire_timer(&mut host);
        refuse(&mut host);
        if is_saved {
            assert_eq!(host.in_flight, InFlight::SavePartial);
        } else {
            assert_eq!(host.end.map(|end| end.error_code()), Some("token_expired"));
        }
    }
}

#[test]
fn repeated_unreadable_responses_are_saved_in_part() {
    let mut host = host_with_redeem_in_flight();
    let truncated = || RedeemResult::Truncated(failure(VisitStepFailureKind::ProtocolViolation), partial());
    respond(&mut host, truncated());
    while host.in_flight != InFlight::SavePartial {
        fire_timer(&mut host);
        respond(&mut host, truncated());
    }
    assert!(host.redeems >= 3);
}

#[test]
fn the_files_of_a_truncated_response_are_downloaded_at_once() {
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::Truncated(failure(VisitStepFailureKind::Unanswered), partial()));
    assert_eq!((host.fetches, host.end.as_ref()), (1, None));
    fire_timer(&mut host);
    assert_eq!(host.in_flight, InFlight::Redeem, "a whole response may follow");
    respond(&mut host, RedeemResult::Delivered(delivery()));
    assert_eq!(host.in_flight, InFlight::Save);
}

#[test]
fn the_files_of_a_truncated_response_are_used_when_time_is_over_unless_the_network_is_away() {
    let wait = progress(CompletionStatus::Processing, Some(40), None);
    for (result, saves) in [
        (RedeemResult::NotReady(wait), true),
        (RedeemResult::Failed(failure(VisitStepFailureKind::BackendFailing)), true),
        (RedeemResult::Failed(failure(VisitStepFailureKind::Busy)), true),
        (RedeemResult::Failed(failure(VisitStepFailureKind::NeverSent)), false),
        (RedeemResult::Failed(failure(VisitStepFailureKind::Unanswered)), false),
    ] {
        let mut host = host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::Truncated(failure(VisitStepFailureKind::Unanswered), partial()));
        fire_timer(&mut host);
        respond(&mut host, result.clone());
        host.now = plan().give_up_at;
        host.feed(MachineEvent::TimerFired);
        assert_eq!(host.in_flight == InFlight::SavePartial, saves, "{result:?}");
        assert_eq!(host.end.is_none(), saves, "{result:?}");
    }
}

#[test]
fn an_interruption_keeps_a_partial_delivery_for_recovery() {
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::Truncated(failure(VisitStepFailureKind::Unanswered), partial()));
    fire_timer(&mut host);
    host.feed(MachineEvent::Interrupted);
    respond(&mut host, RedeemResult::Refused);
    assert_eq!(host.end, Some(Outcome::Interrupted));
}
