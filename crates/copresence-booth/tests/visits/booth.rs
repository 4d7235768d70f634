//! The booth around the visits: what the operator sets, and what is forgotten.

use super::backend::{Response, glb, png};
use super::fixture::{Fixture, GENERATE_PATH, REDEEM_PATH, file_names};
use super::window::{is_invite, kiosk, release_signal, take, until};
use copresence_booth::app::{BackendConfig, ExpectedScreen, Kiosk, VisitorCommand};
use copresence_booth::view::{ForgettingProgress, LocalizedTextView, Screen, VisitorScreenSettingsView};
use copresence_engine::problem::problem_for_code;
use copresence_engine::recovery::MAX_REDEEMS_PER_RUN;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const EN: &str = "We keep your avatar for a day.";
const DE: &str = "Wir behalten deinen Avatar einen Tag.";

/// A backend that makes an avatar at once.
async fn ready() -> Fixture {
    Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        path if path.starts_with("/files/") => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await
}

/// A backend whose codes nobody scans.
async fn unscanned() -> Fixture {
    Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await
}

fn keeping(hours: Option<u32>) -> VisitorScreenSettingsView {
    VisitorScreenSettingsView { keep_hours: hours, ..VisitorScreenSettingsView::default() }
}

async fn revealed(kiosk: &Kiosk) -> String {
    kiosk.start_visit_or_show_consent();
    match until(kiosk, |screen| matches!(screen, Screen::Reveal { .. })).await.screen {
        Screen::Reveal { visit, .. } => visit,
        other => panic!("{other:?}"),
    }
}

async fn kept(fixture: &Fixture) -> (usize, usize) {
    (file_names(&fixture.out_dir()).len(), fixture.data_store.journal.load_all_visits().await.expect("reads").len())
}

#[tokio::test]
async fn what_visitors_agree_to_stands_before_the_code() {
    let fixture = unscanned().await;
    let kiosk = kiosk(&fixture);
    let texts = LocalizedTextView::from_iter([("de", DE), ("en", EN)]);
    kiosk.apply_screen_settings_and_consent(VisitorScreenSettingsView::default(), texts.clone());
    kiosk.accept_consent_and_start_visit(EN);
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract, "nothing was asked yet");
    kiosk.start_visit_or_show_consent();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Consent { texts });
    kiosk.leave_shown_visit();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 0, "a token is somebody's money");
    kiosk.start_visit_or_show_consent();
    kiosk.accept_consent_and_start_visit(DE);
    until(&kiosk, is_invite).await;
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn a_consent_in_any_language_has_everybody_asked() {
    let fixture = unscanned().await;
    let kiosk = kiosk(&fixture);
    kiosk.apply_screen_settings_and_consent(
        VisitorScreenSettingsView::default(),
        LocalizedTextView::from_iter([("ja", "一日保存します。")]),
    );
    kiosk.start_visit_or_show_consent();
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Consent { .. }));
    kiosk.apply_screen_settings_and_consent(VisitorScreenSettingsView::default(), LocalizedTextView::default());
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Consent { .. }), "who stands there is asked still");
    kiosk.leave_shown_visit();
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn nobody_agrees_to_words_that_they_were_not_told() {
    let fixture = unscanned().await;
    let kiosk = kiosk(&fixture);
    let told = |text: &str| LocalizedTextView::from_iter([("en", text)]);
    kiosk.apply_screen_settings_and_consent(VisitorScreenSettingsView::default(), told(EN));
    kiosk.start_visit_or_show_consent();
    // For whoever comes next.
    kiosk.apply_screen_settings_and_consent(
        VisitorScreenSettingsView::default(),
        told("We keep your avatar for a year."),
    );
    assert_eq!(kiosk.current_snapshot().screen, Screen::Consent { texts: told(EN) });
    kiosk.accept_consent_and_start_visit("We keep your avatar for a year.");
    kiosk.accept_consent_and_start_visit("");
    assert_eq!(kiosk.current_snapshot().screen, Screen::Consent { texts: told(EN) });
    kiosk.leave_shown_visit();
    kiosk.start_visit_or_show_consent();
    kiosk.accept_consent_and_start_visit(EN);
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Consent { .. }), "the page was behind");
    kiosk.accept_consent_and_start_visit("We keep your avatar for a year.");
    until(&kiosk, is_invite).await;
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn a_closed_booth_begins_nothing() {
    let fixture = ready().await;
    let kiosk = kiosk(&fixture);
    let closed = Some(problem_for_code("credentials_missing", None));
    kiosk.apply_screen_settings_and_consent(
        VisitorScreenSettingsView { closed: closed.clone(), ..VisitorScreenSettingsView::default() },
        LocalizedTextView::default(),
    );
    kiosk.start_visit_or_show_consent();
    let snapshot = kiosk.current_snapshot();
    assert_eq!((snapshot.screen, snapshot.booth.closed), (Screen::Attract, closed));
    kiosk.apply_screen_settings_and_consent(VisitorScreenSettingsView::default(), LocalizedTextView::default());
    revealed(&kiosk).await;
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn a_visitor_is_forgotten_on_disk_too() {
    let fixture = ready().await;
    let kiosk = kiosk(&fixture);
    let visit = revealed(&kiosk).await;
    assert_eq!(kept(&fixture).await, (1, 1));
    kiosk.forget_shown_visit();
    assert_eq!(kiosk.shown_visit_file_path(&visit, "avatar.glb"), None, "the face is off the screen at once");
    let done = Screen::Forgetting { visit, stand: ForgettingProgress::Done };
    until(&kiosk, |screen| *screen == done).await;
    assert_eq!(kept(&fixture).await, (0, 0));
    kiosk.return_to_start();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn a_visit_that_goes_on_can_be_forgotten() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => Response::not_ready("processing"),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    kiosk.forget_shown_visit();
    let done = |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingProgress::Done, .. });
    until(&kiosk, done).await;
    assert_eq!(kept(&fixture).await, (0, 0));
    assert!(kiosk.running_visits().is_empty());
    kiosk.stop_visits_for_shutdown().await;
}

