//! Which visits recovery tries, when it tries them again, and which it skips.

use super::backend::{Backend, Response};
use super::earlier_visits::{
    delivery_body, journal_issued_visit, journal_planned_visit, journal_unread_answer, now, recover_fixture_visits,
    serve_files,
};
use super::fixture::{Fixture, REDEEM_PATH, block_on};
use copresence_engine::clock::Clock;
use copresence_engine::recovery::{
    EarliestRecoveryTime, RecoveryOutcome, UnfinishedVisit, load_earliest_recovery_time, recover_all_visits,
    recover_visits_capping_total_redeems,
};
use copresence_store::VisitId;
use jiff::SignedDuration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn an_unreachable_backend_is_tried_for_one_visit_only() {
    let fixture =
        Fixture::new(|_, ask| if ask.path == REDEEM_PATH { Response::no_response() } else { serve_files(ask) }).await;
    journal_issued_visit(&fixture, false).await;
    journal_issued_visit(&fixture, false).await;
    let body = delivery_body(&fixture, true, &[("glb", "one")]);
    journal_unread_answer(&fixture, 200, &body).await;
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all.iter().map(|one| one.outcome.exit_code()).collect::<Vec<_>>(), [0, 6, 6], "{all:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1, "each would have to wait for its time-out");
    assert_eq!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").len(), 2);
}

/// Without a next time, a running kiosk would try again at once and for ever: the keychain is locked, or another profile is
/// in use.
#[tokio::test]
async fn a_visit_for_which_nothing_could_be_tried_is_due_minutes_later() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let id = journal_issued_visit(&fixture, false).await;
    let journal = &fixture.data_store.journal;
    let missed = now();
    journal.record_next_recovery_attempt(&id, 3, missed).await.expect("noted");
    let context = |_: &UnfinishedVisit| Err("the keychain is locked".to_owned());
    let stop = CancellationToken::new();
    let all = recover_visits_capping_total_redeems(&fixture.data_store, Clock::default(), &context, &|_| false, &stop);
    let all = all.await.expect("the journal reads");
    assert_eq!(all[0].outcome, RecoveryOutcome::Postponed { why: "the keychain is locked".into(), exit: 3 });
    let visit = journal.load_unfinished_visit(&id).await.expect("reads").expect("it is kept").visit;
    assert_eq!(visit.recovery_attempts, 3, "nothing was tried");
    let next = visit.recovery_next_attempt_at.expect("a time");
    assert!(next.duration_since(missed) >= SignedDuration::from_mins(5), "{next}");
    let earliest = load_earliest_recovery_time(&fixture.data_store, |_| false).await.expect("reads");
    assert_eq!(earliest, EarliestRecoveryTime::At(next));
}

