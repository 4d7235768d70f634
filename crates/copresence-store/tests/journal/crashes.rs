//! What the journal has stored, also after a crash or a restart of the system.

use super::{BODY, TOKEN, planned_file, visit_with_token};
use crate::common::{export_token, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_protocol::{DownloadUrl, ExportToken};
use copresence_store::{
    AnswerKind, DurableFileProgress, FileDownloadState, FileFormat, SavedFileNote, Sha256Digest,
    UnfinishedVisitRedeemState, VisitId,
};
use jiff::Timestamp;

#[tokio::test]
async fn a_raw_response_survives_a_crash() {
    let (_root, data) = temp_data_dir();
    let id = {
        let journal = data.open_or_repair_journal().expect("a journal");
        let id = visit_with_token(&journal).await;
        let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
        journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await.expect("on disk");
        id
    };
    let journal = data.open_or_repair_journal().expect("opened again");
    let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
    assert_eq!(left.visit.start.id, id);
    assert_eq!(left.token, Some(export_token(TOKEN)), "the unparsed response may have left the token active");
    let redeem = left.redeem.expect("a redeem");
    assert_eq!(
        redeem.state,
        UnfinishedVisitRedeemState::Answered { status: 200, body: Some(BODY.to_vec()), delivered: None }
    );
    assert!(!format!("{redeem:?}").contains("SECRET"));

    journal.reopen_visit(&id).await.expect("taken up");
    journal.record_answer_kind_erasing_obsolete(&id, redeem.no, AnswerKind::Delivery).await.expect("read");
    journal
        .record_planned_files(&id, &[planned_file(0, "avatar.glb"), planned_file(1, "avatar-2.glb")])
        .await
        .expect("planned");
    journal
        .record_file_progress(
            &id,
            0,
            &DurableFileProgress {
                bytes: 9,
                total: Some(20),
                validator: Some("\"v1\"".into()),
                ..DurableFileProgress::default()
            },
        )
        .await
        .expect("noted");
    journal.record_file_failure(&id, 1, "410 Gone", true).await.expect("noted");
    drop(journal);

    let left = data
        .open_or_repair_journal()
        .expect("again")
        .load_recoverable_visits()
        .await
        .expect("read")
        .pop()
        .expect("one");
    assert_eq!(left.token, None, "spent");
    assert_eq!(left.visit.reopened_count, 1);
    assert_eq!(left.files[0].url.as_ref().map(DownloadUrl::expose_url), Some("https://files.test/SECRET-URL/0"));
    assert!(matches!(&left.files[0].record.state, FileDownloadState::Requested(progress) if progress.bytes == 9));
    assert_eq!(left.files[1].url, None);
    assert!(!format!("{left:?}").contains("SECRET"), "{left:?}");
}

#[tokio::test]
async fn unflushed_bytes_of_a_file_are_right_only_within_the_boot_of_its_request() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    journal.record_planned_files(&id, &[planned_file(0, "avatar.glb")]).await.expect("planned");
    let is_from_this_boot = async || {
        let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
        left.files[0].record.is_from_this_boot
    };
    assert!(!is_from_this_boot().await, "never requested");
    journal.record_file_request(&id, 0).await.expect("requested");
    assert_eq!(is_from_this_boot().await, cfg!(target_os = "linux"));
    // A failure for now keeps the progress. Its cause may be the disk, so only flushed bytes count.
    let progress = DurableFileProgress {
        bytes: 9,
        sha256: Some(Sha256Digest::sha256_of_bytes(b"123456789")),
        total: Some(20),
        validator: Some("\"v1\"".into()),
        content_encoding: Some("gzip".into()),
        notes: vec![SavedFileNote::note_of_removed_encoding("gzip")],
    };
    journal.record_file_progress(&id, 0, &progress).await.expect("noted");
    journal.record_file_failure(&id, 0, "connection refused", false).await.expect("noted");
    assert!(!is_from_this_boot().await);
    let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
    assert!(
        matches!(&left.files[0].record.state, FileDownloadState::Failed { spent: false, progress: kept, .. } if *kept == progress)
    );
    let other = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    other.execute("UPDATE files SET boot_id = 'an earlier boot'", []).expect("as after a restart");
    assert!(!is_from_this_boot().await);
}

#[tokio::test]
async fn redirect_targets_are_kept_and_erased_as_the_url_is() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    let planned: Vec<_> = (0..4).map(|index| planned_file(index, &format!("avatar-{index}.glb"))).collect();
    journal.record_planned_files(&id, &planned).await.expect("planned");
    let targets = ["SECRET-TARGET", "SECRET-PORTAL"]
        .map(|path| DownloadUrl::new(&format!("https://storage.test/{path}")).expect("a URL"));
    for index in 0..4 {
        journal.record_file_request(&id, index).await.expect("requested");
        journal.record_redirect_targets(&id, index, &targets).await.expect("redirected");
        journal.record_file_progress(&id, index, &DurableFileProgress::default()).await.expect("noted");
    }
    journal.record_redirect_targets(&id, 0, &[]).await.expect("all refused");
    journal.record_file_failure(&id, 1, "410 Gone", true).await.expect("lost");
    journal.record_file_failure(&id, 2, "connection refused", false).await.expect("for now");
    let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
    let kept: Vec<_> = left.files.iter().map(|file| file.record.redirect_targets.as_slice()).collect();
    assert_eq!(kept, [&[], &[], targets.as_slice(), targets.as_slice()]);
    assert!(!format!("{left:?}").contains("SECRET"), "{left:?}");
    let history = journal.load_detailed_visit_record(&id).await.expect("read").expect("one");
    assert!(history.files.iter().all(|file| file.redirect_targets.is_empty()));
    let digest = copresence_store::Sha256Digest::sha256_of_bytes(b"glb");
    journal.record_complete_file_erasing_urls(&id, 2, 3, &digest, FileFormat::Glb, &[]).await.expect("complete");
    journal.record_end_and_erase_secrets(&id, &visit_ending(0)).await.expect("ended");
    let other = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    let kept: i64 = other
        .query_row("SELECT count(*) FROM files WHERE redirected_to IS NOT NULL", [], |row| row.get(0))
        .expect("reads");
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn an_intent_survives_a_crash() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
    assert_eq!(left.redeem.map(|redeem| redeem.state), Some(UnfinishedVisitRedeemState::InFlight));
    journal
        .record_lost_answer(&id, no, "the program ended while it was in flight", b"", time_at(3))
        .await
        .expect("noted");
    journal.record_redeem_intent(&id, time_at(4)).await.expect("the next poll decides");
}

#[tokio::test]
async fn every_allowed_token_is_stored_unchanged() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let odd = ExportToken::new("r:a'b\"c;--/+=~`{}|\\").expect("a token");
    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    let expires: Timestamp = time_at(100);
    journal.record_issued_token(&id, &odd, "link", Some(expires), time_at(1)).await.expect("issued");
    let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
    assert_eq!(left.token, Some(odd));
    assert_eq!(left.visit.token_expires_at, Some(expires));
}
