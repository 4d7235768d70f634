//! Recovery from each state in which a crash can leave the journal.

use super::backend::{Backend, Request, Response, glb, png};
use super::earlier_visits::{delivery_body, journal_issued_visit, journal_unread_answer, now, recover_fixture_visits};
use super::fixture::{Fixture, GENERATE_PATH, REDEEM_PATH, block_on, file_names, manifest};
use copresence_engine::Outcome;
use copresence_engine::clock::Clock;
use copresence_engine::profile::Profile;
use copresence_engine::recovery::{
    EarliestRecoveryTime, RecoveryOutcome, UnfinishedVisit, load_earliest_recovery_time, recover_all_visits,
    recover_visits_capping_total_redeems,
};
use copresence_engine::runner::VisitContext;
use copresence_engine::setup::ProfileOrSandboxBackend;
use copresence_protocol::{DownloadUrl, ExportType};
use copresence_store::{
    AnswerKind, FileFormat, Manifest, ManifestCompleteFile, PartialAvatarFolder, PhaseTimestamps, PlannedFile,
    VisitDownloadLimits, VisitId,
};
use jiff::SignedDuration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

async fn recover_only_visit(fixture: &Fixture) -> RecoveryOutcome {
    let mut all = recover_fixture_visits(fixture).await;
    assert_eq!(all.len(), 1);
    all.remove(0).outcome
}

/// A visit whose response was read and planned, and with a folder in the making.
pub(crate) async fn journal_planned_visit(fixture: &Fixture, ready: bool) -> (VisitId, PartialAvatarFolder) {
    let id = journal_issued_visit(fixture, false).await;
    let body = delivery_body(fixture, ready, &[("glb", "one")]);
    let journal = &fixture.data_store.journal;
    let no = journal.record_redeem_intent(&id, now()).await.expect("intent");
    journal.record_raw_answer(&id, no, 200, body.as_bytes(), now()).await.expect("answered");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    let url = fixture.backend.url.join("/files/one").expect("a URL");
    let file = PlannedFile {
        index: 0,
        name: "avatar.glb".into(),
        export_type: ExportType::new("glb"),
        url: DownloadUrl::new(url.as_str()).expect("a URL"),
    };
    journal.record_planned_files(&id, &[file]).await.expect("planned");
    let day = now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut folder = PartialAvatarFolder::create_or_reopen_folder(&fixture.out_dir(), &id, day).expect("a folder");
    assert_eq!(folder.assign_file_name(0, &ExportType::new("glb")), "avatar.glb");
    (id, folder)
}

fn manifest_for_folder(id: VisitId, folder: &PartialAvatarFolder, complete: bool) -> Manifest {
    let mut files = Vec::new();
    let mut missing = Vec::new();
    if complete {
        let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
        part.append_bytes(&glb(500)).expect("written");
        let whole = part.finish_partial_file().expect("whole");
        files.push(ManifestCompleteFile {
            path: whole.name,
            export_type: "glb".into(),
            bytes: whole.bytes,
            sha256: whole.sha256,
            format: FileFormat::Glb,
            notes: Vec::new(),
        });
    } else {
        missing.push(copresence_store::MissingFile {
            export_type: "glb".into(),
            path: "avatar.glb".into(),
            reason: "it was cut".into(),
        });
    }
    Manifest {
        schema_version: copresence_store::SCHEMA_VERSION,
        visit: id,
        profile: "test".into(),
        backend_host: "backend.test".into(),
        times: PhaseTimestamps { started: now(), ..PhaseTimestamps::default() },
        complete,
        files,
        missing,
    }
}

fn serve_files(ask: &Request) -> Response {
    match ask.path.as_str() {
        GENERATE_PATH => Response::default(),
        "/files/one" => Response::file(&glb(500)),
        "/files/two" => Response::file(&png(600)),
        _ => Response::status(500),
    }
}

/// The journal could not be written when the delivery came, and the avatar was saved all the same.
#[tokio::test]
async fn an_avatar_that_was_saved_without_the_journal_is_found_and_nothing_is_redeemed() {
    let fixture = Fixture::new(|_, _| Response::status(400)).await;
    let id = journal_issued_visit(&fixture, false).await;
    fixture.data_store.journal.record_redeem_intent(&id, now()).await.expect("intent");
    let day = now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut folder = PartialAvatarFolder::create_or_reopen_folder(&fixture.out_dir(), &id, day).expect("a folder");
    folder.assign_file_name(0, &ExportType::new("glb"));
    let manifest = manifest_for_folder(id, &folder, true);
    let published = folder.publish_complete_avatar(&manifest).expect("published");
    let RecoveryOutcome::Finished { outcome, directory } = recover_only_visit(&fixture).await else { panic!("saved") };
    assert_eq!((outcome, directory), (Outcome::Saved, Some(published)));
    assert!(fixture.backend.requests().is_empty());
    assert!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").is_empty());
}

