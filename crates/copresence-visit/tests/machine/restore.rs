//! A visit restored from the journal continues as the live visit would have.

use super::host::{Host, InFlight, PATIENCE, delivery, failure, partial, progress, token};
use copresence_protocol::{CompletionStatus, MAX_REDEEM_DELAY, Progress};
use copresence_visit::{
    EarlierRedeemResult, JournaledRedeem, JournaledVisit, MachineEvent, MillisSinceOrigin, Outcome, RedeemResult,
    StoredResponseWithFiles, TruncatedResponseFiles, Visit, VisitPollingPlan, VisitStepFailureKind,
};
use proptest::prelude::*;
use std::time::Duration;

/// Time between two redeems of a journalled visit. No redeem of such a visit can be processed when the next is sent.
const LONG_AGO: Duration = Duration::from_hours(1);

/// The redeems of a journal, with [`LONG_AGO`] between two of them and after the last.
fn spread_redeems(results: Vec<EarlierRedeemResult>) -> Vec<JournaledRedeem> {
    let count = u32::try_from(results.len()).expect("few");
    let ago = |index: u32| LONG_AGO * (count - index);
    let redeem = |(index, result)| JournaledRedeem { result, sent_ago: ago(index), ended_ago: ago(index) };
    (0..count).zip(results).map(redeem).collect()
}

fn past_visit(redeems: Vec<EarlierRedeemResult>) -> JournaledVisit {
    let redeems = spread_redeems(redeems);
    JournaledVisit { was_issued: true, token: Some(token()), redeems, ..JournaledVisit::default() }
}

fn recover_host(past: JournaledVisit, token_is_too_old: bool) -> Host {
    let has_partial = matches!(
        past.response,
        Some(StoredResponseWithFiles::Partial { .. } | StoredResponseWithFiles::UsedPartial(_))
    );
    let plan = VisitPollingPlan::plan_single_redeem_for_recovery(token_is_too_old, PATIENCE);
    Host::from_restored(Visit::restore_visit(plan, past, MillisSinceOrigin::default()), has_partial)
}

fn end_after_redeem(past: JournaledVisit, result: &RedeemResult) -> Outcome {
    let mut host = recover_host(past, false);
    assert_eq!(host.in_flight, InFlight::Redeem);
    respond_confirming_refusal(&mut host, result);
    host.end.expect("one redeem decides")
}

/// Responds to the redeem in flight, and to the redeems that confirm a 400.
fn respond_confirming_refusal(host: &mut Host, result: &RedeemResult) {
    host.feed(MachineEvent::Redeemed(result.clone()));
    if *result == RedeemResult::Refused {
        assert_eq!(host.end, None, "one 400 decides nothing");
        while host.end.is_none() && host.in_flight == InFlight::Nothing {
            host.now = host.wait.expect("a timer is set");
            host.feed(MachineEvent::TimerFired);
            host.feed(MachineEvent::Redeemed(RedeemResult::Refused));
        }
    }
}

fn visit_with_status(status: CompletionStatus, redeems: Vec<EarlierRedeemResult>) -> JournaledVisit {
    JournaledVisit { progress: Some(progress(status, None, None)), ..past_visit(redeems) }
}

#[test]
fn the_meaning_of_a_400_depends_on_the_journal() {
    let lost = || EarlierRedeemResult::NotReceived("reset".into());
    let garbage = || EarlierRedeemResult::Unreadable(None);
    let cases = [
        (past_visit(vec![]), "token_refused"),
        (past_visit(vec![EarlierRedeemResult::Inconclusive]), "token_refused"),
        (past_visit(vec![EarlierRedeemResult::Active]), "token_expired"),
        (visit_with_status(CompletionStatus::Processing, vec![EarlierRedeemResult::Active]), "token_expired"),
        (visit_with_status(CompletionStatus::Failed, vec![EarlierRedeemResult::Active]), "avatar_failed"),
        (past_visit(vec![lost()]), "possibly_consumed"),
        (past_visit(vec![lost(), garbage()]), "possibly_consumed"),
        (past_visit(vec![garbage(), lost()]), "possibly_consumed"),
        (past_visit(vec![lost(), EarlierRedeemResult::Inconclusive]), "possibly_consumed"),
        (past_visit(vec![garbage(), EarlierRedeemResult::Inconclusive]), "possibly_consumed"),
        (past_visit(vec![lost(), EarlierRedeemResult::Active]), "token_expired"),
        (visit_with_status(CompletionStatus::Failed, vec![EarlierRedeemResult::Active, lost()]), "possibly_consumed"),
    ];
    for (past, code) in cases {
        assert_eq!(end_after_redeem(past.clone(), &RedeemResult::Refused).error_code(), code, "{past:?}");
    }
}

