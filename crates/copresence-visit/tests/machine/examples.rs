//! The behavior of the state machine in single situations.

mod partial_deliveries;
mod token_requests;

use super::host::{Host, InFlight, PATIENCE, delivery, failure, plan, progress, token};
use copresence_protocol::{CompletionStatus, Progress};
use copresence_visit::{
    MachineEvent, MillisSinceOrigin, Outcome, RedeemResult, VisitNotice, VisitStepFailure, VisitStepFailureKind,
};
use std::time::Duration;

/// A host whose first redeem is in flight.
fn host_with_redeem_in_flight() -> Host {
    let mut host = Host::new();
    host.feed(MachineEvent::TokenIssued(token()));
    fire_timer(&mut host);
    assert_eq!(host.in_flight, InFlight::Redeem);
    host
}

fn fire_timer(host: &mut Host) {
    host.now = host.wait.expect("a timer is set");
    host.feed(MachineEvent::TimerFired);
}

fn respond(host: &mut Host, result: RedeemResult) {
    host.feed(MachineEvent::Redeemed(result));
}

/// Refuses the token until the visit does something else than redeem it. Returns how long that took.
fn refuse(host: &mut Host) -> Duration {
    let before = host.now;
    respond(host, RedeemResult::Refused);
    assert_eq!((host.in_flight, host.end.as_ref()), (InFlight::Nothing, None), "one 400 decides nothing");
    while host.end.is_none() && host.in_flight != InFlight::SavePartial {
        fire_timer(host);
        respond(host, RedeemResult::Refused);
    }
    host.now.duration_since(before)
}

#[test]
fn refusals_end_a_visit_only_after_seconds_and_later_if_its_avatar_is_being_made() {
    let second = Duration::from_secs(1);
    for (status, expected) in [
        (None, 5 * second),
        (Some(CompletionStatus::NoAssociatedAvatar), 5 * second),
        (Some(CompletionStatus::Failed), 5 * second),
        (Some(CompletionStatus::InQueue), 30 * second),
        (Some(CompletionStatus::Processing), 30 * second),
    ] {
        let mut host = host_with_redeem_in_flight();
        if let Some(status) = status.clone() {
            respond(&mut host, RedeemResult::NotReady(progress(status, None, None)));
            fire_timer(&mut host);
        }
        let redeems = host.redeems;
        assert_eq!(refuse(&mut host), expected, "{status:?}");
        assert!(host.redeems - redeems <= 6, "{status:?}: {} redeems", host.redeems - redeems);
        assert!(matches!(host.end.map(|end| end.exit_code()), Some(4 | 5)), "{status:?}");
    }
}

/// A gateway may ask for an hour, and be back after a second.
#[test]
fn a_long_pause_that_a_failing_server_asks_for_takes_a_third_of_the_patience() {
    let pause = |kind, seconds| {
        let mut host = host_with_redeem_in_flight();
        let failure = VisitStepFailure { retry_after: Some(Duration::from_secs(seconds)), ..failure(kind) };
        respond(&mut host, RedeemResult::Failed(failure));
        host.wait.expect("it polls again").duration_since(host.now)
    };
    for kind in [VisitStepFailureKind::BackendFailing, VisitStepFailureKind::Gate] {
        assert!(pause(kind, 3600) <= PATIENCE / 2, "{kind:?}");
        assert!(pause(kind, 3600) >= PATIENCE / 3, "{kind:?}");
        assert!(pause(kind, 10) >= Duration::from_secs(10), "a short one is kept");
    }
    assert!(pause(VisitStepFailureKind::Busy, 100) >= Duration::from_secs(100), "a rate limit is kept");
}

#[test]
fn an_outage_that_refuses_everything_for_some_seconds_ends_no_visit_whose_avatar_is_being_made() {
    let refuse_credentials = || RedeemResult::Failed(failure(VisitStepFailureKind::CredentialsRefused));
    let unreadable = || RedeemResult::Failed(failure(VisitStepFailureKind::ProtocolViolation));
    for result in [RedeemResult::Refused, refuse_credentials(), unreadable()] {
        let mut host = host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::NotReady(progress(CompletionStatus::Processing, Some(40), None)));
        fire_timer(&mut host);
        let outage_ends = host.now + Duration::from_secs(20);
        while host.now < outage_ends {
            respond(&mut host, result.clone());
            assert_eq!(host.end, None, "{result:?}");
            fire_timer(&mut host);
        }
        respond(&mut host, RedeemResult::Delivered(delivery()));
        assert_eq!(host.in_flight, InFlight::Save, "{result:?}");
    }
}