#[tokio::test]
async fn an_open_intent_is_redeemed_once_more() {
    let fixture = Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        _ => serve_files(ask),
    })
    .await;
    let id = journal_issued_visit(&fixture, false).await;
    fixture.data_store.journal.record_redeem_intent(&id, now()).await.expect("intent");
    let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } =
        recover_only_visit(&fixture).await
    else {
        panic!("saved");
    };
    let times = manifest(&directory).times;
    assert!(times.redeemed.is_some() && times.issued.is_some(), "{times:?}");
    assert!(recover_fixture_visits(&fixture).await.is_empty(), "nothing is left");

    let fixture = Fixture::new(|_, _| Response::not_ready("processing")).await;
    let id = journal_issued_visit(&fixture, false).await;
    fixture.data_store.journal.record_redeem_intent(&id, now()).await.expect("intent");
    for _ in 0..2 {
        assert_eq!(recover_only_visit(&fixture).await, RecoveryOutcome::StillActive { status: "processing".into() });
    }

    let fixture = Fixture::new(|_, _| Response::status(400)).await;
    let id = journal_issued_visit(&fixture, false).await;
    fixture.data_store.journal.record_redeem_intent(&id, now()).await.expect("intent");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 10);
    assert!(recover_fixture_visits(&fixture).await.is_empty());
}

#[tokio::test]
async fn a_400_without_a_lost_answer_means_expired() {
    for (associated, state) in [(false, "inviting"), (true, "making")] {
        let fixture = Fixture::new(|_, _| Response::status(400)).await;
        let id = journal_issued_visit(&fixture, false).await;
        if associated {
            fixture
                .data_store
                .journal
                .record_visit_phase(&id, copresence_store::VisitPhase::Associated, now())
                .await
                .expect("noted");
        }
        assert_eq!(recover_only_visit(&fixture).await.exit_code(), 4);
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 2, "the 400 is confirmed");
        assert_eq!(fixture.only_visit().await.visit.ending.expect("ended").visit_state, state);
    }
}

#[tokio::test]
async fn recovery_uses_the_profiles_limits_if_the_visit_has_none() {
    let mut fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    fixture.profile.limits.max_file_size = 499;
    let body = delivery_body(&fixture, true, &[("glb", "one")]);
    journal_unread_answer(&fixture, 200, &body).await;
    let context = |_: &UnfinishedVisit| Ok(fixture.visit_context().with_profile_recovery_limits(&fixture.profile));
    let all = recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads");
    let RecoveryOutcome::Postponed { exit: 6, why } = &all[0].outcome else { panic!("{all:?}") };
    assert!(why.contains("499 bytes"), "{why}");
}

#[tokio::test]
async fn a_gateway_error_is_a_lost_answer_for_recovery() {
    let fixture = Fixture::new(|_, _| Response::status(400)).await;
    let id = journal_unread_answer(&fixture, 504, "").await;
    let no = fixture.only_visit().await.redeems[0].no;
    fixture.data_store.journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Failed).await.expect("read");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 10);
}

#[tokio::test]
async fn a_backend_that_does_not_decide_keeps_the_token() {
    for (status, exit) in [(500, 6), (401, 3), (418, 6)] {
        let fixture = Fixture::new(move |_, _| Response::status(status)).await;
        journal_issued_visit(&fixture, false).await;
        let RecoveryOutcome::Postponed { exit: said, .. } = recover_only_visit(&fixture).await else {
            panic!("not now")
        };
        assert_eq!(said, exit);
        let left = fixture.data_store.journal.load_recoverable_visits().await.expect("reads");
        assert!(left[0].token.is_some(), "kept for the next time");
    }
}

