//! The application behind a window.

use super::backend::{Reply, glb};
use super::house::{API_KEY, GENERATE, House, REDEEM, SESSION, names};
use super::recover::{answered, delivery};
use kiosk::app::{Kiosk, Setup};
use kiosk::view::{Screen, Snapshot};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

pub(crate) fn kiosk(house: &House) -> Kiosk {
    Kiosk::new(Setup {
        profile: house.profile.clone(),
        target: house.target.clone(),
        disk: house.disk.clone(),
        overrides: house.overrides(),
        phones_at: None,
        asset_base: "avatar://localhost".into(),
    })
}

/// Waits for a screen, and holds every snapshot on the way to the promise about revisions.
pub(crate) async fn until(kiosk: &Kiosk, wanted: impl Fn(&Screen) -> bool) -> Snapshot {
    let mut snapshots = kiosk.subscribe();
    let mut last = 0;
    let found = snapshots.wait_for(|snapshot| {
        assert!(snapshot.revision > last, "a revision only grows");
        last = snapshot.revision;
        wanted(&snapshot.screen)
    });
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.unwrap_or_else(|_| panic!("still {:?}", kiosk.snapshot().screen)).expect("it lives").clone()
}

pub(crate) fn is_invite(screen: &Screen) -> bool {
    matches!(screen, Screen::Invite { .. })
}

async fn exits(house: &House) -> Vec<Option<u8>> {
    let history = house.disk.journal.history().await.expect("reads");
    history.into_iter().map(|visit| visit.ending.map(|ending| ending.exit)).collect()
}

pub(crate) type Gate = Arc<Mutex<Option<oneshot::Receiver<()>>>>;

/// A gate in front of one answer, and what opens it.
pub(crate) fn gate() -> (oneshot::Sender<()>, Gate) {
    let (open, moment) = oneshot::channel();
    (open, Arc::new(Mutex::new(Some(moment))))
}

pub(crate) fn take(gate: &Gate) -> oneshot::Receiver<()> {
    gate.lock().expect("no panic").take().expect("asked once")
}

#[tokio::test]
async fn a_visit_walks_over_the_screen_and_only_its_own_files_are_shown() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => Reply::not_ready("processing"),
        (REDEEM, _) => ask.ready(&[("glb", "one")]),
        ("/files/one", _) => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    let first = kiosk.snapshot();
    assert_eq!(first.screen, Screen::Attract);
    kiosk.start();
    kiosk.start();
    let Screen::Reveal { visit, files, glb: url, .. } =
        until(&kiosk, |screen| matches!(screen, Screen::Reveal { .. })).await.screen
    else {
        unreachable!("waited for")
    };
    assert!(kiosk.snapshot().revision > first.revision);
    assert_eq!(house.backend.count(GENERATE), 1, "a second start does nothing");
    assert_eq!(url, Some(format!("avatar://localhost/{visit}/avatar.glb")));
    assert_eq!(files.len(), 1);

    let file = kiosk.shown_file(&visit, "avatar.glb").expect("shown");
    assert_eq!(std::fs::read(file).expect("read"), glb(500));
    for (visit, name) in
        [(visit.as_str(), "manifest.json"), (visit.as_str(), "../x"), ("another", "avatar.glb")]
    {
        assert_eq!(kiosk.shown_file(visit, name), None, "{name}");
    }
    assert_eq!(kiosk.shown_link(), None, "the code is not on the screen any more");
    kiosk.again();
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    assert_eq!(
        kiosk.shown_file(&visit, "avatar.glb"),
        None,
        "the next visitor never sees the last one's face"
    );
    kiosk.stop().await;
    assert_eq!(exits(&house).await, [Some(0)]);
}

