//! The durable steps of a redeem: intent, outcome, and what kind of answer it was.

use super::database::{JournalTransaction, TransactionError};
use super::redeem_record::{AnswerKind, AnswerWithoutUrls, RedeemNumber};
use super::visit_row::{VisitStateForStepGuards, refuse_step_unless};
use super::{Journal, column};
use crate::crash_point::{CommitCrashPoints, CrashPoint};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use copresence_protocol::MAX_REDEEM_DELAY;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

/// How a redeem without a complete response ended: never sent, or unanswered.
struct RedeemWithoutResponse {
    state: &'static str,
    evidence: String,
    /// The beginning of the body, if any came.
    body: Option<Vec<u8>>,
    at: Timestamp,
}

impl Journal {
    /// Records that a redeem is about to be sent. Send the request only after this returns, so that no crash can
    /// hide it.
    ///
    /// Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is
    /// invalidated" (GET /redeemExportToken), so every redeem may be the last.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if the visit has no token, another redeem is in flight, the last response was
    /// not read, a response with URLs was read, or the visit has ended; [`StoreError::UnknownVisit`]; an I/O or
    /// database failure.
    pub async fn record_redeem_intent(&self, id: &VisitId, at: Timestamp) -> Result<RedeemNumber, StoreError> {
        let id = *id;
        self.queue_write_transaction(
            CommitCrashPoints(CrashPoint::IntentWriting, CrashPoint::IntentWritten),
            move |tx| {
                let visit = VisitStateForStepGuards::load_row_state(tx, &id)?;
                visit.refuse_step_if_visit_ended()?;
                refuse_step_unless(visit.has_token, id, "it has no token to redeem")?;
                refuse_step_unless(!visit.has_delivery, id, "its token was spent on an answer with URLs")?;
                refuse_step_unless(!visit.has_unread_answer, id, "its last answer was not read yet")?;
                let last: u32 = tx.query_row(
                    "SELECT coalesce(max(no), 0) FROM redeems WHERE visit = ?1",
                    [id.to_string()],
                    |row| row.get(0),
                )?;
                refuse_step_unless(find_redeem_in_flight(tx, &id)?.is_none(), id, "another redeem of it is in flight")?;
                tx.execute_statement(
                    "INSERT INTO redeems (visit, no, state, intent_at) VALUES (?1, ?2, 'intent', ?3)",
                    params![id.to_string(), last + 1, column::timestamp_to_micros(at)],
                )?;
                Ok(RedeemNumber(last + 1))
            },
        )
        .await
    }

