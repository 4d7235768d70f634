//! A truncated response that may have spent the token: the files that it names are saved.

use super::backend::{Ask, Reply, glb, png};
use super::house::{House, REDEEM, manifest, names};
use super::recover::{delivery, issued, now, recovered};
use kiosk::Outcome;
use kiosk::recover::Fate;
use store::{AnswerKind, RedeemOutcome, VisitId};

/// Ready with three files, and so many bytes before its end it breaks off.
fn cut(ask: &Ask, before_the_end: usize) -> Reply {
    let whole = ask.ready(&[("glb", "one"), ("png", "two"), ("fbx", "three")]);
    let length = whole.length();
    whole.breaking_at(length - before_the_end)
}

/// So that two entries stand whole in it, and the third has begun.
const IN_THE_THIRD: usize = 30;

fn file(ask: &Ask) -> Reply {
    match ask.path.as_str() {
        "/files/one" => Reply::file(&glb(500)),
        "/files/two" => Reply::file(&png(600)),
        _ => Reply::default(),
    }
}

/// No URL and no token stands in the journal or beside it any more.
async fn nothing_secret_is_left(house: &House) {
    assert!(house.disk.journal.unfinished().await.expect("reads").is_empty());
    let data = house.root.path().join("data");
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        let bytes = std::fs::read(data.join(name)).unwrap_or_default();
        for secret in ["/files/", "export-token-1", "left-over-token"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {name}");
        }
    }
}

#[tokio::test]
async fn the_files_of_a_truncated_response_are_saved_once_the_token_is_refused() {
    let broken: [fn(&Ask) -> Reply; 4] = [
        |ask| cut(ask, IN_THE_THIRD),
        |ask| cut(ask, IN_THE_THIRD).endless(),
        // A proxy that cuts, and states the length of what it lets through.
        |ask| cut(ask, IN_THE_THIRD).seemingly_whole(),
        // All of it but the last bracket.
        |ask| ask.ready(&[("glb", "one"), ("png", "two")]).but_the_last(1).seemingly_whole(),
    ];
    for (case, broken) in broken.into_iter().enumerate() {
        let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM, 1) => Reply::not_ready("processing"),
            (REDEEM, 2) => broken(ask),
            (REDEEM, _) => Reply::status(400),
            _ => file(ask),
        })
        .await;
        let ended = house.visit().await;
        assert_eq!(ended.outcome.exit(), 7, "{case}: {ended:?}");
        let directory = ended.directory.expect("what came is kept");
        assert!(directory.starts_with(house.disk.data.incomplete()));
        assert_eq!(names(&directory), ["avatar.glb", "avatar.png", "manifest.json"]);
        let manifest = manifest(&directory);
        assert!(!manifest.complete, "it is never called whole");
        assert!(manifest.missing[0].reason.contains("only a beginning"), "{:?}", manifest.missing);
        assert!(names(&house.out()).is_empty());
        assert_eq!(house.backend.count(REDEEM), 3);
        let redeems = house.only().await.redeems;
        let taken = match &redeems[1].outcome {
            RedeemOutcome::Unanswered { salvaged, .. } => *salvaged,
            RedeemOutcome::Answered { delivered, .. } => *delivered == Some(true),
            other => panic!("{other:?}"),
        };
        assert!(taken, "{redeems:?}");
        assert!(house.words().contains(&"redeemed"));
        nothing_secret_is_left(&house).await;
    }
}

#[tokio::test]
async fn gzipped_responses_are_read() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => Reply::not_ready("processing").packed(),
        (REDEEM, _) => ask.ready(&[("glb", "one")]).packed(),
        _ => file(ask),
    })
    .await;
    assert_eq!(house.visit().await.outcome, Outcome::Saved);
    assert_eq!(house.backend.count(REDEEM), 2);
}

#[tokio::test]
async fn a_truncated_gzipped_response_is_saved_as_far_as_it_decodes() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => {
            let packed = ask.ready(&[("glb", "one")]).packed();
            let length = packed.length();
            // The checksum at the end never comes.
            packed.breaking_at(length - 8)
        }
        (REDEEM, _) => Reply::status(400),
        _ => file(ask),
    })
    .await;
    let ended = house.visit().await;
    assert_eq!(ended.outcome.exit(), 7, "{ended:?}");
    assert!(ended.directory.expect("kept").join("avatar.glb").is_file());
}

