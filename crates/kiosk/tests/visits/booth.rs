//! The booth around the visits: what the operator sets, and what is forgotten.

use super::backend::{Reply, glb, png};
use super::house::{GENERATE, House, REDEEM, names};
use super::window::{gate, is_invite, kiosk, take, until};
use jiff::{SignedDuration, Timestamp};
use kiosk::app::{Backing, CommandTarget, Kiosk, VisitorCommand};
use kiosk::problem::problem;
use kiosk::view::{BoothView, ForgettingStand, Screen, Texts};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const EN: &str = "We keep your avatar for a day.";
const DE: &str = "Wir behalten deinen Avatar einen Tag.";

/// A backend that makes an avatar at once.
async fn ready() -> House {
    House::new(|_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one")]),
        path if path.starts_with("/files/") => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await
}

/// A backend whose codes nobody scans.
async fn unscanned() -> House {
    House::new(|_, ask| match ask.path.as_str() {
        REDEEM => Reply::not_ready("no_associated_avatar"),
        _ => Reply::default(),
    })
    .await
}

fn keeping(hours: Option<u32>) -> BoothView {
    BoothView { keep_hours: hours, ..BoothView::default() }
}

async fn revealed(kiosk: &Kiosk) -> String {
    kiosk.start();
    match until(kiosk, |screen| matches!(screen, Screen::Reveal { .. })).await.screen {
        Screen::Reveal { visit, .. } => visit,
        other => panic!("{other:?}"),
    }
}

async fn kept(house: &House) -> (usize, usize) {
    (names(&house.out()).len(), house.disk.journal.history().await.expect("reads").len())
}

#[tokio::test]
async fn what_visitors_agree_to_stands_before_the_code() {
    let house = unscanned().await;
    let kiosk = kiosk(&house);
    let texts = Texts::from_iter([("de", DE), ("en", EN)]);
    kiosk.set_booth(BoothView::default(), texts.clone());
    kiosk.agree(EN);
    assert_eq!(kiosk.snapshot().screen, Screen::Attract, "nothing was asked yet");
    kiosk.start();
    assert_eq!(kiosk.snapshot().screen, Screen::Consent { texts });
    kiosk.cancel();
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    assert_eq!(house.backend.count(GENERATE), 0, "a token is somebody's money");
    kiosk.start();
    kiosk.agree(DE);
    until(&kiosk, is_invite).await;
    kiosk.stop().await;
}

#[tokio::test]
async fn a_consent_in_any_language_has_everybody_asked() {
    let house = unscanned().await;
    let kiosk = kiosk(&house);
    kiosk.set_booth(BoothView::default(), Texts::from_iter([("ja", "一日保存します。")]));
    kiosk.start();
    assert!(matches!(kiosk.snapshot().screen, Screen::Consent { .. }));
    kiosk.set_booth(BoothView::default(), Texts::default());
    assert!(matches!(kiosk.snapshot().screen, Screen::Consent { .. }), "who stands there is asked still");
    kiosk.cancel();
    kiosk.start();
    until(&kiosk, is_invite).await;
    kiosk.stop().await;
}

#[tokio::test]
async fn nobody_agrees_to_words_that_they_were_not_told() {
    let house = unscanned().await;
    let kiosk = kiosk(&house);
    let told = |text: &str| Texts::from_iter([("en", text)]);
    kiosk.set_booth(BoothView::default(), told(EN));
    kiosk.start();
    // For whoever comes next.
    kiosk.set_booth(BoothView::default(), told("We keep your avatar for a year."));
    assert_eq!(kiosk.snapshot().screen, Screen::Consent { texts: told(EN) });
    kiosk.agree("We keep your avatar for a year.");
    kiosk.agree("");
    assert_eq!(kiosk.snapshot().screen, Screen::Consent { texts: told(EN) });
    kiosk.cancel();
    kiosk.start();
    kiosk.agree(EN);
    assert!(matches!(kiosk.snapshot().screen, Screen::Consent { .. }), "the page was behind");
    kiosk.agree("We keep your avatar for a year.");
    until(&kiosk, is_invite).await;
    kiosk.stop().await;
}

#[tokio::test]
async fn a_closed_booth_begins_nothing() {
    let house = ready().await;
    let kiosk = kiosk(&house);
    let closed = Some(problem("credentials_missing", None));
    kiosk.set_booth(BoothView { closed: closed.clone(), ..BoothView::default() }, Texts::default());
    kiosk.start();
    let snapshot = kiosk.snapshot();
    assert_eq!((snapshot.screen, snapshot.booth.closed), (Screen::Attract, closed));
    kiosk.set_booth(BoothView::default(), Texts::default());
    revealed(&kiosk).await;
    kiosk.stop().await;
}

#[tokio::test]
async fn a_visitor_is_forgotten_on_disk_too() {
    let house = ready().await;
    let kiosk = kiosk(&house);
    let visit = revealed(&kiosk).await;
    assert_eq!(kept(&house).await, (1, 1));
    kiosk.forget();
    assert_eq!(kiosk.shown_file(&visit, "avatar.glb"), None, "the face is off the screen at once");
    let done = Screen::Forgetting { visit, stand: ForgettingStand::Done };
    until(&kiosk, |screen| *screen == done).await;
    assert_eq!(kept(&house).await, (0, 0));
    kiosk.again();
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    kiosk.stop().await;
}

#[tokio::test]
async fn a_visit_that_goes_on_can_be_forgotten() {
    let house = House::new(|_, ask| match ask.path.as_str() {
        REDEEM => Reply::not_ready("processing"),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    kiosk.forget();
    let done = |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingStand::Done, .. });
    until(&kiosk, done).await;
    assert_eq!(kept(&house).await, (0, 0));
    assert!(kiosk.live().is_empty());
    kiosk.stop().await;
}

/// Nothing of any visit: no folder among the avatars, none of an incomplete one, no line in the history.
async fn assert_nothing_is_kept(house: &House) {
    assert_eq!(kept(house).await, (0, 0));
    assert_eq!(names(&house.disk.data.incomplete()), Vec::<String>::new());
}

#[tokio::test]
async fn a_visit_whose_files_are_on_their_way_can_be_forgotten() {
    let (_never_opened, closed) = gate();
    let house = House::new(move |_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one"), ("png", "two"), ("png", "three")]),
        "/files/one" => Reply::file(&glb(500)),
        // One has begun, and one is not even answered.
        "/files/two" => Reply::file(&png(3000)).dripping(),
        "/files/three" => Reply::default().after(take(&closed)),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    let one_is_whole = |screen: &Screen| matches!(screen, Screen::Saving { files, .. } if files.iter().any(|file| file.whole));
    until(&kiosk, one_is_whole).await;
    house.backend.until_asked("/files/three", 1).await;
    assert_eq!(kept(&house).await, (1, 1), "what came lies in a folder in the making");
    kiosk.forget();
    let done = |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingStand::Done, .. });
    until(&kiosk, done).await;
    assert_nothing_is_kept(&house).await;
    assert!(kiosk.live().is_empty());
    // Nor does a later start find anything to go on with.
    kiosk.again();
    kiosk.finish_left_over();
    kiosk.stop().await;
    assert_nothing_is_kept(&house).await;
    assert_eq!(house.backend.count("/files/two"), 1, "a one-time URL of somebody who is forgotten");
}