    /// Records that no byte of a redeem was sent. The token is unchanged.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if this redeem is not in flight, or if the visit has ended and nothing of it was
    /// retained; [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_redeem_never_sent(
        &self,
        id: &VisitId,
        no: RedeemNumber,
        why: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let end = RedeemWithoutResponse { state: "never_sent", evidence: why.to_owned(), body: None, at };
        self.record_redeem_without_response(*id, no, end).await
    }

    /// Records that a redeem was sent and no complete response was received. The token may be spent.
    ///
    /// `evidence` describes what is known (time, number of received bytes, error of the socket) and contains no secret.
    /// `came` is the received part of the body. Use it only after this returns, and then call
    /// [`record_kind_and_erase_obsolete`](Self::record_kind_and_erase_obsolete), which decides whether the body is
    /// kept.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if this redeem is not in flight, or if the visit has ended and nothing of it was
    /// retained; [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_lost_answer(
        &self,
        id: &VisitId,
        no: RedeemNumber,
        evidence: &str,
        came: &[u8],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let body = (!came.is_empty()).then(|| came.to_vec());
        let end = RedeemWithoutResponse { state: "unanswered", evidence: evidence.to_owned(), body, at };
        self.record_redeem_without_response(*id, no, end).await
    }

    /// Queues the end of a redeem whose future was dropped. Does not wait, so it can be called from `Drop` and
    /// outside of a runtime. Ends the redeem `no`, or the one in flight, as unanswered if the request was sent,
    /// otherwise as never sent. Does nothing if no redeem is in flight. A failure is logged.
    pub fn queue_dropped_redeem_end(&self, id: &VisitId, no: Option<RedeemNumber>, was_sent: bool, at: Timestamp) {
        let id = *id;
        self.thread.queue_request_without_reply(move |database| {
            let written = database.run_write_transaction(LOSS_STEP, move |tx| {
                let open = find_redeem_in_flight(tx, &id)?;
                let Some(open) = open.filter(|open| no.is_none_or(|no| no == *open)) else { return Ok(()) };
                let (state, evidence) = if was_sent {
                    ("unanswered", "given up before its answer came")
                } else {
                    ("never_sent", "cancelled before it was sent")
                };
                let end = RedeemWithoutResponse { state, evidence: evidence.to_owned(), body: None, at };
                finish_redeem_without_response(tx, &id, open, &end)
            });
            if let Err(error) = written {
                tracing::error!(%error, visit = %id, "a cancelled redeem could not be written");
            }
        });
    }

    /// Stores a complete response. Process the response only after this returns.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if this redeem is not in flight, or if the visit has ended and nothing of it was
    /// retained; [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_raw_answer(
        &self,
        id: &VisitId,
        no: RedeemNumber,
        status: u16,
        body: &[u8],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, body) = (*id, body.to_vec());
        self.queue_write_transaction(
            CommitCrashPoints(CrashPoint::AnswerWriting, CrashPoint::AnswerWritten),
            move |tx| {
                let end = RedeemEndForComparison {
                    state: "answered",
                    at,
                    status: Some(status),
                    evidence: None,
                    body: Some(&body),
                    size: Some(body.len() as u64),
                    kind: None,
                };
                if end.is_same_redeem_end_recorded(tx, &id, no)? {
                    return Ok(());
                }
                require_redeem_in_flight(tx, &id, no)?;
                tx.execute_statement(
                    "UPDATE redeems SET state = 'answered', ended_at = ?3, status = ?4, body = ?5, body_size = ?6
                 WHERE visit = ?1 AND no = ?2",
                    params![
                        id.to_string(),
                        no.redeem_number_as_u32(),
                        column::timestamp_to_micros(at),
                        status,
                        body,
                        column::size_to_integer(body.len() as u64)
                    ],
                )?;
                Ok(())
            },
        )
        .await
    }

    /// Records a complete answer without URLs and its kind in one transaction. The body is not stored.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if this redeem is not in flight, if the visit has ended and nothing of it was
    /// retained, or if the body of this kind must be kept; [`StoreError::UnknownVisit`]; an I/O or database
    /// failure.
    pub async fn record_answer_without_urls(
        &self,
        id: &VisitId,
        no: RedeemNumber,
        answer: &AnswerWithoutUrls,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, answer) = (*id, answer.clone());
        self.queue_write_transaction(CommitCrashPoints(CrashPoint::PollWriting, CrashPoint::PollWritten), move |tx| {
            refuse_step_unless(!answer.kind.requires_stored_body(), id, "the body of that answer has to be kept")?;
            let end = RedeemEndForComparison {
                state: "answered",
                at,
                status: Some(answer.status),
                evidence: None,
                body: None,
                size: Some(answer.body_size),
                kind: Some(answer.kind),
            };
            if end.is_same_redeem_end_recorded(tx, &id, no)? {
                return Ok(());
            }
            require_redeem_in_flight(tx, &id, no)?;
            tx.execute_statement(
                "UPDATE redeems SET state = 'answered', ended_at = ?3, status = ?4, body_size = ?5, delivered = 0,
                     answer_kind = ?6
                 WHERE visit = ?1 AND no = ?2",
                params![
                    id.to_string(),
                    no.redeem_number_as_u32(),
                    column::timestamp_to_micros(at),
                    answer.status,
                    column::size_to_integer(answer.body_size),
                    answer.kind.as_database_word()
                ],
            )?;
            if let Some(status) = &answer.completion_status {
                tx.execute_statement(
                    "UPDATE visits SET last_status = ?2 WHERE id = ?1",
                    params![id.to_string(), status],
                )?;
            }
            erase_data_obsoleted_by_answer(tx, &id, no, answer.kind)
        })
        .await
    }

    /// Records the kind of a parsed response, or of the partial body of a lost response. Erases the body if it need
    /// not be kept, and what this answer makes useless: the token, or the partial bodies of other redeems.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if this redeem is in flight, was never sent or was already read, or if a body
    /// that must be kept is missing; [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_answer_kind_erasing_obsolete(
        &self,
        id: &VisitId,
        no: RedeemNumber,
        kind: AnswerKind,
    ) -> Result<(), StoreError> {
        let id = *id;
        self.queue_write_transaction(
            CommitCrashPoints(CrashPoint::ReadingWriting, CrashPoint::ReadingWritten),
            move |tx| {
                VisitStateForStepGuards::load_row_state(tx, &id)?;
                let read = tx.execute_statement(
                    "UPDATE redeems SET delivered = ?3, body = CASE WHEN ?4 THEN body END, answer_kind = ?5
                 WHERE visit = ?1 AND no = ?2 AND delivered IS NULL AND state IN ('answered', 'unanswered')
                     AND (state = 'answered' OR body IS NOT NULL OR NOT ?6)",
                    params![
                        id.to_string(),
                        no.redeem_number_as_u32(),
                        kind == AnswerKind::Delivery,
                        kind.should_keep_stored_body(),
                        kind.as_database_word(),
                        kind.requires_stored_body()
                    ],
                )?;
                if read == 0 && is_answer_recorded_with_kind(tx, &id, no, kind)? {
                    return Ok(());
                }
                refuse_step_unless(read == 1, id, "that redeem has no unread answer")?;
                erase_data_obsoleted_by_answer(tx, &id, no, kind)
            },
        )
        .await
    }

    /// Records that a truncated response ([`AnswerKind::Truncated`]) is used as the delivery, because the token has
    /// been refused since. Erases the token.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] if no body of this redeem is kept, if a response with URLs was read, or if the
    /// visit has ended; [`StoreError::UnknownVisit`]; an I/O or database failure.
    pub async fn record_truncated_delivery_erasing_token(
        &self,
        id: &VisitId,
        no: RedeemNumber,
    ) -> Result<(), StoreError> {
        let id = *id;
        self.queue_write_transaction(
            CommitCrashPoints(CrashPoint::ReadingWriting, CrashPoint::ReadingWritten),
            move |tx| {
                let visit = VisitStateForStepGuards::load_row_state(tx, &id)?;
                visit.refuse_step_if_visit_ended()?;
                if visit.has_delivery && is_truncated_response_used_as_delivery(tx, &id, no)? {
                    return Ok(());
                }
                refuse_step_unless(!visit.has_delivery, id, "its token was spent on an answer with URLs")?;
                let used = tx.execute_statement(
                "UPDATE redeems SET delivered = 1 WHERE visit = ?1 AND no = ?2 AND delivered = 0 AND body IS NOT NULL",
                params![id.to_string(), no.redeem_number_as_u32()],
            )?;
                refuse_step_unless(used == 1, id, "nothing is kept of that redeem's answer")?;
                erase_token_and_bodies_except(tx, &id, no)
            },
        )
        .await
    }

    /// Records how a redeem without a complete response ended.
    async fn record_redeem_without_response(
        &self,
        id: VisitId,
        no: RedeemNumber,
        end: RedeemWithoutResponse,
    ) -> Result<(), StoreError> {
        self.queue_write_transaction(LOSS_STEP, move |tx| finish_redeem_without_response(tx, &id, no, &end)).await
    }
}