#[tokio::test]
async fn expired_urls_of_a_truncated_response_leave_the_evidence() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => cut(ask, IN_THE_THIRD),
        (REDEEM, _) => Reply::status(400),
        ("/files/one" | "/files/two", _) => Reply::status(410),
        _ => Reply::default(),
    })
    .await;
    let ended = house.visit().await;
    assert_eq!((ended.outcome.exit(), ended.outcome.code()), (10, "possibly_consumed"), "{ended:?}");
    let why = ended.outcome.detail().expect("evidence");
    assert!(why.contains("bytes of the body came") && why.contains("410"), "{why}");
    nothing_secret_is_left(&house).await;
}

#[tokio::test]
async fn an_active_token_voids_a_truncated_response() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => cut(ask, IN_THE_THIRD),
        (REDEEM, 2) => Reply::not_ready("processing"),
        (REDEEM, _) => ask.ready(&[("glb", "one")]),
        _ => file(ask),
    })
    .await;
    assert_eq!(house.visit().await.outcome, Outcome::Saved);
    let redeems = house.only().await.redeems;
    assert!(matches!(redeems[0].outcome, RedeemOutcome::Unanswered { salvaged: false, .. }), "{redeems:?}");
}

#[tokio::test]
async fn an_interruption_after_a_truncated_response_loses_nothing() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => cut(ask, IN_THE_THIRD),
        (REDEEM, _) => Reply::status(400),
        _ => file(ask),
    })
    .await;
    let mut words = house.watch();
    let (visit, interrupt) = house.begin().await;
    // Trouble is looked at again a second later at the soonest.
    words.wait_for(|words| words.contains(&"retrying")).await.expect("it lives");
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    let all = recovered(&house).await;
    assert_eq!(all[0].fate.exit(), 7, "{all:?}");
    let Fate::Finished { directory: Some(directory), .. } = &all[0].fate else { panic!("{all:?}") };
    assert_eq!(names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!(house.backend.count(REDEEM), 2, "one more, and it decided");
    nothing_secret_is_left(&house).await;
}

/// A crash after a lost answer; how far the program had come with it.
async fn left(house: &House, kind: Option<AnswerKind>) -> VisitId {
    let id = issued(house, false).await;
    let journal = &house.disk.journal;
    let no = journal.redeem_intent(&id, now()).await.expect("intent");
    let body = delivery(house, true, &[("glb", "one"), ("png", "two")]);
    journal
        .redeem_unanswered(&id, no, "cut", &body.as_bytes()[..body.len() - 2], now())
        .await
        .expect("noted");
    if let Some(kind) = kind {
        journal.redeem_read(&id, no, kind).await.expect("read");
    }
    id
}

#[tokio::test]
async fn recovery_saves_the_files_of_a_truncated_response() {
    for kind in [None, Some(AnswerKind::Truncated)] {
        let house =
            House::new(|_, ask| if ask.path == REDEEM { Reply::status(400) } else { file(ask) }).await;
        left(&house, kind).await;
        let all = recovered(&house).await;
        let Fate::Finished { outcome: Outcome::SavedInPart(_), directory: Some(directory) } = &all[0].fate
        else {
            panic!("{all:?}")
        };
        assert_eq!(names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
        assert_eq!(house.backend.count(REDEEM), 1, "the next answer decides here too");
        nothing_secret_is_left(&house).await;
    }
}

#[tokio::test]
async fn recovery_continues_a_partial_delivery_in_use() {
    let house = House::new(|_, ask| file(ask)).await;
    let id = left(&house, Some(AnswerKind::Truncated)).await;
    let no = house.only().await.redeems[0].no;
    house.disk.journal.redeem_salvaged(&id, no).await.expect("taken");
    let all = recovered(&house).await;
    assert_eq!(all[0].fate.exit(), 7, "{all:?}");
    assert_eq!(house.backend.count(REDEEM), 0, "the token is gone");
    nothing_secret_is_left(&house).await;
}

#[tokio::test]
async fn recovery_drops_a_partial_delivery_of_an_active_token() {
    let house = House::new(|_, _| Reply::not_ready("processing")).await;
    left(&house, None).await;
    assert!(matches!(recovered(&house).await[0].fate, Fate::StillActive { .. }));
    let unfinished = house.disk.journal.unfinished().await.expect("reads");
    assert!(unfinished[0].token.is_some() && unfinished[0].fragments.is_empty(), "{unfinished:?}");
}

#[tokio::test]
async fn recovery_without_a_single_file_is_possibly_consumed() {
    let house = House::new(|_, ask| Reply::status(if ask.path == REDEEM { 400 } else { 403 })).await;
    left(&house, None).await;
    assert_eq!(recovered(&house).await[0].fate.exit(), 10);
    nothing_secret_is_left(&house).await;
}
