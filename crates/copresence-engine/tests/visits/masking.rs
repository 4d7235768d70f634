//! A response is parsed from its original bytes: a credential that is a word of the specification changes nothing.

use super::backend::{Request, Response, glb};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{Fixture, REDEEM_PATH};
use copresence_engine::Outcome;
use copresence_engine::events::EventKind;
use copresence_protocol::{Password, Username};
use tokio_util::sync::CancellationToken;

/// The account's login, whose name and password the redactor knows.
async fn fixture(username: &str, password: &str, script: fn(usize, &Request) -> Response) -> Fixture {
    let mut fixture = Fixture::new(script).await;
    fixture.target.credentials.login = Some((Username::new(username), Password::new(password)));
    fixture
}

fn visit(nth: usize, ask: &Request) -> Response {
    match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::not_ready("no_associated_avatar"),
        (REDEEM_PATH, 2) => Response::not_ready("in_queue"),
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "true-avatar")]),
        ("/files/true-avatar", _) => Response::file(&glb(500)),
        _ => Response::default(),
    }
}

#[tokio::test]
async fn a_login_that_is_a_word_of_the_specification_does_not_change_what_a_response_means() {
    for login in ["avatar", "queue", "completion", "payload", "true", "false", "ready", "1234"] {
        let fixture = fixture(login, "false", visit).await;
        let ended = fixture.run_visit().await;
        assert_eq!(ended.outcome, Outcome::Saved, "{login}");
        let status = |event: &EventKind| match event {
            EventKind::Status { completion_status, .. } => Some(completion_status.clone()),
            _ => None,
        };
        let statuses: Vec<_> = fixture.events().iter().filter_map(status).collect();
        assert_eq!(statuses, ["no_associated_avatar", "in_queue"], "{login}");
    }
}

#[tokio::test]
async fn a_visitor_who_leaves_ends_a_visit_of_the_account_avatar() {
    let fixture = fixture("avatar", "planted-password", |_, ask| match ask.path.as_str() {
        REDEEM_PATH => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    let mut words = fixture.watch_event_names();
    let left = CancellationToken::new();
    let leave = copresence_engine::runner::VisitStopSignals { visitor_left: left.clone(), ..Default::default() };
    let visit = tokio::spawn(copresence_engine::runner::run_visit(
        fixture.visit_config().await,
        fixture.visit_context(),
        leave,
    ));
    words.wait_for(|words| words.contains(&"status")).await.expect("it lives");
    left.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted, "nobody scanned the code");
}

#[tokio::test]
async fn the_urls_in_the_journal_are_usable_after_a_crash_whatever_is_masked() {
    // The journal has the masked body alone while the file is requested.
    for (login, password) in [("avatar", "true"), ("payload", "files"), ("http", "download_URL"), ("complete", "glb,")]
    {
        let fixture = fixture(login, password, |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM_PATH, _) => ask.ready_response(&[("glb", "true-avatar")]),
            ("/files/true-avatar", 1) => Response::no_response(),
            ("/files/true-avatar", _) => Response::file(&glb(500)),
            _ => Response::default(),
        })
        .await;
        let (visit, _) = fixture.spawn_visit().await;
        fixture.backend.wait_for_requests("/files/true-avatar", 1).await;
        visit.abort();
        assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");
        let all = recover_fixture_visits(&fixture).await;
        assert_eq!(all[0].outcome.exit_code(), 0, "{login} {password}: {all:?}");
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    }
}
