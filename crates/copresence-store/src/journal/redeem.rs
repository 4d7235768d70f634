//! The durable steps of a redeem: intent, outcome, and what kind of answer it was.

use super::record::{AnswerKind, PollAnswer, RedeemNo};
use super::writer::TransactionError;
use super::{Journal, VisitRowState, column, require};
use crate::crash_point::{CrashPoint, JournalStep};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

/// The end of a redeem that had no whole answer.
struct NoAnswer {
    state: &'static str,
    evidence: String,
    /// The beginning of the body, if any came.
    body: Option<Vec<u8>>,
    at: Timestamp,
}

impl Journal {
    /// Records that a redeem is about to be sent. Once this resolved, no crash can hide that it was.
    ///
    /// Spec: "Once the Copresence backend provides a response with download URLs, the provided Export Token is
    /// invalidated" (GET /redeemExportToken), so every redeem may be the last.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] without a token, while another intent is open or an answer is unread, and after an answer
    /// with URLs or the end; [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_redeem_intent(&self, id: &VisitId, at: Timestamp) -> Result<RedeemNo, StoreError> {
        let id = *id;
        self.write(JournalStep(CrashPoint::IntentWriting, CrashPoint::IntentWritten), move |tx| {
            let visit = VisitRowState::load(tx, &id)?;
            visit.require_not_ended()?;
            require(visit.has_token, id, "it has no token to redeem")?;
            require(!visit.has_delivery, id, "its token was spent on an answer with URLs")?;
            require(!visit.has_unread_answer, id, "its last answer was not read yet")?;
            let last: u32 = tx.query_row(
                "SELECT coalesce(max(no), 0) FROM redeems WHERE visit = ?1",
                [id.to_string()],
                |row| row.get(0),
            )?;
            require(open_intent(tx, &id)?.is_none(), id, "another redeem of it is in flight")?;
            tx.execute(
                "INSERT INTO redeems (visit, no, state, intent_at) VALUES (?1, ?2, 'intent', ?3)",
                params![id.to_string(), last + 1, column::to_micros(at)],
            )?;
            Ok(RedeemNo(last + 1))
        })
        .await
    }

    /// Records that no byte of it left this machine: the token is unchanged.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] when that redeem is not open, or its visit ended and retained nothing;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_never_sent(
        &self,
        id: &VisitId,
        no: RedeemNo,
        why: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let end = NoAnswer { state: "never_sent", evidence: why.to_owned(), body: None, at };
        self.record_no_answer(*id, no, end).await
    }

    /// Records that it was sent and its answer never came whole: the token may be spent.
    ///
    /// `evidence` says what is known (when, how many bytes came, what the socket reported) and holds no secret. `came`
    /// is the beginning of the body: use it only once this resolved, and then call [`record_answer_kind`](Self::record_answer_kind),
    /// which decides whether it is kept.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] when that redeem is not open, or its visit ended and retained nothing;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_lost_answer(
        &self,
        id: &VisitId,
        no: RedeemNo,
        evidence: &str,
        came: &[u8],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let body = (!came.is_empty()).then(|| came.to_vec());
        let end = NoAnswer { state: "unanswered", evidence: evidence.to_owned(), body, at };
        self.record_no_answer(*id, no, end).await
    }

    /// Queues the end of a redeem whose caller is dropped, without waiting: callable from `Drop`, also outside of a
    /// runtime. Closes the open intent (`no`, or whichever is open) as unanswered if the request was sent, otherwise as
    /// never sent; does nothing without one. A failure is logged.
    pub fn queue_cancelled_redeem(&self, id: &VisitId, no: Option<RedeemNo>, was_sent: bool, at: Timestamp) {
        let id = *id;
        self.thread.queue_request(move |database| {
            let written = database.write(LOSS_STEP, move |tx| {
                let open = open_intent(tx, &id)?;
                let Some(open) = open.filter(|open| no.is_none_or(|no| no == *open)) else { return Ok(()) };
                let (state, evidence) = if was_sent {
                    ("unanswered", "given up before its answer came")
                } else {
                    ("never_sent", "cancelled before it was sent")
                };
                let end = NoAnswer { state, evidence: evidence.to_owned(), body: None, at };
                write_no_answer(tx, &id, open, &end)
            });
            if let Err(error) = written {
                tracing::error!(%error, visit = %id, "a cancelled redeem could not be written");
            }
        });
    }

    /// Writes the raw answer to disk. Only once this resolved may it be acted on.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] when that redeem is not open, or its visit ended and retained nothing;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_raw_answer(
        &self,
        id: &VisitId,
        no: RedeemNo,
        status: u16,
        body: &[u8],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, body) = (*id, body.to_vec());
        self.write(JournalStep(CrashPoint::AnswerWriting, CrashPoint::AnswerWritten), move |tx| {
            require_open_intent(tx, &id, no)?;
            tx.execute(
                "UPDATE redeems SET state = 'answered', ended_at = ?3, status = ?4, body = ?5, body_size = ?6
                 WHERE visit = ?1 AND no = ?2",
                params![
                    id.to_string(),
                    no.get(),
                    column::to_micros(at),
                    status,
                    body,
                    column::to_integer(body.len() as u64)
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Records a whole answer that brings nothing to keep, and what kind it was, in one transaction. Its body is not
    /// stored.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] when that redeem is not open, its visit ended and retained nothing, or the kind of answer
    /// keeps its body; [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_poll_answer(
        &self,
        id: &VisitId,
        no: RedeemNo,
        answer: &PollAnswer,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, answer) = (*id, answer.clone());
        self.write(JournalStep(CrashPoint::PollWriting, CrashPoint::PollWritten), move |tx| {
            require(!answer.kind.keeps_body(), id, "the body of that answer has to be kept")?;
            require_open_intent(tx, &id, no)?;
            tx.execute(
                "UPDATE redeems SET state = 'answered', ended_at = ?3, status = ?4, body_size = ?5, delivered = 0,
                     answer_kind = ?6
                 WHERE visit = ?1 AND no = ?2",
                params![
                    id.to_string(),
                    no.get(),
                    column::to_micros(at),
                    answer.status,
                    column::to_integer(answer.body_size),
                    answer.kind.as_str()
                ],
            )?;
            if let Some(status) = &answer.completion_status {
                tx.execute("UPDATE visits SET last_status = ?2 WHERE id = ?1", params![id.to_string(), status])?;
            }
            act_on_kind(tx, &id, no, answer.kind)
        })
        .await
    }

    /// Records what kind the parsed answer (or the partial body of a lost one) was.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] when that redeem is open, was never sent, or was read already, and for a lost answer
    /// whose kind keeps a body that never came; [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_answer_kind(
        &self,
        id: &VisitId,
        no: RedeemNo,
        kind: AnswerKind,
    ) -> Result<(), StoreError> {
        let id = *id;
        self.write(JournalStep(CrashPoint::ReadingWriting, CrashPoint::ReadingWritten), move |tx| {
            VisitRowState::load(tx, &id)?;
            let read = tx.execute(
                "UPDATE redeems SET delivered = ?3, body = CASE WHEN ?4 THEN body END, answer_kind = ?5
                 WHERE visit = ?1 AND no = ?2 AND delivered IS NULL AND state IN ('answered', 'unanswered')
                     AND (state = 'answered' OR body IS NOT NULL OR NOT ?4)",
                params![
                    id.to_string(),
                    no.get(),
                    kind == AnswerKind::Delivery,
                    kind.keeps_body(),
                    kind.as_str()
                ],
            )?;
            require(read == 1, id, "that redeem has no unread answer")?;
            act_on_kind(tx, &id, no, kind)
        })
        .await
    }

    /// Uses the beginning of an answer, kept as [`AnswerKind::Truncated`], as the delivery: the token was refused
    /// meanwhile, and is erased.
    ///
    /// # Errors
    /// [`StoreError::StepRefused`] when no body of that redeem is kept, and after an answer with URLs or the end;
    /// [`StoreError::UnknownVisit`]; failures of the disk or the database.
    pub async fn record_partial_delivery(&self, id: &VisitId, no: RedeemNo) -> Result<(), StoreError> {
        let id = *id;
        self.write(JournalStep(CrashPoint::ReadingWriting, CrashPoint::ReadingWritten), move |tx| {
            let visit = VisitRowState::load(tx, &id)?;
            visit.require_not_ended()?;
            require(!visit.has_delivery, id, "its token was spent on an answer with URLs")?;
            let used = tx.execute(
                "UPDATE redeems SET delivered = 1 WHERE visit = ?1 AND no = ?2 AND delivered = 0 AND body IS NOT NULL",
                params![id.to_string(), no.get()],
            )?;
            require(used == 1, id, "nothing is kept of that redeem's answer")?;
            mark_token_spent(tx, &id, no)
        })
        .await
    }

    async fn record_no_answer(&self, id: VisitId, no: RedeemNo, end: NoAnswer) -> Result<(), StoreError> {
        self.write(LOSS_STEP, move |tx| write_no_answer(tx, &id, no, &end)).await
    }
}

