//! A redeem was never sent, was sent and not answered, or was answered.

use super::backend::{Reply, glb};
use super::house::{House, REDEEM, names};
use kiosk::Outcome;
use store::RedeemOutcome;
use tokio::sync::oneshot;

#[tokio::test]
async fn the_next_response_resolves_a_lost_answer() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => Reply::silence(),
        (REDEEM, 2) => Reply::not_ready("processing"),
        (REDEEM, 3) => ask.ready(&[("glb", "one")]),
        ("/files/one", _) => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await;
    assert_eq!(house.visit().await.outcome, Outcome::Saved);
    let redeems = house.only().await.redeems;
    assert!(matches!(redeems[0].outcome, RedeemOutcome::Unanswered { .. }), "{redeems:?}");
    assert_eq!(house.words()[..4], ["started", "invited", "retrying", "status"]);
}

#[tokio::test]
async fn a_lost_answer_and_then_400_is_possibly_consumed() {
    for lost in
        [Reply::silence, || Reply::json(&"x".repeat(400).into()).breaking_at(100), || Reply::status(504)]
    {
        let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM, 1) => Reply::not_ready("processing"),
            (REDEEM, 2) => lost(),
            (REDEEM, _) => Reply::status(400),
            _ => Reply::default(),
        })
        .await;
        let ended = house.visit().await;
        assert_eq!(ended.outcome.exit(), 10, "{ended:?}");
        assert_eq!(house.backend.count(REDEEM), 3);
        assert!(house.disk.journal.unfinished().await.expect("reads").is_empty());
        let message = house.only().await.visit.ending.expect("ended").message;
        assert!(message.contains(ended.outcome.detail().expect("evidence")), "{message}");
    }
}

#[tokio::test]
async fn a_token_is_never_redeemed_after_its_urls() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => ask.ready(&[("glb", "one")]),
        ("/files/one", _) => Reply::status(410),
        _ => Reply::default(),
    })
    .await;
    assert_eq!(house.visit().await.outcome.exit(), 7);
    assert_eq!(house.backend.count(REDEEM), 1);
}

#[tokio::test]
async fn an_interruption_awaits_the_redeem_in_flight_and_keeps_its_delivery() {
    let (let_go, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let house = House::new(move |_, ask| match ask.path.as_str() {
        REDEEM => {
            let moment = moment.lock().expect("no panic").take().expect("redeemed once");
            ask.ready(&[("glb", "one")]).after(moment)
        }
        "/files/one" => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await;
    let (visit, interrupt) = house.begin().await;
    house.backend.until_asked(REDEEM, 1).await;
    interrupt.cancel();
    let_go.send(()).expect("it waits");
    let ended = visit.await.expect("no panic");
    assert_eq!(ended.outcome, Outcome::Interrupted);
    assert_eq!(house.backend.count("/files/one"), 0);

    let recovered = super::recover::recovered(&house).await;
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].fate.exit(), 0, "{recovered:?}");
    assert_eq!(house.backend.count(REDEEM), 1);
    assert_eq!(names(&house.out()).len(), 1);
}

#[tokio::test]
async fn an_embedded_backend_that_ends_with_the_visit_leaves_no_partial_avatar() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let house = House::new(move |_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one")]),
        "/files/one" => {
            Reply::file(&glb(500)).after(moment.lock().expect("no panic").take().expect("asked once"))
        }
        _ => Reply::default(),
    })
    .await;
    let mut order = house.order().await;
    order.ephemeral = true;
    let interrupt = tokio_util::sync::CancellationToken::new();
    let visit = tokio::spawn(kiosk::drive::drive(order, house.parts(), interrupt.clone()));
    house.backend.until_asked("/files/one", 1).await;
    interrupt.cancel();
    assert_eq!(visit.await.expect("no panic").outcome, Outcome::Interrupted);
    assert!(names(&house.out()).is_empty(), "{:?}", names(&house.out()));
}