/// Nothing of any visit: no folder among the avatars, none of an incomplete one, no line in the history.
async fn assert_nothing_is_kept(fixture: &Fixture) {
    assert_eq!(kept(fixture).await, (0, 0));
    assert_eq!(file_names(&fixture.data_store.data.incomplete_avatars_path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_visit_whose_files_are_on_their_way_can_be_forgotten() {
    let (_never_opened, closed) = release_signal();
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one"), ("png", "two"), ("png", "three")]),
        "/files/one" => Response::file(&glb(500)),
        // One has begun, and one is not even answered.
        "/files/two" => Response::file(&png(3000)).sent_slowly(),
        "/files/three" => Response::default().delayed_until(take(&closed)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    let one_is_whole =
        |screen: &Screen| matches!(screen, Screen::Saving { files, .. } if files.iter().any(|file| file.whole));
    until(&kiosk, one_is_whole).await;
    fixture.backend.wait_for_requests("/files/three", 1).await;
    assert_eq!(kept(&fixture).await, (1, 1), "what came lies in a folder in the making");
    kiosk.forget_shown_visit();
    let done = |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingProgress::Done, .. });
    until(&kiosk, done).await;
    assert_nothing_is_kept(&fixture).await;
    assert!(kiosk.running_visits().is_empty());
    // Nor does a later start find anything to go on with.
    kiosk.return_to_start();
    kiosk.spawn_recovery_of_earlier_visits();
    kiosk.stop_visits_for_shutdown().await;
    assert_nothing_is_kept(&fixture).await;
    assert_eq!(fixture.backend.count_requests("/files/two"), 1, "a one-time URL of somebody who is forgotten");
}

#[tokio::test]
async fn an_avatar_that_comes_at_the_moment_of_being_forgotten_is_not_fetched() {
    let (open, closed) = release_signal();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::not_ready("processing"),
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]).delayed_until(take(&closed)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    fixture.backend.wait_for_requests(REDEEM_PATH, 2).await;
    kiosk.forget_shown_visit();
    open.send(()).expect("it waits");
    let done = |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingProgress::Done, .. });
    until(&kiosk, done).await;
    kiosk.return_to_start();
    kiosk.spawn_recovery_of_earlier_visits();
    kiosk.stop_visits_for_shutdown().await;
    assert_nothing_is_kept(&fixture).await;
    assert_eq!(fixture.backend.count_requests("/files/one"), 0);
}