/// The journal would erase its token.
#[test]
fn a_visit_that_ends_between_two_refusals_is_not_reported_as_a_broken_protocol() {
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::NotReady(progress(CompletionStatus::Processing, Some(40), None)));
    fire_timer(&mut host);
    respond(&mut host, RedeemResult::Failed(failure(VisitStepFailureKind::ProtocolViolation)));
    for _ in 0..2 {
        fire_timer(&mut host);
        respond(&mut host, RedeemResult::Refused);
    }
    assert_eq!(host.end, None);
    host.now = plan().give_up_at;
    host.feed(MachineEvent::TimerFired);
    assert_eq!(host.end.map(|end| end.exit_code()), Some(10));
}

#[test]
fn credentials_that_were_never_right_end_the_visit_at_once() {
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::Failed(failure(VisitStepFailureKind::CredentialsRefused)));
    assert_eq!(host.end.map(|end| end.exit_code()), Some(3));
}

#[test]
fn credentials_and_answers_that_stay_wrong_end_the_visit_within_its_patience() {
    for (kind, exit) in [(VisitStepFailureKind::CredentialsRefused, 3), (VisitStepFailureKind::ProtocolViolation, 9)] {
        let mut host = host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::NotReady(progress(CompletionStatus::Processing, Some(40), None)));
        fire_timer(&mut host);
        let since = host.now;
        respond(&mut host, RedeemResult::Failed(failure(kind)));
        while host.end.is_none() {
            fire_timer(&mut host);
            respond(&mut host, RedeemResult::Failed(failure(kind)));
        }
        assert_eq!(host.end.as_ref().map(Outcome::exit_code), Some(exit));
        assert!(host.now.duration_since(since) < PATIENCE, "{:?}", host.now.duration_since(since));
    }
}

#[test]
fn a_single_400_is_confirmed_before_the_token_is_given_up() {
    let mut host = host_with_redeem_in_flight();
    let before = host.now;
    respond(&mut host, RedeemResult::Refused);
    assert_eq!(host.end, None);
    fire_timer(&mut host);
    assert_eq!((host.now.duration_since(before), host.in_flight), (Duration::from_secs(1), InFlight::Redeem));
    respond(&mut host, RedeemResult::NotReady(progress(CompletionStatus::Processing, Some(40), None)));
    fire_timer(&mut host);
    // A usable response in between: the next 400 is a first one again.
    refuse(&mut host);
    assert_eq!(host.end, Some(Outcome::TokenRefused { was_active: true }));

    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::Refused);
    fire_timer(&mut host);
    respond(&mut host, RedeemResult::Delivered(delivery()));
    assert_eq!(host.in_flight, InFlight::Save);

    for (event, exit) in
        [(MachineEvent::Interrupted, 130), (MachineEvent::VisitorLeft, 130), (MachineEvent::TimerFired, 8)]
    {
        for leaves_first in [false, true] {
            let mut host = host_with_redeem_in_flight();
            if leaves_first {
                host.now = plan().give_up_at;
                host.feed(event.clone());
                respond(&mut host, RedeemResult::Refused);
            } else {
                respond(&mut host, RedeemResult::Refused);
                host.now = plan().give_up_at;
                host.feed(event.clone());
            }
            assert_eq!(host.end.map(|end| end.exit_code()), Some(exit), "{event:?} keeps the token");
        }
    }
}

/// The response may contain a token, which is billed and which only this response names.
#[test]
fn a_visit_left_while_its_token_is_requested_awaits_the_response() {
    for leave in [MachineEvent::VisitorLeft, MachineEvent::Interrupted] {
        let answers = [
            (MachineEvent::TokenIssued(token()), "inviting"),
            (MachineEvent::IssueFailed(failure(VisitStepFailureKind::Unanswered)), "issuing"),
            (MachineEvent::LoginFailed(failure(VisitStepFailureKind::NeverSent)), "issuing"),
            (MachineEvent::TimerFired, "issuing"),
        ];
        for (answer, phase) in answers {
            let mut host = Host::new();
            host.feed(leave.clone());
            assert_eq!((host.end.as_ref(), host.in_flight), (None, InFlight::Issue), "the request is awaited");
            if answer == MachineEvent::TimerFired {
                host.now = plan().give_up_at;
            }
            host.feed(answer.clone());
            assert_eq!(host.end, Some(Outcome::Interrupted), "{answer:?}");
            let ended_in = host.visit.end_state_if_ended().map(|end| end.ended_in.as_str());
            assert_eq!(ended_in, Some(phase), "{answer:?}: the token is kept");
        }
    }
}

