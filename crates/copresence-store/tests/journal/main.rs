//! The journal through the public API: refused steps, crashes, forgetting, and concurrent processes.

mod call_sequences;
#[path = "../common/mod.rs"]
mod common;
mod processes;

use common::{export_token, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_protocol::{DownloadUrl, ExportToken, ExportType};
use copresence_store::{
    AnswerKind, AnswerWithoutUrls, DataRetainedForRecovery, FileFormat, FileProgress, FileState, Journal, PlannedFile,
    RedeemNumber, RedeemState, SavedFileNote, Sha256Digest, StoreError, UnfinishedVisitRedeemState, VisitId,
    VisitPhase,
};
use jiff::Timestamp;

const BODY: &[u8] = br#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.test/SECRET-URL"}]}"#;
const TOKEN: &str = "SECRET-TOKEN-0123456789";

fn planned_file(index: usize, name: &str) -> PlannedFile {
    PlannedFile {
        index,
        name: name.to_owned(),
        export_type: ExportType::new("glb"),
        url: DownloadUrl::new(&format!("https://files.test/SECRET-URL/{index}")).expect("a URL"),
    }
}

/// Records a visit with a token.
async fn visit_with_token(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    journal
        .record_issued_token(&id, &export_token(TOKEN), &format!("https://link.test/?token={TOKEN}"), None, time_at(1))
        .await
        .expect("issued");
    id
}

/// Records a visit with a delivery.
async fn delivered_visit(journal: &Journal) -> VisitId {
    let id = visit_with_token(journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    id
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass the result of a call directly")]
fn is_refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::StepRefused { .. }))
}

#[tokio::test]
async fn a_complete_visit_leaves_no_secrets() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, b"{\"avatar_ready\":false}", time_at(3)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Progress).await.expect("read");
    let left = journal.load_recoverable_visits().await.expect("read").pop().and_then(|left| left.redeem);
    let state = UnfinishedVisitRedeemState::Answered { status: 200, body: None, delivered: Some(false) };
    assert_eq!(left.map(|redeem| redeem.state), Some(state), "a body without URLs is removed once it was parsed");
    journal.record_visit_phase(&id, VisitPhase::Associated, time_at(3)).await.expect("noted");
    journal.record_visit_phase(&id, VisitPhase::Associated, time_at(9)).await.expect("noted");
    let no = journal.record_redeem_intent(&id, time_at(4)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, time_at(5)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    journal.record_planned_files(&id, &[planned_file(0, "avatar.glb")]).await.expect("planned");
    journal.record_file_request(&id, 0).await.expect("requested");
    let notes = vec![SavedFileNote::note_of_ignored_encoding("none", "it is none")];
    journal
        .record_complete_file_erasing_urls(&id, 0, 3, &Sha256Digest::sha256_of_bytes(b"abc"), FileFormat::Glb, &notes)
        .await
        .expect("whole");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(0)).await.expect("ended"),
        DataRetainedForRecovery::Nothing
    );

    assert!(journal.load_recoverable_visits().await.expect("read").is_empty());
    let detail = journal.load_detailed_visit_record(&id).await.expect("read").expect("a record");
    assert_eq!(detail.visit.start, visit_start(id, false));
    assert_eq!(detail.visit.ending, Some(visit_ending(0)));
    assert_eq!(detail.visit.times.associated, Some(time_at(3)));
    assert_eq!(detail.visit.times.redeemed, Some(time_at(5)));
    assert_eq!(detail.redeems.len(), 2);
    assert!(matches!(
        detail.redeems[0].outcome,
        RedeemState::Answered { status: 200, delivered: Some(false), body_size: 22, kind: Some(AnswerKind::Progress) }
    ));
    assert!(matches!(
        &detail.files[0].state,
        FileState::Complete { bytes: 3, format: FileFormat::Glb, notes: stored, .. } if *stored == notes
    ));
    for file in std::fs::read_dir(root.path()).expect("a list") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("read");
            let found = bytes.windows(6).any(|window| window == b"SECRET");
            assert!(!found, "a secret is left in {}", path.display());
        }
    }
}

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
///
/// On Unix only: on Windows nobody can rename a file that `SQLite` has open.
#[cfg(unix)]
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