#[tokio::test]
async fn what_cannot_be_removed_is_said() {
    let fixture = ready().await;
    let kiosk = kiosk(&fixture);
    revealed(&kiosk).await;
    let folder = fixture.out_dir().join(&file_names(&fixture.out_dir())[0]);
    std::fs::write(folder.join("holiday.jpg"), "not ours").expect("written");
    kiosk.forget_shown_visit();
    let failed =
        |screen: &Screen| matches!(screen, Screen::Forgetting { stand: ForgettingProgress::Failed { .. }, .. });
    let Screen::Forgetting { stand: ForgettingProgress::Failed { problem }, .. } = until(&kiosk, failed).await.screen
    else {
        unreachable!("waited for")
    };
    assert_eq!(problem.code, "forget_incomplete");
    assert!(problem.operator.contains("holiday.jpg"), "{}", problem.operator);
    assert_eq!(kiosk.last_problem_and_time().map(|(_, last)| last), Some(problem));
    assert!(folder.join("holiday.jpg").exists() && !folder.join("avatar.glb").exists());
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn files_that_are_kept_until_the_visitor_leaves_go_then() {
    let fixture = ready().await;
    let kiosk = kiosk(&fixture);
    kiosk.apply_screen_settings_and_consent(keeping(Some(0)), LocalizedTextView::default());
    revealed(&kiosk).await;
    assert_eq!(kept(&fixture).await, (1, 1));
    kiosk.return_to_start();
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(kept(&fixture).await, (0, 0));
}

#[tokio::test]
async fn whoever_stands_there_at_the_stop_leaves_with_it() {
    let fixture = ready().await;
    let kiosk = kiosk(&fixture);
    kiosk.apply_screen_settings_and_consent(keeping(Some(0)), LocalizedTextView::default());
    revealed(&kiosk).await;
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(kept(&fixture).await, (0, 0));
}

#[tokio::test]
async fn a_sweep_takes_what_is_too_old_and_nothing_else() {
    let fixture = ready().await;
    let first = kiosk(&fixture);
    revealed(&first).await;
    first.stop_visits_for_shutdown().await;

    let kiosk = kiosk(&fixture);
    for hours in [None, Some(1)] {
        kiosk.apply_screen_settings_and_consent(keeping(hours), LocalizedTextView::default());
        kiosk.spawn_forgetting_of_due_visits();
    }
    revealed(&kiosk).await;
    kiosk.apply_screen_settings_and_consent(keeping(Some(0)), LocalizedTextView::default());
    kiosk.spawn_forgetting_of_due_visits();
    let one_left = async {
        while fixture.data_store.journal.load_all_visits().await.expect("reads").len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), one_left).await.expect("the earlier run's visitor has left");
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Reveal { .. }), "this one stands there");
    kiosk.apply_screen_settings_and_consent(keeping(None), LocalizedTextView::default());
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(kept(&fixture).await, (1, 1));
}

