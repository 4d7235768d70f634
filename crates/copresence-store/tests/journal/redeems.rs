//! Redeems: polls without a body, lost answers and cancelled redeems.

use super::{is_refused, progress_answer, visit_with_token};
use crate::common::{temp_data_dir, time_at, visit_ending};
use copresence_store::{
    AnswerKind, AnswerWithoutUrls, DataRetainedForRecovery, RedeemNumber, RedeemState, UnfinishedVisitRedeemState,
};

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
