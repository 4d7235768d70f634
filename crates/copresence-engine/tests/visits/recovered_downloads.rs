//! Recovery of downloads: from which of the bytes on the disk each one continues.

use super::backend::{Request, Response, glb};
use super::earlier_visits::{
    delivery_body, journal_planned_visit, journal_unread_answer, now, recover_fixture_visits, recover_only_visit,
    serve_files,
};
use super::fixture::{Fixture, REDEEM_PATH, file_names, manifest};
use copresence_engine::Outcome;
use copresence_engine::profile::Profile;
use copresence_engine::recovery::{RecoveryOutcome, UnfinishedVisit, recover_all_visits};
use copresence_engine::runner::VisitContext;
use copresence_engine::setup::ProfileOrSandboxBackend;
use copresence_store::{PartialAvatarFolder, VisitDownloadLimits};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

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
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)).expect("written");
    let bytes = part.sync_and_get_durable_length().expect("durable");
    drop((part, folder));
    let progress = copresence_store::DurableFileProgress { bytes, total: Some(bytes), ..Default::default() };
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
        let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
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
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
    let journal = &fixture.data_store.journal;
    journal.record_file_request(&id, 0).await.expect("requested");
    let head = copresence_store::DurableFileProgress {
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

#[tokio::test]
async fn bytes_that_the_journal_does_not_know_are_not_used() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let (id, folder) = journal_planned_visit(&fixture, true).await;
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
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
    let requests_of_this_boot = if cfg!(target_os = "linux") { vec![1] } else { vec![0, 1] };
    for (written_before_boot, requests) in [(false, requests_of_this_boot), (true, vec![0, 1])] {
        let fixture = Fixture::new(|_, ask| match ask.range_start() {
            0 => Response::status(410),
            from => Response::range_response(&glb(500), from),
        })
        .await;
        let body = delivery_body(&fixture, true, &[("glb", "one")]);
        let id = journal_unread_answer(&fixture, 200, &body).await;
        let day = now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let folder = PartialAvatarFolder::create_or_reopen_folder(&fixture.out_dir(), &id, day).expect("a folder");
        folder
            .open_partial_file_keeping_all_bytes("avatar.glb")
            .expect("opens")
            .append_bytes(&glb(500)[..300])
            .expect("ok");
        if written_before_boot {
            let part = folder.partial_folder_path().join("avatar.glb.part");
            let part = std::fs::File::options().write(true).open(part).expect("opens");
            part.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("set");
        }
        drop(folder);
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
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
    part.append_bytes(&glb(500)[..300]).expect("written");
    part.finish_partial_file().expect("renamed");
    drop(folder);
    assert_eq!(recover_only_visit(&fixture).await.exit_code(), 0);
}

#[tokio::test]
async fn a_file_whose_url_may_not_be_requested_is_downloaded_once_the_profile_allows_it() {
    let fixture = Fixture::new(|_, ask| serve_files(ask)).await;
    let id = journal_planned_visit(&fixture, true).await.0;
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
