//! The application behind a window.

use super::backend::{Response, glb};
use super::earlier_visits::{delivery_body, journal_issued_visit, journal_unread_answer};
use super::fixture::{API_KEY, Fixture, GENERATE_PATH, REDEEM_PATH, SESSION_TOKEN, file_names};
use copresence_booth::app::{Kiosk, KioskSetup};
use copresence_booth::view::{Screen, Snapshot};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::oneshot;

pub(crate) fn kiosk(fixture: &Fixture) -> Kiosk {
    Kiosk::new(KioskSetup {
        profile: fixture.profile.clone(),
        target: fixture.target.clone(),
        data_store: fixture.data_store.clone(),
        overrides: fixture.overrides(),
        phone_address: None,
        asset_base: "avatar://localhost".into(),
    })
}

/// Waits for a screen, and holds every snapshot on the way to the promise about revisions.
pub(crate) async fn until(kiosk: &Kiosk, wanted: impl Fn(&Screen) -> bool) -> Snapshot {
    let mut snapshots = kiosk.watch_latest_snapshot();
    let mut last = 0;
    let found = snapshots.wait_for(|snapshot| {
        assert!(snapshot.revision > last, "a revision only grows");
        last = snapshot.revision;
        wanted(&snapshot.screen)
    });
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.unwrap_or_else(|_| panic!("still {:?}", kiosk.current_snapshot().screen)).expect("it lives").clone()
}

pub(crate) fn is_invite(screen: &Screen) -> bool {
    matches!(screen, Screen::Invite { .. })
}

pub(crate) async fn exits(fixture: &Fixture) -> Vec<Option<u8>> {
    let history = fixture.data_store.journal.load_all_visits().await.expect("reads");
    history.into_iter().map(|visit| visit.ending.map(|ending| ending.exit)).collect()
}

pub(crate) type ReleaseSignal = Arc<Mutex<Option<oneshot::Receiver<()>>>>;

/// Holds one response back until the sender is used.
pub(crate) fn release_signal() -> (oneshot::Sender<()>, ReleaseSignal) {
    let (open, moment) = oneshot::channel();
    (open, Arc::new(Mutex::new(Some(moment))))
}

pub(crate) fn take(release_signal: &ReleaseSignal) -> oneshot::Receiver<()> {
    release_signal.lock().expect("no panic").take().expect("asked once")
}

#[tokio::test]
async fn a_visit_walks_over_the_screen_and_only_its_own_files_are_shown() {
    let fixture = Fixture::new(|nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::not_ready("processing"),
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", _) => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    let first = kiosk.current_snapshot();
    assert_eq!(first.screen, Screen::Attract);
    kiosk.start_visit_or_show_consent();
    kiosk.start_visit_or_show_consent();
    let Screen::Reveal { visit, files, glb: url, .. } =
        until(&kiosk, |screen| matches!(screen, Screen::Reveal { .. })).await.screen
    else {
        unreachable!("waited for")
    };
    assert!(kiosk.current_snapshot().revision > first.revision);
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1, "a second start does nothing");
    assert_eq!(url, Some(format!("avatar://localhost/{visit}/avatar.glb")));
    assert_eq!(files.len(), 1);

    let file = kiosk.shown_visit_file_path(&visit, "avatar.glb").expect("shown");
    assert_eq!(std::fs::read(file).expect("read"), glb(500));
    for (visit, name) in [(visit.as_str(), "manifest.json"), (visit.as_str(), "../x"), ("another", "avatar.glb")] {
        assert_eq!(kiosk.shown_visit_file_path(visit, name), None, "{name}");
    }
    assert_eq!(kiosk.shown_qr_link(), None, "the code is not on the screen any more");

    let has_model = || matches!(kiosk.current_snapshot().screen, Screen::Reveal { glb: Some(_), .. });
    kiosk.record_file_request_of_page("another", "avatar.glb");
    kiosk.withhold_file_after_page_crash();
    assert!(has_model(), "the page ended before it asked for the model");
    kiosk.record_file_request_of_page(&visit, "avatar.glb");
    assert!(has_model());
    kiosk.withhold_file_after_page_crash();
    assert!(!has_model(), "the model ended the page");

    kiosk.return_to_start();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    assert_eq!(
        kiosk.shown_visit_file_path(&visit, "avatar.glb"),
        None,
        "the next visitor never sees the last one's face"
    );
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(exits(&fixture).await, [Some(0)]);
}

#[tokio::test]
async fn leaving_before_anybody_scanned_ends_the_visit() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    let link = kiosk.shown_qr_link().expect("it is on the screen");
    assert!(link.ends_with("export-token-1"), "{link}");
    kiosk.restart_visit_with_new_token();
    until(&kiosk, is_invite).await;
    assert!(kiosk.shown_qr_link().is_some_and(|link| link.ends_with("export-token-2")));
    kiosk.leave_shown_visit();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(exits(&fixture).await, [Some(130), Some(130)]);
}