/// The end of a redeem, to compare it with the one that the journal has.
struct RedeemEndForComparison<'a> {
    state: &'static str,
    at: Timestamp,
    status: Option<u16>,
    evidence: Option<&'a str>,
    body: Option<&'a [u8]>,
    /// Size of the body in bytes, also of one that is not stored.
    size: Option<u64>,
    kind: Option<AnswerKind>,
}

impl RedeemEndForComparison<'_> {
    /// Whether the journal has exactly this end of the redeem. An earlier call may have committed it and failed to flush
    /// it, so recording it again is no second end.
    fn is_same_redeem_end_recorded(
        &self,
        tx: &JournalTransaction<'_>,
        id: &VisitId,
        no: RedeemNumber,
    ) -> Result<bool, TransactionError> {
        let recorded = tx.query_row(
            "SELECT EXISTS (SELECT 1 FROM redeems WHERE visit = ?1 AND no = ?2 AND state = ?3 AND ended_at = ?4
                 AND status IS ?5 AND evidence IS ?6 AND body IS ?7 AND body_size IS ?8 AND answer_kind IS ?9)",
            params![
                id.to_string(),
                no.redeem_number_as_u32(),
                self.state,
                column::timestamp_to_micros(self.at),
                self.status,
                self.evidence,
                self.body,
                self.size.map(column::size_to_integer),
                self.kind.map(AnswerKind::as_database_word)
            ],
            |row| row.get(0),
        )?;
        Ok(recorded)
    }
}

const LOSS_STEP: CommitCrashPoints = CommitCrashPoints(CrashPoint::LostAnswerWriting, CrashPoint::LostAnswerWritten);

/// Writes the end of a redeem without a complete response, in an open transaction.
fn finish_redeem_without_response(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    no: RedeemNumber,
    end: &RedeemWithoutResponse,
) -> Result<(), TransactionError> {
    let size = end.body.as_ref().map(|body| body.len() as u64);
    let recorded = RedeemEndForComparison {
        state: end.state,
        at: end.at,
        status: None,
        evidence: Some(&end.evidence),
        body: end.body.as_deref(),
        size,
        kind: None,
    };
    if recorded.is_same_redeem_end_recorded(tx, id, no)? {
        return Ok(());
    }
    require_redeem_in_flight(tx, id, no)?;
    tx.execute_statement(
        "UPDATE redeems SET state = ?3, ended_at = ?4, evidence = ?5, body = ?6, body_size = ?7
         WHERE visit = ?1 AND no = ?2",
        params![
            id.to_string(),
            no.redeem_number_as_u32(),
            end.state,
            column::timestamp_to_micros(end.at),
            end.evidence,
            end.body,
            size.map(column::size_to_integer)
        ],
    )?;
    Ok(())
}

