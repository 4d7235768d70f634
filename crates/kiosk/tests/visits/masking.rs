//! A response is parsed from its original bytes: a credential that is a word of the specification changes nothing.

use super::backend::{Ask, Reply, glb};
use super::house::{House, REDEEM};
use super::recover::recovered;
use kiosk::Outcome;
use kiosk::line::LineEvent;
use protocol::{Password, Username};
use tokio_util::sync::CancellationToken;

/// The account's login, whose name and password the redactor knows.
async fn house(username: &str, password: &str, script: fn(usize, &Ask) -> Reply) -> House {
    let mut house = House::new(script).await;
    house.target.credentials.login = Some((Username::new(username), Password::new(password)));
    house
}

fn visit(nth: usize, ask: &Ask) -> Reply {
    match (ask.path.as_str(), nth) {
        (REDEEM, 1) => Reply::not_ready("no_associated_avatar"),
        (REDEEM, 2) => Reply::not_ready("in_queue"),
        (REDEEM, _) => ask.ready(&[("glb", "true-avatar")]),
        ("/files/true-avatar", _) => Reply::file(&glb(500)),
        _ => Reply::default(),
    }
}

#[tokio::test]
async fn a_login_that_is_a_word_of_the_specification_does_not_change_what_a_response_means() {
    for login in ["avatar", "queue", "completion", "payload", "true", "false", "ready", "1234"] {
        let house = house(login, "false", visit).await;
        let ended = house.visit().await;
        assert_eq!(ended.outcome, Outcome::Saved, "{login}");
        let status = |event: &LineEvent| match event {
            LineEvent::Status { completion_status, .. } => Some(completion_status.clone()),
            _ => None,
        };
        let statuses: Vec<_> = house.lines().iter().filter_map(status).collect();
        assert_eq!(statuses, ["no_associated_avatar", "in_queue"], "{login}");
    }
}

#[tokio::test]
async fn a_visitor_who_leaves_ends_a_visit_of_the_account_avatar() {
    let house = house("avatar", "planted-password", |_, ask| match ask.path.as_str() {
        REDEEM => Reply::not_ready("no_associated_avatar"),
        _ => Reply::default(),
    })
    .await;
    let mut words = house.watch();
    let left = CancellationToken::new();
    let leave = kiosk::drive::Leave { left: left.clone(), ..Default::default() };
    let visit = tokio::spawn(kiosk::drive::drive(house.order().await, house.parts(), leave));
    words.wait_for(|words| words.contains(&"status")).await.expect("it lives");
    left.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted, "nobody scanned the code");
}

#[tokio::test]
async fn the_urls_in_the_journal_are_usable_after_a_crash_whatever_is_masked() {
    // The journal has the masked body alone while the file is requested.
    for (login, password) in
        [("avatar", "true"), ("payload", "files"), ("http", "download_URL"), ("complete", "glb,")]
    {
        let house = house(login, password, |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM, _) => ask.ready(&[("glb", "true-avatar")]),
            ("/files/true-avatar", 1) => Reply::silence(),
            ("/files/true-avatar", _) => Reply::file(&glb(500)),
            _ => Reply::default(),
        })
        .await;
        let (visit, _) = house.begin().await;
        house.backend.until_asked("/files/true-avatar", 1).await;
        visit.abort();
        assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");
        let all = recovered(&house).await;
        assert_eq!(all[0].fate.exit(), 0, "{login} {password}: {all:?}");
        assert_eq!(house.backend.count(REDEEM), 1);
    }
}
