//! The polls of a finished visit, folded into its row.
//!
//! A visit makes a hundred polls, and most say "not ready". Once the visit is finished, these need no row each: what
//! the history shows of them (when, status, size) is kept in `visits.polls`. Redeems of lasting meaning (lost answers
//! with their evidence, refusals, unreadable answers, deliveries) stay as rows.

use super::database::{JournalTransaction, TransactionError};
use super::redeem_record::{AnswerKind, RedeemNumber, RedeemRecord, RedeemState};
use crate::visit_id::VisitId;
use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// Consecutive polls that had the same response.
#[derive(Debug, Serialize, Deserialize)]
struct ConsecutiveEqualPolls {
    /// The number of the first.
    no: u32,
    /// The HTTP status.
    status: u16,
    /// Size of each body in bytes.
    body_size: u64,
    /// When each was begun, in milliseconds: the first since 1970, each other since the one before it.
    at_ms: Vec<i64>,
}

/// A poll as its row has it.
struct PollRedeemRow {
    no: u32,
    intent_at: Timestamp,
    status: u16,
    body_size: i64,
}

/// Folds the plain "not ready" answers of a visit into its row.
pub(super) fn compact_polls_into_visit_row(tx: &JournalTransaction<'_>, id: &VisitId) -> Result<(), TransactionError> {
    let id = id.to_string();
    let polls: Vec<PollRedeemRow> = tx
        .prepare_statement(&format!(
            "SELECT no, intent_at, status, body_size FROM redeems
             WHERE visit = ?1 AND {PLAIN} ORDER BY no"
        ))?
        .query_map([&id], |row| {
            Ok(PollRedeemRow {
                no: row.get(0)?,
                intent_at: super::column::timestamp_from_micros_or_epoch(row.get(1)?),
                status: row.get(2)?,
                body_size: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    if polls.is_empty() {
        return Ok(());
    }
    let text = serde_json::to_string(&group_equal_polls(&polls)).unwrap_or_default();
    tx.execute_statement(
        "UPDATE visits SET polls = ?2, poll_count = ?3 WHERE id = ?1",
        params![id, text, super::column::size_to_integer(polls.len() as u64)],
    )?;
    tx.execute_statement(&format!("DELETE FROM redeems WHERE visit = ?1 AND {PLAIN}"), [&id])?;
    Ok(())
}

/// Rows that say nothing but "not ready".
const PLAIN: &str =
    "state = 'answered' AND status = 200 AND delivered = 0 AND answer_kind = 'progress' AND body IS NULL";

/// Restores the polls that a visit's row holds.
pub(super) fn expand_compacted_polls(text: &str) -> Vec<RedeemRecord> {
    let runs: Vec<ConsecutiveEqualPolls> = serde_json::from_str(text).unwrap_or_default();
    let mut polls = Vec::new();
    for run in runs {
        let mut at_ms = 0_i64;
        for (no, after) in (run.no..).zip(&run.at_ms) {
            at_ms = at_ms.saturating_add(*after);
            polls.push(RedeemRecord {
                no: RedeemNumber(no),
                outcome: RedeemState::Answered {
                    status: run.status,
                    body_size: run.body_size,
                    delivered: Some(false),
                    kind: Some(AnswerKind::Progress),
                },
                intent_at: Timestamp::from_millisecond(at_ms).unwrap_or_default(),
                ended_at: None,
            });
        }
    }
    polls
}

/// Groups consecutive polls with the same status and body size into runs.
fn group_equal_polls(polls: &[PollRedeemRow]) -> Vec<ConsecutiveEqualPolls> {
    let is_same = |a: &PollRedeemRow, b: &PollRedeemRow| {
        a.no.checked_add(1) == Some(b.no) && (a.status, a.body_size) == (b.status, b.body_size)
    };
    polls
        .chunk_by(is_same)
        .map(|run| {
            let times = run.iter().map(|poll| poll.intent_at.as_millisecond());
            let mut before = 0;
            let at_ms = times.map(|at| at - std::mem::replace(&mut before, at)).collect();
            ConsecutiveEqualPolls {
                no: run[0].no,
                status: run[0].status,
                body_size: super::column::integer_to_size_or_zero(run[0].body_size),
                at_ms,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_polls_come_back_as_they_were() {
        let poll = |no: u32, at: i64, size: i64| PollRedeemRow {
            no,
            intent_at: Timestamp::from_millisecond(1_790_000_000_000 + at).expect("a time"),
            status: 200,
            body_size: size,
        };
        let polls = [
            poll(1, 0, 152),
            poll(2, 1_003, 152),
            // A lost answer had the number 3: its row stays.
            poll(4, 2_500, 152),
            poll(5, 2_400, 140),
        ];
        let runs = group_equal_polls(&polls);
        assert_eq!(runs.len(), 3);
        let text = serde_json::to_string(&runs).expect("JSON");
        let back = expand_compacted_polls(&text);
        assert_eq!(back.len(), polls.len());
        for (poll, back) in polls.iter().zip(back) {
            assert_eq!((back.no.redeem_number_as_u32(), back.intent_at), (poll.no, poll.intent_at));
            let RedeemState::Answered { status, body_size, .. } = back.outcome else { panic!("an answer") };
            assert_eq!((status, body_size), (200, u64::try_from(poll.body_size).expect("small")));
        }
        assert!(expand_compacted_polls("damaged").is_empty());
    }
}