#[cfg(unix)]
#[tokio::test]
async fn a_step_whose_flush_failed_can_be_repeated() {
    let (root, data) = temp_data_dir();
    let (root, journal) = (root.path(), data.open_or_repair_journal().expect("a journal"));
    let id = visit_with_token(&journal).await;
    let next = || journal.record_redeem_intent(&id, time_at(2));
    let poll = AnswerWithoutUrls { status: 200, body_size: 9, kind: AnswerKind::Progress, completion_status: None };

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
            &FileProgress { bytes: 9, total: Some(20), validator: Some("\"v1\"".into()), ..FileProgress::default() },
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
    assert!(matches!(&left.files[0].record.state, FileState::Requested(progress) if progress.bytes == 9));
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
    let progress = FileProgress {
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
        matches!(&left.files[0].record.state, FileState::Failed { spent: false, progress: kept, .. } if *kept == progress)
    );
    let other = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
    other.execute("UPDATE files SET boot_id = 'an earlier boot'", []).expect("as after a restart");
    assert!(!is_from_this_boot().await);
}

#[tokio::test]
async fn a_redirect_target_is_kept_and_erased_as_the_url_is() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await.expect("read");
    let planned: Vec<_> = (0..4).map(|index| planned_file(index, &format!("avatar-{index}.glb"))).collect();
    journal.record_planned_files(&id, &planned).await.expect("planned");
    let target = DownloadUrl::new("https://storage.test/SECRET-TARGET").expect("a URL");
    for index in 0..4 {
        journal.record_file_request(&id, index).await.expect("requested");
        journal.record_redirect_target(&id, index, Some(&target)).await.expect("redirected");
        journal.record_file_progress(&id, index, &FileProgress::default()).await.expect("noted");
    }
    journal.record_redirect_target(&id, 0, None).await.expect("the target refused");
    journal.record_file_failure(&id, 1, "410 Gone", true).await.expect("lost");
    journal.record_file_failure(&id, 2, "connection refused", false).await.expect("for now");
    let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
    let targets: Vec<_> = left.files.iter().map(|file| file.record.redirected_to.as_ref()).collect();
    assert_eq!(targets, [None, None, Some(&target), Some(&target)]);
    assert!(!format!("{left:?}").contains("SECRET"), "{left:?}");
    let history = journal.load_detailed_visit_record(&id).await.expect("read").expect("one");
    assert!(history.files.iter().all(|file| file.redirected_to.is_none()));
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
async fn the_ending_decides_what_is_retained() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    for exit in [0, 1, 4, 7, 10, 99] {
        let id = visit_with_token(&journal).await;
        assert_eq!(
            journal.record_end_and_erase_secrets(&id, &visit_ending(exit)).await.expect("ended"),
            DataRetainedForRecovery::Nothing,
            "exit {exit}"
        );
    }
    assert!(journal.load_recoverable_visits().await.expect("read").is_empty());
    for exit in [2, 3, 5, 6, 7, 8, 9, 130] {
        let id = visit_with_token(&journal).await;
        // With 7, the token is retained only if there is no folder.
        let unfiled = copresence_store::VisitEnding { directory: None, ..visit_ending(exit) };
        assert_eq!(
            journal.record_end_and_erase_secrets(&id, &unfiled).await.expect("ended"),
            DataRetainedForRecovery::Token,
            "exit {exit}"
        );
        let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
        assert_eq!((left.visit.start.id, left.token.is_some()), (id, true));
        assert!(is_refused(journal.record_redeem_intent(&id, time_at(9)).await), "only after it is reopened");
        journal.reopen_visit(&id).await.expect("taken up");
        journal.record_redeem_intent(&id, time_at(9)).await.expect("a redeem after reopening");
        journal.record_end_and_erase_secrets(&id, &visit_ending(4)).await.expect("ended for good");
        assert!(journal.load_recoverable_visits().await.expect("read").is_empty());
    }
    for exit in [5, 9] {
        for (refusals, retained) in [(1, DataRetainedForRecovery::Token), (2, DataRetainedForRecovery::Nothing)] {
            let id = visit_with_token(&journal).await;
            for _ in 0..refusals {
                let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
                journal.record_raw_answer(&id, no, 400, b"{}", time_at(3)).await.expect("noted");
                journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Refused).await.expect("read");
            }
            let ended = journal.record_end_and_erase_secrets(&id, &visit_ending(exit)).await.expect("ended");
            assert_eq!(ended, retained, "exit {exit}: a second refusal confirms the first");
        }
    }
    let id = delivered_visit(&journal).await;
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(9)).await.expect("ended"),
        DataRetainedForRecovery::Nothing,
        "saved despite a protocol violation"
    );
    let id = delivered_visit(&journal).await;
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended"),
        DataRetainedForRecovery::Answer
    );
    let id = delivered_visit(&journal).await;
    journal.record_planned_files(&id, &[planned_file(0, "avatar.glb")]).await.expect("planned");
    journal.record_file_failure(&id, 0, "spent", true).await.expect("noted");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended"),
        DataRetainedForRecovery::Nothing,
        "nothing is left to download"
    );

    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, true)).await.expect("begun");
    journal.record_issued_token(&id, &export_token(TOKEN), "link", None, time_at(1)).await.expect("issued");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended"),
        DataRetainedForRecovery::Nothing,
        "its backend does not exist any more"
    );
    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(6)).await.expect("ended"),
        DataRetainedForRecovery::Nothing,
        "no token was issued"
    );
}