#[tokio::test]
async fn an_avatar_that_comes_at_the_moment_of_being_forgotten_is_not_fetched() {
    let (open, closed) = gate();
    let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1) => Reply::not_ready("processing"),
        (REDEEM, _) => ask.ready(&[("glb", "one")]).after(take(&closed)),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    house.backend.until_asked(REDEEM, 2).await;
    kiosk.forget();
    open.send(()).expect("it waits");
    let done = |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingStand::Done, .. });
    until(&kiosk, done).await;
    kiosk.again();
    kiosk.finish_left_over();
    kiosk.stop().await;
    assert_nothing_is_kept(&house).await;
    assert_eq!(house.backend.count("/files/one"), 0);
}

#[tokio::test]
async fn what_cannot_be_removed_is_said() {
    let house = ready().await;
    let kiosk = kiosk(&house);
    revealed(&kiosk).await;
    let folder = house.out().join(&names(&house.out())[0]);
    std::fs::write(folder.join("holiday.jpg"), "not ours").expect("written");
    kiosk.forget();
    let failed =
        |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingStand::Failed { .. }, .. });
    let Screen::Forgetting { stand: ForgettingStand::Failed { problem }, .. } =
        until(&kiosk, failed).await.screen
    else {
        unreachable!("waited for")
    };
    assert_eq!(problem.code, "forget_incomplete");
    assert!(problem.operator.contains("holiday.jpg"), "{}", problem.operator);
    assert_eq!(kiosk.last_problem().map(|(_, last)| last), Some(problem));
    assert!(folder.join("holiday.jpg").exists() && !folder.join("avatar.glb").exists());
    kiosk.stop().await;
}