#[test]
fn not_ready_in_the_journal_settles_a_lost_answer_only_when_its_redeem_cannot_be_processed_any_more() {
    let (minute, second) = (Duration::from_mins(1), Duration::from_secs(1));
    let redeem = |result, sent_ago, ended_ago| JournaledRedeem { result, sent_ago, ended_ago };
    let lost = || EarlierRedeemResult::NotReceived("reset".into());
    for (between, code) in [
        (second, "possibly_consumed"),
        (MAX_REDEEM_DELAY.saturating_sub(second), "possibly_consumed"),
        (MAX_REDEEM_DELAY, "token_expired"),
    ] {
        let active = redeem(EarlierRedeemResult::Active, minute, Duration::ZERO);
        let past = JournaledVisit {
            redeems: vec![redeem(lost(), between + 2 * minute, between + minute), active],
            ..past_visit(Vec::new())
        };
        let end = end_after_redeem(past, &RedeemResult::Refused);
        assert_eq!(end.error_code(), code, "{between:?}");
    }
}

#[test]
fn not_ready_after_a_restart_settles_an_older_lost_answer_only() {
    for (ended_ago, exit) in [(Duration::ZERO, 10), (MAX_REDEEM_DELAY, 4)] {
        let result = EarlierRedeemResult::NotReceived("reset".into());
        let lost = JournaledRedeem { result, sent_ago: ended_ago, ended_ago };
        let mut host = recover_host(JournaledVisit { redeems: vec![lost], ..past_visit(Vec::new()) }, true);
        // Too old to be kept: what is known of it decides.
        host.feed(MachineEvent::Redeemed(RedeemResult::NotReady(Progress::progress_without_avatar())));
        assert_eq!(host.end.map(|end| end.exit_code()), Some(exit), "{ended_ago:?}");
    }
}

#[test]
fn a_400_of_an_earlier_run_is_confirmed_by_one_more() {
    for (redeems, decides) in [
        (vec![EarlierRedeemResult::Refused], true),
        (vec![EarlierRedeemResult::Refused, EarlierRedeemResult::Inconclusive], true),
        (vec![EarlierRedeemResult::Refused, EarlierRedeemResult::Active], false),
    ] {
        let mut host = recover_host(past_visit(redeems.clone()), false);
        host.feed(MachineEvent::Redeemed(RedeemResult::Refused));
        assert_eq!(host.end.is_some(), decides, "{redeems:?}");
    }
}

#[test]
fn one_response_that_does_not_decide_leaves_the_token_for_later() {
    for (kind, exit) in [
        (VisitStepFailureKind::NeverSent, 6),
        (VisitStepFailureKind::Unanswered, 6),
        (VisitStepFailureKind::Busy, 6),
        (VisitStepFailureKind::Gate, 6),
        (VisitStepFailureKind::GateNotPassed, 6),
        (VisitStepFailureKind::NoApi, 2),
        (VisitStepFailureKind::ProtocolViolation, 6),
        (VisitStepFailureKind::CredentialsRefused, 3),
        (VisitStepFailureKind::Storage, 2),
        (VisitStepFailureKind::DiskFull, 2),
    ] {
        assert_eq!(
            end_after_redeem(past_visit(vec![]), &RedeemResult::Failed(failure(kind))).exit_code(),
            exit,
            "{kind:?}"
        );
        let mut host = recover_host(past_visit(vec![]), false);
        host.feed(MachineEvent::Redeemed(RedeemResult::Truncated(
            failure(VisitStepFailureKind::Unanswered),
            partial(),
        )));
        host.now = host.wait.expect("a further redeem shows whether these files are all there is");
        host.feed(MachineEvent::TimerFired);
        host.feed(MachineEvent::Redeemed(RedeemResult::Failed(failure(kind))));
        assert_eq!(host.end.map(|end| end.exit_code()), Some(exit), "{kind:?}: its files are kept as well");
    }
    let processing = progress(CompletionStatus::Processing, Some(4), None);
    let mut host = recover_host(past_visit(vec![]), true);
    host.feed(MachineEvent::Redeemed(RedeemResult::NotReady(processing.clone())));
    assert_eq!(host.end, Some(Outcome::Interrupted));
    let end = host.visit.end_state_if_ended().expect("ended");
    assert_eq!((end.ended_in.as_str(), &end.progress), ("making", &Some(processing)));
}