/// Row "`recover` (also the start of a booth) before the network is up".
#[tokio::test]
async fn recovery_before_the_network_is_up_keeps_everything() {
    let port = test_port::ReservedPort::reserve_port().expect("a port").hand_over_to_child_process();
    let mut fixture = Fixture::new(|_, _| Response::status(400)).await;
    fixture.profile.limits.patience = std::time::Duration::from_millis(100);
    let export = serde_json::json!({"export_type": "glb", "download_URL": format!("http://{port}/files/one")});
    let body = serde_json::json!({"avatar_ready": true, "payload_complete": [export]}).to_string();
    journal_unread_answer(&fixture, 200, &body).await;
    let recover = async |fixture: &Fixture| {
        let context = |_: &UnfinishedVisit| Ok(fixture.visit_context().with_profile_recovery_limits(&fixture.profile));
        recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads").remove(0).outcome
    };
    let earliest = || async { load_earliest_recovery_time(&fixture.data_store, |_| false).await.expect("reads") };
    assert_eq!(earliest().await, EarliestRecoveryTime::Unknown, "due at once");
    let skipping = load_earliest_recovery_time(&fixture.data_store, |_| true).await.expect("reads");
    assert_eq!(skipping, EarliestRecoveryTime::NoneWaiting, "it runs");
    for _ in 0..3 {
        let RecoveryOutcome::Postponed { exit: 6, why } = recover(&fixture).await else { panic!("not now") };
        assert!(why.contains(&port.to_string()) && why.contains("refused"), "{why}");
    }
    let EarliestRecoveryTime::At(next) = earliest().await else { panic!("the next attempt is planned") };
    assert!(next > now());
    let skip_none = |_: &VisitId| false;
    let context = |_: &UnfinishedVisit| Ok(fixture.visit_context());
    let stop = CancellationToken::new();
    let due = recover_visits_capping_total_redeems(&fixture.data_store, Clock::default(), &context, &skip_none, &stop)
        .await
        .expect("reads");
    assert!(due.is_empty(), "automatic recovery waits: {due:?}");

    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("set");
    socket.bind(port.to_string().parse().expect("an address")).expect("bound");
    let server = Backend::start_on(socket.listen(16).expect("listens"), |_, ask| serve_files(ask));
    assert_eq!(recover(&fixture).await.exit_code(), 0);
    assert_eq!(server.count_requests("/files/one"), 1);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0);
    assert_eq!(earliest().await, EarliestRecoveryTime::NoneWaiting);
}

#[tokio::test]
async fn a_visit_whose_file_server_is_silent_does_not_keep_another_waiting() {
    let fixture = Fixture::new(|nth, ask| match nth {
        1 => Response::no_response(),
        _ => serve_files(ask),
    })
    .await;
    for _ in 0..2 {
        journal_planned_visit(&fixture, true).await;
    }
    let mut words = fixture.watch_event_names();
    tokio::select! {
        all = recover_fixture_visits(&fixture) => panic!("one file server is silent: {all:?}"),
        saved = words.wait_for(|words| words.contains(&"saved")) => { saved.expect("it lives"); }
    }
}

/// No visitor needs to come for its avatar to be saved.
#[tokio::test]
async fn a_kept_token_is_due_again() {
    let fixture = Fixture::new(|_, _| Response::status(503)).await;
    journal_issued_visit(&fixture, false).await;
    let earliest = || async { load_earliest_recovery_time(&fixture.data_store, |_| false).await.expect("reads") };
    assert_eq!(earliest().await, EarliestRecoveryTime::Unknown, "it ended just now");
    recover_fixture_visits(&fixture).await;
    assert!(matches!(earliest().await, EarliestRecoveryTime::At(next) if next > now()));
}

#[tokio::test]
async fn a_visit_that_another_program_finished_is_skipped() {
    let fixture = Fixture::new(|_, _| Response::not_ready("processing")).await;
    let other = journal_issued_visit(&fixture, false).await;
    journal_issued_visit(&fixture, false).await;
    let journal = fixture.data_store.journal.clone();
    let context = |unfinished: &UnfinishedVisit| {
        // While the newer one is recovered here, another program ends the older one.
        if unfinished.visit.start.id != other {
            let ending = copresence_store::VisitEnding {
                code: "saved".into(),
                exit: 0,
                message: String::new(),
                visit_state: "saved".into(),
                directory: None,
                at: now(),
            };
            block_on(journal.record_end_and_erase_secrets(&other, &ending)).expect("ended");
        }
        Ok(fixture.visit_context())
    };
    let all = recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads");
    assert_eq!(all.len(), 1, "{all:?}");
}

#[tokio::test]
async fn a_running_visit_is_skipped() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            Response::status(400).delayed_until(moment.lock().expect("no panic").take().expect("asked once"))
        }
        _ => Response::default(),
    })
    .await;
    let (visit, _) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests(REDEEM_PATH, 1).await;
    let all = recover_fixture_visits(&fixture).await;
    assert!(matches!(&all[..], [one] if one.outcome == RecoveryOutcome::InUse), "{all:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    visit.abort();
}