/// A stranger who takes one code after the other uses up no tokens without end, and a visitor who leaves while the next code
/// waits uses none.
#[tokio::test]
async fn a_code_after_many_unused_ones_waits() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    for _ in 0..5 {
        until(&kiosk, is_invite).await;
        kiosk.restart_visit_with_new_token();
    }
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Preparing { .. }));
    kiosk.leave_shown_visit();
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 5, "the sixth code was not requested");
}

/// Its token is billed, and only the response names it: it is journalled and can be redeemed later.
#[tokio::test]
async fn the_token_of_a_visitor_who_leaves_before_the_code_is_kept() {
    let (open, closed) = release_signal();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (GENERATE_PATH, 1) => Response::default().delayed_until(take(&closed)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    fixture.backend.wait_for_requests(GENERATE_PATH, 1).await;
    kiosk.leave_shown_visit();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract, "nobody waits at the screen");
    open.send(()).expect("it waits");
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(exits(&fixture).await, [Some(130)]);
    let visits = fixture.data_store.journal.load_all_visits().await.expect("reads");
    let unfinished = fixture.data_store.journal.load_unfinished_visit(&visits[0].start.id).await.expect("reads");
    assert!(unfinished.expect("it can be recovered").token.is_some());
}

#[tokio::test]
async fn leaving_before_the_code_counts_as_an_unused_code() {
    let (open, closed): (Vec<_>, Vec<_>) = (0..5).map(|_| release_signal()).unzip();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), closed.get(nth - 1)) {
        (GENERATE_PATH, Some(closed)) => Response::default().delayed_until(take(closed)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    for requested in 1..=5 {
        kiosk.start_visit_or_show_consent();
        fixture.backend.wait_for_requests(GENERATE_PATH, requested).await;
        kiosk.leave_shown_visit();
    }
    kiosk.start_visit_or_show_consent();
    assert!(matches!(kiosk.current_snapshot().screen, Screen::Preparing { .. }));
    for open in open {
        open.send(()).expect("it waits");
    }
    kiosk.leave_shown_visit();
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 5, "the sixth code was not requested");
}

/// While the backend fails, no token is issued, so leaving wastes none.
#[tokio::test]
async fn leaving_without_an_issued_token_is_no_unused_code() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        GENERATE_PATH => Response::status(500),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    for requested in 1..=7 {
        kiosk.start_visit_or_show_consent();
        fixture.backend.wait_for_requests(GENERATE_PATH, requested).await;
        kiosk.leave_shown_visit();
    }
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 7, "no code waited");
}

#[tokio::test]
async fn an_avatar_on_its_way_is_saved_behind_the_next_visitors_back() {
    let ready = Arc::new(AtomicBool::new(false));
    let is_ready = ready.clone();
    let fixture = Fixture::new(move |_, ask| match (ask.path.as_str(), ask.header("x-copresence-export-token")) {
        (REDEEM_PATH, Some("export-token-1")) if is_ready.load(Ordering::SeqCst) => {
            ask.ready_response(&[("glb", "one")])
        }
        (REDEEM_PATH, Some("export-token-1")) => Response::not_ready("processing"),
        (REDEEM_PATH, _) => Response::not_ready("no_associated_avatar"),
        ("/files/one", _) => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, |screen| matches!(screen, Screen::Making { .. })).await;
    kiosk.return_to_start();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, is_invite).await;
    ready.store(true, Ordering::SeqCst);
    until_ended(&fixture, 1).await;
    assert!(is_invite(&kiosk.current_snapshot().screen), "the second visitor sees nothing of it");
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(exits(&fixture).await, [Some(130), Some(0)]);
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
}

/// The end of a visit that nobody sees has no event of its own: the journal is looked at.
async fn until_ended(fixture: &Fixture, ended: usize) {
    while exits(fixture).await.into_iter().flatten().count() < ended {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_avatar_that_comes_at_the_moment_of_leaving_is_saved() {
    let (open, closed) = release_signal();
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]).delayed_until(take(&closed)),
        "/files/one" => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    fixture.backend.wait_for_requests(REDEEM_PATH, 1).await;
    kiosk.leave_shown_visit();
    open.send(()).expect("it waits");
    until_ended(&fixture, 1).await;
    assert_eq!(exits(&fixture).await, [Some(0)]);
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
}

