//! A restart does not change what the next response means, and unfinished visits are recovered in bounded number.

use super::backend::Response;
use super::earlier_visits::{journal_issued_visit, now, recover_fixture_visits};
use super::fixture::{Fixture, REDEEM_PATH};
use copresence_engine::clock::Clock;
use copresence_engine::recovery::{
    MAX_REDEEMS_PER_RUN, RecoveryOutcome, UnfinishedVisit, recover_visit_even_if_not_due,
    recover_visits_capping_total_redeems,
};
use copresence_store::VisitId;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

/// The response to each redeem, counted from 1.
type ScriptedRedeems = fn(usize) -> Option<Response>;

/// Interrupts a visit after its `responses`, recovers it, and returns the exit code.
async fn exit_after_restart(responses: ScriptedRedeems, count: usize) -> u8 {
    let fixture = Fixture::new(move |nth, ask| match ask.path.as_str() {
        REDEEM_PATH => responses(nth).unwrap_or_else(|| Response::status(400)),
        _ => Response::default(),
    })
    .await;
    let mut words = fixture.watch_event_names();
    let (visit, interrupt) = fixture.spawn_visit().await;
    // `started`, `invited`, and one event for each response.
    words.wait_for(|words| words.len() >= 2 + count).await.expect("it lives");
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome.exit_code(), 130);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), count, "interrupted in time");
    recover_fixture_visits(&fixture).await.remove(0).outcome.exit_code()
}

#[tokio::test]
async fn a_lost_answer_then_an_unreadable_one_is_possibly_consumed_after_a_restart() {
    let responses = |nth| match nth {
        1 => Some(Response::no_response()),
        2 => Some(Response::json(&serde_json::json!({"maintenance": true}))),
        _ => None,
    };
    assert_eq!(exit_after_restart(responses, 2).await, 10);
}

#[tokio::test]
async fn a_lost_answer_then_not_ready_is_possibly_consumed_after_a_restart_too() {
    let responses = |nth| match nth {
        1 => Some(Response::no_response()),
        2 => Some(Response::not_ready("processing")),
        _ => None,
    };
    assert_eq!(exit_after_restart(responses, 2).await, 10);
}

#[tokio::test]
async fn a_failed_avatar_has_failed_after_a_restart_too() {
    let responses = |nth| (nth == 1).then(|| Response::not_ready("failed"));
    assert_eq!(exit_after_restart(responses, 1).await, 5);
}

#[tokio::test]
async fn an_unreadable_answer_and_then_400_is_possibly_consumed_after_a_restart_too() {
    let responses = |nth| (nth == 1).then(|| Response::status(418));
    assert_eq!(exit_after_restart(responses, 1).await, 10);
}

/// A page of something between the kiosk and the backend.
fn page() -> Response {
    Response::file(b"<html><title>Blocked</title></html>")
}

#[tokio::test]
async fn a_failure_that_may_have_spent_the_token_is_remembered_over_a_restart() {
    let cases: [(ScriptedRedeems, u8); 7] = [
        (|nth| (nth == 1).then(|| Response::status(500)), 10),
        (|nth| (nth == 1).then(|| Response::status(503)), 10),
        (|nth| (nth == 1).then(page), 10),
        (|nth| (nth == 1).then(|| page().with_status(403)), 10),
        (|nth| (nth == 1).then(|| page().with_status(511)), 4),
        (|nth| (nth == 1).then(|| Response::status(407)), 4),
        (|nth| (nth == 1).then(|| Response::status(429)), 4),
    ];
    for (number, (responses, exit)) in cases.into_iter().enumerate() {
        assert_eq!(exit_after_restart(responses, 1).await, exit, "case {number}");
    }
}

async fn due(fixture: &Fixture) -> usize {
    let find_context_for = |_: &UnfinishedVisit| Ok(fixture.visit_context());
    let skip = |_: &VisitId| false;
    let stop = CancellationToken::new();
    recover_visits_capping_total_redeems(&fixture.data_store, Clock::default(), &find_context_for, &skip, &stop)
        .await
        .expect("the journal reads")
        .len()
}

#[tokio::test]
async fn an_automatic_recovery_waits_before_it_redeems_a_token_again() {
    let fixture = Fixture::new(|_, _| Response::not_ready("no_associated_avatar")).await;
    let id = journal_issued_visit(&fixture, false).await;
    assert_eq!((due(&fixture).await, due(&fixture).await), (1, 0));
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    let next = fixture.only_visit().await.visit.recovery_next_attempt_at.expect("it waits");
    assert!(next > now() && next < now() + SignedDuration::from_mins(2), "{next}");
    // A person who asks for it does not wait.
    assert_eq!(recover_fixture_visits(&fixture).await.len(), 1);
    let find_context_for = |_: &UnfinishedVisit| Ok(fixture.visit_context());
    let one = recover_visit_even_if_not_due(&fixture.data_store, Clock::default(), &id, &find_context_for)
        .await
        .expect("reads");
    assert!(matches!(one.expect("unfinished").outcome, RecoveryOutcome::StillActive { .. }));
    assert_eq!(fixture.only_visit().await.visit.recovery_attempts, 3);
    let none =
        recover_visit_even_if_not_due(&fixture.data_store, Clock::default(), &VisitId::new(), &find_context_for).await;
    assert!(none.expect("reads").is_none());
}

#[tokio::test]
async fn an_automatic_recovery_redeems_few_tokens_and_the_newest_first() {
    let fixture = Fixture::new(|_, _| Response::not_ready("no_associated_avatar")).await;
    let mut ids = Vec::new();
    for _ in 0..MAX_REDEEMS_PER_RUN + 2 {
        ids.push(journal_issued_visit(&fixture, false).await);
    }
    assert_eq!(
        (due(&fixture).await, fixture.backend.count_requests(REDEEM_PATH)),
        (MAX_REDEEMS_PER_RUN, MAX_REDEEMS_PER_RUN)
    );
    let asked = |id| {
        let journal = fixture.data_store.journal.clone();
        async move { journal.load_detailed_visit_record(id).await.expect("reads").expect("known").redeems.len() }
    };
    assert_eq!((asked(&ids[0]).await, asked(&ids[1]).await, asked(&ids[2]).await), (0, 0, 1));
    assert_eq!((due(&fixture).await, due(&fixture).await), (2, 0));
    // Those that are to be forgotten are left alone.
    journal_issued_visit(&fixture, false).await;
    let (find_context_for, skip) = (|_: &UnfinishedVisit| Ok(fixture.visit_context()), |_: &VisitId| true);
    let (clock, stop) = (Clock::default(), CancellationToken::new());
    let all = recover_visits_capping_total_redeems(&fixture.data_store, clock, &find_context_for, &skip, &stop).await;
    assert!(all.expect("reads").is_empty());
}