#[tokio::test]
async fn an_unreachable_backend_is_tried_for_one_visit_only() {
    let fixture =
        Fixture::new(|_, ask| if ask.path == REDEEM_PATH { Response::no_response() } else { serve_files(ask) }).await;
    journal_issued_visit(&fixture, false).await;
    journal_issued_visit(&fixture, false).await;
    let body = delivery_body(&fixture, true, &[("glb", "one")]);
    journal_unread_answer(&fixture, 200, &body).await;
    let all = recover_fixture_visits(&fixture).await;
    assert_eq!(all.iter().map(|one| one.outcome.exit_code()).collect::<Vec<_>>(), [0, 6, 6], "{all:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1, "each would have to wait for its time-out");
    assert_eq!(fixture.data_store.journal.load_recoverable_visits().await.expect("reads").len(), 2);
}

/// Without a next time, a running kiosk would try again at once and for ever: the keychain is locked, or another profile is
/// in use.
#[tokio::test]
async fn a_visit_for_which_nothing_could_be_tried_is_due_minutes_later() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let id = journal_issued_visit(&fixture, false).await;
    let journal = &fixture.data_store.journal;
    let missed = now();
    journal.record_next_recovery_attempt(&id, 3, missed).await.expect("noted");
    let context = |_: &UnfinishedVisit| Err("the keychain is locked".to_owned());
    let stop = CancellationToken::new();
    let all = recover_visits_capping_total_redeems(&fixture.data_store, Clock::default(), &context, &|_| false, &stop);
    let all = all.await.expect("the journal reads");
    assert_eq!(all[0].outcome, RecoveryOutcome::Postponed { why: "the keychain is locked".into(), exit: 3 });
    let visit = journal.load_unfinished_visit(&id).await.expect("reads").expect("it is kept").visit;
    assert_eq!(visit.recovery_attempts, 3, "nothing was tried");
    let next = visit.recovery_next_attempt_at.expect("a time");
    assert!(next.duration_since(missed) >= SignedDuration::from_mins(5), "{next}");
    let earliest = load_earliest_recovery_time(&fixture.data_store, |_| false).await.expect("reads");
    assert_eq!(earliest, EarliestRecoveryTime::At(next));
}

#[tokio::test]
async fn an_unread_delivery_is_saved_without_a_redeem() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let body = delivery_body(&fixture, true, &[("glb", "one"), ("png", "two")]);
    journal_unread_answer(&fixture, 200, &body).await;
    // Downloads carry no credential, so none is needed: nothing of the token is left to ask with.
    let context = |unfinished: &UnfinishedVisit| {
        assert!(unfinished.token.is_none(), "the answer spent it");
        Ok(fixture.visit_context())
    };
    let all = recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads");
    assert_eq!(all[0].outcome.exit_code(), 0, "{all:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0);
}

/// A damaged journal may have lost the response and kept the files that it delivered.
#[tokio::test]
async fn planned_files_are_saved_without_the_response_that_delivered_them() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    journal_planned_visit(&fixture, true).await;
    let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
    journal
        .execute_batch("UPDATE redeems SET body = NULL; UPDATE visits SET token = NULL, link = NULL")
        .expect("erased");
    drop(journal);
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0);
    assert!(recover_fixture_visits(&fixture).await.is_empty());
}

/// Nothing of it can be used, so it must not be tried at every start.
#[tokio::test]
async fn a_visit_whose_delivery_a_damaged_journal_lost_is_closed_once() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    journal_planned_visit(&fixture, true).await;
    let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
    journal
        .execute_batch("UPDATE redeems SET body = NULL; UPDATE visits SET token = NULL, link = NULL; DELETE FROM files")
        .expect("erased");
    drop(journal);
    let RecoveryOutcome::Closed { why } = recover_only_visit(&fixture).await else { panic!("closed") };
    assert!(why.contains("damaged"), "{why}");
    assert!(recover_fixture_visits(&fixture).await.is_empty());
}

#[tokio::test]
async fn complete_files_are_not_downloaded_again() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let mut fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one"), ("png", "two")]),
        ("/files/two", 1) => {
            serve_files(ask).delayed_until(moment.lock().expect("no panic").take().expect("asked once"))
        }
        _ => serve_files(ask),
    })
    .await;
    fixture.profile.limits.parallel_downloads = 1;
    let (visit, _) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests("/files/two", 1).await;
    visit.abort();
    assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");

    let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } =
        recover_only_visit(&fixture).await
    else {
        panic!("saved");
    };
    assert_eq!(file_names(&directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!((fixture.backend.count_requests("/files/one"), fixture.backend.count_requests("/files/two")), (1, 2));
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
}

#[tokio::test]
async fn a_file_with_all_its_bytes_needs_no_request() {
    let fixture = Fixture::new(|_, _| Response::status(410)).await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)).expect("written");
    let bytes = part.sync_and_get_durable_length().expect("durable");
    drop((part, folder));
    let progress = copresence_store::FileProgress { bytes, total: Some(bytes), ..Default::default() };
    fixture.data_store.journal.record_file_progress(&id, 0, &progress).await.expect("noted");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
    assert!(fixture.backend.requests().is_empty());
}