#[tokio::test]
async fn a_second_press_on_new_code_makes_no_second_token() {
    let (open, closed) = release_signal();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (GENERATE_PATH, 1) => Response::default().delayed_until(take(&closed)),
        (REDEEM_PATH, _) => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    fixture.backend.wait_for_requests(GENERATE_PATH, 1).await;
    kiosk.restart_visit_with_new_token();
    open.send(()).expect("it waits");
    until(&kiosk, is_invite).await;
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn nothing_begins_after_the_stop() {
    let fixture = Fixture::new(|_, _| Response::default()).await;
    let kiosk = kiosk(&fixture);
    kiosk.stop_visits_for_shutdown().await;
    kiosk.start_visit_or_show_consent();
    kiosk.restart_visit_with_new_token();
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    kiosk.stop_visits_for_shutdown().await;
    assert!(fixture.backend.requests().is_empty() && exits(&fixture).await.is_empty());
}

#[tokio::test]
async fn many_visits_log_in_once() {
    let mut fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        "/login" => Response::json(&serde_json::json!({"sessionToken": "r:made"})),
        REDEEM_PATH => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    fixture.target.credentials.session_token = None;
    fixture.target.credentials.login = Some((
        copresence_protocol::Username::new("planted-user"),
        copresence_protocol::Password::new("planted-password"),
    ));
    let kiosk = kiosk(&fixture);
    for _ in 0..3 {
        kiosk.start_visit_or_show_consent();
        until(&kiosk, is_invite).await;
        kiosk.return_to_start();
    }
    assert_eq!((fixture.backend.count_requests("/login"), fixture.backend.count_requests(GENERATE_PATH)), (1, 3));
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn what_a_crash_left_is_finished_unseen() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        "/files/one" => Response::file(&glb(500)),
        _ => Response::status(500),
    })
    .await;
    let body = delivery_body(&fixture, true, &[("glb", "one")]);
    journal_unread_answer(&fixture, 200, &body).await;
    let kiosk = kiosk(&fixture);
    kiosk.spawn_recovery_of_earlier_visits();
    until_ended(&fixture, 1).await;
    assert_eq!(exits(&fixture).await, [Some(0)]);
    assert_eq!(kiosk.current_snapshot().screen, Screen::Attract);
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
}

/// The profile got a slash at the end of its `api_url` meanwhile.
#[tokio::test]
async fn a_kept_token_is_redeemed_at_another_spelling_of_the_same_url() {
    let mut fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        "/1/redeemExportToken" => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::file(&glb(500)),
        _ => Response::status(500),
    })
    .await;
    fixture.backend.url.set_path("/1");
    fixture.target.api_url.set_path("/1/");
    journal_issued_visit(&fixture, false).await;
    let kiosk = kiosk(&fixture);
    kiosk.spawn_recovery_of_earlier_visits();
    tokio::time::timeout(Duration::from_secs(20), until_ended(&fixture, 1)).await.expect("it is redeemed");
    assert_eq!(exits(&fixture).await, [Some(0)]);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn what_a_failing_backend_left_is_finished_behind_the_next_visitor() {
    let well = Arc::new(AtomicBool::new(false));
    let healthy = well.clone();
    let mut fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH if healthy.load(Ordering::SeqCst) => ask.ready_response(&[("glb", "one")]),
        REDEEM_PATH => Response::status(500),
        // So large that it is not called starved when it comes after that patience.
        path if path.starts_with("/files/") => Response::file(&glb(5_000)),
        _ => Response::default(),
    })
    .await;
    fixture.profile.limits.patience = Duration::from_millis(200);
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    until(&kiosk, |screen| matches!(screen, Screen::Ended { of_somebody: true, .. })).await;
    assert_eq!(exits(&fixture).await, [Some(6)]);
    well.store(true, Ordering::SeqCst);
    kiosk.return_to_start();
    kiosk.start_visit_or_show_consent();
    let both = async {
        while exits(&fixture).await != [Some(0), Some(0)] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("the first visitor's avatar too");
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(file_names(&fixture.out_dir()).len(), 2);
}

#[tokio::test]
async fn an_interrupted_download_is_finished_without_a_new_visitor_when_the_file_server_is_back() {
    let well = Arc::new(AtomicBool::new(false));
    let healthy = well.clone();
    let mut fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" if healthy.load(Ordering::SeqCst) => Response::file(&glb(5_000)),
        "/files/one" => Response::status(503),
        _ => Response::default(),
    })
    .await;
    fixture.profile.limits.patience = Duration::from_millis(200);
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    let ended = until(&kiosk, |screen| matches!(screen, Screen::Ended { .. })).await;
    let Screen::Ended { problem, of_somebody: true, .. } = ended.screen else { panic!("a visitor's avatar") };
    assert_eq!(problem.code, "download_interrupted");
    // The first recovery fails too.
    let asked = fixture.backend.count_requests("/files/one");
    fixture.backend.wait_for_requests("/files/one", asked + 1).await;
    well.store(true, Ordering::SeqCst);
    let saved = async {
        while exits(&fixture).await != [Some(0)] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), saved).await.expect("saved without a further visitor");
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
}

