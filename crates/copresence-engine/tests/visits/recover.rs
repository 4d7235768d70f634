//! Recovery from each state in which a crash can leave the journal.

use super::backend::{Response, glb};
use super::earlier_visits::{
    delivery_body, journal_issued_visit, journal_planned_visit, journal_unread_answer, now, recover_fixture_visits,
    recover_only_visit, serve_files,
};
use super::fixture::{Fixture, REDEEM_PATH, file_names, manifest};
use copresence_engine::Outcome;
use copresence_engine::recovery::{RecoveryOutcome, UnfinishedVisit, recover_all_visits};
use copresence_protocol::ExportType;
use copresence_store::{
    AnswerKind, FileFormat, Manifest, ManifestCompleteFile, PartialAvatarFolder, PhaseTimestamps, VisitId,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn manifest_for_folder(id: VisitId, folder: &PartialAvatarFolder, complete: bool) -> Manifest {
    let mut files = Vec::new();
    let mut missing = Vec::new();
    if complete {
        let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opens");
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
                .record_first_time_of_phase(&id, copresence_store::VisitPhase::Associated, now())
                .await
                .expect("noted");
        }
        assert_eq!(recover_only_visit(&fixture).await.exit_code(), 4);
        assert_eq!(fixture.backend.count_requests(REDEEM_PATH), 2, "the 400 is confirmed");
        assert_eq!(fixture.only_visit().await.visit.ending.expect("ended").visit_state, state);
    }
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
