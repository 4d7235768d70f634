//! A visit restored from the journal continues as the live visit would have.

use super::world::{Host, InFlight, delivery, failure, partial, plan, progress, token};
use copresence_protocol::{CompletionStatus, Progress};
use copresence_visit::{
    EarlierRedeem, JournaledVisit, MachineEvent, Outcome, PartialDelivery, RedeemResult, StoredDelivery,
    Visit, VisitFailureKind, VisitPlan,
};
use proptest::prelude::*;

fn past(redeems: Vec<EarlierRedeem>) -> JournaledVisit {
    JournaledVisit { was_issued: true, token: Some(token()), redeems, ..JournaledVisit::default() }
}

fn recover(past: JournaledVisit, token_is_too_old: bool) -> Host {
    let has_partial =
        matches!(past.response, Some(StoredDelivery::Partial(_) | StoredDelivery::UsedPartial(_)));
    Host::restored(Visit::restore_visit(VisitPlan::plan_for_recovery(token_is_too_old), past), has_partial)
}

fn end_of(past: JournaledVisit, result: RedeemResult) -> Outcome {
    let mut host = recover(past, false);
    assert_eq!(host.in_flight, InFlight::Redeem);
    host.feed(MachineEvent::Redeemed(result));
    host.end.expect("one redeem decides")
}

fn active(status: CompletionStatus, redeems: Vec<EarlierRedeem>) -> JournaledVisit {
    JournaledVisit { progress: Some(progress(status, None, None)), ..past(redeems) }
}

#[test]
fn a_400_means_what_the_journal_has_seen_before_it() {
    let lost = || EarlierRedeem::NotReceived("reset".into());
    let garbage = || EarlierRedeem::Unreadable(None);
    let cases = [
        (past(vec![]), "token_refused"),
        (past(vec![EarlierRedeem::Inconclusive]), "token_refused"),
        (past(vec![EarlierRedeem::Active]), "token_expired"),
        (active(CompletionStatus::Processing, vec![EarlierRedeem::Active]), "token_expired"),
        (active(CompletionStatus::Failed, vec![EarlierRedeem::Active]), "avatar_failed"),
        (past(vec![lost()]), "possibly_consumed"),
        (past(vec![lost(), garbage()]), "possibly_consumed"),
        (past(vec![garbage(), lost()]), "possibly_consumed"),
        (past(vec![lost(), EarlierRedeem::Inconclusive]), "possibly_consumed"),
        (past(vec![garbage(), EarlierRedeem::Inconclusive]), "protocol_broken"),
        (past(vec![lost(), EarlierRedeem::Active]), "token_expired"),
        (active(CompletionStatus::Failed, vec![EarlierRedeem::Active, lost()]), "possibly_consumed"),
    ];
    for (past, code) in cases {
        assert_eq!(end_of(past.clone(), RedeemResult::Refused).code(), code, "{past:?}");
    }
}

#[test]
fn one_response_that_does_not_decide_leaves_the_token_for_later() {
    for (kind, exit) in [
        (VisitFailureKind::NeverSent, 6),
        (VisitFailureKind::Unanswered, 6),
        (VisitFailureKind::Busy, 6),
        (VisitFailureKind::ProtocolViolation, 6),
        (VisitFailureKind::CredentialsRefused, 3),
        (VisitFailureKind::Storage, 2),
        (VisitFailureKind::DiskFull, 2),
    ] {
        assert_eq!(end_of(past(vec![]), RedeemResult::Failed(failure(kind))).exit_code(), exit, "{kind:?}");
        let truncated = RedeemResult::Truncated(failure(kind), partial());
        assert_eq!(end_of(past(vec![]), truncated).exit_code(), exit, "{kind:?}");
    }
    let processing = progress(CompletionStatus::Processing, Some(4), None);
    let mut host = recover(past(vec![]), true);
    host.feed(MachineEvent::Redeemed(RedeemResult::NotReady(processing.clone())));
    assert_eq!(host.end, Some(Outcome::Interrupted));
    let end = host.visit.end_state().expect("ended");
    assert_eq!((end.ended_in.as_str(), &end.progress), ("making", &Some(processing)));
}

#[test]
fn a_token_that_is_too_old_is_abandoned() {
    let lost = vec![EarlierRedeem::NotReceived("reset".into())];
    for (redeems, result, exit) in [
        (vec![], RedeemResult::Failed(failure(VisitFailureKind::NeverSent)), 4),
        (vec![], RedeemResult::Failed(failure(VisitFailureKind::GatewayLostAnswer)), 10),
        (lost.clone(), RedeemResult::Failed(failure(VisitFailureKind::BackendFailing)), 10),
        (lost, RedeemResult::NotReady(Progress::progress_without_avatar()), 4),
        (vec![], RedeemResult::NotReady(Progress::progress_without_avatar()), 4),
        (vec![], RedeemResult::Failed(failure(VisitFailureKind::DiskFull)), 2),
    ] {
        let mut host = recover(past(redeems), true);
        host.feed(MachineEvent::Redeemed(result.clone()));
        assert_eq!(host.end.map(|end| end.exit_code()), Some(exit), "{result:?}");
    }
}

