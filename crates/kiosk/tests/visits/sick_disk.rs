//! A journal that refuses some writes for a while: what is paid for is not lost.

use super::backend::{Reply, glb};
use super::house::{GENERATE, House, REDEEM};
use kiosk::Outcome;
use std::path::Path;
use store::RedeemOutcome;

/// The journal refuses this from now on, as a full disk would.
fn refuse(data: &Path, what: &str) {
    let sql = format!("CREATE TRIGGER sick BEFORE {what} BEGIN SELECT RAISE(FAIL, 'the disk is full'); END");
    open(data).execute_batch(&sql).expect("made");
}

fn heal(data: &Path) {
    open(data).execute_batch("DROP TRIGGER sick").expect("dropped");
}

fn open(data: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(data.join("journal.sqlite")).expect("opens")
}

async fn house(script: impl Fn(&Path, &str, usize) -> Option<Reply> + Send + Sync + 'static) -> House {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    let backend = super::backend::Backend::start(move |nth, ask| {
        script(&data, &ask.path, nth).unwrap_or_else(|| match ask.path.as_str() {
            REDEEM => ask.ready(&[("glb", "one")]),
            "/files/one" => Reply::file(&glb(500)),
            _ => Reply::default(),
        })
    });
    House::at(root, backend.await)
}

#[tokio::test]
async fn a_failed_journal_write_is_repeated_before_the_next_poll() {
    for what in ["UPDATE ON redeems WHEN NEW.state = 'answered'", "UPDATE ON redeems WHEN NEW.delivered = 0"]
    {
        let house = house(move |data, path, nth| match (path, nth) {
            (REDEEM, 1) => {
                refuse(data, what);
                Some(Reply::not_ready("processing"))
            }
            _ => None,
        })
        .await;
        let mut snapshots = house.watch();
        let (visit, _) = house.begin().await;
        snapshots.wait_for(|words| words.contains(&"retrying")).await.expect("the trouble is told");
        heal(&house.root.path().join("data"));
        assert_eq!(visit.await.expect("no panic").outcome, Outcome::Saved);
        let redeems = house.only().await.redeems;
        let outcomes: Vec<_> = redeems.iter().map(|redeem| &redeem.outcome).collect();
        assert!(
            matches!(
                outcomes[..],
                [
                    RedeemOutcome::Answered { delivered: Some(false), .. },
                    RedeemOutcome::Answered { delivered: Some(true), .. }
                ]
            ),
            "{outcomes:?}"
        );
    }
}

#[tokio::test]
async fn without_an_intent_on_disk_no_redeem_is_sent() {
    let house = house(|data, path, nth| match (path, nth) {
        (REDEEM, 1) => {
            refuse(data, "INSERT ON redeems");
            Some(Reply::not_ready("processing"))
        }
        _ => None,
    })
    .await;
    let patience = std::time::Duration::from_millis(500);
    let ended = house.visit_within(|limits| limits.patience = patience).await;
    assert_eq!(ended.outcome.exit(), 2, "{ended:?}");
    assert_eq!(house.backend.count(REDEEM), 1);
    assert!(house.disk.journal.unfinished().await.expect("reads")[0].token.is_some(), "for `recover`");
}

#[tokio::test]
async fn a_token_that_cannot_be_journalled_is_not_requested_twice() {
    let house = house(|data, path, _| {
        if path == GENERATE {
            refuse(data, "UPDATE ON visits WHEN NEW.token IS NOT NULL");
        }
        None
    })
    .await;
    assert_eq!(house.visit().await.outcome.exit(), 2);
    assert_eq!(house.backend.count(GENERATE), 1);
}

#[tokio::test]
async fn a_delivery_is_saved_although_the_journal_fails() {
    for what in [
        "UPDATE ON redeems WHEN NEW.state = 'answered'",
        "UPDATE ON redeems WHEN NEW.delivered = 1",
        "INSERT ON files",
        "UPDATE ON files",
        "UPDATE ON visits WHEN NEW.saved_at IS NOT NULL",
    ] {
        let house = house(move |data, path, _| {
            if path == REDEEM {
                refuse(data, what);
            }
            None
        })
        .await;
        let ended = house.visit().await;
        assert_eq!(ended.outcome, Outcome::Saved, "{what}");
        assert!(ended.directory.is_some_and(|directory| directory.join("avatar.glb").is_file()));
        assert_eq!(house.backend.count(REDEEM), 1, "{what}");
    }
}
