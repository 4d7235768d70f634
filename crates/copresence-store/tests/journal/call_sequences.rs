//! Random sequences of calls on one visit: the journal accepts what the steps before allow.

use super::{BODY, TOKEN, progress_answer};
use crate::common::{block_on, export_token, planned_files, temp_data_dir, time_at, visit_ending, visit_start};
use copresence_store::{AnswerKind, DataRetainedForRecovery, RedeemNumber, UnfinishedVisitRedeemState, VisitId};
use proptest::prelude::*;

/// One call on one visit.
#[derive(Debug, Clone, Copy)]
enum Call {
    Issue,
    Intent,
    NeverSent,
    Unanswered,
    Answered,
    Poll,
    Read(bool),
    Plan,
    End(u8),
    Reopen,
    /// The process ends, and another one opens the journal.
    Crash,
}

fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        2 => Just(Call::Issue),
        8 => Just(Call::Intent),
        2 => Just(Call::NeverSent),
        2 => Just(Call::Unanswered),
        5 => Just(Call::Answered),
        3 => Just(Call::Poll),
        4 => Just(Call::Read(false)),
        1 => Just(Call::Read(true)),
        1 => Just(Call::Plan),
        1 => prop::sample::select(vec![0, 4, 8, 10, 130]).prop_map(Call::End),
        2 => Just(Call::Reopen),
        1 => Just(Call::Crash),
    ]
}

/// The expected state of the visit, from an independent model.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and all combinations occur")]
struct ExpectedState {
    issued: bool,
    open: Option<RedeemNumber>,
    unread: Option<RedeemNumber>,
    /// The last response was lost and is not parsed.
    lost: bool,
    /// The last response is parsed: whether it had URLs.
    read: Option<bool>,
    last: Option<RedeemNumber>,
    delivered: bool,
    ended: bool,
    kept: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// An intent is refused exactly if another one is open, there is no token, a response is not parsed, the URLs were
    /// delivered, or the visit has ended.
    #[test]
    fn no_sequence_of_calls_redeems_twice(calls in prop::collection::vec(any_call(), 1..40)) {
        block_on(async {
            let (_root, data) = temp_data_dir();
            let mut journal = data.open_or_repair_journal().expect("a journal");
            let id = VisitId::new();
            journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
            let mut expected = ExpectedState::default();
            for (step, call) in (3..).zip(calls) {
                // Never twice the same, because the same step may be recorded twice.
                let at = time_at(step);
                match call {
                    Call::Issue => {
                        let done = journal.record_issued_token(&id, &export_token(TOKEN), "link", None, at).await.is_ok();
                        prop_assert_eq!(done, !expected.issued && !expected.ended);
                        expected.issued |= done;
                    }
                    Call::Intent => {
                        let may = expected.issued && expected.open.is_none() && expected.unread.is_none() && !expected.delivered && !expected.ended;
                        let done = journal.record_redeem_intent(&id, time_at(2)).await;
                        prop_assert_eq!(done.is_ok(), may, "{:?} {:?}", done, expected);
                        if let Ok(no) = done {
                            prop_assert!(Some(no) > expected.last);
                            (expected.open, expected.last, expected.lost, expected.read) = (Some(no), Some(no), false, None);
                        }
                    }
                    Call::NeverSent | Call::Unanswered | Call::Answered | Call::Poll => {
                        let Some(no) = expected.last else { continue };
                        let done = match call {
                            Call::NeverSent => journal.record_redeem_never_sent(&id, no, "no route", at).await,
                            Call::Unanswered => journal.record_lost_answer(&id, no, "cut", b"", at).await,
                            Call::Poll => journal.record_answer_without_urls(&id, no, &progress_answer("in_queue"), at).await,
                            _ => journal.record_raw_answer(&id, no, 200, BODY, at).await,
                        };
                        let may = expected.open.is_some() && (!expected.ended || expected.kept);
                        prop_assert_eq!(done.is_ok(), may, "{:?} {:?}", done, expected);
                        if done.is_ok() {
                            expected.open = None;
                            expected.unread = matches!(call, Call::Answered).then_some(no);
                            expected.lost = matches!(call, Call::Unanswered);
                        }
                    }
                    Call::Read(urls) => {
                        let kind = if urls { AnswerKind::Delivery } else { AnswerKind::Failed };
                        let Some(no) = expected.last.filter(|_| expected.read != Some(urls)) else { continue };
                        let done = journal.record_answer_kind_erasing_obsolete(&id, no, kind).await.is_ok();
                        // The lost response has no body, so it cannot have URLs.
                        prop_assert_eq!(done, expected.unread.is_some() || (expected.lost && !urls));
                        expected.delivered |= done && urls;
                        (expected.unread, expected.lost) = (None, expected.lost && !done);
                        expected.read = if done { Some(urls) } else { expected.read };
                    }
                    Call::Plan => {
                        let done = journal.record_planned_files(&id, &planned_files(1)).await.is_ok();
                        prop_assert!(!done || (expected.delivered && !expected.ended));
                    }
                    Call::End(exit) => {
                        let done = journal.record_end_and_erase_secrets(&id, &visit_ending(exit)).await;
                        prop_assert_eq!(done.is_ok(), !expected.ended);
                        if let Ok(kept) = done {
                            (expected.ended, expected.kept) = (true, kept != DataRetainedForRecovery::Nothing);
                            prop_assert_eq!(expected.kept, matches!(exit, 8 | 130) && expected.issued);
                        }
                    }
                    Call::Reopen => {
                        let done = journal.reopen_visit(&id).await.is_ok();
                        prop_assert_eq!(done, !expected.ended || expected.kept);
                        if done {
                            (expected.ended, expected.kept) = (false, false);
                        }
                    }
                    Call::Crash => {
                        drop(journal);
                        journal = data.open_or_repair_journal().expect("opened again");
                    }
                }
                let left = journal.load_recoverable_visits().await.expect("read");
                prop_assert_eq!(left.len(), usize::from(!expected.ended || expected.kept));
                let expects_body = expected.unread.is_some() || expected.delivered;
                if let Some(left) = left.first() && expects_body {
                    let state = left.redeem.as_ref().map(|redeem| &redeem.state);
                    let whole = matches!(state, Some(UnfinishedVisitRedeemState::Answered { body: Some(body), .. }) if body == BODY);
                    prop_assert!(whole, "the raw response is stored as long as it is needed: {:?}", state);
                }
            }
            Ok(())
        })?;
    }
}
