//! What is kept for recovery, and how long: limits, tokens, and words of the backend.

use super::backend::{Reply, glb};
use super::house::{API_KEY, House, REDEEM, manifest};
use super::recover::{answered, delivery, issued, now, recovered};
use jiff::{SignedDuration, Timestamp};
use kiosk::Outcome;
use kiosk::recover::{Fate, TOKEN_KEPT, Unfinished, recover};
use store::VisitId;
use tokio::sync::oneshot;

/// A token that was issued so long ago.
async fn old(house: &House, age: SignedDuration) -> VisitId {
    let id = issued(house, false).await;
    let then = (Timestamp::now() - age).as_microsecond();
    let journal = rusqlite::Connection::open(house.root.path().join("data/journal.sqlite")).expect("opens");
    journal
        .execute("UPDATE visits SET started_at = ?1, issued_at = ?1 WHERE id = ?2", (then, id.to_string()))
        .expect("set back");
    id
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test]
async fn a_token_that_no_response_decides_is_abandoned_after_a_week() {
    for status in [500, 401, 429, 504] {
        for (age, kept) in [(TOKEN_KEPT - MINUTE, true), (TOKEN_KEPT + MINUTE, false)] {
            let house = House::new(move |_, _| Reply::status(status)).await;
            old(&house, age).await;
            let fate = recovered(&house).await.remove(0).fate;
            assert_eq!(
                house.disk.journal.unfinished().await.expect("reads").len(),
                usize::from(kept),
                "{fate:?}"
            );
            assert_eq!(matches!(fate, Fate::NotNow { .. }), kept, "{status} {fate:?}");
            if !kept {
                let ending = house.only().await.visit.ending.expect("said in the history");
                let expected = if status == 504 { ("possibly_consumed", 10) } else { ("token_abandoned", 4) };
                assert_eq!((ending.code.as_str(), ending.exit), expected, "{}", ending.message);
                assert!(ending.message.contains("week"), "{}", ending.message);
            }
        }
    }
}

#[tokio::test]
async fn a_token_without_credentials_is_abandoned_after_a_week() {
    let house = House::new(|_, _| Reply::status(500)).await;
    let refuse = |unfinished: &Unfinished| match unfinished.token {
        Some(_) => Err("no API key".to_owned()),
        None => Ok(house.parts()),
    };
    old(&house, TOKEN_KEPT - MINUTE).await;
    let fate = recover(&house.disk, &refuse).await.expect("reads").remove(0).fate;
    assert!(matches!(fate, Fate::NotNow { exit: 3, .. }), "{fate:?}");
    let older = old(&house, TOKEN_KEPT + MINUTE).await;
    let all = recover(&house.disk, &refuse).await.expect("reads");
    let of = |id| all.iter().find(|one| one.visit == id).map(|one| one.fate.exit());
    assert_eq!((all.len(), of(older)), (2, Some(4)), "{all:?}");
    assert!(house.backend.asked().is_empty());
    assert_eq!(house.disk.journal.unfinished().await.expect("reads").len(), 1);
}

#[tokio::test]
async fn an_old_token_is_redeemed_once_before_it_is_abandoned() {
    for (status, gone) in [("no_associated_avatar", true), ("processing", false)] {
        let house = House::new(move |_, _| Reply::not_ready(status)).await;
        old(&house, TOKEN_KEPT + MINUTE).await;
        let fate = recovered(&house).await.remove(0).fate;
        assert_eq!(house.backend.count(REDEEM), 1);
        assert_eq!(fate.exit() == 4, gone, "{fate:?}");
        assert_eq!(house.disk.journal.unfinished().await.expect("reads").is_empty(), gone);
    }
    let house = House::new(|_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one")]),
        _ => Reply::file(&glb(500)),
    })
    .await;
    old(&house, TOKEN_KEPT + MINUTE).await;
    assert_eq!(recovered(&house).await[0].fate.exit(), 0);
}

#[tokio::test]
async fn an_unresolved_lost_answer_is_possibly_consumed_after_a_week() {
    let house = House::new(|_, _| Reply::status(500)).await;
    let id = old(&house, TOKEN_KEPT + MINUTE).await;
    house.disk.journal.redeem_intent(&id, now()).await.expect("intent");
    assert_eq!(recovered(&house).await[0].fate.exit(), 10);
}

#[tokio::test]
async fn recovery_keeps_the_limits_of_the_visit() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, _) => ask.ready(&[("glb", "one")]),
        ("/files/one", 1) => {
            Reply::file(&glb(500)).after(moment.lock().expect("no panic").take().expect("asked once"))
        }
        ("/files/one", _) => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await;
    // As `--max-file-size` would; the profile allows far more.
    let mut order = house.order().await;
    order.limits.max_file_size = 499;
    let interrupt = tokio_util::sync::CancellationToken::new();
    let visit = tokio::spawn(kiosk::drive::drive(order, house.parts(), interrupt.clone()));
    house.backend.until_asked("/files/one", 1).await;
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    let all = recover(&house.disk, &|_: &Unfinished| Ok(house.parts().within(&house.profile))).await;
    let Fate::Finished { directory: Some(directory), .. } = &all.expect("reads")[0].fate else {
        panic!("kept")
    };
    assert!(manifest(directory).missing[0].reason.contains("499 bytes"), "{:?}", manifest(directory));
}

#[tokio::test]
async fn a_credential_in_a_response_is_masked_by_recovery() {
    let house = House::new(|_, _| Reply::file(&glb(500))).await;
    let body = delivery(&house, true, &[(&format!("glb {API_KEY}"), "one")]);
    answered(&house, 200, &body).await;
    let all = recovered(&house).await;
    let Fate::Finished { directory: Some(directory), .. } = &all[0].fate else { panic!("{all:?}") };
    let written = std::fs::read_to_string(directory.join("manifest.json")).expect("reads");
    assert!(!written.contains(API_KEY), "{written}");
    assert!(!format!("{:?} {:?}", house.lines(), house.only().await).contains(API_KEY));
}

#[tokio::test]
async fn a_credential_in_a_response_never_reaches_the_journal() {
    // What stands on the disk while the file is on its way is what a crash would leave there.
    let data = std::sync::Arc::new(std::sync::Mutex::new(std::path::PathBuf::new()));
    let place = data.clone();
    let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => Reply::json(&serde_json::json!({"error": API_KEY})),
        (REDEEM, _) => ask.ready(&[(API_KEY, "one")]),
        ("/files/one", _) => {
            for name in ["journal.sqlite", "journal.sqlite-wal"] {
                let bytes = std::fs::read(place.lock().expect("no panic").join(name)).unwrap_or_default();
                let found = bytes.windows(API_KEY.len()).any(|window| window == API_KEY.as_bytes());
                assert!(!found, "the API key stands in {name}");
            }
            Reply::file(&glb(500))
        }
        _ => Reply::default(),
    })
    .await;
    *data.lock().expect("no panic") = house.root.path().join("data");
    assert_eq!(house.visit().await.outcome.exit(), 0);
}
