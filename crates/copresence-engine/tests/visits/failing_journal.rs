//! A journal that refuses some writes for a while: what is paid for is not lost.

use super::backend::{Request, Response, glb};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{Fixture, GENERATE_PATH, REDEEM_PATH};
use copresence_engine::Outcome;
use copresence_engine::events::VisitEvent;
use copresence_engine::runner::{VisitContext, VisitResult, run_visit};
use copresence_store::{FileDownloadState, RedeemState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The journal refuses this from now on, as a full disk would.
fn make_journal_refuse(data: &Path, what: &str) {
    let sql = format!("CREATE TRIGGER sick BEFORE {what} BEGIN SELECT RAISE(FAIL, 'the disk is full'); END");
    open_database(data).execute_batch(&sql).expect("made");
}

fn make_journal_accept(data: &Path) {
    open_database(data).execute_batch("DROP TRIGGER sick").expect("dropped");
}

fn open_database(data: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(data.join("journal.sqlite")).expect("opens")
}

/// A WAL that can be hidden: until it is shown again, transactions are committed, and no flush succeeds.
#[derive(Clone)]
struct HideableWal {
    path: PathBuf,
    hidden: PathBuf,
}

impl HideableWal {
    fn wal_of_data_folder(data: &Path) -> Self {
        Self { path: data.join("journal.sqlite-wal"), hidden: data.with_file_name("hidden-wal") }
    }

    fn hide(&self) {
        std::fs::rename(&self.path, &self.hidden).expect("hidden");
    }

    fn show_if_hidden(&self) {
        if self.hidden.exists() {
            std::fs::rename(&self.hidden, &self.path).expect("there again");
        }
    }
}

/// Runs a visit. Calls `react` with the name of each event; the visit continues after it returns.
async fn run_visit_reacting_to_events(
    fixture: &Fixture,
    patience: Duration,
    react: impl Fn(&str) + Send + Sync + 'static,
) -> VisitResult {
    let context = fixture.visit_context();
    let sink = context.event_sink.clone();
    let event_sink = Arc::new(move |event: VisitEvent| {
        react(event.kind.event_name());
        sink(event);
    });
    let mut config = fixture.visit_config().await;
    config.limits.patience = patience;
    run_visit(config, VisitContext { event_sink, ..context }, CancellationToken::new()).await
}

/// The offset from which each request for a file was sent.
fn range_starts(fixture: &Fixture, path: &str) -> Vec<usize> {
    fixture.backend.requests().iter().filter(|ask| ask.path == path).map(Request::range_start).collect()
}

async fn fixture_with_data(script: impl Fn(&Path, &str, usize) -> Option<Response> + Send + Sync + 'static) -> Fixture {
    let root = tempfile::tempdir().expect("a folder");
    let data = root.path().join("data");
    let backend = super::backend::Backend::start(move |nth, ask| {
        script(&data, &ask.path, nth).unwrap_or_else(|| match ask.path.as_str() {
            REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
            "/files/one" => Response::file(&glb(500)),
            _ => Response::default(),
        })
    });
    Fixture::with_root(root, backend.await)
}

#[tokio::test]
async fn a_failed_journal_write_is_repeated_before_the_next_poll() {
    for what in ["UPDATE ON redeems WHEN NEW.state = 'answered'", "UPDATE ON redeems WHEN NEW.delivered = 0"] {
        let fixture = fixture_with_data(move |data, path, nth| match (path, nth) {
            (REDEEM_PATH, 1) => {
                make_journal_refuse(data, what);
                Some(Response::not_ready("processing"))
            }
            _ => None,
        })
        .await;
        let mut snapshots = fixture.watch_event_names();
        let (visit, _) = fixture.spawn_visit().await;
        snapshots.wait_for(|words| words.contains(&"retrying")).await.expect("the trouble is told");
        make_journal_accept(&fixture.root.path().join("data"));
        assert_eq!(visit.await.expect("no panic").outcome, Outcome::Saved);
        let redeems = fixture.only_visit().await.redeems;
        let outcomes: Vec<_> = redeems.iter().map(|redeem| &redeem.outcome).collect();
        assert!(
            matches!(
                outcomes[..],
                [
                    RedeemState::Answered { delivered: Some(false), .. },
                    RedeemState::Answered { delivered: Some(true), .. }
                ]
            ),
            "{outcomes:?}"
        );
    }
}

/// Another program, such as a backup, holds the lock of the journal for longer than a URL may live.
#[tokio::test]
async fn a_locked_journal_does_not_delay_the_downloads() {
    let (request_seen, requests) = std::sync::mpsc::channel();
    let locked_until_request = Arc::new(AtomicBool::new(false));
    let (requests, was_requested_in_time) = (std::sync::Mutex::new(Some(requests)), locked_until_request.clone());
    let fixture = fixture_with_data(move |data, path, _| {
        match path {
            REDEEM_PATH => {
                let database = open_database(data);
                database.execute_batch("BEGIN IMMEDIATE").expect("locked");
                let requests = requests.lock().expect("no panic").take().expect("one redeem");
                let was_requested_in_time = was_requested_in_time.clone();
                std::thread::spawn(move || {
                    // Less than the time after which a write fails.
                    let seen = requests.recv_timeout(Duration::from_secs(8));
                    was_requested_in_time.store(seen.is_ok(), Ordering::Relaxed);
                    database.execute_batch("ROLLBACK").expect("unlocked");
                });
            }
            "/files/one" => _ = request_seen.send(()),
            _ => {}
        }
        None
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved);
    assert!(locked_until_request.load(Ordering::Relaxed), "the file is requested while the journal is locked");
    let redeems = fixture.only_visit().await.redeems;
    assert!(matches!(redeems[0].outcome, RedeemState::Answered { delivered: Some(true), .. }), "{redeems:?}");
}

#[tokio::test]
async fn without_an_intent_on_disk_no_redeem_is_sent() {
    let fixture = fixture_with_data(|data, path, nth| match (path, nth) {
        (REDEEM_PATH, 1) => {
            make_journal_refuse(data, "INSERT ON redeems");
            Some(Response::not_ready("processing"))
        }
        _ => None,
    })
    .await;
    let patience = std::time::Duration::from_millis(500);
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = patience).await;
    assert_eq!(ended.outcome.exit_code(), 2, "{ended:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    assert!(
        fixture.data_store.journal.load_recoverable_visits().await.expect("reads")[0].token.is_some(),
        "for `recover`"
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_journalled_is_not_requested_twice() {
    let fixture = fixture_with_data(|data, path, _| {
        if path == GENERATE_PATH {
            make_journal_refuse(data, "UPDATE ON visits WHEN NEW.token IS NOT NULL");
        }
        None
    })
    .await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = Duration::from_millis(500)).await;
    assert_eq!(ended.outcome.exit_code(), 2);
    assert!(ended.outcome.detail_for_operator().is_some_and(|why| why.contains("issued and billed")), "{ended:?}");
    assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1);
}

/// Nothing but the response of the backend names a token that is billed.
#[tokio::test]
#[cfg_attr(windows, ignore = "Windows renames no open file")]
async fn a_token_is_kept_although_the_journal_fails_for_a_while() {
    for what in ["UPDATE ON visits WHEN NEW.token IS NOT NULL", ""] {
        let fixture = fixture_with_data(move |data, path, _| {
            if path == GENERATE_PATH {
                let (data, wal) = (data.to_owned(), HideableWal::wal_of_data_folder(data));
                if what.is_empty() {
                    wal.hide();
                } else {
                    make_journal_refuse(&data, what);
                }
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(300));
                    if what.is_empty() { wal.show_if_hidden() } else { make_journal_accept(&data) }
                });
            }
            None
        })
        .await;
        assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved, "{what}");
        assert_eq!(fixture.backend.count_requests(GENERATE_PATH), 1, "{what}");
    }
}