/// The journal could not be written while the file was received, or its last changes were lost.
#[tokio::test]
async fn a_complete_file_that_the_journal_does_not_know_is_saved_without_a_request() {
    for has_failure in [false, true] {
        let fixture = Fixture::new(|_, _| Response::status(403)).await;
        let (id, folder) = journal_planned_visit(&fixture, true).await;
        let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
        part.append_bytes(&glb(500)).expect("written");
        part.finish_partial_file().expect("renamed");
        drop(folder);
        if has_failure {
            fixture.data_store.journal.record_file_failure(&id, 0, "it exists", false).await.expect("noted");
        }
        assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0, "has a failure: {has_failure}");
        assert!(fixture.backend.requests().is_empty());
    }
}

/// A visit with a partial file of 300 bytes, none of them flushed, whose request is in the journal.
async fn journal_unflushed_download(fixture: &Fixture) {
    let (id, folder) = journal_planned_visit(fixture, true).await;
    let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
    let journal = &fixture.data_store.journal;
    journal.record_file_request(&id, 0).await.expect("requested");
    let head = copresence_store::FileProgress {
        bytes: 0,
        total: Some(500),
        validator: Some("\"1\"".to_owned()),
        ..Default::default()
    };
    journal.record_file_progress(&id, 0, &head).await.expect("the head of the response");
    part.append_bytes(&glb(500)[..300]).expect("written");
}

/// Row "program killed within the first half second of a download".
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_crash_in_the_first_half_second_of_a_download_resumes_from_the_bytes_on_disk() {
    // The URL is spent, and only continues by range.
    let fixture = Fixture::new(|_, ask| match (ask.range_start(), ask.header("if-range")) {
        (from, Some("\"1\"")) if from > 0 => Response::range_response(&glb(500), from).with_header("etag", "\"1\""),
        _ => Response::status(410),
    })
    .await;
    journal_unflushed_download(&fixture).await;
    let RecoveryOutcome::Finished { directory: Some(directory), .. } = recover_only_visit(&fixture).await else {
        panic!("saved")
    };
    assert_eq!(fixture.backend.requests().iter().map(Request::range_start).collect::<Vec<_>>(), [300]);
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), glb(500));
    let file = &manifest(&directory).files[0];
    assert_eq!(file.sha256, copresence_store::Sha256Digest::sha256_of_bytes(&glb(500)));
}

#[tokio::test]
async fn unflushed_bytes_are_not_used_after_a_power_cut() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    journal_unflushed_download(&fixture).await;
    let journal = rusqlite::Connection::open(fixture.root.path().join("data/journal.sqlite")).expect("opens");
    journal.execute("UPDATE files SET boot_id = 'an earlier boot'", []).expect("as after a restart");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
    assert_eq!(fixture.backend.requests()[0].header("range"), None);
}

/// A failed-for-now file keeps its progress.
#[tokio::test]
async fn an_interrupted_visit_is_recovered_from_where_its_download_stopped() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = is_up.clone();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("glb", "one")]),
        ("/files/one", 1) => Response::file(&glb(500)).with_header("etag", "\"1\"").breaking_at(200),
        ("/files/one", _) if up.load(Ordering::SeqCst) => Response::range_response(&glb(500), ask.range_start()),
        ("/files/one", _) => Response::status(503),
        _ => Response::default(),
    })
    .await;
    let patience = std::time::Duration::from_millis(300);
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = patience).await;
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code()), (6, "download_interrupted"));
    let RecoveryOutcome::Postponed { exit: 6, why } = recover_only_visit(&fixture).await else { panic!("not now") };
    assert!(why.contains("503"), "{why}");
    is_up.store(true, Ordering::SeqCst);
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
    let requests = fixture.backend.requests();
    let last = requests.last().expect("asked");
    assert_eq!((last.range_start(), last.header("if-range")), (200, Some("\"1\"")));
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    assert!(recover_fixture_visits(&fixture).await.is_empty());
}