const LOSS_STEP: JournalStep = JournalStep(CrashPoint::LostAnswerWriting, CrashPoint::LostAnswerWritten);

fn write_no_answer(
    tx: &Transaction<'_>,
    id: &VisitId,
    no: RedeemNo,
    end: &NoAnswer,
) -> Result<(), TransactionError> {
    require_open_intent(tx, id, no)?;
    tx.execute(
        "UPDATE redeems SET state = ?3, ended_at = ?4, evidence = ?5, body = ?6, body_size = ?7
         WHERE visit = ?1 AND no = ?2",
        params![
            id.to_string(),
            no.get(),
            end.state,
            column::to_micros(end.at),
            end.evidence,
            end.body,
            end.body.as_ref().map(|body| column::to_integer(body.len() as u64))
        ],
    )?;
    Ok(())
}

/// Erases what an answer of this kind made worthless.
fn act_on_kind(
    tx: &Transaction<'_>,
    id: &VisitId,
    no: RedeemNo,
    kind: AnswerKind,
) -> Result<(), TransactionError> {
    match kind {
        AnswerKind::Delivery => mark_token_spent(tx, id, no),
        // One is enough: the latest is the one that can have spent the token.
        AnswerKind::Truncated => erase_partial_bodies(tx, id, Some(no)),
        AnswerKind::Progress => erase_partial_bodies(tx, id, None),
        AnswerKind::Refused | AnswerKind::Failed | AnswerKind::Unreadable => Ok(()),
    }
}

