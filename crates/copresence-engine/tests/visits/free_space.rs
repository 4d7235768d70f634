//! Free space is checked before a token is requested, before it is redeemed, and before a file is downloaded.

use super::backend::{Response, glb, png};
use super::fixture::{Fixture, GENERATE_PATH, REDEEM_PATH, file_names};
use copresence_engine::Outcome;
use copresence_engine::events::EventKind;
use copresence_engine::recovery::{RecoveryOutcome, UnfinishedVisit, recover_all_visits};
use std::time::Duration;

/// More than any disk has.
const MORE_THAN_ANY_DISK: u64 = 1 << 62;

fn last_message(fixture: &Fixture) -> String {
    let Some(EventKind::Ended { code, message, .. }) = fixture.events().pop() else { panic!("ended") };
    assert_eq!(code, "disk_full");
    message
}

#[tokio::test]
async fn no_token_is_requested_without_free_space() {
    let fixture = Fixture::new(|_, _| Response::default()).await;
    let ended = fixture.run_visit_with_limits(|limits| limits.min_free_space = MORE_THAN_ANY_DISK).await;
    assert!(matches!(ended.outcome, Outcome::DiskFull(_)) && ended.outcome.exit_code() == 2, "{ended:?}");
    assert!(fixture.backend.requests().is_empty(), "a token is somebody's money");
    let words = last_message(&fixture);
    let out = fixture.out_dir().display().to_string();
    for word in ["disk full: needs", " MiB, has ", &out, "free some"] {
        assert!(words.contains(word), "{words}");
    }
}

#[tokio::test]
async fn no_token_is_redeemed_without_free_space() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    super::earlier_visits::journal_issued_visit(&fixture, false).await;
    let limits = |least| {
        let fixture = &fixture;
        move |_: &UnfinishedVisit| {
            let mut context = fixture.visit_context();
            context.limits.min_free_space = least;
            Ok(context)
        }
    };
    let all = recover_all_visits(&fixture.data_store, &limits(MORE_THAN_ANY_DISK)).await.expect("reads");
    let RecoveryOutcome::Postponed { why, exit: 2 } = &all[0].outcome else { panic!("{all:?}") };
    assert!(why.contains("disk full: needs"), "{why}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0);
    let all = recover_all_visits(&fixture.data_store, &limits(0)).await.expect("reads");
    assert_eq!(all[0].outcome.exit_code(), 0, "and once there is room, it is there: {all:?}");
}

/// One file that fits, and one whose head promises more than the disk has.
async fn fixture_with_oversized_file() -> Fixture {
    Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("png", "two")]),
        ("/files/one", _) => Response::file(&glb(500)),
        ("/files/two", 1) => Response::file(&png(600)).with_content_length(MORE_THAN_ANY_DISK),
        ("/files/two", _) => Response::file(&png(600)),
        _ => Response::default(),
    })
    .await
}

#[tokio::test]
async fn a_file_without_free_space_is_continued_later() {
    let fixture = fixture_with_oversized_file().await;
    let ended = fixture.run_visit_with_limits(|limits| limits.max_file_size = u64::MAX).await;
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code(), &ended.directory), (7, "disk_full", &None));
    let words = last_message(&fixture);
    assert!(words.contains("avatar.png: disk full: needs") && words.contains("copresence recover"), "{words}");
    assert!(!fixture.event_names().contains(&"saved"));
    assert!(
        file_names(&fixture.out_dir()).iter().all(|name| name.starts_with('.')),
        "{:?}",
        file_names(&fixture.out_dir())
    );
    // Somebody made room.
    let all = super::earlier_visits::recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } = &all[0].outcome else {
        panic!("{all:?}")
    };
    assert_eq!(file_names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!(fixture.backend.count_requests("/files/one"), 1, "what was whole is not fetched again");
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1);
}

#[tokio::test]
async fn an_announced_size_over_the_limit_is_not_received_and_kept_for_later() {
    let fixture = fixture_with_oversized_file().await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = Duration::from_secs(3)).await;
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code()), (6, "download_interrupted"));
    let all = super::earlier_visits::recover_fixture_visits(&fixture).await;
    assert_eq!(all[0].outcome.exit_code(), 0, "the second response states the true size: {all:?}");
}

/// Two visits are recovered at once, and the disk has space for the file of one of them.
#[tokio::test]
async fn files_of_two_visits_that_do_not_fit_together_are_not_both_received() {
    let root = tempfile::tempdir().expect("a folder");
    let most = copresence_store::free_disk_bytes(root.path()).expect("reported") / 10 * 6;
    let file = move || Response::file(&glb(60_000)).with_content_length(most).stalling_at(50_000);
    let fixture = Fixture::with_one_file("glb", move |_, _| file()).await;
    for _ in 0..2 {
        super::earlier_visits::journal_planned_visit(&fixture, true).await;
    }
    let context = |_: &UnfinishedVisit| {
        let mut context = fixture.visit_context();
        context.limits.max_file_size = u64::MAX;
        Ok(context)
    };
    let mut events = fixture.watch_event_names();
    let is_ended = events.wait_for(|names| names.contains(&"ended"));
    tokio::select! {
        all = recover_all_visits(&fixture.data_store, &context) => panic!("the other visit waits for its file: {all:?}"),
        ended = tokio::time::timeout(Duration::from_secs(10), is_ended) => drop(ended.expect("in time")),
    }
    let words = last_message(&fixture);
    assert!(words.contains("avatar.glb: disk full: needs"), "{words}");
    let download_space_reservations = fixture.data_store.data.download_space_reservations();
    download_space_reservations
        .ensure_unreserved_space(&fixture.out_dir(), most)
        .expect("an abandoned visit reserves nothing");
}