/// Row "`recover` (also the start of a booth) before the network is up".
#[tokio::test]
async fn recovery_before_the_network_is_up_keeps_everything() {
    let port = test_port::ReservedPort::reserve_port().expect("a port").hand_over_to_child_process();
    let mut fixture = Fixture::new(|_, _| Response::status(400)).await;
    fixture.profile.limits.patience = std::time::Duration::from_millis(100);
    let export = serde_json::json!({"export_type": "glb", "download_URL": format!("http://{port}/files/one")});
    let body = serde_json::json!({"avatar_ready": true, "payload_complete": [export]}).to_string();
    journal_unread_answer(&fixture, 200, &body).await;
    let recover = async |fixture: &Fixture| {
        let context = |_: &UnfinishedVisit| Ok(fixture.visit_context().with_profile_recovery_limits(&fixture.profile));
        recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads").remove(0).outcome
    };
    let earliest = || async { load_earliest_recovery_time(&fixture.data_store, |_| false).await.expect("reads") };
    assert_eq!(earliest().await, EarliestRecoveryTime::Unknown, "due at once");
    let skipping = load_earliest_recovery_time(&fixture.data_store, |_| true).await.expect("reads");
    assert_eq!(skipping, EarliestRecoveryTime::NoneWaiting, "it runs");
    for _ in 0..3 {
        let RecoveryOutcome::Postponed { exit: 6, why } = recover(&fixture).await else { panic!("not now") };
        assert!(why.contains(&port.to_string()) && why.contains("refused"), "{why}");
    }
    let EarliestRecoveryTime::At(next) = earliest().await else { panic!("the next attempt is planned") };
    assert!(next > now());
    let skip_none = |_: &VisitId| false;
    let context = |_: &UnfinishedVisit| Ok(fixture.visit_context());
    let stop = CancellationToken::new();
    let due = recover_visits_capping_total_redeems(&fixture.data_store, Clock::default(), &context, &skip_none, &stop)
        .await
        .expect("reads");
    assert!(due.is_empty(), "automatic recovery waits: {due:?}");

    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("set");
    socket.bind(port.to_string().parse().expect("an address")).expect("bound");
    let server = Backend::start_on(socket.listen(16).expect("listens"), |_, ask| serve_files(ask));
    assert_eq!(recover(&fixture).await.exit_code(), 0);
    assert_eq!(server.count_requests("/files/one"), 1);
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 0);
    assert_eq!(earliest().await, EarliestRecoveryTime::NoneWaiting);
}

#[tokio::test]
async fn bytes_that_the_journal_does_not_know_are_not_used() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
    part.append_bytes(&[0; 100]).expect("what a power cut may leave");
    drop((part, folder));
    fixture.data_store.journal.record_file_failure(&id, 0, "the disk was full", false).await.expect("noted");
    let RecoveryOutcome::Finished { directory: Some(directory), .. } = recover_only_visit(&fixture).await else {
        panic!("saved")
    };
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), glb(500));
    assert_eq!(fixture.backend.requests()[0].header("range"), None);
}

/// A delivery that was journalled, and received bytes of which the journal knows nothing.
#[tokio::test]
async fn received_bytes_that_are_not_in_the_journal_are_continued() {
    // Where the time of the boot is unknown, the bytes may be of an earlier one.
    let requests_of_this_boot = if cfg!(target_os = "linux") { vec![300] } else { vec![0, 300] };
    for (written_before_boot, requests) in [(false, requests_of_this_boot), (true, vec![0, 300])] {
        let fixture = Fixture::new(|_, ask| match ask.range_start() {
            0 => Response::status(410),
            from => Response::range_response(&glb(500), from),
        })
        .await;
        let body = delivery_body(&fixture, true, &[("glb", "one")]);
        let id = journal_unread_answer(&fixture, 200, &body).await;
        let day = now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let folder = PartialAvatarFolder::create_or_reopen_folder(&fixture.out_dir(), &id, day).expect("a folder");
        folder.open_partial_file_keeping_all("avatar.glb").expect("opens").append_bytes(&glb(500)[..300]).expect("ok");
        if written_before_boot {
            let part = folder.partial_folder_path().join("avatar.glb.part");
            let part = std::fs::File::options().write(true).open(part).expect("opens");
            part.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("set");
        }
        let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } =
            recover_only_visit(&fixture).await
        else {
            panic!("saved")
        };
        assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("reads"), glb(500));
        assert_eq!(manifest(&directory).files[0].notes[0].code, "joined_unverified");
        let sent: Vec<_> = fixture.backend.requests().iter().map(Request::range_start).collect();
        assert_eq!(sent, requests, "written before this boot: {written_before_boot}");
    }
}