#[tokio::test]
async fn an_avatar_whose_folder_was_unusable_is_saved_without_a_new_visitor() {
    let out_dir = Arc::new(OnceLock::<PathBuf>::new());
    let known_out_dir = out_dir.clone();
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            // A file in place of the folder. Before the redeem it would have been noticed.
            std::fs::write(known_out_dir.get().expect("set"), "").expect("written");
            ask.ready_response(&[("glb", "one")])
        }
        "/files/one" => Response::file(&glb(5_000)),
        _ => Response::default(),
    })
    .await;
    out_dir.set(fixture.out_dir()).expect("set once");
    let kiosk = kiosk(&fixture);
    kiosk.start_visit_or_show_consent();
    let ended = until(&kiosk, |screen| matches!(screen, Screen::Ended { .. })).await;
    let Screen::Ended { problem, .. } = ended.screen else { unreachable!("waited for") };
    assert_eq!(problem.code, "storage_failed");
    // The first recovery fails too.
    let attempts = async || fixture.data_store.journal.load_all_visits().await.expect("reads")[0].recovery_attempts;
    let tried = async {
        while attempts().await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), tried).await.expect("tried without a further visitor");
    std::fs::remove_file(fixture.out_dir()).expect("removed");
    let saved = async {
        while exits(&fixture).await != [Some(0)] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), saved).await.expect("saved without a further visitor");
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
    assert_eq!((fixture.backend.count_requests(REDEEM_PATH), fixture.backend.count_requests("/files/one")), (1, 1));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_what_is_finished_unseen() {
    let (_never, closed) = release_signal();
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        "/files/one" => Response::file(&glb(500)).delayed_until(take(&closed)),
        _ => Response::status(500),
    })
    .await;
    let body = delivery_body(&fixture, true, &[("glb", "one")]);
    journal_unread_answer(&fixture, 200, &body).await;
    let kiosk = kiosk(&fixture);
    kiosk.spawn_recovery_of_earlier_visits();
    fixture.backend.wait_for_requests("/files/one", 1).await;
    kiosk.stop_visits_for_shutdown().await;
    assert_eq!(
        fixture.data_store.journal.load_recoverable_visits().await.expect("reads").len(),
        1,
        "kept for the next start"
    );
}

#[tokio::test]
async fn what_is_missing_to_begin_is_on_the_screen() {
    let mut fixture = Fixture::new(|_, _| Response::default()).await;
    fixture.target.credentials.api_key = None;
    let missing = kiosk(&fixture);
    missing.start_visit_or_show_consent();
    let ended = until(&missing, |screen| matches!(screen, Screen::Ended { .. })).await;
    let Screen::Ended { problem, of_somebody, .. } = ended.screen else { panic!("ended") };
    assert_eq!((problem.code.as_str(), of_somebody), ("credentials_missing", false));
    missing.return_to_start();
    assert_eq!(missing.current_snapshot().screen, Screen::Attract);

    fixture.target.credentials.api_key = Some(copresence_protocol::ApiKey::new("line\nend"));
    let wrong = kiosk(&fixture);
    wrong.start_visit_or_show_consent();
    let ended = until(&wrong, |screen| matches!(screen, Screen::Ended { .. })).await;
    let Screen::Ended { problem, .. } = ended.screen else { panic!("ended") };
    assert_eq!(problem.code, "configuration", "it is there, and no header can carry it");
    assert!(fixture.backend.requests().is_empty());
}

#[tokio::test]
async fn no_screen_shows_a_credential_that_the_backend_repeats() {
    let echo = format!("{API_KEY} and {SESSION_TOKEN}");
    let said = echo.clone();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, 1) => Response::not_ready(&said),
        (REDEEM_PATH, 2) => Response::json(&serde_json::json!({ "error": said })).with_header("x-said", said.as_str()),
        (REDEEM_PATH, _) => ask.ready_response(&[(said.as_str(), "one")]),
        ("/files/one", _) => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await;
    let kiosk = kiosk(&fixture);
    let hold = |screen: &Screen| {
        let sent = serde_json::to_string(screen).expect("plain data");
        for secret in [API_KEY, SESSION_TOKEN] {
            assert!(!sent.contains(secret), "{secret} in {sent}");
        }
    };
    kiosk.start_visit_or_show_consent();
    for wanted in ["making", "reveal"] {
        until(&kiosk, |screen| {
            hold(screen);
            serde_json::to_value(screen).expect("plain data")["kind"] == wanted
        })
        .await;
    }
    kiosk.stop_visits_for_shutdown().await;
    for line in fixture.events() {
        assert!(!format!("{line:?}").contains(API_KEY), "{line:?}");
    }
}