#[test]
fn a_token_that_is_too_old_is_abandoned() {
    let lost = vec![EarlierRedeemResult::NotReceived("reset".into())];
    for (redeems, result, exit) in [
        (vec![], RedeemResult::Failed(failure(VisitStepFailureKind::NeverSent)), 4),
        (vec![], RedeemResult::Failed(failure(VisitStepFailureKind::BackendFailing)), 10),
        (vec![], RedeemResult::Failed(failure(VisitStepFailureKind::Gate)), 10),
        (vec![], RedeemResult::Failed(failure(VisitStepFailureKind::GateNotPassed)), 4),
        (lost.clone(), RedeemResult::Failed(failure(VisitStepFailureKind::BackendFailing)), 10),
        (lost, RedeemResult::NotReady(Progress::progress_without_avatar()), 4),
        (vec![], RedeemResult::NotReady(Progress::progress_without_avatar()), 4),
        (vec![], RedeemResult::Failed(failure(VisitStepFailureKind::DiskFull)), 2),
    ] {
        let mut host = recover_host(past_visit(redeems), true);
        host.feed(MachineEvent::Redeemed(result.clone()));
        assert_eq!(host.end.map(|end| end.exit_code()), Some(exit), "{result:?}");
    }
}

#[test]
fn a_token_that_is_too_old_ends_as_failed_if_its_avatar_failed() {
    let failed = || progress(CompletionStatus::Failed, None, None);
    let lost = vec![EarlierRedeemResult::NotReceived("reset".into())];
    let unreachable = || RedeemResult::Failed(failure(VisitStepFailureKind::NeverSent));
    for (redeems, result, exit) in [
        (vec![], unreachable(), 5),
        (vec![EarlierRedeemResult::Active, EarlierRedeemResult::Refused], unreachable(), 5),
        (vec![], RedeemResult::NotReady(failed()), 5),
        (lost, unreachable(), 10),
    ] {
        let mut host = recover_host(visit_with_status(CompletionStatus::Failed, redeems), true);
        host.feed(MachineEvent::Redeemed(result.clone()));
        assert_eq!(host.end.map(|end| end.exit_code()), Some(exit), "{result:?}");
    }
    let mut host = recover_host(past_visit(vec![]), true);
    host.feed(MachineEvent::Redeemed(RedeemResult::NotReady(failed())));
    assert_eq!(host.end, Some(Outcome::AvatarFailed));
}

#[test]
fn a_response_on_disk_is_saved_without_a_redeem() {
    let stored = |response| JournaledVisit { response: Some(response), ..past_visit(vec![]) };
    let mut host = recover_host(stored(StoredResponseWithFiles::Delivery(delivery())), false);
    assert_eq!((host.in_flight, host.redeems), (InFlight::Save, 0));
    host.feed(MachineEvent::Saved);
    assert_eq!(host.end, Some(Outcome::Saved));

    let lost = JournaledVisit {
        redeems: spread_redeems(vec![EarlierRedeemResult::NotReceived("cut".into())]),
        ..JournaledVisit::default()
    };
    let used = JournaledVisit { response: Some(StoredResponseWithFiles::UsedPartial(delivery())), ..lost };
    let mut host = recover_host(used, false);
    assert_eq!((host.in_flight, host.redeems), (InFlight::SavePartial, 0));
    host.feed(MachineEvent::NothingSaved("410".into()));
    assert_eq!(host.end.map(|end| end.exit_code()), Some(10));
}