#[tokio::test]
async fn a_truncated_glb_is_requested_again_after_a_crash() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    fixture.data_store.journal.record_file_request(&id, 0).await.expect("noted");
    let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)[..300]).expect("written");
    part.finish_partial_file().expect("renamed");
    drop(folder);
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
}

/// A visit with one complete file, whose URL is answered with `status`, 200 with the file.
async fn journal_complete_file(status: u16) -> Fixture {
    let fixture = Fixture::new(move |_, ask| match status {
        200 => serve_files(ask),
        _ => Response::status(status),
    })
    .await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let journal = &fixture.data_store.journal;
    journal.record_file_request(&id, 0).await.expect("requested");
    let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)).expect("written");
    let whole = part.finish_partial_file().expect("renamed");
    journal.record_complete_file_erasing_urls(&id, 0, 500, &whole.sha256, whole.format, &[]).await.expect("complete");
    fixture
}

/// Recovers the only visit, whose files cannot be found, and returns its message.
async fn recover_with_failed_storage(fixture: &Fixture) -> String {
    let RecoveryOutcome::Finished { outcome: Outcome::SavedUntilStorageFailed(why), directory: None } =
        recover_only_visit(fixture).await
    else {
        panic!("kept")
    };
    assert!(fixture.only_visit().await.visit.is_unfinished);
    why
}

/// Cases L5: the disk is not mounted, or the file was removed.
#[tokio::test]
async fn a_complete_file_that_is_missing_is_requested_again_and_never_lost() {
    let remove_files = |fixture: &Fixture| {
        let folder = fixture.out_dir().join(&file_names(&fixture.out_dir())[0]);
        std::fs::remove_file(folder.join("avatar.glb")).expect("removed");
    };
    let fixture = journal_complete_file(200).await;
    remove_files(&fixture);
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
    assert_eq!(fixture.backend.count_requests("/files/one"), 1);

    let fixture = journal_complete_file(403).await;
    remove_files(&fixture);
    let why = recover_with_failed_storage(&fixture).await;
    assert!(why.contains("is missing in") && why.contains("403"), "{why}");
    let folder = fixture.out_dir().join(&file_names(&fixture.out_dir())[0]);
    std::fs::write(folder.join("avatar.glb"), glb(500)).expect("restored");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);

    // Received bytes of an incomplete file.
    let fixture = Fixture::new(|_, ask| match ask.range_start() {
        0 => Response::status(403),
        from => Response::range_response(&glb(500), from),
    })
    .await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)[..300]).expect("written");
    part.sync_and_get_durable_length().expect("durable");
    let progress = copresence_store::FileProgress { bytes: 300, ..Default::default() };
    fixture.data_store.journal.record_file_progress(&id, 0, &progress).await.expect("noted");
    let part = folder.partial_folder_path().join("avatar.glb.part");
    std::fs::remove_file(&part).expect("removed");
    let why = recover_with_failed_storage(&fixture).await;
    assert!(why.contains("are missing in") && why.contains("403"), "{why}");
    std::fs::write(&part, &glb(500)[..300]).expect("restored");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);

    let fixture = journal_complete_file(403).await;
    let elsewhere = fixture.root.path().join("unmounted");
    std::fs::rename(fixture.out_dir(), &elsewhere).expect("unmounted");
    let why = recover_with_failed_storage(&fixture).await;
    assert!(why.contains("could not find the received files in"), "{why}");
    assert!(fixture.backend.requests().is_empty() && !fixture.out_dir().exists());
    std::fs::rename(&elsewhere, fixture.out_dir()).expect("mounted");
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
}

/// The partial folder of the only visit.
fn only_partial_folder(fixture: &Fixture) -> std::path::PathBuf {
    fixture.out_dir().join(&file_names(&fixture.out_dir())[0])
}

#[tokio::test]
async fn a_complete_file_that_the_disk_has_changed_is_set_aside_and_requested_again() {
    let mut changed = glb(500);
    changed[400] ^= 1;
    for status in [200, 403] {
        let fixture = journal_complete_file(status).await;
        let folder = only_partial_folder(&fixture);
        std::fs::write(folder.join("avatar.glb"), &changed).expect("changed");
        if status == 403 {
            let why = recover_with_failed_storage(&fixture).await;
            assert!(why.contains("was changed there") && why.contains("403"), "{why}");
            assert_eq!(std::fs::read(folder.join("avatar.glb.damaged")).expect("kept"), changed);
            continue;
        }
        let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(saved) } =
            recover_only_visit(&fixture).await
        else {
            panic!("saved")
        };
        assert_eq!(std::fs::read(saved.join("avatar.glb")).expect("there"), glb(500));
        assert_eq!(file_names(&saved), ["avatar.glb", "manifest.json"]);
    }
}

