//! The received part of a lost or invalid response: stored as long as it may be needed.

mod common;

use common::{export_token, planned_files, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_protocol::MAX_REDEEM_DELAY;
use copresence_store::{
    AnswerKind, DataRetainedForRecovery, Journal, PartialResponseBody, RedeemNumber, RedeemState, StoreError, VisitId,
};
use jiff::Timestamp;

const BEGINNING: &[u8] =
    br#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.test/SECRET-URL"},"#;

async fn visit_with_token(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    journal
        .record_issued_token(&id, &export_token("SECRET-TOKEN-0123456789"), "link", None, time_at(1))
        .await
        .expect("issued");
    id
}

/// Records a redeem whose response was lost after its first bytes.
async fn redeem_with_lost_response(journal: &Journal, id: VisitId) -> RedeemNumber {
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_lost_answer(&id, no, "cut after 90 bytes", BEGINNING, time_at(3)).await.expect("noted");
    no
}

/// Records a redeem that was sent at `at` and answered "not ready".
async fn record_not_ready(journal: &Journal, id: VisitId, at: Timestamp) {
    let no = journal.record_redeem_intent(&id, at).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, b"{}", at).await.expect("noted");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Progress).await.expect("read");
}

/// When a redeem whose response was lost at `time_at(3)` cannot be processed any more.
fn settled_time() -> Timestamp {
    time_at(3) + MAX_REDEEM_DELAY
}

async fn truncated_bodies(journal: &Journal) -> Vec<PartialResponseBody> {
    journal.load_recoverable_visits().await.expect("reads").into_iter().flat_map(|left| left.truncated_bodies).collect()
}

fn journal_contains_url(root: &std::path::Path) -> bool {
    let files = ["journal.sqlite", "journal.sqlite-wal"].map(|name| root.join(name));
    files
        .iter()
        .filter_map(|file| std::fs::read(file).ok())
        .any(|bytes| bytes.windows(b"SECRET-URL".len()).any(|window| window == b"SECRET-URL"))
}

fn is_refused<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::StepRefused { .. }))
}

#[tokio::test]
async fn a_truncated_body_is_stored_before_it_is_parsed_and_kept_with_the_token() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = redeem_with_lost_response(&journal, id).await;
    let [truncated] = &truncated_bodies(&data.open_or_repair_journal().expect("another handle")).await[..] else {
        panic!("one")
    };
    assert_eq!(
        (truncated.no, &truncated.body[..], truncated.is_read, truncated.is_used_as_delivery),
        (no, BEGINNING, false, false)
    );
    assert_eq!(truncated.evidence, "cut after 90 bytes");
    assert!(!format!("{truncated:?}").contains("SECRET"), "{truncated:?}");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Truncated).await.expect("read");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Truncated).await.expect("a repetition");
    assert!(
        is_refused(&journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Delivery).await),
        "another kind"
    );
    let refused = journal.record_redeem_intent(&id, time_at(4)).await.expect("the next redeem is allowed");
    journal.record_raw_answer(&id, refused, 400, b"{}", time_at(5)).await.expect("noted");
    journal.record_answer_kind_erasing_obsolete(&id, refused, AnswerKind::Refused).await.expect("read");
    assert!(truncated_bodies(&journal).await[0].is_read, "it is needed after a refusal");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended"),
        DataRetainedForRecovery::Token
    );
    assert_eq!(truncated_bodies(&journal).await.len(), 1);
    journal.reopen_visit(&id).await.expect("taken up");
    journal.record_end_and_erase_secrets(&id, &visit_ending(10)).await.expect("ended for good");
    assert!(!journal_contains_url(root.path()));
}