#[tokio::test]
async fn files_that_are_kept_until_the_visitor_leaves_go_then() {
    let house = ready().await;
    let kiosk = kiosk(&house);
    kiosk.set_booth(keeping(Some(0)), Texts::default());
    revealed(&kiosk).await;
    assert_eq!(kept(&house).await, (1, 1));
    kiosk.again();
    kiosk.stop().await;
    assert_eq!(kept(&house).await, (0, 0));
}

#[tokio::test]
async fn whoever_stands_there_at_the_stop_leaves_with_it() {
    let house = ready().await;
    let kiosk = kiosk(&house);
    kiosk.set_booth(keeping(Some(0)), Texts::default());
    revealed(&kiosk).await;
    kiosk.stop().await;
    assert_eq!(kept(&house).await, (0, 0));
}

#[tokio::test]
async fn a_sweep_takes_what_is_too_old_and_nothing_else() {
    let house = ready().await;
    let first = kiosk(&house);
    revealed(&first).await;
    first.stop().await;

    let kiosk = kiosk(&house);
    for hours in [None, Some(1)] {
        kiosk.set_booth(keeping(hours), Texts::default());
        kiosk.sweep();
    }
    revealed(&kiosk).await;
    kiosk.set_booth(keeping(Some(0)), Texts::default());
    kiosk.sweep();
    let one_left = async {
        while house.disk.journal.history().await.expect("reads").len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), one_left)
        .await
        .expect("the earlier run's visitor has left");
    assert!(matches!(kiosk.snapshot().screen, Screen::Reveal { .. }), "this one stands there");
    kiosk.set_booth(keeping(None), Texts::default());
    kiosk.stop().await;
    assert_eq!(kept(&house).await, (1, 1));
}

#[tokio::test]
async fn another_backend_is_for_the_next_visitor() {
    let first = unscanned().await;
    let second = unscanned().await;
    let kiosk = kiosk(&first);
    kiosk.start();
    until(&kiosk, is_invite).await;
    let (profile, target) = (second.profile.clone(), second.target.clone());
    kiosk.use_backend(Backing { profile, target, phones_at: None });
    let host = |house: &House| house.target.host();
    assert_eq!(kiosk.snapshot().backend.host, host(&first), "whose code is on the screen");
    kiosk.again();
    assert_eq!(kiosk.snapshot().backend.host, host(&second));
    kiosk.start();
    until(&kiosk, is_invite).await;
    assert_eq!((first.backend.count(GENERATE), second.backend.count(GENERATE)), (1, 1));
    kiosk.stop().await;
}

#[tokio::test]
async fn a_code_runs_out_on_the_screen_by_itself() {
    let mut house = unscanned().await;
    house.profile.export_token_life = Some(Duration::from_millis(300));
    let kiosk = kiosk(&house);
    kiosk.start();
    let expired = until(&kiosk, |screen| matches!(screen, Screen::Invite { expired: true, .. })).await;
    let Screen::Invite { expires_at: Some(at), .. } = expired.screen else { panic!("a moment") };
    let at: Timestamp = at.parse().expect("RFC 3339");
    assert!(Timestamp::now().duration_since(at) > SignedDuration::ZERO);
    kiosk.stop().await;
}

#[tokio::test]
async fn a_command_for_another_screen_is_ignored() {
    let scanned = Arc::new(AtomicBool::new(false));
    let is_scanned = scanned.clone();
    let house = House::new(move |_, ask| match ask.path.as_str() {
        REDEEM if is_scanned.load(Ordering::SeqCst) => Reply::not_ready("processing"),
        REDEEM => Reply::not_ready("no_associated_avatar"),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    let attract = kiosk.snapshot().revision;
    kiosk.start();
    let invite = until(&kiosk, is_invite).await;
    let visit = invite.screen.visit().expect("of somebody").to_owned();
    let on_code = CommandTarget { visit: Some(visit.clone()), revision: Some(invite.revision) };
    assert!(kiosk.is_current(&on_code));
    scanned.store(true, Ordering::SeqCst);
    let making = until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;

    // Pressed while the scan came in: the avatar is being made, and a second token would be paid for.
    assert!(!kiosk.is_current(&on_code));
    for command in
        [VisitorCommand::NewCode, VisitorCommand::Cancel, VisitorCommand::Again, VisitorCommand::Forget]
    {
        kiosk.run_command(command, &on_code);
    }
    let another = CommandTarget { visit: Some(store::VisitId::new().to_string()), revision: None };
    let of_attract = CommandTarget { visit: None, revision: Some(attract) };
    let of_the_last_run = CommandTarget { visit: None, revision: Some(u64::MAX) };
    for target in [&another, &of_attract, &of_the_last_run] {
        kiosk.run_command(VisitorCommand::Again, target);
    }
    assert_eq!(kiosk.snapshot().screen.visit(), Some(visit.as_str()));
    assert_eq!(house.backend.count(GENERATE), 1);

    let right = CommandTarget { visit: Some(visit), revision: Some(making.revision) };
    kiosk.run_command(VisitorCommand::Again, &right);
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    // A second press on the same button finds the first screen.
    kiosk.run_command(VisitorCommand::Again, &right);
    kiosk.run_command(VisitorCommand::Start, &CommandTarget { visit: None, revision: Some(attract) });
    assert_eq!(kiosk.snapshot().screen, Screen::Attract, "it was another attract screen");
    kiosk.stop().await;
}

#[tokio::test]
async fn a_button_counts_as_long_as_its_screen_stays() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1..4) => Reply::not_ready("in_queue"),
        (REDEEM, _) => Reply::not_ready("processing"),
        _ => Reply::default(),
    })
    .await;
    let kiosk = kiosk(&house);
    kiosk.start();
    let queued = until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    let later = |screen: &Screen| matches!(screen, Screen::Making { status, .. } if status == "processing");
    assert!(until(&kiosk, later).await.revision > queued.revision);
    let target =
        CommandTarget { visit: queued.screen.visit().map(str::to_owned), revision: Some(queued.revision) };
    kiosk.run_command(VisitorCommand::Cancel, &target);
    assert_eq!(kiosk.snapshot().screen, Screen::Attract);
    kiosk.stop().await;
}