#[tokio::test]
async fn received_bytes_that_the_disk_has_changed_are_not_continued() {
    for is_changed in [false, true] {
        let fixture = Fixture::new(|_, ask| match ask.range_start() {
            0 => Response::file(&glb(500)),
            from => Response::range_response(&glb(500), from),
        })
        .await;
        let (id, folder) = journal_planned_visit(&fixture, true).await;
        let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opens");
        part.append_bytes(&glb(500)[..300]).expect("written");
        part.sync_and_get_durable_length().expect("durable");
        let sha256 = Some(part.digest_written_bytes());
        let progress = copresence_store::FileProgress { bytes: 300, sha256, ..Default::default() };
        fixture.data_store.journal.record_file_progress(&id, 0, &progress).await.expect("noted");
        drop(part);
        if is_changed {
            let path = only_partial_folder(&fixture).join("avatar.glb.part");
            let mut bytes = std::fs::read(&path).expect("there");
            bytes[200..264].fill(0);
            std::fs::write(&path, bytes).expect("changed");
        }
        let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(saved) } =
            recover_only_visit(&fixture).await
        else {
            panic!("saved")
        };
        assert_eq!(std::fs::read(saved.join("avatar.glb")).expect("there"), glb(500));
        assert_eq!(file_names(&saved), ["avatar.glb", "manifest.json"]);
        let requests = fixture.backend.requests();
        let starts: Vec<_> = requests.iter().map(Request::range_start).collect();
        assert_eq!(starts, [if is_changed { 0 } else { 300 }]);
    }
}

#[tokio::test]
async fn a_visit_whose_file_server_is_silent_does_not_keep_another_waiting() {
    let fixture = Fixture::new(|nth, ask| match nth {
        1 => Response::no_response(),
        _ => serve_files(ask),
    })
    .await;
    for _ in 0..2 {
        journal_planned_visit(&fixture, true).await;
    }
    let mut words = fixture.watch_event_names();
    tokio::select! {
        all = recover_fixture_visits(&fixture) => panic!("one file server is silent: {all:?}"),
        saved = words.wait_for(|words| words.contains(&"saved")) => { saved.expect("it lives"); }
    }
}

/// No visitor needs to come for its avatar to be saved.
#[tokio::test]
async fn a_kept_token_is_due_again() {
    let fixture = Fixture::new(|_, _| Response::status(503)).await;
    journal_issued_visit(&fixture, false).await;
    let earliest = || async { load_earliest_recovery_time(&fixture.data_store, |_| false).await.expect("reads") };
    assert_eq!(earliest().await, EarliestRecoveryTime::Unknown, "it ended just now");
    recover_fixture_visits(&fixture).await;
    assert!(matches!(earliest().await, EarliestRecoveryTime::At(next) if next > now()));
}

#[tokio::test]
async fn an_existing_avatar_is_not_saved_twice() {
    for (ready, exit) in [(true, 0), (false, 9)] {
        let fixture = Fixture::new(|_, _| Response::status(410)).await;
        let (id, folder) = journal_planned_visit(&fixture, ready).await;
        let manifest = manifest_for_folder(id, &folder, true);
        let published = folder.publish_complete_avatar(&manifest).expect("published");
        let RecoveryOutcome::Finished { outcome, directory } = recover_only_visit(&fixture).await else {
            panic!("finished")
        };
        assert_eq!((outcome.exit_code(), directory), (exit, Some(published)));
        assert!(fixture.backend.requests().is_empty());
        assert!(recover_fixture_visits(&fixture).await.is_empty());
    }
    let fixture = Fixture::new(|_, _| Response::status(410)).await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let manifest = manifest_for_folder(id, &folder, false);
    let kept = folder.move_to_incomplete_folder(&fixture.data_store.data, &manifest).expect("kept");
    let RecoveryOutcome::Finished { outcome, directory } = recover_only_visit(&fixture).await else {
        panic!("finished")
    };
    assert_eq!((outcome.exit_code(), directory), (7, Some(kept)));
    assert!(recover_fixture_visits(&fixture).await.is_empty());
}

