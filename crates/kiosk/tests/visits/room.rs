//! Free space is checked before a token is requested, before it is redeemed, and before a file is downloaded.

use super::backend::{Reply, glb, png};
use super::house::{GENERATE, House, REDEEM, names};
use kiosk::Outcome;
use kiosk::line::LineEvent;
use kiosk::recover::{Fate, Unfinished, recover};
use std::time::Duration;

/// More than any disk has.
const TOO_MUCH: u64 = 1 << 62;

fn last_words(house: &House) -> String {
    let Some(LineEvent::Ended { code, message, .. }) = house.lines().pop() else { panic!("ended") };
    assert_eq!(code, "disk_full");
    message
}

#[tokio::test]
async fn no_token_is_requested_without_free_space() {
    let house = House::new(|_, _| Reply::default()).await;
    let ended = house.visit_within(|limits| limits.min_free_space = TOO_MUCH).await;
    assert!(matches!(ended.outcome, Outcome::DiskFull(_)) && ended.outcome.exit() == 2, "{ended:?}");
    assert!(house.backend.asked().is_empty(), "a token is somebody's money");
    let words = last_words(&house);
    let out = house.out().display().to_string();
    for word in ["disk full: needs", " MiB, has ", &out, "free some"] {
        assert!(words.contains(word), "{words}");
    }
}

#[tokio::test]
async fn no_token_is_redeemed_without_free_space() {
    let house = House::new(|_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one")]),
        "/files/one" => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await;
    super::recover::issued(&house, false).await;
    let limits = |least| {
        let house = &house;
        move |_: &Unfinished| {
            let mut parts = house.parts();
            parts.limits.min_free_space = least;
            Ok(parts)
        }
    };
    let all = recover(&house.disk, &limits(TOO_MUCH)).await.expect("reads");
    let Fate::NotNow { why, exit: 2 } = &all[0].fate else { panic!("{all:?}") };
    assert!(why.contains("disk full: needs"), "{why}");
    assert_eq!(house.backend.count(REDEEM), 0);
    let all = recover(&house.disk, &limits(0)).await.expect("reads");
    assert_eq!(all[0].fate.exit(), 0, "and once there is room, it is there: {all:?}");
}

/// One file that fits, and one whose head promises more than the disk has.
async fn half_fits() -> House {
    House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, _) => ask.ready(&[("glb", "one"), ("png", "two")]),
        ("/files/one", _) => Reply::file(&glb(500)),
        ("/files/two", 1) => Reply::file(&png(600)).stating(TOO_MUCH),
        ("/files/two", _) => Reply::file(&png(600)),
        _ => Reply::default(),
    })
    .await
}

#[tokio::test]
async fn a_file_without_free_space_is_continued_later() {
    let house = half_fits().await;
    let ended = house.visit_within(|limits| limits.max_file_size = u64::MAX).await;
    assert_eq!((ended.outcome.exit(), ended.outcome.code(), &ended.directory), (7, "disk_full", &None));
    let words = last_words(&house);
    assert!(
        words.contains("avatar.png: disk full: needs") && words.contains("copresence recover"),
        "{words}"
    );
    assert!(!house.words().contains(&"saved"));
    assert!(names(&house.out()).iter().all(|name| name.starts_with('.')), "{:?}", names(&house.out()));
    // Somebody made room.
    let all = super::recover::recovered(&house).await;
    let Fate::Finished { outcome: Outcome::Saved, directory: Some(directory) } = &all[0].fate else {
        panic!("{all:?}")
    };
    assert_eq!(names(directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!(house.backend.count("/files/one"), 1, "what was whole is not fetched again");
    assert_eq!(house.backend.count(GENERATE), 1);
}

#[tokio::test]
async fn an_announced_size_over_the_limit_is_refused_at_once() {
    let house = half_fits().await;
    let ended = house.visit_within(|limits| limits.patience = Duration::from_secs(3)).await;
    assert_eq!((ended.outcome.exit(), ended.outcome.code()), (7, "saved_in_part"));
    let directory = ended.directory.expect("what came is kept");
    let part = std::fs::metadata(directory.join("avatar.png.part")).map_or(0, |part| part.len());
    assert_eq!(part, 0);
}
