//! What the end of a visit erases, what it retains for recovery, and what the history shows of it.

use super::{BODY, TOKEN, delivered_visit, is_refused, planned_file, visit_with_token};
use crate::common::{export_token, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_store::{
    AnswerKind, DataRetainedForRecovery, FileDownloadState, FileFormat, RedeemState, SavedFileNote, Sha256Digest,
    UnfinishedVisitRedeemState, VisitId, VisitPhase,
};

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
    journal.record_first_time_of_phase(&id, VisitPhase::Associated, time_at(3)).await.expect("noted");
    journal.record_first_time_of_phase(&id, VisitPhase::Associated, time_at(9)).await.expect("noted");
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
        FileDownloadState::Complete { bytes: 3, format: FileFormat::Glb, notes: stored, .. } if *stored == notes
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