#[tokio::test]
async fn a_response_that_is_received_after_an_interruption_is_recorded() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended");
    journal.record_raw_answer(&id, no, 200, BODY, time_at(3)).await.expect("taken");
    let left = journal.load_recoverable_visits().await.expect("read").pop().expect("one");
    assert!(matches!(
        left.redeem.map(|redeem| redeem.state),
        Some(UnfinishedVisitRedeemState::Answered { body: Some(_), .. })
    ));
}

#[tokio::test]
async fn history_has_the_newest_visit_first_and_visits_can_be_forgotten() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let ids = [visit_with_token(&journal).await, visit_with_token(&journal).await, visit_with_token(&journal).await];
    let listed: Vec<_> = journal.load_all_visits().await.expect("read").iter().map(|visit| visit.start.id).collect();
    assert_eq!(listed, [ids[2], ids[1], ids[0]]);

    let lock = data.lock_visit(&ids[0]).expect("free");
    let gone = journal.forget_visit(&lock, Vec::new(), time_at(9)).await.expect("forgotten").expect("it was there");
    assert_eq!(gone.start.id, ids[0]);
    assert!(journal.forget_visit(&lock, Vec::new(), time_at(9)).await.expect("no error").is_none());
    assert_eq!(journal.count_visits().await.expect("read"), 2);
}

fn progress_answer(status: &str) -> AnswerWithoutUrls {
    AnswerWithoutUrls {
        status: 200,
        body_size: 100,
        kind: AnswerKind::Progress,
        completion_status: Some(status.to_owned()),
    }
}

#[tokio::test]
async fn a_poll_is_one_step_without_a_body() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    for kind in [AnswerKind::Truncated, AnswerKind::Delivery] {
        let answer = AnswerWithoutUrls { kind, ..progress_answer("ready") };
        assert!(
            is_refused(journal.record_answer_without_urls(&id, no, &answer, time_at(3)).await),
            "its body is needed"
        );
    }
    journal.record_answer_without_urls(&id, no, &progress_answer("in_queue"), time_at(3)).await.expect("written");
    assert!(
        is_refused(journal.record_answer_without_urls(&id, no, &progress_answer("in_queue"), time_at(4)).await),
        "no redeem in flight"
    );
    assert!(
        is_refused(journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Failed).await),
        "already parsed"
    );
    let no = journal.record_redeem_intent(&id, time_at(4)).await.expect("the next");
    let refused = AnswerWithoutUrls { status: 400, body_size: 2, kind: AnswerKind::Refused, completion_status: None };
    journal.record_answer_without_urls(&id, no, &refused, time_at(5)).await.expect("written");
    let left = journal.load_unfinished_visit(&id).await.expect("read").expect("unfinished");
    let kinds: Vec<_> = left
        .redeems
        .iter()
        .map(|redeem| match redeem.outcome {
            RedeemState::Answered { status, delivered, kind, .. } => (status, delivered, kind),
            _ => panic!("{redeem:?}"),
        })
        .collect();
    assert_eq!(kinds, [(200, Some(false), Some(AnswerKind::Progress)), (400, Some(false), Some(AnswerKind::Refused))]);
    assert_eq!(left.visit.last_status.as_deref(), Some("in_queue"));
    assert!(left.truncated_bodies.is_empty());
}