#[test]
fn a_whole_visit() {
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::NotReady(progress(CompletionStatus::InQueue, Some(0), Some(2))));
    fire_timer(&mut host);
    respond(&mut host, RedeemResult::Delivered(delivery()));
    assert_eq!(host.in_flight, InFlight::Save);
    host.feed(MachineEvent::Saved);
    assert_eq!(host.end, Some(Outcome::Saved));
    assert_eq!(host.visit.end_state_if_ended().map(|end| end.ended_in.as_str()), Some("saved"));
}

#[test]
fn a_status_is_sent_only_on_change() {
    let mut host = host_with_redeem_in_flight();
    for _ in 0..3 {
        respond(&mut host, RedeemResult::NotReady(Progress::progress_without_avatar()));
        fire_timer(&mut host);
    }
    let status_count = host.notices.iter().filter(|n| matches!(n, VisitNotice::Status { .. })).count();
    assert_eq!(status_count, 1);
}

#[test]
fn the_meaning_of_a_400_depends_on_earlier_responses() {
    let cases: Vec<(Vec<RedeemResult>, &str, u8)> = vec![
        (vec![], "token_refused", 4),
        (vec![RedeemResult::NotReady(Progress::progress_without_avatar())], "token_expired", 4),
        (vec![RedeemResult::NotReady(progress(CompletionStatus::Failed, Some(9), None))], "avatar_failed", 5),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::Unanswered))], "possibly_consumed", 10),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::BackendFailing))], "possibly_consumed", 10),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::Gate))], "possibly_consumed", 10),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::NoApi))], "possibly_consumed", 10),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::GateNotPassed))], "token_refused", 4),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::Busy))], "token_refused", 4),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::ProtocolViolation))], "possibly_consumed", 10),
        (vec![RedeemResult::Failed(failure(VisitStepFailureKind::NeverSent))], "token_refused", 4),
        // The lost redeem may reach the backend after the one that was answered.
        (
            vec![
                RedeemResult::Failed(failure(VisitStepFailureKind::BackendFailing)),
                RedeemResult::NotReady(Progress::progress_without_avatar()),
            ],
            "possibly_consumed",
            10,
        ),
        (
            vec![
                RedeemResult::Failed(failure(VisitStepFailureKind::Unanswered)),
                RedeemResult::NotReady(progress(CompletionStatus::Failed, Some(9), None)),
            ],
            "possibly_consumed",
            10,
        ),
        (
            vec![
                RedeemResult::Failed(failure(VisitStepFailureKind::NeverSent)),
                RedeemResult::NotReady(Progress::progress_without_avatar()),
            ],
            "token_expired",
            4,
        ),
    ];
    for (before, code, exit) in cases {
        let mut host = host_with_redeem_in_flight();
        for result in before.clone() {
            respond(&mut host, result);
            fire_timer(&mut host);
        }
        refuse(&mut host);
        let end = host.end.expect("ended");
        assert_eq!((end.error_code(), end.exit_code()), (code, exit), "{before:?}");
    }
}

#[test]
fn a_failed_avatar_does_not_end_the_visit_by_itself() {
    let failed = progress(CompletionStatus::Failed, Some(40), None);
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::NotReady(failed.clone()));
    fire_timer(&mut host);
    respond(&mut host, RedeemResult::NotReady(progress(CompletionStatus::InQueue, Some(0), Some(1))));
    assert_eq!(host.end, None);
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::NotReady(failed));
    host.now = plan().give_up_at;
    host.feed(MachineEvent::TimerFired);
    assert_eq!(host.end.map(|end| end.exit_code()), Some(5));
}