/// The lock of another program ends only after the avatar is saved.
#[tokio::test]
async fn a_journal_that_is_locked_in_the_middle_of_a_download_delays_the_avatar_by_seconds_only() {
    let (saved, is_saved) = std::sync::mpsc::channel();
    let was_saved_in_time = Arc::new(AtomicBool::new(false));
    let (is_saved, in_time) = (std::sync::Mutex::new(Some(is_saved)), was_saved_in_time.clone());
    let fixture = fixture_with_data(move |data, path, _| {
        if path == "/files/one" {
            let database = open_database(data);
            database.execute_batch("BEGIN IMMEDIATE").expect("locked");
            let (is_saved, in_time) =
                (is_saved.lock().expect("no panic").take().expect("one request"), in_time.clone());
            std::thread::spawn(move || {
                // Less than the time after which a write fails.
                in_time.store(is_saved.recv_timeout(Duration::from_secs(9)).is_ok(), Ordering::Relaxed);
                database.execute_batch("ROLLBACK").expect("unlocked");
            });
        }
        None
    })
    .await;
    let ended = run_visit_reacting_to_events(&fixture, Duration::from_mins(3), move |event| {
        if event == "saved" {
            _ = saved.send(());
        }
    })
    .await;
    assert_eq!(ended.outcome, Outcome::Saved);
    assert!(was_saved_in_time.load(Ordering::Relaxed), "the avatar is saved while the journal is locked");
    let visit = fixture.only_visit().await;
    assert!(matches!(visit.files[0].state, FileDownloadState::Complete { .. }), "{:?}", visit.files);
    assert!(!visit.visit.is_unfinished && visit.visit.times.saved.is_some(), "{:?}", visit.visit);
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
        let fixture = fixture_with_data(move |data, path, _| {
            if path == REDEEM_PATH {
                make_journal_refuse(data, what);
            }
            None
        })
        .await;
        let ended = fixture.run_visit().await;
        assert_eq!(ended.outcome, Outcome::Saved, "{what}");
        assert!(ended.directory.is_some_and(|directory| directory.join("avatar.glb").is_file()));
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1, "{what}");
    }
}