#[test]
fn a_response_on_disk_is_saved_without_a_redeem() {
    let stored = |response| JournaledVisit { response: Some(response), ..past(vec![]) };
    let mut host = recover(stored(StoredDelivery::Delivery(delivery())), false);
    assert_eq!((host.in_flight, host.redeems), (InFlight::Save, 0));
    host.feed(MachineEvent::Saved);
    assert_eq!(host.end, Some(Outcome::Saved));

    let lost = JournaledVisit {
        redeems: vec![EarlierRedeem::NotReceived("cut".into())],
        ..JournaledVisit::default()
    };
    let used = JournaledVisit { response: Some(StoredDelivery::UsedPartial(delivery())), ..lost };
    let mut host = recover(used, false);
    assert_eq!((host.in_flight, host.redeems), (InFlight::SavePartial, 0));
    host.feed(MachineEvent::NothingSaved("410".into()));
    assert_eq!(host.end.map(|end| end.exit_code()), Some(10));
}

#[test]
fn a_partial_delivery_on_disk_waits_for_the_next_response() {
    let partial = || JournaledVisit {
        response: Some(StoredDelivery::Partial(PartialDelivery { redeem: 3, delivery: delivery() })),
        ..past(vec![EarlierRedeem::NotReceived("cut".into())])
    };
    let mut host = recover(partial(), false);
    host.feed(MachineEvent::Redeemed(RedeemResult::Refused));
    assert_eq!(host.in_flight, InFlight::SavePartial);
    host.feed(MachineEvent::SavedInPart("more may have been named".into()));
    assert_eq!(host.end.map(|end| end.exit_code()), Some(7));

    let mut host = recover(partial(), false);
    host.feed(MachineEvent::Redeemed(RedeemResult::Delivered(delivery())));
    assert_eq!(host.in_flight, InFlight::Save);
}

#[test]
fn nothing_is_asked_without_a_token() {
    for (was_issued, was_associated, state) in
        [(false, false, "issuing"), (true, false, "inviting"), (true, true, "making")]
    {
        let past = JournaledVisit { was_issued, was_associated, ..JournaledVisit::default() };
        let host = recover(past, false);
        assert_eq!((host.end.as_ref(), host.redeems), (Some(&Outcome::Interrupted), 0));
        assert_eq!(host.visit.end_state().map(|end| end.ended_in.as_str()), Some(state));
    }
}

/// What the journal keeps of a response.
fn journalled(result: &RedeemResult) -> EarlierRedeem {
    match result {
        RedeemResult::NotReady(_) => EarlierRedeem::Active,
        RedeemResult::Failed(failure) => match failure.kind {
            VisitFailureKind::Unanswered | VisitFailureKind::GatewayLostAnswer => {
                EarlierRedeem::NotReceived(failure.detail.clone())
            }
            VisitFailureKind::ProtocolViolation => EarlierRedeem::Unreadable(Some(failure.detail.clone())),
            _ => EarlierRedeem::Inconclusive,
        },
        RedeemResult::Refused | RedeemResult::Delivered(_) | RedeemResult::Truncated(..) => {
            EarlierRedeem::Inconclusive
        }
    }
}

fn undecided() -> impl Strategy<Value = RedeemResult> {
    let kinds = vec![
        VisitFailureKind::NeverSent,
        VisitFailureKind::Unanswered,
        VisitFailureKind::Busy,
        VisitFailureKind::BackendFailing,
        VisitFailureKind::GatewayLostAnswer,
        VisitFailureKind::ProtocolViolation,
    ];
    prop_oneof![
        super::story::any_progress().prop_map(RedeemResult::NotReady),
        prop::sample::select(kinds).prop_map(|kind| RedeemResult::Failed(failure(kind))),
    ]
}

proptest! {
    #[test]
    fn a_restart_does_not_change_what_a_400_means(before in prop::collection::vec(undecided(), 0..8)) {
        let mut host = Host::new();
        host.feed(MachineEvent::TokenIssued(token()));
        let mut past = past(Vec::new());
        for result in &before {
            host.now = host.wait.expect("a timer is set");
            host.feed(MachineEvent::TimerFired);
            host.feed(MachineEvent::Redeemed(result.clone()));
            if let RedeemResult::NotReady(progress) = result {
                past.progress = Some(progress.clone());
            }
            past.redeems.push(journalled(result));
            // Three unreadable responses in a row end the live visit, and patience may run out.
            prop_assume!(host.end.is_none());
        }
        host.now = host.wait.expect("a timer is set");
        prop_assume!(host.now < plan().give_up_at);
        host.feed(MachineEvent::TimerFired);
        host.feed(MachineEvent::Redeemed(RedeemResult::Refused));
        let live = host.end.expect("a 400 ends the visit");
        prop_assert_eq!(end_of(past, RedeemResult::Refused), live);
    }
}