/// The token is spent on this redeem: erases it, and the partial bodies of every other redeem.
fn mark_token_spent(tx: &Transaction<'_>, id: &VisitId, no: RedeemNo) -> Result<(), TransactionError> {
    tx.execute(
        "UPDATE visits SET token = NULL, link = NULL,
             redeemed_at = (SELECT ended_at FROM redeems WHERE visit = ?1 AND no = ?2)
         WHERE id = ?1",
        params![id.to_string(), no.get()],
    )?;
    erase_partial_bodies(tx, id, Some(no))
}

/// Erases the partial bodies of lost or unreadable answers, except one.
fn erase_partial_bodies(
    tx: &Transaction<'_>,
    id: &VisitId,
    except: Option<RedeemNo>,
) -> Result<(), TransactionError> {
    tx.execute(
        "UPDATE redeems SET body = NULL WHERE visit = ?1 AND delivered = 0 AND no <> ?2",
        params![id.to_string(), except.map_or(0, RedeemNo::get)],
    )?;
    Ok(())
}

/// The redeem that is in flight, as far as the journal knows.
fn open_intent(tx: &Transaction<'_>, id: &VisitId) -> Result<Option<RedeemNo>, TransactionError> {
    let open = tx.query_row(
        "SELECT no FROM redeems WHERE visit = ?1 AND state = 'intent'",
        [id.to_string()],
        |row| Ok(RedeemNo(row.get(0)?)),
    );
    Ok(open.optional()?)
}

/// Lets an outcome be written only for the redeem that is open, and not where everything was erased.
fn require_open_intent(tx: &Transaction<'_>, id: &VisitId, no: RedeemNo) -> Result<(), TransactionError> {
    let visit = VisitRowState::load(tx, id)?;
    require(!visit.has_ended || visit.is_recoverable, *id, "it ended, and nothing of it is kept")?;
    require(open_intent(tx, id)? == Some(no), *id, "that redeem is not open")
}