#[tokio::test]
#[cfg_attr(windows, ignore = "Windows renames no open file")]
async fn a_redeem_whose_intent_cannot_be_flushed_blocks_no_later_one() {
    let fixture =
        fixture_with_data(|_, path, nth| (path == REDEEM_PATH && nth == 1).then(|| Response::not_ready("processing")))
            .await;
    let wal = HideableWal::wal_of_data_folder(&fixture.root.path().join("data"));
    let was_hidden = AtomicBool::new(false);
    let ended = run_visit_reacting_to_events(&fixture, Duration::from_mins(3), move |event| match event {
        "status" if !was_hidden.swap(true, Ordering::SeqCst) => wal.hide(),
        "retrying" => wal.show_if_hidden(),
        _ => {}
    })
    .await;
    assert_eq!(ended.outcome, Outcome::Saved);
    let redeems = fixture.only_visit().await.redeems;
    let outcomes: Vec<_> = redeems.iter().map(|redeem| &redeem.outcome).collect();
    assert!(
        matches!(
            outcomes[..],
            [
                RedeemState::Answered { delivered: Some(false), .. },
                RedeemState::NeverSent { .. },
                RedeemState::Answered { delivered: Some(true), .. }
            ]
        ),
        "{outcomes:?}"
    );
}

#[tokio::test]
#[cfg_attr(windows, ignore = "Windows renames no open file")]
async fn a_redeem_that_was_not_sent_is_no_evidence_of_a_consumed_token() {
    let fixture = fixture_with_data(|_, path, nth| {
        (path == REDEEM_PATH).then(|| if nth == 1 { Response::not_ready("processing") } else { Response::status(400) })
    })
    .await;
    let wal = HideableWal::wal_of_data_folder(&fixture.root.path().join("data"));
    let hidden = wal.clone();
    let was_hidden = AtomicBool::new(false);
    let ended = run_visit_reacting_to_events(&fixture, Duration::from_millis(300), move |event| {
        if event == "status" && !was_hidden.swap(true, Ordering::SeqCst) {
            hidden.hide();
        }
    })
    .await;
    assert_eq!(ended.outcome.exit_code(), 2, "{ended:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    wal.show_if_hidden();
    assert_eq!(recover_fixture_visits(&fixture).await.remove(0).outcome.exit_code(), 4);
    let redeems = fixture.only_visit().await.redeems;
    assert!(!redeems.iter().any(|redeem| matches!(redeem.outcome, RedeemState::Unanswered { .. })), "{redeems:?}");
}

#[tokio::test]
#[cfg_attr(windows, ignore = "Windows renames no open file")]
async fn an_answer_that_cannot_be_flushed_is_journalled_before_the_next_poll() {
    let fixture = fixture_with_data(|data, path, nth| {
        (path == REDEEM_PATH && nth == 1).then(|| {
            HideableWal::wal_of_data_folder(data).hide();
            Response::not_ready("processing")
        })
    })
    .await;
    let wal = HideableWal::wal_of_data_folder(&fixture.root.path().join("data"));
    let ended = run_visit_reacting_to_events(&fixture, Duration::from_mins(3), move |event| {
        if event == "retrying" {
            wal.show_if_hidden();
        }
    })
    .await;
    assert_eq!(ended.outcome, Outcome::Saved);
    assert_eq!(fixture.only_visit().await.redeems.len(), 2);
}

#[tokio::test]
#[cfg_attr(windows, ignore = "Windows renames no open file")]
async fn a_delivery_that_cannot_be_flushed_is_journalled_while_it_is_saved() {
    let fixture = fixture_with_data(|data, path, _| {
        match path {
            REDEEM_PATH => HideableWal::wal_of_data_folder(data).hide(),
            "/files/one" => HideableWal::wal_of_data_folder(data).show_if_hidden(),
            _ => {}
        }
        None
    })
    .await;
    assert_eq!(fixture.run_visit().await.outcome, Outcome::Saved);
    let visit = fixture.only_visit().await;
    let [redeem] = &visit.redeems[..] else { panic!("{:?}", visit.redeems) };
    assert!(matches!(redeem.outcome, RedeemState::Answered { delivered: Some(true), .. }), "{redeem:?}");
    assert!(matches!(visit.files[0].state, FileDownloadState::Complete { .. }), "{:?}", visit.files);
}

#[tokio::test]
async fn a_delivery_is_journalled_during_its_download_once_the_journal_can_be_written() {
    for what in [
        "UPDATE ON redeems WHEN NEW.state = 'answered'",
        "UPDATE ON redeems WHEN NEW.delivered = 1",
        "INSERT ON files",
        "UPDATE ON files",
    ] {
        let root = tempfile::tempdir().expect("a folder");
        let data = root.path().join("data");
        let backend = super::backend::Backend::start(move |nth, ask| match (ask.path.as_str(), ask.range_start()) {
            (REDEEM_PATH, _) => {
                make_journal_refuse(&data, what);
                ask.ready_response(&[("glb", "one")])
            }
            ("/files/one", 0) if nth == 1 => Response::file(&glb(5000)).stalling_at(1000),
            ("/files/one", 0) => Response::status(410),
            ("/files/one", from) => Response::range_response(&glb(5000), from),
            _ => Response::default(),
        });
        let fixture = Fixture::with_root(root, backend.await);
        let (visit, _) = fixture.spawn_visit().await;
        fixture.backend.wait_for_requests("/files/one", 1).await;
        make_journal_accept(&fixture.root.path().join("data"));
        let received_bytes = async || match fixture.only_visit().await.files.first().map(|file| file.state.clone()) {
            Some(FileDownloadState::Requested(progress)) => progress.bytes,
            _ => 0,
        };
        let journalled = async {
            while received_bytes().await < 1000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), journalled).await.expect(what);
        visit.abort();
        assert!(visit.await.expect_err("aborted").is_cancelled());
        assert_eq!(recover_fixture_visits(&fixture).await.remove(0).outcome.exit_code(), 0, "{what}");
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1, "{what}");
        assert_eq!(range_starts(&fixture, "/files/one"), [0, 1], "{what}");
    }
}