#[tokio::test]
async fn another_backend_is_for_the_next_visitor() {
    let first = unscanned().await;
    let second = unscanned().await;
    let kiosk = kiosk(&first);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    let (profile, target) = (second.profile.clone(), second.target.clone());
    kiosk.replace_active_backend(BackendConfig { profile, target, phone_address: None });
    let host = |fixture: &Fixture| fixture.target.host_and_port();
    assert_eq!(kiosk.current_snapshot().backend.host, host(&first), "whose code is on the screen");
    kiosk.return_to_start();
    assert_eq!(kiosk.current_snapshot().backend.host, host(&second));
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    assert_eq!((first.backend.count_requests(GENERATE_PATH), second.backend.count_requests(GENERATE_PATH)), (1, 1));
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn a_code_runs_out_on_the_screen_by_itself() {
    let mut fixture = unscanned().await;
    fixture.profile.token_lifetime = Some(Duration::from_millis(300));
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    let expired = until(&kiosk, |screen| matches!(screen, Screen::Invite { expired: true, .. })).await;
    let Screen::Invite { expires_at: Some(at), .. } = expired.screen else { panic!("a moment") };
    let at: Timestamp = at.parse().expect("RFC 3339");
    assert!(Timestamp::now().duration_since(at) > SignedDuration::ZERO);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn a_command_for_another_screen_is_ignored() {
    let scanned = Arc::new(AtomicBool::new(false));
    let is_scanned = scanned.clone();
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH if is_scanned.load(Ordering::SeqCst) => Response::not_ready("processing"),
        REDEEM_PATH => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    let attract = kiosk.current_snapshot().revision;
    kiosk.start_visit_or_show_consent();
    let invite = until(&kiosk, is_invite).await;
    let visit = invite.screen.visit_id().expect("of somebody").to_owned();
    let on_code = ExpectedScreen { visit: Some(visit.clone()), revision: Some(invite.revision) };
    assert!(kiosk.is_command_target_still_shown(&on_code));
    scanned.store(true, Ordering::SeqCst);
    let making = until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;

    // Pressed while the scan came in: the avatar is being made, and a second token would be paid for.
    assert!(!kiosk.is_command_target_still_shown(&on_code));
    for command in [VisitorCommand::NewCode, VisitorCommand::Cancel, VisitorCommand::Again, VisitorCommand::Forget] {
        kiosk.run_command_if_still_current(command, &on_code);
    }
    let another = ExpectedScreen { visit: Some(copresence_store::VisitId::new().to_string()), revision: None };
    let of_attract = ExpectedScreen { visit: None, revision: Some(attract) };
    let of_the_last_run = ExpectedScreen { visit: None, revision: Some(u64::MAX) };
    for target in [&another, &of_attract, &of_the_last_run] {
        kiosk.run_command_if_still_current(VisitorCommand::Again, target);
    }
    assert_eq!(kiosk.current_snapshot().screen.visit_id(), Some(visit.as_str()));
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1);

    let right = ExpectedScreen { visit: Some(visit), revision: Some(making.revision) };
    kiosk.run_command_if_still_current(VisitorCommand::Again, &right);
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    // A second press on the same button finds the first screen.
    kiosk.run_command_if_still_current(VisitorCommand::Again, &right);
    kiosk.run_command_if_still_current(VisitorCommand::Start, &ExpectedScreen { visit: None, revision: Some(attract) });
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract, "it was another attract screen");
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn a_button_counts_as_long_as_its_screen_stays() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1..4) => Response::not_ready("in_queue"),
        (REDEEM_PATH, _) => Response::not_ready("processing"),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    let queued = until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    let later = |screen: &Screen| matches!(screen, Screen::Making { status, .. } if status == "processing");
    assert!(until(&kiosk, later).await.revision > queued.revision);
    let target = ExpectedScreen { visit: queued.screen.visit_id().map(str::to_owned), revision: Some(queued.revision) };
    kiosk.run_command_if_still_current(VisitorCommand::Cancel, &target);
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn keeping_until_the_visitor_leaves_covers_those_who_left_before() {
    let fixture = ready().await;
    let kiosk = kiosk(&fixture);
    for _ in 0..2 {
        revealed(&kiosk).await;
        kiosk.return_to_start();
    }
    let here = revealed(&kiosk).await;
    kiosk.spawn_forgetting_of_due_visits();
    kiosk.apply_screen_settings_and_consent(keeping(Some(0)), LocalizedTextView::default());
    kiosk.spawn_forgetting_of_due_visits();
    let gone = async {
        while kept(&fixture).await != (1, 1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("in the same run");
    assert_eq!(kiosk.current_snapshot().screen.visit_id(), Some(here.as_str()));
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(kept(&fixture).await, (0, 0));
}

#[tokio::test]
async fn a_visit_that_is_locked_is_forgotten_once_it_is_free_and_not_recovered_before() {
    let fixture = unscanned().await;
    let kiosk = kiosk(&fixture);
    kiosk.apply_screen_settings_and_consent(keeping(Some(0)), LocalizedTextView::default());
    kiosk.start_visit_or_show_consent();
    let visit = until(&kiosk, is_invite).await.screen.visit_id().expect("of somebody").to_owned();
    let id = visit.parse().expect("an id");
    kiosk.return_to_start();
    // As a recovery that was faster would; the forgetting may be faster still.
    let lock = loop {
        if let Ok(lock) = fixture.data_store.data.lock_visit(&id) {
            break Some(lock);
        }
        if kept(&fixture).await.1 == 0 {
            break None;
        }
        tokio::task::yield_now().await;
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = fixture.backend.count_requests(REDEEM_PATH);
    drop(lock);
    kiosk.spawn_recovery_of_earlier_visits();
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), before, "the token of a person who left is not used");
    assert_eq!(kept(&fixture).await, (0, 0));
    assert_eq!(kiosk.last_problem_and_time(), None);
}

#[tokio::test]
async fn recovery_behind_the_visitors_is_bounded_and_leaves_no_trace_at_the_booth() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1..=2) => Response::status(400),
        (REDEEM_PATH, _) => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    for _ in 0..30 {
        super::earlier_visits::journal_issued_visit(&fixture, false).await;
    }
    let kiosk = kiosk(&fixture);
    let resumed = async || {
        let open = |visit: &copresence_store::VisitRecord| visit.ending.is_none();
        let history = fixture.data_store.journal.load_all_visits().await.expect("reads");
        history.len() - history.iter().filter(|visit| open(visit)).count()
    };
    let mut before = 0;
    for _ in 0..2 {
        kiosk.spawn_recovery_of_earlier_visits();
        // Until one was resumed, and no further one for a while.
        let settled = async {
            let mut now = resumed().await;
            loop {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let later = resumed().await;
                if now > before && later == now {
                    return now;
                }
                now = later;
            }
        };
        let now = tokio::time::timeout(Duration::from_secs(20), settled).await.expect("in time");
        assert!(now - before <= MAX_REDEEMS_PER_RUN, "{before} → {now}: a few at a time");
        before = now;
    }
    let confirmed_refusals = 1;
    assert_eq!(
        fixture.backend.count_requests(REDEEM_PATH),
        before + confirmed_refusals,
        "each once, and a refusal twice: the next attempt waits"
    );
    assert_eq!(kiosk.last_problem_and_time(), None);
    let rules = |_: &copresence_client::Exchange, _: &copresence_client::BackendWithRoutes| Vec::new();
    assert!(kiosk.inspector().build_inspector_view_of_visit_or_newest(None, &rules).visits.is_empty());
    kiosk.stop_visits_for_shutdown().await;
}