#[tokio::test]
async fn the_polls_of_a_finished_visit_are_folded_and_shown_unchanged() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    for second in 0..20 {
        let no = journal.record_redeem_intent(&id, time_at(second)).await.expect("an intent");
        match second {
            7 => journal.record_lost_answer(&id, no, "reset", b"", time_at(second)).await.expect("written"),
            9 => {
                let broken = AnswerWithoutUrls { kind: AnswerKind::Unreadable, ..progress_answer("") };
                journal.record_answer_without_urls(&id, no, &broken, time_at(second)).await.expect("written");
            }
            _ => journal
                .record_answer_without_urls(&id, no, &progress_answer("processing"), time_at(second))
                .await
                .expect("written"),
        }
    }
    let shown = |detail: Option<copresence_store::DetailedVisitRecord>| -> Vec<_> {
        let redeems = detail.expect("a record").redeems;
        redeems.into_iter().map(|redeem| (redeem.no, redeem.intent_at, redeem.outcome)).collect()
    };
    let before = shown(journal.load_detailed_visit_record(&id).await.expect("read"));
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended"),
        DataRetainedForRecovery::Token
    );
    let rows = || -> i64 {
        let database = rusqlite::Connection::open(root.path().join("journal.sqlite")).expect("opens");
        database.query_row("SELECT count(*) FROM redeems", [], |row| row.get(0)).expect("counts")
    };
    assert_eq!(rows(), 20, "recovery may need them");
    journal.reopen_visit(&id).await.expect("taken up");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(10)).await.expect("ended"),
        DataRetainedForRecovery::Nothing
    );
    assert_eq!(rows(), 2, "the lost response with its evidence, and the unreadable one");
    assert_eq!(shown(journal.load_detailed_visit_record(&id).await.expect("read")), before);
    assert_eq!(journal.load_latest_visits(1).await.expect("read")[0].redeems, 20);
}

#[tokio::test]
async fn a_cancelled_redeem_is_recorded_without_waiting() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    for (was_sent, expected) in
        [(true, UnfinishedVisitRedeemState::Unanswered), (false, UnfinishedVisitRedeemState::NeverSent)]
    {
        let id = visit_with_token(&journal).await;
        journal.queue_dropped_redeem_end(&id, None, true, time_at(2));
        let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
        journal.queue_dropped_redeem_end(&id, Some(RedeemNumber::new(9)), true, time_at(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                journal.queue_dropped_redeem_end(&id, was_sent.then_some(no), was_sent, time_at(3));
            });
        });
        assert_eq!(
            journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended"),
            DataRetainedForRecovery::Token
        );
        let left = journal.load_unfinished_visit(&id).await.expect("read").expect("unfinished");
        assert_eq!(left.redeem.map(|redeem| (redeem.no, redeem.state)), Some((no, expected)));
    }
}

#[tokio::test]
async fn the_list_of_the_unfinished_says_what_is_due() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let (waits, has_answer) = (visit_with_token(&journal).await, delivered_visit(&journal).await);
    journal.record_end_and_erase_secrets(&waits, &visit_ending(8)).await.expect("ended");
    journal.record_next_recovery_attempt(&waits, 3, time_at(900)).await.expect("also after the end");
    let list = journal.load_unfinished_visit_summaries().await.expect("read");
    let [first, second] = &list[..] else { panic!("{list:?}") };
    assert_eq!((first.id, first.has_token, first.has_answer), (waits, true, false));
    assert_eq!((first.attempts, first.next_attempt_at, first.issued_at), (3, Some(time_at(900)), Some(time_at(1))));
    assert_eq!((second.id, second.has_token, second.has_answer), (has_answer, false, true));
    assert_eq!((second.attempts, second.next_attempt_at), (0, None));
    journal.reopen_visit(&waits).await.expect("taken up");
    let left = journal.load_unfinished_visit(&waits).await.expect("read").expect("unfinished");
    assert_eq!((left.visit.recovery_attempts, left.visit.recovery_next_attempt_at), (3, Some(time_at(900))));
    journal.record_end_and_erase_secrets(&waits, &visit_ending(4)).await.expect("ended");
    assert!(journal.load_unfinished_visit(&waits).await.expect("read").is_none());
    assert_eq!(journal.load_unfinished_visit_summaries().await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_lost_answer_without_a_body_can_be_known_to_be_unreadable() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_lost_answer(&id, no, "an unknown content encoding", b"", time_at(3)).await.expect("noted");
    assert!(
        is_refused(journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Truncated).await),
        "there is no body to keep"
    );
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Unreadable).await.expect("read");
    assert!(is_refused(journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Failed).await), "parsed twice");
    let redeems = journal.load_unfinished_visit(&id).await.expect("read").expect("unfinished").redeems;
    let kind = match &redeems[0].outcome {
        RedeemState::Unanswered { kind, .. } => *kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind, Some(AnswerKind::Unreadable));
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
