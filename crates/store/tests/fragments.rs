//! What came of an answer that was lost or broken: kept while it may be all that there will ever be.

mod common;

use common::{at, data, ending, exports, start, token};
use store::{Fragment, Journal, Kept, Reading, RedeemNo, RedeemOutcome, StoreError, VisitId};

const BEGINNING: &[u8] =
    br#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.test/SECRET-URL"},"#;

fn issued(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.begin(&start(id, false)).expect("begun");
    journal.token_issued(&id, &token("SECRET-TOKEN-0123456789"), "link", None, at(1)).expect("issued");
    id
}

/// A redeem whose answer was lost after its beginning.
fn lost(journal: &Journal, id: VisitId) -> RedeemNo {
    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    journal.redeem_unanswered(&id, no, "cut after 90 bytes", BEGINNING, at(3)).expect("noted");
    no
}

fn fragments(journal: &Journal) -> Vec<Fragment> {
    journal.unfinished().expect("reads").into_iter().flat_map(|left| left.fragments).collect()
}

fn holds_the_url(root: &std::path::Path) -> bool {
    let files = ["journal.sqlite", "journal.sqlite-wal"].map(|name| root.join(name));
    files
        .iter()
        .filter_map(|file| std::fs::read(file).ok())
        .any(|bytes| bytes.windows(b"SECRET-URL".len()).any(|window| window == b"SECRET-URL"))
}

fn is_guard<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Guard { .. }))
}

#[test]
fn what_came_is_on_disk_before_it_is_looked_into_and_kept_with_the_token() {
    let (root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    let no = lost(&journal, id);
    let [fragment] = &fragments(&data.journal().expect("another program"))[..] else { panic!("one") };
    assert_eq!(
        (fragment.no, &fragment.body[..], fragment.read, fragment.salvaged),
        (no, BEGINNING, false, false)
    );
    assert_eq!(fragment.evidence, "cut after 90 bytes");
    assert!(!format!("{fragment:?}").contains("SECRET"), "{fragment:?}");
    journal.redeem_read(&id, no, Reading::Fragment).expect("read");
    assert!(is_guard(&journal.redeem_read(&id, no, Reading::Fragment)), "read twice");
    let refused = journal.redeem_intent(&id, at(4)).expect("the next redeem may go: it decides");
    journal.redeem_answered(&id, refused, 400, b"{}", at(5)).expect("noted");
    journal.redeem_read(&id, refused, Reading::Nothing).expect("read");
    assert!(fragments(&journal)[0].read, "a refusal is when it is needed");
    assert_eq!(journal.ended(&id, &ending(130)).expect("ended"), Kept::Token);
    assert_eq!(fragments(&journal).len(), 1);
    journal.reopen(&id).expect("taken up");
    journal.ended(&id, &ending(10)).expect("ended for good");
    assert!(!holds_the_url(root.path()));
}

#[test]
fn what_names_nothing_and_what_a_good_answer_made_worthless_is_forgotten() {
    let (root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    for reading in [Reading::Nothing, Reading::Fragment, Reading::Fragment] {
        let no = lost(&journal, id);
        journal.redeem_read(&id, no, reading).expect("read");
        assert_eq!(fragments(&journal).len(), usize::from(reading == Reading::Fragment), "the latest alone");
    }
    let no = journal.redeem_intent(&id, at(4)).expect("an intent");
    journal.redeem_answered(&id, no, 200, b"{}", at(5)).expect("noted");
    journal.redeem_read(&id, no, Reading::Good).expect("read");
    assert!(fragments(&journal).is_empty());
    drop((journal.clone(), data));
    journal.ended(&id, &ending(130)).expect("ended, which truncates the WAL");
    assert!(!holds_the_url(root.path()));
}

#[test]
fn a_fragment_that_is_taken_for_the_delivery_spends_the_token_and_opens_the_way_to_its_files() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    let no = lost(&journal, id);
    assert!(is_guard(&journal.redeem_salvaged(&id, no)), "nobody looked into it");
    journal.redeem_read(&id, no, Reading::Fragment).expect("read");
    assert!(is_guard(&journal.files_planned(&id, &exports(1))), "nothing delivered yet");
    journal.redeem_salvaged(&id, no).expect("taken");
    assert!(is_guard(&journal.redeem_salvaged(&id, no)), "taken twice");
    assert!(is_guard(&journal.redeem_intent(&id, at(6))), "the token is spent");
    journal.files_planned(&id, &exports(1)).expect("planned");
    let left = journal.unfinished().expect("reads").pop().expect("one");
    assert!(left.token.is_none() && left.link.is_none() && left.visit.times.redeemed.is_some());
    assert!(left.fragments[0].salvaged);
    let redeems = journal.visit(&id).expect("reads").expect("there").redeems;
    assert!(matches!(&redeems[0].outcome, RedeemOutcome::Unanswered { salvaged: true, .. }), "{redeems:?}");
    assert_eq!(journal.ended(&id, &ending(130)).expect("ended"), Kept::Answer);
}

#[test]
fn a_whole_answer_that_cannot_be_read_can_be_a_fragment_too() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    journal.redeem_answered(&id, no, 200, BEGINNING, at(3)).expect("on disk");
    journal.redeem_read(&id, no, Reading::Fragment).expect("read");
    assert_eq!(fragments(&journal)[0].no, no);
    journal.redeem_salvaged(&id, no).expect("taken");
    assert!(fragments(&journal)[0].salvaged);
}
