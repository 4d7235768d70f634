//! What came of an answer that was lost or broken: kept while it may be all that there will ever be.

mod common;

use common::{at, data, ending, exports, start, token};
use copresence_store::{
    AnswerKind, Journal, RedeemNumber, RedeemOutcome, RetainedData, StoreError, TruncatedBody, VisitId,
};

const BEGINNING: &[u8] =
    br#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.test/SECRET-URL"},"#;

async fn issued(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.record_start(&start(id, false)).await.expect("begun");
    journal.record_token(&id, &token("SECRET-TOKEN-0123456789"), "link", None, at(1)).await.expect("issued");
    id
}

/// A redeem whose answer was lost after its beginning.
async fn lost(journal: &Journal, id: VisitId) -> RedeemNumber {
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    journal.record_lost_answer(&id, no, "cut after 90 bytes", BEGINNING, at(3)).await.expect("noted");
    no
}

async fn fragments(journal: &Journal) -> Vec<TruncatedBody> {
    journal
        .load_unfinished_visits()
        .await
        .expect("reads")
        .into_iter()
        .flat_map(|left| left.truncated_bodies)
        .collect()
}

fn holds_the_url(root: &std::path::Path) -> bool {
    let files = ["journal.sqlite", "journal.sqlite-wal"].map(|name| root.join(name));
    files
        .iter()
        .filter_map(|file| std::fs::read(file).ok())
        .any(|bytes| bytes.windows(b"SECRET-URL".len()).any(|window| window == b"SECRET-URL"))
}

fn is_guard<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::StepRefused { .. }))
}

#[tokio::test]
async fn what_came_is_on_disk_before_it_is_looked_into_and_kept_with_the_token() {
    let (root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = lost(&journal, id).await;
    let [fragment] = &fragments(&data.open_journal().expect("another program")).await[..] else {
        panic!("one")
    };
    assert_eq!(
        (fragment.no, &fragment.body[..], fragment.is_read, fragment.is_used_as_delivery),
        (no, BEGINNING, false, false)
    );
    assert_eq!(fragment.evidence, "cut after 90 bytes");
    assert!(!format!("{fragment:?}").contains("SECRET"), "{fragment:?}");
    journal.record_answer_kind(&id, no, AnswerKind::Truncated).await.expect("read");
    assert!(is_guard(&journal.record_answer_kind(&id, no, AnswerKind::Truncated).await), "read twice");
    let refused = journal.record_redeem_intent(&id, at(4)).await.expect("the next redeem may go: it decides");
    journal.record_raw_answer(&id, refused, 400, b"{}", at(5)).await.expect("noted");
    journal.record_answer_kind(&id, refused, AnswerKind::Unreadable).await.expect("read");
    assert!(fragments(&journal).await[0].is_read, "a refusal is when it is needed");
    assert_eq!(journal.record_end(&id, &ending(130)).await.expect("ended"), RetainedData::Token);
    assert_eq!(fragments(&journal).await.len(), 1);
    journal.reopen_visit(&id).await.expect("taken up");
    journal.record_end(&id, &ending(10)).await.expect("ended for good");
    assert!(!holds_the_url(root.path()));
}

#[tokio::test]
async fn what_names_nothing_and_what_a_good_answer_made_worthless_is_forgotten() {
    let (root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    for reading in [AnswerKind::Unreadable, AnswerKind::Truncated, AnswerKind::Truncated] {
        let no = lost(&journal, id).await;
        journal.record_answer_kind(&id, no, reading).await.expect("read");
        assert_eq!(
            fragments(&journal).await.len(),
            usize::from(reading == AnswerKind::Truncated),
            "the latest alone"
        );
    }
    let no = journal.record_redeem_intent(&id, at(4)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, b"{}", at(5)).await.expect("noted");
    journal.record_answer_kind(&id, no, AnswerKind::Progress).await.expect("read");
    assert!(fragments(&journal).await.is_empty());
    drop((journal.clone(), data));
    journal.record_end(&id, &ending(130)).await.expect("ended, which truncates the WAL");
    assert!(!holds_the_url(root.path()));
}

#[tokio::test]
async fn a_fragment_that_is_taken_for_the_delivery_spends_the_token_and_opens_the_way_to_its_files() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = lost(&journal, id).await;
    assert!(is_guard(&journal.record_partial_as_delivery(&id, no).await), "nobody looked into it");
    journal.record_answer_kind(&id, no, AnswerKind::Truncated).await.expect("read");
    assert!(is_guard(&journal.record_planned_files(&id, &exports(1)).await), "nothing delivered yet");
    journal.record_partial_as_delivery(&id, no).await.expect("taken");
    assert!(is_guard(&journal.record_partial_as_delivery(&id, no).await), "taken twice");
    assert!(is_guard(&journal.record_redeem_intent(&id, at(6)).await), "the token is spent");
    journal.record_planned_files(&id, &exports(1)).await.expect("planned");
    let left = journal.load_unfinished_visits().await.expect("reads").pop().expect("one");
    assert!(left.token.is_none() && left.link.is_none() && left.visit.times.redeemed.is_some());
    assert!(left.truncated_bodies[0].is_used_as_delivery);
    let redeems = journal.load_visit(&id).await.expect("reads").expect("there").redeems;
    assert!(matches!(&redeems[0].outcome, RedeemOutcome::Unanswered { salvaged: true, .. }), "{redeems:?}");
    assert_eq!(journal.record_end(&id, &ending(130)).await.expect("ended"), RetainedData::Answer);
}

#[tokio::test]
async fn a_whole_answer_that_cannot_be_read_can_be_a_fragment_too() {
    let (_root, data) = data();
    let journal = data.open_journal().expect("a journal");
    let id = issued(&journal).await;
    let no = journal.record_redeem_intent(&id, at(2)).await.expect("an intent");
    journal.record_raw_answer(&id, no, 200, BEGINNING, at(3)).await.expect("on disk");
    journal.record_answer_kind(&id, no, AnswerKind::Truncated).await.expect("read");
    assert_eq!(fragments(&journal).await[0].no, no);
    journal.record_partial_as_delivery(&id, no).await.expect("taken");
    assert!(fragments(&journal).await[0].is_used_as_delivery);
}