#[tokio::test]
async fn a_token_that_unreadable_responses_ended_is_redeemed_once_more() {
    for (refused, exit) in [(false, 0), (true, 10)] {
        let is_repaired = Arc::new(AtomicBool::new(false));
        let repaired = is_repaired.clone();
        let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            REDEEM_PATH if !repaired.load(Ordering::SeqCst) => {
                Response::json(&serde_json::json!({"maintenance": true}))
            }
            REDEEM_PATH if refused => Response::status(400),
            REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
            "/files/one" => Response::file(&glb(500)),
            _ => Response::default(),
        })
        .await;
        assert_eq!(fixture.run_visit().await.outcome.exit_code(), 9);
        is_repaired.store(true, Ordering::SeqCst);
        assert_eq!(recover_only_visit(&fixture).await.exit_code(), exit);
        assert!(recover_fixture_visits(&fixture).await.is_empty());
        assert_eq!(file_names(&fixture.out_dir()).len(), usize::from(!refused));
    }
}

#[tokio::test]
async fn an_ended_sandbox_is_not_contacted_and_needs_no_credentials() {
    let fixture = Fixture::new(|_, _| Response::status(400)).await;
    journal_issued_visit(&fixture, true).await;
    let context = |unfinished: &UnfinishedVisit| {
        assert!(unfinished.token.is_none(), "no token, so no credentials");
        Ok(fixture.visit_context())
    };
    let all = recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads");
    assert!(matches!(all[0].outcome, RecoveryOutcome::Closed { .. }), "{all:?}");
    assert!(fixture.backend.requests().is_empty());
}

#[tokio::test]
async fn a_visit_that_another_program_finished_is_skipped() {
    let fixture = Fixture::new(|_, _| Response::not_ready("processing")).await;
    let other = journal_issued_visit(&fixture, false).await;
    journal_issued_visit(&fixture, false).await;
    let journal = fixture.data_store.journal.clone();
    let context = |unfinished: &UnfinishedVisit| {
        // While the newer one is recovered here, another program ends the older one.
        if unfinished.visit.start.id != other {
            let ending = copresence_store::VisitEnding {
                code: "saved".into(),
                exit: 0,
                message: String::new(),
                visit_state: "saved".into(),
                directory: None,
                at: now(),
            };
            block_on(journal.record_end_and_erase_secrets(&other, &ending)).expect("ended");
        }
        Ok(fixture.visit_context())
    };
    let all = recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads");
    assert_eq!(all.len(), 1, "{all:?}");
}

#[tokio::test]
async fn a_running_visit_is_skipped() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            Response::status(400).delayed_until(moment.lock().expect("no panic").take().expect("asked once"))
        }
        _ => Response::default(),
    })
    .await;
    let (visit, _) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests(REDEEM_PATH, 1).await;
    let all = recover_fixture_visits(&fixture).await;
    assert!(matches!(&all[..], [one] if one.outcome == RecoveryOutcome::InUse), "{all:?}");
    assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 1);
    visit.abort();
}

#[tokio::test]
async fn a_file_whose_url_may_not_be_requested_is_downloaded_once_the_profile_allows_it() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let (id, _folder) = journal_planned_visit(&fixture, true).await;
    // A file URL that was once requested is still not lost.
    fixture.data_store.journal.record_file_request(&id, 0).await.expect("noted");
    // The files of the fixture are on this machine.
    let public =
        ProfileOrSandboxBackend { api_url: "http://203.0.113.1/".parse().expect("a URL"), ..fixture.target.clone() };
    let recover = async |profile: &Profile, keep_trying: Duration| {
        let limits = VisitDownloadLimits { keep_trying, ..profile.limits };
        let context = |_: &UnfinishedVisit| {
            let api = public.build_download_only_client(Some(profile)).expect("a client");
            let context = fixture.visit_context();
            Ok(VisitContext { api, limits, ..context })
        };
        recover_all_visits(&fixture.data_store, &context).await.expect("the journal reads").remove(0).outcome
    };
    // Even when the time to keep trying is over.
    for _ in 0..25 {
        let RecoveryOutcome::Postponed { exit: 6, why } = recover(&fixture.profile, Duration::from_secs(0)).await
        else {
            panic!("not now")
        };
        assert!(why.contains("127.0.0.1:") && why.contains("downloads.allow_private_hosts = true"), "{why}");
    }
    assert_eq!(fixture.backend.requests().len(), 0);
    let mut profile = fixture.profile.clone();
    profile.download_exceptions.allow_private_hosts = true;
    assert_eq!(recover(&profile, Duration::from_hours(24)).await.exit_code(), 0);
}