/// Whether the answer of a redeem was read with this kind: an earlier call may have failed to flush that.
fn is_answer_recorded_with_kind(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    no: RedeemNumber,
    kind: AnswerKind,
) -> Result<bool, TransactionError> {
    let is_read = tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM redeems WHERE visit = ?1 AND no = ?2 AND delivered = ?3 AND answer_kind = ?4)",
        params![id.to_string(), no.redeem_number_as_u32(), kind == AnswerKind::Delivery, kind.as_database_word()],
        |row| row.get(0),
    )?;
    Ok(is_read)
}

/// Whether the truncated response of this redeem is the delivery already: an earlier call may have failed to flush that.
fn is_truncated_response_used_as_delivery(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    no: RedeemNumber,
) -> Result<bool, TransactionError> {
    let is_used = tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM redeems WHERE visit = ?1 AND no = ?2 AND delivered = 1
             AND answer_kind IS NOT 'delivery')",
        params![id.to_string(), no.redeem_number_as_u32()],
        |row| row.get(0),
    )?;
    Ok(is_used)
}

/// Erases what an answer of this kind makes useless: the token, or the bodies of other redeems.
fn erase_data_obsoleted_by_answer(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    no: RedeemNumber,
    kind: AnswerKind,
) -> Result<(), TransactionError> {
    match kind {
        AnswerKind::Delivery => erase_token_and_bodies_except(tx, id, no),
        // One is enough: the latest is the one that can have spent the token.
        AnswerKind::Truncated => erase_partial_bodies_except(tx, id, no),
        AnswerKind::Progress => erase_bodies_of_redeems_without_effect(tx, id, no),
        AnswerKind::Refused | AnswerKind::Failed | AnswerKind::Undecided | AnswerKind::Unreadable => Ok(()),
    }
}

/// Erases the token, and the partial bodies of every redeem except the one on which it was spent.
fn erase_token_and_bodies_except(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    no: RedeemNumber,
) -> Result<(), TransactionError> {
    tx.execute_statement(
        "UPDATE visits SET token = NULL, link = NULL,
             redeemed_at = (SELECT ended_at FROM redeems WHERE visit = ?1 AND no = ?2)
         WHERE id = ?1",
        params![id.to_string(), no.redeem_number_as_u32()],
    )?;
    erase_partial_bodies_except(tx, id, no)
}

/// Erases the partial bodies of lost or unreadable answers, except that of the redeem `kept`.
fn erase_partial_bodies_except(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    kept: RedeemNumber,
) -> Result<(), TransactionError> {
    tx.execute_statement(
        "UPDATE redeems SET body = NULL WHERE visit = ?1 AND delivered = 0 AND no <> ?2",
        params![id.to_string(), kept.redeem_number_as_u32()],
    )?;
    Ok(())
}

/// Erases the partial bodies of redeems that the backend cannot process any more. They did not spend the token, because
/// the redeem `no` showed it active. See [`MAX_REDEEM_DELAY`].
fn erase_bodies_of_redeems_without_effect(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    no: RedeemNumber,
) -> Result<(), TransactionError> {
    tx.execute_statement(
        "UPDATE redeems SET body = NULL
         WHERE visit = ?1 AND delivered = 0 AND coalesce(ended_at, intent_at) + ?3 <=
             (SELECT intent_at FROM redeems WHERE visit = ?1 AND no = ?2)",
        params![
            id.to_string(),
            no.redeem_number_as_u32(),
            i64::try_from(MAX_REDEEM_DELAY.as_micros()).unwrap_or(i64::MAX)
        ],
    )?;
    Ok(())
}

/// The redeem that is in flight, as far as the journal knows.
fn find_redeem_in_flight(tx: &JournalTransaction<'_>, id: &VisitId) -> Result<Option<RedeemNumber>, TransactionError> {
    let open = tx.query_row("SELECT no FROM redeems WHERE visit = ?1 AND state = 'intent'", [id.to_string()], |row| {
        Ok(RedeemNumber(row.get(0)?))
    });
    Ok(open.optional()?)
}

/// Refuses to record the end of a redeem that is not in flight, or of a visit that has ended and retained nothing.
fn require_redeem_in_flight(
    tx: &JournalTransaction<'_>,
    id: &VisitId,
    no: RedeemNumber,
) -> Result<(), TransactionError> {
    let visit = VisitStateForStepGuards::load_row_state(tx, id)?;
    refuse_step_unless(!visit.has_ended || visit.is_recoverable, *id, "it ended, and nothing of it is kept")?;
    refuse_step_unless(find_redeem_in_flight(tx, id)? == Some(no), *id, "that redeem is not open")
}