#[test]
fn a_redeem_in_flight_is_awaited_before_the_visit_ends() {
    for leave in [MachineEvent::Interrupted, MachineEvent::TimerFired] {
        let mut host = host_with_redeem_in_flight();
        host.now = plan().give_up_at;
        host.feed(leave.clone());
        assert_eq!(host.end, None, "{leave:?} waits for the response");
        respond(&mut host, RedeemResult::Delivered(delivery()));
        let expected = if leave == MachineEvent::TimerFired { None } else { Some(130) };
        assert_eq!(host.end.map(|end| end.exit_code()), expected);
    }
    let mut host = host_with_redeem_in_flight();
    host.feed(MachineEvent::Interrupted);
    fire_timer(&mut host);
    assert_eq!(host.end, None, "no timer drops a redeem that was sent");
    respond(&mut host, RedeemResult::Failed(failure(VisitStepFailureKind::Unanswered)));
    assert_eq!(host.end.map(|end| end.exit_code()), Some(130));
}

#[test]
fn an_avatar_on_its_way_is_saved_without_its_visitor() {
    let making = progress(CompletionStatus::Processing, Some(40), None);
    let failed = progress(CompletionStatus::Failed, Some(40), None);
    // The response of the redeem in flight decides, not the earlier status.
    for (result, continues) in [
        (RedeemResult::Delivered(delivery()), true),
        (RedeemResult::NotReady(making.clone()), true),
        (RedeemResult::NotReady(failed.clone()), false),
        (RedeemResult::NotReady(Progress::progress_without_avatar()), false),
        (RedeemResult::Failed(failure(VisitStepFailureKind::NeverSent)), false),
    ] {
        let mut host = host_with_redeem_in_flight();
        host.feed(MachineEvent::VisitorLeft);
        assert_eq!(host.end, None, "the response is awaited");
        respond(&mut host, result.clone());
        assert_eq!(host.end.is_none(), continues, "{result:?}");
    }
    // Between two redeems, the last status decides.
    for (last, continues) in [(making, true), (failed, false), (Progress::progress_without_avatar(), false)] {
        let mut host = host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::NotReady(last.clone()));
        host.feed(MachineEvent::VisitorLeft);
        assert_eq!(host.end.is_none(), continues, "{last:?}");
    }
    let mut host = host_with_redeem_in_flight();
    respond(&mut host, RedeemResult::Delivered(delivery()));
    host.feed(MachineEvent::VisitorLeft);
    host.feed(MachineEvent::Saved);
    assert_eq!(host.end, Some(Outcome::Saved));
}

#[test]
fn an_interruption_ends_a_visit_whose_visitor_left() {
    let mut host = host_with_redeem_in_flight();
    host.feed(MachineEvent::VisitorLeft);
    host.feed(MachineEvent::Interrupted);
    respond(&mut host, RedeemResult::Delivered(delivery()));
    assert_eq!(host.end, Some(Outcome::Interrupted));
    let mut host = host_with_redeem_in_flight();
    host.feed(MachineEvent::VisitorLeft);
    fire_timer(&mut host);
    assert_eq!(host.end, None, "no timer drops a redeem that was sent");
}

#[test]
fn patience_runs_out_after_failures_in_a_row_only() {
    let mut host = host_with_redeem_in_flight();
    while host.end.is_none() {
        respond(&mut host, RedeemResult::Failed(failure(VisitStepFailureKind::NeverSent)));
        if host.end.is_none() {
            fire_timer(&mut host);
        }
    }
    assert_eq!(host.end.map(|end| end.exit_code()), Some(6));
    assert!(host.now.duration_since(MillisSinceOrigin::default()) < PATIENCE + Duration::from_secs(70));
}

#[test]
fn a_visit_whose_visitor_left_ends_when_the_avatar_fails() {
    let making = progress(CompletionStatus::Processing, Some(40), None);
    let failed = progress(CompletionStatus::Failed, Some(40), None);
    for leaves_during_redeem in [false, true] {
        let mut host = host_with_redeem_in_flight();
        respond(&mut host, RedeemResult::NotReady(making.clone()));
        if leaves_during_redeem {
            fire_timer(&mut host);
            host.feed(MachineEvent::VisitorLeft);
        } else {
            host.feed(MachineEvent::VisitorLeft);
            fire_timer(&mut host);
        }
        respond(&mut host, RedeemResult::Failed(failure(VisitStepFailureKind::Busy)));
        assert_eq!(host.end, None, "the avatar is on its way");
        fire_timer(&mut host);
        respond(&mut host, RedeemResult::NotReady(failed.clone()));
        assert_eq!(host.end, Some(Outcome::Interrupted), "no visitor is there to try again");
    }
}