#[tokio::test]
async fn keeping_until_the_visitor_leaves_covers_those_who_left_before() {
    let house = ready().await;
    let kiosk = kiosk(&house);
    for _ in 0..2 {
        revealed(&kiosk).await;
        kiosk.again();
    }
    let here = revealed(&kiosk).await;
    kiosk.sweep();
    kiosk.set_booth(keeping(Some(0)), Texts::default());
    kiosk.sweep();
    let gone = async {
        while kept(&house).await != (1, 1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("in the same run");
    assert_eq!(kiosk.snapshot().screen.visit(), Some(here.as_str()));
    kiosk.stop().await;
    assert_eq!(kept(&house).await, (0, 0));
}

#[tokio::test]
async fn a_visit_that_is_locked_is_forgotten_once_it_is_free_and_not_recovered_before() {
    let house = unscanned().await;
    let kiosk = kiosk(&house);
    kiosk.set_booth(keeping(Some(0)), Texts::default());
    kiosk.start();
    let visit = until(&kiosk, is_invite).await.screen.visit().expect("of somebody").to_owned();
    let id = visit.parse().expect("an id");
    kiosk.again();
    // As a recovery that was faster would; the forgetting may be faster still.
    let lock = loop {
        if let Ok(lock) = house.disk.data.claim(&id) {
            break Some(lock);
        }
        if kept(&house).await.1 == 0 {
            break None;
        }
        tokio::task::yield_now().await;
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = house.backend.count(REDEEM);
    drop(lock);
    kiosk.finish_left_over();
    kiosk.stop().await;
    assert_eq!(house.backend.count(REDEEM), before, "the token of a person who left is not used");
    assert_eq!(kept(&house).await, (0, 0));
    assert_eq!(kiosk.last_problem(), None);
}

#[tokio::test]
async fn recovery_behind_the_visitors_is_bounded_and_leaves_no_trace_at_the_booth() {
    let house = House::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, 1..=2) => Reply::status(400),
        (REDEEM, _) => Reply::not_ready("no_associated_avatar"),
        _ => Reply::default(),
    })
    .await;
    for _ in 0..30 {
        super::recover::issued(&house, false).await;
    }
    let kiosk = kiosk(&house);
    let resumed = async || {
        let open = |visit: &store::VisitRecord| visit.ending.is_none();
        let history = house.disk.journal.history().await.expect("reads");
        history.len() - history.iter().filter(|visit| open(visit)).count()
    };
    let mut before = 0;
    for _ in 0..2 {
        kiosk.finish_left_over();
        let bounded = before + kiosk::recover::MAX_REDEEMS;
        let all = async {
            while resumed().await < bounded {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("in time");
        before = resumed().await;
        assert_eq!(before, bounded, "a few at a time");
    }
    assert_eq!(house.backend.count(REDEEM), before, "each once: the next attempt waits");
    assert_eq!(kiosk.last_problem(), None);
    let rules = |_: &client::Exchange, _: &client::Backend| Vec::new();
    assert!(kiosk.inspector().view(None, &rules).visits.is_empty());
    kiosk.stop().await;
}
