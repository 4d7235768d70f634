//! Tickets in the journal, and the count of Export Tokens.

mod common;

use common::{temp_data_dir, time_at, visit_ending, visit_start};
use copresence_protocol::ExportToken;
use copresence_store::{IssuedTokenOutcome, Journal, TicketClosure, TicketRecord, TokenCounts, VisitId};

async fn begin_visit(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    id
}

fn ticket(visit: VisitId, place: u32) -> TicketRecord {
    TicketRecord {
        visit,
        colour: "blue".into(),
        symbol: "comet".into(),
        code_hash: Some("$argon2id$planted-hash".into()),
        place,
        handed_over_at: time_at(1),
        wrong_codes: 0,
        closure: None,
    }
}

#[tokio::test]
async fn tickets_are_ordered_counted_and_closed() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let (first, second) = (begin_visit(&journal).await, begin_visit(&journal).await);
    for (visit, place) in [(first, 0), (second, 1)] {
        journal.record_ticket(&ticket(visit, place)).await.expect("recorded");
    }
    journal.record_wrong_ticket_code_count(&first, 3).await.expect("recorded");
    journal.record_ticket_order(&[second, first]).await.expect("recorded");
    let order: Vec<_> = journal.load_tickets().await.expect("reads");
    assert_eq!(order, [ticket(second, 0), TicketRecord { wrong_codes: 3, ..ticket(first, 1) }]);

    let closure = TicketClosure { how: "picked_up".into(), at: time_at(5) };
    journal.close_ticket_and_erase_code(&first, &closure).await.expect("closed");
    let later = TicketClosure { how: "expired".into(), at: time_at(9) };
    journal.close_ticket_and_erase_code(&first, &later).await.expect("nothing to close");
    journal.record_wrong_ticket_code_count(&first, 9).await.expect("nothing to count");
    let closed = journal.load_tickets().await.expect("reads").pop().expect("it stays in the history");
    assert_eq!((closed.code_hash, closed.wrong_codes, closed.closure), (None, 3, Some(closure)));

    // Handed over again: the new code counts.
    journal.record_ticket(&ticket(first, 7)).await.expect("recorded");
    journal.remove_ticket_not_handed_over(&second).await.expect("removed");
    assert_eq!(journal.load_tickets().await.expect("reads"), [ticket(first, 7)]);
}

#[tokio::test]
async fn an_unknown_visit_gets_no_ticket() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let refused = journal.record_ticket(&ticket(VisitId::new(), 0)).await.expect_err("refused");
    assert_eq!(refused.error_code(), "visit_unknown");
}

/// The hash of a code with 10,000 values gives the code to anybody with time.
#[tokio::test]
async fn the_hash_of_a_closed_ticket_is_on_no_page_of_the_journal() {
    let (root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    let visit = begin_visit(&journal).await;
    journal.record_ticket(&ticket(visit, 0)).await.expect("recorded");
    let has_hash = || {
        ["journal.sqlite", "journal.sqlite-wal"].iter().any(|name| {
            let bytes = std::fs::read(root.path().join(name)).unwrap_or_default();
            bytes.windows(12).any(|window| window == b"planted-hash")
        })
    };
    assert!(has_hash());
    let closure = TicketClosure { how: "picked_up".into(), at: time_at(5) };
    journal.close_ticket_and_erase_code(&visit, &closure).await.expect("closed");
    assert!(!has_hash());
}

#[tokio::test]
async fn tokens_are_counted_by_what_became_of_them() {
    let (_root, data) = temp_data_dir();
    let journal = data.open_or_repair_journal().expect("a journal");
    begin_visit(&journal).await;
    let mut issued = Vec::new();
    for number in 0..3 {
        let id = begin_visit(&journal).await;
        let token = ExportToken::new(format!("token-{number}")).expect("a token");
        journal.record_issued_token(&id, &token, "https://l.test/", None, time_at(2)).await.expect("issued");
        issued.push(id);
    }
    let counts = async || {
        let counts = journal.count_issued_tokens_by_outcome().await.expect("reads");
        let uses = journal.load_all_visits().await.expect("reads").into_iter().filter_map(|visit| visit.token_use());
        let uses: Vec<_> = uses.collect();
        let count = |wanted| u32::try_from(uses.iter().filter(|found| **found == wanted).count()).expect("few");
        let forgotten = counts.issued_token_count()
            - count(IssuedTokenOutcome::Active)
            - count(IssuedTokenOutcome::Spent)
            - count(IssuedTokenOutcome::Abandoned);
        assert_eq!(counts.active, count(IssuedTokenOutcome::Active), "as each visit says");
        assert!(uses.is_empty() || forgotten == 0, "{counts:?} {uses:?}");
        counts
    };
    assert_eq!(counts().await, TokenCounts { active: 3, spent: 0, abandoned: 0 });
    journal.record_end_and_erase_secrets(&issued[0], &visit_ending(4)).await.expect("ended");
    // Interrupted: recovery may use the token.
    journal.record_end_and_erase_secrets(&issued[1], &visit_ending(130)).await.expect("ended");
    assert_eq!(counts().await, TokenCounts { active: 2, spent: 0, abandoned: 1 });
    for id in &issued {
        journal.forget_visit(&data.lock_visit(id).expect("free"), Vec::new(), time_at(9)).await.expect("forgotten");
    }
    assert_eq!(counts().await, TokenCounts { active: 0, spent: 0, abandoned: 3 }, "deleted with their visits");
}
