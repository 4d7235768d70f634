//! Steps that the journal refuses, and steps that are repeated after a failed flush.

use super::{BODY, TOKEN, is_refused, planned_file, visit_with_token};
use crate::common::{export_token, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_store::{AnswerKind, FileFormat, Sha256Digest, StoreError, VisitId};

#[tokio::test]
async fn steps_that_are_not_allowed_are_refused() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = VisitId::new();
    assert!(matches!(journal.record_redeem_intent(&id, time_at(0)).await, Err(StoreError::UnknownVisit { .. })));
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    assert!(is_refused(journal.record_visit_start(&visit_start(id, false)).await), "started twice");
    assert!(is_refused(journal.record_redeem_intent(&id, time_at(1)).await), "no token");
    journal.record_issued_token(&id, &export_token(TOKEN), "link", None, time_at(1)).await.expect("issued");
    assert!(is_refused(
        journal.record_issued_token(&id, &export_token("another-token-123"), "link", None, time_at(1)).await
    ));

    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    assert!(is_refused(journal.record_redeem_intent(&id, time_at(2)).await), "two in flight");
    assert!(
        is_refused(journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await),
        "no response to parse"
    );
    assert!(is_refused(journal.record_planned_files(&id, &[]).await), "nothing delivered");
    journal.record_lost_answer(&id, no, "reset after 12 bytes", b"", time_at(3)).await.expect("noted");
    assert!(is_refused(journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await), "already recorded");

    let no = journal.record_redeem_intent(&id, time_at(4)).await.expect("the next");
    assert_eq!(no.redeem_number_as_u32(), 2);
    journal.record_raw_answer(&id, no, 200, BODY, time_at(5)).await.expect("on disk");
    assert!(is_refused(journal.record_redeem_intent(&id, time_at(6)).await), "the response is not parsed");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    assert!(
        is_refused(journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Progress).await),
        "parsed twice"
    );
    assert!(is_refused(journal.record_redeem_intent(&id, time_at(6)).await), "the token is spent");

    journal.record_planned_files(&id, &[planned_file(0, "avatar.glb")]).await.expect("planned");
    assert!(is_refused(journal.record_planned_files(&id, &[planned_file(1, "avatar-2.glb")]).await), "planned twice");
    assert!(is_refused(journal.record_file_request(&id, 7).await), "no such file");
    journal
        .record_complete_file_erasing_urls(&id, 0, 1, &Sha256Digest::sha256_of_bytes(b"x"), FileFormat::Glb, &[])
        .await
        .expect("whole");
    assert!(is_refused(journal.record_file_failure(&id, 0, "late", true).await), "a complete file stays complete");
    journal.record_end_and_erase_secrets(&id, &visit_ending(7)).await.expect("ended");
    assert!(is_refused(journal.record_end_and_erase_secrets(&id, &visit_ending(0)).await), "ended twice");
    assert!(is_refused(journal.reopen_visit(&id).await), "nothing was retained");
}

/// Calls a step while the WAL cannot be flushed, and once more when it can. The first call commits and fails.
async fn repeat_after_failed_flush<T: std::fmt::Debug, F: Future<Output = Result<T, StoreError>>>(
    root: &std::path::Path,
    step: impl Fn() -> F,
) -> Result<T, StoreError> {
    let (wal, hidden) = (root.join("journal.sqlite-wal"), root.join("hidden"));
    std::fs::rename(&wal, &hidden).expect("hidden");
    let failed = step().await.expect_err("not durable");
    assert!(!is_refused::<T>(Err(failed)));
    std::fs::rename(&hidden, &wal).expect("there again");
    step().await
}

#[tokio::test]
#[cfg_attr(windows, ignore = "Windows renames no open file")]
async fn a_step_whose_flush_failed_can_be_repeated() {
    let (root, data) = temp_data_dir();
    let (root, journal) = (root.path(), data.open_or_repair_journal().expect("a journal"));
    let id = visit_with_token(&journal).await;
    let next = || journal.record_redeem_intent(&id, time_at(2));
    let poll = copresence_store::AnswerWithoutUrls {
        status: 200,
        body_size: 9,
        kind: AnswerKind::Progress,
        completion_status: None,
    };

    let intent = repeat_after_failed_flush(root, next).await;
    assert!(is_refused(intent), "whether the first was sent is not for the journal to say");
    journal.queue_dropped_redeem_end(&id, None, false, time_at(2));
    let no = next().await.expect("an intent");
    let never = || journal.record_redeem_never_sent(&id, no, "no route", time_at(3));
    repeat_after_failed_flush(root, never).await.expect("repeated");
    let no = next().await.expect("an intent");
    let answer = || journal.record_answer_without_urls(&id, no, &poll, time_at(3));
    repeat_after_failed_flush(root, answer).await.expect("repeated");
    assert!(is_refused(journal.record_answer_without_urls(&id, no, &poll, time_at(4)).await), "another end");
    let no = next().await.expect("an intent");
    let lost = || journal.record_lost_answer(&id, no, "reset", BODY, time_at(3));
    repeat_after_failed_flush(root, lost).await.expect("repeated");
    let kind = || journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Truncated);
    repeat_after_failed_flush(root, kind).await.expect("repeated");
    let used = || journal.record_truncated_delivery_erasing_token(&id, no);
    repeat_after_failed_flush(root, used).await.expect("repeated");

    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    let raw = || journal.record_raw_answer(&id, no, 200, BODY, time_at(3));
    repeat_after_failed_flush(root, raw).await.expect("repeated");
    assert!(is_refused(journal.record_raw_answer(&id, no, 200, b"other", time_at(3)).await), "another answer");
    let kind = || journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery);
    repeat_after_failed_flush(root, kind).await.expect("repeated");
    let files = [planned_file(0, "avatar.glb"), planned_file(1, "avatar-2.glb")];
    repeat_after_failed_flush(root, || journal.record_planned_files(&id, &files)).await.expect("repeated");
    assert!(is_refused(journal.record_planned_files(&id, &files[..1]).await), "another plan");
    let detail = journal.load_detailed_visit_record(&id).await.expect("read").expect("a record");
    assert_eq!((detail.redeems.len(), detail.files.len()), (1, 2));
}