#[tokio::test]
async fn bodies_without_urls_and_bodies_before_a_usable_response_are_removed() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    for reading in [AnswerKind::Failed, AnswerKind::Truncated, AnswerKind::Truncated] {
        let no = redeem_with_lost_response(&journal, id).await;
        journal.record_answer_kind_erasing_obsolete(&id, no, reading).await.expect("read");
        assert_eq!(
            truncated_bodies(&journal).await.len(),
            usize::from(reading == AnswerKind::Truncated),
            "only the latest"
        );
    }
    for (at, kept) in [(time_at(4), 1), (settled_time(), 0)] {
        record_not_ready(&journal, id, at).await;
        assert_eq!(truncated_bodies(&journal).await.len(), kept, "its redeem may be processed later until then");
    }
    drop((journal.clone(), data));
    journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended, which truncates the WAL");
    assert!(!journal_contains_url(root.path()));
}

/// L16: the URLs of a response that could not be read may be the only ones.
#[tokio::test]
async fn an_unreadable_body_is_kept_until_the_token_is_active_or_the_visit_is_forgotten() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let visit_with_unreadable_body = async || {
        let id = visit_with_token(&journal).await;
        let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
        journal
            .record_raw_answer(&id, no, 200, b"[\"https://files.test/SECRET-URL\"]", time_at(3))
            .await
            .expect("noted");
        journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Unreadable).await.expect("read");
        id
    };
    let id = visit_with_unreadable_body().await;
    for (at, kept) in [(time_at(4), 1), (settled_time(), 0)] {
        record_not_ready(&journal, id, at).await;
        assert_eq!(truncated_bodies(&journal).await.len(), kept, "its redeem may be processed later until then");
    }
    for (exit, is_kept) in [(10, true), (4, false)] {
        let id = visit_with_unreadable_body().await;
        assert!(truncated_bodies(&journal).await[0].is_read);
        journal.record_end_and_erase_secrets(&id, &visit_ending(exit)).await.expect("ended for good");
        assert_eq!(journal_contains_url(root.path()), is_kept, "{exit}");
        let lock = data.lock_visit(&id).expect("free");
        journal.forget_visit(&lock, Vec::new(), time_at(9)).await.expect("forgotten");
        assert!(!journal_contains_url(root.path()));
    }
}

#[tokio::test]
async fn a_truncated_body_that_is_used_as_delivery_spends_the_token_and_allows_downloads() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = redeem_with_lost_response(&journal, id).await;
    assert!(is_refused(&journal.record_truncated_delivery_erasing_token(&id, no).await), "it was not parsed");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Truncated).await.expect("read");
    assert!(is_refused(&journal.record_planned_files(&id, &planned_files(1)).await), "nothing delivered yet");
    journal.record_truncated_delivery_erasing_token(&id, no).await.expect("taken");
    journal.record_truncated_delivery_erasing_token(&id, no).await.expect("a repetition");
    assert!(is_refused(&journal.record_redeem_intent(&id, time_at(6)).await), "the token is spent");
    journal.record_planned_files(&id, &planned_files(1)).await.expect("planned");
    let left = journal.load_recoverable_visits().await.expect("reads").pop().expect("one");
    assert!(left.token.is_none() && left.link.is_none() && left.visit.times.redeemed.is_some());
    assert!(left.truncated_bodies[0].is_used_as_delivery);
    let redeems = journal.load_detailed_visit_record(&id).await.expect("reads").expect("a record").redeems;
    assert!(matches!(&redeems[0].outcome, RedeemState::Unanswered { salvaged: true, .. }), "{redeems:?}");
    assert_eq!(
        journal.record_end_and_erase_secrets(&id, &visit_ending(130)).await.expect("ended"),
        DataRetainedForRecovery::Answer
    );
}

#[tokio::test]
async fn a_complete_response_that_cannot_be_parsed_can_be_used_as_delivery() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let id = visit_with_token(&journal).await;
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BEGINNING, time_at(3)).await.expect("on disk");
    journal.record_answer_kind_erasing_obsolete(&id, no, AnswerKind::Truncated).await.expect("read");
    assert_eq!(truncated_bodies(&journal).await[0].no, no);
    journal.record_truncated_delivery_erasing_token(&id, no).await.expect("taken");
    assert!(truncated_bodies(&journal).await[0].is_used_as_delivery);
}