#[test]
fn a_partial_delivery_on_disk_waits_for_the_next_response() {
    let partial = || JournaledVisit {
        response: Some(StoredResponseWithFiles::Partial {
            partial: TruncatedResponseFiles { redeem: 3, delivery: delivery() },
            ended_ago: Duration::ZERO,
        }),
        ..past_visit(vec![EarlierRedeemResult::NotReceived("cut".into())])
    };
    let mut host = recover_host(partial(), false);
    respond_confirming_refusal(&mut host, &RedeemResult::Refused);
    assert_eq!(host.in_flight, InFlight::SavePartial);
    host.feed(MachineEvent::SavedInPart("more may have been named".into()));
    assert_eq!(host.end.map(|end| end.exit_code()), Some(7));

    let mut host = recover_host(partial(), false);
    host.feed(MachineEvent::Redeemed(RedeemResult::Delivered(delivery())));
    assert_eq!(host.in_flight, InFlight::Save);
}

#[test]
fn nothing_is_requested_without_a_token() {
    for (was_issued, was_associated, state) in
        [(false, false, "issuing"), (true, false, "inviting"), (true, true, "making")]
    {
        let past = JournaledVisit { was_issued, was_associated, ..JournaledVisit::default() };
        let host = recover_host(past, false);
        assert_eq!((host.end.as_ref(), host.redeems), (Some(&Outcome::Interrupted), 0));
        assert_eq!(host.visit.end_state_if_ended().map(|end| end.ended_in.as_str()), Some(state));
    }
}

/// The journal entry of a response.
fn journal_entry_of(result: &RedeemResult) -> EarlierRedeemResult {
    match result {
        RedeemResult::NotReady(_) => EarlierRedeemResult::Active,
        RedeemResult::Failed(failure) => match failure.kind {
            VisitStepFailureKind::ProtocolViolation => EarlierRedeemResult::Unreadable(Some(failure.detail.clone())),
            kind if kind.may_have_spent_token() => EarlierRedeemResult::NotReceived(failure.detail.clone()),
            _ => EarlierRedeemResult::Inconclusive,
        },
        RedeemResult::Refused => EarlierRedeemResult::Refused,
        RedeemResult::Delivered(_) | RedeemResult::Truncated(..) => EarlierRedeemResult::Inconclusive,
    }
}

fn any_undecided_result() -> impl Strategy<Value = RedeemResult> {
    let kinds = vec![
        VisitStepFailureKind::NeverSent,
        VisitStepFailureKind::Unanswered,
        VisitStepFailureKind::Busy,
        VisitStepFailureKind::BackendFailing,
        VisitStepFailureKind::Gate,
        VisitStepFailureKind::GateNotPassed,
        VisitStepFailureKind::NoApi,
        VisitStepFailureKind::ProtocolViolation,
    ];
    prop_oneof![
        super::turns::any_progress().prop_map(RedeemResult::NotReady),
        prop::sample::select(kinds).prop_map(|kind| RedeemResult::Failed(failure(kind))),
    ]
}

proptest! {
    #[test]
    fn a_restart_does_not_change_what_a_400_means(
            before in prop::collection::vec((any_undecided_result(), 0_u64..1200), 0..8),
        ) {
        let mut host = Host::without_time_limit();
        host.feed(MachineEvent::TokenIssued(token()));
        let mut past = past_visit(Vec::new());
        let mut times = Vec::new();
        for (result, pause) in &before {
            // A machine that sleeps fires its timers late.
            host.now = host.wait.expect("a timer is set") + Duration::from_secs(*pause);
            host.feed(MachineEvent::TimerFired);
            host.feed(MachineEvent::Redeemed(result.clone()));
            if let RedeemResult::NotReady(progress) = result {
                past.progress = Some(progress.clone());
            }
            times.push((journal_entry_of(result), host.now));
            // Three unreadable responses in a row end the live visit, and patience may run out.
            prop_assume!(host.end.is_none());
        }
        while host.end.is_none() {
            host.now = host.wait.expect("a timer is set");
            host.feed(MachineEvent::TimerFired);
            host.feed(MachineEvent::Redeemed(RedeemResult::Refused));
        }
        let live = host.end.expect("a confirmed 400 ends the visit");
        past.redeems = times.into_iter().map(|(result, at)| {
            let ago = host.now.duration_since(at);
            JournaledRedeem { result, sent_ago: ago, ended_ago: ago }
        }).collect();
        prop_assert_eq!(end_after_redeem(past, &RedeemResult::Refused), live);
    }
}
