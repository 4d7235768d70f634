//! Intent, outcome, reading: the three durable steps of a redeem.

use super::record::{Reading, RedeemNo};
use super::{Fault, Journal, Standing, column, guard};
use crate::crash::{Point, Step};
use crate::error::StoreError;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

impl Journal {
    /// Notes that a redeem is about to be sent. When this returns, no crash can hide that it was.
    ///
    /// "Once the Copresence backend provides a response with download URLs, the provided Export Token is invalidated":
    /// every redeem may be the one.
    ///
    /// # Errors
    /// [`StoreError::Guard`] while another intent is open or an answer is unread, and after an answer with URLs or
    /// the end.
    pub fn redeem_intent(&self, id: &VisitId, at: Timestamp) -> Result<RedeemNo, StoreError> {
        self.write(Step(Point::IntentWriting, Point::IntentWritten), |tx| {
            let visit = Standing::of(tx, id)?;
            visit.goes_on()?;
            guard(visit.has_token, *id, "it has no token to redeem")?;
            guard(!visit.delivered, *id, "its token was spent on an answer with URLs")?;
            guard(!visit.unread, *id, "its last answer was not read yet")?;
            let (last, open): (u32, bool) = tx.query_row(
                "SELECT coalesce(max(no), 0), coalesce(max(state = 'intent'), 0) FROM redeems WHERE visit = ?1",
                [id.to_string()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            guard(!open, *id, "another redeem of it is in flight")?;
            tx.execute(
                "INSERT INTO redeems (visit, no, state, intent_at) VALUES (?1, ?2, 'intent', ?3)",
                params![id.to_string(), last + 1, column::time(at)],
            )?;
            Ok(RedeemNo(last + 1))
        })
    }

    /// Notes that no byte of it left this machine: the token is as it was.
    pub fn redeem_never_sent(
        &self,
        id: &VisitId,
        no: RedeemNo,
        why: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.unanswered(id, no, "never_sent", why, &[], at)
    }

    /// Notes that it was sent and its answer never came whole: the token may be spent.
    ///
    /// `evidence` says what is known (when, how many bytes came, what the socket said) and holds no secret. `came` is
    /// as much of the body as came: only when this has returned may it be looked into, and
    /// [`redeem_read`](Self::redeem_read) says whether it is kept.
    pub fn redeem_unanswered(
        &self,
        id: &VisitId,
        no: RedeemNo,
        evidence: &str,
        came: &[u8],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.unanswered(id, no, "unanswered", evidence, came, at)
    }

    /// Puts the raw answer on disk. Only when this has returned may it be parsed.
    pub fn redeem_answered(
        &self,
        id: &VisitId,
        no: RedeemNo,
        status: u16,
        body: &[u8],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(Step(Point::AnswerWriting, Point::AnswerWritten), |tx| {
            settle(tx, id, no)?;
            tx.execute(
                "UPDATE redeems SET state = 'answered', ended_at = ?3, status = ?4, body = ?5, body_size = ?6
                 WHERE visit = ?1 AND no = ?2",
                params![
                    id.to_string(),
                    no.get(),
                    column::time(at),
                    status,
                    body,
                    column::size(body.len() as u64)
                ],
            )?;
            Ok(())
        })
    }

    /// Notes what the parsed answer (or what came of one that was lost) was: `true` is [`Reading::Delivery`], `false`
    /// [`Reading::Nothing`].
    pub fn redeem_read(
        &self,
        id: &VisitId,
        no: RedeemNo,
        reading: impl Into<Reading>,
    ) -> Result<(), StoreError> {
        let reading = reading.into();
        self.write(Step(Point::VerdictWriting, Point::VerdictWritten), |tx| {
            Standing::of(tx, id)?;
            let read = tx.execute(
                "UPDATE redeems SET delivered = ?3, body = CASE WHEN ?4 THEN body END
                 WHERE visit = ?1 AND no = ?2 AND delivered IS NULL
                     AND (state = 'answered' OR (state = 'unanswered' AND body IS NOT NULL))",
                params![id.to_string(), no.get(), reading == Reading::Delivery, reading.keeps_the_body()],
            )?;
            guard(read == 1, *id, "that redeem has no unread answer")?;
            match reading {
                Reading::Delivery => spend(tx, id, no),
                // One is enough: the latest is the one that can have spent the token.
                Reading::Fragment => forget_fragments(tx, id, Some(no)),
                Reading::Good => forget_fragments(tx, id, None),
                Reading::Nothing => Ok(()),
            }
        })
    }

    /// Takes the beginning of an answer, kept as [`Reading::Fragment`], for the delivery: the token is refused by now,
    /// and is forgotten.
    pub fn redeem_salvaged(&self, id: &VisitId, no: RedeemNo) -> Result<(), StoreError> {
        self.write(Step(Point::VerdictWriting, Point::VerdictWritten), |tx| {
            let visit = Standing::of(tx, id)?;
            visit.goes_on()?;
            guard(!visit.delivered, *id, "its token was spent on an answer with URLs")?;
            let taken = tx.execute(
                "UPDATE redeems SET delivered = 1 WHERE visit = ?1 AND no = ?2 AND delivered = 0 AND body IS NOT NULL",
                params![id.to_string(), no.get()],
            )?;
            guard(taken == 1, *id, "nothing is kept of that redeem's answer")?;
            spend(tx, id, no)
        })
    }

    fn unanswered(
        &self,
        id: &VisitId,
        no: RedeemNo,
        state: &str,
        evidence: &str,
        came: &[u8],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let body = (!came.is_empty()).then_some(came);
        self.write(Step(Point::LossWriting, Point::LossWritten), |tx| {
            settle(tx, id, no)?;
            tx.execute(
                "UPDATE redeems SET state = ?3, ended_at = ?4, evidence = ?5, body = ?6, body_size = ?7
                 WHERE visit = ?1 AND no = ?2",
                params![
                    id.to_string(),
                    no.get(),
                    state,
                    column::time(at),
                    evidence,
                    body,
                    body.map(|body| column::size(body.len() as u64))
                ],
            )?;
            Ok(())
        })
    }
}

/// The token is spent on this redeem: it is forgotten, and so is what came of every other.
fn spend(tx: &Transaction<'_>, id: &VisitId, no: RedeemNo) -> Result<(), Fault> {
    tx.execute(
        "UPDATE visits SET token = NULL, link = NULL,
             redeemed_at = (SELECT ended_at FROM redeems WHERE visit = ?1 AND no = ?2)
         WHERE id = ?1",
        params![id.to_string(), no.get()],
    )?;
    forget_fragments(tx, id, Some(no))
}

/// Forgets what came of lost or broken answers, but for one.
fn forget_fragments(tx: &Transaction<'_>, id: &VisitId, but: Option<RedeemNo>) -> Result<(), Fault> {
    tx.execute(
        "UPDATE redeems SET body = NULL WHERE visit = ?1 AND delivered = 0 AND no <> ?2",
        params![id.to_string(), but.map_or(0, RedeemNo::get)],
    )?;
    Ok(())
}

/// Lets an outcome be written only for the redeem that is open, and not where everything was forgotten.
fn settle(tx: &Transaction<'_>, id: &VisitId, no: RedeemNo) -> Result<(), Fault> {
    let visit = Standing::of(tx, id)?;
    guard(!visit.ended || visit.recoverable, *id, "it ended, and nothing of it is kept")?;
    let state: Option<String> = tx
        .query_row(
            "SELECT state FROM redeems WHERE visit = ?1 AND no = ?2",
            params![id.to_string(), no.get()],
            |row| row.get(0),
        )
        .optional()?;
    guard(state.as_deref() == Some("intent"), *id, "that redeem is not open")
}