#[tokio::test]
async fn leaving_before_anybody_scanned_ends_the_visit() {
    let house = House::new(|_, ask| match ask.path.as_str() {
        REDEEM => Reply::not_ready("no_associated_avatar"),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    until(&kiosk, is_invite).await;
    let link = kiosk.shown_link().expect("it is on the screen");
    assert!(link.ends_with("export-token-1"), "{link}");
    kiosk.new_code();
    until(&kiosk, is_invite).await;
    assert!(kiosk.shown_link().is_some_and(|link| link.ends_with("export-token-2")));
    kiosk.cancel();
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    kiosk.stop().await;
    assert_eq!(exits(&house).await, [Some(130), Some(130)]);
}

#[tokio::test]
async fn an_avatar_on_its_way_is_saved_behind_the_next_visitors_back() {
    let ready = Arc::new(AtomicBool::new(false));
    let is_ready = ready.clone();
    let house =
        House::new(move |_, ask| match (ask.path.as_str(), ask.header("x-copresence-export-token")) {
            (REDEEM, Some("export-token-1")) if is_ready.load(Ordering::SeqCst) => {
                ask.ready(&[("glb", "one")])
            }
            (REDEEM, Some("export-token-1")) => Reply::not_ready("processing"),
            (REDEEM, _) => Reply::not_ready("no_associated_avatar"),
            ("/files/one", _) => Reply::file(&glb(500)),
            _ => Reply::default(),
        })
        .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    kiosk.again();
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    kiosk.start();
    until(&kiosk, is_invite).await;
    ready.store(true, Ordering::SeqCst);
    until_ended(&house, 1).await;
    assert!(is_invite(&kiosk.snapshot().screen), "the second visitor sees nothing of it");
    kiosk.stop().await;
    assert_eq!(exits(&house).await, [Some(130), Some(0)]);
    assert_eq!(names(&house.out()).len(), 1);
}

/// The end of a visit that nobody sees has no event of its own: the journal is looked at.
async fn until_ended(house: &House, ended: usize) {
    while exits(house).await.into_iter().flatten().count() < ended {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_avatar_that_comes_at_the_moment_of_leaving_is_saved() {
    let (open, closed) = gate();
    let house = House::new(move |_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one")]).after(take(&closed)),
        "/files/one" => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    house.backend.until_asked(REDEEM, 1).await;
    kiosk.cancel();
    open.send(()).expect("it waits");
    until_ended(&house, 1).await;
    assert_eq!(exits(&house).await, [Some(0)]);
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
}

#[tokio::test]
async fn a_second_press_on_new_code_makes_no_second_token() {
    let (open, closed) = gate();
    let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (GENERATE, 1) => Reply::default().after(take(&closed)),
        (REDEEM, _) => Reply::not_ready("no_associated_avatar"),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    house.backend.until_asked(GENERATE, 1).await;
    kiosk.new_code();
    open.send(()).expect("it waits");
    until(&kiosk, is_invite).await;
    assert_eq!(house.backend.count(GENERATE), 1);
    kiosk.stop().await;
}

#[tokio::test]
async fn nothing_begins_after_the_stop() {
    let house = House::new(|_, _| Reply::default()).await;
    let kiosk = kiosk(&house);
    kiosk.stop().await;
    kiosk.start();
    kiosk.new_code();
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    kiosk.stop().await;
    assert!(house.backend.asked().is_empty() && exits(&house).await.is_empty());
}

#[tokio::test]
async fn many_visits_log_in_once() {
    let mut house = House::new(|_, ask| match ask.path.as_str() {
        "/login" => Reply::json(&serde_json::json!({"sessionToken": "r:made"})),
        REDEEM => Reply::not_ready("no_associated_avatar"),
        _ => Reply::default(),
    })
    .await;
    house.target.credentials.session_token = None;
    house.target.credentials.login =
        Some((protocol::Username::new("planted-user"), protocol::Password::new("planted-password")));
    let kiosk = kiosk(&house);
    for _ in 0..3 {
        kiosk.start();
        until(&kiosk, is_invite).await;
        kiosk.again();
    }
    assert_eq!((house.backend.count("/login"), house.backend.count(GENERATE)), (1, 3));
    kiosk.stop().await;
}

#[tokio::test]
async fn what_a_crash_left_is_finished_unseen() {
    let house = House::new(|_, ask| match ask.path.as_str() {
        "/files/one" => Reply::file(&glb(500)),
        _ => Reply::status(500),
    })
    .await;
    let body = delivery(&house, true, &[("glb", "one")]);
    answered(&house, 200, &body).await;
    let kiosk = kiosk(&house);
    kiosk.finish_left_over();
    until_ended(&house, 1).await;
    assert_eq!(exits(&house).await, [Some(0)]);
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    kiosk.stop().await;
    assert_eq!(names(&house.out()).len(), 1);
}

#[tokio::test]
async fn what_a_failing_backend_left_is_finished_behind_the_next_visitor() {
    let well = Arc::new(AtomicBool::new(false));
    let healthy = well.clone();
    let mut house = House::new(move |_, ask| match ask.path.as_str() {
        REDEEM if healthy.load(Ordering::SeqCst) => ask.ready(&[("glb", "one")]),
        REDEEM => Reply::status(500),
        // So large that it is not called starved when it comes after that patience.
        path if path.starts_with("/files/") => Reply::file(&glb(5_000)),
        _ => Reply::default(),
    })
    .await;
    house.profile.limits.patience = Duration::from_millis(200);
    let kiosk = kiosk(&house);
    kiosk.start();
    until(&kiosk, |screen| matches!(screen, Screen::Ended { of_somebody: true, .. })).await;
    assert_eq!(exits(&house).await, [Some(6)]);
    well.store(true, Ordering::SeqCst);
    kiosk.again();
    kiosk.start();
    let both = async {
        while exits(&house).await != [Some(0), Some(0)] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("the first visitor's avatar too");
    kiosk.stop().await;
    assert_eq!(names(&house.out()).len(), 2);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_what_is_finished_unseen() {
    let (_never, closed) = gate();
    let house = House::new(move |_, ask| match ask.path.as_str() {
        "/files/one" => Reply::file(&glb(500)).after(take(&closed)),
        _ => Reply::status(500),
    })
    .await;
    let body = delivery(&house, true, &[("glb", "one")]);
    answered(&house, 200, &body).await;
    let kiosk = kiosk(&house);
    kiosk.finish_left_over();
    house.backend.until_asked("/files/one", 1).await;
    kiosk.stop().await;
    assert_eq!(house.disk.journal.unfinished().await.expect("reads").len(), 1, "kept for the next start");
}

#[tokio::test]
async fn what_is_missing_to_begin_is_on_the_screen() {
    let mut house = House::new(|_, _| Reply::default()).await;
    house.target.credentials.api_key = None;
    let missing = kiosk(&house);
    missing.start();
    let ended = until(&missing, |screen| matches!(screen, Screen::Ended { .. })).await;
    let Screen::Ended { problem, of_somebody, .. } = ended.screen else { panic!("ended") };
    assert_eq!((problem.code.as_str(), of_somebody), ("credentials_missing", false));
    missing.again();
    assert_eq!(missing.snapshot().screen, Screen::Attract);

    house.target.credentials.api_key = Some(protocol::ApiKey::new("line\nend"));
    let wrong = kiosk(&house);
    wrong.start();
    let ended = until(&wrong, |screen| matches!(screen, Screen::Ended { .. })).await;
    let Screen::Ended { problem, .. } = ended.screen else { panic!("ended") };
    assert_eq!(problem.code, "configuration", "it is there, and no header can carry it");
    assert!(house.backend.asked().is_empty());
}

#[tokio::test]
async fn no_screen_shows_a_credential_that_the_backend_repeats() {
    let echo = format!("{API_KEY} and {SESSION}");
    let said = echo.clone();
    let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => Reply::not_ready(&said),
        (REDEEM, 2) => Reply::json(&serde_json::json!({ "error": said })).with("x-said", said.as_str()),
        (REDEEM, _) => ask.ready(&[(said.as_str(), "one")]),
        ("/files/one", _) => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    let hold = |screen: &Screen| {
        let sent = serde_json::to_string(screen).expect("plain data");
        for secret in [API_KEY, SESSION] {
            assert!(!sent.contains(secret), "{secret} in {sent}");
        }
    };
    kiosk.start();
    for wanted in ["making", "reveal"] {
        until(&kiosk, |screen| {
            hold(screen);
            serde_json::to_value(screen).expect("plain data")["kind"] == wanted
        })
        .await;
    }
    kiosk.stop().await;
    for line in house.lines() {
        assert!(!format!("{line:?}").contains(API_KEY), "{line:?}");
    }
}
